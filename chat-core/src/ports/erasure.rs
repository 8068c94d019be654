//! The erasure of a person as a job: how far it has come, as it is kept in the log until it is done.

use serde::{Deserialize, Serialize};

use super::slot::Slot;
use crate::types::{Identity, RoomCode, SessionId, Wall};

/// How far the erasure of a person has come. It looks at all rooms in the order of their codes, and goes on where it was after a restart, or at
/// another server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Erasure {
    /// Whom.
    pub identity: Identity,
    /// Who stands for them in records: a session that there never was.
    pub alias: SessionId,
    /// When it was asked for.
    pub since: Wall,
    /// The last room that it has looked at in this pass; `None` before the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<RoomCode>,
    /// Rooms that it has looked at in this pass.
    #[serde(default)]
    pub looked: u64,
    /// Rooms that there were when this pass began; those made since are not among them.
    #[serde(default)]
    pub rooms: u64,
    /// Rooms from which it has erased them, in all passes.
    #[serde(default)]
    pub erased: u64,
    /// Rooms of this pass that could not be read, or not be erased from: another pass looks at all rooms once more, until there is none.
    #[serde(default)]
    pub failed: u64,
    /// How often it was asked for: what came after a room was looked at is found by the pass of who asks again.
    #[serde(default)]
    pub asked: u32,
    /// The same as of when this pass began: it answers those, and another pass the others.
    #[serde(default)]
    pub answered: u32,
}

impl Erasure {
    /// One that has not begun.
    pub fn new(identity: Identity, alias: SessionId, since: Wall) -> Self {
        Self { identity, alias, since, after: None, looked: 0, rooms: 0, erased: 0, failed: 0, asked: 1, answered: 0 }
    }

    /// For a log, whether it may take the place of what is kept of the same person, for a caller who has read that this was asked for so often; `None` where
    /// they have read that nothing is kept.
    pub fn may_follow(&self, kept: Option<&Self>, asked: Option<u32>) -> bool {
        kept.map(|kept| (kept.alias, kept.asked)) == asked.map(|asked| (self.alias, asked))
    }

    /// Rooms that this pass has still to look at, about.
    pub fn to_go(&self) -> u64 {
        self.rooms.saturating_sub(self.looked)
    }

    /// The slot whose owner carries it out, where servers share a log: by the rule of [`Slot::of`] for rooms.
    pub fn slot(&self) -> Slot {
        Slot::of_text(self.identity.as_str())
    }
}
