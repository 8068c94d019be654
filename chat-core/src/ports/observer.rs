//! Who watches: metrics, tracing, hooks of a backend. May watch, may not steer.

use crate::domain::Record;
use crate::types::{CloseReason, Epoch, RejectCode, RoomCode, SessionId, WallStep};

/// One thing worth counting.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ObserverEvent<'a> {
    /// A session got a connection.
    Connected {
        /// The session; it may have had other connections before.
        session: SessionId,
        /// Over which transport.
        transport: &'static str,
    },
    /// A session lost its connection.
    Disconnected {
        /// The session; it may have had other connections before.
        session: SessionId,
        /// Why, where the server ended it.
        reason: Option<CloseReason>,
    },
    /// A record was logged and published: reliable, in order, once per process that owns the room.
    Published {
        /// In which room.
        room: &'a RoomCode,
        /// Of which life.
        epoch: Epoch,
        /// As the log holds it, if there is one.
        record: &'a Record,
    },
    /// A command was refused.
    Rejected {
        /// The code that the client was told.
        code: RejectCode,
    },
    /// A session was told that it will not get some events.
    Gap {
        /// The session that reads too slowly.
        session: SessionId,
        /// Events in the gap: it is told their numbers, and never their content.
        events: u64,
    },
    /// The wall clock was set forward by more than [`clock_step_max`](crate::RoomLimits::clock_step_max). Told when that is seen, which
    /// takes a look at the clock, and again when it is believed.
    WallStepped {
        /// How far, and whether it is believed.
        step: WallStep,
    },
    /// The log failed.
    LogFault {
        /// Of which room.
        room: &'a RoomCode,
        /// In the words of the log; for operators, never for clients.
        error: String,
    },
}

/// Watches the engine. Called synchronously on its paths: count, or hand over, and return.
pub trait Observer: Send + Sync + 'static {
    /// Something happened.
    fn observe(&self, fact: ObserverEvent<'_>);
}
