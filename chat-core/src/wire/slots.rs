//! What members fill, on the wire: messages that grow, and all signals of a room.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::frame_kind::FrameKind;
use super::json::{begin, finish, push_field, push_json};
use crate::room::Signal;
use crate::types::{Body, MemberId, RoomCode, Seq};

/// One signal, as a client reads it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct SignalEntry {
    /// Whose it is.
    pub member: MemberId,
    /// What it is called.
    pub name: String,
    /// What it says: any JSON value but `null`.
    pub data: Value,
}

/// A message that grows.
pub(crate) fn live(room: &RoomCode, target: Seq, member: MemberId, text: &Body) -> Bytes {
    let mut out = begin(FrameKind::Live, None, room);
    push_field(&mut out, "target", &target);
    push_field(&mut out, "member", &member);
    push_field(&mut out, "text", text.as_str());
    finish(out)
}

/// A message that does not grow any more.
pub(crate) fn live_ended(room: &RoomCode, target: Seq) -> Bytes {
    let mut out = begin(FrameKind::Live, None, room);
    push_field(&mut out, "target", &target);
    push_field(&mut out, "text", &None::<&str>);
    finish(out)
}

/// All signals of a room.
pub(crate) fn signals(room: &RoomCode, signals: &[Signal]) -> Bytes {
    let mut out = begin(FrameKind::Signals, None, room);
    out.extend_from_slice(b",\"signals\":[");
    for (index, signal) in signals.iter().enumerate() {
        out.extend_from_slice(if index > 0 { b",{\"member\":" } else { b"{\"member\":" });
        out.extend_from_slice(signal.member.0.to_string().as_bytes());
        push_field(&mut out, "name", signal.name.as_str());
        push_json(&mut out, "data", signal.data.as_str().as_bytes());
        out.push(b'}');
    }
    out.push(b']');
    finish(out)
}
