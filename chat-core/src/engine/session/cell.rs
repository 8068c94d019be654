//! A session's own state: its rooms with a position each, its answers, and which connection it is on.
//!
//! Never here: messages. A session holds positions; what lies behind them is the rooms' backlogs.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use smallvec::SmallVec;

use crate::engine::feed::life::{Life, PRESENCE, TYPING};
use crate::engine::feed::page::Page;
use crate::engine::session::addresses::AddressCell;
use crate::engine::session::answers::{Answers, Mail, Opening, PageInHand, PageOf};
use crate::engine::session::bucket::Bucket;
use crate::engine::session::connection::Connection;
use crate::engine::session::policy_queue::PolicyQueue;
use crate::engine::session::reply::Answered;
use crate::engine::session::subscription::Subscription;
use crate::engine::session::welcome::{Return, Welcome};
#[cfg(feature = "planted")]
use crate::planted::{self, Bug};
use crate::wire::FrameKind;
use crate::words::{
    EngineLimits, Generation, Identity, Mono, Position, RejectCode, RoomCode, Seq, SessionId, SessionLimits,
};

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
    pub(crate) connection: Option<Arc<Connection>>,
    /// Rooms in the order they were entered.
    pub(crate) rooms: SmallVec<[RoomSlot; 1]>,
    /// Which room is served first: the one after that whose frame was taken last.
    pub(crate) turn: usize,
    /// Commands not yet answered, or answered and not yet taken.
    pub(crate) in_flight: usize,
    /// Answers not yet taken by the transport.
    pub(crate) answers: Answers,
    /// The first frame of the connection. Nothing else is due before it.
    pub(crate) welcome: Welcome,
    /// Of the newest connection, past or present.
    pub(crate) generation: Generation,
    pub(crate) identity: Option<Identity>,
    /// Where it stood in rooms that it has not come back to yet.
    pub(crate) left_off: Vec<LeftOff>,
    /// Rooms that are asked where it stands in them now, or could not say.
    pub(crate) returning: Vec<Return>,
    /// Joins and creations not yet decided.
    pub(crate) entering: usize,
    /// Commands that wait for the policy; `None` before the first.
    pub(crate) asking: Option<Box<PolicyQueue>>,
    pub(crate) sends: Bucket,
    /// Bytes of text.
    pub(crate) said_bytes: Bucket,
    pub(crate) commands: Bucket,
    /// Rooms named that are not there.
    pub(crate) misses: Bucket,
    /// Commands refused for what they are.
    pub(crate) refusals: Bucket,
    pub(crate) next_slot: u32,
    miss_burst: u32,
    refusal_burst: u32,
    /// Since when it has no connection.
    pub(crate) detached: Mono,
    /// It is counted among those that have none.
    pub(crate) is_counted: bool,
    /// Where its last connection came from; it is counted there too.
    pub(crate) gone_from: Option<Arc<AddressCell>>,
}

/// One room of a session.
pub(crate) struct RoomSlot {
    /// Names the slot: a session may leave a room and enter it again before the transport has written the first stay.
    pub(crate) key: u32,
    pub(crate) subscription: Arc<Subscription>,
    /// The subscription's: read with every wake-up, and the subscription only once something has ended.
    pub(crate) life: Arc<Life>,
    /// The last event the transport has taken.
    pub(crate) cursor: Seq,
    /// The last event of the fill in hand.
    pub(crate) ahead: Seq,
    /// The frame that sets the position; before anything else of the room.
    pub(crate) opening: Option<Box<Opening>>,
    /// The opening is in the fill in hand.
    pub(crate) opening_ahead: bool,
    /// Versions of the signals the client has.
    pub(crate) seen: [u32; 2],
    /// Once there was a gap.
    pub(crate) pace: Option<Box<Pace>>,
    /// It was told of its end, where a frame that is no event tells of that.
    pub(crate) end_told: bool,
    /// It came in behind the backlog, or the backlog went on before its connection was welcomed: a gap is no surprise.
    pub(crate) came_late: bool,
}

/// How often a session hears of gaps in one room.
#[derive(Default)]
pub(crate) struct Pace {
    pub(crate) last: Option<Mono>,
    /// When the connection will be woken for the next one.
    pub(crate) wait: Option<Mono>,
}

/// Where a session stood in a room when it lost its connection.
#[derive(Clone)]
pub(crate) struct LeftOff {
    pub(crate) code: RoomCode,
    /// The life, and the last event of it that the transport has taken.
    pub(crate) position: Position,
}

/// The frames of a fill, in order; mostly one.
pub(crate) type Spans = SmallVec<[Span; 1]>;

/// A frame of a fill: where it ends, and what its being written means.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) end: usize,
    pub(crate) mark: Mark,
}

