//! Who watches: metrics, tracing, hooks of a backend. They may watch, and may not steer.

use crate::domain::Record;
use crate::ports::Ended;
use crate::types::{CloseReason, Epoch, Identity, NodeId, Offset, RejectCode, RoomCode, SessionId, WallStep};

/// One thing worth counting.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ObserverEvent<'a> {
    /// A session got a connection.
    #[non_exhaustive]
    Connected {
        /// The session; it may have had other connections before.
        session: SessionId,
        /// The transport it came over.
        transport: &'static str,
        /// Whose it is, as the policy said.
        identity: Option<&'a Identity>,
    },
    /// A session lost its connection.
    #[non_exhaustive]
    Disconnected {
        /// The session; it may have had other connections before.
        session: SessionId,
        /// Why the server ended it; `None` where it did not.
        reason: Option<CloseReason>,
        /// The transport it came over.
        transport: &'static str,
        /// Whose it is, as the policy said.
        identity: Option<&'a Identity>,
    },
    /// Sessions were ended for good; those with a connection are told as disconnected after this.
    #[non_exhaustive]
    SessionsEnded {
        /// Whose, through which, and until when it is remembered.
        ended: &'a Ended,
    },
    /// A record was logged and published: reliable, in order, once per process that owns the room.
    #[non_exhaustive]
    Published {
        /// The room.
        room: &'a RoomCode,
        /// Its epoch.
        epoch: Epoch,
        /// What was published: as the log holds it, where there is one.
        record: &'a Record,
    },
    /// A command was refused.
    #[non_exhaustive]
    Rejected {
        /// The code that the client was told.
        code: RejectCode,
    },
    /// A session was told that it will not get some events.
    #[non_exhaustive]
    Gap {
        /// The session that reads too slowly.
        session: SessionId,
        /// Events in the gap: it is told their numbers, and never their content.
        events: u64,
    },
    /// The wall clock was set forward by more than [`clock_step_max`](crate::RoomLimits::clock_step_max). Told when that is seen, which
    /// takes a look at the clock, and again when it is believed.
    #[non_exhaustive]
    WallStepped {
        /// How far, and whether it is believed.
        step: WallStep,
    },
    /// Another server has sent something that cannot be read; it is as if it had been lost.
    #[non_exhaustive]
    BadParcel {
        /// Which one.
        from: NodeId,
        /// In words, for operators.
        error: String,
    },
    /// The log has lost what was acked in a room, as a database can that went over to a standby which was behind: the room goes on from where the log
    /// ends, and everybody who has seen more is shown it anew. Told once by each server that had more.
    #[non_exhaustive]
    Forked {
        /// The room.
        room: &'a RoomCode,
        /// The last record that was known.
        had: Offset,
        /// The last record that the log has now, or has of what was known.
        found: Offset,
    },
    /// The log failed.
    #[non_exhaustive]
    LogFault {
        /// The room.
        room: &'a RoomCode,
        /// In the words of the log; for operators, never for clients.
        error: String,
    },
}

/// Watches the engine. Called synchronously on its paths: count, or hand over, and return. While a call lasts, what it was called from
/// stands still; one that panics is counted in [`Stats::embedder_panics`](crate::Stats).
pub trait Observer: Send + Sync + 'static {
    /// Something happened.
    fn observe(&self, event: ObserverEvent<'_>);
}
