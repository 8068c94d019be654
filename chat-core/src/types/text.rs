//! Text that is valid because it was parsed: room codes, messages, topics, keys.
//!
//! Stored text was parsed when it came in. It is read back as it is, so that a rule that changes later (the Unicode tables behind
//! nicks do, every year) never makes an old log unreadable.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use super::reject::Reject;

/// A room's code or chosen name: 3 to 32 of `A-Z 0-9 -`, compared without case and kept in capitals.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RoomCode(CompactString);

impl RoomCode {
    /// The fewest characters.
    pub const CHARS_MIN: usize = 3;
    /// The most characters.
    pub const CHARS_MAX: usize = 32;
    /// Characters of a code that the engine draws.
    pub const DRAWN_CHARS: usize = 8;

    /// Reads a code that somebody typed.
    ///
    /// # Errors
    /// `too_long` or `bad_field`, both naming `room`.
    pub fn parse(text: &str) -> Result<Self, Reject> {
        if text.len() > Self::CHARS_MAX {
            return Err(Reject::too_long("room", Self::CHARS_MAX as u64, "characters"));
        }
        let allowed = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if !allowed || text.len() < Self::CHARS_MIN {
            return Err(Reject::bad_field("room", "room is 3 to 32 letters A-Z, digits or hyphens"));
        }
        Ok(Self(CompactString::from(text.to_ascii_uppercase())))
    }

    /// A drawn code of 8 letters A-Z, from as many numbers (each taken modulo 26).
    pub fn from_draw(draw: [u8; Self::DRAWN_CHARS]) -> Self {
        Self(draw.iter().map(|number| char::from(b'A' + number % 26)).collect())
    }

    /// The code in capitals.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The text of one message: at most as many scalars as the room's limit; no control characters but newline and tab. At least 1 scalar,
/// but where a message has data: there it may be [`empty`](Self::empty).
///
/// Cheap to clone: all clones share one allocation.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Body(Arc<str>);

impl Body {
    /// Reads what somebody wrote, of 1 to `chars_max` scalars; it is kept as it is.
    ///
    /// # Errors
    /// `too_long` or `bad_field`, both naming `text`. An empty text is `bad_field`: that of a message with data alone is
    /// [`Body::empty`].
    pub fn parse(text: &str, chars_max: usize) -> Result<Self, Reject> {
        if text.len() > chars_max && text.chars().count() > chars_max {
            return Err(Reject::too_long("text", chars_max as u64, "characters"));
        }
        Self::checked(text).map_err(|message| Reject::bad_field("text", message))
    }

    /// No text: that of a `Send` or an `Edit` which has data alone. Without data it is refused.
    pub fn empty() -> Self {
        Self::scrubbed()
    }

    /// The empty text of a message that was taken back. Only a log holds it, in the place of the one it was.
    pub fn scrubbed() -> Self {
        Self(Arc::from(""))
    }

    fn checked(text: &str) -> Result<Self, Cow<'static, str>> {
        if text.is_empty() {
            return Err("text is empty".into());
        }
        if let Some(control) = text.chars().find(|c| c.is_control() && *c != '\n' && *c != '\t') {
            let control = name(control);
            return Err(format!("text holds {control}; of control characters it may hold newline and tab").into());
        }
        Ok(Self(Arc::from(text)))
    }

    /// The text as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a room is about: up to 200 scalars on one line, without controls of its direction; empty for none.
#[derive(Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Topic(CompactString);

impl Topic {
    /// The most scalars.
    pub const CHARS_MAX: usize = 200;

    /// Reads a topic that somebody typed.
    ///
    /// # Errors
    /// `too_long` or `bad_field`, both naming `topic`.
    pub fn parse(text: &str) -> Result<Self, Reject> {
        if text.chars().count() > Self::CHARS_MAX {
            return Err(Reject::too_long("topic", Self::CHARS_MAX as u64, "characters"));
        }
        if let Some(c) = text.chars().find(|c| c.is_control() || is_layout(*c)) {
            let message =
                format!("topic holds {}; control, direction and line-breaking characters are not allowed", name(c));
            return Err(Reject::bad_field("topic", message));
        }
        Ok(Self(CompactString::new(text)))
    }

