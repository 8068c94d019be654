//! A subscription is an interval of one life of a room: after `from`, through `until`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::engine::feed::life::Life;
use crate::engine::session::connection::Connection;
use crate::words::{CloseReason, MemberId, Seq};

/// What a session may read of a room. Shared by the session, which reads, and the room's task, which ends it.
pub(crate) struct Subscription {
    pub(crate) life: Arc<Life>,
    /// The member the session is; fixed for the life of the subscription.
    pub(crate) member: MemberId,
    /// Events with a higher number follow.
    pub(crate) from: Seq,
    until: AtomicU64,
    closed: AtomicBool,
}

const OPEN: u64 = u64::MAX;

/// What ends a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The membership: its last event says so.
    Membership,
    /// The life of the room: `room_closed` says so.
    Life,
}

impl Subscription {
    pub(crate) fn new(life: Arc<Life>, member: MemberId, from: Seq) -> Self {
        Self { life, member, from, until: AtomicU64::new(OPEN), closed: AtomicBool::new(false) }
    }

    /// Ends it with this event; the first end counts. Called before the event is published, so that no reader, however
    /// fast, sees the next one.
    pub(crate) fn end(&self, until: Seq, end: End) {
        #[cfg(feature = "planted")]
        if end == End::Membership && crate::planted::is(crate::planted::Bug::DeliverPastKick) {
            return;
        }
        if self.until().is_none() {
            self.closed.store(end == End::Life, Ordering::Release);
            self.until.store(until.0, Ordering::Release);
        }
    }

    /// The last event of the interval; `None` while it is open.
    pub(crate) fn until(&self) -> Option<Seq> {
        Some(self.until.load(Ordering::Acquire)).filter(|&until| until != OPEN).map(Seq)
    }

    /// Whether the room has ended, and not just this membership.
    pub(crate) fn is_closed(&self) -> bool {
        self.until().is_some() && self.closed.load(Ordering::Acquire)
    }
}

/// Somebody who reads this room right now.
pub(crate) struct Subscriber {
    pub(crate) connection: Arc<Connection>,
    pub(crate) subscription: Arc<Subscription>,
}

impl Subscriber {
    pub(crate) fn wake(&self) {
        self.connection.wake.wake();
    }

    pub(crate) fn is_awake(&self) -> bool {
        self.connection.wake.is_awake()
    }

    /// Ends what it reads with this event, before that is published.
    pub(crate) fn end(&self, until: Seq, end: End) {
        self.subscription.end(until, end);
        self.connection.note_ended();
    }

    /// The room has been given up by what works on it. With a log it is still there, and who comes back finds it.
    pub(crate) fn give_up(&self) {
        if self.subscription.life.is_logged {
            self.connection.close(CloseReason::Fault);
        } else {
            self.end(self.subscription.life.backlog.head(), End::Life);
            self.connection.wake.wake();
        }
    }
}
