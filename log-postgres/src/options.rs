//! What an embedder chooses: how durable an ack is, how much of a room is kept, and where in the database it lies.

pub use chat_core::Retention;

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
