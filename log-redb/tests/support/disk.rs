//! A disk in memory that fails on demand: short of space, or of a working write or sync.
#![allow(dead_code)]

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use log_redb::Place;
use log_redb::redb::StorageBackend;

#[derive(Debug, Default)]
struct State {
    bytes: Mutex<Vec<u8>>,
    /// The most bytes it holds; 0 for no limit.
    space: AtomicU64,
    fails_writes: AtomicBool,
    fails_syncs: AtomicBool,
    fails_reads: AtomicBool,
    /// What was there at the last sync, if a failed sync is to lose what came after.
    synced: Mutex<Option<Vec<u8>>>,
    is_open: AtomicBool,
    opened: AtomicU64,
    syncs: AtomicU64,
}

/// Handles of one disk; a clone is another handle.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk(Arc<State>);

impl Disk {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// From now on it does not grow beyond this many bytes more than it holds.
    pub(crate) fn is_full_after(&self, more: u64) {
        self.0.space.store(self.bytes() + more, Ordering::SeqCst);
    }

    pub(crate) fn fail_writes(&self) {
        self.0.fails_writes.store(true, Ordering::SeqCst);
    }

    pub(crate) fn fail_syncs(&self) {
        self.0.fails_syncs.store(true, Ordering::SeqCst);
    }

    pub(crate) fn fail_reads(&self) {
        self.0.fails_reads.store(true, Ordering::SeqCst);
    }

    /// As [`Disk::fail_syncs`], and what was written since the last good sync is lost: as after a failed writeback.
    pub(crate) fn lose_unsynced(&self) {
        *self.0.synced.lock().expect("no panic") = Some(self.0.bytes.lock().expect("no panic").clone());
        self.fail_syncs();
    }

    /// Everything works again.
    pub(crate) fn heal(&self) {
        self.0.space.store(0, Ordering::SeqCst);
        for flag in [&self.0.fails_writes, &self.0.fails_syncs, &self.0.fails_reads] {
            flag.store(false, Ordering::SeqCst);
        }
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.0.bytes.lock().expect("no panic").len() as u64
    }

    pub(crate) fn holds(&self, text: &[u8]) -> bool {
        self.0.bytes.lock().expect("no panic").windows(text.len()).any(|window| window == text)
    }

    /// How often a log was opened on it.
    pub(crate) fn opened(&self) -> u64 {
        self.0.opened.load(Ordering::SeqCst)
    }

    /// How often what was written was made durable.
    pub(crate) fn syncs(&self) -> u64 {
        self.0.syncs.load(Ordering::SeqCst)
    }
}

impl Place for Disk {
    type Storage = Handle;

    fn name(&self) -> String {
        "the disk".into()
    }

    fn storage(&self) -> io::Result<Handle> {
        assert!(!self.0.is_open.swap(true, Ordering::SeqCst), "it is closed before it is opened again");
        self.0.opened.fetch_add(1, Ordering::SeqCst);
        Ok(Handle(Arc::clone(&self.0)))
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.bytes())
    }

    fn distrust(&self) {
        if let Some(synced) = self.0.synced.lock().expect("no panic").take() {
            *self.0.bytes.lock().expect("no panic") = synced;
        }
    }
}

#[derive(Debug)]
pub(crate) struct Handle(Arc<State>);

impl Handle {
    fn check(flag: &AtomicBool, what: &str) -> io::Result<()> {
        if flag.load(Ordering::SeqCst) { Err(io::Error::other(what.to_owned())) } else { Ok(()) }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.is_open.store(false, Ordering::SeqCst);
    }
}

impl StorageBackend for Handle {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.bytes.lock().expect("no panic").len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        Self::check(&self.0.fails_reads, "the read failed")?;
        let bytes = self.0.bytes.lock().expect("no panic");
        let start = offset as usize;
        let found = bytes.get(start..start + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(found);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        Self::check(&self.0.fails_writes, "the write failed")?;
        let space = self.0.space.load(Ordering::SeqCst);
        let mut bytes = self.0.bytes.lock().expect("no panic");
        if space > 0 && len > space && len as usize > bytes.len() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        bytes.resize(len as usize, 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Self::check(&self.0.fails_syncs, "the sync failed")?;
        self.0.syncs.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        Self::check(&self.0.fails_writes, "the write failed")?;
        let mut bytes = self.0.bytes.lock().expect("no panic");
        let start = offset as usize;
        let place = bytes.get_mut(start..start + data.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        place.copy_from_slice(data);
        Ok(())
    }
}
