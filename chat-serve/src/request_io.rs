//! The socket as hyper reads it in HTTP/1.1: one request at a time, its head checked and timed, and a peer's last word heard out.
//!
//! hyper alone has one deadline for a head and for the wait before it, takes a line that ends in LF alone, and drops the request of a peer
//! that has ended its half of the connection. So it is shown the bytes of one request, and those of the next when that one is answered.

use std::io;
use std::mem::take;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use hyper::upgrade::{Parts, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::ServeConfig;
use super::head_lines::HeadLines;
use super::patience::Patience;
use super::places::ClientPlace;
use super::socket::Socket;
use super::tcp::Tcp;

/// Takes a socket back from hyper after an upgrade: one pointer less to follow with each read and write than through
/// [`Upgraded`].
///
/// # Errors
/// What it was given, where that is not a connection of [`serve`](crate::serve).
pub fn reclaim(upgraded: Upgraded) -> Result<Socket<Tcp>, Upgraded> {
    let Parts { io, read_buf, .. } = upgraded.downcast::<TokioIo<RequestIo<Tcp>>>()?;
    Ok(io.into_inner().into_socket(&read_buf))
}

/// A socket, and where its peer is in what it asks.
pub(crate) struct RequestIo<S> {
    socket: Socket<S>,
    turn: Turn,
    lines: HeadLines,
    deadline: Option<(Awaited, Patience)>,
    timeouts: Timeouts,
}

/// How long to wait for what.
#[derive(Clone, Copy)]
struct Timeouts {
    head: Duration,
    idle: Duration,
    half_closed: Duration,
}

/// What a deadline is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Awaited {
    /// The first byte of the first request.
    First,
    /// The first byte of another request.
    Next,
    /// The rest of a head.
    Head,
    /// The answer to a peer that says nothing more.
    Answer,
}

/// Whose turn it is on a connection; shared with what answers its requests.
#[derive(Clone, Default)]
pub(crate) struct Turn(Arc<Mutex<Request>>);

/// The request under way, if there is one.
#[derive(Default)]
struct Request {
    stage: Stage,
    /// Bytes of its body that have yet to come. Unknown, where it comes in chunks: then it is the last.
    body_left: u64,
    /// Whether there was one before.
    is_another: bool,
    /// The place of a client behind a proxy. Kept to the end of its request, or of the connection where that is left to it.
    place: Option<ClientPlace>,
    waiting: Option<Waker>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Stage {
    /// The head is to come, or a part of it.
    #[default]
    Head,
    /// The head has come, and nobody has seen it.
    Unseen,
    /// It is being answered.
    Answering,
    /// The connection speaks something else by now.
    Upgraded,
}

/// The body of an answer, whose end is that of its request.
pub(crate) struct AnswerBody {
    body: Body,
    turn: Turn,
}

impl Turn {
    /// A request has been read, whose body has so many bytes; `None` where nobody knows yet. Keeps the place of its client.
    pub(crate) fn begin(&self, body_bytes: Option<u64>, place: Option<ClientPlace>) {
        let mut request = self.lock();
        request.stage = Stage::Answering;
        request.body_left = body_bytes.unwrap_or(u64::MAX);
        request.is_another = true;
        request.place = place;
    }

    /// The connection is to speak something else.
    pub(crate) fn upgrade(&self) {
        self.lock().stage = Stage::Upgraded;
    }

    /// The body of an answer; the request ends with it.
    pub(crate) fn answer(&self, body: Body) -> AnswerBody {
        AnswerBody { body, turn: self.clone() }
    }

