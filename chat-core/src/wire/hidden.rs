//! Changes as they are told to who may not see the message that they change.

use super::server_frame::FrameKind;
use crate::types::Seq;

/// A change for somebody who sees no message up to `sees`: of one that is no business of theirs it says nothing, not even that there is
/// one. `None` where they may know of it, and for what changes no message.
pub(crate) fn hidden(kind: FrameKind, event: &[u8], sees: Seq) -> Option<Vec<u8>> {
    if kind != FrameKind::Reacted {
        return None;
    }
    // Behind what every event says: a room's code has no quotes.
    const TARGET: &[u8] = b",\"target\":";
    let start = event.windows(TARGET.len()).position(|window| window == TARGET)?;
    let digits = &event[start + TARGET.len()..];
    let length = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let target: u64 = std::str::from_utf8(&digits[..length]).ok()?.parse().ok()?;
    (Seq(target) <= sees).then(|| [&event[..start], b"}"].concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::ServerFrame;

    #[test]
    fn who_may_not_see_a_message_is_told_a_number_and_nothing_else() {
        let event = br#"{"type":"reacted","room":"LUNCH","seq":9,"at":"2026-11-22T18:00:00.123Z","target":3,"name":"+1","by":2,"on":true,"count":1}"#;
        assert_eq!(hidden(FrameKind::Reacted, event, Seq(2)), None);
        assert_eq!(hidden(FrameKind::Message, event, Seq(3)), None);
        let told = hidden(FrameKind::Reacted, event, Seq(3)).expect("it is hidden");
        let frame: ServerFrame = serde_json::from_slice(&told).expect("a frame");
        assert_eq!(frame.numbered(), Some(("LUNCH", Seq(9))));
        let ServerFrame::Reacted { target: None, reaction: None, .. } = frame else { panic!("{frame:?}") };
        let whole: ServerFrame = serde_json::from_slice(event).expect("a frame");
        assert_eq!(serde_json::to_vec(&whole).expect("written"), event);
    }
}
