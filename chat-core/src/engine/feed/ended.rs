//! Incarnations that are over and still read: no room can be asked for their memory.

use std::sync::{Arc, Mutex, MutexGuard, Weak};

use crate::engine::feed::room_feed::RoomFeed;
use crate::locks::lock;

/// Ended incarnations, as long as anybody reads them.
#[derive(Default)]
pub(crate) struct EndedFeeds {
    feeds: Mutex<Vec<Weak<RoomFeed>>>,
}

impl EndedFeeds {
    /// An incarnation is over. Its readers may read it to its end, unless its memory is needed.
    pub(crate) fn note(&self, feed: &Arc<RoomFeed>) {
        let mut ended = self.lock();
        if ended.len() == ended.capacity() {
            ended.retain(|feed| feed.strong_count() > 0);
        }
        ended.push(Arc::downgrade(feed));
    }

    /// Takes their memory from all of them.
    pub(crate) fn evict(&self) {
        let ended = std::mem::take(&mut *self.lock());
        ended.iter().filter_map(Weak::upgrade).for_each(|feed| feed.backlog.evict(0));
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Weak<RoomFeed>>> {
        lock(&self.feeds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::feed::budget::MemoryBudget;
    use crate::types::{Epoch, RoomCode, RoomLimits, Seq};

    fn feed(budget: &Arc<MemoryBudget>) -> Arc<RoomFeed> {
        let code = RoomCode::parse("LUNCH").expect("a room code");
        Arc::new(RoomFeed::new(code, Epoch(1), Seq(0), false, &RoomLimits::default(), budget))
    }

    #[test]
    fn only_those_are_remembered_that_somebody_reads() {
        let (budget, ended) = (MemoryBudget::new(800), EndedFeeds::default());
        let read: Vec<_> = (0..10).map(|_| feed(&budget)).collect();
        read.iter().for_each(|feed| ended.note(feed));
        for _ in 0..10_000 {
            ended.note(&feed(&budget));
        }
        let feeds = ended.lock();
        assert!(feeds.len() < 100, "{} feeds", feeds.len());
        assert_eq!(feeds.iter().filter(|feed| feed.strong_count() > 0).count(), 10);
    }
}
