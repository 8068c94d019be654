//! Any damage to a file of `log-redb`: every record is read as it was written, or not at all.

use std::io;
use std::sync::{Arc, Mutex, OnceLock};

use chat_core::{Epoch, Log, Offset, Record, RoomCode, Seq, Tail};
use chat_testkit::checks::Choices;
use chat_testkit::records::Scribe;
use log_redb::redb::StorageBackend;
use log_redb::{Durability, Options, Place, RedbLog, Verify};
use tokio::runtime::{Builder, Runtime};

use crate::locks::lock;

const ROOMS: [&str; 4] = ["ALPHA", "BETA", "GAMMA", "DELTA"];
/// Messages of each room.
const MESSAGES: usize = 12;
/// Records that open a room.
const OPENING: usize = 2;
/// Bytes changed in one place, at most: one sector of a disk.
const SECTOR: usize = 512;

/// The first byte says how the file is damaged; in one case the other bytes are the file.
///
/// # Panics
/// When a record is read that is not the one written there, a room is shorter than its tail says, or a room that is there is
/// said not to be. Panics inside redb are caught by the log, and are no failure.
pub fn log_file(data: &[u8]) {
    let mut choices = Choices::new(data);
    let verify = if choices.in_256(128) { Verify::Always } else { Verify::AfterCrash };
    let whole = Whole::made();
    let is_after_crash = choices.below(2) == 1;
    let mut bytes = if is_after_crash { whole.crashed.clone() } else { whole.closed.clone() };
    match choices.below(6) {
        // Nowhere nothing at all: an empty place becomes a log without rooms.
        0 if !choices.is_over() => bytes = choices.rest().to_vec(),
        0 => {}
        1 => bytes.truncate(1 + place(&mut choices, bytes.len())),
        2 => bytes.extend_from_slice(choices.rest()),
        3 => {
            let (at, length) = (place(&mut choices, bytes.len()), 1 + choices.word() as usize % SECTOR);
            bytes.iter_mut().skip(at).take(length).for_each(|byte| *byte = 0);
        }
        4 => {
            // A sector that was written to the wrong place.
            let [from, to] = [(); 2].map(|()| place(&mut choices, bytes.len() - SECTOR) / SECTOR * SECTOR);
            bytes.copy_within(from..from + SECTOR, to);
        }
        _ => {
            let at = place(&mut choices, bytes.len());
            let changes = choices.take(SECTOR);
            bytes.iter_mut().skip(at).zip(changes).for_each(|(byte, change)| *byte ^= change);
        }
    }
    let is_whole = bytes == whole.closed || bytes == whole.crashed;
    let options = Options { verify, durability: Durability::Relaxed, cache_bytes: 1 << 20, ..Options::default() };
    match RedbLog::open_on(Memory::holding(bytes), options) {
        Ok(log) => runtime().block_on(whole.check(&log, is_after_crash, is_whole)),
        Err(error) => assert!(!is_whole, "a whole file is opened: {error}"),
    }
}

/// Somewhere in so many bytes.
fn place(choices: &mut Choices<'_>, bytes: usize) -> usize {
    let place = usize::from(choices.word()) << 8 | usize::from(choices.byte());
    place % bytes.max(1)
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_time().build().expect("a runtime needs nothing")
}

/// A log as it was written, closed properly and as a crash leaves it.
struct Whole {
    closed: Vec<u8>,
    crashed: Vec<u8>,
    records: Vec<Vec<Record>>,
}

