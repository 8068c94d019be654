//! The statements that change one room, or what is remembered of sessions: each whole or not at all, and none without the writer's row.

use chat_core::{
    Amend, Amendment, Ended, EndedWho, Epoch, Erasure, FeedName, Offset, Reaction, Record, RoomCode, Scrub, Slot,
};
use tokio_postgres::Row;

use crate::encoded::{Encoded, epoch, number, record};
use crate::error::Failure;
use crate::feed::{self, Put};
use crate::feed_cursor::{Position, Positions};
use crate::id::Id;
use crate::lane::{Lane, Refused, with_me};

/// One change.
#[derive(Debug)]
pub(crate) enum Change {
    Snapshot {
        room: RoomCode,
        epoch: Epoch,
        through: Offset,
        bytes: Vec<u8>,
    },
    ReadPositions {
        room: RoomCode,
        epoch: Epoch,
        bytes: Vec<u8>,
    },
    Amend {
        room: RoomCode,
        epoch: Epoch,
        amends: Vec<Amend>,
    },
    Delete {
        room: RoomCode,
        epoch: Epoch,
    },
    End {
        ended: Ended,
        over: Vec<Ended>,
    },
    PutFeed {
        name: FeedName,
        read: Positions,
    },
    DropFeed {
        name: FeedName,
    },
    Scrub {
        room: RoomCode,
        epoch: Epoch,
        scrubs: Vec<Scrub>,
    },
    /// With how often it was asked for as far as who puts it has read.
    PutErasure(Box<Erasure>, Option<u32>),
    DropErasure(Box<Erasure>),
}

impl Change {
    /// The slot whose owner makes it; any server does without one.
    pub(crate) fn slot(&self) -> Option<Slot> {
        match self {
            Self::Snapshot { room, .. }
            | Self::ReadPositions { room, .. }
            | Self::Amend { room, .. }
            | Self::Scrub { room, .. }
            | Self::Delete { room, .. } => Some(Slot::of(room)),
            Self::PutFeed { name, .. } => Some(name.slot()),
            Self::End { .. } | Self::DropFeed { .. } | Self::PutErasure(..) | Self::DropErasure(_) => None,
        }
    }

    /// Roughly the memory it holds.
    pub(crate) fn bytes(&self) -> usize {
        64 + match self {
            Self::Snapshot { bytes, .. } | Self::ReadPositions { bytes, .. } => bytes.len(),
            Self::Amend { amends, .. } => amends.iter().map(amend_bytes).sum(),
            Self::End { over, .. } => (1 + over.len()) * size_of::<Ended>(),
            Self::PutFeed { read, .. } => read.slots.len() * size_of::<(i32, Position)>(),
            Self::Scrub { scrubs, .. } => scrubs.len() * size_of::<Scrub>(),
            Self::PutErasure(..) | Self::DropErasure(_) => size_of::<Erasure>(),
            Self::Delete { .. } | Self::DropFeed { .. } => 0,
        }
    }
}

fn amend_bytes(amend: &Amend) -> usize {
    let more = match &amend.what {
        Amendment::Replace { content, .. } => content.text.as_str().len(),
        Amendment::Freeze { reactions } => reactions.len() * size_of::<Reaction>(),
        _ => 0,
    };
    size_of::<Amend>() + more
}

/// What has come of a change that upkeep has to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Done {
    Nothing,
    /// A snapshot was stored: records may go.
    Covered(Id),
    /// An incarnation was deleted: its records are still there.
    Dead(Id),
    /// Something may not be held back by the feed any more.
    Read,
}

/// A snapshot never goes back behind one that may have let records go, and never speaks of records that are not there.
const SNAPSHOT: &str = with_me!(
    "held as (update tails t set through = $4 from me where t.code = $2 and t.epoch = $3 and t.through <= $4 and $4 <= t.last ",
    "returning t.life), ",
    "put as (insert into snapshots (life, through, body) select life, $4, $5 from held ",
    "on conflict (life) do update set through = excluded.through, body = excluded.body) ",
    "select alive, held.life from (select exists (select from me) as alive) a left join held on true"
);

const READ_POSITIONS: &str = with_me!(
    "held as (select t.life from tails t, me where t.code = $2 and t.epoch = $3 for key share of t), ",
    "put as (insert into read_positions (life, body) select life, $4 from held ",
    "on conflict (life) do update set body = excluded.body) ",
    "select exists (select from me) as alive"
);

const DELETE: &str = with_me!(
    "dead as (delete from tails t using me where t.code = $2 and t.epoch = $3 returning t.life), ",
    "grave as (insert into graves (life) select life from dead) ",
    "select alive, dead.life from (select exists (select from me) as alive) a left join dead on true"
);

