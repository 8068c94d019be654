//! Why a server has sent a statement, what hangs on the answer, and what is in doubt where none comes.

use super::rows::{SlotId, WriterId};
use super::what::Append;

/// Why a statement was sent, and what hangs on its answer.
#[derive(Clone, Debug)]
pub(super) enum Purpose {
    Enter,
    Connect(usize, WriterId),
    Beat,
    /// Whatever comes of it, the table says.
    Look,
    Settle(WriterId),
    Rooms {
        lane: usize,
        appends: Vec<Append>,
        is_claim: bool,
    },
    Give {
        lane: usize,
        slot: SlotId,
    },
    Upkeep {
        lane: usize,
    },
}

/// Appends of which nobody knows what became, and the connection they were on.
#[derive(Clone, Debug)]
pub(super) struct Doubt {
    pub(super) writer: WriterId,
    pub(super) appends: Vec<Append>,
    /// The slot that was being given.
    pub(super) gives: Option<SlotId>,
    pub(super) is_asked: bool,
}
