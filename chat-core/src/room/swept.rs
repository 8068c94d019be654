//! All that somebody said taken back at once: one event, one range that the log owes, one range in what was changed.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::banning::not_yet;
use super::changes::Changed;
use super::decide::{Rules, owes_too_much};
use super::input::{Actor, Answer, Caller, ChangesSlice, Decision, More};
use super::permissions::Standing;
use crate::domain::{Event, RecordVersion};
use crate::types::{MemberId, Reject, RejectCode, Seq};

/// Messages that were taken back together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sweep {
    /// Whose, by number.
    pub member: MemberId,
    /// The first event of the range.
    pub from: Seq,
    /// The last event of the range.
    pub to: Seq,
    /// The event that took them back.
    pub change: Seq,
}

impl Sweep {
    /// Whether it takes back the message of this number and author.
    pub fn covers(&self, by: MemberId, seq: Seq) -> bool {
        self.member == by && (self.from..=self.to).contains(&seq)
    }
}

/// What the log has to be made to forget for sweeps, in the order of the changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct OwedSweeps(VecDeque<Sweep>);

impl OwedSweeps {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Bytes that it holds.
    pub(super) fn weight(&self) -> usize {
        self.0.capacity() * size_of::<Sweep>()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Sweep> {
        self.0.iter().copied()
    }

    pub(super) fn push(&mut self, sweep: Sweep) {
        self.0.push_back(sweep);
    }

    /// The log has been amended for all changes up to this one.
    pub(super) fn settle(&mut self, through: Seq) {
        while self.0.front().is_some_and(|owed| owed.change <= through) {
            self.0.pop_front();
        }
        if self.0.is_empty() {
            self.0 = VecDeque::new();
        }
    }

    /// Panics when the order is broken.
    pub(super) fn check(&self, head: Seq) {
        assert!(self.0.iter().is_sorted_by(|a, b| a.change < b.change), "sweeps are owed in the order of the changes");
        let have_happened = self.0.iter().all(|owed| owed.to < owed.change && owed.change <= head);
        assert!(have_happened, "a sweep that is owed has happened");
    }
}

impl Rules<'_> {
    /// Takes back all that somebody has said, from an event on.
    pub(super) fn redact_all(self, by: &Actor, member: MemberId, from: Option<Seq>) -> Result<Decision, Reject> {
        let standing = self.standing(by)?;
        standing.may_redact(member)?;
        if !self.ledger.was_given(member) {
            return Err(Reject::new(RejectCode::MemberNotFound, "nobody was ever in this room under this number"));
        }
        match self.sweep_of(standing, member, from)? {
            Some(swept) => Ok(self.done(standing.by(), swept)),
            None => Ok(self.nothing_to_do()),
        }
    }

    /// What takes back all that somebody has said, from an event on, as far as the asker knows of it; `None` where that is nothing.
    pub(super) fn sweep_of(
        self,
        standing: Standing,
        member: MemberId,
        from: Option<Seq>,
    ) -> Result<Option<Event>, Reject> {
        let first = match standing {
            Standing::Host => Seq(1),
            Standing::Member { sees, .. } => sees.next(),
        };
        let (from, to) = (from.unwrap_or(first).max(first), self.ledger.head());
        if !self.has_said(member, from, to) {
            return Ok(None);
        }
        if self.writes < RecordVersion::PERSONS {
            return Err(not_yet());
        }
        if self.ledger.owed_total() >= self.limits.owed_max {
            return Err(owes_too_much());
        }
        Ok(Some(Event::Swept { member, from, to }))
    }

    /// Whether somebody may have said something in this range that was not taken back.
    fn has_said(self, member: MemberId, from: Seq, to: Seq) -> bool {
        let marks = self.ledger.marks();
        marks.has_of(member, from, to)
            || marks.forgotten_between(from, to).is_some_and(|(first, last)| {
                let is_over_all = |sweep: &Sweep| sweep.covers(member, first) && sweep.covers(member, last);
                !self.ledger.sweeps().any(|sweep| is_over_all(&sweep))
            })
    }

    /// The oldest changes after an event, of both kinds, as far as who asks may know of them.
    pub(super) fn changes(self, by: &Caller, after: Seq) -> Result<Decision, Reject> {
        let sees = self.member(by)?.sees;
        let changes = self.ledger.changes();
        let singles = changes.after(after).ok_or_else(|| {
            Reject::new(RejectCode::OutOfReach, "more was changed since than the room remembers: page it again")
        })?;
        // One at least is named, so that whoever goes on gets on.
        let most = self.limits.history_max;
        // What was said below one's floor is nobody's business.
        let mut singles = singles.filter(|changed| changed.target > sees).peekable();
        let shown = |sweep: &Sweep| Sweep { from: sweep.from.max(sees.next()), ..*sweep };
        let mut ranges = changes.ranges_after(after).filter(|sweep| sweep.to > sees).map(shown).peekable();
        let mut slice = ChangesSlice { after, through: self.ledger.head(), ..ChangesSlice::default() };
        let mut last = after;
        while let Some(next) = first_of(singles.peek(), ranges.peek()) {
            // A range takes as much as two messages.
            let is_range = ranges.peek().is_some_and(|sweep| sweep.change == next);
            let named = slice.changed.len() + 2 * slice.swept.len();
            if named > 0 && named + if is_range { 2 } else { 1 } > most {
                (slice.through, slice.more) = (last, More::Yes);
                break;
            }
            last = next;
            slice.changed.extend(singles.next_if(|changed| changed.change == next));
            slice.swept.extend(ranges.next_if(|sweep| sweep.change == next));
        }
        Ok(self.draft().finish(None, Answer::Changes(slice)))
    }
}

/// The earlier change of two.
fn first_of(single: Option<&Changed>, range: Option<&Sweep>) -> Option<Seq> {
    let (single, range) = (single.map(|changed| changed.change), range.map(|sweep| sweep.change));
    single.into_iter().chain(range).min()
}
