//! One incarnation of a room as its readers see it: the backlog, what masks it, the slots beside it, and how it ended.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use bytes::Bytes;

use crate::domain::RoomCloseReason;
use crate::engine::feed::backlog::Backlog;
use crate::engine::feed::budget::MemoryBudget;
use crate::engine::feed::overlay::Overlay;
use crate::engine::feed::probe::Probe;
use crate::engine::feed::reactions::ReactionOverlay;
use crate::engine::feed::signal_slot::SignalSlot;
use crate::engine::feed::slots::MemberSlots;
use crate::locks::lock;
use crate::types::{Epoch, Mono, RoomCode, RoomLimits, Seq};
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
    /// What members fill; nothing before somebody does.
    pub(crate) slots: OnceLock<Box<MemberSlots>>,
    pub(crate) gap_view: GapViewSlot,
    pub(crate) probe: Probe,
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
            slots: OnceLock::new(),
            gap_view: GapViewSlot::default(),
            probe: Probe::default(),
            closed: OnceLock::new(),
        }
    }

    /// How many bytes the slots show to somebody who comes in, and learns nothing of messages up to this one.
    pub(crate) fn shown_bytes(&self, sees: Seq) -> usize {
        let signals: usize = self.signals.iter().map(SignalSlot::shown_bytes).sum();
        signals + self.slots.get().map_or(0, |slots| slots.shown_bytes(sees))
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
    /// When it was made.
    pub(crate) made: Mono,
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

    /// Nobody is told the one that was made: it may name who is not to be named any more.
    pub(crate) fn forget(&self) {
        *lock(&self.newest) = None;
    }

    pub(crate) fn newest(&self) -> Option<Arc<GapView>> {
        lock(&self.newest).clone()
    }
}
