//! A session's own state: its rooms with a position each, its answers, and which connection it is on.
//!
//! Never here: messages. A session holds positions; what lies behind them is the rooms' backlogs.

use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use smallvec::SmallVec;

use crate::engine::feed::page::Page;
use crate::engine::feed::signal_slot::{PRESENCE, TYPING};
use crate::engine::feed::slots::SlotsHeard;
use crate::engine::session::addresses::AddressCell;
use crate::engine::session::allowance::Allowance;
use crate::engine::session::answers::{Answers, Mail, PageInHand, PageOf, PendingJoined};
use crate::engine::session::connection_state::ConnectionState;
use crate::engine::session::policy_queue::PolicyQueue;
use crate::engine::session::reply::Answered;
use crate::engine::session::rooms::{Arrival, Pace, RoomSlot, Rooms, SeldomHeard};
use crate::engine::session::subscription::Subscription;
use crate::engine::session::welcome::{Awaited, Welcome};
use crate::locks::lock;
use crate::types::{EngineLimits, Generation, Identity, Mono, Seq, SessionId, SessionLimits};
use crate::wire::FrameKind;

/// One session, with or without a connection.
pub(crate) struct SessionCell {
    pub(crate) id: SessionId,
    state: Mutex<SessionState>,
}

/// In the order in which a wake-up reads it: a server of many connections spends its time waiting for memory, and the first
/// fields share as few cache lines as they can.
#[repr(C)]
pub(crate) struct SessionState {
    /// The connection it is on; `None` while it has none.
    pub(crate) connection: Option<Arc<ConnectionState>>,
    pub(crate) rooms: Rooms,
    /// Answers not yet taken by the transport.
    pub(crate) answers: Answers,
    /// The first frame of the connection. Nothing else is due before it.
    pub(crate) welcome: Welcome,
    /// Of the newest connection, past or present.
    pub(crate) generation: Generation,
    pub(crate) identity: Option<Identity>,
    /// The newest generation of its tokens and cursors that was used, as far as is known: older ones are superseded.
    pub(crate) newest_used: u32,
    /// Commands that wait for the policy; `None` before the first.
    pub(crate) asking: Option<Box<PolicyQueue>>,
    pub(crate) allowance: Allowance,
    /// Since when it has no connection.
    pub(crate) detached: Mono,
    /// It is counted among those that have none.
    pub(crate) is_counted: bool,
    /// It has been ended for good, and goes with its connection.
    pub(crate) is_ended: bool,
    /// Where its last connection came from; it is counted there too.
    pub(crate) gone_from: Option<Arc<AddressCell>>,
}

/// The frames of a fill, in order; mostly one.
pub(crate) type Spans = SmallVec<[Span; 1]>;

/// A frame of a fill: where it ends, and what its being written means.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) end: usize,
    pub(crate) mark: FrameEffect,
}

/// What moves when a frame has been taken by the transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FrameEffect {
    Welcome,
    Closing,
    Answer,
    History {
        key: u32,
    },
    PendingJoined {
        slot: u32,
    },
    Event {
        slot: u32,
        seq: Seq,
    },
    Gap {
        slot: u32,
        to: Seq,
        bytes: u32,
    },
    /// A gap in which the membership has ended: it says so.
    LastGap {
        slot: u32,
        to: Seq,
    },
    Signal {
        slot: u32,
        kind: usize,
        version: u32,
    },
    /// A message grows; what the client shows is this revision of it.
    Live {
        slot: u32,
        target: Seq,
        revision: u32,
    },
    /// A message does not grow any more.
    LiveEnded {
        slot: u32,
        target: Seq,
    },
    /// What members show of themselves.
    Signals {
        slot: u32,
        version: u32,
    },
    Read {
        slot: u32,
        version: u32,
    },
    End {
        slot: u32,
    },
}

impl FrameEffect {
    /// Whether applying `self` leaves nothing of applying `earlier`.
    pub(crate) fn passes(self, earlier: FrameEffect) -> bool {
        matches!((earlier, self), (FrameEffect::Event { slot: one, .. }, FrameEffect::Event { slot: other, .. }) if one == other)
    }
}

