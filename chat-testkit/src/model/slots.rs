//! What members show: each lasts from its note until time, a change of the message, a rule, or its member's going ends it.

use chat_core::room::{Answer, Caller, Decision, Note};
use chat_core::{
    Body, Event, MemberId, Mono, Notices, Record, RejectCode, Role, RoomLimits, Seq, SignalData, SignalName,
};

use super::facts::Person;
use super::outcome::{decision, member, refusal};
use super::{Model, Refusal, facts};

/// A message that grows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Growing {
    /// Its author.
    pub member: MemberId,
    /// Its number.
    pub target: Seq,
    /// What it says so far.
    pub text: Body,
    since: Mono,
}

/// A signal that is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Whose it is.
    pub member: MemberId,
    /// What it is called.
    pub name: SignalName,
    /// What it says.
    pub data: SignalData,
    since: Mono,
}

/// All that members show, as the diary tells it, in the order of their numbers and of the names.
#[derive(Clone, Debug, Default)]
pub(super) struct Slots {
    pub(super) growing: Vec<Growing>,
    pub(super) shown: Vec<Shown>,
}

impl Slots {
    pub(super) fn note(&mut self, note: &Note, at: Mono, limits: &RoomLimits) {
        match note {
            Note::Live { member, target, text: Some(text) } => {
                self.growing.retain(|live| live.member != *member);
                self.growing.push(Growing { member: *member, target: *target, text: text.clone(), since: at });
                self.growing.sort_by_key(|live| live.member);
            }
            Note::Live { member, target, text: None } => {
                self.growing.retain(|live| (live.member, live.target) != (*member, *target));
            }
            Note::Signal { member, name, data } => {
                self.shown.retain(|shown| (shown.member, &shown.name) != (*member, name));
                let shown =
                    |data: &SignalData| Shown { member: *member, name: name.clone(), data: data.clone(), since: at };
                self.shown.extend(data.as_ref().map(shown));
                self.shown.sort_by(|a, b| (a.member, &a.name).cmp(&(b.member, &b.name)));
            }
            Note::Elapsed => {
                self.growing.retain(|live| live.since.after(limits.live_ttl) > at);
                self.shown.retain(|shown| shown.since.after(limits.signal_ttl) > at);
            }
            _ => {}
        }
    }

    /// Somebody is not here any more, or no member.
    pub(super) fn gone(&mut self, member: MemberId) {
        self.growing.retain(|live| live.member != member);
        self.shown.retain(|shown| shown.member != member);
    }

    /// A message says something else: it does not grow any more, until its author says so anew.
    pub(super) fn edited(&mut self, message: Seq) {
        self.growing.retain(|live| live.target != message);
    }

    /// Whether anything is shown at all.
    pub(super) fn is_empty(&self) -> bool {
        self.growing.is_empty() && self.shown.is_empty()
    }

    /// The facts are these now: what they do not allow is not shown any more.
    pub(super) fn agree_with(&mut self, facts: &[Record], limits: &RoomLimits) {
        let said = facts::messages(facts);
        let people = facts::people(facts, limits.former_max).0;
        self.growing.retain(|live| {
            let message = said.iter().find(|message| message.seq == live.target);
            let author = people.iter().find(|person| person.id == live.member);
            message.is_some_and(|message| message.by == Some(live.member) && !message.redacted)
                && author.is_some_and(|author| speaks(facts, author))
        });
        if are_counted(facts) {
            self.shown.clear();
        }
    }

    /// When each of them runs out.
    pub(super) fn ends(&self, limits: &RoomLimits) -> Vec<Mono> {
        let growing = self.growing.iter().map(|live| live.since.after(limits.live_ttl));
        growing.chain(self.shown.iter().map(|shown| shown.since.after(limits.signal_ttl))).collect()
    }
}

impl Model {
    /// Messages that grow, in the order of their authors' numbers.
    pub fn growing(&self) -> Vec<Growing> {
        self.presence().slots.growing
    }

    /// The messages of one member that the room itself still remembers, oldest first.
    pub fn marks_of(&self, member: MemberId) -> Vec<Seq> {
        let marks = self.marks();
        let own = facts::messages(&self.facts()).into_iter().filter(|message| message.by == Some(member));
        own.map(|message| message.seq).filter(|seq| marks.contains(seq)).collect()
    }

