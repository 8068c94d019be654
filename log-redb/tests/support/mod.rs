//! What the tests share: rooms filled without running one.
#![allow(dead_code)]

pub(crate) mod disk;

use chat_core::{Epoch, Event, Log, Offset, Record, RoomCode, Tail};
use chat_testkit::records::Scribe;

pub(crate) fn code(text: &str) -> RoomCode {
    RoomCode::parse(text).expect("a valid code")
}

/// A life with its opening appended.
pub(crate) async fn open_life(log: &dyn Log, room: &RoomCode, epoch: u64) -> (Scribe, Tail) {
    let mut scribe = Scribe::new(Epoch(epoch));
    let opening = scribe.opening();
    let tail = log.append(room, &Tail::default(), &opening).await.expect("a free code can be claimed");
    (scribe, tail)
}

/// A life with this many messages after its opening.
pub(crate) async fn fill(log: &dyn Log, room: &RoomCode, messages: usize) -> (Scribe, Tail) {
    let (mut scribe, tail) = open_life(log, room, 1).await;
    let tail = log.append(room, &tail, &scribe.talk(messages)).await.expect("the tail is the end");
    (scribe, tail)
}

pub(crate) async fn read_all(log: &dyn Log, room: &RoomCode) -> Vec<Record> {
    log.read(room, None, Offset(0), usize::MAX).await.expect("the log can be read").records
}

pub(crate) fn texts(records: &[Record]) -> Vec<String> {
    let text = |record: &Record| match &record.event {
        Event::Sent { text, .. } => Some(text.as_str().to_owned()),
        _ => None,
    };
    records.iter().filter_map(text).collect()
}
