//! Who may come in once although the room lets nobody new in, and until when: in the order in which they were invited.

use serde::{Deserialize, Serialize};

use super::hashes::ScopeHash;
use crate::seldom::Nothing;
use crate::types::Wall;

/// Somebody who may come in once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Invite {
    pub(super) person: ScopeHash,
    /// Until when, in room time.
    pub(super) until: Wall,
}

impl Invite {
    fn holds(&self, at: Wall) -> bool {
        self.until > at
    }
}

/// All invites, at most one of each person. All are of one size, so that a bound on how many there are bounds their bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Invites(Vec<Invite>);

impl Nothing for Invites {
    const NOTHING: &'static Self = &Self(Vec::new());
}

impl Invites {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Bytes that it holds.
    pub(super) fn weight(&self) -> usize {
        self.0.capacity() * size_of::<Invite>()
    }

    /// Those that hold at this moment.
    pub(super) fn holding(&self, at: Wall) -> impl Iterator<Item = &Invite> {
        self.0.iter().filter(move |invite| invite.holds(at))
    }

    /// Adds one, at this moment: those that are over go, and an earlier one of the same person.
    pub(super) fn add(&mut self, invite: Invite, at: Wall) {
        self.0.retain(|other| other.holds(at) && other.person != invite.person);
        self.0.push(invite);
    }

    /// Whether there is one of this person, over or not.
    pub(super) fn has(&self, person: ScopeHash) -> bool {
        self.0.iter().any(|invite| invite.person == person)
    }

    /// Takes that of a person away, if there is one: they have come in, or are kept out.
    pub(super) fn forget(&mut self, person: ScopeHash) {
        self.0.retain(|invite| invite.person != person);
    }

    /// Panics when somebody has two.
    pub(super) fn check(&self) {
        let mut people: Vec<ScopeHash> = self.0.iter().map(|invite| invite.person).collect();
        people.sort_unstable_by_key(|person| crate::types::PersonHash::from(*person).0);
        assert!(people.windows(2).all(|two| two[0] != two[1]), "nobody is invited twice");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invite(person: u64, until: u64) -> Invite {
        Invite { person: ScopeHash::from_bits(person), until: Wall(until) }
    }

    fn people(invites: &Invites, at: u64) -> Vec<ScopeHash> {
        invites.holding(Wall(at)).map(|invite| invite.person).collect()
    }

    #[test]
    fn an_invite_holds_until_its_moment_and_goes_with_the_next_one() {
        let [ann, bob, cid] = [1, 2, 3].map(ScopeHash::from_bits);
        let mut invites = Invites::default();
        invites.add(invite(1, 10), Wall(0));
        invites.add(invite(2, 20), Wall(0));
        assert_eq!([9, 10, 20].map(|at| people(&invites, at)), [vec![ann, bob], vec![bob], vec![]]);
        invites.add(invite(3, 30), Wall(10));
        assert_eq!(people(&invites, 0), [bob, cid], "that of Ann was over");
        invites.add(invite(2, 40), Wall(10));
        assert_eq!((people(&invites, 0), people(&invites, 39)), (vec![cid, bob], vec![bob]));
        invites.forget(bob);
        invites.check();
        assert_eq!((people(&invites, 0), size_of::<Invite>()), (vec![cid], 16));
    }
}
