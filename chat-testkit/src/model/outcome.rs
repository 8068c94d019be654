//! What an act comes to, in the words of the room.

use chat_core::room::{Actor, Answer, Caller, Decision, Note};
use chat_core::{Event, Now, Record, RejectCode, Seq};

use super::facts::Person;
use super::{Model, Refusal, Told};

pub(super) fn decision(records: Vec<Record>, note: Option<Note>, answer: Answer) -> Decision {
    Decision { records: records.into_iter().collect(), note, answer }
}

pub(super) fn refusal(code: RejectCode, field: Option<&'static str>) -> Refusal {
    Refusal { code, field, retry_after: None, until: None }
}

pub(super) fn done(model: &Model, now: Now, actor: Option<Person>, event: Event) -> Decision {
    let record = model.clone().add(now, Told::Yes, actor.map(|person| person.id), event, None);
    let seq = seq_of(&record);
    decision(vec![record], None, Answer::Done { seq })
}

/// The member who asks.
pub(super) fn member(model: &Model, by: &Caller) -> Result<Person, Refusal> {
    model.member_of(by).ok_or(refusal(RejectCode::NotMember, None))
}

/// The member who moderates; `None` for the host.
pub(super) fn acting(model: &Model, by: &Actor) -> Result<Option<Person>, Refusal> {
    match by {
        Actor::Member(caller) => member(model, caller).map(Some),
        Actor::Host => Ok(None),
    }
}

pub(super) fn seq_of(told: &Record) -> Seq {
    told.seq.expect("what is told has a number")
}
