//! One change after another inside a write transaction: whole or refused, and always after the tail that it names.

use std::collections::BTreeMap;

use chat_core::{Amend, AppendError, Epoch, Keep, Record, RoomCode, Scrub, Seq, Tail};
use redb::ReadableTable;

use crate::feed;
use crate::feed_rows::FeedRow;
use crate::format::{self, Encoded, Fault};
use crate::format::{AboutRow, ReadsRow, RecordRow, SnapshotRow, TailRow};
use crate::read;
use crate::request::{Change, Outcome};
use crate::tables::Tables;
use crate::trim;

/// Applies one change. Damage is the matter of the room it is found in; a fault of the storage ends the transaction.
pub(crate) fn apply(tables: &mut Tables<'_>, change: &Change, keep: &Keep) -> Result<Outcome, Fault> {
    let outcome = match change {
        Change::Append { room, after, claims, batch, about } => {
            let appended = append(tables, room, after, *claims, batch, keep);
            if let (Ok(Ok(Tail { epoch: Some(epoch), .. })), Some(about)) = (&appended, about) {
                put_about(tables, room.as_str(), *epoch, about)?;
            }
            appended
        }
        Change::Snapshot { room, epoch, through, bytes } => {
            let row = SnapshotRow { epoch: *epoch, through: *through, bytes };
            snapshot(tables, room.as_str(), &row, keep)
        }
        Change::ReadPositions { room, epoch, bytes } => read_positions(tables, room.as_str(), *epoch, bytes),
        Change::Amend { room, epoch, amends } => amend(tables, room.as_str(), *epoch, amends),
        Change::Delete { room, epoch } => delete(tables, room, *epoch),
        Change::Scrub { room, epoch, scrubs } => scrub(tables, room.as_str(), *epoch, scrubs),
        Change::PutErasure(erasure, asked) => tables.put_erasure(erasure, *asked).map(kept),
        Change::DropErasure(erasure) => tables.drop_erasure(erasure).map(kept),
        Change::Feed { name, mark } => feed::put(tables, name.as_str(), *mark).map(|()| Ok(Tail::default())),
        Change::End { ended, over } => tables.put_ended(ended, over).map(|()| Ok(Tail::default())),
    };
    match outcome {
        Err(Fault::Damaged(what)) => Ok(Err(AppendError::NotWritten(format!("the log is damaged: {what}")))),
        Err(later @ Fault::Later { .. }) => Ok(Err(AppendError::NotWritten(later.to_string()))),
        other => other,
    }
}

/// What is answered where something is written, or something else is kept that it was not to follow.
fn kept(is_written: bool) -> Outcome {
    if is_written { Ok(Tail::default()) } else { Err(AppendError::Conflict) }
}

fn append(
    tables: &mut Tables<'_>,
    code: &RoomCode,
    after: &Tail,
    claims: Option<Epoch>,
    batch: &[Encoded],
    keep: &Keep,
) -> Result<Outcome, Fault> {
    let room = code.as_str();
    let held = read::tail(&tables.tails, room)?;
    if held.as_ref().map(TailRow::tail).unwrap_or_default() != *after {
        return Ok(Err(AppendError::Conflict));
    }
    let mut row = match (held, claims) {
        (Some(row), _) => row,
        (None, Some(epoch)) => TailRow::new(epoch),
        (None, None) => return Ok(Err(AppendError::Conflict)),
    };
    if let Some(found) = out_of_order(row.head, batch) {
        let head = row.head;
        return Ok(Err(AppendError::NotWritten(format!("told number {found} does not continue those up to {head}"))));
    }
    let tombstone = format::incarnation_key(room, row.epoch);
    if row.offset > 0 {
        read::nothing_follows(&tables.records, room, &row)?;
    } else {
        let is_deleted = |incarnation: &[u8]| {
            Ok(tables.tombstones.get(incarnation)?.is_some() || feed::holds_dead(tables, incarnation)?)
        };
        read::nobody_holds(&tables.records, is_deleted, room)?;
        if feed::holds_dead(tables, &tombstone)? {
            let epoch = row.epoch;
            return Ok(Err(AppendError::NotWritten(format!("the incarnation {epoch} is deleted, and not fed yet"))));
        }
        if tables.tombstones.get(tombstone.as_slice())?.is_some() {
            while trim::purge_incarnation(tables, &tombstone, usize::MAX)? > 0 {}
        }
    }
    let newest = batch.iter().map(|record| record.version).max().unwrap_or_default();
    tables.need_format(newest.into())?;
    let (after, bytes_before) = (row.offset, row.bytes);
    for record in batch {
        row.head = record.seq.map_or(row.head, |seq| seq.0);
        let key = format::record_key(room, row.epoch, record.offset);
        let message_before = row.message;
        let stored = RecordRow {
            version: record.version,
            is_message: record.is_message,
            head: row.head,
            message_before,
            at: record.at,
            json: &record.json,
        }
        .encode(&key);
        row.offset = record.offset;
        row.bytes += stored.len() as u64;
        if record.is_message {
            row.message = record.offset;
            row.messages += 1;
        }
        tables.records.insert(key.as_slice(), stored.as_slice())?;
    }
    if tables.feed.is_some() {
        let (records, at) = ((after + 1, row.offset), batch.last().map_or(0, |record| record.at));
        let bytes = row.bytes - bytes_before;
        let fed = FeedRow { room: code.clone(), epoch: row.epoch, records: Some(records), bytes, at };
        feed::push(tables, &fed)?;
    }
    trim::trim(tables, room, &mut row, keep, trim::Look::Sizes, 2 * batch.len() + 16)?;
    tables.put_tail(room, &row)?;
    Ok(Ok(row.tail()))
}

