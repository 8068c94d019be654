//! What a client reads: every server frame, typed. The server writes the same shapes straight to bytes.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use super::bans::{BanEntry, SweptEvents, SweptRange};
use super::moment::{rfc3339, rfc3339_option};
use super::person_data;
use super::reactions::ReactionChange;
use super::settings::RoomSettings;
use super::slots::SignalEntry;
use crate::domain::{Notices, Reaction, Role};
use crate::room::ReadPosition;
use crate::types::{CloseReason, Color, CommandId, Epoch, MemberId, PersonData, Position, Seq, SessionId, Wall};

/// Which frame it is: its `type`, and the event name of transports that have one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[non_exhaustive]
#[allow(missing_docs)] // the names say it; the protocol page says the rest
pub enum FrameKind {
    Welcome,
    Joined,
    Ack,
    Error,
    History,
    Changes,
    Members,
    Bans,
    Message,
    MemberJoined,
    MemberLeft,
    MemberChanged,
    Redacted,
    Swept,
    Reacted,
    TopicChanged,
    SettingsChanged,
    RoleChanged,
    NoticesChanged,
    Edited,
    Typing,
    Live,
    Signals,
    Read,
    Presence,
    Gap,
    RoomClosed,
    Closing,
    Resumed,
    Token,
    Ended,
}

impl FrameKind {
    /// Every kind of frame that this program knows.
    pub const ALL: &[FrameKind] = &[
        Self::Welcome,
        Self::Joined,
        Self::Ack,
        Self::Error,
        Self::History,
        Self::Changes,
        Self::Members,
        Self::Bans,
        Self::Message,
        Self::MemberJoined,
        Self::MemberLeft,
        Self::MemberChanged,
        Self::Redacted,
        Self::Swept,
        Self::Reacted,
        Self::TopicChanged,
        Self::SettingsChanged,
        Self::RoleChanged,
        Self::NoticesChanged,
        Self::Edited,
        Self::Typing,
        Self::Live,
        Self::Signals,
        Self::Read,
        Self::Presence,
        Self::Gap,
        Self::RoomClosed,
        Self::Closing,
        Self::Resumed,
        Self::Token,
        Self::Ended,
    ];

    /// The `type` on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Welcome => "welcome",
            Self::Joined => "joined",
            Self::Ack => "ack",
            Self::Error => "error",
            Self::History => "history",
            Self::Changes => "changes",
            Self::Members => "members",
            Self::Bans => "bans",
            Self::Message => "message",
            Self::MemberJoined => "member_joined",
            Self::MemberLeft => "member_left",
            Self::MemberChanged => "member_changed",
            Self::Redacted => "redacted",
            Self::Swept => "swept",
            Self::Reacted => "reacted",
            Self::TopicChanged => "topic_changed",
            Self::SettingsChanged => "settings_changed",
            Self::RoleChanged => "role_changed",
            Self::NoticesChanged => "notices_changed",
            Self::Edited => "edited",
            Self::Typing => "typing",
            Self::Live => "live",
            Self::Signals => "signals",
            Self::Read => "read",
            Self::Presence => "presence",
            Self::Gap => "gap",
            Self::RoomClosed => "room_closed",
            Self::Closing => "closing",
            Self::Resumed => "resumed",
            Self::Token => "token",
            Self::Ended => "ended",
        }
    }
}

