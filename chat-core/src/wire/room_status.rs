//! What a session is told of itself: the bounds in force, where it stands in its rooms, how far its person has read.

use serde::{Deserialize, Serialize};

use super::moment::rfc3339_option;
use crate::room::ReadPosition;
use crate::types::{Epoch, Seq, Wall};

/// Where a session stands in a room, in a `welcome` or a `resumed`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[allow(missing_docs)]
#[non_exhaustive]
pub struct RoomStatus {
    pub room: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub epoch: Option<Epoch>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub seq: Option<Seq>,
    pub status: Status,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub read: Option<ReadStatus>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<RemovalReason>,
    /// Of who was banned: when the ban ends.
    #[serde(skip_serializing_if = "Option::is_none", default, with = "rfc3339_option")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<super::moment::Time>"))]
    pub until: Option<Wall>,
}

/// How far a person has read in a room, and what that leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[allow(missing_docs)]
#[non_exhaustive]
pub struct ReadStatus {
    pub through: Seq,
    pub unread: usize,
    pub as_of: Seq,
}

impl From<ReadPosition> for ReadStatus {
    fn from(position: ReadPosition) -> Self {
        let ReadPosition { through, unread, as_of } = position;
        Self { through, unread, as_of }
    }
}

/// Why a membership has ended, where that is no accident and still known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
#[non_exhaustive]
pub enum RemovalReason {
    Kicked,
    Banned,
    /// One that this program does not know.
    #[serde(other)]
    Other,
}

/// See the table under `welcome` on the protocol page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
#[non_exhaustive]
pub enum Status {
    Live,
    Gap,
    Left,
    Closed,
    Unknown,
    Waiting,
    Unavailable,
    /// One that this program does not know.
    #[serde(other)]
    Other,
}

/// The bounds in force that a client's forms and timers need. The others are told by the `limit` of the error that they bring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[allow(missing_docs)]
#[non_exhaustive]
pub struct WelcomeLimits {
    pub frame_bytes: usize,
    pub text_chars: usize,
    pub nick_chars: usize,
    pub rooms: usize,
    pub history: usize,
    pub members: usize,
    pub in_flight: usize,
    pub grace_ms: u64,
    pub typing_ms: u64,
    /// How long a message is shown as growing unless its author goes on; 0 where the server shows none.
    #[serde(default)]
    pub live_ms: u64,
    /// How long a signal is shown unless renewed; 0 where the server shows none.
    #[serde(default)]
    pub signal_ms: u64,
    /// Bytes of the `data` of a message; 0 of a server that did not say so yet.
    #[serde(default)]
    pub data_bytes: usize,
    /// How long a message can be edited; 0 of a server that did not say so yet.
    #[serde(default)]
    pub edit_window_ms: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_that_a_later_version_knows_is_read_as_another() {
        let status: RoomStatus = serde_json::from_str(r#"{"room":"LUNCH","status":"moved"}"#).expect("a status");
        assert_eq!(status.status, Status::Other);
    }
}
