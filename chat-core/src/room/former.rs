//! The places of people who left: their number, colour, role and what they may see, until they come back.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::hashes::ScopeHash;
use super::members::Member;
use super::weight::beside;
use crate::domain::{LeaveReason, Role};
use crate::seldom::Nothing;
use crate::types::{Color, MemberId, Nick, Seq};

/// Who left and may come back to their place, in the order of leaving.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "VecDeque<Place>", into = "VecDeque<Place>")]
pub(super) struct Former {
    places: VecDeque<Place>,
    /// Bytes of the names that lie elsewhere.
    texts: usize,
}

/// What is kept of somebody who left. All places are of one size but for a long name, so that a bound on how many there are bounds their
/// bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    pub(super) scope: ScopeHash,
    /// Where events begin for them.
    pub(super) joined: Seq,
    /// The floor of what they see of messages.
    #[serde(default)]
    pub(super) sees: Seq,
    /// Their number and colour; not known where a program stored the place that gave others to who came back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    number: Option<(MemberId, Color)>,
    /// What they may do again. Of an owner as long as the seat is held for them.
    #[serde(default = "member", skip_serializing_if = "is_member")]
    pub(super) role: Role,
    /// The name last shown; not known where an earlier program stored the place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) nick: Option<Nick>,
    /// Whether they were lost, and did not leave by themselves.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) is_lost: bool,
}

fn member() -> Role {
    Role::Member
}

fn is_member(role: &Role) -> bool {
    *role == Role::Member
}

impl Place {
    /// That of a member who leaves for this reason, and comes back with this role.
    pub(super) fn of(member: &Member, scope: ScopeHash, role: Role, reason: LeaveReason) -> Self {
        let (number, nick) = (Some((member.id, member.color)), Some(member.nick.clone()));
        let is_lost = reason == LeaveReason::Timeout;
        Self { scope, joined: member.joined, sees: member.sees, number, role, nick, is_lost }
    }

    /// What is left of it where who left is banned: they do not come back to it.
    pub(super) fn put_out(self) -> Self {
        Self { role: Role::Member, is_lost: false, ..self }
    }

    /// Whether it is of who had this number.
    pub(super) fn is_of(&self, id: MemberId) -> bool {
        self.number.is_some_and(|(own, _)| own == id)
    }

    /// Whose it is.
    pub(super) fn scope(&self) -> ScopeHash {
        self.scope
    }

