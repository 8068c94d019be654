//! One room of a client: what it holds, what it asks for because it was missed, and what waits to be sent.
//!
//! Time is an argument; what is to be asked is taken out with [`Membership::take_asks`].

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use chat_core::wire::ServerFrame;
use chat_core::{Command, MemberId, RejectCode, RoomCode, Seq};
use tokio::sync::{oneshot, watch};

use crate::entrance::Entering;
use crate::error::Error;
use crate::events::{Listeners, RoomEvent};
use crate::missed::Question;
use crate::options::Bounds;
use crate::outbox::{Next, Outbox, PAUSE, Sent};
use crate::reduce::Asked;
use crate::requests::{Purpose, RoomId};
use crate::state::{Ending, HeldMax, Presence, RoomState};

/// How often a typing signal is renewed; the server forgets it after 6 seconds.
const TYPING_RENEWAL: Duration = Duration::from_secs(3);

/// What is tried again after a pause.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Retry {
    Enter,
    Leave,
    /// Comes back on another connection, where the session is in the room and this client does not know as whom.
    Restart,
}

mod entry;

type Waiter = oneshot::Sender<Result<(), Error>>;

pub(crate) struct Membership {
    pub(crate) id: RoomId,
    pub(crate) listeners: Listeners,
    pub(crate) outbox: Outbox,
    state: Arc<RoomState>,
    /// The state once all is over, for whoever still has the room.
    last: Arc<OnceLock<Arc<RoomState>>>,
    changes: watch::Sender<()>,
    catch_up: u32,
    entering: Entering,
    is_maker: bool,
    is_connected: bool,
    /// It was asked for, and has not been answered.
    is_asking_in: bool,
    tries: u32,
    entered: Vec<Waiter>,
    leaving: Option<Vec<Waiter>>,
    /// A question is on its way, or waits until it may be asked again.
    is_asking: bool,
    ask_again_at: Option<Instant>,
    /// Kinds of questions that the server refuses on this connection.
    refused: u8,
    retry: Option<(Instant, Retry)>,
    typing_until: Option<Instant>,
    asks: Vec<(Command, Purpose)>,
    was_synced: bool,
    pub(crate) wants_restart: bool,
    pub(crate) is_gone: bool,
}

impl Membership {
    pub(crate) fn new(id: RoomId, code: Option<RoomCode>, entering: Entering, is_maker: bool, bounds: &Bounds) -> Self {
        let max =
            HeldMax { messages: bounds.held_messages_max, bytes: bounds.held_bytes_max, hole: bounds.gap_events_max };
        Self {
            id,
            listeners: Listeners::default(),
            outbox: Outbox::new(bounds),
            state: Arc::new(RoomState::new(code, max)),
            last: Arc::default(),
            changes: watch::Sender::new(()),
            catch_up: bounds.catch_up,
            entering,
            is_maker,
            is_connected: false,
            is_asking_in: false,
            tries: 0,
            entered: Vec::new(),
            leaving: None,
            is_asking: false,
            ask_again_at: None,
            refused: 0,
            retry: None,
            typing_until: None,
            asks: Vec::new(),
            was_synced: false,
            wants_restart: false,
            is_gone: false,
        }
    }

    pub(crate) fn state(&self) -> &Arc<RoomState> {
        &self.state
    }

    pub(crate) fn last(&self) -> Arc<OnceLock<Arc<RoomState>>> {
        Arc::clone(&self.last)
    }

    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    pub(crate) fn code(&self) -> Option<&RoomCode> {
        self.state.code.as_ref()
    }

    pub(crate) fn is_leaving(&self) -> bool {
        self.leaving.is_some()
    }

    /// What is to be asked now.
    pub(crate) fn take_asks(&mut self) -> Vec<(Command, Purpose)> {
        std::mem::take(&mut self.asks)
    }

