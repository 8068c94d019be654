//! The way of an item into a room's inbox, and what starts the room's task.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::engine::rooms::cell::{Pushed, RoomCell};
use crate::engine::rooms::inbox::InboxItem;
use crate::engine::shared::Shared;
use crate::engine::work::evict;
use crate::types::{Reject, RejectCode, RoomCode};

impl Shared {
    /// The refusal where there are as many rooms as there may be.
    pub(crate) fn no_place(&self) -> Reject {
        let reject = Reject::new(RejectCode::AtCapacity, "the server has as many rooms as it may");
        reject.limit(self.limits.engine.rooms_max as u64).retry_after(Duration::from_secs(10))
    }

    /// Puts an item into a room's inbox; refuses it where there is no such room, or too much to do.
    pub(crate) fn enqueue(self: &Arc<Self>, code: &RoomCode, item: InboxItem) {
        let mut item = item;
        loop {
            let cell = match self.registry.room(code) {
                Some(cell) => cell,
                // A room of the log has to be read before anything is known of it, and takes a place for that.
                None if self.log.is_some() && self.is_full() => {
                    evict::make_place(self);
                    if matches!(item, InboxItem::Enter { .. }) {
                        self.away.miss(code);
                    }
                    if item.is_asked() {
                        self.count_reject(RejectCode::AtCapacity);
                    }
                    return item.refuse(code, None, self.no_place());
                }
                None if self.log.is_some() => self.registry.room_or_new(code),
                None => {
                    if item.is_asked() {
                        self.count_reject(RejectCode::RoomNotFound);
                    }
                    return item.refuse(code, None, Reject::new(RejectCode::RoomNotFound, "no room has this code"));
                }
            };
            match self.push(&cell, item) {
                None => return,
                Some(again) => item = again,
            }
        }
    }

    /// As [`Shared::enqueue`], and makes the room's place where there is none.
    pub(crate) fn enqueue_new(self: &Arc<Self>, code: &RoomCode, item: InboxItem) {
        let mut item = Some(item);
        while let Some(next) = item {
            item = self.push(&self.registry.room_or_new(code), next);
        }
    }

    /// Pushes into this very cell; gives the item back when the cell has left the registry.
    pub(crate) fn push(self: &Arc<Self>, cell: &Arc<RoomCell>, item: InboxItem) -> Option<InboxItem> {
        match cell.push(item, self.limits.room.inbox_max, self.limits.room.fed_bytes_max) {
            Pushed::Queued => None,
            Pushed::Start => {
                self.tasks.fetch_add(1, Ordering::Relaxed);
                (self.work)(Arc::clone(self), Arc::clone(cell));
                None
            }
            Pushed::Full(item) => {
                if item.is_asked() {
                    self.count_reject(RejectCode::Busy);
                }
                let reject = Reject::new(RejectCode::Busy, "the room has too much to do");
                cell.refuse(item, reject.retry_after(Duration::from_millis(100)));
                None
            }
            Pushed::Gone(item) => Some(item),
        }
    }
}
