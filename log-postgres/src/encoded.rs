//! Records and numbers as they lie in the tables, and back.

use chat_core::{Epoch, Event, Record, RecordVersion, Seq};

/// No record is told to anybody under its number and can be amended; it is of neither kind below.
const OTHER: i16 = 0;
/// A message.
pub(crate) const MESSAGE: i16 = 1;
/// An edit of one.
const EDIT: i16 = 2;

/// A record as a batch brings it.
#[derive(Debug)]
pub(crate) struct Encoded {
    pub(crate) offset: i64,
    pub(crate) seq: Option<i64>,
    pub(crate) kind: i16,
    /// What a program has to know to read it.
    pub(crate) version: i16,
    pub(crate) at: i64,
    pub(crate) body: Vec<u8>,
}

impl Encoded {
    pub(crate) fn new(record: &Record) -> Self {
        let kind = match &record.event {
            Event::Sent { .. } => MESSAGE,
            Event::Edited { .. } => EDIT,
            _ => OTHER,
        };
        Self {
            offset: number(record.offset.0),
            seq: record.seq.map(|Seq(seq)| number(seq)),
            kind,
            version: version_of(record),
            at: number(record.at.0),
            body: serde_json::to_vec(record).expect("a record has string keys, and a Vec takes every write"),
        }
    }
}

/// What a program has to know to read a record.
pub(crate) fn version_of(record: &Record) -> i16 {
    i16::try_from(record.version().0).expect("there are few versions")
}

/// What a stored record cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unreadable {
    /// Its bytes cannot be right.
    #[error("{0}")]
    Damaged(String),
    /// A later program wrote it.
    #[error("{what} is of version {version}")]
    Later { what: String, version: u32 },
}

/// The record that a row holds.
pub(crate) fn record(room: &str, offset: i64, version: i16, body: &[u8]) -> Result<Record, Unreadable> {
    let what = || format!("record {offset} of room {room}");
    let version = u32::try_from(version).unwrap_or_default();
    if version > RecordVersion::LATEST.0 {
        return Err(Unreadable::Later { what: what(), version });
    }
    let record: Record = serde_json::from_slice(body)
        .map_err(|error| Unreadable::Damaged(format!("{} cannot be read: {error}", what())))?;
    match number(record.offset.0) == offset {
        true => Ok(record),
        false => Err(Unreadable::Damaged(format!("{} says that it is record {}", what(), record.offset.0))),
    }
}

/// A number that counts something: the database has 63 bits for it.
pub(crate) fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// A number that counts something, out of the database.
pub(crate) fn counted(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

/// An epoch is 64 drawn bits.
pub(crate) fn epoch(epoch: Epoch) -> i64 {
    epoch.0.cast_signed()
}

pub(crate) fn read_epoch(stored: i64) -> Epoch {
    Epoch(stored.cast_unsigned())
}
