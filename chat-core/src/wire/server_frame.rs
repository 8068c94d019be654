//! What a client reads: every server frame, typed. The server writes the same shapes straight to bytes.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::{Notices, Role};
use crate::types::{CloseReason, Color, CommandId, Epoch, MemberId, Position, Seq, SessionId, Wall};

/// Which frame it is: its `type`, and the event name of transports that have one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[allow(missing_docs)] // the names say it; the protocol page says the rest
pub enum FrameKind {
    Welcome,
    Joined,
    Ack,
    Error,
    History,
    Members,
    Message,
    MemberJoined,
    MemberLeft,
    Redacted,
    TopicChanged,
    RoleChanged,
    NoticesChanged,
    Typing,
    Presence,
    Gap,
    RoomClosed,
    Closing,
    Resumed,
}

impl FrameKind {
    /// The `type` on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Welcome => "welcome",
            Self::Joined => "joined",
            Self::Ack => "ack",
            Self::Error => "error",
            Self::History => "history",
            Self::Members => "members",
            Self::Message => "message",
            Self::MemberJoined => "member_joined",
            Self::MemberLeft => "member_left",
            Self::Redacted => "redacted",
            Self::TopicChanged => "topic_changed",
            Self::RoleChanged => "role_changed",
            Self::NoticesChanged => "notices_changed",
            Self::Typing => "typing",
            Self::Presence => "presence",
            Self::Gap => "gap",
            Self::RoomClosed => "room_closed",
            Self::Closing => "closing",
            Self::Resumed => "resumed",
        }
    }
}

/// One server frame, typed; what [`Connection::next`](crate::Connection::next) yields.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
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
    },
    History {
        #[serde(skip_serializing_if = "Option::is_none", default)]
        id: Option<CommandId>,
        room: String,
        messages: Vec<TaggedMessage>,
        more: bool,
    },
    Members {
        #[serde(skip_serializing_if = "Option::is_none", default)]
        id: Option<CommandId>,
        room: String,
        members: Vec<MemberEntry>,
        members_total: usize,
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
        role: Role,
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
    },
    Redacted {
        room: String,
        seq: Seq,
        #[serde(with = "rfc3339")]
        at: Wall,
        target: Seq,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        by: Option<MemberId>,
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
    RoleChanged {
        room: String,
        seq: Seq,
        #[serde(with = "rfc3339")]
        at: Wall,
        member: MemberId,
        role: Role,
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
}

impl ServerFrame {
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
pub struct Joined {
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub id: Option<CommandId>,
    pub room: String,
    pub epoch: Epoch,
    pub seq: Seq,
    pub you: MemberEntry,
    pub members: Vec<MemberEntry>,
    pub members_total: usize,
    pub topic: String,
    pub notices: Notices,
    pub history: Vec<TaggedMessage>,
    pub more: bool,
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
pub struct MemberEntry {
    pub member: MemberId,
    pub nick: String,
    pub color: Color,
    pub role: Role,
    pub online: bool,
}

/// A message, live or as history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct MessageFrame {
    pub room: String,
    pub seq: Seq,
    #[serde(with = "rfc3339")]
    pub at: Wall,
    pub member: MemberId,
    pub nick: String,
    pub color: Color,
    pub text: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub key: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub redacted: bool,
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

/// Where a session stands in a room, in a `welcome` or a `resumed`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct RoomStatus {
    pub room: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub epoch: Option<Epoch>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub seq: Option<Seq>,
    pub status: Status,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<LeftReason>,
}

/// Why a membership has ended, where that is no accident and still known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum LeftReason {
    Kicked,
    Banned,
}

/// See the table under `welcome` on the protocol page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Status {
    Live,
    Gap,
    Left,
    Closed,
    Unknown,
    Waiting,
    Unavailable,
}

/// The bounds in force that a client may want to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
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
}

/// Wall time as RFC 3339 with milliseconds.
pub(super) mod rfc3339 {
    use chrono::DateTime;
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::types::Wall;

    pub(in crate::wire) fn serialize<S: Serializer>(at: &Wall, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(at)
    }

    pub(in crate::wire) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Wall, D::Error> {
        let text = String::deserialize(deserializer)?;
        let time = DateTime::parse_from_rfc3339(&text).map_err(serde::de::Error::custom)?;
        let millis = u64::try_from(time.timestamp_millis()).map_err(serde::de::Error::custom)?;
        Ok(Wall(millis))
    }
}

mod rfc3339_option {
    use serde::{Deserializer, Serializer};

    use crate::types::Wall;

    pub(super) fn serialize<S: Serializer>(at: &Option<Wall>, serializer: S) -> Result<S::Ok, S::Error> {
        match at {
            Some(at) => serializer.collect_str(at),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Wall>, D::Error> {
        super::rfc3339::deserialize(deserializer).map(Some)
    }
}
