//! Writes what members fill: messages that grow, and all signals of a room.

use bytes::Bytes;

use super::encode::{finish, push_field};
use crate::room::Signal;
use crate::types::{Body, MemberId, RoomCode, Seq};

/// A message that grows.
pub(crate) fn live(room: &RoomCode, target: Seq, member: MemberId, text: &Body) -> Bytes {
    let mut out = begin("live", room);
    push_field(&mut out, "target", &target);
    push_field(&mut out, "member", &member);
    push_field(&mut out, "text", text.as_str());
    finish(out)
}

/// A message that does not grow any more.
pub(crate) fn live_ended(room: &RoomCode, target: Seq) -> Bytes {
    let mut out = begin("live", room);
    push_field(&mut out, "target", &target);
    push_field(&mut out, "text", &None::<&str>);
    finish(out)
}

/// All signals of a room.
pub(crate) fn signals(room: &RoomCode, signals: &[Signal]) -> Bytes {
    let mut out = begin("signals", room);
    out.extend_from_slice(b",\"signals\":[");
    for (index, signal) in signals.iter().enumerate() {
        out.extend_from_slice(if index > 0 { b",{\"member\":" } else { b"{\"member\":" });
        out.extend_from_slice(signal.member.0.to_string().as_bytes());
        push_field(&mut out, "name", signal.name.as_str());
        out.extend_from_slice(b",\"data\":");
        out.extend_from_slice(signal.data.as_str().as_bytes());
        out.push(b'}');
    }
    out.push(b']');
    finish(out)
}

fn begin(kind: &str, room: &RoomCode) -> Vec<u8> {
    let mut out = format!("{{\"type\":\"{kind}\"").into_bytes();
    push_field(&mut out, "room", room.as_str());
    out
}
