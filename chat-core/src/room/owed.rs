//! What the log has still to be amended for, in one queue: messages edited or taken back, and ranges of them.
//!
//! Part of the ledger, so that whoever reads a room back knows it. Never here: what a message says.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::sweeps::Sweep;
use crate::seldom::Nothing;
use crate::types::{Offset, Seq};

/// One change for which the log may not have been amended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum OwedChange {
    /// A message was edited: the log may hold it as it was before.
    Edit(OwedEdit),
    /// A message was taken back: the log may hold it as it was said.
    TakeBack(OwedAmend),
    /// All of somebody in a range was taken back.
    Sweep(Sweep),
}

/// One message that was taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwedAmend {
    /// The message.
    pub target: Seq,
    /// The event that took it back.
    pub change: Seq,
}

/// One message that was edited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwedEdit {
    /// The message.
    pub target: Seq,
    /// The event that edited it.
    pub change: Seq,
    /// The record of that event, which says by what it was replaced.
    pub offset: Offset,
    /// How often it had been edited, with this.
    pub n: u32,
    /// Bytes of what it says since; 0 once a later change has superseded it.
    pub bytes: u32,
    /// The edit before it, as far as that is remembered: it is to say nothing any more. The message's own record names it too, as long as the
    /// log has that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Seq>,
}

impl OwedChange {
    /// The event that changed something.
    pub fn change(&self) -> Seq {
        match self {
            Self::Edit(edit) => edit.change,
            Self::TakeBack(owed) => owed.change,
            Self::Sweep(sweep) => sweep.change,
        }
    }

    /// The message that it is about, where it is one.
    pub fn target(&self) -> Option<Seq> {
        match self {
            Self::Edit(edit) => Some(edit.target),
            Self::TakeBack(owed) => Some(owed.target),
            Self::Sweep(_) => None,
        }
    }

    /// The last event whose message it may have changed.
    fn last(&self) -> Seq {
        self.target().unwrap_or(match self {
            Self::Sweep(sweep) => sweep.to,
            _ => Seq(0),
        })
    }
}

/// All that is owed, in the order of the changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "VecDeque<OwedChange>", into = "VecDeque<OwedChange>")]
pub(super) struct Owed {
    all: VecDeque<OwedChange>,
    /// Of the edits among them.
    bytes: usize,
}

impl Nothing for Owed {
    const NOTHING: &'static Self = &Self { all: VecDeque::new(), bytes: 0 };
}

