//! Ranges of messages that were taken back at once, and those of them that the log has still to be made to forget.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::types::{MemberId, Seq};

/// Messages that were taken back together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sweep {
    /// Whose, by number.
    pub member: MemberId,
    /// The first event of the range.
    pub from: Seq,
    /// The last event of the range.
    pub to: Seq,
    /// The event that took them back.
    pub change: Seq,
}

impl Sweep {
    /// Whether it takes back the message of this number and author.
    pub fn covers(&self, by: MemberId, seq: Seq) -> bool {
        self.member == by && (self.from..=self.to).contains(&seq)
    }
}

/// What the log has to be made to forget for sweeps, in the order of the changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct OwedSweeps(VecDeque<Sweep>);

impl OwedSweeps {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Bytes that it holds.
    pub(super) fn weight(&self) -> usize {
        self.0.capacity() * size_of::<Sweep>()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Sweep> {
        self.0.iter().copied()
    }

    pub(super) fn push(&mut self, sweep: Sweep) {
        self.0.push_back(sweep);
    }

    /// The log has been amended for all changes up to this one.
    pub(super) fn settle(&mut self, through: Seq) {
        while self.0.front().is_some_and(|owed| owed.change <= through) {
            self.0.pop_front();
        }
        if self.0.is_empty() {
            self.0 = VecDeque::new();
        }
    }

    /// Panics when the order is broken.
    pub(super) fn check(&self, head: Seq) {
        assert!(self.0.iter().is_sorted_by(|a, b| a.change < b.change), "sweeps are owed in the order of the changes");
        let have_happened = self.0.iter().all(|owed| owed.to < owed.change && owed.change <= head);
        assert!(have_happened, "a sweep that is owed has happened");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sweep(change: u64) -> Sweep {
        Sweep { member: MemberId(1), from: Seq(2), to: Seq(4), change: Seq(change) }
    }

    #[test]
    fn a_range_covers_the_messages_of_one_author_from_its_first_to_its_last() {
        let covered = |by, seq| sweep(5).covers(MemberId(by), Seq(seq));
        assert_eq!([1, 2, 4, 5].map(|seq| covered(1, seq)), [false, true, true, false]);
        assert!(!covered(2, 3));
    }

    #[test]
    fn what_is_settled_goes_through_the_change_that_is_named_and_no_further() {
        let mut owed = OwedSweeps([5, 8].map(sweep).into());
        owed.check(Seq(8));
        owed.settle(Seq(7));
        assert_eq!(owed.iter().collect::<Vec<_>>(), [sweep(8)]);
        owed.settle(Seq(8));
        assert_eq!((owed.len(), owed.weight()), (0, 0));
    }

    #[test]
    #[should_panic(expected = "in the order of the changes")]
    fn an_order_that_is_broken_is_a_bug() {
        OwedSweeps([8, 5].map(sweep).into()).check(Seq(9));
    }
}
