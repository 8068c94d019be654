//! Who is kept out of one life of a room, and until when: nobody comes in meanwhile.

use chat_core::{BanId, Event, MemberId, Record, RoomCode, Scope, Wall};

use crate::promise::{Broken, Promise, hold};

/// Every ban that was not lifted.
#[derive(Debug, Default)]
pub(crate) struct Bans {
    held: Vec<Ban>,
    /// Everybody who was ever banned, by the number they had then.
    ever: Vec<MemberId>,
}

#[derive(Debug)]
struct Ban {
    number: BanId,
    scope: Scope,
    until: Option<Wall>,
}

impl Bans {
    /// Whether whoever has this number was ever banned under it.
    pub(crate) fn was_banned(&self, member: MemberId) -> bool {
        self.ever.contains(&member)
    }

    /// The next record. `scope_of` says who has a number.
    pub(crate) fn add(
        &mut self,
        room: &RoomCode,
        record: &Record,
        scope_of: impl Fn(MemberId) -> Option<Scope>,
    ) -> Result<(), Broken> {
        match &record.event {
            Event::Joined { scope, .. } => {
                let holds = |ban: &&Ban| ban.scope == *scope && ban.until.is_none_or(|until| until > record.at);
                let held = self.held.iter().find(holds);
                hold!(held.is_none(), Promise::Banned, "{room}: {record:?} in spite of {held:?}");
            }
            Event::BanAdded { ban, member, until, .. } => {
                let Some(scope) = scope_of(*member) else { return Ok(()) };
                // It takes the place of the one before.
                self.held.retain(|held| held.scope != scope);
                self.held.push(Ban { number: *ban, scope, until: *until });
                self.ever.push(*member);
            }
            Event::BanLifted { ban } => self.held.retain(|held| held.number != *ban),
            _ => {}
        }
        Ok(())
    }
}
