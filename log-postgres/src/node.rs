//! Whose the log is: this server's row, the rows of its writing connections, and the slots that it has.
//!
//! A server that is deposed has no row any more, and a writing statement without one writes nothing. Its row cannot go while a statement
//! that has found it is under way: what such a server has begun is there for good when it is deposed, and nothing comes after it.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use chat_core::{RoomCode, Slot};
use tokio::sync::{Notify, watch};
use tokio_postgres::types::ToSql;

use crate::agreement;
use crate::connection::{Connection, Connector, Purpose};
use crate::doubts::Doubts;
use crate::error::{NoAnswer, OpenError};
use crate::id::Id;
use crate::options::MemberOptions;
use crate::outage::Outage;
use crate::slots::{Held, Slots};

/// How often a server says that it is there, and looks whether it is.
const BEAT: Duration = Duration::from_secs(1);
/// How long it waits for the answer. After that it asks on another connection.
const BEAT_MAX: Duration = Duration::from_secs(5);
/// How often the backends of a server that is being deposed are ended.
const ENDINGS_MAX: u32 = 5;

/// The row of this server is not there any more.
const DEPOSED: &str = "another server has taken the log over";

/// What the writers of one open log share.
pub(crate) struct Node {
    pub(crate) connector: Arc<Connector>,
    /// Its row. One that shares the log and is deposed begins anew under another.
    id: RwLock<Id>,
    pub(crate) slots: Slots,
    /// Whether it shares the log with others.
    is_member: bool,
    /// Told when a member finds that its row is gone.
    pub(crate) lost: Notify,
    deposed: watch::Sender<Option<String>>,
    /// Rooms with an append of which nobody knows whether it was written.
    pub(crate) doubts: Mutex<Doubts>,
    /// Which server the writing connections have found at the address, for the reading ones to have the same.
    pub(crate) server: watch::Sender<String>,
    /// Statements that appended, each a transaction.
    pub(crate) commits: AtomicU64,
    /// Whether there is a feed, as the last writing connection has found it.
    pub(crate) feeds: watch::Sender<bool>,
}

impl Node {
    /// Takes all slots. Every other server on this log is deposed, once what it has begun is over.
    ///
    /// # Errors
    /// [`OpenError::Database`], and [`OpenError::Unfit`] where there are not as many slots as there should be.
    pub(crate) async fn take_over(
        connector: Arc<Connector>,
        connection: &Connection,
        name: &str,
    ) -> Result<Self, OpenError> {
        let id = Id::draw();
        let mut endings = 0;
        let terms = loop {
            match take(connection, id, name).await {
                Ok(terms) => break terms,
                Err(error) => {
                    connection.batch("rollback").await?;
                    let is_locked = error.code().is_some_and(|code| ["55P03", "40P01"].contains(&code));
                    if !is_locked || endings == ENDINGS_MAX {
                        return Err(error.into());
                    }
                    // A client that has lost its power in the middle of a write is not there to end it.
                    end_backends_of_others(connection, id).await?;
                    endings += 1;
                }
            }
        };
        if terms.len() != usize::from(Slot::COUNT) {
            return Err(OpenError::Unfit(format!("there are {} slots, and {} are needed", terms.len(), Slot::COUNT)));
        }
        let held = terms.into_iter().map(|term| Held { node: Some(id), term });
        Ok(Self::new(connector, connection, id, held.collect(), false))
    }

    /// Comes in beside the others that share the log, and has no slots yet.
    ///
    /// # Errors
    /// [`OpenError::Secret`], [`OpenError::Parcels`] and [`OpenError::Database`].
    pub(crate) async fn join(
        connector: Arc<Connector>,
        connection: &Connection,
        name: &str,
        member: &MemberOptions,
        said: &str,
    ) -> Result<Self, OpenError> {
        let silent = agreement::agree(connection, said, member).await?;
        let id = Id::draw();
        register(connection, id, name, member, said).await?;
        let nobody = vec![Held::default(); Slot::COUNT.into()];
        let node = Self::new(connector, connection, id, nobody, true);
        if let Err(error) = agreement::agree_still(connection, said, id, &silent).await {
            node.leave_failed().await;
            return Err(error);
        }
        Ok(node)
    }

    fn new(connector: Arc<Connector>, connection: &Connection, id: Id, held: Vec<Held>, is_member: bool) -> Self {
        Self {
            connector,
            id: RwLock::new(id),
            slots: Slots::new(held),
            is_member,
            lost: Notify::new(),
            deposed: watch::Sender::new(None),
            doubts: Mutex::default(),
            server: watch::Sender::new(connection.server.clone()),
            commits: AtomicU64::new(0),
            feeds: watch::Sender::new(false),
        }
    }

