//! What a client reads: every server frame, typed. The server writes the same shapes straight to bytes.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use super::bans::{BanEntry, SweptEvents, SweptRange};
use super::frame_kind::{FrameKind, OtherFrame};
use super::members::{MemberEntry, role};
use super::message::{ChangedMessage, MessageFrame, TaggedMessage};
use super::moment::{rfc3339, rfc3339_option};
use super::person_data;
use super::reactions::ReactionChange;
use super::room_status::{ReadStatus, RoomStatus, WelcomeLimits};
use super::room_view::Joined;
use super::settings::RoomSettings;
use super::slots::SignalEntry;
use crate::domain::{Notices, Role};
use crate::types::{CloseReason, Color, CommandId, Epoch, MemberId, PersonData, Seq, SessionId, Wall, millis};

/// One server frame, typed; what [`Connection::next`](crate::Connection::next) yields.
///
/// A frame of a later server is read as well: a `type` that this program does not know is an [`OtherFrame`], fields that it does
/// not know are passed over, and a role, status or reason that it does not know is read as the plainest one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
        #[serde(skip_serializing_if = "Option::is_none", default)]
        at: Option<String>,
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
    /// What the client has shown to say who it is runs out then; another is shown with `auth`.
    AuthExpiring {
        #[serde(with = "rfc3339")]
        #[cfg_attr(feature = "schema", schemars(with = "super::moment::Time"))]
        expires_at: Wall,
    },
    /// Answers an `auth`.
    AuthRenewed {
        #[serde(skip_serializing_if = "Option::is_none", default)]
        id: Option<CommandId>,
        /// When that runs out; absent where it does not.
        #[serde(skip_serializing_if = "Option::is_none", default, with = "rfc3339_option")]
        #[cfg_attr(feature = "schema", schemars(with = "Option<super::moment::Time>"))]
        expires_at: Option<Wall>,
    },
    Resumed(RoomStatus),
    Joined(Joined),
    Ack {
        #[serde(skip_serializing_if = "Option::is_none", default)]
        id: Option<CommandId>,
        room: String,
        seq: Seq,
        #[serde(skip_serializing_if = "Option::is_none", default, with = "rfc3339_option")]
        #[cfg_attr(feature = "schema", schemars(with = "Option<super::moment::Time>"))]
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
        #[cfg_attr(feature = "schema", schemars(with = "Option<super::moment::Time>"))]
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
        #[cfg_attr(feature = "schema", schemars(with = "super::moment::Time"))]
        at: Wall,
        member: MemberId,
        nick: String,
        color: Color,
        #[serde(deserialize_with = "role")]
        role: Role,
        #[serde(skip_serializing_if = "Option::is_none", default, with = "person_data::shown")]
        #[cfg_attr(feature = "schema", schemars(with = "Option<serde_json::Map<String, serde_json::Value>>"))]
        data: Option<PersonData>,
    },
    /// An event, with `seq` and `at`; or, where leaves are only counted, told to who has left alone, with `position`.
    MemberLeft {
        room: String,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        seq: Option<Seq>,
        #[serde(skip_serializing_if = "Option::is_none", default, with = "rfc3339_option")]
        #[cfg_attr(feature = "schema", schemars(with = "Option<super::moment::Time>"))]
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
        #[cfg_attr(feature = "schema", schemars(with = "Option<super::moment::Time>"))]
        until: Option<Wall>,
    },
    /// What a member is shown as: what is there takes the place of what was before.
    MemberChanged {
        room: String,
        seq: Seq,
        #[serde(with = "rfc3339")]
        #[cfg_attr(feature = "schema", schemars(with = "super::moment::Time"))]
        at: Wall,
        member: MemberId,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        nick: Option<String>,
        /// None from now on, where there is nothing in it.
        #[serde(skip_serializing_if = "Option::is_none", default, with = "person_data::changed")]
        #[cfg_attr(feature = "schema", schemars(with = "Option<serde_json::Map<String, serde_json::Value>>"))]
        data: Option<Option<PersonData>>,
    },
    Redacted {
        room: String,
        seq: Seq,
        #[serde(with = "rfc3339")]
        #[cfg_attr(feature = "schema", schemars(with = "super::moment::Time"))]
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
        #[cfg_attr(feature = "schema", schemars(with = "super::moment::Time"))]
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
        #[cfg_attr(feature = "schema", schemars(with = "super::moment::Time"))]
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
        #[cfg_attr(feature = "schema", schemars(with = "super::moment::Time"))]
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
        #[cfg_attr(feature = "schema", schemars(with = "super::moment::Time"))]
        at: Wall,
        topic: String,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        by: Option<MemberId>,
    },
    SettingsChanged {
        room: String,
        seq: Seq,
        #[serde(with = "rfc3339")]
        #[cfg_attr(feature = "schema", schemars(with = "super::moment::Time"))]
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
        #[cfg_attr(feature = "schema", schemars(with = "super::moment::Time"))]
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
        #[cfg_attr(feature = "schema", schemars(with = "super::moment::Time"))]
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
        let reconnect_after_ms = reconnect_after.map(millis);
        let reason_name = reason.as_str().to_owned();
        Self::Closing { code: reason.code(), reason: reason_name, reconnect_after_ms, positions: BTreeMap::new() }
    }
}

#[cfg(test)]
mod tests;
