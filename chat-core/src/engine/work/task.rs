//! A room at work: what its task holds. How each part of the work goes stands in the files beside this one.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::engine::feed::room_feed::RoomFeed;
use crate::engine::rooms::cell::RoomCell;
use crate::engine::rooms::state::RoomState;
use crate::engine::shared::room_tags::RoomTag;
use crate::engine::shared::{Shared, unavailable};
use crate::ports::{ObserverEvent, ReadError};
use crate::types::{Mono, Now};

/// A room at work.
pub(crate) struct RoomTask {
    pub(crate) shared: Arc<Shared>,
    pub(crate) cell: Arc<RoomCell>,
    pub(crate) state: Box<RoomState>,
}

impl RoomTask {
    /// What the room is called where logs are read.
    pub(crate) fn tag(&self) -> RoomTag {
        self.shared.room_tags.tag(&self.cell.code)
    }

    pub(crate) fn now(&self) -> Now {
        self.shared.clock.now()
    }

    pub(crate) fn mono(&self) -> Mono {
        self.now().mono
    }

    /// What sessions read of the room; `None` where there is none.
    pub(crate) fn feed(&self) -> Option<Arc<RoomFeed>> {
        self.state.feed().cloned()
    }

    /// The log has failed.
    pub(crate) fn fault(&self, error: &dyn std::fmt::Display) {
        self.shared.observe(ObserverEvent::LogFault { room: &self.cell.code, error: error.to_string() });
    }

    /// The room could not be read back.
    pub(crate) fn unread(&self, error: &ReadError) {
        // Its words are the log's, and may name the room.
        let kind = match error {
            ReadError::Unavailable(_) => "unavailable",
            ReadError::Damaged(_) => "damaged",
            ReadError::Later { .. } => "of a later program",
        };
        tracing::debug!(room = %self.tag(), error = kind, "a room cannot be read");
        if matches!(error, ReadError::Later { .. }) {
            self.shared.unreadable.fetch_add(1, Ordering::Relaxed);
        }
        self.fault(error);
    }

    /// Nobody works on the room any more, and its state may be half done. Every asker is answered, readers are
    /// told, and the next command finds the room anew.
    pub(crate) fn give_up(&mut self) {
        self.state.give_up();
        let items = self.shared.registry.abandon(&self.cell);
        items.into_iter().for_each(|item| item.refuse(&self.cell.code, None, unavailable()));
    }
}
