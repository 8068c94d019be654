//! What a room still has to send: one command at a time, in order, each under its own key, and only into the life of the room it was written for.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use chat_core::wire::ServerFrame;
use chat_core::{Body, Command, Data, Epoch, Key, MemberId, ReactionName, RejectCode, RoomCode, Seq, Wall};
use tokio::sync::oneshot;

use crate::error::Error;
use crate::options::Bounds;

/// How long to wait after a passing refusal that names no time.
pub(crate) const PAUSE: Duration = Duration::from_secs(1);
/// So many connections may be lost over one command: it may be what they do not survive, and what comes after it must go on. On a bad line a few
/// are lost over whatever is under way.
const LOSSES_MAX: u32 = 8;
/// What an entry takes beside its texts, about.
const ENTRY_BYTES: usize = 256;

/// Where a message stands in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The number of the event.
    pub seq: Seq,
    /// When it was; nothing for an edit or a reaction that changed nothing.
    pub at: Option<Wall>,
}

/// What is said in a room, and waits for a connection where there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[allow(missing_docs)] // the protocol page documents every field once, for all languages
pub enum Said {
    /// A message.
    Message { text: Body, data: Option<Data>, reply_to: Option<Seq> },
    /// All that a message of one's own says from now on.
    Edit { target: Seq, text: Body, data: Option<Data> },
    /// A reaction, or that there is none any more.
    Reaction { target: Seq, name: ReactionName, on: bool },
}

impl Said {
    fn command(&self, room: RoomCode, key: Key) -> Command {
        let command = match self.clone() {
            Self::Message { text, data, reply_to } => Command::send(room, text).with_data(data).with_reply_to(reply_to),
            Self::Edit { target, text, data } => Command::edit(room, target, text).with_data(data),
            Self::Reaction { target, name, on: true } => Command::react(room, target, name),
            Self::Reaction { target, name, on: false } => Command::unreact(room, target, name),
        };
        command.with_key(key)
    }

    fn bytes(&self) -> usize {
        ENTRY_BYTES
            + match self {
                Self::Message { text, data, .. } | Self::Edit { text, data, .. } => {
                    text.as_str().len() + data.as_ref().map_or(0, |data| data.as_str().len())
                }
                Self::Reaction { .. } => 0,
            }
    }
}

/// What waits to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pending {
    /// Tells which message it becomes.
    pub key: Key,
    /// What is said.
    pub said: Said,
}

pub(crate) type Done = oneshot::Sender<Result<Sent, Error>>;

struct Entry {
    number: u64,
    pending: Pending,
    /// Nothing where it was written before the room was entered for the first time.
    epoch: Option<Epoch>,
    /// As whom it was tried; nothing before.
    member: Option<MemberId>,
    /// Connections that were lost over it, one after the other.
    losses: u32,
    done: Done,
}

/// What is to be done with the first that waits.
pub(crate) enum Next {
    Nothing,
    Ask {
        number: u64,
        command: Command,
    },
    /// It was not sent; there may be another.
    Refused,
}

pub(crate) struct Outbox {
    entries_max: usize,
    bytes_max: usize,
    waiting: VecDeque<Entry>,
    bytes: usize,
    next_number: u64,
    is_in_flight: bool,
    paused_until: Option<Instant>,
    /// What will not be sent, until it is told.
    refused: Vec<(Pending, Error)>,
}

impl Outbox {
    pub(crate) fn new(bounds: &Bounds) -> Self {
        Self {
            entries_max: bounds.outbox_max,
            bytes_max: bounds.outbox_bytes_max,
            waiting: VecDeque::new(),
            bytes: 0,
            next_number: 0,
            is_in_flight: false,
            paused_until: None,
            refused: Vec::new(),
        }
    }

    pub(crate) fn pending(&self) -> Vec<Pending> {
        self.waiting.iter().map(|entry| entry.pending.clone()).collect()
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.paused_until
    }

    pub(crate) fn take_refused(&mut self) -> Vec<(Pending, Error)> {
        std::mem::take(&mut self.refused)
    }

    /// `epoch` is the life of the room as it is written.
    pub(crate) fn push(&mut self, pending: Pending, epoch: Option<Epoch>, done: Done) {
        let bytes = pending.said.bytes();
        if self.waiting.len() >= self.entries_max || self.bytes + bytes > self.bytes_max {
            done.send(Err(Error::OutboxFull)).ok();
            return;
        }
        self.bytes += bytes;
        self.next_number += 1;
        self.waiting.push_back(Entry { number: self.next_number, pending, epoch, member: None, losses: 0, done });
    }