/// The deletion has its place in the feed, behind the records, which stay until that is let go of: then the incarnation has its grave.
const DELETE_FED: &str = with_me!(
    "dead as (delete from tails t using me where t.code = $2 and t.epoch = $3 returning t.slot, t.code, t.epoch, t.life, t.last), ",
    "raised as (update feed_slots f set last = f.last + 1, key = greatest(f.key, pg_current_xact_id()::text::bigint), ",
    "mark = 1 + (random() * 2147483646)::int from dead d where f.slot = d.slot ",
    "returning f.slot, f.last as number, f.key, f.mark, f.bytes, d.life, d.code, d.epoch, d.last as ends), ",
    "fed as (insert into feed (slot, number, key, mark, life, code, epoch, at, bytes, total) ",
    "select r.slot, r.number, r.key, r.mark, r.life, r.code, r.epoch, ",
    "coalesce((select at from records e where e.life = r.life and e.last = r.ends), 0), 0, r.bytes from raised r) ",
    "select exists (select from me) as alive, null::uuid as life"
);

const END: &str = with_me!(
    "over as (delete from ended e using me, unnest($6::boolean[], $7::bytea[], $8::bigint[]) as o(is_person, who, until) ",
    "where e.is_person = o.is_person and e.who = o.who and e.until <= o.until and not (e.is_person = $2 and e.who = $3)), ",
    "put as (insert into ended (is_person, who, through, until) select $2, $3, $4, $5 from me ",
    "on conflict (is_person, who) do update set through = excluded.through, until = excluded.until) ",
    "select exists (select from me) as alive"
);

/// What may be amended, of the numbers that are asked for.
const AMENDABLE: &str = "select t.life, r.last, r.version, r.body from tails t join records r on r.life = t.life \
                         where t.code = $1 and t.epoch = $2 and r.kind > 0 and r.seq = any($3)";

const AMEND: &str = with_me!(
    "held as (update tails t set bytes = t.bytes + $4 from me where t.code = $2 and t.life = $3 returning t.life), ",
    "done as (update records r set version = b.version, body = b.body from held, ",
    "unnest($5::bigint[], $6::smallint[], $7::bytea[]) as b(last, version, body) where r.life = held.life and r.last = b.last) ",
    "select exists (select from me) as alive"
);

/// What may be scrubbed, of the records that are asked for.
const SCRUBBABLE: &str = "select t.life, r.last, r.version, r.body from tails t join records r on r.life = t.life \
                          where t.code = $1 and t.epoch = $2 and r.last = any($3)";

/// In place of one that stands for the same person under the same name and was asked for so often; where nothing may be kept of them, of nothing.
const PUT_ERASURE: &str = with_me!(
    "put as (insert into erasures as e (identity, body) select $2, $3 from me ",
    "where $4::bigint is null or exists (select from erasures where identity = $2) ",
    "on conflict (identity) do update set body = excluded.body ",
    "where convert_from(e.body, 'UTF8')::jsonb ->> 'alias' = $5 ",
    "and coalesce((convert_from(e.body, 'UTF8')::jsonb ->> 'asked')::bigint, 0) = $4 returning 1) ",
    "select exists (select from me) as alive, exists (select from put) as is_done"
);

const DROP_ERASURE: &str = with_me!(
    "gone as (delete from erasures e using me where e.identity = $2 and convert_from(e.body, 'UTF8')::jsonb ->> 'alias' = $4 ",
    "and coalesce((convert_from(e.body, 'UTF8')::jsonb ->> 'asked')::bigint, 0) = $3 returning 1) ",
    "select exists (select from me) as alive, ",
    "exists (select from gone) or not exists (select from erasures where identity = $2) as is_done"
);

/// Makes one change.
pub(crate) async fn make(lane: &mut Lane, change: &Change) -> Result<Done, Refused> {
    match change {
        Change::Snapshot { room, epoch: of, through, bytes } => {
            // No record has such a number.
            let Ok(through) = i64::try_from(through.0) else { return Ok(Done::Nothing) };
            let rows = lane.write(SNAPSHOT, &[&room.as_str(), &epoch(*of), &through, bytes]).await?;
            Ok(rows[0].get::<_, Option<Id>>("life").map_or(Done::Nothing, Done::Covered))
        }
        Change::ReadPositions { room, epoch: of, bytes } => {
            lane.write(READ_POSITIONS, &[&room.as_str(), &epoch(*of), bytes]).await.map(|_| Done::Nothing)
        }
        Change::Amend { room, epoch, amends } => amend(lane, room, *epoch, amends).await.map(|()| Done::Nothing),
        Change::Scrub { room, epoch, scrubs } => scrub(lane, room, *epoch, scrubs).await.map(|()| Done::Nothing),
        Change::PutErasure(erasure, asked) => {
            let body = serde_json::to_vec(erasure).expect("an erasure has string keys");
            let (identity, asked) = (erasure.identity.as_str().as_bytes(), asked.map(i64::from));
            let alias = erasure.alias.to_string();
            follows(&lane.write(PUT_ERASURE, &[&identity, &body, &asked, &alias]).await?)
        }
        Change::DropErasure(erasure) => {
            let (identity, asked) = (erasure.identity.as_str().as_bytes(), i64::from(erasure.asked));
            follows(&lane.write(DROP_ERASURE, &[&identity, &asked, &erasure.alias.to_string()]).await?)
        }
        Change::Delete { room, epoch: of } => {
            let rows = lane.write_either([DELETE, DELETE_FED], &[&room.as_str(), &epoch(*of)]).await?;
            Ok(rows[0].get::<_, Option<Id>>("life").map_or(Done::Read, Done::Dead))
        }
        Change::End { ended, over } => end(lane, ended, over).await.map(|()| Done::Nothing),
        Change::PutFeed { name, read } => match feed::put(lane, name, read).await? {
            Put::Done => Ok(Done::Read),
            Put::Elsewhere => Err(Refused::Deposed),
            Put::Refused => {
                let why = "there is no room for the name of a feed, or the feed has ended";
                Err(Refused::Failed(Failure::NotWritten(why.to_owned())))
            }
        },
        Change::DropFeed { name } => feed::drop_name(lane, name).await.map(|()| Done::Read),
    }
}

