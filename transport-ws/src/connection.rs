//! One connection from its first frame to its last: one task, one loop.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use chat_core::{CloseReason, ConnectRequest, Session};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::coop::has_budget_remaining;
use tokio::time::{Instant, Sleep, sleep_until};

use super::farewell;
use super::frames;
use super::greeting::{greet, hand_in, parse};
use super::pulse::{Beat, Pulse};
use super::reader::{Incoming, Reader};
use super::upgrade::Shared;
use super::writer::Writer;

/// A socket with what reads and writes it.
#[derive(Debug)]
pub(crate) struct Line<S> {
    pub(crate) socket: S,
    pub(crate) reader: Reader,
    pub(crate) writer: Writer,
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Parting {
    /// The peer is gone, or takes nothing any more: nobody is left to tell.
    Lost,
    /// The peer closes; the answer is ready to be written.
    Answer,
    /// We close, and wait for the peer's answer.
    Close(CloseReason),
    /// We close, and can understand no answer.
    Abandon(CloseReason),
}

/// Serves one socket that speaks WebSocket from here on.
pub(crate) async fn serve<S>(socket: S, shared: Arc<Shared>, asked: ConnectRequest)
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let reader = Reader::new(shared.engine.limits().session.frame_bytes_max);
    let mut line = Line { socket, reader, writer: Writer::default() };
    // Beginnings and ends are boxed: a connection spends its life between them.
    let (parting, session) = match Box::pin(greet(&mut line, &shared, asked)).await {
        Ok(session) => (converse(&mut line, &session, &shared).await, Some(session)),
        Err(parting) => (parting, None),
    };
    if parting != Parting::Lost {
        Box::pin(farewell::part(line, parting, session, shared.config.close_timeout)).await;
    }
}

async fn converse<S>(line: &mut Line<S>, session: &Session, shared: &Shared) -> Parting
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let pulse = Pulse::new(&shared.config, shared.engine.limits().session.stall_timeout, Instant::now());
    let mut timer = pin!(sleep_until(pulse.deadline(None)));
    let mut talk = Talk { shared, session, pulse, hearing: Hearing::On, end_by: None, alarm: None };
    poll_fn(|cx| talk.poll(cx, line, timer.as_mut())).await
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

struct Talk<'a> {
    shared: &'a Shared,
    session: &'a Session,
    pulse: Pulse,
    hearing: Hearing,
    /// Until when the end of the connection must be written, once we have ended it.
    end_by: Option<Instant>,
    /// When the timer fires; `None` until it runs. The timer itself is not looked at before: the task is always the same, and so
    /// is whom it wakes.
    alarm: Option<Instant>,
}

impl Talk<'_> {
    fn poll<S>(&mut self, cx: &mut Context<'_>, line: &mut Line<S>, mut timer: Pin<&mut Sleep>) -> Poll<Parting>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        loop {
            if self.alarm.is_none_or(|at| Instant::now() >= at) {
                if timer.as_mut().poll(cx).is_ready() {
                    if let Some(parting) = self.beat(line) {
                        return Poll::Ready(parting);
                    }
                    self.set(timer.as_mut(), self.deadline(line));
                    continue;
                }
                self.alarm = Some(timer.deadline());
            }
            if let Poll::Ready(parting) = self.poll_read(cx, line) {
                return Poll::Ready(parting);
            }
            match line.writer.poll_source(cx, &mut line.socket, self.session) {
                Poll::Ready(Ok(reason)) if self.hearing == Hearing::Off => {
                    return Poll::Ready(Parting::Abandon(reason));
                }
                Poll::Ready(Ok(reason)) => return Poll::Ready(Parting::Close(reason)),
                Poll::Ready(Err(_)) => return Poll::Ready(Parting::Lost),
                Poll::Pending => {}
            }
            if line.writer.take_drained() {
                self.pulse.heard(Instant::now());
            }
            // A stall, or the end, brings the deadline forward. A later one is found when the timer fires.
            if line.writer.stalled().is_some() || self.end_by.is_some() {
                let deadline = self.deadline(line);
                if self.alarm.is_none_or(|at| deadline < at) {
                    self.set(timer.as_mut(), deadline);
                    continue;
                }
            }
            // What was just written may have made room for what was left unread.
            if self.hearing == Hearing::Waiting && self.has_room(line) {
                self.hearing = Hearing::On;
                if has_budget_remaining() {
                    continue;
                }
                cx.waker().wake_by_ref();
            }
            return Poll::Pending;
        }
    }

    fn set(&mut self, timer: Pin<&mut Sleep>, deadline: Instant) {
        timer.reset(deadline);
        self.alarm = None;
    }

    /// Takes in what the peer sent, as long as there is room for the answers.
    fn poll_read<S>(&mut self, cx: &mut Context<'_>, line: &mut Line<S>) -> Poll<Parting>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        while self.hearing == Hearing::On {
            let next = line.reader.poll_next(cx, &mut line.socket, &mut line.writer.control);
            if line.reader.take_heard() {
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
                Poll::Ready(message) => hand_in(self.session, parse(self.shared, &message), &mut line.writer),
            }
            if !self.has_room(line) {
                self.hearing = Hearing::Waiting;
            }
        }
        Poll::Pending
    }

    /// Whether the answer to whatever comes next has a place to wait in.
    fn has_room<S>(&self, line: &Line<S>) -> bool {
        self.session.can_submit() && !line.writer.is_laden()
    }

    /// Does what is due by the clock; says how the connection ends, if it does.
    fn beat<S>(&mut self, line: &mut Line<S>) -> Option<Parting> {
        let now = Instant::now();
        if self.end_by.is_some_and(|by| now >= by) {
            return Some(Parting::Lost);
        }
        if self.hearing == Hearing::Waiting {
            self.pulse.heard(now);
        }
        match self.pulse.beat(now, line.writer.stalled()) {
            Beat::Rest => {}
            Beat::Ping => line.writer.control.extend_from_slice(&frames::PING),
            Beat::PeerGone => self.end(CloseReason::PeerTimeout),
            Beat::Stalled => {
                // The frame that says so would wait behind all the others.
                self.session.close(CloseReason::SlowConsumer);
                return Some(Parting::Lost);
            }
        }
        None
    }

    fn deadline<S>(&self, line: &Line<S>) -> Instant {
        self.end_by.unwrap_or_else(|| self.pulse.deadline(line.writer.stalled()))
    }

    /// Ends the connection from this side: the session's last frame is due, and soon must be out.
    fn end(&mut self, reason: CloseReason) {
        self.session.close(reason);
        self.end_by.get_or_insert_with(|| Instant::now() + self.shared.config.close_timeout);
    }
}

#[cfg(test)]
mod tests;
