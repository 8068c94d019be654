//! What an embedder chooses: how durable an ack is, how much of a room is kept, where in the database it lies, and how it is shared.

use std::time::Duration;

use chat_core::FeedBounds;
pub use chat_core::Retention;

use crate::error::OpenError;
use crate::setup::Setup;

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
    /// Whether the log keeps a feed of all rooms for backends, and how much that holds back. None by default: nothing is paid then. It begins when the
    /// first server opens the log with it, and the last one that does says how much. A server that has the log for itself
    /// ([`PgLog::open`](crate::PgLog::open)) and opens it without ends the feed that there is; one that shares it leaves it as it is. Servers of a
    /// version that knows of no feeds write nothing any more once there is one.
    pub feed: Option<FeedBounds>,
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
            feed: None,
            schema: "chat".to_owned(),
            name: "server".to_owned(),
        }
    }
}

/// The shortest lease. With less, a database that takes its time for a moment would have nobody own anything.
const LEASE_MIN: Duration = Duration::from_secs(1);
/// The longest. Rooms of a server that was killed wait for it.
const LEASE_MAX: Duration = Duration::from_secs(60);

/// How a server shares a log with others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberOptions {
    /// Where the others reach it: a host and a port. A server that comes back at the same address is given the same slots.
    pub address: String,
    /// The certificate by which they know it, in DER.
    pub certificate: Vec<u8>,
    /// How long it may believe that its slots are its own without having heard from the database; its beat comes five times as often, and whoever
    /// is silent for a fifth longer is deposed. 1 to 60 s. Each server is judged by its own; links count a peer as down by it, too: give all the same.
    pub lease: Duration,
    /// What all servers are to do alike, as far as it is known here. Who joins beside a server with other limits is told so in its log, and beside one whose
    /// tokens would be void here, or the other way round, it does not join.
    pub setup: Setup,
}

impl MemberOptions {
    /// # Errors
    /// [`OpenError::Lease`].
    pub(crate) fn check(&self) -> Result<(), OpenError> {
        match (LEASE_MIN..=LEASE_MAX).contains(&self.lease) {
            true => Ok(()),
            false => Err(OpenError::Lease(self.lease)),
        }
    }
}