    /// The next, unless one is on its way or a pause runs.
    pub(crate) fn next(&mut self, room: &RoomCode, epoch: Option<Epoch>, you: MemberId, now: Instant) -> Next {
        if self.is_in_flight || self.paused_until.is_some_and(|until| until > now) {
            return Next::Nothing;
        }
        self.paused_until = None;
        let Some(entry) = self.waiting.front_mut() else { return Next::Nothing };
        entry.epoch = entry.epoch.or(epoch);
        // Into another life of the room, whose people may be others, nothing goes by itself.
        if entry.epoch != epoch {
            self.end(Err(Error::EpochChanged));
            return Next::Refused;
        }
        // The keys of one person are not those of another: as somebody new it could be said twice.
        if entry.member.is_some_and(|member| member != you) {
            self.end(Err(Error::OutcomeUnknown));
            return Next::Refused;
        }
        entry.member = Some(you);
        self.is_in_flight = true;
        let Pending { key, said } = &entry.pending;
        Next::Ask { number: entry.number, command: said.command(room.clone(), key.clone()) }
    }

    pub(crate) fn answered(&mut self, number: u64, answer: Result<Sent, Error>, now: Instant) {
        let Some(entry) = self.waiting.front_mut().filter(|entry| self.is_in_flight && entry.number == number) else {
            return;
        };
        self.is_in_flight = false;
        match answer {
            Err(Error::Disconnected) => {}
            Err(error) if error.is_passing() || error.code() == Some(RejectCode::NotMember) => {
                entry.losses = 0;
                self.paused_until = Some(now + error.retry_after().unwrap_or(PAUSE));
            }
            outcome => self.end(outcome),
        }
    }

    /// An event of the room: one's own, whose answer may have been lost.
    pub(crate) fn heard(&mut self, frame: &ServerFrame) {
        let (key, by, seq, at) = match frame {
            ServerFrame::Message(message) => (&message.key, message.member, message.seq, message.at),
            ServerFrame::Edited { key, by, seq, at, .. } => (key, *by, *seq, *at),
            _ => return,
        };
        let Some(entry) = self.waiting.front() else { return };
        let is_same = key.as_deref() == Some(entry.pending.key.as_str()) && by.is_some() && by == entry.member;
        if is_same {
            self.end(Ok(Sent { seq, at: Some(at) }));
        }
    }

    /// The connection is lost. What was in flight is asked again under its key; not for ever, where it may be why (`is_suspect`).
    pub(crate) fn disconnected(&mut self, is_suspect: bool) {
        let was_in_flight = std::mem::take(&mut self.is_in_flight);
        self.paused_until = None;
        if let Some(entry) = self.waiting.front_mut().filter(|_| was_in_flight && is_suspect) {
            entry.losses += 1;
            if entry.losses >= LOSSES_MAX {
                self.end(Err(Error::OutcomeUnknown));
            }
        }
    }

    /// What was not tried yet is not sent any more.
    pub(crate) fn drop_untried(&mut self, error: &Error) {
        let (tried, untried) = std::mem::take(&mut self.waiting).into_iter().partition(|entry| entry.member.is_some());
        self.waiting = tried;
        self.bytes = self.waiting.iter().map(|entry| entry.pending.said.bytes()).sum();
        for entry in untried {
            self.refuse(entry, error.clone());
        }
    }

    /// Nothing of it is sent any more; of what was tried nobody knows.
    pub(crate) fn clear(&mut self, error: &Error) {
        self.drop_untried(error);
        self.is_in_flight = false;
        while !self.waiting.is_empty() {
            self.end(Err(Error::OutcomeUnknown));
        }
    }

    /// The first that waits is over.
    fn end(&mut self, outcome: Result<Sent, Error>) {
        self.is_in_flight = false;
        let Some(entry) = self.waiting.pop_front() else { return };
        self.bytes -= entry.pending.said.bytes();
        match outcome {
            Ok(sent) => drop(entry.done.send(Ok(sent))),
            Err(error) => self.refuse(entry, error),
        }
    }

    fn refuse(&mut self, entry: Entry, error: Error) {
        entry.done.send(Err(error.clone())).ok();
        self.refused.push((entry.pending, error));
    }
}
