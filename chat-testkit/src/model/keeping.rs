//! Rooms that the host makes, and those that stay while nobody is in them.

use std::time::Duration;

use chat_core::room::{Answer, Decision, Note};
use chat_core::{
    Epoch, Event, Now, Record, RecordVersion, RejectCode, RoomCloseReason, RoomOptions, Scope, SecretHash, Settings,
};

use super::outcome::{decision, refusal};
use super::{Model, Refusal, Told, settings};

/// Whether the room stays: what was said of it last.
pub(super) fn is_kept(facts: &[Record]) -> bool {
    let said = facts.iter().rev().find_map(|record| match record.event {
        Event::Kept { on } => Some(on),
        Event::Closed { .. } => Some(false),
        _ => None,
    });
    said.unwrap_or(false)
}

pub(super) fn found(
    model: &Model,
    now: Now,
    options: &RoomOptions<SecretHash>,
    epoch: Epoch,
    salt: u64,
) -> Result<Decision, Refusal> {
    if model.epoch().is_some() {
        return Err(refusal(RejectCode::NameTaken, None));
    }
    check_version(model)?;
    // Nothing is set in a room that is not there.
    let set = settings::changed(model, None, &options.settings)?;
    let mut said = vec![(Told::No, Event::Created { epoch, salt }), (Told::No, Event::Kept { on: true })];
    said.extend(options.is_protected.then_some((Told::No, Event::Protected)));
    let owner = options.owner.clone().map(Scope::Identity);
    said.extend(owner.map(|scope| (Told::No, Event::OwnerNamed { scope })));
    said.extend((set != Settings::default()).then_some((Told::Yes, Event::SettingsChanged { settings: set })));
    let topic = options.topic.clone();
    said.extend((!topic.as_str().is_empty()).then_some((Told::Yes, Event::TopicChanged { topic })));
    let mut then = model.clone();
    let records = said.into_iter().map(|(told, event)| then.add(now, told, None, event, None)).collect();
    Ok(decision(records, None, Answer::Done { seq: then.head() }))
}

pub(super) fn keep(model: &Model, now: Now, on: bool) -> Result<Decision, Refusal> {
    let answer = Answer::Done { seq: model.head() };
    if model.is_kept() == on {
        return Ok(decision(Vec::new(), None, answer));
    }
    check_version(model)?;
    let mut then = model.clone();
    let mut records = vec![then.add(now, Told::No, None, Event::Kept { on }, None)];
    let is_vacant = !on && model.members().is_empty();
    let ends = is_vacant && model.limits.empty_linger == Duration::ZERO;
    if ends {
        records.push(then.add(now, Told::No, None, Event::Closed { cause: RoomCloseReason::Empty }, None));
    }
    Ok(decision(records, (is_vacant && !ends).then_some(Note::Elapsed), answer))
}

fn check_version(model: &Model) -> Result<(), Refusal> {
    if model.writes < RecordVersion::PERSONS { Err(refusal(RejectCode::Unavailable, None)) } else { Ok(()) }
}
