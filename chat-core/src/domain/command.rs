//! What a session asks for. Parsed, so every value in it is allowed by itself; whether the room allows it is decided there.

use super::ban::BanTerms;
use super::event::Role;
use super::history::HistoryAnchor;
use super::person::MemberChange;
use super::settings::SettingsChange;
use crate::types::{
    BanId, Body, Credential, Data, Key, MemberId, Nick, PersonData, Position, ReactionName, RoomCode, RoomSecret, Seq,
    SignalData, SignalName, Topic,
};

/// Whether a member starts or stops typing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
        /// The member, by the number that `joined` and `members` show; also one who has left, as long as the room remembers their place.
        member: MemberId,
        /// For how long, and what else.
        terms: BanTerms,
    },
    /// Let somebody in again who was banned; the owner only.
    #[non_exhaustive]
    Unban {
        /// The room, by its code.
        room: RoomCode,
        /// The ban, by the number that `bans` shows.
        ban: BanId,
    },
    /// Read the list of bans; the owner only.
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
    /// Change what is set for the room; those who moderate it only.
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
    /// End a session for good: it leaves its rooms, and none of its tokens is good any more.
    #[non_exhaustive]
    End {
        /// A token of the session to be ended, which may be superseded; the session that asks, when there is none.
        token: Option<Credential>,
        /// That one, or all of the person.
        extent: Extent,
    },
}

/// Commands are made by these and filled in by the `with_` functions, each of which leaves a command of another kind as it is.
/// What a later version adds to a command stays in it when a policy rewrites a part.
impl Command {
    /// A room without a chosen name.
    pub fn create(nick: Nick) -> Self {
        Self::Create { nick, room: None, data: None }
    }

    /// Membership of a room, as somebody new there.
    pub fn join(room: RoomCode, nick: Nick) -> Self {
        Self::Join { room, nick, history: None, after: None, secret: None, catch_up: None, data: None }
    }

    /// What one is shown as in a room, changed in what is named.
    pub fn me(room: RoomCode, change: MemberChange) -> Self {
        Self::Me { room, change }
    }

    /// A message without a key.
    pub fn send(room: RoomCode, text: Body) -> Self {
        Self::Send { room, text, key: None, data: None, reply_to: None }
    }

    /// Another text for a message of one's own, by its number; without a key.
    pub fn edit(room: RoomCode, target: Seq, text: Body) -> Self {
        Self::Edit { room, target, text, data: None, key: None }
    }

    /// The end of a membership.
    pub fn leave(room: RoomCode) -> Self {
        Self::Leave { room }
    }

    /// The newest messages, as many as the room shows by default.
    pub fn history(room: RoomCode) -> Self {
        Self::History { room, anchor: HistoryAnchor::Newest, limit: None }
    }

    /// What was changed after this event, one page.
    pub fn changes(room: RoomCode, after: Seq) -> Self {
        Self::Changes { room, after }
    }

    /// The list of members from its start, one page.
    pub fn members(room: RoomCode) -> Self {
        Self::Members { room, after: None, limit: None }
    }

    /// That the member writes, or has stopped.
    pub fn typing(room: RoomCode, state: TypingState) -> Self {
        Self::Typing { room, state }
    }

    /// What a message of one's own says so far; nothing where it does not grow any more.
    pub fn live(room: RoomCode, target: Seq, text: impl Into<Option<Body>>) -> Self {
        Self::Live { room, target, text: text.into() }
    }

    /// What one shows under a name; nothing where it is not shown any more.
    pub fn signal(room: RoomCode, name: SignalName, data: impl Into<Option<SignalData>>) -> Self {
        Self::Signal { room, name, data: data.into() }
    }

    /// A message taken back, by its number.
    pub fn redact(room: RoomCode, target: Seq) -> Self {
        Self::Redact { room, target }
    }

    /// A reaction to a message, by its number; without a key.
    pub fn react(room: RoomCode, target: Seq, name: ReactionName) -> Self {
        Self::React { room, target, name, on: true, key: None }
    }

    /// A reaction taken back; without a key.
    pub fn unreact(room: RoomCode, target: Seq, name: ReactionName) -> Self {
        Self::React { room, target, name, on: false, key: None }
    }

    /// How far the person has read: up to this event.
    pub fn read(room: RoomCode, through: Seq) -> Self {
        Self::Read { room, through }
    }

