//! A connection in memory: bounded, slow, split at random places, able to stall, break, go silent, and lie.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::{Buf, Bytes};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::runtime::Handle;
use tokio::time::{Instant, Sleep, sleep, sleep_until};

use crate::locks::lock;
use crate::network::Lies;

/// After which a write that nobody acknowledges makes the next one fail, or the one that waits: what a server's
/// `TCP_USER_TIMEOUT` does.
const GIVEN_UP: Duration = Duration::from_secs(20);

/// How many bytes come at a time where they dribble, at most.
const DRIBBLE: usize = 5;
/// The share of what is written that is held up, where anything is.
const HELD_UP: f64 = 0.03;
/// For how many times as long nothing is held up again: a line that is held up with every few bytes is one that nobody can follow on.
const BETWEEN: u32 = 10;
/// After how many bytes a connection ends by itself, where it does.
const BREAKS_AFTER: Range<usize> = 200..20_000;

/// Makes a connection: both its ends, and the hand on the cable.
pub(crate) fn pipe(rng: &mut StdRng, capacity: usize, latency: Duration, lies: Option<&Lies>) -> (End, End, Cable) {
    let up = Direction::new(rng, capacity, latency);
    let down = Direction::new(rng, capacity, latency);
    let mut client = End::new(Arc::clone(&down), Arc::clone(&up));
    if let Some(lies) = lies {
        for direction in [&up, &down] {
            let mut flow = direction.flow();
            flow.hiccup = lies.hiccup;
            flow.dribbles = rng.random_bool(lies.dribbles);
        }
        if rng.random_bool(lies.breaks) {
            let direction = if rng.random_bool(0.5) { &up } else { &down };
            direction.flow().breaks_after = Some(rng.random_range(BREAKS_AFTER));
        }
        client.late_end = lies.late_end.mul_f64(rng.random_range(0.0..1.0));
    }
    let server = End::new(Arc::clone(&up), Arc::clone(&down));
    (client, server, Cable { up, down })
}

/// One direction of a connection.
pub(crate) struct Direction(Mutex<Flow>);

struct Flow {
    /// What is under way, and when it arrives.
    chunks: VecDeque<(Instant, Bytes)>,
    held: usize,
    capacity: usize,
    latency: Duration,
    state: State,
    /// The reader is not given anything for now.
    stalled: bool,
    /// Nor is it while the server stands still.
    frozen: bool,
    /// The writer has ended, or is gone.
    ended: bool,
    /// The reader is gone.
    unread: bool,
    /// Since when something was written in silence, which nobody acknowledges.
    unacknowledged: Option<Instant>,
    reader: Option<Waker>,
    writer: Option<Waker>,
    rng: StdRng,
    /// How long a piece may be held up.
    hiccup: Duration,
    /// Until when nothing is held up again.
    flows_until: Instant,
    /// A few bytes come at a time.
    dribbles: bool,
    /// After so many bytes more the writer has ended, for the reader: in the middle of whatever is on its way.
    breaks_after: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Whole,
    /// Both ends are told at once.
    Broken,
    /// Nobody is told anything, and nothing arrives any more.
    Silent,
}

impl Direction {
    fn new(rng: &mut StdRng, capacity: usize, latency: Duration) -> Arc<Self> {
        let rng = StdRng::seed_from_u64(rng.random());
        Arc::new(Self(Mutex::new(Flow {
            chunks: VecDeque::new(),
            held: 0,
            capacity,
            latency,
            state: State::Whole,
            stalled: false,
            frozen: false,
            ended: false,
            unread: false,
            unacknowledged: None,
            reader: None,
            writer: None,
            rng,
            hiccup: Duration::ZERO,
            flows_until: Instant::now(),
            dribbles: false,
            breaks_after: None,
        })))
    }

    fn flow(&self) -> MutexGuard<'_, Flow> {
        lock(&self.0)
    }

    fn change(&self, change: impl FnOnce(&mut Flow)) {
        let wakers = {
            let mut flow = self.flow();
            change(&mut flow);
            [flow.reader.take(), flow.writer.take()]
        };
        wakers.into_iter().flatten().for_each(Waker::wake);
    }
}

/// What the world may do to a connection.
#[derive(Clone)]
pub(crate) struct Cable {
    up: Arc<Direction>,
    down: Arc<Direction>,
}

impl Cable {
    /// The client reads nothing any more, or reads again.
    pub(crate) fn stall(&self, stalled: bool) {
        self.down.change(|flow| flow.stalled = stalled);
    }

    /// The server stands still: it neither reads nor is heard; or goes on.
    pub(crate) fn freeze(&self, frozen: bool) {
        for direction in [&self.up, &self.down] {
            direction.change(|flow| flow.frozen = frozen);
        }
    }

    /// Neither direction ends by itself any more.
    pub(crate) fn heal(&self) {
        for direction in [&self.up, &self.down] {
            direction.flow().breaks_after = None;
        }
    }

