//! What the log has to be made to forget, as far as the log itself does not say that it has.
//!
//! Part of the ledger, so that whoever reads a room back knows it.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::domain::Amend;
use crate::types::Seq;

/// One message that the log may still hold as it was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwedAmend {
    /// The message.
    pub target: Seq,
    /// The event that took it back.
    pub change: Seq,
}

impl OwedAmend {
    /// What the log is asked to do.
    pub fn amend(self) -> Amend {
        Amend::take_back(self.target, self.change)
    }
}

/// All that is owed, in the order of the changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Owed(VecDeque<OwedAmend>);

impl Owed {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Bytes that it holds.
    pub(super) fn weight(&self) -> usize {
        self.0.capacity() * size_of::<OwedAmend>()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = OwedAmend> {
        self.0.iter().copied()
    }

    /// A message was taken back. Whether there is room for it was looked at before this was recorded; and nothing goes for want of it: the
    /// records of a program that settled nothing may owe more.
    pub(super) fn push(&mut self, owed: OwedAmend) {
        self.0.push_back(owed);
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
        assert!(self.0.iter().is_sorted_by(|a, b| a.change < b.change), "what is owed is in the order of the changes");
        assert!(
            self.0.iter().all(|owed| owed.target < owed.change && owed.change <= head),
            "what is owed has happened"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owed(changes: &[u64]) -> Owed {
        Owed(changes.iter().map(|&change| OwedAmend { target: Seq(1), change: Seq(change) }).collect())
    }

    #[test]
    fn what_is_settled_goes_through_the_change_that_is_named_and_no_further() {
        let mut all = owed(&[3, 5, 8]);
        all.settle(Seq(2));
        assert_eq!(all, owed(&[3, 5, 8]));
        all.settle(Seq(5));
        assert_eq!(all, owed(&[8]));
        all.settle(Seq(9));
        assert_eq!((all.len(), all.weight()), (0, 0));
    }

    #[test]
    #[should_panic(expected = "in the order of the changes")]
    fn an_order_that_is_broken_is_a_bug() {
        owed(&[5, 3]).check(Seq(9));
    }
}
