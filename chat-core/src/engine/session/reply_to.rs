//! The answer to a command on its way: where it goes, and of which session and connection it is.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::engine::feed::room_feed::RoomFeed;
use crate::engine::session::answers::Read;
use crate::engine::session::cell::{SessionCell, SessionState};
use crate::engine::session::charge::Charge;
use crate::engine::session::connection_state::ConnectionState;
use crate::engine::session::founding::Founding;
use crate::engine::session::page_turn::{self, PageTurn};
use crate::engine::session::reply::{Answered, Reply};
use crate::meters::{Asked, Outcome};
use crate::types::{CommandId, Reject, RejectCode, RoomCode, Seq, SessionLimits, Wall};
use crate::wire::{self, FrameKind};

/// What is said to who asked in a room, and is answered when they are there no more.
pub(crate) const NOT_IN_ANY_MORE: &str = "you are not in this room any more";

/// A reply with the session it belongs to: what travels with a command. Answered exactly once.
pub(crate) struct ReplyTo {
    pub(crate) cell: Arc<SessionCell>,
    pub(crate) connection: Arc<ConnectionState>,
    /// `None` once it has been answered.
    reply: Option<Reply>,
    /// It is counted among the rooms that its session is about to enter.
    is_entering: bool,
    /// What is counted when it is answered.
    asked: Asked,
    /// What its answer may come to hold, counted against its session.
    reserved: usize,
    /// Where the answer is a page for a channel.
    turn: Option<PageTurn>,
    /// Bytes held to pay for the answer, where it may show much.
    pub(crate) charge: Option<Charge>,
    /// The place of the room that it is to make.
    pub(crate) founding: Option<Arc<Founding>>,
    asker: Asker,
}

/// Who has asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asker {
    /// The client, which pays for what is refused.
    Client,
    /// The host, for the session: that is told nothing where it is refused, and pays nothing.
    Host,
}

impl Drop for ReplyTo {
    /// What was dropped without an answer (a bug on its way ended the task) is answered now, and takes up no place any more. A
    /// channel's other end learns by the drop.
    fn drop(&mut self) {
        if std::mem::take(&mut self.is_entering)
            && let Some(mut state) = self.cell.lock_for(&self.connection)
        {
            state.rooms.admitted -= 1;
        }
        if self.reply.is_some() {
            self.count(Outcome::Lost);
        }
        match self.reply {
            None => {}
            Some(Reply::Mailbox { id, .. }) => {
                let reject = Reject::new(RejectCode::Unavailable, "the command was lost, perhaps after it was done");
                let json = wire::error(id, None, &reject);
                self.send(Answered { kind: FrameKind::Error, json, reject: Some(reject) });
            }
            Some(Reply::Channel { .. }) => self.cell.answered(&self.connection, self.reserved),
        }
    }
}

impl ReplyTo {
    /// `reserved` is what the session holds free for the answer.
    pub(crate) fn new(
        cell: Arc<SessionCell>,
        connection: Arc<ConnectionState>,
        reply: Reply,
        reserved: usize,
        asked: Asked,
    ) -> Self {
        let reply = Some(reply);
        Self {
            cell,
            connection,
            reply,
            is_entering: false,
            asked,
            reserved,
            turn: None,
            charge: None,
            founding: None,
            asker: Asker::Client,
        }
    }

    /// The same, asked by the host.
    pub(crate) fn of_host(self) -> Self {
        let mut this = self;
        this.asker = Asker::Host;
        this
    }

    fn count(&self, outcome: Outcome) {
        self.connection.counters.answer(self.asked, outcome);
    }

    /// How much of the members its answer may show: a page, or less where the session has not read what it was answered before.
    /// It is held free until the answer is there.
    pub(crate) fn claim_members(&mut self, limits: &SessionLimits) -> usize {
        let Some(mut state) = self.cell.lock_for(&self.connection) else { return 0 };
        let bytes = state.answers.claim(limits);
        self.reserved += bytes;
        bytes
    }

    /// Sees to it that no other page of the session goes out by a channel as long as this one does.
    ///
    /// # Errors
    /// `busy`, where another one does.
    pub(crate) fn takes_turn(&mut self) -> Result<(), Reject> {
        if self.is_mailbox() {
            return Ok(());
        }
        self.turn = PageTurn::take(&self.cell, &self.connection);
        match self.turn {
            Some(_) => Ok(()),
            None => {
                let reject = Reject::new(RejectCode::Busy, "another page of the session is on its way");
                Err(reject.retry_after(Duration::from_millis(100)))
            }
        }
    }

