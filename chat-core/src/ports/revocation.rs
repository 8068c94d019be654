//! What is taken back of what somebody was admitted for, before it runs out.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::policy::Admission;
use crate::domain::Role;
use crate::types::RoomCode;

/// What is taken back of a person's admissions. See [`Engine::revoke`](crate::Engine::revoke).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Revocation {
    /// All of it, as if it had run out: their connections end as `auth_expired` (4007), and whoever the policy still admits comes back. For good a
    /// session ends by [`Engine::end`](crate::Engine::end).
    All,
    /// The rooms that they may enter, but for these. They leave the others at once.
    RoomsBut(BTreeSet<RoomCode>),
    /// The role of an owner or a moderator, where an admission names one: it names that of a member from now on, and who is a moderator of a room
    /// they are in is none any more. The owner of a room stays it, and so does whoever was made a moderator in the room itself.
    Role,
}

impl Admission {
    /// What is left of it; nothing where all of it is taken back.
    pub(crate) fn without(&self, what: &Revocation) -> Option<Self> {
        let mut left = self.clone();
        match what {
            Revocation::All => return None,
            Revocation::RoomsBut(rooms) => {
                let kept = rooms.iter().filter(|room| self.may_enter(room)).cloned().collect();
                left.rooms = Some(Arc::new(kept));
            }
            Revocation::Role => left.role = left.role.map(|_| Role::Member),
        }
        Some(left)
    }
}
