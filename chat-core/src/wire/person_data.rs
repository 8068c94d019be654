//! What a person shows beside their name, in frames: the JSON itself, in the words it was written in.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::types::PersonData;

/// A member's data, where they have any.
pub(super) mod shown {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(data: &Option<PersonData>, serializer: S) -> Result<S::Ok, S::Error> {
        data.as_ref().map(raw).transpose()?.serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<PersonData>, D::Error> {
        Ok(told(Value::deserialize(deserializer)?))
    }
}

/// A change of data: nothing in it where a member has none from now on.
pub(super) mod changed {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(
        data: &Option<Option<PersonData>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        data.as_ref().and_then(Option::as_ref).map(raw).transpose()?.serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Option<PersonData>>, D::Error> {
        Ok(Some(told(Value::deserialize(deserializer)?)))
    }
}

fn raw<E: serde::ser::Error>(data: &PersonData) -> Result<&RawValue, E> {
    serde_json::from_str(data.as_str()).map_err(|_| E::custom("data is a JSON object"))
}

/// Of a later server it may be any JSON.
fn told(value: Value) -> Option<PersonData> {
    (!value.is_null()).then(|| PersonData::as_told(&value.to_string()))
}
