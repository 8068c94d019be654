//! Frames as events of a stream, and the other lines a stream may hold.

use std::fmt::Write;
use std::time::Duration;

use bytes::{BufMut, BytesMut};
use chat_core::{FrameKind, FrameRef, Framing, Positions, ServerFrame};

use super::cursor;

/// A comment: all that is asked for is that the bytes arrive.
pub(crate) const HEARTBEAT: &[u8] = b":\n\n";
/// What a client is told that should not come back. An `EventSource` always does, and knows nothing of `closing`; this
/// is as close to never as it can be told.
const STAY_AWAY: Duration = Duration::from_secs(24 * 60 * 60);
/// `event: `, `data: `, `id: ` and their line ends, and one position of a room with a drawn code.
const AROUND: usize = 64;

/// Frames with their `id`, for one session.
pub(crate) struct EventFrames<'a> {
    /// What the ids begin with.
    pub(crate) credential: &'a str,
    /// When to come back, to be said before the first frame.
    pub(crate) retry: &'a mut Option<Duration>,
}

impl Framing for EventFrames<'_> {
    fn frame(&mut self, out: &mut BytesMut, frame: FrameRef<'_>) {
        let kind = frame.kind.as_str();
        out.reserve(kind.len() + frame.json.len() + self.credential.len() + AROUND);
        if let Some(wait) = self.retry.take() {
            put_retry(out, wait);
        }
        // The end is not a place to go on from.
        if frame.kind == FrameKind::Closing {
            put_closing(out, frame.json);
        } else {
            put_event(out, frame.kind, frame.json, Some((self.credential, frame.positions)));
        }
    }
}

/// Appends one event.
fn put_event(out: &mut BytesMut, kind: FrameKind, json: &[u8], id: Option<(&str, Positions<'_>)>) {
    out.put_slice(b"event: ");
    out.put_slice(kind.as_str().as_bytes());
    // Compact JSON has no line ends, so it is one line of data.
    out.put_slice(b"\ndata: ");
    out.put_slice(json);
    if let Some((credential, positions)) = id {
        out.put_slice(b"\nid: ");
        cursor::put(out, credential, positions);
    }
    out.put_slice(b"\n\n");
}

/// Appends an event that says why there will be no stream.
pub(crate) fn put_error(out: &mut BytesMut, json: &[u8]) {
    put_event(out, FrameKind::Error, json, None);
}

/// Appends the last event of a stream, with when to come back in words that an `EventSource` understands.
pub(crate) fn put_closing(out: &mut BytesMut, json: &[u8]) {
    if let Ok(ServerFrame::Closing { code, reconnect_after_ms, .. }) = serde_json::from_slice(json) {
        let stay_away = (code >= 4500).then_some(STAY_AWAY);
        if let Some(wait) = reconnect_after_ms.map(Duration::from_millis).or(stay_away) {
            put_retry(out, wait);
        }
    }
    put_event(out, FrameKind::Closing, json, None);
}

fn put_retry(out: &mut BytesMut, wait: Duration) {
    writeln!(out, "retry: {}", wait.as_millis()).expect("a buffer takes every write");
}
