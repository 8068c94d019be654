//! Whose number is whose in one life of a room: a number is a person, who has it again after leaving.

use std::collections::BTreeMap;

use chat_core::{Color, Event, MemberId, Record, RoomCode, Scope};

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
    /// They were put out: when they come again, they are somebody else.
    is_out_for_good: bool,
}

impl Persons {
    /// The next record.
    pub(crate) fn add(&mut self, room: &RoomCode, record: &Record) -> Result<(), Broken> {
        match (&record.event, record.by) {
            (Event::Joined { scope, color, .. }, Some(by)) => {
                let mut known = self.by_number.iter().filter(|(_, person)| person.scope == *scope);
                let was =
                    known.find(|(_, person)| !person.is_out_for_good).map(|(number, person)| (*number, person.color));
                let is_same = was.is_none_or(|was| was == (by, *color));
                hold!(is_same, Promise::Person, "{room}: {scope:?} was {was:?}, and comes back in {record:?}");
                let is_free = was.is_some() || !self.by_number.contains_key(&by);
                hold!(is_free, Promise::Person, "{room}: somebody else had the number in {record:?}");
                self.by_number.insert(by, Person { scope: scope.clone(), color: *color, is_out_for_good: false });
            }
            (Event::Kicked { member, .. }, _) => {
                if let Some(person) = self.by_number.get_mut(member) {
                    person.is_out_for_good = true;
                }
            }
            _ => {}
        }
        Ok(())
    }
}
