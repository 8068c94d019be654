//! Which messages were changed lately, and by which event: what somebody who missed events asks for.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::sweeps::Sweep;
use crate::seldom::Nothing;
use crate::types::{MemberId, Seq};

/// A message that was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// The message.
    pub target: Seq,
    /// The last event that changed it.
    pub change: Seq,
}

/// The same, as it is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    target: Seq,
    change: Seq,
    /// Whether the change took it back; nothing changes it after that. What programs stored that did not say so was taken back.
    #[serde(default = "is_so", skip_serializing_if = "Clone::clone")]
    taken_back: bool,
    /// The last edit of it; 0 for none. A reaction changes nothing that it says.
    #[serde(default, skip_serializing_if = "is_none")]
    edit: Seq,
    /// Who made it, and said the message; 0 for none.
    #[serde(default = "nobody", skip_serializing_if = "is_nobody")]
    by: MemberId,
}

impl Kept {
    /// The last change of what it says; 0 for none.
    fn said(&self) -> Seq {
        if self.taken_back { self.change } else { self.edit }
    }
}

fn is_none(seq: &Seq) -> bool {
    *seq == Seq(0)
}

fn nobody() -> MemberId {
    MemberId(0)
}

fn is_nobody(by: &MemberId) -> bool {
    *by == nobody()
}

fn is_so() -> bool {
    true
}

/// The messages that were changed last, in the order of their last changes. Of each there is one entry, however often it was changed; and
/// one of each range that was taken back at once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Changes {
    kept: VecDeque<Kept>,
    #[serde(default, skip_serializing_if = "VecDeque::is_empty")]
    ranges: VecDeque<Sweep>,
    /// The newest change of which nothing is known any more.
    floor: Seq,
}

impl Nothing for Changes {
    const NOTHING: &'static Self = &Self { kept: VecDeque::new(), ranges: VecDeque::new(), floor: Seq(0) };
}

impl Changes {
    /// Of a ledger that was stored by a program that did not keep them: see [`Changes::unknown_until`].
    pub(super) fn unknown() -> Self {
        Self { kept: VecDeque::new(), ranges: VecDeque::new(), floor: Seq(u64::MAX) }
    }

    /// The same, in a ledger that ends with this event: what was not kept may have changed until then.
    pub(super) fn unknown_until(mut self, head: Seq) -> Self {
        self.floor = self.floor.min(head);
        self
    }

    pub(super) fn len(&self) -> usize {
        self.kept.len() + self.ranges.len()
    }

    /// Bytes that they hold.
    pub(super) fn weight(&self) -> usize {
        self.kept.capacity() * size_of::<Kept>() + self.ranges.capacity() * size_of::<Sweep>()
    }

    /// The newest change; 0 for none.
    pub(super) fn last(&self) -> Seq {
        let range = self.ranges.back().map_or(self.floor, |sweep| sweep.change);
        self.kept.back().map_or(range, |changed| changed.change.max(range))
    }

    /// Whether what this message of this author says may have been changed after an event, as far as that is remembered.
    pub(super) fn may_have_changed(&self, target: Seq, by: MemberId, since: Seq) -> bool {
        since < self.floor
            || self
                .kept
                .iter()
                .rev()
                .take_while(|changed| changed.change > since)
                .any(|changed| changed.target == target && changed.said() > since)
            || self.ranges_after(since).any(|sweep| sweep.covers(by, target))
    }

    /// The last edit of this message, as far as that is remembered, and of any that was taken back since.
    pub(super) fn last_edit(&self, target: Seq) -> Option<Seq> {
        let changed = self.kept.iter().find(|changed| changed.target == target)?;
        (!is_none(&changed.edit)).then_some(changed.edit)
    }

    /// The same of the messages that a range covers.
    #[cfg(any(test, feature = "engine"))]
    pub(super) fn last_edits(&self, sweep: Sweep) -> impl Iterator<Item = Seq> {
        let is_swept = move |changed: &&Kept| sweep.covers(changed.by, changed.target) && !is_none(&changed.edit);
        self.kept.iter().filter(is_swept).map(|changed| changed.edit)
    }

    /// Whether this message was taken back, as far as that is remembered.
    pub(super) fn has_taken_back(&self, target: Seq) -> bool {
        self.kept.iter().any(|changed| changed.target == target && changed.taken_back)
    }

    /// The newest change that took something back; 0 for none.
    #[cfg(feature = "fault_injection")]
    pub(super) fn last_taken_back(&self) -> Seq {
        let singles = self.kept.iter().filter(|changed| changed.taken_back).map(|changed| changed.change);
        singles.chain(self.ranges.iter().map(|sweep| sweep.change)).max().unwrap_or_default()
    }

