//! Inputs, decisions and answers of a room: the whole vocabulary of its rules.

use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;

use super::bans::BanLine;
use super::changes::Changed;
use super::reads::ReadPosition;
use super::sweeps::Sweep;
use crate::domain::{
    BanTerms, Content, Event, HistoryAnchor, MemberChange, Named, Record, Role, RoomCloseReason, Said, SettingsChange,
    TypingState,
};
use crate::types::{
    BanId, Body, Epoch, Generation, Identity, Key, MemberId, NetworkTag, Nick, PersonData, Position, ReactionName,
    Scope, SecretHash, Seq, SessionId, SignalData, SignalName, Topic, Wall,
};

/// The session that asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The session that asks.
    pub session: SessionId,
    /// Counts the attaches of the session; a later one has a greater number.
    pub generation: Generation,
    /// Who it is, if the policy said so.
    pub identity: Option<Identity>,
    /// Where it comes from, as far as that is known.
    pub network: Option<NetworkTag>,
    /// What the policy says that the person is shown as, if it says so: it takes the place of what they ask for.
    pub named: Option<Arc<Named>>,
}

impl Caller {
    /// What makes this caller the same person as another session.
    pub fn scope(&self) -> Scope {
        match &self.identity {
            Some(identity) => Scope::Identity(identity.clone()),
            None => Scope::Session(self.session),
        }
    }
}

/// Somebody who moderates: a member, within their role, or the host, without bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// A member, within their role.
    Member(Caller),
    /// The program the room is embedded in; may do everything.
    Host,
}

/// Whether the session's token bucket had something left for this send. Decided here and not before, because the
/// answer to a retry costs nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendPermit {
    /// A token was taken.
    Paid,
    /// None was left; one is there after this long.
    Exhausted {
        /// The time until the next send would be paid for.
        retry_after: Duration,
    },
}

