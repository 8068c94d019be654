//! Reactions on the wire: as a message shows them, and as a change of them is told.

use serde::{Deserialize, Serialize};

use crate::domain::Reaction;
use crate::types::{MemberId, ReactionName};

/// What a `reacted` says beside its target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[allow(missing_docs)]
#[non_exhaustive]
pub struct ReactionChange {
    pub name: ReactionName,
    /// Whose reaction it is.
    pub by: MemberId,
    /// Whether they react from now on, or do not any more.
    pub on: bool,
    /// How many people do, with this.
    pub count: u32,
}

impl ReactionChange {
    pub(crate) fn new(name: ReactionName, by: MemberId, on: bool, count: u32) -> Self {
        Self { name, by, on, count }
    }
}

/// What comes before the list of a message's reactions.
const FIELD: &[u8] = b",\"reactions\":";

/// A list of reactions, as a message has it.
pub(crate) fn reaction_list(reactions: &[Reaction]) -> Vec<u8> {
    serde_json::to_vec(reactions).expect("reactions have string keys, and a Vec takes every write")
}

/// Writes the field of a message that has reactions, as its last one.
pub(super) fn push_reactions(out: &mut Vec<u8>, reactions: &[Reaction]) {
    if !reactions.is_empty() {
        out.extend_from_slice(FIELD);
        out.extend_from_slice(&reaction_list(reactions));
    }
}

/// By how much a message is longer with this list.
pub(crate) fn reactions_len(list: &[u8]) -> usize {
    FIELD.len() + list.len()
}

/// The same message with these reactions in place of those it has, from its encoded frame; `None` where they are the same.
pub(crate) fn with_reactions(message: &[u8], list: &[u8]) -> Option<Vec<u8>> {
    let shown = message.strip_suffix(b"}")?;
    let bare = without_field(shown);
    if shown.len() > bare.len() && shown[bare.len() + FIELD.len()..] == *list {
        return None;
    }
    Some([bare, FIELD, list, b"}"].concat())
}

/// A message, but for the brace at its end, without its reactions. The field is the last one, and no other field of a message is a list; what a
/// text says is no field, because its quotation marks are escaped.
fn without_field(shown: &[u8]) -> &[u8] {
    if !shown.ends_with(b"]") {
        return shown;
    }
    let start = shown.windows(FIELD.len()).rposition(|window| window == FIELD);
    start.map_or(shown, |start| &shown[..start])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{MessageFrame, TaggedMessage};

    const BARE: &str = r#"{"type":"message","room":"LUNCH","seq":3,"at":"2026-11-22T18:00:00.123Z","member":1,"nick":"Ann","color":0,"text":",\"reactions\":[]"}"#;

    fn frame(message: &[u8]) -> MessageFrame {
        let TaggedMessage::Message(frame) = serde_json::from_slice(message).expect("a message");
        frame
    }

    #[test]
    fn a_message_is_given_its_reactions_once() {
        let name = ReactionName::parse("\u{1F44D} \"x\"").expect("valid");
        let reactions = vec![Reaction::new(name, &[MemberId(2), MemberId(1)])];
        let list = reaction_list(&reactions);
        let shown = with_reactions(BARE.as_bytes(), &list).expect("it had none");
        assert_eq!(shown.len(), BARE.len() + reactions_len(&list));
        assert_eq!((frame(&shown).reactions, with_reactions(&shown, &list)), (reactions, None));
        let others = vec![Reaction::new(ReactionName::parse(",\"reactions\":[").expect("valid"), &[MemberId(3)])];
        let other = with_reactions(&shown, &reaction_list(&others)).expect("it had others");
        assert_eq!(
            (frame(&other).reactions, other.len()),
            (others.clone(), BARE.len() + reactions_len(&reaction_list(&others)))
        );
        assert_eq!(with_reactions(&other, &list), Some(shown), "in place of them, whatever they are called");
        let data = BARE.replace("}", r#","data":{"a":1,"reactions":[1]}}"#);
        let dressed = with_reactions(data.as_bytes(), &list).expect("it had none");
        assert!(
            dressed.len() == data.len() + reactions_len(&list)
                && dressed.starts_with(data.strip_suffix('}').expect("an object").as_bytes())
        );
        assert_eq!(frame(BARE.as_bytes()).reactions, []);
        assert!(with_reactions(BARE.as_bytes(), b"[]").is_some(), "what a text says is no field");
    }
}
