//! A log in memory whose reads a test bends: what is read passes through a function of the test on its way.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use chat_core::{
    Amend, AppendError, Ended, Epoch, Erasure, ExclusiveClaim, Log, LogClaim, LogFeed, LogInUse, LogPage, LogRoom,
    Offset, ReadError, Record, RecordVersion, RoomCode, Scrub, Seq, Slot, Tail,
};
use chat_testkit::logs::MemoryLog;

type Bend<T> = Box<dyn Fn(T) -> T + Send + Sync>;

/// Shares its records with every other that is made of the same memory, and its claim with none: each is the log of an engine
/// that knows nothing of the others.
pub struct BentLog {
    memory: Arc<MemoryLog>,
    engines: ExclusiveClaim,
    read: Bend<LogPage>,
    messages: Bend<Vec<Record>>,
    messages_after: Bend<Vec<Record>>,
    rooms: Bend<Vec<RoomCode>>,
    writes: RecordVersion,
}

impl BentLog {
    pub fn new(memory: &Arc<MemoryLog>) -> Self {
        let memory = Arc::clone(memory);
        Self {
            memory,
            engines: ExclusiveClaim::default(),
            read: Box::new(|it| it),
            messages: Box::new(|it| it),
            messages_after: Box::new(|it| it),
            rooms: Box::new(|it| it),
            writes: RecordVersion::LATEST,
        }
    }

    /// Every stretch that is read becomes what `bend` makes of it.
    pub fn reads(self, bend: impl Fn(LogPage) -> LogPage + Send + Sync + 'static) -> Self {
        Self { read: Box::new(bend), ..self }
    }

    /// As if a program lived on it that reads no later version.
    pub fn writes(self, version: RecordVersion) -> Self {
        Self { writes: version, ..self }
    }

    /// Every page of messages.
    pub fn messages(self, bend: impl Fn(Vec<Record>) -> Vec<Record> + Send + Sync + 'static) -> Self {
        Self { messages: Box::new(bend), ..self }
    }

    /// Every page of later messages.
    pub fn messages_after(self, bend: impl Fn(Vec<Record>) -> Vec<Record> + Send + Sync + 'static) -> Self {
        Self { messages_after: Box::new(bend), ..self }
    }

    /// Every page of rooms.
    pub fn rooms(self, bend: impl Fn(Vec<RoomCode>) -> Vec<RoomCode> + Send + Sync + 'static) -> Self {
        Self { rooms: Box::new(bend), ..self }
    }
}

impl fmt::Debug for BentLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BentLog").finish_non_exhaustive()
    }
}

#[async_trait]
impl Log for BentLog {
    fn claim(&self) -> Result<LogClaim, LogInUse> {
        self.engines.claim()
    }

    fn feed(&self) -> Option<&dyn LogFeed> {
        self.memory.feed()
    }

    fn writes(&self) -> RecordVersion {
        self.writes
    }

    async fn append(&self, room: &RoomCode, after: &Tail, batch: &[Record]) -> Result<Tail, AppendError> {
        self.memory.append(room, after, batch).await
    }

    async fn append_with(
        &self,
        room: &RoomCode,
        after: &Tail,
        batch: &[Record],
        about: &[u8],
    ) -> Result<Tail, AppendError> {
        self.memory.append_with(room, after, batch, about).await
    }

    async fn read(
        &self,
        room: &RoomCode,
        epoch: Option<Epoch>,
        after: Offset,
        max: usize,
    ) -> Result<LogPage, ReadError> {
        self.memory.read(room, epoch, after, max).await.map(&self.read)
    }

    async fn messages(&self, room: &RoomCode, epoch: Epoch, before: Seq, max: usize) -> Result<Vec<Record>, ReadError> {
        self.memory.messages(room, epoch, before, max).await.map(&self.messages)
    }

    async fn messages_after(
        &self,
        room: &RoomCode,
        epoch: Epoch,
        after: Seq,
        max: usize,
    ) -> Result<Vec<Record>, ReadError> {
        self.memory.messages_after(room, epoch, after, max).await.map(&self.messages_after)
    }

    async fn rooms(
        &self,
        slot: Option<Slot>,
        after: Option<&RoomCode>,
        max: usize,
    ) -> Result<Vec<RoomCode>, ReadError> {
        self.memory.rooms(slot, after, max).await.map(&self.rooms)
    }

    async fn rooms_with(
        &self,
        slot: Option<Slot>,
        after: Option<&RoomCode>,
        max: usize,
    ) -> Result<Vec<LogRoom>, ReadError> {
        self.memory.rooms_with(slot, after, max).await
    }

    async fn load_snapshot(&self, room: &RoomCode, epoch: Epoch) -> Result<Option<(Offset, Vec<u8>)>, ReadError> {
        self.memory.load_snapshot(room, epoch).await
    }

    async fn save_snapshot(
        &self,
        room: &RoomCode,
        epoch: Epoch,
        through: Offset,
        snapshot: &[u8],
    ) -> Result<(), AppendError> {
        self.memory.save_snapshot(room, epoch, through, snapshot).await
    }

    async fn load_read_positions(&self, room: &RoomCode, epoch: Epoch) -> Result<Option<Vec<u8>>, ReadError> {
        self.memory.load_read_positions(room, epoch).await
    }

    async fn save_read_positions(&self, room: &RoomCode, epoch: Epoch, positions: &[u8]) -> Result<(), AppendError> {
        self.memory.save_read_positions(room, epoch, positions).await
    }

    async fn amend(&self, room: &RoomCode, epoch: Epoch, amends: &[Amend]) -> Result<(), AppendError> {
        self.memory.amend(room, epoch, amends).await
    }

    async fn delete(&self, room: &RoomCode, epoch: Epoch) -> Result<(), AppendError> {
        self.memory.delete(room, epoch).await
    }

    async fn scrub(&self, room: &RoomCode, epoch: Epoch, scrubs: &[Scrub]) -> Result<(), AppendError> {
        self.memory.scrub(room, epoch, scrubs).await
    }

    async fn put_erasure(&self, erasure: &Erasure, asked: Option<u32>) -> Result<(), AppendError> {
        self.memory.put_erasure(erasure, asked).await
    }

    async fn drop_erasure(&self, erasure: &Erasure) -> Result<(), AppendError> {
        self.memory.drop_erasure(erasure).await
    }

    async fn erasures(&self) -> Result<Vec<Erasure>, ReadError> {
        self.memory.erasures().await
    }

    async fn put_ended(&self, ended: &Ended, over: &[Ended]) -> Result<(), AppendError> {
        self.memory.put_ended(ended, over).await
    }

    async fn ended(&self) -> Result<Vec<Ended>, ReadError> {
        self.memory.ended().await
    }
}
