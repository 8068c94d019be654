//! How the host makes a room: whose it is, what is set in it, and what it is about.

use serde::{Deserialize, Serialize};

use super::settings::SettingsChange;
use crate::types::{Identity, RoomSecret, Topic, checked};

/// How the host makes a room, whole; as long as nothing is filled in, an open room that is whoever's comes first. It is kept while nobody is in
/// it. The secret is a word, or what is kept of it.
///
/// ```
/// use chat_core::{Identity, RoomOptions, SettingsChange, Topic};
///
/// let options: RoomOptions = RoomOptions::new()
///     .owner(Identity::new("user:17").expect("an identity"))
///     .settings(SettingsChange::new().listed(true))
///     .topic(Topic::parse("Food").expect("a topic"));
/// # drop(options);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, bound(deserialize = "S: Deserialize<'de>"))]
#[non_exhaustive]
pub struct RoomOptions<S = RoomSecret> {
    /// For whom the owner's seat is held from the beginning: they have it when they come, and nobody else as long as they have not, unless the
    /// host makes another the owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Identity>,
    /// Whether only the host says who is the owner, as after [`RoomHandle::protect`](crate::RoomHandle::protect).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_protected: bool,
    /// What is set in it.
    #[serde(default = "SettingsChange::new")]
    pub settings: SettingsChange<S>,
    /// What it is about; empty for nothing.
    #[serde(default, deserialize_with = "checked")]
    pub topic: Topic,
}

impl<S> Default for RoomOptions<S> {
    fn default() -> Self {
        Self { owner: None, is_protected: false, settings: SettingsChange::new(), topic: Topic::default() }
    }
}

/// Options are made of nothing and filled in by these.
impl<S> RoomOptions<S> {
    /// An open room, which is whoever's comes first.
    pub fn new() -> Self {
        Self::default()
    }

    /// With the owner's seat held for this person.
    #[must_use]
    pub fn owner(self, owner: Identity) -> Self {
        Self { owner: Some(owner), ..self }
    }

    /// With nobody but the host saying who is the owner.
    #[must_use]
    pub fn protected(self) -> Self {
        Self { is_protected: true, ..self }
    }

    /// With this set in it.
    #[must_use]
    pub fn settings(self, settings: SettingsChange<S>) -> Self {
        Self { settings, ..self }
    }

    /// With this as what it is about.
    #[must_use]
    pub fn topic(self, topic: Topic) -> Self {
        Self { topic, ..self }
    }

    /// The same options, with what is kept of the secret in its place.
    pub fn map_secret<T>(self, keep: impl FnOnce(S) -> T) -> RoomOptions<T> {
        let Self { owner, is_protected, settings, topic } = self;
        RoomOptions { owner, is_protected, settings: settings.map_secret(keep), topic }
    }
}