    pub(crate) fn id(&self) -> Id {
        *self.id.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// A member begins anew.
    pub(crate) fn set_id(&self, id: Id) {
        *self.id.write().unwrap_or_else(PoisonError::into_inner) = id;
    }

    /// The number of a room's slot, as the tables have it.
    pub(crate) fn slot(&self, room: &RoomCode) -> i32 {
        Slot::of(room).number().into()
    }

    /// Under which term this server has a room; 0 where it does not.
    pub(crate) fn term(&self, room: &RoomCode) -> i64 {
        self.slots.term(Slot::of(room), self.id())
    }

    /// Whether this server's part is over.
    pub(crate) fn is_deposed(&self) -> bool {
        self.deposed.borrow().is_some()
    }

    /// Whether it goes on after it was deposed.
    pub(crate) fn is_member(&self) -> bool {
        self.is_member
    }

    /// Waits until this server is deposed, and says why.
    pub(crate) async fn deposed(&self) -> String {
        let mut deposed = self.deposed.subscribe();
        let why = deposed.wait_for(Option::is_some).await.ok().and_then(|why| why.clone());
        why.expect("what tells of it is there as long as this server's part")
    }

    /// The row of this server, as it was called then, is not there any more.
    pub(crate) fn depose(&self, id: Id) {
        match self.is_member {
            true if self.id() == id => self.lost.notify_one(),
            // It has begun anew since.
            true => {}
            false => self.end(),
        }
    }

    /// Ends this server's part for good.
    pub(crate) fn end(&self) {
        if !self.is_deposed() {
            tracing::error!(node = %self.id(), DEPOSED);
            self.deposed.send_replace(Some(DEPOSED.to_owned()));
        }
    }

    /// A writing connection is to this server: the reading ones are to be, too.
    pub(crate) fn found(&self, server: &str) {
        self.server.send_if_modified(|known| {
            let is_other = known != server;
            server.clone_into(known);
            is_other
        });
    }

    /// Says again and again that this server is there. Ends when it is not any more.
    ///
    /// It also finds the database again where that has come back and nobody writes: what reads is to read there, and not before.
    pub(crate) async fn beat(self: Arc<Self>) {
        let mut connection: Option<Connection> = None;
        let mut outage = Outage::default();
        while !self.is_deposed() {
            tokio::time::sleep(BEAT).await;
            let known = connection.take().filter(|open| !open.is_closed() && *self.server.borrow() == open.server);
            let error = match self.beat_once(known).await {
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
    }

    /// Says it once, on this connection or another.
    async fn beat_once(&self, known: Option<Connection>) -> Result<Connection, OpenError> {
        let is_new = known.is_none();
        let mut open = match known {
            Some(open) => open,
            None => self.connector.connect(Purpose::Other).await?,
        };
        let id = self.id();
        let values: [&(dyn ToSql + Sync); 1] = [&id];
        let beat = open.query("update nodes set beat = beat + 1 where id = $1 returning beat", &values);
        let Ok(rows) = tokio::time::timeout(BEAT_MAX, beat).await else {
            return Err(NoAnswer::Mute(BEAT_MAX).into());
        };
        if rows?.is_empty() {
            self.depose(id);
        } else if is_new {
            self.found(&open.server);
        }
        Ok(open)
    }

    /// Ends this server's part, as it wants to: its row goes, and so do those of its writers.
    pub(crate) async fn leave(&self) -> Result<(), OpenError> {
        let mut connection = self.connector.connect(Purpose::Other).await?;
        connection.query("delete from nodes where id = $1", &[&self.id()]).await?;
        Ok(())
    }

    /// The same after a start that has failed. Where that fails as well, the others find its row to be that of a server that was killed.
    pub(crate) async fn leave_failed(&self) {
        if let Err(error) =
            tokio::time::timeout(BEAT_MAX, self.leave()).await.unwrap_or(Err(NoAnswer::Mute(BEAT_MAX).into()))
        {
            tracing::debug!(%error, "the row of a server that has not started could not be taken away");
        }
    }
}

/// In one transaction, one after the other: who comes second deposes who came first.
async fn take(connection: &Connection, id: Id, name: &str) -> Result<Vec<i64>, NoAnswer> {
    connection.batch("begin; lock table nodes in share row exclusive mode; delete from nodes").await?;
    connection.execute("insert into nodes (id, name) values ($1, $2)", &[&id, &name]).await?;
    let taken =
        connection.query_once("update slots set node = $1, term = term + 1 returning slot, term", &[&id]).await?;
    connection.batch("commit").await?;
    let mut terms: Vec<(i32, i64)> = taken.iter().map(|row| (row.get(0), row.get(1))).collect();
    terms.sort_unstable();
    Ok(terms.into_iter().map(|(_, term)| term).collect())
}

/// Puts the row of a member into the table. One that it has left there before, and did not hear of, goes: a certificate is one server's.
pub(crate) async fn register(
    connection: &Connection,
    id: Id,
    name: &str,
    member: &MemberOptions,
    said: &str,
) -> Result<(), NoAnswer> {
    let insert = "with ghost as (delete from nodes where certificate = $4 and id <> $1) \
                  insert into nodes (id, name, address, certificate, lease_ms, setup) values ($1, $2, $3, $4, $5, $6)";
    let lease = i64::try_from(member.lease.as_millis()).unwrap_or(i64::MAX);
    connection.execute(insert, &[&id, &name, &member.address, &member.certificate, &lease, &said]).await.map(drop)
}

/// Ends the backends that the rows of other servers' writers name: by pid and start, because a pid alone is somebody else's after a restart.
async fn end_backends_of_others(connection: &Connection, id: Id) -> Result<(), NoAnswer> {
    let end = "select pg_terminate_backend(a.pid, 2000) from writers w join pg_stat_activity a \
               on a.pid = w.pid and a.backend_start = w.started where w.node <> $1";
    connection.query_once(end, &[&id]).await.map(drop)
}
