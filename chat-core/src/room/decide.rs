//! What would follow from an input, or why not. Changes nothing.
//!
//! Each rule stands in a file that is named for what it is about; here is which rule an input goes to, and what most of them ask.

use super::attendance::Attendance;
use super::decision::{Answer, Decision};
use super::draft::Draft;
use super::host_names::HostNames;
use super::input::{Actor, Caller, Input};
use super::ledger::Ledger;
use super::members::Member;
use super::permissions::Standing;
use super::read_positions::ReadPositions;
use super::time::RoomTime;
use crate::domain::{Content, Event, RecordVersion};
use crate::types::{Key, MemberId, Now, Reject, RejectCode, RoomLimits, Scope, Seq, Wall};

/// What the rules look at.
#[derive(Clone, Copy)]
pub(super) struct Rules<'a> {
    pub(super) ledger: &'a Ledger,
    pub(super) attendance: &'a Attendance,
    pub(super) time: RoomTime,
    pub(super) reads: &'a ReadPositions,
    pub(super) limits: &'a RoomLimits,
    pub(super) writes: RecordVersion,
    pub(super) host_names: &'a HostNames,
    pub(super) now: Now,
}

/// What is to become of a message.
pub(super) struct Edit<'a> {
    pub(super) target: Seq,
    pub(super) content: &'a Content,
    pub(super) as_sent: Option<&'a Content>,
    pub(super) key: Option<&'a Key>,
}

impl<'a> Rules<'a> {
    /// One rule per input.
    pub(super) fn decide(self, input: &Input) -> Result<Decision, Reject> {
        let alive = self.ledger.epoch().is_some();
        match input {
            Input::Create { .. } | Input::Found { .. } if alive => {
                Err(Reject::new(RejectCode::NameTaken, "this room exists already"))
            }
            Input::Create { by, nick, data, epoch, salt } => self.create(by, (nick, data.as_ref()), *epoch, *salt),
            Input::Found { options, epoch, salt } => self.found(options, *epoch, *salt),
            _ if !alive => Err(Reject::new(RejectCode::RoomNotFound, "there is no such room")),
            Input::Join { by, nick, data, history, after, secret } => {
                self.join(by, (nick, data.as_ref()), *history, *after, *secret)
            }
            Input::Attach { by, after } => self.attach(by, *after),
            Input::Me { by, change } => self.me(by, change),
            Input::ChangeMember { member, change } => self.change_member(*member, change),
            Input::Send { by, said, as_sent, key, permit } => {
                self.send(by, said, as_sent.as_ref(), key.as_ref(), *permit)
            }
            Input::Edit { by, target, content, as_sent, key, permit, evidence } => {
                let edit = Edit { target: *target, content, as_sent: as_sent.as_ref(), key: key.as_ref() };
                self.edit(by, edit, *permit, evidence.as_deref())
            }
            Input::Say { name, said, key } => self.say(name, said, key.as_ref()),
            Input::Leave { by } => self.leave(by),
            Input::History { by, anchor, limit } => self.history(by, *anchor, *limit),
            Input::Changes { by, after } => self.changes(by, *after),
            Input::Members { by, after, limit } => self.members(by, *after, *limit),
            Input::Typing { by, state } => self.typing(by, *state),
            Input::Live { by, target, text } => self.live(by, *target, text.as_ref()),
            Input::Signal { by, name, data } => self.signal(by, name, data.as_ref()),
            Input::Read { by, through } => self.read(by, *through),
            Input::React { by, target, name, on, key } => self.react(by, *target, name, *on, key.as_ref()),
            Input::Redact { by, target, evidence } => self.redact(by, *target, evidence.as_deref()),
            Input::Settle { through } => Ok(self.settle(*through)),
            Input::Kick { by, member } => self.kick(by, *member),
            Input::Ban { by, member, terms } => self.ban(by, *member, *terms),
            Input::Unban { by, ban } => self.unban(by, *ban),
            Input::Bans { by, after, limit } => self.bans(by, *after, *limit),
            Input::RedactAll { by, member, from } => self.redact_all(by, *member, *from),
            Input::SetTopic { by, topic } => self.set_topic(by, topic),
            Input::Settings { by, change } => self.change_settings(by, change),
            Input::SetRole { by, member, role } => self.set_role(by, *member, *role),
            Input::Protect => self.protect(),
            Input::Keep { on } => self.keep(*on),
            Input::Invite { identity } => self.invite(identity),
            Input::Erase { identity, alias, members, is_told_of } => self.erase(identity, *alias, members, *is_told_of),
            Input::Erased { alias } => Ok(self.erased(*alias)),
            Input::Scrubbed { through } => Ok(self.scrubbed(*through)),
            Input::Look => Ok(self.draft().finish(None, Answer::Nothing)),
            Input::Close { cause } => Ok(self.close(*cause)),
            Input::Elapsed => Ok(self.elapsed()),
        }
    }

    // The asker, and answers that occur often.

    /// The member a caller acts as: attached now, with this very generation, and the same person.
    pub(super) fn member(self, by: &Caller) -> Result<&'a Member, Reject> {
        let id = self.attendance.attached(by.session, by.generation);
        let member = id.and_then(|id| self.ledger.member(id)).filter(|member| is_scope_of(&member.scope, by));
        member.ok_or_else(not_member)
    }

    pub(super) fn standing(self, by: &Actor) -> Result<Standing, Reject> {
        match by {
            Actor::Host => Ok(Standing::Host),
            Actor::Member(caller) => {
                let member = self.member(caller)?;
                Ok(Standing::Member { id: member.id, role: member.role, sees: member.sees })
            }
        }
    }

    /// Room time.
    pub(super) fn at(self) -> Wall {
        self.time.at(self.now, self.ledger.last_at())
    }

    pub(super) fn draft(self) -> Draft<'a> {
        Draft::new(self.ledger, self.limits, self.at())
    }

    pub(super) fn done(self, by: Option<MemberId>, event: Event) -> Decision {
        let mut draft = self.draft();
        let seq = draft.push(by, event);
        draft.finish(None, Answer::Done { seq })
    }

    pub(super) fn nothing_to_do(self) -> Decision {
        let draft = self.draft();
        let seq = draft.head();
        draft.finish(None, Answer::Done { seq })
    }
}

pub(super) fn no_such_message() -> Reject {
    Reject::new(RejectCode::MessageNotFound, "there is no such message, or it is out of reach")
}

pub(super) fn not_member() -> Reject {
    Reject::new(RejectCode::NotMember, "you are not in this room")
}

/// The same as `by.scope() == *scope`, without a copy of the identity for every message.
fn is_scope_of(scope: &Scope, by: &Caller) -> bool {
    match (scope, &by.identity) {
        (Scope::Identity(identity), Some(own)) => identity == own,
        (Scope::Session(session), None) => *session == by.session,
        _ => false,
    }
}
