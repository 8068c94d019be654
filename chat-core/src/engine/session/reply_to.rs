//! The answer to a command on its way: where it goes, and of which session and connection it is.

use std::sync::Arc;

use bytes::Bytes;

use crate::engine::session::cell::{SessionCell, SessionState};
use crate::engine::session::connection::Connection;
use crate::engine::session::founding::Founding;
use crate::engine::session::reply::{Answered, Reply};
use crate::wire::{self, FrameKind};
use crate::words::{CommandId, Reject, RejectCode, RoomCode, Seq, Wall};

/// A reply with the session it belongs to: what travels with a command. Answered exactly once.
pub(crate) struct ReplyTo {
    pub(crate) cell: Arc<SessionCell>,
    pub(crate) connection: Arc<Connection>,
    /// `None` once it has been answered.
    reply: Option<Reply>,
    /// It is counted among the rooms that its session is about to enter.
    is_entering: bool,
    /// The place of the room that it is to make.
    pub(crate) founding: Option<Arc<Founding>>,
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
        Self { cell, connection, reply: Some(reply), is_entering: false, founding: None }
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
    pub(crate) fn reject(mut self, room: Option<&RoomCode>, reject: Reject) {
        let reject = reject.that_passes();
        if let Some(founding) = &self.founding {
            founding.give_up();
        }
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
