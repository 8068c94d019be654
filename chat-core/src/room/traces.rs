//! What a log still tells of a person: looked for record by record, by whoever reads it without being the room.

use super::hashes::ScopeHash;
use super::ledger::Ledger;
use crate::domain::{Event, Record};
use crate::types::{Identity, MemberId, Offset, Scope, SessionId};

/// What was found of a person in what a log holds of one incarnation.
#[derive(Clone, Debug)]
pub struct Traces {
    scope: Scope,
    salt: u64,
    members: Vec<MemberId>,
    is_told_of: bool,
    owed: Vec<(SessionId, Offset)>,
}

impl Traces {
    /// Nothing yet, of this person.
    pub fn new(identity: Identity) -> Self {
        let scope = Scope::Identity(identity);
        Self { scope, salt: 0, members: Vec::new(), is_told_of: false, owed: Vec::new() }
    }

    /// Takes in the stored ledger; before the records.
    pub fn look_at(&mut self, stored: &Ledger) {
        self.salt = stored.salt();
        self.is_told_of |= stored.remembers(&self.scope);
        let numbers = stored.numbers_of(&self.scope);
        numbers.into_iter().for_each(|member| self.note(member));
        self.owed.extend(stored.owed_erasures().map(|owed| (owed.alias, owed.through)));
    }

    /// Takes in a record, in the order of the log.
    pub fn read(&mut self, record: &Record) {
        match &record.event {
            Event::Created { salt, .. } => self.salt = *salt,
            Event::Joined { scope, .. } if *scope == self.scope => {
                self.is_told_of = true;
                record.by.into_iter().for_each(|member| self.note(member));
            }
            Event::Banned { scope } | Event::OwnerNamed { scope } if *scope == self.scope => self.is_told_of = true,
            Event::Invited { person, .. } if ScopeHash::from(*person) == self.hash() => self.is_told_of = true,
            Event::BanAdded { person, nick, networks, .. } if ScopeHash::from(*person) == self.hash() => {
                self.is_told_of |= nick.is_some() || !networks.is_empty();
            }
            Event::Erased { alias, .. } => self.owed.push((*alias, record.offset)),
            Event::Scrubbed { through } => self.owed.retain(|(_, offset)| offset > through),
            _ => {}
        }
    }

    /// The first numbers that they are known under, as many as one step erases.
    pub fn members(&self) -> &[MemberId] {
        &self.members[..self.members.len().min(Event::ERASED_NUMBERS_MAX)]
    }

    /// Whether the log tells of them.
    pub fn are_there(&self) -> bool {
        self.is_told_of
    }

    /// Whether the log has still to be made to name no more for whom this one stands.
    pub fn is_owed(&self, alias: SessionId) -> bool {
        self.owed.iter().any(|(owed, _)| *owed == alias)
    }

    fn note(&mut self, member: MemberId) {
        // Past one step's worth, the next look finds the others.
        if self.members.len() <= Event::ERASED_NUMBERS_MAX && !self.members.contains(&member) {
            self.members.push(member);
        }
    }

    fn hash(&self) -> ScopeHash {
        ScopeHash::new(self.salt, &self.scope)
    }
}
