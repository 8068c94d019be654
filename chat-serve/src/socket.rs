//! An accepted socket: keeps its place among the connections until it is dropped, and ends when its peer takes nothing.
//!
//! Whatever it has been upgraded to: transports get this socket and not the stream in it.

use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Sleep, sleep};

use super::version::PREFACE;

#[derive(Debug)]
pub(crate) struct Socket<S> {
    pub(crate) stream: S,
    pub(crate) ahead: Ahead,
    stall_timeout: Duration,
    /// Runs while the peer takes nothing although something waits.
    stall: Option<Pin<Box<Sleep>>>,
    _slot: OwnedSemaphorePermit,
}

/// The first bytes of a connection, read to find out what it speaks, and then read again.
#[derive(Debug, Default)]
pub(crate) struct Ahead {
    bytes: [u8; PREFACE.len()],
    start: u8,
    end: u8,
}

impl Ahead {
    pub(crate) fn new(bytes: [u8; PREFACE.len()], length: usize) -> Self {
        Self { bytes, start: 0, end: length as u8 }
    }

    pub(crate) fn unread(&self) -> &[u8] {
        &self.bytes[usize::from(self.start)..usize::from(self.end)]
    }

    /// Gives out as many of the bytes as fit.
    fn read(&mut self, out: &mut ReadBuf<'_>) {
        let count = self.unread().len().min(out.remaining());
        out.put_slice(&self.unread()[..count]);
        self.start += count as u8;
    }
}

impl<S> Socket<S> {
    pub(crate) fn new(stream: S, slot: OwnedSemaphorePermit, stall_timeout: Duration) -> Self {
        Self { stream, ahead: Ahead::default(), stall_timeout, stall: None, _slot: slot }
    }

    /// Passes on what came of a write, unless writing has come to nothing for too long.
    fn note<T>(&mut self, cx: &mut Context<'_>, result: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if result.is_ready() {
            self.stall = None;
            return result;
        }
        let stall_timeout = self.stall_timeout;
        let stall = self.stall.get_or_insert_with(|| Box::pin(sleep(stall_timeout)));
        stall.as_mut().poll(cx).map(|()| Err(ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Socket<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.ahead.unread().is_empty() {
            self.ahead.read(out);
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_read(cx, out)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Socket<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.note(cx, result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write_vectored(cx, parts);
        self.note(cx, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
