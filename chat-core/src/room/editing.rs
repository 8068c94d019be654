//! What messages say, and what their authors make of them: bounds of a content, keys, edits.

use std::time::Duration;

use super::decide::{Edit, Rules, check_is_paid, no_such_message};
use super::decision::{Answer, Decision, Repeated};
use super::input::{Caller, Evidence, SendPermit};
use super::members::Member;
use super::permissions::Standing;
use crate::domain::{Content, Event, Keyed, RecordVersion, Said};
use crate::types::{Reject, RejectCode};

/// When to try again to change a message, where the log is owed too much. 1 s: as with any log that cannot be reached.
const OWED_RETRY: Duration = Duration::from_secs(1);
/// When to try again what only later records can say. 10 s: as where others have to go first.
const LATER_RETRY: Duration = Duration::from_secs(10);

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

    /// A policy may have made more of it than a client may send.
    pub(super) fn check_content(self, content: &Content) -> Result<(), Reject> {
        let (text, chars_max) = (content.text.as_str(), self.limits.message_chars_max);
        if text.len() > chars_max && text.chars().count() > chars_max {
            return Err(Reject::too_long("text", chars_max as u64, "characters"));
        }
        let bytes_max = self.limits.data_bytes_max;
        if content.data.as_ref().is_some_and(|data| data.as_str().len() > bytes_max) {
            return Err(Reject::too_long("data", bytes_max as u64, "bytes"));
        }
        if content.is_empty() {
            return Err(Reject::bad_field("text", "text is empty, and there is no data"));
        }
        Ok(())
    }

    /// What somebody says may answer a message that they see, and have data, once every program can read that.
    pub(super) fn check_reply(self, member: &Member, said: &Said) -> Result<(), Reject> {
        let Said { content: Content { data, .. }, reply_to } = said;
        if reply_to.is_some_and(|seq| seq <= member.sees || seq > self.ledger.head()) {
            return Err(Reject::bad_field("reply_to", "reply_to is no event that you see"));
        }
        match data.is_some() || reply_to.is_some() {
            true => self.check_may_be_written(),
            false => Ok(()),
        }
    }

    /// The answer of before to what was sent under this key.
    ///
    /// # Errors
    /// `key_conflict`: it was something else.
    pub(super) fn answered_before(self, member: &Member, keyed: Option<&Keyed>) -> Result<Option<Answer>, Reject> {
        let Some(keyed) = keyed else { return Ok(None) };
        let Some(first) = self.ledger.sent_before(&member.scope, &keyed.key) else { return Ok(None) };
        if first.digest != keyed.digest {
            let reject = Reject::new(RejectCode::KeyConflict, "this key was used for something else");
            return Err(Reject { field: Some("key"), ..reject });
        }
        Ok(Some(Answer::Sent { seq: first.seq, at: first.at, repeated: Repeated::Retry }))
    }

    /// Where only those who moderate speak, nobody else changes what they said. Slow mode counts messages, and an edit is none.
    fn check_may_edit(self, member: &Member) -> Result<Standing, Reject> {
        let standing = Standing::Member { id: member.id, role: member.role, sees: member.sees };
        standing.may_speak(self.ledger.settings().read_only)?;
        Ok(standing)
    }

    fn check_may_be_written(self) -> Result<(), Reject> {
        if self.writes >= RecordVersion::PERSONS {
            return Ok(());
        }
        let message =
            "messages have data, answer others and are edited once no program writes to this log that cannot read it";
        Err(Reject::new(RejectCode::Unavailable, message).retry_after(LATER_RETRY))
    }

    /// One more change, of a message that says so many bytes after it, could not be masked for those who read the log after a restart.
    pub(super) fn check_owes_little(self, bytes: usize) -> Result<(), Reject> {
        let owed = self.ledger.owed_bytes();
        let is_over = bytes > 0 && owed > 0 && owed + bytes > self.limits.owed_bytes_max;
        if self.ledger.owed_total() >= self.limits.owed_max || is_over {
            let reject =
                Reject::new(RejectCode::Unavailable, "the log has still to be amended for what was changed before");
            return Err(reject.retry_after(OWED_RETRY));
        }
        Ok(())
    }
}
