//! Commands and their answers: numbered, half as many in flight as the server takes, one page at a time, and each answered or failed once.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use chat_core::wire::ServerFrame;
use chat_core::{ClientFrame, Command, CommandId, Epoch, Reject, Request as Asked, Seq};
use tokio::sync::oneshot;

use crate::error::Error;
use crate::missed::Question;
use crate::reduce;

/// Longer than this for one answer, whatever else was answered, and the connection is dead.
const ONE_WAIT: Duration = Duration::from_secs(60);

/// A room of this client, whether or not its code is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RoomId(pub(crate) u64);

/// What an answer is for.
pub(crate) enum Purpose {
    Enter(RoomId),
    Leave(RoomId),
    /// Of the outbox, by the number of its entry.
    Outbox(RoomId, u64),
    /// With what the answer must not be older than.
    CatchUp(RoomId, Question, Option<Epoch>, Seq),
    /// What a program asked once; a page that is held is taken by the room, too.
    Call(Option<(RoomId, reduce::Asked)>, oneshot::Sender<Result<ServerFrame, Error>>),
    Auth,
    End(oneshot::Sender<Result<ServerFrame, Error>>),
}

struct Request {
    frame: Vec<u8>,
    purpose: Purpose,
    is_page: bool,
    /// Since when it is in flight.
    since: Instant,
}

pub(crate) struct Requests {
    waiting_max: usize,
    in_flight_max: usize,
    frame_bytes: usize,
    answer_wait: Duration,
    is_open: bool,
    in_flight: BTreeMap<u64, Request>,
    waiting: VecDeque<(u64, Request)>,
    next_id: u64,
    /// When the last answer came, or the first was waited for.
    heard_at: Option<Instant>,
}

impl Requests {
    pub(crate) fn new(waiting_max: usize, answer_wait: Duration) -> Self {
        Self {
            waiting_max,
            in_flight_max: 1,
            frame_bytes: usize::MAX,
            answer_wait,
            is_open: false,
            in_flight: BTreeMap::new(),
            waiting: VecDeque::new(),
            next_id: 0,
            heard_at: None,
        }
    }

    /// A connection that takes so many commands in flight, each of so many bytes.
    pub(crate) fn open(&mut self, in_flight: usize, frame_bytes: usize) {
        self.is_open = true;
        // Half of what the server takes, so that whatever else is said has a place.
        self.in_flight_max = (in_flight / 2).max(1);
        self.frame_bytes = frame_bytes;
    }

    /// Asks; what cannot be asked is given back.
    pub(crate) fn ask(&mut self, command: Command, purpose: Purpose, now: Instant) -> Result<(), (Purpose, Error)> {
        if !self.is_open {
            return Err((purpose, Error::Disconnected));
        }
        if self.waiting.len() >= self.waiting_max {
            return Err((purpose, Error::Busy));
        }
        use Command::{Bans, Changes, History, Members};
        let is_page = matches!(command, History { .. } | Changes { .. } | Members { .. } | Bans { .. });
        let id = self.next_id + 1;
        let frame = ClientFrame { id: Some(CommandId(id)), request: Asked::Command(command) }.encode();
        if frame.len() > self.frame_bytes {
            let reject = Reject::too_long("frame", self.frame_bytes as u64, "bytes");
            return Err((purpose, reject.into()));
        }
        self.next_id = id;
        self.waiting.push_back((id, Request { frame, purpose, is_page, since: now }));
        Ok(())
    }

    /// The next frame to be said.
    pub(crate) fn next(&mut self, now: Instant) -> Option<Vec<u8>> {
        if self.in_flight.len() >= self.in_flight_max {
            return None;
        }
        let is_paging = self.in_flight.values().any(|request| request.is_page);
        let index = self.waiting.iter().position(|(_, request)| !request.is_page || !is_paging)?;
        let (id, mut request) = self.waiting.remove(index)?;
        request.since = now;
        if self.in_flight.is_empty() {
            self.heard_at = Some(now);
        }
        let frame = std::mem::take(&mut request.frame);
        self.in_flight.insert(id, request);
        Some(frame)
    }

    /// What a frame answers, which is then over.
    pub(crate) fn take(&mut self, frame: &ServerFrame, now: Instant) -> Option<Purpose> {
        let request = self.in_flight.remove(&answered(frame)?.0)?;
        self.heard_at = Some(now);
        Some(request.purpose)
    }

    /// When the connection counts as dead, for want of an answer.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let (_, oldest) = self.in_flight.first_key_value()?;
        let next = self.heard_at.map_or(oldest.since, |at| at.max(oldest.since)) + self.answer_wait;
        Some(next.min(oldest.since + ONE_WAIT))
    }

    /// The connection is lost: whatever was asked may have been done or not.
    pub(crate) fn close(&mut self) -> Vec<Purpose> {
        self.is_open = false;
        self.heard_at = None;
        let lost = std::mem::take(&mut self.in_flight).into_values();
        let waiting = std::mem::take(&mut self.waiting).into_iter().map(|(_, request)| request);
        lost.chain(waiting).map(|request| request.purpose).collect()
    }
}

fn answered(frame: &ServerFrame) -> Option<CommandId> {
    match frame {
        ServerFrame::Joined(joined) => joined.id,
        ServerFrame::Ack { id, .. }
        | ServerFrame::Error { id, .. }
        | ServerFrame::History { id, .. }
        | ServerFrame::Changes { id, .. }
        | ServerFrame::Members { id, .. }
        | ServerFrame::Bans { id, .. }
        | ServerFrame::Read { id, .. }
        | ServerFrame::Ended { id }
        | ServerFrame::AuthRenewed { id, .. } => *id,
        _ => None,
    }
}