    /// A message was taken back. The one whose last change is longest ago is forgotten where there are more than `max`.
    pub(super) fn push(&mut self, Changed { target, change }: Changed, max: usize) {
        self.put(Kept { target, change, taken_back: true, edit: Seq(0), by: nobody() }, max);
    }

    /// The same, of one that was not taken back, and looks otherwise now though it says the same.
    pub(super) fn push_altered(&mut self, Changed { target, change }: Changed, max: usize) {
        self.put(Kept { target, change, taken_back: false, edit: Seq(0), by: nobody() }, max);
    }

    /// The same, of one that says something else now.
    pub(super) fn push_edited(&mut self, Changed { target, change }: Changed, by: MemberId, max: usize) {
        self.put(Kept { target, change, taken_back: false, edit: change, by }, max);
    }

    fn put(&mut self, mut changed: Kept, max: usize) {
        let before = self.kept.iter().find(|other| other.target == changed.target);
        if let Some(before) = before.filter(|_| is_none(&changed.edit)) {
            (changed.edit, changed.by) = (before.edit, before.by);
        }
        self.kept.retain(|other| other.target != changed.target);
        self.kept.push_back(changed);
        self.bound(max);
    }

    /// A range was taken back; one of the same person that lies in it is superseded.
    pub(super) fn push_range(&mut self, sweep: Sweep, max: usize) {
        let is_within = |other: &Sweep| sweep.covers(other.member, other.from) && sweep.covers(other.member, other.to);
        self.ranges.retain(|other| !is_within(other));
        self.ranges.push_back(sweep);
        self.bound(max);
    }

    /// Forgets the oldest, until at most `max` are remembered.
    pub(super) fn bound(&mut self, max: usize) {
        while self.len() > max {
            let single = self.kept.front().map_or(Seq(u64::MAX), |changed| changed.change);
            let range = self.ranges.front().map_or(Seq(u64::MAX), |sweep| sweep.change);
            match single < range {
                true => self.kept.pop_front().map(|_| ()),
                false => self.ranges.pop_front().map(|_| ()),
            };
            self.floor = single.min(range);
        }
    }

    /// What was changed after this event, in the order of the changes; `None` where not all of that is remembered.
    pub(super) fn after(&self, seq: Seq) -> Option<impl ExactSizeIterator<Item = Changed>> {
        let start = self.kept.partition_point(|changed| changed.change <= seq);
        let changed = |&Kept { target, change, .. }: &Kept| Changed { target, change };
        (seq >= self.floor).then(|| self.kept.range(start..).map(changed))
    }

    /// The ranges that were taken back after this event; all that are remembered for [`Seq`] 0.
    pub(super) fn ranges_after(&self, seq: Seq) -> impl Iterator<Item = &Sweep> {
        let start = self.ranges.partition_point(|sweep| sweep.change <= seq);
        self.ranges.range(start..)
    }