/// One thing for the room to decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Begin an incarnation and join it.
    Create {
        /// The first member.
        by: Caller,
        /// The name to show; its look-alikes are taken too.
        nick: Nick,
        /// What to show beside it.
        data: Option<PersonData>,
        /// Which incarnation, drawn by the engine.
        epoch: Epoch,
        /// The salt of its digests, drawn by the engine.
        salt: u64,
    },
    /// Become a member, or attach to the membership one has.
    Join {
        /// The session that asks, and the person it is.
        by: Caller,
        /// The name to show; its look-alikes are taken too.
        nick: Nick,
        /// What to show beside it.
        data: Option<PersonData>,
        /// How many earlier messages to show.
        history: Option<u32>,
        /// Where they were before.
        after: Option<Position>,
        /// What is kept of the secret that they have shown.
        secret: Option<SecretHash>,
    },
    /// Come back to a membership one has: a resume.
    Attach {
        /// The session that asks, and the person it is.
        by: Caller,
        /// What they have seen; nothing said means "show me the room afresh".
        after: Option<Position>,
    },
    /// Change what one is shown as.
    Me {
        /// The session that asks, and the person it is.
        by: Caller,
        /// What is to be changed.
        change: MemberChange,
    },
    /// Change what a member is shown as. For the host alone to ask.
    ChangeMember {
        /// The member, by number.
        member: MemberId,
        /// What is to be changed.
        change: MemberChange,
    },
    /// Say something.
    Send {
        /// The session that asks, and the person it is.
        by: Caller,
        /// What to tell, after the policy.
        said: Said,
        /// What the client sent, where a policy rewrote it.
        as_sent: Option<Said>,
        /// Makes a retry safe.
        key: Option<Key>,
        /// Whether the sender may send now.
        permit: SendPermit,
    },
    /// Say something else in a message of one's own.
    Edit {
        /// The session that asks, and the person it is.
        by: Caller,
        /// The number of the message.
        target: Seq,
        /// What it says from now on, after the policy.
        content: Content,
        /// What the client sent, where a policy rewrote it.
        as_sent: Option<Content>,
        /// Makes a retry safe.
        key: Option<Key>,
        /// Whether the sender may send now.
        permit: SendPermit,
        /// The message as it is, of which the room itself knows neither when it was said, nor what, nor how often it was edited. Without it
        /// nothing new is said: `message_not_found`.
        evidence: Option<Box<Evidence>>,
    },
    /// Stop being a member.
    Leave {
        /// The session that asks, and the person it is.
        by: Caller,
    },
    /// Name messages.
    History {
        /// The session that asks, and the person it is.
        by: Caller,
        /// Which messages.
        anchor: HistoryAnchor,
        /// How many at most.
        limit: Option<u32>,
    },
    /// Name what was changed.
    Changes {
        /// The session that asks, and the person it is.
        by: Caller,
        /// Changes after this event.
        after: Seq,
    },
    /// Name members.
    Members {
        /// The session that asks, and the person it is.
        by: Caller,
        /// Members after this one.
        after: Option<MemberId>,
        /// How many at most.
        limit: Option<u32>,
    },
    /// Start or stop typing.
    Typing {
        /// The session that asks, and the person it is.
        by: Caller,
        /// Whether they begin or stop.
        state: TypingState,
    },
    /// Show what a message of one's own says so far, while it grows.
    Live {
        /// The session that asks, and the person it is.
        by: Caller,
        /// The number of the message.
        target: Seq,
        /// What it says so far; nothing where it does not grow any more.
        text: Option<Body>,
    },
    /// Show something of oneself under a name.
    Signal {
        /// The session that asks, and the person it is.
        by: Caller,
        /// What it is called.
        name: SignalName,
        /// What it says; nothing where it is not shown any more.
        data: Option<SignalData>,
    },
    /// Say how far one has read.
    Read {
        /// The session that asks, and the person it is.
        by: Caller,
        /// The last event that was read.
        through: Seq,
    },
    /// React to a message, or take that back.
    React {
        /// The session that asks, and the person it is.
        by: Caller,
        /// The number of the message.
        target: Seq,
        /// What they react with.
        name: ReactionName,
        /// Whether they react, or do not any more.
        on: bool,
        /// Makes a retry safe.
        key: Option<Key>,
    },
    /// Take back a message.
    Redact {
        /// The one who takes it back: its sender, or somebody who moderates.
        by: Actor,
        /// The number of the message.
        target: Seq,
        /// What the log says of it, where it was asked.
        evidence: Option<Box<Evidence>>,
    },
    /// The log has been amended for every change up to this one: what is owed gets smaller. Nothing is told.
    Settle {
        /// The number of the last of these changes.
        through: Seq,
    },
    /// Put a member out.
    Kick {
        /// The one who moderates.
        by: Actor,
        /// The member to be put out, by number.
        member: MemberId,
    },
    /// Keep somebody out, and put them out first if they are there.
    Ban {
        /// The one who moderates.
        by: Actor,
        /// The member to be kept out, by number; they may have left, as long as their place is remembered.
        member: MemberId,
        /// For how long, and what else.
        terms: BanTerms,
    },
    /// Let somebody in again who was banned.
    Unban {
        /// The one who moderates.
        by: Actor,
        /// The number of the ban.
        ban: BanId,
    },
    /// Name who is kept out.
    Bans {
        /// The one who moderates.
        by: Actor,
        /// Bans after this one.
        after: Option<BanId>,
        /// How many at most.
        limit: Option<u32>,
    },
    /// Take back all that somebody said.
    RedactAll {
        /// The one who takes it back: its sender, or somebody who moderates.
        by: Actor,
        /// Whose messages, by number; they may have left.
        member: MemberId,
        /// From this event on; from the first where there is none.
        from: Option<Seq>,
    },
    /// Change the topic.
    SetTopic {
        /// The one who moderates.
        by: Actor,
        /// The topic; empty for none.
        topic: Topic,
    },
    /// Change what is set.
    Settings {
        /// The one who moderates.
        by: Actor,
        /// What is to be changed.
        change: SettingsChange<SecretHash>,
    },
    /// Say what somebody may do; that of an owner hands the room on.
    SetRole {
        /// The owner, or the host.
        by: Actor,
        /// A member, or somebody who left and has their place still, by number.
        member: MemberId,
        /// The role from now on.
        role: Role,
    },
    /// From now on only the host says who is the owner. For the host alone to ask.
    Protect,
    /// End the incarnation of the room, whoever is in it.
    Close {
        /// What members are told in `room_closed`.
        cause: RoomCloseReason,
    },
    /// A deadline has passed: at most one consequence is decided; ask again while `next_deadline` is due.
    Elapsed,
}

