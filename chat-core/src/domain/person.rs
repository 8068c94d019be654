//! What people are shown as: what is asked to be changed in it, and what the embedder says of it.

use serde::{Deserialize, Serialize};

use crate::types::{Nick, PersonData, checked, checked_change};

/// What is to be changed in what a member is shown as; `None` for what stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct MemberChange {
    /// Another name.
    #[serde(default, deserialize_with = "checked", skip_serializing_if = "Option::is_none")]
    pub nick: Option<Nick>,
    /// Other data, or none from now on.
    #[serde(default, deserialize_with = "checked_change", skip_serializing_if = "Option::is_none")]
    pub data: Option<Option<PersonData>>,
}

impl MemberChange {
    /// Nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// With this name.
    #[must_use]
    pub fn nick(self, nick: Nick) -> Self {
        Self { nick: Some(nick), ..self }
    }

    /// With these data; without any for `None`.
    #[must_use]
    pub fn data(self, data: impl Into<Option<PersonData>>) -> Self {
        Self { data: Some(data.into()), ..self }
    }

    /// Whether nothing is named.
    pub fn is_empty(&self) -> bool {
        self.nick.is_none() && self.data.is_none()
    }
}

/// What the embedder's policy says that a person is shown as. It takes the place of what they ask for themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Named {
    /// Their name in every room, which others may have too; `None` where they choose it. One that looks like a name of the host's
    /// ([`EngineBuilder::host_names`](crate::EngineBuilder::host_names)) is nobody's, and counts as `None`.
    #[serde(default, deserialize_with = "checked", skip_serializing_if = "Option::is_none")]
    pub nick: Option<Nick>,
    /// Their data; `None` where they choose them.
    #[serde(default, deserialize_with = "checked", skip_serializing_if = "Option::is_none")]
    pub data: Option<PersonData>,
}

impl Named {
    /// Nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// With this name.
    #[must_use]
    pub fn nick(self, nick: Nick) -> Self {
        Self { nick: Some(nick), ..self }
    }

    /// With these data.
    #[must_use]
    pub fn data(self, data: PersonData) -> Self {
        Self { data: Some(data), ..self }
    }

    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        self.nick.is_none() && self.data.is_none()
    }
}
