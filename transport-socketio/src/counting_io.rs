//! A WebSocket's bytes on their way between socketioxide and the network: counted, and cut off where a session or a patience ends.

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use chat_serve::Patience;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::engineio_session::{End, EngineIoSession, WsTasks};
use super::keepalive;

/// How much of what a peer goes on saying at its end is dropped unread, in KiB. 64: as much as one frame may have.
const UNREAD_MAX: usize = 64;

/// A stream whose bytes are counted.
pub(crate) struct CountingIo<S> {
    stream: S,
    engineio: Arc<EngineIoSession>,
    tasks: Arc<WsTasks>,
    stall_timeout: Duration,
    /// How long a client may take to answer a ping, until it has been told so.
    announced: Option<Duration>,
    /// Whether the peer has refused what was written last.
    is_refused: bool,
    /// While the peer takes nothing: when it is given up. The pump watches over what the session is due; this is for what socketioxide
    /// itself has to say, as it tells nobody that a client is lost before its last ping is out. Kept for the next time until it has fired.
    given_up: Option<Box<Patience>>,
}

impl<S> CountingIo<S> {
    /// Counts the bytes of a stream; `None` where its session has too many WebSockets already.
    pub(crate) fn new(stream: S, engineio: Arc<EngineIoSession>, stall_timeout: Duration) -> Option<Self> {
        let tasks = engineio.add_websocket()?;
        Some(Self { stream, engineio, tasks, stall_timeout, announced: None, is_refused: false, given_up: None })
    }

    /// On this stream a session begins: its first packet says how long the answer to a ping may take.
    pub(crate) fn announce(&mut self, ping_timeout: Duration) {
        self.announced = Some(ping_timeout);
    }

    /// Whether writing is over.
    fn is_cut(&self) -> bool {
        self.engineio.end_reached() == End::All
    }
}

fn cut() -> io::Error {
    ErrorKind::ConnectionAborted.into()
}

impl<S: AsyncRead + Unpin> CountingIo<S> {
    /// Drops what the peer has said by now. Closed over unread bytes (the answer to a ping, say), a connection is reset, and the
    /// peer may lose what it was told last.
    fn drop_unread(&mut self, cx: &mut Context<'_>) {
        let mut unread = [0; 1 << 10];
        for _ in 0..UNREAD_MAX {
            let mut out = ReadBuf::new(&mut unread);
            let read = Pin::new(&mut self.stream).poll_read(cx, &mut out);
            if !matches!(read, Poll::Ready(Ok(()))) || out.filled().is_empty() {
                return;
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for CountingIo<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.engineio.end_reached() == End::Open {
            if let Poll::Ready(result) = Pin::new(&mut self.stream).poll_read(cx, out) {
                self.engineio.note_heard();
                return Poll::Ready(result);
            }
            self.tasks.reader.register(cx.waker());
        }
        // Looked at again, for what ended between the first look and the registering.
        match self.engineio.end_reached() {
            End::Open => Poll::Pending,
            End::Reading => {
                self.drop_unread(cx);
                Poll::Ready(Ok(()))
            }
            End::All => Poll::Ready(Err(cut())),
        }
    }
}

impl<S: AsyncWrite + Unpin> CountingIo<S> {
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
            if std::mem::take(&mut self.is_refused) {
                // As good as the answer to a ping, which on a slow line comes late, behind all that was sent before the ping.
                self.engineio.note_heard();
                self.given_up.take_if(|given_up| given_up.has_fired());
            }
            return Poll::Ready(result);
        }
        let given_up = self.given_up.get_or_insert_with(|| Box::new(Patience::new(self.stall_timeout)));
        if !std::mem::replace(&mut self.is_refused, true) {
            given_up.restart();
        }
        if given_up.poll(cx).is_ready() {
            self.engineio.end(End::All);
        }
        self.tasks.writer.register(cx.waker());
        if self.is_cut() { Poll::Ready(Err(cut())) } else { Poll::Pending }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for CountingIo<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let opening = self.announced.map(|ping_timeout| {
            let mut packet = bytes.to_vec();
            keepalive::announce(&mut packet, ping_timeout);
            packet
        });
        let bytes = opening.as_deref().unwrap_or(bytes);
        let result = self.poll_out(cx, |stream, cx| stream.poll_write(cx, bytes));
        if let Poll::Ready(Ok(taken)) = result {
            self.announced = None;
            self.engineio.note_taken(taken);
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

impl<S> Drop for CountingIo<S> {
    fn drop(&mut self) {
        self.engineio.remove_websocket(&self.tasks);
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use chat_serve::Places;
    use futures_util::FutureExt;
    use socketioxide::SocketIo;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::time::{Instant, timeout};

    use super::super::engineio_session::EngineIoSessions;
    use super::*;

    const STALL: Duration = Duration::from_secs(30);

    #[tokio::test]
    async fn what_is_said_at_the_end_is_dropped_and_not_left_unread() {
        let (service, _io) = SocketIo::builder().build_with_inner_svc(Router::new());
        let engineio_sessions = Arc::new(EngineIoSessions::new(service, "/socket.io".to_owned(), Places::new(1, 0)));
        let engineio = engineio_sessions.open(None).expect("a place");
        let (near, mut far) = duplex(64);
        let mut counting = CountingIo::new(near, Arc::clone(&engineio), STALL).expect("the first");
        far.write_all(b"3").await.expect("room");
        engineio.end(End::Reading);
        assert_eq!(counting.read(&mut [0; 8]).await.expect("an end in order"), 0);
        assert!(counting.stream.read(&mut [0; 8]).now_or_never().is_none(), "nothing is left");
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_takes_nothing_is_given_up_and_one_that_takes_a_little_is_not() {
        let (service, _io) = SocketIo::builder().build_with_inner_svc(Router::new());
        let engineio_sessions = Arc::new(EngineIoSessions::new(service, "/socket.io".to_owned(), Places::new(1, 0)));
        let engineio = engineio_sessions.open(None).expect("a place");
        let (near, mut far) = duplex(16);
        let mut counting = CountingIo::new(near, Arc::clone(&engineio), STALL).expect("the first");
        // It takes eight bytes every twenty seconds, for ten times as long as it may take nothing.
        for _ in 0..15 {
            assert!(timeout(STALL * 2 / 3, counting.write_all(&[0; 17])).await.is_err(), "it waits");
            let mut taken = [0; 8];
            far.read_exact(&mut taken).await.expect("something has come");
            assert!(counting.write(&[0; 1]).await.is_ok());
            while timeout(Duration::from_millis(1), far.read(&mut taken)).await.is_ok() {}
        }
        let begun = Instant::now();
        let error = counting.write_all(&[0; 100]).await.expect_err("nobody reads");
        assert_eq!(
            (error.kind(), begun.elapsed(), engineio.end_reached()),
            (ErrorKind::ConnectionAborted, STALL, End::All)
        );
    }
}
