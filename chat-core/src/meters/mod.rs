//! What an engine counts while it runs: numbers alone, and nothing of what is said or by whom.
//!
//! Always on: what happens often is counted on one of eight shards, by each thread on its own, and what is measured in time is sampled.

mod counters;
mod feeds;
mod histogram;
mod kind;

pub(crate) use counters::{Asked, Counters, Micros, Outcome, Parking};
pub use feeds::{DeliveryOutcome, FeedMeter};
pub(crate) use feeds::{FeedCounters, FeedCounts, FeedPlace};
pub use histogram::Histogram;
pub use kind::CommandKind;

use crate::types::{CloseReason, RejectCode};

/// What an engine has counted since it was built, and what it holds now; see [`Engine::meters`](crate::Engine::meters).
///
/// Each number alone is right. Two of them are not of the same moment, as they are read while they are counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Meters {
    /// By the transports that connections have come over.
    pub transports: Vec<TransportMeter>,
    /// Connections that have ended, by why the server ended them; `None` where it did not. Only reasons that have occurred.
    pub closed: Vec<(Option<CloseReason>, u64)>,
    /// Clients that were not let in, by the reject that they were told. Only codes that have occurred.
    pub turned_away: Vec<(RejectCode, u64)>,
    /// Members of the rooms that are decided here, with a connection or without.
    pub members: u64,
    /// Commands, by what they asked for. Only kinds that have occurred.
    pub commands: Vec<CommandMeter>,
    /// Refusals, by code: of commands, of frames that are none, and by a policy that does not admit. Only codes that have occurred.
    pub rejects: Vec<(RejectCode, u64)>,
    /// From the moment a command is handed in to its answer being due, in microseconds: of one command in eight.
    pub answered: Histogram,
    /// From an event's publication to its being written to a reader that is on time, in microseconds: of no more than ten events a second
    /// in each room, and for each of their readers.
    pub written: Histogram,
    /// Commands and news that were decided at once.
    pub batch_inputs: Histogram,
    /// Records that went into the log, or were published, at once.
    pub batch_records: Histogram,
    /// What waited in a room when it took up its work.
    pub inbox_depth: Histogram,
    /// How long the log took to append, in microseconds.
    pub appended: Histogram,
    /// Appends, by their end: done, refused because somebody else had written, refused because another server decides, not written, unknown.
    pub appends: AppendMeter,
    /// Batches that were undone because the log held what another server had written in their place.
    pub overtaken: u64,
    /// Events that sessions were told they will not get.
    pub gap_events: u64,
    /// Writes that a socket did not take whole.
    pub short_writes: u64,
    /// Bytes of the last write of each connection that its socket did not take: what waits outside of the backlogs, at least.
    pub unsent_bytes: u64,
    /// What the log tells of itself.
    pub log: LogMeters,
    /// The feeds of names that were read here: at most [`FeedName::MAX`](crate::FeedName::MAX), in the order of their names.
    pub feeds: Vec<FeedMeter>,
    /// How long the attempts to deliver feeds took, in microseconds.
    pub delivered: Histogram,
    /// Where there are several servers.
    pub cluster: Option<ClusterMeter>,
}

/// The connections of one transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TransportMeter {
    /// Its name, as it gave it with [`ConnectRequest`](crate::ConnectRequest); `other` for all past the first eight.
    pub transport: &'static str,
    /// Connections that there have been.
    pub opened: u64,
    /// Those that there are.
    pub open: u64,
}

/// Commands of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CommandMeter {
    /// What they asked for.
    pub kind: CommandKind,
    /// Done, or answered.
    pub done: u64,
    /// Refused.
    pub refused: u64,
    /// Never answered, as their connection or their room was given up.
    pub lost: u64,
}

/// Appends, by their end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AppendMeter {
    /// The log has them.
    pub done: u64,
    /// Somebody else had written.
    pub conflict: u64,
    /// Another server has taken the room over.
    pub deposed: u64,
    /// Nothing was written.
    pub failed: u64,
    /// Nobody knew whether they were written.
    pub unknown: u64,
}

/// What a log tells of itself; see [`Log::meters`](crate::Log::meters).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogMeters {
    /// Transactions that were committed, each with the appends of any number of rooms; `None` where the log does not count them.
    pub commits: Option<u64>,
    /// Times that the log had the disk flushed; `None` where it does not know, as behind a database.
    pub syncs: Option<u64>,
    /// Changes that wait to be written.
    pub waiting: Option<u64>,
}

impl LogMeters {
    /// So many commits.
    #[must_use]
    pub fn with_commits(self, commits: u64) -> Self {
        Self { commits: Some(commits), ..self }
    }

    /// So many flushes.
    #[must_use]
    pub fn with_syncs(self, syncs: u64) -> Self {
        Self { syncs: Some(syncs), ..self }
    }

    /// So many changes that wait.
    #[must_use]
    pub fn with_waiting(self, waiting: u64) -> Self {
        Self { waiting: Some(waiting), ..self }
    }
}

/// An engine among several servers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClusterMeter {
    /// Slots whose rooms are decided here, of [`Slot::COUNT`](crate::Slot::COUNT).
    pub slots_owned: u64,
    /// Slots of which nobody is known to decide their rooms.
    pub slots_unowned: u64,
    /// Other servers that can be reached.
    pub links_up: u64,
    /// Rooms that were here and are decided here since, after another server.
    pub takeovers: u64,
    /// Commands that wait for a server that decides.
    pub parked: u64,
    /// Those that have ever waited.
    pub parked_total: u64,
}
