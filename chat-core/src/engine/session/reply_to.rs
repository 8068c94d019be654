//! The answer to a command on its way: where it goes, and of which session and connection it is.

use std::sync::Arc;

use bytes::Bytes;

use crate::engine::session::cell::SessionCell;
use crate::engine::session::connection::Connection;
use crate::engine::session::reply::{Answered, Reply};
use crate::wire::{self, FrameKind};
use crate::words::{CommandId, Reject, RoomCode, Seq, Wall};

/// A reply with the session it belongs to: what travels with a command. Answered exactly once.
pub(crate) struct ReplyTo {
    pub(crate) cell: Arc<SessionCell>,
    pub(crate) connection: Arc<Connection>,
    /// `None` once it has been answered.
    reply: Option<Reply>,
}

impl Drop for ReplyTo {
    /// What was dropped without an answer (a bug on its way ended the task) is no longer in flight. A channel's other end
    /// learns by the drop.
    fn drop(&mut self) {
        if self.reply.is_some() {
            self.cell.answered(&self.connection);
        }
    }
}

impl ReplyTo {
    pub(crate) fn new(cell: Arc<SessionCell>, connection: Arc<Connection>, reply: Reply) -> Self {
        Self { cell, connection, reply: Some(reply) }
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

    /// Gives it up unanswered: it will be made anew.
    pub(crate) fn take(mut self) -> (Arc<Connection>, Reply) {
        (Arc::clone(&self.connection), self.reply.take().expect("it is answered once"))
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
    pub(crate) fn reject(self, room: Option<&RoomCode>, reject: Reject) {
        let json = wire::error(self.id(), room, &reject);
        self.cell.lock().refused(reject.code);
        self.send(Answered { kind: FrameKind::Error, json, reject: Some(reject) });
    }

    pub(crate) fn answer(self, kind: FrameKind, json: Bytes) {
        self.send(Answered { kind, json, reject: None });
    }

    /// The command is done and its client did not ask to be told.
    pub(crate) fn nothing(self) {
        drop(self);
    }

    fn send(mut self, answered: Answered) {
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
