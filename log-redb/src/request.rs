//! Requests to the writer, and their answers.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use chat_core::{
    Amend, Amendment, AppendError, Ended, Epoch, Erasure, FeedName, Offset, Reaction, RoomCode, Scrub, Tail,
};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::feed_rows::Mark;
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
        /// What is known of the room from then on; as before where it brings nothing.
        about: Option<Vec<u8>>,
    },
    Snapshot {
        room: RoomCode,
        epoch: Epoch,
        through: Offset,
        bytes: Vec<u8>,
    },
    ReadPositions {
        room: RoomCode,
        epoch: Epoch,
        bytes: Vec<u8>,
    },
    Amend {
        room: RoomCode,
        epoch: Epoch,
        amends: Vec<Amend>,
    },
    Delete {
        room: RoomCode,
        epoch: Epoch,
    },
    Scrub {
        room: RoomCode,
        epoch: Epoch,
        scrubs: Vec<Scrub>,
    },
    /// With how often it was asked for as far as who puts it has read.
    PutErasure(Box<Erasure>, Option<u32>),
    DropErasure(Box<Erasure>),
    /// How far the reader of a name has read the feed; without a mark, that there is none of the name any more.
    Feed {
        name: FeedName,
        mark: Option<Mark>,
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
            Self::Append { batch, about, .. } => {
                about.as_ref().map_or(0, Vec::len) + batch.iter().map(|record| record.json.len() + 64).sum::<usize>()
            }
            Self::Snapshot { bytes, .. } | Self::ReadPositions { bytes, .. } => bytes.len(),
            Self::Amend { amends, .. } => amends.iter().map(amend_bytes).sum(),
            Self::End { over, .. } => (1 + over.len()) * size_of::<Ended>(),
            Self::Scrub { scrubs, .. } => scrubs.len() * size_of::<Scrub>(),
            Self::PutErasure(..) | Self::DropErasure(_) => size_of::<Erasure>(),
            Self::Delete { .. } | Self::Feed { .. } => 0,
        }
    }
}

fn amend_bytes(amend: &Amend) -> usize {
    size_of::<Amend>()
        + match &amend.what {
            Amendment::Replace { content, .. } => content.text.as_str().len(),
            Amendment::Freeze { reactions } => reactions.len() * size_of::<Reaction>(),
            _ => 0,
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
