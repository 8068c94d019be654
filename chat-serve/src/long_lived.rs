//! Answers that last for hours: written without hyper, which would keep its buffers for each of them all the time.
//!
//! An idle stream needs its socket, its body, and to hear when the peer is gone. hyper keeps 16 KiB and more besides, for
//! requests that will never come.

use std::future::{pending, poll_fn};
use std::io::{self, IoSlice, Write};
use std::mem::take;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::SystemTime;

use axum::body::{Body, Bytes, HttpBody};
use axum::http::header::{CONNECTION, CONTENT_LENGTH, DATE, TRANSFER_ENCODING};
use axum::http::{Method, Request, StatusCode, Version};
use axum::response::Response;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;

use super::socket::Socket;

/// Marks a response whose body lasts for as long as its client listens, such as a stream of events: put it into the
/// response's [extensions](axum::http::Extensions).
///
/// It changes what an idle connection costs, and that the connection ends with the answer. That is so with HTTP/1.1; with other
/// versions, and where the peer has not taken all of an earlier answer, the mark does nothing. A body must not have trailers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LongLived;

impl LongLived {
    /// Whether an answer in chunks is one for this request.
    pub(crate) fn is_for<B>(request: &Request<B>) -> bool {
        request.version() == Version::HTTP_11 && request.method() == Method::GET
    }

    /// Whether a response is marked, and is one that can be sent in chunks until the connection ends.
    pub(crate) fn marks(response: &Response) -> bool {
        let has_length = [CONTENT_LENGTH, TRANSFER_ENCODING].iter().any(|name| response.headers().contains_key(name));
        response.extensions().get::<Self>().is_some() && response.status() == StatusCode::OK && !has_length
    }
}

/// Whose turn it is on a connection: that of the requests, or of one answer.
#[derive(Debug, Default)]
pub(crate) struct Takeover(Mutex<Option<Response>>);

impl Takeover {
    /// Leaves the connection to an answer. Never returns: whoever polls the connection takes it away from hyper.
    pub(crate) async fn leave_to<T>(&self, response: Response) -> T {
        *self.lock() = Some(response);
        pending().await
    }

    /// The answer that the connection is left to.
    pub(crate) fn left_to(&self) -> Option<Response> {
        self.lock().take()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Response>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that one answer has to itself.
pub(crate) struct StreamWriter<S> {
    socket: Socket<S>,
    body: Body,
    piece: Piece,
    /// Whether the body has ended.
    is_over: bool,
    /// Whether the peer is listened to, who has nothing to say but that it is gone. As with hyper, one that says anything
    /// else is not.
    is_heard: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> StreamWriter<S> {
    /// An answer to somebody who may have sent more besides the request.
    pub(crate) fn new(socket: Socket<S>, response: Response) -> Self {
        let piece = Piece { head: head(&response), ..Piece::default() };
        Self { is_heard: socket.ahead.is_empty(), socket, body: response.into_body(), piece, is_over: false }
    }

    /// Sends the answer, to its end, the peer's, or the server's.
    pub(crate) async fn run(mut self: Box<Self>, mut end: watch::Receiver<bool>) {
        let owes = self.socket.owes();
        tokio::select! {
            () = poll_fn(|cx| self.poll(cx)) => {}
            // It is asked to end once, and it will not take another request anyway. Nobody waits for a peer that takes nothing.
            () = async { while end.changed().await.is_ok() && !owes.anything() {} } => {}
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // A peer's end is the peer's affair.
        if self.is_heard && self.poll_gone(cx).is_ready() {
            return Poll::Ready(());
        }
        loop {
            if self.is_over {
                if ready!(self.poll_out(cx)).is_ok() {
                    let _ = ready!(Pin::new(&mut self.socket).poll_shutdown(cx));
                }
                return Poll::Ready(());
            }
            // A head goes out with the first chunk, if there is one.
            if self.piece.has_body() && ready!(self.poll_out(cx)).is_err() {
                return Poll::Ready(());
            }
            match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => self.piece.put(frame.into_data().unwrap_or_default()),
                // A client sees that a cut answer is cut.
                Poll::Ready(Some(Err(_))) => return Poll::Ready(()),
                Poll::Ready(None) => {
                    self.piece.end();
                    self.is_over = true;
                }
                Poll::Pending => {
                    return match ready!(self.poll_out(cx)) {
                        Ok(()) => Poll::Pending,
                        Err(_) => Poll::Ready(()),
                    };
                }
            }
        }
    }

    /// Waits until the peer is gone.
    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut bytes = [0];
        let mut out = ReadBuf::new(&mut bytes);
        let read = ready!(Pin::new(&mut self.socket).poll_read(cx, &mut out));
        if read.is_err() || out.filled().is_empty() {
            return Poll::Ready(());
        }
        self.is_heard = false;
        Poll::Pending
    }

    /// Writes what is in hand.
    fn poll_out(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.piece.is_out() {
            let written = self.piece.with_parts(|parts| Pin::new(&mut self.socket).poll_write_vectored(cx, parts));
            match ready!(written)? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => self.piece.advance(written),
            }
        }
        Pin::new(&mut self.socket).poll_flush(cx)
    }
}

/// The bytes that go out next: the head of the answer at first, and then a chunk at a time.
#[derive(Default)]
struct Piece {
    head: Bytes,
    /// The length of the data, as a line.
    line: [u8; 18],
    line_length: u8,
    data: Bytes,
    /// What follows the data.
    tail: &'static [u8],
    /// Bytes of it all that have been written.
    written: usize,
}

impl Piece {
    /// Puts a chunk in hand. Empty ones are none: they would end the body.
    fn put(&mut self, data: Bytes) {
        if data.is_empty() {
            return;
        }
        let mut line = &mut self.line[..];
        write!(line, "{:x}\r\n", data.len()).expect("a line holds the longest number");
        let left = line.len();
        self.line_length = (self.line.len() - left) as u8;
        (self.data, self.tail) = (data, b"\r\n");
    }

    /// Puts the end of the body in hand.
    fn end(&mut self) {
        self.tail = b"0\r\n\r\n";
    }

    fn has_body(&self) -> bool {
        !self.tail.is_empty()
    }

    fn is_out(&self) -> bool {
        self.head.is_empty() && self.tail.is_empty()
    }

    /// Shows what is left to be written.
    fn with_parts<T>(&self, show: impl FnOnce(&[IoSlice<'_>]) -> T) -> T {
        let line = &self.line[..usize::from(self.line_length)];
        let mut parts = [&self.head, line, &self.data, self.tail].map(IoSlice::new);
        let mut left = &mut parts[..];
        IoSlice::advance_slices(&mut left, self.written);
        show(left)
    }

    fn advance(&mut self, written: usize) {
        self.written += written;
        let length = self.head.len() + usize::from(self.line_length) + self.data.len() + self.tail.len();
        if self.written == length {
            take(self);
        }
    }
}

/// The head of a response in chunks, as the last on its connection.
fn head(response: &Response) -> Bytes {
    let mut head = Vec::with_capacity(512);
    head.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
    for (name, value) in response.headers().iter().filter(|(name, _)| **name != CONNECTION) {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            head.extend_from_slice(part);
        }
    }
    head.extend_from_slice(b"transfer-encoding: chunked\r\nconnection: close\r\n");
    if !response.headers().contains_key(DATE) {
        let now = httpdate::fmt_http_date(SystemTime::now());
        head.extend_from_slice(format!("date: {now}\r\n").as_bytes());
    }
    head.extend_from_slice(b"\r\n");
    Bytes::from(head)
}
