//! The connections that only read: a few, all to one server, and each used by one at a time.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chat_core::{ReadError, RoomCode};
use tokio::sync::Semaphore;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use crate::connection::{Connection, Purpose};
use crate::error::NoAnswer;
use crate::node::Node;

/// Reads at once.
const READERS_MAX: usize = 4;
/// The longest that one takes: longer than the server lets a statement run.
const READ_MAX: Duration = Duration::from_secs(40);

pub(crate) struct Pool {
    node: Arc<Node>,
    places: Semaphore,
    idle: Mutex<Vec<Connection>>,
}

impl Pool {
    pub(crate) fn new(node: Arc<Node>) -> Self {
        Self { node, places: Semaphore::new(READERS_MAX), idle: Mutex::default() }
    }

    /// Runs one statement that reads, in one snapshot of the database.
    ///
    /// # Errors
    /// [`ReadError::Unavailable`], also where the answer is of a server that another has taken the place of: it may be behind.
    /// Also where it takes longer than [`READ_MAX`], the wait for one of the connections included.
    pub(crate) async fn query(&self, sql: &'static str, values: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, ReadError> {
        match tokio::time::timeout(READ_MAX, self.query_in_turn(sql, values)).await {
            Ok(read) => read,
            // The connection is dropped with what is under way on it.
            Err(_) => Err(unavailable(&NoAnswer::Mute(READ_MAX).to_string())),
        }
    }

    /// Under which term this server has a room.
    pub(crate) fn term(&self, room: &RoomCode) -> i64 {
        self.node.term(room)
    }

    /// Writes something behind all that was read, and waits until the database has confirmed it.
    ///
    /// # Errors
    /// [`ReadError::Unavailable`], also where the database warns: then a standby does not have it.
    pub(crate) async fn confirm(&self) -> Result<(), ReadError> {
        let _place = self.places.acquire().await.expect("the places are never closed");
        let mut connection = match self.take_idle() {
            Some(idle) => idle,
            None => self.connect().await?,
        };
        let mark = "insert into meta (key, value) values ('feed_read', '1') on conflict (key) do update set value = excluded.value";
        connection.write(mark, &[]).await.map_err(|failure| unavailable(&format!("{failure:?}")))?;
        if !self.is_current(&connection) {
            return Err(unavailable("another server has taken its place"));
        }
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        Ok(())
    }

    async fn query_in_turn(&self, sql: &'static str, values: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, ReadError> {
        let _place = self.places.acquire().await.expect("the places are never closed");
        // A connection that was idle may have been closed by the other side meanwhile: then a new one is asked.
        let mut is_last = false;
        loop {
            let mut connection = match self.take_idle() {
                Some(idle) if !is_last => idle,
                _ => {
                    is_last = true;
                    self.connect().await?
                }
            };
            match connection.query(sql, values).await {
                Ok(rows) if self.is_current(&connection) => {
                    // Whoever stops waiting in the middle drops the connection with what is under way on it.
                    self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
                    return Ok(rows);
                }
                Ok(_) if is_last => return Err(unavailable("another server has taken its place")),
                Err(error) if is_last || !connection.is_closed() => return Err(unavailable(&error.to_string())),
                Ok(_) | Err(_) => is_last = true,
            }
        }
    }

    fn take_idle(&self) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|connection| !connection.is_closed() && self.is_current(connection));
        idle.pop()
    }

    async fn connect(&self) -> Result<Connection, ReadError> {
        let connected = self.node.connector.connect(Purpose::Other).await;
        connected.map_err(|error| unavailable(&error.to_string()))
    }

    /// Whether it is the server that the writing connections have found.
    fn is_current(&self, connection: &Connection) -> bool {
        *self.node.server.borrow() == connection.server
    }
}

pub(crate) fn unavailable(why: &str) -> ReadError {
    ReadError::Unavailable(why.to_owned())
}
