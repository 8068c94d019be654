//! What would follow from an input, or why not. Changes nothing.

use std::time::Duration;

use super::attendance::Attendance;
use super::draft::Draft;
use super::former::Place;
use super::input::{
    Actor, Answer, Caller, Decision, Entered, Entry, Evidence, HistorySlice, Input, Note, Repeated, SendPermit,
};
use super::ledger::Ledger;
use super::members::Member;
use super::owed::OwedChange;
use super::permissions::Standing;
use super::reads::ReadPositions;
use super::time::RoomTime;
use crate::domain::{Content, Event, Keyed, LeaveReason, RecordVersion, Role, RoomCloseReason, Said, TypingState};
use crate::types::{
    Color, Epoch, Key, MemberId, Nick, Now, PersonData, Position, Reject, RejectCode, RoomLimits, Scope, SecretHash,
    Seq, Topic, Wall,
};

/// What the rules look at.
#[derive(Clone, Copy)]
pub(super) struct Rules<'a> {
    pub(super) ledger: &'a Ledger,
    pub(super) attendance: &'a Attendance,
    pub(super) time: RoomTime,
    pub(super) reads: &'a ReadPositions,
    pub(super) limits: &'a RoomLimits,
    pub(super) writes: RecordVersion,
    pub(super) now: Now,
}

/// What is to become of a message.
pub(super) struct Edit<'a> {
    pub(super) target: Seq,
    pub(super) content: &'a Content,
    pub(super) as_sent: Option<&'a Content>,
    pub(super) key: Option<&'a Key>,
}

/// As who somebody comes in: what their record says of them, beside their name.
#[derive(Clone, Copy)]
struct Seat {
    member: MemberId,
    color: Color,
    sees: Option<Seq>,
}

impl<'a> Rules<'a> {
    /// One rule per input.
    pub(super) fn decide(self, input: &Input) -> Result<Decision, Reject> {
        let alive = self.ledger.epoch().is_some();
        match input {
            Input::Create { .. } if alive => Err(Reject::new(RejectCode::NameTaken, "this room exists already")),
            Input::Create { by, nick, data, epoch, salt } => Ok(self.create(by, nick, data.as_ref(), *epoch, *salt)),
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
            Input::Leave { by } => self.leave(by),
            Input::History { by, anchor, limit } => self.history(by, *anchor, *limit),
            Input::Changes { by, after } => self.changes(by, *after),
            Input::Members { by, after, limit } => self.members(by, *after, *limit),
            Input::Typing { by, state } => {
                let note = Note::Typing { member: self.member(by)?.id, state: *state };
                Ok(self.draft().finish(Some(note), Answer::Nothing))
            }
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
            Input::Close { cause } => Ok(self.close(*cause)),
            Input::Elapsed => Ok(self.elapsed()),
        }
    }

    // Coming in.

    fn create(self, by: &Caller, nick: &Nick, data: Option<&PersonData>, epoch: Epoch, salt: u64) -> Decision {
        let mut draft = Draft::new_life(self.ledger, self.limits, self.now.wall);
        draft.push(None, Event::Created { epoch, salt });
        let seat = Seat { member: MemberId(1), color: Color(0), sees: self.says_floor().then_some(Seq(0)) };
        self.joined(draft, by, seat, (nick, data), Role::Owner)
    }

    fn join(
        self,
        by: &Caller,
        (nick, data): (&Nick, Option<&PersonData>),
        history: Option<u32>,
        after: Option<Position>,
        secret: Option<SecretHash>,
    ) -> Result<Decision, Reject> {
        let scope = by.scope();
        self.check_may_join(by, &scope)?;
        if let Some(member) = self.ledger.member_with_scope(&scope) {
            if self.attendance.attached(by.session, by.generation) == Some(member.id) {
                return Err(Reject::new(RejectCode::AlreadyMember, "you are in this room already"));
            }
            return self.come_back(by, member, history, after);
        }
        self.check_is_not_late(by)?;
        let place = self.ledger.place(&scope);
        if place.is_none() {
            self.admit_newcomer(secret)?;
        }
        self.check_nick_is_free(by, nick, None)?;
        if self.ledger.members_total() >= self.limits.members_max {
            return Err(Reject::new(RejectCode::RoomFull, "the room is full").limit(self.limits.members_max as u64));
        }
        let place = self.ledger.place(&scope);
        let (seat, role) = (self.seat(place), self.role_at_join(&scope, place));
        let mut decision = self.joined(self.draft(), by, seat, (nick, data), role);
        let Answer::Entered(entered) = &mut decision.answer else { unreachable!("a join is answered with an entry") };
        match (self.seen(after), place) {
            (Some(seen), Some(place)) => {
                entered.from = seen.clamp(place.joined, self.ledger.head());
                entered.is_named = true;
            }
            _ => entered.history = self.newest(history, self.floor(place, seat)),
        }
        Ok(decision)
    }

