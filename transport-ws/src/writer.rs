//! The writing half: everything due in one write, control frames between frames.
//!
//! On a stalled socket nothing is held but the rest of one frame.

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use chat_core::{Connection, Fill};
use tokio::io::AsyncWrite;
use tokio::task::coop::has_budget_remaining;
use tokio::time::Instant;

use super::frames::{self, TextFrames};

/// Where due frames come from. A position moves by what was really written, and only then.
pub(crate) trait Source {
    /// Appends what is due to `out`, which is empty.
    fn poll_fill(&self, cx: &mut Context<'_>, out: &mut BytesMut) -> Poll<Fill>;

    /// How many bytes of that were taken; returns where the frame that is half out ends.
    fn written(&self, bytes: usize) -> usize;
}

impl Source for Connection {
    fn poll_fill(&self, cx: &mut Context<'_>, out: &mut BytesMut) -> Poll<Fill> {
        Connection::poll_fill(self, cx, &mut TextFrames, out)
    }

    fn written(&self, bytes: usize) -> usize {
        Connection::written(self, bytes)
    }
}

/// Writes one connection's frames.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    /// What goes out before anything else: the rest of a frame, or control frames that have begun. Empty at a border.
    rest: BytesMut,
    /// Whole control frames, to be sent at the next border.
    pub(crate) control: Vec<u8>,
    /// Since when the socket has taken nothing although something is due.
    stalled: Option<Instant>,
    /// The socket was full and has taken something: at the other end somebody takes what comes.
    is_drained: bool,
}

/// Control frames that wait for the socket, above which nothing more should be read. 1 KiB: eight of the longest pongs.
const CONTROL_BYTES_MAX: usize = 1 << 10;
/// Spare room not worth a copy.
const SLACK_BYTES: usize = 1 << 10;

impl Writer {
    /// Writes what is due until the socket takes no more, or nothing is due, or the source has ended.
    pub(crate) fn poll_source<S, W>(
        &mut self,
        cx: &mut Context<'_>,
        socket: &mut W,
        source: &S,
    ) -> Poll<io::Result<chat_core::CloseReason>>
    where
        S: Source,
        W: AsyncWrite + Unpin,
    {
        // Out of budget, the runtime's sockets say that they are not ready, which must not be taken for a stall.
        while has_budget_remaining() {
            ready!(self.poll_control(cx, socket))?;
            match source.poll_fill(cx, &mut self.rest) {
                Poll::Pending => {
                    self.rest = BytesMut::new();
                    return Poll::Pending;
                }
                Poll::Ready(Fill::Ended(reason)) => return Poll::Ready(Ok(reason)),
                Poll::Ready(Fill::Frames) => {}
            }
            match Pin::new(&mut *socket).poll_write(cx, &self.rest) {
                Poll::Ready(Ok(bytes)) if bytes > 0 => {
                    self.progress();
                    let end = source.written(bytes);
                    self.rest.truncate(end);
                    self.rest.advance(bytes);
                }
                Poll::Ready(result) => {
                    source.written(0);
                    return Poll::Ready(Err(result.err().unwrap_or_else(|| ErrorKind::WriteZero.into())));
                }
                Poll::Pending => {
                    // None of it is out, so none of it is kept. Something must wait for the socket in its place, or every
                    // wake-up would copy all that is due for nothing: the smallest frame that asks for no reply.
                    source.written(0);
                    self.rest = BytesMut::from(&frames::PONG[..]);
                    self.stalled.get_or_insert_with(Instant::now);
                    return Poll::Pending;
                }
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Writes the frame that is half out, and then control frames.
    pub(crate) fn poll_control<W>(&mut self, cx: &mut Context<'_>, socket: &mut W) -> Poll<io::Result<()>>
    where
        W: AsyncWrite + Unpin,
    {
        loop {
            if self.rest.is_empty() {
                if self.control.is_empty() {
                    return Poll::Ready(Ok(()));
                }
                self.rest = BytesMut::from_iter(std::mem::take(&mut self.control));
            }
            match Pin::new(&mut *socket).poll_write(cx, &self.rest) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(bytes)) => {
                    self.progress();
                    self.rest.advance(bytes);
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    self.stalled.get_or_insert_with(Instant::now);
                    self.shrink();
                    return Poll::Pending;
                }
            }
        }
    }

    fn progress(&mut self) {
        self.is_drained |= self.stalled.take().is_some();
    }

    /// Lets go of the chunk that the rest of a frame was part of.
    fn shrink(&mut self) {
        if self.rest.capacity() > 2 * self.rest.len() + SLACK_BYTES {
            self.rest = BytesMut::from(&self.rest[..]);
        }
    }

    /// Appends a whole text frame to what goes out next; for connections without a session.
    pub(crate) fn put_text(&mut self, text: &[u8]) {
        let mut frame = BytesMut::new();
        frames::put_text(&mut frame, text);
        self.control.extend_from_slice(&frame);
    }

    /// Whether so many control frames wait for the socket that none should be added.
    pub(crate) fn is_laden(&self) -> bool {
        self.control.len() >= CONTROL_BYTES_MAX
    }

    /// Since when the socket has taken nothing although something is due.
    pub(crate) fn stalled(&self) -> Option<Instant> {
        self.stalled
    }

    /// What the socket did not take before `now` is not held against the peer.
    pub(crate) fn excuse(&mut self, now: Instant) {
        self.stalled = self.stalled.map(|_| now);
    }

    /// Whether a full socket has taken something since this was last asked: a sign of life as good as a pong, which on a slow
    /// line comes late, behind all that was sent before the ping.
    pub(crate) fn take_drained(&mut self) -> bool {
        std::mem::take(&mut self.is_drained)
    }
}

#[cfg(test)]
mod tests;
