//! Ends streams that nobody asks for more: their connection has stalled, and a body is never told.
//!
//! One task watches all streams of a router, while there are any. It ends the session's stay on the stream; the socket,
//! with what it still holds, is the serving loop's to end.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use chat_core::{CloseReason, Connection, Engine};
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
    pub(crate) connection: Option<Connection>,
    /// By when the connection must have asked for the next chunk.
    pub(crate) ask_by: Instant,
    /// Why there is no session any more, where the watch has taken it.
    pub(crate) ended: CloseReason,
}

/// All streams of a router.
pub(crate) struct Watch {
    engine: Engine,
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

    /// Ends the session's stay if a drain has given it up.
    fn end_if_cut(&self) {
        let connection = {
            let mut held = self.lock();
            held.ended = CloseReason::Draining;
            held.connection.take_if(|connection| connection.is_cut())
        };
        drop(connection);
    }

    /// Ends the session's stay if the stream has stalled.
    fn end_if_stalled(&self, now: Instant) {
        let connection = {
            let mut held = self.lock();
            if now < held.ask_by {
                return;
            }
            held.connection.take()
        };
        if let Some(connection) = connection {
            connection.close(CloseReason::SlowConsumer);
        }
    }
}

impl Watch {
    /// Watches streams of this engine.
    pub(crate) fn new(engine: Engine) -> Arc<Self> {
        let stall_timeout = engine.limits().session.stall_timeout;
        let interval = (stall_timeout / LOOKS).max(INTERVAL_MIN);
        Arc::new(Self { engine, stall_timeout, interval, watched: Mutex::default() })
    }

    /// Takes a session into the care of a new stream.
    pub(crate) fn slot(self: &Arc<Self>, connection: Connection, ask_by: Instant) -> Arc<StreamSlot> {
        let slot = Arc::new(StreamSlot {
            held: Mutex::new(Held { connection: Some(connection), ask_by, ended: CloseReason::SlowConsumer }),
        });
        let mut watched = self.lock();
        watched.slots.push(Arc::downgrade(&slot));
        if !std::mem::replace(&mut watched.running, true) {
            tokio::spawn(Arc::clone(self).run());
        }
        slot
    }

    async fn run(self: Arc<Self>) {
        let mut cutting = Box::pin(self.engine.cutting());
        loop {
            let due = Instant::now() + self.interval;
            let is_cutting = tokio::select! {
                biased;
                () = &mut cutting => true,
                () = sleep_until(due) => false,
            };
            if is_cutting {
                // Before the look: another time is not missed.
                cutting = Box::pin(self.engine.cutting());
            }
            let now = Instant::now();
            // Taken out meanwhile, so that no new stream waits for the look at all the others.
            let mut slots = std::mem::take(&mut self.lock().slots);
            slots.retain(|slot| match slot.upgrade() {
                Some(slot) if is_cutting => {
                    slot.end_if_cut();
                    true
                }
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