    /// As who somebody comes in. A number is a person: who comes back to their place has it again, and sees what they saw. While
    /// programs live that cannot read that, each join has a number of its own, and newcomers see everything.
    fn seat(self, place: Option<&Place>) -> Seat {
        let new = || (self.ledger.next_member(), self.ledger.least_used_color());
        let says_floor = self.says_floor();
        let again = place.filter(|_| says_floor).and_then(Place::number);
        let (member, color) = again.unwrap_or_else(new);
        let floor = || place.map_or_else(|| self.floor_of_newcomer(), |place| place.sees);
        Seat { member, color, sees: says_floor.then(floor) }
    }

    pub(super) fn says_floor(self) -> bool {
        self.writes >= RecordVersion::PERSONS
    }

    /// What somebody sees who comes in like this; see `Ledger::apply`.
    fn floor(self, place: Option<&Place>, seat: Seat) -> Seq {
        seat.sees.or(place.map(|place| place.sees)).unwrap_or_default()
    }

    /// A refusal that may pass where nobody is connected as the holder, who may be the newcomer's own ghost: with its grace.
    pub(super) fn nick_taken(self, holder: MemberId) -> Reject {
        let reject = Reject::new(RejectCode::NickTaken, "somebody in the room has this nick, or one like it");
        let reject = Reject { field: Some("nick"), ..reject };
        match self.attendance.grace_left(holder, self.now.mono, self.limits) {
            // One that is over has only not been told yet.
            Some(left) => reject.retry_after(left.max(Duration::from_millis(1))),
            None => reject,
        }
    }

    fn attach(self, by: &Caller, after: Option<Position>) -> Result<Decision, Reject> {
        let scope = by.scope();
        let Some(member) = self.ledger.member_with_scope(&scope) else {
            return Err(self.check_is_not_banned(&scope, None).err().unwrap_or_else(not_member));
        };
        // One from before all that they may see is nobody's.
        let after = after.filter(|after| after.seq >= member.joined);
        let mut decision = self.come_back(by, member, None, after)?;
        let Answer::Entered(entered) = &mut decision.answer else { unreachable!("who comes back has entered") };
        // Who names a position of an earlier membership has not heard of this one: another device began it, or its `joined`
        // was lost.
        if self.seen(after).is_some_and(|seen| seen >= member.entered) {
            entered.entry = Entry::Continued;
        }
        Ok(decision)
    }

    /// What an older generation asks late is not for it to have any more: its answer would reach nobody.
    fn check_is_not_late(&self, by: &Caller) -> Result<(), Reject> {
        match self.attendance.generation(by.session) {
            Some(known) if known > by.generation => Err(not_member()),
            _ => Ok(()),
        }
    }

    /// Attaches to a membership: nobody is told.
    fn come_back(
        self,
        by: &Caller,
        member: &Member,
        history: Option<u32>,
        after: Option<Position>,
    ) -> Result<Decision, Reject> {
        self.check_is_not_late(by)?;
        let others = self.attendance.sessions_of(member.id).iter().filter(|&&session| session != by.session).count();
        if others >= self.limits.attachments_max {
            let reject = Reject::new(RejectCode::TooManyAttachments, "you are here on as many devices as there may be");
            return Err(reject.limit(self.limits.attachments_max as u64));
        }
        let head = self.ledger.head();
        let seen = self.seen(after);
        let (from, history) = match seen {
            Some(seen) => (seen.clamp(member.joined, head), HistorySlice::default()),
            None => (head, self.newest(history, member.sees)),
        };
        let entered = Entered { member: member.id, from, is_named: seen.is_some(), entry: Entry::Attached, history };
        let mut draft = self.draft();
        if let Some(changed) = self.named_otherwise(by, member) {
            draft.push(Some(member.id), changed);
        }
        Ok(draft.finish(Some(attached(by, member.id)), Answer::Entered(entered)))
    }

    fn joined(
        self,
        mut draft: Draft<'_>,
        by: &Caller,
        Seat { member, color, sees }: Seat,
        asked: (&Nick, Option<&PersonData>),
        role: Role,
    ) -> Decision {
        let (nick, data) = self.shown_as(by, asked);
        let (nick_key, scope) = (nick.key(), by.scope());
        let from = draft.push_join(member, Event::Joined { nick, nick_key, color, role, scope, sees, data });
        let history = HistorySlice::default();
        let entered = Entered { member, from, is_named: false, entry: Entry::Joined, history };
        draft.finish(Some(attached(by, member)), Answer::Entered(entered))
    }

    // Talking.

    fn send(
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
        self.check_reply(member, said)?;
        let mut draft = self.draft();
        let (nick, color, reply_to) = (member.nick.clone(), member.color, said.reply_to);
        let Content { text, data } = said.content.clone();
        let event = Event::Sent { nick, color, text, keyed, amended: None, data, reply_to };
        let seq = draft.push(Some(member.id), event);
        let typing = self.attendance.is_typing(member.id);
        let note = typing.then_some(Note::Typing { member: member.id, state: TypingState::Off });
        let answer = Answer::Sent { seq, at: draft.at(), repeated: Repeated::First };
        Ok(draft.finish(note, answer))
    }

