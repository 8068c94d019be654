//! What a client shows to say who it is: of the embedder's making, and as secret as a password.

use std::fmt;

use super::reject::Reject;

/// What a client shows to say who it is, as it was sent; only the embedder's policy reads it. It is never told, and nothing that is logged shows
/// it.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessToken(Box<str>);

impl AccessToken {
    /// The most bytes: a JSON Web Token with a few dozen claims, and half of a request's head. What is longer is refused before anybody decodes
    /// it.
    pub const BYTES_MAX: usize = 8 << 10;

    /// Reads what a client sent; it is kept as it is.
    ///
    /// # Errors
    /// `too_long` or `bad_field`, both naming `token`, and neither repeating it.
    pub fn parse(text: &str) -> Result<Self, Reject> {
        if text.len() > Self::BYTES_MAX {
            return Err(Reject::too_long("token", Self::BYTES_MAX as u64, "bytes"));
        }
        if text.is_empty() {
            return Err(Reject::bad_field("token", "token holds nothing"));
        }
        Ok(Self(text.into()))
    }

    /// What was sent. Not for a log.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for AccessToken {
    /// Without the token: this may go to a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessToken(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::RejectCode;

    #[test]
    fn a_token_is_any_text_and_neither_a_refusal_nor_a_log_repeats_it() {
        let token = AccessToken::parse("eyJ0.hush.c2ln").expect("a token");
        assert_eq!((token.expose(), format!("{token:?}").as_str()), ("eyJ0.hush.c2ln", "AccessToken(..)"));
        let refused = AccessToken::parse("").expect_err("nothing");
        assert_eq!((refused.code, refused.field), (RejectCode::BadField, Some("token")));
        let refused = AccessToken::parse(&"hush".repeat(2_049)).expect_err("too long");
        assert_eq!((refused.code, refused.limit), (RejectCode::TooLong, Some(8_192)));
        assert!(!refused.message.contains("hush"));
    }
}
