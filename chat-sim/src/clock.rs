//! A clock whose monotonic half is virtual time, and whose wall half is stepped now and then.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chat_core::{Clock, Mono, Now, Wall};
use tokio::time::Instant;

/// 2026-11-22T18:00:00Z, where every world begins.
const BEGINNING: i64 = 1_795_370_400_000;

/// One clock for all servers of a world.
#[derive(Debug)]
pub(crate) struct WorldClock {
    start: Instant,
    /// Milliseconds that the wall clock is off.
    off: AtomicI64,
    /// And those that it is far ahead, for a moment.
    ahead: AtomicI64,
}

impl WorldClock {
    pub(crate) fn new() -> Self {
        Self { start: Instant::now(), off: AtomicI64::new(0), ahead: AtomicI64::new(0) }
    }

    /// Sets the wall clock forward or back.
    pub(crate) fn step(&self, millis: i64) {
        self.off.fetch_add(millis, Ordering::Relaxed);
    }

    /// Sets the wall clock so far ahead of what it should be; 0 sets it right.
    pub(crate) fn set_ahead(&self, millis: i64) {
        self.ahead.store(millis, Ordering::Relaxed);
    }

    /// What the wall clock should be.
    pub(crate) fn right(&self) -> Wall {
        let mono = self.start.elapsed().as_millis() as u64;
        let wall = BEGINNING.saturating_add_unsigned(mono) + self.off.load(Ordering::Relaxed);
        Wall(u64::try_from(wall).unwrap_or(0))
    }
}

impl Clock for WorldClock {
    fn now(&self) -> Now {
        let mono = self.start.elapsed().as_millis() as u64;
        let wall = self.right().0.saturating_add_signed(self.ahead.load(Ordering::Relaxed));
        Now { wall: Wall(wall), mono: Mono(mono) }
    }

    fn instant(&self, mono: Mono) -> Instant {
        self.start + Duration::from_millis(mono.0)
    }
}
