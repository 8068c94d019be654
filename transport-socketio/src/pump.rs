//! What is due to one session, emitted as fast as its connection takes it and no faster.
//!
//! socketioxide's queue of packets is bounded in packets and says nothing when there is room again; where it is full when a ping
//! is due, the connection is given up. So it is made larger than what the pump ever puts into it: the pump counts bytes, and stays
//! [`ahead_bytes_max`](super::SocketIoConfig::ahead_bytes_max) ahead of its client at most.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use chat_core::{CloseReason, Fill};
use chat_serve::was_paused;
use socketioxide::socket::Socket;
use tokio::time::{Instant, Sleep, sleep_until};

use super::close::{self, Exit};
use super::config::SocketIoConfig;
use super::engineio_session::EngineIoSession;
use super::fill_source::{Batch, Source};
use super::keepalive::Keepalive;
use super::link::{AttachedSession, Link, Loss};
use super::packet::{PacketSink, Untaken};

/// Bytes ahead that are none: what is counted and what is taken may differ by a few. 16: less than the shortest packet.
const SLACK_BYTES: u64 = 16;
/// The shortest frame as a packet, in bytes, or less. 32: an ack is longer.
const PACKET_BYTES_MIN: usize = 32;
/// Packets that are not the pump's: a ping, a close, refusals while its own wait. 64.
const PACKETS_SPARE: usize = 64;
/// Fills emitted before other tasks have their turn. 8: half a megabyte.
const FILLS_MAX: usize = 8;
/// How long to wait for a full queue that nothing is known of: first, and at most.
const RETRY: [Duration; 2] = [Duration::from_millis(5), Duration::from_millis(100)];

/// How many packets socketioxide's queue must hold so that the pump never fills it.
pub(crate) fn queue_packets(config: &SocketIoConfig) -> usize {
    config.ahead_bytes_max / PACKET_BYTES_MIN + PACKETS_SPARE
}

/// Emits what is due to a session until either side ends it.
pub(crate) async fn run(
    socket: Arc<Socket>,
    engineio: Arc<EngineIoSession>,
    attached: AttachedSession,
    stall_timeout: Duration,
    config: Arc<SocketIoConfig>,
) {
    let chat_session_number = engineio.chat_sessions();
    let AttachedSession { due, link } = attached;
    let ahead_max = config.ahead_bytes_max as u64;
    let keepalive = Keepalive::new(&config, Instant::now());
    let mut pump =
        Pump::new(due, Arc::clone(&socket), Arc::clone(&engineio), link, ahead_max, stall_timeout, keepalive);
    let mut timer = pin!(sleep_until(pump.look_at()));
    let exit = poll_fn(|cx| pump.poll(cx, timer.as_mut())).await;
    if let Exit::Closing(_) = exit {
        // The last frame is worth waiting for, and the session is not detached before it is out.
        let _ = tokio::time::timeout(config.close_timeout, poll_fn(|cx| pump.poll_taken(cx))).await;
    }
    drop(pump);
    close::finish(socket, engineio, chat_session_number, exit, config.close_timeout).await;
}

/// Why nothing is emitted although something may be due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hold {
    /// It is ahead of the client as far as it may be.
    Ahead,
    /// The queue was full. It is tried again when the client has taken something, or then.
    Full { until: Instant },
}

pub(crate) struct Pump<S, O> {
    source: S,
    sink: O,
    engineio: Arc<EngineIoSession>,
    link: Arc<Link>,
    ahead_max: u64,
    stall_timeout: Duration,
    keepalive: Keepalive,
    batch: Batch,
    /// Bytes emitted and not yet taken.
    ahead: u64,
    /// What the client had taken when last looked at.
    taken: u64,
    hold: Option<Hold>,
    /// How long to wait for a full queue that nothing is heard of.
    retry: Duration,
    /// Since when nothing is taken although something should be.
    stalled: Option<Instant>,
    /// When the timer fires; `None` until it runs. The timer itself is not looked at before: the task is always the same, and so
    /// is whom it wakes.
    timer_at: Option<Instant>,
}

