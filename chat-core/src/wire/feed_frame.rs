//! The frame of an event as a backend is told it: the one that members are told, with the incarnation of the room and the number of the record.

use super::encode::encode_event;
use super::frame_kind::FrameKind;
use super::json::{push_display, push_field};
use super::short_frames::close_reason;
use crate::domain::{Event, Record};
use crate::types::{Epoch, RoomCode};

/// Writes the frame of a record that members are told, or that ends an incarnation; nothing for any other.
pub(crate) fn encode_for_feed(room: &RoomCode, epoch: Epoch, record: &Record, out: &mut Vec<u8>) -> Option<FrameKind> {
    let Event::Closed { cause } = record.event else {
        let mut frame = Vec::new();
        let kind = encode_event(room, record, &mut frame)?;
        let head = format!("{{\"type\":\"{}\",\"room\":\"{room}\"", kind.as_str());
        let rest = frame.strip_prefix(head.as_bytes()).expect("the frame of an event begins with its type and room");
        out.extend_from_slice(head.as_bytes());
        push_place(out, epoch, record);
        out.extend_from_slice(rest);
        return Some(kind);
    };
    let kind = FrameKind::RoomClosed;
    push_display(out, &format_args!("{{\"type\":\"{}\",\"room\":\"{room}\"", kind.as_str()));
    push_place(out, epoch, record);
    push_display(out, &format_args!(",\"at\":\"{}\"", record.at));
    push_field(out, "reason", close_reason(cause));
    out.push(b'}');
    Some(kind)
}

fn push_place(out: &mut Vec<u8>, epoch: Epoch, record: &Record) {
    push_field(out, "epoch", &epoch);
    push_field(out, "offset", &record.offset);
}
