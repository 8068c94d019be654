//! What a client adds to a creation or a join for the policy: an invite, a password, an answer to a question.

use std::fmt;

use super::{json, reject::Reject};

/// One JSON object of a `create` or a `join`, which only the embedder's policy reads. It goes no further than the policy, and is kept nowhere; it may
/// hold a secret, and nothing that is logged shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Params(Box<str>);

impl Params {
    /// The most objects and lists within each other, itself included. 8, as in what is attached to a message.
    pub const DEPTH_MAX: usize = 8;

    /// Reads what a client sent, of at most `bytes_max` bytes.
    ///
    /// # Errors
    /// `too_long` or `bad_field`, both naming `params`, and neither repeating it.
    pub fn parse(json: &str, bytes_max: usize) -> Result<Self, Reject> {
        let json = json.trim_matches(|c| matches!(c, ' ' | '\t' | '\n' | '\r'));
        if json.len() > bytes_max {
            return Err(Reject::too_long("params", bytes_max as u64, "bytes"));
        }
        match json::compact(json, Self::DEPTH_MAX) {
            Ok(compact) if compact.starts_with('{') => Ok(Self(compact.into())),
            Ok(_) => Err(Reject::bad_field("params", "params is one JSON object")),
            Err(json::TOO_DEEP) => {
                Err(Reject::too_long("params", Self::DEPTH_MAX as u64, "levels of objects and lists"))
            }
            Err(wrong) => Err(Reject::bad_field("params", format!("params {wrong}"))),
        }
    }

    /// The object, in JSON, as it was written but for the space between its parts. Not for a log.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Params {
    /// Without what is in it: this may go to a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Params(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::RejectCode;

    #[test]
    fn params_are_one_object_that_neither_a_refusal_nor_a_log_repeats() {
        let params = Params::parse(" {\"invite\" : \"hush\"} ", 64).expect("an object");
        assert_eq!((params.expose(), format!("{params:?}").as_str()), ("{\"invite\":\"hush\"}", "Params(..)"));
        for json in ["\"hush\"", "[\"hush\"]", "{\"hush\":}", "", "{} {}"] {
            let refused = Params::parse(json, 64).expect_err(json);
            assert_eq!((refused.code, refused.field), (RejectCode::BadField, Some("params")), "{json}");
            assert!(!refused.message.contains("hush"), "{refused}");
        }
        let refused = |json: &str| Params::parse(json, 22).map_err(|refused| (refused.code, refused.limit));
        assert_eq!(refused("{\"hush\":\"hush-hush-hush\"}"), Err((RejectCode::TooLong, Some(22))));
        assert_eq!(refused("{\"a\":[[[[[[[[]]]]]]]]}"), Err((RejectCode::TooLong, Some(8))));
    }
}
