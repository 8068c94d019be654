//! The name of a reaction: an emoji, or a word that stands for one.

use std::fmt;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use super::nick::is_seen;
use super::reject::Reject;
use super::text::{is_layout, name};

/// What somebody reacts to a message with: 1 to 32 bytes of UTF-8, without control characters, separators of lines, and embeddings,
/// overrides and isolates of direction, and with something to see. Kept and compared as it is: what looks alike and is written otherwise is another one.
///
/// 32 bytes: the longest emoji of people and their joiners, or a short word between colons.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ReactionName(CompactString);

impl ReactionName {
    /// The most bytes.
    pub const BYTES_MAX: usize = 32;

    /// Reads a name that a client sent.
    ///
    /// # Errors
    /// `too_long` or `bad_field`, both naming `name`.
    pub fn parse(text: &str) -> Result<Self, Reject> {
        if text.len() > Self::BYTES_MAX {
            return Err(Reject::too_long("name", Self::BYTES_MAX as u64, "bytes"));
        }
        if text.is_empty() {
            return Err(Reject::bad_field("name", "name is empty"));
        }
        if let Some(c) = text.chars().find(|c| c.is_control() || is_layout(*c)) {
            let character = name(c);
            let message =
                format!("name holds {character}; control, direction and line-breaking characters are not allowed");
            return Err(Reject::bad_field("name", message));
        }
        if !text.chars().any(is_seen) {
            return Err(Reject::bad_field("name", "name has nothing to see"));
        }
        Ok(Self(CompactString::new(text)))
    }

    /// The name as it was sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ReactionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ReactionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReactionName({:?})", &*self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::RejectCode;

    #[test]
    fn a_name_is_an_emoji_or_a_word_of_at_most_32_bytes() {
        let family = "\u{1F468}\u{200D}\u{1F469}\u{200D}\u{1F467}\u{200D}\u{1F466}";
        for text in ["+1", "\u{1F44D}\u{1F3FD}", family, ":party_parrot:", "two words", &"x".repeat(32)] {
            assert_eq!(ReactionName::parse(text).map(|name| name.to_string()), Ok(text.to_owned()), "{text:?}");
        }
        for text in ["", "a\nb", "\0", "\u{7F}", "\u{85}", "a\u{2028}b", "\u{202E}evil", "\u{2066}a"] {
            let refused = ReactionName::parse(text).map_err(|reject| (reject.code, reject.field));
            assert_eq!(refused, Err((RejectCode::BadField, Some("name"))), "{text:?}");
        }
        for text in [
            " ",
            "\u{A0}",
            "\u{200B}",
            "\u{2800}",
            "\u{3164}",
            "\u{115F}",
            "\u{FE0F}",
            "\u{200D} ",
            "\u{300}",
            "\u{E0041}",
        ] {
            assert_eq!(
                ReactionName::parse(text).map_err(|reject| reject.message),
                Err("name has nothing to see".into()),
                "{text:?}"
            );
        }
        for text in [".", "1\u{FE0F}\u{20E3}", "\u{1F1E9}\u{1F1EA}", "\u{E000}", "\u{1FAFF}"] {
            assert!(ReactionName::parse(text).is_ok(), "{text:?}");
        }
        let long = ReactionName::parse(&"\u{E4}".repeat(17)).expect_err("34 bytes");
        assert_eq!((long.code, long.field, long.limit), (RejectCode::TooLong, Some("name"), Some(32)));
    }
}