impl Owed {
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Bytes that what was edited says, and that have to be held until the log has them.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Bytes that it holds, those of the edits included.
    pub(super) fn weight(&self) -> usize {
        self.all.capacity() * size_of::<OwedChange>() + self.bytes
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = OwedChange> {
        self.all.iter().copied()
    }

    /// The last edit of a message that is owed.
    pub(super) fn edit_of(&self, target: Seq) -> Option<OwedEdit> {
        self.all.iter().rev().find_map(|owed| match owed {
            OwedChange::Edit(edit) if edit.target == target => Some(*edit),
            _ => None,
        })
    }

    /// Something was changed. Whether there is room for it was looked at before this was recorded; and nothing goes for want of it: the
    /// records of a program that settled nothing may owe more.
    pub(super) fn push(&mut self, owed: OwedChange) {
        if let Some(target) = owed.target() {
            for earlier in &mut self.all {
                if let OwedChange::Edit(edit) = earlier
                    && edit.target == target
                {
                    self.bytes -= std::mem::take(&mut edit.bytes) as usize;
                }
            }
        }
        self.bytes += bytes(&owed);
        self.all.push_back(owed);
    }

    /// The log has been amended for all changes up to this one.
    pub(super) fn settle(&mut self, through: Seq) {
        while self.all.front().is_some_and(|owed| owed.change() <= through) {
            self.bytes -= self.all.pop_front().map_or(0, |owed| bytes(&owed));
        }
        if self.all.is_empty() {
            self.all = VecDeque::new();
        }
    }

    /// The same with ranges that were stored apart from it, by a program that kept them so.
    pub(super) fn with_sweeps(self, sweeps: impl IntoIterator<Item = Sweep>) -> Self {
        let mut all: Vec<OwedChange> = self.all.into_iter().chain(sweeps.into_iter().map(OwedChange::Sweep)).collect();
        all.sort_by_key(OwedChange::change);
        VecDeque::from(all).into()
    }

    /// Panics when the order is broken.
    pub(super) fn check(&self, head: Seq) {
        assert!(
            self.all.iter().is_sorted_by(|a, b| a.change() < b.change()),
            "what is owed is in the order of the changes"
        );
        let have_happened = self.all.iter().all(|owed| owed.last() < owed.change() && owed.change() <= head);
        assert!(have_happened, "what is owed has happened");
        assert_eq!(self.bytes, self.all.iter().map(bytes).sum::<usize>(), "the bytes that are owed are counted");
    }
}

fn bytes(owed: &OwedChange) -> usize {
    match owed {
        OwedChange::Edit(edit) => edit.bytes as usize,
        _ => 0,
    }
}

impl From<VecDeque<OwedChange>> for Owed {
    fn from(all: VecDeque<OwedChange>) -> Self {
        let bytes = all.iter().map(bytes).sum();
        Self { all, bytes }
    }
}

impl From<Owed> for VecDeque<OwedChange> {
    fn from(owed: Owed) -> Self {
        owed.all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::MemberId;

    fn taken_back(change: u64) -> OwedChange {
        OwedChange::TakeBack(OwedAmend { target: Seq(1), change: Seq(change) })
    }

    fn edit(target: u64, change: u64, bytes: u32) -> OwedChange {
        let (target, change, offset) = (Seq(target), Seq(change), Offset(change + 1));
        OwedChange::Edit(OwedEdit { target, change, offset, n: 1, bytes, before: None })
    }

    fn sweep(change: u64) -> OwedChange {
        OwedChange::Sweep(Sweep { member: MemberId(1), from: Seq(2), to: Seq(4), change: Seq(change) })
    }

    fn owed(changes: &[OwedChange]) -> Owed {
        let mut owed = Owed::default();
        changes.iter().for_each(|change| owed.push(*change));
        owed.check(Seq(9));
        owed
    }

    #[test]
    fn what_is_settled_goes_through_the_change_that_is_named_and_no_further() {
        let mut all = owed(&[taken_back(3), sweep(5), edit(2, 8, 10)]);
        all.settle(Seq(2));
        assert_eq!((all.len(), all.bytes()), (3, 10));
        all.settle(Seq(7));
        assert_eq!(all, owed(&[edit(2, 8, 10)]));
        all.settle(Seq(9));
        assert_eq!((all.len(), all.weight()), (0, 0));
    }

    #[test]
    fn bytes_are_owed_for_the_last_edit_of_a_message_alone() {
        let mut all = owed(&[edit(1, 5, 100), edit(2, 6, 30), edit(1, 7, 20)]);
        assert_eq!((all.bytes(), all.edit_of(Seq(1)).map(|edit| edit.change)), (50, Some(Seq(7))));
        assert_eq!(all.weight(), all.all.capacity() * size_of::<OwedChange>() + 50);
        assert_eq!(all.edit_of(Seq(2)).map(|edit| edit.change), Some(Seq(6)), "not the last of all");
        all.push(taken_back(8));
        assert_eq!(all.bytes(), 30);
        all.settle(Seq(7));
        assert_eq!((all.bytes(), all.edit_of(Seq(2))), (0, None));
    }

    #[test]
    fn it_is_read_as_it_was_stored_also_where_ranges_stood_apart() {
        let all = owed(&[taken_back(3), sweep(5), edit(2, 8, 10)]);
        let stored = serde_json::to_string(&all).expect("it can be stored");
        assert_eq!(serde_json::from_str::<Owed>(&stored).expect("it is read"), all);
        let once: Owed =
            serde_json::from_str(r#"[{"target":1,"change":3},{"target":1,"change":8}]"#).expect("it is read");
        let OwedChange::Sweep(range) = sweep(5) else { unreachable!("it is a range") };
        assert_eq!(once.with_sweeps([range]), owed(&[taken_back(3), sweep(5), taken_back(8)]));
    }

    #[test]
    #[should_panic(expected = "in the order of the changes")]
    fn an_order_that_is_broken_is_a_bug() {
        owed(&[taken_back(5), sweep(3)]);
    }
}
