//! What is counted of the feeds that have names: how far each is behind, what was missed, and what came of its deliveries.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::histogram::{Buckets, Histogram, TIMES};
use crate::locks::lock;
use crate::ports::FeedName;
use crate::types::Wall;

/// What came of one attempt to deliver a part of a feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeliveryOutcome {
    /// It was confirmed.
    Done,
    /// It was not confirmed, and is made again.
    Failed,
    /// It is not made again, as another server has the feed by now and delivers it.
    Left,
}

impl DeliveryOutcome {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 3] = [Self::Done, Self::Failed, Self::Left];

    /// Its name in lower case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Left => "left",
        }
    }
}

/// A named feed, as the engine that reads it knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FeedMeter {
    /// Its name.
    pub name: FeedName,
    /// Whether this server is the one that is told it. The others look every 30 s how far that one has come.
    pub is_here: bool,
    /// Batches of records that are not done, as of the last look: as many as one page tells, and those after it.
    pub behind: u64,
    /// How long ago the oldest record was written that is not done; zero where all is.
    pub lag: Duration,
    /// Whether this server is not told it and has warned that whoever is does not come on.
    pub is_stalled: bool,
    /// Events of the pages that were done here.
    pub events: u64,
    /// Batches that the log has let go of before they were read: the sum of all gaps.
    pub missed: u64,
    /// Attempts to deliver it, by [`DeliveryOutcome::ALL`], as far as its reader counts them.
    pub deliveries: [u64; 3],
}

/// The feeds of names that this engine reads, or has read.
#[derive(Default)]
pub(crate) struct FeedCounters {
    feeds: Mutex<BTreeMap<FeedName, Arc<FeedCounts>>>,
    took: Buckets<{ TIMES.len() }>,
}

/// The counts of one feed. One of a name beyond [`FeedName::MAX`] is counted, and shown to nobody.
#[derive(Default)]
pub(crate) struct FeedCounts {
    place: Mutex<FeedPlace>,
    events: AtomicU64,
    missed: AtomicU64,
    deliveries: [AtomicU64; 3],
}

/// How far somebody has come, as of the last look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct FeedPlace {
    pub(crate) is_here: bool,
    pub(crate) is_stalled: bool,
    pub(crate) behind: u64,
    /// When the oldest record was written that is not done.
    pub(crate) oldest: Option<Wall>,
}

impl FeedCounters {
    /// The counts of a feed that is read from now on.
    pub(crate) fn open(&self, name: &FeedName) -> Arc<FeedCounts> {
        let mut feeds = lock(&self.feeds);
        if let Some(known) = feeds.get(name) {
            return Arc::clone(known);
        }
        if feeds.len() >= FeedName::MAX {
            // Those that nobody reads any more.
            feeds.retain(|_, counts| Arc::strong_count(counts) > 1);
        }
        let counts = Arc::<FeedCounts>::default();
        if feeds.len() < FeedName::MAX {
            feeds.insert(name.clone(), Arc::clone(&counts));
        }
        counts
    }

    /// An attempt to deliver a part of a feed took so long.
    pub(crate) fn took(&self, took: Duration) {
        self.took.observe(&TIMES, u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    }

    /// What is known by now, and how long attempts took.
    pub(crate) fn read(&self, now: Wall) -> (Vec<FeedMeter>, Histogram) {
        let feeds = lock(&self.feeds).iter().map(|(name, counts)| counts.read(name, now)).collect();
        (feeds, Buckets::sum(&TIMES, [&self.took].into_iter()))
    }
}

impl FeedCounts {
    /// This server is told it from now on.
    pub(crate) fn is_here(&self) {
        let mut place = lock(&self.place);
        (place.is_here, place.is_stalled) = (true, false);
    }

    pub(crate) fn is_at(&self, place: FeedPlace) {
        *lock(&self.place) = place;
    }

    /// A page of so many events is done, and so many batches are not.
    pub(crate) fn is_done(&self, behind: u64, events: usize) {
        self.events.fetch_add(events as u64, Ordering::Relaxed);
        let mut place = lock(&self.place);
        place.behind = behind;
        if behind == 0 {
            place.oldest = None;
        }
    }

    pub(crate) fn miss(&self, batches: u64) {
        self.missed.fetch_add(batches, Ordering::Relaxed);
    }

    pub(crate) fn deliver(&self, outcome: DeliveryOutcome) {
        self.deliveries[outcome as usize].fetch_add(1, Ordering::Relaxed);
    }

    fn read(&self, name: &FeedName, now: Wall) -> FeedMeter {
        let FeedPlace { is_here, is_stalled, behind, oldest } = *lock(&self.place);
        let lag = oldest.map_or(Duration::ZERO, |oldest| Duration::from_millis(now.0.saturating_sub(oldest.0)));
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let deliveries = self.deliveries.each_ref().map(count);
        let (events, missed) = (count(&self.events), count(&self.missed));
        FeedMeter { name: name.clone(), is_here, behind, lag, is_stalled, events, missed, deliveries }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_for_each_reader_fills_no_memory() {
        let counters = FeedCounters::default();
        let name = |number: usize| FeedName::parse(&format!("feed-{number}")).expect("a valid name");
        let read: Vec<_> = (0..FeedName::MAX).map(|number| counters.open(&name(number))).collect();
        counters.open(&name(100)).miss(1);
        let shown = |counters: &FeedCounters| counters.read(Wall(0)).0;
        assert_eq!(shown(&counters).len(), FeedName::MAX);
        assert!(shown(&counters).iter().all(|meter| meter.missed == 0));
        drop(read);
        counters.open(&name(100)).miss(1);
        assert_eq!(shown(&counters).iter().map(|meter| meter.missed).collect::<Vec<_>>(), [1]);
    }

    #[test]
    fn outcomes_are_numbered_in_the_order_of_their_list() {
        assert!(DeliveryOutcome::ALL.iter().enumerate().all(|(index, outcome)| *outcome as usize == index));
    }
}
