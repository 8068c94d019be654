//! The statements that append: many rooms in one, each whole or not at all, and none where the writer's row is gone.

use tokio_postgres::types::{ToSql, Type};

use crate::encoded::{MESSAGE, epoch, number};
use crate::error::Failure;
use crate::group::Append;
use crate::id::Id;
use crate::lane::WriterConnection;
use crate::node::Node;

/// The rooms' records, one array for each column; `i` says of which room. What is appended to which tail has become `won` before.
macro_rules! insert_records {
    ($won:literal) => {
        concat!(
            "put as (insert into records (life, last, seq, kind, version, at, body) ",
            "select w.life, b.last, b.seq, b.kind, b.version, b.at, b.body from ",
            "unnest($2::int[], $3::bigint[], $4::bigint[], $5::smallint[], $6::smallint[], $7::bigint[], $8::bytea[]) ",
            "as b(i, last, seq, kind, version, at, body) join ",
            $won,
            " w using (i))"
        )
    };
}

/// Gives what was appended its place in the feed, behind all of its slot: one number for each room's batch, from the same transaction on. The rows
/// of the slots are locked after all tails, and held until the commit, so that no number is seen before a lower one. What is `won` says of each
/// room its slot, code, epoch, life, first and last record, and bytes.
macro_rules! feed {
    () => {
        concat!(
            "ats as (select i, max(at) as at from unnest($2::int[], $7::bigint[]) as b(i, at) group by i), ",
            "laid as (select w.*, a.at, row_number() over o as nth, (sum(w.size) over o)::bigint as through_size ",
            "from won w join ats a using (i) window o as (partition by w.slot order by w.i)), ",
            "raised as (update feed_slots f set last = f.last + c.batches, bytes = f.bytes + c.size, ",
            "key = greatest(f.key, pg_current_xact_id()::text::bigint), mark = c.mark ",
            "from (select slot, count(*) as batches, sum(size)::bigint as size, 1 + (random() * 2147483646)::int as mark ",
            "from won group by slot) c where f.slot = c.slot ",
            "returning f.slot, f.last - c.batches as before, f.bytes - c.size as bytes_before, f.key, f.mark), ",
            "fed as (insert into feed (slot, number, key, mark, life, code, epoch, first, last, at, bytes, total) ",
            "select l.slot, r.before + l.nth, r.key, r.mark, l.life, l.code, l.epoch, l.begins, l.last, l.at, l.size, ",
            "r.bytes_before + l.through_size from laid l join raised r using (slot)), "
        )
    };
}

/// The same of one room.
macro_rules! feed_one {
    () => {
        concat!(
            "raised as (update feed_slots f set last = f.last + 1, bytes = f.bytes + w.size, ",
            "key = greatest(f.key, pg_current_xact_id()::text::bigint), mark = 1 + (random() * 2147483646)::int ",
            "from won w where f.slot = w.slot ",
            "returning f.slot, f.last as number, f.key, f.mark, w.life, w.code, w.epoch, w.begins, w.last as ends, w.size, f.bytes as total), ",
            "fed as (insert into feed (slot, number, key, mark, life, code, epoch, first, last, at, bytes, total) ",
            "select r.slot, r.number, r.key, r.mark, r.life, r.code, r.epoch, r.begins, r.ends, ",
            "(select max(b.at) from unnest($6::bigint[]) as b(at)), r.size, r.total from raised r), "
        )
    };
}

/// Appends after the tails that are named. A row that was waited for is looked at again as it is then, but the slots are as of the
/// statement's start: it is the writer's row that a server which is deposed does not have any more. Each room's slot is looked up by itself:
/// joined, a planner without statistics takes all slots of the server for each room, because their term is the same.
macro_rules! append {
    ($($feed:tt)*) => { concat!(
    "with me as (select node from writers where id = $1 for key share), ",
    "won as (update tails t set last = r.last, head = coalesce(r.head, t.head), term = r.term, ",
    "messages = t.messages + r.messages, bytes = t.bytes + r.bytes, about = coalesce(r.about, t.about) from me, ",
    "unnest($9::int[], $10::text[], $11::bigint[], $12::bigint[], $13::bigint[], $14::bigint[], $15::bigint[], $16::bigint[], ",
    "$17::bigint[], $18::bigint[], $19::bytea[]) as r(i, code, epoch, after, last, before, head, messages, bytes, term, about) ",
    "where t.code = r.code and t.epoch = r.epoch and t.last = r.after and (r.before is null or t.head = r.before) ",
    "and r.term = (select s.term from slots s where s.slot = t.slot and s.node = me.node) ",
    "returning r.i, t.life, t.first, t.last, t.messages, t.bytes, t.through, t.slot, t.code, t.epoch, r.after + 1 as begins, r.bytes as size), ",
    $($feed)*
    insert_records!("won"),
    " select alive, w.i, w.life, w.first < w.last and w.first <= w.through as covered, w.messages, w.bytes ",
    "from (select exists (select from me) as alive) a left join won w on true"
) };
}

