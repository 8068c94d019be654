//! What is due to a session, a fill at a time.

use std::task::{Context, Poll};

use bytes::BytesMut;
use chat_core::{CloseReason, Fill, FrameKind, FrameRef, Framing, Session};

/// Where due frames come from. A position moves by what was really emitted, and only then.
pub(crate) trait Source {
    fn poll_fill(&self, cx: &Context<'_>, batch: &mut Batch) -> Poll<Fill>;
    /// How many bytes of the fill were emitted.
    fn written(&self, bytes: usize);
    fn close(&self, reason: CloseReason);
}

impl Source for Session {
    fn poll_fill(&self, cx: &Context<'_>, batch: &mut Batch) -> Poll<Fill> {
        Session::poll_fill(self, cx, &mut batch.frames, &mut batch.json)
    }

    fn written(&self, bytes: usize) {
        Session::written(self, bytes);
    }

    fn close(&self, reason: CloseReason) {
        Session::close(self, reason);
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
