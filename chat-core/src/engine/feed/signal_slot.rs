//! One slot of a room that is told whole: the latest is there, and a reader remembers which it has heard.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use bytes::Bytes;

use crate::locks::lock;
use crate::wire::FrameKind;

/// The place of the latest signal of one kind: never queued, so never behind.
pub(crate) struct SignalSlot {
    pub(crate) kind: FrameKind,
    version: AtomicU32,
    /// There is nothing to say to who has heard nothing.
    at_rest: AtomicBool,
    json: Mutex<Bytes>,
}

/// Where each kind of signal is kept, in an incarnation and in what a session has seen.
pub(crate) const TYPING: usize = 0;
/// See [`TYPING`].
pub(crate) const PRESENCE: usize = 1;

impl SignalSlot {
    pub(crate) fn new(kind: FrameKind) -> Self {
        Self { kind, version: AtomicU32::new(0), at_rest: AtomicBool::new(true), json: Mutex::new(Bytes::new()) }
    }

    /// Replaces the signal. `at_rest` where it only takes back what was said before. Only the room's task calls this.
    pub(crate) fn set(&self, json: Bytes, at_rest: bool) {
        self.at_rest.store(at_rest, Ordering::Release);
        *lock(&self.json) = json;
        self.version.fetch_add(1, Ordering::Release);
    }

    /// Takes the signal back: it is not true any more, and there is nothing to say instead.
    pub(crate) fn withdraw(&self) {
        self.set(Bytes::new(), true);
    }

    /// The version that somebody who comes in now may be taken to have heard.
    pub(crate) fn heard_by_newcomer(&self) -> u32 {
        // The version first: one that is set in between is another, and is told.
        let version = self.version();
        if self.at_rest.load(Ordering::Acquire) { version } else { 0 }
    }

    /// How many bytes it shows to who has heard nothing.
    pub(crate) fn shown_bytes(&self) -> usize {
        if self.at_rest.load(Ordering::Acquire) { 0 } else { lock(&self.json).len() }
    }

    /// 0 before the first signal, another number for each.
    pub(crate) fn version(&self) -> u32 {
        self.version.load(Ordering::Acquire)
    }

    /// Empty where it was withdrawn.
    pub(crate) fn json(&self) -> Bytes {
        lock(&self.json).clone()
    }
}
