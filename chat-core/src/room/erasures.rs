//! Who was erased, and whom the log has still to be made to name no more.
//!
//! Part of the ledger, so that whoever reads a room back goes on with it. Never here: what anybody was called.

use serde::{Deserialize, Serialize};

use super::hashes::ScopeHash;
use crate::seldom::Nothing;
use crate::types::{MemberId, Offset, PersonHash, Seq, SessionId};

/// One person whom the log may still name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct OwedErasure {
    /// The person.
    pub person: PersonHash,
    /// Who stands for them in records.
    pub alias: SessionId,
    /// Their numbers.
    pub members: Vec<MemberId>,
    /// The record that says so: those up to it are to be scrubbed.
    pub through: Offset,
    /// The last told event by then.
    pub head: Seq,
}

/// All of them, in the order of their records.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Erasures(Vec<OwedErasure>);

impl Nothing for Erasures {
    const NOTHING: &'static Self = &Self(Vec::new());
}

impl Erasures {
    /// People whom the log may name at once: past it nobody is erased until it has been made to. 16: an engine erases one after the other.
    pub(super) const MAX: usize = 16;

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Bytes that it holds.
    pub(super) fn weight(&self) -> usize {
        let numbers: usize = self.0.iter().map(|owed| owed.members.capacity() * size_of::<MemberId>()).sum();
        self.0.capacity() * size_of::<OwedErasure>() + numbers
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &OwedErasure> {
        self.0.iter()
    }

    /// Whether the log may still name somebody for whom this one stands.
    pub(super) fn is_owed(&self, alias: SessionId) -> bool {
        self.0.iter().any(|owed| owed.alias == alias)
    }

    pub(super) fn push(&mut self, owed: OwedErasure) {
        self.0.push(owed);
    }

    /// The log has been made to name nobody whom a record up to this one has erased.
    pub(super) fn settle(&mut self, through: Offset) {
        self.0.retain(|owed| owed.through > through);
    }

    /// Panics when the order is broken.
    pub(super) fn check(&self, last: Offset) {
        assert!(self.0.iter().is_sorted_by(|a, b| a.through < b.through), "erasures are in the order of their records");
        assert!(self.0.iter().all(|owed| owed.through <= last), "who is erased has been");
    }
}

impl OwedErasure {
    /// Whether it is this person, by hash.
    pub(super) fn is_of(&self, person: ScopeHash) -> bool {
        ScopeHash::from(self.person) == person
    }
}
