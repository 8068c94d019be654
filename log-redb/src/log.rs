//! The port: appends go to the writer's queue, reads to threads that may block. Nothing here touches the file.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Sender};
use std::thread::JoinHandle;

use async_trait::async_trait;
use chat_core::{
    Amend, AppendError, Clock, Ended, Epoch, Erasure, Event, ExclusiveClaim, FeedCursor, FeedError, FeedName,
    FeedSlice, Log, LogClaim, LogFeed, LogInUse, LogMeters, LogPage, LogRoom, Offset, ReadError, Record, RoomCode,
    Scrub, Seq, Slot, SystemClock, Tail,
};
use redb::{ReadTransaction, ReadableDatabase, StorageError};
use tokio::sync::{Semaphore, oneshot};

use crate::backup::{self, Backup, BackupError, BackupFolder};
use crate::feed_read;
use crate::format::{Encoded, Fault};
use crate::options::Options;
use crate::read;
use crate::request::{Change, Outcome, Request};
use crate::store::{OpenError, Place, Store, panicked};
use crate::writer::Writer;

/// Changes that wait for the writer; whoever comes later waits for a place.
const QUEUE_MAX: usize = 8_192;
/// Reads at once.
const READERS_MAX: usize = 16;

/// A durable log of many rooms in one file.
///
/// Dropping it waits until what was acked is on disk, and closes the file; [`RedbLog::close`] also compacts it, and tells of
/// errors.
pub struct RedbLog {
    store: Arc<Store>,
    /// `None` only while it is dropped.
    queue: Option<Sender<Request>>,
    places: Arc<Semaphore>,
    readers: Arc<Semaphore>,
    /// Whether the writer has been asked to look at the file, and has not yet done so.
    is_doubted: Arc<AtomicBool>,
    writer: Option<JoinHandle<()>>,
    engines: ExclusiveClaim,
    /// Where the file is, where it is in a folder.
    dir: Option<PathBuf>,
    has_feed: bool,
}

