//! What a room decides: the records to log, what passes beside them, and what the one who asked is told.

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::bans::BanLine;
use super::changes::Changed;
use super::read_positions::ReadPosition;
use super::sweeps::Sweep;
use crate::domain::{Record, TypingState};
use crate::types::{
    Body, Generation, MemberId, NetworkTag, Nick, Seq, SessionId, SignalData, SignalName, Wall, checked, count,
};

/// What would follow from an input. Nothing has changed yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Records to log and apply, in order; often none, never more than 5 beside one for each reaction of somebody whose all is taken back, and one for
    /// each number of somebody who is erased.
    pub records: SmallVec<[Record; 1]>,
    /// What to note once the records are applied.
    pub note: Option<Note>,
    /// What to tell the one who asked.
    pub answer: Answer,
}

/// A change in who is attached right now. Never logged; cannot fail; what does not fit is ignored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Note {
    /// A session has attached as a member.
    Attached {
        /// The session whose connection it is.
        session: SessionId,
        /// Which of its attaches; an older one than known is ignored.
        generation: Generation,
        /// As whom.
        member: MemberId,
        /// Where it comes from, as far as that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        network: Option<NetworkTag>,
    },
    /// A session has lost its connection.
    Detached {
        /// The session whose connection it is.
        session: SessionId,
        /// Which of its attaches; an older one than known is ignored.
        generation: Generation,
    },
    /// A member started or stopped typing.
    Typing {
        /// The member, by number.
        member: MemberId,
        /// Whether they begin or stop.
        state: TypingState,
    },
    /// A message of a member's grows, or does not any more.
    Live {
        /// The member, by number.
        member: MemberId,
        /// The number of the message.
        target: Seq,
        /// What it says so far; nothing ends it.
        #[serde(default, deserialize_with = "checked", skip_serializing_if = "Option::is_none")]
        text: Option<Body>,
    },
    /// A member shows something under a name, or not any more.
    Signal {
        /// The member, by number.
        member: MemberId,
        /// What it is called.
        #[serde(deserialize_with = "checked")]
        name: SignalName,
        /// What it says; nothing takes it away.
        #[serde(default, deserialize_with = "checked", skip_serializing_if = "Option::is_none")]
        data: Option<SignalData>,
    },
    /// A member has read up to there.
    Read {
        /// The member, by number.
        member: MemberId,
        /// The last event that was read; what is not past the one before changes nothing.
        through: Seq,
    },
    /// Time has passed: typing that has run out is forgotten, and what was shown and not renewed.
    Elapsed,
    /// The process has just started, or the ledger was read again: members without an attachment are within their grace
    /// from now. In a room just read back it is the first note, and an empty one has what is left of its linger; later it
    /// says that the log could not be reached, and an empty room lingers anew, for no less than a grace.
    Recovered,
}

/// What the one who asked is told. Messages are named, not held: the engine fills in the text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Answer {
    /// They are in.
    Entered(Box<Entered>),
    /// It was said, or edited, now or when it was first sent.
    Sent {
        /// The number of the message, or of the edit.
        seq: Seq,
        /// Its time.
        at: Wall,
        /// Whether this answers a retry.
        repeated: Repeated,
    },
    /// They are out, as of this number.
    Left {
        /// Of the leave; the last told event in a room that does not tell leaves.
        seq: Seq,
    },
    /// It was done, as of this number.
    Done {
        /// Of the event; the last told event where nothing had to be done.
        seq: Seq,
    },
    /// Earlier messages, oldest first.
    History(Box<HistorySlice>),
    /// What was changed.
    Changes(Box<ChangesSlice>),
    /// Members, in the order of their numbers.
    Members {
        /// One page.
        page: Vec<MemberId>,
        /// How many there are in all.
        #[serde(with = "count")]
        total: usize,
    },
    /// How far they have read by now.
    Read(ReadPosition),
    /// Those who are kept out, in the order of the bans.
    Bans {
        /// One page.
        page: Vec<BanLine>,
        /// Whether there are more.
        more: More,
    },
    /// They may come in once.
    Invited {
        /// Until when, in room time; of who is a member there is no need.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Wall>,
        /// What they are called there, or were when they left, as far as that is known.
        #[serde(default, deserialize_with = "checked", skip_serializing_if = "Option::is_none")]
        nick: Option<Nick>,
    },
    /// They are erased.
    Erased {
        /// Whether the log may still name them.
        is_owed: bool,
    },
    /// Nothing to tell.
    Nothing,
}

/// Whether a send was answered from memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Repeated {
    /// It is new.
    First,
    /// It was a retry: the first answer again, and no token spent.
    Retry,
}

/// Into what a caller came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entered {
    /// As whom.
    pub member: MemberId,
    /// Told events with a higher number follow.
    pub from: Seq,
    /// Whether that is where they said that they were; else it is where they came in.
    pub is_named: bool,
    /// How they came in.
    pub entry: Entry,
    /// Earlier messages to show, oldest first; empty when they come back to a position.
    pub history: HistorySlice,
}

/// How a caller came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    /// As a new member: everybody is told.
    Joined,
    /// To a membership they had: nobody is told.
    Attached,
    /// As `Attached`, at a position of this very membership: they know who they are here, and nothing is shown afresh.
    Continued,
}

/// Messages by number, oldest first.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HistorySlice {
    /// The numbers that the room still remembers.
    pub seqs: Vec<Seq>,
    /// How many more the caller asked for that the room itself does not remember; a log may.
    #[serde(with = "count")]
    pub wanted: usize,
    /// Where those end: messages before this number.
    pub before: Seq,
    /// The floor of who asked: nothing up to this number is theirs to see, whatever a log has.
    pub sees: Seq,
    /// Whether the room knows of messages earlier than all of these.
    pub more: More,
    /// The newest of those that it remembers.
    pub earlier: Option<Seq>,
    /// What follows these: nothing but whether there is something, where only earlier messages were asked for.
    pub newer: NewerSlice,
}

/// Messages from a place on, by number, oldest first. Those that the room does not remember come before those that it does.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewerSlice {
    /// Where they begin: messages from this number on.
    pub from: Seq,
    /// The last event when they were asked for: nothing after it is among them.
    pub through: Seq,
    /// How many the caller asked for.
    #[serde(with = "count")]
    pub count: usize,
    /// The first that the room remembers, as many as were asked for.
    pub seqs: Vec<Seq>,
    /// The newest that it remembers, named or not.
    pub newest: Option<Seq>,
    /// Whether it has forgotten some that may be among them: a log may have those.
    pub forgotten: More,
}

/// Messages that were changed, in the order of their last changes.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangesSlice {
    /// After which event.
    pub after: Seq,
    /// The oldest of these changes.
    pub changed: Vec<Changed>,
    /// The ranges among them that were taken back at once.
    pub swept: Vec<Sweep>,
    /// Up to which event these are all: that of the last one named, or the head where there are no more.
    pub through: Seq,
    /// Whether there are newer ones.
    pub more: More,
}

/// Whether there is more of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum More {
    /// There is.
    Yes,
    /// This is all.
    #[default]
    No,
}