    /// Signals, in the order of the members' numbers and of the names.
    pub fn shown(&self) -> Vec<Shown> {
        self.presence().slots.shown
    }
}

pub(super) fn live(model: &Model, by: &Caller, target: Seq, text: Option<&Body>) -> Result<Decision, Refusal> {
    let author = member(model, by)?;
    let growing = model.growing();
    let Some(text) = text else {
        let grows = growing.iter().any(|live| (live.member, live.target) == (author.id, target));
        let note = grows.then_some(Note::Live { member: author.id, target, text: None });
        return Ok(decision(Vec::new(), note, Answer::Nothing));
    };
    if text.as_str().chars().count() > model.limits.message_chars_max {
        return Err(refusal(RejectCode::TooLong, Some("text")));
    }
    let facts = model.facts();
    let said = facts::messages(&facts);
    let is_known = model.marks().contains(&target) && target > author.sees;
    let Some(message) = said.iter().find(|message| message.seq == target && is_known) else {
        return Err(refusal(RejectCode::MessageNotFound, None));
    };
    if message.by != Some(author.id) {
        return Err(refusal(RejectCode::Forbidden, None));
    }
    if message.redacted {
        return Err(refusal(RejectCode::MessageNotFound, None));
    }
    if !speaks(&facts, &author) {
        return Err(refusal(RejectCode::ReadOnly, None));
    }
    let others: Vec<&Growing> = growing.iter().filter(|live| live.member != author.id).collect();
    if others.len() >= model.limits.live_max {
        return Err(refusal(RejectCode::LiveFull, None));
    }
    let texts = others.iter().map(|live| &live.text).chain([text]);
    if texts.map(|text| text.as_str().len()).sum::<usize>() > model.limits.live_bytes_max {
        return Err(refusal(RejectCode::LiveFull, Some("text")));
    }
    let note = Note::Live { member: author.id, target, text: Some(text.clone()) };
    Ok(decision(Vec::new(), Some(note), Answer::Nothing))
}

pub(super) fn signal(
    model: &Model,
    by: &Caller,
    name: &SignalName,
    data: Option<&SignalData>,
) -> Result<Decision, Refusal> {
    let who = member(model, by)?.id;
    let shown = model.shown();
    let note = |data: Option<&SignalData>| Note::Signal { member: who, name: name.clone(), data: data.cloned() };
    let is_this = |shown: &Shown| (shown.member, &shown.name) == (who, name);
    let Some(data) = data else {
        let note = shown.iter().any(is_this).then(|| note(None));
        return Ok(decision(Vec::new(), note, Answer::Nothing));
    };
    if are_counted(&model.facts()) {
        return Err(refusal(RejectCode::SignalsFull, None));
    }
    let others: Vec<&Shown> = shown.iter().filter(|shown| !is_this(shown)).collect();
    let own = others.iter().filter(|shown| shown.member == who).count();
    // What is there already may become something else.
    if own >= model.limits.signals_per_member_max && !shown.iter().any(is_this) {
        return Err(refusal(RejectCode::SignalsFull, Some("name")));
    }
    let all = others.iter().map(|shown| (&shown.name, &shown.data)).chain([(name, data)]);
    if all.map(|(name, data)| in_a_frame(name, data)).sum::<usize>() > model.limits.signals_bytes_max {
        return Err(refusal(RejectCode::SignalsFull, Some("data")));
    }
    Ok(decision(Vec::new(), Some(note(Some(data))), Answer::Nothing))
}

/// How long a signal is in the frame that tells it, with the longest number there is, and the comma behind it.
fn in_a_frame(name: &SignalName, data: &SignalData) -> usize {
    let name = serde_json::to_string(name.as_str()).expect("a name is a string");
    format!("{{\"member\":{},\"name\":{name},\"data\":{}}},", u32::MAX, data.as_str()).len()
}

pub(super) fn speaks(facts: &[Record], person: &Person) -> bool {
    let set = facts.iter().rev().find_map(|record| match &record.event {
        Event::SettingsChanged { settings } => Some(settings.read_only),
        _ => None,
    });
    person.role != Role::Member || !set.unwrap_or_default()
}

fn are_counted(facts: &[Record]) -> bool {
    let last = facts.iter().rev().find_map(|record| match record.event {
        Event::NoticesChanged { notices } => Some(notices),
        _ => None,
    });
    last == Some(Notices::Counted)
}