    /// Bytes of the name that lie elsewhere.
    fn beside(&self) -> usize {
        self.nick.as_ref().map_or(0, |nick| beside(nick.as_str()))
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

impl Nothing for Former {
    const NOTHING: &'static Self = &Self { places: VecDeque::new(), texts: 0 };
}

impl Former {
    /// How many are remembered.
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Bytes that it holds.
    pub(super) fn weight(&self) -> usize {
        self.places.capacity() * size_of::<Place>() + self.texts
    }

    /// The place of this person, if they are remembered.
    pub(super) fn place(&self, scope: ScopeHash) -> Option<&Place> {
        self.places.iter().find(|place| place.scope == scope)
    }

    /// The place of who has this number, if they are remembered.
    pub(super) fn with_number(&self, member: MemberId) -> Option<&Place> {
        self.places.iter().find(|place| place.is_of(member))
    }

    /// All of them, in the order of leaving.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Place> {
        self.places.iter()
    }

    /// Gives who had this number another role, and says who that is; nothing where nobody is remembered.
    pub(super) fn set_role(&mut self, id: MemberId, role: Role) -> Option<ScopeHash> {
        let place = self.places.iter_mut().find(|place| place.is_of(id))?;
        place.role = role;
        Some(place.scope)
    }

    /// This person comes back as a member, if they are remembered.
    pub(super) fn lower(&mut self, scope: ScopeHash) {
        if let Some(place) = self.places.iter_mut().find(|place| place.scope == scope) {
            place.role = Role::Member;
        }
    }

    /// Remembers a person; forgets the one who left first when there are more than `max`.
    pub(super) fn remember(&mut self, place: Place, max: usize) {
        self.forget(place.scope);
        self.texts += place.beside();
        self.places.push_back(place);
        self.bound(max);
    }

    /// Forgets a person.
    pub(super) fn forget(&mut self, scope: ScopeHash) {
        drop(self.take(scope));
    }

    /// Forgets who had this number.
    pub(super) fn forget_number(&mut self, member: MemberId) {
        if let Some(scope) = self.with_number(member).map(Place::scope) {
            self.forget(scope);
        }
    }

    /// Forgets a person, and says what was remembered.
    pub(super) fn take(&mut self, scope: ScopeHash) -> Option<Place> {
        let index = self.places.iter().position(|place| place.scope == scope)?;
        let place = self.places.remove(index)?;
        self.texts -= place.beside();
        Some(place)
    }

    /// Forgets those who left first, until at most `max` are remembered; those last who have a role: else strangers who come and go would
    /// take it from them.
    pub(super) fn bound(&mut self, max: usize) {
        while self.places.len() > max {
            let without = self.places.iter().position(|place| place.role == Role::Member);
            let gone = self.places.remove(without.unwrap_or(0));
            self.texts -= gone.map_or(0, |place| place.beside());
        }
    }

    /// Panics when two places have one number, or one is of a person who is here. Costs a look at every place.
    pub(super) fn check(&self, last: MemberId, is_member: impl Fn(MemberId) -> bool) {
        let mut numbers: Vec<MemberId> =
            self.places.iter().filter_map(|place| place.number).map(|(id, _)| id).collect();
        assert!(numbers.iter().all(|&id| id <= last && !is_member(id)), "nobody else has the number of who left");
        numbers.sort_unstable();
        assert!(numbers.is_sorted_by(|a, b| a < b), "no two who left have one number");
    }
}

impl From<VecDeque<Place>> for Former {
    fn from(places: VecDeque<Place>) -> Self {
        let texts = places.iter().map(Place::beside).sum();
        Self { places, texts }
    }
}

impl From<Former> for VecDeque<Place> {
    fn from(former: Former) -> Self {
        former.places
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(scope: u64, joined: u64) -> Place {
        let number = Some((MemberId(scope as u32), Color(3)));
        Place {
            scope: ScopeHash::from_bits(scope),
            joined: Seq(joined),
            sees: Seq(joined - 1),
            number,
            role: Role::Member,
            nick: Nick::parse(&"N".repeat(30)).ok(),
            is_lost: false,
        }
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
        assert_eq!((joined(&former, 1), former.len(), former.texts), (None, 2, 60));
        let found = |id| former.with_number(MemberId(id)).map(|place| place.joined.0);
        assert_eq!((found(4), found(1)), (Some(7), None));
        former.check(MemberId(4), |_| false);
    }

    #[test]
    fn who_has_a_role_is_forgotten_last() {
        let mut former = Former::default();
        (1..=3).for_each(|scope| former.remember(place(scope, 5), 3));
        assert_eq!(former.set_role(MemberId(1), Role::Moderator), Some(ScopeHash::from_bits(1)));
        assert_eq!(former.set_role(MemberId(9), Role::Moderator), None);
        former.remember(place(4, 6), 3);
        assert_eq!([1, 2, 3].map(|scope| joined(&former, scope)), [Some(5), None, Some(5)]);
        former.bound(1);
        assert_eq!(joined(&former, 1), Some(5));
        former.bound(0);
        assert_eq!(former.len(), 0, "the bound holds whoever is remembered");
    }

    #[test]
    fn a_place_is_stored_and_read_back_and_once_had_no_number() {
        let stored = serde_json::to_string(&place(1, 5)).expect("a place can be stored");
        assert_eq!(serde_json::from_str::<Place>(&stored).expect("what was stored is read"), place(1, 5));
        let earlier: Place = serde_json::from_str(r#"{"scope":1,"joined":5}"#).expect("an earlier one is read");
        assert_eq!((earlier.joined, earlier.sees, earlier.number(), earlier.nick), (Seq(5), Seq(0), None, None));
        assert_eq!(earlier.role, Role::Member);
        let moderator = Place { role: Role::Moderator, is_lost: true, ..place(1, 5) };
        let stored = serde_json::to_string(&moderator).expect("a place can be stored");
        assert_eq!(serde_json::from_str::<Place>(&stored).expect("what was stored is read"), moderator);
    }

    #[test]
    fn a_place_is_as_large_as_its_bound_says() {
        assert!(size_of::<Place>() <= 64, "{}", size_of::<Place>());
    }

    #[test]
    #[should_panic(expected = "nobody else has the number of who left")]
    fn a_number_that_is_given_to_two_is_a_bug() {
        let mut former = Former::default();
        former.remember(place(1, 5), 3);
        former.check(MemberId(4), |id| id == MemberId(1));
    }
}
