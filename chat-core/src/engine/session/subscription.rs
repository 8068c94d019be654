//! A subscription is an interval of one incarnation of a room: after `from`, through `until`.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;

use crate::engine::feed::room_feed::RoomFeed;
use crate::engine::session::connection_state::ConnectionState;
use crate::locks::lock;
use crate::room::{Member, is_same_join};
use crate::types::{CloseReason, MemberId, Nick, Offset, Seq};

/// What a session may read of a room. Shared by the session, which reads, and the room's task, which ends it.
pub(crate) struct Subscription {
    pub(crate) feed: Arc<RoomFeed>,
    /// The member the session is; fixed as long as the subscription lasts.
    pub(crate) member: MemberId,
    /// The record of their join: a person has the same number in each of their stays.
    pub(crate) begun: Offset,
    /// Events with a higher number follow.
    pub(crate) from: Seq,
    /// The floor of the member: of messages up to it they learn nothing.
    pub(crate) sees: Seq,
    until: AtomicU64,
    noted: Mutex<Noted>,
    /// The cause of its end, once it has one.
    end: AtomicU8,
}

/// What the room's task has noted for the reader.
struct Noted {
    /// The member's name, for the frame that tells a quiet end.
    nick: Nick,
    /// What another session of the person has read, once one has.
    read: Option<Box<ReadElsewhere>>,
}

/// The frame that tells what another session of the person has read.
struct ReadElsewhere {
    /// Another for each; 0 is that of who has heard nothing.
    version: u32,
    json: Bytes,
}

const OPEN: u64 = u64::MAX;

/// What ends a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum End {
    /// The membership: its last event says so.
    Membership,
    /// The membership, of which no event says so: a `member_left` without a number does.
    Quiet,
    /// The incarnation of the room: `room_closed` says so.
    Incarnation,
}

impl Subscription {
    /// Of a stay in a room, after an event.
    pub(crate) fn new(feed: Arc<RoomFeed>, stay: &Member, from: Seq) -> Self {
        let Member { id: member, begun, sees, .. } = *stay;
        let (until, end) = (AtomicU64::new(OPEN), AtomicU8::new(End::Membership as u8));
        let noted = Mutex::new(Noted { nick: stay.nick.clone(), read: None });
        Self { feed, member, begun, from, sees, until, noted, end }
    }

    /// Whether this is the stay that it reads for.
    pub(crate) fn is_of(&self, stay: &Member) -> bool {
        self.member == stay.id && is_same_join(self.begun, stay.begun)
    }

    /// Ends it with this event; the first end counts. Called before the event is published, so that no reader, however
    /// fast, sees the next one.
    pub(crate) fn end(&self, until: Seq, end: End) {
        #[cfg(feature = "fault_injection")]
        if end == End::Membership && crate::fault_injection::is(crate::fault_injection::Bug::DeliverPastKick) {
            return;
        }
        if self.until().is_none() {
            self.end.store(end as u8, Ordering::Release);
            self.until.store(until.0, Ordering::Release);
        }
    }

    /// The member is shown under this name now.
    pub(crate) fn note_nick(&self, nick: &Nick) {
        lock(&self.noted).nick.clone_from(nick);
    }

    /// The name that the member is, or was last, shown under.
    pub(crate) fn nick(&self) -> Nick {
        lock(&self.noted).nick.clone()
    }

    /// Another session of the person has read something. The latest counts.
    pub(crate) fn note_read(&self, json: Bytes) {
        let read = &mut lock(&self.noted).read;
        let version = read.as_ref().map_or(0, |read| read.version).wrapping_add(1).max(1);
        *read = Some(Box::new(ReadElsewhere { version, json }));
    }

    /// What another session has read, and its version; `None` where that is the one heard of.
    pub(crate) fn read_elsewhere(&self, heard: u32) -> Option<(u32, Bytes)> {
        let noted = lock(&self.noted);
        noted.read.as_ref().filter(|read| read.version != heard).map(|read| (read.version, read.json.clone()))
    }

    /// The last event of the interval; `None` while it is open.
    pub(crate) fn until(&self) -> Option<Seq> {
        Some(self.until.load(Ordering::Acquire)).filter(|&until| until != OPEN).map(Seq)
    }

    /// Whether it has an end of which no event tells, but a frame of its own.
    pub(crate) fn has_end_frame(&self) -> bool {
        self.is_closed() || self.has_ended_by(End::Quiet)
    }

    /// Whether the room has ended, and not just this membership.
    pub(crate) fn is_closed(&self) -> bool {
        self.has_ended_by(End::Incarnation)
    }

    fn has_ended_by(&self, end: End) -> bool {
        self.until().is_some() && self.end.load(Ordering::Acquire) == end as u8
    }
}

/// Somebody who reads this room right now.
pub(crate) struct Subscriber {
    pub(crate) connection: Arc<ConnectionState>,
    pub(crate) subscription: Arc<Subscription>,
}

impl Subscriber {
    pub(crate) fn wake(&self) {
        self.connection.wake.wake();
    }

    /// Tells it what another session of the person has read.
    pub(crate) fn tell_read(&self, json: Bytes) {
        self.subscription.note_read(json);
        self.connection.look_at_subscriptions();
        self.connection.wake.wake();
    }

    pub(crate) fn is_awake(&self) -> bool {
        self.connection.wake.is_awake()
    }

    /// Ends what it reads with this event, before that is published.
    pub(crate) fn end(&self, until: Seq, end: End) {
        self.subscription.end(until, end);
        self.connection.look_at_subscriptions();
    }

    /// The room has been given up by what works on it. With a log it is still there, and who comes back finds it.
    pub(crate) fn give_up(&self) {
        if self.subscription.feed.is_logged {
            self.connection.close(CloseReason::Fault);
        } else {
            self.end(self.subscription.feed.backlog.head(), End::Incarnation);
            self.connection.wake.wake();
        }
    }
}
