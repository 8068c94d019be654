//! What passes: latest wins, never logged, never queued.

use crate::types::MemberId;

/// One passing state of a room.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Signal {
    /// Who is typing right now, in the order of member numbers.
    Typing {
        /// At most [`RoomLimits::typing_members_max`](crate::RoomLimits::typing_members_max).
        members: Vec<MemberId>,
    },
    /// How many are here; only in rooms too big to tell joins and leaves one by one.
    Presence {
        /// Members, connected or within their grace.
        members: usize,
        /// Members with a connection.
        online: usize,
    },
}
