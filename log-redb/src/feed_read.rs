//! Reading the feed: batches after a cursor, with their records as they are now.

use chat_core::{FeedBatch, FeedChange, FeedCursor, FeedError, FeedGap, FeedName, FeedSlice, Record};
use redb::{ReadOnlyTable, ReadTransaction, ReadableTable};

use crate::feed_rows::{FEED, FEED_NAMES, FeedRow, META_FEED, META_FEED_FLOOR, META_FEED_SUM, Mark, mark, sum_of};
use crate::format::{self, Fault, META, META_RESTORED, RECORDS, RecordRow};

/// What a reader is told, where the file could be read.
type Told<T> = Result<T, FeedError>;

/// The feed as of one moment.
struct Feed {
    id: u64,
    restored: u64,
    rows: ReadOnlyTable<u64, &'static [u8]>,
    floor: Mark,
    /// The last batch that is there.
    last: u64,
    /// The last batch that may be told.
    fed: u64,
}

impl Feed {
    /// `None` where there is none. What is behind `fed` a crash could take back.
    fn open(read: &ReadTransaction, fed: u64) -> Result<Option<Self>, Fault> {
        let meta = read.open_table(META)?;
        let Some(id) = meta.get(META_FEED)?.map(|id| id.value()) else { return Ok(None) };
        let number = |name| meta.get(name).map(|value| value.map_or(0, |value| value.value()));
        let floor = Mark { number: number(META_FEED_FLOOR)?, sum: number(META_FEED_SUM)? as u32 };
        let rows = read.open_table(FEED)?;
        let last = rows.last()?.map_or(floor.number, |(last, _)| last.value());
        let fed = fed.min(last).max(floor.number);
        Ok(Some(Self { id, restored: number(META_RESTORED)?, rows, floor, last, fed }))
    }

    /// The cursor behind a batch.
    fn cursor(&self, number: u64) -> Result<FeedCursor, Fault> {
        let sum = match number == self.floor.number {
            true => self.floor.sum,
            false => sum_of(self.row(number)?.value()),
        };
        Ok(FeedCursor::numbered(self.id, number, sum))
    }

    fn row(&self, number: u64) -> Result<redb::AccessGuard<'_, &'static [u8]>, Fault> {
        let row = self.rows.get(number)?;
        row.ok_or_else(|| Fault::Damaged(format!("batch {number} of the feed is missing")))
    }

    /// What a cursor says, if it is of this feed and stands behind a batch of it.
    fn mark(&self, cursor: &FeedCursor) -> Result<Told<Mark>, Fault> {
        let (number, sum) = match cursor.batch_of(self.id) {
            Ok(batch) => batch,
            Err(error) => return Ok(Err(error)),
        };
        if number > self.last || number >= self.floor.number && self.cursor(number)? != *cursor {
            return Ok(Err(FeedError::Lost));
        }
        Ok(Ok(Mark { number, sum }))
    }
}

/// At most `max` records after a cursor; of batches that are on disk.
pub(crate) fn since(
    read: &ReadTransaction,
    cursor: Option<&FeedCursor>,
    max: usize,
    fed: u64,
) -> Result<Told<FeedSlice>, Fault> {
    let Some(feed) = Feed::open(read, fed)? else { return Ok(Err(FeedError::NoFeed)) };
    let after = match cursor.map(|cursor| feed.mark(cursor)).transpose()? {
        Some(Err(error)) => return Ok(Err(error)),
        Some(Ok(mark)) => mark.number,
        None => feed.floor.number,
    };
    let missed = feed.floor.number.saturating_sub(after);
    let gap = (missed > 0).then_some(FeedGap { batches: missed });
    let records = read.open_table(RECORDS)?;
    let (mut end, mut batches, mut count) = (after.max(feed.floor.number), Vec::new(), 0);
    while max > 0 && end < feed.fed {
        let row = FeedRow::decode(end + 1, feed.row(end + 1)?.value())?;
        count += row.records.map_or(1, |(first, last)| (last - first) as usize + 1);
        if count > max && !batches.is_empty() {
            break;
        }
        let change = match row.records {
            None => FeedChange::Deleted,
            Some(range) => FeedChange::Appended(appended(&records, &row, range)?),
        };
        batches.push(FeedBatch { room: row.room, epoch: row.epoch, change });
        end += 1;
    }
    let behind = feed.fed.saturating_sub(end);
    Ok(Ok(FeedSlice { gap, batches, next: feed.cursor(end)?, behind, restored: feed.restored }))
}

/// The records of a batch, as they are now.
fn appended(
    records: &impl ReadableTable<&'static [u8], &'static [u8]>,
    row: &FeedRow,
    (first, last): (u64, u64),
) -> Result<Vec<Record>, Fault> {
    let room = row.room.as_str();
    let keys = [first, last].map(|offset| format::record_key(room, row.epoch, offset));
    let mut found = Vec::new();
    for entry in records.range(keys[0].as_slice()..=keys[1].as_slice())? {
        let (key, stored) = entry?;
        found.push(RecordRow::decode(key.value(), stored.value())?.record(key.value())?);
    }
    let is_whole = found.iter().map(|record| record.offset.0).eq(first..=last);
    is_whole
        .then_some(found)
        .ok_or_else(|| Fault::Damaged(format!("a record of room {room} is missing that was not fed")))
}

/// The cursor behind all that may be told.
pub(crate) fn end(read: &ReadTransaction, fed: u64) -> Result<Told<FeedCursor>, Fault> {
    match Feed::open(read, fed)? {
        Some(feed) => feed.cursor(feed.fed).map(Ok),
        None => Ok(Err(FeedError::NoFeed)),
    }
}

/// Where a name may be put: behind a batch of this feed, and among so many names.
pub(crate) fn place(read: &ReadTransaction, name: &FeedName, cursor: &FeedCursor) -> Result<Told<Mark>, Fault> {
    let Some(feed) = Feed::open(read, u64::MAX)? else { return Ok(Err(FeedError::NoFeed)) };
    let names = read.open_table(FEED_NAMES)?;
    let is_full = names.iter()?.count() >= FeedName::MAX && names.get(name.as_str())?.is_none();
    if is_full { Ok(Err(FeedError::TooMany)) } else { feed.mark(cursor) }
}

/// All names, and how far each has read.
pub(crate) fn names(read: &ReadTransaction) -> Result<Told<Vec<(FeedName, FeedCursor)>>, Fault> {
    let Some(feed) = Feed::open(read, u64::MAX)? else { return Ok(Err(FeedError::NoFeed)) };
    let mut all = Vec::new();
    for entry in read.open_table(FEED_NAMES)?.iter()? {
        let (name, row) = entry?;
        let Mark { number, sum } = mark(name.value(), row.value())?;
        let name = FeedName::parse(name.value()).ok_or_else(|| Fault::Damaged("a feed has no name".into()))?;
        all.push((name, FeedCursor::numbered(feed.id, number, sum)));
    }
    Ok(Ok(all))
}