/// Keeps what is known of a room, beside its tail.
fn put_about(tables: &mut Tables<'_>, room: &str, epoch: Epoch, bytes: &[u8]) -> Result<(), Fault> {
    let row = AboutRow { epoch, bytes }.encode(room);
    let old = tables.abouts.insert(room, row.as_slice())?.map(|old| old.value().len());
    // One that takes the place of another as long leaves nothing behind that a compaction could give back.
    tables.removed += old.unwrap_or_default().saturating_sub(row.len()) as u64;
    Ok(())
}

/// A told number that leaves a hole behind `head`, or goes back. A bug of whoever appends, and one that would break every search.
fn out_of_order(mut head: u64, batch: &[Encoded]) -> Option<Seq> {
    for seq in batch.iter().filter_map(|record| record.seq) {
        if seq.0 != head + 1 {
            return Some(seq);
        }
        head = seq.0;
    }
    None
}

fn snapshot(tables: &mut Tables<'_>, room: &str, stored: &SnapshotRow<'_>, keep: &Keep) -> Result<Outcome, Fault> {
    let Some(mut row) = read::tail(&tables.tails, room)?.filter(|row| row.epoch == stored.epoch) else {
        return Ok(Ok(Tail::default()));
    };
    // One that is older than what is stored, and may have let records be trimmed, or that speaks of records that are not there.
    if stored.through.0 < row.through || stored.through.0 > row.offset {
        return Ok(Ok(Tail::default()));
    }
    let old = tables.snapshots.insert(room, stored.encode(room).as_slice())?.map(|old| old.value().len() as u64);
    tables.removed += old.unwrap_or_default();
    row.through = stored.through.0;
    trim::trim(tables, room, &mut row, keep, trim::Look::SizesAndAge, trim::SLICE)?;
    tables.put_tail(room, &row)?;
    Ok(Ok(Tail::default()))
}

fn read_positions(tables: &mut Tables<'_>, room: &str, epoch: Epoch, bytes: &[u8]) -> Result<Outcome, Fault> {
    if read::tail(&tables.tails, room)?.is_some_and(|row| row.epoch == epoch) {
        let row = ReadsRow { epoch, bytes }.encode(room);
        let old = tables.read_positions.insert(room, row.as_slice())?.map(|old| old.value().len() as u64);
        tables.removed += old.unwrap_or_default();
    }
    Ok(Ok(Tail::default()))
}

/// All of it or nothing: what is to be written is known before anything is.
fn amend(tables: &mut Tables<'_>, room: &str, epoch: Epoch, amends: &[Amend]) -> Result<Outcome, Fault> {
    let nothing = Ok(Ok(Tail::default()));
    let Some(mut tail) = read::tail(&tables.tails, room)?.filter(|tail| tail.epoch == epoch) else {
        return nothing;
    };
    let mut amended: BTreeMap<u64, Amended> = BTreeMap::new();
    for amend in amends {
        let seq = amend.seq;
        let offset = read::find(&tables.records, room, &tail, &move |row| row.head >= seq.0)?;
        if offset > tail.offset {
            continue;
        }
        let mut of = match amended.remove(&offset) {
            Some(of) => of,
            None => read::record(&tables.records, room, epoch, offset, Amended::read)?,
        };
        of.is_changed |= amend.apply(&mut of.record);
        amended.insert(offset, of);
    }
    write(tables, room, &mut tail, amended)
}

