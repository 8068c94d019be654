//! What a person shows beside their name: JSON that only the application understands.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize};

use super::checked::Checked;
use super::json;

/// What a person shows beside their name: a JSON object of at most 256 bytes, eight deep, which nobody here reads.
///
/// It is kept and passed on as it was written, without the spaces between its parts: names in their order, numbers and escapes as they
/// are. Stored as a text, so that every format of records holds it as it is. Whatever else is read into it, claims of a credential say, is
/// such a text too, and is checked as by `parse`.
#[derive(Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct PersonData(Arc<str>);

impl PersonData {
    /// The most bytes. The address of a picture and an id: what is larger belongs behind an address, for every list of members shows it.
    pub const BYTES_MAX: usize = 256;
    /// How deep objects and lists may lie in each other, itself included: what a reader of any language takes.
    pub const DEPTH_MAX: usize = 8;

    /// The JSON text of the object.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PersonData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PersonData({})", self.0)
    }
}

/// How records and snapshots say it: by a later rule it may be any JSON, and what is none, which nobody could be shown, is `null`.
struct Stored(PersonData);

/// As deep as a reader of frames goes.
const STORED_DEPTH_MAX: usize = 127;

impl<'de> Deserialize<'de> for Stored {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Arc::<str>::deserialize(deserializer)?;
        let is_json = json::compact(&text, STORED_DEPTH_MAX).is_ok();
        Ok(Self(PersonData(if is_json { text } else { "null".into() })))
    }
}

#[cfg(any(feature = "wire", test))]
impl Checked for PersonData {
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::deserialize(deserializer)
    }
}

/// Without the wire format nothing here parses them. What it would refuse beside this is a name that is there twice.
#[cfg(not(any(feature = "wire", test)))]
impl Checked for PersonData {
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Arc::<str>::deserialize(deserializer)?;
        let is_bounded = text.len() <= Self::BYTES_MAX && text.starts_with('{');
        let is_compact = is_bounded && json::compact(&text, Self::DEPTH_MAX).is_ok_and(|compact| compact == *text);
        let wrong = "data is a JSON object of at most 256 bytes, without spaces between its parts";
        is_compact.then_some(Self(text)).ok_or_else(|| serde::de::Error::custom(wrong))
    }
}

/// A member's data in a record or snapshot, where they have any.
pub(crate) fn stored<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<PersonData>, D::Error> {
    let stored = Option::<Stored>::deserialize(deserializer)?;
    Ok(stored.map(|Stored(data)| data))
}

/// A change of them in a record: nothing in it for nothing from now on.
pub(crate) fn stored_change<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<PersonData>>, D::Error> {
    stored(deserializer).map(Some)
}

#[cfg(any(feature = "wire", test))]
mod parse {
    use std::borrow::Cow;
    use std::collections::BTreeSet;
    use std::fmt;

    use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
    use serde::{Deserialize, Deserializer};

    use super::{PersonData, json};
    use crate::types::Reject;

    const NO_OBJECT: &str = "data is a JSON object";
    const TWICE: &str = "data has a name twice in one object";

    impl PersonData {
        /// Reads the text of a JSON object.
        ///
        /// # Errors
        /// `too_long` or `bad_field`, both naming `data`. It is `bad_field` where a name is there twice, a number is larger than a
        /// reader holds, or an escape is half a character: receivers would not read the same.
        pub fn parse(json: &str) -> Result<Self, Reject> {
            let mut reader = serde_json::Deserializer::from_str(json);
            let read = reader.deserialize_map(Part { depth: Self::DEPTH_MAX }).and_then(|()| reader.end());
            if let Err(error) = read {
                return Err(refusal(json, &error));
            }
            let compact = without_spaces(json);
            match compact.len() > Self::BYTES_MAX {
                true => Err(Reject::too_long("data", Self::BYTES_MAX as u64, "bytes")),
                false => Ok(Self(compact.into())),
            }
        }

        /// As a server has sent it; nothing is checked.
        #[cfg(feature = "wire")]
        pub(crate) fn as_told(json: &str) -> Self {
            Self(json.into())
        }
    }

