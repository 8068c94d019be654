//! The feed of a world's log as one server sees it: it fails now and then, and takes from the owner of a name's slot alone how far that is read.

use std::time::Duration;

use async_trait::async_trait;
use chat_core::{
    AppendError, FeedChange, FeedCursor, FeedError, FeedName, FeedSlice, Log, LogFeed, ReadError, RoomCode,
};

use super::Fence;
use crate::backend::FeedBug;

/// How many batches of others what shows late is behind, where that is the bug.
const LATE: u64 = 2;

impl Fence {
    fn log_feed(&self) -> &dyn LogFeed {
        self.log.feed().expect("the log of a world with a backend has a feed")
    }

    fn fails(&self) -> bool {
        self.backend.as_ref().is_some_and(|backend| backend.fails())
    }

    fn bug(&self) -> Option<FeedBug> {
        self.backend.as_ref().and_then(|backend| backend.bug)
    }

    async fn read_feed<T>(&self, call: impl Future<Output = Result<T, FeedError>> + Send) -> Result<T, FeedError> {
        let call = async {
            if self.fails() {
                return Err(ReadError::Unavailable("the feed is out of reach".into()).into());
            }
            call.await
        };
        self.while_up(call).await
    }

    /// Something is written about a feed: it is not done, or is and nobody hears of it, where the log fails.
    async fn write_feed(&self, call: impl Future<Output = Result<(), FeedError>> + Send) -> Result<(), FeedError> {
        let call = async {
            if self.fails() {
                return Err(AppendError::NotWritten("the feed is out of reach".into()).into());
            }
            call.await?;
            if self.fails() {
                return Err(AppendError::Unknown("the answer is lost".into()).into());
            }
            Ok(())
        };
        self.while_up(call).await
    }

    /// The slice with the bug of this world.
    fn with_bug(&self, mut slice: FeedSlice) -> FeedSlice {
        match self.bug() {
            // Of two rooms at once the transaction of the first commits after that of the second.
            Some(FeedBug::SkipLate) if slice.behind < LATE => {
                let last = slice.batches.last().map(|batch| batch.room.clone());
                let is_late = |room: &RoomCode| last.as_ref().is_some_and(|last| last != room);
                if let Some(late) = slice.batches.iter().rposition(|batch| is_late(&batch.room)) {
                    slice.batches.remove(late);
                }
            }
            Some(FeedBug::ForgetDead) => {
                let gone: Vec<_> = slice.batches.iter().filter(|batch| batch.change == FeedChange::Deleted).collect();
                let gone: Vec<_> = gone.iter().map(|batch| (batch.room.clone(), batch.epoch)).collect();
                slice.batches.retain(|batch| !gone.contains(&(batch.room.clone(), batch.epoch)));
            }
            _ => {}
        }
        slice
    }
}

#[async_trait]
impl LogFeed for Fence {
    async fn since(&self, cursor: Option<&FeedCursor>, max: usize) -> Result<FeedSlice, FeedError> {
        let slice = self.read_feed(self.log_feed().since(cursor, max)).await?;
        Ok(self.with_bug(slice))
    }

    async fn end(&self) -> Result<FeedCursor, FeedError> {
        self.read_feed(self.log_feed().end()).await
    }

    async fn put_feed(&self, name: &FeedName, cursor: &FeedCursor) -> Result<(), FeedError> {
        let put = async {
            // On its way to the log.
            tokio::time::sleep(Duration::from_millis(5)).await;
            if self.node.as_ref().is_some_and(|node| !node.has(name.slot())) {
                return Err(AppendError::Deposed.into());
            }
            self.log_feed().put_feed(name, cursor).await
        };
        self.write_feed(put).await
    }

    async fn drop_feed(&self, name: &FeedName) -> Result<(), FeedError> {
        self.write_feed(self.log_feed().drop_feed(name)).await
    }

    async fn feeds(&self) -> Result<Vec<(FeedName, FeedCursor)>, FeedError> {
        self.read_feed(self.log_feed().feeds()).await
    }
}
