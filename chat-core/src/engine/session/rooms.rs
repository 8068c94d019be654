//! The rooms of one session: where it stands in each, those it has not come back to yet, and whose turn it is.

use std::sync::Arc;

use smallvec::SmallVec;
use thin_vec::ThinVec;

use crate::engine::feed::room_feed::RoomFeed;
use crate::engine::feed::slots::SlotsHeard;
use crate::engine::session::answers::PendingJoined;
use crate::engine::session::subscription::Subscription;
use crate::engine::session::welcome::ResumedRoom;
use crate::seldom::{Nothing, Seldom};
use crate::types::{Mono, Position, RoomCode, Seq};

/// The rooms of one session. The first fields are read with every wake-up. What most sessions have none of takes one word here.
#[derive(Default)]
#[repr(C)]
pub(crate) struct Rooms {
    /// In the order in which they were entered.
    pub(crate) slots: SmallVec<[RoomSlot; 1]>,
    /// Which room is served first: the one after that whose frame was taken last.
    pub(crate) turn: u32,
    pub(crate) next_key: u32,
    /// Joins and creations not yet decided.
    pub(crate) admitted: u32,
    /// Where it stood in rooms that it has not come back to yet.
    pub(crate) left_off: ThinVec<LeftOff>,
    /// Rooms that are asked where it stands in them now, or could not say.
    pub(crate) resumed: ThinVec<ResumedRoom>,
}

/// One room of a session.
pub(crate) struct RoomSlot {
    /// Names the slot: a session may leave a room and enter it again before the transport has written the first stay.
    pub(crate) key: u32,
    pub(crate) subscription: Arc<Subscription>,
    /// The subscription's: read with every wake-up, and the subscription only once something has ended.
    pub(crate) feed: Arc<RoomFeed>,
    /// The last event the transport has taken.
    pub(crate) cursor: Seq,
    /// The last event of the fill in hand.
    pub(crate) ahead: Seq,
    /// The frame that sets the position; before anything else of the room.
    pub(crate) pending: Option<Box<PendingJoined>>,
    /// The `joined` is in the fill in hand.
    pub(crate) joined_ahead: bool,
    /// Versions of the signals the client has.
    pub(crate) seen: [u32; 2],
    /// Once there was a gap, or something was told that is no event of the room.
    pub(crate) seldom: Seldom<SeldomHeard>,
    /// It was told of its end, where a frame that is no event tells of that.
    pub(crate) end_told: bool,
    /// That frame is in the fill in hand.
    pub(crate) end_ahead: bool,
    /// It came in behind the backlog, or the backlog went on before its connection was welcomed: a gap is no surprise.
    pub(crate) came_late: bool,
}

/// How a session comes into a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// The backlog has all that follows.
    InTime,
    /// The position lies before the backlog.
    Late,
    /// More was due at that moment than it wants to be told: a gap comes instead.
    CatchingUp(Mono),
}

/// What most sessions hear nothing of in a room.
#[derive(Default, PartialEq)]
pub(crate) struct SeldomHeard {
    pub(crate) pace: Pace,
    /// What the client has of the slots that members fill.
    pub(crate) slots: SlotsHeard,
    /// The version of what another session of the person has read, as far as the client has heard.
    pub(crate) read: u32,
}

impl Nothing for SeldomHeard {
    const NOTHING: &'static Self =
        &Self { pace: Pace { catches_up: None, last: None, wait: None }, slots: SlotsHeard::NONE, read: 0 };
}

/// How often a session hears of gaps in one room, and of which at once.
#[derive(Default, PartialEq)]
pub(crate) struct Pace {
    /// When it came in, where more was due then than it wants to be told.
    pub(crate) catches_up: Option<Mono>,
    pub(crate) last: Option<Mono>,
    /// When the connection will be woken for the next one.
    pub(crate) wait: Option<Mono>,
}

/// Where a session stood in a room when it lost its connection.
#[derive(Clone)]
pub(crate) struct LeftOff {
    pub(crate) code: RoomCode,
    /// The incarnation, and the last event of it that the transport has taken.
    pub(crate) position: Position,
}

impl RoomSlot {
    /// Whether what comes next has left the backlog by now: there will be a gap, though nobody was slow.
    pub(crate) fn has_come_late(&mut self) -> bool {
        self.came_late |= self.cursor.next() < self.feed.backlog.oldest();
        self.came_late
    }

    /// Since when a gap is what comes next, whatever the backlog has: more was due than the session wants to be told.
    pub(crate) fn skips(&self) -> Option<Mono> {
        self.seldom.pace.catches_up.filter(|_| self.ahead == self.subscription.from)
    }

    /// Whether the session is in the room, as far as it has been published.
    pub(crate) fn is_open(&self) -> bool {
        self.subscription.until().is_none()
    }

