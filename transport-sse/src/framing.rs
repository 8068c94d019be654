//! Frames as events of a stream, and the other lines a stream may hold.

use std::fmt::Write;
use std::time::Duration;

use bytes::{BufMut, BytesMut};
use chat_core::{FrameKind, FrameRef, Framing, ServerFrame};
use chat_serve::ServerName;

use super::cursor::Cursors;
use super::entry::LateEntry;

/// A comment: all that is asked for is that the bytes arrive.
pub(crate) const HEARTBEAT: &[u8] = b":\n\n";
/// What a client is told that should not come back. An `EventSource` always does, and knows nothing of `closing`; this
/// is as close to never as it can be told.
const STAY_AWAY: Duration = Duration::from_secs(24 * 60 * 60);
/// Bytes around a frame: names of fields and of the event, a credential, and one position.
const AROUND: usize = 128;

/// Frames for one session, with an `id` where they may move a position.
pub(crate) struct EventFrames<'a> {
    pub(crate) cursors: Cursors<'a>,
    /// When to come back, to be said before the first frame.
    pub(crate) retry: &'a mut Option<Duration>,
    /// What waits to hear of its room.
    pub(crate) late: Option<&'a mut LateEntry>,
    /// At which server the stream is, to be said in its welcome.
    pub(crate) at: &'a mut Option<ServerName>,
}

impl Framing for EventFrames<'_> {
    fn frame(&mut self, out: &mut BytesMut, frame: FrameRef<'_>) {
        if let Some(wait) = self.retry.take() {
            put_retry(out, wait);
        }
        // The end is not a place to go on from.
        if frame.kind == FrameKind::Closing {
            return put_closing(out, frame.json);
        }
        if frame.kind == FrameKind::Resumed
            && let Some(late) = &mut self.late
        {
            late.hear(frame.json);
        }
        out.reserve(frame.json.len() + AROUND);
        match self.at.take_if(|_| frame.kind == FrameKind::Welcome) {
            Some(at) => put_data(out, frame.kind, &with_at(frame.json, &at)),
            None => put_data(out, frame.kind, frame.json),
        }
        if !is_passing(frame.kind) {
            out.put_slice(b"id: ");
            self.cursors.put(out, frame.positions);
            out.put_u8(b'\n');
        }
        out.put_u8(b'\n');
    }
}

/// A frame with one more field. Which server a client is at, the engine does not know.
fn with_at(json: &[u8], at: &ServerName) -> Vec<u8> {
    let fields = json.strip_suffix(b"}").expect("a frame is an object");
    [fields, b",\"at\":\"", at.as_str().as_bytes(), b"\"}"].concat()
}

/// Whether a frame of this kind is told and never logged: the last `id` stays the one to go on from, and is not said again. In many rooms it
/// would be far longer than the frame.
fn is_passing(kind: FrameKind) -> bool {
    matches!(kind, FrameKind::Typing | FrameKind::Presence | FrameKind::Live | FrameKind::Signals | FrameKind::Read)
}

/// Appends an event that says why there will be no stream.
pub(crate) fn put_error(out: &mut BytesMut, json: &[u8]) {
    put_data(out, FrameKind::Error, json);
    out.put_u8(b'\n');
}

/// Appends the last event of a stream, with when to come back in words that an `EventSource` understands.
pub(crate) fn put_closing(out: &mut BytesMut, json: &[u8]) {
    if let Ok(ServerFrame::Closing { code, reconnect_after_ms, .. }) = serde_json::from_slice(json) {
        let stay_away = (code >= 4500).then_some(STAY_AWAY);
        if let Some(wait) = reconnect_after_ms.map(Duration::from_millis).or(stay_away) {
            put_retry(out, wait);
        }
    }
    put_data(out, FrameKind::Closing, json);
    out.put_u8(b'\n');
}

/// Appends what every event has. Compact JSON has no line ends, so it is one line of data.
fn put_data(out: &mut BytesMut, kind: FrameKind, json: &[u8]) {
    out.put_slice(b"event: ");
    out.put_slice(kind.as_str().as_bytes());
    out.put_slice(b"\ndata: ");
    out.put_slice(json);
    out.put_u8(b'\n');
}

fn put_retry(out: &mut BytesMut, wait: Duration) {
    writeln!(out, "retry: {}", wait.as_millis()).expect("a buffer takes every write");
}
