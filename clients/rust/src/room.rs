//! A room as a program holds it: its state, its events, what one says there, and what one may do.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use chat_core::wire::ServerFrame;
use chat_core::{Body, Command, ReactionName, RoomCode, Seq, SignalData, SignalName, TypingState};
use futures_util::FutureExt;
use tokio::sync::{oneshot, watch};

use crate::driver::Shared;
use crate::entrance::{Outgoing, draw_key};
use crate::error::Error;
use crate::events::Events;
use crate::handle::Handle;
use crate::membership::Membership;
use crate::outbox::{Pending, Said, Sent};
use crate::reduce::Asked;
use crate::requests::RoomId;
use crate::state::{Presence, RoomState};

/// A room of a client. Cheap to clone. Once one is not in it any more it stays as it was; who joins again has another.
#[derive(Clone)]
pub struct Room {
    handle: Arc<Handle>,
    id: RoomId,
    last: Arc<OnceLock<Arc<RoomState>>>,
    changes: watch::Receiver<()>,
}

impl Room {
    pub(crate) fn new(handle: &Arc<Handle>, room: &Membership) -> Self {
        Self { handle: Arc::clone(handle), id: room.id, last: room.last(), changes: room.changes() }
    }

    fn shared(&self) -> &Shared {
        self.handle.shared()
    }

    /// Something in the room, where one is still in it.
    fn with<R>(&self, act: impl FnOnce(&mut Membership, std::time::Instant) -> R) -> Option<R> {
        self.shared().with(|session, now| {
            let done = session.room(self.id).map(|room| act(room, now));
            session.settle(now);
            done
        })
    }

    /// What is known of the room now; later changes make another.
    pub fn state(&self) -> Arc<RoomState> {
        if let Some(last) = self.last.get() {
            return Arc::clone(last);
        }
        let held = self.shared().see(|session| session.room(self.id).map(|room| Arc::clone(room.state())));
        // It has ended in between.
        held.unwrap_or_else(|| Arc::clone(self.last.get().expect("a room that is gone has left its last state")))
    }

    /// The room's code; one is in it, so that it has one.
    pub fn code(&self) -> Option<RoomCode> {
        self.state().code.clone()
    }

    /// What happens from now on. Each caller has a stream of its own, which holds as much as [`Bounds`](crate::Bounds) say.
    pub fn events(&self) -> Events {
        self.follow().1
    }

    /// The state as of one moment, and what happens after that.
    pub fn follow(&self) -> (Arc<RoomState>, Events) {
        let followed = self.shared().see(|session| {
            let bounds = *session.bounds();
            session.room(self.id).map(|room| (Arc::clone(room.state()), room.listeners.add(&bounds)))
        });
        followed.unwrap_or_else(|| (self.state(), Events::over()))
    }

    /// Waits until the state is as wanted, and gives it.
    ///
    /// # Errors
    /// [`Error::Left`], or what ended it, once one is not in the room any more.
    pub async fn until(&self, mut is_so: impl FnMut(&RoomState) -> bool) -> Result<Arc<RoomState>, Error> {
        let mut changes = self.changes.clone();
        loop {
            changes.mark_unchanged();
            let state = self.state();
            if is_so(&state) {
                return Ok(state);
            }
            if state.presence == Presence::Ended {
                return Err(state.ended.as_ref().and_then(|ended| ended.error.clone()).unwrap_or(Error::Left));
            }
            drop(state);
            let _ = changes.changed().await;
        }
    }

    /// What waits to be sent, in order.
    pub fn pending(&self) -> Vec<Pending> {
        self.shared().see(|session| session.room(self.id).map(|room| room.outbox.pending())).unwrap_or_default()
    }

    /// Says something: at once, whether or not what is given back is waited for. That resolves once it stands in the log. It waits while there is no
    /// connection, is sent once and in order, and never into another life of the room: then it fails with [`Error::EpochChanged`].
    pub fn send(&self, message: impl Into<Outgoing>) -> Sending {
        self.say(message.into().message())
    }

    /// Says something else in a message of one's own: text and data are all that it says from now on. Waits like [`send`](Self::send).
    pub fn edit(&self, target: Seq, message: impl Into<Outgoing>) -> Sending {
        self.say(message.into().edit(target))
    }

    /// Reacts to a message. Waits like [`send`](Self::send).
    pub fn react(&self, target: Seq, name: ReactionName) -> Sending {
        self.say(Ok(Pending { key: draw_key(), said: Said::Reaction { target, name, on: true } }))
    }

    /// Reacts no more. Waits like [`send`](Self::send).
    pub fn unreact(&self, target: Seq, name: ReactionName) -> Sending {
        self.say(Ok(Pending { key: draw_key(), said: Said::Reaction { target, name, on: false } }))
    }

