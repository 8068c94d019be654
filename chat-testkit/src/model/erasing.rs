//! People whom the host has erased: each question reads all facts anew.

use chat_core::room::{Answer, Decision};
use chat_core::{
    Event, Identity, LeaveReason, MemberId, Now, Offset, PersonHash, RecordVersion, RejectCode, Role, Scope, SessionId,
};

use super::outcome::{decision, refusal};
use super::{Model, Refusal, Told, act, facts, reactions, roles, seat};

/// People whom the log may name at once.
const OWED_MAX: usize = 16;

/// Who stands for those whom the log may still name, each with the record that erased them.
fn owed(model: &Model) -> Vec<(SessionId, Offset)> {
    let mut owed = Vec::new();
    for record in model.facts() {
        match record.event {
            Event::Erased { alias, .. } => owed.push((alias, record.offset)),
            Event::Scrubbed { through } => owed.retain(|(_, offset)| *offset > through),
            _ => {}
        }
    }
    owed
}

pub(super) fn erased(model: &Model, alias: SessionId) -> Decision {
    let is_owed = owed(model).into_iter().any(|(owed, _)| owed == alias);
    decision(Vec::new(), None, Answer::Erased { is_owed })
}

pub(super) fn scrubbed(model: &Model, now: Now, through: Offset) -> Decision {
    let is_owed = owed(model).into_iter().any(|(_, offset)| offset <= through);
    let says = is_owed && model.writes >= RecordVersion::PERSONS;
    let records = says.then(|| model.clone().add(now, Told::No, None, Event::Scrubbed { through }, None));
    decision(records.into_iter().collect(), None, Answer::Nothing)
}

/// Of whom the log is known to tell; else of who is in, or has a place: what else a room may remember of somebody, the model is not asked about.
pub(super) fn erase(
    model: &Model,
    now: Now,
    identity: &Identity,
    alias: SessionId,
    (known, is_told_of): (&[MemberId], bool),
) -> Result<Decision, Refusal> {
    if owed(model).into_iter().any(|(owed, _)| owed == alias) {
        return Ok(erased(model, alias));
    }
    let scope = Scope::Identity(identity.clone());
    let all = model.facts();
    let (present, former) = facts::people(&all, model.limits.former_max);
    let here = present.into_iter().find(|person| person.scope == scope);
    let mut members: Vec<MemberId> = here.iter().map(|person| person.id).collect();
    members.extend(facts::place_of(&former, &scope).map(|place| place.id));
    let next = facts::next_number(&all);
    members.extend(known.iter().copied().filter(|id| MemberId(1) <= *id && *id < next));
    members.sort();
    members.dedup();
    if members.is_empty() && !is_told_of {
        return Ok(erased(model, alias));
    }
    if model.writes < RecordVersion::PERSONS {
        return Err(refusal(RejectCode::Unavailable, None));
    }
    if owed(model).len() >= OWED_MAX {
        return Err(refusal(RejectCode::Unavailable, None));
    }
    let (mut then, mut records) = (model.clone(), Vec::new());
    for &member in &members {
        records.extend(reactions::take_all_back(model, &mut then, now, None, member, None)?);
    }
    let note = match &here {
        Some(here) => {
            let event = Event::Left { nick: here.nick.clone(), reason: LeaveReason::Left, held: None };
            records.push(then.add(now, Told::from(model.notices()), Some(here.id), event, None));
            records.extend(act::consequences(&mut then, now));
            act::time_for_the_empty(&then)
        }
        None => {
            let had_seat = seat::seat(&all).is_some_and(|seat| seat.scope == scope) && !model.is_protected();
            if let Some(heir) = roles::heir(model).filter(|_| had_seat) {
                let event = Event::RoleChanged { member: heir, role: Role::Owner };
                records.push(then.add(now, Told::Yes, None, event, None));
            }
            None
        }
    };
    let is_owed = then.epoch().is_some();
    if is_owed {
        let event = Event::Erased { person: PersonHash(0), alias, members };
        records.push(then.add(now, Told::No, None, event, None));
    }
    Ok(decision(records, note, Answer::Erased { is_owed }))
}
