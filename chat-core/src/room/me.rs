//! What members are shown as: their name and data, which they change themselves, or which the embedder says.

use std::time::Duration;

use super::decide::Rules;
use super::decision::Decision;
use super::input::Caller;
use super::members::Member;
use crate::domain::{Event, MemberChange, RecordVersion};
use crate::types::{MemberId, Nick, NickKey, PersonData, Reject, RejectCode};

/// When to try again what only later records can say. 10 s: as where others have to go first.
const RETRY: Duration = Duration::from_secs(10);

/// As what somebody comes in, and what that looks like.
pub(super) struct Shown {
    pub(super) nick: Nick,
    pub(super) nick_key: NickKey,
    pub(super) data: Option<PersonData>,
}

impl Rules<'_> {
    /// A member changes what they are shown as, as far as they choose it: what the policy says was told as they came in, and nothing of it is
    /// asked for here. It may say something else by now, or the host. It has nothing to do with who may speak now.
    pub(super) fn me(self, by: &Caller, asked: &MemberChange) -> Result<Decision, Reject> {
        let member = self.member(by)?;
        let named = by.named.as_deref();
        let nick = asked.nick.as_ref().filter(|_| self.nick_given(by).is_none());
        let data = asked.data.clone().filter(|_| named.is_none_or(|named| named.data.is_none()));
        let Some(changed) = difference(member, nick, data) else {
            return Ok(self.nothing_to_do());
        };
        if self.writes < RecordVersion::PERSONS {
            return Err(not_written());
        }
        self.check_has_waited(member)?;
        if let Event::MemberChanged { nick: Some(nick), .. } = &changed {
            self.check_nick_is_free(by, &nick.key(), Some(member.id))?;
        }
        Ok(self.done(Some(member.id), changed))
    }

    /// The host changes what a member is shown as: at any time, and under any name.
    pub(super) fn change_member(self, member: MemberId, asked: &MemberChange) -> Result<Decision, Reject> {
        let member = self.ledger.member(member);
        let member = member.ok_or_else(|| Reject::new(RejectCode::MemberNotFound, "there is no such member"))?;
        match difference(member, asked.nick.as_ref(), asked.data.clone()) {
            None => Ok(self.nothing_to_do()),
            Some(_) if self.writes < RecordVersion::PERSONS => Err(not_written()),
            Some(changed) => Ok(self.done(None, changed)),
        }
    }

    /// As what somebody comes in who asks for this. Data that cannot be written down are passed over: they say nothing that a room needs.
    pub(super) fn shown_as(self, by: &Caller, (nick, data): (&Nick, Option<&PersonData>)) -> Shown {
        let named = by.named.as_deref();
        let nick = self.nick_given(by).unwrap_or(nick);
        let data = named.and_then(|named| named.data.as_ref()).or(data);
        let data = data.filter(|_| self.writes >= RecordVersion::PERSONS);
        Shown { nick: nick.clone(), nick_key: nick.key(), data: data.cloned() }
    }

    /// What is told where the policy says another name or other data of a member who comes back than they are shown with. It counts as
    /// a change of theirs: of two devices that it names differently each could come back all the time. One that comes too early is passed
    /// over, up to a later return.
    pub(super) fn named_otherwise(self, by: &Caller, member: &Member) -> Option<Event> {
        let named = by.named.as_deref().filter(|_| self.writes >= RecordVersion::PERSONS)?;
        difference(member, self.nick_given(by), named.data.clone().map(Some))
            .filter(|_| self.check_has_waited(member).is_ok())
    }

    /// Nobody takes a name that looks like that of another, unless it is the policy that gives it.
    pub(super) fn check_nick_is_free(self, by: &Caller, nick: &NickKey, own: Option<MemberId>) -> Result<(), Reject> {
        if self.nick_given(by).is_some() {
            return Ok(());
        }
        self.check_is_not_hosts(by, nick)?;
        match self.ledger.member_with_nick(nick, own) {
            Some(holder) => Err(self.nick_taken(holder.id)),
            None => Ok(()),
        }
    }

    /// What the policy calls somebody. A name that looks like one of the host's counts as not said: people often choose what the policy hears of
    /// them, and nobody is the host by that, or kept out.
    fn nick_given(self, by: &Caller) -> Option<&Nick> {
        let given = by.named.as_deref()?.nick.as_ref();
        given.filter(|nick| self.host_names.like(&nick.key()).is_none())
    }

    /// Nobody takes a name that looks like one of the host's. What those ask for whom the policy names does not count.
    pub(super) fn check_is_not_hosts(self, by: &Caller, nick: &NickKey) -> Result<(), Reject> {
        match self.host_names.like(nick).filter(|_| self.nick_given(by).is_none()) {
            Some(_) => {
                let reject =
                    Reject::new(RejectCode::NickTaken, "the host of the room speaks under this nick, or one like it");
                Err(Reject { field: Some("nick"), ..reject })
            }
            None => Ok(()),
        }
    }

    /// A refusal that may pass where nobody is connected as the holder, who may be the newcomer's own ghost: with its grace.
    fn nick_taken(self, holder: MemberId) -> Reject {
        let reject = Reject::new(RejectCode::NickTaken, "somebody in the room has this nick, or one like it");
        let reject = Reject { field: Some("nick"), ..reject };
        match self.attendance.grace_left(holder, self.now.mono, self.limits) {
            // One that is over has only not been told yet.
            Some(left) => reject.retry_after(left.max(Duration::from_millis(1))),
            None => reject,
        }
    }

    /// Everybody is told of each change: nobody changes all the time.
    fn check_has_waited(self, member: &Member) -> Result<(), Reject> {
        let next = self.ledger.changed_last(member.id).map(|last| last.after(self.limits.member_change_interval));
        let left = next.map_or(Duration::ZERO, |next| next.since(self.at()));
        match left.is_zero() {
            true => Ok(()),
            false => {
                let message = "you have changed what you are shown as just now";
                Err(Reject::new(RejectCode::RateLimited, message).retry_after(left))
            }
        }
    }
}

/// The event of a change, as far as it changes anything.
fn difference(member: &Member, nick: Option<&Nick>, data: Option<Option<PersonData>>) -> Option<Event> {
    let nick = nick.filter(|nick| **nick != member.nick);
    let data = data.filter(|data| *data != member.data);
    (nick.is_some() || data.is_some()).then(|| Event::MemberChanged {
        member: member.id,
        nick: nick.cloned(),
        nick_key: nick.map(Nick::key),
        data,
    })
}

fn not_written() -> Reject {
    let message = "members change once no program writes to this log that cannot read it";
    Reject::new(RejectCode::Unavailable, message).retry_after(RETRY)
}
