//! One writing connection after another: each has a row in `writers`, and takes the place of one that was lost by deleting that one's row.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use crate::connection::{CONNECT_MAX, Connection, Purpose};
use crate::error::{Failure, NoAnswer};
use crate::id::Id;
use crate::node::Node;

/// After a connection could not be made, another is not tried for this long. What waits is told so at once, and does not wait for an attempt
/// each, of which one takes [`CONNECT_MAX`] where the database is mute.
const REST: Duration = Duration::from_millis(100);

/// The beginning of every statement that writes: whoever deletes the writer's row waits until the statement is over, and where it is not
/// there, nothing is written.
macro_rules! with_me {
    ($($rest:literal),* $(,)?) => {
        concat!("with me as (select node from writers where id = $1 for key share), ", $($rest),*)
    };
}
pub(crate) use with_me;

/// A connection that may write: its row in `writers` says so.
pub(crate) struct WriterConnection {
    pub(crate) connection: Connection,
    pub(crate) writer: Id,
    /// Whether what it writes is to be told by the feed. Whoever begins or ends one takes the writer's row away.
    pub(crate) feeds: bool,
    /// Which server this was then.
    node: Id,
}

/// Why a statement has not answered that it is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// Nothing was written, and nothing will be: this server is deposed.
    Deposed,
    /// Nothing was written: what is kept is not what it was to take the place of.
    Conflict,
    /// See [`Failure`].
    Failed(Failure),
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

fn not_written(why: String) -> Refused {
    Refused::Failed(Failure::NotWritten(why))
}

/// Statements that write, one after the other.
pub(crate) struct Lane {
    pub(crate) node: Arc<Node>,
    purpose: Purpose,
    open: Option<WriterConnection>,
    /// The writer whose connection was lost, while its row may still be there.
    lost: Option<Id>,
    /// When the last connection could not be made, and why.
    refused: Option<(Instant, Refused)>,
}

impl Lane {
    pub(crate) fn new(node: Arc<Node>, purpose: Purpose) -> Self {
        Self { node, purpose, open: None, lost: None, refused: None }
    }

    /// The connection. Where one was lost, another, and nothing of the lost one is under way any more.
    ///
    /// # Errors
    /// Why there is none now.
    pub(crate) async fn open(&mut self) -> Result<&mut WriterConnection, Refused> {
        // A server that has begun anew has no writers of before.
        if self.open.as_ref().is_some_and(|open| open.connection.is_closed() || open.node != self.node.id()) {
            self.lose();
        }
        if self.open.is_none() {
            if let Some((since, refused)) = &self.refused
                && since.elapsed() < REST
            {
                return Err(refused.clone());
            }
            match connect(&self.node, self.purpose, self.lost).await {
                Ok(open) => (self.open, self.lost, self.refused) = (Some(open), None, None),
                Err(refused) => {
                    self.refused = Some((Instant::now(), refused.clone()));
                    return Err(refused);
                }
            }
        }
        Ok(self.open.as_mut().expect("it was opened just now"))
    }

    /// Gives the connection up. What is under way on it may still be written, until its writer's row is deleted.
    pub(crate) fn lose(&mut self) {
        self.lost = self.open.take().map(|open| open.writer).or(self.lost);
    }

    /// Runs one statement, whose first value is the writer. It answers a row at least, which says first whether the writer's row is there.
    pub(crate) async fn write(
        &mut self,
        sql: &'static str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, Refused> {
        self.write_either([sql, sql], values).await
    }