/// What moves when a frame has been taken by the transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    Welcome,
    Closing,
    Answer,
    History {
        key: u32,
    },
    Opening {
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
    End {
        slot: u32,
    },
}

impl Mark {
    /// Whether applying `self` leaves nothing of applying `earlier`.
    pub(crate) fn passes(self, earlier: Mark) -> bool {
        matches!((earlier, self), (Mark::Event { slot: one, .. }, Mark::Event { slot: other, .. }) if one == other)
    }
}

impl RoomSlot {
    /// Whether what comes next has left the backlog by now: there will be a gap, though nobody was slow.
    pub(crate) fn has_come_late(&mut self) -> bool {
        self.came_late |= self.cursor.next() < self.life.backlog.oldest();
        self.came_late
    }

    /// Whether the session is in the room, as far as it has been published.
    pub(crate) fn is_open(&self) -> bool {
        self.subscription.until().is_none()
    }

    /// Whether everything that this slot will ever tell has been told.
    pub(crate) fn is_finished(&self) -> bool {
        self.opening.is_none()
            && self.subscription.until().is_some_and(|until| self.cursor >= until)
            && (!self.subscription.has_end_frame() || self.end_told)
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
                welcome: Welcome::Awaited { _rooms: None },
                answers: Answers::default(),
                in_flight: 0,
                rooms: SmallVec::new(),
                left_off: Vec::new(),
                returning: Vec::new(),
                entering: 0,
                turn: 0,
                next_slot: 0,
                asking: None,
                sends: Bucket::full(limits.send_burst, now),
                said_bytes: Bucket::full(limits.said_bytes_burst, now),
                commands: Bucket::full(limits.command_burst, now),
                misses: Bucket::full(limits.miss_burst, now),
                refusals: Bucket::full(limits.refusal_burst, now),
                miss_burst: limits.miss_burst,
                refusal_burst: limits.refusal_burst,
                detached: now,
                is_counted: false,
                gone_from: None,
            }),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, SessionState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state, if `connection` is still the one this session is on.
    pub(crate) fn lock_for(&self, connection: &Arc<Connection>) -> Option<MutexGuard<'_, SessionState>> {
        Some(self.lock()).filter(|state| state.is_on(connection))
    }

    /// Puts an answer into the mailbox; one of an older connection is nobody's any more.
    pub(crate) fn mail(&self, connection: &Arc<Connection>, answered: Answered, tag: Option<u64>, reserved: usize) {
        if let Some(mut state) = self.lock_for(connection) {
            state.answers.release(reserved);
            state.answers.push(Mail { kind: answered.kind, json: answered.json, tag });
        }
        connection.wake.wake();
    }

    /// A command has been answered outside the mailbox.
    pub(crate) fn answered(&self, connection: &Arc<Connection>, reserved: usize) {
        if let Some(mut state) = self.lock_for(connection) {
            state.answers.release(reserved);
            state.in_flight = state.in_flight.saturating_sub(1);
        }
        connection.wake.wake();
    }
}

impl SessionState {
    pub(crate) fn is_on(&self, connection: &Arc<Connection>) -> bool {
        self.connection.as_ref().is_some_and(|current| Arc::ptr_eq(current, connection))
    }

    /// Whether another command may be taken in.
    pub(crate) fn takes_more(&self, limits: &SessionLimits) -> bool {
        self.in_flight < limits.commands_in_flight_max && self.answers.have_room(limits)
    }

    /// Whether its last connection was this one, and it has none now.
    pub(crate) fn is_gone_since(&self, generation: Generation) -> bool {
        self.generation == generation && self.connection.is_none()
    }

    /// Adds something to say that answers no command.
    pub(crate) fn mail_extra(&mut self, kind: FrameKind, json: Bytes) {
        // Counted like an answer, because taking it ends one.
        self.in_flight += 1;
        self.answers.push(Mail { kind, json, tag: None });
    }

    /// Takes up a room. `came_late` where the position lies before the backlog.
    pub(crate) fn enter(&mut self, subscription: Arc<Subscription>, opening: Option<Opening>, came_late: bool) {
        let key = self.next_slot;
        self.next_slot = self.next_slot.wrapping_add(1);
        let from = subscription.from;
        let life = &subscription.life;
        self.left_off.retain(|stay| stay.code != life.code);
        self.returning.retain(|room| room.code != life.code || room.is_awaited());
        // Who is shown the room afresh has heard of no signal; who goes on may have.
        let seen = match opening {
            Some(_) => [TYPING, PRESENCE].map(|kind| life.signals[kind].heard_by_newcomer()),
            None => [0; 2],
        };
        self.answers.hold(opening.as_ref().map_or(0, Opening::weight));
        self.rooms.push(RoomSlot {
            key,
            life: Arc::clone(life),
            subscription,
            cursor: from,
            ahead: from,
            opening: opening.map(Box::new),
            opening_ahead: false,
            seen,
            pace: None,
            end_told: false,
            came_late,
        });
    }