impl<S: Source, O: PacketSink> Pump<S, O> {
    pub(crate) fn new(
        source: S,
        sink: O,
        engineio: Arc<EngineIoSession>,
        link: Arc<Link>,
        ahead_max: u64,
        stall_timeout: Duration,
        keepalive: Keepalive,
    ) -> Self {
        let taken = engineio.taken();
        Self {
            source,
            sink,
            engineio,
            link,
            ahead_max,
            stall_timeout,
            keepalive,
            batch: Batch::default(),
            ahead: 0,
            taken,
            hold: None,
            retry: RETRY[0],
            stalled: None,
            timer_at: None,
        }
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, mut timer: Pin<&mut Sleep>) -> Poll<Exit> {
        self.engineio.register(cx.waker());
        self.link.register(cx.waker());
        let mut fills = 0;
        loop {
            if let Some(loss) = self.link.loss() {
                return Poll::Ready(Exit::Lost(loss));
            }
            if self.link.is_flooding() {
                self.source.close(CloseReason::Flooding);
            }
            self.settle(self.engineio.taken());
            if self.timer_at.is_none_or(|at| Instant::now() >= at) {
                if timer.as_mut().poll(cx).is_ready() {
                    if let Some(exit) = self.on_timer(timer.deadline(), Instant::now()) {
                        return Poll::Ready(exit);
                    }
                    let look_at = self.look_at();
                    let deadline = self.deadline().map_or(look_at, |deadline| deadline.min(look_at));
                    self.set(timer.as_mut(), deadline);
                    continue;
                }
                self.timer_at = Some(timer.deadline());
            }
            if self.hold.is_some() {
                self.settle(self.engineio.await_taken());
                // A drain waits for nobody who takes nothing.
                if self.hold.is_some() && self.source.poll_cut(cx).is_ready() {
                    return Poll::Ready(Exit::Stalled);
                }
            }
            if self.hold.is_none() {
                if fills == FILLS_MAX {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                match self.source.poll_fill(cx, &mut self.batch) {
                    Poll::Ready(Fill::Ended(reason)) => return Poll::Ready(Exit::Closing(reason)),
                    Poll::Ready(Fill::Frames) => {
                        fills += 1;
                        match self.emit() {
                            Some(loss) => return Poll::Ready(Exit::Lost(loss)),
                            None => continue,
                        }
                    }
                    Poll::Pending => self.batch = Batch::default(),
                }
            }
            // A later deadline than the timer's is found when the timer fires.
            let timer_at = self.timer_at;
            match self.deadline().filter(|deadline| timer_at.is_none_or(|at| *deadline < at)) {
                Some(deadline) => self.set(timer.as_mut(), deadline),
                None => return Poll::Pending,
            }
        }
    }

    fn set(&mut self, timer: Pin<&mut Sleep>, deadline: Instant) {
        timer.reset(deadline);
        self.timer_at = None;
    }

    /// Waits until all that was emitted is taken, or nobody is left to take it.
    pub(crate) fn poll_taken(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.engineio.register(cx.waker());
        self.link.register(cx.waker());
        self.settle(self.engineio.await_taken());
        match self.owes() && self.link.loss().is_none() {
            true => self.source.poll_cut(cx),
            false => Poll::Ready(()),
        }
    }

    /// Emits a fill, as far as it goes.
    fn emit(&mut self) -> Option<Loss> {
        let mut emitted = 0;
        let mut loss = None;
        for &(kind, tag, end) in &self.batch.frames.0 {
            if self.ahead >= self.ahead_max {
                self.hold = Some(Hold::Ahead);
                break;
            }
            let json = std::str::from_utf8(&self.batch.json[emitted..end]).expect("frames are UTF-8");
            match self.sink.send(kind, tag, json) {
                Ok(bytes) => {
                    self.ahead += bytes;
                    self.retry = RETRY[0];
                    emitted = end;
                }
                Err(Untaken::Full) => {
                    self.hold = Some(Hold::Full { until: Instant::now() + self.retry });
                    self.retry = RETRY[1].min(2 * self.retry);
                    break;
                }
                Err(Untaken::Gone) => {
                    loss = Some(self.link.loss().unwrap_or(Loss::Ended));
                    break;
                }
            }
        }
        self.source.written(emitted);
        self.batch.frames.0.clear();
        self.batch.json.clear();
        loss
    }

    /// Takes note of what the client has taken in all.
    fn settle(&mut self, taken: u64) {
        let fresh = taken - self.taken;
        if fresh > 0 {
            self.taken = taken;
            self.ahead = self.ahead.saturating_sub(fresh);
            self.stalled = None;
        }
        match self.hold {
            // Down to the half, so that the next fill goes out as a whole.
            Some(Hold::Ahead) if self.ahead <= self.ahead_max / 2 => self.hold = None,
            Some(Hold::Full { .. }) if fresh > 0 => self.hold = None,
            _ => {}
        }
    }

    /// When to look whether the client is still there. Later each time: it is found when the timer fires.
    fn look_at(&self) -> Instant {
        self.keepalive.deadline(Instant::now(), self.engineio.heard())
    }

    /// Does what is due by the clock, seen by a timer that was due at `due`.
    fn on_timer(&mut self, due: Instant, now: Instant) -> Option<Exit> {
        if self.keepalive.is_gone(due, now, self.engineio.heard()) {
            self.source.close(CloseReason::PeerTimeout);
            return Some(Exit::Silent);
        }
        if was_paused(due, now) && self.stalled.is_some() {
            self.stalled = Some(now);
        }
        if self.owes() && self.stalled.is_some_and(|since| now >= since + self.stall_timeout) {
            self.source.close(CloseReason::SlowConsumer);
            return Some(Exit::Stalled);
        }
        if let Some(Hold::Full { until }) = self.hold
            && now >= until
        {
            self.hold = None;
        }
        None
    }

    fn deadline(&mut self) -> Option<Instant> {
        if !self.owes() {
            self.stalled = None;
            return None;
        }
        let given_up = *self.stalled.get_or_insert_with(Instant::now) + self.stall_timeout;
        match self.hold {
            Some(Hold::Full { until }) => Some(until.min(given_up)),
            _ => Some(given_up),
        }
    }

    /// Whether the connection should be taking something.
    fn owes(&self) -> bool {
        self.ahead > SLACK_BYTES || self.hold.is_some()
    }
}

#[cfg(test)]
mod tests;
