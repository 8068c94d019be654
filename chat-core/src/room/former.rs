//! The places of people who left: their number, colour and what they may see, until they come back.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::dedup::ScopeHash;
use super::members::Member;
use crate::types::{Color, MemberId, Seq};

/// Who left and may come back to their place, in the order of leaving.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Former(VecDeque<Place>);

/// What is kept of somebody who left. All places are of one size, so that a bound on how many there are bounds their bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    scope: ScopeHash,
    /// Where events begin for them.
    pub(super) joined: Seq,
    /// The floor of what they see of messages.
    #[serde(default)]
    pub(super) sees: Seq,
    /// Their number and colour; not known where a program stored the place that gave others to who came back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    number: Option<(MemberId, Color)>,
}

impl Place {
    /// That of a member who leaves.
    pub(super) fn of(member: &Member, scope: ScopeHash) -> Self {
        Self { scope, joined: member.joined, sees: member.sees, number: Some((member.id, member.color)) }
    }

    /// The number and the colour that they have again when they come back.
    pub(super) fn number(&self) -> Option<(MemberId, Color)> {
        #[cfg(feature = "fault_injection")]
        if crate::fault_injection::is(crate::fault_injection::Bug::ForgetPlace) {
            return None;
        }
        self.number
    }
}

impl Former {
    /// How many are remembered.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Bytes that it holds.
    pub(super) fn weight(&self) -> usize {
        self.0.capacity() * size_of::<Place>()
    }

    /// The place of this person, if they are remembered.
    pub(super) fn place(&self, scope: ScopeHash) -> Option<&Place> {
        self.0.iter().find(|place| place.scope == scope)
    }

    /// Remembers a person; forgets the one who left first when there are more than `max`.
    pub(super) fn remember(&mut self, place: Place, max: usize) {
        self.forget(place.scope);
        self.0.push_back(place);
        self.bound(max);
    }

    /// Forgets a person.
    pub(super) fn forget(&mut self, scope: ScopeHash) {
        if let Some(index) = self.0.iter().position(|place| place.scope == scope) {
            self.0.remove(index);
        }
    }

    /// Forgets those who left first, until at most `max` are remembered.
    pub(super) fn bound(&mut self, max: usize) {
        let over = self.0.len().saturating_sub(max);
        self.0.drain(..over);
    }

    /// Panics when two places have one number, or one is of a person who is here. Costs a look at every place.
    pub(super) fn check(&self, last: MemberId, is_member: impl Fn(MemberId) -> bool) {
        let mut numbers: Vec<MemberId> = self.0.iter().filter_map(|place| place.number).map(|(id, _)| id).collect();
        assert!(numbers.iter().all(|&id| id <= last && !is_member(id)), "nobody else has the number of who left");
        numbers.sort_unstable();
        assert!(numbers.is_sorted_by(|a, b| a < b), "no two who left have one number");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(scope: u64, joined: u64) -> Place {
        let number = Some((MemberId(scope as u32), Color(3)));
        Place { scope: ScopeHash::from_bits(scope), joined: Seq(joined), sees: Seq(joined - 1), number }
    }

    fn joined(former: &Former, scope: u64) -> Option<u64> {
        former.place(ScopeHash::from_bits(scope)).map(|place| place.joined.0)
    }

    #[test]
    fn those_who_left_first_are_forgotten_first() {
        let mut former = Former::default();
        (1..=3).for_each(|scope| former.remember(place(scope, 5), 3));
        former.remember(place(1, 6), 3);
        former.remember(place(4, 7), 3);
        assert_eq!(joined(&former, 2), None, "the first to leave for good");
        assert_eq!(joined(&former, 1), Some(6));
        former.forget(ScopeHash::from_bits(1));
        assert_eq!((joined(&former, 1), former.len()), (None, 2));
        former.check(MemberId(4), |_| false);
    }

    #[test]
    fn a_place_is_stored_and_read_back_and_once_had_no_number() {
        let stored = serde_json::to_string(&place(1, 5)).expect("a place can be stored");
        assert_eq!(serde_json::from_str::<Place>(&stored).expect("what was stored is read"), place(1, 5));
        let earlier: Place = serde_json::from_str(r#"{"scope":1,"joined":5}"#).expect("an earlier one is read");
        assert_eq!((earlier.joined, earlier.sees, earlier.number()), (Seq(5), Seq(0), None));
    }

    #[test]
    fn a_place_is_as_large_as_its_bound_says() {
        assert!(size_of::<Place>() <= 40, "{}", size_of::<Place>());
    }

    #[test]
    #[should_panic(expected = "nobody else has the number of who left")]
    fn a_number_that_is_given_to_two_is_a_bug() {
        let mut former = Former::default();
        former.remember(place(1, 5), 3);
        former.check(MemberId(4), |id| id == MemberId(1));
    }
}
