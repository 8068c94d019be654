//! Where a client stands in its rooms, to which every frame is held; and what is left of it when its connection is gone.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Resume;
use super::frames::{list, number, text};

/// What is left of a client whose connection is gone: enough to come back.
#[derive(Clone, Debug)]
pub struct Trail {
    /// The session's token.
    pub token: String,
    places: Places,
    others: Vec<(String, String)>,
    catch_up: Option<u32>,
}

/// Where a client stands in its rooms.
#[derive(Clone, Debug, Default)]
pub(super) struct Places(BTreeMap<String, Place>);

/// Where a client stands in a room.
#[derive(Clone, Debug)]
struct Place {
    epoch: String,
    seq: u64,
    /// The member one is.
    member: u64,
    /// Where the stay began.
    entered: u64,
    /// Time of the last event.
    at: String,
    /// One has left; nothing may follow.
    over: bool,
    /// The room has not said yet whether one is in it.
    waits: bool,
}

impl Trail {
    pub(super) fn new(token: String, places: Places) -> Self {
        Self { token, places, others: Vec::new(), catch_up: None }
    }

    /// Where the client stood in its rooms.
    pub(super) fn places(&self) -> Places {
        self.places.clone()
    }

    /// The position in a room, as it is written.
    pub fn position(&self, room: &str) -> String {
        self.places.0[room].position()
    }

    /// The same, with another number in a room.
    pub fn at(mut self, room: &str, seq: u64) -> Self {
        let place = self.places.0.get_mut(room).expect("a room of the client");
        // When that was is not known: what comes then may have come before.
        (place.seq, place.at) = (seq, String::new());
        self
    }

    /// The same, knowing of no room.
    pub fn without_positions(mut self) -> Self {
        self.places.0.clear();
        self
    }

    /// The same, naming a position in a room that it knows nothing of.
    pub fn naming(mut self, room: &str, position: String) -> Self {
        self.others.push((room.to_owned(), position));
        self
    }

    /// The same, wanting one gap where more events than this are due.
    pub fn catching_up(mut self, most: u32) -> Self {
        self.catch_up = Some(most);
        self
    }

    /// What a client says that comes back from here.
    pub fn resume(&self) -> Resume {
        let own = self.places.0.keys().map(|room| (room.clone(), self.position(room)));
        let positions = own.chain(self.others.iter().cloned()).collect();
        Resume { token: self.token.clone(), positions, catch_up: self.catch_up }
    }
}

impl Places {
    /// The position in a room, which has been entered.
    pub(super) fn seq(&self, room: &str) -> u64 {
        self.0[room].seq
    }

    /// As a `welcome` says.
    pub(super) fn welcomed(&mut self, welcome: &Value) {
        for room in list(welcome, "rooms") {
            let code = text(room, "room");
            let Some(place) = self.0.get_mut(&code) else { continue };
            match room["status"].as_str() {
                Some("live" | "gap") if room["epoch"] == place.epoch => place.seq = number(room, "seq"),
                Some("waiting") => place.waits = true,
                // In another incarnation, or not in the room at all: nothing may come but a `joined`.
                _ => drop(self.0.remove(&code)),
            }
        }
    }

    /// Holds a frame against what is known of its room.
    pub(super) fn note(&mut self, frame: &Value) {
        let kind = text(frame, "type");
        if kind == "joined" {
            self.0.insert(text(frame, "room"), Place::of_joined(frame));
            return;
        }
        let Some(room) = frame["room"].as_str().filter(|_| kind != "error") else { return };
        let place = self.0.get_mut(room).unwrap_or_else(|| panic!("{frame} of a room that was not entered"));
        assert_eq!(
            kind == "resumed",
            std::mem::take(&mut place.waits),
            "a room that was waited for says where one is: {frame}"
        );
        match kind.as_str() {
            "resumed" if matches!(frame["status"].as_str(), Some("live" | "gap")) && frame["epoch"] == place.epoch => {
                place.seq = number(frame, "seq");
            }
            "resumed" => drop(self.0.remove(room)),
            _ => place.note(&kind, frame),
        }
    }
}

impl Place {
    fn of_joined(joined: &Value) -> Self {
        Self {
            epoch: text(joined, "epoch"),
            seq: number(joined, "seq"),
            entered: number(joined, "entered"),
            member: number(&joined["you"], "member"),
            at: String::new(),
            over: false,
            waits: false,
        }
    }

    fn position(&self) -> String {
        format!("{}:{}", self.epoch, self.seq)
    }

    fn note(&mut self, kind: &str, frame: &Value) {
        match kind {
            "typing" | "presence" | "live" | "signals" | "read" => assert!(!self.over, "{frame} after one has left"),
            "room_closed" => assert_eq!(frame["epoch"], self.epoch),
            // One's own leaving, where no event tells it: no number and no time.
            "member_left" if frame.get("seq").is_none() => {
                assert!(!self.over && frame.get("at").is_none(), "{frame}");
                let own = (self.member, self.position());
                assert_eq!((number(frame, "member"), text(frame, "position")), own, "{frame}");
                self.over = true;
            }
            "gap" => {
                assert_eq!((&frame["epoch"], number(frame, "from")), (&json!(self.epoch), self.seq + 1), "{frame}");
                assert!(number(frame, "to") > self.seq, "{frame}");
                self.seq = number(frame, "to");
            }
            _ => {
                assert!(!self.over, "{frame} after one has left");
                assert_eq!(number(frame, "seq"), self.seq + 1, "the next event: {frame}");
                let at = text(frame, "at");
                assert!(at >= self.at, "time goes back to {frame} from {}", self.at);
                (self.seq, self.at) = (self.seq + 1, at);
                // One before the stay began ended an earlier one.
                let is_own = kind == "member_left" && frame["member"] == self.member;
                self.over = is_own && self.seq >= self.entered;
            }
        }
    }
}
