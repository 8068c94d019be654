//! What the facts of a life say: who is in, who was, who may not be, what was said. Each is one pass over all records.

use chat_core::room::Sweep;
use chat_core::{
    Color, Event, Key, LeaveReason, MemberId, Nick, NickKey, Offset, PersonData, Record, Role, Scope, Seq, Wall,
};

use super::{AsSent, Fact, Line, What, erased, seat};

/// A member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Their number.
    pub id: MemberId,
    /// The name shown.
    pub nick: Nick,
    /// What the name looks like.
    pub nick_key: NickKey,
    /// Their colour.
    pub color: Color,
    /// What they may do.
    pub role: Role,
    /// Who they are to the room.
    pub scope: Scope,
    /// Where what they may see begins: with their join, or with an earlier one where the room remembers it.
    pub joined: Seq,
    /// Of the messages up to here they learn nothing.
    pub sees: Seq,
    /// The first position that can be of this membership and of no earlier one: its own join, or what is told next after that.
    pub entered: Seq,
    /// The record of their join.
    pub begun: Offset,
    /// When this membership began.
    pub since: Wall,
    /// What they show beside the name.
    pub data: Option<PersonData>,
}

/// Somebody who left and may come back to their place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Former {
    pub(super) scope: Scope,
    pub(super) joined: Seq,
    pub(super) sees: Seq,
    /// Who they are again when they come back.
    pub(super) id: MemberId,
    pub(super) color: Color,
    /// What they are again: the owner as long as the seat is held for them.
    pub(super) role: Role,
    pub(super) nick: Nick,
    /// Whether they were lost, and did not leave by themselves.
    pub(super) is_lost: bool,
}

/// A message, as far as the rules care.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) seq: Seq,
    pub(super) by: Option<MemberId>,
    pub(super) redacted: bool,
}

/// A message, an edit or a reaction that had a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KeyedMessage {
    pub(super) scope: Scope,
    pub(super) key: Key,
    pub(super) as_sent: AsSent,
    pub(super) seq: Seq,
    pub(super) at: Wall,
}

/// The facts that these lines leave standing.
pub(super) fn of_chapter(lines: &[Line]) -> Vec<Fact> {
    let mut facts = Vec::new();
    for line in lines {
        match &line.what {
            What::Fact { record, as_sent } => facts.push(((**record).clone(), as_sent.clone())),
            What::Lost(records) => facts.truncate(facts.len().saturating_sub(*records)),
            What::Note(_) | What::Restarted => {}
        }
    }
    facts
}