/// What would follow from an input. Nothing has changed yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Records to log and apply, in order; often none, never more than 5 beside one for each reaction of somebody whose all is taken back.
    pub records: SmallVec<[Record; 2]>,
    /// What to note once the records are applied.
    pub note: Option<Note>,
    /// What to tell the one who asked.
    pub answer: Answer,
}

/// What the one who asked is told. Messages are named, not held: the engine fills in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// They are in.
    Entered(Entered),
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
    History(HistorySlice),
    /// What was changed.
    Changes(ChangesSlice),
    /// Members, in the order of their numbers.
    Members {
        /// One page.
        page: Vec<MemberId>,
        /// How many there are in all.
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
    /// Nothing to tell.
    Nothing,
}

/// Whether a send was answered from memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeated {
    /// It is new.
    First,
    /// It was a retry: the first answer again, and no token spent.
    Retry,
}

/// Into what a caller came.
#[derive(Clone, Debug, PartialEq, Eq)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// As a new member: everybody is told.
    Joined,
    /// To a membership they had: nobody is told.
    Attached,
    /// As `Attached`, at a position of this very membership: they know who they are here, and nothing is shown afresh.
    Continued,
}

/// Messages by number, oldest first.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct HistorySlice {
    /// The numbers that the room still remembers.
    pub seqs: Vec<Seq>,
    /// How many more the caller asked for that the room itself does not remember; a log may.
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
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct NewerSlice {
    /// Where they begin: messages from this number on.
    pub from: Seq,
    /// The last event when they were asked for: nothing after it is among them.
    pub through: Seq,
    /// How many the caller asked for.
    pub count: usize,
    /// The first that the room remembers, as many as were asked for.
    pub seqs: Vec<Seq>,
    /// The newest that it remembers, named or not.
    pub newest: Option<Seq>,
    /// Whether it has forgotten some that may be among them: a log may have those.
    pub forgotten: More,
}

/// Messages that were changed, in the order of their last changes.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
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

/// A message as it stands where messages are kept, in a log or a backlog: what the room itself does not remember of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// The life that it is of.
    pub epoch: Epoch,
    /// Who said it.
    pub by: MemberId,
    /// When it was said.
    pub at: Wall,
    /// What it says now.
    pub content: Content,
    /// How often it has been edited.
    pub edits: u32,
    /// Whether it was taken back.
    pub is_taken_back: bool,
    /// What was changed after this event may be missing in it: see [`Room::may_have_changed`](super::Room::may_have_changed).
    pub as_of: Seq,
}

impl Evidence {
    /// What the record of a message says; nothing where it is that of another event.
    pub fn of(epoch: Epoch, record: &Record, as_of: Seq) -> Option<Self> {
        let Event::Sent { text, data, amended, .. } = &record.event else { return None };
        Some(Self {
            epoch,
            by: record.by?,
            at: record.at,
            content: Content::text(text.clone()).with_data(data.clone()),
            edits: amended.as_ref().map_or(0, |amended| amended.n),
            is_taken_back: record.event.is_taken_back(),
            as_of,
        })
    }
}

/// Whether there is more of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum More {
    /// There is.
    Yes,
    /// This is all.
    #[default]
    No,
}

/// A change in who is attached right now. Never logged; cannot fail; what does not fit is ignored.
#[derive(Clone, Debug, PartialEq, Eq)]
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
        text: Option<Body>,
    },
    /// A member shows something under a name, or not any more.
    Signal {
        /// The member, by number.
        member: MemberId,
        /// What it is called.
        name: SignalName,
        /// What it says; nothing takes it away.
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
