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

    /// Beats until it is deposed for good.
    pub(super) async fn beats(self: Arc<Self>, connection: Connection) {
        let mut connection = Some(connection);
        let mut outage = Outage::default();
        while !self.node.is_deposed() {
            tokio::time::sleep(LOOK_MIN).await;
            tokio::select! {
                () = tokio::time::sleep(self.interval() - LOOK_MIN) => {}
                () = self.look.notified() => {}
                () = self.node.lost.notified() => {}
            }
            let is_same = |open: &Connection| !open.is_closed() && *self.node.server.borrow() == open.server;
            let known = connection.take().filter(is_same);
            let beaten = tokio::time::timeout(self.options.lease, self.beat_once(known)).await;
            let error = match beaten.unwrap_or(Err(NoAnswer::Mute(self.options.lease).into())) {
                Ok(open) => {
                    if let Some(away) = outage.ends() {
                        tracing::info!(?away, "the log's database is there again");
                    }
                    connection = Some(open);
                    continue;
                }
                Err(error) => error,
            };
            if let Some(away) = outage.goes_on() {
                tracing::warn!(%error, ?away, "the log's database cannot be told that this server is there");
            }
        }
        self.lease.end();
        self.news.moved(self.own_slots());
    }

    /// Beats once and reads the table, on this connection or another.
    pub(super) async fn beat_once(&self, known: Option<Connection>) -> Result<Connection, OpenError> {
        let is_new = known.is_none();
        let mut open = match known {
            Some(open) => open,
            None => self.node.connector.connect(Purpose::Other).await?,
        };
        let me = self.node.id();
        let is_draining = self.is_draining.load(Ordering::Acquire);
        let sent = Clocks::now();
        let beat = "update nodes set beat = beat + 1, draining = $2 where id = $1 \
                    returning (extract(epoch from clock_timestamp()) * 1000)::bigint";
        let answered = open.query(beat, &[&me, &is_draining]).await?;
        if let Some(row) = answered.first() {
            self.compare_clocks(row.get(0), sent, Clocks::now());
        }
        if answered.is_empty() {
            self.begin_anew(&open, me).await?;
        } else {
            let held = self.lease.holds();
            self.lease.renew(sent);
            if !held {
                self.news.moved(self.own_slots());
                self.held_again.notify_one();
            }
        }
        if is_new {
            self.node.found(&open.server);
        }
        let begun = Instant::now();
        let rows =
            open.query("select id, name, address, certificate, beat, draining from nodes order by id", &[]).await?;
        let slots = open.query("select node, term from slots order by slot", &[]).await?;
        if slots.len() != usize::from(Slot::COUNT) {
            return Err(OpenError::Unfit(format!("there are {} slots, and {} are needed", slots.len(), Slot::COUNT)));
        }
        let seen = Seen {
            rows: rows
                .iter()
                .map(|row| Row { id: row.get(0), address: row.get(2), beat: row.get(4), is_draining: row.get(5) })
                .collect(),
            members: rows
                .iter()
                .filter_map(|row| {
                    let (address, certificate) = (row.get::<_, Option<_>>(2)?, row.get::<_, Option<_>>(3)?);
                    Some(Member { node: node_id(row.get(0)), name: row.get(1), address, certificate })
                })
                .collect(),
        };
        let held: Vec<Held> = slots.iter().map(|row| Held { node: row.get(0), term: row.get(1) }).collect();
        self.take_in(seen, &held, begun);
        Ok(open)
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
    fn take_in(&self, seen: Seen, held: &[Held], begun: Instant) {
        self.news.moved(self.node.slots.replace(held, begun, self.options.lease * 2));
        let acts = self.standing().look(self.started.elapsed(), self.node.id(), &seen.rows, held);
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
        let id = Id::draw();
        node::register(open, id, &self.name, &self.options).await?;
        self.node.set_id(id);
        self.news.members();
        Ok(())
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