impl RedbLog {
    /// Opens `rooms.redb` in a folder; makes both where they are missing.
    ///
    /// Blocks: a clean file is open at once, one that was not closed properly is verified first, and in one that texts were
    /// taken away from the free pages are overwritten.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(dir: impl AsRef<Path>, options: Options) -> Result<Self, OpenError> {
        Self::open_with_clock(dir, options, Arc::new(SystemClock::new()))
    }

    /// As [`RedbLog::open`], with the clock of the engine that is to use it, where that is not the system's: the age of records
    /// is measured by what stamps them.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open_with_clock(dir: impl AsRef<Path>, options: Options, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let dir = dir.as_ref();
        let name = dir.join(crate::FILE_NAME).display().to_string();
        let mut log = Self::start(Store::open_in(dir, &options, clock.now().wall)?, options, clock, name)?;
        log.dir = Some(dir.to_owned());
        Ok(log)
    }

    /// Opens a log that lies somewhere else than in a file: in memory, or in a storage that fails on demand.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open_on(place: impl Place, options: Options) -> Result<Self, OpenError> {
        let (name, clock) = (place.name(), Arc::new(SystemClock::new()));
        Self::start(Store::open_on(place, &options, clock.now().wall)?, options, clock, name)
    }

    fn start(store: Store, options: Options, clock: Arc<dyn Clock>, name: String) -> Result<Self, OpenError> {
        let store = Arc::new(store);
        let (queue, requests) = mpsc::channel();
        let mut writer = Writer::new(Arc::clone(&store), requests, options, clock);
        writer.begin();
        let thread = std::thread::Builder::new().name("log-redb".into()).spawn(move || writer.run());
        Ok(Self {
            store,
            queue: Some(queue),
            places: Arc::new(Semaphore::new(QUEUE_MAX)),
            readers: Arc::new(Semaphore::new(READERS_MAX)),
            is_doubted: Arc::default(),
            writer: Some(thread.map_err(|source| OpenError::Io { name, source })?),
            engines: ExclusiveClaim::default(),
            dir: None,
            has_feed: options.feed.is_some(),
        })
    }

    /// Gives free pages back to the disk, and takes scrubbed texts out of the file. Everything else waits meanwhile: count on
    /// a minute for each few gigabytes.
    ///
    /// It happens by itself when more than half of the file is free. Opening and closing only take scrubbed texts out, which
    /// takes as long as overwriting what is free.
    ///
    /// # Errors
    /// When the disk failed; the log goes on, and the texts are still in the file.
    pub async fn compact(&self) -> Result<(), ReadError> {
        self.ask(Request::Compact).await
    }

    /// Writes what is queued, takes scrubbed texts out of the file, and closes it. Later calls find it closed.
    ///
    /// # Errors
    /// When something acked may not be on disk (only with [`Durability::Relaxed`](crate::Durability::Relaxed)), or scrubbed
    /// texts may still be in the file.
    pub async fn close(&self) -> Result<(), ReadError> {
        self.ask(Request::Close).await
    }

    /// Copies the log as it is now into a folder that has none yet, with the secret beside it, for [`restore`](crate::restore). Everything that
    /// was acked before is in it, and what is written meanwhile is not. The log goes on: it is neither held up nor compacted until the copy is
    /// made, and its file grows by what is written.
    ///
    /// # Errors
    /// See [`BackupError`]. What was copied until then is left as `rooms.redb.new`, which no log is opened from.
    pub async fn backup(&self, dir: impl AsRef<Path>) -> Result<Backup, BackupError> {
        let folder = BackupFolder::begin(dir)?;
        self.dir.as_deref().map_or(Ok(()), |log| folder.fits(log))?;
        let backup = self.backup_into(folder.file()?).await?;
        folder.finish(self.dir.as_deref())?;
        Ok(backup)
    }

    /// As [`RedbLog::backup`], into an empty file that is open for reading and writing, and without the secret: for whoever has a
    /// [`BackupFolder`], in another process perhaps.
    ///
    /// # Errors
    /// See [`BackupError`].
    pub async fn backup_into(&self, file: File) -> Result<Backup, BackupError> {
        let store = Arc::clone(&self.store);
        let copied = tokio::task::spawn_blocking(move || {
            let copying = store.copies.begin().ok_or(BackupError::Closed)?;
            // Not held while it is copied: who waits for the file alone would keep all readers out.
            let read = store.shared().as_ref().ok_or(BackupError::Closed)?.begin_read();
            let read = read.map_err(|error| BackupError::Log(error.to_string()))?;
            let copied = catch_unwind(AssertUnwindSafe(|| backup::copy(&read, file, &copying)));
            copied.unwrap_or_else(|panic| Err(BackupError::Log(panicked(&*panic))))
        });
        let copied = copied.await.unwrap_or(Err(BackupError::Closed));
        if matches!(copied, Err(BackupError::Log(_))) {
            self.doubt();
        }
        copied
    }

    async fn ask(&self, request: impl FnOnce(oneshot::Sender<Result<(), String>>) -> Request) -> Result<(), ReadError> {
        let (answer, answered) = oneshot::channel();
        if self.queue().send(request(answer)).is_err() {
            return Err(closed());
        }
        answered.await.unwrap_or_else(|_| Err(CLOSED.into())).map_err(ReadError::Unavailable)
    }

    fn queue(&self) -> &Sender<Request> {
        self.queue.as_ref().expect("the queue is there until the log is dropped")
    }

    async fn change(&self, change: Change) -> Outcome {
        let permit = Arc::clone(&self.places).acquire_owned().await.expect("the queue's places are never closed");
        let (answer, answered) = oneshot::channel();
        if self.queue().send(Request::Change { change, answer, permit }).is_err() {
            return Err(AppendError::NotWritten(CLOSED.into()));
        }
        answered.await.unwrap_or_else(|_| Err(AppendError::Unknown("the writer has ended".into())))
    }

    async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&ReadTransaction) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, ReadError> {
        let permit = Arc::clone(&self.readers).acquire_owned().await.expect("the readers' places are never closed");
        let store = Arc::clone(&self.store);
        let reading = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let database = store.shared();
            let database = database.as_ref()?;
            Some(database.begin_read().map_err(Fault::from).and_then(|read| look(&read)))
        });
        match reading.await {
            Ok(Some(Ok(found))) => Ok(found),
            Ok(Some(Err(Fault::Damaged(what)))) => {
                tracing::error!(what, "the log is damaged");
                Err(ReadError::Damaged(what))
            }
            Ok(Some(Err(Fault::Later { what, version, reads }))) => {
                let (version, reads) = (u32::from(version), u32::from(reads));
                Err(ReadError::Later { what, version, readable_from: version, reads })
            }
            Ok(Some(Err(Fault::Storage(error)))) => {
                self.doubt();
                match error {
                    StorageError::Corrupted(what) => Err(ReadError::Damaged(what)),
                    error => Err(ReadError::Unavailable(error.to_string())),
                }
            }
            Ok(None) => Err(closed()),
            Err(error) => match error.try_into_panic() {
                Ok(panic) => {
                    self.doubt();
                    Err(ReadError::Damaged(panicked(&*panic)))
                }
                Err(error) => Err(ReadError::Unavailable(error.to_string())),
            },
        }
    }

    /// redb refuses everything after an I/O error, also one of a read. The writer looks, and opens the file again.
    fn doubt(&self) {
        if !self.is_doubted.swap(true, Ordering::AcqRel) {
            let _ = self.queue().send(Request::Doubt(Arc::clone(&self.is_doubted)));
        }
    }
}

