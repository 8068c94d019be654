//! A log of one's own, and how it is checked: one file per room, a JSON object per record, and the contract of every log over it.
//!
//! `cargo test -p chat-testkit --example check_a_log` runs the contract; `cargo run` of it keeps a room over a restart.
//!
//! A log to learn from, not to serve from: each append writes the whole room again, and nothing is flushed to the disk.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use chat_core::{
    Amend, AppendError, Body, Command, ConnectRequest, Ended, EndedWho, Engine, Epoch, Erasure, Event, ExclusiveClaim,
    Hello, Identity, Log, LogClaim, LogInUse, LogPage, Nick, Offset, ReadError, Record, RoomCode, Scrub, Seq,
    SessionId, Slot, Tail, Wall,
};

/// A folder of rooms.
struct FolderLog {
    /// One at a time: reads and writes are short, and a reader must not see half of a file.
    folder: Mutex<PathBuf>,
    engines: ExclusiveClaim,
}

impl FolderLog {
    fn open(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        Ok(Self { folder: Mutex::new(folder.to_owned()), engines: ExclusiveClaim::default() })
    }

    fn folder(&self) -> MutexGuard<'_, PathBuf> {
        self.folder.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Everything of a room; empty for a code that nobody holds.
fn load(folder: &Path, room: &RoomCode) -> io::Result<Vec<Record>> {
    match fs::read(file(folder, room, "jsonl")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
        Ok(bytes) => {
            let lines = bytes.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
            lines.map(|line| serde_json::from_slice(line).map_err(io::Error::from)).collect()
        }
    }
}

/// The snapshot of a room, and the last record that it includes.
fn load_snapshot(folder: &Path, room: &RoomCode) -> io::Result<Option<(Offset, Vec<u8>)>> {
    match fs::read(file(folder, room, "snapshot")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
        Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
    }
}

/// The sessions that were ended: of which session or person, through which session, and until when that is remembered.
fn load_ended(folder: &Path) -> io::Result<Vec<(Option<Identity>, SessionId, Wall)>> {
    match fs::read(folder.join("ended.json")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(io::Error::from),
    }
}

fn load_erasures(folder: &Path) -> io::Result<Vec<Erasure>> {
    match fs::read(folder.join("erasures.json")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(io::Error::from),
    }
}

fn store_erasures(folder: &Path, all: &[Erasure]) -> io::Result<()> {
    let fresh = folder.join("erasures.fresh");
    fs::write(&fresh, serde_json::to_vec(all)?)?;
    fs::rename(fresh, folder.join("erasures.json"))
}

fn read_ended((identity, through, until): (Option<Identity>, SessionId, Wall)) -> Ended {
    let who = identity.map_or(EndedWho::Session(through), EndedWho::Person);
    Ended { who, through, until }
}

fn written_ended(Ended { who, through, until }: Ended) -> (Option<Identity>, SessionId, Wall) {
    let identity = match who {
        EndedWho::Session(_) => None,
        EndedWho::Person(identity) => Some(identity),
    };
    (identity, through, until)
}

/// Puts these records in the place of all before: whole or not at all, because a rename is.
fn store(folder: &Path, room: &RoomCode, records: &[Record]) -> io::Result<()> {
    let mut bytes = Vec::new();
    for record in records {
        serde_json::to_writer(&mut bytes, record)?;
        bytes.push(b'\n');
    }
    let fresh = file(folder, room, "fresh");
    fs::write(&fresh, bytes)?;
    fs::rename(fresh, file(folder, room, "jsonl"))
}

fn file(folder: &Path, room: &RoomCode, kind: &str) -> PathBuf {
    // A room code is letters, digits and dashes: no path can hide in it.
    folder.join(format!("{room}.{kind}"))
}

fn epoch_of(records: &[Record]) -> Option<Epoch> {
    records.first().and_then(|first| match first.event {
        Event::Created { epoch, .. } => Some(epoch),
        _ => None,
    })
}

fn tail_of(records: &[Record]) -> Tail {
    let offset = records.last().map(|last| last.offset).unwrap_or_default();
    Tail { epoch: epoch_of(records), offset, token: 0 }
}

fn unread(error: io::Error) -> ReadError {
    ReadError::Unavailable(error.to_string())
}

fn unwritten(error: io::Error) -> AppendError {
    AppendError::Unknown(error.to_string())
}

#[async_trait]
impl Log for FolderLog {
    fn claim(&self) -> Result<LogClaim, LogInUse> {
        self.engines.claim()
    }

    async fn append(&self, room: &RoomCode, after: &Tail, batch: &[Record]) -> Result<Tail, AppendError> {
        let folder = self.folder();
        let mut records = load(&folder, room).map_err(|error| AppendError::NotWritten(error.to_string()))?;
        if tail_of(&records) != *after {
            return Err(AppendError::Conflict);
        }
        records.extend_from_slice(batch);
        store(&folder, room, &records).map_err(unwritten)?;
        Ok(tail_of(&records))
    }