impl SessionCell {
    pub(crate) fn new(id: SessionId, identity: Option<Identity>, limits: &SessionLimits, now: Mono) -> Self {
        Self {
            id,
            state: Mutex::new(SessionState {
                connection: None,
                generation: Generation(0),
                identity,
                newest_used: 0,
                welcome: Welcome::Awaited(Awaited::default()),
                answers: Answers::default(),
                rooms: Rooms::default(),
                asking: None,
                allowance: Allowance::full(limits, now),
                detached: now,
                is_counted: false,
                is_ended: false,
                gone_from: None,
            }),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, SessionState> {
        lock(&self.state)
    }

    /// The state, if `connection` is still the one this session is on.
    pub(crate) fn lock_for(&self, connection: &Arc<ConnectionState>) -> Option<MutexGuard<'_, SessionState>> {
        Some(self.lock()).filter(|state| state.is_on(connection))
    }

    /// Uses a credential of this generation. `false` for one that was superseded, as a newer one has been used, and of a session that was
    /// ended.
    ///
    /// The one that was made last supersedes nothing before it is used. It may have been lost on its way, and its client locked out.
    pub(crate) fn use_generation(&self, generation: u32) -> bool {
        let mut state = self.lock();
        let is_good = generation >= state.newest_used && !state.is_ended;
        state.newest_used = state.newest_used.max(generation);
        is_good
    }

    /// Puts an answer into the mailbox; one of an older connection is nobody's any more.
    pub(crate) fn mail(
        &self,
        connection: &Arc<ConnectionState>,
        answered: Answered,
        tag: Option<u64>,
        reserved: usize,
    ) {
        if let Some(mut state) = self.lock_for(connection) {
            state.answers.release(reserved);
            state.answers.push(Mail { kind: answered.kind, json: answered.json, tag });
        }
        connection.wake.wake();
    }

    /// A command has been answered outside the mailbox.
    pub(crate) fn answered(&self, connection: &Arc<ConnectionState>, reserved: usize) {
        if let Some(mut state) = self.lock_for(connection) {
            state.answers.release(reserved);
            state.answers.one_done();
        }
        connection.wake.wake();
    }
}

impl SessionState {
    pub(crate) fn is_on(&self, connection: &Arc<ConnectionState>) -> bool {
        self.connection.as_ref().is_some_and(|current| Arc::ptr_eq(current, connection))
    }

    /// Whether another command may be taken in.
    pub(crate) fn takes_more(&self, limits: &SessionLimits) -> bool {
        !self.is_ended && self.answers.in_flight < limits.commands_in_flight_max && self.answers.have_room(limits)
    }

    /// Whether its last connection was this one, and it has none now.
    pub(crate) fn is_gone_since(&self, generation: Generation) -> bool {
        self.generation == generation && self.connection.is_none()
    }

    /// Adds something to say that answers no command.
    pub(crate) fn mail_extra(&mut self, kind: FrameKind, json: Bytes) {
        // Counted like an answer, because taking it ends one.
        self.answers.in_flight += 1;
        self.answers.push(Mail { kind, json, tag: None });
    }

    /// Takes up a room.
    pub(crate) fn enter(&mut self, subscription: Arc<Subscription>, pending: Option<PendingJoined>, arrival: Arrival) {
        let key = self.rooms.next_key();
        let from = subscription.from;
        let feed = &subscription.feed;
        self.rooms.forget(&feed.code);
        // A session that is shown the room afresh has heard of no signal; one that goes on may have.
        let seen = match pending {
            Some(_) => [TYPING, PRESENCE].map(|kind| feed.signals[kind].heard_by_newcomer()),
            None => [0; 2],
        };
        let slots = feed.slots.get().map(|slots| SlotsHeard::on_entry(slots, pending.is_some())).unwrap_or_default();
        let catches_up = if let Arrival::CatchingUp(at) = arrival { Some(at) } else { None };
        let pace = Pace { catches_up, ..Pace::default() };
        self.answers.hold(pending.as_ref().map_or(0, PendingJoined::weight));
        self.rooms.slots.push(RoomSlot {
            key,
            feed: Arc::clone(feed),
            subscription,
            cursor: from,
            ahead: from,
            pending: pending.map(Box::new),
            joined_ahead: false,
            seen,
            seldom: SeldomHeard { pace, slots, read: 0 }.into(),
            end_told: false,
            end_ahead: false,
            came_late: arrival != Arrival::InTime,
        });
    }

