//! The reactions to one message: names in the order in which they came, and with each who has reacted with it.

use serde::{Deserialize, Serialize};

use crate::domain::Reaction;
use crate::room::weight::beside;
use crate::types::{MemberId, ReactionName, Seq};

/// What one message has been reacted to with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ToMessage {
    /// The message, by number.
    pub(super) target: Seq,
    /// Whose it is: the marks may have forgotten it before the log has what it has been reacted to with.
    pub(super) author: MemberId,
    /// In the order in which they came.
    pub(super) names: Vec<Named>,
}

/// Who has reacted with a name, in the order in which they did; somebody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Named(pub(super) ReactionName, pub(super) Vec<MemberId>);

impl ToMessage {
    /// Who has reacted with this name, if anybody has.
    pub(super) fn named(&self, name: &ReactionName) -> Option<&Named> {
        self.names.iter().find(|named| named.0 == *name)
    }

    /// Everybody who has reacted, once for each name.
    pub(super) fn people(&self) -> impl Iterator<Item = MemberId> {
        self.names.iter().flat_map(|Named(_, by)| by.iter().copied())
    }

    /// As it is shown.
    pub(super) fn shown(&self) -> Vec<Reaction> {
        self.names.iter().map(|Named(name, by)| Reaction::new(name.clone(), by)).collect()
    }

    /// Bytes that it holds beside itself.
    pub(super) fn weight(&self) -> usize {
        let named = |Named(name, by): &Named| by.capacity() * size_of::<MemberId>() + beside(name.as_str());
        self.names.capacity() * size_of::<Named>() + self.names.iter().map(named).sum::<usize>()
    }

    /// Somebody reacts with a name. `false` where they did already.
    pub(super) fn add(&mut self, name: &ReactionName, by: MemberId) -> bool {
        match self.names.iter_mut().find(|named| named.0 == *name) {
            Some(Named(_, people)) if people.contains(&by) => return false,
            Some(Named(_, people)) => people.push(by),
            None => {
                self.names.reserve_exact(1);
                self.names.push(Named(name.clone(), vec![by]));
            }
        }
        true
    }

    /// Somebody does not react with a name any more. `false` where they did not.
    pub(super) fn take(&mut self, name: &ReactionName, by: MemberId) -> bool {
        let Some(index) = self.names.iter().position(|named| named.0 == *name) else { return false };
        let people = &mut self.names[index].1;
        let Some(place) = people.iter().position(|other| *other == by) else { return false };
        people.remove(place);
        if people.is_empty() {
            self.names.remove(index);
        }
        true
    }
}
