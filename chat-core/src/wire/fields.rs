//! The fields of a client frame: each is read by itself, as the type that it is to be, or refused by its name.

use std::borrow::Cow;

use serde::de::{DeserializeOwned, Error as _, Visitor};
use serde::{Deserialize, Deserializer, forward_to_deserialize_any};
use serde_json::value::RawValue;

use crate::domain::Role;
use crate::types::{
    AccessToken, Body, Credential, Data, Key, MemberId, Nick, Params, PersonData, Reject, RoomCode, RoomLimits,
    RoomSecret, Seq, SignalData,
};

/// Every field of every client frame, unread.
#[derive(Deserialize)]
#[serde(expecting = "one JSON object")]
pub(super) struct Fields<'a> {
    #[serde(borrow, default)]
    pub(super) r#type: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) room: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) nick: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "even_null")]
    pub(super) text: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) key: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "even_null")]
    pub(super) data: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) reply_to: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) history: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) before: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) after: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) around: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) catch_up: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) limit: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) on: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) target: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) through: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) name: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) member: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) minutes: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) network: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) sweep: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) ban: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) from: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) topic: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) slow_ms: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) locked: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) read_only: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "even_null")]
    pub(super) secret: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) listed: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) role: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) token: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) all: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) resume: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) positions: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) params: Option<&'a RawValue>,
}

impl Fields<'_> {
    /// The names of all fields, as the derived code asks for them.
    pub(super) fn names() -> &'static [&'static str] {
        let mut names: &'static [&'static str] = &[];
        Fields::deserialize(Asked(&mut names)).err();
        names
    }

    pub(super) fn room(&self) -> Result<RoomCode, Reject> {
        RoomCode::parse(&string("room", self.room)?)
    }

    pub(super) fn chosen_room(&self) -> Result<Option<RoomCode>, Reject> {
        optional_string("room", self.room)?.map(|text| RoomCode::parse(&text)).transpose()
    }

    pub(super) fn nick(&self) -> Result<Nick, Reject> {
        Nick::parse(&string("nick", self.nick)?)
    }

    pub(super) fn member(&self) -> Result<MemberId, Reject> {
        required("member", self.member, "member is a member's number").map(MemberId)
    }

    /// The message that it is about.
    pub(super) fn target(&self) -> Result<Seq, Reject> {
        required("target", self.target, "target is a seq").map(Seq)
    }

    pub(super) fn key(&self) -> Result<Option<Key>, Reject> {
        optional_string("key", self.key)?.map(|text| Key::parse(&text)).transpose()
    }

    pub(super) fn role(&self) -> Result<Role, Reject> {
        required("role", self.role, "role is owner, moderator or member")
    }

    pub(super) fn secret(&self) -> Result<Option<RoomSecret>, Reject> {
        optional_string("secret", self.secret)?.map(|text| RoomSecret::parse(&text)).transpose()
    }

    pub(super) fn token(&self) -> Result<Option<Credential>, Reject> {
        let Some(token) = optional_string("token", self.token)? else { return Ok(None) };
        token.parse().map(Some).map_err(|shape| Reject::bad_field("token", shape))
    }

    /// What is shown to the policy.
    pub(super) fn access_token(&self) -> Result<Option<AccessToken>, Reject> {
        optional_string("token", self.token)?.map(|text| AccessToken::parse(&text)).transpose()
    }

    /// The text of a message: where there is data there may be none.
    pub(super) fn text(&self, has_data: bool, room: &RoomLimits) -> Result<Body, Reject> {
        match optional_string("text", self.text)? {
            Some(text) if has_data && text.is_empty() => Ok(Body::empty()),
            None if has_data => Ok(Body::empty()),
            _ => Body::parse(&string("text", self.text)?, room.message_chars_max),
        }
    }

    /// The data of a message: `null` is none.
    pub(super) fn data(&self, room: &RoomLimits) -> Result<Option<Data>, Reject> {
        let raw = self.data.filter(|raw| raw.get() != "null");
        raw.map(|raw| Data::parse(raw.get(), room.data_bytes_max)).transpose()
    }

    /// What is for the policy alone: `null` is none.
    pub(super) fn params(&self, room: &RoomLimits) -> Result<Option<Params>, Reject> {
        self.params.map(|raw| Params::parse(raw.get(), room.params_bytes_max)).transpose()
    }

    /// What one shows beside one's name: `null` takes it away.
    pub(super) fn person_data(&self) -> Result<Option<Option<PersonData>>, Reject> {
        let read = |raw: &RawValue| match raw.get() {
            "null" => Ok(None),
            json => PersonData::parse(json).map(Some),
        };
        self.data.map(read).transpose()
    }

    /// `null` takes a signal away, and has to be said.
    pub(super) fn signal_data(&self) -> Result<Option<SignalData>, Reject> {
        let json = self.data.ok_or_else(|| missing("data"))?.get();
        if json.trim_ascii() == "null" { Ok(None) } else { SignalData::parse(json).map(Some) }
    }

    /// What is or is not, and is not where nothing is said.
    pub(super) fn flag(
        &self,
        field: &'static str,
        raw: Option<&RawValue>,
        shape: &'static str,
    ) -> Result<bool, Reject> {
        Ok(optional(field, raw, shape)?.unwrap_or_default())
    }

    pub(super) fn count(&self, field: &'static str, raw: Option<&RawValue>) -> Result<Option<u32>, Reject> {
        let Some(raw) = raw else { return Ok(None) };
        serde_json::from_str(raw.get())
            .map_err(|_| Reject::bad_field(field, format!("{field} is a whole number from 0 to {}", u32::MAX)))
    }
}

