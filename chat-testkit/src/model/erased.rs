//! By what facts know who was erased: a record says of nobody who it is.

use chat_core::{Event, Identity, PersonHash, Record, Scope};

/// By what facts know who was erased. The model computes no digest.
pub(super) fn stand_in(identity: &Identity) -> PersonHash {
    PersonHash(identity.as_str().bytes().fold(1, |sum, byte| sum * 251 + u64::from(byte)))
}

/// Whether this record says that the person was erased.
pub(super) fn erases(record: &Record, scope: &Scope) -> bool {
    match (&record.event, scope) {
        (Event::Erased { person, .. }, Scope::Identity(identity)) => *person == stand_in(identity),
        _ => false,
    }
}
