//! The rule of paging: which messages lie before, after and around a place, as far as somebody sees them.

use super::decide::Rules;
use super::decision::{Answer, Decision, HistorySlice};
use super::input::Caller;
use crate::domain::HistoryAnchor;
use crate::types::{Reject, Seq};

impl Rules<'_> {
    /// Names the messages of a page. A place before all that somebody sees is where that begins, and one past the end is the end.
    pub(super) fn history(self, by: &Caller, anchor: HistoryAnchor, limit: Option<u32>) -> Result<Decision, Reject> {
        let sees = self.member(by)?.sees;
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
        Ok(self.draft().finish(None, Answer::History(slice)))
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
}
