//! Reading the feed: batches after a cursor, with their records as they are now, in one statement and so as of one moment.

use std::collections::BTreeMap;

use chat_core::{
    FeedBatch, FeedChange, FeedCursor, FeedError, FeedGap, FeedName, FeedSlice, Offset, ReadError, RoomCode,
};
use tokio_postgres::Row;

use crate::encoded::{self, counted, number, read_epoch};
use crate::feed_cursor::{Position, Positions};
use crate::pool::Pool;
use crate::read::{damaged, unreadable};

/// One row that says which feed it is; one for each slot of which the reader has not read all, or cannot have read what they say; and the
/// records of the next batches, or one row for a batch without any.
///
/// Batches come in the order of their transactions, as far as that can be said: those of one slot in their order. Of each slot only so many are
/// looked at; where there are more, what comes after the last of these waits for the next page.
const SINCE: &str = "
with c as (
    select s.slot, s.last, s.mark as last_mark, coalesce(n.batch, 0) as batch, coalesce(n.mark, 0) as mark,
        case when $4::boolean or coalesce(n.batch, 0) < s.last then
            coalesce((select f.number - 1 from feed f where f.slot = s.slot order by f.number limit 1), s.last) else s.last end as floor
    from feed_slots s left join unnest($1::int[], $2::bigint[], $3::int[]) as n(slot, batch, mark) using (slot)
    where s.last > 0 or n.batch is not null),
b as (
    select c.*, case when $4::boolean then floor else greatest(batch, floor) end as after, not $4::boolean and (batch > last or mark <> 0 and
        coalesce((select f.mark from feed f where f.slot = c.slot and f.number = c.batch), case when batch = last then last_mark end, mark) <> mark) as is_lost
    from c where $4::boolean or batch <> last or mark <> last_mark),
share as (select greatest(16, 4 * $5::bigint / greatest(count(*), 1)) as batches from b where last > after),
r as (
    select f.*, coalesce(f.last - f.first + 1, 1) as records, b.last as newest from b, lateral (
        select * from feed where slot = b.slot and number > b.after order by number limit (select batches from share)) f
    where b.last > b.after and $5::bigint > 0),
edge as (select min(key) as key from (select max(key) as key from r group by slot having max(number) < max(newest)) e),
o as (
    select r.*, row_number() over w as nth, sum(records) over w as upto from r, edge where edge.key is null or r.key <= edge.key
    window w as (order by r.key, r.slot, r.number)),
p as (select * from o where nth = 1 or upto <= $5::bigint)
select 0 as kind, 0 as slot, 0::bigint as number, 0 as mark, id as one, 0::bigint as other, false as is_lost, null as code, 0::bigint as epoch,
    0::bigint as nth, null::bigint as first, null::bigint as last, null::bigint as record, null::smallint as version, null::bytea as body
from feed_state
union all select 1, slot, batch, case when after = last then last_mark when after = batch then mark else 0 end, after, last, is_lost, null, 0,
    0, null, null, null, null, null from b
union all select 2, p.slot, p.number, p.mark, 0, 0, false, p.code, p.epoch, p.nth, p.first, p.last, d.last, d.version, d.body
    from p left join lateral (select last, version, body from records where life = p.life and last between p.first and p.last) d on true
order by kind, nth, record";

