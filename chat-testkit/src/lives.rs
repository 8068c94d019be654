//! Rooms in a log, filled without running one, and what the log then holds of them: how tests of a log begin and end.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chat_core::{AppendError, Epoch, Event, Log, LogPage, Offset, ReadError, Record, RoomCode, Tail, Wall};

use crate::records::Scribe;

/// How often a log that cannot be used now is asked again, and with which pause between: 20 s in all.
const TRIES: (u32, Duration) = (2_000, Duration::from_millis(10));

/// A code of a room.
///
/// # Panics
/// When `text` is none that [`RoomCode::parse`] takes.
pub fn code(text: &str) -> RoomCode {
    RoomCode::parse(text).expect("a valid code")
}

/// A life with its opening appended.
///
/// # Panics
/// When that is refused.
pub async fn open_life(log: &dyn Log, room: &RoomCode, epoch: u64) -> (Scribe, Tail) {
    let mut scribe = Scribe::new(Epoch(epoch));
    let opening = scribe.opening();
    let tail = log.append(room, &Tail::default(), &opening).await.expect("a free code can be claimed");
    (scribe, tail)
}

/// A life with this many messages after its opening.
///
/// # Panics
/// When that is refused.
pub async fn fill(log: &dyn Log, room: &RoomCode, messages: usize) -> (Scribe, Tail) {
    let (mut scribe, tail) = open_life(log, room, 1).await;
    let tail = log.append(room, &tail, &scribe.talk(messages)).await.expect("the tail is the end");
    (scribe, tail)
}

/// Everything that the log holds of a room.
///
/// # Panics
/// When it cannot be read.
pub async fn read_all(log: &dyn Log, room: &RoomCode) -> Vec<Record> {
    log.read(room, None, Offset(0), usize::MAX).await.expect("the log can be read").records
}

/// Where the log of a room ends.
///
/// # Panics
/// When it cannot be read.
pub async fn tail_of(log: &dyn Log, room: &RoomCode) -> Tail {
    log.read(room, None, Offset(0), 0).await.expect("the log can be read").tail
}

/// Reads until the log can be read again.
///
/// # Panics
/// When it is damaged, or cannot be read for 20 s.
pub async fn settled(log: &dyn Log, room: &RoomCode) -> Vec<Record> {
    once_readable(log, room).await.records
}

/// Everything that the log holds of a room, and where it ends, of one read: a disk may fail again between two.
async fn once_readable(log: &dyn Log, room: &RoomCode) -> LogPage {
    for _ in 0..TRIES.0 {
        match log.read(room, None, Offset(0), usize::MAX).await {
            Ok(page) => return page,
            Err(ReadError::Unavailable(_)) => tokio::time::sleep(TRIES.1).await,
            Err(damaged) => panic!("{damaged}"),
        }
    }
    panic!("the log does not come back");
}

/// Appends one message as an owner does: after an error it reads, and goes on from what is there. Returns the errors met.
///
/// # Panics
/// When it is not written within 20 s.
pub async fn persist(log: &dyn Log, room: &RoomCode, scribe: &mut Scribe, tail: &mut Tail) -> Vec<AppendError> {
    let mut errors = Vec::new();
    let record = scribe.sent(&format!("number {}", scribe.head().next()));
    for _ in 0..TRIES.0 {
        match log.append(room, tail, std::slice::from_ref(&record)).await {
            Ok(end) => {
                *tail = end;
                return errors;
            }
            Err(error) => errors.push(error),
        }
        let found = once_readable(log, room).await;
        if found.records.last() == Some(&record) {
            *tail = found.tail;
            return errors;
        }
        tokio::time::sleep(TRIES.1).await;
    }
    panic!("it is never written: {errors:?}");
}

/// The texts of the messages among these records.
pub fn texts(records: &[Record]) -> Vec<String> {
    let text = |record: &Record| match &record.event {
        Event::Sent { text, .. } => Some(text.as_str().to_owned()),
        _ => None,
    };
    records.iter().filter_map(text).collect()
}

/// The records as if they were made so long ago.
///
/// # Panics
/// When that was before 1970.
pub fn aged(mut records: Vec<Record>, age: Duration) -> Vec<Record> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    records.iter_mut().for_each(|record| record.at = Wall((now - age).as_millis() as u64));
    records
}