    fn redact(self, by: &Actor, seq: Seq, evidence: Option<&Evidence>) -> Result<Decision, Reject> {
        let standing = self.standing(by)?;
        let (author, redacted) = self.author_of(standing, seq, evidence).ok_or_else(no_such_message)?;
        standing.may_redact(author, || self.ledger.role_kept(author))?;
        if redacted {
            return Ok(self.nothing_to_do());
        }
        self.check_owes_little(0)?;
        Ok(self.done(standing.by(), Event::Redacted { target: seq }))
    }

    /// Author and state of a message, as far as who asks knows of it.
    pub(super) fn author_of(
        self,
        standing: Standing,
        seq: Seq,
        evidence: Option<&Evidence>,
    ) -> Option<(MemberId, bool)> {
        let mark = self.ledger.marks().find(seq).map(|mark| (mark.by, mark.redacted));
        mark.or_else(|| self.shown_by(seq, evidence?)).filter(|_| standing.knows_of(seq))
    }

    /// Author and state of a message that only the log knows. What the log has not been amended for is remembered.
    fn shown_by(self, seq: Seq, evidence: &Evidence) -> Option<(MemberId, bool)> {
        let is_of_here = Some(evidence.epoch) == self.ledger.epoch() && self.ledger.may_have_forgotten(seq);
        let is_owed =
            || self.ledger.owed().any(|owed| matches!(owed, OwedChange::TakeBack(owed) if owed.target == seq));
        let is_swept = || self.ledger.sweeps().any(|sweep| sweep.covers(evidence.by, seq));
        let is_taken_back = || evidence.is_taken_back || is_owed() || is_swept();
        is_of_here.then(|| (evidence.by, is_taken_back()))
    }

    fn settle(self, through: Seq) -> Decision {
        let mut draft = self.draft();
        let is_owed = self.ledger.first_owed().is_some_and(|change| change <= through);
        if is_owed && self.writes >= RecordVersion::PERSONS {
            let frozen = self.ledger.owed_freezes().filter(|owed| owed.change <= through).map(|owed| owed.target).max();
            draft.push(None, Event::Settled { through, frozen: frozen.unwrap_or_default() });
        }
        draft.finish(None, Answer::Nothing)
    }

    fn set_topic(self, by: &Actor, topic: &Topic) -> Result<Decision, Reject> {
        let standing = self.standing(by)?;
        standing.may_moderate()?;
        if topic == self.ledger.topic() {
            return Ok(self.nothing_to_do());
        }
        Ok(self.done(standing.by(), Event::TopicChanged { topic: topic.clone() }))
    }

    // Looking.

    fn members(self, by: &Caller, after: Option<MemberId>, limit: Option<u32>) -> Result<Decision, Reject> {
        self.member(by)?;
        let page_max = self.limits.members_page_max;
        let count = limit.map_or(page_max, |limit| page_max.min(limit as usize));
        let page = self.ledger.members_after(after).take(count).map(|member| member.id).collect();
        let answer = Answer::Members { page, total: self.ledger.members_total() };
        Ok(self.draft().finish(None, answer))
    }

    // Going out.

    fn leave(self, by: &Caller) -> Result<Decision, Reject> {
        let member = self.member(by)?;
        let mut draft = self.draft();
        let seq = draft.push_left(member, LeaveReason::Left, self.after_leave(member, LeaveReason::Left));
        Ok(draft.finish_exit(Answer::Left { seq }))
    }

    fn kick(self, by: &Actor, member: MemberId) -> Result<Decision, Reject> {
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

    fn close(self, cause: RoomCloseReason) -> Decision {
        self.done(None, Event::Closed { cause })
    }

    /// At most one consequence, and always one while a deadline is due: the caller asks again until none is.
    fn elapsed(self) -> Decision {
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

    /// Not where a clock that was ahead when the room was read back has been set right since.
    fn linger_is_over(self) -> bool {
        self.ledger.empty_until(self.limits).is_some_and(|until| until <= self.at())
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

    /// What a caller says they have seen, if it is of this incarnation.
    fn seen(self, after: Option<Position>) -> Option<Seq> {
        after.filter(|after| Some(after.epoch) == self.ledger.epoch()).map(|after| after.seq)
    }
}

pub(super) fn no_such_message() -> Reject {
    Reject::new(RejectCode::MessageNotFound, "there is no such message, or it is out of reach")
}

pub(super) fn check_is_paid(permit: SendPermit) -> Result<(), Reject> {
    match permit {
        SendPermit::Paid => Ok(()),
        SendPermit::Exhausted { retry_after } => {
            Err(Reject::new(RejectCode::RateLimited, "too much was said already").retry_after(retry_after))
        }
    }
}

fn not_member() -> Reject {
    Reject::new(RejectCode::NotMember, "you are not in this room")
}

fn attached(by: &Caller, member: MemberId) -> Note {
    Note::Attached { session: by.session, generation: by.generation, member, network: by.network }
}

/// The same as `by.scope() == *scope`, without a copy of the identity for every message.
fn is_scope_of(scope: &Scope, by: &Caller) -> bool {
    match (scope, &by.identity) {
        (Scope::Identity(identity), Some(own)) => identity == own,
        (Scope::Session(session), None) => *session == by.session,
        _ => false,
    }
}
