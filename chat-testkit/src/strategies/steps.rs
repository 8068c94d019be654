//! What a step of a run is: how much time passes, and who does what to whom.
//!
//! A step names people, messages and positions relative to what is there when it is played ("two messages back", "the
//! second member"), so a run that is cut shorter still makes sense, and shrinks well. [`Cast`](super::Cast) turns a
//! step into what the room is asked.

use chat_core::room::SendPermit;
use chat_core::{
    BanTerms, Body, Data, Identity, Key, MemberChange, Nick, PersonData, ReactionName, RecordVersion, Role,
    RoomCloseReason, RoomOptions, SecretHash, SettingsChange, SignalData, SignalName, Topic, TypingState,
};

/// One step of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// How much time passes before.
    pub pass: Pass,
    /// What happens then.
    pub act: Act,
}

/// Time that passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pass {
    /// Milliseconds on the monotonic clock.
    pub mono: u64,
    /// Milliseconds by which somebody sets the wall clock, in addition; negative for back.
    pub step: i64,
}

/// What happens.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // fields are those of `Input` of the same name
pub enum Act {
    Create {
        who: Who,
        nick: Nick,
        data: Option<PersonData>,
    },
    /// The host makes a room.
    Found {
        options: Box<RoomOptions<SecretHash>>,
    },
    Join {
        who: Who,
        nick: Nick,
        data: Option<PersonData>,
        history: Option<u32>,
        after: Option<After>,
        secret: Option<SecretHash>,
    },
    Attach {
        who: Who,
        after: Option<After>,
    },
    Me {
        who: Who,
        change: MemberChange,
    },
    ChangeMember {
        member: Target,
        change: MemberChange,
    },
    Send {
        who: Who,
        text: Body,
        as_sent: Option<Body>,
        key: Option<Key>,
        permit: SendPermit,
        data: Option<Data>,
        reply_to: Option<Spot>,
    },
    Edit {
        who: Who,
        message: Spot,
        text: Body,
        as_sent: Option<Body>,
        key: Option<Key>,
        permit: SendPermit,
        data: Option<Data>,
        asked: Asked,
    },
    Leave {
        who: Who,
    },
    Say {
        name: Nick,
        text: Body,
        key: Option<Key>,
        data: Option<Data>,
        reply_to: Option<Spot>,
    },
    Look,
    History {
        by: Mod,
        at: Option<(Side, Spot)>,
        limit: Option<u32>,
    },
    Changes {
        who: Who,
        after: Spot,
    },
    Members {
        by: Mod,
        after: Option<Target>,
        limit: Option<u32>,
    },
    Typing {
        who: Who,
        state: TypingState,
    },
    Live {
        who: Who,
        message: Spot,
        text: Option<Body>,
    },
    Signal {
        who: Who,
        name: SignalName,
        data: Option<SignalData>,
    },
    Read {
        who: Who,
        through: Spot,
    },
    React {
        who: Who,
        message: Spot,
        name: ReactionName,
        on: bool,
        key: Option<Key>,
    },
    Redact {
        by: Mod,
        message: Spot,
        asked: Asked,
    },
    Settle {
        through: Spot,
    },
    Kick {
        by: Mod,
        member: Target,
    },
    Ban {
        by: Mod,
        member: Target,
        terms: BanTerms,
    },
    Unban {
        by: Mod,
        /// Counted from the first.
        ban: u32,
    },
    Bans {
        by: Mod,
        after: Option<u32>,
        limit: Option<u32>,
    },
    RedactAll {
        by: Mod,
        member: Target,
        from: Option<Spot>,
    },
    SetTopic {
        by: Mod,
        topic: Topic,
    },
    Settings {
        by: Mod,
        change: SettingsChange<SecretHash>,
    },
    SetRole {
        by: Mod,
        whom: Known,
        role: Role,
    },
    Protect,
    /// The host has the room stay while nobody is in it, or not any more.
    Keep {
        on: bool,
    },
    /// The host lets somebody in once.
    Invite {
        identity: Identity,
    },
    /// The host has somebody erased, of whom the log was read.
    Erase {
        identity: Identity,
        /// Who stands for them: one of few.
        alias: u8,
    },
    /// The log has been made to name nobody who was erased by a record that is this far back from the last one.
    Scrubbed {
        back: u64,
    },
    Close {
        cause: RoomCloseReason,
    },
    /// A session loses its connection.
    Detach {
        who: Who,
    },
    /// Nothing but the time that passes.
    Wait,
    /// Everybody who is gone has their grace anew.
    Recover,
    /// The process ends; another reads a snapshot and the log.
    Restart,
    /// The log says what may be written: a program that reads no more has come, or the last one has gone.
    Writes {
        version: RecordVersion,
    },
    /// The last decisions turn out not to be in the log.
    Lose {
        decisions: usize,
    },
}

/// Who does it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// One session of the cast.
    Session(usize, Attempt),
    /// One of those attached right now, counted around; where nobody is, the session of that number.
    Insider(usize),
    /// Who said this message, where they are attached; else like the first session.
    Author(Spot),
}

/// With which attach a session does it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// That of its newest connection.
    Current,
    /// A new connection.
    New,
    /// That of the connection before, which is late.
    Late,
}

/// Whether the log was asked about a message that the room has forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// It was not.
    No,
    /// It was, and had been amended.
    Log,
    /// It was, before it was amended for the last time.
    LateLog,
    /// In another life of the room.
    AnotherLife,
}

/// Who moderates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mod {
    /// Somebody.
    Person(Who),
    /// The owner, where one is attached; else like the first session.
    Owner,
    /// A moderator, where one is attached; else like the first session.
    Moderator,
    /// The host.
    Host,
}

/// A number in the log, as it is at the moment of the step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spot {
    /// This far back from two past the last told one.
    Back(u64),
    /// That of a message the room remembers, the newest first, counted around; else the last told one.
    Message(u64),
    /// That of a message that the room has forgotten, the newest first, counted around; else the last told one.
    Forgotten(u64),
    /// Where a membership begins, the newest first, counted around; else the last told one.
    Join(u64),
}

/// On which side of a number a page lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Before it.
    Before,
    /// After it.
    After,
    /// On both.
    Around,
}

/// A position, of this life of the room or of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum After {
    ThisLife(Spot),
    AnotherLife(Spot),
}

/// A member: one of those there, counted around; where nobody is, that number. From [`Target::GONE`] on, and where that may be, one of all who
/// ever were there, in the order of their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target(pub u32);

/// Whose role it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// A member.
    Here(Target),
    /// One of those who left and may come back to their place, counted around; where nobody is, that number.
    Away(u32),
}

impl Target {
    /// The first who may have left.
    pub const GONE: u32 = 100;
}
