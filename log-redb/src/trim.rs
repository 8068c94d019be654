//! Removal: records that retention no longer keeps, and the records of deleted incarnations.

use chat_core::{Keep, Wall};
use redb::ReadableTable;

use crate::feed::{self, FeedKeep, LetGo};
use crate::format::{self, Fault, RecordRow, TailRow};
use crate::read;
use crate::tables::Tables;

/// Records that one commit removes at most, beside those that new ones push out: others wait for it.
pub(crate) const SLICE: usize = 2_048;
/// Rooms that one sweep looks at.
const ROOMS: usize = 64;

/// Which limits are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    Sizes,
    SizesAndAge,
}

/// Removes the oldest records of a room as long as it is over a limit and a snapshot covers them, and no feed holds them back; `most` of them
/// at most.
///
/// The newest record always stays: whoever reads the room from anywhere before its end finds its end.
pub(crate) fn trim(
    tables: &mut Tables<'_>,
    room: &str,
    row: &mut TailRow,
    keep: &Keep,
    look: Look,
    most: usize,
) -> Result<usize, Fault> {
    let (retention, mut trimmed) = (&keep.retention, 0);
    if retention.keeps_all() {
        return Ok(trimmed);
    }
    let oldest = if look == Look::SizesAndAge { keep.oldest.0 } else { 0 };
    let held = feed::held_from(tables, room, row.epoch)?;
    while trimmed < most && row.first <= row.through.min(row.offset.saturating_sub(1)) && row.first < held {
        let over = retention.messages_max.is_some_and(|max| row.messages > max)
            || retention.bytes_max.is_some_and(|max| row.bytes > max);
        if !over && oldest == 0 {
            break;
        }
        let key = format::record_key(room, row.epoch, row.first);
        let (is_message, bytes) = match tables.records.get(key.as_slice())? {
            None => (false, 0),
            Some(stored) => match RecordRow::decode(&key, stored.value()) {
                Ok(record) if !over && record.at >= oldest => break,
                Ok(record) => (record.is_message, stored.value().len() as u64),
                // Damage stays where it is, to be seen by whoever reads it.
                Err(_) => break,
            },
        };
        tables.records.remove(key.as_slice())?;
        tables.removed += bytes;
        tables.scrubbed += u64::from(is_message);
        row.first += 1;
        row.bytes = row.bytes.saturating_sub(bytes);
        row.messages = row.messages.saturating_sub(u64::from(is_message));
        trimmed += 1;
    }
    Ok(trimmed)
}

/// Lets go of what the feed holds back no longer, `most` batches at most, and of what rooms have kept for that alone: it may be that nobody says
/// anything in them any more. Returns whether there may be more to be taken away after that.
pub(crate) fn let_go(tables: &mut Tables<'_>, keep: &FeedKeep, most: usize) -> Result<bool, Fault> {
    let LetGo { more, rooms } = feed::let_go(tables, keep, most)?;
    let keep = Keep { retention: keep.retention, now: Wall(keep.now), oldest: Wall(0) };
    for (room, epoch) in rooms {
        // A damaged tail is told to whoever uses the room.
        if let Ok(Some(mut row)) = read::tail(&tables.tails, room.as_str())
            && row.epoch == epoch
            && trim(tables, room.as_str(), &mut row, &keep, Look::Sizes, SLICE)? > 0
        {
            tables.put_tail(room.as_str(), &row)?;
        }
    }
    Ok(more)
}

/// Removes records of deleted incarnations, `most` at most. Returns whether there may be more.
pub(crate) fn purge(tables: &mut Tables<'_>, most: usize) -> Result<bool, Fault> {
    let tombstone = tables.tombstones.first()?.map(|(incarnation, _)| incarnation.value().to_vec());
    match tombstone {
        Some(incarnation) => purge_incarnation(tables, &incarnation, most).map(|_| true),
        None => Ok(false),
    }
}

/// Removes records of one deleted incarnation, `most` at most; the last call takes the tombstone itself, and returns 0.
pub(crate) fn purge_incarnation(tables: &mut Tables<'_>, incarnation: &[u8], most: usize) -> Result<usize, Fault> {
    let end = [incarnation, &[0xFF; 8]].concat();
    let mut keys = Vec::new();
    for entry in tables.records.range(incarnation..=end.as_slice())?.take(most) {
        let (key, row) = entry?;
        tables.removed += row.value().len() as u64;
        tables.scrubbed += 1;
        keys.push(key.value().to_vec());
    }
    for key in &keys {
        tables.records.remove(key.as_slice())?;
    }
    if keys.is_empty() {
        tables.tombstones.remove(incarnation)?;
    }
    Ok(keys.len())
}

/// Trims the rooms after `after` by age too, [`SLICE`] records in all. Returns where to go on; `None` after the last room.
pub(crate) fn sweep(tables: &mut Tables<'_>, after: Option<String>, keep: &Keep) -> Result<Option<String>, Fault> {
    use std::ops::Bound::{Excluded, Unbounded};
    tables.put_clock(keep.now.0)?;
    // No code is empty: the empty one is before the first.
    let mut done = after.unwrap_or_default();
    let mut codes = Vec::new();
    for entry in tables.tails.range::<&str>((Excluded(done.as_str()), Unbounded))?.take(ROOMS) {
        codes.push(entry?.0.value().to_owned());
    }
    let is_last = codes.len() < ROOMS;
    let mut left = SLICE;
    for room in codes {
        // A damaged tail is told to whoever uses the room.
        if let Ok(Some(mut row)) = read::tail(&tables.tails, &room) {
            let trimmed = trim(tables, &room, &mut row, keep, Look::SizesAndAge, left)?;
            if trimmed > 0 {
                tables.put_tail(&room, &row)?;
            }
            left -= trimmed;
            if left == 0 {
                // The room may have more.
                return Ok(Some(done));
            }
        }
        done = room;
    }
    Ok((!is_last).then_some(done))
}
