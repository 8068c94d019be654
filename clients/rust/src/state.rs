//! What a client holds of one room. Whoever was given one keeps it as it was: a change makes another.

use std::collections::BTreeMap;

use chat_core::wire::{MemberEntry, MessageFrame, ReadStatus, RoomSettings, SignalEntry, Status};
use chat_core::{Epoch, MemberId, Notices, Position, RoomCode, Seq, Wall};

use crate::error::Error;
use crate::messages::{Held, Message};

/// Where one stands in a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Presence {
    /// Asked to be let in, and was not answered yet.
    Joining,
    /// In it: events follow.
    Live,
    /// The connection, or what the server says of the room, is waited for.
    Away,
    /// Out of it, and not going back by itself.
    Ended,
}

/// Why one is not in a room any more.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Ending {
    /// `left`, `timeout`, `kicked`, `banned`, `closed` (the room is over), or `refused` where the server lets one in no more.
    pub why: String,
    /// The member who put one out.
    pub by: Option<MemberId>,
    /// When a ban ends.
    pub until: Option<Wall>,
    /// It was so when one came back, or had missed it.
    pub is_missed: bool,
    /// What the server said.
    pub error: Option<Error>,
}

impl Ending {
    pub(crate) fn new(why: &str) -> Self {
        Self { why: why.to_owned(), by: None, until: None, is_missed: false, error: None }
    }

    pub(crate) fn missed(self) -> Self {
        Self { is_missed: true, ..self }
    }

    pub(crate) fn until(self, until: Option<Wall>) -> Self {
        Self { until, ..self }
    }
}

/// A stretch of events that were missed, and whose messages are still to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hole {
    /// It begins after this event.
    pub after: Seq,
    /// It ends with this one.
    pub through: Seq,
}

/// How much of a room is held; see [`Bounds`](crate::Bounds).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HeldMax {
    pub(crate) messages: usize,
    pub(crate) bytes: usize,
    /// A hole of more events is not read: what is older than it is dropped.
    pub(crate) hole: u64,
}

/// A room as it is known.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RoomState {
    /// Nothing for a room that is still being made under a code that the server draws.
    pub code: Option<RoomCode>,
    /// The life of the room that all of this is of; nothing before the first `joined`.
    pub epoch: Option<Epoch>,
    /// The last event seen.
    pub seq: Seq,
    /// Where one stands.
    pub presence: Presence,
    /// Why one is not in it any more.
    pub ended: Option<Ending>,
    /// The member one is.
    pub you: Option<MemberEntry>,
    /// By number. In rooms whose notices are counted, those who were listed. As many as the server's rooms may have.
    pub members: Vec<MemberEntry>,
    /// How many there are.
    pub members_total: usize,
    /// Whether joins and leaves are told one by one.
    pub notices: Notices,
    /// How many have a connection, where joins and leaves are only counted.
    pub online: Option<usize>,
    /// What the room is about.
    pub topic: String,
    /// What is set for it.
    pub settings: RoomSettings,
    /// Who is writing.
    pub typing: Vec<MemberId>,
    /// What messages say so far that are still growing, by their number.
    pub growing: BTreeMap<Seq, String>,
    /// What members show of themselves.
    pub signals: Vec<SignalEntry>,
    /// All messages of the log from this event on are held, but for those in the `hole`.
    pub from: Seq,
    /// Whether there are messages before `from`.
    pub more: bool,
    /// What was missed, and is being read.
    pub hole: Option<Hole>,
    /// How far one has read, as the server said last.
    pub read: Option<ReadStatus>,
    pub(crate) held: Held,
    pub(crate) max: HeldMax,
    /// Where the present membership begins.
    pub(crate) entered: Seq,
    /// The number after which members are still to be listed.
    pub(crate) listed_to: Option<MemberId>,
    /// The last event, or gap, that said anything of any member.
    pub(crate) members_at: Seq,
    /// Everything was dropped, and the newest messages are to be read again.
    pub(crate) is_bare: bool,
    /// What every event up to here changed is shown.
    pub(crate) known: Seq,
    /// The last change that was heard of.
    pub(crate) due: Seq,
    /// The event that `read` has to reflect.
    pub(crate) read_due: Seq,
    /// How far one has read by one's own word.
    pub(crate) read_to: Seq,
}

