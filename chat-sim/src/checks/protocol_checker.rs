//! What any client can hold a server to without knowing what happened: frames are of the protocol, and events have no holes.

use std::collections::BTreeMap;

use chat_core::{Seq, ServerFrame};

/// The frames of one connection, in order.
#[derive(Debug, Default)]
pub(super) struct ProtocolChecker {
    heard: usize,
    is_over: bool,
    /// The hello was wrong: why is told in place of a welcome, and then that the connection is closed.
    is_refused: bool,
    /// The last event of each room.
    rooms: BTreeMap<String, Seq>,
}

impl ProtocolChecker {
    /// The next frame.
    ///
    /// # Panics
    /// When it is none, or may not come here.
    pub(super) fn hear(&mut self, json: &[u8]) -> ServerFrame {
        let frame: ServerFrame = serde_json::from_slice(json)
            .unwrap_or_else(|error| panic!("no server frame: {error}: {}", String::from_utf8_lossy(json)));
        assert!(!self.is_over, "nothing follows closing: {frame:?}");
        let is_closing = matches!(frame, ServerFrame::Closing { .. });
        assert!(is_closing || !self.is_refused, "nothing but closing follows a refusal: {frame:?}");
        self.is_refused = self.heard == 0 && matches!(frame, ServerFrame::Error { .. });
        let may_be_first = is_closing || self.is_refused || matches!(frame, ServerFrame::Welcome { .. });
        assert!(may_be_first || self.heard > 0, "the first frame is the welcome: {frame:?}");
        self.heard += 1;
        match &frame {
            ServerFrame::Joined(joined) => drop(self.rooms.insert(joined.room.clone(), joined.seq)),
            ServerFrame::Gap { room, from, to, .. } => {
                self.event(room, *from, &frame);
                self.rooms.insert(room.clone(), *to);
            }
            ServerFrame::Welcome { rooms, .. } => {
                let stands = rooms.iter().filter_map(|status| Some((status.room.clone(), status.seq?)));
                self.rooms.extend(stands);
            }
            ServerFrame::Resumed(status) => self.rooms.extend(status.seq.map(|seq| (status.room.clone(), seq))),
            ServerFrame::Closing { .. } => self.is_over = true,
            ServerFrame::Other(other) => panic!("no frame of this server: {other:?}"),
            frame => {
                if let Some((room, seq)) = frame.numbered() {
                    self.event(room, seq, frame);
                }
            }
        }
        frame
    }

    fn event(&mut self, room: &str, seq: Seq, frame: &ServerFrame) {
        let at = self.rooms.get_mut(room).unwrap_or_else(|| panic!("nothing of a room before its joined: {frame:?}"));
        assert_eq!(seq, at.next(), "events have no holes: {frame:?}");
        *at = seq;
    }
}
