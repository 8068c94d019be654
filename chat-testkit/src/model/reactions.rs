//! Who reacts to what: each question reads all facts anew.

use chat_core::room::{Answer, Caller, Decision};
use chat_core::{
    Digest, Event, Key, Keyed, MemberId, Now, Reaction, ReactionName, Record, RecordVersion, RejectCode, RoomLimits,
    Seq,
};

use super::facts::{self, Person};
use super::outcome::{decision, done, member, refusal};
use super::{AsSent, Model, Refusal, Told, sweeps};

/// One reaction of one person.
#[derive(Clone, Debug, PartialEq, Eq)]
struct One {
    target: Seq,
    name: ReactionName,
    by: MemberId,
}

/// All that are known, in the order in which they came, and of the messages that take no more the event with which that was so.
#[derive(Clone, Debug, Default)]
struct Known {
    all: Vec<One>,
    /// The names of each message, in the order in which they came.
    names: Vec<(Seq, ReactionName)>,
    frozen: Vec<(Seq, Seq)>,
}

impl Known {
    fn read(facts: &[Record], limits: &RoomLimits) -> Self {
        let mut known = Self::default();
        for (number, record) in facts.iter().enumerate() {
            let so_far = &facts[..=number];
            match (&record.event, record.seq) {
                (Event::Sent { .. }, Some(change)) => known.freeze(&last(so_far, limits), change),
                (Event::Reacted { target, name, on, .. }, _) => {
                    let by = record.by.expect("a reaction is somebody's");
                    let one = One { target: *target, name: name.clone(), by };
                    known.all.retain(|other| *other != one);
                    known.all.extend(on.then_some(one));
                    if *on && !known.names.contains(&(*target, name.clone())) {
                        known.names.push((*target, name.clone()));
                    }
                }
                (Event::Redacted { target }, _) => known.forget(|of| of == *target),
                (Event::Swept { member, from, to }, _) => {
                    let said = facts::messages(so_far);
                    let theirs = |of: Seq| said.iter().any(|message| message.seq == of && message.by == Some(*member));
                    known.forget(|of| *from <= of && of <= *to && theirs(of));
                }
                (Event::Settled { through, .. }, _) => {
                    let frozen = known.frozen.clone();
                    known.forget(|of| frozen.iter().any(|(frozen, change)| *frozen == of && change <= through));
                }
                _ => {}
            }
            let all = known.all.clone();
            known.names.retain(|(of, name)| all.iter().any(|one| one.target == *of && one.name == *name));
            known.frozen.retain(|(of, _)| all.iter().any(|one| one.target == *of));
        }
        known
    }

    /// Those that are not among the last messages any more take no more.
    fn freeze(&mut self, last: &[Seq], change: Seq) {
        let mut left: Vec<Seq> = self.all.iter().map(|one| one.target).collect();
        left.retain(|of| !last.contains(of) && !self.frozen.iter().any(|(frozen, _)| frozen == of));
        left.sort();
        left.dedup();
        self.frozen.extend(left.into_iter().map(|of| (of, change)));
    }

    fn forget(&mut self, is_gone: impl Fn(Seq) -> bool) {
        self.all.retain(|one| !is_gone(one.target));
        self.frozen.retain(|(of, _)| !is_gone(*of));
    }

    fn names(&self, target: Seq) -> Vec<ReactionName> {
        self.names.iter().filter(|(of, _)| *of == target).map(|(_, name)| name.clone()).collect()
    }

    fn by(&self, target: Seq, name: &ReactionName) -> Vec<MemberId> {
        let theirs = self.all.iter().filter(|one| one.target == target && one.name == *name);
        theirs.map(|one| one.by).collect()
    }
}

/// The messages that take reactions: the last, as far as they are remembered.
fn last(facts: &[Record], limits: &RoomLimits) -> Vec<Seq> {
    let said = facts::messages(facts);
    let most = limits.reactable_max.min(limits.marks_max);
    said.iter().rev().take(most).map(|message| message.seq).collect()
}

impl Model {
    /// What a message has been reacted to with, as far as the room keeps it.
    pub fn reactions_to(&self, message: Seq) -> Vec<Reaction> {
        let known = Known::read(&self.facts(), &self.limits);
        let names = known.names(message).into_iter();
        names.map(|name| Reaction::new(name.clone(), &known.by(message, &name))).collect()
    }

    /// The messages whose records may lack what they have been reacted to with, and since when they take no more.
    pub fn owed_freezes(&self) -> Vec<(Seq, Seq)> {
        Known::read(&self.facts(), &self.limits).frozen
    }
}