    /// The same of the first statement where there is no feed, and of the second where there is one.
    pub(crate) async fn write_either(
        &mut self,
        sql: [&'static str; 2],
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, Refused> {
        let open = self.open().await?;
        let (writer, sql) = (open.writer, sql[usize::from(open.feeds)]);
        let mut all: Vec<&(dyn ToSql + Sync)> = vec![&writer];
        all.extend_from_slice(values);
        let written = open.connection.write(sql, &all).await;
        let alive = |rows: &Vec<Row>| rows.first().is_some_and(|row| row.get(0));
        match written {
            Ok(rows) if alive(&rows) => Ok(rows),
            Ok(_) => Err(self.is_gone().await),
            Err(failure) => Err(self.failed(failure)),
        }
    }

    /// After a failure: a connection of which nobody knows what is under way on it is not used again.
    pub(crate) fn failed(&mut self, failure: Failure) -> Refused {
        if matches!(failure, Failure::Unknown(_)) {
            self.lose();
        }
        failure.into()
    }

    /// The writer's row is not there any more. Nothing was written; whether this server is deposed is found by making another.
    pub(crate) async fn is_gone(&mut self) -> Refused {
        self.lose();
        match self.open().await {
            Err(Refused::Deposed) => Refused::Deposed,
            _ => not_written("the row of the writing connection was not there any more".to_owned()),
        }
    }
}

async fn connect(node: &Node, purpose: Purpose, lost: Option<Id>) -> Result<WriterConnection, Refused> {
    if node.is_deposed() {
        return Err(Refused::Deposed);
    }
    let connected = node.connector.connect(purpose).await;
    let connection = connected.map_err(|error| not_written(error.to_string()))?;
    match tokio::time::timeout(CONNECT_MAX, begin(node, connection, lost)).await {
        Ok(begun) => begun,
        Err(_) => Err(not_written(NoAnswer::Mute(CONNECT_MAX).to_string())),
    }
}

async fn begin(node: &Node, mut connection: Connection, lost: Option<Id>) -> Result<WriterConnection, Refused> {
    let writer = Id::draw();
    let insert = "insert into writers (id, node, pid, started) \
                  select $1, $2, pid, backend_start from pg_stat_activity where pid = pg_backend_pid() returning id";
    let warnings = connection.warnings();
    let id = node.id();
    match connection.query(insert, &[&writer, &id]).await {
        Ok(rows) if rows.len() == 1 => {}
        Ok(_) => return Err(not_written("a connection that is not among those of the database".to_owned())),
        // The row of the server is not there.
        Err(error) if error.code() == Some("23503") => {
            node.depose(id);
            return Err(Refused::Deposed);
        }
        Err(error) => return Err(not_written(error.to_string())),
    }
    if let Some(lost) = lost {
        settle(&mut connection, lost, warnings).await.map_err(not_written)?;
    }
    // A statement of its own, behind the one that made the row: whoever begins a feed after it has found the row, and taken it away.
    let feeds = connection.query_one("select exists (select from feed_state)", &[]).await;
    let feeds: bool = feeds.map_err(|error| not_written(error.to_string()))?.get(0);
    node.feeds.send_if_modified(|known| std::mem::replace(known, feeds) != feeds);
    node.found(&connection.server);
    Ok(WriterConnection { connection, writer, feeds, node: id })
}

/// Deletes the row of a writing connection that was lost. That waits for the statement that was under way on it, whose backend is ended where
/// it takes too long. Afterwards what it wrote is there for good, or never will be, and a standby has confirmed something behind it: the deletion
/// itself, or, where the row was gone already, the row of the connection that looks. Neither has where the database has warned of more than `warnings`.
async fn settle(connection: &mut Connection, writer: Id, warnings: u64) -> Result<(), String> {
    match connection.query("delete from writers where id = $1", &[&writer]).await {
        Ok(_) if connection.warnings() == warnings => Ok(()),
        Ok(_) => Err("the database warned when a writer's row was deleted".to_owned()),
        Err(error) if error.code() == Some("55P03") => {
            let end = "select pg_terminate_backend(a.pid, 2000) from writers w join pg_stat_activity a \
                       on a.pid = w.pid and a.backend_start = w.started where w.id = $1";
            connection.query(end, &[&writer]).await.map_err(|error| error.to_string())?;
            Err("what was under way on a lost connection was ended".to_owned())
        }
        Err(error) => Err(error.to_string()),
    }
}
