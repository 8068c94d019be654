//! The log of a world as one server sees it: it notes who writes, and once that server is down, or while it stands still, no call of it returns.

mod feed;

use std::sync::Arc;

use async_trait::async_trait;
use chat_core::{
    Amend, AppendError, Clock, Cluster, Ended, Epoch, Erasure, ExclusiveClaim, Log, LogClaim, LogFeed, LogInUse,
    LogPage, LogRoom, Offset, ReadError, Record, RecordVersion, RoomCode, Scrub, Seq, Slot, Tail,
};
use chat_testkit::logs::FaultyLog;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::archive::{Archive, life_of, token_of};
use crate::backend::Backend;
use crate::clock::ServerClock;
use crate::ground::Ground;
use crate::links::Node;
use crate::stamps::Made;

/// What a server has for its log.
pub(crate) struct Fence {
    log: Arc<FaultyLog<Archive>>,
    /// Who reads the feed, where anybody does.
    backend: Option<Arc<Backend>>,
    engines: ExclusiveClaim,
    down: watch::Receiver<bool>,
    server: u64,
    clock: Arc<ServerClock>,
    /// Where there are several servers: which one it is.
    node: Option<Arc<Node>>,
}

impl Fence {
    pub(crate) fn new(
        ground: &Ground,
        down: watch::Receiver<bool>,
        server: u64,
        clock: Arc<ServerClock>,
        node: Option<Arc<Node>>,
    ) -> Self {
        let (log, backend) = (Arc::clone(&ground.log), ground.backend.clone());
        Self { log, backend, engines: ExclusiveClaim::default(), down, server, clock, node }
    }

    /// Nothing is asked and nothing is heard while the server stands still; what was asked goes on.
    async fn while_up<T>(&self, call: impl Future<Output = T> + Send) -> T {
        let call = async {
            self.awake().await;
            let result = call.await;
            self.awake().await;
            result
        };
        let mut down = self.down.clone();
        let end = async {
            // An error means that the server is gone, which is as good as down.
            let _ = down.wait_for(|down| *down).await.map(drop);
        };
        tokio::select! {
            biased;
            () = end => std::future::pending().await,
            result = call => result,
        }
    }

    async fn awake(&self) {
        if let Some(node) = &self.node {
            node.awake().await;
        }
    }

    /// A tail as it was read here: what is appended after it is this server's.
    fn read_here(&self, tail: Tail) -> Tail {
        let token = self.node.as_ref().map_or(0, |node| token_of(node.id(), tail.token));
        Tail { token, ..tail }
    }

    /// Something is written to a life of a room: only whoever decides for the room may do that.
    async fn write<T>(
        &self,
        room: &RoomCode,
        epoch: Epoch,
        call: impl Future<Output = Result<T, AppendError>> + Send,
    ) -> Result<T, AppendError> {
        self.awake().await;
        let owner = self.node.as_ref().map(|node| (node.id(), node.owner(Slot::of(room))));
        if let Some(node) = self.node.as_ref().filter(|node| !node.decides(room)) {
            self.while_up(std::future::ready(())).await;
            return Err(if node.is_deposed() { AppendError::Deposed } else { AppendError::Conflict });
        }
        let written = self.while_up(call).await;
        if let (Some((id, owner)), Ok(_)) = (owner, &written)
            && !self.node.as_ref().is_some_and(|node| node.has_faults())
        {
            let truth = &self.log.inner().truth;
            truth.writers.wrote(room, epoch, id, owner).unwrap_or_else(|broken| truth.note(broken));
        }
        written
    }
}

#[async_trait]
impl Log for Fence {
    fn claim(&self) -> Result<LogClaim, LogInUse> {
        // Not the log's own: what is left in memory of a server that is down can do no harm, and does not keep the next from coming.
        self.engines.claim()
    }

    fn feed(&self) -> Option<&dyn LogFeed> {
        self.backend.as_ref().map(|_| self as &dyn LogFeed)
    }

    fn writes(&self) -> RecordVersion {
        self.log.writes()
    }

    async fn append(&self, room: &RoomCode, after: &Tail, batch: &[Record]) -> Result<Tail, AppendError> {
        self.append_with(room, after, batch, &[]).await
    }

