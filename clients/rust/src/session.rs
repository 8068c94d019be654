//! One session with the server: its token, its rooms, and what is said and heard.
//!
//! It has no socket and no clock: frames go in, frames and deadlines come out, and time is an argument.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use chat_core::wire::{RoomStatus, ServerFrame, Status as Told, WelcomeLimits};
use chat_core::{
    AccessToken, ClientFrame, CloseReason, Command, CommandId, Hello, RejectCode, Request, Resume, RoomCode,
};
use tokio::sync::{oneshot, watch};

use crate::entrance::Entering;
use crate::error::{Error, Refusal};
use crate::membership::{Answered, Membership};
use crate::options::{Bounds, Why};
use crate::reduce::Asked;
use crate::requests::{Purpose, Requests, RoomId};

/// So many bytes on their way, and what passes is not said at all.
const PASSING_BYTES_MAX: usize = 64 << 10;
/// Positions in a `hello`: more rooms than a server lets a session be in.
const POSITIONS_MAX: usize = 1_024;

mod link;

/// Where a client stands with the server.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Status {
    /// Nobody has answered yet.
    Connecting,
    /// Welcomed.
    Open,
    /// Lost, with a code of a close frame; the next attempt is in `retry`.
    #[allow(missing_docs)]
    Waiting { retry: Duration, code: u16, reason: String },
    /// It does not come back.
    #[allow(missing_docs)]
    Closed { code: u16, reason: String },
}

/// What the connection is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    /// To be opened then.
    Waiting {
        at: Instant,
    },
    /// Opened, and not welcomed by then.
    Opening {
        until: Instant,
    },
    Open {
        since: Instant,
    },
    Closed,
}

/// What the driver of a connection does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Wait(Instant),
    Connect,
    /// Frames go in and out.
    Run,
    Stop,
}

/// What is to be written.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outbound {
    Text(Vec<u8>),
    Ping,
}

pub(crate) struct Session {
    bounds: Bounds,
    /// 0 to 1, anew for each wait.
    chance: fn() -> f64,
    rooms: Vec<Membership>,
    next_room: u64,
    /// What resumes it, as it was told last.
    token: watch::Sender<Option<String>>,
    requests: Requests,
    link: Link,
    /// Which connection counts: one of an earlier number is dropped.
    generation: u64,
    outbound: VecDeque<Outbound>,
    outbound_bytes: usize,
    attempts: u32,
    status: watch::Sender<Status>,
    limits: Option<WelcomeLimits>,
    features: Vec<String>,
    closing: Option<(u16, String, Option<Duration>)>,
    /// What the server said that answers nothing: why it is about to close, perhaps.
    refusal: Option<Box<Refusal>>,
    heard_at: Instant,
    probed_until: Option<Instant>,
    why: Why,
    wants_credentials: bool,
}

impl Session {
    pub(crate) fn new(bounds: Bounds, token: Option<String>, chance: fn() -> f64, now: Instant) -> Self {
        Self {
            requests: Requests::new(bounds.commands_max, bounds.answer_wait),
            bounds,
            chance,
            rooms: Vec::new(),
            next_room: 0,
            token: watch::Sender::new(token),
            link: Link::Waiting { at: now },
            generation: 0,
            outbound: VecDeque::new(),
            outbound_bytes: 0,
            attempts: 0,
            status: watch::Sender::new(Status::Connecting),
            limits: None,
            features: Vec::new(),
            closing: None,
            refusal: None,
            heard_at: now,
            probed_until: None,
            why: Why::Connect,
            wants_credentials: false,
        }
    }

    pub(crate) fn bounds(&self) -> &Bounds {
        &self.bounds
    }

    pub(crate) fn statuses(&self) -> watch::Receiver<Status> {
        self.status.subscribe()
    }

    pub(crate) fn tokens(&self) -> watch::Receiver<Option<String>> {
        self.token.subscribe()
    }

    pub(crate) fn limits(&self) -> Option<WelcomeLimits> {
        self.limits
    }

    pub(crate) fn has(&self, feature: &str) -> bool {
        self.features.iter().any(|known| known == feature)
    }

    pub(crate) fn rooms(&self) -> &[Membership] {
        &self.rooms
    }

    pub(crate) fn room(&mut self, id: RoomId) -> Option<&mut Membership> {
        self.rooms.iter_mut().find(|room| room.id == id)
    }

    /// Why nothing can be asked any more, where that is so.
    pub(crate) fn end(&self) -> Option<Error> {
        match &*self.status.borrow() {
            Status::Closed { code, reason } => {
                Some(Error::Closed { code: *code, reason: reason.clone(), refusal: self.refusal.clone() })
            }
            _ => None,
        }
    }