/// Everybody who has joined and not left since, in the order of their numbers; and those who left by themselves or
/// timed out, the longest gone first, at most `former_max`; who has a role is not forgotten while others are remembered.
pub(super) fn people(facts: &[Record], former_max: usize) -> (Vec<Person>, Vec<Former>) {
    let mut members: Vec<Person> = Vec::new();
    let mut former: Vec<Former> = Vec::new();
    let mut head = Seq(0);
    let mut is_protected = false;
    for (number, record) in facts.iter().enumerate() {
        head = record.seq.unwrap_or(head);
        match &record.event {
            Event::Joined { nick, nick_key, color, role, scope, sees, data } => {
                members.push(Person {
                    id: record.by.expect("a join is somebody's"),
                    nick: nick.clone(),
                    nick_key: nick_key.clone(),
                    color: *color,
                    role: *role,
                    scope: scope.clone(),
                    joined: place_of(&former, scope).map_or(head, |place| place.joined),
                    sees: sees.or(place_of(&former, scope).map(|place| place.sees)).unwrap_or_default(),
                    entered: record.seq.unwrap_or(head.next()),
                    begun: record.offset,
                    since: record.at,
                    data: data.clone(),
                });
                members.sort_by_key(|person| person.id);
                former.retain(|gone| gone.scope != *scope);
            }
            Event::Left { held, reason, .. } => {
                let left = members.iter().find(|person| Some(person.id) == record.by).expect("a member left");
                let Person { scope, joined, sees, id, color, role, nick, .. } = left.clone();
                let is_kept = role == Role::Moderator || held.is_some() || is_protected;
                let role = if is_kept { role } else { Role::Member };
                let is_lost = *reason == LeaveReason::Timeout;
                former.push(Former { scope, joined, sees, id, color, role, nick, is_lost });
                members.retain(|person| Some(person.id) != record.by);
            }
            Event::MemberChanged { member, nick, data, .. } => {
                let changed = members.iter_mut().find(|person| person.id == *member).expect("a member changes");
                if let Some(nick) = nick {
                    (changed.nick, changed.nick_key) = (nick.clone(), nick.key());
                }
                if let Some(data) = data {
                    changed.data = data.clone();
                }
            }
            Event::Kicked { member, .. } => members.retain(|person| person.id != *member),
            Event::Banned { scope } => former.retain(|gone| gone.scope != *scope),
            Event::BanAdded { member, .. } => former.retain(|gone| gone.id != *member),
            Event::Erased { members, .. } => {
                former.retain(|gone| !members.contains(&gone.id) && !erased::erases(record, &gone.scope));
            }
            Event::RoleChanged { member, role } => {
                for person in members.iter_mut().filter(|person| person.id == *member) {
                    person.role = *role;
                }
                let is_in = members.iter().any(|person| person.id == *member);
                for place in former.iter_mut().filter(|place| place.id == *member && !is_in) {
                    place.role = *role;
                }
            }
            Event::Protected => is_protected = true,
            _ => {}
        }
        // Of two who were the owner only the last one is.
        for place in former.iter_mut().filter(|place| place.role == Role::Owner) {
            if seat::seat(&facts[..=number]).is_none_or(|seat| seat.scope != place.scope) {
                place.role = Role::Member;
            }
        }
        if former.len() > former_max {
            // Those who have a role stay longest.
            let first = former.iter().position(|gone| gone.role == Role::Member);
            former.remove(first.unwrap_or(0));
        }
    }
    (members, former)
}

/// Somebody who was put out, and has not come back.
pub(super) struct Out {
    scope: Scope,
    pub(super) id: MemberId,
    pub(super) nick: Nick,
}

/// Who was put out, or banned once they had left, and has not come in since: the last `max`.
pub(super) fn put_out(facts: &[Record], max: usize) -> Vec<Out> {
    let mut outs: Vec<Out> = Vec::new();
    for (number, record) in facts.iter().enumerate() {
        let before = || people(&facts[..number], max);
        let out = match &record.event {
            Event::Joined { scope, .. } => {
                outs.retain(|out| out.scope != *scope);
                None
            }
            Event::Erased { members, .. } => {
                outs.retain(|out| !members.contains(&out.id) && !erased::erases(record, &out.scope));
                None
            }
            Event::Kicked { member, .. } => {
                let person = before().0.into_iter().find(|person| person.id == *member);
                person.map(|person| Out { scope: person.scope, id: person.id, nick: person.nick })
            }
            Event::BanAdded { member, .. } => {
                let place = before().1.into_iter().find(|place| place.id == *member);
                place.map(|place| Out { scope: place.scope, id: place.id, nick: place.nick })
            }
            _ => None,
        };
        if let Some(out) = out {
            outs.retain(|other| other.scope != out.scope);
            outs.push(out);
            if outs.len() > max {
                outs.remove(0);
            }
        }
    }
    outs
}

/// Whose place somebody may come back to who left, if they are remembered.
pub(super) fn place_of<'a>(former: &'a [Former], scope: &Scope) -> Option<&'a Former> {
    former.iter().find(|gone| gone.scope == *scope)
}

/// Whether the room knows somebody: they are in, or have a place or the owner's seat to come back to.
pub(super) fn knows(facts: &[Record], former_max: usize, scope: &Scope) -> bool {
    let (members, former) = people(facts, former_max);
    members.iter().any(|person| person.scope == *scope)
        || place_of(&former, scope).is_some()
        || seat::seat(facts).is_some_and(|seat| seat.scope == *scope)
}

