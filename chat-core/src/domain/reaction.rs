//! What a message has been reacted to with: a name, how many people, and who the first of them were.

use serde::{Deserialize, Serialize};

use crate::types::{MemberId, ReactionName};

/// All who have reacted to a message with one name, as it is shown and as it is frozen into the message's record.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Reaction {
    /// What they reacted with.
    pub name: ReactionName,
    /// How many people did.
    pub count: u32,
    /// The first of them, by number; at most [`Reaction::SHOWN_MAX`].
    pub by: Vec<MemberId>,
}

impl Reaction {
    /// The most people who are named beside one name. 8: more is a crowd, and the count says how many.
    pub const SHOWN_MAX: usize = 8;

    /// Of these people, in the order in which they did.
    pub fn new(name: ReactionName, by: &[MemberId]) -> Self {
        let count = u32::try_from(by.len()).unwrap_or(u32::MAX);
        Self { name, count, by: by[..by.len().min(Self::SHOWN_MAX)].to_vec() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_counted_and_the_first_are_named() {
        let by: Vec<MemberId> = (1..=20).map(MemberId).collect();
        let reaction = Reaction::new(ReactionName::parse("+1").expect("valid"), &by);
        assert_eq!((reaction.count, reaction.by), (20, by[..8].to_vec()));
    }
}
