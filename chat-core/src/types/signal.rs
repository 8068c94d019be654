//! What a member shows of themselves for a while: the name of a signal, and its data.

use std::fmt;
use std::sync::Arc;

use compact_str::CompactString;
use serde::Serialize;

use super::json;
use super::reject::Reject;

/// What a signal is called: 1 to 32 bytes without control characters. What it means is the application's.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct SignalName(CompactString);

impl SignalName {
    /// The most bytes.
    pub const BYTES_MAX: usize = 32;

    /// Reads a name.
    ///
    /// # Errors
    /// `too_long` or `bad_field`, both naming `name`.
    pub fn parse(text: &str) -> Result<Self, Reject> {
        if text.len() > Self::BYTES_MAX {
            return Err(Reject::too_long("name", Self::BYTES_MAX as u64, "bytes"));
        }
        if text.is_empty() || text.chars().any(char::is_control) {
            return Err(Reject::bad_field("name", "name is 1 to 32 bytes without control characters"));
        }
        Ok(Self(CompactString::new(text)))
    }

    /// The name as given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a signal says: one JSON value but `null`, in at most 256 bytes and no deeper than 8. It is passed on as it is, without
/// the space between its tokens.
///
/// Cheap to clone: all clones share one allocation.
#[derive(Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct SignalData(Arc<str>);

impl SignalData {
    /// The most bytes, without space between tokens.
    pub const BYTES_MAX: usize = 256;
    /// How many lists and objects may lie in each other.
    pub const DEPTH_MAX: usize = 8;

    /// Reads a JSON value.
    ///
    /// # Errors
    /// `too_long` or `bad_field`, both naming `data`.
    pub fn parse(json: &str) -> Result<Self, Reject> {
        let compact = json::compact(json, Self::DEPTH_MAX);
        let compact = compact.map_err(|wrong| match wrong {
            json::TOO_DEEP => Reject::too_long("data", Self::DEPTH_MAX as u64, "levels of objects and lists"),
            wrong => Reject::bad_field("data", format!("data {wrong}")),
        })?;
        if compact.len() > Self::BYTES_MAX {
            return Err(Reject::too_long("data", Self::BYTES_MAX as u64, "bytes"));
        }
        if compact == "null" {
            return Err(Reject::bad_field("data", "data is null, which takes a signal away"));
        }
        Ok(Self(compact.into()))
    }

    /// The value, in JSON.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SignalName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for SignalName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SignalName({:?})", self.as_str())
    }
}

impl fmt::Debug for SignalData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SignalData({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::RejectCode;

    #[test]
    fn a_name_is_short_and_shows_nothing_that_steers() {
        assert_eq!(SignalName::parse("hand").map(|name| name.to_string()), Ok("hand".into()));
        assert!(SignalName::parse(&"ä".repeat(16)).is_ok());
        for text in ["", "a\nb", "\u{85}"] {
            let refused = SignalName::parse(text).map_err(|reject| (reject.code, reject.field));
            assert_eq!(refused, Err((RejectCode::BadField, Some("name"))), "{text:?}");
        }
        assert_eq!(SignalName::parse(&"ä".repeat(17)).map_err(|reject| reject.limit), Err(Some(32)));
    }

    #[test]
    fn data_is_one_short_value_that_is_not_null() {
        let read = |json: &str| SignalData::parse(json).map(|data| data.as_str().to_owned());
        assert_eq!(read(" {\"x\" : 1,\n\"y\": [2]}"), Ok(r#"{"x":1,"y":[2]}"#.into()));
        for json in ["null", " null ", "", "{", "1 2"] {
            let refused = SignalData::parse(json).map_err(|reject| (reject.code, reject.field));
            assert_eq!(refused, Err((RejectCode::BadField, Some("data"))), "{json:?}");
        }
        let refused =
            SignalData::parse("[[[[[[[[[1]]]]]]]]]").map_err(|reject| (reject.code, reject.field, reject.limit));
        assert_eq!(refused, Err((RejectCode::TooLong, Some("data"), Some(8))));
        let long = |chars: usize| format!("\"{}\"", "x".repeat(chars));
        assert!(SignalData::parse(&format!("  {}  ", long(254))).is_ok(), "space is not counted");
        let refused = SignalData::parse(&long(255)).map_err(|reject| (reject.code, reject.field, reject.limit));
        assert_eq!(refused, Err((RejectCode::TooLong, Some("data"), Some(256))));
    }
}
