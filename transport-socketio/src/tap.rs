//! A WebSocket's bytes on their way between socketioxide and the network: counted, and cut off when the line ends.

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::line::{End, Line, Plug};

/// A stream with a tap in it.
pub(crate) struct Tap<S> {
    stream: S,
    line: Arc<Line>,
    plug: Arc<Plug>,
}

impl<S> Tap<S> {
    /// Puts a tap into the stream; `None` where its line has too many already.
    pub(crate) fn new(stream: S, line: Arc<Line>) -> Option<Self> {
        let plug = line.plug_in()?;
        Some(Self { stream, line, plug })
    }

    /// Whether writing is over.
    fn is_cut(&self) -> bool {
        self.line.end_reached() == End::All
    }
}

fn cut() -> io::Error {
    ErrorKind::ConnectionAborted.into()
}

impl<S: AsyncRead + Unpin> AsyncRead for Tap<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.line.end_reached() == End::Open {
            if let Poll::Ready(result) = Pin::new(&mut self.stream).poll_read(cx, out) {
                return Poll::Ready(result);
            }
            self.plug.reader.register(cx.waker());
        }
        // Looked at again, for what ended between the first look and the registering.
        match self.line.end_reached() {
            End::Open => Poll::Pending,
            End::Hearing => Poll::Ready(Ok(())),
            End::All => Poll::Ready(Err(cut())),
        }
    }
}

impl<S: AsyncWrite + Unpin> Tap<S> {
    /// Does one thing with the stream, unless it is cut off before or while that waits.
    fn poll_out<T>(
        &mut self,
        cx: &mut Context<'_>,
        mut act: impl FnMut(Pin<&mut S>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if self.is_cut() {
            return Poll::Ready(Err(cut()));
        }
        if let Poll::Ready(result) = act(Pin::new(&mut self.stream), cx) {
            return Poll::Ready(result);
        }
        self.plug.writer.register(cx.waker());
        if self.is_cut() { Poll::Ready(Err(cut())) } else { Poll::Pending }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Tap<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let result = self.poll_out(cx, |stream, cx| stream.poll_write(cx, bytes));
        if let Poll::Ready(Ok(taken)) = result {
            self.line.note_taken(taken);
        }
        result
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_out(cx, |stream, cx| stream.poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_out(cx, |stream, cx| stream.poll_shutdown(cx))
    }
}

impl<S> Drop for Tap<S> {
    fn drop(&mut self) {
        self.line.unplug(&self.plug);
    }
}