/// One server frame, typed; what [`Connection::next`](crate::Connection::next) yields.
///
/// A frame of a later server is read as well: a `type` that this program does not know is an [`OtherFrame`], fields that it does
/// not know are passed over, and a role, status or reason that it does not know is read as the plainest one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
#[allow(missing_docs)] // the protocol page documents every field once, for all languages
pub enum ServerFrame {
    Welcome {
        #[serde(skip_serializing_if = "Option::is_none", default)]
        id: Option<CommandId>,
        session: SessionId,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        token: Option<String>,
        resumed: bool,
        rooms: Vec<RoomStatus>,
        limits: WelcomeLimits,
        #[serde(default)]
        features: Vec<String>,
    },
    /// Takes the place of the one in the `welcome`.
    Token {
        token: String,
    },
    /// Answers an `end`.
    Ended {
        #[serde(skip_serializing_if = "Option::is_none", default)]
        id: Option<CommandId>,
    },
    Resumed(RoomStatus),
    Joined(Joined),
    Ack {
        #[serde(skip_serializing_if = "Option::is_none", default)]
        id: Option<CommandId>,
        room: String,
        seq: Seq,
        #[serde(skip_serializing_if = "Option::is_none", default, with = "rfc3339_option")]
        at: Option<Wall>,
    },
    Error {
        #[serde(skip_serializing_if = "Option::is_none", default)]
        id: Option<CommandId>,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        room: Option<String>,
        code: String,
        message: String,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        field: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        limit: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        retry_after_ms: Option<u64>,
        /// Of a ban: when it ends.
        #[serde(skip_serializing_if = "Option::is_none", default, with = "rfc3339_option")]
        until: Option<Wall>,
    },
    History {
        #[serde(skip_serializing_if = "Option::is_none", default)]
        id: Option<CommandId>,
        room: String,
        /// The life of the room that they are of.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        epoch: Option<Epoch>,
        messages: Vec<TaggedMessage>,
        /// Whether there are earlier messages; `more_before` says the same.
        more: bool,
        #[serde(default)]
        more_before: bool,
        /// Whether there are later messages.
        #[serde(default)]
        more_after: bool,
        /// The last event that the messages reflect.
        #[serde(default)]
        as_of: Seq,
    },
    Changes {
        #[serde(skip_serializing_if = "Option::is_none", default)]
        id: Option<CommandId>,
        room: String,
        epoch: Epoch,
        messages: Vec<ChangedMessage>,
        /// Ranges of messages that were taken back at once.
        #[serde(skip_serializing_if = "Vec::is_empty", default)]
        swept: Vec<SweptRange>,
        /// All that was changed up to this event is there, or was before.
        through: Seq,
        more: bool,
        as_of: Seq,
    },
    Members {
        #[serde(skip_serializing_if = "Option::is_none", default)]
        id: Option<CommandId>,
        room: String,
        members: Vec<MemberEntry>,
        members_total: usize,
        more: bool,
    },
    /// Answers who moderates.
    Bans {
        #[serde(skip_serializing_if = "Option::is_none", default)]
        id: Option<CommandId>,
        room: String,
        bans: Vec<BanEntry>,
        more: bool,
    },
    Message(MessageFrame),
    MemberJoined {
        room: String,
        seq: Seq,
        #[serde(with = "rfc3339")]
        at: Wall,
        member: MemberId,
        nick: String,
        color: Color,
        #[serde(deserialize_with = "role")]
        role: Role,
        #[serde(skip_serializing_if = "Option::is_none", default, with = "person_data::shown")]
        data: Option<PersonData>,
    },
    /// An event, with `seq` and `at`; or, where leaves are only counted, told to who has left alone, with `position`.
    MemberLeft {
        room: String,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        seq: Option<Seq>,
        #[serde(skip_serializing_if = "Option::is_none", default, with = "rfc3339_option")]
        at: Option<Wall>,
        /// As a `hello` takes it.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        position: Option<String>,
        member: MemberId,
        nick: String,
        reason: String,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        by: Option<MemberId>,
        /// Of who was banned: when the ban ends.
        #[serde(skip_serializing_if = "Option::is_none", default, with = "rfc3339_option")]
        until: Option<Wall>,
    },
    /// What a member is shown as: what is there takes the place of what was before.
    MemberChanged {
        room: String,
        seq: Seq,
        #[serde(with = "rfc3339")]
        at: Wall,
        member: MemberId,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        nick: Option<String>,
        /// None from now on, where there is nothing in it.
        #[serde(skip_serializing_if = "Option::is_none", default, with = "person_data::changed")]
        data: Option<Option<PersonData>>,
    },
    Redacted {
        room: String,
        seq: Seq,
        #[serde(with = "rfc3339")]
        at: Wall,
        /// Nothing, where it is a message that the reader may not see.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        target: Option<Seq>,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        by: Option<MemberId>,
    },
    /// A message says something else from now on. Where a later change has superseded this one it says nothing but the target.
    Edited {
        room: String,
        seq: Seq,
        #[serde(with = "rfc3339")]
        at: Wall,
        /// Nothing, where it is a message that the reader may not see.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        target: Option<Seq>,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        by: Option<MemberId>,
        /// How often the message has been edited, with this.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        n: Option<u32>,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        text: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        data: Option<Map<String, Value>>,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        key: Option<String>,
    },
    /// All messages of a member in a range of events were taken back.
    Swept {
        room: String,
        seq: Seq,
        #[serde(with = "rfc3339")]
        at: Wall,
        /// Absent for who may see nothing of the range; else what they may see of it.
        #[serde(flatten)]
        range: Option<SweptEvents>,
    },
    /// Somebody reacts to a message, or does not any more.
    Reacted {
        room: String,
        seq: Seq,
        #[serde(with = "rfc3339")]
        at: Wall,
        /// Absent for who may not see the message, as is what follows.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        target: Option<Seq>,
        #[serde(flatten)]
        reaction: Option<ReactionChange>,
    },
    TopicChanged {
        room: String,
        seq: Seq,
        #[serde(with = "rfc3339")]
        at: Wall,
        topic: String,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        by: Option<MemberId>,
    },
    SettingsChanged {
        room: String,
        seq: Seq,
        #[serde(with = "rfc3339")]
        at: Wall,
        /// All that holds from now on.
        settings: RoomSettings,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        by: Option<MemberId>,
    },
    RoleChanged {
        room: String,
        seq: Seq,
        #[serde(with = "rfc3339")]
        at: Wall,
        member: MemberId,
        #[serde(deserialize_with = "role")]
        role: Role,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        by: Option<MemberId>,
    },
    NoticesChanged {
        room: String,
        seq: Seq,
        #[serde(with = "rfc3339")]
        at: Wall,
        notices: Notices,
    },
    Typing {
        room: String,
        members: Vec<MemberId>,
    },
    /// What a message says so far, while it grows; without a text it does not grow any more.
    Live {
        room: String,
        target: Seq,
        /// Its author; absent where it does not grow any more.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        member: Option<MemberId>,
        text: Option<String>,
    },
    /// What members show of themselves, all of it.
    Signals {
        room: String,
        signals: Vec<SignalEntry>,
    },
    /// Answers a `read`, and tells the person's other sessions of it.
    Read {
        #[serde(skip_serializing_if = "Option::is_none", default)]
        id: Option<CommandId>,
        room: String,
        #[serde(flatten)]
        read: ReadStatus,
    },
    Presence {
        room: String,
        members: usize,
        online: usize,
    },
    Gap {
        room: String,
        epoch: Epoch,
        from: Seq,
        to: Seq,
        #[serde(skip_serializing_if = "Vec::is_empty", default)]
        members: Vec<MemberEntry>,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        members_total: Option<usize>,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        topic: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        notices: Option<Notices>,
        #[serde(skip_serializing_if = "RoomSettings::is_default", default)]
        settings: RoomSettings,
        /// The last event that changed an earlier message; absent where one's membership has ended.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        changed_at: Option<Seq>,
        #[serde(skip_serializing_if = "std::ops::Not::not", default)]
        ended: bool,
    },
    RoomClosed {
        room: String,
        epoch: Epoch,
        reason: String,
    },
    Closing {
        code: u16,
        reason: String,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        reconnect_after_ms: Option<u64>,
        /// As a `hello` takes them.
        #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
        positions: BTreeMap<String, String>,
    },
    /// Of a `type` that this program does not know.
    #[serde(skip)]
    Other(OtherFrame),
}

