//! The feed inside a write transaction: what is appended and deleted gets its number, and what all have read is let go of.

use std::collections::BTreeSet;

use chat_core::{Epoch, Retention, RoomCode};
use redb::ReadableTable;

use crate::feed_rows::{self, FeedRow, Mark, sum_of};
use crate::format::{self, Fault};
use crate::tables::Tables;

/// How much is held back, as of one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FeedKeep {
    /// The most bytes of records.
    pub(crate) bytes_max: u64,
    /// The time before which records are too old.
    pub(crate) oldest: u64,
    /// What is believed to be the time.
    pub(crate) now: u64,
    /// The last batch that may be let go of: what a crash could take back stays, so that nobody is told that they have read past it.
    pub(crate) last: u64,
    /// How much of a room is kept that no feed holds back.
    pub(crate) retention: Retention,
}

/// Gives what was done to a room its place in the feed, behind all that was done before.
pub(crate) fn push(tables: &mut Tables<'_>, row: &FeedRow) -> Result<(), Fault> {
    let Some(feed) = &mut tables.feed else { return Ok(()) };
    feed.last += 1;
    feed.rows.insert(feed.last, row.encode(feed.last).as_slice())?;
    (feed.bytes, feed.is_changed) = (feed.bytes + row.bytes, true);
    let incarnation = format::incarnation_key(row.room.as_str(), row.epoch);
    match row.records {
        Some((first, last)) => {
            let held = feed.held.get(incarnation.as_slice())?;
            let held = held.map(|row| feed_rows::held(&incarnation, row.value())).transpose()?;
            let first = held.map_or(first, |(first, _)| first);
            feed.held.insert(incarnation.as_slice(), feed_rows::held_row(&incarnation, first, last).as_slice())?;
        }
        None => drop(feed.held.remove(incarnation.as_slice())?),
    }
    Ok(())
}

/// The first record of a living incarnation that is held back; nothing is, at most.
pub(crate) fn held_from(tables: &Tables<'_>, room: &str, epoch: Epoch) -> Result<u64, Fault> {
    let Some(feed) = &tables.feed else { return Ok(u64::MAX) };
    let incarnation = format::incarnation_key(room, epoch);
    let row = feed.held.get(incarnation.as_slice())?;
    row.map_or(Ok(u64::MAX), |row| feed_rows::held(&incarnation, row.value()).map(|(first, _)| first))
}

/// Whether the records of a deleted incarnation are still to be fed.
pub(crate) fn holds_dead(tables: &Tables<'_>, incarnation: &[u8]) -> Result<bool, Fault> {
    match &tables.feed {
        Some(feed) => Ok(feed.graves.get(incarnation)?.is_some()),
        None => Ok(false),
    }
}

/// What comes of letting go.
#[derive(Debug, Default)]
pub(crate) struct LetGo {
    /// Whether there may be more to be taken away after that: batches, or records of deleted incarnations that are free to go.
    pub(crate) more: bool,
    /// Rooms of which less is held back now.
    pub(crate) rooms: BTreeSet<(RoomCode, Epoch)>,
}

/// Lets go of batches that every named feed has read, and of what is more or older than may be held back; `most` of them at most.
///
/// Where it comes to a row that is damaged, nothing more is let go of: whoever reads the feed is told, and rooms go on.
pub(crate) fn let_go(tables: &mut Tables<'_>, keep: &FeedKeep, most: usize) -> Result<LetGo, Fault> {
    match let_go_of_whole(tables, keep, most) {
        Err(Fault::Damaged(_) | Fault::Later { .. }) => Ok(LetGo::default()),
        done => done,
    }
}

fn let_go_of_whole(tables: &mut Tables<'_>, keep: &FeedKeep, most: usize) -> Result<LetGo, Fault> {
    let Some(feed) = &mut tables.feed else { return Ok(LetGo::default()) };
    let mut read: Option<u64> = None;
    for entry in feed.names.iter()? {
        let (name, row) = entry?;
        let Mark { number, .. } = feed_rows::mark(name.value(), row.value())?;
        read = Some(read.map_or(number, |read| read.min(number)));
    }
    let (read, mut gone) = (read.unwrap_or_default(), LetGo::default());
    for taken in 0..=most {
        let Some((number, row, sum)) = first(&feed.rows)? else { break };
        let is_held = number > read && feed.bytes <= keep.bytes_max && row.at >= keep.oldest;
        if is_held || number > keep.last {
            break;
        }
        if taken == most {
            gone.more = true;
            break;
        }
        feed.rows.remove(number)?;
        feed.floor = Mark { number, sum };
        (feed.bytes, feed.is_changed) = (feed.bytes.saturating_sub(row.bytes), true);
        let incarnation = format::incarnation_key(row.room.as_str(), row.epoch);
        match row.records {
            None => {
                if feed.graves.remove(incarnation.as_slice())?.is_some() {
                    gone.more = true;
                    tables.tombstones.insert(incarnation.as_slice(), ())?;
                }
            }
            Some((_, last)) => {
                gone.rooms.insert((row.room.clone(), row.epoch));
                let held = feed.held.get(incarnation.as_slice())?;
                let held = held.map(|row| feed_rows::held(&incarnation, row.value())).transpose()?;
                match held {
                    Some((_, newest)) if newest > last => {
                        let row = feed_rows::held_row(&incarnation, last + 1, newest);
                        feed.held.insert(incarnation.as_slice(), row.as_slice())?;
                    }
                    Some(_) => drop(feed.held.remove(incarnation.as_slice())?),
                    None => {}
                }
            }
        }
    }
    Ok(gone)
}

/// The oldest batch, with its number and checksum.
fn first(rows: &impl ReadableTable<u64, &'static [u8]>) -> Result<Option<(u64, FeedRow, u32)>, Fault> {
    let Some((number, row)) = rows.first()? else { return Ok(None) };
    let (number, row) = (number.value(), row.value());
    Ok(Some((number, FeedRow::decode(number, row)?, sum_of(row))))
}

/// Remembers how far the reader of a name has read; without a mark, forgets the name.
pub(crate) fn put(tables: &mut Tables<'_>, name: &str, mark: Option<Mark>) -> Result<(), Fault> {
    let Some(feed) = &mut tables.feed else { return Ok(()) };
    match mark {
        Some(mark) => drop(feed.names.insert(name, feed_rows::mark_row(name, mark).as_slice())?),
        None => drop(feed.names.remove(name)?),
    }
    Ok(())
}