const CLOSED: &str = "the log is closed, or being opened again";

fn closed() -> ReadError {
    ReadError::Unavailable(CLOSED.into())
}

#[async_trait]
impl Log for RedbLog {
    fn meters(&self) -> LogMeters {
        let [commits, syncs] = [&self.store.commits, &self.store.syncs].map(|count| count.load(Ordering::Relaxed));
        let waiting = QUEUE_MAX.saturating_sub(self.places.available_permits());
        LogMeters::default().with_commits(commits).with_syncs(syncs).with_waiting(waiting as u64)
    }

    fn claim(&self) -> Result<LogClaim, LogInUse> {
        self.engines.claim()
    }

    fn feed(&self) -> Option<&dyn LogFeed> {
        self.has_feed.then_some(self)
    }

    /// # Panics
    /// For a batch that no room could have decided: an empty one, one whose offsets do not continue those of `after`, or one that
    /// begins an incarnation without its creation.
    async fn append(&self, room: &RoomCode, after: &Tail, batch: &[Record]) -> Result<Tail, AppendError> {
        let claims = check(after, batch);
        let batch = batch.iter().map(Encoded::new).collect();
        self.change(Change::Append { room: room.clone(), after: after.clone(), claims, batch, about: None }).await
    }

    /// # Panics
    /// As [`Log::append`].
    async fn append_with(
        &self,
        room: &RoomCode,
        after: &Tail,
        batch: &[Record],
        about: &[u8],
    ) -> Result<Tail, AppendError> {
        let claims = check(after, batch);
        let (batch, about) = (batch.iter().map(Encoded::new).collect(), (!about.is_empty()).then(|| about.to_vec()));
        self.change(Change::Append { room: room.clone(), after: after.clone(), claims, batch, about }).await
    }

    async fn read(
        &self,
        room: &RoomCode,
        epoch: Option<Epoch>,
        after: Offset,
        max: usize,
    ) -> Result<LogPage, ReadError> {
        let room = room.clone();
        self.look(move |read| read::page(read, &room, epoch, after, max)).await
    }

    async fn messages(&self, room: &RoomCode, epoch: Epoch, before: Seq, max: usize) -> Result<Vec<Record>, ReadError> {
        let room = room.clone();
        self.look(move |read| read::messages(read, &room, epoch, before, max)).await
    }

    async fn messages_after(
        &self,
        room: &RoomCode,
        epoch: Epoch,
        after: Seq,
        max: usize,
    ) -> Result<Vec<Record>, ReadError> {
        let room = room.clone();
        self.look(move |read| read::messages_after(read, &room, epoch, after, max)).await
    }

    async fn rooms(
        &self,
        slot: Option<Slot>,
        after: Option<&RoomCode>,
        max: usize,
    ) -> Result<Vec<RoomCode>, ReadError> {
        let after = after.cloned();
        self.look(move |read| read::rooms(read, slot, after.as_ref(), max)).await
    }

    async fn rooms_with(
        &self,
        slot: Option<Slot>,
        after: Option<&RoomCode>,
        max: usize,
    ) -> Result<Vec<LogRoom>, ReadError> {
        let after = after.cloned();
        self.look(move |read| read::rooms_with(read, slot, after.as_ref(), max)).await
    }

    async fn load_snapshot(&self, room: &RoomCode, epoch: Epoch) -> Result<Option<(Offset, Vec<u8>)>, ReadError> {
        let room = room.clone();
        self.look(move |read| read::snapshot(read, &room, epoch)).await
    }

