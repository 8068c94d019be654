//! What people show of themselves and of what was said: names, edits, reactions, texts that grow, signals, and how far they have read.

use chat_core::Seq;
use rand::RngExt;
use serde_json::json;

use super::{Asked, Person};
use crate::view::View;

/// What people react with; few, so that they meet.
const REACTIONS: [&str; 2] = ["+1", "\u{1F44D}"];

/// Messages that are reacted to: as long as they are among so many that are shown.
const NEWEST: usize = 4;

impl Person {
    /// Changes name, data, or both: to few values, so that people meet in them.
    pub(super) fn be_called(&mut self, room: &str) {
        let mut frame = json!({"type": "me", "room": room});
        let what = self.rng.random_range(0..4);
        if what > 0 {
            frame["nick"] = [&self.name, "Kim", "kim"][self.rng.random_range(0..3)].into();
        }
        if what < 2 {
            frame["data"] = [json!(null), json!({"id": 1}), json!({"id": 2})][self.rng.random_range(0..3)].clone();
        }
        self.ask(frame, Asked::Other);
    }

    /// Says something else in a message: mostly in one's own.
    pub(super) fn edit(&mut self, room: &str) {
        let key = format!("{}-edit-{}", self.name, self.next_id);
        let target = self.target(room);
        let mut frame = json!({"type": "edit", "room": room, "target": target, "text": format!("{key} of {target}")});
        self.attach(&mut frame);
        if self.rng.random_bool(0.5) {
            frame["key"] = key.into();
        }
        self.ask(frame, Asked::Other);
    }

    /// Reacts to one of the newest messages that are shown, or takes that back; seldom, to any number.
    pub(super) fn react(&mut self, room: &str) {
        let shown = self.screens.get(room).map(|screen| screen.newest(NEWEST)).unwrap_or_default();
        let target = match shown.is_empty() || self.rng.random_bool(0.1) {
            true => self.rng.random_range(1..60),
            false => shown[self.rng.random_range(0..shown.len())].0,
        };
        let name = REACTIONS[self.rng.random_range(0..REACTIONS.len())];
        let on = self.rng.random_bool(0.75);
        self.ask(json!({"type": "react", "room": room, "target": target, "name": name, "on": on}), Asked::Other);
    }

    /// Says that everything was read, or some of it.
    pub(super) fn read_on(&mut self, room: &str) {
        let Some(position) = self.views.get(room).filter(|view| view.is_live()).map(View::position) else { return };
        let through = Seq(self.rng.random_range(0..=position.seq.0));
        let person = self.pass.clone().unwrap_or_else(|| self.name.clone());
        let reading = self.scene.truth.reads.begin(room, position.epoch, &person, through);
        self.ask(json!({"type": "read", "room": room, "through": through}), Asked::Read(reading));
    }

    /// Shows what a message of one's own says so far, a few times in a row; or that it does not grow any more.
    pub(super) fn grow(&mut self, room: &str) {
        if !self.views.get(room).is_some_and(View::is_live) {
            return;
        }
        let target = self.target(room);
        for _ in 0..self.rng.random_range(1..4) {
            let mut frame = json!({"type": "live", "room": room, "target": target, "text": null});
            if !self.rng.random_bool(0.15) {
                let text = format!("{}-{} {}", self.name, self.next_id, "y".repeat(self.rng.random_range(0..60)));
                frame["text"] = text.as_str().into();
                self.scene.truth.slots.grows(room, Seq(target), text);
            }
            self.ask(frame, Asked::Other);
        }
    }

    /// Shows something of oneself, or nothing any more.
    pub(super) fn signal(&mut self, room: &str) {
        if !self.views.get(room).is_some_and(View::is_live) {
            return;
        }
        let name = ["hand", "look", "mood"][self.rng.random_range(0..3)];
        let mut frame = json!({"type": "signal", "room": room, "name": name, "data": null});
        if !self.rng.random_bool(0.2) {
            let data = json!({"by": self.name, "n": self.rng.random_range(0..5)});
            frame["data"] = data.clone();
            self.scene.truth.slots.shows(room, name, data);
        }
        self.ask(frame, Asked::Other);
    }
}
