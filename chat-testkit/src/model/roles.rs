//! Roles: who may do what to whom, who gives which to whom, and who follows an owner.

use std::time::Duration;

use chat_core::room::{Actor, Answer, Decision};
use chat_core::{Event, LeaveReason, MemberId, Now, RecordVersion, RejectCode, Role, Scope, Wall};

use super::facts::{self, Person};
use super::outcome::{acting, decision, done, refusal, seq_of};
use super::seat::{is_protected, seat};
use super::{Model, Refusal, Told};

/// The role of a number: of who is in, and of who left and may come back to it.
pub(super) fn role_of(model: &Model, number: MemberId) -> Option<Role> {
    let facts = model.facts();
    let (members, former) = facts::people(&facts, model.limits.former_max);
    if let Some(person) = members.iter().find(|person| person.id == number) {
        return Some(person.role);
    }
    former.iter().find(|place| place.id == number).map(|place| place.role)
}

/// Whether somebody may act on somebody else of that role; the host on everybody.
pub(super) fn is_above(actor: Option<&Person>, other: Role) -> bool {
    let Some(actor) = actor else { return true };
    match actor.role {
        Role::Owner => other != Role::Owner,
        Role::Moderator => other == Role::Member,
        _ => false,
    }
}

/// Whether somebody keeps order at all.
pub(super) fn moderates(actor: Option<&Person>) -> bool {
    actor.is_none_or(|person| person.role != Role::Member)
}

pub(super) fn set_role(model: &Model, now: Now, by: &Actor, number: MemberId, role: Role) -> Result<Decision, Refusal> {
    let actor = acting(model, by)?;
    let facts = model.facts();
    let protected = is_protected(&facts);
    let by_host = actor.is_none();
    if actor.as_ref().is_some_and(|person| person.role != Role::Owner || (role == Role::Owner && protected)) {
        return Err(refusal(RejectCode::Forbidden, None));
    }
    if actor.as_ref().is_some_and(|person| person.id == number) && role != Role::Owner {
        return Err(refusal(RejectCode::BadField, Some("member")));
    }
    let (members, former) = facts::people(&facts, model.limits.former_max);
    let is_in = members.iter().any(|person| person.id == number);
    let before = role_of(model, number);
    let (Some(before), true) = (before, is_in || role != Role::Owner) else {
        return Err(refusal(RejectCode::MemberNotFound, None));
    };
    if before == role {
        return Ok(decision(Vec::new(), None, Answer::Done { seq: model.head() }));
    }
    if before == Role::Owner && by_host && !protected {
        return Err(refusal(RejectCode::BadField, Some("role")));
    }
    if model.writes < RecordVersion::PERSONS {
        return Err(refusal(RejectCode::Unavailable, None));
    }
    let owner = members.iter().find(|person| person.role == Role::Owner);
    // Everybody's role as it would be, of those who are known.
    let known = members.iter().map(|person| (person.id, person.role));
    let known = known.chain(former.iter().map(|place| (place.id, place.role)));
    let is_moderator = |(id, before): (MemberId, Role)| match role {
        _ if id == number => role == Role::Moderator,
        // Who is away hands nothing on: they have no seat any more, and are a member when they come back.
        Role::Owner if owner.is_some_and(|owner| owner.id == id) => true,
        _ => before == Role::Moderator,
    };
    let (mut were, mut would_be) = (0, 0);
    for person in known {
        were += usize::from(person.1 == Role::Moderator);
        would_be += usize::from(is_moderator(person));
    }
    if would_be > were && would_be > model.limits.moderators_max {
        return Err(refusal(RejectCode::RolesFull, None));
    }
    let by = actor.as_ref().map(|person| person.id);
    let mut then = model.clone();
    let mut records = Vec::new();
    if let (Role::Owner, Some(owner)) = (role, owner) {
        let event = Event::RoleChanged { member: owner.id, role: Role::Moderator };
        records.push(then.add(now, Told::Yes, by, event, None));
    }
    let changed = then.add(now, Told::Yes, by, Event::RoleChanged { member: number, role }, None);
    let seq = seq_of(&changed);
    records.push(changed);
    Ok(decision(records, None, Answer::Done { seq }))
}

pub(super) fn protect(model: &Model, now: Now) -> Result<Decision, Refusal> {
    if is_protected(&model.facts()) {
        return Ok(decision(Vec::new(), None, Answer::Done { seq: model.head() }));
    }
    if model.writes < RecordVersion::PERSONS {
        return Err(refusal(RejectCode::Unavailable, None));
    }
    let protected = model.clone().add(now, Told::No, None, Event::Protected, None);
    Ok(decision(vec![protected], None, Answer::Done { seq: model.head() }))
}

/// As what somebody comes in.
pub(super) fn at_join(model: &Model, now: Now, scope: &Scope) -> Role {
    let facts = model.facts();
    let (members, former) = facts::people(&facts, model.limits.former_max);
    let seat = seat(&facts);
    if seat.as_ref().is_some_and(|seat| seat.scope == *scope) {
        return Role::Owner;
    }
    let is_held = seat.is_some_and(|seat| seat.until.is_none_or(|until| model.time(now) < until));
    if members.is_empty() && !is_held && !is_protected(&facts) {
        return Role::Owner;
    }
    match facts::place_of(&former, scope) {
        Some(place) if model.writes >= RecordVersion::PERSONS => place.role,
        _ => Role::Member,
    }
}

/// Until when the room is held for somebody who leaves it.
pub(super) fn held(model: &Model, now: Now, leaver: &Person, reason: LeaveReason) -> Option<Wall> {
    let limits = &model.limits;
    let stays_empty = model.members().len() == 1;
    let lost_linger = if reason == LeaveReason::Timeout { limits.lost_linger } else { Duration::ZERO };
    let waits = limits.empty_linger.max(lost_linger);
    let ends = stays_empty && waits.is_zero() && !model.is_kept();
    let is_lost = reason == LeaveReason::Timeout || stays_empty;
    let may_be_said = model.writes >= RecordVersion::PERSONS && !limits.owner_seat_held.is_zero();
    let is_owner = leaver.role == Role::Owner && !is_protected(&model.facts());
    (is_owner && is_lost && !ends && may_be_said).then(|| model.time(now).after(limits.owner_seat_held))
}

/// Who follows, of those who are in.
pub(super) fn heir(model: &Model) -> Option<MemberId> {
    let order = |person: &Person| {
        let rank = if person.role == Role::Moderator { 0 } else { 1 };
        let away = usize::from(model.sessions_of(person.id).is_empty());
        (rank, away, person.since, person.id)
    };
    model.members().iter().min_by_key(|person| order(person)).map(|person| person.id)
}

/// The time of a seat that is held is over, and somebody is there to follow.
pub(super) fn succession(model: &Model, now: Now) -> Option<Decision> {
    let until = seat(&model.facts())?.until?;
    let heir = heir(model).filter(|_| until <= model.time(now))?;
    let Decision { records, note, .. } = done(model, now, None, Event::RoleChanged { member: heir, role: Role::Owner });
    Some(decision(records.into_vec(), note, Answer::Nothing))
}
