//! What was changed, one by one and in ranges: each question reads all facts anew.

use std::time::Duration;

use chat_core::room::{Answer, Changed, ChangesSlice, Decision, Evidence, More, OwedChange, Sweep};
use chat_core::{Event, MemberId, Record, RecordVersion, RejectCode, Seq};

use super::facts::{self, Person};
use super::outcome::{decision, refusal};
use super::{Model, Refusal, owed};

/// A change that somebody may have missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// A message was taken back.
    One(Changed),
    /// A message looks otherwise.
    Altered(Changed),
    Range(Sweep),
}

impl Change {
    /// The event that made it.
    pub(super) fn event(self) -> Seq {
        match self {
            Self::One(changed) | Self::Altered(changed) => changed.change,
            Self::Range(sweep) => sweep.change,
        }
    }

    /// Whether a later one says all that this one does.
    fn is_within(self, later: Change) -> bool {
        match (self, later) {
            (Self::One(this) | Self::Altered(this), Self::One(later) | Self::Altered(later)) => {
                this.target == later.target
            }
            (Self::Range(this), Self::Range(later)) => {
                this.member == later.member && later.from <= this.from && this.to <= later.to
            }
            _ => false,
        }
    }
}

fn covers(sweep: Sweep, by: Option<MemberId>, seq: Seq) -> bool {
    by == Some(sweep.member) && sweep.from <= seq && seq <= sweep.to
}

/// Ranges that the log has not been said to have forgotten since.
fn owed_ranges(facts: &[Record]) -> Vec<Sweep> {
    let mut owed = Vec::new();
    for (number, record) in facts.iter().enumerate() {
        owed.extend(facts::swept(&facts[number..=number]));
        if let Event::Settled { through, .. } = record.event {
            owed.retain(|sweep| sweep.change > through);
        }
    }
    owed
}

/// The last changes, at most `max`, and the newest that is not among them any more.
pub(super) fn changes(facts: &[Record], max: usize) -> (Vec<Change>, Seq) {
    let mut known: Vec<Change> = Vec::new();
    let mut floor = Seq(0);
    for record in facts {
        let change = match (&record.event, record.seq) {
            (&Event::Redacted { target }, Some(change)) => Change::One(Changed { target, change }),
            (&(Event::Edited { target, .. } | Event::Reacted { target, .. }), Some(change)) => {
                Change::Altered(Changed { target, change })
            }
            (&Event::Swept { member, from, to }, Some(change)) => Change::Range(Sweep { member, from, to, change }),
            _ => continue,
        };
        known.retain(|other| !other.is_within(change));
        known.push(change);
        if known.len() > max {
            floor = known.remove(0).event();
        }
    }
    (known, floor)
}

/// Whether an event changes a message, or some.
pub(super) fn is_change(event: &Event) -> bool {
    matches!(event, Event::Redacted { .. } | Event::Edited { .. } | Event::Reacted { .. } | Event::Swept { .. })
}

/// Whether a message is among those that were changed last.
pub(super) fn has_change_of(message: Seq, facts: &[Record], max: usize) -> bool {
    changes(facts, max).0.into_iter().any(|change| match change {
        Change::One(changed) | Change::Altered(changed) => changed.target == message,
        Change::Range(_) => false,
    })
}

/// What the room knows of ranges: those that it remembers, and those that are owed.
pub(super) fn is_known_as_swept(model: &Model, by: Option<MemberId>, seq: Seq) -> bool {
    let facts = model.facts();
    let ranges = changes(&facts, model.limits.changes_max).0.into_iter();
    ranges.chain(owed_ranges(&facts).into_iter().map(Change::Range)).any(|change| match change {
        Change::One(_) | Change::Altered(_) => false,
        Change::Range(sweep) => covers(sweep, by, seq),
    })
}

/// Author of a message, and whether it was taken back, as far as the room knows it or is shown it.
pub(super) fn known_of(model: &Model, target: Seq, evidence: Option<&Evidence>) -> Option<(Option<MemberId>, bool)> {
    let messages = facts::messages(&model.facts());
    let marks = model.marks();
    if let Some(message) = messages.iter().find(|message| message.seq == target && marks.contains(&target)) {
        return Some((message.by, message.redacted));
    }
    let shown = evidence.filter(|shown| Some(shown.epoch) == model.epoch())?;
    let is_between =
        messages.first().is_some_and(|first| first.seq <= target) && marks.iter().all(|mark| target < *mark);
    let takes_it_back = |owed: &OwedChange| matches!(owed, OwedChange::TakeBack(owed) if owed.target == target);
    let redacted = shown.is_taken_back
        || owed::changes(&model.facts()).iter().any(takes_it_back)
        || is_known_as_swept(model, Some(shown.by), target);
    is_between.then_some((Some(shown.by), redacted))
}

