//! People whom the host has erased: each question reads all facts anew.

use std::time::Duration;

use chat_core::room::{Answer, Decision, Note};
use chat_core::{
    Event, Identity, MemberId, Now, Offset, PersonHash, Record, RecordVersion, RejectCode, Scope, SessionId,
};

use super::facts::Person;
use super::outcome::{decision, refusal};
use super::{AsSent, Model, Refusal, Told, facts, owed as amends, reactions, seat, sweeps};

/// People whom the log may name at once.
const OWED_MAX: usize = 16;

impl Model {
    /// What a log tells of a person: the first numbers that they joined under, as many as one step erases; and whether it names them at all.
    pub fn traces_of(&self, identity: &Identity) -> (Vec<MemberId>, bool) {
        let scope = Scope::Identity(identity.clone());
        let (mut members, mut is_told_of) = (Vec::new(), false);
        for (record, asked) in self.facts_as_sent() {
            is_told_of |= match &record.event {
                Event::Joined { scope: own, .. } | Event::Banned { scope: own } | Event::OwnerNamed { scope: own } => {
                    *own == scope
                }
                _ => asked == Some(AsSent::Invite(identity.clone())),
            };
            if matches!(&record.event, Event::Joined { scope: own, .. } if *own == scope) {
                members.extend(record.by.filter(|id| !members.contains(id)));
            }
        }
        members.truncate(Event::ERASED_NUMBERS_MAX);
        (members, is_told_of)
    }
}

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

/// Somebody who is being erased: what they said is taken back, and whoever is here has still to leave.
pub(super) struct Begun {
    pub(super) then: Model,
    pub(super) records: Vec<Record>,
    /// Who they are, where they are here.
    pub(super) here: Option<Person>,
    /// Whether the owner's seat is held for them, and somebody follows.
    pub(super) had_seat: bool,
    members: Vec<MemberId>,
}

/// Of whom the log is known to tell; else of who is in, or has a place: what else a room may remember of somebody, the model is not asked about without
/// what the log tells. Nothing of whom nothing is known, and who is being erased already.
pub(super) fn begin(
    model: &Model,
    now: Now,
    identity: &Identity,
    alias: SessionId,
    (known, is_told_of): (&[MemberId], bool),
) -> Result<Option<Begun>, Refusal> {
    if owed(model).into_iter().any(|(owed, _)| owed == alias) {
        return Ok(None);
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
        return Ok(None);
    }
    if model.writes < RecordVersion::PERSONS || owed(model).len() >= OWED_MAX {
        return Err(refusal(RejectCode::Unavailable, None));
    }
    let mut sweeps = 0;
    for &member in &members {
        sweeps += usize::from(sweeps::sweep(model, None, member, None)?.is_some());
    }
    let before = amends::changes(&all).len();
    if sweeps > 0 && before > 0 && before + sweeps > model.limits.owed_max {
        return Err(Refusal { retry_after: Some(Duration::from_secs(1)), ..refusal(RejectCode::Unavailable, None) });
    }
    let (mut then, mut records) = (model.clone(), Vec::new());
    for &member in &members {
        records.extend(reactions::take_all_back(model, &mut then, now, None, member, None)?);
    }
    let had_seat = seat::seat(&all).is_some_and(|seat| seat.scope == scope) && !model.is_protected();
    Ok(Some(Begun { then, records, here, had_seat, members }))
}

/// The decision, once they have left.
pub(super) fn end(begun: Begun, now: Now, alias: SessionId, note: Option<Note>) -> Decision {
    let Begun { mut then, mut records, members, .. } = begun;
    let is_owed = then.epoch().is_some();
    if is_owed {
        let event = Event::Erased { person: PersonHash(0), alias, members };
        records.push(then.add(now, Told::No, None, event, None));
    }
    decision(records, note, Answer::Erased { is_owed })
}
