//! A role that the policy says is asked of a room: where the room could not do it, it is asked again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use crate::types::{Reject, RejectCode};

/// What is known of the roles that rooms were asked for, for one connection.
#[derive(Default)]
pub(crate) struct Appointments {
    /// Those that have not been answered.
    asked: AtomicU32,
    /// Whether one was refused by a room whose log, or whose server, was away.
    is_owed: AtomicBool,
}

/// What there is to be done about them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Appointed {
    /// Nothing: every room has answered.
    Settled,
    /// To look again: a room has not answered.
    Asked,
    /// To ask all rooms again.
    Owed,
}

/// One that is asked, until it is answered or given up.
pub(crate) struct Appointing(Arc<Appointments>);

impl Appointments {
    /// As of now; what is owed is told once.
    pub(crate) fn look(&self) -> Appointed {
        match (self.is_owed.swap(false, Ordering::Relaxed), self.asked.load(Ordering::Relaxed)) {
            (true, _) => Appointed::Owed,
            (false, 0) => Appointed::Settled,
            (false, _) => Appointed::Asked,
        }
    }
}

impl Appointing {
    pub(crate) fn begin(appointments: &Arc<Appointments>) -> Self {
        appointments.asked.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(appointments))
    }

    /// A room has refused it. What its rules are against stays refused: it is asked for when they come in again.
    pub(crate) fn refused(self, reject: &Reject) {
        if reject.code == RejectCode::Unavailable {
            self.0.is_owed.store(true, Ordering::Relaxed);
        }
    }
}

impl Drop for Appointing {
    fn drop(&mut self) {
        self.0.asked.fetch_sub(1, Ordering::Relaxed);
    }
}
