//! All that somebody said taken back at once: one event, one range that the log owes, one range in what was changed.

use super::banning::not_yet;
use super::changes::Changed;
use super::decide::Rules;
use super::decision::{Answer, ChangesSlice, Decision, More};
use super::draft::Draft;
use super::input::{Actor, Caller};
use super::permissions::Standing;
use super::sweeps::Sweep;
use crate::domain::{Event, RecordVersion};
use crate::types::{MemberId, Reject, RejectCode, Seq};

impl Rules<'_> {
    /// Takes back all that somebody has said, from an event on.
    pub(super) fn redact_all(self, by: &Actor, member: MemberId, from: Option<Seq>) -> Result<Decision, Reject> {
        let standing = self.standing(by)?;
        standing.may_redact(member, || self.ledger.role_kept(member))?;
        if !self.ledger.was_given(member) {
            return Err(Reject::new(RejectCode::MemberNotFound, "nobody was ever in this room under this number"));
        }
        let mut draft = self.draft();
        let seq = self.push_sweep(&mut draft, standing, member, from)?;
        Ok(draft.finish(None, Answer::Done { seq }))
    }

    /// Adds what takes back all that somebody has said and has reacted with, from an event on; answers with the number of the first of it, or of
    /// the last told event where there is none.
    pub(super) fn push_sweep(
        self,
        draft: &mut Draft<'_>,
        standing: Standing,
        member: MemberId,
        from: Option<Seq>,
    ) -> Result<Seq, Reject> {
        let swept = self.sweep_of(standing, member, from)?;
        let mut first = swept.map(|swept| draft.push(standing.by(), swept));
        let from = from.unwrap_or_default().max(standing.first_known());
        for taken_back in self.reactions_of(member, from, self.ledger.head()) {
            if self.writes < RecordVersion::PERSONS {
                return Err(not_yet());
            }
            let seq = draft.push(Some(member), taken_back);
            first.get_or_insert(seq);
        }
        Ok(first.unwrap_or(draft.head()))
    }

    /// What takes back all that somebody has said, from an event on, as far as the asker knows of it; `None` where that is nothing.
    pub(super) fn sweep_of(
        self,
        standing: Standing,
        member: MemberId,
        from: Option<Seq>,
    ) -> Result<Option<Event>, Reject> {
        let first = standing.first_known();
        let (from, to) = (from.unwrap_or(first).max(first), self.ledger.head());
        if !self.has_said(member, from, to) {
            return Ok(None);
        }
        if self.writes < RecordVersion::PERSONS {
            return Err(not_yet());
        }
        self.check_owes_little(0)?;
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
