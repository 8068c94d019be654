//! Reading a room: pages of records, messages, codes and snapshots, each in one statement, and so as of one moment.

use chat_core::{
    Ended, EndedWho, Epoch, Erasure, Identity, LogPage, LogRoom, Offset, ReadError, Record, RoomCode, Seq, SessionId,
    Slot,
};
use chat_core::{RecordVersion, Tail, Wall};
use tokio_postgres::Row;

use crate::encoded::{self, MESSAGE, Unreadable, counted, epoch, number};
use crate::id::Id;
use crate::pool::Pool;

/// The tail, and with each row a record, where there is one.
const PAGE: &str = "select t.epoch, t.first, t.last, r.last as number, r.version, r.body from tails t left join lateral \
                    (select last, version, body from records where life = t.life and last > $3 and coalesce($2, t.epoch) = t.epoch \
                    order by last limit $4) r on true where t.code = $1 order by r.last";

const MESSAGES: &str = "select r.last as number, r.version, r.body from tails t join lateral \
                        (select last, version, body from records where life = t.life and kind = $5 and seq < $3 \
                        order by seq desc limit $4) r on true where t.code = $1 and t.epoch = $2 order by r.last";

const MESSAGES_AFTER: &str = "select r.last as number, r.version, r.body from tails t join lateral \
                              (select last, version, body from records where life = t.life and kind = $5 and seq > $3 \
                              order by seq limit $4) r on true where t.code = $1 and t.epoch = $2 order by r.last";

/// At most `max` records after `after`; from the first that is kept, where older ones were trimmed.
pub(crate) async fn page(
    pool: &Pool,
    room: &RoomCode,
    of: Option<Epoch>,
    after: Offset,
    max: usize,
) -> Result<LogPage, ReadError> {
    let values = (of.map(epoch), number(after.0), number(max as u64));
    // Before the read: what is decided after a move of the slot is not to stand on what was read before it.
    let term = counted(pool.term(room));
    let rows = pool.query(PAGE, &[&room.as_str(), &values.0, &values.1, &values.2]).await?;
    let Some(tail) = rows.first() else { return Ok(LogPage::default()) };
    let (found, first, last): (i64, i64, i64) = (tail.get("epoch"), tail.get("first"), tail.get("last"));
    let found = encoded::read_epoch(found);
    let records = if rows.len() == 1 && tail.get::<_, Option<i64>>("number").is_none() { &[][..] } else { &rows[..] };
    // Without a hole: from the first that is kept on, and to the end where the page is not full.
    let wanted = if of.is_none_or(|of| of == found) { max as u64 } else { 0 };
    let start = after.0.saturating_add(1).max(counted(first));
    let there = (counted(last) + 1).saturating_sub(start).min(wanted);
    let records = read(room, records)?;
    let numbers = records.iter().map(|record| record.offset.0);
    if !numbers.eq(start..start.saturating_add(there)) {
        return Err(damaged(format!("records of room {room} are missing between {start} and {last}")));
    }
    Ok(LogPage { records, tail: Tail { epoch: Some(found), offset: Offset(counted(last)), token: term } })
}

/// The last `max` messages before `before`, oldest first.
pub(crate) async fn messages(
    pool: &Pool,
    room: &RoomCode,
    of: Epoch,
    before: Seq,
    max: usize,
) -> Result<Vec<Record>, ReadError> {
    let values = (epoch(of), number(before.0), number(max as u64));
    read(room, &pool.query(MESSAGES, &[&room.as_str(), &values.0, &values.1, &values.2, &MESSAGE]).await?)
}

/// The first `max` messages after `after`, oldest first: of those that are kept.
pub(crate) async fn messages_after(
    pool: &Pool,
    room: &RoomCode,
    of: Epoch,
    after: Seq,
    max: usize,
) -> Result<Vec<Record>, ReadError> {
    let values = (epoch(of), number(after.0), number(max as u64));
    read(room, &pool.query(MESSAGES_AFTER, &[&room.as_str(), &values.0, &values.1, &values.2, &MESSAGE]).await?)
}

fn read(room: &RoomCode, rows: &[Row]) -> Result<Vec<Record>, ReadError> {
    let record = |row: &Row| encoded::record(room.as_str(), row.get("number"), row.get("version"), row.get("body"));
    rows.iter().map(record).collect::<Result<_, _>>().map_err(unreadable)
}

