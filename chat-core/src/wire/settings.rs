//! What is set for a room, in the words of frames: as far as it is set, and of a secret only that there is one.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::json::is_default;
use crate::domain::Settings;
use crate::types::NewcomersSee;

/// What is set for a room, as its members are told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[allow(missing_docs)] // the protocol page documents every field once, for all languages
#[non_exhaustive]
pub struct RoomSettings {
    #[serde(skip_serializing_if = "is_default", default)]
    pub slow_ms: u32,
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub locked: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub read_only: bool,
    /// Whether newcomers are asked for one.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub secret: bool,
    #[serde(skip_serializing_if = "Option::is_none", default, deserialize_with = "known")]
    pub history: Option<NewcomersSee>,
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub listed: bool,
}

impl RoomSettings {
    /// Whether nobody has set anything.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl From<&Settings> for RoomSettings {
    fn from(settings: &Settings) -> Self {
        let Settings { slow_ms, locked, read_only, secret, history, listed } = *settings;
        Self { slow_ms, locked, read_only, secret: secret.is_some(), history, listed }
    }
}

/// What this program does not know is read as not said.
fn known<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<NewcomersSee>, D::Error> {
    let said = Value::deserialize(deserializer)?;
    Ok(NewcomersSee::deserialize(said).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::SettingsChange;
    use crate::types::SecretHash;

    #[test]
    fn of_a_secret_only_that_there_is_one_is_told() {
        let hash = SecretHash::from_bits(0xF00D << 64 | 0xBEEF);
        let change = SettingsChange::new().slow_ms(9).secret(Some(hash)).history(NewcomersSee::Last(2));
        let told = RoomSettings::from(&Settings::default().with(&change));
        let json = serde_json::to_string(&told).expect("written");
        assert_eq!(json, r#"{"slow_ms":9,"secret":true,"history":2}"#);
        assert_eq!(serde_json::from_str::<RoomSettings>(&json).expect("read"), told);
        assert_eq!(serde_json::to_string(&RoomSettings::default()).expect("written"), "{}");
    }

    #[test]
    fn what_a_later_version_says_is_passed_over() {
        let read: RoomSettings = serde_json::from_str(r#"{"history":"week","pinned":3,"locked":true}"#).expect("read");
        assert_eq!((read.history, read.locked), (None, true));
    }
}
