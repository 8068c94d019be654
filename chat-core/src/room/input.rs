//! What a room is asked to decide, by whom, and what it is told of a message that it does not remember itself.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::{
    BanTerms, Content, Event, HistoryAnchor, MemberChange, Named, Record, Role, RoomCloseReason, RoomOptions, Said,
    SettingsChange, TypingState,
};
use crate::types::{
    BanId, Body, Epoch, Generation, Identity, Key, MemberId, NetworkTag, Nick, Offset, PersonData, Position,
    ReactionName, Scope, SecretHash, Seq, SessionId, SignalData, SignalName, Topic, Wall, checked,
};

/// The session that asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Caller {
    /// The session that asks.
    pub session: SessionId,
    /// Counts the attaches of the session; a later one has a greater number.
    pub generation: Generation,
    /// Who it is, if the policy said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
    /// Where it comes from, as far as that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<NetworkTag>,
    /// What the policy says that the person is shown as, if it says so: it takes the place of what they ask for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
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

/// Somebody who looks or moderates: a member, within their role, or the host, without bound.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Actor {
    /// A member, within their role.
    Member(Caller),
    /// The program the room is embedded in; may do everything.
    Host,
}

/// Who looks, as it is written: a member as the caller alone, as when nobody else could, and the host by that word.
mod looking {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::{Actor, Caller};

    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Word {
        Host,
    }

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Read {
        Host(Word),
        Member(Caller),
    }

