//! Whose number is whose in one life of a room: a number is a person, who has it again after leaving.

use std::collections::BTreeMap;

use chat_core::{Color, Event, MemberId, Record, RoomCode, Scope, Seq};

use crate::promise::{Broken, Promise, hold};

/// Everybody who has ever joined. No world has so many that a place is forgotten.
#[derive(Debug, Default)]
pub(crate) struct Persons {
    by_number: BTreeMap<MemberId, Person>,
}

#[derive(Debug)]
struct Person {
    scope: Scope,
    color: Color,
    sees: Seq,
    /// They were put out: when they come again, they are somebody else.
    is_out_for_good: bool,
}

impl Persons {
    /// Of the messages up to here whoever has this number learns nothing.
    pub(crate) fn floor(&self, member: MemberId) -> Seq {
        self.by_number.get(&member).map(|person| person.sees).unwrap_or_default()
    }

    /// Who has this number.
    pub(crate) fn scope(&self, member: MemberId) -> Option<Scope> {
        self.by_number.get(&member).map(|person| person.scope.clone())
    }

    /// The lowest floor of the numbers that this person has had.
    pub(crate) fn lowest_floor(&self, member: MemberId) -> Seq {
        let own = self.by_number.get(&member);
        let all = self.by_number.values().filter(|person| own.is_some_and(|own| own.scope == person.scope));
        all.map(|person| person.sees).min().unwrap_or_default()
    }

    /// Whether the room knows nobody of this scope who could have their place again.
    pub(crate) fn is_new(&self, scope: &Scope) -> bool {
        !self.by_number.values().any(|person| person.scope == *scope && !person.is_out_for_good)
    }

    /// The next record.
    pub(crate) fn add(
        &mut self,
        room: &RoomCode,
        record: &Record,
        floor_of_newcomer: impl FnOnce() -> Seq,
    ) -> Result<(), Broken> {
        match (&record.event, record.by) {
            (Event::Joined { scope, color, sees, .. }, Some(by)) => {
                let mut known = self.by_number.iter().filter(|(_, person)| person.scope == *scope);
                let was = known.find(|(_, person)| !person.is_out_for_good);
                let floor = was.map_or_else(floor_of_newcomer, |(_, person)| person.sees);
                hold!(*sees == Some(floor), Promise::Floor, "{room}: the floor is {floor} in {record:?}");
                let was = was.map(|(number, person)| (*number, person.color));
                let is_same = was.is_none_or(|was| was == (by, *color));
                hold!(is_same, Promise::Person, "{room}: {scope:?} was {was:?}, and comes back in {record:?}");
                let is_free = was.is_some() || !self.by_number.contains_key(&by);
                hold!(is_free, Promise::Person, "{room}: somebody else had the number in {record:?}");
                let person = Person { scope: scope.clone(), color: *color, sees: floor, is_out_for_good: false };
                self.by_number.insert(by, person);
            }
            (Event::Kicked { member, .. } | Event::BanAdded { member, .. }, _) => {
                if let Some(person) = self.by_number.get_mut(member) {
                    person.is_out_for_good = true;
                }
            }
            _ => {}
        }
        Ok(())
    }
}
