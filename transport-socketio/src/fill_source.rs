//! Frames due to a session, or to a client that gets none now, a fill at a time.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::BytesMut;
use chat_core::{CloseReason, Connection, Fill, FrameKind, FrameRef, Framing, Reject, ServerFrame};

/// Where due frames come from. A position moves by what was really emitted, and only then.
pub(crate) trait Source {
    fn poll_fill(&self, cx: &Context<'_>, batch: &mut Batch) -> Poll<Fill>;
    /// How many bytes of the fill were emitted.
    fn written(&self, bytes: usize);
    fn close(&self, reason: CloseReason);
    /// Ready once nobody waits any more for who takes nothing.
    fn poll_cut(&self, cx: &Context<'_>) -> Poll<()>;
}

impl Source for Connection {
    fn poll_fill(&self, cx: &Context<'_>, batch: &mut Batch) -> Poll<Fill> {
        Connection::poll_fill(self, cx, &mut batch.frames, &mut batch.json)
    }

    fn written(&self, bytes: usize) {
        Connection::written(self, bytes);
    }

    fn close(&self, reason: CloseReason) {
        Connection::close(self, reason);
    }

    fn poll_cut(&self, cx: &Context<'_>) -> Poll<()> {
        Connection::poll_cut(self, cx)
    }
}

/// The last words to a client that is turned away: why, and when to come back.
pub(crate) struct TurnedAway {
    reason: CloseReason,
    /// Frames that were not emitted yet.
    frames: RefCell<VecDeque<(FrameKind, Vec<u8>)>>,
}

impl TurnedAway {
    pub(crate) fn new(reason: CloseReason, reject: Reject, reconnect_after: Option<Duration>) -> Self {
        let error = ServerFrame::Error {
            id: None,
            room: None,
            code: reject.code.as_str().to_owned(),
            message: reject.message.into_owned(),
            field: reject.field.map(str::to_owned),
            limit: reject.limit,
            retry_after_ms: reject.retry_after.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)),
            until: reject.until,
        };
        let closing = ServerFrame::closing(reason, reconnect_after);
        let encode = |frame| serde_json::to_vec(frame).expect("frames have string keys, and a Vec takes every write");
        let frames = [(FrameKind::Error, encode(&error)), (FrameKind::Closing, encode(&closing))];
        Self { reason, frames: RefCell::new(frames.into()) }
    }
}

impl Source for TurnedAway {
    fn poll_fill(&self, _: &Context<'_>, batch: &mut Batch) -> Poll<Fill> {
        for (kind, json) in &*self.frames.borrow() {
            batch.json.extend_from_slice(json);
            batch.frames.0.push((*kind, None, batch.json.len()));
        }
        Poll::Ready(if batch.frames.0.is_empty() { Fill::Ended(self.reason) } else { Fill::Frames })
    }

    fn written(&self, mut bytes: usize) {
        let mut frames = self.frames.borrow_mut();
        while let Some((_, json)) = frames.pop_front_if(|(_, json)| json.len() <= bytes) {
            bytes -= json.len();
        }
    }

    /// There is nothing to close.
    fn close(&self, _: CloseReason) {}

    fn poll_cut(&self, _: &Context<'_>) -> Poll<()> {
        Poll::Pending
    }
}

/// What is due to whoever has connected to the namespace.
pub(crate) enum Due {
    Session(Connection),
    TurnedAway(TurnedAway),
}

impl Source for Due {
    fn poll_fill(&self, cx: &Context<'_>, batch: &mut Batch) -> Poll<Fill> {
        match self {
            Self::Session(session) => Source::poll_fill(session, cx, batch),
            Self::TurnedAway(away) => away.poll_fill(cx, batch),
        }
    }

    fn written(&self, bytes: usize) {
        match self {
            Self::Session(session) => Source::written(session, bytes),
            Self::TurnedAway(away) => away.written(bytes),
        }
    }

    fn close(&self, reason: CloseReason) {
        match self {
            Self::Session(session) => Source::close(session, reason),
            Self::TurnedAway(away) => away.close(reason),
        }
    }

    fn poll_cut(&self, cx: &Context<'_>) -> Poll<()> {
        match self {
            Self::Session(session) => Source::poll_cut(session, cx),
            Self::TurnedAway(away) => away.poll_cut(cx),
        }
    }
}

/// Frames of one fill, one after the other.
#[derive(Default)]
pub(crate) struct Batch {
    pub(crate) json: BytesMut,
    pub(crate) frames: Frames,
}

/// Which frames, and where they end.
#[derive(Default)]
pub(crate) struct Frames(pub(crate) Vec<(FrameKind, Option<u64>, usize)>);

impl Framing for Frames {
    fn frame(&mut self, out: &mut BytesMut, frame: FrameRef<'_>) {
        out.extend_from_slice(frame.json);
        self.0.push((frame.kind, frame.tag, out.len()));
    }
}
