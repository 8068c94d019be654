//! Where time comes from.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use crate::types::{Mono, Now, Wall};

/// A source of time. The monotonic half must never go back; the wall half may.
pub trait Clock: Send + Sync + 'static {
    /// The present.
    fn now(&self) -> Now;

    /// The runtime's instant at which `mono` is reached, to sleep until.
    fn instant(&self, mono: Mono) -> Instant;
}

/// The system's clocks; under a paused tokio runtime the monotonic half is virtual.
#[derive(Debug)]
pub struct SystemClock {
    start: Instant,
}

impl SystemClock {
    /// A clock whose monotonic half starts now.
    pub fn new() -> Self {
        Self { start: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Now {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Now { wall: Wall(wall.as_millis() as u64), mono: Mono(self.start.elapsed().as_millis() as u64) }
    }

    fn instant(&self, mono: Mono) -> Instant {
        self.start + Duration::from_millis(mono.0)
    }
}
