//! The rule of edits: what authors make of their messages, for how long, and how often.

use super::decide::{Edit, Rules, no_such_message};
use super::decision::{Answer, Decision, Repeated};
use super::input::{Caller, Evidence, SendPermit};
use super::members::Member;
use super::permissions::Standing;
use super::sending::check_is_paid;
use crate::domain::{Event, Keyed};
use crate::types::{Reject, RejectCode};

impl Rules<'_> {
    /// One's own message says something else from now on: within its time, and not too often.
    pub(super) fn edit(
        self,
        by: &Caller,
        edit: Edit<'_>,
        permit: SendPermit,
        evidence: Option<&Evidence>,
    ) -> Result<Decision, Reject> {
        let member = self.member(by)?;
        let Edit { target, content, as_sent, key } = edit;
        self.check_content(content)?;
        let digest = || self.ledger.digest_of_edit(target, as_sent.unwrap_or(content));
        let keyed = key.map(|key| Keyed { key: key.clone(), digest: digest() });
        if let Some(answer) = self.answered_before(member, keyed.as_ref())? {
            return Ok(self.draft().finish(None, answer));
        }
        let standing = self.check_may_edit(member)?;
        check_is_paid(permit)?;
        let evidence = evidence.filter(|shown| Some(shown.epoch) == self.ledger.epoch());
        let (shown, (author, redacted)) =
            evidence.zip(self.author_of(standing, target, evidence)).ok_or_else(no_such_message)?;
        standing.may_edit(author)?;
        if redacted {
            return Err(Reject::new(RejectCode::MessageNotFound, "the message was taken back"));
        }
        let window = self.limits.edit_window;
        if self.at().since(shown.at) > window {
            let reject = Reject::new(RejectCode::TooLate, "the message is too old to be edited");
            return Err(reject.limit(window.as_secs()));
        }
        // What the log does not show yet is remembered.
        let owed = self.ledger.owed_edit(target).map_or(0, |owed| owed.n);
        let edits = shown.edits.max(owed);
        let is_as_shown = owed <= shown.edits;
        if keyed.is_none() && is_as_shown && *content == shown.content {
            return Ok(self.nothing_to_do());
        }
        if edits >= self.limits.edits_max {
            let reject = Reject::new(RejectCode::EditsFull, "the message has been edited as often as it may be");
            return Err(reject.limit(u64::from(self.limits.edits_max)));
        }
        self.check_may_be_written()?;
        self.check_owes_little(content.bytes())?;
        let mut draft = self.draft();
        let content = Some(content.clone());
        let seq = draft.push(Some(member.id), Event::Edited { target, content, n: edits + 1, keyed });
        let answer = Answer::Sent { seq, at: draft.at(), repeated: Repeated::First };
        Ok(draft.finish(None, answer))
    }

    /// Where only those who moderate speak, nobody else changes what they said. Slow mode counts messages, and an edit is none.
    fn check_may_edit(self, member: &Member) -> Result<Standing, Reject> {
        let standing = Standing::Member { id: member.id, role: member.role, sees: member.sees };
        standing.may_speak(self.ledger.settings().read_only)?;
        Ok(standing)
    }
}
