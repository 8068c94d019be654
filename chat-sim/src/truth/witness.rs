//! Who watches one server's engine, and says what it publishes.

use std::sync::Arc;

use chat_core::{Clock, Cluster, Epoch, Observer, ObserverEvent, Owner, Record, RoomCode, Slot, Term};
use tokio::time::Instant;

use super::Truth;
use crate::clock::ServerClock;
use crate::links::Node;
use crate::promise::{Broken, Promise};
use crate::stamps::Made;

/// Watches one server's engine.
#[derive(Debug)]
pub(crate) struct Witness {
    pub(crate) truth: Arc<Truth>,
    pub(crate) has_log: bool,
    /// Which server it is.
    pub(crate) server: u64,
    pub(crate) clock: Arc<ServerClock>,
    /// The same among several.
    pub(crate) node: Option<Arc<Node>>,
}

impl Witness {
    /// One server publishes what happens in a room, the one that decides for it: whoever watches all of them hears of it once.
    fn check_owner(&self, room: &RoomCode, epoch: Epoch, record: &Record) {
        let Some(node) = &self.node else { return };
        if node.has_faults() {
            // What was written is published, whosever the room is by then.
            let published = self.truth.writers.published(room, epoch, record, self.server);
            return published.unwrap_or_else(|broken| self.truth.note(broken));
        }
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
                let made = Made { when: self.clock.now().mono, at: Instant::now(), server: self.server, term: Term(0) };
                self.truth.decided(room, epoch, records, made);
                self.truth.add(room, epoch, records);
            }
            self.check_owner(room, epoch, record);
            self.truth.published(room, epoch, record);
        }
    }
}