    /// Panics when the order is broken.
    pub(super) fn check(&self, head: Seq) {
        assert!(self.kept.iter().is_sorted_by(|a, b| a.change < b.change), "changes are remembered in order");
        assert!(self.kept.iter().all(|changed| changed.target < changed.change), "what is changed was said before");
        assert!(self.ranges.iter().is_sorted_by(|a, b| a.change < b.change), "ranges are remembered in order");
        assert!(self.ranges.iter().all(|sweep| sweep.to < sweep.change), "what is taken back was said before");
        let oldest = self.kept.front().map(|changed| changed.change);
        let oldest = oldest.into_iter().chain(self.ranges.front().map(|sweep| sweep.change)).min();
        assert!(oldest.is_none_or(|oldest| self.floor < oldest), "what is forgotten is older");
        assert!(self.last() <= head, "no change is newer than the head");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(entries: &[(u64, u64)], max: usize) -> Changes {
        let mut changes = Changes::default();
        for &(target, change) in entries {
            changes.push(Changed { target: Seq(target), change: Seq(change) }, max);
            changes.check(Seq(change));
        }
        changes
    }

    fn after(changes: &Changes, seq: u64) -> Option<Vec<(u64, u64)>> {
        let found = changes.after(Seq(seq))?;
        Some(found.map(|changed| (changed.target.0, changed.change.0)).collect())
    }

    #[test]
    fn a_message_that_is_changed_again_moves_to_the_end() {
        let changes = changes(&[(1, 5), (2, 6), (1, 7)], 8);
        assert_eq!(after(&changes, 0), Some(vec![(2, 6), (1, 7)]));
        assert_eq!((after(&changes, 6), after(&changes, 7)), (Some(vec![(1, 7)]), Some(vec![])));
        assert_eq!((changes.len(), changes.last()), (2, Seq(7)));
        let may_have_changed = |target, since| changes.may_have_changed(Seq(target), MemberId(1), Seq(since));
        assert_eq!([5, 6].map(|since| may_have_changed(2, since)), [true, false]);
        assert_eq!((may_have_changed(1, 6), may_have_changed(3, 0)), (true, false));
        assert!(changes.has_taken_back(Seq(2)) && !changes.has_taken_back(Seq(3)));
    }

    #[test]
    fn what_was_altered_is_told_as_what_was_taken_back_and_is_not_taken_for_it() {
        let mut changes = changes(&[(2, 6)], 8);
        changes.push_altered(Changed { target: Seq(1), change: Seq(7) }, 8);
        assert_eq!(after(&changes, 0), Some(vec![(2, 6), (1, 7)]));
        assert!(changes.has_taken_back(Seq(2)) && !changes.has_taken_back(Seq(1)));
        let stored = serde_json::to_string(&changes.kept).expect("they can be stored");
        assert_eq!(stored, r#"[{"target":2,"change":6},{"target":1,"change":7,"taken_back":false}]"#);
        assert_eq!(serde_json::from_str::<VecDeque<Kept>>(&stored).expect("they are read"), changes.kept);
        changes.push(Changed { target: Seq(1), change: Seq(8) }, 8);
        assert!(changes.has_taken_back(Seq(1)) && changes.len() == 2);
    }

    #[test]
    fn a_message_says_the_same_after_a_reaction_and_after_others_were_taken_back_around_it() {
        let mut changes = Changes::default();
        changes.push_edited(Changed { target: Seq(1), change: Seq(6) }, MemberId(1), 8);
        changes.push_altered(Changed { target: Seq(1), change: Seq(7) }, 8);
        changes.push_altered(Changed { target: Seq(2), change: Seq(8) }, 8);
        changes.push_range(Sweep { member: MemberId(2), from: Seq(1), to: Seq(5), change: Seq(9) }, 8);
        let stored = serde_json::to_string(&changes.kept).expect("they can be stored");
        assert_eq!(serde_json::from_str::<VecDeque<Kept>>(&stored).expect("they are read"), changes.kept);
        let says_else = |target, by, since| changes.may_have_changed(Seq(target), MemberId(by), Seq(since));
        assert_eq!([5, 6].map(|since| says_else(1, 1, since)), [true, false], "the reaction is no edit");
        assert_eq!([1, 2].map(|by| says_else(2, by, 0)), [false, true], "it is taken back if it is theirs");
        changes.push(Changed { target: Seq(1), change: Seq(10) }, 8);
        assert!(changes.may_have_changed(Seq(1), MemberId(1), Seq(9)));
        let swept = |by| changes.last_edits(Sweep { member: MemberId(by), from: Seq(1), to: Seq(5), change: Seq(11) });
        assert_eq!([1, 2].map(|by| swept(by).collect::<Vec<_>>()), [vec![Seq(6)], vec![]], "the edit is known still");
        assert_eq!([1, 2].map(|target| changes.last_edit(Seq(target))), [Some(Seq(6)), None]);
    }

    #[test]
    fn what_was_dropped_is_out_of_reach_for_whoever_was_there_before_it() {
        let full = changes(&[(1, 5), (2, 6), (3, 8)], 2);
        assert_eq!((after(&full, 4), after(&full, 5)), (None, Some(vec![(2, 6), (3, 8)])));
        assert!(
            full.may_have_changed(Seq(9), MemberId(1), Seq(4)) && !full.may_have_changed(Seq(9), MemberId(1), Seq(5))
        );
        let none = changes(&[(1, 5)], 0);
        assert_eq!((after(&none, 4), after(&none, 5), none.last()), (None, Some(vec![]), Seq(5)));
        assert_eq!((after(&changes(&[], 2), 0), changes(&[], 2).last()), (Some(vec![]), Seq(0)));
    }

    #[test]
    fn what_an_earlier_program_did_not_keep_may_have_changed_until_its_end() {
        let unknown = Changes::unknown().unknown_until(Seq(9));
        assert_eq!((after(&unknown, 8), after(&unknown, 9), unknown.last()), (None, Some(vec![]), Seq(9)));
        assert_eq!(changes(&[(1, 5)], 2).unknown_until(Seq(9)), changes(&[(1, 5)], 2));
    }

    #[test]
    fn a_range_that_lies_in_a_later_one_of_the_same_person_is_superseded() {
        let mut changes = Changes::default();
        for (member, from, to, change) in [(1, 2, 4, 10), (1, 4, 9, 11), (2, 2, 4, 12), (1, 1, 8, 13)] {
            let sweep = Sweep { member: MemberId(member), from: Seq(from), to: Seq(to), change: Seq(change) };
            changes.push_range(sweep, 8);
            changes.check(Seq(change));
        }
        let kept: Vec<u64> = changes.ranges_after(Seq(0)).map(|sweep| sweep.change.0).collect();
        assert_eq!(kept, [11, 12, 13], "what only begins in it stays, and what is somebody else's");
    }
}
