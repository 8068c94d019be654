//! The bytes in the file: tables, keys, records and tails, each with a version and a checksum. `FORMAT.md` says it in words.

use chat_core::{
    Ended, EndedWho, Epoch, Erasure, Event, Identity, Offset, Record, RecordVersion, RoomCode, Seq, SessionId, Tail,
    Wall,
};
use redb::{StorageError, TableDefinition};

/// The latest version of the whole file that can be read; a higher one is refused.
pub(crate) const FORMAT: u64 = RecordVersion::LATEST.0 as u64;
/// The version that a file begins with. It rises with the first record of a later one, so that programs which do not know that refuse
/// the file, and can still use it as long as there is none.
pub(crate) const FIRST_FORMAT: u64 = RecordVersion::FIRST.0 as u64;
/// Added to the version of a file while it has a feed: programs that know of none would append without telling it, and refuse the file.
pub(crate) const WITH_FEED: u64 = 256;
/// The version of a tail and a snapshot. That of a record is what a program has to know to read it.
pub(crate) const ROW: u8 = 1;
/// The kind of a tail; a record is 0 or 1, under a key that no tail has.
const TAIL: u8 = 0;
/// The kind of a snapshot. Tails lie under the same keys, and a damaged page number may lead from one table into the other.
const SNAPSHOT: u8 = 2;
/// The kind of a row of read positions.
const READS: u8 = 3;
/// The kind of a row of what is known of a room.
const ABOUT: u8 = 8;
/// The kind of a row of an erasure.
const ERASURE: u8 = 9;
/// The kind of a snapshot in the files of earlier versions.
const SNAPSHOT_ONCE: u8 = 0;
/// A tail is eight numbers.
const TAIL_BYTES: usize = size_of::<[u64; 8]>();

/// Numbers about the file: see the constants below.
pub(crate) const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
/// Code of a room -> [`TailRow`].
pub(crate) const TAILS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("tails");
/// [`record_key`] -> [`RecordRow`].
pub(crate) const RECORDS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("records");
/// Code of a room -> [`SnapshotRow`].
pub(crate) const SNAPSHOTS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("snapshots");
/// Code of a room -> [`ReadsRow`].
pub(crate) const READ_POSITIONS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("read_positions");
/// Code of a room -> [`AboutRow`].
pub(crate) const ABOUTS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("abouts");
/// [`incarnation_key`] of incarnations that are deleted, and whose records are still to go.
pub(crate) const TOMBSTONES: TableDefinition<'_, &[u8], ()> = TableDefinition::new("graves");
/// [`ended_key`] -> [`ended_row`].
pub(crate) const ENDED: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("ended");
/// An identity -> [`erasure_row`].
pub(crate) const ERASURES: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("erasures");

/// In [`META`]: [`FORMAT`].
pub(crate) const META_FORMAT: &str = "format";
/// In [`META`]: texts taken away since free pages were last overwritten, which may still lie in them.
pub(crate) const META_SCRUBBED: &str = "scrubbed";
/// In [`META`]: the wall clock, in milliseconds since the Unix epoch, when the file was made or last looked through for records that
/// are too old.
pub(crate) const META_CLOCK: &str = "clock";
/// In [`META`]: a number that is drawn when a backup is put back; none where that never was.
pub(crate) const META_RESTORED: &str = "restored";
/// In [`META`]: bytes removed since the last compaction.
pub(crate) const META_REMOVED: &str = "removed";

/// What stops a read or a write inside the file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// The stored bytes cannot be right.
    #[error("{0}")]
    Damaged(String),
    /// A later program wrote it, and only such a one can read it.
    #[error("{what} is of format version {version}; log-redb {program} reads up to {reads}", program = env!("CARGO_PKG_VERSION"))]
    Later {
        /// The row.
        what: String,
        /// Its version.
        version: u8,
        /// The latest that this program reads of its kind.
        reads: u8,
    },
    /// The file cannot be reached.
    #[error("{0}")]
    Storage(#[from] StorageError),
}

impl From<redb::TableError> for Fault {
    fn from(error: redb::TableError) -> Self {
        match error {
            redb::TableError::Storage(error) => error.into(),
            other => Self::Damaged(other.to_string()),
        }
    }
}