    fn end(&self) {
        let mut request = self.lock();
        if request.stage != Stage::Answering {
            return;
        }
        request.stage = Stage::Head;
        let (place, waiting) = (request.place.take(), request.waiting.take());
        drop(request);
        drop(place);
        if let Some(waiting) = waiting {
            waiting.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Request> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S> RequestIo<S> {
    pub(crate) fn new(socket: Socket<S>, config: &ServeConfig) -> Self {
        let timeouts = Timeouts {
            head: config.header_timeout,
            idle: config.idle_timeout,
            half_closed: config.half_closed_timeout,
        };
        Self { socket, turn: Turn::default(), lines: HeadLines::default(), deadline: None, timeouts }
    }

    pub(crate) fn turn(&self) -> Turn {
        self.turn.clone()
    }

    /// The socket alone, from which hyper had read `unused` without using it; it keeps the place of the client.
    pub(crate) fn into_socket(self, unused: &[u8]) -> Socket<S> {
        let mut socket = self.socket;
        if !unused.is_empty() {
            // A copy: what is handed back is a part of hyper's buffer, and keeps all of it.
            socket.ahead = [unused, &socket.ahead[..]].concat().into();
        }
        if let Some(place) = self.turn.lock().place.take() {
            socket.keep(place);
        }
        socket
    }

    /// Fails once what is awaited has not come for its time; begins anew with each other thing.
    fn poll_deadline(&mut self, cx: &mut Context<'_>, awaited: Awaited) -> Poll<()> {
        let timeout = match awaited {
            Awaited::First | Awaited::Head => self.timeouts.head,
            Awaited::Next => self.timeouts.idle,
            Awaited::Answer => self.timeouts.half_closed,
        };
        self.deadline.take_if(|(before, _)| *before != awaited);
        let (_, deadline) = self.deadline.get_or_insert_with(|| (awaited, Patience::new(timeout)));
        deadline.poll(cx)
    }
}

impl<S: AsyncRead + Unpin> RequestIo<S> {
    fn poll_head(&mut self, cx: &mut Context<'_>, out: &mut ReadBuf<'_>, is_another: bool) -> Poll<io::Result<()>> {
        let before = out.filled().len();
        if !self.socket.ahead.is_empty() {
            let ahead = self.socket.ahead.len().min(out.remaining());
            let ahead = take_front(&mut self.socket.ahead, ahead);
            out.put_slice(&ahead);
            if self.end_head(out, before) || out.remaining() == 0 {
                return Poll::Ready(Ok(()));
            }
        }
        // With what else is there: a head that comes in two parts makes hyper double its buffer.
        let from = out.filled().len();
        match Pin::new(&mut self.socket.stream).poll_read(cx, out) {
            Poll::Ready(Ok(())) => {
                self.end_head(out, from);
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending if from > before => Poll::Ready(Ok(())),
            Poll::Pending => {
                let awaited = match (self.lines.has_begun(), is_another) {
                    (true, _) => Awaited::Head,
                    (false, true) => Awaited::Next,
                    (false, false) => Awaited::First,
                };
                self.poll_deadline(cx, awaited).map(|()| Err(io::ErrorKind::TimedOut.into()))
            }
        }
    }

    /// Looks through what was read of a head. Where it ends there, what follows is kept for later.
    fn end_head(&mut self, out: &mut ReadBuf<'_>, from: usize) -> bool {
        let Some(length) = self.lines.read(&mut out.filled_mut()[from..]) else { return false };
        self.put_back(out, from + length);
        self.lines = HeadLines::default();
        self.turn.lock().stage = Stage::Unseen;
        true
    }

    fn poll_body(&mut self, cx: &mut Context<'_>, out: &mut ReadBuf<'_>, left: u64) -> Poll<io::Result<()>> {
        let before = out.filled().len();
        std::task::ready!(Pin::new(&mut self.socket).poll_read(cx, out))?;
        let read = out.filled().len() - before;
        if left == u64::MAX {
            // Whether its last chunk has come, only hyper knows.
            return if read == 0 { self.poll_deadline(cx, Awaited::Answer).map(Ok) } else { Poll::Ready(Ok(())) };
        }
        let of_body = read.min(usize::try_from(left).unwrap_or(usize::MAX));
        self.put_back(out, before + of_body);
        self.turn.lock().body_left = left - of_body as u64;
        Poll::Ready(Ok(()))
    }

    /// While a request is answered: hears whether the peer is gone, and takes at most a byte of what it asks next. A peer that has ended its
    /// half may still read: it has a while to be answered.
    fn poll_gone(&mut self, cx: &mut Context<'_>, stage: Stage) -> Poll<io::Result<()>> {
        self.turn.lock().waiting = Some(cx.waker().clone());
        if self.socket.ahead.is_empty() {
            let mut byte = [0];
            let mut out = ReadBuf::new(&mut byte);
            match Pin::new(&mut self.socket.stream).poll_read(cx, &mut out) {
                Poll::Ready(Ok(())) if out.filled().is_empty() => {
                    return self.poll_deadline(cx, Awaited::Answer).map(Ok);
                }
                Poll::Ready(Ok(())) => self.socket.ahead = Bytes::copy_from_slice(out.filled()),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {}
            }
        }
        if stage == Stage::Unseen {
            // hyper wants more where we saw an end: nothing more will come.
            return self.poll_deadline(cx, Awaited::Head).map(|()| Err(io::ErrorKind::TimedOut.into()));
        }
        self.deadline = None;
        Poll::Pending
    }

    /// Keeps what has been read past `end` for later.
    fn put_back(&mut self, out: &mut ReadBuf<'_>, end: usize) {
        let rest = &out.filled()[end..];
        if !rest.is_empty() {
            let ahead = &mut self.socket.ahead;
            *ahead = match ahead.is_empty() {
                true => Bytes::copy_from_slice(rest),
                false => [rest, ahead].concat().into(),
            };
            out.set_filled(end);
        }
    }
}

/// The first bytes; nothing is kept of what is used up.
fn take_front(bytes: &mut Bytes, count: usize) -> Bytes {
    match count == bytes.len() {
        true => take(bytes),
        false => bytes.split_to(count),
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for RequestIo<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let (stage, body_left, is_another) = {
            let request = this.turn.lock();
            (request.stage, request.body_left, request.is_another)
        };
        match stage {
            Stage::Upgraded => Pin::new(&mut this.socket).poll_read(cx, out),
            // Also what is left of a body that was answered before it was there.
            Stage::Head | Stage::Answering if body_left > 0 => this.poll_body(cx, out, body_left),
            Stage::Head => this.poll_head(cx, out, is_another),
            Stage::Unseen | Stage::Answering => this.poll_gone(cx, stage),
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for RequestIo<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

impl HttpBody for AnswerBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for AnswerBody {
    fn drop(&mut self) {
        self.turn.end();
    }
}