/// What a reader is told of a record that cannot be read.
pub(crate) fn unreadable(found: Unreadable) -> ReadError {
    match found {
        Unreadable::Damaged(what) => damaged(what),
        Unreadable::Later { what, version } => {
            ReadError::Later { what, version, readable_from: version, reads: RecordVersion::LATEST.0 }
        }
    }
}

/// Codes after `after`, in order.
pub(crate) async fn rooms(
    pool: &Pool,
    slot: Option<Slot>,
    after: Option<&RoomCode>,
    max: usize,
) -> Result<Vec<RoomCode>, ReadError> {
    let (after, max) = (after.map_or("", RoomCode::as_str), number(max as u64));
    let rows = match slot {
        None => pool.query("select code from tails where code > $1 order by code limit $2", &[&after, &max]).await?,
        Some(slot) => {
            let of_slot = "select code from tails where slot = $3 and code > $1 order by code limit $2";
            pool.query(of_slot, &[&after, &max, &i32::from(slot.number())]).await?
        }
    };
    rows.iter().map(code).collect()
}

/// The same, with what is known of each.
pub(crate) async fn rooms_with(
    pool: &Pool,
    slot: Option<Slot>,
    after: Option<&RoomCode>,
    max: usize,
) -> Result<Vec<LogRoom>, ReadError> {
    let (after, max) = (after.map_or("", RoomCode::as_str), number(max as u64));
    let rows = match slot {
        None => {
            let of_all = "select code, about from tails where code > $1 order by code limit $2";
            pool.query(of_all, &[&after, &max]).await?
        }
        Some(slot) => {
            let of_slot = "select code, about from tails where slot = $3 and code > $1 order by code limit $2";
            pool.query(of_slot, &[&after, &max, &i32::from(slot.number())]).await?
        }
    };
    rows.iter().map(|row| Ok(LogRoom { code: code(row)?, about: row.get(1) })).collect()
}

fn code(row: &Row) -> Result<RoomCode, ReadError> {
    let text: &str = row.get(0);
    RoomCode::parse(text).map_err(|_| damaged(format!("{text:?} is no code of a room")))
}

pub(crate) async fn snapshot(pool: &Pool, room: &RoomCode, of: Epoch) -> Result<Option<(Offset, Vec<u8>)>, ReadError> {
    let stored =
        "select s.through, s.body from tails t join snapshots s using (life) where t.code = $1 and t.epoch = $2";
    let rows = pool.query(stored, &[&room.as_str(), &epoch(of)]).await?;
    Ok(rows.first().map(|row| (Offset(counted(row.get(0))), row.get(1))))
}

pub(crate) async fn read_positions(pool: &Pool, room: &RoomCode, of: Epoch) -> Result<Option<Vec<u8>>, ReadError> {
    let stored = "select p.body from tails t join read_positions p using (life) where t.code = $1 and t.epoch = $2";
    let rows = pool.query(stored, &[&room.as_str(), &epoch(of)]).await?;
    Ok(rows.first().map(|row| row.get(0)))
}

/// Every erasure that is kept.
pub(crate) async fn erasures(pool: &Pool) -> Result<Vec<Erasure>, ReadError> {
    let rows = pool.query("select body from erasures", &[]).await?;
    let all: Option<Vec<Erasure>> = rows.iter().map(|row| serde_json::from_slice(row.get("body")).ok()).collect();
    all.ok_or_else(|| damaged("an erasure cannot be read".to_owned()))
}

/// Every session that was ended.
pub(crate) async fn ended(pool: &Pool) -> Result<Vec<Ended>, ReadError> {
    let rows = pool.query("select is_person, who, through, until from ended", &[]).await?;
    let ended = |row: &Row| {
        let who: &[u8] = row.get(1);
        let who = match row.get(0) {
            false => EndedWho::Session(SessionId::new(u128::from_be_bytes(who.try_into().ok()?))),
            true => EndedWho::Person(Identity::new(std::str::from_utf8(who).ok()?)?),
        };
        let through = SessionId::new(row.get::<_, Id>(2).bits());
        Some(Ended { who, through, until: Wall(counted(row.get(3))) })
    };
    let all = rows.iter().map(ended).collect::<Option<_>>();
    all.ok_or_else(|| damaged("an ended session cannot be read".to_owned()))
}

pub(crate) fn damaged(what: String) -> ReadError {
    tracing::error!(what, "the log is damaged");
    ReadError::Damaged(what)
}
