//! A gate that many wait at, and pass in the order in which they came: a watched value would wake them in an order of chance.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

/// Open at first.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    is_shut: AtomicBool,
    opened: Notify,
}

impl Gate {
    pub(crate) fn shut(&self) {
        self.is_shut.store(true, Ordering::Relaxed);
    }

    pub(crate) fn open(&self) {
        self.is_shut.store(false, Ordering::Relaxed);
        self.opened.notify_waiters();
    }

    pub(crate) fn is_shut(&self) -> bool {
        self.is_shut.load(Ordering::Relaxed)
    }

    /// Returns as soon as it is open.
    pub(crate) async fn pass(&self) {
        while self.is_shut() {
            self.opened.notified().await;
        }
    }
}
