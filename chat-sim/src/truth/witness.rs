//! Who watches one server's engine, and says what it publishes.

use std::sync::Arc;

use chat_core::{Observer, ObserverEvent};

use super::Truth;

/// Watches one server's engine.
#[derive(Debug)]
pub(crate) struct Witness {
    pub(crate) truth: Arc<Truth>,
    pub(crate) has_log: bool,
    /// Which server it is.
    pub(crate) server: u64,
}

impl Observer for Witness {
    fn observe(&self, event: ObserverEvent<'_>) {
        if let ObserverEvent::Published { room, epoch, record, .. } = event {
            if !self.has_log {
                let records = std::slice::from_ref(record);
                self.truth.decided(room, epoch, records, self.server);
                self.truth.add(room, epoch, records);
            }
            self.truth.published(room, epoch, record);
        }
    }
}
