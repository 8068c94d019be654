//! The embedder's log as the engine asks it: a call that panics or hangs is one that failed.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt;

use crate::domain::{Amend, Record, RecordVersion, Scrub};
use crate::engine::shared::failures::Failures;
use crate::meters::LogMeters;
use crate::ports::{
    AppendError, Ended, Erasure, FeedCursor, FeedError, FeedName, FeedSlice, Log, LogClaim, LogFeed, LogInUse, LogPage,
    LogRoom, ReadError, Slot, Tail,
};
use crate::types::{Epoch, Offset, RoomCode, Seq};

/// A log whose calls have an end.
pub(crate) struct BoundedLog {
    log: Arc<dyn Log>,
    timeout: Duration,
    failures: Arc<Failures>,
}

impl BoundedLog {
    pub(crate) fn new(log: Arc<dyn Log>, timeout: Duration, failures: Arc<Failures>) -> Self {
        Self { log, timeout, failures }
    }

    /// What a call says; or how it failed.
    async fn bound<T>(&self, call: impl Future<Output = T>) -> Result<T, String> {
        match tokio::time::timeout(self.timeout, AssertUnwindSafe(call).catch_unwind()).await {
            Ok(Ok(said)) => Ok(said),
            Ok(Err(_)) => {
                self.failures.note_panic();
                Err("the log panicked".to_owned())
            }
            Err(_) => {
                self.failures.note_timeout();
                Err(format!("the log did not answer within {:?}", self.timeout))
            }
        }
    }

    async fn read_within<T>(&self, call: impl Future<Output = Result<T, ReadError>>) -> Result<T, ReadError> {
        self.bound(call).await.unwrap_or_else(|how| Err(ReadError::Unavailable(how)))
    }

    /// The call may still come to pass, so nobody knows what became of it.
    async fn write_within<T>(&self, call: impl Future<Output = Result<T, AppendError>>) -> Result<T, AppendError> {
        self.bound(call).await.unwrap_or_else(|how| Err(AppendError::Unknown(how)))
    }
}

#[async_trait]
impl Log for BoundedLog {
    fn claim(&self) -> Result<LogClaim, LogInUse> {
        self.log.claim()
    }

    fn meters(&self) -> LogMeters {
        std::panic::catch_unwind(AssertUnwindSafe(|| self.log.meters())).unwrap_or_else(|_| {
            self.failures.note_panic();
            LogMeters::default()
        })
    }

    /// One that panics is not asked for anything new.
    fn writes(&self) -> RecordVersion {
        std::panic::catch_unwind(AssertUnwindSafe(|| self.log.writes())).unwrap_or_else(|_| {
            self.failures.note_panic();
            RecordVersion::FIRST
        })
    }

    fn feed(&self) -> Option<&dyn LogFeed> {
        self.log.feed().map(|_| self as &dyn LogFeed)
    }

    async fn append(&self, room: &RoomCode, after: &Tail, batch: &[Record]) -> Result<Tail, AppendError> {
        self.write_within(async { self.log.append(room, after, batch).await }).await
    }

    async fn append_with(
        &self,
        room: &RoomCode,
        after: &Tail,
        batch: &[Record],
        about: &[u8],
    ) -> Result<Tail, AppendError> {
        self.write_within(async { self.log.append_with(room, after, batch, about).await }).await
    }

    async fn read(
        &self,
        room: &RoomCode,
        epoch: Option<Epoch>,
        after: Offset,
        max: usize,
    ) -> Result<LogPage, ReadError> {
        self.read_within(async { self.log.read(room, epoch, after, max).await }).await
    }

    async fn messages(&self, room: &RoomCode, epoch: Epoch, before: Seq, max: usize) -> Result<Vec<Record>, ReadError> {
        self.read_within(async { self.log.messages(room, epoch, before, max).await }).await
    }

    async fn messages_after(
        &self,
        room: &RoomCode,
        epoch: Epoch,
        after: Seq,
        max: usize,
    ) -> Result<Vec<Record>, ReadError> {
        self.read_within(async { self.log.messages_after(room, epoch, after, max).await }).await
    }

    async fn rooms(
        &self,
        slot: Option<Slot>,
        after: Option<&RoomCode>,
        max: usize,
    ) -> Result<Vec<RoomCode>, ReadError> {
        self.read_within(async { self.log.rooms(slot, after, max).await }).await
    }

