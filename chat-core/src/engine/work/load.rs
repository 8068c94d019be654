//! What a log says about a room: the snapshot of its ledger, the records after that, and the newest of them for the backlog.

use std::collections::VecDeque;

use futures_util::future::join;

use crate::domain::{Content, Event, Record};
use crate::engine::feed::overlay::Change;
use crate::engine::feed::room_feed::RoomFeed;
use crate::engine::feed::segment::Segment;
use crate::ports::{Log, ReadError, Tail};
use crate::room::{Ledger, OwedAmend, OwedChange, OwedEdit, ReadPositions, Snapshot, Unreadable};
use crate::types::{Epoch, Offset, RoomCode, RoomLimits};
use crate::wire;

/// Records read at once. 1,024: 16 MiB of the longest messages, and one call of the log for most rooms. No limit: it is let go of with the
/// read, and how many rooms are read at once is up to those who open them.
const PAGE: usize = 1_024;
/// Pages that are read beside the replay at most, for told records between those that nobody is told. 64, in 65,536 records: a room of which
/// more are quiet only counts who comes and goes, and who needs older events pages them. No limit: it bounds how long
/// a recovery takes, and what is kept of it is bounded by the backlog's own.
const PAGES_BACK_MAX: usize = 64;

/// What a log says about a room.
pub(crate) struct Loaded {
    pub(crate) ledger: Ledger,
    pub(crate) tail: Tail,
    /// The newest told records, for the backlog.
    pub(crate) recent: VecDeque<Record>,
    /// What the log has to be amended for. It is not done, but nothing of what was there before is among the newest records.
    pub(crate) owed: Vec<Change>,
    /// How many of its records the stored snapshot does not cover.
    pub(crate) unsaved: usize,
    /// How far people have read.
    pub(crate) reads: ReadPositions,
}

/// What becomes of an incarnation that was closed, and is still there: the process ended before it was deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    /// It is deleted.
    Delete,
    /// Another server does that.
    Leave,
}

/// Reads a room; `None` where the log has none.
pub(crate) async fn load(
    log: &dyn Log,
    code: &RoomCode,
    limits: &RoomLimits,
    over: Over,
) -> Result<Option<Loaded>, ReadError> {
    match read_whole(log, code, limits, None).await? {
        Whole::None => Ok(None),
        Whole::Live(loaded) => Ok(Some(*loaded)),
        Whole::Over(_) if over == Over::Leave => Ok(None),
        Whole::Over(epoch) => {
            log.delete(code, epoch).await.map_err(|error| ReadError::Unavailable(error.to_string()))?;
            Ok(None)
        }
    }
}

/// The same, of a room that is another server's: this incarnation of it, as of this record. It is left as it is.
pub(crate) async fn load_copy(
    log: &dyn Log,
    code: &RoomCode,
    limits: &RoomLimits,
    epoch: Epoch,
    end: Offset,
) -> Result<Loaded, ReadError> {
    match read_whole(log, code, limits, Some(end)).await? {
        Whole::Live(loaded) if loaded.ledger.epoch() == Some(epoch) && loaded.ledger.last_offset() == end => {
            Ok(*loaded)
        }
        _ => Err(ReadError::Unavailable("the room has moved on".into())),
    }
}

/// What a log has under a code.
enum Whole {
    None,
    Live(Box<Loaded>),
    Over(Epoch),
}

