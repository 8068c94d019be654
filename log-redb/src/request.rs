//! Requests to the writer, and their answers.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use chat_core::{AppendError, Ended, Epoch, Offset, RoomCode, Seq, Tail};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::format::Encoded;

/// One change of one room.
#[derive(Debug)]
pub(crate) enum Change {
    Append {
        room: RoomCode,
        after: Tail,
        /// The incarnation that the batch claims the code for, if it is the first.
        claims: Option<Epoch>,
        batch: Vec<Encoded>,
    },
    Snapshot {
        room: RoomCode,
        epoch: Epoch,
        through: Offset,
        bytes: Vec<u8>,
    },
    Scrub {
        room: RoomCode,
        epoch: Epoch,
        seq: Seq,
    },
    Delete {
        room: RoomCode,
        epoch: Epoch,
    },
    End {
        ended: Ended,
        over: Vec<Ended>,
    },
}

impl Change {
    /// Roughly the memory it holds.
    pub(crate) fn bytes(&self) -> usize {
        64 + match self {
            Self::Append { batch, .. } => batch.iter().map(|record| record.json.len() + 64).sum(),
            Self::Snapshot { bytes, .. } => bytes.len(),
            Self::End { over, .. } => (1 + over.len()) * size_of::<Ended>(),
            Self::Scrub { .. } | Self::Delete { .. } => 0,
        }
    }
}

/// Where the log of the room ends afterwards; the empty tail for all but an append.
pub(crate) type Outcome = Result<Tail, AppendError>;

/// Something in the writer's queue.
#[derive(Debug)]
pub(crate) enum Request {
    Change {
        change: Change,
        answer: oneshot::Sender<Outcome>,
        /// Its place in the queue, free again once it is answered.
        permit: OwnedSemaphorePermit,
    },
    /// A read has failed: is the file still good?
    Doubt(Arc<AtomicBool>),
    /// Gives free pages back to the disk, and takes scrubbed texts out of the file.
    Compact(oneshot::Sender<Result<(), String>>),
    /// Nothing follows it.
    Close(oneshot::Sender<Result<(), String>>),
}
