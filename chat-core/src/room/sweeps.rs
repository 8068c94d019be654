//! Ranges of messages that were taken back at once.

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
        self.member == by && self.has(seq)
    }

    /// Whether this number lies in its range.
    pub(crate) fn has(&self, seq: Seq) -> bool {
        (self.from..=self.to).contains(&seq)
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
}
