//! What a ledger knows of somebody who is to be erased, what is left of that once they are, and which records tell of them.

use super::Ledger;
use crate::domain::{Event, Record, Scrub};
#[cfg(feature = "fault_injection")]
use crate::fault_injection::{self, Bug};
use crate::room::erasures::{Erasures, OwedErasure};
use crate::room::hashes::ScopeHash;
use crate::types::{MemberId, PersonHash, Scope, SessionId};

impl Ledger {
    pub(in crate::room) fn erasures(&self) -> &Erasures {
        &self.erasures
    }

    /// People who were erased, and whom the log may still name, in the order in which they were.
    pub fn owed_erasures(&self) -> impl Iterator<Item = &OwedErasure> {
        self.erasures.iter()
    }

    /// The numbers that this person is known under.
    pub(in crate::room) fn numbers_of(&self, scope: &Scope) -> Vec<MemberId> {
        let hash = self.hash(scope);
        let member = self.members.with_scope(scope).map(|member| member.id);
        let places = [self.former.place(hash), self.put_out.place(hash)];
        let left = places.into_iter().flatten().filter_map(|place| place.number()).map(|(id, _)| id);
        let banned = self.bans.of(scope, hash).filter_map(|ban| ban.member);
        member.into_iter().chain(left).chain(banned.filter(|_| self.bans.tells_of(scope, hash))).collect()
    }

    /// Whether anything is remembered of this person that is to go when they are erased.
    pub(in crate::room) fn remembers(&self, scope: &Scope) -> bool {
        let hash = self.hash(scope);
        !self.numbers_of(scope).is_empty()
            || self.former.place(hash).is_some()
            || self.put_out.place(hash).is_some()
            || self.invites.has(hash)
            || self.held.is_some_and(|seat| seat.scope == hash)
            || self.keys.has_scope(hash)
            || self.bans.tells_of(scope, hash)
    }

    /// Forgets a person who was erased, and remembers that the log may still name them.
    pub(super) fn erase(&mut self, record: &Record, person: PersonHash, alias: SessionId, members: &[MemberId]) {
        // Of records that were scrubbed while they were read, some know the person and some who stands for them.
        let mut hashes = vec![ScopeHash::from(person), self.hash(&Scope::Session(alias))];
        for &member in members {
            let places = [self.former.with_number(member), self.put_out.with_number(member)];
            hashes.extend(places.into_iter().flatten().map(|place| place.scope()));
            self.slow_mode.forget(member);
            self.member_changes.forget(member);
        }
        let salt = self.salt();
        for hash in hashes {
            self.former.forget(hash);
            if let Some(put_out) = self.put_out.if_any() {
                put_out.forget(hash);
            }
            if let Some(invites) = self.invites.if_any() {
                invites.forget(hash);
            }
            #[cfg(feature = "fault_injection")]
            let keeps_keys = fault_injection::is(Bug::KeepErasedKeys);
            #[cfg(not(feature = "fault_injection"))]
            let keeps_keys = false;
            if let Some(keys) = self.keys.if_any().filter(|_| !keeps_keys) {
                keys.forget_scope(hash);
            }
            if let Some(bans) = self.bans.if_any() {
                bans.forget_early(|scope| ScopeHash::new(salt, scope) == hash);
                bans.erase(hash);
            }
            self.held = self.held.filter(|seat| seat.scope != hash);
        }
        let (through, members, head) = (record.offset, members.to_vec(), self.head);
        self.erasures.make().push(OwedErasure { person, alias, members, through, head });
    }

    /// What is to be made of this record for somebody who was erased; `None` where it does not tell of them.
    pub fn scrub(&self, owed: &OwedErasure, record: &Record) -> Option<Scrub> {
        let is_meant = |hash: PersonHash| owed.is_of(hash.into());
        let is_one = |member: MemberId| owed.members.contains(&member);
        let is_by_one = || record.by.is_some_and(is_one);
        // Where there may be more numbers than one record of this names, those are found by the joins that still say whose they are.
        let names_all = owed.members.len() < Event::ERASED_NUMBERS_MAX;
        #[cfg(feature = "fault_injection")]
        if matches!(record.event, Event::Joined { .. }) && fault_injection::is(Bug::KeepErasedJoins) {
            return None;
        }
        let tells = record.offset <= owed.through
            && match &record.event {
                Event::Joined { scope, .. } => is_by_one() || names_all && owed.is_of(self.hash(scope)),
                Event::Banned { scope } | Event::OwnerNamed { scope } => owed.is_of(self.hash(scope)),
                Event::Left { .. } | Event::Sent { .. } | Event::Edited { .. } | Event::Reacted { .. } => is_by_one(),
                Event::Kicked { member, .. } | Event::MemberChanged { member, .. } => is_one(*member),
                Event::BanAdded { person, member, .. } => is_meant(*person) || is_one(*member),
                Event::Invited { person, .. } | Event::Erased { person, .. } => is_meant(*person),
                _ => false,
            };
        let person = self.hash(&Scope::Session(owed.alias)).into();
        tells.then_some(Scrub { offset: record.offset, alias: owed.alias, person })
    }
}
