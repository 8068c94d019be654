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

impl<T: Checked> Checked for Option<T> {
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct One<T>(T);

        impl<'de, T: Checked> Deserialize<'de> for One<T> {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                T::read(deserializer).map(Self)
            }
        }

        Ok(Option::deserialize(deserializer)?.map(|One(value)| value))
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
