//! An accepted socket: keeps its place among the connections until it is dropped, and ends when its peer takes nothing.
//!
//! Whatever it has been upgraded to: transports get this socket and not the stream in it.

use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::patience::Patience;
use super::places::{ClientPlace, Place};

/// A socket of [`serve`](crate::serve). Keeps its place among the connections until it is dropped; a write fails once the peer
/// has taken nothing for [`stall_timeout`](crate::ServeConfig::stall_timeout).
#[derive(Debug)]
#[repr(C)]
pub struct Socket<S> {
    pub(crate) stream: S,
    /// Runs while the peer takes nothing although something waits. Kept for the next time until it has fired: where a peer is slower than
    /// what is said, it is needed with every few writes.
    stall: Option<Box<Patience>>,
    /// Bytes that were read from the stream for something else, and come before the rest of it.
    pub(crate) ahead: Bytes,
    stall_timeout: Duration,
    owes: Owes,
    place: Place,
}

/// Whether the last write found no room: there is more to be written then. Readable where the socket itself is not at hand.
#[derive(Clone, Debug, Default)]
pub(crate) struct Owes(Arc<AtomicBool>);

impl Owes {
    pub(crate) fn anything(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl<S> Socket<S> {
    pub(crate) fn new(stream: S, place: Place, stall_timeout: Duration) -> Self {
        Self { stream, ahead: Bytes::new(), stall_timeout, stall: None, owes: Owes::default(), place }
    }

    pub(crate) fn owes(&self) -> Owes {
        self.owes.clone()
    }

    /// Counts the client behind a proxy for as long as the socket is there.
    pub(crate) fn keep(&mut self, client: ClientPlace) {
        self.place.keep(client);
    }

    /// Passes on what came of a write, unless writing has come to nothing for too long.
    fn note<T>(&mut self, cx: &mut Context<'_>, result: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if result.is_ready() {
            if let Some(stall) = &self.stall {
                self.owes.0.store(false, Ordering::Relaxed);
                if stall.has_fired() {
                    self.stall = None;
                }
            }
            return result;
        }
        let was_owing = self.owes.0.swap(true, Ordering::Relaxed);
        let stall_timeout = self.stall_timeout;
        let stall = self.stall.get_or_insert_with(|| Box::new(Patience::new(stall_timeout)));
        if !was_owing {
            stall.restart();
        }
        stall.poll(cx).map(|()| Err(ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Socket<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.ahead.is_empty() {
            let count = self.ahead.len().min(out.remaining());
            out.put_slice(&self.ahead.split_to(count));
            if self.ahead.is_empty() {
                // Not even an empty part of it is kept.
                self.ahead = Bytes::new();
            }
            if out.remaining() == 0 {
                return Poll::Ready(Ok(()));
            }
            // With what else is there: a head that comes in two parts makes hyper double its buffer. An end shows again.
            return match Pin::new(&mut self.stream).poll_read(cx, out) {
                Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                Poll::Ready(Ok(())) | Poll::Pending => Poll::Ready(Ok(())),
            };
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

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;
    use crate::places::Places;
    use crate::version;

    #[tokio::test]
    async fn what_was_read_ahead_is_read_again_together_with_the_rest() {
        let request = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n";
        let (mut client, stream) = duplex(64);
        let place = Places::new(1, 0).take(None).expect("a place");
        let mut socket = Socket::new(stream, place, Duration::from_secs(1));
        client.write_all(request).await.expect("room");
        version::read(&mut socket).await.expect("words");
        let mut bytes = [0; 64];
        assert_eq!(socket.read(&mut bytes).await.expect("read"), request.len());
        assert_eq!(&bytes[..request.len()], request);
        client.write_all(b"more").await.expect("room");
        assert_eq!(socket.read(&mut bytes).await.expect("read"), 4);
    }
}
