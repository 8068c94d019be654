//! What slow mode remembers: when members last spoke while it was on. By number, so that who comes back to their place has it still.
//!
//! Never here: whom slow mode holds, and for how long. `settings.rs` says that.

use serde::{Deserialize, Serialize};

use crate::types::{MemberId, Wall};

/// One moment of each member who has spoken since slow mode was switched on, in the order of their numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct SlowMode(Vec<(MemberId, Wall)>);

impl SlowMode {
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

    /// When this member last spoke, if that is remembered.
    pub(super) fn last(&self, member: MemberId) -> Option<Wall> {
        self.find(member).ok().map(|index| self.0[index].1)
    }

    /// A member has spoken; of more than `max` the one who has been silent for longest is forgotten.
    pub(super) fn spoke(&mut self, member: MemberId, at: Wall, max: usize) {
        match self.find(member) {
            Ok(index) => self.0[index].1 = at,
            Err(index) => self.0.insert(index, (member, at)),
        }
        if self.0.len() > max {
            let silent = self.0.iter().enumerate().min_by_key(|&(_, &(id, at))| (at, id)).map(|(index, _)| index);
            self.0.remove(silent.expect("more than none are remembered"));
        }
    }

    /// Forgets a member, whose number nobody has again.
    pub(super) fn forget(&mut self, member: MemberId) {
        if let Ok(index) = self.find(member) {
            self.0.remove(index);
        }
    }

    /// Forgets those who have been silent for longest, until at most `max` are remembered.
    pub(super) fn bound(&mut self, max: usize) {
        let over = self.0.len().saturating_sub(max);
        if over > 0 {
            self.0.sort_unstable_by_key(|&(id, at)| (at, id));
            self.0.drain(..over);
            self.0.sort_unstable_by_key(|&(id, _)| id);
        }
    }

    /// Panics when a member stands in it twice. Costs a look at each.
    pub(super) fn check(&self) {
        assert!(self.0.is_sorted_by(|a, b| a.0 < b.0), "each member spoke last at one moment");
    }

    fn find(&self, member: MemberId) -> Result<usize, usize> {
        self.0.binary_search_by_key(&member, |&(id, _)| id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(moments: &[(u32, u64)]) -> SlowMode {
        SlowMode(moments.iter().map(|&(id, at)| (MemberId(id), Wall(at))).collect())
    }

    #[test]
    fn who_has_been_silent_for_longest_is_forgotten_first() {
        let mut slow_mode = SlowMode::default();
        for (member, at) in [(4, 10), (1, 20), (9, 30), (4, 40), (2, 50)] {
            slow_mode.spoke(MemberId(member), Wall(at), 3);
            slow_mode.check();
        }
        assert_eq!(slow_mode, of(&[(2, 50), (4, 40), (9, 30)]));
        assert_eq!((slow_mode.last(MemberId(4)), slow_mode.last(MemberId(1))), (Some(Wall(40)), None));
        slow_mode.forget(MemberId(4));
        slow_mode.forget(MemberId(4));
        assert_eq!(slow_mode, of(&[(2, 50), (9, 30)]));
    }

    #[test]
    fn one_bound_after_the_other_and_all_at_once_come_to_the_same() {
        let moments = [(1, 30), (2, 10), (3, 40), (4, 10), (5, 20)];
        let mut slow_mode = of(&moments);
        slow_mode.bound(2);
        assert_eq!(slow_mode, of(&[(1, 30), (3, 40)]));
        let mut each = SlowMode::default();
        moments.iter().for_each(|&(id, at)| each.spoke(MemberId(id), Wall(at), 2));
        assert_eq!(each.len(), 2);
        each.bound(0);
        assert!(each.is_empty());
    }
}
