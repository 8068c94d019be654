//! The feed in the database: how it begins and ends, who has read how far, and what is let go of.
//!
//! Each slot counts the batches that are appended to its rooms, in their own transactions, and so do deletions. Whether there is a feed every writing
//! connection finds out when it begins; whoever begins or ends one takes away the rows of all writers in the same transaction, so that nothing is
//! written by a connection that has found it otherwise.

use std::time::Duration;

use chat_core::{FeedBounds, FeedName, RoomCode};

use crate::appender::Overgrown;
use crate::connection::Connection;
use crate::encoded::number;
use crate::error::{NoAnswer, OpenError};
use crate::feed_cursor::Positions;
use crate::id::Id;
use crate::lane::{Lane, Refused, with_me};
use crate::options::Retention;

/// How often a feed is begun or ended anew where something that is under way holds it up.
const TRIES: u32 = 5;

/// Begins a feed, or has the one that there is hold back as much as is said here.
///
/// # Errors
/// [`OpenError::Database`].
pub(crate) async fn begin(connection: &Connection, bounds: &FeedBounds) -> Result<(), OpenError> {
    let (bytes, age) = (number(bounds.bytes_max), millis(bounds.age_max));
    let bound = "update feed_state set bytes_max = $1, age_ms = $2 returning id";
    for _ in 0..TRIES {
        if !connection.query_once(bound, &[&bytes, &age]).await?.is_empty() {
            return Ok(());
        }
        let id: i64 = rand::random();
        let begun = format!(
            "insert into feed_state (id, bytes_max, age_ms) values ({id}, {bytes}, {age}) on conflict do nothing; \
             insert into feed_slots (slot) select generate_series(0, 1023) on conflict do nothing; \
             update meta set value = '3' where key = 'format' and value = '2'"
        );
        change(connection, &begun).await?;
    }
    Err(OpenError::Database("a feed cannot be begun: something that is under way does not end".to_owned()))
}

/// Ends the feed, where there is one: its cursors are of no use any more, and what was held back is let go of.
///
/// # Errors
/// [`OpenError::Database`].
pub(crate) async fn end(connection: &Connection) -> Result<(), OpenError> {
    for _ in 0..TRIES {
        if connection.query_once("select from feed_state", &[]).await?.is_empty() {
            return Ok(());
        }
        let ended = "insert into graves (life) select life from feed where first is null on conflict do nothing; \
                     truncate feed_state, feed_slots, feed, feed_names; \
                     update meta set value = '2' where key = 'format' and value = '3'";
        change(connection, ended).await?;
    }
    Err(OpenError::Database("the feed cannot be ended: something that is under way does not end".to_owned()))
}

/// Says it to all that write: nobody may write, and no writer may come, between the change and the end of those that there were. A change that is
/// held up for too long is none.
async fn change(connection: &Connection, statements: &str) -> Result<(), NoAnswer> {
    let all =
        format!("begin; lock table writers in share row exclusive mode; {statements}; delete from writers; commit");
    let Err(error) = connection.batch(&all).await else { return Ok(()) };
    connection.batch("rollback").await?;
    let is_held_up = error.code().is_some_and(|code| ["55P03", "40P01"].contains(&code));
    if is_held_up { Ok(()) } else { Err(error) }
}

/// How far a name has read. Whoever has the slot of the name says it, and nobody else.
const PUT: &str = with_me!(
    "here as (select from slots s, me where s.slot = $2 and s.node = me.node), ",
    "put as (insert into feed_names (name, slots, numbers, marks) select $3::text, $4::int[], $5::bigint[], $6::int[] from here ",
    "where exists (select from feed_state where id = $7::bigint) ",
    "and ((select count(*) from feed_names) < $8::bigint or exists (select from feed_names where name = $3)) ",
    "on conflict (name) do update set slots = excluded.slots, numbers = excluded.numbers, marks = excluded.marks returning 1) ",
    "select exists (select from me) as alive, exists (select from here) as here, exists (select from put) as put"
);

const DROP: &str = with_me!(
    "gone as (delete from feed_names f using me where f.name = $2::text) select exists (select from me) as alive"
);

/// What came of a name that was to be put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Put {
    Done,
    /// Another server has the slot of the name.
    Elsewhere,
    /// There are as many names as there may be, or the feed has ended since.
    Refused,
}

