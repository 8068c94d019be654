//! People come into rooms, or make them.

use chat_core::Position;
use rand::RngExt;
use serde_json::json;

use super::moderate::SECRETS;
use super::{Asked, Person};
use crate::plan::ROOMS;
use crate::truth::Knock;
use crate::view::View;

impl Person {
    /// Asks to be let in, mostly where one is not.
    pub(super) fn enter(&mut self, room: &str) {
        // Who asks to come in where they are, and loses the connection over it, cannot know what a position they name is of.
        if self.views.get(room).is_some_and(View::is_open) {
            return;
        }
        let after = self.views.get(room).map(View::position).filter(|_| self.rng.random_bool(0.5));
        if self.rng.random_bool(0.5) {
            return self.create(room);
        }
        self.join(room, after);
    }

    /// Asks to be let in everywhere.
    pub(super) fn enter_all(&mut self) {
        let is_out = |room: &&str| !self.views.get(*room).is_some_and(View::is_open);
        let rooms: Vec<&str> = ROOMS.into_iter().filter(is_out).collect();
        rooms.into_iter().for_each(|room| self.join(room, None));
    }

    fn join(&mut self, room: &str, after: Option<Position>) {
        let mut frame = json!({"type": "join", "room": room, "nick": self.name});
        if let Some(after) = after {
            frame["after"] = after.to_string().into();
        }
        if self.scene.plan.sets && self.rng.random_bool(0.7) {
            frame["secret"] = SECRETS[self.rng.random_range(0..SECRETS.len())].into();
        }
        if self.rng.random_bool(0.3) {
            frame["history"] = self.rng.random_range(0..20).into();
        }
        if self.whims.random_bool(0.3) {
            frame["catch_up"] = self.whims.random_range(0..8).into();
        }
        self.joins.insert(self.next_id + 1, after);
        let knock = self.knock(room);
        self.ask(frame, Asked::Join(knock));
    }

    pub(super) fn create(&mut self, room: &str) {
        self.joins.insert(self.next_id + 1, None);
        let knock = self.knock(room);
        self.ask(json!({"type": "create", "room": room, "nick": self.name}), Asked::Join(knock));
    }

    /// What is so now that one asks to be let in.
    fn knock(&self, room: &str) -> Option<Knock> {
        let scope = self.scope_of(self.token.as_ref()?)?;
        Some(self.scene.truth.knocks(room, scope))
    }
}