impl From<redb::CommitError> for Fault {
    fn from(error: redb::CommitError) -> Self {
        match error {
            redb::CommitError::Storage(error) => error.into(),
            other => Self::Damaged(other.to_string()),
        }
    }
}

impl From<redb::TransactionError> for Fault {
    fn from(error: redb::TransactionError) -> Self {
        match error {
            redb::TransactionError::Storage(error) => error.into(),
            other => Self::Damaged(other.to_string()),
        }
    }
}

/// All records of an incarnation begin with it. A code has no byte below `-`, so no code's keys lie among those of another.
pub(crate) fn incarnation_key(room: &str, epoch: Epoch) -> Vec<u8> {
    let mut key = Vec::with_capacity(room.len() + 17);
    key.extend_from_slice(room.as_bytes());
    key.push(0);
    key.extend_from_slice(&epoch.0.to_be_bytes());
    key
}

/// Code, zero byte, epoch, offset; numbers big-endian, so that keys lie in the order of their records.
pub(crate) fn record_key(room: &str, epoch: Epoch, offset: u64) -> Vec<u8> {
    let mut key = incarnation_key(room, epoch);
    key.extend_from_slice(&offset.to_be_bytes());
    key
}

/// The offset at the end of a [`record_key`].
pub(crate) fn offset_of(key: &[u8]) -> Option<u64> {
    key.last_chunk().map(|bytes| u64::from_be_bytes(*bytes))
}

/// How a record is named in errors.
fn record_name(key: &[u8]) -> String {
    let room = key.split(|byte| *byte == 0).next().unwrap_or_default();
    format!("record {} of room {}", offset_of(key).unwrap_or_default(), String::from_utf8_lossy(room))
}

/// Version, kind, checksum over `key` and all but itself, then the body.
pub(crate) fn seal(key: &[u8], version: u8, kind: u8, body: &[&[u8]]) -> Vec<u8> {
    let mut row = Vec::with_capacity(6 + body.iter().map(|part| part.len()).sum::<usize>());
    row.extend_from_slice(&[version, kind, 0, 0, 0, 0]);
    body.iter().for_each(|part| row.extend_from_slice(part));
    let sum = checksum(key, &row);
    row[2..6].copy_from_slice(&sum);
    row
}

fn checksum(key: &[u8], row: &[u8]) -> [u8; 4] {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(key);
    hasher.update(&row[..2]);
    hasher.update(&row[6..]);
    hasher.finalize().to_be_bytes()
}

/// A row that is as it was written.
pub(crate) struct Row<'a> {
    version: u8,
    pub(crate) kind: u8,
    pub(crate) body: &'a [u8],
}

/// Looks at the version first: what a later program wrote may have another shape.
pub(crate) fn unseal<'a>(key: &[u8], row: &'a [u8], reads: u8, name: impl Fn() -> String) -> Result<Row<'a>, Fault> {
    match row {
        [version, ..] if *version > reads => Err(Fault::Later { what: name(), version: *version, reads }),
        [0, ..] => Err(Fault::Damaged(format!("{} is of no version", name()))),
        [version, kind, a, b, c, d, body @ ..] => {
            if checksum(key, row) != [*a, *b, *c, *d] {
                return Err(Fault::Damaged(format!("{} does not match its checksum", name())));
            }
            Ok(Row { version: *version, kind: *kind, body })
        }
        _ => Err(Fault::Damaged(format!("{} is cut short", name()))),
    }
}

/// Whether it is a row of ours under this key, as it was written, by whichever version.
pub(crate) fn is_row(key: &[u8], row: &[u8]) -> bool {
    unseal(key, row, u8::MAX, String::new).is_ok()
}

/// Takes eight bytes off the front.
pub(crate) fn number(body: &mut &[u8]) -> Option<u64> {
    let (first, rest) = body.split_first_chunk()?;
    *body = rest;
    Some(u64::from_be_bytes(*first))
}

