//! What a person shows beside their name, in frames: the JSON itself, in the words it was written in.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::types::PersonData;

/// A member's data, where they have any.
pub(super) mod shown {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(data: &Option<PersonData>, serializer: S) -> Result<S::Ok, S::Error> {
        data.as_ref().and_then(raw).serialize(serializer)
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
        data.as_ref().and_then(Option::as_ref).and_then(raw).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Option<PersonData>>, D::Error> {
        Ok(Some(told(Value::deserialize(deserializer)?)))
    }
}

/// Nothing, in place of what no reader could read: a frame goes to everybody in a room, and is not to fail for one of them.
fn raw(data: &PersonData) -> Option<&RawValue> {
    serde_json::from_str(data.as_str()).ok()
}

/// Of a later server it may be any JSON.
fn told(value: Value) -> Option<PersonData> {
    (!value.is_null()).then(|| PersonData::as_told(&value.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Line {
        #[serde(with = "shown")]
        data: Option<PersonData>,
        #[serde(with = "changed")]
        change: Option<Option<PersonData>>,
    }

    #[test]
    fn data_that_nobody_could_read_are_none() {
        for (json, expected) in [("{\"b\":1,\"a\":1.50}", "{\"b\":1,\"a\":1.50}"), ("x", "null")] {
            let data = Some(PersonData::as_told(json));
            let line = Line { data: data.clone(), change: Some(data) };
            let written = serde_json::to_string(&line).expect("it is written");
            assert_eq!(written, format!("{{\"data\":{expected},\"change\":{expected}}}"));
        }
    }
}