/// [`append!`] of one room, which is what most groups have. It says all of it in values, not in arrays: it is planned once for all, and
/// planning would cost more than the rest. No plan of it reads more than these rows, whichever index it takes, and whenever it was made.
macro_rules! append_one {
    ($($feed:tt)*) => { concat!(
    "with me as (select node from writers where id = $1 for key share), ",
    "won as (update tails t set last = $12, head = coalesce($14, t.head), term = $17, ",
    "messages = t.messages + $15, bytes = t.bytes + $16, about = coalesce($18::bytea, t.about) from me ",
    "where t.code = $8 and t.slot = $9 and t.epoch = $10 and t.last = $11 and ($13::bigint is null or t.head = $13) ",
    "and $17 = (select s.term from slots s where s.slot = $9 and s.node = me.node) ",
    "returning t.life, t.first, t.last, t.messages, t.bytes, t.through, t.slot, t.code, t.epoch, $11::bigint + 1 as begins, $16::bigint as size), ",
    $($feed)*
    "put as (insert into records (life, last, seq, kind, version, at, body) ",
    "select w.life, b.last, b.seq, b.kind, b.version, b.at, b.body from won w, ",
    "unnest($2::bigint[], $3::bigint[], $4::smallint[], $5::smallint[], $6::bigint[], $7::bytea[]) ",
    "as b(last, seq, kind, version, at, body)) ",
    "select alive, case when w.life is not null then 0 end as i, w.life, w.first < w.last and w.first <= w.through as covered, ",
    "w.messages, w.bytes from (select exists (select from me) as alive) a left join won w on true"
) };
}

/// Claims codes that nobody holds.
macro_rules! claim {
    ($($feed:tt)*) => { concat!(
    "with me as (select node from writers where id = $1 for key share), ",
    "req as (select * from unnest($9::int[], $10::text[], $11::bigint[], $12::bigint[], $13::bigint[], $14::bigint[], $15::bigint[], ",
    "$16::bigint[], $17::int[], $18::uuid[], $19::bytea[]) as r(i, code, epoch, last, head, messages, bytes, term, slot, life, about)), ",
    "made as (insert into tails (code, slot, life, epoch, term, first, last, head, messages, bytes, through, about) ",
    "select r.code, r.slot, r.life, r.epoch, r.term, 1, r.last, coalesce(r.head, 0), r.messages, r.bytes, 0, r.about ",
    "from me, req r where r.term = (select s.term from slots s where s.slot = r.slot and s.node = me.node) order by r.code ",
    "on conflict (code) do nothing returning life), ",
    "won as (select req.i, req.life, req.slot, req.code, req.epoch, 1::bigint as begins, req.last, req.bytes as size ",
    "from req join made using (life)), ",
    $($feed)*
    insert_records!("won"),
    " select alive, w.i, w.life, false as covered, 0::bigint as messages, 0::bigint as bytes ",
    "from (select exists (select from me) as alive) a left join won w on true"
) };
}

/// The statements without a feed, and with one.
const APPEND: [&str; 2] = [append!(), append!(feed!(),)];
const APPEND_ONE: [&str; 2] = [append_one!(), append_one!(feed_one!(),)];
const CLAIM: [&str; 2] = [claim!(), claim!(feed!(),)];

/// The types of `$1` to `$8`.
const RECORD_TYPES: [Type; 8] = [
    Type::UUID,
    Type::INT4_ARRAY,
    Type::INT8_ARRAY,
    Type::INT8_ARRAY,
    Type::INT2_ARRAY,
    Type::INT2_ARRAY,
    Type::INT8_ARRAY,
    Type::BYTEA_ARRAY,
];

/// The types of `$9` to `$19`.
const APPEND_TYPES: [Type; 11] = [
    Type::INT4_ARRAY,
    Type::TEXT_ARRAY,
    Type::INT8_ARRAY,
    Type::INT8_ARRAY,
    Type::INT8_ARRAY,
    Type::INT8_ARRAY,
    Type::INT8_ARRAY,
    Type::INT8_ARRAY,
    Type::INT8_ARRAY,
    Type::INT8_ARRAY,
    Type::BYTEA_ARRAY,
];
const CLAIM_TYPES: [Type; 11] = [
    Type::INT4_ARRAY,
    Type::TEXT_ARRAY,
    Type::INT8_ARRAY,
    Type::INT8_ARRAY,
    Type::INT8_ARRAY,
    Type::INT8_ARRAY,
    Type::INT8_ARRAY,
    Type::INT8_ARRAY,
    Type::INT4_ARRAY,
    Type::UUID_ARRAY,
    Type::BYTEA_ARRAY,
];

/// What a statement of many rooms has written.
#[derive(Debug, Default)]
pub(crate) struct Written {
    /// Whether the writer's row was there.
    pub(crate) alive: bool,
    /// Which appends are there, by their place in the group.
    pub(crate) won: Vec<Won>,
}