/// What the file knows of a room without looking at its records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TailRow {
    pub(crate) epoch: Epoch,
    /// The oldest record kept.
    pub(crate) first: u64,
    /// The newest record.
    pub(crate) offset: u64,
    /// The newest told number.
    pub(crate) head: u64,
    /// The newest record that is a message; 0 for none.
    pub(crate) message: u64,
    /// Messages kept.
    pub(crate) messages: u64,
    /// Bytes of the rows kept.
    pub(crate) bytes: u64,
    /// The last record that the stored snapshot includes; 0 without one.
    pub(crate) through: u64,
}

impl TailRow {
    /// An incarnation of which nothing is written yet.
    pub(crate) fn new(epoch: Epoch) -> Self {
        Self { epoch, first: 1, offset: 0, head: 0, message: 0, messages: 0, bytes: 0, through: 0 }
    }

    pub(crate) fn tail(&self) -> Tail {
        Tail { epoch: Some(self.epoch), offset: Offset(self.offset), token: 0 }
    }

    pub(crate) fn encode(&self, room: &str) -> Vec<u8> {
        let numbers =
            [self.epoch.0, self.first, self.offset, self.head, self.message, self.messages, self.bytes, self.through];
        seal(room.as_bytes(), ROW, TAIL, &numbers.map(u64::to_be_bytes).each_ref().map(|bytes| &bytes[..]))
    }

    pub(crate) fn decode(room: &str, row: &[u8]) -> Result<Self, Fault> {
        let name = || format!("the tail of room {room}");
        let Row { kind, mut body, .. } = unseal(room.as_bytes(), row, ROW, name)?;
        if kind != TAIL || body.len() > TAIL_BYTES {
            return Err(Fault::Damaged(format!("{} is another row", name())));
        }
        let mut next = || number(&mut body).ok_or_else(|| Fault::Damaged(format!("{} is cut short", name())));
        Ok(Self {
            epoch: Epoch(next()?),
            first: next()?,
            offset: next()?,
            head: next()?,
            message: next()?,
            messages: next()?,
            bytes: next()?,
            through: next()?,
        })
    }
}

/// A record as a batch brings it: serialised where it was decided, so that the writer only adds what its tail knows.
#[derive(Debug)]
pub(crate) struct Encoded {
    pub(crate) offset: u64,
    pub(crate) seq: Option<Seq>,
    pub(crate) at: u64,
    pub(crate) is_message: bool,
    /// What a program has to know to read it.
    pub(crate) version: u8,
    pub(crate) json: Vec<u8>,
}

impl Encoded {
    pub(crate) fn new(record: &Record) -> Self {
        Self {
            offset: record.offset.0,
            seq: record.seq,
            at: record.at.0,
            is_message: matches!(record.event, Event::Sent { .. }),
            version: version_of(record),
            json: serde_json::to_vec(record).expect("a record has string keys, and a Vec takes every write"),
        }
    }
}

/// What a program has to know to read a record, as the byte that its row begins with.
fn version_of(record: &Record) -> u8 {
    u8::try_from(record.version().0).expect("there are few versions")
}

/// A record with what leads to its neighbours.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RecordRow<'a> {
    pub(crate) version: u8,
    pub(crate) is_message: bool,
    /// The newest told number up to and including this record.
    pub(crate) head: u64,
    /// The newest record before this one that is a message; 0 for none.
    pub(crate) message_before: u64,
    /// When, in milliseconds since the Unix epoch.
    pub(crate) at: u64,
    /// The record itself.
    pub(crate) json: &'a [u8],
}

impl<'a> RecordRow<'a> {
    pub(crate) fn encode(&self, key: &[u8]) -> Vec<u8> {
        let [head, message, at] = [self.head, self.message_before, self.at].map(u64::to_be_bytes);
        seal(key, self.version, u8::from(self.is_message), &[&head, &message, &at, self.json])
    }

    pub(crate) fn decode(key: &[u8], row: &'a [u8]) -> Result<Self, Fault> {
        let Row { version, kind, mut body } = unseal(key, row, RecordVersion::LATEST.0 as u8, || record_name(key))?;
        let cut = || Fault::Damaged(format!("{} is cut short", record_name(key)));
        Ok(Self {
            version,
            is_message: kind == 1,
            head: number(&mut body).ok_or_else(cut)?,
            message_before: number(&mut body).ok_or_else(cut)?,
            at: number(&mut body).ok_or_else(cut)?,
            json: body,
        })
    }

