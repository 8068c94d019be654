//! The embedder's clock, with long steps of its wall half believed late: one place for all rooms and sessions.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::time::Instant;

use crate::engine::shared::timers::Timers;
use crate::locks::lock;
use crate::ports::Clock;
use crate::types::{Belief, Mono, Now, RoomLimits, SteadyWall, WallStep};

/// By how many milliseconds the two halves may drift apart before they are looked at closely: reading the clock takes no lock
/// meanwhile.
const DRIFT: u64 = 1_000;
/// No offset of a clock that is believed.
const NOT_BELIEVED: i64 = i64::MIN;
/// Steps that nobody has been told of, at most. 64: a clock that steps so often says nothing. No limit: one list for all rooms, of 1 KiB.
const STEPS_MAX: usize = 64;

/// What the engine takes for the time.
pub(crate) struct SteadyClock {
    clock: Arc<dyn Clock>,
    /// By how much the wall clock is ahead of the monotonic one, when it was last believed.
    offset: AtomicI64,
    looks: Mutex<Looks>,
    /// Long steps seen, believed or not.
    steps: AtomicU64,
    timers: Arc<Timers>,
}

struct Looks {
    wall: SteadyWall,
    untold: Vec<WallStep>,
}

impl SteadyClock {
    /// At a start there is nothing to hold a clock against: it is believed.
    pub(crate) fn new(clock: Arc<dyn Clock>, limits: &RoomLimits, timers: Arc<Timers>) -> Self {
        let now = clock.now();
        let wall = SteadyWall::with_bounds(now, limits.clock_step_max, limits.clock_doubt);
        let looks = Mutex::new(Looks { wall, untold: Vec::new() });
        Self { clock, offset: AtomicI64::new(offset(now)), looks, steps: AtomicU64::new(0), timers }
    }

    /// The present, as far as it is believed.
    pub(crate) fn now(&self) -> Now {
        let now = self.clock.now();
        let offset = offset(now);
        if offset.abs_diff(self.offset.load(Ordering::Relaxed)) < DRIFT { now } else { self.look(now, offset) }
    }

    /// The runtime's instant at which `mono` is reached.
    pub(crate) fn instant(&self, mono: Mono) -> Instant {
        self.clock.instant(mono)
    }

    /// Long steps of the wall clock that were seen.
    pub(crate) fn steps(&self) -> u64 {
        self.steps.load(Ordering::Relaxed)
    }

    /// What the observer has not been told. Not told where it is seen: whoever reads a clock may hold a lock.
    pub(crate) fn take_untold(&self) -> Vec<WallStep> {
        std::mem::take(&mut self.lock().untold)
    }

    fn look(&self, now: Now, offset: i64) -> Now {
        #[cfg(feature = "fault_injection")]
        if crate::fault_injection::is(crate::fault_injection::Bug::BelieveClock) {
            return now;
        }
        let mut looks = self.lock();
        let (wall, step) = looks.wall.look(now);
        let is_doubting = looks.wall.is_doubting();
        self.offset.store(if is_doubting { NOT_BELIEVED } else { offset }, Ordering::Relaxed);
        if let Some(step) = step {
            if step.belief == Belief::Doubted {
                self.steps.fetch_add(1, Ordering::Relaxed);
            }
            if looks.untold.len() < STEPS_MAX {
                looks.untold.push(step);
            }
            self.timers.sooner.notify_one();
        }
        Now { wall, ..now }
    }

    fn lock(&self) -> MutexGuard<'_, Looks> {
        lock(&self.looks)
    }
}

fn offset(now: Now) -> i64 {
    let signed = |millis: u64| i64::try_from(millis).unwrap_or(i64::MAX);
    signed(now.wall.0) - signed(now.mono.0)
}
