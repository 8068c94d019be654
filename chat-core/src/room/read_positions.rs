//! How far each person has read, kept beside the log and never in it.
//!
//! The newest position counts, and a crash may lose the last seconds of moving it.

use serde::{Deserialize, Serialize};

use crate::types::{MemberId, Seq, count};

/// How far people have read, at most [`RoomLimits::reads_max`](crate::RoomLimits::reads_max) of them: more than that many who read at
/// once, and those whose positions have not moved for longest count as having read up to where they came in.
///
/// Stored as pairs of a member's number and a position, the one that has not moved for longest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<(MemberId, Seq)>", into = "Vec<(MemberId, Seq)>")]
pub struct ReadPositions {
    /// In the order of their numbers.
    kept: Vec<Kept>,
    /// Counts the moves.
    turn: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Kept {
    member: MemberId,
    through: Seq,
    turn: u64,
}

/// How far one person has read, and what is left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReadPosition {
    /// The last event that they have read; at first the one before they came in.
    pub through: Seq,
    /// Messages of others after it that were not taken back, as far as the room remembers them; at most
    /// [`RoomLimits::unread_max`](crate::RoomLimits::unread_max).
    #[serde(with = "count")]
    pub unread: usize,
    /// As of which event: messages after it are counted by whoever hears of them.
    pub as_of: Seq,
}

impl ReadPositions {
    /// Whether no position is kept.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// How many positions are kept.
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// Bytes that it holds.
    pub(super) fn weight(&self) -> usize {
        self.kept.capacity() * size_of::<Kept>()
    }

    pub(super) fn of(&self, member: MemberId) -> Option<Seq> {
        self.find(member).ok().map(|index| self.kept[index].through)
    }

    /// Moves a position forward. Where there are more than `max`, the one that has not moved for longest is forgotten.
    pub(super) fn advance(&mut self, member: MemberId, through: Seq, max: usize) {
        let turn = self.turn + 1;
        match self.find(member) {
            Ok(index) if self.kept[index].through < through => self.kept[index] = Kept { member, through, turn },
            Err(index) if max > 0 => {
                self.kept.insert(index, Kept { member, through, turn });
                self.bound(max);
            }
            _ => return,
        }
        self.turn = turn;
    }

    /// Forgets how far somebody has read.
    pub(super) fn forget(&mut self, member: MemberId) {
        self.kept.retain(|kept| kept.member != member);
    }

    /// What holds of them where there is no member of a higher number than `last`, and no event after `head`.
    pub(super) fn limited_to(mut self, last: MemberId, head: Seq, max: usize) -> Self {
        self.kept.retain(|kept| kept.member <= last);
        for kept in &mut self.kept {
            kept.through = kept.through.min(head);
        }
        while self.kept.len() > max {
            self.forget_one();
        }
        self
    }

    fn bound(&mut self, max: usize) {
        if self.kept.len() > max {
            self.forget_one();
        }
    }

    fn forget_one(&mut self) {
        let oldest = self.kept.iter().enumerate().min_by_key(|(_, kept)| kept.turn).map(|(index, _)| index);
        if let Some(index) = oldest {
            self.kept.remove(index);
        }
    }

    fn find(&self, member: MemberId) -> Result<usize, usize> {
        self.kept.binary_search_by_key(&member, |kept| kept.member)
    }
}

impl From<Vec<(MemberId, Seq)>> for ReadPositions {
    fn from(pairs: Vec<(MemberId, Seq)>) -> Self {
        let mut positions = Self::default();
        for (member, through) in pairs {
            positions.advance(member, through, usize::MAX);
        }
        positions
    }
}

impl From<ReadPositions> for Vec<(MemberId, Seq)> {
    fn from(positions: ReadPositions) -> Self {
        let mut kept = positions.kept;
        kept.sort_unstable_by_key(|kept| kept.turn);
        kept.into_iter().map(|kept| (kept.member, kept.through)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn positions(pairs: &[(u32, u64)]) -> ReadPositions {
        pairs.iter().map(|&(member, through)| (MemberId(member), Seq(through))).collect::<Vec<_>>().into()
    }

    fn stored(positions: &ReadPositions) -> String {
        serde_json::to_string(positions).expect("it can be stored")
    }

    #[test]
    fn a_position_never_goes_back() {
        let mut reads = positions(&[(2, 7)]);
        reads.advance(MemberId(2), Seq(5), 9);
        assert_eq!(reads.of(MemberId(2)), Some(Seq(7)));
        reads.advance(MemberId(2), Seq(8), 9);
        assert_eq!((reads.of(MemberId(2)), reads.of(MemberId(1))), (Some(Seq(8)), None));
    }

    #[test]
    fn the_one_that_has_not_moved_for_longest_is_forgotten() {
        let mut reads = positions(&[(1, 7), (2, 7), (3, 7)]);
        reads.advance(MemberId(1), Seq(8), 3);
        reads.advance(MemberId(2), Seq(7), 3);
        reads.advance(MemberId(9), Seq(8), 3);
        assert_eq!(stored(&reads), "[[3,7],[1,8],[9,8]]", "who says the same again has not moved");
        reads.advance(MemberId(4), Seq(8), 0);
        assert_eq!(stored(&reads), "[[3,7],[1,8],[9,8]]", "where none are kept none is");
        reads.advance(MemberId(4), Seq(8), 4);
        assert_eq!((reads.len(), reads.is_empty(), positions(&[]).is_empty()), (4, false, true));
    }

    #[test]
    fn it_is_read_as_it_was_stored_and_the_order_of_moves_with_it() {
        let mut reads: ReadPositions = serde_json::from_str("[[3,7],[1,8],[9,8]]").expect("it can be read");
        reads.advance(MemberId(2), Seq(9), 3);
        assert_eq!(stored(&reads), "[[1,8],[9,8],[2,9]]");
    }

    #[test]
    fn nobody_has_read_what_the_log_does_not_hold() {
        let reads = positions(&[(1, 7), (2, 3), (5, 9)]).limited_to(MemberId(2), Seq(6), 9);
        assert_eq!(stored(&reads), "[[1,6],[2,3]]");
        assert_eq!(stored(&reads.limited_to(MemberId(4), Seq(6), 1)), "[[2,3]]");
    }
}