    async fn save_snapshot(
        &self,
        room: &RoomCode,
        epoch: Epoch,
        through: Offset,
        snapshot: &[u8],
    ) -> Result<(), AppendError> {
        let bytes = snapshot.to_vec();
        self.change(Change::Snapshot { room: room.clone(), epoch, through, bytes }).await.map(drop)
    }

    async fn load_read_positions(&self, room: &RoomCode, epoch: Epoch) -> Result<Option<Vec<u8>>, ReadError> {
        let room = room.clone();
        self.look(move |read| read::read_positions(read, &room, epoch)).await
    }

    async fn save_read_positions(&self, room: &RoomCode, epoch: Epoch, positions: &[u8]) -> Result<(), AppendError> {
        let bytes = positions.to_vec();
        self.change(Change::ReadPositions { room: room.clone(), epoch, bytes }).await.map(drop)
    }

    async fn amend(&self, room: &RoomCode, epoch: Epoch, amends: &[Amend]) -> Result<(), AppendError> {
        self.change(Change::Amend { room: room.clone(), epoch, amends: amends.to_vec() }).await.map(drop)
    }

    async fn delete(&self, room: &RoomCode, epoch: Epoch) -> Result<(), AppendError> {
        self.change(Change::Delete { room: room.clone(), epoch }).await.map(drop)
    }

    async fn scrub(&self, room: &RoomCode, epoch: Epoch, scrubs: &[Scrub]) -> Result<(), AppendError> {
        self.change(Change::Scrub { room: room.clone(), epoch, scrubs: scrubs.to_vec() }).await.map(drop)
    }

    async fn put_erasure(&self, erasure: &Erasure, asked: Option<u32>) -> Result<(), AppendError> {
        self.change(Change::PutErasure(Box::new(erasure.clone()), asked)).await.map(drop)
    }

    async fn drop_erasure(&self, erasure: &Erasure) -> Result<(), AppendError> {
        self.change(Change::DropErasure(Box::new(erasure.clone()))).await.map(drop)
    }

    async fn erasures(&self) -> Result<Vec<Erasure>, ReadError> {
        self.look(read::erasures).await
    }

    async fn put_ended(&self, ended: &Ended, over: &[Ended]) -> Result<(), AppendError> {
        self.change(Change::End { ended: ended.clone(), over: over.to_vec() }).await.map(drop)
    }

    async fn ended(&self) -> Result<Vec<Ended>, ReadError> {
        self.look(read::ended).await
    }
}

#[async_trait]
impl LogFeed for RedbLog {
    async fn since(&self, cursor: Option<&FeedCursor>, max: usize) -> Result<FeedSlice, FeedError> {
        let (cursor, fed) = (cursor.cloned(), self.store.fed());
        self.look(move |read| feed_read::since(read, cursor.as_ref(), max, fed)).await?
    }

    async fn end(&self) -> Result<FeedCursor, FeedError> {
        let fed = self.store.fed();
        self.look(move |read| feed_read::end(read, fed)).await?
    }

    async fn put_feed(&self, name: &FeedName, cursor: &FeedCursor) -> Result<(), FeedError> {
        let (place, cursor) = (name.clone(), cursor.clone());
        let mark = self.look(move |read| feed_read::place(read, &place, &cursor)).await??;
        self.change(Change::Feed { name: name.clone(), mark: Some(mark) }).await?;
        Ok(())
    }

    async fn drop_feed(&self, name: &FeedName) -> Result<(), FeedError> {
        self.change(Change::Feed { name: name.clone(), mark: None }).await?;
        Ok(())
    }

    async fn feeds(&self) -> Result<Vec<(FeedName, FeedCursor)>, FeedError> {
        self.look(feed_read::names).await?
    }
}

impl Drop for RedbLog {
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

/// The epoch that the batch claims the code for, if it is the first of an incarnation.
fn check(after: &Tail, batch: &[Record]) -> Option<Epoch> {
    let first = batch.first().expect("a batch is never empty");
    let offsets = batch.iter().map(|record| record.offset.0);
    assert!(offsets.eq(after.offset.0 + 1..=after.offset.0 + batch.len() as u64), "offsets continue those before");
    match (after.epoch, &first.event) {
        (Some(_), _) => None,
        (None, Event::Created { epoch, .. }) => Some(*epoch),
        (None, other) => panic!("an incarnation begins with its creation, not with {other:?}"),
    }
}