/// The same of records by their own numbers: not every one is told.
fn scrub(tables: &mut Tables<'_>, room: &str, epoch: Epoch, scrubs: &[Scrub]) -> Result<Outcome, Fault> {
    let Some(mut tail) = read::tail(&tables.tails, room)?.filter(|tail| tail.epoch == epoch) else {
        return Ok(Ok(Tail::default()));
    };
    let mut scrubbed: BTreeMap<u64, Amended> = BTreeMap::new();
    for scrub in scrubs {
        let offset = scrub.offset.0;
        let is_there = tables.records.get(format::record_key(room, epoch, offset).as_slice())?.is_some();
        if !is_there {
            continue;
        }
        let mut of = match scrubbed.remove(&offset) {
            Some(of) => of,
            None => read::record(&tables.records, room, epoch, offset, Amended::read)?,
        };
        of.is_changed |= scrub.apply(&mut of.record);
        scrubbed.insert(offset, of);
    }
    write(tables, room, &mut tail, scrubbed)
}

/// Writes those that say something else now.
fn write(
    tables: &mut Tables<'_>,
    room: &str,
    tail: &mut TailRow,
    mut amended: BTreeMap<u64, Amended>,
) -> Result<Outcome, Fault> {
    amended.retain(|_, of| of.is_changed);
    let epoch = tail.epoch;
    for (offset, of) in &amended {
        let key = format::record_key(room, epoch, *offset);
        let Encoded { version, json, .. } = Encoded::new(&of.record);
        tables.need_format(version.into())?;
        let stored = RecordRow { version, json: &json, ..of.row }.encode(&key);
        let old = tables.records.insert(key.as_slice(), stored.as_slice())?.map_or(0, |old| old.value().len());
        tail.bytes = (tail.bytes + stored.len() as u64).saturating_sub(old as u64);
        tables.scrubbed += 1;
    }
    if !amended.is_empty() {
        tables.put_tail(room, tail)?;
    }
    Ok(Ok(Tail::default()))
}

/// A record while it is being amended.
struct Amended {
    record: Record,
    /// What leads to its neighbours; without the record itself.
    row: RecordRow<'static>,
    is_changed: bool,
}

impl Amended {
    fn read(key: &[u8], row: RecordRow<'_>) -> Result<Self, Fault> {
        let record = row.record(key)?;
        Ok(Self { record, row: RecordRow { json: &[], ..row }, is_changed: false })
    }
}

fn delete(tables: &mut Tables<'_>, code: &RoomCode, epoch: Epoch) -> Result<Outcome, Fault> {
    let room = code.as_str();
    let Some(tail) = read::tail(&tables.tails, room)?.filter(|tail| tail.epoch == epoch) else {
        return Ok(Ok(Tail::default()));
    };
    tables.tails.remove(room)?;
    let snapshot = tables.snapshots.remove(room)?.map(|old| old.value().len() as u64);
    let positions = tables.read_positions.remove(room)?.map(|old| old.value().len() as u64);
    let about = tables.abouts.remove(room)?.map(|old| old.value().len() as u64);
    tables.removed += snapshot.unwrap_or_default() + positions.unwrap_or_default() + about.unwrap_or_default();
    let incarnation = format::incarnation_key(room, epoch);
    if tables.feed.is_some() {
        let at = read::record(&tables.records, room, epoch, tail.offset, |_, row| Ok(row.at)).unwrap_or_default();
        feed::push(tables, &FeedRow { room: code.clone(), epoch, records: None, bytes: 0, at })?;
    }
    // Its records go slice by slice, after they were fed: the code is free at once, and no other room waits for a large one.
    match &mut tables.feed {
        Some(feed) => feed.graves.insert(incarnation.as_slice(), ())?,
        None => tables.tombstones.insert(incarnation.as_slice(), ())?,
    };
    Ok(Ok(Tail::default()))
}
