//! The rules of going out: members leave, are kicked or run out of grace, and the room ends when it is closed or its linger is over.

use super::decide::Rules;
use super::decision::{Answer, Decision, Note};
use super::input::{Actor, Caller};
use super::members::Member;
use super::permissions::Standing;
use crate::domain::{Event, LeaveReason, Role, RoomCloseReason};
use crate::types::{MemberId, Reject, RejectCode};

impl<'a> Rules<'a> {
    /// A member goes by themselves.
    pub(super) fn leave(self, by: &Caller) -> Result<Decision, Reject> {
        let member = self.member(by)?;
        let mut draft = self.draft();
        let seq = draft.push_left(member, LeaveReason::Left, self.after_leave(member, LeaveReason::Left));
        Ok(draft.finish_exit(Answer::Left { seq }))
    }

    /// A member is put out, and may come in again.
    pub(super) fn kick(self, by: &Actor, member: MemberId) -> Result<Decision, Reject> {
        let (standing, target) = self.put_out(by, member)?;
        let mut draft = self.draft();
        let seq = draft.push_kicked(standing.by(), target, self.after_kick(target), None);
        Ok(draft.finish_exit(Answer::Done { seq }))
    }

    fn put_out(self, by: &Actor, member: MemberId) -> Result<(Standing, &'a Member), Reject> {
        let standing = self.standing(by)?;
        standing.may_put_out(member)?;
        let target = self.ledger.member(member);
        let target = target.ok_or_else(|| Reject::new(RejectCode::MemberNotFound, "there is no such member"))?;
        standing.may_act_on(target.role)?;
        Ok((standing, target))
    }

    /// The room ends, whoever is in it.
    pub(super) fn close(self, cause: RoomCloseReason) -> Decision {
        self.done(None, Event::Closed { cause })
    }

    /// At most one consequence, and always one while a deadline is due: the caller asks again until none is.
    pub(super) fn elapsed(self) -> Decision {
        let mut draft = self.draft();
        let overdue = self.attendance.overdue(self.now.mono);
        if let Some(member) = overdue.and_then(|id| self.ledger.member(id)) {
            draft.push_left(member, LeaveReason::Timeout, self.after_leave(member, LeaveReason::Timeout));
            return draft.finish_exit(Answer::Nothing);
        }
        if self.attendance.linger_is_due(self.now.mono) && self.linger_is_over() {
            draft.push(None, Event::Closed { cause: RoomCloseReason::Empty });
            return draft.finish(None, Answer::Nothing);
        }
        if let Some(heir) = self.successor() {
            draft.push(None, Event::RoleChanged { member: heir.id, role: Role::Owner });
            return draft.finish(None, Answer::Nothing);
        }
        let note = self.attendance.wants_time(self.now.mono).then_some(Note::Elapsed);
        draft.finish(note, Answer::Nothing)
    }

    /// Not where a clock that was ahead when the room was read back has been set right since.
    fn linger_is_over(self) -> bool {
        self.ledger.empty_until(self.limits).is_some_and(|until| until <= self.at())
    }
}
