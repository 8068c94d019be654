//! Frames due to one session, in order: welcome, answers, the end, and then each room in turn.
//!
//! One pass serves everything: history, live delivery, resuming and catching up all read on from a position.

use std::sync::Arc;

use bytes::Bytes;

use crate::domain::RoomCloseReason;
use crate::engine::feed::backlog::BacklogRead;
use crate::engine::feed::room_feed::{GapView, RoomFeed};
use crate::engine::session::cell::{FrameEffect, SessionCell, SessionState, Span, Spans};
use crate::engine::session::connection_state::ConnectionState;
use crate::engine::session::rooms::RoomSlot;
use crate::engine::session::welcome::{ResumedRoom, Welcome};
use crate::engine::shared::Shared;
#[cfg(feature = "fault_injection")]
use crate::fault_injection::{self, Bug};
use crate::meters::Micros;
use crate::types::{Position, RoomCode, Seq};
use crate::wire::{self, FrameKind};

/// One frame that is due, as a transport's framing sees it.
#[non_exhaustive]
pub struct FrameRef<'a> {
    /// Its `type`, without parsing it.
    pub kind: FrameKind,
    /// The frame.
    pub json: &'a [u8],
    /// What the transport gave with the command that this answers.
    pub tag: Option<u64>,
    /// Where the session stands in each room once this frame has been read.
    pub positions: Positions<'a>,
}

impl<'a> FrameRef<'a> {
    /// The last frame of a connection; it has no positions.
    pub(crate) fn closing(json: &'a [u8]) -> Self {
        Self { kind: FrameKind::Closing, json, tag: None, positions: Positions { rooms: &[], resumed: &[] } }
    }
}

/// Positions of a session, one per room.
#[derive(Clone, Copy)]
pub struct Positions<'a> {
    rooms: &'a [RoomSlot],
    resumed: &'a [ResumedRoom],
}

impl<'a> Positions<'a> {
    pub(crate) fn of(state: &'a SessionState) -> Self {
        Self { rooms: &state.rooms.slots, resumed: &state.rooms.resumed }
    }

    /// Each room with its position, in the order they were entered; then those that have not said yet whether the session is in them.
    pub fn iter(self) -> impl Iterator<Item = (&'a RoomCode, Position)> {
        let entered = self.rooms.iter().filter(|slot| slot.joined_is_out()).map(|slot| {
            let feed = &slot.feed;
            (&feed.code, Position { epoch: feed.epoch, seq: slot.ahead })
        });
        let resumed = self.resumed.iter().filter_map(|room| Some((&room.code, room.named?)));
        entered.chain(resumed)
    }
}

impl RoomSlot {
    /// Whether the client knows of this room yet, or will with the fill in hand.
    fn joined_is_out(&self) -> bool {
        self.pending.is_none() || self.joined_ahead
    }
}

/// What a framing adds to an event, at most, if it is WebSocket's (RFC 6455, section 5.2). One byte too few, and the buffer moves.
const FRAMING_BYTES: usize = 10;

/// How much one pull may take.
#[derive(Clone, Copy)]
pub(crate) struct FillLimit {
    pub(crate) frames: usize,
    pub(crate) bytes: usize,
}