    /// Whether everything that this slot will ever tell has been told.
    pub(crate) fn is_finished(&self) -> bool {
        self.pending.is_none()
            && self.subscription.until().is_some_and(|until| self.cursor >= until)
            && (!self.subscription.has_end_frame() || self.end_told)
    }

    /// Whether everything has been told, or is in the fill in hand: the client may have read it, though the transport has not said yet that
    /// its socket took it.
    fn is_finished_ahead(&self) -> bool {
        (self.pending.is_none() || self.joined_ahead)
            && self.subscription.until().is_some_and(|until| self.ahead >= until)
            && (!self.subscription.has_end_frame() || self.end_told || self.end_ahead)
    }
}

impl Rooms {
    /// Every room that it is in, or was in when it lost its connection, or is asked after.
    pub(crate) fn all(&self) -> Vec<RoomCode> {
        let entered = self.slots.iter().filter(|slot| slot.is_open()).map(|slot| &slot.feed.code);
        let left_off = self.left_off.iter().map(|stay| &stay.code);
        let mut all: Vec<RoomCode> =
            entered.chain(left_off).chain(self.resumed.iter().map(|room| &room.code)).cloned().collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// Whether it is in this life of a room, as far as that has been published.
    pub(crate) fn is_in(&self, feed: &RoomFeed) -> bool {
        let is_there = |slot: &RoomSlot| (slot.feed.epoch, &slot.feed.code) == (feed.epoch, &feed.code);
        self.slots.iter().any(|slot| is_there(slot) && slot.is_open())
    }

    /// A name for the next slot.
    pub(crate) fn next_key(&mut self) -> u32 {
        let key = self.next_key;
        self.next_key = key.wrapping_add(1);
        key
    }

    /// The session is in a room again, or anew: nothing else of it is waited for.
    pub(crate) fn forget(&mut self, code: &RoomCode) {
        self.left_off.retain(|stay| stay.code != *code);
        self.resumed.retain(|room| room.code != *code || room.is_awaited());
        self.keep_no_empty_lists();
    }

    /// A list that has got empty gives its memory back: a session comes back in a moment, and is there for hours.
    pub(crate) fn keep_no_empty_lists(&mut self) {
        if self.left_off.is_empty() {
            self.left_off = ThinVec::new();
        }
        if self.resumed.is_empty() {
            self.resumed = ThinVec::new();
        }
    }

    /// Keeps where the session stands and lets go of the rooms.
    pub(crate) fn leave_off(&mut self) {
        for slot in self.slots.drain(..) {
            let feed = &slot.feed;
            let position = Position { epoch: feed.epoch, seq: slot.cursor };
            // Of two stays in one room the later counts.
            self.left_off.retain(|stay| stay.code != feed.code);
            self.left_off.push(LeftOff { code: feed.code.clone(), position });
        }
        self.slots = SmallVec::new();
        self.resumed = ThinVec::new();
        self.left_off.shrink_to_fit();
    }

    /// How many rooms the session is in, was in when it lost its connection, or is about to enter, beside the one that it asks for.
    ///
    /// A client that has read of its leaving may ask for another room at once, on another connection than the one that it reads from; so
    /// rooms whose end is in the fill in hand do not count. At most `most` of them, or one that takes a byte now and then would have
    /// ever more.
    pub(crate) fn taken_beside(&self, asked: Option<&RoomCode>, most: usize) -> usize {
        let is_other = |code: &RoomCode| asked != Some(code);
        let is_named_only = |room: &&ResumedRoom| self.left_off.iter().all(|stay| stay.code != room.code);
        let named_only = self.resumed.iter().filter(is_named_only).filter(|room| is_other(&room.code)).count();
        let left_off = self.left_off.iter().filter(|stay| is_other(&stay.code)).count();
        let finished = self.slots.iter().filter(|slot| slot.is_finished_ahead()).count().min(most);
        self.slots.len() - finished + left_off + self.admitted as usize + named_only
    }

    /// What a fill held and the transport did not take is not ahead any more.
    pub(crate) fn roll_back(&mut self) {
        for slot in &mut self.slots {
            slot.ahead = slot.cursor;
            (slot.joined_ahead, slot.end_ahead) = (false, false);
        }
    }

    /// Drops the rooms that have nothing more to tell. Some of them have an end.
    pub(crate) fn forget_finished(&mut self) {
        if self.slots.iter().any(RoomSlot::is_finished) {
            self.slots.retain(|slot| !slot.is_finished());
        }
    }

    /// The room of a frame that has been taken; the next one has its turn.
    pub(crate) fn slot(&mut self, key: u32) -> Option<&mut RoomSlot> {
        let index = self.slots.iter().position(|slot| slot.key == key)?;
        self.turn = index as u32 + 1;
        Some(&mut self.slots[index])
    }
}
