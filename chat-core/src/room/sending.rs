//! The rule of sending: who may say what, how a retry is answered, and what a message may consist of.

use std::time::Duration;

use super::decide::Rules;
use super::decision::{Answer, Decision, Note, Repeated};
use super::input::{Caller, SendPermit};
use super::key_window::Kept;
use super::members::Member;
use crate::domain::{Content, Event, Keyed, RecordVersion, Said, TypingState};
use crate::types::{Color, Key, Nick, Reject, RejectCode, Seq};

/// When to try again what only later records can say. 10 s: as where others have to go first.
const LATER_RETRY: Duration = Duration::from_secs(10);

impl Rules<'_> {
    /// A member says something. The answer to a retry comes before whatever may be refused: it costs nothing, and says nothing new.
    #[inline]
    pub(super) fn send(
        self,
        by: &Caller,
        said: &Said,
        as_sent: Option<&Said>,
        key: Option<&Key>,
        permit: SendPermit,
    ) -> Result<Decision, Reject> {
        let member = self.member(by)?;
        self.check_content(&said.content)?;
        let keyed = key.map(|key| Keyed { key: key.clone(), digest: self.ledger.digest(as_sent.unwrap_or(said)) });
        if let Some(answer) = self.answered_before(member, keyed.as_ref())? {
            return Ok(self.draft().finish(None, answer));
        }
        self.check_may_speak(member)?;
        check_is_paid(permit)?;
        self.check_reply(member.sees, said)?;
        let (nick, color, reply_to) = (member.nick.clone(), member.color, said.reply_to);
        let Content { text, data } = said.content.clone();
        let event = Event::Sent { nick, color, text, keyed, amended: None, data, reply_to };
        let typing = self.attendance.is_typing(member.id);
        let note = typing.then_some(Note::Typing { member: member.id, state: TypingState::Off });
        Ok(self.draft().say(Some(member.id), event, note))
    }

    /// The host says something: without being there, at any time, and as often as it likes. The answer to a retry comes first, too.
    pub(super) fn say(self, name: &Nick, said: &Said, key: Option<&Key>) -> Result<Decision, Reject> {
        let not_listed = || Reject::bad_field("name", "name is none of the host's: list it where the engine is built");
        let nick = self.host_names.like(&name.key()).ok_or_else(not_listed)?.clone();
        self.check_content(&said.content)?;
        let keyed = key.map(|key| Keyed { key: key.clone(), digest: self.ledger.digest_of_host(&nick, said) });
        if let Some(keyed) = &keyed
            && let Some(answer) = answer_of_before(self.ledger.said_before(&keyed.key), keyed)?
        {
            return Ok(self.draft().finish(None, answer));
        }
        self.check_reply(Seq(0), said)?;
        self.check_may_be_written()?;
        let (reply_to, Content { text, data }) = (said.reply_to, said.content.clone());
        let event = Event::Sent { nick, color: Color(0), text, keyed, amended: None, data, reply_to };
        Ok(self.draft().say(None, event, None))
    }

    /// A policy may have made more of it than a client may send.
    #[inline]
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
    #[inline]
    fn check_reply(self, sees: Seq, said: &Said) -> Result<(), Reject> {
        let Said { content: Content { data, .. }, reply_to } = said;
        if reply_to.is_some_and(|seq| seq <= sees || seq > self.ledger.head()) {
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
        answer_of_before(self.ledger.sent_before(&member.scope, &keyed.key), keyed)
    }

    /// Whether what only later programs read may be recorded by now.
    pub(super) fn check_may_be_written(self) -> Result<(), Reject> {
        if self.writes >= RecordVersion::PERSONS {
            return Ok(());
        }
        let message = "messages have data, answer others, are edited and are the host's once no program writes to this log that cannot read it";
        Err(Reject::new(RejectCode::Unavailable, message).retry_after(LATER_RETRY))
    }
}

/// The answer of before, where the same was said.
fn answer_of_before(first: Option<&Kept>, keyed: &Keyed) -> Result<Option<Answer>, Reject> {
    let Some(first) = first else { return Ok(None) };
    if first.digest != keyed.digest {
        let reject = Reject::new(RejectCode::KeyConflict, "this key was used for something else");
        return Err(Reject { field: Some("key"), ..reject });
    }
    Ok(Some(Answer::Sent { seq: first.seq, at: first.at, repeated: Repeated::Retry }))
}

pub(super) fn check_is_paid(permit: SendPermit) -> Result<(), Reject> {
    match permit {
        SendPermit::Paid => Ok(()),
        SendPermit::Exhausted { retry_after } => {
            Err(Reject::new(RejectCode::RateLimited, "too much was said already").retry_after(retry_after))
        }
    }
}
