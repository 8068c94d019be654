//! What must hold of bans and sweeps, read off the records of one life alone.

use std::collections::{BTreeMap, BTreeSet};

use chat_core::{Event, MemberId, Record, Scope, Seq, Wall};
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;

/// Nobody comes in while a ban of theirs holds; every ban has a number of its own, and what is lifted was there.
pub(super) fn check_bans(life: &[&Record]) -> TestCaseResult {
    let mut scopes: BTreeMap<MemberId, &Scope> = BTreeMap::new();
    // The person and the end of each.
    let mut bans: Vec<(u32, &Scope, Option<Wall>)> = Vec::new();
    let mut last = 0;
    for record in life {
        match &record.event {
            Event::Joined { scope, .. } => {
                let held = bans
                    .iter()
                    .find(|(_, banned, until)| *banned == scope && until.is_none_or(|until| until > record.at));
                prop_assert!(held.is_none(), "{:?} comes in at {:?} in spite of {:?}", scope, record.at, held);
                scopes.extend(record.by.map(|by| (by, scope)));
            }
            Event::Banned { scope } => {
                last += 1;
                bans.retain(|(_, banned, _)| *banned != scope);
                bans.push((last, scope, None));
            }
            Event::BanAdded { ban, member, until, .. } => {
                prop_assert_eq!(ban.0, last + 1, "a new ban has a new number");
                last = ban.0;
                // It takes the place of the one before.
                bans.retain(|(_, banned, _)| *banned != scopes[member]);
                bans.push((last, scopes[member], *until));
            }
            Event::BanLifted { ban } => {
                let before = bans.len();
                bans.retain(|(number, ..)| *number != ban.0);
                prop_assert_eq!(bans.len() + 1, before, "{:?} is lifted once", ban);
            }
            _ => {}
        }
    }
    Ok(())
}

/// The one message that an event changed.
pub(super) fn changed_by(event: &Event) -> Option<Seq> {
    match event {
        Event::Redacted { target } | Event::Edited { target, .. } | Event::Reacted { target, .. } => Some(*target),
        _ => None,
    }
}

/// The messages that were changed after an event, one by one or in a range.
pub(super) fn changed_after(life: &[&Record], after: Seq) -> BTreeSet<Seq> {
    let mut changed = BTreeSet::new();
    for record in life.iter().filter(|record| record.seq.is_some_and(|seq| seq > after)) {
        changed.extend(changed_by(&record.event));
        if let Event::Swept { member, from, to } = record.event {
            changed.extend(said_by(life, member, from, to));
        }
    }
    changed
}

/// What a member said in a range.
pub(super) fn said_by(life: &[&Record], member: MemberId, from: Seq, to: Seq) -> Vec<Seq> {
    let said = life.iter().filter(|record| record.event.is_message() && record.by == Some(member));
    said.filter_map(|record| record.seq).filter(|seq| (from..=to).contains(seq)).collect()
}
