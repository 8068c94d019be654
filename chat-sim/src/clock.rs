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
}

impl WorldClock {
    pub(crate) fn new() -> Self {
        Self { start: Instant::now(), off: AtomicI64::new(0) }
    }

    /// Sets the wall clock forward or back.
    pub(crate) fn step(&self, millis: i64) {
        self.off.fetch_add(millis, Ordering::Relaxed);
    }
}

impl Clock for WorldClock {
    fn now(&self) -> Now {
        let mono = self.start.elapsed().as_millis() as u64;
        let wall = BEGINNING.saturating_add_unsigned(mono) + self.off.load(Ordering::Relaxed);
        Now { wall: Wall(u64::try_from(wall).unwrap_or(0)), mono: Mono(mono) }
    }

    fn instant(&self, mono: Mono) -> Instant {
        self.start + Duration::from_millis(mono.0)
    }
}