/// One append that is there.
#[derive(Debug)]
pub(crate) struct Won {
    pub(crate) index: usize,
    pub(crate) life: Id,
    /// Whether there are records that could be let go of, because a snapshot covers them.
    pub(crate) is_covered: bool,
    pub(crate) messages: i64,
    pub(crate) bytes: i64,
}

/// Whether batches follow a tail, or claim codes. One statement does one of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Append,
    Claim,
}

impl Kind {
    pub(crate) fn of(append: &Append) -> Self {
        if append.claims.is_some() { Self::Claim } else { Self::Append }
    }
}

/// Writes appends of one kind, each room once.
pub(crate) async fn write(
    open: &mut WriterConnection,
    node: &Node,
    kind: Kind,
    appends: &[&Append],
) -> Result<Written, Failure> {
    let (mut of, mut last, mut seq, mut kinds) = (vec![], vec![], vec![], vec![]);
    let (mut version, mut at, mut body): (Vec<i16>, Vec<i64>, Vec<&[u8]>) = (vec![], vec![], vec![]);
    let mut rows = Rows::default();
    let about: Vec<Option<&[u8]>> = appends.iter().map(|append| append.about.as_deref()).collect();
    for (index, append) in (0_i32..).zip(appends) {
        for record in &append.batch {
            of.push(index);
            last.push(record.offset);
            seq.push(record.seq);
            kinds.push(record.kind);
            version.push(record.version);
            at.push(record.at);
            body.push(&record.body);
        }
        rows.push(index, node, append);
    }
    let records: [&(dyn ToSql + Sync); 6] = [&last, &seq, &kinds, &version, &at, &body];
    let Rows { index, code, epoch, after, end, before, head, messages, bytes, term, slot, life } = &rows;
    let (writer, feeds): (&(dyn ToSql + Sync), _) = (&open.writer, usize::from(open.feeds));
    let answered = if kind == Kind::Append && appends.len() == 1 {
        let room: [&(dyn ToSql + Sync); 11] = [
            &code[0],
            &slot[0],
            &epoch[0],
            &after[0],
            &end[0],
            &before[0],
            &head[0],
            &messages[0],
            &bytes[0],
            &term[0],
            &about[0],
        ];
        open.connection.write(APPEND_ONE[feeds], &[&[writer][..], &records, &room].concat()).await?
    } else {
        let rooms: [&(dyn ToSql + Sync); 11] = match kind {
            Kind::Append => [index, code, epoch, after, end, before, head, messages, bytes, term, &about],
            Kind::Claim => [index, code, epoch, end, head, messages, bytes, term, slot, life, &about],
        };
        let (sql, types) = match kind {
            Kind::Append => (APPEND[feeds], &APPEND_TYPES),
            Kind::Claim => (CLAIM[feeds], &CLAIM_TYPES),
        };
        let values = [&[writer, &of][..], &records, &rooms].concat();
        let values: Vec<_> = values.into_iter().zip(RECORD_TYPES.iter().chain(types).cloned()).collect();
        open.connection.write_planned(sql, &values).await?
    };
    let alive = answered.first().is_some_and(|row| row.get("alive"));
    let won = answered.iter().filter_map(|row| {
        let index: i32 = row.get::<_, Option<i32>>("i")?;
        Some(Won {
            index: usize::try_from(index).ok()?,
            life: row.get("life"),
            is_covered: row.get("covered"),
            messages: row.get("messages"),
            bytes: row.get("bytes"),
        })
    });
    Ok(Written { alive, won: won.collect() })
}

/// What is asked of the tails, one array for each column.
#[derive(Default)]
struct Rows<'a> {
    index: Vec<i32>,
    code: Vec<&'a str>,
    epoch: Vec<i64>,
    after: Vec<i64>,
    end: Vec<i64>,
    /// The told number that the batch continues; none where it tells nothing.
    before: Vec<Option<i64>>,
    head: Vec<Option<i64>>,
    messages: Vec<i64>,
    bytes: Vec<i64>,
    term: Vec<i64>,
    slot: Vec<i32>,
    life: Vec<Id>,
}

impl<'a> Rows<'a> {
    fn push(&mut self, index: i32, node: &Node, append: &'a Append) {
        let slot = node.slot(&append.room);
        let told = || append.batch.iter().filter_map(|record| record.seq);
        let end = append.end();
        self.index.push(index);
        self.code.push(append.room.as_str());
        self.epoch.push(end.epoch.map_or(0, epoch));
        self.after.push(number(append.after.offset.0));
        self.end.push(number(end.offset.0));
        self.before.push(told().next().map(|first| first - 1));
        self.head.push(told().next_back());
        self.messages.push(append.batch.iter().filter(|record| record.kind == MESSAGE).count() as i64);
        self.bytes.push(append.batch.iter().map(|record| record.body.len() as i64).sum());
        self.term.push(number(append.term));
        self.slot.push(slot);
        self.life.push(Id::draw());
    }
}
