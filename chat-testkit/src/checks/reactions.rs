//! What must hold of reactions, read off the records of one life alone.

use std::collections::{BTreeMap, BTreeSet};

use chat_core::{Event, MemberId, ReactionName, Record, RoomLimits, Seq};
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;

use super::bans::said_by;

/// Every record changes something, the count it says is true, what it is about was said and not taken back, and one of the last messages;
/// and nobody has more than they may.
pub(super) fn check_reactions(life: &[&Record], limits: &RoomLimits) -> TestCaseResult {
    let mut standing: BTreeMap<(Seq, ReactionName), BTreeSet<MemberId>> = BTreeMap::new();
    let (mut said, mut gone): (Vec<Seq>, BTreeSet<Seq>) = (Vec::new(), BTreeSet::new());
    for record in life {
        match &record.event {
            Event::Sent { .. } => said.extend(record.seq),
            Event::Redacted { target } => drop(gone.insert(*target)),
            Event::Swept { member, from, to } => gone.extend(said_by(life, *member, *from, *to)),
            Event::Reacted { target, name, on, count, .. } => {
                let by = record.by.expect("a reaction is somebody's");
                let first = said.len().saturating_sub(limits.reactable_max.min(limits.marks_max));
                let last = &said[first..];
                prop_assert!(last.contains(target) && !gone.contains(target), "{:?} is none of {:?}", record, last);
                let people = standing.entry((*target, name.clone())).or_default();
                let is_new = if *on { people.insert(by) } else { people.remove(&by) };
                prop_assert!(is_new, "{:?} changes nothing", record);
                prop_assert_eq!(people.len(), *count as usize, "{:?} is counted wrong", record);
                let open = standing.iter().filter(|((of, _), _)| last.contains(of) && !gone.contains(of));
                let own = open.clone().filter(|(_, people)| people.contains(&by)).count();
                let names = open.clone().filter(|((of, _), people)| of == target && !people.is_empty()).count();
                let total: usize = open.map(|(_, people)| people.len()).sum();
                let bounds = [
                    (own, limits.reactions_per_person_max),
                    (names, limits.reaction_names_max),
                    (total, limits.reactions_max),
                ];
                prop_assert!(bounds.iter().all(|(held, most)| held <= most), "{:?} after {:?}", bounds, record);
            }
            _ => {}
        }
    }
    Ok(())
}
