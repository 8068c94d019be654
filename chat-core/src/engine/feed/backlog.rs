//! The newest events of one room's log: shared by all its readers, each event encoded once.
//!
//! Events lie in segments, one behind the other in one buffer. A reader takes handles of the segments it needs under a
//! short lock and copies outside it. Publishing is O(1); what falls out at the old end goes a segment at a time.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::{Mutex, MutexGuard};

use smallvec::SmallVec;

use crate::engine::feed::budget::MemoryBudget;
use crate::engine::feed::fanout::Extent;
use crate::engine::feed::overlay::Change;
use crate::engine::feed::segment::{SEGMENT_BYTES, SLOT_BYTES, Segment};
use crate::engine::feed::wake::Head;
use crate::locks::lock;
use crate::types::{RoomLimits, Seq};
use crate::wire::{FrameKind, with_reactions};

/// What a reader finds after its position.
pub(crate) enum BacklogRead {
    /// Segments holding the next events, in order.
    Events(SmallVec<[Arc<Segment>; 4]>),
    /// The next event has been let go: [`Backlog::oldest`] says where what is kept begins.
    Missing,
}

#[derive(Debug)]
struct Ring {
    segments: VecDeque<Arc<Segment>>,
    bytes: usize,
    events: usize,
}

impl Ring {
    /// What it holds in memory, about.
    fn weight(&self) -> usize {
        self.bytes + self.events * SLOT_BYTES + self.segments.len() * SEGMENT_BYTES
    }

    fn pop(&mut self) {
        let oldest = self.segments.pop_front().expect("there is one to go");
        self.bytes -= oldest.size().bytes;
        self.events -= oldest.size().events;
    }

    /// Lets the oldest events go until no more than this is held, or one event.
    fn shrink(&mut self, weight_max: usize) {
        while self.segments.len() > 1 && self.weight() > weight_max {
            self.pop();
        }
        if self.weight() <= weight_max {
            return;
        }
        let Some(last) = self.segments.front_mut() else { return };
        let room = weight_max.saturating_sub(SEGMENT_BYTES);
        let mut kept = 0;
        let fits = |&seq: &u64| {
            kept += last.get(seq).map_or(0, |(_, json)| json.len()) + SLOT_BYTES;
            kept <= room
        };
        let first = (last.first()..=last.last()).rev().take_while(fits).last().unwrap_or(last.last());
        if first == last.first() {
            return;
        }
        *last = Arc::new(last.from(first));
        (self.bytes, self.events) = (last.size().bytes, last.size().events);
    }
}

/// The backlog of one incarnation of a room.
pub(crate) struct Backlog {
    head: Head,
    ring: Mutex<Ring>,
    bytes_max: usize,
    events_max: usize,
    budget: Arc<MemoryBudget>,
}

impl Drop for Backlog {
    fn drop(&mut self) {
        let held = self.lock().weight();
        self.budget.leave(held);
    }
}

impl Backlog {
    /// An empty backlog whose next event is `head + 1`.
    pub(crate) fn new(head: Seq, limits: &RoomLimits, budget: Arc<MemoryBudget>) -> Self {
        budget.enter();
        Self {
            budget,
            head: Head::new(head.0),
            ring: Mutex::new(Ring { segments: VecDeque::new(), bytes: 0, events: 0 }),
            bytes_max: limits.backlog_bytes_max,
            events_max: limits.backlog_events_max.max(1),
        }
    }

    /// The last event that can be read.
    pub(crate) fn head(&self) -> Seq {
        Seq(self.head.seq())
    }

    /// Whether a segment has grown so far that the next event should begin another: an eighth of the bounds, so that
    /// eviction never takes more at once than a reader can be expected to be behind.
    pub(crate) fn is_full(&self, segment: &Segment) -> bool {
        let size = segment.size();
        size.events >= (self.events_max / 8).max(1) || size.bytes >= (self.bytes_max / 8).max(1)
    }

    /// Whether so much of it is more than a reader may be left without a turn for: a quarter of the bounds, so that with one
    /// more round and the next eviction it is all still here. Anything, where the oldest may be let go at any time.
    pub(crate) fn exceeds_quarter(&self, unseen: Extent) -> bool {
        unseen.events > self.events_max / 4
            || unseen.bytes > self.bytes_max / 4
            || unseen.events > 0 && self.budget.is_nearly_passed()
    }

    /// Adds a segment that follows the head, and lets the oldest ones go while a bound is passed. The newest always stays,
    /// however large.
    pub(crate) fn publish(&self, mut segment: Segment) {
        if segment.is_empty() {
            return;
        }
        let last = segment.last();
        debug_assert_eq!(segment.first(), self.head.seq() + 1, "events are published in order");
        {
            let mut ring = self.lock();
            let before = ring.weight();
            ring.bytes += segment.size().bytes;
            ring.events += segment.size().events;
            let merged = ring.segments.back_mut().and_then(Arc::get_mut).is_some_and(|open| {
                let takes = open.takes(&segment) && !self.is_full(open);
                if takes {
                    open.extend(&segment);
                }
                takes
            });
            if !merged {
                segment.shrink();
                ring.segments.push_back(Arc::new(segment));
            }
            while ring.segments.len() > 1 && (ring.bytes > self.bytes_max || ring.events > self.events_max) {
                ring.pop();
            }
            self.budget.change(before, ring.weight());
            if self.budget.is_passed() {
                // A room that goes on growing gives at once, and nothing that nobody could have read; the others are asked.
                let (level, before) = (self.budget.level(), ring.weight());
                while ring.segments.len() > 1 && ring.weight() > level {
                    ring.pop();
                }
                self.budget.change(before, ring.weight());
            }
        }
        self.head.publish(last);
    }

