//! The statements that take away: records that retention no longer keeps, and what is left of deleted incarnations.

use std::time::Duration;

use chat_core::{Keep, RoomCode};

use crate::encoded::{counted, number};
use crate::id::Id;
use crate::lane::{Lane, Refused, with_me};

/// Records that one statement takes away at most: others wait for it.
pub(crate) const SLICE: i64 = 2_048;
/// How old a grave is before its row goes, once nothing of the incarnation is found any more.
pub(crate) const GRAVE_REST: Duration = Duration::from_secs(60);

/// Removes the oldest records of a room as long as it is over a limit, or they are too old, and a snapshot covers them. Never the newest, and none
/// that the feed holds back.
const TRIM: &str = with_me!(
    "held as (select t.code, t.life, t.first, t.last, t.messages, t.bytes, t.through, ",
    "coalesce((select min(f.first) - 1 from feed f where f.life = $2), 9223372036854775807) as fed from tails t, me ",
    "where t.life = $2 and t.code = $3 for no key update of t), ",
    "eldest as (select r.last, r.at, (r.kind = 1)::int as said, octet_length(r.body)::bigint as size from held h join records r ",
    "on r.life = h.life and r.last >= h.first and r.last <= least(h.through, h.last - 1, h.fed) order by r.last limit $4::bigint), ",
    "before as (select o.*, coalesce(sum(said) over w, 0) as said_before, coalesce(sum(size) over w, 0) as size_before from eldest o ",
    "window w as (order by last rows between unbounded preceding and 1 preceding)), ",
    "judged as (select b.last, b.said, b.size, bool_and(h.messages - said_before > $5::bigint or h.bytes - size_before > $6::bigint or b.at < $7::bigint) ",
    "over (order by b.last) as goes from before b, held h), ",
    "gone as (delete from records r using judged j, held h where j.goes and r.life = h.life and r.last = j.last), ",
    "less as (select count(*) as records, coalesce(sum(said), 0)::bigint as said, coalesce(sum(size), 0)::bigint as size ",
    "from judged where goes), ",
    "done as (update tails t set first = t.first + l.records, messages = t.messages - l.said, bytes = t.bytes - l.size ",
    "from less l, held h where l.records > 0 and t.code = h.code and t.life = h.life) ",
    "select alive, l.records from (select exists (select from me) as alive) a, less l"
);

/// Takes a slice of what is left of a deleted incarnation.
const PURGE: &str = with_me!(
    "eldest as (select last from records where life = $2 order by last limit $3::bigint), ",
    "r as (delete from records r using me, eldest e where r.life = $2 and r.last = e.last returning 1), ",
    "s as (delete from snapshots s using me where s.life = $2 returning 1), ",
    "p as (delete from read_positions p using me where p.life = $2 returning 1) ",
    "select exists (select from me) as alive, (select count(*) from r) + (select count(*) from s) + (select count(*) from p) as gone"
);

/// Takes the grave itself, once it has rested.
const FORGET: &str = with_me!(
    "g as (delete from graves g using me where g.life = $2 and g.since <= now() - interval '1 millisecond' * $3 returning 1) ",
    "select exists (select from me) as alive, exists (select from g) as gone"
);

const CLOCK: &str = with_me!(
    "put as (insert into meta (key, value) select 'clock', $2 from me on conflict (key) do update set value = excluded.value) ",
    "select exists (select from me) as alive"
);

/// Removes what is not kept of a room, [`SLICE`] records at most. Returns how many went.
pub(crate) async fn trim(lane: &mut Lane, room: &RoomCode, life: Id, keep: &Keep) -> Result<u64, Refused> {
    if keep.retention.keeps_all() {
        return Ok(0);
    }
    let max = |max: Option<u64>| max.map_or(i64::MAX, number);
    let (messages, bytes) = (max(keep.retention.messages_max), max(keep.retention.bytes_max));
    let rows = lane.write(TRIM, &[&life, &room.as_str(), &SLICE, &messages, &bytes, &number(keep.oldest.0)]).await?;
    Ok(counted(rows[0].get("records")))
}

/// Takes a slice of what is left of a deleted incarnation; `false` where nothing is.
pub(crate) async fn purge(lane: &mut Lane, life: Id) -> Result<bool, Refused> {
    let rows = lane.write(PURGE, &[&life, &SLICE]).await?;
    Ok(rows[0].get::<_, i64>("gone") > 0)
}

/// Takes the row of an incarnation of which nothing is left; `false` where it is too new.
pub(crate) async fn forget(lane: &mut Lane, life: Id) -> Result<bool, Refused> {
    let rest = GRAVE_REST.as_millis() as f64;
    let rows = lane.write(FORGET, &[&life, &rest]).await?;
    Ok(rows[0].get("gone"))
}

/// Notes what the clock was believed to say.
pub(crate) async fn put_clock(lane: &mut Lane, now: u64) -> Result<(), Refused> {
    lane.write(CLOCK, &[&now.to_string()]).await.map(drop)
}
