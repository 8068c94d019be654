//! What a session asks for. Parsed, so every value in it is allowed by itself; whether the room allows it is decided there.

use serde::{Deserialize, Serialize};

use super::ban::BanTerms;
use super::event::Role;
use super::history::HistoryAnchor;
use super::person::MemberChange;
use super::settings::SettingsChange;
use crate::types::{
    AccessToken, BanId, Body, Credential, Data, Key, MemberId, Nick, Params, PersonData, Position, ReactionName,
    RoomCode, RoomSecret, Seq, SignalData, SignalName, Topic,
};

mod builders;

/// Whether a member starts or stops typing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TypingState {
    /// Typing, until renewed or for the room's typing time.
    On,
    /// Not typing any more.
    Off,
}

/// Which sessions are ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Extent {
    /// One.
    #[default]
    Session,
    /// All of the person, where the policy has said who that is; else the one.
    Person,
}

/// One command of one session. Later versions have more.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Command {
    /// Make a room and be its first member.
    #[non_exhaustive]
    Create {
        /// The name to show.
        nick: Nick,
        /// The room's name; drawn when there is none.
        room: Option<RoomCode>,
        /// What to show beside the name.
        data: Option<PersonData>,
        /// For the policy, which alone reads it; it goes no further.
        params: Option<Params>,
    },
    /// Become a member of a room.
    #[non_exhaustive]
    Join {
        /// The room, by its code.
        room: RoomCode,
        /// The name to show.
        nick: Nick,
        /// How many earlier messages to show; the room's default when there is none.
        history: Option<u32>,
        /// Where the session was when it was last in this room: events after it follow instead of a history.
        after: Option<Position>,
        /// The secret that the room asks newcomers for.
        secret: Option<RoomSecret>,
        /// Of more events than this that are due after `after`, one gap is told to where the room is now; every event when there is none.
        catch_up: Option<u32>,
        /// What to show beside the name.
        data: Option<PersonData>,
        /// For the policy, which alone reads it; it goes no further.
        params: Option<Params>,
    },
    /// Change what one is shown as in a room.
    #[non_exhaustive]
    Me {
        /// The room, by its code.
        room: RoomCode,
        /// What is to be changed.
        change: MemberChange,
    },
    /// Say something.
    #[non_exhaustive]
    Send {
        /// The room, by its code.
        room: RoomCode,
        /// 1 to 4,000 characters by default; none where there is data.
        text: Body,
        /// Makes a retry safe: a second `Send` with the same key that says the same is answered with the first one's number.
        key: Option<Key>,
        /// What a program attaches to it.
        data: Option<Data>,
        /// The message that it answers.
        reply_to: Option<Seq>,
    },
    /// Say something else in a message of one's own.
    #[non_exhaustive]
    Edit {
        /// The room, by its code.
        room: RoomCode,
        /// The number of the message.
        target: Seq,
        /// What it says from now on; none where there is data.
        text: Body,
        /// What a program attaches to it from now on; nothing where there is none.
        data: Option<Data>,
        /// Makes a retry safe, as that of a `Send` does.
        key: Option<Key>,
    },
    /// Stop being a member.
    #[non_exhaustive]
    Leave {
        /// The room, by its code.
        room: RoomCode,
    },
    /// Read earlier messages.
    #[non_exhaustive]
    History {
        /// The room, by its code.
        room: RoomCode,
        /// Which messages.
        anchor: HistoryAnchor,
        /// How many at most; the room's default when there is none.
        limit: Option<u32>,
    },
    /// Read the messages that were changed after an event.
    #[non_exhaustive]
    Changes {
        /// The room, by its code.
        room: RoomCode,
        /// The last event of which the session knows what it changed.
        after: Seq,
    },
    /// Read the list of members.
    #[non_exhaustive]
    Members {
        /// The room, by its code.
        room: RoomCode,
        /// Members after this one; from the start when there is none.
        after: Option<MemberId>,
        /// How many at most; the room's page size when there is none.
        limit: Option<u32>,
    },
    /// Show others that a message is being written.
    #[non_exhaustive]
    Typing {
        /// The room, by its code.
        room: RoomCode,
        /// Starting or stopping.
        state: TypingState,
    },
    /// Show what a message of one's own says so far, while it grows. Never logged; the latest counts.
    #[non_exhaustive]
    Live {
        /// The room, by its code.
        room: RoomCode,
        /// The number of the message, which one has sent.
        target: Seq,
        /// What it says so far; `None` where it does not grow any more.
        text: Option<Body>,
    },
    /// Show something of oneself under a name, for a while. Never logged; the latest counts.
    #[non_exhaustive]
    Signal {
        /// The room, by its code.
        room: RoomCode,
        /// What it is called.
        name: SignalName,
        /// What it says; `None` where it is not shown any more.
        data: Option<SignalData>,
    },
    /// Say how far one has read. It is told to the person's other sessions, and to nobody else.
    #[non_exhaustive]
    Read {
        /// The room, by its code.
        room: RoomCode,
        /// The last event that was read.
        through: Seq,
    },
    /// Take back a message: one's own, or that of somebody of a lower role as the owner or a moderator.
    #[non_exhaustive]
    Redact {
        /// The room, by its code.
        room: RoomCode,
        /// The number of the message.
        target: Seq,
    },
    /// React to a message, or take that back.
    #[non_exhaustive]
    React {
        /// The room, by its code.
        room: RoomCode,
        /// The number of the message.
        target: Seq,
        /// What to react with.
        name: ReactionName,
        /// Whether to react, or not any more.
        on: bool,
        /// Makes a retry safe: a second `React` with the same key and the same else is answered with the first one's number.
        key: Option<Key>,
    },
    /// Put a member of a lower role out of the room; the owner or a moderator.
    #[non_exhaustive]
    Kick {
        /// The room, by its code.
        room: RoomCode,
        /// The member, by the number that `joined` and `members` show.
        member: MemberId,
    },
    /// Take back all that somebody said: oneself, or anybody of a lower role as the owner or a moderator.
    #[non_exhaustive]
    RedactAll {
        /// The room, by its code.
        room: RoomCode,
        /// Whose messages, by number; also of somebody who is not there any more.
        member: MemberId,
        /// From this event on; from the first when there is none.
        from: Option<Seq>,
    },
    /// Put somebody of a lower role out of the room and keep them out; the owner or a moderator.
    #[non_exhaustive]
    Ban {
        /// The room, by its code.
        room: RoomCode,
        /// The member, by the number that `joined` and `members` show; also one who has left, or was put out, as long as the room
        /// remembers them.
        member: MemberId,
        /// For how long, and what else.
        terms: BanTerms,
    },
    /// Let somebody in again who was banned; the owner, or a moderator.
    #[non_exhaustive]
    Unban {
        /// The room, by its code.
        room: RoomCode,
        /// The ban, by the number that `bans` shows.
        ban: BanId,
    },
    /// Read the list of bans; the owner, or a moderator.
    #[non_exhaustive]
    Bans {
        /// The room, by its code.
        room: RoomCode,
        /// Bans after this one; from the first when there is none.
        after: Option<BanId>,
        /// How many at most; the room's page size when there is none.
        limit: Option<u32>,
    },
    /// Say what the room is about; the owner or a moderator.
    #[non_exhaustive]
    SetTopic {
        /// The room, by its code.
        room: RoomCode,
        /// The topic; empty for none.
        topic: Topic,
    },
    /// Change what is set for the room; those who moderate it only, and what newcomers see the owner only.
    #[non_exhaustive]
    Settings {
        /// The room, by its code.
        room: RoomCode,
        /// What is to be changed.
        change: SettingsChange,
    },
    /// Say what a member may do; the owner only. Who makes another the owner is a moderator from then on.
    #[non_exhaustive]
    SetRole {
        /// The room, by its code.
        room: RoomCode,
        /// The member, by the number that `joined` and `members` show.
        member: MemberId,
        /// The role from now on.
        role: Role,
    },
    /// Show the policy another credential, before the one that was shown runs out. The policy's `check` is not asked about
    /// it: its `admit` is.
    #[non_exhaustive]
    Auth {
        /// What is shown.
        token: AccessToken,
    },
    /// End a session for good: it leaves its rooms, and none of its tokens is good any more.
    #[non_exhaustive]
    End {
        /// A token of the session to be ended, which may be superseded; the session that asks, when there is none.
        token: Option<Credential>,
        /// That one, or all of the person.
        extent: Extent,
    },
}

impl Command {
    /// The room it is about; `None` for a creation without a chosen name, for a new credential, and for the end of a session.
    pub fn room(&self) -> Option<&RoomCode> {
        match self {
            Self::Create { room, .. } => room.as_ref(),
            Self::Auth { .. } | Self::End { .. } => None,
            Self::Join { room, .. }
            | Self::Me { room, .. }
            | Self::Send { room, .. }
            | Self::Edit { room, .. }
            | Self::Leave { room }
            | Self::History { room, .. }
            | Self::Changes { room, .. }
            | Self::Members { room, .. }
            | Self::Typing { room, .. }
            | Self::Live { room, .. }
            | Self::Signal { room, .. }
            | Self::Read { room, .. }
            | Self::Redact { room, .. }
            | Self::React { room, .. }
            | Self::Kick { room, .. }
            | Self::RedactAll { room, .. }
            | Self::Ban { room, .. }
            | Self::Unban { room, .. }
            | Self::Bans { room, .. }
            | Self::SetTopic { room, .. }
            | Self::Settings { room, .. }
            | Self::SetRole { room, .. } => Some(room),
        }
    }
}
