//! The log of a world: one that keeps everything in memory, and tells the truth what it has taken.

use std::sync::Arc;

use async_trait::async_trait;
use chat_core::{
    Amend, AppendError, Content, Ended, Epoch, Erasure, Event, FeedBounds, Log, LogClaim, LogFeed, LogInUse, LogPage,
    LogRoom, NodeId, Offset, ReadError, Record, RecordVersion, Retention, RoomCode, Scrub, Seq, Slot, Tail, Term,
    Topic,
};
use chat_testkit::logs::MemoryLog;
use futures_util::FutureExt;

use crate::links::Links;
use crate::promise::{Broken, Promise, hold};
use crate::summary::says_of;
use crate::truth::Truth;

/// A log in memory whose appends become the truth. Where there are several servers, it takes a room's from the one that decides for it, under the
/// term under which the room was read.
#[derive(Debug)]
pub(crate) struct Archive {
    memory: MemoryLog,
    pub(crate) truth: Arc<Truth>,
    links: Option<Arc<Links>>,
}

/// Bits of a token that say under which term; those above say who has read it.
const TERM_BITS: u32 = 32;

/// The token of a tail that a server has read under a term.
pub(crate) fn token_of(server: NodeId, term: u64) -> u64 {
    u64::try_from(server.0).unwrap_or_default() << TERM_BITS | term
}

impl Archive {
    /// One whose feed holds back so much, where a backend reads it.
    pub(crate) fn new(truth: Arc<Truth>, links: Option<Arc<Links>>, feed: Option<FeedBounds>) -> Self {
        let with_feed = |bounds| MemoryLog::with_feed(bounds, Retention::default());
        Self { memory: feed.map_or_else(MemoryLog::new, with_feed), truth, links }
    }

    /// Whether what follows such a tail may be written now. Who has read a code that is free has decided nothing yet.
    fn may_follow(&self, room: &RoomCode, after: &Tail) -> bool {
        let Some(links) = &self.links else { return true };
        let server = NodeId(u128::from(after.token >> TERM_BITS));
        let term = Term(after.token & ((1 << TERM_BITS) - 1));
        links.decides(room, server, if after.epoch.is_none() { Term(0) } else { term })
    }

    /// The tail with the term under which it was read.
    fn under_term(&self, room: &RoomCode, tail: Tail) -> Tail {
        let token = self.links.as_ref().map_or(0, |links| links.term(room).0);
        Tail { token, ..tail }
    }

    /// Another server, which takes the room for its own, changes its topic. Nothing happens where there is no room.
    pub(crate) fn intrude(&self, room: &RoomCode) {
        // Nothing here waits for anything.
        let _ = self.change_topic(room).now_or_never();
    }

    async fn change_topic(&self, room: &RoomCode) -> Option<Tail> {
        let LogPage { records, tail } = self.memory.read(room, None, Offset(0), usize::MAX).await.ok()?;
        let last = records.last().filter(|last| !matches!(last.event, Event::Closed { .. }))?;
        let seq = records.iter().rev().find_map(|record| record.seq)?;
        let topic = Topic::parse(&format!("another owner was here after {seq}")).ok()?;
        let (offset, seq) = (last.offset.next(), Some(seq.next()));
        let record = Record { offset, seq, at: last.at, by: None, event: Event::TopicChanged { topic } };
        self.append(room, &tail, &[record]).await.ok()
    }

    /// Whether what was taken back or replaced is unreadable by now.
    pub(crate) async fn check_taken_back(&self) -> Result<(), Broken> {
        for room in self.rooms(None, None, usize::MAX).await.unwrap_or_default() {
            let Ok(LogPage { records, tail }) = self.read(&room, None, Offset(0), usize::MAX).await else { continue };
            let Some(epoch) = tail.epoch else { continue };
            let (says, edits) =
                (self.truth.says(room.as_str(), epoch), self.truth.standing_edits(room.as_str(), epoch));
            let readable = records.iter().find(|record| match (&record.event, record.seq) {
                (Event::Sent { text, data, .. }, Some(seq)) => {
                    let said = says_of(&Content::text(text.clone()).with_data(data.clone()));
                    says.get(&seq).is_none_or(|says| said != says.as_deref().unwrap_or_default())
                }
                (Event::Edited { content, .. }, Some(seq)) => content.is_some() && !edits.contains(&seq),
                _ => false,
            });
            hold!(readable.is_none(), Promise::TakenBack, "{room}: {readable:?}");
        }
        Ok(())
    }
}

/// The life that a batch belongs to.
pub(crate) fn life_of(after: &Tail, batch: &[Record]) -> Epoch {
    let claimed = batch.iter().find_map(|record| match record.event {
        Event::Created { epoch, .. } => Some(epoch),
        _ => None,
    });
    claimed.or(after.epoch).expect("what is appended belongs to a life")
}

#[async_trait]
impl Log for Archive {
    fn claim(&self) -> Result<LogClaim, LogInUse> {
        self.memory.claim()
    }

    fn writes(&self) -> RecordVersion {
        self.memory.writes()
    }

    fn feed(&self) -> Option<&dyn LogFeed> {
        self.memory.feed()
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
        if !self.may_follow(room, after) {
            return Err(AppendError::Conflict);
        }
        let tail = self.memory.append_with(room, &Tail { token: 0, ..after.clone() }, batch, about).await?;
        self.truth.add(room, life_of(after, batch), batch);
        self.truth.check_known(room, life_of(after, batch), about);
        // Under which term and by whom: it is the next one's, too.
        let token = match (&self.links, after.epoch) {
            (None, _) => 0,
            (Some(_), Some(_)) => after.token,
            (Some(links), None) => after.token >> TERM_BITS << TERM_BITS | links.term(room).0,
        };
        Ok(Tail { token, ..tail })
    }

    async fn read(
        &self,
        room: &RoomCode,
        epoch: Option<Epoch>,
        after: Offset,
        max: usize,
    ) -> Result<LogPage, ReadError> {
        let page = self.memory.read(room, epoch, after, max).await?;
        Ok(LogPage { tail: self.under_term(room, page.tail), ..page })
    }

    async fn messages(&self, room: &RoomCode, epoch: Epoch, before: Seq, max: usize) -> Result<Vec<Record>, ReadError> {
        self.memory.messages(room, epoch, before, max).await
    }

    async fn messages_after(
        &self,
        room: &RoomCode,
        epoch: Epoch,
        after: Seq,
        max: usize,
    ) -> Result<Vec<Record>, ReadError> {
        self.memory.messages_after(room, epoch, after, max).await
    }

    async fn rooms(
        &self,
        slot: Option<Slot>,
        after: Option<&RoomCode>,
        max: usize,
    ) -> Result<Vec<RoomCode>, ReadError> {
        self.memory.rooms(slot, after, max).await
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
