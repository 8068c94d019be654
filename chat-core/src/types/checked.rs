//! Values from another server, read as those of a client are: held to today's rules, whatever that server held them to.
//!
//! Not for what is stored: a record is read as it was written, by whatever rules.

use compact_str::CompactString;
use serde::de::Error;
use serde::{Deserialize, Deserializer};

use super::data::Data;
use super::nick::Nick;
use super::reaction::ReactionName;
use super::reject::Reject;
use super::signal::{SignalData, SignalName};
use super::text::{Body, Key, RoomCode, Topic};

/// A value with rules of its own. Where records hold it too, its `Deserialize` takes it as it was stored.
pub(crate) trait Checked: Sized {
    /// Reads one that `parse` would take.
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error>;
}

/// A value that its type's `parse` would take, or none where there may be none: for `deserialize_with`.
pub(crate) fn checked<'de, D: Deserializer<'de>, T: Checked>(deserializer: D) -> Result<T, D::Error> {
    T::read(deserializer)
}

/// A change to such a value: nothing in it for none from now on.
pub(crate) fn checked_change<'de, D: Deserializer<'de>, T: Checked>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    checked(deserializer).map(Some)
}

/// A change to a value without rules of its own.
pub(crate) fn change<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// One among several, or where there may be none.
struct One<T>(T);

impl<'de, T: Checked> Deserialize<'de> for One<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::read(deserializer).map(Self)
    }
}

impl<T: Checked> Checked for Option<T> {
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(deserializer)?.map(|One(value)| value))
    }
}

#[cfg(any(feature = "engine", test))]
impl<T: Checked> Checked for Vec<T> {
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Vec::deserialize(deserializer)?.into_iter().map(|One(value)| value).collect())
    }
}

/// What `parse` says of a text from another server. A refusal's words repeat nothing of it but a character.
fn parsed<T, E: Error>(parsed: Result<T, Reject>) -> Result<T, E> {
    parsed.map_err(|reject| E::custom(reject.message))
}

macro_rules! checked_text {
    ($($name:ident: $parse:expr),* $(,)?) => {$(
        impl Checked for $name {
            fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                parsed($parse(&CompactString::deserialize(deserializer)?))
            }
        }
    )*};
}

checked_text! {
    Nick: Nick::parse,
    Key: Key::parse,
    RoomCode: RoomCode::parse,
    Topic: Topic::parse,
    ReactionName: ReactionName::parse,
    SignalName: SignalName::parse,
    SignalData: SignalData::parse,
    // How long they may be is a bound of the room, which looks for itself.
    Body: |text: &str| Body::parse(text, usize::MAX),
    Data: |json: &str| Data::parse(json, usize::MAX),
}

/// A count, as 32 bits: more than any room has of anything, and nothing that a sum with it could not hold.
pub(crate) mod count {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(count: &usize, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(u32::try_from(*count).unwrap_or(u32::MAX))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
        u32::deserialize(deserializer).map(|count| count as usize)
    }
}

#[cfg(test)]
mod tests {
    use std::fmt;

    use serde::Serialize;

    use super::*;
    use crate::types::PersonData;

    /// As an input holds values.
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(bound(serialize = "T: Serialize", deserialize = "T: Checked"))]
    struct Holds<T> {
        #[serde(default, deserialize_with = "checked", skip_serializing_if = "Option::is_none")]
        value: Option<T>,
        #[serde(default, deserialize_with = "checked_change", skip_serializing_if = "Option::is_none")]
        change: Option<Option<T>>,
    }

    fn is_held_to_its_rules<T: Checked + Serialize + fmt::Debug + PartialEq>(good: &str, wrong: &[&str]) {
        let json = |text: &str| serde_json::to_string(text).expect("a text");
        for holds in [
            format!(r#"{{"value":{},"change":null}}"#, json(good)),
            format!(r#"{{"value":{0},"change":{0}}}"#, json(good)),
            "{}".to_owned(),
        ] {
            let read: Holds<T> = serde_json::from_str(&holds).unwrap_or_else(|error| panic!("{holds}: {error}"));
            assert_eq!(serde_json::to_string(&read).expect("it can be written"), holds);
        }
        for text in wrong.iter().copied().map(json).chain(["7".into(), "{}".into()]) {
            for holds in [format!(r#"{{"value":{text}}}"#), format!(r#"{{"change":{text}}}"#)] {
                assert!(serde_json::from_str::<Holds<T>>(&holds).is_err(), "{holds}");
            }
        }
    }

    #[test]
    fn what_a_client_may_not_say_no_server_says_for_it() {
        let long = "x".repeat(300);
        is_held_to_its_rules::<Nick>("Ann", &["", " ", "a\u{202E}b", &long[..33]]);
        is_held_to_its_rules::<Key>("k-1", &["", "two words", "\n", &long[..65]]);
        is_held_to_its_rules::<RoomCode>("LUNCH", &["", "AB", "A B C", &long[..33]]);
        is_held_to_its_rules::<Topic>("Lunch", &["a\nb", "\u{2028}", &long[..201]]);
        is_held_to_its_rules::<ReactionName>("+1", &["", "\u{200B}", "a\nb", &long[..33]]);
        is_held_to_its_rules::<SignalName>("hand", &["", "a\nb", &long[..33]]);
        is_held_to_its_rules::<SignalData>("[1]", &["", "null", "{", &format!("\"{long}\"")]);
        is_held_to_its_rules::<PersonData>("{\"a\":1}", &["", "[]", "{", &format!("{{\"a\":\"{long}\"}}")]);
        is_held_to_its_rules::<Body>("a\n\tb", &["", "\u{1B}[2J", "a\u{0}b"]);
        is_held_to_its_rules::<Data>("{\"a\": 1}", &["", "[]", "{", "{\"a\":[[[[[[[[]]]]]]]]}"]);
    }

    #[test]
    fn a_refusal_repeats_nothing_that_was_said() {
        let said = r#"{"value":"swordfish\u0000"}"#;
        let refused = serde_json::from_str::<Holds<Body>>(said).expect_err("no text").to_string();
        assert!(refused.contains("U+0000") && !refused.contains("swordfish"), "{refused}");
    }

    #[test]
    fn a_count_has_32_bits() {
        #[derive(Debug, PartialEq, Serialize, Deserialize)]
        struct Counts(#[serde(with = "count")] usize);

        assert_eq!(serde_json::from_str::<Counts>("4294967295").expect("32 bits"), Counts(u32::MAX as usize));
        assert!(serde_json::from_str::<Counts>("4294967296").is_err());
        assert_eq!(serde_json::to_string(&Counts(usize::MAX)).expect("it can be written"), "4294967295");
    }
}