    /// The record, if it is the one that its key says.
    pub(crate) fn record(&self, key: &[u8]) -> Result<Record, Fault> {
        let record: Record = serde_json::from_slice(self.json)
            .map_err(|error| Fault::Damaged(format!("{} cannot be read: {error}", record_name(key))))?;
        if Some(record.offset.0) != offset_of(key) {
            return Err(Fault::Damaged(format!("{} says that it is record {}", record_name(key), record.offset.0)));
        }
        Ok(record)
    }
}

/// A stored snapshot.
pub(crate) struct SnapshotRow<'a> {
    pub(crate) epoch: Epoch,
    pub(crate) through: Offset,
    pub(crate) bytes: &'a [u8],
}

impl<'a> SnapshotRow<'a> {
    pub(crate) fn encode(&self, room: &str) -> Vec<u8> {
        seal(room.as_bytes(), ROW, SNAPSHOT, &[&self.epoch.0.to_be_bytes(), &self.through.0.to_be_bytes(), self.bytes])
    }

    pub(crate) fn decode(room: &str, row: &'a [u8]) -> Result<Self, Fault> {
        let name = || format!("the snapshot of room {room}");
        let Row { kind, mut body, .. } = unseal(room.as_bytes(), row, ROW, name)?;
        let is_snapshot = kind == SNAPSHOT || kind == SNAPSHOT_ONCE && body.len() != TAIL_BYTES;
        if !is_snapshot {
            return Err(Fault::Damaged(format!("{} is another row", name())));
        }
        let cut = || Fault::Damaged(format!("{} is cut short", name()));
        let (epoch, through) = (number(&mut body).ok_or_else(cut)?, number(&mut body).ok_or_else(cut)?);
        Ok(Self { epoch: Epoch(epoch), through: Offset(through), bytes: body })
    }
}

/// How far people have read in a room.
pub(crate) struct ReadsRow<'a> {
    pub(crate) epoch: Epoch,
    pub(crate) bytes: &'a [u8],
}

impl<'a> ReadsRow<'a> {
    pub(crate) fn encode(&self, room: &str) -> Vec<u8> {
        seal(room.as_bytes(), ROW, READS, &[&self.epoch.0.to_be_bytes(), self.bytes])
    }

    pub(crate) fn decode(room: &str, row: &'a [u8]) -> Result<Self, Fault> {
        let name = || format!("the read positions of room {room}");
        let Row { kind, mut body, .. } = unseal(room.as_bytes(), row, ROW, name)?;
        if kind != READS {
            return Err(Fault::Damaged(format!("{} are another row", name())));
        }
        let epoch = number(&mut body).ok_or_else(|| Fault::Damaged(format!("{} are cut short", name())))?;
        Ok(Self { epoch: Epoch(epoch), bytes: body })
    }
}

/// What is known of a room without reading it.
pub(crate) struct AboutRow<'a> {
    pub(crate) epoch: Epoch,
    pub(crate) bytes: &'a [u8],
}

impl<'a> AboutRow<'a> {
    pub(crate) fn encode(&self, room: &str) -> Vec<u8> {
        seal(room.as_bytes(), ROW, ABOUT, &[&self.epoch.0.to_be_bytes(), self.bytes])
    }

    pub(crate) fn decode(room: &str, row: &'a [u8]) -> Result<Self, Fault> {
        let name = || format!("what is known of room {room}");
        let Row { kind, mut body, .. } = unseal(room.as_bytes(), row, ROW, name)?;
        if kind != ABOUT {
            return Err(Fault::Damaged(format!("{} is another row", name())));
        }
        let epoch = number(&mut body).ok_or_else(|| Fault::Damaged(format!("{} is cut short", name())))?;
        Ok(Self { epoch: Epoch(epoch), bytes: body })
    }
}