/// Of those that were changed after an event the ones whose last change is oldest, as far as all that was changed after it is known.
pub(super) fn missed(model: &Model, sees: Seq, after: Seq) -> Result<Decision, Refusal> {
    let (known, floor) = changes(&model.facts(), model.limits.changes_max);
    if after < floor {
        return Err(refusal(RejectCode::OutOfReach, None));
    }
    let later: Vec<Change> = known.into_iter().filter(|change| change.event() > after).collect();
    let theirs = later.into_iter().filter_map(|change| match change {
        Change::One(changed) | Change::Altered(changed) => (changed.target > sees).then_some(change),
        Change::Range(sweep) => {
            (sweep.to > sees).then(|| Change::Range(Sweep { from: sweep.from.max(Seq(sees.0 + 1)), ..sweep }))
        }
    });
    let theirs: Vec<Change> = theirs.collect();
    let mut shown: Vec<Change> = Vec::new();
    let mut room = model.limits.history_max;
    for change in theirs.iter().copied() {
        let takes = if matches!(change, Change::Range(_)) { 2 } else { 1 };
        if takes > room && !shown.is_empty() {
            break;
        }
        shown.push(change);
        room = room.saturating_sub(takes);
    }
    let is_all = shown.len() == theirs.len();
    let through = if is_all { model.head() } else { shown.last().expect("there are more than none").event() };
    let (mut changed, mut swept) = (Vec::new(), Vec::new());
    for change in shown {
        match change {
            Change::One(one) | Change::Altered(one) => changed.push(one),
            Change::Range(sweep) => swept.push(sweep),
        }
    }
    let more = if is_all { More::No } else { More::Yes };
    let slice = ChangesSlice { after, changed, swept, through, more };
    Ok(decision(Vec::new(), None, Answer::Changes(Box::new(slice))))
}

/// What takes back all that somebody may have said, as far as who asks may know of it.
pub(super) fn sweep(
    model: &Model,
    actor: Option<&Person>,
    member: MemberId,
    from: Option<Seq>,
) -> Result<Option<Event>, Refusal> {
    let least = actor.map_or(1, |person| person.sees.0 + 1);
    let (from, to) = (Seq(from.map_or(least, |from| from.0.max(least))), model.head());
    let facts = model.facts();
    let (messages, marks) = (facts::messages(&facts), model.marks());
    let in_range = |seq: Seq| from <= seq && seq <= to;
    let is_left = messages.iter().any(|message| {
        let is_theirs = message.by == Some(member) && in_range(message.seq);
        is_theirs && marks.contains(&message.seq) && !message.redacted
    });
    // Of what it has forgotten the room knows the first and the last number, and which ranges were taken back.
    let forgotten: Vec<Seq> = messages.iter().map(|message| message.seq).filter(|seq| !marks.contains(seq)).collect();
    let ends = forgotten.first().zip(forgotten.last()).map(|(first, last)| ((*first).max(from), (*last).min(to)));
    let may_be_left = ends.is_some_and(|(first, last)| {
        let mut known = changes(&facts, model.limits.changes_max).0;
        known.extend(owed_ranges(&facts).into_iter().map(Change::Range));
        let is_over_all = |change: &Change| match change {
            Change::One(_) | Change::Altered(_) => false,
            Change::Range(sweep) => covers(*sweep, Some(member), first) && covers(*sweep, Some(member), last),
        };
        first <= last && !known.iter().any(is_over_all)
    });
    if !is_left && !may_be_left {
        return Ok(None);
    }
    if model.writes < RecordVersion::PERSONS {
        return Err(refusal(RejectCode::Unavailable, None));
    }
    if owed::is_owed_too_much(model, 0) {
        return Err(Refusal { retry_after: Some(Duration::from_secs(1)), ..refusal(RejectCode::Unavailable, None) });
    }
    Ok(Some(Event::Swept { member, from, to }))
}
