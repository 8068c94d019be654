//! The bytes of the feed in the file: its tables and rows, and how it begins and ends.

use chat_core::{Epoch, RoomCode};
use rand::TryRng;
use rand::rngs::SysRng;
use redb::{Database, ReadableDatabase, ReadableTable, StorageError, TableDefinition};

use crate::format::{self, Fault, META, META_FORMAT, ROW, Row, TOMBSTONES, WITH_FEED};

/// Number of a batch, from 1 -> [`FeedRow`].
pub(crate) const FEED: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("feed");
/// Name of a reader -> how far they have read, as [`mark_row`].
pub(crate) const FEED_NAMES: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("feed_names");
/// [`format::incarnation_key`] of living incarnations -> the first record that the feed holds back, and the last, as [`held_row`].
pub(crate) const FEED_HELD: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("feed_held");
/// [`format::incarnation_key`] of incarnations that are deleted, and whose records are still to be fed.
pub(crate) const FEED_GRAVES: TableDefinition<'_, &[u8], ()> = TableDefinition::new("feed_graves");

/// In [`META`]: the number that was drawn for the feed; there as long as the feed is.
pub(crate) const META_FEED: &str = "feed";
/// In [`META`]: the last batch that was let go of.
pub(crate) const META_FEED_FLOOR: &str = "feed_floor";
/// In [`META`]: the checksum of that batch.
pub(crate) const META_FEED_SUM: &str = "feed_sum";
/// In [`META`]: bytes of the records that are held back.
pub(crate) const META_FEED_BYTES: &str = "feed_bytes";

/// The kinds of rows.
const APPENDED: u8 = 4;
const DELETED: u8 = 5;
const MARK: u8 = 6;
const HELD: u8 = 7;

/// A batch of the feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FeedRow {
    pub(crate) room: RoomCode,
    pub(crate) epoch: Epoch,
    /// The first and the last record that were appended; nothing for a deletion.
    pub(crate) records: Option<(u64, u64)>,
    /// Bytes of the rows of these records.
    pub(crate) bytes: u64,
    /// When the last of them was, or the last of a deleted incarnation, in milliseconds since the Unix epoch.
    pub(crate) at: u64,
}

impl FeedRow {
    pub(crate) fn encode(&self, number: u64) -> Vec<u8> {
        let (kind, (first, last)) = self.records.map_or((DELETED, (0, 0)), |records| (APPENDED, records));
        let numbers = [self.epoch.0, first, last, self.bytes, self.at].map(u64::to_be_bytes).concat();
        format::seal(&number.to_be_bytes(), ROW, kind, &[&numbers, self.room.as_str().as_bytes()])
    }

    pub(crate) fn decode(number: u64, row: &[u8]) -> Result<Self, Fault> {
        let name = || format!("batch {number} of the feed");
        let damaged = || Fault::Damaged(format!("{} is another row", name()));
        let Row { kind, mut body, .. } = format::unseal(&number.to_be_bytes(), row, ROW, name)?;
        let mut next = || format::number(&mut body).ok_or_else(damaged);
        let (epoch, first, last, bytes, at) = (Epoch(next()?), next()?, next()?, next()?, next()?);
        let room = std::str::from_utf8(body).ok().and_then(|code| RoomCode::parse(code).ok()).ok_or_else(damaged)?;
        let records = match kind {
            APPENDED if first <= last => Some((first, last)),
            DELETED => None,
            _ => return Err(damaged()),
        };
        Ok(Self { room, epoch, records, bytes, at })
    }
}

/// What a cursor says of the batch that it stands behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Mark {
    pub(crate) number: u64,
    pub(crate) sum: u32,
}

/// The checksum of a row.
pub(crate) fn sum_of(row: &[u8]) -> u32 {
    row.get(2..6).and_then(|sum| sum.try_into().ok()).map_or(0, u32::from_be_bytes)
}

/// How far the reader of a name has read.
pub(crate) fn mark_row(name: &str, mark: Mark) -> Vec<u8> {
    let numbers = [mark.number, mark.sum.into()].map(u64::to_be_bytes).concat();
    format::seal(name.as_bytes(), ROW, MARK, &[&numbers])
}