    /// Keeps where it stands in its rooms and lets go of the rooms, and of all that was for the connection: a session may be without
    /// one for a day, and is not to keep the backlogs of closed rooms for so long.
    pub(crate) fn leave_off(&mut self) {
        (self.welcome, self.answers) = (Welcome::Awaited { _rooms: None }, Answers::default());
        for slot in self.rooms.drain(..) {
            let life = &slot.life;
            let position = Position { epoch: life.epoch, seq: slot.cursor };
            // Of two stays in one room the later counts.
            self.left_off.retain(|stay| stay.code != life.code);
            self.left_off.push(LeftOff { code: life.code.clone(), position });
        }
        self.rooms = SmallVec::new();
        self.returning = Vec::new();
        self.left_off.shrink_to_fit();
    }

    /// A frame has been taken by the transport: the one place where positions move.
    pub(crate) fn commit(&mut self, mark: Mark, limits: &EngineLimits, now: impl FnOnce() -> Mono) {
        match mark {
            Mark::Welcome => self.welcome = Welcome::Told,
            Mark::Closing => unreachable!("the end of a connection is not the session's"),
            Mark::Answer => {
                self.answers.pop();
                self.in_flight = self.in_flight.saturating_sub(1);
            }
            Mark::History { key } => {
                if self.answers.remove_history(key) {
                    self.in_flight = self.in_flight.saturating_sub(1);
                }
            }
            Mark::Opening { slot } => {
                let Some(opening) = self.slot(slot).and_then(|slot| slot.opening.take()) else { return };
                self.answers.let_go(opening.weight());
                self.answers.taken(&opening.read);
                if opening.answers {
                    self.in_flight = self.in_flight.saturating_sub(1);
                }
            }
            Mark::Event { slot, seq } => {
                let Some(slot) = self.slot(slot) else { return };
                slot.cursor = seq;
            }
            Mark::Gap { slot, to, bytes } => {
                if let Some(purse) = self.connection.as_ref().and_then(|connection| connection.purse.as_ref()) {
                    purse.answer_unasked(bytes, limits);
                }
                let Some(slot) = self.slot(slot) else { return };
                slot.cursor = to;
                slot.pace.get_or_insert_default().last = Some(now());
                slot.came_late = false;
            }
            Mark::LastGap { slot, to } => {
                let Some(slot) = self.slot(slot) else { return };
                slot.cursor = to;
                slot.end_told = !slot.subscription.is_closed();
            }
            Mark::Signal { slot, kind, version } => {
                let Some(slot) = self.slot(slot) else { return };
                slot.seen[kind] = version;
            }
            Mark::End { slot } => {
                let Some(slot) = self.slot(slot) else { return };
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
            PageOf::Opening { slot } => {
                let slot = self.rooms.iter_mut().find(|other| other.key == slot);
                slot.and_then(|slot| slot.opening.as_mut()).map(|opening| &mut opening.read)
            }
        };
        match read {
            Some(read) => read.page = Some(page),
            None => self.answers.page = PageInHand::None,
        }
    }

    /// A room was named that is not there.
    pub(crate) fn miss(&mut self) {
        self.misses.owe(self.miss_burst);
    }

    /// A command was refused. What the server cannot do is not the client's fault.
    pub(crate) fn refused(&mut self, code: RejectCode) {
        use RejectCode::{AtCapacity, Busy, Draining, Unavailable};
        let is_own_fault = !matches!(code, AtCapacity | Busy | Draining | Unavailable);
        #[cfg(feature = "planted")]
        let is_own_fault = is_own_fault || (code == Unavailable && planted::is(Bug::BlameClient));
        if is_own_fault {
            self.refusals.owe(self.refusal_burst);
        }
    }

    /// What a fill held and the transport did not take is not ahead any more.
    pub(crate) fn roll_back(&mut self) {
        for slot in &mut self.rooms {
            slot.ahead = slot.cursor;
            slot.opening_ahead = false;
        }
    }

    /// Drops the rooms that have nothing more to tell. Some of them have an end.
    pub(crate) fn forget_finished(&mut self) {
        if self.rooms.iter().any(RoomSlot::is_finished) {
            self.rooms.retain(|slot| !slot.is_finished());
        }
    }

    /// The room of a frame that has been taken; the next one has its turn.
    fn slot(&mut self, key: u32) -> Option<&mut RoomSlot> {
        let index = self.rooms.iter().position(|slot| slot.key == key)?;
        self.turn = index + 1;
        Some(&mut self.rooms[index])
    }
}