    /// Both ends see the connection break; what was under way is lost.
    pub(crate) fn cut(&self) {
        for direction in [&self.up, &self.down] {
            direction.change(|flow| {
                flow.state = State::Broken;
                flow.chunks.clear();
            });
        }
    }

    /// The server is not told that the client is gone.
    pub(crate) fn silence(&self) {
        for direction in [&self.up, &self.down] {
            direction.change(|flow| flow.state = State::Silent);
        }
    }
}

/// One end of a connection. Dropping it ends both directions, after what is under way has arrived.
pub(crate) struct End {
    inbound: Arc<Direction>,
    outbound: Arc<Direction>,
    arrival: Pin<Box<Sleep>>,
    /// Wakes a writer in silence.
    given_up: Option<Pin<Box<Sleep>>>,
    /// How long after its end the other side learns of that.
    late_end: Duration,
}

impl End {
    fn new(inbound: Arc<Direction>, outbound: Arc<Direction>) -> Self {
        Self {
            inbound,
            outbound,
            arrival: Box::pin(sleep_until(Instant::now())),
            given_up: None,
            late_end: Duration::ZERO,
        }
    }
}

impl AsyncRead for End {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let mut flow = this.inbound.flow();
        match flow.state {
            State::Broken => return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
            State::Whole if !flow.stalled && !flow.frozen => {}
            _ => {
                flow.reader = Some(cx.waker().clone());
                return Poll::Pending;
            }
        }
        let Some(&(at, _)) = flow.chunks.front() else {
            if flow.ended {
                return Poll::Ready(Ok(()));
            }
            flow.reader = Some(cx.waker().clone());
            return Poll::Pending;
        };
        if at > Instant::now() {
            flow.reader = Some(cx.waker().clone());
            drop(flow);
            this.arrival.as_mut().reset(at);
            if this.arrival.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            flow = this.inbound.flow();
        }
        let Flow { chunks, rng, dribbles, .. } = &mut *flow;
        let Some((_, chunk)) = chunks.front_mut() else { return Poll::Pending };
        let most = chunk.len().min(buf.remaining()).min(if *dribbles { DRIBBLE } else { usize::MAX });
        let taken = if rng.random_bool(0.5) { most } else { rng.random_range(most.min(1)..=most) };
        buf.put_slice(&chunk[..taken]);
        chunk.advance(taken);
        if chunk.is_empty() {
            chunks.pop_front();
        }
        flow.held -= taken;
        let writer = flow.writer.take();
        drop(flow);
        if let Some(writer) = writer {
            writer.wake();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for End {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let Self { outbound, given_up, .. } = self.get_mut();
        let mut flow = outbound.flow();
        if flow.state == State::Broken || flow.unread || flow.ended {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if flow.state == State::Silent {
            let since = *flow.unacknowledged.get_or_insert_with(Instant::now);
            let timer = given_up.get_or_insert_with(|| Box::pin(sleep_until(since + GIVEN_UP)));
            if timer.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
        }
        let most = bytes.len().min(flow.capacity - flow.held);
        if most == 0 && !bytes.is_empty() {
            flow.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let taken = if flow.rng.random_bool(0.7) { most } else { flow.rng.random_range(most.min(1)..=most) };
        let taken = taken.min(flow.breaks_after.unwrap_or(usize::MAX));
        if let Some(left) = &mut flow.breaks_after {
            *left -= taken;
            flow.ended = flow.breaks_after == Some(0);
        }
        if taken > 0 {
            let mut at = Instant::now() + flow.latency;
            if !flow.hiccup.is_zero() && at >= flow.flows_until && flow.rng.random_bool(HELD_UP) {
                at += flow.hiccup.mul_f64(flow.rng.random_range(0.0..1.0));
                flow.flows_until = at + BETWEEN * flow.hiccup;
            }
            flow.chunks.push_back((at, Bytes::copy_from_slice(&bytes[..taken])));
            flow.held += taken;
        }
        let reader = flow.reader.take();
        drop(flow);
        if let Some(reader) = reader {
            reader.wake();
        }
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.outbound.change(|flow| flow.ended = true);
        Poll::Ready(Ok(()))
    }
}

impl Drop for End {
    fn drop(&mut self) {
        // In silence nobody learns of it.
        if self.outbound.flow().state == State::Silent {
            return;
        }
        let (inbound, outbound, late) = (Arc::clone(&self.inbound), Arc::clone(&self.outbound), self.late_end);
        let end = move || {
            outbound.change(|flow| flow.ended = true);
            inbound.change(|flow| flow.unread = true);
        };
        match Handle::try_current() {
            Ok(runtime) if !late.is_zero() => drop(runtime.spawn(async move {
                sleep(late).await;
                end();
            })),
            _ => end(),
        }
    }
}

impl fmt::Debug for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("End")
    }
}
