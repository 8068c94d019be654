//! The rule of marking messages as read: a position only ever goes forward, and what it leaves is counted.

use super::decide::Rules;
use super::decision::{Answer, Decision, Note};
use super::input::Caller;
use super::ledger::Ledger;
use super::read_positions::ReadPosition;
use crate::types::{MemberId, Reject, RoomLimits, Seq};

impl Rules<'_> {
    /// A member has read up to there. It never goes back, and nobody has read what was not said yet.
    pub(super) fn read(self, by: &Caller, through: Seq) -> Result<Decision, Reject> {
        let member = self.member(by)?;
        let through = through.min(self.ledger.head());
        let so_far = self.reads.of(member.id).unwrap_or(member.joined);
        let note = (through > so_far).then_some(Note::Read { member: member.id, through });
        let position = left_to_read(self.ledger, self.limits, member.id, through.max(so_far));
        Ok(self.draft().finish(note, Answer::Read(position)))
    }
}

/// What is left to this member who has read up to there.
pub(super) fn left_to_read(ledger: &Ledger, limits: &RoomLimits, member: MemberId, through: Seq) -> ReadPosition {
    let unread = ledger.marks().of_others_after(through, member).take(limits.unread_max).count();
    ReadPosition { through, unread, as_of: ledger.head() }
}
