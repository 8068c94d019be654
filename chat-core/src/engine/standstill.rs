//! A feed that another server has: how far that one has come, and whether it does not come on.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::meters::{FeedCounts, FeedPlace};
use crate::ports::{FeedChange, FeedCursor, FeedError, FeedName, FeedSlice, LogFeed};
use crate::types::Wall;

/// How often it is looked at. 30 s: two reads of a database for each server and feed.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// How long a feed may stand still with something to be told before that is warned of. 5 min: a backend that answers is never as slow, and the longest pause
/// before a delivery is tried again is as long.
const STILL_MAX: Duration = Duration::from_secs(300);

/// What was seen of a feed while another server had it.
#[derive(Default)]
pub(crate) struct Standstill(Option<Seen>);

struct Seen {
    cursor: FeedCursor,
    /// Since when it has been there, with something to be told.
    since: Instant,
    looked: Instant,
    is_stalled: bool,
}

impl Standstill {
    /// This server has the feed.
    pub(crate) fn end(&mut self) {
        self.0 = None;
    }

    /// Looks, where it has not been looked for a while. What cannot be read is looked at again.
    pub(crate) async fn look(
        &mut self,
        feed: &dyn LogFeed,
        name: &FeedName,
        counts: &Arc<FeedCounts>,
    ) -> Result<(), FeedError> {
        let now = Instant::now();
        if self.0.as_ref().is_some_and(|seen| now < seen.looked + LOOK_EVERY) {
            return Ok(());
        }
        let known = feed.feeds().await?.into_iter().find(|(known, _)| known == name);
        let cursor = match known {
            Some((_, cursor)) => cursor,
            // Nobody has ever read it: it begins with the oldest there is.
            None => feed.since(None, 0).await?.next,
        };
        let slice = feed.since(Some(&cursor), 1).await?;
        let (behind, oldest) = (behind(&slice), oldest(&slice));
        let before = self.0.take().filter(|seen| behind > 0 && seen.cursor == cursor);
        let (since, was_stalled) = before.map_or((now, false), |seen| (seen.since, seen.is_stalled));
        let is_stalled = now >= since + STILL_MAX;
        if is_stalled && !was_stalled {
            tracing::warn!(
                feed = name.as_str(),
                behind,
                "the server that has this feed does not come on with it: it may not read it at all, or nobody confirms what it tells"
            );
        }
        counts.is_at(FeedPlace { is_here: false, is_stalled, behind, oldest });
        self.0 = Some(Seen { cursor, since, looked: now, is_stalled });
        Ok(())
    }
}

/// How many batches follow a cursor.
pub(crate) fn behind(slice: &FeedSlice) -> u64 {
    slice.behind.saturating_add(slice.batches.len() as u64)
}

/// When the first record of a slice was written.
pub(crate) fn oldest(slice: &FeedSlice) -> Option<Wall> {
    slice.batches.iter().find_map(|batch| match &batch.change {
        FeedChange::Appended(records) => records.first().map(|record| record.at),
        FeedChange::Deleted => None,
    })
}