    /// A member put out, who may come in again.
    pub fn kick(room: RoomCode, member: MemberId) -> Self {
        Self::Kick { room, member }
    }

    /// All messages of a member taken back, by their number.
    pub fn redact_all(room: RoomCode, member: MemberId) -> Self {
        Self::RedactAll { room, member, from: None }
    }

    /// A member put out and kept out, for ever.
    pub fn ban(room: RoomCode, member: MemberId) -> Self {
        Self::Ban { room, member, terms: BanTerms::default() }
    }

    /// Somebody let in again, by the number of their ban.
    pub fn unban(room: RoomCode, ban: BanId) -> Self {
        Self::Unban { room, ban }
    }

    /// The list of bans from its start, one page.
    pub fn bans(room: RoomCode) -> Self {
        Self::Bans { room, after: None, limit: None }
    }

    /// The room's topic; an empty one for none.
    pub fn set_topic(room: RoomCode, topic: Topic) -> Self {
        Self::SetTopic { room, topic }
    }

    /// What is set for the room, changed in what is named.
    pub fn settings(room: RoomCode, change: SettingsChange) -> Self {
        Self::Settings { room, change }
    }

    /// A member's role; that of the owner hands the room on.
    pub fn set_role(room: RoomCode, member: MemberId, role: Role) -> Self {
        Self::SetRole { room, member, role }
    }

    /// The end of the session that asks.
    pub fn end() -> Self {
        Self::End { token: None, extent: Extent::Session }
    }

    /// Of an `End`: of the session whose token this is.
    pub fn with_token(mut self, shown: impl Into<Option<Credential>>) -> Self {
        if let Self::End { token, .. } = &mut self {
            *token = shown.into();
        }
        self
    }

    /// Of an `End`: of these sessions.
    pub fn with_extent(mut self, which: Extent) -> Self {
        if let Self::End { extent, .. } = &mut self {
            *extent = which;
        }
        self
    }

    /// Of a `SetRole`: this role.
    pub fn with_role(mut self, given: Role) -> Self {
        if let Self::SetRole { role, .. } = &mut self {
            *role = given;
        }
        self
    }

    /// Of a `Create`: with this name for the room.
    pub fn with_room(mut self, name: impl Into<Option<RoomCode>>) -> Self {
        if let Self::Create { room, .. } = &mut self {
            *room = name.into();
        }
        self
    }

    /// Of a `Create`, `Join` or `Me`: under this name.
    pub fn with_nick(mut self, name: Nick) -> Self {
        match &mut self {
            Self::Create { nick, .. } | Self::Join { nick, .. } => *nick = name,
            Self::Me { change, .. } => change.nick = Some(name),
            _ => {}
        }
        self
    }

    /// Of a `Create`, `Join` or `Me`: with this beside the name, or nothing.
    pub fn with_person_data(mut self, shown: impl Into<Option<PersonData>>) -> Self {
        match &mut self {
            Self::Create { data, .. } | Self::Join { data, .. } => *data = shown.into(),
            Self::Me { change, .. } => change.data = Some(shown.into()),
            _ => {}
        }
        self
    }

    /// Of a `Me`: changing this.
    pub fn with_member_change(mut self, asked: MemberChange) -> Self {
        if let Self::Me { change, .. } = &mut self {
            *change = asked;
        }
        self
    }

    /// Of a `Send` or an `Edit`: with this text.
    pub fn with_text(mut self, said: Body) -> Self {
        if let Self::Send { text, .. } | Self::Edit { text, .. } = &mut self {
            *text = said;
        }
        self
    }

    /// Of a `Send` or an `Edit`: with this data.
    pub fn with_data(mut self, attached: impl Into<Option<Data>>) -> Self {
        if let Self::Send { data, .. } | Self::Edit { data, .. } = &mut self {
            *data = attached.into();
        }
        self
    }

    /// Of a `Send`: in answer to this message.
    pub fn with_reply_to(mut self, seq: impl Into<Option<Seq>>) -> Self {
        if let Self::Send { reply_to, .. } = &mut self {
            *reply_to = seq.into();
        }
        self
    }

    /// Of a `React`: with this name.
    pub fn with_name(mut self, chosen: ReactionName) -> Self {
        if let Self::React { name, .. } = &mut self {
            *name = chosen;
        }
        self
    }

