//! Who is kept out of one life of a room, from where, and until when: nobody comes in meanwhile, and nobody else is kept out.

use chat_core::{BanId, Event, MemberId, NetworkTag, Record, RoomCode, Scope, Wall};
use tokio::time::Instant;

use crate::homes::Homes;
use crate::promise::{Broken, Promise, hold};

/// Every ban that there ever was.
#[derive(Debug, Default)]
pub(crate) struct Bans {
    all: Vec<Ban>,
}

#[derive(Debug)]
struct Ban {
    number: BanId,
    /// The number of who was banned.
    member: MemberId,
    scope: Scope,
    /// Where they came from: guests who are new and come from there are kept out, too.
    networks: Vec<NetworkTag>,
    until: Option<Wall>,
    /// When the log took that it was lifted, or that the person was banned again.
    lifted: Option<Instant>,
}

/// Somebody who was refused as banned.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refused<'a> {
    pub(crate) scope: &'a Scope,
    /// Until when, as they were told.
    pub(crate) until: Option<Wall>,
    /// When they asked.
    pub(crate) asked: Instant,
    /// What is over by then was over for sure when they asked.
    pub(crate) over: Wall,
    /// They are the owner or a moderator again when they come in: no ban of somebody else keeps them out.
    pub(crate) keeps_role: bool,
}

impl Bans {
    /// Whether whoever has this number was ever banned under it.
    pub(crate) fn was_banned(&self, member: MemberId) -> bool {
        self.all.iter().any(|ban| ban.member == member)
    }

    /// Whether one of these bans may be why somebody was refused.
    pub(crate) fn may_refuse(&self, refused: Refused<'_>, homes: &Homes) -> bool {
        let Refused { scope, until, asked, over, keeps_role } = refused;
        self.all.iter().any(|ban| {
            let is_guest = matches!(scope, Scope::Session(_)) && !keeps_role;
            let binds = ban.scope == *scope || is_guest && homes.may_be_of(scope, &ban.networks);
            let holds = ban.until.is_none_or(|until| until > over) && ban.lifted.is_none_or(|lifted| lifted >= asked);
            ban.until == until && binds && holds
        })
    }

    /// The next record. `is_new` says that somebody joins who never did before, `scope_of` who has a number.
    pub(crate) fn add(
        &mut self,
        room: &RoomCode,
        record: &Record,
        homes: &Homes,
        is_new: bool,
        scope_of: impl Fn(MemberId) -> Option<Scope>,
    ) -> Result<(), Broken> {
        match &record.event {
            Event::Joined { scope, .. } => {
                let held =
                    self.all.iter().filter(|ban| ban.lifted.is_none() && ban.until.is_none_or(|at| at > record.at));
                let is_guest = matches!(scope, Scope::Session(_)) && is_new;
                let networks: Vec<NetworkTag> = held.clone().flat_map(|ban| ban.networks.iter().copied()).collect();
                let own = held.clone().find(|ban| ban.scope == *scope);
                hold!(own.is_none(), Promise::Banned, "{room}: {record:?} in spite of {own:?}");
                let is_kept_out = is_guest && homes.are_all_of(scope, &networks);
                hold!(
                    !is_kept_out,
                    Promise::Banned,
                    "{room}: {record:?} from where {:?} keep out",
                    held.collect::<Vec<_>>()
                );
            }
            Event::BanAdded { ban, member, until, networks, .. } => {
                let Some(scope) = scope_of(*member) else { return Ok(()) };
                let wrong = homes.learn(&scope, networks);
                hold!(wrong.is_none(), Promise::Banned, "{room}: {scope:?} never came from {wrong:?} in {record:?}");
                self.lift(|held| held.scope == scope);
                let (number, member, networks) = (*ban, *member, networks.clone());
                self.all.push(Ban { number, member, scope, networks, until: *until, lifted: None });
            }
            Event::BanLifted { ban } => self.lift(|held| held.number == *ban),
            _ => {}
        }
        Ok(())
    }

    fn lift(&mut self, which: impl Fn(&Ban) -> bool) {
        for ban in self.all.iter_mut().filter(|ban| which(ban)) {
            ban.lifted.get_or_insert_with(Instant::now);
        }
    }
}
