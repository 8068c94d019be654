//! Reading a room out of the file: pages of records, messages, codes and snapshots. A room with holes is damaged.

use chat_core::{Ended, Epoch, Erasure, Event, LogPage, LogRoom, Offset, Record, RoomCode, Seq, Slot};
use redb::{Key, ReadOnlyTable, ReadTransaction, ReadableTable, TableDefinition, Value};

use crate::feed_rows::FEED_GRAVES;
use crate::format::{
    self, ABOUTS, AboutRow, ENDED, ERASURES, Fault, READ_POSITIONS, RECORDS, ReadsRow, RecordRow, SNAPSHOTS,
    SnapshotRow, TAILS, TOMBSTONES, TailRow,
};

/// What [`find`] looks for: the first record of which this holds. It holds for all later ones too.
type Reached = dyn Fn(&RecordRow<'_>) -> bool;

pub(crate) fn tail(
    tails: &impl ReadableTable<&'static str, &'static [u8]>,
    room: &str,
) -> Result<Option<TailRow>, Fault> {
    match tails.get(room)? {
        Some(row) => TailRow::decode(room, row.value()).map(Some),
        None => Ok(None),
    }
}

/// Makes sure that a room without a tail has none because nobody holds its code: it has no records either, but of deleted incarnations.
///
/// A page that is damaged in the middle of the tree can hide a room. It must not be taken for one that never was.
pub(crate) fn nobody_holds(
    records: &impl ReadableTable<&'static [u8], &'static [u8]>,
    is_deleted: impl Fn(&[u8]) -> Result<bool, Fault>,
    room: &str,
) -> Result<(), Fault> {
    let mut start = [room.as_bytes(), &[0]].concat();
    let end = [room.as_bytes(), &[1]].concat();
    while let Some(entry) = records.range(start.as_slice()..end.as_slice())?.next() {
        let key = entry?.0.value().to_vec();
        let incarnation = key.get(..room.len() + 9).unwrap_or(&key);
        if !is_deleted(incarnation)? {
            return Err(Fault::Damaged(format!("room {room} has records and no tail")));
        }
        start = [incarnation, &[0xFF; 9]].concat();
    }
    Ok(())
}

/// Looks at one record that the tail says is there.
pub(crate) fn record<T>(
    records: &impl ReadableTable<&'static [u8], &'static [u8]>,
    room: &str,
    epoch: Epoch,
    offset: u64,
    look: impl FnOnce(&[u8], RecordRow<'_>) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let key = format::record_key(room, epoch, offset);
    match records.get(key.as_slice())? {
        Some(row) => look(&key, RecordRow::decode(&key, row.value())?),
        None => Err(missing(room, offset)),
    }
}

fn missing(room: &str, offset: u64) -> Fault {
    Fault::Damaged(format!("record {offset} of room {room} is missing"))
}

/// Makes sure that a room has no record behind its tail: a tail from before its last records, which are there, would hide them.
///
/// A sector that the disk did not write, or wrote to another place, holds an old state that looks right by itself.
pub(crate) fn nothing_follows(
    records: &impl ReadableTable<&'static [u8], &'static [u8]>,
    room: &str,
    tail: &TailRow,
) -> Result<(), Fault> {
    let keys = [tail.offset.saturating_add(1), u64::MAX].map(|offset| format::record_key(room, tail.epoch, offset));
    match records.range(keys[0].as_slice()..=keys[1].as_slice())?.next().transpose()? {
        Some(_) => Err(Fault::Damaged(format!("room {room} has records behind its tail, {}", tail.offset))),
        None => Ok(()),
    }
}

/// The first kept record that `reached` holds for; one past the end where there is none.
pub(crate) fn find(
    records: &impl ReadableTable<&'static [u8], &'static [u8]>,
    room: &str,
    tail: &TailRow,
    reached: &Reached,
) -> Result<u64, Fault> {
    let (mut low, mut high) = (tail.first, tail.offset + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        if record(records, room, tail.epoch, middle, |_, row| Ok(reached(&row)))? {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    Ok(low)
}

/// A table that not every file has.
fn open_if_there<K: Key, V: Value>(
    read: &ReadTransaction,
    table: TableDefinition<'_, K, V>,
) -> Result<Option<ReadOnlyTable<K, V>>, Fault> {
    match read.open_table(table) {
        Ok(table) => Ok(Some(table)),
        Err(redb::TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// At most `max` records after `after`; from the first that is kept, where older ones were trimmed. Of another incarnation than `epoch`
/// names, none.
pub(crate) fn page(
    read: &ReadTransaction,
    room: &RoomCode,
    epoch: Option<Epoch>,
    after: Offset,
    max: usize,
) -> Result<LogPage, Fault> {
    let room = room.as_str();
    let Some(tail) = tail(&read.open_table(TAILS)?, room)? else {
        let (tombstones, held) = (read.open_table(TOMBSTONES)?, open_if_there(read, FEED_GRAVES)?);
        let is_deleted = |incarnation: &[u8]| {
            let is_held = held.as_ref().map_or(Ok(false), |held| held.get(incarnation).map(|held| held.is_some()));
            Ok(tombstones.get(incarnation)?.is_some() || is_held?)
        };
        nobody_holds(&read.open_table(RECORDS)?, is_deleted, room)?;
        return Ok(LogPage::default());
    };
    let max = if epoch.is_none_or(|epoch| epoch == tail.epoch) { max } else { 0 };
    let first = after.0.saturating_add(1).max(tail.first);
    let wanted = (tail.offset + 1).saturating_sub(first).min(max as u64);
    let mut found = Vec::with_capacity(wanted.min(1_024) as usize);
    let records = read.open_table(RECORDS)?;
    nothing_follows(&records, room, &tail)?;
    if wanted > 0 {
        let keys = [first, first + wanted - 1].map(|offset| format::record_key(room, tail.epoch, offset));
        for entry in records.range(keys[0].as_slice()..=keys[1].as_slice())? {
            let (key, row) = entry?;
            let expected = first + found.len() as u64;
            if format::offset_of(key.value()) != Some(expected) {
                return Err(missing(room, expected));
            }
            found.push(RecordRow::decode(key.value(), row.value())?.record(key.value())?);
        }
        if (found.len() as u64) < wanted {
            return Err(missing(room, first + found.len() as u64));
        }
    }
    Ok(LogPage { records: found, tail: tail.tail() })
}

/// The last `max` messages before `before`, oldest first: from each to the one before it, whatever lies between them.
pub(crate) fn messages(
    read: &ReadTransaction,
    room: &RoomCode,
    epoch: Epoch,
    before: Seq,
    max: usize,
) -> Result<Vec<Record>, Fault> {
    let room = room.as_str();
    let Some(tail) = tail(&read.open_table(TAILS)?, room)?.filter(|tail| tail.epoch == epoch) else {
        return Ok(Vec::new());
    };
    let records = read.open_table(RECORDS)?;
    let mut offset = if before.0 > tail.head {
        tail.message
    } else {
        let at_or_after = find(&records, room, &tail, &move |row| row.head >= before.0)?;
        if at_or_after > tail.offset {
            tail.message
        } else {
            record(&records, room, epoch, at_or_after, |_, row| Ok(row.message_before))?
        }
    };
    let mut found = Vec::new();
    while found.len() < max && offset >= tail.first {
        let (message, before) =
            record(&records, room, epoch, offset, |key, row| Ok((row.record(key)?, row.message_before)))?;
        if !matches!(message.event, Event::Sent { .. }) || before >= offset {
            return Err(Fault::Damaged(format!("record {offset} of room {room} is no message, and is linked as one")));
        }
        found.push(message);
        offset = before;
    }
    found.reverse();
    Ok(found)
}

/// The first `max` messages after `after`, oldest first: of those that are kept.
pub(crate) fn messages_after(
    read: &ReadTransaction,
    room: &RoomCode,
    epoch: Epoch,
    after: Seq,
    max: usize,
) -> Result<Vec<Record>, Fault> {
    let room = room.as_str();
    let Some(tail) = tail(&read.open_table(TAILS)?, room)?.filter(|tail| tail.epoch == epoch && tail.head > after.0)
    else {
        return Ok(Vec::new());
    };
    let records = read.open_table(RECORDS)?;
    let mut from = find(&records, room, &tail, &move |row| row.head > after.0)?;
    let mut found = Vec::new();
    while found.len() < max
        && let Some(offset) = message_from(&records, room, &tail, from)?
    {
        let message = record(&records, room, epoch, offset, |key, row| row.record(key))?;
        if !matches!(message.event, Event::Sent { .. }) {
            return Err(Fault::Damaged(format!("record {offset} of room {room} is no message, and is linked as one")));
        }
        found.push(message);
        from = offset + 1;
    }
    Ok(found)
}

/// The first message that is record `from` or a later one. Each record knows the message before it, so those in between are not looked
/// at one by one: of neighbours two are, and of a million of records forty.
fn message_from(
    records: &impl ReadableTable<&'static [u8], &'static [u8]>,
    room: &str,
    tail: &TailRow,
    from: u64,
) -> Result<Option<u64>, Fault> {
    if tail.message < from {
        return Ok(None);
    }
    let is_past = |offset| record(records, room, tail.epoch, offset, |_, row| Ok(row.message_before >= from));
    // `low` is not past it, and `high` is.
    let (mut low, mut step) = (from, 1);
    let mut high = loop {
        let next = low + step;
        if next > tail.offset {
            break tail.offset + 1;
        }
        if is_past(next)? {
            break next;
        }
        (low, step) = (next, step * 2);
    };
    while low + 1 < high {
        let middle = low + (high - low) / 2;
        if is_past(middle)? {
            high = middle;
        } else {
            low = middle;
        }
    }
    Ok(Some(low))
}

/// Codes after `after`, in order. The file knows nothing of slots: one server has all of it, and those of one slot are looked for among all.
pub(crate) fn rooms(
    read: &ReadTransaction,
    slot: Option<Slot>,
    after: Option<&RoomCode>,
    max: usize,
) -> Result<Vec<RoomCode>, Fault> {
    let mut codes = Vec::new();
    each_room(read, slot, after, max, |code, _| codes.push(code))?;
    Ok(codes)
}

/// The same, with what is known of each. It is a note beside the log, and says nothing of which the log would not: one that is damaged, or of an
/// incarnation before, is as good as none, and the room is listed without.
pub(crate) fn rooms_with(
    read: &ReadTransaction,
    slot: Option<Slot>,
    after: Option<&RoomCode>,
    max: usize,
) -> Result<Vec<LogRoom>, Fault> {
    let mut rooms = Vec::new();
    each_room(read, slot, after, max, |code, tail| {
        let epoch = TailRow::decode(code.as_str(), tail).ok().map(|row| row.epoch);
        rooms.push((LogRoom { code, about: None }, epoch));
    })?;
    let abouts = match read.open_table(ABOUTS) {
        // A file that no program has written to yet that keeps them.
        Err(redb::TableError::TableDoesNotExist(_)) => None,
        abouts => Some(abouts?),
    };
    for (room, epoch) in &mut rooms {
        let Some(row) = abouts.as_ref().map(|abouts| abouts.get(room.code.as_str())).transpose()?.flatten() else {
            continue;
        };
        let about = AboutRow::decode(room.code.as_str(), row.value()).ok();
        room.about = about.filter(|about| Some(about.epoch) == *epoch).map(|about| about.bytes.to_vec());
    }
    Ok(rooms.into_iter().map(|(room, _)| room).collect())
}

fn each_room(
    read: &ReadTransaction,
    slot: Option<Slot>,
    after: Option<&RoomCode>,
    max: usize,
    mut take: impl FnMut(RoomCode, &[u8]),
) -> Result<(), Fault> {
    use std::ops::Bound::{Excluded, Unbounded};
    let tails = read.open_table(TAILS)?;
    let start = after.map_or(Unbounded, |after| Excluded(after.as_str()));
    let mut taken = 0;
    for entry in tails.range::<&str>((start, Unbounded))? {
        if taken >= max {
            break;
        }
        let (code, tail) = entry?;
        let code = format::code(code.value())?;
        if slot.is_none_or(|slot| Slot::of(&code) == slot) {
            taken += 1;
            take(code, tail.value());
        }
    }
    Ok(())
}

/// Every session that was ended. A file that none was ever written into has no table for them.
pub(crate) fn ended(read: &ReadTransaction) -> Result<Vec<Ended>, Fault> {
    let table = match read.open_table(ENDED) {
        Err(redb::TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
        table => table?,
    };
    let mut all = Vec::new();
    for entry in table.iter()? {
        let (key, row) = entry?;
        all.push(format::ended(key.value(), row.value())?);
    }
    Ok(all)
}

/// Every erasure that is kept. A file that none was ever written into has no table for them.
pub(crate) fn erasures(read: &ReadTransaction) -> Result<Vec<Erasure>, Fault> {
    let table = match read.open_table(ERASURES) {
        Err(redb::TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
        table => table?,
    };
    let mut all = Vec::new();
    for entry in table.iter()? {
        let (identity, row) = entry?;
        all.push(format::erasure(identity.value(), row.value())?);
    }
    Ok(all)
}

pub(crate) fn read_positions(read: &ReadTransaction, room: &RoomCode, epoch: Epoch) -> Result<Option<Vec<u8>>, Fault> {
    let positions = match read.open_table(READ_POSITIONS) {
        Ok(positions) => positions,
        // A file that no program has written to yet that keeps them.
        Err(redb::TableError::TableDoesNotExist(_)) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let Some(row) = positions.get(room.as_str())? else {
        return Ok(None);
    };
    let row = ReadsRow::decode(room.as_str(), row.value())?;
    Ok((row.epoch == epoch).then(|| row.bytes.to_vec()))
}

pub(crate) fn snapshot(
    read: &ReadTransaction,
    room: &RoomCode,
    epoch: Epoch,
) -> Result<Option<(Offset, Vec<u8>)>, Fault> {
    let snapshots = read.open_table(SNAPSHOTS)?;
    let Some(row) = snapshots.get(room.as_str())? else {
        return Ok(None);
    };
    let snapshot = SnapshotRow::decode(room.as_str(), row.value())?;
    Ok((snapshot.epoch == epoch).then(|| (snapshot.through, snapshot.bytes.to_vec())))
}
