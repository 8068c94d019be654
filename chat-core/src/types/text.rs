//! Text that is valid because it was parsed: room codes, nicks, messages, topics, keys.
//!
//! Stored text was parsed when it came in. It is read back as it is, so that a rule that changes later (the Unicode tables
//! behind nicks do, every year) never makes an old log unreadable.

use std::fmt;
use std::sync::Arc;

use compact_str::CompactString;
use precis_profiles::Nickname;
use precis_profiles::precis_core::profile::PrecisFastInvocation;
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;
use unicode_security::confusable_detection::skeleton;

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

/// A nick as it is shown: 1 to 32 Unicode scalars after the PRECIS Nickname profile (RFC 8266).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Nick(CompactString);

/// What a nick looks like: two nicks with the same key are the same nick to a room (UTS #39 skeleton of the casefold).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NickKey(CompactString);

impl NickKey {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Nick {
    /// The most scalars.
    pub const CHARS_MAX: usize = 32;
    /// The most combining marks on one base character; more is ink all over the neighbours' lines.
    pub const MARKS_MAX: usize = 4;
    /// The most bytes taken in before normalising: four per scalar, and room for spaces that are folded.
    const RAW_BYTES_MAX: usize = 512;

    /// Reads a nick that somebody typed; spaces are trimmed and folded, compatibility forms normalised.
    ///
    /// # Errors
    /// `too_long` or `bad_field`, both naming `nick`.
    pub fn parse(text: &str) -> Result<Self, Reject> {
        if text.len() > Self::RAW_BYTES_MAX {
            return Err(Reject::too_long("nick", Self::CHARS_MAX as u64, "characters"));
        }
        // The profile lets format characters of some scripts through; none of them is needed in a name.
        if text.chars().any(is_hidden) {
            return Err(Reject::bad_field("nick", "nick holds control, direction or invisible characters"));
        }
        let nick = Nickname::enforce(fold_spaces(text))
            .map_err(|_| Reject::bad_field("nick", "nick is 1 to 32 letters, digits, spaces or symbols"))?;
        if nick.chars().count() > Self::CHARS_MAX {
            return Err(Reject::too_long("nick", Self::CHARS_MAX as u64, "characters"));
        }
        if marks_in_a_row(&nick) > Self::MARKS_MAX {
            return Err(Reject::bad_field("nick", "nick stacks more than 4 marks on one character"));
        }
        let nick = Self(CompactString::from(nick));
        if nick.key().0.is_empty() {
            return Err(Reject::bad_field("nick", "nick has nothing to see"));
        }
        Ok(nick)
    }

    /// What this nick looks like. Stored with the join and never computed again: the tables change with Unicode.
    pub fn key(&self) -> NickKey {
        NickKey(skeleton(&self.0.to_lowercase()).collect())
    }

    /// The nick as shown.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The text of one message: at least 1 scalar, at most the room's limit; no control characters but newline and tab.
///
/// Cheap to clone: all clones share one allocation.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Body(Arc<str>);

impl Body {
    /// Reads what somebody wrote, of at most `chars_max` scalars; it is kept as it is.
    ///
    /// # Errors
    /// `too_long` or `bad_field`, both naming `text`.
    pub fn parse(text: &str, chars_max: usize) -> Result<Self, Reject> {
        if text.len() > chars_max && text.chars().count() > chars_max {
            return Err(Reject::too_long("text", chars_max as u64, "characters"));
        }
        Self::checked(text).map_err(|message| Reject::bad_field("text", message))
    }

    /// The empty text of a message that was taken back. Only a log holds it, in the place of the one it was.
    pub fn scrubbed() -> Self {
        Self(Arc::from(""))
    }

    fn checked(text: &str) -> Result<Self, &'static str> {
        if text.is_empty() {
            return Err("text is empty");
        }
        if text.chars().any(|c| c.is_control() && c != '\n' && c != '\t') {
            return Err("text holds control characters other than newline and tab");
        }
        Ok(Self(Arc::from(text)))
    }

    /// The text as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a room is about: up to 200 scalars on one line; empty for none.
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
        if text.chars().any(char::is_control) {
            return Err(Reject::bad_field("topic", "topic holds control characters"));
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

/// Characters that are not seen but change what is: controls, direction overrides, zero-width, tags, variation selectors.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{00AD}' | '\u{034F}' | '\u{061C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}'
            | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}'
            | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF9}'..='\u{FFFB}'
            | '\u{E0000}'..='\u{E0FFF}')
}

/// Compatibility forms normalised, spaces trimmed and folded, as the profile says; `precis-profiles` 0.1 takes a count of
/// characters for an offset in bytes when it does this, and panics on `"Zoë "`.
fn fold_spaces(text: &str) -> String {
    let normal: String = text.nfkc().collect();
    let words: Vec<&str> = normal.split_whitespace().collect();
    words.join(" ")
}

/// Counted decomposed: a mark that has melted into its base is ink all the same.
fn marks_in_a_row(text: &str) -> usize {
    let (mut longest, mut run) = (0, 0);
    for c in text.nfd() {
        run = if is_combining_mark(c) { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
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

shown_text!(RoomCode, Nick, NickKey, Body, Topic, Key);
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
    fn nicks_that_look_alike_share_a_key() {
        let key = |text| Nick::parse(text).expect("a valid nick").key();
        assert_eq!(key("admin"), key("Admin"));
        assert_eq!(key("admin"), key("\u{0430}dmin"), "a Cyrillic a");
        assert_eq!(key("admin"), key("\u{FF41}dmin"), "a full-width a");
        assert_eq!(key("mary"), key("rnary"));
        assert_ne!(key("ann"), key("anne"));
    }

    #[test]
    fn a_nick_is_trimmed_and_folded() {
        assert_eq!(Nick::parse("  Ann   Lee ").expect("valid").as_str(), "Ann Lee");
        assert_eq!(Nick::parse("Zoë ☕").expect("valid").as_str(), "Zoë ☕");
    }

    #[test]
    fn hidden_and_stacked_characters_are_refused_in_nicks() {
        for text in ["", " ", "a\u{200B}b", "a\u{202E}b", "a\nb", "a\u{FE0F}", "\u{3164}", "\u{200D}"] {
            assert_eq!(
                Nick::parse(text).map_err(|r| (r.code, r.field)),
                Err((RejectCode::BadField, Some("nick"))),
                "{text:?}"
            );
        }
        let stacked = format!("a{}", "\u{0323}\u{0324}\u{0325}\u{0330}\u{0331}");
        assert_eq!(Nick::parse(&stacked).map_err(|r| r.code), Err(RejectCode::BadField));
        assert_eq!(Nick::parse(&"a".repeat(33)).map_err(|r| r.limit), Err(Some(32)));
        assert!(Nick::parse(&"ä".repeat(32)).is_ok(), "scalars are counted, not bytes");
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
    fn a_key_is_visible_ascii() {
        assert!(Key::parse("c0ffee-!~").is_ok());
        for text in ["", "a b", "ä", "a\n"] {
            assert!(Key::parse(text).is_err(), "{text:?}");
        }
        assert!(Key::parse(&"k".repeat(65)).is_err());
    }
}