    /// Of a `Live`: with this text, or without one.
    pub fn with_live_text(mut self, shown: impl Into<Option<Body>>) -> Self {
        if let Self::Live { text, .. } = &mut self {
            *text = shown.into();
        }
        self
    }

    /// Of a `Signal`: under this name.
    pub fn with_signal_name(mut self, called: SignalName) -> Self {
        if let Self::Signal { name, .. } = &mut self {
            *name = called;
        }
        self
    }

    /// Of a `Signal`: with this data, or without any.
    pub fn with_signal_data(mut self, shown: impl Into<Option<SignalData>>) -> Self {
        if let Self::Signal { data, .. } = &mut self {
            *data = shown.into();
        }
        self
    }

    /// Of a `Send`, an `Edit` or a `React`: with this key, which makes a retry safe.
    pub fn with_key(mut self, made: impl Into<Option<Key>>) -> Self {
        if let Self::Send { key, .. } | Self::Edit { key, .. } | Self::React { key, .. } = &mut self {
            *key = made.into();
        }
        self
    }

    /// Of a `Join`: showing so many earlier messages.
    pub fn with_history(mut self, messages: impl Into<Option<u32>>) -> Self {
        if let Self::Join { history, .. } = &mut self {
            *history = messages.into();
        }
        self
    }

    /// Of a `History`: the messages that this names.
    pub fn with_anchor(mut self, named: HistoryAnchor) -> Self {
        if let Self::History { anchor, .. } = &mut self {
            *anchor = named;
        }
        self
    }

    /// Of a `History`: the messages before this event; the newest where there is none.
    pub fn with_before(self, seq: impl Into<Option<Seq>>) -> Self {
        self.with_anchor(seq.into().into())
    }

    /// Of a `History`, `Members` or `Bans`: so many at most.
    pub fn with_limit(mut self, most: impl Into<Option<u32>>) -> Self {
        if let Self::History { limit, .. } | Self::Members { limit, .. } | Self::Bans { limit, .. } = &mut self {
            *limit = most.into();
        }
        self
    }

    /// Of a `Ban`: on these terms.
    pub fn with_terms(mut self, on: BanTerms) -> Self {
        if let Self::Ban { terms, .. } = &mut self {
            *terms = on;
        }
        self
    }

    /// Of a `RedactAll`: from this event on.
    pub fn with_from(mut self, seq: impl Into<Option<Seq>>) -> Self {
        if let Self::RedactAll { from, .. } = &mut self {
            *from = seq.into();
        }
        self
    }

    /// Of a `Bans`: those after this one.
    pub fn with_bans_after(mut self, ban: impl Into<Option<BanId>>) -> Self {
        if let Self::Bans { after, .. } = &mut self {
            *after = ban.into();
        }
        self
    }

    /// Of a `Join`: where the session was when it was last in this room.
    pub fn with_position(mut self, position: impl Into<Option<Position>>) -> Self {
        if let Self::Join { after, .. } = &mut self {
            *after = position.into();
        }
        self
    }

    /// Of a `Join`: showing this secret.
    pub fn with_secret(mut self, shown: impl Into<Option<RoomSecret>>) -> Self {
        if let Self::Join { secret, .. } = &mut self {
            *secret = shown.into();
        }
        self
    }

    /// Of a `Join`: of more events than this, one gap is told.
    pub fn with_catch_up(mut self, events: impl Into<Option<u32>>) -> Self {
        if let Self::Join { catch_up, .. } = &mut self {
            *catch_up = events.into();
        }
        self
    }

    /// Of a `Settings`: changing this.
    pub fn with_change(mut self, asked: SettingsChange) -> Self {
        if let Self::Settings { change, .. } = &mut self {
            *change = asked;
        }
        self
    }

    /// Of a `Members`: those after this one.
    pub fn with_members_after(mut self, member: impl Into<Option<MemberId>>) -> Self {
        if let Self::Members { after, .. } = &mut self {
            *after = member.into();
        }
        self
    }

    /// The room it is about; `None` for a creation without a chosen name, and for the end of a session.
    pub fn room(&self) -> Option<&RoomCode> {
        match self {
            Self::Create { room, .. } => room.as_ref(),
            Self::End { .. } => None,
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