    pub(super) fn serialize<S: Serializer>(by: &Actor, serializer: S) -> Result<S::Ok, S::Error> {
        match by {
            Actor::Host => Word::Host.serialize(serializer),
            Actor::Member(caller) => caller.serialize(serializer),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Actor, D::Error> {
        Ok(match Read::deserialize(deserializer)? {
            Read::Host(Word::Host) => Actor::Host,
            Read::Member(caller) => Actor::Member(caller),
        })
    }
}

/// Whether the session's token bucket had something left for this send. Decided here and not before, because the
/// answer to a retry costs nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Input {
    /// Begin an incarnation and join it.
    Create {
        /// The first member.
        by: Caller,
        /// The name to show; its look-alikes are taken too.
        #[serde(deserialize_with = "checked")]
        nick: Nick,
        /// What to show beside it.
        #[serde(default, deserialize_with = "checked", skip_serializing_if = "Option::is_none")]
        data: Option<PersonData>,
        /// Which incarnation, drawn by the engine.
        epoch: Epoch,
        /// The salt of its digests, drawn by the engine.
        salt: u64,
    },
    /// Begin an incarnation that nobody is in yet, and keep it. For the host alone to ask.
    Found {
        /// What is to be so from the beginning.
        options: Box<RoomOptions<SecretHash>>,
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
        #[serde(deserialize_with = "checked")]
        nick: Nick,
        /// What to show beside it.
        #[serde(default, deserialize_with = "checked", skip_serializing_if = "Option::is_none")]
        data: Option<PersonData>,
        /// How many earlier messages to show.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        history: Option<u32>,
        /// Where they were before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<Position>,
        /// What is kept of the secret that they have shown.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        secret: Option<SecretHash>,
    },
    /// Come back to a membership one has: a resume.
    Attach {
        /// The session that asks, and the person it is.
        by: Caller,
        /// What they have seen; nothing said means "show me the room afresh".
        #[serde(default, skip_serializing_if = "Option::is_none")]
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
        #[serde(default, skip_serializing_if = "Option::is_none")]
        as_sent: Option<Said>,
        /// Makes a retry safe.
        #[serde(default, deserialize_with = "checked", skip_serializing_if = "Option::is_none")]
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
        #[serde(deserialize_with = "checked")]
        content: Content,
        /// What the client sent, where a policy rewrote it.
        #[serde(default, deserialize_with = "checked", skip_serializing_if = "Option::is_none")]
        as_sent: Option<Content>,
        /// Makes a retry safe.
        #[serde(default, deserialize_with = "checked", skip_serializing_if = "Option::is_none")]
        key: Option<Key>,
        /// Whether the sender may send now.
        permit: SendPermit,
        /// The message as it is, of which the room itself knows neither when it was said, nor what, nor how often it was edited. Without it
        /// nothing new is said: `message_not_found`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        evidence: Option<Box<Evidence>>,
    },
    /// Say something as the host. For the host alone to ask.
    Say {
        /// Under which of its names.
        #[serde(deserialize_with = "checked")]
        name: Nick,
        /// What to tell.
        said: Said,
        /// Makes a retry safe.
        #[serde(default, deserialize_with = "checked", skip_serializing_if = "Option::is_none")]
        key: Option<Key>,
    },
    /// Stop being a member.
    Leave {
        /// The session that asks, and the person it is.
        by: Caller,
    },
    /// Name messages.
    History {
        /// A member, or the host, who sees all of them.
        #[serde(with = "looking")]
        by: Actor,
        /// Which messages.
        anchor: HistoryAnchor,
        /// How many at most.
        #[serde(default, skip_serializing_if = "Option::is_none")]
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
        /// A member, or the host.
        #[serde(with = "looking")]
        by: Actor,
        /// Members after this one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<MemberId>,
        /// How many at most.
        #[serde(default, skip_serializing_if = "Option::is_none")]
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
        #[serde(default, deserialize_with = "checked", skip_serializing_if = "Option::is_none")]
        text: Option<Body>,
    },
    /// Show something of oneself under a name.
    Signal {
        /// The session that asks, and the person it is.
        by: Caller,
        /// What it is called.
        #[serde(deserialize_with = "checked")]
        name: SignalName,
        /// What it says; nothing where it is not shown any more.
        #[serde(default, deserialize_with = "checked", skip_serializing_if = "Option::is_none")]
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
        #[serde(deserialize_with = "checked")]
        name: ReactionName,
        /// Whether they react, or do not any more.
        on: bool,
        /// Makes a retry safe.
        #[serde(default, deserialize_with = "checked", skip_serializing_if = "Option::is_none")]
        key: Option<Key>,
    },
    /// Take back a message.
    Redact {
        /// The one who takes it back: its sender, or somebody who moderates.
        by: Actor,
        /// The number of the message.
        target: Seq,
        /// What the log says of it, where it was asked.
        #[serde(default, skip_serializing_if = "Option::is_none")]
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
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<BanId>,
        /// How many at most.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limit: Option<u32>,
    },
    /// Take back all that somebody said.
    RedactAll {
        /// The one who takes it back: its sender, or somebody who moderates.
        by: Actor,
        /// Whose messages, by number; they may have left.
        member: MemberId,
        /// From this event on; from the first where there is none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<Seq>,
    },
    /// Change the topic.
    SetTopic {
        /// The one who moderates.
        by: Actor,
        /// The topic; empty for none.
        #[serde(deserialize_with = "checked")]
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
    /// From now on the room stays while nobody is in it, or does not any more. For the host alone to ask.
    Keep {
        /// Whether it stays.
        on: bool,
    },
    /// Let a person in once, as long as the invite holds, although the room lets nobody new in. For the host alone to ask.
    Invite {
        /// Whom.
        identity: Identity,
    },
    /// Have a person leave, take back all that they said, forget them, and owe it to the log to name them no more. For the host alone to ask.
    Erase {
        /// Whom.
        identity: Identity,
        /// Who stands for them in records from then on, drawn by the engine: the same in every room, and whenever it is asked again.
        alias: SessionId,
        /// Numbers of theirs that the log knows, and the room may not; at most [`Event::ERASED_NUMBERS_MAX`] count.
        members: Vec<MemberId>,
        /// Whether the log is known to tell of them: then it is owed, whatever the room remembers.
        is_told_of: bool,
    },
    /// Say whether the log may still name somebody who was erased. For the host alone to ask.
    Erased {
        /// Who stands for them.
        alias: SessionId,
    },
    /// The log has been made to name nobody any more whom a record up to this one has erased. Nothing is told.
    Scrubbed {
        /// The record.
        through: Offset,
    },
    /// Look at the room as it is: nothing follows. For the host alone to ask.
    Look,
    /// End the incarnation of the room, whoever is in it.
    Close {
        /// What members are told in `room_closed`.
        cause: RoomCloseReason,
    },
    /// A deadline has passed: at most one consequence is decided; ask again while `next_deadline` is due.
    Elapsed,
}

impl Input {
    /// Whether an incarnation begins by it.
    pub fn is_beginning(&self) -> bool {
        matches!(self, Self::Create { .. } | Self::Found { .. })
    }

    /// Whether somebody comes in by it.
    pub fn is_entry(&self) -> bool {
        matches!(self, Self::Create { .. } | Self::Join { .. } | Self::Attach { .. })
    }

    /// The session that asks, where one does.
    pub fn caller(&self) -> Option<&Caller> {
        match self {
            Self::Create { by, .. }
            | Self::Join { by, .. }
            | Self::Attach { by, .. }
            | Self::Me { by, .. }
            | Self::Send { by, .. }
            | Self::Edit { by, .. }
            | Self::Leave { by }
            | Self::Changes { by, .. }
            | Self::Typing { by, .. }
            | Self::Live { by, .. }
            | Self::Signal { by, .. }
            | Self::Read { by, .. }
            | Self::React { by, .. } => Some(by),
            Self::History { by, .. }
            | Self::Members { by, .. }
            | Self::Redact { by, .. }
            | Self::Kick { by, .. }
            | Self::Ban { by, .. }
            | Self::Unban { by, .. }
            | Self::Bans { by, .. }
            | Self::RedactAll { by, .. }
            | Self::SetTopic { by, .. }
            | Self::Settings { by, .. }
            | Self::SetRole { by, .. } => match by {
                Actor::Member(by) => Some(by),
                Actor::Host => None,
            },
            Self::Found { .. }
            | Self::ChangeMember { .. }
            | Self::Say { .. }
            | Self::Settle { .. }
            | Self::Protect
            | Self::Keep { .. }
            | Self::Invite { .. }
            | Self::Erase { .. }
            | Self::Erased { .. }
            | Self::Scrubbed { .. }
            | Self::Look
            | Self::Close { .. }
            | Self::Elapsed => None,
        }
    }
}

/// A message as it stands where messages are kept, in a log or a backlog: what the room itself does not remember of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// The life that it is of.
    pub epoch: Epoch,
    /// Who said it; [`MemberId::HOST`] where that is the host.
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
            by: record.by.unwrap_or(MemberId::HOST),
            at: record.at,
            content: Content::text(text.clone()).with_data(data.clone()),
            edits: amended.as_ref().map_or(0, |amended| amended.n),
            is_taken_back: record.event.is_taken_back(),
            as_of,
        })
    }
}
