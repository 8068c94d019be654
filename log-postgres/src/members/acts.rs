//! The tasks that depose, take and give: each beside the beats, which wait for nobody.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use chat_core::Slot;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::standing::Acts;
use super::{Inner, Move, node_id, term_of};
use crate::connection::{Connection, Purpose};
use crate::error::{Failure, OpenError};
use crate::id::Id;
use crate::slots::Held;

/// How long it may take until nothing of the slots that are to be given is under way. After that those are given of which nothing is; one slow
/// room holds up its own slot and no other, which is tried again.
const QUIET_MAX: Duration = Duration::from_millis(500);
/// Between two attempts to find out whether slots were given.
const SETTLE_PAUSE: Duration = Duration::from_millis(500);
/// Between two looks of one who gives all and has not yet.
const DRAIN_PAUSE: Duration = Duration::from_millis(50);

/// What the database says where a lock could not be had, and where a row does not name another that is there.
const LOCK_TIMEOUT: &str = "55P03";
const FOREIGN_KEY: &str = "23503";

/// Takes slots that nobody has, in their order, so that two who do so wait for each other in no circle, and leaves out what another is taking.
const TAKE: &str = "with free as (select slot from slots where slot = any($2) and node is null order by slot for update skip locked) \
                    update slots s set node = $1, term = s.term + 1 from free where s.slot = free.slot returning s.slot, s.node, s.term";

/// Gives slots that this server has under these terms.
const GIVE: &str = "with given as (select s.slot, g.node from slots s join unnest($2::int[], $3::uuid[], $4::bigint[]) as g(slot, node, term) \
                    on s.slot = g.slot and s.term = g.term where s.node = $1 order by s.slot for update of s) \
                    update slots s set node = given.node, term = s.term + 1 from given where s.slot = given.slot \
                    returning s.slot, s.node, s.term";

/// One who acts, on a connection of its own.
pub(super) struct Acting {
    inner: Arc<Inner>,
    open: Option<Connection>,
    /// The backend at the other end of it: its number, and when it was started.
    backend: Option<(i32, String)>,
}

impl Acting {
    pub(super) fn new(inner: Arc<Inner>) -> Self {
        Self { inner, open: None, backend: None }
    }

    /// Deposes and takes, whenever the table was read.
    pub(super) async fn run(mut self) {
        let mut acts = self.inner.acts.subscribe();
        while acts.changed().await.is_ok() {
            let now = acts.borrow_and_update().clone();
            self.carry_out(now).await;
        }
    }

    /// Gives, whenever the table was read.
    pub(super) async fn run_gifts(mut self) {
        let mut acts = self.inner.acts.subscribe();
        while acts.changed().await.is_ok() {
            let gifts = acts.borrow_and_update().give.clone();
            if !gifts.is_empty()
                && let Err(error) = self.give(&gifts).await
            {
                tracing::debug!(%error, "slots were not given");
            }
        }
    }

    /// What does not succeed is found at the next look.
    pub(super) async fn carry_out(&mut self, acts: Acts) {
        for (id, beat) in acts.depose {
            match self.depose(id, beat).await {
                Ok(true) => {
                    tracing::warn!(node = %id, "a server was silent for too long: its rooms go to others");
                    self.inner.look.notify_one();
                }
                Ok(false) => {}
                Err(error) => tracing::debug!(node = %id, %error, "a server was not deposed"),
            }
        }
        if !acts.take.is_empty()
            && let Err(error) = self.take(&acts.take).await
        {
            tracing::debug!(%error, "slots were not taken");
        }
    }

    /// Takes away the row of a server that has not beaten since. That waits for what it has begun, and where that takes too long, ends it.
    async fn depose(&mut self, id: Id, beat: i64) -> Result<bool, NotDone> {
        let depose = "delete from nodes where id = $1 and beat = $2 returning id";
        match self.query(depose, &[&id, &beat]).await {
            Ok(rows) => Ok(!rows.is_empty()),
            Err(error) if error.is_locked => {
                let end = "select pg_terminate_backend(a.pid, 2000) from writers w join pg_stat_activity a \
                           on a.pid = w.pid and a.backend_start = w.started where w.node = $1";
                self.query(end, &[&id]).await?;
                Ok(!self.query(depose, &[&id, &beat]).await?.is_empty())
            }
            Err(error) => Err(error),
        }
    }