/// Of what kind it is, and the session or the person.
pub(crate) fn ended_key(who: &EndedWho) -> Vec<u8> {
    match who {
        EndedWho::Session(session) => [&[0], session.bits().to_be_bytes().as_slice()].concat(),
        EndedWho::Person(identity) => [&[1], identity.as_str().as_bytes()].concat(),
    }
}

/// Until when it is remembered, and through which session.
pub(crate) fn ended_row(key: &[u8], Ended { through, until, .. }: &Ended) -> Vec<u8> {
    seal(key, ROW, 0, &[&until.0.to_be_bytes(), &through.bits().to_be_bytes()])
}

/// What a row says of sessions that were ended.
pub(crate) fn ended(key: &[u8], row: &[u8]) -> Result<Ended, Fault> {
    let Row { body, .. } = unseal(key, row, ROW, || "an ended session".to_owned())?;
    let read = || {
        let who = match key.split_first()? {
            (0, session) => EndedWho::Session(SessionId::new(u128::from_be_bytes(session.try_into().ok()?))),
            (1, identity) => EndedWho::Person(Identity::new(std::str::from_utf8(identity).ok()?)?),
            _ => return None,
        };
        let (until, through) = body.split_first_chunk()?;
        let through = SessionId::new(u128::from_be_bytes(through.try_into().ok()?));
        Some(Ended { who, through, until: Wall(u64::from_be_bytes(*until)) })
    };
    read().ok_or_else(|| Fault::Damaged("an ended session cannot be read".to_owned()))
}

/// How far an erasure has come, as JSON.
pub(crate) fn erasure_row(erasure: &Erasure) -> Vec<u8> {
    let json = serde_json::to_vec(erasure).expect("an erasure has string keys");
    seal(erasure.identity.as_str().as_bytes(), ROW, ERASURE, &[&json])
}

/// What a row says of an erasure.
pub(crate) fn erasure(identity: &str, row: &[u8]) -> Result<Erasure, Fault> {
    let Row { kind, body, .. } = unseal(identity.as_bytes(), row, ROW, || "an erasure".to_owned())?;
    let read = serde_json::from_slice(body).ok().filter(|_| kind == ERASURE);
    let read = read.filter(|read: &Erasure| read.identity.as_str() == identity);
    read.ok_or_else(|| Fault::Damaged("an erasure cannot be read".to_owned()))
}

/// A code out of the file.
pub(crate) fn code(text: &str) -> Result<RoomCode, Fault> {
    RoomCode::parse(text).map_err(|_| Fault::Damaged(format!("{text:?} is no code of a room")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_row_is_taken_for_one_of_another_table_under_the_same_key() {
        let tail = TailRow { offset: 14, head: 13, ..TailRow::new(Epoch(1)) }.encode("ALPHA");
        let stored = SnapshotRow { epoch: Epoch(1), through: Offset(2), bytes: b"{}" };
        let snapshot = stored.encode("ALPHA");
        assert!(TailRow::decode("ALPHA", &tail).is_ok());
        assert!(TailRow::decode("ALPHA", &snapshot).is_err());
        assert!(SnapshotRow::decode("ALPHA", &snapshot).is_ok_and(|found| found.bytes == stored.bytes));
        assert!(SnapshotRow::decode("ALPHA", &tail).is_err());
        let reads = ReadsRow { epoch: Epoch(1), bytes: b"[]" }.encode("ALPHA");
        assert!(ReadsRow::decode("ALPHA", &reads).is_ok_and(|found| found.bytes == b"[]"));
        assert!(ReadsRow::decode("ALPHA", &snapshot).is_err() && ReadsRow::decode("ALPHA", &tail).is_err());
        assert!(TailRow::decode("ALPHA", &reads).is_err() && SnapshotRow::decode("ALPHA", &reads).is_err());
    }

    #[test]
    fn a_snapshot_of_an_earlier_version_is_read() {
        let once = seal(b"ALPHA", ROW, SNAPSHOT_ONCE, &[&1_u64.to_be_bytes(), &2_u64.to_be_bytes(), b"{}"]);
        assert!(SnapshotRow::decode("ALPHA", &once).is_ok_and(|found| found.bytes == b"{}"));
        assert!(TailRow::decode("ALPHA", &once).is_err());
    }
}
