//! One connection of a session: how it is woken, and how it ends.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::wake::Wake;
use crate::words::{CloseReason, Generation};

/// What a session, its rooms and its transport share about one connection. A newer connection gets its own, so that
/// nothing an older one does late can touch it.
pub(crate) struct Connection {
    pub(crate) generation: Generation,
    pub(crate) transport: &'static str,
    pub(crate) wake: Wake,
    /// Whether the transport was ever unable to write what was due. A reader that never was is never told of a gap.
    pub(crate) was_blocked: AtomicBool,
    closing: Mutex<Option<Closing>>,
}

/// The end of a connection, to be told to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Closing {
    pub(crate) reason: CloseReason,
    pub(crate) reconnect_after: Option<Duration>,
    pub(crate) told: bool,
}

impl Connection {
    pub(crate) fn new(generation: Generation, transport: &'static str) -> Self {
        Self {
            generation,
            transport,
            wake: Wake::new(),
            was_blocked: AtomicBool::new(false),
            closing: Mutex::new(None),
        }
    }

    /// Ends the connection; the first reason counts.
    pub(crate) fn close(&self, reason: CloseReason, reconnect_after: Option<Duration>) {
        {
            let mut closing = self.closing.lock().unwrap_or_else(PoisonError::into_inner);
            closing.get_or_insert(Closing { reason, reconnect_after, told: false });
        }
        self.wake.wake();
    }

    pub(crate) fn closing(&self) -> Option<Closing> {
        *self.closing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The `closing` frame has been taken by the transport.
    pub(crate) fn closing_told(&self) {
        if let Some(closing) = &mut *self.closing.lock().unwrap_or_else(PoisonError::into_inner) {
            closing.told = true;
        }
    }

    pub(crate) fn note_blocked(&self) {
        self.was_blocked.store(true, Ordering::Relaxed);
    }
}