    /// When [`tick`](Self::tick) has something to do.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let retry = self.retry.map(|(at, _)| at);
        [retry, self.ask_again_at, self.outbox.deadline()].into_iter().flatten().min()
    }

    pub(crate) fn tick(&mut self, now: Instant) {
        if let Some((_, retry)) = self.retry.take_if(|(at, _)| *at <= now) {
            match retry {
                Retry::Enter => self.ask_in(),
                Retry::Leave => self.ask_out(),
                Retry::Restart => self.wants_restart = true,
            }
        }
        if self.ask_again_at.take_if(|at| *at <= now).is_some() {
            self.is_asking = false;
        }
        self.go_on(now);
    }

    /// The connection is lost; with `is_suspect` what was said may be why.
    pub(crate) fn disconnected(&mut self, is_suspect: bool) {
        (self.is_connected, self.is_asking, self.is_asking_in) = (false, false, false);
        (self.ask_again_at, self.retry, self.typing_until, self.refused) = (None, None, None, 0);
        self.change(RoomState::disconnect);
        self.outbox.disconnected(is_suspect);
        self.tell_refused();
    }

    /// The client does not come back: nothing waits any more.
    pub(crate) fn closed(&mut self, error: &Error) {
        if self.is_gone {
            return;
        }
        self.outbox.clear(error);
        fail(&mut self.entered, error);
        let mut leaving = self.leaving.take().unwrap_or_default();
        fail(&mut leaving, error);
        self.end(Ending { error: Some(error.clone()), ..Ending::new("client_closed") });
    }

    /// A frame of this room, of so many bytes.
    pub(crate) fn receive(&mut self, frame: &ServerFrame, bytes: usize, now: Instant) {
        let was = self.state.presence;
        if let ServerFrame::Joined(joined) = frame {
            (self.is_connected, self.is_asking_in, self.refused, self.is_maker) = (true, false, 0, false);
            if let Ok(nick) = joined.you.nick.parse() {
                self.entering.nick = nick;
            }
            if self.state.code.is_none()
                && let Ok(code) = joined.room.parse()
            {
                self.name(code);
            }
        }
        let before = self.state.seq;
        let is_told = Arc::make_mut(&mut self.state).apply(frame);
        self.changes.send_replace(());
        if is_told {
            self.outbox.heard(frame);
        }
        self.tell(frame, is_told, before, bytes);
        if matches!(frame, ServerFrame::Joined(_)) {
            if self.leaving.is_some() {
                return self.ask_out();
            }
            for entered in self.entered.drain(..) {
                entered.send(Ok(())).ok();
            }
        }
        self.go_on(now);
        if self.state.presence == Presence::Ended && was != Presence::Ended {
            self.ended();
        }
    }

    fn tell(&mut self, frame: &ServerFrame, is_told: bool, before: Seq, bytes: usize) {
        let event = match frame {
            ServerFrame::Joined(_) => RoomEvent::Joined,
            ServerFrame::Gap { to, .. } if self.state.seq > before => {
                RoomEvent::Missed { from: before.next(), to: *to }
            }
            ServerFrame::Message(_) if is_told => match self.state.messages().last() {
                Some(message) if message.seq == self.state.seq => RoomEvent::Message(message.clone()),
                _ => RoomEvent::Event(Box::new(frame.clone())),
            },
            ServerFrame::Typing { .. }
            | ServerFrame::Live { .. }
            | ServerFrame::Signals { .. }
            | ServerFrame::Presence { .. } => RoomEvent::Passing(Box::new(frame.clone())),
            frame if is_told => RoomEvent::Event(Box::new(frame.clone())),
            _ => return,
        };
        self.listeners.tell(&event, bytes);
    }

    /// What an answer was for.
    pub(crate) fn answered(&mut self, purpose: Answered, answer: Result<&ServerFrame, Error>, now: Instant) {
        match purpose {
            Answered::Enter => {
                self.is_asking_in = false;
                // A `joined` was taken as a frame of the room.
                if let Err(error) = answer {
                    self.refused_in(error, now);
                }
            }
            Answered::Leave => match answer {
                Err(Error::Disconnected) => {}
                Err(error) if error.is_passing() => self.pause(Retry::Leave, &error, now),
                _ => self.gone(),
            },
            Answered::Outbox(number) => {
                let sent = answer.map(|frame| match frame {
                    ServerFrame::Ack { seq, at, .. } => Sent { seq: *seq, at: *at },
                    _ => Sent { seq: Seq(0), at: None },
                });
                self.outbox.answered(number, sent, now);
            }
            Answered::CatchUp(question, is_late) => self.caught_up(question, is_late, answer, now),
            Answered::Page(asked) => {
                if let Ok(frame) = answer {
                    self.change(|state| state.answer(frame, asked));
                }
            }
        }
        self.go_on(now);
    }

    fn caught_up(&mut self, question: Question, is_late: bool, answer: Result<&ServerFrame, Error>, now: Instant) {
        self.is_asking = false;
        match answer {
            Err(Error::Disconnected) => {}
            Err(_) if self.state.presence != Presence::Live => {}
            Err(error)
                if error.is_passing()
                    || error.retry_after().is_some()
                    || error.code() == Some(RejectCode::NotMember) =>
            {
                self.ask_later(error.retry_after(), now);
            }
            // Without what has changed, nothing that is held is to be trusted.
            Err(_) if matches!(question, Question::Changes { .. }) => self.change(RoomState::forget),
            Err(_) => self.refused |= question.kind(),
            Ok(frame) => {
                if !is_late {
                    self.change(|state| state.answer(frame, Asked::Question(question)));
                }
                // What could not be read is no different after the answer.
                let is_same = self.state.next_question(self.refused).is_some_and(|next| next.is_as(question));
                if is_same {
                    self.ask_later(None, now);
                }
            }
        }
    }

    /// Whether an answer to a question was overtaken, or is of a life that is over.
    pub(crate) fn is_late(&self, question: Question, epoch: Option<chat_core::Epoch>, members_at: Seq) -> bool {
        let lists = matches!(question, Question::Members { .. });
        self.state.epoch != epoch || (lists && self.state.members_at != members_at)
    }

    fn ask_later(&mut self, wait: Option<Duration>, now: Instant) {
        self.is_asking = true;
        self.ask_again_at = Some(now + wait.unwrap_or(PAUSE));
    }

    /// Says how far one has read.
    pub(crate) fn read(&mut self, through: Option<Seq>, now: Instant) {
        self.change(|state| state.read_up_to(through.unwrap_or(state.seq)));
        self.go_on(now);
    }

    /// Whether typing is to be said now: it is renewed every three seconds, however often it is said.
    pub(crate) fn types(&mut self, on: bool, now: Instant) -> bool {
        let is_shown = self.typing_until.is_some_and(|until| now < until);
        if self.state.presence != Presence::Live || on == is_shown {
            return false;
        }
        self.typing_until = on.then(|| now + TYPING_RENEWAL);
        true
    }

    /// What is missing is asked for, and what waits is sent.
    pub(crate) fn go_on(&mut self, now: Instant) {
        self.ask_what_was_missed();
        self.flush(now);
        self.tell_refused();
        let is_synced = self.state.is_synced();
        if is_synced && !std::mem::replace(&mut self.was_synced, is_synced) {
            self.listeners.tell(&RoomEvent::CaughtUp, 0);
        }
        self.was_synced = is_synced;
    }

    fn ask_what_was_missed(&mut self) {
        if self.is_asking || self.leaving.is_some() {
            return;
        }
        let (Some(question), Some(room)) = (self.state.next_question(self.refused), self.code().cloned()) else {
            return;
        };
        self.is_asking = true;
        let purpose = Purpose::CatchUp(self.id, question, self.state.epoch, self.state.members_at);
        self.asks.push((question.command(room), purpose));
    }

    fn flush(&mut self, now: Instant) {
        let state = &self.state;
        let (Presence::Live, Some(code), Some(you)) = (state.presence, &state.code, &state.you) else { return };
        loop {
            match self.outbox.next(code, state.epoch, you.member, now) {
                Next::Nothing => return,
                Next::Refused => {}
                Next::Ask { number, command } => {
                    // One stops typing by sending.
                    self.typing_until = None;
                    return self.asks.push((command, Purpose::Outbox(self.id, number)));
                }
            }
        }
    }

    fn tell_refused(&mut self) {
        for (pending, error) in self.outbox.take_refused() {
            self.listeners.tell(&RoomEvent::Refused(pending, error), 0);
        }
    }

    fn end(&mut self, ending: Ending) {
        self.change(|state| state.end(ending));
        self.ended();
    }

    /// It is over: whoever waits is told so, and so is who listens.
    fn ended(&mut self) {
        self.outbox.clear(&Error::Left);
        self.tell_refused();
        if let Some(ending) = self.state.ended.clone() {
            let error = ending.error.clone().unwrap_or(Error::Left);
            fail(&mut self.entered, &error);
            self.listeners.tell(&RoomEvent::Ended(ending), 0);
        }
        for left in self.leaving.take().into_iter().flatten() {
            left.send(Ok(())).ok();
        }
        self.last.set(Arc::clone(&self.state)).ok();
        self.is_gone = true;
    }

    fn gone(&mut self) {
        if self.state.presence == Presence::Ended {
            self.ended();
        } else {
            self.end(Ending::new("left"));
        }
    }

    fn change(&mut self, change: impl FnOnce(&mut RoomState)) {
        change(Arc::make_mut(&mut self.state));
        self.changes.send_replace(());
    }

    /// Lists the members anew, and then goes on.
    pub(crate) fn list_members(&mut self, now: Instant) {
        self.change(|state| state.listed_to = Some(MemberId(0)));
        self.go_on(now);
    }
}

/// What an answer to a room was for.
pub(crate) enum Answered {
    Enter,
    Leave,
    Outbox(u64),
    /// And whether it was overtaken.
    CatchUp(Question, bool),
    Page(Asked),
}

fn fail(waiting: &mut Vec<Waiter>, error: &Error) {
    for waiter in waiting.drain(..) {
        waiter.send(Err(error.clone())).ok();
    }
}