pub(crate) fn mark(name: &str, row: &[u8]) -> Result<Mark, Fault> {
    let (number, sum) = pair(name.as_bytes(), row, MARK, || format!("the feed {name}"))?;
    Ok(Mark { number, sum: sum as u32 })
}

/// The first and the last record that are held back.
pub(crate) fn held_row(incarnation: &[u8], first: u64, last: u64) -> Vec<u8> {
    format::seal(incarnation, ROW, HELD, &[&[first, last].map(u64::to_be_bytes).concat()])
}

pub(crate) fn held(incarnation: &[u8], row: &[u8]) -> Result<(u64, u64), Fault> {
    pair(incarnation, row, HELD, || "what the feed holds back of a room".to_owned())
}

fn pair(key: &[u8], row: &[u8], expected: u8, name: impl Fn() -> String) -> Result<(u64, u64), Fault> {
    let Row { kind, mut body, .. } = format::unseal(key, row, ROW, &name)?;
    let numbers = (format::number(&mut body), format::number(&mut body));
    match numbers {
        (Some(first), Some(second)) if kind == expected && body.is_empty() => Ok((first, second)),
        _ => Err(Fault::Damaged(format!("{} is another row", name()))),
    }
}

/// Begins a feed where there is to be one, and ends it where there is to be none: then cursors of it are worth nothing, and what it has held
/// back goes the way of all that is deleted.
pub(crate) fn turn(database: &Database, is_on: bool) -> Result<(), Fault> {
    let was_on = database.begin_read()?.open_table(META)?.get(META_FEED)?.is_some();
    if was_on == is_on {
        return Ok(());
    }
    let write = database.begin_write()?;
    {
        let mut meta = write.open_table(META)?;
        let format = meta.get(META_FORMAT)?.map_or(0, |format| format.value()) % WITH_FEED;
        if is_on {
            meta.insert(META_FEED, drawn()?)?;
            meta.insert(META_FORMAT, format + WITH_FEED)?;
            write.open_table(FEED)?;
            write.open_table(FEED_NAMES)?;
            write.open_table(FEED_HELD)?;
            write.open_table(FEED_GRAVES)?;
        } else {
            for name in [META_FEED, META_FEED_FLOOR, META_FEED_SUM, META_FEED_BYTES] {
                meta.remove(name)?;
            }
            meta.insert(META_FORMAT, format)?;
            let mut tombstones = write.open_table(TOMBSTONES)?;
            for grave in write.open_table(FEED_GRAVES)?.iter()? {
                tombstones.insert(grave?.0.value(), ())?;
            }
        }
    }
    if !is_on {
        write.delete_table(FEED)?;
        write.delete_table(FEED_NAMES)?;
        write.delete_table(FEED_HELD)?;
        write.delete_table(FEED_GRAVES)?;
    }
    Ok(write.commit()?)
}

/// A number that nobody could have foreseen.
pub(crate) fn drawn() -> Result<u64, Fault> {
    SysRng.try_next_u64().map_err(|error| Fault::Storage(StorageError::Io(std::io::Error::other(error))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_the_feed_are_read_back_as_written_and_under_no_other_key() {
        let room = RoomCode::parse("LUNCH").expect("a valid code");
        for records in [Some((3, 9)), None] {
            let row = FeedRow { room: room.clone(), epoch: Epoch(7), records, bytes: 100, at: 1 };
            let bytes = row.encode(5);
            assert_eq!(FeedRow::decode(5, &bytes).expect("as written"), row);
            assert!(FeedRow::decode(6, &bytes).is_err());
            assert!(FeedRow::decode(5, &bytes[..bytes.len() - 1]).is_err());
        }
        let read = Mark { number: 5, sum: u32::MAX };
        assert_eq!(mark("name", &mark_row("name", read)).expect("as written"), read);
        assert!(mark("other", &mark_row("name", read)).is_err());
        let row = held_row(b"key", 3, 9);
        assert_eq!(held(b"key", &row).expect("as written"), (3, 9));
        assert!(mark("key", &row).is_err(), "another kind of row");
    }
}