/// Takes frames one after the other; says how many bytes it holds now.
pub(crate) trait Sink {
    fn take(&mut self, frame: FrameRef<'_>) -> usize;

    /// About so many bytes come next.
    fn expect(&mut self, _bytes: usize) {}
}

/// What a pull has come to.
#[derive(Default)]
pub(crate) struct Pulled {
    /// How many events each gap leaves out.
    pub(crate) gaps: Vec<u64>,
    /// Rooms to be asked for a view of themselves, for a gap, once nothing is locked any more.
    pub(crate) asks: Vec<RoomCode>,
    /// Nothing was left for want of room, and nothing becomes due by what was pulled being taken.
    pub(crate) is_all: bool,
    /// When one of its events was published, if one of them is timed.
    pub(crate) published: Option<Micros>,
}

/// Gives `sink` what is due, up to `limit` (and at least one frame), and puts their marks into `filled`.
pub(crate) fn pull(
    shared: &Arc<Shared>,
    cell: &Arc<SessionCell>,
    state: &mut SessionState,
    connection: &Arc<ConnectionState>,
    limit: FillLimit,
    sink: &mut impl Sink,
    filled: &mut Spans,
) -> Pulled {
    let mut pull = Pull {
        shared,
        cell,
        connection,
        limit,
        held: 0,
        sink,
        filled,
        gaps: Vec::new(),
        asks: Vec::new(),
        published: None,
        is_cut: false,
    };
    pull.all(state);
    // The end of one stay makes way for the next one, and for the end of its room.
    let is_all = !pull.is_cut
        && !pull.is_full()
        && (!connection.looks_at_subscriptions() || state.rooms.slots.iter().all(RoomSlot::is_open));
    Pulled { gaps: pull.gaps, asks: pull.asks, is_all, published: pull.published }
}

pub(super) struct Pull<'a, S> {
    pub(super) shared: &'a Arc<Shared>,
    pub(super) cell: &'a Arc<SessionCell>,
    pub(super) connection: &'a Arc<ConnectionState>,
    limit: FillLimit,
    held: usize,
    sink: &'a mut S,
    filled: &'a mut Spans,
    gaps: Vec<u64>,
    asks: Vec<RoomCode>,
    published: Option<Micros>,
    /// A room had more than its share of this pull, or an answer has to be looked for again.
    pub(super) is_cut: bool,
}