/// What is appended after a cursor; without one, after what was let go of. With a `max` of 0 nothing of it.
///
/// # Errors
/// See [`FeedError`].
pub(crate) async fn since(pool: &Pool, cursor: Option<&FeedCursor>, max: usize) -> Result<FeedSlice, FeedError> {
    let read = cursor.map(Positions::of_cursor).transpose()?;
    let (slots, batches, marks) = read.as_ref().map(Positions::columns).unwrap_or_default();
    let rows = pool.query(SINCE, &[&slots, &batches, &marks, &read.is_none(), &number(max as u64)]).await?;
    let Some(state) = rows.first().filter(|row| row.get::<_, i32>("kind") == 0) else { return Err(FeedError::NoFeed) };
    let feed: i64 = state.get("one");
    let mut next = match read {
        Some(read) if read.feed != feed => return Err(FeedError::OtherFeed),
        Some(read) => read,
        None => Positions::new(feed),
    };
    let of_kind = |kind: i32| rows.iter().filter(move |row| row.get::<_, i32>("kind") == kind);
    let (mut missed, mut behind) = (0, 0);
    for row in of_kind(1) {
        if row.get("is_lost") {
            return Err(FeedError::Lost);
        }
        let [batch, after, last] = ["number", "one", "other"].map(|name| counted(row.get(name)));
        missed += if cursor.is_some() { after.saturating_sub(batch) } else { 0 };
        behind += last.saturating_sub(after);
        if after > 0 {
            next.slots.insert(row.get("slot"), Position { batch: after, mark: row.get("mark") });
        }
    }
    let mut fed: BTreeMap<i64, Vec<&Row>> = BTreeMap::new();
    of_kind(2).for_each(|row| fed.entry(row.get("nth")).or_default().push(row));
    let mut batches = Vec::new();
    for rows in fed.into_values() {
        batches.push(batch(&rows)?);
        next.slots.insert(rows[0].get("slot"), position(rows[0]));
    }
    let behind = behind.saturating_sub(batches.len() as u64);
    let gap = (missed > 0).then_some(FeedGap { batches: missed });
    // What is put back here the database alone knows.
    Ok(FeedSlice { gap, batches, next: next.cursor(), behind, restored: 0 })
}

fn position(row: &Row) -> Position {
    Position { batch: counted(row.get("number")), mark: row.get("mark") }
}

/// A batch, with each of its records in a row, or none.
fn batch(rows: &[&Row]) -> Result<FeedBatch, ReadError> {
    let (code, first): (&str, Option<i64>) = (rows[0].get("code"), rows[0].get("first"));
    let room = RoomCode::parse(code).map_err(|_| damaged(format!("{code:?} is no code of a room")))?;
    let epoch = read_epoch(rows[0].get("epoch"));
    let Some(first) = first else { return Ok(FeedBatch { room, epoch, change: FeedChange::Deleted }) };
    let (first, last) = (counted(first), counted(rows[0].get("last")));
    let mut records = Vec::new();
    for row in rows {
        let Some(record) = row.get::<_, Option<i64>>("record") else { break };
        let record = encoded::record(code, record, row.get("version"), row.get("body"));
        records.push(record.map_err(unreadable)?);
    }
    let is_whole = records.iter().map(|record| record.offset).eq((first..=last).map(Offset));
    match is_whole {
        true => Ok(FeedBatch { room, epoch, change: FeedChange::Appended(records) }),
        false => Err(damaged(format!("a record of room {room} is missing that was not fed"))),
    }
}

/// The cursor behind all that there is.
///
/// # Errors
/// See [`FeedError`].
pub(crate) async fn end(pool: &Pool) -> Result<FeedCursor, FeedError> {
    let all = "select f.id, s.slot, s.last as number, s.mark from feed_state f left join feed_slots s on s.last > 0";
    let rows = pool.query(all, &[]).await?;
    let mut end = Positions::new(rows.first().ok_or(FeedError::NoFeed)?.get("id"));
    let slots = rows.iter().filter_map(|row| Some((row.get::<_, Option<i32>>("slot")?, position(row))));
    end.slots.extend(slots);
    Ok(end.cursor())
}

/// All names, and how far each has read.
///
/// # Errors
/// See [`FeedError`].
pub(crate) async fn names(pool: &Pool) -> Result<Vec<(FeedName, FeedCursor)>, FeedError> {
    let all = "select f.id, n.name, n.slots, n.numbers, n.marks from feed_state f left join feed_names n on true order by n.name";
    let rows = pool.query(all, &[]).await?;
    let feed = rows.first().ok_or(FeedError::NoFeed)?.get("id");
    let named = |row: &Row| {
        let name: &str = row.get::<_, Option<&str>>("name")?;
        let (slots, numbers, marks): (Vec<i32>, Vec<i64>, Vec<i32>) =
            (row.get("slots"), row.get("numbers"), row.get("marks"));
        let cursor = Positions::of_columns(feed, &slots, &numbers, &marks).cursor();
        Some(
            FeedName::parse(name)
                .map(|name| (name, cursor))
                .ok_or_else(|| damaged("a feed has no name".to_owned()).into()),
        )
    };
    rows.iter().filter_map(named).collect()
}