impl RoomState {
    pub(crate) fn new(code: Option<RoomCode>, max: HeldMax) -> Self {
        Self {
            code,
            epoch: None,
            seq: Seq(0),
            presence: Presence::Joining,
            ended: None,
            you: None,
            members: Vec::new(),
            members_total: 0,
            notices: Notices::Told,
            online: None,
            topic: String::new(),
            settings: RoomSettings::default(),
            typing: Vec::new(),
            growing: BTreeMap::new(),
            signals: Vec::new(),
            from: Seq(1),
            more: false,
            hole: None,
            read: None,
            held: Held::default(),
            max,
            entered: Seq(0),
            listed_to: None,
            members_at: Seq(0),
            is_bare: false,
            known: Seq(0),
            due: Seq(0),
            read_due: Seq(0),
            read_to: Seq(0),
        }
    }

    /// The messages that are held, oldest first, each as it is now.
    pub fn messages(&self) -> &[Message] {
        self.held.list()
    }

    /// The message of this number, if it is held.
    pub fn message(&self, seq: Seq) -> Option<&Message> {
        let list = self.messages();
        list.binary_search_by_key(&seq, |message| message.seq).ok().map(|index| &list[index])
    }

    /// The position to name when coming back.
    pub fn position(&self) -> Option<Position> {
        self.epoch.map(|epoch| Position { epoch, seq: self.seq })
    }

    /// Whether one has said this message.
    pub fn is_mine(&self, message: &MessageFrame) -> bool {
        message.member.is_some() && message.member == self.you.as_ref().map(|you| you.member)
    }

    /// Messages of others that were not read yet: what the server counted, at most about 1,000, and what came since.
    pub fn unread(&self) -> usize {
        let Some(read) = &self.read else { return 0 };
        let floor = read.as_of.max(read.through);
        let newer = self.messages().iter().rev().take_while(|message| message.seq > floor);
        read.unread + newer.filter(|message| !message.redacted && !self.is_mine(message)).count()
    }

    /// Whether nothing is left to be asked for: what is held equals the log.
    pub fn is_synced(&self) -> bool {
        let is_listed = self.notices != Notices::Told || self.listed_to.is_none();
        let is_whole = self.hole.is_none() && !self.is_bare && !self.misses() && is_listed;
        self.presence == Presence::Live && is_whole && !self.is_read_stale()
    }

    /// Whether changes were missed.
    pub(crate) fn misses(&self) -> bool {
        self.due > self.known
    }

    /// Whether the read position is to be told, or what is unread to be asked for.
    pub(crate) fn is_read_stale(&self) -> bool {
        self.read.as_ref().is_some_and(|read| read.as_of < self.read_due || read.through < self.read_to)
    }

    /// One has read up to an event.
    pub(crate) fn read_up_to(&mut self, through: Seq) {
        if through > self.read_to && through <= self.seq {
            self.read_to = through;
        }
    }

    /// The connection is lost.
    pub(crate) fn disconnect(&mut self) {
        if self.presence == Presence::Live {
            self.presence = Presence::Away;
            self.show_nothing();
        }
    }

    /// Membership or life has ended: what is held stays as it was.
    pub(crate) fn end(&mut self, ending: Ending) {
        self.show_nothing();
        self.presence = Presence::Ended;
        self.ended = Some(ending);
    }

    /// Goes on from what is held, where a `welcome` or `resumed` says so; else the `joined` is waited for.
    pub(crate) fn resume(&mut self, told: &chat_core::wire::RoomStatus) {
        let is_live = matches!(told.status, Status::Live | Status::Gap);
        if is_live && told.epoch == self.epoch && told.seq == Some(self.seq) {
            self.show_nothing();
            self.presence = Presence::Live;
            self.ended = None;
            self.later_read(told.read);
        }
    }

    /// Of two read positions the later one counts.
    pub(crate) fn later_read(&mut self, told: Option<ReadStatus>) {
        let Some(told) = told else { return };
        let is_older = self.read.is_some_and(|held| told.as_of < held.as_of || told.through < held.through);
        if !is_older {
            self.read = Some(told);
        }
    }

    /// What passes is of one connection: on the next one it is told anew.
    pub(crate) fn show_nothing(&mut self) {
        self.typing.clear();
        self.growing.clear();
        self.signals.clear();
    }
}