impl<S: Sink> Pull<'_, S> {
    fn all(&mut self, state: &mut SessionState) {
        // What an earlier fill held and the socket did not take is not ahead any more; every frame of this one says so.
        state.rooms.roll_back();
        match &state.welcome {
            Welcome::Awaited { .. } => return,
            Welcome::Due(json) => {
                let json = json.clone();
                // What went by before there was anything to be read is nobody's slowness.
                for slot in &mut state.rooms.slots {
                    slot.has_come_late();
                }
                self.one(state, FrameEffect::Welcome, FrameKind::Welcome, &json, None);
            }
            Welcome::Told => {}
        }
        if self.connection.looks_at_subscriptions() {
            state.rooms.forget_finished();
        }
        for index in 0..state.answers.mailbox.len() {
            if self.is_full() {
                return;
            }
            let mail = &state.answers.mailbox[index];
            let (kind, json, tag) = (mail.kind, mail.json.clone(), mail.tag);
            self.one(state, FrameEffect::Answer, kind, &json, tag);
        }
        self.histories(state);
        let rooms = state.rooms.slots.len();
        if rooms == 0 {
            return;
        }
        let start = state.rooms.turn as usize;
        let quantum = if rooms == 1 { self.limit.bytes } else { self.shared.limits.session.room_quantum_bytes };
        for step in 0..rooms {
            if self.is_full() {
                return;
            }
            self.room(state, (start + step) % rooms, quantum);
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.held >= self.limit.bytes || self.filled.len() >= self.limit.frames
    }

    pub(super) fn one(
        &mut self,
        state: &SessionState,
        mark: FrameEffect,
        kind: FrameKind,
        json: &[u8],
        tag: Option<u64>,
    ) {
        let positions = Positions::of(state);
        self.held = self.sink.take(FrameRef { kind, json, tag, positions });
        self.filled.push(Span { end: self.held, mark });
    }

    fn room(&mut self, state: &mut SessionState, index: usize, quantum: usize) {
        if state.rooms.slots[index].pending.is_some() && !self.pending(state, index) {
            return;
        }
        let feed = Arc::clone(&state.rooms.slots[index].feed);
        let before = state.rooms.slots[index].ahead;
        self.events(state, index, &feed, quantum);
        // What a gap leaves out is not written.
        if self.gaps.is_empty() {
            self.published = self.published.or(feed.probe.within(before, state.rooms.slots[index].ahead));
        }
        if !self.connection.looks_at_subscriptions() || state.rooms.slots[index].is_open() {
            self.signals(state, index, &feed);
            if let Some(slots) = feed.slots.get() {
                self.slots(state, index, slots);
            }
            if self.connection.looks_at_subscriptions() {
                self.read_elsewhere(state, index);
            }
        } else {
            self.end(state, index, &feed);
        }
    }

    /// The last event of a room that may be read right now.
    ///
    /// The head is read first: a subscription that ends after that ends at an event past this head.
    fn readable(&self, slot: &RoomSlot) -> Seq {
        let head = slot.feed.backlog.head();
        if self.connection.looks_at_subscriptions() {
            slot.subscription.until().map_or(head, |until| head.min(until))
        } else {
            head
        }
    }

    fn events(&mut self, state: &mut SessionState, index: usize, feed: &RoomFeed, quantum: usize) {
        let stop = self.held.saturating_add(quantum).min(self.limit.bytes);
        let key = state.rooms.slots[index].key;
        loop {
            let after = state.rooms.slots[index].ahead;
            let readable = self.readable(&state.rooms.slots[index]);
            if after >= readable {
                return;
            }
            if self.is_full() || self.held >= stop {
                self.is_cut = true;
                return;
            }
            if state.rooms.slots[index].skips().is_some() {
                if !self.gap(state, index, feed, readable) {
                    return;
                }
                continue;
            }
            // For one frame one segment will do.
            let bytes = if self.limit.frames == 1 { 1 } else { stop - self.held };
            match feed.backlog.read(after, bytes) {
                BacklogRead::Missing => {
                    if !self.gap(state, index, feed, readable) {
                        return;
                    }
                }
                BacklogRead::Events(segments) => {
                    let sees = state.rooms.slots[index].subscription.sees;
                    for segment in &segments {
                        let after = state.rooms.slots[index].ahead;
                        let (events, bytes) = segment.extent(after, readable);
                        self.filled.reserve(events.min(self.limit.frames));
                        self.sink.expect((bytes + FRAMING_BYTES * events).min(self.limit.bytes));
                        for (seq, kind, json) in segment.events(after, readable) {
                            state.rooms.slots[index].ahead = seq;
                            #[cfg(feature = "fault_injection")]
                            if fault_injection::strikes(Bug::SkipEvent, seq) {
                                continue;
                            }
                            // In a room where everybody sees everything nothing is compared.
                            let hidden = if sees > Seq(0) { wire::hidden(kind, json, sees) } else { None };
                            let json = hidden.as_deref().unwrap_or(json);
                            self.one(state, FrameEffect::Event { slot: key, seq }, kind, json, None);
                            if self.held >= stop || self.filled.len() >= self.limit.frames {
                                self.is_cut = true;
                                return;
                            }
                        }
                    }
                }
            }
        }
    }

    /// Tells what will not come, where that can be told now; else sees to it that it can be told later.
    fn gap(&mut self, state: &mut SessionState, index: usize, feed: &RoomFeed, readable: Seq) -> bool {
        let slot = &state.rooms.slots[index];
        let key = slot.key;
        let after = slot.ahead;
        let view = match slot.subscription.until() {
            // Its end is on its way: the gap reaches to there, and wakes this reader when it is published.
            Some(until) if readable < until => return false,
            // The membership ended in the gap: there is no room to show any more.
            Some(_) => None,
            None => {
                if let Some(last) = slot.seldom.pace.last {
                    let next = last.after(self.shared.limits.session.gap_interval);
                    if self.shared.clock.now().mono < next {
                        let earlier = state.rooms.slots[index].seldom.make().pace.wait.replace(next);
                        #[cfg(feature = "fault_injection")]
                        let earlier = earlier.map(|at| if fault_injection::is(Bug::OversleepGap) { next } else { at });
                        if earlier != Some(next) {
                            self.shared.timers.wake_connection(next, self.connection);
                        }
                        return false;
                    }
                }
                let view = feed.gap_view.newest();
                // Past `readable` the membership may have ended meanwhile.
                let recent = view.filter(|view| view.seq <= readable && self.may_show(feed, view, slot));
                let Some(view) = recent else {
                    if feed.gap_view.ask() {
                        self.asks.push(feed.code.clone());
                    }
                    return false;
                };
                Some(view)
            }
        };
        let to = view.as_ref().map_or(readable, |view| view.seq);
        let rest = view.as_ref().map(|view| view.json.as_ref());
        let from = after.next();
        #[cfg(feature = "fault_injection")]
        let from =
            if slot.skips().is_some() && fault_injection::is(Bug::HideSkipped) { from.next().min(to) } else { from };
        let json = wire::gap(&feed.code, feed.epoch, from, to, rest);
        let mark = match view {
            Some(_) => FrameEffect::Gap { slot: key, to, bytes: u32::try_from(json.len()).unwrap_or(u32::MAX) },
            None => FrameEffect::LastGap { slot: key, to },
        };
        self.shared.count_gap(self.connection, slot.came_late);
        self.gaps.push(to.0 - after.0);
        state.rooms.slots[index].ahead = to;
        self.one(state, mark, FrameKind::Gap, &json, None);
        true
    }

    /// Whether a gap may go to this view of the room.
    fn may_show(&self, feed: &RoomFeed, view: &GapView, slot: &RoomSlot) -> bool {
        match slot.skips() {
            // Before the middle of the backlog the next gap would soon follow; and what is missing lies there too.
            None => view.seq >= feed.backlog.middle(),
            // Who skips what is there wants the room as it was then, or later.
            Some(then) => {
                let is_fresh = then.since(view.made) <= self.shared.limits.room.gap_view_interval;
                is_fresh && view.seq > slot.ahead && view.seq.next() >= feed.backlog.oldest()
            }
        }
    }

    fn signals(&mut self, state: &mut SessionState, index: usize, feed: &RoomFeed) {
        let key = state.rooms.slots[index].key;
        for (kind, signal) in feed.signals.iter().enumerate() {
            let version = signal.version();
            if version != state.rooms.slots[index].seen[kind] && !self.is_full() {
                let json: Bytes = signal.json();
                if json.is_empty() {
                    state.rooms.slots[index].seen[kind] = version;
                    continue;
                }
                self.one(state, FrameEffect::Signal { slot: key, kind, version }, signal.kind, &json, None);
            }
        }
    }

    /// Tells what another session of the person has read.
    fn read_elsewhere(&mut self, state: &mut SessionState, index: usize) {
        let slot = &state.rooms.slots[index];
        let key = slot.key;
        if let Some((version, json)) = slot.subscription.read_elsewhere(slot.seldom.read).filter(|_| !self.is_full()) {
            self.one(state, FrameEffect::Read { slot: key, version }, FrameKind::Read, &json, None);
        }
    }

    /// Tells of the end of a room, or of a membership, where no event does.
    fn end(&mut self, state: &mut SessionState, index: usize, feed: &RoomFeed) {
        let slot = &state.rooms.slots[index];
        let (key, subscription) = (slot.key, &slot.subscription);
        let is_at_the_end = subscription.until().is_some_and(|until| slot.ahead >= until);
        if !is_at_the_end || !subscription.has_end_frame() || slot.end_told || self.is_full() {
            return;
        }
        let (kind, json) = if subscription.is_closed() {
            let cause = feed.closed.get().copied().unwrap_or(RoomCloseReason::Fault);
            (FrameKind::RoomClosed, wire::room_closed(&feed.code, feed.epoch, cause))
        } else {
            if self
                .filled
                .last()
                .is_some_and(|last| matches!(last.mark, FrameEffect::LastGap { slot, .. } if slot == key))
            {
                // The gap says so.
                state.rooms.slots[index].end_ahead = true;
                return;
            }
            let at = Position { epoch: feed.epoch, seq: slot.ahead };
            (FrameKind::MemberLeft, wire::left_quietly(&feed.code, at, subscription.member, &subscription.nick()))
        };
        state.rooms.slots[index].end_ahead = true;
        self.one(state, FrameEffect::End { slot: key }, kind, &json, None);
    }
}
