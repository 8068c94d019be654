//! What members may show, that they type, messages that grow and signals, and what ends it. Never logged.

use super::attendance::Attendance;
use super::decide::{Rules, no_such_message};
use super::decision::{Answer, Decision, Note};
use super::input::Caller;
use super::ledger::Ledger;
use super::live::LiveText;
use super::members::Member;
use super::permissions::Standing;
use super::signals;
use crate::domain::{Event, Notices, TypingState};
use crate::types::{Body, MemberId, Reject, RejectCode, Seq, SignalData, SignalName};

impl Rules<'_> {
    /// A member shows what a message of theirs says so far; or, without a text, that it does not grow any more.
    pub(super) fn live(self, by: &Caller, target: Seq, text: Option<&Body>) -> Result<Decision, Reject> {
        let member = self.member(by)?;
        let live = self.attendance.live();
        let Some(text) = text else {
            let is_shown = live.as_slice().iter().any(|live| (live.member, live.target) == (member.id, target));
            let note = is_shown.then_some(Note::Live { member: member.id, target, text: None });
            return Ok(self.draft().finish(note, Answer::Nothing));
        };
        let chars_max = self.limits.message_chars_max;
        if text.as_str().len() > chars_max && text.as_str().chars().count() > chars_max {
            return Err(Reject::too_long("text", chars_max as u64, "characters"));
        }
        self.check_may_grow(member, target)?;
        live.room_for(member.id, text, self.limits)?;
        let note = Note::Live { member: member.id, target, text: Some(text.clone()) };
        Ok(self.draft().finish(Some(note), Answer::Nothing))
    }

    /// A message grows that is one's own, was not taken back, and where one may speak.
    fn check_may_grow(self, member: &Member, target: Seq) -> Result<(), Reject> {
        let standing = Standing::Member { id: member.id, role: member.role, sees: member.sees };
        let mark = self.ledger.marks().find(target).filter(|_| standing.knows_of(target));
        let known = mark.map(|mark| (mark.by, mark.redacted));
        let (author, redacted) = known.ok_or_else(no_such_message)?;
        standing.may_grow(author)?;
        if redacted {
            return Err(Reject::new(RejectCode::MessageNotFound, "this message was taken back"));
        }
        standing.may_speak(self.ledger.settings().read_only)
    }

    /// A member begins to write, where they may speak, or stops.
    pub(super) fn typing(self, by: &Caller, state: TypingState) -> Result<Decision, Reject> {
        let member = self.member(by)?;
        if state == TypingState::On {
            let standing = Standing::Member { id: member.id, role: member.role, sees: member.sees };
            standing.may_speak(self.ledger.settings().read_only)?;
        }
        Ok(self.draft().finish(Some(Note::Typing { member: member.id, state }), Answer::Nothing))
    }

    /// A member shows something under a name; or, without data, shows nothing there any more.
    pub(super) fn signal(self, by: &Caller, name: &SignalName, data: Option<&SignalData>) -> Result<Decision, Reject> {
        let member = self.member(by)?.id;
        let shown = self.attendance.signals();
        let Some(data) = data else {
            let is_shown = shown.has(member, name);
            let note = is_shown.then(|| Note::Signal { member, name: name.clone(), data: None });
            return Ok(self.draft().finish(note, Answer::Nothing));
        };
        if self.ledger.notices() == Notices::Counted {
            return Err(signals::full(None, 0, "a room that only counts its members shows no signals"));
        }
        shown.room_for(member, name, data, self.limits)?;
        let note = Note::Signal { member, name: name.clone(), data: Some(data.clone()) };
        Ok(self.draft().finish(Some(note), Answer::Nothing))
    }
}

/// Ends the typing of those who may not speak any more.
pub(super) fn end_typing(ledger: &Ledger, attendance: &mut Attendance) {
    let silent: Vec<MemberId> = attendance.typing().filter(|&member| !may_speak(ledger, member)).collect();
    silent.into_iter().for_each(|member| attendance.stop_typing(member));
}

/// Ends what a record ends: the growing of a message that it changes, and of those of who may not speak any more; and signals where members
/// are only counted, because each would be told to thousands. What somebody shows who has gone goes with their place, in `Attendance::exit`.
pub(super) fn end(ledger: &Ledger, attendance: &mut Attendance, event: &Event) {
    end_signals(ledger, attendance);
    let Some(live) = attendance.live_mut() else { return };
    match event {
        Event::Edited { target, .. } | Event::Redacted { target } => live.retain(|live| live.target != *target),
        Event::Swept { member, from, to } => {
            live.retain(|live| live.member != *member || !(*from..=*to).contains(&live.target));
        }
        Event::SettingsChanged { .. } | Event::RoleChanged { .. } => live.retain(|live| may_speak(ledger, live.member)),
        _ => {}
    }
}

/// Ends what another fold of the log does not allow: a message grows no more that was never written, or is somebody else's, or was edited
/// there alone. That is asked of the message, and not of the numbers: an undone batch has had the same ones.
pub(super) fn agree(before: &Ledger, ledger: &Ledger, attendance: &mut Attendance) {
    end_signals(ledger, attendance);
    end_typing(ledger, attendance);
    let is_theirs = |live: &LiveText| match ledger.marks().find(live.target).map(|mark| (mark.by, mark.redacted)) {
        Some(mark) => mark == (live.member, false),
        None => ledger.may_have_forgotten(live.target),
    };
    let last_edit = |ledger: &Ledger, target| ledger.changes().last_edit(target);
    let is_edited = |target| {
        let there = last_edit(ledger, target);
        there.is_some() && there != last_edit(before, target)
    };
    let grows = |live: &LiveText| is_theirs(live) && !is_edited(live.target) && may_speak(ledger, live.member);
    attendance.live_mut().into_iter().for_each(|live| live.retain(grows));
}

fn end_signals(ledger: &Ledger, attendance: &mut Attendance) {
    if ledger.notices() == Notices::Counted {
        attendance.signals_mut().into_iter().for_each(|signals| signals.retain(|_| false));
    }
}

fn may_speak(ledger: &Ledger, member: MemberId) -> bool {
    let standing = |member: &Member| Standing::Member { id: member.id, role: member.role, sees: member.sees };
    let is_read_only = ledger.settings().read_only;
    ledger.member(member).is_some_and(|member| standing(member).may_speak(is_read_only).is_ok())
}
