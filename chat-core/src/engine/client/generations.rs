//! Numbers of connections: of two that ask for one session, at whichever server, the greater is the newer.

use std::sync::atomic::Ordering;

use crate::engine::shared::Shared;
use crate::types::{Generation, Wall};

/// Bits of a generation that are drawn, where there are several servers; above them stands with which token its connection came.
const DRAWN_BITS: u32 = 44;
const DRAWN_MAX: u64 = (1 << DRAWN_BITS) - 1;

impl Shared {
    pub(crate) fn next_generation(&self) -> Generation {
        let next = |last: u64| match &self.cluster {
            None => last + 1,
            // None knows what another server has given: the later is the higher, as far as their clocks agree.
            Some(_) => (self.steady_millis() << 4 | self.ids.salt() & 15).max(last + 1),
        };
        let mut drawn = 0;
        // It is never given up.
        let _ = self.generations.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| {
            drawn = next(last);
            Some(drawn)
        });
        Generation(drawn)
    }

    /// In place of one that was drawn here: one that is newer than this, which another server has given.
    pub(crate) fn next_generation_above(&self, drawn: Generation, newest: Generation) -> Generation {
        let newest = drawn.0 & !DRAWN_MAX | newest.0 & DRAWN_MAX;
        self.generations.fetch_max(newest, Ordering::Relaxed);
        self.next_generation()
    }

    /// What ids of sessions are told the time by: the same at several servers though one of their clocks is set.
    pub(crate) fn id_time(&self) -> Wall {
        if self.cluster.is_some() { Wall(self.steady_millis()) } else { self.clock.now().wall }
    }

    /// Milliseconds since 1970 by the clock as it was when the engine began: one that is set after that orders no two connections otherwise.
    pub(crate) fn steady_millis(&self) -> u64 {
        let passed = self.clock.now().mono.since(self.began.mono);
        self.began.wall.0 + u64::try_from(passed.as_millis()).unwrap_or_default()
    }

    /// Where there are several servers, whoever comes with a later token is the later one, whatever their clocks say; and with one token, who is
    /// by the clocks, until a room has heard of the other.
    pub(crate) fn generation_with(&self, issue: u32, drawn: Generation) -> Generation {
        #[cfg(feature = "fault_injection")]
        if crate::fault_injection::is(crate::fault_injection::Bug::NumberByClock) {
            return drawn;
        }
        match &self.cluster {
            None => drawn,
            Some(_) => {
                let issue = u64::from(issue).min((1 << (u64::BITS - DRAWN_BITS)) - 1);
                Generation(issue << DRAWN_BITS | drawn.0 & DRAWN_MAX)
            }
        }
    }
}

/// With which token a connection came.
pub(crate) fn issue_of(generation: Generation) -> u64 {
    generation.0 >> DRAWN_BITS
}
