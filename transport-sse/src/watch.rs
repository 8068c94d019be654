//! Ends streams that nobody asks for more: their connection has stalled, and a body is never told.
//!
//! One task watches all streams of a router, while there are any. It ends the session's stay on the stream; the socket,
//! with what it still holds, is the serving loop's to end.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use chat_core::{CloseReason, Connection};
use chat_serve::was_paused;
use tokio::time::{Instant, sleep_until};

/// A stream's hold on its session, shared with the watch.
#[derive(Debug)]
pub(crate) struct StreamSlot {
    held: Mutex<Held>,
}

#[derive(Debug)]
pub(crate) struct Held {
    /// `None` once the stream is over.
    pub(crate) session: Option<Connection>,
    /// By when the connection must have asked for the next chunk.
    pub(crate) ask_by: Instant,
}

/// All streams of a router.
#[derive(Debug)]
pub(crate) struct Watch {
    stall_timeout: Duration,
    /// How often each stream is looked at.
    interval: Duration,
    watched: Mutex<Watched>,
}

#[derive(Debug, Default)]
struct Watched {
    slots: Vec<Weak<StreamSlot>>,
    running: bool,
}

/// Looks at a stream in the time that it may stall. 4: it is ended after at most a quarter more.
const LOOKS: u32 = 4;
/// A pause between looks, however short the stall timeout.
const INTERVAL_MIN: Duration = Duration::from_millis(10);

impl StreamSlot {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Held> {
        lock(&self.held)
    }

    /// The process was paused: until `ask_by` it is not the connection's fault that it has asked for nothing.
    fn excuse(&self, ask_by: Instant) {
        let mut held = self.lock();
        held.ask_by = held.ask_by.max(ask_by);
    }

    /// Ends the session's stay if the stream has stalled.
    fn end_if_stalled(&self, now: Instant) {
        let session = {
            let mut held = self.lock();
            if now < held.ask_by {
                return;
            }
            held.session.take()
        };
        if let Some(session) = session {
            session.close(CloseReason::SlowConsumer);
        }
    }
}

impl Watch {
    /// Watches streams that may stall for `stall_timeout`.
    pub(crate) fn new(stall_timeout: Duration) -> Arc<Self> {
        let interval = (stall_timeout / LOOKS).max(INTERVAL_MIN);
        Arc::new(Self { stall_timeout, interval, watched: Mutex::default() })
    }

    /// Takes a session into the care of a new stream.
    pub(crate) fn slot(self: &Arc<Self>, session: Connection, ask_by: Instant) -> Arc<StreamSlot> {
        let slot = Arc::new(StreamSlot { held: Mutex::new(Held { session: Some(session), ask_by }) });
        let mut watched = self.lock();
        watched.slots.push(Arc::downgrade(&slot));
        if !std::mem::replace(&mut watched.running, true) {
            tokio::spawn(Arc::clone(self).run());
        }
        slot
    }

    async fn run(self: Arc<Self>) {
        loop {
            let due = Instant::now() + self.interval;
            sleep_until(due).await;
            let now = Instant::now();
            // Taken out meanwhile, so that no new stream waits for the look at all the others.
            let mut slots = std::mem::take(&mut self.lock().slots);
            slots.retain(|slot| match slot.upgrade() {
                Some(slot) if was_paused(due, now) => {
                    slot.excuse(now + self.stall_timeout);
                    true
                }
                Some(slot) => {
                    slot.end_if_stalled(now);
                    true
                }
                None => false,
            });
            let mut watched = self.lock();
            slots.append(&mut watched.slots);
            watched.running = !slots.is_empty();
            watched.slots = slots;
            if !watched.running {
                return;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Watched> {
        lock(&self.watched)
    }
}

/// Locks it, whether or not somebody panicked while they held it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
