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
