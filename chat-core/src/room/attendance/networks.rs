//! Where members came from: of each the last few networks, so that a ban can keep out who comes from there.
//!
//! Kept of the last who went, too: else whoever leaves in time could not be banned with their network.

use std::collections::VecDeque;
use std::ops::Range;

use crate::types::{MemberId, NetworkTag};

/// In the order of the members' numbers; of each the latest last.
#[derive(Clone, Debug, Default)]
pub(super) struct Networks {
    known: Vec<(MemberId, NetworkTag)>,
    /// Those of them who are not here, in the order of going.
    gone: VecDeque<MemberId>,
}

impl Networks {
    /// Where a member came from, the latest last.
    pub(super) fn of(&self, member: MemberId) -> Vec<NetworkTag> {
        self.known[self.range(member)].iter().map(|(_, network)| *network).collect()
    }

    /// A member came from there; of more than [`NetworkTag::PER_PERSON_MAX`] the one from longest ago is forgotten.
    pub(super) fn came_from(&mut self, member: MemberId, network: NetworkTag) {
        let range = self.range(member);
        if let Some(known) = self.known[range.clone()].iter().position(|(_, known)| *known == network) {
            // Mostly the latest, and nothing moves.
            return self.known[range.start + known..range.end].rotate_left(1);
        }
        if range.len() == NetworkTag::PER_PERSON_MAX {
            self.known[range.clone()].rotate_left(1);
            self.known[range.end - 1].1 = network;
        } else {
            self.known.insert(range.end, (member, network));
        }
    }

    /// A member is here again.
    pub(super) fn enter(&mut self, member: MemberId) {
        self.gone.retain(|&gone| gone != member);
    }

    /// A member has gone. Of more than so many who went the one from longest ago is forgotten.
    pub(super) fn exit(&mut self, member: MemberId, gone_max: usize) {
        if self.range(member).is_empty() {
            return;
        }
        self.gone.push_back(member);
        while self.gone.len() > gone_max {
            let Some(first) = self.gone.pop_front() else { return };
            self.forget(first);
        }
    }

    /// Forgets all who are not here: their numbers may be others' now.
    pub(super) fn forget_gone(&mut self) {
        std::mem::take(&mut self.gone).into_iter().for_each(|member| self.forget(member));
    }

    /// Forgets where one of those came from who are not here.
    pub(super) fn forget_one(&mut self, member: MemberId) {
        if self.gone.contains(&member) {
            self.gone.retain(|&gone| gone != member);
            self.forget(member);
        }
    }

    fn forget(&mut self, member: MemberId) {
        let range = self.range(member);
        self.known.drain(range);
    }

    /// Bytes that it holds.
    pub(super) fn weight(&self) -> usize {
        self.known.capacity() * size_of::<(MemberId, NetworkTag)>() + self.gone.capacity() * size_of::<MemberId>()
    }

    /// Panics when the order is broken, somebody is in it who is neither here nor among those who went, or these are too many. Costs a look at
    /// each.
    pub(super) fn check(&self, gone_max: usize, is_here: impl Fn(MemberId) -> bool) {
        assert!(self.known.is_sorted_by_key(|(member, _)| *member), "networks are in the order of the members");
        let is_known = |member: MemberId| is_here(member) != self.gone.contains(&member);
        assert!(self.known.iter().all(|(member, _)| is_known(*member)), "who came from somewhere is here, or has gone");
        assert!(self.gone.len() <= gone_max, "former_networks_max holds");
    }

    fn range(&self, member: MemberId) -> Range<usize> {
        let start = self.known.partition_point(|(other, _)| *other < member);
        start..start + self.known[start..].partition_point(|(other, _)| *other == member)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: MemberId = MemberId(1);
    const BOB: MemberId = MemberId(2);

    fn tags(numbers: &[u64]) -> Vec<NetworkTag> {
        numbers.iter().map(|&number| NetworkTag(number)).collect()
    }

    #[test]
    fn of_each_member_the_last_few_are_remembered_and_the_latest_stands_last() {
        let mut networks = Networks::default();
        networks.came_from(BOB, NetworkTag(7));
        let max = NetworkTag::PER_PERSON_MAX as u64;
        (0..=max).for_each(|number| networks.came_from(ANN, NetworkTag(number)));
        assert_eq!(networks.of(ANN), tags(&(1..=max).collect::<Vec<_>>()));
        networks.came_from(ANN, NetworkTag(1));
        assert_eq!(networks.of(ANN), tags(&(2..=max).chain([1]).collect::<Vec<_>>()), "again: the latest, and once");
        assert_eq!(networks.of(BOB), tags(&[7]));
        [8, 9, 8].into_iter().for_each(|number| networks.came_from(BOB, NetworkTag(number)));
        assert_eq!(networks.of(BOB), tags(&[7, 9, 8]), "whose others stay where they are, and everybody's else");
        networks.exit(ANN, 2);
        networks.check(2, |member| member == BOB);
        assert_eq!(networks.of(ANN).len(), NetworkTag::PER_PERSON_MAX, "and of who has gone");
        networks.enter(ANN);
        networks.exit(BOB, 2);
        networks.forget_gone();
        networks.check(0, |member| member == ANN);
        assert_eq!((networks.of(ANN).len(), networks.of(BOB)), (NetworkTag::PER_PERSON_MAX, tags(&[])));
    }

    #[test]
    fn of_those_who_went_the_last_few_are_remembered() {
        let mut networks = Networks::default();
        for number in 0..5 {
            networks.came_from(MemberId(number), NetworkTag(1));
            networks.exit(MemberId(number), 3);
        }
        networks.check(3, |_| false);
        assert_eq!([1, 2].map(|number| networks.of(MemberId(number)).len()), [0, 1]);
        let before = networks.weight();
        networks.forget_gone();
        assert!(networks.weight() + 3 * size_of::<MemberId>() <= before, "the list of them weighs, too");
        networks.came_from(ANN, NetworkTag(1));
        networks.exit(ANN, 0);
        assert_eq!(networks.of(ANN), [], "and none where the room remembers nobody");
    }

    #[test]
    #[should_panic(expected = "is here, or has gone")]
    fn a_network_of_nobody_is_a_bug() {
        let mut networks = Networks::default();
        networks.came_from(BOB, NetworkTag(7));
        networks.check(1, |member| member == ANN);
    }
}