/// Whether it was written, or something else is kept.
fn follows(rows: &[Row]) -> Result<Done, Refused> {
    if rows[0].get("is_done") { Ok(Done::Nothing) } else { Err(Refused::Conflict) }
}

async fn end(lane: &mut Lane, ended: &Ended, over: &[Ended]) -> Result<(), Refused> {
    let (is_person, who) = key(&ended.who);
    let (kinds, names): (Vec<bool>, Vec<Vec<u8>>) = over.iter().map(|over| key(&over.who)).unzip();
    let until: Vec<i64> = over.iter().map(|over| number(over.until.0)).collect();
    let through = Id::of_bits(ended.through.bits());
    let until_of = number(ended.until.0);
    lane.write(END, &[&is_person, &who, &through, &until_of, &kinds, &names, &until]).await.map(drop)
}

/// Whether it is a person, and the session or the person.
pub(crate) fn key(who: &EndedWho) -> (bool, Vec<u8>) {
    match who {
        EndedWho::Session(session) => (false, session.bits().to_be_bytes().to_vec()),
        EndedWho::Person(identity) => (true, identity.as_str().as_bytes().to_vec()),
    }
}

/// Reads the records, amends them here, and writes those that have changed. Nothing else changes a record, and of this there is one at a
/// time: another server's is over before this one has the room.
async fn amend(lane: &mut Lane, room: &RoomCode, of: Epoch, amends: &[Amend]) -> Result<(), Refused> {
    let numbers: Vec<i64> = amends.iter().map(|amend| number(amend.seq.0)).collect();
    rewrite(lane, (room, of), AMENDABLE, &numbers, |record| {
        amends.iter().fold(false, |is_changed, amend| is_changed | amend.apply(record))
    })
    .await
}

/// The same of records by their own numbers: not every one is told.
async fn scrub(lane: &mut Lane, room: &RoomCode, of: Epoch, scrubs: &[Scrub]) -> Result<(), Refused> {
    let numbers: Vec<i64> = scrubs.iter().map(|scrub| number(scrub.offset.0)).collect();
    rewrite(lane, (room, of), SCRUBBABLE, &numbers, |record| {
        scrubs.iter().fold(false, |is_changed, scrub| is_changed | scrub.apply(record))
    })
    .await
}

async fn rewrite(
    lane: &mut Lane,
    (room, of): (&RoomCode, Epoch),
    which: &'static str,
    numbers: &[i64],
    change: impl Fn(&mut Record) -> bool,
) -> Result<(), Refused> {
    let open = lane.open().await?;
    let read = open.connection.query(which, &[&room.as_str(), &epoch(of), &numbers]).await;
    let rows = read.map_err(|error| Refused::Failed(Failure::NotWritten(error.to_string())))?;
    let Some(life) = rows.first().map(|row| row.get::<_, Id>("life")) else { return Ok(()) };
    let (mut last, mut version, mut body, mut more) = (vec![], vec![], vec![], 0_i64);
    for row in &rows {
        let stored: &[u8] = row.get("body");
        let mut record = record(room.as_str(), row.get("last"), row.get("version"), stored)
            .map_err(|error| Refused::Failed(Failure::NotWritten(format!("the log is damaged: {error}"))))?;
        if change(&mut record) {
            let encoded = Encoded::new(&record);
            more += encoded.body.len() as i64 - stored.len() as i64;
            last.push(encoded.offset);
            version.push(encoded.version);
            body.push(encoded.body);
        }
    }
    if last.is_empty() {
        return Ok(());
    }
    lane.write(AMEND, &[&room.as_str(), &life, &more, &last, &version, &body]).await.map(drop)
}
