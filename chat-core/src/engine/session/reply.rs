//! Where the answer to a command goes.

use bytes::Bytes;
use tokio::sync::oneshot;

use crate::types::{CommandId, Reject};
use crate::wire::FrameKind;

/// Where the caller wants the answer.
#[derive(Debug)]
pub enum Reply {
    /// Among the session's frames, read by [`Connection::peek`](crate::Connection::peek) and its kin.
    Mailbox {
        /// Comes back in the answer's JSON.
        id: Option<CommandId>,
        /// The transport's own; comes back in [`Frame::tag`](crate::Frame::tag).
        tag: Option<u64>,
    },
    /// To whoever waits at the other end: an HTTP response, or an embedder's `await`. A `joined` still comes among the session's
    /// frames, because it sets a position; the channel gets an `ack`.
    Channel {
        /// Comes back in the answer's JSON.
        id: Option<CommandId>,
        /// The waiting end's counterpart.
        sender: oneshot::Sender<Answered>,
    },
}

/// An answer, complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// Its `type`, without parsing it.
    pub kind: FrameKind,
    /// The frame.
    pub json: Bytes,
    /// The refusal, where it is one.
    pub reject: Option<Reject>,
}

impl Reply {
    /// An answer among the session's frames.
    pub fn mailbox(id: Option<CommandId>) -> Self {
        Self::Mailbox { id, tag: None }
    }

    /// An answer to wait for. The receiver fails when the connection is replaced before the answer.
    pub fn channel(id: Option<CommandId>) -> (Self, oneshot::Receiver<Answered>) {
        let (sender, receiver) = oneshot::channel();
        (Self::Channel { id, sender }, receiver)
    }

    pub(crate) fn id(&self) -> Option<CommandId> {
        match self {
            Self::Mailbox { id, .. } | Self::Channel { id, .. } => *id,
        }
    }

    pub(crate) fn tag(&self) -> Option<u64> {
        match self {
            Self::Mailbox { tag, .. } => *tag,
            Self::Channel { .. } => None,
        }
    }
}