/// Remembers how far the feed of a name is read.
pub(crate) async fn put(lane: &mut Lane, name: &FeedName, read: &Positions) -> Result<Put, Refused> {
    let (slot, (slots, numbers, marks)) = (i32::from(name.slot().number()), read.columns());
    let max = FeedName::MAX as i64;
    let rows = lane.write(PUT, &[&slot, &name.as_str(), &slots, &numbers, &marks, &read.feed, &max]).await?;
    Ok(match (rows[0].get("here"), rows[0].get("put")) {
        (false, _) => Put::Elsewhere,
        (true, false) => Put::Refused,
        (true, true) => Put::Done,
    })
}

/// Forgets the feed of a name.
pub(crate) async fn drop_name(lane: &mut Lane, name: &FeedName) -> Result<(), Refused> {
    lane.write(DROP, &[&name.as_str()]).await.map(drop)
}

/// Lets go of what every named feed has read, and of what is more or older than may be held back: of each slot its oldest, so that what is left has no
/// hole. One server does it at a time. The names are read as of the same moment: one that is put later begins with what is left.
///
/// Of each slot only so many batches are looked at; whoever has let go of some looks again.
const LET_GO: &str = with_me!(
    "bounds as (select f.bytes_max, $2::bigint - f.age_ms as oldest from feed_state f, me for no key update of f skip locked), ",
    "marks as (select u.slot, min(u.number) as number, count(*) as names from feed_names n, unnest(n.slots, n.numbers) as u(slot, number) ",
    "group by u.slot), ",
    "done as (select slot, number from marks where names = (select count(*) from feed_names)), ",
    "held as (select s.slot, s.bytes - e.total + e.bytes as bytes from bounds, feed_slots s, ",
    "lateral (select total, bytes from feed where slot = s.slot order by number limit 1) e where s.last > 0), ",
    "share as (select greatest(16, 16384 / greatest(count(*), 1)) as batches, coalesce(sum(bytes), 0) as bytes from held), ",
    "eldest as (select e.* from held h, lateral (select slot, number, key, life, code, first, at, bytes from feed where slot = h.slot ",
    "order by number limit (select batches from share)) e), ",
    "weighed as (select e.*, sum(bytes) over (order by key, slot, number) - bytes as before from eldest e), ",
    "judged as (select w.slot, w.number, bool_and(w.number <= coalesce(d.number, 0) or w.at < b.oldest or w.before < s.bytes - b.bytes_max) ",
    "over (partition by w.slot order by w.number) as goes from weighed w cross join share s cross join bounds b left join done d using (slot)), ",
    "gone as (delete from feed f using judged j where j.goes and f.slot = j.slot and f.number = j.number returning f.life, f.code, f.first), ",
    "free as (insert into graves (life) select life from gone where first is null on conflict do nothing returning life), ",
    "large as (select distinct t.code, t.life from gone g join tails t on t.code = g.code and t.life = g.life ",
    "where t.first <= least(t.through, t.last - 1) and (t.messages > $3::bigint or t.bytes > $4::bigint)) ",
    "select exists (select from me) as alive, (select count(*) from gone) as gone, ",
    "array(select life from free) as dead, array(select code from large order by code) as codes, array(select life from large order by code) as lives"
);

/// What was let go of.
#[derive(Debug, Default)]
pub(crate) struct LetGo {
    /// How many batches.
    pub(crate) batches: i64,
    /// Deleted incarnations that are held back no longer.
    pub(crate) dead: Vec<Id>,
    /// Rooms that are larger than what is kept of them, and were so for the feed's sake.
    pub(crate) large: Vec<Overgrown>,
}

/// Lets go of what is not held back any more, as of now in milliseconds since 1970.
pub(crate) async fn let_go(lane: &mut Lane, now: u64, retention: &Retention) -> Result<LetGo, Refused> {
    let max = |max: Option<u64>| max.map_or(i64::MAX, number);
    let (messages, bytes) = (max(retention.messages_max), max(retention.bytes_max));
    let rows = lane.write(LET_GO, &[&number(now), &messages, &bytes]).await?;
    let (codes, lives): (Vec<String>, Vec<Id>) = (rows[0].get("codes"), rows[0].get("lives"));
    let large = codes.iter().zip(lives).filter_map(|(code, life)| {
        // A code that is none is told to whoever asks for it.
        let room = RoomCode::parse(code).ok()?;
        Some(Overgrown { room, life })
    });
    Ok(LetGo { batches: rows[0].get("gone"), dead: rows[0].get("dead"), large: large.collect() })
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}
