//! What people do who keep order in a room, or would: put out, ban and let in again, take back, appoint, and set what holds.

use rand::RngExt;
use serde_json::{Value, json};

use super::{Asked, Person};

/// What rooms ask newcomers for; few, so that people know them.
pub(super) const SECRETS: [&str; 2] = ["swordfish", "two words"];

impl Person {
    pub(super) fn take_back(&mut self, room: &str) {
        let frame = json!({"type": "redact", "room": room, "target": self.target(room)});
        self.ask(frame, Asked::Other);
    }

    pub(super) fn moderate(&mut self, room: &str) {
        let frame = match self.rng.random_range(0..13) {
            0..4 => return self.take_back(room),
            4 => self.sweep(room),
            5 => self.ban(room),
            6 => self.unban(room),
            7 | 8 => json!({"type": "kick", "room": room, "member": self.rng.random_range(1..8)}),
            9..12 => self.appoint(room),
            _ => json!({"type": "topic", "room": room, "topic": format!("topic of {}", self.name)}),
        };
        self.ask(frame, Asked::Other);
    }

    /// Keeps people out by where they come from, and names who else may; or lets somebody in again.
    pub(super) fn keep_order(&mut self, room: &str) {
        let frame = match self.whims.random_range(0..10) {
            0..4 => {
                let mut frame = self.ban(room);
                frame["network"] = true.into();
                frame
            }
            4 => self.unban(room),
            _ => self.appoint(room),
        };
        self.ask(frame, Asked::Other);
    }

    /// Sets one thing for the room, or takes everything out of people's way.
    pub(super) fn set(&mut self, room: &str) {
        let mut frame = json!({"type": "settings", "room": room});
        let is_so = self.rng.random_bool(0.6);
        match self.rng.random_range(0..7) {
            0 => frame["slow_ms"] = [0, 300, 2_000][self.rng.random_range(0..3)].into(),
            1 => frame["locked"] = is_so.into(),
            2 => frame["read_only"] = is_so.into(),
            3 => frame["secret"] = SECRETS[self.rng.random_range(0..SECRETS.len())].into(),
            4 => frame["history"] = [json!("none"), json!(2), json!("all")][self.rng.random_range(0..3)].clone(),
            5 => frame["listed"] = is_so.into(),
            _ => {
                let open = json!({"slow_ms": 0, "locked": false, "read_only": false, "secret": null});
                frame.as_object_mut().expect("an object").extend(open.as_object().expect("an object").clone());
            }
        }
        self.ask(frame, Asked::Other);
    }

    /// Says who is what, which is mostly not for this person to say.
    fn appoint(&mut self, room: &str) -> Value {
        let roles = ["moderator", "moderator", "member", "owner"];
        let role = roles[self.rng.random_range(0..roles.len())];
        json!({"type": "role", "room": room, "member": self.rng.random_range(1..8), "role": role})
    }

    /// Takes back all that somebody said: mostly oneself.
    fn sweep(&mut self, room: &str) -> Value {
        let own = self.views.get(room).map(|view| view.member().0);
        let member = own.filter(|_| self.rng.random_bool(0.7)).unwrap_or_else(|| self.rng.random_range(1..8));
        let mut frame = json!({"type": "redact_all", "room": room, "member": member});
        if self.rng.random_bool(0.3) {
            frame["from"] = self.rng.random_range(1..60).into();
        }
        frame
    }

    /// Keeps somebody out: mostly for a while.
    fn ban(&mut self, room: &str) -> Value {
        let mut frame = json!({"type": "ban", "room": room, "member": self.rng.random_range(1..8)});
        if self.rng.random_bool(0.8) {
            frame["minutes"] = 1.into();
        }
        if self.rng.random_bool(0.5) {
            frame["sweep"] = true.into();
        }
        if self.whims.random_bool(0.4) {
            frame["network"] = true.into();
        }
        frame
    }

    /// Lets somebody in again, or looks who is kept out.
    fn unban(&mut self, room: &str) -> Value {
        match self.rng.random_bool(0.5) {
            true => json!({"type": "unban", "room": room, "ban": self.rng.random_range(1..4)}),
            false => json!({"type": "bans", "room": room}),
        }
    }
}
