//! Versions of records: every program reads one before any program writes it.

use serde::{Deserialize, Serialize};

use super::event::{Event, Record, Role};

/// What a program has to know to read a record, or a snapshot of records.
///
/// What may be written is the lowest version that all programs read which live on a log: the log says so (`Log::writes`). Nothing that
/// is read is ever passed over: a program that meets a record of a later version refuses its room by name, and changes nothing in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RecordVersion(pub u32);

impl RecordVersion {
    /// What the first programs wrote.
    pub const FIRST: Self = Self(1);
    /// A join says what may be seen, and who comes back has their number again: a program that does not know it takes that for a bug, and
    /// shows everybody everything. A message says that it was taken back or edited, and a record that the log has been amended for it; it
    /// may have data, answer another, and be reacted to. There are moderators, and an owner who is lost is the owner still when they come
    /// back soon. People have data, and change what they are shown as. The host says something: a message that is nobody's. It
    /// makes rooms, keeps them while nobody is in them, names who owns them before they come, lets people in once, and has them erased.
    pub const PERSONS: Self = Self(2);
    /// The latest that this program reads.
    pub const LATEST: Self = Self::PERSONS;
}

impl Default for RecordVersion {
    fn default() -> Self {
        Self::FIRST
    }
}

impl Record {
    /// The version that a program has to know to read this.
    pub fn version(&self) -> RecordVersion {
        if self.is_of_host() { RecordVersion::PERSONS } else { self.event.version() }
    }
}

impl Event {
    /// The same, whoever it is by.
    fn version(&self) -> RecordVersion {
        match self {
            Self::Joined { sees: Some(_), .. }
            | Self::Sent { amended: Some(_), .. }
            | Self::Sent { data: Some(_), .. }
            | Self::Sent { reply_to: Some(_), .. }
            | Self::Edited { .. }
            | Self::Reacted { .. }
            | Self::Settled { .. }
            | Self::Kicked { ban: Some(_), .. }
            | Self::BanAdded { .. }
            | Self::BanLifted { .. }
            | Self::Swept { .. } => RecordVersion::PERSONS,
            Self::SettingsChanged { .. } => RecordVersion::PERSONS,
            Self::Joined { data: Some(_), .. } | Self::MemberChanged { .. } => RecordVersion::PERSONS,
            Self::Joined { role: Role::Moderator, .. } | Self::RoleChanged { role: Role::Moderator, .. } => {
                RecordVersion::PERSONS
            }
            Self::Left { held: Some(_), .. } | Self::Protected => RecordVersion::PERSONS,
            Self::Kept { .. } | Self::OwnerNamed { .. } | Self::Invited { .. } => RecordVersion::PERSONS,
            Self::Erased { .. } | Self::Scrubbed { .. } => RecordVersion::PERSONS,
            _ => RecordVersion::FIRST,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Record;

    /// Every kind of record that was ever written, by the version that first wrote it; a line is never changed.
    const WRITTEN: [(RecordVersion, &str); 2] = [
        (RecordVersion::FIRST, include_str!("fixtures/records-1.jsonl")),
        (RecordVersion::PERSONS, include_str!("fixtures/records-2.jsonl")),
    ];

    #[test]
    fn every_record_that_was_ever_written_is_read_and_would_be_written_as_it_was() {
        for (version, lines) in WRITTEN {
            for line in lines.lines() {
                let record: Record = serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"));
                assert_eq!(record.version(), version, "{line}");
                assert_eq!(serde_json::to_string(&record).expect("it can be stored"), line);
            }
        }
        assert_eq!(WRITTEN.last().map(|(version, _)| *version), Some(RecordVersion::LATEST));
    }

    #[test]
    fn an_event_that_is_not_known_is_never_passed_over() {
        let line = r#"{"offset":3,"seq":2,"at":9,"by":1,"event":{"danced":{"with":2}}}"#;
        let refused = serde_json::from_str::<Record>(line).expect_err("this program does not know it").to_string();
        assert!(refused.contains("unknown variant `danced`"), "{refused}");
    }
}
