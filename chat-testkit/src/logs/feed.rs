//! The feed of the log in memory: one list of what was appended and deleted, and what it holds back.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};

use chat_core::{
    Epoch, FeedBatch, FeedBounds, FeedChange, FeedCursor, FeedError, FeedGap, FeedName, FeedSlice, Offset, Record,
    RoomCode, Wall,
};

/// Numbers the feeds of a process: no two logs in memory take each other's cursors.
static FEEDS: AtomicU64 = AtomicU64::new(1);

/// A feed. Its batches are numbered from 1, and those up to `floor` are gone.
#[derive(Debug)]
pub(super) struct MemoryFeed {
    id: u64,
    bounds: FeedBounds,
    floor: u64,
    rows: VecDeque<Row>,
    bytes: u64,
    names: BTreeMap<FeedName, u64>,
    /// Records of incarnations whose deletion is still in the list.
    dead: BTreeMap<(RoomCode, Epoch), Vec<Record>>,
}

/// A batch.
#[derive(Debug)]
struct Row {
    room: RoomCode,
    epoch: Epoch,
    /// The first and the last record; nothing for a deletion.
    records: Option<(Offset, Offset)>,
    bytes: u64,
    at: Wall,
}

impl MemoryFeed {
    pub(super) fn new(bounds: FeedBounds) -> Self {
        Self {
            id: FEEDS.fetch_add(1, Ordering::Relaxed),
            bounds,
            floor: 0,
            rows: VecDeque::new(),
            bytes: 0,
            names: BTreeMap::new(),
            dead: BTreeMap::new(),
        }
    }

    pub(super) fn appended(&mut self, room: &RoomCode, epoch: Epoch, batch: &[Record]) {
        let (Some(first), Some(last)) = (batch.first(), batch.last()) else { return };
        self.push(room, epoch, Some((first.offset, last.offset)), bytes_of(batch), last.at);
    }

    pub(super) fn deleted(&mut self, room: &RoomCode, epoch: Epoch, records: Vec<Record>) {
        let at = records.last().map_or(Wall(0), |record| record.at);
        self.dead.insert((room.clone(), epoch), records);
        self.push(room, epoch, None, 0, at);
    }

    fn push(&mut self, room: &RoomCode, epoch: Epoch, records: Option<(Offset, Offset)>, bytes: u64, at: Wall) {
        self.rows.push_back(Row { room: room.clone(), epoch, records, bytes, at });
        self.bytes += bytes;
        self.let_go();
    }

    /// Lets go of what every named feed has read, and of what is more or older than may be held back.
    fn let_go(&mut self) {
        let read = self.names.values().min().copied().unwrap_or_default();
        let age = u64::try_from(self.bounds.age_max.as_millis()).unwrap_or(u64::MAX);
        let oldest = self.rows.iter().map(|row| row.at.0).max().unwrap_or_default().saturating_sub(age);
        while let Some(row) = self.rows.front() {
            if self.floor >= read && self.bytes <= self.bounds.bytes_max && row.at.0 >= oldest {
                break;
            }
            self.floor += 1;
            self.bytes -= row.bytes;
            if row.records.is_none() {
                self.dead.remove(&(row.room.clone(), row.epoch));
            }
            self.rows.pop_front();
        }
    }

    /// The first record of an incarnation that is held back.
    pub(super) fn held_from(&self, room: &RoomCode, epoch: Epoch) -> Option<Offset> {
        let row = self.rows.iter().find(|row| row.epoch == epoch && row.room == *room)?;
        row.records.map(|(first, _)| first)
    }

    pub(super) fn end(&self) -> FeedCursor {
        FeedCursor::numbered(self.id, self.last(), 0)
    }

    fn last(&self) -> u64 {
        self.floor + self.rows.len() as u64
    }

    fn batch_of(&self, cursor: &FeedCursor) -> Result<u64, FeedError> {
        let (batch, _) = cursor.batch_of(self.id)?;
        if batch > self.last() { Err(FeedError::Lost) } else { Ok(batch) }
    }

    pub(super) fn put(&mut self, name: &FeedName, cursor: &FeedCursor) -> Result<(), FeedError> {
        let batch = self.batch_of(cursor)?;
        if self.names.len() >= FeedName::MAX && !self.names.contains_key(name) {
            return Err(FeedError::TooMany);
        }
        self.names.insert(name.clone(), batch);
        self.let_go();
        Ok(())
    }

    pub(super) fn drop_name(&mut self, name: &FeedName) {
        self.names.remove(name);
        self.let_go();
    }

    pub(super) fn names(&self) -> Vec<(FeedName, FeedCursor)> {
        let cursor = |batch: &u64| FeedCursor::numbered(self.id, *batch, 0);
        self.names.iter().map(|(name, batch)| (name.clone(), cursor(batch))).collect()
    }

    /// What follows a cursor; `living` are the records of a room that is there.
    pub(super) fn since<'r>(
        &'r self,
        cursor: Option<&FeedCursor>,
        max: usize,
        living: impl Fn(&RoomCode, Epoch) -> Option<&'r [Record]>,
    ) -> Result<FeedSlice, FeedError> {
        let after = cursor.map_or(Ok(self.floor), |cursor| self.batch_of(cursor))?;
        let gap = self.floor.checked_sub(after).filter(|missed| *missed > 0).map(|batches| FeedGap { batches });
        let start = after.max(self.floor);
        let (mut batches, mut records) = (Vec::new(), 0);
        for row in self.rows.iter().skip((start - self.floor) as usize) {
            let change = match row.records {
                None => FeedChange::Deleted,
                Some((first, last)) => {
                    let dead = self.dead.get(&(row.room.clone(), row.epoch)).map(Vec::as_slice);
                    let all = living(&row.room, row.epoch).or(dead).expect("what is held back is there");
                    let is_in = |record: &&Record| (first..=last).contains(&record.offset);
                    FeedChange::Appended(all.iter().filter(is_in).cloned().collect())
                }
            };
            records += if let FeedChange::Appended(appended) = &change { appended.len() } else { 1 };
            if max == 0 || records > max && !batches.is_empty() {
                break;
            }
            batches.push(FeedBatch { room: row.room.clone(), epoch: row.epoch, change });
        }
        let end = start + batches.len() as u64;
        let (next, behind) = (FeedCursor::numbered(self.id, end, 0), self.last() - end);
        Ok(FeedSlice { gap, batches, next, behind, restored: 0 })
    }
}

fn bytes_of(batch: &[Record]) -> u64 {
    batch.iter().map(|record| serde_json::to_vec(record).expect("a record has string keys").len() as u64).sum()
}
