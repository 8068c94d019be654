//! Which frame it is: each `type` that this program knows, and a frame of one that it does not.

use serde_json::{Map, Value};

use crate::types::Seq;

/// Which frame it is: its `type`, and the event name of transports that have one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[non_exhaustive]
#[allow(missing_docs)] // the names say it; the protocol page says the rest
pub enum FrameKind {
    Welcome,
    Joined,
    Ack,
    Error,
    History,
    Changes,
    Members,
    Bans,
    Message,
    MemberJoined,
    MemberLeft,
    MemberChanged,
    Redacted,
    Swept,
    Reacted,
    TopicChanged,
    SettingsChanged,
    RoleChanged,
    NoticesChanged,
    Edited,
    Typing,
    Live,
    Signals,
    Read,
    Presence,
    Gap,
    RoomClosed,
    Closing,
    Resumed,
    Token,
    Ended,
    AuthExpiring,
    AuthRenewed,
}

impl FrameKind {
    /// Every kind of frame that this program knows.
    pub const ALL: &[FrameKind] = &[
        Self::Welcome,
        Self::Joined,
        Self::Ack,
        Self::Error,
        Self::History,
        Self::Changes,
        Self::Members,
        Self::Bans,
        Self::Message,
        Self::MemberJoined,
        Self::MemberLeft,
        Self::MemberChanged,
        Self::Redacted,
        Self::Swept,
        Self::Reacted,
        Self::TopicChanged,
        Self::SettingsChanged,
        Self::RoleChanged,
        Self::NoticesChanged,
        Self::Edited,
        Self::Typing,
        Self::Live,
        Self::Signals,
        Self::Read,
        Self::Presence,
        Self::Gap,
        Self::RoomClosed,
        Self::Closing,
        Self::Resumed,
        Self::Token,
        Self::Ended,
        Self::AuthExpiring,
        Self::AuthRenewed,
    ];

    /// The `type` on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Welcome => "welcome",
            Self::Joined => "joined",
            Self::Ack => "ack",
            Self::Error => "error",
            Self::History => "history",
            Self::Changes => "changes",
            Self::Members => "members",
            Self::Bans => "bans",
            Self::Message => "message",
            Self::MemberJoined => "member_joined",
            Self::MemberLeft => "member_left",
            Self::MemberChanged => "member_changed",
            Self::Redacted => "redacted",
            Self::Swept => "swept",
            Self::Reacted => "reacted",
            Self::TopicChanged => "topic_changed",
            Self::SettingsChanged => "settings_changed",
            Self::RoleChanged => "role_changed",
            Self::NoticesChanged => "notices_changed",
            Self::Edited => "edited",
            Self::Typing => "typing",
            Self::Live => "live",
            Self::Signals => "signals",
            Self::Read => "read",
            Self::Presence => "presence",
            Self::Gap => "gap",
            Self::RoomClosed => "room_closed",
            Self::Closing => "closing",
            Self::Resumed => "resumed",
            Self::Token => "token",
            Self::Ended => "ended",
            Self::AuthExpiring => "auth_expiring",
            Self::AuthRenewed => "auth_renewed",
        }
    }
}

/// A frame of a `type` that this program does not know, whole.
#[derive(Clone, Debug, PartialEq)]
pub struct OtherFrame(pub(super) Map<String, Value>);

impl OtherFrame {
    /// Its `type`.
    pub fn kind(&self) -> &str {
        self.0.get("type").and_then(Value::as_str).unwrap_or_default()
    }

    /// All its fields, `type` among them.
    pub fn fields(&self) -> &Map<String, Value> {
        &self.0
    }

    /// Its room and number, where it is an event that has one.
    pub(super) fn numbered(&self) -> Option<(&str, Seq)> {
        let seq = self.0.get("seq").and_then(Value::as_u64)?;
        self.0.get("at").and_then(Value::as_str)?;
        Some((self.0.get("room").and_then(Value::as_str)?, Seq(seq)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::ServerFrame;

    /// The frame says which it is by the derived name, the kind by one written by hand.
    #[test]
    fn every_kind_is_a_type_of_a_frame() {
        for kind in FrameKind::ALL {
            match serde_json::from_str::<ServerFrame>(&format!(r#"{{"type":"{}"}}"#, kind.as_str())) {
                Ok(ServerFrame::Other(_)) => panic!("{} is no type of a frame", kind.as_str()),
                Ok(_) => {}
                Err(error) => assert!(error.to_string().starts_with("missing field"), "{}: {error}", kind.as_str()),
            }
        }
    }
}