/// A field that must be there. `null` counts as absent, here and below.
pub(super) fn required<T: DeserializeOwned>(
    field: &'static str,
    raw: Option<&RawValue>,
    shape: &'static str,
) -> Result<T, Reject> {
    optional(field, raw, shape)?.ok_or_else(|| missing(field))
}

pub(super) fn optional<T: DeserializeOwned>(
    field: &'static str,
    raw: Option<&RawValue>,
    shape: &'static str,
) -> Result<Option<T>, Reject> {
    match raw {
        None => Ok(None),
        Some(raw) => serde_json::from_str(raw.get()).map_err(|_| Reject::bad_field(field, shape)),
    }
}

pub(super) fn missing(field: &'static str) -> Reject {
    Reject::bad_field(field, format!("{field} is missing"))
}

/// Borrows from the frame where nothing in the string is escaped.
#[derive(Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(transparent)]
pub(super) struct Text<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

pub(super) fn string<'a>(field: &'static str, raw: Option<&'a RawValue>) -> Result<Cow<'a, str>, Reject> {
    optional_string(field, raw)?.ok_or_else(|| missing(field))
}

/// A string or `null`, which has to be said.
pub(super) fn even_null_string<'a>(
    field: &'static str,
    raw: Option<&'a RawValue>,
) -> Result<Option<Cow<'a, str>>, Reject> {
    let raw = raw.ok_or_else(|| missing(field))?;
    optional_string(field, Some(raw))
}

pub(super) fn optional_string<'a>(
    field: &'static str,
    raw: Option<&'a RawValue>,
) -> Result<Option<Cow<'a, str>>, Reject> {
    match raw {
        None => Ok(None),
        Some(raw) => serde_json::from_str::<Option<Text<'a>>>(raw.get())
            .map(|text| text.map(|text| text.0))
            .map_err(|error| Reject::bad_field(field, no_string(field, &error))),
    }
}

/// Why a value is no string. That it is JSON is known: as such it can be one and no text, where half of a character is escaped.
fn no_string(field: &str, error: &serde_json::Error) -> String {
    match error.is_syntax() {
        true => format!("{field} holds half of a surrogate pair, which is no character"),
        false => format!("{field} is a string"),
    }
}

/// A field where `null` says something else than nothing at all.
fn even_null<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'a RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// Notes which fields a struct asks for, and has none of them.
struct Asked<'n>(&'n mut &'static [&'static str]);

impl<'de> Deserializer<'de> for Asked<'_> {
    type Error = serde::de::value::Error;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        *self.0 = fields;
        self.deserialize_any(visitor)
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
        Err(Self::Error::custom("there are no fields"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}
