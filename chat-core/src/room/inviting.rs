//! The rule of inviting: whom the host adds while they are not in the room gets in once, whoever else is let in.

use super::banning::not_yet;
use super::decide::Rules;
use super::decision::{Answer, Decision};
use super::invites::Invite;
use crate::domain::{Event, RecordVersion};
use crate::types::{Identity, Reject, RejectCode, Scope, Wall};

impl Rules<'_> {
    /// Invites a person, until [`invite_time`](crate::RoomLimits::invite_time) is over; nothing of who is a member. Who was invited is invited anew.
    pub(super) fn invite(self, identity: &Identity) -> Result<Decision, Reject> {
        let scope = Scope::Identity(identity.clone());
        self.check_is_not_banned(&scope, None)?;
        if let Some(member) = self.ledger.member_with_scope(&scope) {
            let nick = Some(member.nick.clone());
            return Ok(self.draft().finish(None, Answer::Invited { until: None, nick }));
        }
        if self.writes < RecordVersion::PERSONS {
            return Err(not_yet());
        }
        let (at, person) = (self.at(), self.ledger.hash(&scope));
        let others = self.ledger.invites().holding(at).filter(|invite| invite.person != person).count();
        let max = self.limits.invites_max;
        if others >= max {
            let message = "as many people are invited to this room as may be";
            return Err(Reject::new(RejectCode::AtCapacity, message).limit(max as u64));
        }
        let until = at.after(self.limits.invite_time);
        let nick = self.ledger.place(&scope).and_then(|place| place.nick.clone());
        let mut draft = self.draft();
        draft.push(None, Event::Invited { person: person.into(), until });
        Ok(draft.finish(None, Answer::Invited { until: Some(until), nick }))
    }

    /// Until when somebody may come in although the room lets nobody new in; `None` for whoever may not.
    pub(super) fn invited_until(self, scope: &Scope) -> Option<Wall> {
        let person = self.ledger.hash(scope);
        self.ledger
            .invites()
            .holding(self.at())
            .find(|invite| invite.person == person)
            .map(|Invite { until, .. }| *until)
    }
}
