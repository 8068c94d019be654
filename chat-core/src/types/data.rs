//! What a program attaches to a message: one JSON object, passed on as it was written.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{json, reject::Reject};

/// One JSON object of a message: what an application says beside its text, or in its place. Nothing here looks into it, and everybody
/// is given the very characters that were sent, but for line breaks between its values, which become spaces.
///
/// Cheap to clone: all clones share one allocation.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Data(Arc<str>);

impl Data {
    /// The most objects and lists within each other, itself included. 8: deeper than anything that is read by people, and shallow for
    /// every reader.
    pub const DEPTH_MAX: usize = 8;

    /// Reads what a client sent, of at most `bytes_max` bytes.
    ///
    /// # Errors
    /// `too_long` or `bad_field`, both naming `data`.
    pub fn parse(json: &str, bytes_max: usize) -> Result<Self, Reject> {
        let json = json.trim_matches(|c| matches!(c, ' ' | '\t' | '\n' | '\r'));
        if json.len() > bytes_max {
            return Err(Reject::too_long("data", bytes_max as u64, "bytes"));
        }
        // Read whole, and thrown away: what no reader could read, half of a surrogate pair say, is passed on to none.
        if let Err(wrong) = json::compact(json, Self::DEPTH_MAX) {
            return Err(match wrong {
                json::TOO_DEEP => Reject::too_long("data", Self::DEPTH_MAX as u64, "levels of objects and lists"),
                wrong => Reject::bad_field("data", format!("data {wrong}")),
            });
        }
        if !json.starts_with('{') {
            return Err(Reject::bad_field("data", "data is one JSON object"));
        }
        // A string has none: within one they are escaped. Transports that send lines must find none.
        match json.contains(['\n', '\r']) {
            true => Ok(Self(json.replace(['\n', '\r'], " ").into())),
            false => Ok(Self(json.into())),
        }
    }

    /// The object, as JSON on one line.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Data({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::RejectCode;

    fn parse(json: &str) -> Result<String, (RejectCode, Option<u64>)> {
        Data::parse(json, 64).map(|data| data.to_string()).map_err(|reject| {
            assert_eq!(reject.field, Some("data"));
            (reject.code, reject.limit)
        })
    }

    #[test]
    fn an_object_is_kept_as_it_was_written() {
        for json in ["{}", r#"{"b":1.0, "a":1e3,"b":[true,null],"\u00e4":"\n"}"#, r#"{"deep":[[[[[[[]]]]]]]}"#] {
            assert_eq!(parse(json), Ok(json.to_owned()));
        }
        assert_eq!(parse(" {\"a\":\r\n 1}\n"), Ok("{\"a\":   1}".to_owned()), "on one line");
    }

    #[test]
    fn what_is_no_object_or_cannot_be_read_is_refused() {
        for json in ["", "7", "null", "[]", "\"{}\"", "{", "{} {}", r#"{"a":"\ud83d"}"#, r#"{"a":1e999}"#, "{'a':1}"] {
            assert_eq!(parse(json), Err((RejectCode::BadField, None)), "{json}");
        }
    }

    #[test]
    fn a_refusal_says_what_is_wrong() {
        let message = |json: &str| Data::parse(json, 64).expect_err(json).message;
        assert_eq!(message("[]"), "data is one JSON object");
        assert_eq!(message("7"), "data is one JSON object");
        assert_eq!(message(r#"{"a":"\ud83d"}"#), "data holds half of a surrogate pair, which is no character");
        assert_eq!(message(r#"{"a":1e999}"#), "data holds a number that is too large");
    }

    #[test]
    fn it_is_bounded_in_bytes_and_in_depth() {
        let of = |bytes: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(bytes - 8));
        assert_eq!(parse(&of(64)), Ok(of(64)));
        assert_eq!(parse(&of(65)), Err((RejectCode::TooLong, Some(64))));
        assert_eq!(parse(r#"{"deep":[[[[[[[[]]]]]]]]}"#), Err((RejectCode::TooLong, Some(8))));
        let flat = r#"{"a":"[[[[[[[[[[{{{{{","b":"\"[[[[[[[[[[","c":[],"d":{}}"#;
        assert_eq!(parse(flat), Ok(flat.to_owned()), "in a string they count for nothing");
    }
}
