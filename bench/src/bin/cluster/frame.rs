//! What a server says, as far as the load looks at it.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

/// One frame. Which fields are there is a matter of its type.
#[derive(Debug, Deserialize)]
pub(crate) struct Frame {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) id: Option<u64>,
    pub(crate) room: Option<String>,
    pub(crate) epoch: Option<String>,
    pub(crate) seq: Option<u64>,
    at: Option<IgnoredAny>,
    pub(crate) key: Option<String>,
    /// Of an error in letters, of a closing in digits.
    pub(crate) code: Option<Value>,
    pub(crate) reconnect_after_ms: Option<u64>,
    pub(crate) token: Option<String>,
    pub(crate) resumed: Option<bool>,
    #[serde(default)]
    pub(crate) rooms: Vec<Standing>,
    /// Of a `resumed`, which says of one room what a `welcome` says of all.
    pub(crate) status: Option<String>,
}

/// Where a session stands in one room.
#[derive(Debug, Deserialize)]
pub(crate) struct Standing {
    pub(crate) room: String,
    pub(crate) status: String,
}

impl Frame {
    pub(crate) fn parse(json: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(json)
    }

    /// The room and the number of an event, which moves the position in the room.
    pub(crate) fn event(&self) -> Option<(&str, u64)> {
        let is_event = self.kind != "ack" && self.at.is_some();
        Some((self.room.as_deref()?, self.seq?)).filter(|_| is_event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ack_is_no_event_though_it_has_a_number() {
        let parse = |json: &str| Frame::parse(json.as_bytes()).expect("a frame");
        let ack = parse(r#"{"type":"ack","id":3,"room":"LUNCH","seq":18,"at":"2026-11-22T18:00:00.123Z"}"#);
        assert_eq!((ack.event(), ack.id), (None, Some(3)));
        let left = parse(r#"{"type":"member_left","room":"LUNCH","position":"04HMASW9NF6YF:17","member":3}"#);
        assert_eq!(left.event(), None);
        let topic = parse(r#"{"type":"topic_changed","room":"LUNCH","seq":23,"at":"2026-11-22T18:00:00.123Z"}"#);
        assert_eq!(topic.event(), Some(("LUNCH", 23)));
    }
}
