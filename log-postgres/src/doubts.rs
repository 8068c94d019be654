//! Rooms with an append of which nobody knows whether it was written: not read until that is settled.

use std::collections::BTreeMap;

use chat_core::RoomCode;

/// By room, how many such appends there are.
#[derive(Debug, Default)]
pub(crate) struct Doubts(BTreeMap<RoomCode, usize>);

impl Doubts {
    pub(crate) fn add(&mut self, room: &RoomCode) {
        *self.0.entry(room.clone()).or_default() += 1;
    }

    pub(crate) fn remove(&mut self, room: &RoomCode) {
        if let Some(count) = self.0.get_mut(room) {
            *count -= 1;
            if *count == 0 {
                self.0.remove(room);
            }
        }
    }

    pub(crate) fn holds(&self, room: &RoomCode) -> bool {
        self.0.contains_key(room)
    }

    pub(crate) fn rooms(&self) -> impl Iterator<Item = &RoomCode> {
        self.0.keys()
    }
}
