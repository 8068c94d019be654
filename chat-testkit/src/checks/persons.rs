//! Whose number is whose, and what newcomers see, read off the records of one life alone.

use std::collections::{BTreeMap, BTreeSet};

use chat_core::{Color, Event, MemberId, NewcomersSee, Record, Role, RoomLimits, Scope, Seq};
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;

use super::roles::Roles;

/// Who is in, by the plainest fold there is. Nobody, once the life is over.
pub(super) fn members_of(life: &[&Record]) -> Vec<MemberId> {
    let mut members = BTreeSet::new();
    for record in life {
        match &record.event {
            Event::Joined { .. } => drop(members.insert(record.by.expect("a join is somebody's"))),
            Event::Left { .. } => drop(members.remove(&record.by.expect("a leave is somebody's"))),
            Event::Kicked { member: kicked, .. } => drop(members.remove(kicked)),
            Event::Closed { .. } => members.clear(),
            _ => {}
        }
    }
    members.into_iter().collect()
}

/// A number is a person: nobody else ever has it, and who comes back has it again, unless they were put out, or erased, or so many have
/// left since that their place is forgotten. So it is with the floor of what they see; that of somebody new is what the limits say.
pub(super) fn check_persons(life: &[&Record], limits: &RoomLimits) -> TestCaseResult {
    let mut persons: BTreeMap<MemberId, (&Scope, Color, Seq)> = BTreeMap::new();
    let (mut head, mut said) = (Seq(0), Vec::new());
    let mut newcomers_see = limits.newcomers_see;
    let mut roles = Roles::new(limits);
    // Those who left, the last one last.
    let mut left: Vec<MemberId> = Vec::new();
    for record in life {
        match (&record.event, record.by) {
            (Event::Joined { scope, color, sees, .. }, Some(by)) => {
                let index = left.iter().rposition(|gone| persons[gone].0 == scope);
                let place = index.map(|index| left.remove(index));
                // A join that says no floor was written for programs that gave each one a number of its own.
                let again = place.filter(|_| sees.is_some());
                prop_assert!(again.is_some() || !persons.contains_key(&by), "{:?} is given to {:?}", by, scope);
                prop_assert_eq!(again.unwrap_or(by), by, "{:?} comes back as another", scope);
                let before = again.map_or(*color, |place| persons[&place].1);
                prop_assert_eq!(before, *color, "{:?} comes back in another colour", scope);
                let kept = place.map(|place| persons[&place].2);
                let floor = kept.unwrap_or_else(|| match sees {
                    Some(_) => floor_of_newcomer(newcomers_see, limits, head, &said),
                    None => Seq(0),
                });
                prop_assert_eq!(sees.unwrap_or(floor), floor, "{:?} sees another part", scope);
                persons.insert(by, (scope, *color, floor));
            }
            (Event::Left { .. }, Some(by)) => left.push(by),
            (Event::SettingsChanged { settings }, _) => {
                newcomers_see = settings.history.unwrap_or(limits.newcomers_see);
            }
            (Event::BanAdded { member, .. }, _) => left.retain(|gone| gone != member),
            (Event::Erased { members, .. }, _) => left.retain(|gone| !members.contains(gone)),
            _ => {}
        }
        head = record.seq.unwrap_or(head);
        said.extend(record.seq.filter(|_| is_message(record)));
        roles.apply(record);
        while left.len() > limits.former_max {
            let first = left.iter().position(|gone| roles.role(*gone) == Role::Member);
            left.remove(first.unwrap_or(0));
        }
    }
    Ok(())
}

/// Up to where somebody learns nothing who joins after these messages.
fn floor_of_newcomer(newcomers_see: NewcomersSee, limits: &RoomLimits, head: Seq, said: &[Seq]) -> Seq {
    let shown = match newcomers_see {
        NewcomersSee::All => return Seq(0),
        NewcomersSee::Last(shown) => (shown as usize).min(limits.marks_max),
        _ => return head,
    };
    let hidden = said.len().saturating_sub(shown);
    if hidden == 0 { Seq(0) } else { said.get(hidden).map_or(head, |first| Seq(first.0 - 1)) }
}

/// Whether it is something that somebody said.
pub(super) fn is_message(record: &Record) -> bool {
    matches!(record.event, Event::Sent { .. })
}