impl Serialize for ServerFrame {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Other(frame) => frame.0.serialize(serializer),
            known => Self::serialize(known, serializer),
        }
    }
}

impl<'de> Deserialize<'de> for ServerFrame {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fields = Map::deserialize(deserializer)?;
        let kind = fields.get("type").and_then(Value::as_str).ok_or_else(|| D::Error::missing_field("type"))?;
        if FrameKind::ALL.iter().any(|known| known.as_str() == kind) {
            Self::deserialize(Value::Object(fields)).map_err(D::Error::custom)
        } else {
            Ok(Self::Other(OtherFrame(fields)))
        }
    }
}

/// A frame of a `type` that this program does not know, whole.
#[derive(Clone, Debug, PartialEq)]
pub struct OtherFrame(Map<String, Value>);

impl OtherFrame {
    /// Its `type`.
    pub fn kind(&self) -> &str {
        self.0.get("type").and_then(Value::as_str).unwrap_or_default()
    }

    /// All its fields, `type` among them.
    pub fn fields(&self) -> &Map<String, Value> {
        &self.0
    }

    fn numbered(&self) -> Option<(&str, Seq)> {
        let seq = self.0.get("seq").and_then(Value::as_u64)?;
        self.0.get("at").and_then(Value::as_str)?;
        Some((self.0.get("room").and_then(Value::as_str)?, Seq(seq)))
    }
}

