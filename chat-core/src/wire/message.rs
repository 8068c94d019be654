//! Messages on the wire: as a client reads one, live or on a page, and how its frame is written.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::frame_kind::FrameKind;
use super::json::{is_default, push, push_display, push_field, push_json};
use super::moment::rfc3339;
use super::reactions::push_reactions;
use crate::domain::Reaction;
use crate::types::{Color, MemberId, Seq, Wall};

/// A message, live or as history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[allow(missing_docs)]
#[non_exhaustive]
pub struct MessageFrame {
    pub room: String,
    pub seq: Seq,
    #[serde(with = "rfc3339")]
    #[cfg_attr(feature = "schema", schemars(with = "super::moment::Time"))]
    pub at: Wall,
    /// Who said it; absent where the host did.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub member: Option<MemberId>,
    /// Whether the host of the room said it, and no member.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub host: bool,
    pub nick: String,
    /// That of the member.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub color: Option<Color>,
    pub text: String,
    /// What a program has attached to it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub data: Option<Map<String, Value>>,
    /// The message that it answers.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reply_to: Option<Seq>,
    /// How often it has been edited.
    #[serde(skip_serializing_if = "is_default", default)]
    pub edited: u32,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub key: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub redacted: bool,
    /// In the order in which their names came.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub reactions: Vec<Reaction>,
}

/// A message with its `type`, as it stands in a history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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

/// The message frame of the hot path: borrows everything.
pub(super) struct MessageBody<'a> {
    pub(super) head: Head<'a>,
    /// The member who said it, and their colour; the host where that is nobody.
    pub(super) member: Option<(MemberId, Color)>,
    pub(super) nick: &'a str,
    pub(super) text: &'a str,
    /// As JSON.
    pub(super) data: Option<&'a str>,
    pub(super) reply_to: Option<Seq>,
    pub(super) edited: u32,
    pub(super) is_taken_back: bool,
    pub(super) key: Option<&'a str>,
    /// Those that are written into its record.
    pub(super) reactions: &'a [Reaction],
}

/// What the frame of an event says first.
#[derive(Clone, Copy)]
pub(super) struct Head<'a> {
    pub(super) room: &'a str,
    pub(super) seq: Seq,
    pub(super) at: Wall,
}

pub(super) fn write_message(out: &mut Vec<u8>, message: &MessageBody<'_>) -> FrameKind {
    // Field by field, so that nothing is copied before it is written.
    out.extend_from_slice(b"{\"type\":\"message\",");
    write_head(out, message.head);
    match &message.member {
        Some((member, _)) => {
            out.extend_from_slice(b",\"member\":");
            push(out, member);
        }
        None => out.extend_from_slice(b",\"host\":true"),
    }
    out.extend_from_slice(b",\"nick\":");
    push(out, message.nick);
    if let Some((_, color)) = &message.member {
        out.extend_from_slice(b",\"color\":");
        push(out, color);
    }
    out.extend_from_slice(b",\"text\":");
    push(out, message.text);
    if message.is_taken_back {
        out.extend_from_slice(b",\"redacted\":true}");
        return FrameKind::Message;
    }
    if let Some(data) = message.data {
        push_data(out, data);
    }
    if let Some(reply_to) = message.reply_to {
        push_field(out, "reply_to", &reply_to);
    }
    if message.edited > 0 {
        push_field(out, "edited", &message.edited);
    }
    if let Some(key) = message.key {
        out.extend_from_slice(b",\"key\":");
        push(out, key);
    }
    push_reactions(out, message.reactions);
    out.push(b'}');
    FrameKind::Message
}

pub(super) fn write_head(out: &mut Vec<u8>, head: Head<'_>) {
    out.extend_from_slice(b"\"room\":\"");
    out.extend_from_slice(head.room.as_bytes());
    out.extend_from_slice(b"\",\"seq\":");
    push(out, &head.seq);
    out.extend_from_slice(b",\"at\":\"");
    push_display(out, &head.at);
    out.push(b'"');
}

/// As it was written by whoever attached it.
pub(super) fn push_data(out: &mut Vec<u8>, data: &str) {
    push_json(out, "data", data.as_bytes());
}