    async fn read(
        &self,
        room: &RoomCode,
        epoch: Option<Epoch>,
        after: Offset,
        max: usize,
    ) -> Result<LogPage, ReadError> {
        let records = load(&self.folder(), room).map_err(unread)?;
        let tail = tail_of(&records);
        let max = if epoch.is_none() || epoch == tail.epoch { max } else { 0 };
        let records = records.into_iter().filter(|record| record.offset > after).take(max).collect();
        Ok(LogPage { records, tail })
    }

    async fn messages(&self, room: &RoomCode, epoch: Epoch, before: Seq, max: usize) -> Result<Vec<Record>, ReadError> {
        let records = load(&self.folder(), room).map_err(unread)?;
        if epoch_of(&records) != Some(epoch) {
            return Ok(Vec::new());
        }
        let is_earlier = |record: &Record| record.seq.is_some_and(|seq| seq < before);
        let is_message = |record: &Record| matches!(record.event, Event::Sent { .. });
        let mut newest: Vec<Record> =
            records.into_iter().rev().filter(|record| is_message(record) && is_earlier(record)).take(max).collect();
        newest.reverse();
        Ok(newest)
    }

    async fn messages_after(
        &self,
        room: &RoomCode,
        epoch: Epoch,
        after: Seq,
        max: usize,
    ) -> Result<Vec<Record>, ReadError> {
        let records = load(&self.folder(), room).map_err(unread)?;
        if epoch_of(&records) != Some(epoch) {
            return Ok(Vec::new());
        }
        let is_later = |record: &Record| record.seq.is_some_and(|seq| seq > after);
        let is_message = |record: &Record| matches!(record.event, Event::Sent { .. });
        Ok(records.into_iter().filter(|record| is_message(record) && is_later(record)).take(max).collect())
    }

    async fn rooms(
        &self,
        slot: Option<Slot>,
        after: Option<&RoomCode>,
        max: usize,
    ) -> Result<Vec<RoomCode>, ReadError> {
        let mut rooms = Vec::new();
        for entry in fs::read_dir(&*self.folder()).map_err(unread)? {
            let name = entry.map_err(unread)?.file_name();
            let code = name.to_str().and_then(|name| RoomCode::parse(name.strip_suffix(".jsonl")?).ok());
            let code = code.filter(|code| after.is_none_or(|after| code > after));
            rooms.extend(code.filter(|code| slot.is_none_or(|slot| Slot::of(code) == slot)));
        }
        rooms.sort();
        rooms.truncate(max);
        Ok(rooms)
    }

    async fn load_snapshot(&self, room: &RoomCode, epoch: Epoch) -> Result<Option<(Offset, Vec<u8>)>, ReadError> {
        let folder = self.folder();
        if epoch_of(&load(&folder, room).map_err(unread)?) != Some(epoch) {
            return Ok(None);
        }
        load_snapshot(&folder, room).map_err(unread)
    }

    async fn save_snapshot(
        &self,
        room: &RoomCode,
        epoch: Epoch,
        through: Offset,
        snapshot: &[u8],
    ) -> Result<(), AppendError> {
        let folder = self.folder();
        let tail = tail_of(&load(&folder, room).map_err(unwritten)?);
        let stored = load_snapshot(&folder, room).map_err(unwritten)?.map_or(Offset(0), |(stored, _)| stored);
        if tail.epoch != Some(epoch) || !(stored..=tail.offset).contains(&through) {
            return Ok(());
        }
        let bytes = serde_json::to_vec(&(through, snapshot)).map_err(|error| unwritten(error.into()))?;
        let fresh = file(&folder, room, "fresh");
        fs::write(&fresh, bytes).and_then(|()| fs::rename(fresh, file(&folder, room, "snapshot"))).map_err(unwritten)
    }

    async fn load_read_positions(&self, room: &RoomCode, epoch: Epoch) -> Result<Option<Vec<u8>>, ReadError> {
        let folder = self.folder();
        if epoch_of(&load(&folder, room).map_err(unread)?) != Some(epoch) {
            return Ok(None);
        }
        match fs::read(file(&folder, room, "reads")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            read => read.map(Some).map_err(unread),
        }
    }

    async fn save_read_positions(&self, room: &RoomCode, epoch: Epoch, positions: &[u8]) -> Result<(), AppendError> {
        let folder = self.folder();
        if epoch_of(&load(&folder, room).map_err(unwritten)?) != Some(epoch) {
            return Ok(());
        }
        let fresh = file(&folder, room, "fresh");
        fs::write(&fresh, positions).and_then(|()| fs::rename(fresh, file(&folder, room, "reads"))).map_err(unwritten)
    }

    async fn amend(&self, room: &RoomCode, epoch: Epoch, amends: &[Amend]) -> Result<(), AppendError> {
        let folder = self.folder();
        let mut records = load(&folder, room).map_err(unwritten)?;
        if epoch_of(&records) != Some(epoch) {
            return Ok(());
        }
        for amend in amends {
            if let Some(record) = records.iter_mut().find(|record| record.seq == Some(amend.seq)) {
                amend.apply(record);
            }
        }
        store(&folder, room, &records).map_err(unwritten)
    }

