//! The rule of reactions: who may react to what, with what, and for how long.

use super::banning::not_yet;
use super::decide::Rules;
use super::decision::{Answer, Decision};
use super::hashes::digest_of_reaction;
use super::input::Caller;
use super::members::Member;
use super::permissions::Standing;
use crate::domain::{Event, Keyed, RecordVersion};
use crate::types::{Key, MemberId, ReactionName, Reject, RejectCode, Seq};

impl Rules<'_> {
    /// A member reacts to a message, or takes that back. What changes nothing is answered, and not recorded.
    pub(super) fn react(
        self,
        by: &Caller,
        target: Seq,
        name: &ReactionName,
        on: bool,
        key: Option<&Key>,
    ) -> Result<Decision, Reject> {
        let member = self.member(by)?;
        let digest = || digest_of_reaction(self.ledger.salt(), target, name, on);
        let keyed = key.map(|key| Keyed { key: key.clone(), digest: digest() });
        if let Some(keyed) = &keyed
            && let Some(first) = self.ledger.sent_before(&member.scope, &keyed.key)
        {
            if first.digest != keyed.digest {
                let reject = Reject::new(RejectCode::KeyConflict, "this key was used for something else");
                return Err(Reject { field: Some("key"), ..reject });
            }
            let answer = Answer::Done { seq: first.seq };
            return Ok(self.draft().finish(None, answer));
        }
        self.check_takes_reactions(member, target)?;
        let reactions = self.ledger.reactions();
        if reactions.has(target, name, member.id) == on {
            return Ok(self.nothing_to_do());
        }
        let before = reactions.count(target, name);
        if on {
            // What one has reacted with one may take back, as what one has said.
            let standing = Standing::Member { id: member.id, role: member.role, sees: member.sees };
            standing.may_speak(self.ledger.settings().read_only)?;
            self.check_has_room(member.id, target, before)?;
        }
        if self.writes < RecordVersion::PERSONS {
            return Err(not_yet());
        }
        let count = if on { before + 1 } else { before - 1 };
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        Ok(self.done(Some(member.id), Event::Reacted { target, name: name.clone(), on, count, keyed }))
    }

    /// Whether there is a message that this member sees, and that takes reactions. One that was taken back is as one that is not there.
    fn check_takes_reactions(self, member: &Member, target: Seq) -> Result<(), Reject> {
        let not_found = || Reject::new(RejectCode::MessageNotFound, "there is no such message, or it was taken back");
        #[cfg(feature = "fault_injection")]
        let sees = crate::fault_injection::floor(member.sees);
        #[cfg(not(feature = "fault_injection"))]
        let sees = member.sees;
        if target <= sees {
            return Err(not_found());
        }
        let is_known = match self.ledger.marks().find(target) {
            Some(mark) if mark.redacted => return Err(not_found()),
            Some(_) => true,
            None => self.ledger.may_have_forgotten(target),
        };
        if !is_known {
            return Err(not_found());
        }
        if target < self.ledger.reactable_from() || target <= self.ledger.reactions().closed() {
            let message = "this message is too old: only the last ones take reactions";
            return Err(Reject::new(RejectCode::TooLate, message).limit(self.limits.reactable_max as u64));
        }
        Ok(())
    }

    /// Whether one more may be kept: in all, of this person, and with one name more to this message.
    fn check_has_room(self, member: MemberId, target: Seq, with_this_name: usize) -> Result<(), Reject> {
        let reactions = self.ledger.reactions();
        let is_new_name = with_this_name == 0;
        let full = if reactions.total() >= self.limits.reactions_max {
            Some(("the room keeps as many reactions as it may", self.limits.reactions_max))
        } else if reactions.of_person(member) >= self.limits.reactions_per_person_max {
            Some(("the room keeps as many of your reactions as it may", self.limits.reactions_per_person_max))
        } else if is_new_name && reactions.names(target) >= self.limits.reaction_names_max {
            Some(("this message is reacted to with as many names as may be", self.limits.reaction_names_max))
        } else {
            None
        };
        match full {
            Some((message, most)) => Err(Reject::new(RejectCode::ReactionsFull, message).limit(most as u64)),
            None => Ok(()),
        }
    }

    /// What takes back all that a member has reacted with to the messages of others in a range: one event for each, so that everybody counts on.
    pub(super) fn reactions_of(self, member: MemberId, from: Seq, to: Seq) -> impl Iterator<Item = Event> {
        let theirs = self.ledger.reactions().of(member, from..=to);
        theirs.map(move |(target, name)| {
            let count = self.ledger.reactions().count(target, name) - 1;
            let count = u32::try_from(count).unwrap_or(u32::MAX);
            Event::Reacted { target, name: name.clone(), on: false, count, keyed: None }
        })
    }
}
