//! When members last changed what they are shown as, by their numbers: who leaves and comes back to their place has waited no longer.
//!
//! Never here: who may change what.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::types::{MemberId, RoomLimits, Wall};

/// One moment of each member who did so within the interval, in the order of these moments.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct MemberChanges(Vec<(MemberId, Wall)>);

/// How many are remembered, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct MemberChangeBounds {
    pub(super) max: usize,
    interval: Duration,
}

impl MemberChangeBounds {
    pub(super) fn new(limits: &RoomLimits) -> Self {
        Self { max: limits.member_changes_max, interval: limits.member_change_interval }
    }

    /// Where nothing is said of them.
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl Default for MemberChangeBounds {
    fn default() -> Self {
        Self { max: 4_096, interval: Duration::from_secs(10) }
    }
}

impl MemberChanges {
    /// How many are remembered.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Bytes that it holds.
    pub(super) fn weight(&self) -> usize {
        self.0.capacity() * size_of::<(MemberId, Wall)>()
    }

    /// When this member last did so, if that is remembered.
    pub(super) fn last(&self, member: MemberId) -> Option<Wall> {
        self.0.iter().find(|(id, _)| *id == member).map(|&(_, at)| at)
    }

    /// Forgets when this member did so.
    pub(super) fn forget(&mut self, member: MemberId) {
        self.0.retain(|(id, _)| *id != member);
    }

    /// A member has done so now; what is over is forgotten.
    pub(super) fn note(&mut self, member: MemberId, at: Wall, bounds: MemberChangeBounds) {
        self.0.retain(|&(id, then)| id != member && then.after(bounds.interval) > at);
        self.0.push((member, at));
        self.bound(bounds);
    }

    /// Forgets those who did so longest ago, until as many are remembered as may be.
    pub(super) fn bound(&mut self, bounds: MemberChangeBounds) {
        self.0.drain(..self.0.len().saturating_sub(bounds.max));
    }

    /// Panics when the moments are not in order, or a member has two. Costs a look at each.
    pub(super) fn check(&self) {
        assert!(self.0.is_sorted_by_key(|(_, at)| *at), "what was done later stands later");
        let mut members: Vec<MemberId> = self.0.iter().map(|(id, _)| *id).collect();
        members.sort_unstable();
        assert!(members.is_sorted_by(|a, b| a < b), "each member did so last at one moment");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_over_is_forgotten_and_what_is_too_much() {
        let bounds = MemberChangeBounds { max: 2, interval: Duration::from_millis(10) };
        let mut changes = MemberChanges::default();
        for (member, at) in [(4, 0), (1, 5), (4, 9), (2, 12)] {
            changes.note(MemberId(member), Wall(at), bounds);
            changes.check();
        }
        assert_eq!(changes.0, [(MemberId(4), Wall(9)), (MemberId(2), Wall(12))], "two at most, the last ones");
        assert_eq!((changes.last(MemberId(4)), changes.last(MemberId(1))), (Some(Wall(9)), None));
        changes.note(MemberId(7), Wall(19), MemberChangeBounds { max: 9, ..bounds });
        assert_eq!(changes.0, [(MemberId(2), Wall(12)), (MemberId(7), Wall(19))], "after ten it is over");
        changes.bound(MemberChangeBounds { max: 0, ..bounds });
        assert!(changes.is_empty());
    }

    #[test]
    fn bounds_of_which_nothing_is_said_are_those_of_the_default_limits() {
        assert!(MemberChangeBounds::new(&RoomLimits::default()).is_default());
    }
}