    /// The first frame of a connection.
    pub(crate) fn hello(&self, token: Option<AccessToken>) -> Vec<u8> {
        let positions = self.rooms.iter().filter_map(|room| room.code().cloned().zip(room.state().position()));
        let resume = self.token.borrow().clone().map(|resume| Resume::new(resume, positions, POSITIONS_MAX));
        let catch_up = resume.as_ref().map(|_| self.bounds.catch_up);
        let hello = Hello { id: None, resume, catch_up, token };
        ClientFrame { id: Some(CommandId(0)), request: Request::Hello(hello) }.encode()
    }

    pub(crate) fn take_outbound(&mut self, now: Instant) -> Option<Outbound> {
        if let Some(outbound) = self.outbound.pop_front() {
            if let Outbound::Text(text) = &outbound {
                self.outbound_bytes -= text.len();
            }
            return Some(outbound);
        }
        let is_open = matches!(self.link, Link::Open { .. });
        if is_open { self.requests.next(now).map(Outbound::Text) } else { None }
    }

    /// A text has come. What is no frame is of no server of this protocol, and is passed over.
    pub(crate) fn receive(&mut self, text: &[u8], now: Instant) {
        self.heard(now);
        let Ok(frame) = serde_json::from_slice::<ServerFrame>(text) else { return };
        let purpose = self.requests.take(&frame, now);
        match &frame {
            ServerFrame::Welcome { token, rooms, limits, features, .. } => {
                self.link = Link::Open { since: now };
                if token.is_some() {
                    self.token.send_replace(token.clone());
                }
                (self.limits, self.features) = (Some(*limits), features.clone());
                self.requests.open(limits.in_flight, limits.frame_bytes);
                self.status.send_replace(Status::Open);
                self.welcomed(rooms, now);
            }
            ServerFrame::Token { token } => drop(self.token.send_replace(Some(token.clone()))),
            ServerFrame::Resumed(status) => {
                let told = self.rooms.iter_mut().find(|room| is_code(room.code(), &status.room));
                if let Some(room) = told {
                    room.welcomed(Some(status), now);
                }
            }
            ServerFrame::AuthExpiring { .. } => self.wants_credentials = true,
            ServerFrame::Closing { code, reason, reconnect_after_ms, .. } => {
                let wait = reconnect_after_ms.map(Duration::from_millis);
                self.closing = Some((*code, reason.clone(), wait));
                return self.lost(*code, reason, now);
            }
            ServerFrame::Joined(joined) => {
                let asked = match &purpose {
                    Some(Purpose::Enter(id)) => Some(*id),
                    _ => None,
                };
                let id = asked.or_else(|| self.of_code(&joined.room));
                if let Some(room) = id.and_then(|id| self.room(id)) {
                    room.receive(&frame, text.len(), now);
                }
            }
            ServerFrame::Error { .. } if purpose.is_none() => {
                self.refusal = Error::of(&frame).and_then(|error| error.refusal().cloned()).map(Box::new);
            }
            // What was asked for is taken by whoever asked.
            _ if purpose.is_none() => {
                let id = room_of(&frame).and_then(|code| self.of_code(code));
                if let Some(room) = id.and_then(|id| self.room(id)) {
                    room.receive(&frame, text.len(), now);
                }
            }
            _ => {}
        }
        if let Some(purpose) = purpose {
            self.answered(purpose, Error::of(&frame).map_or(Ok(frame), Err), now);
        }
        self.settle(now);
    }

    fn welcomed(&mut self, told: &[RoomStatus], now: Instant) {
        for status in told {
            let is_in = matches!(status.status, Told::Live | Told::Gap | Told::Waiting);
            // A room that was made under a drawn code, where the answer was lost.
            if is_in
                && self.of_code(&status.room).is_none()
                && let Ok(code) = status.room.parse()
                && let Some(unnamed) = self.rooms.iter_mut().find(|room| room.is_unnamed())
            {
                unnamed.name(code);
            }
        }
        let told: BTreeMap<&str, &RoomStatus> = told.iter().map(|status| (status.room.as_str(), status)).collect();
        for room in &mut self.rooms {
            let status = room.code().and_then(|code| told.get(code.as_str())).copied();
            room.welcomed(status, now);
        }
    }

    fn of_code(&self, code: &str) -> Option<RoomId> {
        self.rooms.iter().find(|room| is_code(room.code(), code)).map(|room| room.id)
    }

    fn answered(&mut self, purpose: Purpose, answer: Result<ServerFrame, Error>, now: Instant) {
        let (id, answered) = match purpose {
            Purpose::Enter(id) => (id, Answered::Enter),
            Purpose::Leave(id) => (id, Answered::Leave),
            Purpose::Outbox(id, number) => (id, Answered::Outbox(number)),
            Purpose::CatchUp(id, question, epoch, members_at) => {
                let is_late = self.room(id).is_some_and(|room| room.is_late(question, epoch, members_at));
                (id, Answered::CatchUp(question, is_late))
            }
            Purpose::Call(taken, done) => {
                if let (Some((id, asked)), Ok(frame)) = (taken, &answer)
                    && let Some(room) = self.room(id)
                {
                    room.answered(Answered::Page(asked), Ok(frame), now);
                }
                done.send(answer).ok();
                return;
            }
            // Refused, what was shown before is good until it runs out; then the connection ends, and another is asked for.
            Purpose::Auth => return,
            Purpose::End(done) => {
                let is_over =
                    answer.is_ok() || answer.as_ref().is_err_and(|error| error.code() == Some(RejectCode::BadToken));
                done.send(answer).ok();
                if is_over {
                    self.close(CloseReason::Ended.code(), CloseReason::Ended.as_str(), now);
                }
                return;
            }
        };
        if let Some(room) = self.room(id) {
            room.answered(answered, answer.as_ref().map_err(Clone::clone), now);
        }
    }