impl ServerFrame {
    /// The room and the number of an event that has one, known or not: it moves the position in its room.
    ///
    /// That is every frame with `room`, `seq` and `at` but an `ack`. Besides, a `joined`, a `gap` and a `resumed` state a position.
    pub fn numbered(&self) -> Option<(&str, Seq)> {
        match self {
            Self::Message(MessageFrame { room, seq, .. })
            | Self::MemberJoined { room, seq, .. }
            | Self::MemberLeft { room, seq: Some(seq), .. }
            | Self::MemberChanged { room, seq, .. }
            | Self::Redacted { room, seq, .. }
            | Self::Edited { room, seq, .. }
            | Self::Swept { room, seq, .. }
            | Self::Reacted { room, seq, .. }
            | Self::TopicChanged { room, seq, .. }
            | Self::SettingsChanged { room, seq, .. }
            | Self::RoleChanged { room, seq, .. }
            | Self::NoticesChanged { room, seq, .. } => Some((room, *seq)),
            Self::Other(frame) => frame.numbered(),
            _ => None,
        }
    }

    /// The last frame of a connection, where no session stands behind it that has positions.
    pub fn closing(reason: CloseReason, reconnect_after: Option<Duration>) -> Self {
        let reconnect_after_ms = reconnect_after.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
        let reason_name = reason.as_str().to_owned();
        Self::Closing { code: reason.code(), reason: reason_name, reconnect_after_ms, positions: BTreeMap::new() }
    }
}

/// The answer to a join: the room as the joiner first sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
#[non_exhaustive]
pub struct Joined {
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub id: Option<CommandId>,
    pub room: String,
    pub epoch: Epoch,
    pub seq: Seq,
    #[serde(default)]
    pub entered: Seq,
    /// Messages up to here are not theirs to see.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub sees: Seq,
    pub you: MemberEntry,
    pub members: Vec<MemberEntry>,
    pub members_total: usize,
    pub topic: String,
    pub notices: Notices,
    #[serde(skip_serializing_if = "RoomSettings::is_default", default)]
    pub settings: RoomSettings,
    pub history: Vec<TaggedMessage>,
    pub more: bool,
    /// The last event that the history reflects.
    #[serde(default)]
    pub as_of: Seq,
    /// The last event that changed an earlier message.
    #[serde(default)]
    pub changed_at: Seq,
    /// How far the person has read.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub read: Option<ReadStatus>,
}

fn is_zero(seq: &Seq) -> bool {
    *seq == Seq(0)
}

impl Joined {
    /// The position the stream of the room starts from.
    pub fn position(&self) -> Position {
        Position { epoch: self.epoch, seq: self.seq }
    }
}

/// A member as others see them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
#[non_exhaustive]
pub struct MemberEntry {
    pub member: MemberId,
    pub nick: String,
    pub color: Color,
    #[serde(deserialize_with = "role")]
    pub role: Role,
    pub online: bool,
    /// What they show beside their name.
    #[serde(skip_serializing_if = "Option::is_none", default, with = "person_data::shown")]
    pub data: Option<PersonData>,
}

/// A role that this program does not know is read as that of a member, who may do least.
fn role<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Role, D::Error> {
    let name = String::deserialize(deserializer)?;
    Ok(Role::deserialize(Value::String(name)).unwrap_or(Role::Member))
}

/// A message, live or as history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
#[non_exhaustive]
pub struct MessageFrame {
    pub room: String,
    pub seq: Seq,
    #[serde(with = "rfc3339")]
    pub at: Wall,
    pub member: MemberId,
    pub nick: String,
    pub color: Color,
    pub text: String,
    /// What a program has attached to it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub data: Option<Map<String, Value>>,
    /// The message that it answers.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reply_to: Option<Seq>,
    /// How often it has been edited.
    #[serde(skip_serializing_if = "is_never", default)]
    pub edited: u32,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub key: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub redacted: bool,
    /// In the order in which their names came.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub reactions: Vec<Reaction>,
}

fn is_never(times: &u32) -> bool {
    *times == 0
}

/// A message with its `type`, as it stands in a history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum TaggedMessage {
    Message(MessageFrame),
}

impl TaggedMessage {
    /// The message itself.
    pub fn frame(&self) -> &MessageFrame {
        let Self::Message(frame) = self;
        frame
    }
}

/// A message that was changed: as it is now, or that it is no more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
#[allow(missing_docs)]
pub enum ChangedMessage {
    There(TaggedMessage),
    /// Nobody has it any more.
    Gone {
        seq: Seq,
        gone: bool,
    },
}

impl ChangedMessage {
    /// Its number.
    pub fn seq(&self) -> Seq {
        match self {
            Self::There(message) => message.frame().seq,
            Self::Gone { seq, .. } => *seq,
        }
    }
}

/// Where a session stands in a room, in a `welcome` or a `resumed`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
#[non_exhaustive]
pub struct RoomStatus {
    pub room: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub epoch: Option<Epoch>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub seq: Option<Seq>,
    pub status: Status,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub read: Option<ReadStatus>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<RemovalReason>,
    /// Of who was banned: when the ban ends.
    #[serde(skip_serializing_if = "Option::is_none", default, with = "rfc3339_option")]
    pub until: Option<Wall>,
}

