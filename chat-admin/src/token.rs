//! The operator's token: what it looks like, and whether a request shows it.

use std::fmt;
use std::sync::Arc;

use axum::http::{HeaderMap, header};

/// What whoever operates the server shows. Never written down by `Debug`.
#[derive(Clone)]
pub struct AdminToken(Arc<str>);

/// A text that is no [`AdminToken`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a token is {} visible ASCII characters or more", AdminToken::CHARS_MIN)]
pub struct BadToken;

impl AdminToken {
    /// Fewer characters could be guessed.
    pub const CHARS_MIN: usize = 16;

    /// Reads a token.
    ///
    /// # Errors
    /// Where it is short, or holds what is no visible ASCII character.
    pub fn parse(text: &str) -> Result<Self, BadToken> {
        let is_good = text.len() >= Self::CHARS_MIN && text.bytes().all(|byte| byte.is_ascii_graphic());
        if is_good { Ok(Self(text.into())) } else { Err(BadToken) }
    }

    /// Whether a request shows it, in its one `Authorization` header. How long that takes says nothing of how much of a wrong one was right.
    pub(crate) fn is_shown(&self, headers: &HeaderMap) -> bool {
        let mut lines = headers.get_all(header::AUTHORIZATION).iter();
        let (Some(line), None) = (lines.next(), lines.next()) else { return false };
        let shown = line.to_str().ok().and_then(|line| line.split_once(' '));
        let Some((_, shown)) = shown.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")) else { return false };
        let (shown, token) = (shown.trim().as_bytes(), self.0.as_bytes());
        shown.len() == token.len() && shown.iter().zip(token).fold(0, |wrong, (one, other)| wrong | (one ^ other)) == 0
    }
}

impl fmt::Debug for AdminToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AdminToken")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "0123456789abcdef";

    #[test]
    fn a_token_is_long_and_can_be_typed_and_is_never_written_down() {
        let token = AdminToken::parse(TOKEN).expect("it is long enough");
        assert_eq!(format!("{token:?}"), "AdminToken");
        for wrong in ["", "0123456789abcde", "0123456789 abcdef", "0123456789abcdef\u{e9}"] {
            assert_eq!(AdminToken::parse(wrong).err(), Some(BadToken), "{wrong}");
        }
    }

    #[test]
    fn one_bearer_shows_it_and_nothing_else_does() {
        let token = AdminToken::parse(TOKEN).expect("it is long enough");
        let is_shown = |lines: &[&str]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(header::AUTHORIZATION, line.parse().expect("a header value"));
            }
            token.is_shown(&headers)
        };
        for right in ["Bearer 0123456789abcdef", "bearer   0123456789abcdef "] {
            assert!(is_shown(&[right]), "{right}");
            assert!(!is_shown(&[right, right]), "two of them may not be meant for the same reader");
            assert!(!is_shown(&["Basic x", right]));
        }
        let wrong =
            ["", "Bearer", "Bearer 0123456789abcdeF", "Bearer 0123456789abcde", "Basic 0123456789abcdef", TOKEN];
        wrong.iter().for_each(|line| assert!(!is_shown(&[line]), "{line}"));
        assert!(!is_shown(&[]));
    }
}
