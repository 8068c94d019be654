//! The check of rows that fuzzers run: any bytes are a row as it was written, or an error, and never another row.

use chat_core::{EndedWho, Epoch, Event, Offset, Record, Seq, SessionId, Wall};

use crate::feed_rows::{FeedRow, mark, mark_row};
use crate::format::{Encoded, RecordRow, SnapshotRow, TailRow, ended, ended_key, ended_row, record_key};

const ROOM: &str = "LOBBY";

/// The first byte says what the others are: rows as they are, or damage to a true row.
///
/// # Panics
/// When damage is read as a row, or what is read is not read back as it was written.
pub fn log_record(data: &[u8]) {
    match data.split_first() {
        None => {}
        Some((how, rest)) if how % 2 == 0 => any_row(rest),
        Some((_, rest)) => damaged_row(rest),
    }
}

/// Bytes that may hold any checksum, a right one too.
fn any_row(bytes: &[u8]) {
    let key = record_key(ROOM, Epoch(1), 7);
    if let Ok(row) = RecordRow::decode(&key, bytes) {
        let again = row.encode(&key);
        let again = RecordRow::decode(&key, &again).expect("what was written is read");
        let parts = |row: &RecordRow<'_>| (row.version, row.is_message, row.head, row.message_before, row.at);
        assert_eq!((parts(&again), again.json), (parts(&row), row.json));
    }
    if let Ok(row) = TailRow::decode(ROOM, bytes) {
        assert_eq!(TailRow::decode(ROOM, &row.encode(ROOM)).expect("what was written is read"), row);
    }
    if let Ok(row) = SnapshotRow::decode(ROOM, bytes) {
        let again = row.encode(ROOM);
        let again = SnapshotRow::decode(ROOM, &again).expect("what was written is read");
        assert_eq!((again.epoch, again.through, again.bytes), (row.epoch, row.through, row.bytes));
    }
    // Under a key of its own, and as one.
    for key in [ended_key(&EndedWho::Session(SessionId::new(7))), bytes.to_vec()] {
        if let Ok(read) = ended(&key, bytes) {
            assert_eq!(ended(&key, &ended_row(&key, &read)).expect("what was written is read"), read);
        }
    }
    if let Ok(row) = FeedRow::decode(7, bytes) {
        assert_eq!(FeedRow::decode(7, &row.encode(7)).expect("what was written is read"), row);
    }
    if let Ok(read) = mark(ROOM, bytes) {
        assert_eq!(mark(ROOM, &mark_row(ROOM, read)).expect("what was written is read"), read);
    }
    // The same bytes as the record in a row that is whole.
    let whole = RecordRow { version: 1, is_message: true, head: 5, message_before: 3, at: 1, json: bytes }.encode(&key);
    let row = RecordRow::decode(&key, &whole).expect("what was written is read");
    if let Ok(record) = row.record(&key) {
        assert_eq!(record.offset, Offset(7), "the record is the one that its key says");
        let json = Encoded::new(&record).json;
        assert_eq!(serde_json::from_slice::<Record>(&json).expect("what was written is read"), record);
    }
}

/// A true row with one place changed, no longer than a checksum notices for certain, or under another key.
fn damaged_row(choices: &[u8]) {
    let byte = |index: usize| choices.get(index).copied().unwrap_or(0);
    let offset = u64::from(byte(0));
    let key = record_key(ROOM, Epoch(1), offset);
    let record = Record {
        offset: Offset(offset),
        seq: (byte(1) > 0).then(|| Seq(u64::from(byte(1)))),
        at: Wall(u64::from(byte(2))),
        by: None,
        event: Event::Redacted { target: Seq(u64::from(byte(3))) },
    };
    let encoded = Encoded::new(&record);
    let numbers = [byte(1), byte(3), byte(2)].map(u64::from);
    let [head, message_before, at] = numbers;
    let Encoded { version, is_message, json, .. } = &encoded;
    let (version, is_message) = (*version, *is_message);
    let row = RecordRow { version, is_message, head, message_before, at, json }.encode(&key);
    let read = RecordRow::decode(&key, &row).expect("what was written is read");
    assert_eq!(read.record(&key).expect("what was written is read"), record);

    // Within the checksum's own bytes, or wholly before or behind them.
    let mut changed = row.clone();
    let at = usize::from(u16::from_be_bytes([byte(4), byte(5)])) % row.len();
    let end = if at < 2 {
        2
    } else if at < 6 {
        6
    } else {
        (at + 4).min(row.len())
    };
    for (index, byte) in changed[at..end].iter_mut().enumerate() {
        *byte ^= choices.get(6 + index).copied().unwrap_or(0);
    }
    if changed != row {
        assert!(RecordRow::decode(&key, &changed).is_err(), "{changed:?} is read as {row:?}");
    }
    let other = record_key(ROOM, Epoch(1), offset ^ u64::from(byte(10)));
    if other != key {
        assert!(RecordRow::decode(&other, &row).is_err(), "record {offset} is read under another key");
    }
}