/// How far a person has read in a room, and what that leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
#[non_exhaustive]
pub struct ReadStatus {
    pub through: Seq,
    pub unread: usize,
    pub as_of: Seq,
}

impl From<ReadPosition> for ReadStatus {
    fn from(position: ReadPosition) -> Self {
        let ReadPosition { through, unread, as_of } = position;
        Self { through, unread, as_of }
    }
}

/// Why a membership has ended, where that is no accident and still known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
#[non_exhaustive]
pub enum RemovalReason {
    Kicked,
    Banned,
    /// One that this program does not know.
    #[serde(other)]
    Other,
}

/// See the table under `welcome` on the protocol page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
#[non_exhaustive]
pub enum Status {
    Live,
    Gap,
    Left,
    Closed,
    Unknown,
    Waiting,
    Unavailable,
    /// One that this program does not know.
    #[serde(other)]
    Other,
}

/// The bounds in force that a client may want to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
#[non_exhaustive]
pub struct WelcomeLimits {
    pub frame_bytes: usize,
    pub text_chars: usize,
    pub nick_chars: usize,
    pub rooms: usize,
    pub history: usize,
    pub members: usize,
    pub in_flight: usize,
    pub grace_ms: u64,
    pub typing_ms: u64,
    /// How long a message is shown as growing unless its author goes on; 0 where the server shows none.
    #[serde(default)]
    pub live_ms: u64,
    /// How long a signal is shown unless renewed; 0 where the server shows none.
    #[serde(default)]
    pub signal_ms: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> ServerFrame {
        serde_json::from_str(json).expect("a frame")
    }

    #[test]
    fn an_event_of_a_later_version_is_read_whole_and_moves_the_position() {
        let json = r#"{"type":"pinned","room":"LUNCH","seq":9,"at":"2026-11-22T18:00:00.123Z","target":3}"#;
        let frame = read(json);
        assert_eq!(frame.numbered(), Some(("LUNCH", Seq(9))));
        let ServerFrame::Other(other) = &frame else { panic!("{frame:?}") };
        assert_eq!((other.kind(), &other.fields()["target"]), ("pinned", &Value::from(3)));
        assert_eq!(read(&serde_json::to_string(&frame).expect("written")), frame);
    }

    #[test]
    fn a_frame_without_a_room_a_number_or_a_time_moves_nothing() {
        for json in [
            r#"{"type":"signal","room":"LUNCH","member":3}"#,
            r#"{"type":"heard","room":"LUNCH","through":9,"at":"2026-11-22T18:00:00.123Z"}"#,
            r#"{"type":"told","seq":9,"at":"2026-11-22T18:00:00.123Z"}"#,
            r#"{"type":"ack","id":1,"room":"LUNCH","seq":9,"at":"2026-11-22T18:00:00.123Z"}"#,
        ] {
            assert_eq!(read(json).numbered(), None, "{json}");
        }
    }

    #[test]
    fn what_a_later_version_says_in_a_known_frame_is_read_as_the_plainest() {
        let member = r#"{"member":1,"nick":"Ann","color":0,"role":"founder","online":true,"data":{}}"#;
        assert_eq!(serde_json::from_str::<MemberEntry>(member).expect("a member").role, Role::Member);
        let status: RoomStatus = serde_json::from_str(r#"{"room":"LUNCH","status":"moved"}"#).expect("a status");
        assert_eq!(status.status, Status::Other);
    }

    #[test]
    fn a_known_frame_that_lacks_a_field_is_refused_by_name() {
        let error = serde_json::from_str::<ServerFrame>(r#"{"type":"presence","room":"LUNCH","members":3}"#);
        assert!(error.expect_err("it lacks one").to_string().contains("online"));
        assert!(serde_json::from_str::<ServerFrame>(r#"{"room":"LUNCH"}"#).is_err());
    }

    /// The frame says which it is by the derived name, the kind by one written by hand.
    #[test]
    fn every_kind_is_a_type_of_a_frame() {
        for kind in FrameKind::ALL {
            match serde_json::from_str::<ServerFrame>(&format!(r#"{{"type":"{}"}}"#, kind.as_str())) {
                Ok(ServerFrame::Other(_)) => panic!("{} is no type of a frame", kind.as_str()),
                Ok(_) => {}
                Err(error) => assert!(error.to_string().starts_with("missing field"), "{}: {error}", kind.as_str()),
            }
        }
    }
}
