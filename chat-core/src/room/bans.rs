//! Banned people: the newest so many, in the order of their bans.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::weight::scope_beside;
use crate::types::Scope;

/// Banned people, longest banned first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "VecDeque<Scope>", into = "VecDeque<Scope>")]
pub(super) struct Bans {
    scopes: VecDeque<Scope>,
    /// Bytes of their texts.
    texts: usize,
}

impl Bans {
    /// How many are remembered.
    pub(super) fn len(&self) -> usize {
        self.scopes.len()
    }

    /// Bytes that it holds.
    pub(super) fn weight(&self) -> usize {
        self.scopes.capacity() * size_of::<Scope>() + self.texts
    }

    pub(super) fn contains(&self, scope: &Scope) -> bool {
        self.scopes.contains(scope)
    }

    /// Remembers a person as the newest; forgets the longest banned when there are more than `max`.
    pub(super) fn push(&mut self, scope: &Scope, max: usize) {
        if let Some(index) = self.scopes.iter().position(|banned| banned == scope) {
            self.scopes.remove(index);
        } else {
            self.texts += scope_beside(scope);
        }
        self.scopes.push_back(scope.clone());
        self.bound(max);
    }

    /// Forgets the longest banned, until at most `max` are remembered.
    pub(super) fn bound(&mut self, max: usize) {
        let over = self.scopes.len().saturating_sub(max);
        self.texts -= self.scopes.drain(..over).map(|scope| scope_beside(&scope)).sum::<usize>();
    }
}

impl From<VecDeque<Scope>> for Bans {
    fn from(scopes: VecDeque<Scope>) -> Self {
        let texts = scopes.iter().map(scope_beside).sum();
        Self { scopes, texts }
    }
}

impl From<Bans> for VecDeque<Scope> {
    fn from(bans: Bans) -> Self {
        bans.scopes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Identity, SessionId};

    fn named(bytes: usize) -> Scope {
        Scope::Identity(Identity::new(&"x".repeat(bytes)).expect("it is not too long"))
    }

    #[test]
    fn who_is_banned_again_is_weighed_once_and_who_is_forgotten_not_at_all() {
        let mut bans = Bans::default();
        bans.push(&named(100), 2);
        bans.push(&Scope::Session(SessionId::new(1)), 2);
        bans.push(&named(100), 2);
        assert_eq!((bans.len(), bans.texts), (2, 100));
        bans.push(&named(90), 2);
        assert_eq!((bans.len(), bans.texts), (2, 190), "the session was the longest banned");
        bans.push(&Scope::Session(SessionId::new(2)), 2);
        assert_eq!((bans.contains(&named(100)), bans.texts), (false, 90));
        assert_eq!(Bans::from(VecDeque::from(bans.clone())), bans);
    }
}
