//! Where the answer to a command goes.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::oneshot;

use super::connection::Connection;
use super::session_cell::{SessionCell, SessionState};
use crate::wire::{self, FrameKind};
use crate::words::{CommandId, Reject, RejectCode, RoomCode, Seq, Wall};

/// Where the caller wants the answer.
#[derive(Debug)]
pub enum Reply {
    /// Among the session's frames, read by [`Session::peek`](crate::Session::peek) and its kin.
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
    /// Which frame.
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

/// A reply with the session it belongs to: what travels with a command. Answered exactly once.
pub(crate) struct ReplyTo {
    pub(crate) cell: Arc<SessionCell>,
    pub(crate) connection: Arc<Connection>,
    /// `None` once it has been answered.
    reply: Option<Reply>,
    /// It is counted among the rooms that its session is about to enter.
    is_entering: bool,
}

impl Drop for ReplyTo {
    /// What was dropped without an answer (a bug on its way ended the task) is answered now, and takes up no place any more. A
    /// channel's other end learns by the drop.
    fn drop(&mut self) {
        if std::mem::take(&mut self.is_entering)
            && let Some(mut state) = self.cell.lock_for(&self.connection)
        {
            state.entering -= 1;
        }
        match self.reply {
            None => {}
            Some(Reply::Mailbox { id, .. }) => {
                let reject = Reject::new(RejectCode::Unavailable, "the command was lost, perhaps after it was done");
                let json = wire::error(id, None, &reject);
                self.send(Answered { kind: FrameKind::Error, json, reject: Some(reject) });
            }
            Some(Reply::Channel { .. }) => self.cell.answered(&self.connection),
        }
    }
}

impl ReplyTo {
    pub(crate) fn new(cell: Arc<SessionCell>, connection: Arc<Connection>, reply: Reply) -> Self {
        Self { cell, connection, reply: Some(reply), is_entering: false }
    }

    /// Counts among the rooms that its session is about to enter, until it does or this is dropped.
    pub(crate) fn enters(&mut self, state: &mut SessionState) {
        if !std::mem::replace(&mut self.is_entering, true) {
            state.entering += 1;
        }
    }

    /// It has entered, or never will. `state` is its session's, on the same connection still.
    pub(crate) fn enters_no_more(&mut self, state: &mut SessionState) {
        if std::mem::take(&mut self.is_entering) {
            state.entering -= 1;
        }
    }

    pub(crate) fn id(&self) -> Option<CommandId> {
        self.reply.as_ref().and_then(Reply::id)
    }

    /// The transport's own number for it.
    pub(crate) fn tag(&self) -> Option<u64> {
        self.reply.as_ref().and_then(Reply::tag)
    }

    /// Whether the answer goes among the session's frames.
    pub(crate) fn is_mailbox(&self) -> bool {
        matches!(self.reply, Some(Reply::Mailbox { .. }))
    }

    /// The frames themselves bring the answer, and end its being in flight.
    pub(crate) fn answered_by_frames(mut self) {
        self.reply = None;
    }

    pub(crate) fn ack(self, room: &RoomCode, seq: Seq, at: Option<Wall>) {
        let json = wire::ack(self.id(), room, seq, at);
        self.answer(FrameKind::Ack, json);
    }

    /// It named a room that is not there.
    pub(crate) fn miss(&self) {
        self.cell.lock().miss();
        if let Some(address) = &self.connection.address {
            address.miss();
        }
    }

    /// Refuses the command.
    pub(crate) fn reject(mut self, room: Option<&RoomCode>, reject: Reject) {
        let json = wire::error(self.id(), room, &reject);
        self.cell.lock().refused(reject.code);
        self.send(Answered { kind: FrameKind::Error, json, reject: Some(reject) });
    }

    pub(crate) fn answer(mut self, kind: FrameKind, json: Bytes) {
        self.send(Answered { kind, json, reject: None });
    }

    /// The command is done and its client did not ask to be told.
    pub(crate) fn nothing(mut self) {
        self.reply = None;
        self.cell.answered(&self.connection);
    }

    fn send(&mut self, answered: Answered) {
        match self.reply.take() {
            None => {}
            Some(Reply::Mailbox { tag, .. }) => self.cell.mail(&self.connection, answered, tag),
            Some(Reply::Channel { sender, .. }) => {
                self.cell.answered(&self.connection);
                // Whoever asked may have gone; then nobody is left to tell.
                let _ = sender.send(answered);
            }
        }
    }
}
