//! Times on the wire, for serde's `with`.

/// Wall time as RFC 3339 with milliseconds.
pub(super) mod rfc3339 {
    use chrono::DateTime;
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::types::Wall;

    pub(in crate::wire) fn serialize<S: Serializer>(at: &Wall, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(at)
    }

    pub(in crate::wire) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Wall, D::Error> {
        let text = String::deserialize(deserializer)?;
        let time = DateTime::parse_from_rfc3339(&text).map_err(serde::de::Error::custom)?;
        let millis = u64::try_from(time.timestamp_millis()).map_err(serde::de::Error::custom)?;
        Ok(Wall(millis))
    }
}

pub(super) mod rfc3339_option {
    use serde::{Deserializer, Serializer};

    use crate::types::Wall;

    pub(in crate::wire) fn serialize<S: Serializer>(at: &Option<Wall>, serializer: S) -> Result<S::Ok, S::Error> {
        match at {
            Some(at) => serializer.collect_str(at),
            None => serializer.serialize_none(),
        }
    }

    pub(in crate::wire) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Wall>, D::Error> {
        super::rfc3339::deserialize(deserializer).map(Some)
    }
}

/// Such a time as JSON Schema.
#[cfg(feature = "schema")]
pub(super) mod schema {
    use std::borrow::Cow;

    use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

    /// A time as frames have it.
    pub(in crate::wire) struct Time;

    impl JsonSchema for Time {
        fn schema_name() -> Cow<'static, str> {
            "Time".into()
        }

        fn json_schema(_: &mut SchemaGenerator) -> Schema {
            json_schema!({
                "type": "string",
                "format": "date-time",
                "description": "RFC 3339 in UTC with milliseconds: 2026-11-22T18:00:00.123Z.",
                "pattern": r"^\d{4,}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$",
            })
        }
    }
}

#[cfg(feature = "schema")]
pub(super) use schema::Time;
