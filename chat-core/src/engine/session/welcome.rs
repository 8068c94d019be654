//! The first frame of a connection, and what each room has said about a session that comes back.

use tokio::sync::oneshot;

use crate::types::{Generation, Position, RoomCode};
use crate::wire::{RoomStatus, Status};

/// A room that has been asked where a session stands in it, or could not say.
pub(crate) struct ResumedRoom {
    pub(crate) code: RoomCode,
    /// What the client says it has seen of it: a cursor goes on saying so. What the session knows beside that may have been lost on its
    /// way, with the `joined` before it.
    pub(crate) named: Option<Position>,
    pub(crate) answer: RoomAnswer,
}

/// What a room has said about somebody who comes back.
pub(crate) enum RoomAnswer {
    /// Nothing yet.
    Awaited,
    /// Where the session stands; the welcome will say so.
    Told(RoomStatus),
    /// That it cannot say, and the client has heard so. The next connection asks again.
    Unavailable,
}

/// What the first frame of a connection waits for.
#[derive(Default)]
pub(crate) struct Awaited {
    /// Dropped when the last room has said where the session stands, or one of them that it is late.
    pub(crate) rooms: Option<oneshot::Sender<()>>,
    /// The newest connection that a room knows which is newer than this one: it came by another server, and maybe with the same token.
    pub(crate) late: Option<Generation>,
}

/// Whether the first frame of a connection is out.
pub(crate) enum Welcome {
    /// Rooms are still being asked where they stand.
    Awaited(Awaited),
    /// It is due.
    Due(bytes::Bytes),
    /// It is out.
    Told,
}

impl ResumedRoom {
    pub(crate) fn is_awaited(&self) -> bool {
        matches!(self.answer, RoomAnswer::Awaited)
    }

    /// The status to state where the room says nothing itself.
    pub(crate) fn status(&self, status: Status) -> RoomStatus {
        RoomStatus::silent(&self.code, self.named, status)
    }
}

impl RoomStatus {
    /// The status of a room that says nothing itself.
    pub(crate) fn silent(room: &RoomCode, position: Option<Position>, status: Status) -> Self {
        Self {
            room: room.as_str().to_owned(),
            epoch: position.map(|position| position.epoch),
            seq: position.map(|position| position.seq),
            status,
            read: None,
            reason: None,
            until: None,
        }
    }
}
