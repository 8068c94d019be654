//! Who watches one server's engine, and says what it publishes.

use std::sync::Arc;

use chat_core::{Cluster, Observer, ObserverEvent, Owner, RoomCode, Slot};

use super::Truth;
use crate::links::Node;
use crate::promise::{Broken, Promise};

/// Watches one server's engine.
#[derive(Debug)]
pub(crate) struct Witness {
    pub(crate) truth: Arc<Truth>,
    pub(crate) has_log: bool,
    /// Which server it is.
    pub(crate) server: u64,
    /// The same among several.
    pub(crate) node: Option<Arc<Node>>,
}

impl Witness {
    /// One server publishes what happens in a room, the one that decides for it: whoever watches all of them hears of it once.
    fn check_owner(&self, room: &RoomCode) {
        let Some(node) = &self.node else { return };
        let owner = node.owner(Slot::of(room));
        if !matches!(owner, Owner::Me(_)) {
            let how = format!("{room}: {} publishes what is decided by {owner:?}", node.id());
            self.truth.note(Broken { promise: Promise::OneOwner, how });
        }
    }
}

impl Observer for Witness {
    fn observe(&self, event: ObserverEvent<'_>) {
        if let ObserverEvent::Published { room, epoch, record, .. } = event {
            if !self.has_log {
                let records = std::slice::from_ref(record);
                self.truth.decided(room, epoch, records, self.server);
                self.truth.add(room, epoch, records);
            }
            self.check_owner(room);
            self.truth.published(room, epoch, record);
        }
    }
}
