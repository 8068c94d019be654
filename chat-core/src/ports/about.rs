//! What a log knows of a room without reading it: a few facts, which every append brings.

use serde::{Deserialize, Serialize};

use crate::types::{Topic, Wall};

/// What is known of a room without reading it, as of its last record. A log keeps it beside the end of the room's log, as bytes that say nothing to
/// it: see [`Log::append_with`](crate::Log::append_with).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RoomAbout {
    /// What it is about; empty for nothing. Of one that is long, only the beginning: see [`RoomAbout::TOPIC_BYTES_MAX`].
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub topic: String,
    /// How many members there are.
    pub members: usize,
    /// When something last happened in it, in room time.
    pub last_at: Wall,
    /// Whether it may be shown to people who are not in it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_listed: bool,
    /// Whether it stays while nobody is in it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_kept: bool,
}

impl RoomAbout {
    /// The most bytes that a log is given: as much as is written again with every message.
    pub const BYTES_MAX: usize = 512;
    /// The most bytes of a topic in it, as JSON: what the rest leaves of [`RoomAbout::BYTES_MAX`]. 133 characters of three bytes each.
    pub const TOPIC_BYTES_MAX: usize = 400;

    /// As much of a topic as there is room for. Of what JSON writes otherwise, a topic has only quotes and backslashes.
    pub(crate) fn beginning(topic: &Topic) -> &str {
        let text = topic.as_str();
        let mut left = Self::TOPIC_BYTES_MAX;
        let end = text.char_indices().find(|(_, c)| {
            let bytes = if matches!(c, '"' | '\\') { 2 } else { c.len_utf8() };
            let is_past = bytes > left;
            left = left.saturating_sub(bytes);
            is_past
        });
        &text[..end.map_or(text.len(), |(at, _)| at)]
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("it has no keys but names")
    }

    /// What was stored; nothing where it says nothing to this program.
    pub(crate) fn read(stored: &[u8]) -> Option<Self> {
        serde_json::from_slice(stored).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about(topic: &str) -> RoomAbout {
        let topic = RoomAbout::beginning(&Topic::parse(topic).expect("a topic")).to_owned();
        RoomAbout { topic, members: usize::MAX, last_at: Wall(u64::MAX), is_listed: true, is_kept: true }
    }

    #[test]
    fn the_longest_topic_is_cut_between_characters_and_leaves_room_for_the_rest() {
        for c in ["x", "\"", "\\", "\u{EB}", "\u{4E2D}", "\u{1F98A}"] {
            let about = about(&c.repeat(Topic::CHARS_MAX));
            let stored = about.encode();
            assert!(stored.len() <= RoomAbout::BYTES_MAX, "{c}: {}", stored.len());
            assert!(about.topic.len() + 4 > RoomAbout::TOPIC_BYTES_MAX / 2, "{c}: {}", about.topic.len());
            assert_eq!(RoomAbout::read(&stored), Some(about));
        }
        assert_eq!(about("Food").topic, "Food");
    }

    #[test]
    fn what_an_earlier_program_did_not_say_is_not_so() {
        let read = RoomAbout::read(br#"{"members":2,"last_at":7,"later":true}"#).expect("it is read");
        assert_eq!((read.topic.as_str(), read.members, read.last_at), ("", 2, Wall(7)));
        assert!(!read.is_listed && !read.is_kept);
        assert_eq!(RoomAbout::read(b"{"), None);
    }
}