/// The number of the next one whom the room does not know: nobody has ever had it.
pub(super) fn next_number(facts: &[Record]) -> MemberId {
    let joins = facts.iter().filter(|record| matches!(record.event, Event::Joined { .. }));
    let highest = joins.filter_map(|record| record.by).max().unwrap_or(MemberId(0));
    MemberId(highest.0 + 1)
}

/// All ranges that were ever taken back.
pub(super) fn swept(facts: &[Record]) -> Vec<Sweep> {
    let swept = facts.iter().filter_map(|record| match (&record.event, record.seq) {
        (&Event::Swept { member, from, to }, Some(change)) => Some(Sweep { member, from, to, change }),
        _ => None,
    });
    swept.collect()
}

/// Everything that was said, oldest first.
pub(super) fn messages(facts: &[Record]) -> Vec<Message> {
    let swept = swept(facts);
    let redacted = |seq: Seq, by: Option<MemberId>| {
        facts.iter().any(|record| record.event == Event::Redacted { target: seq })
            || swept.iter().any(|sweep| by.is_some_and(|by| sweep.covers(by, seq)))
    };
    let said = facts.iter().filter(|record| matches!(record.event, Event::Sent { .. }));
    said.map(|record| {
        let seq = record.seq.expect("a message is told");
        Message { seq, by: record.by, redacted: redacted(seq, record.by) }
    })
    .collect()
}

/// The keys that are still remembered, the newest first: of one scope and in all only so many, and none of who was erased.
pub(super) fn keys(facts: &[Fact], per_scope_max: usize, max: usize) -> Vec<KeyedMessage> {
    let mut kept: Vec<KeyedMessage> = Vec::new();
    for (number, (record, as_sent)) in facts.iter().enumerate() {
        kept.retain(|known| !erased::erases(record, &known.scope));
        let (Event::Sent { keyed: Some(keyed), .. }
        | Event::Edited { keyed: Some(keyed), .. }
        | Event::Reacted { keyed: Some(keyed), .. }) = &record.event
        else {
            continue;
        };
        if record.by.is_none() {
            continue;
        }
        let scope = scope_of(&facts[..number], record.by);
        kept.insert(
            0,
            KeyedMessage {
                scope: scope.clone(),
                key: keyed.key.clone(),
                as_sent: as_sent.clone().expect("what has a key was sent"),
                seq: record.seq.expect("it is told"),
                at: record.at,
            },
        );
        if kept.iter().filter(|other| other.scope == scope).count() > per_scope_max {
            let oldest = kept.iter().rposition(|other| other.scope == scope);
            kept.remove(oldest.expect("there is one more than there may be"));
        }
        kept.truncate(max);
    }
    kept
}

/// What the host said under a key.
pub(super) struct HostKeyed {
    pub(super) key: Key,
    pub(super) as_sent: AsSent,
    pub(super) seq: Seq,
    pub(super) at: Wall,
}

/// The keys of the host that are still remembered: the newest.
pub(super) fn host_keys(facts: &[Fact], max: usize) -> Vec<HostKeyed> {
    let keyed = facts.iter().rev().filter_map(|(record, as_sent)| match &record.event {
        Event::Sent { keyed: Some(keyed), .. } if record.by.is_none() => Some(HostKeyed {
            key: keyed.key.clone(),
            as_sent: as_sent.clone().expect("what has a key was said"),
            seq: record.seq.expect("it is told"),
            at: record.at,
        }),
        _ => None,
    });
    keyed.take(max).collect()
}

/// Who somebody is to the room: their join says it.
fn scope_of(facts: &[Fact], member: Option<MemberId>) -> Scope {
    let scope = facts.iter().find_map(|(record, _)| match &record.event {
        Event::Joined { scope, .. } if record.by == member => Some(scope.clone()),
        _ => None,
    });
    scope.expect("who says something has joined")
}
