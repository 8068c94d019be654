//! What those who moderate have set for a room, whole, and what they ask to be changed in it.

use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::types::{NewcomersSee, RoomSecret, SecretHash, change};

/// The settings of a room, whole. As long as nobody has set anything it is the default: everybody comes in and speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Settings {
    /// Slow mode: how many milliseconds a member waits between two messages; 0 for none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub slow_ms: u32,
    /// Whether nobody new gets in. Who has a membership, or whose place is remembered, comes back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub locked: bool,
    /// Whether only those who moderate speak.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub read_only: bool,
    /// What newcomers have to know; nothing for `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<SecretHash>,
    /// What newcomers see of what was said before they came; what [`newcomers_see`](crate::RoomLimits::newcomers_see) says for `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<NewcomersSee>,
    /// Whether the room may be shown to people who are not in it. A fact for the program that the room is embedded in, which lists rooms.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub listed: bool,
}

impl Settings {
    /// Whether nobody has set anything.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// How long slow mode holds after a message; zero for none.
    pub fn slow_wait(&self) -> Duration {
        Duration::from_millis(self.slow_ms.into())
    }

    /// With what is named changed.
    #[must_use]
    pub fn with(self, change: &SettingsChange<SecretHash>) -> Self {
        Self {
            slow_ms: change.slow_ms.unwrap_or(self.slow_ms),
            locked: change.locked.unwrap_or(self.locked),
            read_only: change.read_only.unwrap_or(self.read_only),
            secret: change.secret.unwrap_or(self.secret),
            history: change.history.or(self.history),
            listed: change.listed.unwrap_or(self.listed),
        }
    }
}

/// What is to be changed in the settings of a room; `None` for what stays as it is. The secret is a word, or what is kept of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, bound(deserialize = "S: Deserialize<'de>"))]
#[non_exhaustive]
pub struct SettingsChange<S = RoomSecret> {
    /// See [`Settings::slow_ms`]; at most [`slow_max`](crate::RoomLimits::slow_max).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slow_ms: Option<u32>,
    /// See [`Settings::locked`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locked: Option<bool>,
    /// See [`Settings::read_only`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_only: Option<bool>,
    /// Another secret, or none from now on.
    #[serde(default, deserialize_with = "change", skip_serializing_if = "Option::is_none")]
    pub secret: Option<Option<S>>,
    /// See [`Settings::history`]. It holds for those who come from now on; the owner and the host alone change it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<NewcomersSee>,
    /// See [`Settings::listed`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listed: Option<bool>,
}

impl<S> Default for SettingsChange<S> {
    fn default() -> Self {
        Self { slow_ms: None, locked: None, read_only: None, secret: None, history: None, listed: None }
    }
}

/// A change is made of nothing and filled in by these.
impl<S> SettingsChange<S> {
    /// Nothing is changed.
    pub fn new() -> Self {
        Self::default()
    }

    /// With slow mode of so many milliseconds; 0 for none.
    #[must_use]
    pub fn slow_ms(self, wait: u32) -> Self {
        Self { slow_ms: Some(wait), ..self }
    }

    /// With the room locked, or open again.
    #[must_use]
    pub fn locked(self, is_locked: bool) -> Self {
        Self { locked: Some(is_locked), ..self }
    }

    /// With only those who moderate speaking, or everybody again.
    #[must_use]
    pub fn read_only(self, is_read_only: bool) -> Self {
        Self { read_only: Some(is_read_only), ..self }
    }

    /// With this secret, or with none.
    #[must_use]
    pub fn secret(self, secret: Option<S>) -> Self {
        Self { secret: Some(secret), ..self }
    }

    /// With this to be seen by newcomers.
    #[must_use]
    pub fn history(self, history: NewcomersSee) -> Self {
        Self { history: Some(history), ..self }
    }

    /// With the room listed, or not any more.
    #[must_use]
    pub fn listed(self, is_listed: bool) -> Self {
        Self { listed: Some(is_listed), ..self }
    }

    /// The same change, with what is kept of the secret in its place.
    pub fn map_secret<T>(self, keep: impl FnOnce(S) -> T) -> SettingsChange<T> {
        let Self { slow_ms, locked, read_only, secret, history, listed } = self;
        let secret = secret.map(|secret| secret.map(keep));
        SettingsChange { slow_ms, locked, read_only, secret, history, listed }
    }
}

fn is_zero(wait: &u32) -> bool {
    *wait == 0
}

impl Serialize for NewcomersSee {
    /// `"all"`, `"none"`, or how many.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::All => serializer.serialize_str("all"),
            Self::Nothing => serializer.serialize_str("none"),
            Self::Last(count) => serializer.serialize_u32(*count),
        }
    }
}

impl<'de> Deserialize<'de> for NewcomersSee {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Last(u32),
            Named(String),
        }
        match Written::deserialize(deserializer)? {
            Written::Last(count) => Ok(Self::Last(count)),
            Written::Named(name) if name == "all" => Ok(Self::All),
            Written::Named(name) if name == "none" => Ok(Self::Nothing),
            Written::Named(name) => Err(D::Error::unknown_variant(&name, &["all", "none", "a number"])),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_named_stays_as_it_is() {
        let hash = SecretHash::from_bits(7);
        let first = SettingsChange::new().slow_ms(500).locked(true).secret(Some(hash)).history(NewcomersSee::Last(3));
        let set = Settings::default().with(&first);
        assert_eq!(set.with(&SettingsChange::new()), set);
        let second = SettingsChange::new().locked(false).read_only(true).secret(None).listed(true);
        let now = set.with(&second);
        let expected = Settings { locked: false, read_only: true, secret: None, listed: true, ..set };
        assert_eq!(now, expected);
        assert!(!now.is_default() && Settings::default().is_default());
    }

    #[test]
    fn settings_are_stored_as_far_as_they_are_set_and_read_back() {
        let stored = |settings: &Settings| serde_json::to_string(settings).expect("they can be stored");
        assert_eq!(stored(&Settings::default()), "{}");
        let change = SettingsChange::new().slow_ms(1).locked(true).read_only(true).listed(true);
        let all =
            Settings::default().with(&change.secret(Some(SecretHash::from_bits(7))).history(NewcomersSee::Nothing));
        let written = r#"{"slow_ms":1,"locked":true,"read_only":true,"secret":[0,7],"history":"none","listed":true}"#;
        assert_eq!(stored(&all), written);
        assert_eq!(serde_json::from_str::<Settings>(written).expect("they are read"), all);
        for (json, sees) in [
            ("\"all\"", Some(NewcomersSee::All)),
            ("4", Some(NewcomersSee::Last(4))),
            ("\"some\"", None),
            ("-1", None),
            ("4294967296", None),
        ] {
            assert_eq!(serde_json::from_str::<NewcomersSee>(json).ok(), sees, "{json}");
        }
    }

    #[test]
    fn a_change_that_is_logged_shows_no_secret() {
        let change = SettingsChange::new().secret(RoomSecret::parse("swordfish").ok());
        assert!(!format!("{change:?}").contains("swordfish"));
        assert!(!format!("{:?}", change.map_secret(|_| SecretHash::from_bits(48_879))).contains("48879"));
    }
}
