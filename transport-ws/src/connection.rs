//! One connection from its first frame to its last: one task, one loop.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use chat_core::{CloseReason, ConnectRequest, Connection};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::coop::has_budget_remaining;
use tokio::time::{Instant, Sleep, sleep_until};

use super::farewell;
use super::frames;
use super::greeting::{greet, hand_in, parse};
use super::line::{Line, Parting};
use super::pulse::{Beat, Pulse};
use super::reader::{Incoming, Reader};
use super::shared::Shared;
use super::writer::Writer;

/// Serves one socket that speaks WebSocket from here on.
pub(crate) fn serve<S>(socket: S, shared: Arc<Shared>, asked: ConnectRequest) -> impl Future<Output = ()> + Send
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    // Beginnings and ends are boxed: a connection spends its life between them.
    let opening = Box::pin(open(socket, shared, asked));
    async move {
        let Some(mut talk) = opening.await else { return };
        let parting = poll_fn(|cx| talk.poll(cx)).await;
        if parting != Parting::Lost {
            let close_timeout = talk.shared.config.close_timeout;
            Box::pin(farewell::part(talk.line, parting, Some(talk.session), close_timeout)).await;
        }
    }
}

async fn open<S>(socket: S, shared: Arc<Shared>, asked: ConnectRequest) -> Option<Talk<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let reader = Reader::new(shared.engine.limits().session.frame_bytes_max);
    let mut line = Line { writer: Writer::default(), reader, socket };
    match greet(&mut line, &shared, asked).await {
        Ok(session) => Some(Talk::new(line, session, shared)),
        Err(Parting::Lost) => None,
        Err(parting) => {
            farewell::part(line, parting, None, shared.config.close_timeout).await;
            None
        }
    }
}

/// Whether the peer is listened to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hearing {
    On,
    /// Not before it has taken some of its answers.
    Waiting,
    /// It cannot be understood any more.
    Off,
}

/// In the order in which a wake-up reads it: a server of many connections spends its time waiting for memory.
#[repr(C)]
struct Talk<S> {
    /// When the timer fires; `None` until it runs. The timer itself is not looked at before: the task is always the same, and so
    /// is whom it wakes.
    alarm: Option<Instant>,
    /// Until when the end of the connection must be written, once we have ended it.
    end_by: Option<Instant>,
    hearing: Hearing,
    session: Connection,
    line: Line<S>,
    shared: Arc<Shared>,
    pulse: Pulse,
    timer: Pin<Box<Sleep>>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Talk<S> {
    fn new(line: Line<S>, session: Connection, shared: Arc<Shared>) -> Self {
        let pulse = Pulse::new(&shared.config, shared.engine.limits().session.stall_timeout, Instant::now());
        let timer = Box::pin(sleep_until(pulse.deadline(None)));
        Self { alarm: None, end_by: None, hearing: Hearing::On, session, line, shared, pulse, timer }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Parting> {
        loop {
            if self.alarm.is_none_or(|at| Instant::now() >= at) {
                if self.timer.as_mut().poll(cx).is_ready() {
                    if let Some(parting) = self.beat() {
                        return Poll::Ready(parting);
                    }
                    self.set(self.deadline());
                    continue;
                }
                self.alarm = Some(self.timer.deadline());
            }
            if let Poll::Ready(parting) = self.poll_read(cx) {
                return Poll::Ready(parting);
            }
            match self.line.writer.poll_source(cx, &mut self.line.socket, &self.session) {
                Poll::Ready(Ok(reason)) if self.hearing == Hearing::Off => {
                    return Poll::Ready(Parting::Abandon(reason));
                }
                Poll::Ready(Ok(reason)) => return Poll::Ready(Parting::Close(reason)),
                Poll::Ready(Err(_)) => return Poll::Ready(Parting::Lost),
                Poll::Pending => {}
            }
            if self.line.writer.take_drained() {
                self.pulse.heard(Instant::now());
            }
            // A stall, or the end, brings the deadline forward. A later one is found when the timer fires.
            if self.line.writer.stalled().is_some() || self.end_by.is_some() {
                let deadline = self.deadline();
                if self.alarm.is_none_or(|at| deadline < at) {
                    self.set(deadline);
                    continue;
                }
            }
            // What was just written may have made room for what was left unread.
            if self.hearing == Hearing::Waiting && self.has_room() {
                self.hearing = Hearing::On;
                if has_budget_remaining() {
                    continue;
                }
                cx.waker().wake_by_ref();
            }
            return Poll::Pending;
        }
    }

    fn set(&mut self, deadline: Instant) {
        self.timer.as_mut().reset(deadline);
        self.alarm = None;
    }

    /// Takes in what the peer sent, as long as there is room for the answers.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Parting> {
        while self.hearing == Hearing::On {
            let next = self.line.reader.poll_next(cx, &mut self.line.socket, &mut self.line.writer.control);
            if self.line.reader.take_heard() {
                self.pulse.heard(Instant::now());
            }
            match next {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Incoming::Alive) => {}
                Poll::Ready(Incoming::Lost) => return Poll::Ready(Parting::Lost),
                Poll::Ready(Incoming::Closed) => return Poll::Ready(Parting::Answer),
                Poll::Ready(Incoming::Broken) => {
                    self.hearing = Hearing::Off;
                    self.end(CloseReason::ProtocolViolation);
                    return Poll::Pending;
                }
                Poll::Ready(message) => hand_in(&self.session, parse(&self.shared, &message), &mut self.line.writer),
            }
            if !self.has_room() {
                self.hearing = Hearing::Waiting;
            }
        }
        Poll::Pending
    }

    /// Whether the answer to whatever comes next has a place to wait in.
    fn has_room(&self) -> bool {
        self.session.can_submit() && !self.line.writer.is_laden()
    }

    /// Does what is due by the clock; says how the connection ends, if it does.
    fn beat(&mut self) -> Option<Parting> {
        let now = Instant::now();
        if self.end_by.is_some_and(|by| now >= by) {
            return Some(Parting::Lost);
        }
        let is_deaf = self.hearing == Hearing::Waiting;
        #[cfg(feature = "fault_injection")]
        let is_deaf = is_deaf && !chat_core::fault_injection::is(chat_core::fault_injection::Bug::MistakeSilence);
        if is_deaf {
            self.pulse.heard(now);
        }
        match self.pulse.beat(now, self.line.writer.stalled()) {
            Beat::Rest => {}
            Beat::Ping => self.line.writer.control.extend_from_slice(&frames::PING),
            Beat::PeerGone => self.end(CloseReason::PeerTimeout),
            Beat::Stalled => {
                // The frame that says so would wait behind all the others.
                self.session.close(CloseReason::SlowConsumer);
                return Some(Parting::Lost);
            }
        }
        None
    }

    fn deadline(&self) -> Instant {
        self.end_by.unwrap_or_else(|| self.pulse.deadline(self.line.writer.stalled()))
    }

    /// Ends the connection from this side: the session's last frame is due, and soon must be out.
    fn end(&mut self, reason: CloseReason) {
        self.session.close(reason);
        self.end_by.get_or_insert_with(|| Instant::now() + self.shared.config.close_timeout);
    }
}

#[cfg(test)]
mod tests;