/// Reads it up to a record, or all of it.
async fn read_whole(
    log: &dyn Log,
    code: &RoomCode,
    limits: &RoomLimits,
    end: Option<Offset>,
) -> Result<Whole, ReadError> {
    let tail = log.read(code, None, Offset(0), 0).await?.tail;
    let Some(epoch) = tail.epoch else { return Ok(Whole::None) };
    let end_of = |tail: &Tail| end.unwrap_or(tail.offset).min(tail.offset);
    // Together: neither needs the other, and somebody waits.
    let (stored, reads) = join(log.load_snapshot(code, epoch), log.load_read_positions(code, epoch)).await;
    let (stored, reads) = (stored?, reads?);
    // Where the log is whole, a snapshot only saves time: one that cannot be read is left alone, and the log replayed from its start.
    let (snapshot, unread) = match stored.map(|(_, bytes)| Snapshot::read(&bytes)) {
        Some(Err(why)) => (None, Some(why)),
        read => (read.and_then(Result::ok), None),
    };
    let is_cut = |how: String| without_snapshot(how, unread.as_ref());
    let mut ledger = snapshot
        .map(Ledger::from)
        .filter(|ledger| ledger.epoch() == Some(epoch) && ledger.last_offset() <= tail.offset)
        .unwrap_or_else(|| Ledger::new(limits));
    let covered = ledger.last_offset();
    let keep = limits.backlog_events_max;
    let backlog_start = Offset(end_of(&tail).0.saturating_sub(keep as u64));
    let start = ledger.last_offset().min(backlog_start);
    let mut after = start;
    // Whether the records read are all that follow `start`.
    let mut is_whole = true;
    let mut recent: VecDeque<Record> = VecDeque::new();
    let tail = loop {
        let page = log.read(code, Some(epoch), after, PAGE).await?;
        if page.tail.epoch != Some(epoch) {
            return Err(ReadError::Unavailable("the incarnation that was being read is over".into()));
        }
        let (before, end) = (after, end_of(&page.tail));
        for record in page.records.into_iter().take_while(|record| record.offset <= end) {
            // A log that keeps only so much may begin later than it was asked for, or let go of more while it is read; but
            // never of what the ledger does not know.
            if record.offset != after.next() {
                if record.offset <= after || record.offset > ledger.last_offset().next() {
                    return Err(is_cut(format!("record {} follows record {}", record.offset.0, after.0)));
                }
                recent.clear();
                is_whole = false;
            }
            after = record.offset;
            if record.offset > ledger.last_offset() {
                ledger.apply(&record);
            }
            if record.seq.is_some() {
                recent.push_back(record);
                if recent.len() > keep {
                    recent.pop_front();
                }
            }
        }
        if after >= end {
            break page.tail;
        }
        if after == before {
            let end = end.0;
            return Err(is_cut(format!("nothing follows record {}, and record {end} is the last", after.0)));
        }
    };
    if ledger.epoch().is_none() {
        return Ok(Whole::Over(epoch));
    }
    if is_whole {
        read_back(log, code, epoch, start, keep, &mut recent).await?;
    }
    let owed = owed(log, code, epoch, &ledger, &recent).await?;
    for change in &owed {
        recent.iter_mut().for_each(|record| change.apply(record));
    }
    apply_later(&mut recent);
    let unsaved = usize::try_from(end_of(&tail).0.saturating_sub(covered.0)).unwrap_or(usize::MAX);
    // What cannot be made out is nothing but that everybody reads on from where they came in.
    let reads = reads.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
    Ok(Whole::Live(Box::new(Loaded { ledger, tail, recent, owed, unsaved, reads })))
}

/// A log that lacks records: what would have stood for them is the stored snapshot, where that could not be read.
fn without_snapshot(how: String, unread: Option<&Unreadable>) -> ReadError {
    match unread {
        Some(&Unreadable::Later { version, readable_from }) => {
            ReadError::Later { what: "a snapshot".into(), version, readable_from, reads: Snapshot::VERSION }
        }
        Some(Unreadable::Damaged(what)) => {
            ReadError::Damaged(format!("{how}; what is stored instead is no snapshot: {what}"))
        }
        None => ReadError::Damaged(how),
    }
}

