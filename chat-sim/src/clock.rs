//! A clock whose monotonic half is virtual time, and whose wall half is stepped now and then.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chat_core::{Clock, Mono, Now, Wall};
use tokio::time::Instant;

use crate::locks::lock;

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

/// The clock of one server: the world's, but that it may stand still, and be off by some.
#[derive(Debug)]
pub(crate) struct ServerClock {
    world: Arc<WorldClock>,
    /// Milliseconds that its wall clock is off.
    off: i64,
    /// From when to when it stands still, in the world's monotonic milliseconds.
    stands: Mutex<Vec<(u64, u64)>>,
}

impl ServerClock {
    pub(crate) fn new(world: Arc<WorldClock>, off: i64) -> Self {
        Self { world, off, stands: Mutex::default() }
    }

    /// It stands still from now on for this time; it is right again by the wall at once after that.
    pub(crate) fn stand_still(&self, time: Duration) {
        let now = self.world.now().mono.0;
        let until = now + u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        lock(&self.stands).push((now, until));
    }
}

impl Clock for ServerClock {
    fn now(&self) -> Now {
        let Now { wall, mono } = self.world.now();
        let stood = |(from, until): &(u64, u64)| mono.0.clamp(*from, *until) - from;
        let stood: u64 = lock(&self.stands).iter().map(stood).sum();
        Now { wall: Wall(wall.0.saturating_add_signed(self.off)), mono: Mono(mono.0 - stood) }
    }

    fn instant(&self, mono: Mono) -> Instant {
        let mut at = mono.0;
        for (from, until) in lock(&self.stands).iter() {
            // It is so late only once it goes on.
            if at > *from {
                at += until - from;
            }
        }
        self.world.instant(Mono(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_has_stood_still_goes_on_from_there() {
        let world = Arc::new(WorldClock::new());
        let clock = ServerClock::new(Arc::clone(&world), 0);
        let pass = async |secs| tokio::time::sleep(Duration::from_secs(secs)).await;
        pass(1).await;
        let at = clock.instant(Mono(3_000));
        clock.stand_still(Duration::from_secs(5));
        pass(2).await;
        assert_eq!(clock.now().mono, Mono(1_000));
        assert_eq!(clock.instant(Mono(3_000)) - at, Duration::from_secs(5));
        pass(4).await;
        assert_eq!(clock.now().mono, Mono(2_000));
        assert_eq!(world.now().mono, Mono(7_000));
        clock.stand_still(Duration::from_secs(1));
        assert_eq!(clock.instant(Mono(3_000)) - at, Duration::from_secs(6));
    }
}
