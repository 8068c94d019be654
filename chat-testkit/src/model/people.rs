//! What people are shown as: what they ask for, what the policy says, and when they may change it.

use std::time::Duration;

use chat_core::room::{Answer, Caller, Decision};
use chat_core::{Event, MemberChange, MemberId, Named, Nick, Now, PersonData, RecordVersion, RejectCode};

use super::facts::Person;
use super::outcome::{decision, done, member, refusal};
use super::{Model, Refusal, host};

/// What the policy says of somebody. It calls nobody as the host is called: then it is as if it said no name.
fn said_of(model: &Model, by: &Caller) -> Named {
    let mut said = by.named.as_deref().cloned().unwrap_or_default();
    said.nick = said.nick.filter(|nick| host::name_like(model, nick).is_none());
    said
}

/// A name and data, after the policy.
pub(super) fn shown(model: &Model, by: &Caller, nick: Nick, data: Option<PersonData>) -> (Nick, Option<PersonData>) {
    let said = said_of(model, by);
    (said.nick.unwrap_or(nick), said.data.or(data))
}

/// Whether somebody may be called so, beside all others than themselves.
pub(super) fn may_have(
    model: &Model,
    now: Now,
    by: &Caller,
    nick: &Nick,
    own: Option<MemberId>,
) -> Result<(), Refusal> {
    let is_given = said_of(model, by).nick.is_some();
    is_not_hosts(model, by, nick)?;
    let others = model.members().into_iter().filter(|person| Some(person.id) != own);
    let holder = others.into_iter().find(|person| person.nick_key.looks_like(&nick.key()));
    let Some(holder) = holder.filter(|_| !is_given) else { return Ok(()) };
    let away = model.presence().away.into_iter().find(|(member, _)| *member == holder.id);
    let left = away.map(|(_, since)| since.after(model.limits.grace).since(now.mono).max(Duration::from_millis(1)));
    Err(Refusal { retry_after: left, ..refusal(RejectCode::NickTaken, Some("nick")) })
}

/// Nobody is called as the host is; of those whom the policy names it does not matter what they ask for.
pub(super) fn is_not_hosts(model: &Model, by: &Caller, nick: &Nick) -> Result<(), Refusal> {
    let is_given = said_of(model, by).nick.is_some();
    match host::name_like(model, nick).filter(|_| !is_given) {
        Some(_) => Err(refusal(RejectCode::NickTaken, Some("nick"))),
        None => Ok(()),
    }
}

pub(super) fn me(model: &Model, now: Now, by: &Caller, change: &MemberChange) -> Result<Decision, Refusal> {
    let own = member(model, by)?;
    // What the policy says of them is not for them to change.
    let owns = said_of(model, by);
    let nick = change.nick.clone().filter(|_| owns.nick.is_none()).unwrap_or(own.nick.clone());
    let data = change.data.clone().filter(|_| owns.data.is_none()).unwrap_or(own.data.clone());
    let Some(event) = told(&own, &nick, &data) else { return Ok(nothing(model)) };
    may_be_written(model)?;
    let wait = wait(model, now, own.id);
    if !wait.is_zero() {
        return Err(Refusal { retry_after: Some(wait), ..refusal(RejectCode::RateLimited, None) });
    }
    if nick != own.nick {
        may_have(model, now, by, &nick, Some(own.id))?;
    }
    Ok(done(model, now, Some(own), event))
}

/// How long a member has to wait until they may change again.
fn wait(model: &Model, now: Now, own: MemberId) -> Duration {
    let changes = model.facts().into_iter().filter(|record| {
        let is_own = matches!(record.event, Event::MemberChanged { member, .. } if member == own);
        is_own && record.by == Some(own)
    });
    // Of the last so many only.
    let last = changes.last().filter(|last| {
        let later = model.facts().into_iter().filter(|record| record.offset > last.offset);
        let changed = later
            .filter(|record| matches!(record.event, Event::MemberChanged { member, .. } if record.by == Some(member)));
        let mut others: Vec<MemberId> = changed.filter_map(|record| record.by).collect();
        others.sort();
        others.dedup();
        others.len() < model.limits.member_changes_max
    });
    let next = last.map(|last| last.at.after(model.limits.member_change_interval));
    next.map_or(Duration::ZERO, |next| next.since(model.time(now)))
}

/// The host says it of somebody.
pub(super) fn change(model: &Model, now: Now, member: MemberId, change: &MemberChange) -> Result<Decision, Refusal> {
    let Some(person) = model.member(member) else { return Err(refusal(RejectCode::MemberNotFound, None)) };
    let nick = change.nick.clone().unwrap_or(person.nick.clone());
    let data = change.data.clone().unwrap_or(person.data.clone());
    let Some(event) = told(&person, &nick, &data) else { return Ok(nothing(model)) };
    may_be_written(model)?;
    Ok(done(model, now, None, event))
}

/// What is told of somebody who comes back, where the policy says something else of them by now.
/// Once in so long, as if they had asked for it themselves.
pub(super) fn named_anew(model: &Model, now: Now, by: &Caller, person: &Person) -> Option<Event> {
    let (nick, data) = shown(model, by, person.nick.clone(), person.data.clone());
    let may_change = model.writes >= RecordVersion::PERSONS && wait(model, now, person.id).is_zero();
    told(person, &nick, &data).filter(|_| may_change)
}

/// What is said of a person who is to be shown so from now on; nothing where they are already.
fn told(person: &Person, nick: &Nick, data: &Option<PersonData>) -> Option<Event> {
    let (is_renamed, has_other_data) = (*nick != person.nick, *data != person.data);
    (is_renamed || has_other_data).then(|| Event::MemberChanged {
        member: person.id,
        nick: is_renamed.then(|| nick.clone()),
        nick_key: is_renamed.then(|| nick.key()),
        data: has_other_data.then(|| data.clone()),
    })
}

fn nothing(model: &Model) -> Decision {
    decision(Vec::new(), None, Answer::Done { seq: model.head() })
}

fn may_be_written(model: &Model) -> Result<(), Refusal> {
    match model.writes >= RecordVersion::PERSONS {
        true => Ok(()),
        false => Err(Refusal { retry_after: Some(Duration::from_secs(10)), ..refusal(RejectCode::Unavailable, None) }),
    }
}
