//! How commands are made: each by what it cannot do without, and filled in by functions that are named for what they add.

use super::{Command, Extent, TypingState};
use crate::domain::{BanTerms, HistoryAnchor, MemberChange, Role, SettingsChange};
use crate::types::{
    AccessToken, BanId, Body, Credential, Data, Key, MemberId, Nick, Params, PersonData, Position, ReactionName,
    RoomCode, RoomSecret, Seq, SignalData, SignalName, Topic,
};

/// Commands are made by these and filled in by the `with_` functions, each of which leaves a command of another kind as it is.
/// What a later version adds to a command stays in it when a policy rewrites a part.
impl Command {
    /// A room without a chosen name.
    pub fn create(nick: Nick) -> Self {
        Self::Create { nick, room: None, data: None, params: None }
    }

    /// Membership of a room, as somebody new there.
    pub fn join(room: RoomCode, nick: Nick) -> Self {
        Self::Join { room, nick, history: None, after: None, secret: None, catch_up: None, data: None, params: None }
    }

    /// Another credential, for the policy.
    pub fn auth(token: AccessToken) -> Self {
        Self::Auth { token }
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

    /// Of a `Create` or a `Join`: with this for the policy.
    pub fn with_params(mut self, shown: impl Into<Option<Params>>) -> Self {
        if let Self::Create { params, .. } | Self::Join { params, .. } = &mut self {
            *params = shown.into();
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

    /// Of a `Send` or an `Edit`: with this text; [`Body::empty`] where there is data alone. That of a `Live` is set by
    /// [`with_live_text`](Self::with_live_text).
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
}
