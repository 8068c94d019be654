//! A ledger as it is stored, under a version, so that a program never reads what it does not understand.

use serde::{Deserialize, Serialize};

use super::ledger::Ledger;

/// A stored ledger. Reading one of another version is an error that names both; the log is replayed instead.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    // The first field: it is looked at before the ledger, whose shape may be another.
    version: Version,
    ledger: Ledger,
}

impl Snapshot {
    /// The version written by this program, and the only one it reads.
    pub const VERSION: u32 = 1;
}

impl From<Ledger> for Snapshot {
    fn from(ledger: Ledger) -> Self {
        Self { version: Version, ledger }
    }
}

impl From<Snapshot> for Ledger {
    fn from(snapshot: Snapshot) -> Self {
        snapshot.ledger
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
struct Version;

/// The version found, which is not [`Snapshot::VERSION`].
#[derive(Debug, thiserror::Error)]
#[error("a snapshot of version {0}, and this program reads version {expected}", expected = Snapshot::VERSION)]
struct OtherVersion(u32);

impl TryFrom<u32> for Version {
    type Error = OtherVersion;

    fn try_from(version: u32) -> Result<Self, Self::Error> {
        if version == Snapshot::VERSION { Ok(Self) } else { Err(OtherVersion(version)) }
    }
}

impl From<Version> for u32 {
    fn from(_: Version) -> Self {
        Snapshot::VERSION
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::RoomLimits;

    #[test]
    fn a_snapshot_is_read_back() {
        let snapshot = Snapshot::from(Ledger::new(&RoomLimits::default()));
        let stored = serde_json::to_string(&snapshot).expect("a snapshot can be stored");
        let read: Snapshot = serde_json::from_str(&stored).expect("what was stored is read");
        assert_eq!(read, snapshot);
    }

    #[test]
    fn another_version_is_refused_by_its_number() {
        let error = serde_json::from_str::<Snapshot>(r#"{"version":7,"ledger":"of another shape"}"#).unwrap_err();
        let told = error.to_string();
        assert!(told.starts_with("a snapshot of version 7, and this program reads version 1"), "{told}");
    }
}