    /// Whether the credentials that were shown run out; asked once.
    pub(crate) fn take_renewal(&mut self) -> bool {
        std::mem::take(&mut self.wants_credentials)
    }

    /// Others are there in time. Where there are none, the connection ends with 4007, and they are asked for again.
    pub(crate) fn renew(&mut self, token: AccessToken, now: Instant) {
        self.ask(Command::auth(token), Purpose::Auth, now);
        self.settle(now);
    }

    /// A room that is on its way out, until it is left.
    pub(crate) fn wait_until_left(&mut self, code: &RoomCode) -> Option<oneshot::Receiver<Result<(), Error>>> {
        let room = self.rooms.iter_mut().find(|room| room.code() == Some(code) && room.is_leaving())?;
        let (done, left) = oneshot::channel();
        room.leave(done);
        Some(left)
    }

    /// A room that one enters, or is in already.
    pub(crate) fn enter(
        &mut self,
        code: Option<RoomCode>,
        entering: Entering,
        is_maker: bool,
        entered: oneshot::Sender<Result<(), Error>>,
        now: Instant,
    ) -> RoomId {
        let known = code.as_ref().and_then(|code| self.rooms.iter_mut().find(|room| room.code() == Some(code)));
        if let Some(known) = known.filter(|room| !room.is_leaving()) {
            known.wait_for_entry(entered);
            return known.id;
        }
        self.next_room += 1;
        let id = RoomId(self.next_room);
        let mut room = Membership::new(id, code, entering, is_maker, &self.bounds);
        room.enter(entered, matches!(self.link, Link::Open { .. }));
        self.rooms.push(room);
        self.settle(now);
        id
    }

    /// Asks something, in the place of a purpose.
    pub(crate) fn ask(&mut self, command: Command, purpose: Purpose, now: Instant) {
        if let Err((purpose, error)) = self.requests.ask(command, purpose, now) {
            let error = if error == Error::Disconnected { self.end().unwrap_or(error) } else { error };
            self.answered(purpose, Err(error), now);
        }
    }

    /// Asks something once; where it is a page that the room holds, the room takes it too.
    pub(crate) fn call(
        &mut self,
        command: Command,
        taken: Option<(RoomId, Asked)>,
        done: oneshot::Sender<Result<ServerFrame, Error>>,
        now: Instant,
    ) {
        self.ask(command, Purpose::Call(taken, done), now);
        self.settle(now);
    }

    /// Says what passes; it is dropped where there is no connection, or too much waits on it already.
    pub(crate) fn tell(&mut self, command: Command) {
        if !matches!(self.link, Link::Open { .. }) || self.outbound_bytes > PASSING_BYTES_MAX {
            return;
        }
        let frame = ClientFrame { id: None, request: Request::Command(command) }.encode();
        let frame_bytes = self.limits.map_or(0, |limits| limits.frame_bytes);
        if frame.len() <= frame_bytes {
            self.outbound_bytes += frame.len();
            self.outbound.push_back(Outbound::Text(frame));
        }
    }

    /// Whatever rooms want is done, until they want nothing more.
    pub(crate) fn settle(&mut self, now: Instant) {
        loop {
            let asks: Vec<_> = self.rooms.iter_mut().flat_map(Membership::take_asks).collect();
            if asks.is_empty() {
                break;
            }
            for (command, purpose) in asks {
                self.ask(command, purpose, now);
            }
        }
        self.rooms.retain(|room| !room.is_gone);
        if self.rooms.iter_mut().any(|room| std::mem::take(&mut room.wants_restart)) {
            self.restart(now);
        }
    }
}

fn is_code(known: Option<&RoomCode>, code: &str) -> bool {
    known.is_some_and(|known| known.as_str() == code)
}

/// The room that a frame of a stream is of.
fn room_of(frame: &ServerFrame) -> Option<&str> {
    if let Some((room, _)) = frame.numbered() {
        return Some(room);
    }
    match frame {
        ServerFrame::MemberLeft { room, .. }
        | ServerFrame::Typing { room, .. }
        | ServerFrame::Live { room, .. }
        | ServerFrame::Signals { room, .. }
        | ServerFrame::Read { room, .. }
        | ServerFrame::Presence { room, .. }
        | ServerFrame::Gap { room, .. }
        | ServerFrame::RoomClosed { room, .. } => Some(room),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
