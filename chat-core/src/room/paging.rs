//! The rules of paging: messages around a place, what was changed after an event, and members, as far as somebody sees them.

use super::changes::Changed;
use super::decide::Rules;
use super::decision::{Answer, ChangesSlice, Decision, HistorySlice, More};
use super::input::{Actor, Caller};
use super::sweeps::Sweep;
use crate::domain::HistoryAnchor;
use crate::types::{MemberId, Reject, RejectCode, Seq};

impl Rules<'_> {
    /// Names the messages of a page. A place before all that somebody sees is where that begins, and one past the end is the end.
    pub(super) fn history(self, by: &Actor, anchor: HistoryAnchor, limit: Option<u32>) -> Result<Decision, Reject> {
        let sees = self.standing(by)?.sees();
        let (head, count) = (self.ledger.head(), self.history_count(limit));
        let (place, older, newer) = match anchor {
            HistoryAnchor::Newest => (head.next(), count, 0),
            HistoryAnchor::Before(seq) => (seq, count, 0),
            HistoryAnchor::After(seq) => (seq.min(head).next(), 0, count),
            // The larger half begins with the message itself.
            HistoryAnchor::Around(seq) => (seq, count / 2, count - count / 2),
        };
        let place = place.max(sees.next()).min(head.next());
        let slice = self.page(place, older, newer, sees);
        Ok(self.draft().finish(None, Answer::History(Box::new(slice))))
    }

    /// The newest messages that somebody sees.
    pub(super) fn newest(self, limit: Option<u32>, sees: Seq) -> HistorySlice {
        self.page(self.ledger.head().next(), self.history_count(limit), 0, sees)
    }

    /// So many before a place, and so many from it on.
    fn page(self, place: Seq, older: usize, newer: usize, sees: Seq) -> HistorySlice {
        let marks = self.ledger.marks();
        HistorySlice { newer: marks.newer(place, newer, self.ledger.head()), ..marks.slice(place, older, sees) }
    }

    fn history_count(self, limit: Option<u32>) -> usize {
        limit.map_or(self.limits.history_default, |limit| limit as usize).min(self.limits.history_max)
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
        Ok(self.draft().finish(None, Answer::Changes(Box::new(slice))))
    }

    /// Members with a higher number than this, one page.
    pub(super) fn members(self, by: &Actor, after: Option<MemberId>, limit: Option<u32>) -> Result<Decision, Reject> {
        self.standing(by)?;
        let page_max = self.limits.members_page_max;
        let count = limit.map_or(page_max, |limit| page_max.min(limit as usize));
        let page = self.ledger.members_after(after).take(count).map(|member| member.id).collect();
        let answer = Answer::Members { page, total: self.ledger.members_total() };
        Ok(self.draft().finish(None, answer))
    }
}

/// The earlier change of two.
fn first_of(single: Option<&Changed>, range: Option<&Sweep>) -> Option<Seq> {
    let (single, range) = (single.map(|changed| changed.change), range.map(|sweep| sweep.change));
    single.into_iter().chain(range).min()
}