    /// Looks whether its session is in this life of a room, as far as that has been published.
    ///
    /// # Errors
    /// `not_member` where it is not; `unavailable` where it has lost the connection that asked, and is not known to be there any more.
    pub(crate) fn sees(&self, feed: &RoomFeed) -> Result<(), Reject> {
        let state = self.cell.lock();
        match (state.rooms.is_in(feed), state.is_on(&self.connection)) {
            (true, _) => Ok(()),
            (false, true) => Err(Reject::new(RejectCode::NotMember, NOT_IN_ANY_MORE)),
            (false, false) => Err(Reject::new(RejectCode::Unavailable, "the connection was lost before the answer")),
        }
    }

    /// Counts among the rooms that its session is about to enter, until it does or this is dropped.
    pub(crate) fn enters(&mut self, state: &mut SessionState) {
        if !std::mem::replace(&mut self.is_entering, true) {
            state.rooms.admitted += 1;
        }
    }

    /// It has entered, or never will. `state` is its session's, on the same connection still.
    pub(crate) fn enters_no_more(&mut self, state: &mut SessionState) {
        if std::mem::take(&mut self.is_entering) {
            state.rooms.admitted -= 1;
        }
        state.answers.release(std::mem::take(&mut self.reserved));
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

    /// Whether nobody waits for an answer that says nothing. An id and a tag both say that somebody does.
    pub(crate) fn wants_nothing(&self) -> bool {
        self.is_mailbox() && self.id().is_none() && self.tag().is_none()
    }

    /// Gives it up unanswered: it will be made anew.
    pub(crate) fn take(mut self) -> (Arc<ConnectionState>, Reply, usize, Option<Charge>, Asked) {
        let reply = self.reply.take().expect("it is answered once");
        (Arc::clone(&self.connection), reply, self.reserved, self.charge.take(), self.asked)
    }

    /// The frames themselves bring the answer, and end its being in flight.
    pub(crate) fn answered_by_frames(mut self) {
        self.count(Outcome::Done);
        self.reply = None;
    }

    pub(crate) fn ack(self, room: &RoomCode, seq: Seq, at: Option<Wall>) {
        let json = wire::ack(self.id(), room, seq, at);
        self.answer(FrameKind::Ack, json);
    }

    /// It named a room that is not there.
    pub(crate) fn miss(&self) {
        self.cell.lock().allowance.miss();
        if let Some(address) = &self.connection.address {
            address.miss();
        }
    }

    /// Refuses the command.
    pub(crate) fn reject(mut self, room: Option<&RoomCode>, reject: Reject) {
        let reject = reject.that_passes();
        // Before anybody hears of it, and asks for something else.
        self.charge = None;
        self.count(Outcome::Refused);
        if let Some(founding) = &self.founding {
            founding.give_up();
        }
        let json = wire::error(self.id(), room, &reject);
        if self.asker == Asker::Client {
            self.cell.lock().allowance.refused(reject.code);
        }
        self.send(Answered { kind: FrameKind::Error, json, reject: Some(reject) });
    }

    pub(crate) fn answer(mut self, kind: FrameKind, json: Bytes) {
        self.count(Outcome::Done);
        if let Some(mut charge) = self.charge.take() {
            charge.pay(json.len());
        }
        self.send(Answered { kind, json, reject: None });
    }

    /// The answer is a history, to be read when the transport can take it.
    pub(crate) fn history(mut self, mut read: Read) {
        read.charge = self.charge.take();
        self.count(Outcome::Done);
        let (id, tag) = (self.id(), self.tag());
        self.reply = None;
        if let Some(mut state) = self.cell.lock_for(&self.connection) {
            state.answers.release(self.reserved);
            state.answers.push_history(id, tag, read);
        }
        self.connection.wake.wake();
    }

    /// The command is done and its client did not ask to be told.
    pub(crate) fn nothing(mut self) {
        self.count(Outcome::Done);
        self.reply = None;
        self.cell.answered(&self.connection, self.reserved);
    }

    fn send(&mut self, answered: Answered) {
        match self.reply.take() {
            None => {}
            Some(Reply::Mailbox { tag, .. }) => self.cell.mail(&self.connection, answered, tag, self.reserved),
            Some(Reply::Channel { sender, .. }) => {
                self.cell.answered(&self.connection, self.reserved);
                let answered = match self.turn.take() {
                    Some(turn) => Answered { json: page_turn::body(answered.json, turn), ..answered },
                    None => answered,
                };
                // Whoever asked may have gone; then nobody is left to tell.
                let _ = sender.send(answered);
            }
        }
    }
}