    async fn delete(&self, room: &RoomCode, epoch: Epoch) -> Result<(), AppendError> {
        let folder = self.folder();
        if epoch_of(&load(&folder, room).map_err(unwritten)?) != Some(epoch) {
            return Ok(());
        }
        // These first: what is left over would be taken for that of the next life.
        for kind in ["snapshot", "reads", "jsonl"] {
            match fs::remove_file(file(&folder, room, kind)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(unwritten(error)),
                _ => {}
            }
        }
        Ok(())
    }

    async fn scrub(&self, room: &RoomCode, epoch: Epoch, scrubs: &[Scrub]) -> Result<(), AppendError> {
        let folder = self.folder();
        let mut records = load(&folder, room).map_err(unwritten)?;
        if epoch_of(&records) != Some(epoch) {
            return Ok(());
        }
        for record in &mut records {
            for scrub in scrubs {
                let _ = scrub.apply(record);
            }
        }
        store(&folder, room, &records).map_err(unwritten)
    }

    async fn put_erasure(&self, erasure: &Erasure, asked: Option<u32>) -> Result<(), AppendError> {
        let folder = self.folder();
        let mut all = load_erasures(&folder).map_err(unwritten)?;
        let kept = all.iter().find(|known| known.identity == erasure.identity);
        if !erasure.may_follow(kept, asked) {
            return Err(AppendError::Conflict);
        }
        all.retain(|known| known.identity != erasure.identity);
        all.push(erasure.clone());
        store_erasures(&folder, &all).map_err(unwritten)
    }

    async fn drop_erasure(&self, erasure: &Erasure) -> Result<(), AppendError> {
        let folder = self.folder();
        let mut all = load_erasures(&folder).map_err(unwritten)?;
        let kept = all.iter().find(|known| known.identity == erasure.identity);
        if kept.is_some() && !erasure.may_follow(kept, Some(erasure.asked)) {
            return Err(AppendError::Conflict);
        }
        all.retain(|known| known.identity != erasure.identity);
        store_erasures(&folder, &all).map_err(unwritten)
    }

    async fn erasures(&self) -> Result<Vec<Erasure>, ReadError> {
        load_erasures(&self.folder()).map_err(unread)
    }

    async fn put_ended(&self, ended: &Ended, over: &[Ended]) -> Result<(), AppendError> {
        let folder = self.folder();
        let mut all: Vec<Ended> = load_ended(&folder).map_err(unwritten)?.into_iter().map(read_ended).collect();
        all.retain(|known| known.who != ended.who);
        all.retain(|known| !over.iter().any(|over| over.who == known.who && known.until <= over.until));
        all.push(ended.clone());
        let all: Vec<_> = all.into_iter().map(written_ended).collect();
        let bytes = serde_json::to_vec(&all).map_err(|error| unwritten(error.into()))?;
        let fresh = folder.join("ended.fresh");
        fs::write(&fresh, bytes).and_then(|()| fs::rename(fresh, folder.join("ended.json"))).map_err(unwritten)
    }

    async fn ended(&self) -> Result<Vec<Ended>, ReadError> {
        let all = load_ended(&self.folder()).map_err(unread)?;
        Ok(all.into_iter().map(read_ended).collect())
    }
}

/// A room is created and talked in, the process ends, and another one goes on.
async fn survive_a_restart(folder: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let room = RoomCode::parse("LUNCH")?;
    {
        let engine = Engine::builder().log(Arc::new(FolderLog::open(folder)?))?.build();
        let ann = engine.connect(ConnectRequest::default(), Hello::default()).await?;
        ann.call(Command::create(Nick::parse("Ann")?).with_room(room.clone())).await?;
        ann.call(Command::send(room.clone(), Body::parse("Pizza?", 4_000)?)).await?;
    }
    let engine = Engine::builder().log(Arc::new(FolderLog::open(folder)?))?.build();
    let mut bob = engine.connect(ConnectRequest::default(), Hello::default()).await?;
    bob.call(Command::join(room, Nick::parse("Bob")?)).await?;
    loop {
        if let chat_core::ServerFrame::Joined(joined) = bob.next().await {
            assert_eq!(joined.history.len(), 1);
            println!("after the restart: {}", joined.history[0].frame().text);
            return Ok(());
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = Folder::new();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    runtime.block_on(survive_a_restart(&folder.0))
}

/// A folder that is gone when it is dropped.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        use std::sync::atomic::{AtomicU32, Ordering};
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("check_a_log-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        Self(std::env::temp_dir().join(name))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Nothing is lost with a folder that stays.
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chat_testkit::contract::Home;

    #[async_trait]
    impl Home for Folder {
        async fn open(&mut self) -> Arc<dyn Log> {
            Arc::new(FolderLog::open(&self.0).expect("a folder can be made"))
        }
    }

    chat_testkit::log_contract!(Folder::new);
}
