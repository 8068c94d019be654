//! One incarnation of a room as its readers see it: the backlog, what masks it, the passing signals, and how it ended.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use bytes::Bytes;

use crate::domain::RoomCloseReason;
use crate::engine::feed::backlog::Backlog;
use crate::engine::feed::budget::MemoryBudget;
use crate::engine::feed::overlay::Overlay;
use crate::engine::feed::reactions::ReactionOverlay;
use crate::locks::lock;
use crate::types::{Epoch, RoomCode, RoomLimits, Seq};
use crate::wire::FrameKind;

/// What a room's task shares with every session in it.
pub(crate) struct RoomFeed {
    pub(crate) code: RoomCode,
    pub(crate) epoch: Epoch,
    /// Whether a log has it, too.
    pub(crate) is_logged: bool,
    pub(crate) backlog: Backlog,
    pub(crate) overlay: Overlay,
    pub(crate) reactions: ReactionOverlay,
    pub(crate) signals: [SignalSlot; 2],
    pub(crate) gap_view: GapViewSlot,
    pub(crate) closed: OnceLock<RoomCloseReason>,
}

impl RoomFeed {
    pub(crate) fn new(
        code: RoomCode,
        epoch: Epoch,
        head: Seq,
        is_logged: bool,
        limits: &RoomLimits,
        budget: &Arc<MemoryBudget>,
    ) -> Self {
        Self {
            code,
            epoch,
            is_logged,
            backlog: Backlog::new(head, limits, Arc::clone(budget)),
            overlay: Overlay::new(limits.owed_max),
            reactions: ReactionOverlay::default(),
            signals: [SignalSlot::new(FrameKind::Typing), SignalSlot::new(FrameKind::Presence)],
            gap_view: GapViewSlot::default(),
            closed: OnceLock::new(),
        }
    }
}

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
    fn new(kind: FrameKind) -> Self {
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

    /// 0 before the first signal, another number for each.
    pub(crate) fn version(&self) -> u32 {
        self.version.load(Ordering::Acquire)
    }

    /// Empty where it was withdrawn.
    pub(crate) fn json(&self) -> Bytes {
        lock(&self.json).clone()
    }
}

/// The newest view of the room for readers that fell behind; shared by all that need one.
#[derive(Default)]
pub(crate) struct GapViewSlot {
    wanted: AtomicBool,
    newest: Mutex<Option<Arc<GapView>>>,
}

/// The room as of `seq`, in the words of a `gap`.
pub(crate) struct GapView {
    pub(crate) seq: Seq,
    pub(crate) json: Bytes,
}

impl GapViewSlot {
    /// Asks for one; `true` for the first who does since the last was made.
    pub(crate) fn ask(&self) -> bool {
        !self.wanted.swap(true, Ordering::AcqRel)
    }

    pub(crate) fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Acquire)
    }

    pub(crate) fn set(&self, view: GapView) {
        *lock(&self.newest) = Some(Arc::new(view));
        self.wanted.store(false, Ordering::Release);
    }

    pub(crate) fn newest(&self) -> Option<Arc<GapView>> {
        lock(&self.newest).clone()
    }
}
