//! The pieces that frames are written from: how one begins and ends, a field, a list of frames that are encoded already.

use bytes::Bytes;
use serde::Serialize;

use super::frame_kind::FrameKind;
use crate::types::{CommandId, RoomCode};

/// Begins a frame about a room; with a number where it answers a command. [`finish`] ends it.
pub(super) fn begin(kind: FrameKind, id: Option<CommandId>, room: &RoomCode) -> Vec<u8> {
    let mut out = format!("{{\"type\":\"{}\"", kind.as_str()).into_bytes();
    if let Some(id) = id {
        push_field(&mut out, "id", &id);
    }
    push_field(&mut out, "room", room.as_str());
    out
}

pub(super) fn push_field<T: Serialize + ?Sized>(out: &mut Vec<u8>, name: &str, value: &T) {
    push_name(out, name);
    push(out, value);
}

/// A field whose value is JSON already: written as it is.
pub(super) fn push_json(out: &mut Vec<u8>, name: &str, json: &[u8]) {
    push_name(out, name);
    out.extend_from_slice(json);
}

/// A list of frames that are encoded already.
pub(super) fn push_list<'a>(out: &mut Vec<u8>, name: &str, frames: impl Iterator<Item = &'a [u8]>) {
    push_name(out, name);
    out.push(b'[');
    for (index, frame) in frames.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(frame);
    }
    out.push(b']');
}

fn push_name(out: &mut Vec<u8>, name: &str) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}

pub(super) fn push<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    serde_json::to_writer(out, value).expect("frames have string keys, and a Vec takes every write");
}

pub(super) fn push_display(out: &mut Vec<u8>, value: &impl std::fmt::Display) {
    use std::io::Write;
    write!(out, "{value}").expect("a Vec takes every write");
}

pub(super) fn finish(mut out: Vec<u8>) -> Bytes {
    out.push(b'}');
    Bytes::from(out)
}

pub(super) fn to_vec<T: Serialize>(frame: &T) -> Vec<u8> {
    serde_json::to_vec(frame).expect("frames have string keys, and a Vec takes every write")
}

pub(super) fn to_bytes<T: Serialize>(frame: &T) -> Bytes {
    Bytes::from(to_vec(frame))
}

/// Whether a field says no more than its absence would, for serde's `skip_serializing_if`.
pub(super) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
