//! One connection from its first frame to its last: one task, one loop.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use chat_core::{CloseReason, ConnectRequest, Connection};
use chat_serve::{BadCredentials, was_paused};
use pin_project_lite::pin_project;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::coop::has_budget_remaining;
use tokio::time::{Instant, Sleep, sleep_until};

use super::close;
use super::frame_socket::{Exit, FrameSocket};
use super::frames;
use super::handshake::{greet, hand_in, parse};
use super::keepalive::{Keepalive, KeepaliveAction, Rhythm};
use super::reader::{Incoming, Reader};
use super::shared::Shared;
use super::writer::Writer;

/// Serves one socket that speaks WebSocket from here on.
pub(crate) fn serve<S>(
    socket: S,
    shared: Arc<Shared>,
    asked: Result<ConnectRequest, BadCredentials>,
) -> impl Future<Output = ()> + Send
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    // Beginnings and ends are boxed: a connection spends its life between them.
    let opening = Box::pin(open(socket, shared, asked));
    async move {
        let Some(mut driver) = opening.await else { return };
        let exit = poll_fn(|cx| driver.poll(cx)).await;
        if exit != Exit::Lost {
            let close_timeout = driver.shared.config.close_timeout;
            Box::pin(close::finish(driver.ws, exit, Some(driver.connection), close_timeout)).await;
        }
    }
}

async fn open<S>(socket: S, shared: Arc<Shared>, asked: Result<ConnectRequest, BadCredentials>) -> Option<Driver<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let reader = Reader::new(shared.engine.limits().session.frame_bytes_max);
    let mut ws = FrameSocket { writer: Writer::default(), reader, socket };
    match greet(&mut ws, &shared, asked).await {
        Ok(connection) => Some(Driver::new(ws, connection, shared)),
        Err(Exit::Lost) => None,
        Err(exit) => {
            tracing::debug!(?exit, "a WebSocket has got no session");
            close::finish(ws, exit, None, shared.config.close_timeout).await;
            None
        }
    }
}

/// Whether the peer is listened to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ReadState {
    On,
    /// Not before it has taken some of its answers.
    Waiting,
    /// It cannot be understood any more.
    Off,
}

/// In the order in which a wake-up reads it: a server of many connections spends its time waiting for memory.
#[repr(C)]
struct Driver<S> {
    /// When the timer fires; `None` until it runs. The timer itself is not looked at before: the task is always the same, and so
    /// is whom it wakes.
    timer_at: Option<Instant>,
    reading: ReadState,
    /// We have ended it, and its end must be written in time.
    is_ending: bool,
    connection: Connection,
    ws: FrameSocket<S>,
    shared: Arc<Shared>,
    clock: Pin<Box<Clock>>,
}

pin_project! {
    /// What few wake-ups look at. The timer needs a place of its own in memory anyway: the rest lies beside it, and the task is smaller.
    struct Clock {
        #[pin]
        timer: Sleep,
        keepalive: Keepalive,
        // Until when the end of the connection must be written, once we have ended it.
        end_by: Option<Instant>,
    }
}

impl Clock {
    fn new(rhythm: Arc<Rhythm>) -> Self {
        let keepalive = Keepalive::new(rhythm, Instant::now());
        Self { timer: sleep_until(keepalive.deadline(None)), keepalive, end_by: None }
    }

