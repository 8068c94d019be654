//! A ledger as it is stored, under the version that wrote it and the first that can read it.

use serde::{Deserialize, Serialize};

use super::ledger::Ledger;
use crate::domain::RecordVersion;

#[cfg(test)]
mod tests;

/// A stored ledger.
///
/// Retention may have cut the log that a snapshot covers. Then the snapshot is all there is, so it has to be readable across
/// versions, both ways:
///
/// - Every format that was ever written stays readable: a field that comes later has a default. Fixtures hold it to that.
/// - What a later program writes says from which version on it can be read. One that only adds what may be done without names this one,
///   which passes over the fields it does not know; they are lost with the next snapshot it stores itself. Where a program is not to
///   do without what was added, the snapshot names a later version, and this one refuses it: see [`Unreadable`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    version: u32,
    // Before the ledger, whose shape may be another. Those of version 1 did not always say so.
    #[serde(default)]
    readable_from: ReadableFrom,
    ledger: Ledger,
}

/// Why what was stored is no snapshot for this program.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unreadable {
    /// A later program wrote it, for programs of this version and later.
    #[error("a snapshot of version {version}, to be read from version {readable_from} on")]
    Later {
        /// Which version wrote it.
        version: u32,
        /// The first version that can read it, as it says itself.
        readable_from: u32,
    },
    /// It cannot be right; trying again does not help.
    #[error("no snapshot: {0}")]
    Damaged(String),
}

impl Snapshot {
    /// The version that this program writes, and the latest of which it knows everything: that of the records it reads.
    pub const VERSION: u32 = RecordVersion::LATEST.0;

    /// Reads what was stored as JSON. Of the engine: the pure half knows no format.
    ///
    /// # Errors
    /// See [`Unreadable`].
    #[cfg(any(feature = "engine", test))]
    pub fn read(stored: &[u8]) -> Result<Self, Unreadable> {
        /// What every snapshot says, whatever else.
        #[derive(Deserialize)]
        struct Head {
            version: u32,
            #[serde(default = "first")]
            readable_from: u32,
        }
        let head: Head = serde_json::from_slice(stored).map_err(|error| Unreadable::Damaged(error.to_string()))?;
        let Head { version, readable_from } = head;
        if readable_from > Self::VERSION {
            return Err(Unreadable::Later { version, readable_from });
        }
        serde_json::from_slice(stored).map_err(|error| match version > Self::VERSION {
            // It says that it can be read, and it cannot.
            true => Unreadable::Later { version, readable_from },
            false => Unreadable::Damaged(error.to_string()),
        })
    }
}

impl From<Ledger> for Snapshot {
    fn from(ledger: Ledger) -> Self {
        // What cannot read the records cannot do with what they came to.
        Self { version: Self::VERSION, readable_from: ReadableFrom(ledger.needs().0), ledger }
    }
}

impl From<Snapshot> for Ledger {
    fn from(snapshot: Snapshot) -> Self {
        snapshot.ledger.read_back()
    }
}

/// The first version that can read a snapshot; one that this program is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
struct ReadableFrom(u32);

fn first() -> u32 {
    1
}

impl Default for ReadableFrom {
    fn default() -> Self {
        Self(first())
    }
}

/// The version named, which is later than [`Snapshot::VERSION`].
#[derive(Debug, thiserror::Error)]
#[error("a snapshot to be read from version {0} on, and this program reads version {reads}", reads = Snapshot::VERSION)]
struct LaterVersion(u32);

impl TryFrom<u32> for ReadableFrom {
    type Error = LaterVersion;

    fn try_from(version: u32) -> Result<Self, Self::Error> {
        if version <= Snapshot::VERSION { Ok(Self(version)) } else { Err(LaterVersion(version)) }
    }
}

impl From<ReadableFrom> for u32 {
    fn from(version: ReadableFrom) -> Self {
        version.0
    }
}