impl Whole {
    fn made() -> &'static Self {
        static WHOLE: OnceLock<Whole> = OnceLock::new();
        WHOLE.get_or_init(|| {
            let memory = Memory::default();
            let log = RedbLog::open_on(memory.clone(), Options::default()).expect("an empty place becomes a log");
            let (records, crashed) = runtime().block_on(async {
                let mut records = Vec::new();
                for (number, room) in ROOMS.into_iter().enumerate() {
                    records.push(fill(&log, &code(room), number as u64 + 1).await);
                }
                let crashed = memory.bytes();
                log.close().await.expect("memory takes every write");
                (records, crashed)
            });
            drop(log);
            Whole { closed: memory.bytes(), crashed, records }
        })
    }

    async fn check(&self, log: &RedbLog, is_after_crash: bool, is_whole: bool) {
        for (number, room) in ROOMS.into_iter().enumerate() {
            let (room, written) = (code(room), &self.records[number]);
            match log.read(&room, None, Offset(0), usize::MAX).await {
                Ok(stretch) => {
                    let found = &stretch.records;
                    // The commit before the last one is whole, too: where the last is damaged, a crash looks like this.
                    let is_before = is_after_crash && found.len() >= OPENING && written.starts_with(found);
                    assert!(found == written || !is_whole && is_before, "{room}: {found:?} of {written:?}");
                }
                Err(error) => assert!(!is_whole, "{room}: a whole file is read: {error}"),
            }
            let epoch = Epoch(number as u64 + 1);
            match log.messages(&room, epoch, Seq(u64::MAX), usize::MAX).await {
                Ok(messages) => assert!(messages.iter().all(|record| written.contains(record)), "{room}: {messages:?}"),
                Err(error) => assert!(!is_whole, "{room}: a whole file is read: {error}"),
            }
            match log.load_snapshot(&room, epoch).await {
                Ok(None) => assert!(!is_whole, "{room}: a whole file has its snapshot"),
                Ok(Some(found)) => assert_eq!(found, (Offset(OPENING as u64), snapshot(&room)), "{room}"),
                Err(error) => assert!(!is_whole, "{room}: a whole file is read: {error}"),
            }
        }
        for room in log.rooms(None, None, usize::MAX).await.unwrap_or_default() {
            // A code is listed as it stands in the file, changed or not; behind a changed one there is nothing to be read.
            if !ROOMS.contains(&room.as_str()) {
                let found = log.read(&room, None, Offset(0), usize::MAX).await;
                assert!(!found.is_ok_and(|stretch| !stretch.records.is_empty()), "{room} never was");
            }
        }
    }
}

async fn fill(log: &RedbLog, room: &RoomCode, epoch: u64) -> Vec<Record> {
    let mut scribe = Scribe::new(Epoch(epoch));
    let opening = scribe.opening();
    let tail = log.append(room, &Tail::default(), &opening).await.expect("the code is free");
    log.save_snapshot(room, Epoch(epoch), Offset(OPENING as u64), &snapshot(room))
        .await
        .expect("memory takes every write");
    let talk = scribe.talk(MESSAGES);
    log.append(room, &tail, &talk).await.expect("the tail is the end");
    [opening, talk].concat()
}

fn snapshot(room: &RoomCode) -> Vec<u8> {
    format!("the ledger of {room}").into_bytes()
}

fn code(text: &str) -> RoomCode {
    RoomCode::parse(text).expect("a valid code")
}

/// A disk in memory; a clone is the same disk.
#[derive(Clone, Debug, Default)]
struct Memory(Arc<Mutex<Vec<u8>>>);

impl Memory {
    fn holding(bytes: Vec<u8>) -> Self {
        Self(Arc::new(Mutex::new(bytes)))
    }

    fn bytes(&self) -> Vec<u8> {
        self.with(|bytes| bytes.clone())
    }

    fn with<T>(&self, look: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        look(&mut lock(&self.0))
    }

    fn at(bytes: &mut [u8], offset: u64, length: usize) -> io::Result<&mut [u8]> {
        let start = usize::try_from(offset).map_err(|_| io::ErrorKind::UnexpectedEof)?;
        let end = start.checked_add(length).ok_or(io::ErrorKind::UnexpectedEof)?;
        bytes.get_mut(start..end).ok_or(io::ErrorKind::UnexpectedEof.into())
    }
}

impl Place for Memory {
    type Storage = Self;

    fn name(&self) -> String {
        "memory".to_owned()
    }

    fn storage(&self) -> io::Result<Self> {
        Ok(self.clone())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.with(|bytes| bytes.len()) as u64)
    }
}

impl StorageBackend for Memory {
    fn len(&self) -> io::Result<u64> {
        Place::len(self)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.with(|bytes| Self::at(bytes, offset, out.len()).map(|found| out.copy_from_slice(found)))
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        /// No check needs more; a length out of a damaged header may be anything.
        const MOST: u64 = 64 << 20;
        if len > MOST {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.with(|bytes| bytes.resize(len as usize, 0));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.with(|bytes| Self::at(bytes, offset, data.len()).map(|place| place.copy_from_slice(data)))
    }
}
