//! The task by which a server says that it is there, and by which it sees who else is.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use chat_core::Slot;
use tokio::time::Instant;

use super::lease::Clocks;
use super::standing::Row;
use super::{Inner, Member, Seen, node_id};
use crate::connection::{Connection, Purpose};
use crate::error::{NoAnswer, OpenError};
use crate::id::Id;
use crate::node;
use crate::outage::Outage;
use crate::slots::Held;

/// Reads of the table are not closer than this, however often somebody wants one.
const LOOK_MIN: Duration = Duration::from_millis(50);

/// How far the time of day of two machines may be apart without a word.
const CLOCKS_APART_MAX: Duration = Duration::from_secs(1);

impl Inner {
    /// How often it beats.
    fn interval(&self) -> Duration {
        self.options.lease / 5
    }

    /// Beats until it is deposed for good, and reads the table between two beats where somebody wants it.
    pub(super) async fn beats(self: Arc<Self>, connection: Connection) {
        let mut connection = Some(connection);
        let mut outage = Outage::default();
        let mut next = Instant::now() + self.interval();
        while !self.node.is_deposed() {
            tokio::time::sleep(LOOK_MIN).await;
            let is_beat = tokio::select! {
                () = tokio::time::sleep_until(next) => true,
                () = self.look.notified() => false,
                () = self.node.lost.notified() => true,
                () = self.links_changed.notified() => true,
            };
            if is_beat {
                next = Instant::now() + self.interval();
            }
            let is_same = |open: &Connection| !open.is_closed() && *self.node.server.borrow() == open.server;
            let known = connection.take().filter(is_same);
            let error = match self.ask(known, is_beat).await {
                Ok(open) => {
                    if let Some(away) = outage.ends() {
                        tracing::info!(?away, "the log's database is there again");
                    }
                    connection = Some(open);
                    continue;
                }
                Err(error) => error,
            };
            // What was to be looked at is looked at with the next.
            if let Some(away) = outage.goes_on() {
                tracing::warn!(%error, ?away, "the log's database cannot be told that this server is there");
            }
        }
        self.lease.end();
        self.news.moved(self.own_slots());
    }

    /// Beats, or only looks, on this connection or another. To connect takes as long as it does; an answer later than a lease is of no use.
    pub(super) async fn ask(&self, known: Option<Connection>, is_beat: bool) -> Result<Connection, OpenError> {
        let is_new = known.is_none();
        let mut open = match known {
            Some(open) => open,
            None => self.node.connector.connect(Purpose::Other).await?,
        };
        let asked = async {
            let beaten = if is_beat || is_new { self.beat(&mut open).await? } else { None };
            self.look_at_table(&mut open, is_beat).await?;
            Ok::<_, OpenError>(beaten)
        };
        let beaten = tokio::time::timeout(self.options.lease, asked).await;
        let sent = beaten.unwrap_or(Err(NoAnswer::Mute(self.options.lease).into()))?;
        // Only now: what the table says of its slots is known.
        if let Some(sent) = sent
            && !self.lease.renew(sent)
        {
            self.news.moved(self.own_slots());
        }
        self.held_again.notify_one();
        if is_new {
            self.node.found(&open.server);
        }
        Ok(open)
    }

    /// Says that this server is there. When that was sent, if it still is.
    async fn beat(&self, open: &mut Connection) -> Result<Option<Clocks>, OpenError> {
        let me = self.node.id();
        let is_draining = self.is_draining.load(Ordering::Acquire);
        let reaches = self.reaches().clone();
        let sent = Clocks::now();
        let beat = "update nodes set beat = beat + 1, draining = $2, reaches = $3 where id = $1 \
                    returning (extract(epoch from clock_timestamp()) * 1000)::bigint";
        match open.query(beat, &[&me, &is_draining, &reaches]).await?.first() {
            Some(row) => {
                self.compare_clocks(row.get(0), sent, Clocks::now());
                Ok(Some(sent))
            }
            None => self.begin_anew(open, me).await.map(|()| None),
        }
    }

