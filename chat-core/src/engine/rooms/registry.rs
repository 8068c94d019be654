//! Which room codes are in use, and where.

use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::engine::rooms::cell::{RoomCell, Weight};
use crate::engine::rooms::inbox::InboxItem;
use crate::hashing::Hashing;
use crate::locks::{read, write};
use crate::types::RoomCode;

/// Locks taken apart, so that commands of different rooms seldom meet.
const SHARDS: usize = 64;

type Shard = HashMap<RoomCode, Arc<RoomCell>, Hashing>;

/// All rooms of an engine.
pub(crate) struct Registry {
    shards: Vec<RwLock<Shard>>,
    hashing: Hashing,
    rooms: AtomicUsize,
}

impl Registry {
    /// Whoever goes through all rooms meets them in the order of these hashes.
    pub(crate) fn new(hashing: Hashing) -> Self {
        let shards = (0..SHARDS).map(|_| RwLock::new(HashMap::with_hasher(hashing.clone()))).collect();
        Self { shards, hashing, rooms: AtomicUsize::new(0) }
    }

    /// How many codes are in use.
    pub(crate) fn len(&self) -> usize {
        self.rooms.load(Ordering::Relaxed)
    }

    pub(crate) fn room(&self, code: &RoomCode) -> Option<Arc<RoomCell>> {
        self.read(code).get(code).cloned()
    }

    /// The room's cell, made when there is none.
    pub(crate) fn room_or_new(&self, code: &RoomCode) -> Arc<RoomCell> {
        if let Some(cell) = self.room(code) {
            return cell;
        }
        let mut shard = self.write(code);
        let cell = shard.entry(code.clone()).or_insert_with(|| {
            self.rooms.fetch_add(1, Ordering::Relaxed);
            Arc::new(RoomCell::new(code.clone()))
        });
        Arc::clone(cell)
    }

    /// Takes a cell out, unless items have come in. A push that comes after finds it gone and looks here again.
    pub(crate) fn remove(&self, cell: &RoomCell) -> bool {
        let mut shard = self.write(&cell.code);
        let leaves = cell.leave();
        if leaves {
            shard.remove(&cell.code);
            self.rooms.fetch_sub(1, Ordering::Relaxed);
        }
        leaves
    }

    /// Takes a cell out whose task has failed, with the items that nobody will read.
    pub(crate) fn abandon(&self, cell: &RoomCell) -> VecDeque<InboxItem> {
        let mut shard = self.write(&cell.code);
        let items = cell.abandon();
        shard.remove(&cell.code);
        self.rooms.fetch_sub(1, Ordering::Relaxed);
        items
    }

    /// Every code in use, in no order.
    pub(crate) fn codes(&self) -> Vec<RoomCode> {
        let shard = |lock: &RwLock<Shard>| {
            let shard = read(lock);
            shard.keys().cloned().collect::<Vec<_>>()
        };
        self.shards.iter().flat_map(shard).collect()
    }

    /// The members of all rooms that are decided here.
    pub(crate) fn members(&self) -> u64 {
        self.shards.iter().map(|lock| read(lock).values().map(|cell| cell.members()).sum::<u64>()).sum()
    }

    /// The codes of rooms that may be shown to people who are not in them, in no order.
    pub(crate) fn codes_listed(&self) -> Vec<RoomCode> {
        let shard = |lock: &RwLock<Shard>| {
            let shard = read(lock);
            let listed = shard.values().filter(|cell| cell.weight().is_listed);
            listed.map(|cell| cell.code.clone()).collect::<Vec<_>>()
        };
        self.shards.iter().flat_map(shard).collect()
    }

    /// The rooms whose weight is like this.
    pub(crate) async fn cells(&self, is_wanted: impl Fn(Weight) -> bool) -> Vec<Arc<RoomCell>> {
        self.look(|cell| is_wanted(cell.weight()).then(|| Arc::clone(cell))).await
    }

    /// What the backlog of each room holds, in bytes.
    pub(crate) async fn weights(&self) -> Vec<usize> {
        self.look(|cell| Some(cell.weight().bytes)).await
    }

    /// Looks at all rooms, one shard at a time; others run in between.
    async fn look<T>(&self, mut seen: impl FnMut(&Arc<RoomCell>) -> Option<T>) -> Vec<T> {
        let mut found = Vec::new();
        for lock in &self.shards {
            {
                let shard = read(lock);
                found.extend(shard.values().filter_map(&mut seen));
            }
            tokio::task::yield_now().await;
        }
        found
    }

    fn read(&self, code: &RoomCode) -> RwLockReadGuard<'_, Shard> {
        read(self.shard(code))
    }

    fn write(&self, code: &RoomCode) -> RwLockWriteGuard<'_, Shard> {
        write(self.shard(code))
    }

    fn shard(&self, code: &RoomCode) -> &RwLock<Shard> {
        &self.shards[self.hashing.hash_one(code) as usize % SHARDS]
    }
}
