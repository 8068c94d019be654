//! What is counted about deliveries, for whoever looks at them while they go on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts, as of one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Events that the backend has confirmed.
    pub delivered: u64,
    /// Attempts that were not confirmed, and were made again.
    pub failed: u64,
    /// Deliveries that were left to another server, which has the feed by now.
    pub left: u64,
    /// Batches that the log let go of before they were delivered.
    pub missed: u64,
    /// Batches of records that are behind the last page that was read.
    pub behind: u64,
}

/// Reads the counts of a webhook that runs.
#[derive(Clone, Debug, Default)]
pub struct StatsReader(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    delivered: AtomicU64,
    failed: AtomicU64,
    left: AtomicU64,
    missed: AtomicU64,
    behind: AtomicU64,
}

impl StatsReader {
    /// The counts, as of now.
    pub fn now(&self) -> Stats {
        let Counts { delivered, failed, left, missed, behind } = &*self.0;
        let [delivered, failed, left, missed, behind] =
            [delivered, failed, left, missed, behind].map(|count| count.load(Ordering::Relaxed));
        Stats { delivered, failed, left, missed, behind }
    }

    pub(crate) fn delivered(&self, events: usize) {
        self.0.delivered.fetch_add(events as u64, Ordering::Relaxed);
    }

    pub(crate) fn failed(&self) {
        self.0.failed.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn left(&self) {
        self.0.left.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn missed(&self, batches: u64) {
        self.0.missed.fetch_add(batches, Ordering::Relaxed);
    }

    pub(crate) fn behind(&self, batches: u64) {
        self.0.behind.store(batches, Ordering::Relaxed);
    }
}