    async fn rooms_with(
        &self,
        slot: Option<Slot>,
        after: Option<&RoomCode>,
        max: usize,
    ) -> Result<Vec<LogRoom>, ReadError> {
        self.read_within(async { self.log.rooms_with(slot, after, max).await }).await
    }

    async fn load_snapshot(&self, room: &RoomCode, epoch: Epoch) -> Result<Option<(Offset, Vec<u8>)>, ReadError> {
        self.read_within(async { self.log.load_snapshot(room, epoch).await }).await
    }

    async fn save_snapshot(
        &self,
        room: &RoomCode,
        epoch: Epoch,
        through: Offset,
        snapshot: &[u8],
    ) -> Result<(), AppendError> {
        self.write_within(async { self.log.save_snapshot(room, epoch, through, snapshot).await }).await
    }

    async fn load_read_positions(&self, room: &RoomCode, epoch: Epoch) -> Result<Option<Vec<u8>>, ReadError> {
        self.read_within(async { self.log.load_read_positions(room, epoch).await }).await
    }

    async fn save_read_positions(&self, room: &RoomCode, epoch: Epoch, positions: &[u8]) -> Result<(), AppendError> {
        self.write_within(async { self.log.save_read_positions(room, epoch, positions).await }).await
    }

    async fn amend(&self, room: &RoomCode, epoch: Epoch, amends: &[Amend]) -> Result<(), AppendError> {
        self.write_within(async { self.log.amend(room, epoch, amends).await }).await
    }

    async fn delete(&self, room: &RoomCode, epoch: Epoch) -> Result<(), AppendError> {
        self.write_within(async { self.log.delete(room, epoch).await }).await
    }

    async fn scrub(&self, room: &RoomCode, epoch: Epoch, scrubs: &[Scrub]) -> Result<(), AppendError> {
        self.write_within(async { self.log.scrub(room, epoch, scrubs).await }).await
    }

    async fn put_erasure(&self, erasure: &Erasure, asked: Option<u32>) -> Result<(), AppendError> {
        self.write_within(async { self.log.put_erasure(erasure, asked).await }).await
    }

    async fn drop_erasure(&self, erasure: &Erasure) -> Result<(), AppendError> {
        self.write_within(async { self.log.drop_erasure(erasure).await }).await
    }

    async fn erasures(&self) -> Result<Vec<Erasure>, ReadError> {
        self.read_within(async { self.log.erasures().await }).await
    }

    async fn put_ended(&self, ended: &Ended, over: &[Ended]) -> Result<(), AppendError> {
        self.write_within(async { self.log.put_ended(ended, over).await }).await
    }

    async fn ended(&self) -> Result<Vec<Ended>, ReadError> {
        self.read_within(async { self.log.ended().await }).await
    }
}

impl BoundedLog {
    async fn feed_within<'l, T, C: Future<Output = Result<T, FeedError>>>(
        &'l self,
        ask: impl FnOnce(&'l dyn LogFeed) -> C,
    ) -> Result<T, FeedError> {
        let call = async { ask(self.log.feed().ok_or(FeedError::NoFeed)?).await };
        self.bound(call).await.unwrap_or_else(|how| Err(ReadError::Unavailable(how).into()))
    }
}

/// What is written may be written again, so that a call of which nobody knows is one that failed.
#[async_trait]
impl LogFeed for BoundedLog {
    async fn since(&self, cursor: Option<&FeedCursor>, max: usize) -> Result<FeedSlice, FeedError> {
        self.feed_within(|feed| feed.since(cursor, max)).await
    }

    async fn end(&self) -> Result<FeedCursor, FeedError> {
        self.feed_within(|feed| feed.end()).await
    }

    async fn put_feed(&self, name: &FeedName, cursor: &FeedCursor) -> Result<(), FeedError> {
        self.feed_within(|feed| feed.put_feed(name, cursor)).await
    }

    async fn drop_feed(&self, name: &FeedName) -> Result<(), FeedError> {
        self.feed_within(|feed| feed.drop_feed(name)).await
    }

    async fn feeds(&self) -> Result<Vec<(FeedName, FeedCursor)>, FeedError> {
        self.feed_within(|feed| feed.feeds()).await
    }
}