    /// Keeps where it stands in its rooms and lets go of the rooms, and of all that was for the connection: a session may be without
    /// one for a day, and is not to keep the backlogs of closed rooms for so long.
    pub(crate) fn leave_off(&mut self) {
        (self.welcome, self.answers) = (Welcome::Awaited(Awaited::default()), Answers::default());
        self.rooms.leave_off();
    }

    /// A frame has been taken by the transport: the one place where positions move.
    pub(crate) fn commit(&mut self, mark: FrameEffect, limits: &EngineLimits, now: impl FnOnce() -> Mono) {
        match mark {
            FrameEffect::Welcome => self.welcome = Welcome::Told,
            FrameEffect::Closing => unreachable!("the end of a connection is not the session's"),
            FrameEffect::Answer => {
                self.answers.pop();
                self.answers.one_done();
            }
            FrameEffect::History { key } => {
                if self.answers.remove_history(key) {
                    self.answers.one_done();
                }
            }
            FrameEffect::PendingJoined { slot } => {
                let Some(pending) = self.rooms.slot(slot).and_then(|slot| slot.pending.take()) else { return };
                self.answers.let_go(pending.weight());
                self.answers.taken(&pending.read);
                if pending.answers {
                    self.answers.one_done();
                }
            }
            FrameEffect::Event { slot, seq } => {
                let Some(slot) = self.rooms.slot(slot) else { return };
                slot.cursor = seq;
            }
            FrameEffect::Gap { slot, to, bytes } => {
                let Some(slot) = self.rooms.slot(slot) else { return };
                slot.cursor = to;
                slot.seldom.make().pace.last = Some(now());
                let came_late = std::mem::take(&mut slot.came_late);
                let connection = self.connection.as_ref();
                if let Some(shared_allowance) = connection.and_then(|connection| connection.shared_allowance.as_ref()) {
                    // Who comes back to a gap has asked for it; who falls behind has not.
                    match came_late {
                        true => shared_allowance.answer(bytes),
                        false => shared_allowance.answer_unasked(bytes, limits),
                    }
                }
            }
            FrameEffect::LastGap { slot, to } => {
                let Some(slot) = self.rooms.slot(slot) else { return };
                slot.cursor = to;
                slot.end_told = !slot.subscription.is_closed();
            }
            FrameEffect::Signal { slot, kind, version } => {
                let Some(slot) = self.rooms.slot(slot) else { return };
                slot.seen[kind] = version;
            }
            FrameEffect::Live { slot, target, revision } => {
                let Some(slot) = self.rooms.slot(slot) else { return };
                slot.seldom.make().slots.note_live(target, revision);
            }
            FrameEffect::LiveEnded { slot, target } => {
                let Some(slot) = self.rooms.slot(slot) else { return };
                slot.seldom.make().slots.live.retain(|(known, _)| *known != target);
            }
            FrameEffect::Signals { slot, version } => {
                let Some(slot) = self.rooms.slot(slot) else { return };
                slot.seldom.make().slots.signals_version = version;
            }
            FrameEffect::Read { slot, version } => {
                let Some(slot) = self.rooms.slot(slot) else { return };
                slot.seldom.make().read = version;
            }
            FrameEffect::End { slot } => {
                let Some(slot) = self.rooms.slot(slot) else { return };
                slot.end_told = true;
            }
        }
    }

    /// A page that was fetched is in hand, if it is still waited for.
    pub(crate) fn fetched(&mut self, of: PageOf, page: Page) {
        let read = match of {
            PageOf::History { key } => {
                let mut histories = self.answers.histories.iter_mut();
                histories.find(|history| history.key == key).map(|history| &mut history.read)
            }
            PageOf::PendingJoined { slot } => {
                let slot = self.rooms.slots.iter_mut().find(|other| other.key == slot);
                slot.and_then(|slot| slot.pending.as_mut()).map(|pending| &mut pending.read)
            }
        };
        match read {
            Some(read) => read.page = Some(page),
            None => self.answers.page = PageInHand::None,
        }
    }
}
