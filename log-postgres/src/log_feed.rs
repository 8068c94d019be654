//! The port of the feed: reads beside everything else, and names in turn with other changes.

use async_trait::async_trait;
use chat_core::{FeedCursor, FeedError, FeedName, FeedSlice, LogFeed};

use crate::change::Change;
use crate::feed_cursor::Positions;
use crate::feed_read;
use crate::log::PgLog;
use crate::pool::unavailable;

/// Feeds of a name are read by the server that has the slot of the name: nobody else can put how far it is read.
#[async_trait]
impl LogFeed for PgLog {
    async fn since(&self, cursor: Option<&FeedCursor>, max: usize) -> Result<FeedSlice, FeedError> {
        if self.node.is_deposed() {
            // Whoever has the log tells it now.
            return Err(unavailable("another server has taken the log over").into());
        }
        let slice = feed_read::since(&self.pool, cursor, max).await?;
        if !slice.batches.is_empty() {
            self.confirm().await?;
        }
        Ok(slice)
    }

    async fn end(&self) -> Result<FeedCursor, FeedError> {
        let end = feed_read::end(&self.pool).await?;
        self.confirm().await?;
        Ok(end)
    }

    async fn put_feed(&self, name: &FeedName, cursor: &FeedCursor) -> Result<(), FeedError> {
        // Whether it is one of this feed, and behind what there is.
        feed_read::since(&self.pool, Some(cursor), 0).await?;
        let names = feed_read::names(&self.pool).await?;
        if names.len() >= FeedName::MAX && names.iter().all(|(known, _)| known != name) {
            return Err(FeedError::TooMany);
        }
        let read = Positions::of_cursor(cursor)?;
        Ok(self.change(Change::PutFeed { name: name.clone(), read }).await?)
    }

    async fn drop_feed(&self, name: &FeedName) -> Result<(), FeedError> {
        Ok(self.change(Change::DropFeed { name: name.clone() }).await?)
    }

    async fn feeds(&self) -> Result<Vec<(FeedName, FeedCursor)>, FeedError> {
        feed_read::names(&self.pool).await
    }
}

impl PgLog {
    /// Waits until what has been read outlives a crash, where the database shows what does not yet: `synchronous_commit` is off, or the wait for a
    /// standby was cut short. Something that is written behind it, and confirmed, says so.
    async fn confirm(&self) -> Result<(), FeedError> {
        if self.confirms { Ok(self.pool.confirm().await?) } else { Ok(()) }
    }
}