    async fn take(&mut self, slots: &[Slot]) -> Result<(), NotDone> {
        let me = self.inner.node.id();
        let numbers: Vec<i32> = slots.iter().map(|slot| slot.number().into()).collect();
        let taken = self.query(TAKE, &[&me, &numbers]).await?;
        if !taken.is_empty() {
            tracing::info!(slots = taken.len(), "slots that nobody had were taken");
        }
        self.inner.take_in_moves(&taken);
        Ok(())
    }

    /// Gives those of the slots of which nothing is under way here, and nothing of which nobody knows.
    async fn give(&mut self, gifts: &[(Slot, Id)]) -> Result<(), NotDone> {
        let inner = Arc::clone(&self.inner);
        // Before anything has to wait for it.
        let open = self.connected().await?;
        self.open = Some(open);
        let slots: Vec<Slot> = gifts.iter().map(|(slot, _)| *slot).collect();
        let mut yielding = Yielding::begin(&inner, slots.clone());
        // Some may be quiet where not all are.
        let _ = tokio::time::timeout(QUIET_MAX, inner.node.slots.quiet(&slots)).await;
        let in_doubt = inner.in_doubt();
        yielding.keep(|slot| inner.node.slots.is_quiet(slot) && !in_doubt.contains(&slot));
        let me = inner.node.id();
        let (mut numbers, mut nodes, mut terms) = (Vec::<i32>::new(), Vec::new(), Vec::new());
        for (slot, to) in gifts.iter().filter(|(slot, _)| yielding.slots.contains(slot)) {
            numbers.push(slot.number().into());
            nodes.push(*to);
            terms.push(inner.node.slots.held(*slot).term);
        }
        if numbers.is_empty() {
            return Ok(());
        }
        match self.query(GIVE, &[&me, &numbers, &nodes, &terms]).await {
            Ok(given) => {
                if !given.is_empty() {
                    tracing::info!(slots = given.len(), "slots were given to other servers");
                }
                inner.take_in_moves(&given);
                Ok(())
            }
            Err(error) => {
                // It may have been done, or be done yet: nothing of them is let in before that is known.
                if error.is_unknown {
                    self.settle(&numbers).await;
                }
                Err(error)
            }
        }
    }

    /// Finds out whose slots are after a gift of which nobody knows: its backend is ended, and the table read after that. Tries until it can; meanwhile
    /// nobody can write in them anyway.
    async fn settle(&mut self, slots: &[i32]) {
        self.open = None;
        while let Err(error) = self.try_to_settle(slots).await {
            tracing::debug!(%error, "whose slots are is not known");
            tokio::time::sleep(SETTLE_PAUSE).await;
        }
        // The next gift is on a connection whose own backend is known.
        self.open = None;
    }

    async fn try_to_settle(&mut self, slots: &[i32]) -> Result<(), NotDone> {
        let backend = self.backend.clone().unwrap_or_default();
        let end =
            "select pg_terminate_backend(pid, 2000) from pg_stat_activity where pid = $1 and backend_start::text = $2";
        while !self.query_on_another(end, &[&backend.0, &backend.1]).await?.is_empty() {}
        let read = "select slot, node, term from slots where slot = any($1)";
        let found = self.query_on_another(read, &[&slots]).await?;
        self.inner.take_in_moves(&found);
        Ok(())
    }

    /// Runs one statement on the connection that comes after a lost one, which stays known until this has been settled.
    async fn query_on_another(
        &mut self,
        sql: &'static str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, NotDone> {
        let lost = self.backend.clone();
        let answered = self.query(sql, values).await;
        self.backend = lost;
        answered
    }

    /// The connection that is there, or another.
    async fn connected(&mut self) -> Result<Connection, OpenError> {
        let is_same = |open: &Connection| !open.is_closed() && *self.inner.node.server.borrow() == open.server;
        if let Some(open) = self.open.take().filter(is_same) {
            return Ok(open);
        }
        let mut open = self.inner.node.connector.connect(Purpose::Other).await?;
        let mine = "select pid, backend_start::text from pg_stat_activity where pid = pg_backend_pid()";
        let rows = open.query(mine, &[]).await?;
        self.backend = rows.first().map(|row| (row.get(0), row.get(1)));
        Ok(open)
    }

