//! Deadlines of members: set, moved, dropped, and which is the earliest. Nothing is allocated while there is none.

use std::collections::{BTreeMap, BTreeSet};

use crate::types::{MemberId, Mono};

/// At most one deadline per member.
#[derive(Clone, Debug, Default)]
pub(super) struct Deadlines(Option<Box<Views>>);

#[derive(Clone, Debug, Default)]
struct Views {
    of: BTreeMap<MemberId, Mono>,
    order: BTreeSet<(Mono, MemberId)>,
}

impl Deadlines {
    /// How many members have one.
    pub(super) fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |views| views.of.len())
    }

    /// Bytes that they hold: each lies in two trees, whose nodes are two thirds full in the long run.
    pub(super) fn weight(&self) -> usize {
        self.0.as_ref().map_or(0, |_| size_of::<Views>()) + self.len() * 2 * size_of::<(MemberId, Mono)>() / 2 * 3
    }

    /// Whether this member has one.
    pub(super) fn contains(&self, member: MemberId) -> bool {
        self.of(member).is_some()
    }

    /// A member's deadline.
    pub(super) fn of(&self, member: MemberId) -> Option<Mono> {
        self.0.as_ref()?.of.get(&member).copied()
    }

    /// The members that have one, in the order of their numbers.
    pub(super) fn members(&self) -> impl Iterator<Item = MemberId> {
        self.iter().map(|(member, _)| member)
    }

    /// All, in the order of the members' numbers.
    pub(super) fn iter(&self) -> impl Iterator<Item = (MemberId, Mono)> + Clone {
        self.0.iter().flat_map(|views| views.of.iter().map(|(&member, &at)| (member, at)))
    }

    /// The earliest; of two at the same moment, that of the lower number.
    pub(super) fn earliest(&self) -> Option<(Mono, MemberId)> {
        self.0.as_ref()?.order.first().copied()
    }

    /// The member whose deadline has passed first, if any has.
    pub(super) fn due(&self, now: Mono) -> Option<MemberId> {
        self.earliest().filter(|&(at, _)| at <= now).map(|(_, member)| member)
    }

    /// Sets or moves a member's deadline.
    pub(super) fn set(&mut self, member: MemberId, at: Mono) {
        let views = self.0.get_or_insert_default();
        if let Some(before) = views.of.insert(member, at) {
            views.order.remove(&(before, member));
        }
        views.order.insert((at, member));
    }

    /// Drops a member's deadline.
    pub(super) fn drop(&mut self, member: MemberId) {
        let Some(views) = &mut self.0 else { return };
        if let Some(at) = views.of.remove(&member) {
            views.order.remove(&(at, member));
        }
        // An emptied tree keeps a node; 100,000 quiet rooms would keep 100,000.
        if views.of.is_empty() {
            self.0 = None;
        }
    }

    /// Panics when the two views disagree.
    pub(super) fn check(&self) {
        let Some(Views { of, order }) = self.0.as_deref() else { return };
        assert!(of.iter().all(|(&member, &at)| order.contains(&(at, member))), "every deadline is in order");
        assert_eq!(of.len(), order.len(), "a member has one deadline");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_comes_first_and_the_lower_number_of_two() {
        let mut deadlines = Deadlines::default();
        assert_eq!(deadlines.earliest(), None);
        deadlines.set(MemberId(3), Mono(20));
        deadlines.set(MemberId(2), Mono(20));
        deadlines.set(MemberId(1), Mono(30));
        assert_eq!(deadlines.earliest(), Some((Mono(20), MemberId(2))));
        deadlines.set(MemberId(1), Mono(10));
        assert_eq!(deadlines.earliest(), Some((Mono(10), MemberId(1))));
        deadlines.check();
    }

    #[test]
    fn a_deadline_is_due_from_its_own_moment_on() {
        let mut deadlines = Deadlines::default();
        deadlines.set(MemberId(1), Mono(10));
        assert_eq!(deadlines.due(Mono(9)), None);
        assert_eq!(deadlines.due(Mono(10)), Some(MemberId(1)));
    }

    #[test]
    fn a_dropped_deadline_is_gone() {
        let mut deadlines = Deadlines::default();
        deadlines.set(MemberId(1), Mono(10));
        deadlines.set(MemberId(2), Mono(11));
        assert_eq!(deadlines.len(), 2);
        deadlines.drop(MemberId(1));
        deadlines.drop(MemberId(7));
        assert!(!deadlines.contains(MemberId(1)));
        assert_eq!(deadlines.members().collect::<Vec<_>>(), [MemberId(2)]);
        deadlines.drop(MemberId(2));
        assert_eq!((deadlines.len(), deadlines.earliest()), (0, None));
        deadlines.check();
    }

    #[test]
    #[should_panic(expected = "a member has one deadline")]
    fn a_deadline_that_is_nobodys_is_a_bug() {
        let mut deadlines = Deadlines::default();
        deadlines.set(MemberId(1), Mono(10));
        deadlines.0.as_mut().expect("there is one").order.insert((Mono(11), MemberId(1)));
        deadlines.check();
    }
}