    /// The topic as written; empty for none.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a client attaches to a send to make a retry safe: 1 to 64 visible ASCII characters.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Key(CompactString);

impl Key {
    /// The most characters.
    pub const CHARS_MAX: usize = 64;

    /// Reads a key that a client made.
    ///
    /// # Errors
    /// `too_long` or `bad_field`, both naming `key`.
    pub fn parse(text: &str) -> Result<Self, Reject> {
        if text.len() > Self::CHARS_MAX {
            return Err(Reject::too_long("key", Self::CHARS_MAX as u64, "characters"));
        }
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Reject::bad_field("key", "key is 1 to 64 visible ASCII characters"));
        }
        Ok(Self(CompactString::new(text)))
    }

    /// The key as the client made it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// How Unicode names a character that may not be printed.
pub(super) fn name(c: char) -> String {
    format!("U+{:04X}", u32::from(c))
}

/// Separators of lines and paragraphs; and embeddings, overrides and isolates of direction, which would turn around what is shown
/// beside the topic. The marks of direction (U+200E, U+200F, U+061C) are text: they turn nothing around.
pub(super) fn is_layout(c: char) -> bool {
    matches!(c, '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

macro_rules! shown_text {
    ($($name:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:?})"), &*self.0)
            }
        }
    )*};
}

shown_text!(RoomCode, Body, Topic, Key);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::RejectCode;

    #[test]
    fn a_code_is_kept_in_capitals() {
        assert_eq!(RoomCode::parse("my-room2").map(|code| code.to_string()), Ok("MY-ROOM2".into()));
        for text in ["", "ab", "a b c", "räume", "a/b/c"] {
            assert_eq!(RoomCode::parse(text).map_err(|r| r.code), Err(RejectCode::BadField), "{text}");
        }
        assert_eq!(RoomCode::parse(&"A".repeat(33)).map_err(|r| r.limit), Err(Some(32)));
    }

    #[test]
    fn a_drawn_code_is_eight_letters() {
        let code = RoomCode::from_draw([0, 25, 26, 51, 255, 1, 2, 3]);
        assert_eq!(code.as_str(), "AZAZVBCD");
        assert_eq!(RoomCode::parse(code.as_str()), Ok(code));
    }

    #[test]
    fn a_message_keeps_newline_and_tab_only() {
        assert!(Body::parse("a\n\tb", 10).is_ok());
        assert!(Body::parse("a\u{7}b", 10).is_err());
        assert!(Body::parse("a\u{85}b", 10).is_err(), "C1 controls too");
        assert!(Body::parse("", 10).is_err());
        assert!(Body::parse("ääääääääää", 10).is_ok(), "scalars are counted, not bytes");
        assert_eq!(Body::parse("12345678901", 10).map_err(|r| r.limit), Err(Some(10)));
    }

    #[test]
    fn a_topic_is_one_line_that_turns_nothing_around() {
        for text in ["", "Lunch", "\u{5D0}\u{200F}!", "\u{1F468}\u{200D}\u{1F373} soup"] {
            assert_eq!(Topic::parse(text).map(|topic| topic.to_string()), Ok(text.to_owned()), "{text:?}");
        }
        for text in ["a\nb", "a\tb", "\0", "\u{7F}", "\u{85}", "a\u{2028}b", "a\u{2029}b", "\u{202E}evil", "\u{2066}a"]
        {
            let refused = Topic::parse(text).map_err(|r| (r.code, r.field));
            assert_eq!(refused, Err((RejectCode::BadField, Some("topic"))), "{text:?}");
        }
        assert_eq!(Topic::parse(&"\u{E4}".repeat(201)).map_err(|r| r.limit), Err(Some(200)));
    }

    #[test]
    fn a_key_is_visible_ascii() {
        assert!(Key::parse("c0ffee-!~").is_ok());
        for text in ["", "a b", "ä", "a\n"] {
            assert!(Key::parse(text).is_err(), "{text:?}");
        }
        assert!(Key::parse(&"k".repeat(65)).is_err());
    }
}
