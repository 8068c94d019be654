//! A stream as a response body: asked for a chunk, it gives everything due.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use chat_core::{CloseReason, Connection, Fill, ServerFrame};
use chat_serve::{LongLived, ServerName};
use http_body::Frame;
use tokio::time::{Instant, Sleep, sleep_until};

use super::cursor::Cursors;
use super::entry::LateEntry;
use super::framing::{self, EventFrames};
use super::shared::Shared;
use super::watch::StreamSlot;

/// Not kept, not rewritten, and not gathered by a proxy until there is more of it.
const HEADERS: [(HeaderName, HeaderValue); 3] = [
    (CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
    (CACHE_CONTROL, HeaderValue::from_static("no-store, no-transform")),
    (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")),
];

/// The stream of a session, from its first event to its last; `at` which server, where there are several.
pub(crate) fn of(
    connection: Connection,
    late: Option<Box<LateEntry>>,
    at: Option<ServerName>,
    shared: &Arc<Shared>,
) -> Response {
    let mut response = response(Body::new(EventStream::new(connection, late, at, shared)));
    response.extensions_mut().insert(LongLived);
    response
}

/// A stream that only says that there is none now, and when to come back.
pub(crate) fn turned_away(error: &[u8], reason: CloseReason, wait: Duration) -> Response {
    let mut out = BytesMut::new();
    framing::put_error(&mut out, error);
    framing::put_closing(&mut out, &closing(reason, Some(wait)));
    response(Body::from(out.freeze()))
}

/// What a stream begins with, to whoever asks for no more than that.
pub(crate) fn head() -> Response {
    response(Body::empty())
}

fn response(body: Body) -> Response {
    (HEADERS, body).into_response()
}

fn closing(reason: CloseReason, wait: Option<Duration>) -> Vec<u8> {
    serde_json::to_vec(&ServerFrame::closing(reason, wait))
        .expect("frames have string keys, and a Vec takes every write")
}

/// Whoever has room for more asks for the next chunk within this time.
const AT_ONCE: Duration = Duration::from_millis(5);

/// The body. Dropping it is a disconnect.
///
/// That a chunk was taken is known when the next one is asked for. A chunk that was handed out and never followed is as
/// good as unsent: the positions of its frames stay where they were.
struct EventStream {
    slot: Arc<StreamSlot>,
    credential: Box<str>,
    /// When that was made; see [`Connection::issue_day`].
    issue_day: u16,
    /// Bytes of the chunk that was handed out last, until the next is asked for.
    handed_out: usize,
    /// When to come back, until it has been said.
    retry: Option<Duration>,
    /// The room in the address, until it has said whether the session is in it.
    late: Option<Box<LateEntry>>,
    /// At which server it is, until the welcome has said so.
    at: Option<ServerName>,
    /// When the client is told that the stream is alive, unless something else was said since.
    heartbeat: Pin<Box<Sleep>>,
    last_said: Instant,
    is_over: bool,
    heartbeat_interval: Duration,
    stall_timeout: Duration,
}

impl EventStream {
    fn new(connection: Connection, late: Option<Box<LateEntry>>, at: Option<ServerName>, shared: &Arc<Shared>) -> Self {
        let now = Instant::now();
        let heartbeat_interval = shared.config.heartbeat_interval;
        let stall_timeout = shared.engine.limits().session.stall_timeout;
        let (issue_day, credential) = (connection.issue_day(), connection.cursor().into());
        let retry = Some(spread(shared.config.retry, connection.session_id().bits()));
        Self {
            slot: shared.watch.slot(connection, now + stall_timeout),
            credential,
            issue_day,
            handed_out: 0,
            retry,
            late,
            at,
            heartbeat: Box::pin(sleep_until(now + heartbeat_interval)),
            last_said: now,
            is_over: false,
            heartbeat_interval,
            stall_timeout,
        }
    }

    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        let mut held = self.slot.lock();
        let Some(connection) = &held.connection else {
            // The watch has ended it, and now the connection takes something again.
            self.is_over = true;
            let mut out = BytesMut::new();
            framing::put_closing(&mut out, &closing(held.ended, None));
            return Poll::Ready(Some(out.freeze()));
        };
        if self.handed_out > 0 {
            if self.last_said.elapsed() > AT_ONCE {
                connection.note_blocked();
            }
            connection.written(std::mem::take(&mut self.handed_out));
            // What a room has said is out; where it was not, the client comes back and it is said again.
            self.late = self.late.take().and_then(|late| late.hand_in(connection));
        }
        if connection.issue_day() != self.issue_day {
            (self.issue_day, self.credential) = (connection.issue_day(), connection.cursor().into());
        }
        let mut out = BytesMut::new();
        let mut frames = EventFrames {
            cursors: Cursors::new(&self.credential),
            retry: &mut self.retry,
            late: self.late.as_deref_mut(),
            at: &mut self.at,
        };
        match connection.poll_fill(cx, &mut frames, &mut out) {
            Poll::Ready(Fill::Frames) => self.handed_out = out.len(),
            Poll::Ready(Fill::Ended(_)) => {
                let connection = held.connection.take();
                drop(held);
                drop(connection);
                self.is_over = true;
                return Poll::Ready(None);
            }
            Poll::Pending => {
                let silent_until = self.last_said + self.heartbeat_interval;
                if poll_until(cx, self.heartbeat.as_mut(), silent_until).is_pending() {
                    // The heartbeat wakes the connection, and then it asks.
                    held.ask_by = silent_until + self.stall_timeout;
                    return Poll::Pending;
                }
                out.extend_from_slice(framing::HEARTBEAT);
            }
        }
        self.last_said = Instant::now();
        held.ask_by = self.last_said + self.stall_timeout;
        Poll::Ready(Some(out.freeze()))
    }
}

/// Waits with a timer that is set anew only when it fires too early: not with every chunk.
fn poll_until(cx: &mut Context<'_>, mut timer: Pin<&mut Sleep>, deadline: Instant) -> Poll<()> {
    ready!(timer.as_mut().poll(cx));
    if timer.deadline() < deadline {
        timer.as_mut().reset(deadline);
        ready!(timer.poll(cx));
    }
    Poll::Ready(())
}

impl http_body::Body for EventStream {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        self.poll_chunk(cx).map(|chunk| chunk.map(|bytes| Ok(Frame::data(bytes))))
    }
}

/// Between one and two of `wait`; which, is drawn with the session's id.
fn spread(wait: Duration, draw: u128) -> Duration {
    let millis = wait.as_millis();
    wait + Duration::from_millis(u64::try_from(draw % (millis + 1)).unwrap_or(0))
}