/// Reads on towards the start until `recent` has `keep` told records: quiet ones are not to take their place. Ends where the log does.
async fn read_back(
    log: &dyn Log,
    code: &RoomCode,
    epoch: Epoch,
    mut end: Offset,
    keep: usize,
    recent: &mut VecDeque<Record>,
) -> Result<(), ReadError> {
    for _ in 0..PAGES_BACK_MAX {
        let before = Offset(end.0.saturating_sub(PAGE as u64));
        if recent.len() >= keep || end == before {
            break;
        }
        let page = log.read(code, Some(epoch), before, (end.0 - before.0) as usize).await?;
        if page.tail.epoch != Some(epoch) {
            return Err(ReadError::Unavailable("the incarnation that was being read is over".into()));
        }
        // A log that keeps only so much begins later, and may have let go of more since.
        let whole = page.records.last().is_some_and(|last| last.offset == end);
        if !whole {
            break;
        }
        let begins_here = page.records[0].offset == before.next();
        for record in page.records.into_iter().rev().filter(|record| record.seq.is_some()) {
            if recent.len() < keep {
                recent.push_front(record);
            }
        }
        if !begins_here {
            break;
        }
        end = before;
    }
    Ok(())
}

/// What a process may not have come to between logging that a message is changed and amending the log: the ledger knows, but for what
/// messages say since. An edit whose record is gone is of a message that is gone, too; one that says nothing any more was superseded.
async fn owed(
    log: &dyn Log,
    code: &RoomCode,
    epoch: Epoch,
    ledger: &Ledger,
    recent: &VecDeque<Record>,
) -> Result<Vec<Change>, ReadError> {
    let mut changes = Vec::new();
    for owed in ledger.owed() {
        match owed {
            OwedChange::TakeBack(OwedAmend { target, change }) => changes.push(Change::TakeBack { target, change }),
            OwedChange::Sweep(sweep) => changes.push(Change::Sweep(sweep)),
            OwedChange::Edit(OwedEdit { bytes: 0, .. }) => {}
            OwedChange::Edit(edit) => {
                let here = recent.binary_search_by_key(&Some(edit.change), |record| record.seq);
                let content = match here {
                    Ok(index) => content_of(&recent[index]),
                    Err(_) => read_content(log, code, epoch, &edit).await?,
                };
                let OwedEdit { target, change, n, .. } = edit;
                changes.extend(content.map(|content| Change::Edit { target, change, content, n }));
            }
        }
    }
    let erased = ledger.owed_erasures();
    changes.extend(erased.map(|owed| Change::erased(&owed.members, owed.through, owed.head)));
    Ok(changes)
}

/// Makes of records what later ones among them make of them: a log that had cut a message could not be asked what edit of it to make say
/// nothing any more.
fn apply_later(recent: &mut VecDeque<Record>) {
    for index in 0..recent.len() {
        if let Some(change) = Change::of(&recent[index]) {
            let first = recent.partition_point(|record| record.seq < Some(change.first()));
            recent.range_mut(first.min(index)..index).for_each(|record| change.apply(record));
        }
    }
}

/// What a message says since an edit, as the log has it.
pub(crate) async fn read_content(
    log: &dyn Log,
    code: &RoomCode,
    epoch: Epoch,
    edit: &OwedEdit,
) -> Result<Option<Content>, ReadError> {
    let page = log.read(code, Some(epoch), Offset(edit.offset.0.saturating_sub(1)), 1).await?;
    Ok(page.records.first().filter(|record| record.offset == edit.offset).and_then(content_of))
}

fn content_of(record: &Record) -> Option<Content> {
    match &record.event {
        Event::Edited { content, .. } => content.clone(),
        _ => None,
    }
}

/// Puts records into a backlog, those that are told.
pub(crate) fn publish_records<'a>(feed: &RoomFeed, records: impl Iterator<Item = &'a Record>) {
    let mut segment: Option<Segment> = None;
    for record in records {
        let Some(seq) = record.seq else { continue };
        let open = segment.get_or_insert_with(|| Segment::new(seq));
        if let Some(kind) = wire::encode_event(&feed.code, record, open.buffer()) {
            open.close_event(kind);
        }
        if feed.backlog.is_full(open) {
            feed.backlog.publish(segment.take().expect("it is open"));
        }
    }
    if let Some(open) = segment {
        feed.backlog.publish(open);
    }
}