pub(super) fn react(
    model: &Model,
    now: Now,
    by: &Caller,
    target: Seq,
    name: &ReactionName,
    on: bool,
    key: Option<&Key>,
) -> Result<Decision, Refusal> {
    let limits = &model.limits;
    let person = member(model, by)?;
    let keys = facts::keys(&model.facts_as_sent(), limits.keys_per_scope_max, limits.keys_max);
    if let Some(first) = keys.iter().find(|known| known.scope == person.scope && Some(&known.key) == key) {
        return match first.as_sent == (AsSent::React { target, name: name.clone(), on }) {
            true => Ok(decision(Vec::new(), None, Answer::Done { seq: first.seq })),
            false => Err(refusal(RejectCode::KeyConflict, Some("key"))),
        };
    }
    takes_reactions(model, &person, target)?;
    let known = Known::read(&model.facts(), limits);
    let people = known.by(target, name);
    if people.contains(&person.id) == on {
        return Ok(decision(Vec::new(), None, Answer::Done { seq: model.head() }));
    }
    if on {
        if person.role == chat_core::Role::Member && model.settings().read_only {
            return Err(refusal(RejectCode::ReadOnly, None));
        }
        let own = known.all.iter().filter(|one| one.by == person.id).count();
        let names = known.names(target);
        let is_full = known.all.len() >= limits.reactions_max
            || own >= limits.reactions_per_person_max
            || (!names.contains(name) && names.len() >= limits.reaction_names_max);
        if is_full {
            return Err(refusal(RejectCode::ReactionsFull, None));
        }
    }
    if model.writes < RecordVersion::PERSONS {
        return Err(refusal(RejectCode::Unavailable, None));
    }
    let count = if on { people.len() + 1 } else { people.len() - 1 } as u32;
    let keyed = key.map(|key| Keyed { key: key.clone(), digest: Digest(0) });
    Ok(done(model, now, Some(person), Event::Reacted { target, name: name.clone(), on, count, keyed }))
}

/// What is not there, not theirs to see or taken back is not found; what is older than the last messages comes too late.
fn takes_reactions(model: &Model, person: &Person, target: Seq) -> Result<(), Refusal> {
    let facts = model.facts();
    let (said, marks) = (facts::messages(&facts), model.marks());
    let is_remembered = marks.contains(&target);
    let is_there = said.iter().any(|message| message.seq == target && !message.redacted);
    let may_be_forgotten =
        said.first().is_some_and(|first| first.seq <= target) && marks.iter().all(|mark| target < *mark);
    if target <= person.sees || !(is_remembered && is_there || may_be_forgotten) {
        return Err(refusal(RejectCode::MessageNotFound, None));
    }
    match last(&facts, &model.limits).contains(&target) {
        true => Ok(()),
        false => Err(refusal(RejectCode::TooLate, None)),
    }
}

/// What takes back all that somebody has reacted with to the messages of others, from an event on.
fn taken_back(model: &Model, actor: Option<&Person>, of: MemberId, from: Option<Seq>) -> Result<Vec<Event>, Refusal> {
    let known = Known::read(&model.facts(), &model.limits);
    let said = facts::messages(&model.facts());
    let first = from.unwrap_or_default().max(Seq(actor.map_or(1, |person| person.sees.0 + 1)));
    let is_meant = |target: Seq| {
        let of_others = said.iter().any(|message| message.seq == target && message.by != Some(of));
        let is_open = !known.frozen.iter().any(|(frozen, _)| *frozen == target);
        of_others && is_open && target >= first
    };
    let mut names: Vec<&(Seq, ReactionName)> = known.names.iter().filter(|(target, _)| is_meant(*target)).collect();
    names.sort_by_key(|(target, _)| *target);
    let mut events = Vec::new();
    for (target, name) in names {
        let people = known.by(*target, name);
        if people.contains(&of) {
            let (name, count) = (name.clone(), people.len() as u32 - 1);
            events.push(Event::Reacted { target: *target, name, on: false, count, keyed: None });
        }
    }
    match events.is_empty() || model.writes >= RecordVersion::PERSONS {
        true => Ok(events),
        false => Err(refusal(RejectCode::Unavailable, None)),
    }
}

/// What takes back all that somebody has said, and all that they have reacted with.
pub(super) fn take_all_back(
    model: &Model,
    then: &mut Model,
    now: Now,
    actor: Option<&Person>,
    of: MemberId,
    from: Option<Seq>,
) -> Result<Vec<Record>, Refusal> {
    let swept = sweeps::sweep(model, actor, of, from)?;
    let mut records: Vec<Record> = Vec::new();
    let by = actor.map(|person| person.id);
    records.extend(swept.map(|swept| then.add(now, Told::Yes, by, swept, None)));
    for event in taken_back(model, actor, of, from)? {
        records.push(then.add(now, Told::Yes, Some(of), event, None));
    }
    Ok(records)
}
