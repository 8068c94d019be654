//! Whether somebody may be refused as banned: nobody is whom no ban binds.

use std::time::Duration;

use chat_core::{Epoch, Scope, Wall};
use tokio::time::Instant;

use super::Truth;
use crate::bans::Refused;
use crate::promise::{Broken, Promise, hold};
use crate::roles::KeptRole;

/// By how much room time may lag behind a wall clock that is stepped back while somebody waits for an answer.
const STEPS: Duration = Duration::from_secs(15);

/// What was so when somebody asked to be let in.
#[derive(Debug)]
pub(crate) struct Knock {
    room: String,
    scope: Scope,
    at: Instant,
    wall: Wall,
    /// What they would be again, in which life, since which record.
    roles: Vec<(Epoch, KeptRole)>,
}

impl Truth {
    /// Somebody asks to be let in.
    pub(crate) fn knocks(&self, room: &str, scope: Scope) -> Knock {
        let roles = self.kept_roles(room, &scope);
        Knock { room: room.to_owned(), scope, at: Instant::now(), wall: self.clock.right(), roles }
    }

    /// They are told just now that they are banned.
    pub(crate) fn check_refused(&self, knock: &Knock, until: Option<Wall>) -> Result<(), Broken> {
        let Knock { room, scope, at, wall, roles } = knock;
        let now = self.kept_roles(room, scope);
        let over = Wall((*wall).min(self.clock.right()).0.saturating_sub(STEPS.as_millis() as u64));
        let lives = self.lives();
        let mut of_room = lives.iter().filter(|((code, _), _)| code == room);
        let may_be = of_room.any(|((_, epoch), life)| {
            // What they were all the while.
            let keeps_role = roles.iter().any(|kept| kept.0 == *epoch && now.contains(kept));
            life.bans.may_refuse(Refused { scope, until, asked: *at, over, keeps_role }, &self.homes)
        });
        hold!(may_be, Promise::Banned, "{room}: {scope:?} is told that it is banned until {until:?}, by no ban");
        Ok(())
    }

    fn kept_roles(&self, room: &str, scope: &Scope) -> Vec<(Epoch, KeptRole)> {
        let lives = self.lives();
        let of_room = lives.iter().filter(|((code, _), life)| code == room && !life.lost && !life.is_closed());
        of_room.filter_map(|((_, epoch), life)| Some((*epoch, life.roles.kept(scope)?))).collect()
    }
}