    async fn append_with(
        &self,
        room: &RoomCode,
        after: &Tail,
        batch: &[Record],
        about: &[u8],
    ) -> Result<Tail, AppendError> {
        let epoch = life_of(after, batch);
        let (when, at) = (self.clock.now().mono, Instant::now());
        self.awake().await;
        // What somebody has decided whose room it is not any more has not happened.
        let is_own = self.node.as_ref().is_none_or(|node| node.decides(room));
        if !*self.down.borrow() && is_own {
            let term = self.node.as_ref().map(|node| node.term(room)).unwrap_or_default();
            let made = Made { when, at, server: self.server, term };
            self.log.inner().truth.decided(room, epoch, batch, made);
        }
        let after = match after.token {
            0 => &self.read_here(after.clone()),
            _ => after,
        };
        let tail = self.write(room, epoch, self.log.append_with(room, after, batch, about)).await?;
        self.log.inner().truth.writers.appended(room, epoch, batch, self.server);
        Ok(tail)
    }

    async fn read(
        &self,
        room: &RoomCode,
        epoch: Option<Epoch>,
        after: Offset,
        max: usize,
    ) -> Result<LogPage, ReadError> {
        let page = self.while_up(self.log.read(room, epoch, after, max)).await?;
        Ok(LogPage { tail: self.read_here(page.tail), ..page })
    }

    async fn messages(&self, room: &RoomCode, epoch: Epoch, before: Seq, max: usize) -> Result<Vec<Record>, ReadError> {
        self.while_up(self.log.messages(room, epoch, before, max)).await
    }

    async fn messages_after(
        &self,
        room: &RoomCode,
        epoch: Epoch,
        after: Seq,
        max: usize,
    ) -> Result<Vec<Record>, ReadError> {
        self.while_up(self.log.messages_after(room, epoch, after, max)).await
    }

    async fn rooms(
        &self,
        slot: Option<Slot>,
        after: Option<&RoomCode>,
        max: usize,
    ) -> Result<Vec<RoomCode>, ReadError> {
        self.while_up(self.log.rooms(slot, after, max)).await
    }

    async fn rooms_with(
        &self,
        slot: Option<Slot>,
        after: Option<&RoomCode>,
        max: usize,
    ) -> Result<Vec<LogRoom>, ReadError> {
        self.while_up(self.log.rooms_with(slot, after, max)).await
    }

    async fn load_snapshot(&self, room: &RoomCode, epoch: Epoch) -> Result<Option<(Offset, Vec<u8>)>, ReadError> {
        self.while_up(self.log.load_snapshot(room, epoch)).await
    }

    async fn save_snapshot(
        &self,
        room: &RoomCode,
        epoch: Epoch,
        through: Offset,
        snapshot: &[u8],
    ) -> Result<(), AppendError> {
        self.write(room, epoch, self.log.save_snapshot(room, epoch, through, snapshot)).await
    }

    async fn load_read_positions(&self, room: &RoomCode, epoch: Epoch) -> Result<Option<Vec<u8>>, ReadError> {
        self.while_up(self.log.load_read_positions(room, epoch)).await
    }

    async fn save_read_positions(&self, room: &RoomCode, epoch: Epoch, positions: &[u8]) -> Result<(), AppendError> {
        self.write(room, epoch, self.log.save_read_positions(room, epoch, positions)).await
    }

    async fn amend(&self, room: &RoomCode, epoch: Epoch, amends: &[Amend]) -> Result<(), AppendError> {
        self.write(room, epoch, self.log.amend(room, epoch, amends)).await
    }

    async fn delete(&self, room: &RoomCode, epoch: Epoch) -> Result<(), AppendError> {
        self.write(room, epoch, self.log.delete(room, epoch)).await
    }

    async fn scrub(&self, room: &RoomCode, epoch: Epoch, scrubs: &[Scrub]) -> Result<(), AppendError> {
        self.write(room, epoch, self.log.scrub(room, epoch, scrubs)).await
    }

    async fn put_erasure(&self, erasure: &Erasure, asked: Option<u32>) -> Result<(), AppendError> {
        self.while_up(self.log.put_erasure(erasure, asked)).await
    }

    async fn drop_erasure(&self, erasure: &Erasure) -> Result<(), AppendError> {
        self.while_up(self.log.drop_erasure(erasure)).await
    }

    async fn erasures(&self) -> Result<Vec<Erasure>, ReadError> {
        self.while_up(self.log.erasures()).await
    }

    async fn put_ended(&self, ended: &Ended, over: &[Ended]) -> Result<(), AppendError> {
        self.while_up(self.log.put_ended(ended, over)).await
    }

    async fn ended(&self) -> Result<Vec<Ended>, ReadError> {
        self.while_up(self.log.ended()).await
    }
}