    /// Runs one statement, on the connection that is there or another.
    async fn query(&mut self, sql: &'static str, values: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, NotDone> {
        let mut open = self.connected().await?;
        let answered = open.query(sql, values).await;
        self.open = Some(open);
        answered.map_err(|error| {
            // This server, or whom it would give to, is none of them any more.
            if error.code() == Some(FOREIGN_KEY) {
                self.inner.look.notify_one();
            }
            let (is_unknown, why) = match Failure::of(&error) {
                Failure::Unknown(why) => (true, why),
                Failure::NotWritten(why) => (false, why),
            };
            NotDone { is_locked: error.code() == Some(LOCK_TIMEOUT), is_unknown, why }
        })
    }
}

/// Why a statement was not run to its end, as far as is known.
#[derive(Debug)]
struct NotDone {
    /// It waited for a lock for too long.
    is_locked: bool,
    /// It may have been, or may be yet.
    is_unknown: bool,
    why: String,
}

impl From<OpenError> for NotDone {
    fn from(error: OpenError) -> Self {
        Self { is_locked: false, is_unknown: false, why: error.to_string() }
    }
}

impl fmt::Display for NotDone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

/// Slots that let nothing in. However it ends, they let it in again: where they are another's then, that is refused as well.
struct Yielding<'a> {
    inner: &'a Inner,
    slots: Vec<Slot>,
}

impl<'a> Yielding<'a> {
    fn begin(inner: &'a Inner, slots: Vec<Slot>) -> Self {
        inner.node.slots.begin_to_yield(&slots);
        inner.news.moved(slots.iter().copied());
        Self { inner, slots }
    }

    /// Lets writes into the others again.
    fn keep(&mut self, is_kept: impl Fn(Slot) -> bool) {
        let (kept, others) = self.slots.iter().partition(|slot| is_kept(**slot));
        self.slots = kept;
        self.release(&others);
    }

    fn release(&self, slots: &[Slot]) {
        self.inner.node.slots.end_to_yield(slots);
        self.inner.news.moved(slots.iter().copied());
    }
}

impl Drop for Yielding<'_> {
    fn drop(&mut self) {
        self.release(&self.slots);
    }
}

impl Inner {
    /// Gives all that this server has to those who are there, until it has none or nobody is there.
    pub(super) async fn give_all(self: &Arc<Self>, max: Duration) {
        let mut acting = Acting::new(Arc::clone(self));
        // The others are to see that it goes.
        self.look.notify_one();
        let until = tokio::time::Instant::now() + max;
        loop {
            let (me, now) = (self.node.id(), self.started.elapsed());
            let mine = self.own_slots();
            let gifts = {
                let seen = self.seen();
                self.standing().heirs(now, me, &seen.rows, mine.iter().copied())
            };
            if gifts.is_empty() || tokio::time::Instant::now() >= until {
                return;
            }
            if let Err(error) = acting.give(&gifts).await {
                tracing::debug!(%error, "slots were not given");
            }
            tokio::time::sleep(DRAIN_PAUSE).await;
        }
    }

    /// What the table says after this server has changed it.
    fn take_in_moves(&self, rows: &[Row]) {
        let mut moves = Vec::new();
        for row in rows {
            let (number, node, term): (i32, Option<Id>, i64) = (row.get(0), row.get(1), row.get(2));
            let slot = usize::try_from(number).ok().and_then(|number| Slot::all().nth(number));
            let (Some(slot), Some(node)) = (slot, node) else { continue };
            if self.node.slots.put(slot, Held { node: Some(node), term }) {
                moves.push(Move { slot, node: node_id(node), term: term_of(term) });
            }
        }
        self.news.made(&moves);
    }

    /// Slots with an append of which nobody knows.
    fn in_doubt(&self) -> BTreeSet<Slot> {
        self.node.doubts.lock().unwrap_or_else(PoisonError::into_inner).rooms().map(Slot::of).collect()
    }
}
