//! What a room asks newcomers for: the word as people know it, and what is kept of it.

use std::fmt;
use std::hint::black_box;

use serde::{Deserialize, Serialize};

use super::reject::Reject;

/// The word that a room asks newcomers for: 1 to 128 scalars without control characters. It is as secret as a password: it is never
/// told, and nothing that is logged shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct RoomSecret(Box<str>);

impl RoomSecret {
    /// The most scalars.
    pub const CHARS_MAX: usize = 128;

    /// Reads what somebody typed; it is kept as it is.
    ///
    /// # Errors
    /// `too_long` or `bad_field`, both naming `secret`, and neither repeating what was typed.
    pub fn parse(text: &str) -> Result<Self, Reject> {
        if text.chars().count() > Self::CHARS_MAX {
            return Err(Reject::too_long("secret", Self::CHARS_MAX as u64, "characters"));
        }
        if text.is_empty() || text.chars().any(char::is_control) {
            return Err(Reject::bad_field("secret", "secret is 1 to 128 characters without control characters"));
        }
        Ok(Self(text.into()))
    }

    /// What was typed. Not for a log.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for RoomSecret {
    /// Without the word: this may go to a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RoomSecret(..)")
    }
}

/// What is kept of a room's secret: 128 bits of a keyed hash, under a key that only the server has. Two are compared in constant time.
///
/// Stored as its upper and lower half: serde cannot read a `u128` back from inside a tagged enum.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(from = "[u64; 2]", into = "[u64; 2]")]
pub struct SecretHash(u128);

impl SecretHash {
    /// Of these bits, which whoever has the key has computed.
    pub fn from_bits(bits: u128) -> Self {
        Self(bits)
    }
}

impl PartialEq for SecretHash {
    fn eq(&self, other: &Self) -> bool {
        // The difference as a whole: no half of it is looked at first.
        black_box(self.0 ^ other.0) == 0
    }
}

impl Eq for SecretHash {}

impl fmt::Debug for SecretHash {
    /// Without the hash: whoever has both it and the key can try words.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash(..)")
    }
}

impl From<[u64; 2]> for SecretHash {
    fn from([upper, lower]: [u64; 2]) -> Self {
        Self(u128::from(upper) << 64 | u128::from(lower))
    }
}

impl From<SecretHash> for [u64; 2] {
    fn from(SecretHash(bits): SecretHash) -> Self {
        [(bits >> 64) as u64, bits as u64]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::RejectCode;

    #[test]
    fn a_secret_is_any_line_of_text_and_no_refusal_repeats_it() {
        for text in ["swordfish", "two words", "\u{1F98A}", &"\u{E4}".repeat(128)] {
            assert_eq!(RoomSecret::parse(text).map(|secret| secret.expose().to_owned()), Ok(text.to_owned()));
        }
        for text in ["", "a\nhush", "hush\0"] {
            let refused = RoomSecret::parse(text).expect_err("none");
            assert_eq!((refused.code, refused.field), (RejectCode::BadField, Some("secret")));
            assert!(!refused.message.contains("hush"), "{refused}");
        }
        assert_eq!(RoomSecret::parse(&"s".repeat(129)).map_err(|refused| refused.limit), Err(Some(128)));
    }

    #[test]
    fn what_is_logged_shows_neither_the_word_nor_the_hash() {
        let secret = RoomSecret::parse("swordfish").expect("a secret");
        let shown = format!("{secret:?} {:?}", SecretHash::from_bits(0xBEEF));
        assert_eq!(shown, "RoomSecret(..) SecretHash(..)");
    }

    #[test]
    fn a_hash_is_stored_and_read_back_and_is_equal_to_itself_alone() {
        let hash = SecretHash::from_bits(0xF00D << 64 | 0xBEEF);
        let stored = serde_json::to_string(&hash).expect("it can be stored");
        assert_eq!(stored, "[61453,48879]");
        assert_eq!(serde_json::from_str::<SecretHash>(&stored).expect("it is read"), hash);
        for other in [0xF00D << 64 | 0xBEEE, 0xF00C << 64 | 0xBEEF, 0] {
            assert_ne!(SecretHash::from_bits(other), hash);
        }
    }
}
