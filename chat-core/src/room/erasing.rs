//! The rule of erasing: a person leaves, all that they said is taken back, the room forgets them, and the log is owed what names them.

use super::banning::not_yet;
use super::decide::Rules;
use super::decision::{Answer, Decision};
use super::erasures::Erasures;
use super::permissions::Standing;
use crate::domain::{Event, LeaveReason, RecordVersion, Role};
use crate::types::{Identity, MemberId, Offset, Reject, RejectCode, Scope, SessionId};

impl Rules<'_> {
    /// Erases a person, who is known here by what the room remembers and under these numbers, which the log knows. Of whom nothing is known nothing
    /// follows.
    pub(super) fn erase(
        self,
        identity: &Identity,
        alias: SessionId,
        known: &[MemberId],
        is_told_of: bool,
    ) -> Result<Decision, Reject> {
        let scope = Scope::Identity(identity.clone());
        if self.ledger.erasures().is_owed(alias) {
            return Ok(self.erased(alias));
        }
        let mut members = self.ledger.numbers_of(&scope);
        members.extend(known.iter().copied().filter(|&member| self.ledger.was_given(member)));
        members.sort_unstable();
        members.dedup();
        // Who is here first: they are to leave.
        let here = self.ledger.member_with_scope(&scope);
        members.sort_by_key(|id| Some(*id) != here.map(|here| here.id));
        members.truncate(Event::ERASED_NUMBERS_MAX);
        members.sort_unstable();
        if members.is_empty() && !is_told_of && !self.ledger.remembers(&scope) {
            return Ok(self.erased(alias));
        }
        if self.writes < RecordVersion::PERSONS {
            return Err(not_yet());
        }
        if self.ledger.erasures().len() >= Erasures::MAX {
            let message = "the log has still to be made to forget others";
            return Err(Reject::new(RejectCode::Unavailable, message));
        }
        let mut sweeps = 0;
        for &member in &members {
            sweeps += usize::from(self.sweep_of(Standing::Host, member, None)?.is_some());
        }
        self.check_may_owe(sweeps)?;
        let mut draft = self.draft();
        for &member in &members {
            self.push_sweep(&mut draft, Standing::Host, member, None)?;
        }
        let person = self.ledger.hash(&scope);
        match here {
            // Nobody holds the owner's seat for somebody whom the room forgets.
            Some(here) => drop(draft.push_left(here, LeaveReason::Left, self.after_kick(here))),
            None => {
                if let Some(heir) = self.after_ban_of(person) {
                    draft.push(None, Event::RoleChanged { member: heir.id, role: Role::Owner });
                }
            }
        }
        if !draft.is_over() {
            draft.push(None, Event::Erased { person: person.into(), alias, members });
        }
        let answer = Answer::Erased { is_owed: !draft.is_over() };
        Ok(if here.is_some() { draft.finish_exit(answer) } else { draft.finish(None, answer) })
    }

    /// Whether the log may still name somebody for whom this one stands.
    pub(super) fn erased(self, alias: SessionId) -> Decision {
        let is_owed = self.ledger.erasures().is_owed(alias);
        self.draft().finish(None, Answer::Erased { is_owed })
    }

    /// The log has been made to name nobody any more whom a record up to this one has erased.
    pub(super) fn scrubbed(self, through: Offset) -> Decision {
        let mut draft = self.draft();
        let is_owed = self.ledger.erasures().iter().any(|owed| owed.through <= through);
        if is_owed && self.writes >= RecordVersion::PERSONS {
            draft.push(None, Event::Scrubbed { through });
        }
        draft.finish(None, Answer::Nothing)
    }
}