    /// When something is due, with a socket that has been taking nothing since `stalled`.
    fn deadline(&self, stalled: Option<Instant>) -> Instant {
        self.end_by.unwrap_or_else(|| self.keepalive.deadline(stalled))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Driver<S> {
    fn new(ws: FrameSocket<S>, connection: Connection, shared: Arc<Shared>) -> Self {
        let clock = Box::pin(Clock::new(Arc::clone(&shared.rhythm)));
        Self { timer_at: None, reading: ReadState::On, is_ending: false, connection, ws, shared, clock }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Exit> {
        loop {
            if self.timer_at.is_none_or(|at| Instant::now() >= at) {
                if self.clock.as_mut().project().timer.poll(cx).is_ready() {
                    if let Some(exit) = self.on_timer() {
                        return Poll::Ready(exit);
                    }
                    self.set(self.deadline());
                    continue;
                }
                self.timer_at = Some(self.clock.timer.deadline());
            }
            if let Poll::Ready(exit) = self.poll_read(cx) {
                return Poll::Ready(exit);
            }
            match self.ws.writer.poll_source(cx, &mut self.ws.socket, &self.connection) {
                Poll::Ready(Ok(reason)) if self.reading == ReadState::Off => {
                    return Poll::Ready(Exit::Abandon(reason));
                }
                Poll::Ready(Ok(reason)) => return Poll::Ready(Exit::Close(reason)),
                Poll::Ready(Err(_)) => return Poll::Ready(Exit::Lost),
                Poll::Pending => {}
            }
            if self.ws.writer.take_drained() {
                self.heard(Instant::now());
            }
            // A drain waits for nobody who takes nothing.
            if self.ws.writer.stalled().is_some() && self.connection.poll_cut(cx).is_ready() {
                return Poll::Ready(Exit::Lost);
            }
            // A stall, or the end, brings the deadline forward. A later one is found when the timer fires.
            if self.ws.writer.stalled().is_some() || self.is_ending {
                let deadline = self.deadline();
                if self.timer_at.is_none_or(|at| deadline < at) {
                    self.set(deadline);
                    continue;
                }
            }
            // What was just written may have made room for what was left unread.
            if self.reading == ReadState::Waiting && self.has_room() {
                self.reading = ReadState::On;
                if has_budget_remaining() {
                    continue;
                }
                cx.waker().wake_by_ref();
            }
            return Poll::Pending;
        }
    }

    fn set(&mut self, deadline: Instant) {
        self.clock.as_mut().project().timer.reset(deadline);
        self.timer_at = None;
    }

    /// Something came from the peer.
    fn heard(&mut self, now: Instant) {
        self.clock.as_mut().project().keepalive.heard(now);
    }

    /// Takes in what the peer sent, as long as there is room for the answers.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Exit> {
        while self.reading == ReadState::On {
            let next = self.ws.reader.poll_next(cx, &mut self.ws.socket, &mut self.ws.writer.control);
            if self.ws.reader.take_heard() {
                self.heard(Instant::now());
            }
            match next {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Incoming::Alive) => {}
                Poll::Ready(Incoming::Lost) => return Poll::Ready(Exit::Lost),
                Poll::Ready(Incoming::Closed) => return Poll::Ready(Exit::Answer),
                Poll::Ready(Incoming::Broken) => {
                    self.reading = ReadState::Off;
                    self.end(CloseReason::ProtocolViolation);
                    return Poll::Pending;
                }
                Poll::Ready(message) => hand_in(&self.connection, parse(&self.shared, &message), &mut self.ws.writer),
            }
            if !self.has_room() {
                self.reading = ReadState::Waiting;
            }
        }
        Poll::Pending
    }

    /// Whether the answer to whatever comes next has a place to wait in.
    fn has_room(&self) -> bool {
        self.connection.can_submit() && !self.ws.writer.is_laden()
    }

    /// Does what is due by the clock; says how the connection ends, if it does.
    fn on_timer(&mut self) -> Option<Exit> {
        let now = Instant::now();
        if self.clock.end_by.is_some_and(|by| now >= by) {
            return Some(Exit::Lost);
        }
        let is_deaf = self.reading == ReadState::Waiting;
        #[cfg(feature = "fault_injection")]
        let is_deaf = is_deaf && !chat_core::fault_injection::is(chat_core::fault_injection::Bug::MistakeSilence);
        if is_deaf {
            self.heard(now);
        }
        let due = self.clock.timer.deadline();
        if was_paused(due, now) {
            self.ws.writer.excuse(now);
        }
        let stalled = self.ws.writer.stalled();
        match self.clock.as_mut().project().keepalive.on_timer(due, now, stalled) {
            KeepaliveAction::Rest => {}
            KeepaliveAction::Ping => self.ws.writer.control.extend_from_slice(&frames::PING),
            KeepaliveAction::PeerGone => self.end(CloseReason::PeerTimeout),
            KeepaliveAction::Stalled => {
                // The frame that says so would wait behind all the others.
                self.connection.close(CloseReason::SlowConsumer);
                return Some(Exit::Lost);
            }
        }
        None
    }

    fn deadline(&self) -> Instant {
        self.clock.deadline(self.ws.writer.stalled())
    }

    /// Ends the connection from this side: the session's last frame is due, and soon must be out.
    fn end(&mut self, reason: CloseReason) {
        self.connection.close(reason);
        self.is_ending = true;
        let close_timeout = self.shared.config.close_timeout;
        self.clock.as_mut().project().end_by.get_or_insert_with(|| Instant::now() + close_timeout);
    }
}

#[cfg(test)]
mod tests;