    impl<'de> Deserialize<'de> for PersonData {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let text = Cow::<str>::deserialize(deserializer)?;
            Self::parse(&text).map_err(|reject| D::Error::custom(reject.message))
        }
    }

    fn refusal(text: &str, error: &serde_json::Error) -> Reject {
        match json::compact(text, PersonData::DEPTH_MAX) {
            Err(json::TOO_DEEP) => {
                Reject::too_long("data", PersonData::DEPTH_MAX as u64, "levels of objects and lists")
            }
            // It is an object, with something in it that not every reader can read.
            Err(wrong) if text.trim_start().starts_with('{') => Reject::bad_field("data", format!("data {wrong}")),
            Ok(_) if error.to_string().starts_with(TWICE) => Reject::bad_field("data", TWICE),
            _ => Reject::bad_field("data", NO_OBJECT),
        }
    }

    /// Of valid JSON, what stands between its parts.
    fn without_spaces(json: &str) -> String {
        let (mut is_text, mut is_escaped) = (false, false);
        let kept = json.chars().filter(|&c| {
            let was_escaped = std::mem::take(&mut is_escaped);
            match c {
                '"' if !was_escaped => is_text = !is_text,
                '\\' if is_text => is_escaped = !was_escaped,
                _ => {}
            }
            is_text || !matches!(c, ' ' | '\n' | '\r' | '\t')
        });
        kept.collect()
    }

    /// Any value, in which objects and lists may lie this deep.
    #[derive(Clone, Copy)]
    struct Part {
        depth: usize,
    }

    impl Part {
        fn inside<E: Error>(self) -> Result<Self, E> {
            let depth = self.depth.checked_sub(1).ok_or_else(|| E::custom("too deep"))?;
            Ok(Self { depth })
        }
    }

    impl<'de> DeserializeSeed<'de> for Part {
        type Value = ();

        fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
            deserializer.deserialize_any(self)
        }
    }

    impl<'de> Visitor<'de> for Part {
        type Value = ();

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("JSON")
        }

        fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
            Ok(())
        }

        fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
            Ok(())
        }

        fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
            Ok(())
        }

        fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
            Ok(())
        }

        fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
            Ok(())
        }

        fn visit_unit<E: Error>(self) -> Result<(), E> {
            Ok(())
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<(), A::Error> {
            let inside = self.inside()?;
            while parts.next_element_seed(inside)?.is_some() {}
            Ok(())
        }

        fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
            let inside = self.inside()?;
            let mut names = BTreeSet::new();
            while let Some(name) = fields.next_key::<String>()? {
                if !names.insert(name) {
                    return Err(A::Error::custom(TWICE));
                }
                fields.next_value_seed(inside)?;
            }
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::RejectCode;

    fn kept(json: &str) -> String {
        PersonData::parse(json).unwrap_or_else(|reject| panic!("{json}: {reject}")).as_str().to_owned()
    }

    fn refused(json: &str) -> (RejectCode, Option<&'static str>, Option<u64>) {
        let reject = PersonData::parse(json).expect_err(json);
        (reject.code, reject.field, reject.limit)
    }

    #[test]
    fn an_object_is_kept_as_it_was_written_without_the_spaces_between_its_parts() {
        for (json, compact) in [
            ("{}", "{}"),
            (r#"{"z":1,"a":1.50e3}"#, r#"{"z":1,"a":1.50e3}"#),
            (" {\n \"a\" : [ 1 ,\t2 ]\r\n}", r#"{"a":[1,2]}"#),
            (r#"{"a b":" c \" d \\"}"#, r#"{"a b":" c \" d \\"}"#),
            (r#"{"a":"\\\" {"}"#, r#"{"a":"\\\" {"}"#),
            (r#"{"a":"\u00e4ä\ud83d\ude42"}"#, r#"{"a":"\u00e4ä\ud83d\ude42"}"#),
            (r#"{"":null,"t":true,"n":-0}"#, r#"{"":null,"t":true,"n":-0}"#),
            (r#"{"a":{"x":1},"b":{"x":1}}"#, r#"{"a":{"x":1},"b":{"x":1}}"#),
        ] {
            assert_eq!(kept(json), compact);
            assert_eq!(kept(compact), compact);
        }
    }

    #[test]
    fn what_is_no_object_or_not_read_alike_by_all_is_refused() {
        for json in [
            "",
            "null",
            "[]",
            "\"a\"",
            "7",
            "{} {}",
            "{",
            r#"{"a":}"#,
            r#"{"a":1e999}"#,
            r#"{"a":"\ud83d"}"#,
            r#"{"a":1,"a":2}"#,
            r#"{"a":[{"b":1,"\u0062":2}]}"#,
            "{\"a\":\"\n\"}",
        ] {
            assert_eq!(refused(json), (RejectCode::BadField, Some("data"), None), "{json}");
        }
    }

    #[test]
    fn a_refusal_says_what_is_wrong() {
        let message = |json: &str| PersonData::parse(json).expect_err(json).message;
        assert_eq!(message("[]"), "data is a JSON object");
        assert_eq!(message(r#"{"a":1e999}"#), "data holds a number that is too large");
        assert_eq!(message(r#"{"a":"\udc00"}"#), "data holds half of a surrogate pair, which is no character");
        assert_eq!(message(r#"{"a":1,"a":2}"#), "data has a name twice in one object");
    }

    #[test]
    fn its_bytes_and_its_depth_are_bounded() {
        let long = |bytes: usize| format!(r#"{{"a":"{}"}}"#, "x".repeat(bytes - 8));
        assert_eq!(kept(&long(256)).len(), 256);
        assert_eq!(refused(&long(257)), (RejectCode::TooLong, Some("data"), Some(256)));
        assert_eq!(refused(&format!(r#"{{"a":"{}"}}"#, "ä".repeat(125))).0, RejectCode::TooLong, "bytes are counted");
        assert_eq!(kept(&format!("{}{}", " ".repeat(900), long(256))).len(), 256, "but not spaces");
        let deep = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1));
        assert_eq!(kept(&deep(8)), deep(8));
        assert_eq!(refused(&deep(9)), (RejectCode::TooLong, Some("data"), Some(8)));
        assert_eq!(refused(&deep(60_000)).0, RejectCode::TooLong, "nothing is read by recursion without end");
    }

    /// As a record holds it.
    #[derive(Debug, PartialEq, Deserialize)]
    struct Kept {
        #[serde(default, deserialize_with = "stored")]
        data: Option<PersonData>,
        #[serde(default, deserialize_with = "stored_change")]
        change: Option<Option<PersonData>>,
    }

    #[test]
    fn it_is_stored_as_a_text_and_read_back_whatever_it_is() {
        let data = PersonData::parse(r#"{"a":"\n"}"#).expect("valid");
        let stored = serde_json::to_string(&data).expect("it can be stored");
        assert_eq!(stored, r#""{\"a\":\"\\n\"}""#);
        let read = |text: &str| {
            let json = format!(r#"{{"data":{text},"change":{text}}}"#);
            let Kept { data, change } = serde_json::from_str(&json).expect("it is read");
            assert_eq!(change, Some(data.clone()));
            data.map(|data| data.as_str().to_owned())
        };
        assert_eq!(read(&stored).as_deref(), Some(data.as_str()));
        assert_eq!(read("null"), None);
        assert_eq!(read(r#""[\"of a later rule\"]""#).as_deref(), Some(r#"["of a later rule"]"#));
        assert_eq!(read("\"no JSON\"").as_deref(), Some("null"), "nobody could be shown it");
        assert_eq!(serde_json::from_str::<Kept>("{}").expect("it is read"), Kept { data: None, change: None });
        assert_eq!(size_of::<Option<PersonData>>(), 16);
    }

    #[test]
    fn what_others_read_into_it_is_checked() {
        let read = |text: &str| serde_json::from_str::<PersonData>(&serde_json::to_string(text).expect("a text"));
        assert_eq!(read(r#"{ "a": 1 }"#).expect("an object").as_str(), r#"{"a":1}"#);
        for text in ["x", "", "[]", "null", r#"{"a":1,"a":2}"#] {
            assert!(read(text).is_err(), "{text}");
        }
        assert!(read(&format!(r#"{{"a":"{}"}}"#, "x".repeat(300))).is_err());
    }
}
