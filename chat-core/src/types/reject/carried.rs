//! A refusal on its way between servers, of which one may know codes and fields that the other does not.

use std::borrow::Cow;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Reject, RejectCode, Wall};

/// Every field that a refusal of a room or an engine names.
const FIELDS: [&str; 23] = [
    "after", "around", "data", "frame", "history", "id", "key", "limit", "member", "name", "network", "nick",
    "reply_to", "resume", "role", "room", "secret", "slow_ms", "target", "text", "token", "topic", "type",
];

/// What is not known here is passed over but for the code: another server's newest reason must not cost what comes beside it.
#[derive(Serialize, Deserialize)]
struct Carried<'a> {
    code: Cow<'a, str>,
    message: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    field: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    limit: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retry_after: Option<Duration>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<Wall>,
}

impl Serialize for Reject {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { code, message, field, limit, retry_after, until } = self;
        let carried = Carried {
            code: code.as_str().into(),
            message: Cow::Borrowed(message),
            field: field.map(Cow::Borrowed),
            limit: *limit,
            retry_after: *retry_after,
            until: *until,
        };
        carried.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Reject {
    /// A code that is not known here is `unavailable`: whether it was done is not known either.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Carried { code, message, field, limit, retry_after, until } = Carried::deserialize(deserializer)?;
        let code = RejectCode::ALL.iter().copied().find(|known| known.as_str() == code);
        let field = field.and_then(|field| FIELDS.into_iter().find(|known| *known == field));
        let message = Cow::Owned(message.into_owned());
        Ok(Self { code: code.unwrap_or(RejectCode::Unavailable), message, field, limit, retry_after, until })
    }
}