    async fn look_at_table(&self, open: &mut Connection, is_beat: bool) -> Result<(), OpenError> {
        let begun = Instant::now();
        let servers =
            "select id, name, address, certificate, beat, lease_ms, draining, reaches from nodes order by started, id";
        let rows = open.query(servers, &[]).await?;
        let slots = open.query("select node, term from slots order by slot", &[]).await?;
        if slots.len() != usize::from(Slot::COUNT) {
            return Err(OpenError::Unfit(format!("there are {} slots, and {} are needed", slots.len(), Slot::COUNT)));
        }
        let lease = |ms: Option<i64>| ms.and_then(|ms| u64::try_from(ms).ok()).map(Duration::from_millis);
        let row = |row: &tokio_postgres::Row| Row {
            id: row.get(0),
            address: row.get(2),
            beat: row.get(4),
            lease: lease(row.get(5)),
            is_draining: row.get(6),
            reaches: row.get(7),
        };
        let member = |row: &tokio_postgres::Row| {
            let (address, certificate) = (row.get::<_, Option<_>>(2)?, row.get::<_, Option<_>>(3)?);
            Some(Member { node: node_id(row.get(0)), name: row.get(1), address, certificate })
        };
        let seen = Seen { rows: rows.iter().map(row).collect(), members: rows.iter().filter_map(member).collect() };
        let held: Vec<Held> = slots.iter().map(|row| Held { node: row.get(0), term: row.get(1) }).collect();
        self.take_in(seen, &held, begun, is_beat);
        Ok(())
    }

    /// Says once that this machine's time of day is another than the database's, by which messages of several servers would be out of their order:
    /// rooms stamp them by their own server's. `theirs` was read between two looks at this one, and is in milliseconds.
    fn compare_clocks(&self, theirs: i64, before: Clocks, after: Clocks) {
        let theirs = Duration::from_millis(u64::try_from(theirs).unwrap_or_default());
        let (ahead, behind) = (before.wall.saturating_sub(theirs), theirs.saturating_sub(after.wall));
        let apart = ahead.max(behind);
        let is_apart = apart > CLOCKS_APART_MAX;
        if is_apart != self.is_clock_apart.swap(is_apart, Ordering::Relaxed) {
            match is_apart {
                true => tracing::warn!(
                    ?ahead,
                    ?behind,
                    "the clock of this machine differs from the database's: messages bear its time"
                ),
                false => tracing::info!("the clock of this machine is the database's again"),
            }
        }
    }

    /// What the table says, and what follows from it.
    fn take_in(&self, seen: Seen, held: &[Held], begun: Instant, is_beat: bool) {
        self.news.moved(self.node.slots.replace(held, begun, self.options.lease * 2));
        let (acts, is_apart, stays_apart) = {
            let (mut standing, now) = (self.standing(), self.started.elapsed());
            let acts = standing.look(now, self.node.id(), &seen.rows, held, is_beat);
            (acts, standing.is_apart(now), standing.stays_apart(now))
        };
        if is_apart != self.is_apart.swap(is_apart, Ordering::AcqRel) {
            self.news.members();
        }
        // Of one that has just come there is nothing to say while its links are being made.
        if stays_apart != self.stays_apart.swap(stays_apart, Ordering::AcqRel) {
            match stays_apart {
                true => tracing::warn!(
                    address = self.options.address,
                    "this server and others do not reach each other: its rooms go to those that do; they are to reach it at this address: is --node right?"
                ),
                false => tracing::info!("this server and the others reach each other"),
            }
        }
        let is_other = self.seen().members != seen.members;
        let is_taken_over = {
            let known = self.seen();
            let beaten = |row: &Row| known.rows.iter().any(|before| before.id == row.id && before.beat != row.beat);
            seen.rows.iter().any(|row| row.address.is_none() && beaten(row))
        };
        *self.seen() = seen;
        if is_taken_over {
            return self.node.end();
        }
        if is_other {
            self.news.members();
        }
        self.acts.send_replace(acts);
    }

    /// This server was silent for too long, and another has deposed it: nothing is its own any more, and it comes in again as a new one.
    async fn begin_anew(&self, open: &Connection, me: Id) -> Result<(), OpenError> {
        tracing::warn!(node = %me, "this server was silent for too long and has lost its rooms to the others; it begins anew");
        self.lease.end();
        self.news.moved(self.node.slots.strip(me));
        // Before it is registered: where the answer is lost, the next beat finds whether it was.
        let id = Id::draw();
        self.node.set_id(id);
        self.news.members();
        Ok(node::register(open, id, &self.name, &self.options, &self.said).await?)
    }

    /// Tells when the lease is over without a beat: nothing is this server's then, until one is answered.
    pub(super) async fn lapses(self: Arc<Self>) {
        loop {
            match self.lease.rest(Clocks::now()) {
                // A little longer, so that it is over then.
                Some(rest) => tokio::time::sleep(rest + Duration::from_millis(1)).await,
                None => {
                    self.news.moved(self.own_slots());
                    self.held_again.notified().await;
                }
            }
        }
    }
}