    fn say(&self, pending: Result<Pending, Error>) -> Sending {
        let (done, sent) = oneshot::channel();
        let over = self.shared().see(|session| session.end()).unwrap_or(Error::Left);
        let pending = match pending {
            Ok(pending) => pending,
            Err(error) => return Sending(Err(Some(error))),
        };
        let pushed = self.with(|room, now| {
            let is_out = room.is_leaving() || room.state().presence == Presence::Ended;
            if !is_out {
                let epoch = room.state().epoch;
                room.outbox.push(pending, epoch, done);
                room.go_on(now);
            }
            !is_out
        });
        if pushed == Some(true) { Sending(Ok(sent)) } else { Sending(Err(Some(over))) }
    }

    /// Takes a message back. Asked once.
    ///
    /// # Errors
    /// As those of [`command`](Self::command).
    pub async fn redact(&self, target: Seq) -> Result<(), Error> {
        self.command(|room| Command::redact(room, target)).await.map(drop)
    }

    /// Holds earlier messages, too; whether there are more is [`RoomState::more`].
    ///
    /// # Errors
    /// As those of [`command`](Self::command).
    pub async fn history(&self, limit: u32) -> Result<Arc<RoomState>, Error> {
        let state = self.state();
        if state.more {
            let before = state.from;
            let command = |room| Command::history(room).with_before(before).with_limit(limit);
            self.ask(command, Some(Asked::Before(before))).await?;
        }
        Ok(self.state())
    }

    /// Lists the members anew: that somebody has lost their connection, and is not `online` any more, is told to nobody.
    ///
    /// # Errors
    /// Where one is not in the room any more.
    pub async fn list_members(&self) -> Result<Arc<RoomState>, Error> {
        self.with(|room, now| room.list_members(now));
        self.until(|state| state.listed_to.is_none()).await
    }

    /// Any command of the protocol in this room, made with its code; asked once.
    ///
    /// # Errors
    /// The refusal of the server; [`Error::Disconnected`] where there is no connection, or it was lost before the answer; [`Error::Busy`].
    pub async fn command(&self, command: impl FnOnce(RoomCode) -> Command) -> Result<ServerFrame, Error> {
        self.ask(command, None).await
    }

    async fn ask(&self, command: impl FnOnce(RoomCode) -> Command, taken: Option<Asked>) -> Result<ServerFrame, Error> {
        let command = command(self.code().ok_or(Error::Left)?);
        let (done, answer) = oneshot::channel();
        let taken = taken.map(|asked| (self.id, asked));
        self.shared().with(|session, now| session.call(command, taken, done, now));
        answer.await.unwrap_or(Err(Error::Disconnected))
    }

    /// Says how far one has read; all of it, where nothing is named. It is told as soon as it can be, and to one's other devices.
    pub fn read(&self, through: impl Into<Option<Seq>>) {
        self.with(|room, now| room.read(through.into(), now));
    }

    /// Shows that one is writing, or is not any more; it may be called for each key that is pressed.
    pub fn typing(&self, state: TypingState) {
        let code = self.code();
        let is_said = self.with(|room, now| room.types(state == TypingState::On, now)) == Some(true);
        if let Some(code) = code.filter(|_| is_said) {
            self.tell(Command::typing(code, state));
        }
    }

    /// Shows what a message of one's own says so far; nothing once it does not grow any more.
    pub fn live(&self, target: Seq, text: impl Into<Option<Body>>) {
        if let Some(code) = self.code() {
            self.tell(Command::live(code, target, text));
        }
    }

    /// Shows something of oneself for 30 seconds; nothing takes it away.
    pub fn signal(&self, name: SignalName, data: impl Into<Option<SignalData>>) {
        if let Some(code) = self.code() {
            self.tell(Command::signal(code, name, data));
        }
    }

    fn tell(&self, command: Command) {
        self.shared().with(|session, _| session.tell(command));
    }

    /// Leaves, and is done with the room: now, or as soon as there is a connection. What was not tried yet is not sent any more.
    ///
    /// # Errors
    /// [`Error::Closed`], where the client does not come back to say so.
    pub async fn leave(&self) -> Result<(), Error> {
        let (done, left) = oneshot::channel();
        match self.with(|room, _| room.leave(done)) {
            Some(()) => left.await.unwrap_or(Ok(())),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Room").field("code", &self.code()).finish_non_exhaustive()
    }
}

/// A message on its way. It goes out whether or not this is waited for.
#[derive(Debug)]
pub struct Sending(Result<oneshot::Receiver<Result<Sent, Error>>, Option<Error>>);

impl Future for Sending {
    type Output = Result<Sent, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            Ok(sent) => sent.poll_unpin(cx).map(|sent| sent.unwrap_or(Err(Error::OutcomeUnknown))),
            Err(error) => Poll::Ready(Err(error.take().unwrap_or(Error::Left))),
        }
    }
}
