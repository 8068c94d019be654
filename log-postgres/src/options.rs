//! What an embedder chooses: how durable an ack is, how much of a room is kept, and where in the database it lies.

use std::time::Duration;

/// What an answered append has survived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Durability {
    /// The database has confirmed it as durable, and so have the standbys that it waits for.
    #[default]
    Synced,
    /// The database has it in memory (`synchronous_commit = off`), and writes it within a second; the end of a session, a snapshot and a
    /// deletion as with [`Durability::Synced`]. A crash of the database loses at most what was acked in that time; never a part of a
    /// batch, and never something older than what it keeps.
    Relaxed,
}

/// How much of each room is kept; `None` keeps all.
///
/// Only records that a snapshot covers are deleted, oldest first, and never the newest one. The engine stores a snapshot
/// every 1,000 records or so: a room can hold that many more than the limit, and one that never had a snapshot is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Retention {
    /// The most messages.
    pub messages_max: Option<u64>,
    /// The most bytes of records.
    pub bytes_max: Option<u64>,
    /// The oldest a record may be. Looked at when a snapshot is stored, and at every room once in ten minutes. By a clock that is
    /// more than an hour ahead of what the log last believed, nothing is deleted until it has stood for ten minutes.
    pub age_max: Option<Duration>,
}

impl Retention {
    /// Whether everything is kept.
    pub(crate) fn keeps_all(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a room of this size is too large.
    pub(crate) fn is_over(&self, messages: i64, bytes: i64) -> bool {
        let is_over = |max: Option<u64>, held: i64| max.is_some_and(|max| u64::try_from(held).unwrap_or(0) > max);
        is_over(self.messages_max, messages) || is_over(self.bytes_max, bytes)
    }
}

/// How a [`PgLog`](crate::PgLog) is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// What an ack means.
    pub durability: Durability,
    /// How much of each room is kept.
    pub retention: Retention,
    /// The schema of the database that the tables lie in; made where it is not there. 1 to 63 of `a-z 0-9 _`, no digit first. Two schemas
    /// are two logs.
    pub schema: String,
    /// What this server is called in the database and in its log: a host, say. It decides nothing.
    pub name: String,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            durability: Durability::default(),
            retention: Retention::default(),
            schema: "chat".to_owned(),
            name: "server".to_owned(),
        }
    }
}
