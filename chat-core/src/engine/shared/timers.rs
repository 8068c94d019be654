//! One timer for all rooms and connections: who wants to be woken when, in order.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, Weak};

use tokio::sync::Notify;

use crate::engine::rooms::cell::RoomCell;
use crate::engine::session::cell::SessionCell;
use crate::engine::session::connection_state::ConnectionState;
use crate::locks::lock;
use crate::types::Mono;

/// Who sleeps; weakly, as what is gone need not be woken.
pub(crate) enum Sleeper {
    Room(Weak<RoomCell>),
    ConnectionState(Weak<ConnectionState>),
    /// The admission of a connection is to be looked at.
    Admission(Weak<SessionCell>, Weak<ConnectionState>),
}

/// Deadlines, soonest first.
#[derive(Default)]
pub(crate) struct Timers {
    queue: Mutex<Queue>,
    pub(crate) sooner: Notify,
}

#[derive(Default)]
struct Queue {
    deadlines: BTreeMap<(Mono, u64), Sleeper>,
    next: u64,
}

impl Timers {
    /// Sends the room a [`InboxItem::Tick`] at `at`. A room keeps one deadline here at a time, the soonest it has.
    pub(crate) fn tick_room(&self, at: Mono, room: &Arc<RoomCell>) {
        self.add(at, Sleeper::Room(Arc::downgrade(room)));
    }

    /// Wakes the connection at `at`.
    pub(crate) fn wake_connection(&self, at: Mono, connection: &Arc<ConnectionState>) {
        self.add(at, Sleeper::ConnectionState(Arc::downgrade(connection)));
    }

    /// Has the admission of a connection looked at then.
    pub(crate) fn look_at_admission(&self, at: Mono, cell: &Arc<SessionCell>, connection: &Arc<ConnectionState>) {
        self.add(at, Sleeper::Admission(Arc::downgrade(cell), Arc::downgrade(connection)));
    }

    /// The engine is gone: nobody is to be woken any more.
    pub(crate) fn stop(&self) {
        self.sooner.notify_one();
    }

    fn add(&self, at: Mono, sleeper: Sleeper) {
        let is_soonest = {
            let mut queue = self.lock();
            queue.next += 1;
            let key = (at, queue.next);
            queue.deadlines.insert(key, sleeper);
            queue.deadlines.keys().next() == Some(&key)
        };
        if is_soonest {
            self.sooner.notify_one();
        }
    }

    /// Everybody who is due, and when the next is.
    pub(crate) fn take_due(&self, now: Mono) -> (Vec<Sleeper>, Option<Mono>) {
        let mut queue = self.lock();
        let later = queue.deadlines.split_off(&(Mono(now.0 + 1), 0));
        let due = std::mem::replace(&mut queue.deadlines, later);
        let next = queue.deadlines.keys().next().map(|(at, _)| *at);
        (due.into_values().collect(), next)
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        lock(&self.queue)
    }
}