    /// What follows up to here is not to be had: all that it has goes, and the next event is `to + 1`.
    pub(crate) fn leap(&self, to: Seq) {
        let mut ring = self.lock();
        let before = ring.weight();
        while !ring.segments.is_empty() {
            ring.pop();
        }
        self.budget.change(before, ring.weight());
        self.head.publish(to.0);
    }

    /// Lets the oldest events go until no more than `weight_max` bytes are held, or one event.
    pub(crate) fn evict(&self, weight_max: usize) {
        self.shrink(&mut self.lock(), weight_max);
    }

    /// What it holds in memory, about.
    #[cfg(test)]
    fn weight(&self) -> usize {
        self.lock().weight()
    }

    /// The same, of what could be given back: nothing where it has one event, which it keeps.
    pub(crate) fn spare(&self) -> usize {
        let ring = self.lock();
        if ring.events > 1 { ring.weight() } else { 0 }
    }

    fn shrink(&self, ring: &mut Ring, weight_max: usize) {
        let before = ring.weight();
        ring.shrink(weight_max);
        self.budget.change(before, ring.weight());
    }

    /// Handles of the segments that hold the events after `after`, about `bytes` of them and at least one event.
    pub(crate) fn read(&self, after: Seq, bytes: usize) -> BacklogRead {
        let ring = self.lock();
        let next = after.0 + 1;
        let Some(oldest) = ring.segments.front() else { return BacklogRead::Missing };
        if next < oldest.first() {
            return BacklogRead::Missing;
        }
        // Readers are near the head: look from the new end.
        let newer = ring.segments.iter().rev().take_while(|segment| segment.first() > next).count();
        let index = ring.segments.len() - newer - 1;
        let mut taken = SmallVec::new();
        let mut found = 0;
        for segment in ring.segments.range(index..) {
            taken.push(Arc::clone(segment));
            found += segment.size().bytes;
            if found >= bytes {
                break;
            }
        }
        BacklogRead::Events(taken)
    }

    /// How many bytes of events can be read after `after`.
    pub(crate) fn bytes_after(&self, after: Seq) -> usize {
        let ring = self.lock();
        let newer = ring.segments.iter().rev().take_while(|segment| segment.last() > after.0);
        newer.map(|segment| segment.extent(after, Seq(segment.last())).1).sum()
    }

    /// The number of the oldest event that can be read; one past the head when there is none.
    pub(crate) fn oldest(&self) -> Seq {
        let ring = self.lock();
        Seq(ring.segments.front().map_or(self.head.seq() + 1, |segment| segment.first()))
    }

    /// The number in the middle of what can be read: a position from which a reader has half the backlog to catch up.
    pub(crate) fn middle(&self) -> Seq {
        let (oldest, head) = (self.oldest().0, self.head.seq());
        Seq((oldest + (head + 1).saturating_sub(oldest) / 2).min(head))
    }

    /// The segment that holds `seq`, if it is still here.
    pub(crate) fn segment_of(&self, seq: Seq) -> Option<Arc<Segment>> {
        let ring = self.lock();
        let index = ring.segments.partition_point(|segment| segment.last() < seq.0);
        ring.segments.get(index).filter(|segment| segment.first() <= seq.0).map(Arc::clone)
    }

    /// Swaps what a change is about for what it is now: messages, and edits that it supersedes. Readers that have read them keep what they
    /// read.
    pub(crate) fn amend(&self, change: &Change) {
        let mut guard = self.lock();
        let ring = &mut *guard;
        let before = ring.weight();
        let first = ring.segments.partition_point(|segment| segment.last() < change.first().0);
        for segment in ring.segments.range_mut(first..) {
            if let Some(fresh) = segment.rewritten(|seq, kind, json| change.rewrite(seq, kind, json)) {
                ring.bytes = ring.bytes - segment.size().bytes + fresh.size().bytes;
                *segment = Arc::new(fresh);
            }
        }
        self.budget.change(before, ring.weight());
    }

    /// Writes reactions into messages that take no more: each with its encoded list, in the order of the messages.
    pub(crate) fn freeze(&self, lists: &[(Seq, Arc<[u8]>)]) {
        let (Some((first, _)), Some((last, _))) = (lists.first(), lists.last()) else { return };
        let mut guard = self.lock();
        let ring = &mut *guard;
        let before = ring.weight();
        let is_in = |segment: &Segment| segment.last() >= first.0 && segment.first() <= last.0;
        for segment in ring.segments.iter_mut().filter(|segment| is_in(segment)) {
            let with = |seq: Seq, kind: FrameKind, json: &[u8]| {
                let index = lists.binary_search_by_key(&seq, |(message, _)| *message).ok()?;
                let (_, list) = &lists[index];
                // One that was taken back has none: it is not among them.
                if kind == FrameKind::Message { with_reactions(json, list) } else { None }
            };
            if let Some(fresh) = segment.rewritten(with) {
                ring.bytes = ring.bytes - segment.size().bytes + fresh.size().bytes;
                *segment = Arc::new(fresh);
            }
        }
        self.budget.change(before, ring.weight());
    }

    fn lock(&self) -> MutexGuard<'_, Ring> {
        lock(&self.ring)
    }
}

#[cfg(test)]
mod tests;
