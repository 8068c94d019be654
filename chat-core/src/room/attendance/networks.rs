//! Where members came from: of each the last few networks, so that a ban can keep out who comes from there.

use std::ops::Range;

use crate::types::{MemberId, NetworkTag};

/// In the order of the members' numbers; of each the latest last.
#[derive(Clone, Debug, Default)]
pub(super) struct Networks(Vec<(MemberId, NetworkTag)>);

impl Networks {
    /// Where a member came from, the latest last.
    pub(super) fn of(&self, member: MemberId) -> Vec<NetworkTag> {
        self.0[self.range(member)].iter().map(|(_, network)| *network).collect()
    }

    /// A member came from there; of more than [`NetworkTag::PER_PERSON_MAX`] the one from longest ago is forgotten.
    pub(super) fn came_from(&mut self, member: MemberId, network: NetworkTag) {
        let range = self.range(member);
        if let Some(known) = self.0[range.clone()].iter().position(|(_, known)| *known == network) {
            // Mostly the latest, and nothing moves.
            return self.0[range.start + known..range.end].rotate_left(1);
        }
        if range.len() == NetworkTag::PER_PERSON_MAX {
            self.0[range.clone()].rotate_left(1);
            self.0[range.end - 1].1 = network;
        } else {
            self.0.insert(range.end, (member, network));
        }
    }

    /// Forgets a member.
    pub(super) fn forget(&mut self, member: MemberId) {
        let range = self.range(member);
        self.0.drain(range);
    }

    /// Bytes that it holds.
    pub(super) fn weight(&self) -> usize {
        self.0.capacity() * size_of::<(MemberId, NetworkTag)>()
    }

    /// Panics when the order is broken, or somebody is in it who is not here. Costs a look at each.
    pub(super) fn check(&self, is_here: impl Fn(MemberId) -> bool) {
        assert!(self.0.is_sorted_by_key(|(member, _)| *member), "networks are in the order of the members");
        let all_are_here = self.0.iter().all(|(member, _)| is_here(*member));
        assert!(all_are_here, "nobody is remembered to come from anywhere who is not here");
    }

    fn range(&self, member: MemberId) -> Range<usize> {
        let start = self.0.partition_point(|(other, _)| *other < member);
        start..start + self.0[start..].partition_point(|(other, _)| *other == member)
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
        networks.forget(ANN);
        networks.check(|member| member == BOB);
        assert_eq!((networks.of(ANN), networks.of(BOB)), (tags(&[]), tags(&[7])));
    }

    #[test]
    #[should_panic(expected = "who is not here")]
    fn a_network_of_nobody_is_a_bug() {
        let mut networks = Networks::default();
        networks.came_from(BOB, NetworkTag(7));
        networks.check(|member| member == ANN);
    }
}
