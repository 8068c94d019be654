//! The rules of taking back: one message, or all that somebody said at once, which is one event and one range that the log owes.

use super::banning::not_yet;
use super::decide::{Rules, no_such_message};
use super::decision::{Answer, Decision};
use super::draft::Draft;
use super::input::{Actor, Evidence};
use super::owed::OwedChange;
use super::permissions::Standing;
use super::sweeps::Sweep;
use crate::domain::{Event, RecordVersion};
use crate::types::{MemberId, Reject, RejectCode, Seq};

impl Rules<'_> {
    /// Takes back one message. Where that was done before nothing happens.
    pub(super) fn redact(self, by: &Actor, seq: Seq, evidence: Option<&Evidence>) -> Result<Decision, Reject> {
        let standing = self.standing(by)?;
        let (author, redacted) = self.author_of(standing, seq, evidence).ok_or_else(no_such_message)?;
        standing.may_redact(author, || self.ledger.role_kept(author))?;
        if redacted {
            return Ok(self.nothing_to_do());
        }
        self.check_owes_little(0)?;
        Ok(self.done(standing.by(), Event::Redacted { target: seq }))
    }

    /// Author and state of a message, as far as who asks knows of it.
    pub(super) fn author_of(
        self,
        standing: Standing,
        seq: Seq,
        evidence: Option<&Evidence>,
    ) -> Option<(MemberId, bool)> {
        let mark = self.ledger.marks().find(seq).map(|mark| (mark.by, mark.redacted));
        mark.or_else(|| self.shown_by(seq, evidence?)).filter(|_| standing.knows_of(seq))
    }

    /// Author and state of a message that only the log knows. What the log has not been amended for is remembered.
    fn shown_by(self, seq: Seq, evidence: &Evidence) -> Option<(MemberId, bool)> {
        let is_of_here = Some(evidence.epoch) == self.ledger.epoch() && self.ledger.may_have_forgotten(seq);
        let is_owed =
            || self.ledger.owed().any(|owed| matches!(owed, OwedChange::TakeBack(owed) if owed.target == seq));
        let is_swept = || self.ledger.sweeps().any(|sweep| sweep.covers(evidence.by, seq));
        let is_taken_back = || evidence.is_taken_back || is_owed() || is_swept();
        is_of_here.then(|| (evidence.by, is_taken_back()))
    }

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
}
