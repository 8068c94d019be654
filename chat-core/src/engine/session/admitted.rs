//! What the policy has said of whoever is on a connection, until it says something else.

use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use crate::domain::Named;
use crate::engine::session::appointing::{Appointed, Appointments};
use crate::locks::lock;
use crate::ports::{Admission, Revocation};
use crate::types::{Mono, Wall};

/// The admission of one connection, where there is a policy.
pub(crate) struct Admitted {
    /// Where the connection came from, as far as that is known: the policy is told again when it is asked again.
    pub(crate) address: Option<IpAddr>,
    /// The roles that rooms were asked for.
    pub(crate) appointments: Arc<Appointments>,
    current: Mutex<Current>,
}

struct Current {
    admission: Arc<Admission>,
    /// What it says that its person is shown as, where it says so; for every command of theirs.
    named: Option<Arc<Named>>,
    /// Its client has been told when it runs out.
    is_told: bool,
    /// When it is looked at next, as far as that is settled.
    look_at: Option<Mono>,
    /// Until when rooms that it does not name any more are to be left.
    leaves_by: Option<Mono>,
    /// When it is looked at whether rooms have answered that were asked for a role.
    roles_at: Option<Mono>,
}

/// What is to be done about an admission's end now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expiry {
    /// It has none.
    Never,
    /// Nothing yet; look again when so many milliseconds have passed.
    In(u64),
    /// The client is to be told of this time, and it is to be looked at again then.
    Tell(Wall),
    /// It has run out.
    Over,
}

impl Admitted {
    pub(crate) fn new(admission: Arc<Admission>, address: Option<IpAddr>) -> Self {
        let named = named(&admission);
        Self {
            address,
            appointments: Arc::default(),
            current: Mutex::new(Current {
                admission,
                named,
                is_told: false,
                look_at: None,
                leaves_by: None,
                roles_at: None,
            }),
        }
    }

    pub(crate) fn admission(&self) -> Arc<Admission> {
        Arc::clone(&lock(&self.current).admission)
    }

    pub(crate) fn named(&self) -> Option<Arc<Named>> {
        lock(&self.current).named.clone()
    }

    /// Takes the place of the one before. One that ends no later is not told again: a client that has nothing newer would answer with the same,
    /// again and again.
    pub(crate) fn renew(&self, admission: Arc<Admission>) {
        let mut current = lock(&self.current);
        let end = |admission: &Admission| admission.expires_at.unwrap_or(Wall(u64::MAX));
        current.is_told &= end(&admission) <= end(&current.admission);
        current.named = named(&admission);
        current.admission = admission;
    }

    /// Takes something of it back; what is left of it, unless that is nothing.
    pub(crate) fn narrow(&self, what: &Revocation) -> Option<Arc<Admission>> {
        let mut current = lock(&self.current);
        let left = Arc::new(current.admission.without(what)?);
        current.admission = Arc::clone(&left);
        Some(left)
    }

    /// Rooms that it does not name any more are to be left by then; `false` where some are to be left before.
    pub(crate) fn is_to_leave_by(&self, at: Mono) -> bool {
        let mut current = lock(&self.current);
        let is_first = current.leaves_by.is_none();
        current.leaves_by.get_or_insert(at);
        is_first
    }

    /// Whether the time is over in which rooms were to be left. Said once.
    pub(crate) fn should_have_left(&self, now: Mono) -> bool {
        lock(&self.current).leaves_by.take_if(|by| *by <= now).is_some()
    }

    /// Rooms were asked for a role, and then it is looked at what they say; `false` where that is so before.
    pub(crate) fn looks_at_roles(&self, at: Mono) -> bool {
        let mut current = lock(&self.current);
        let is_first = current.roles_at.is_none();
        current.roles_at.get_or_insert(at);
        is_first
    }

    /// What the rooms say that were asked for a role, when that is to be looked at.
    pub(crate) fn appointed(&self, now: Mono) -> Appointed {
        match lock(&self.current).roles_at.take_if(|at| *at <= now) {
            Some(_) => self.appointments.look(),
            None => Appointed::Settled,
        }
    }

    /// It is to be looked at then. `false` where it is sooner anyway: however often it is renewed, one timer is enough.
    pub(crate) fn settle_look(&self, at: Mono, now: Mono) -> bool {
        let mut current = lock(&self.current);
        let is_settled = current.look_at.is_some_and(|pending| now < pending && pending <= at);
        if !is_settled {
            current.look_at = Some(at);
        }
        !is_settled
    }

    /// Looks at its end, of which the client is told `notice_ms` before, and once.
    pub(crate) fn expiry(&self, now: Wall, notice_ms: u64) -> Expiry {
        let mut current = lock(&self.current);
        let Some(expires_at) = current.admission.expires_at else { return Expiry::Never };
        let left = expires_at.0.saturating_sub(now.0);
        match left {
            0 => Expiry::Over,
            _ if left > notice_ms => Expiry::In(left - notice_ms),
            _ if std::mem::replace(&mut current.is_told, true) => Expiry::In(left),
            _ => Expiry::Tell(expires_at),
        }
    }
}

fn named(admission: &Admission) -> Option<Arc<Named>> {
    Some(&admission.named).filter(|named| !named.is_empty()).map(|named| Arc::new(named.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_look_is_settled_at_a_time_and_a_sooner_one_takes_its_place() {
        let admitted = Admitted::new(Arc::default(), None);
        assert!(admitted.settle_look(Mono(100), Mono(0)));
        assert!(!admitted.settle_look(Mono(100), Mono(0)) && !admitted.settle_look(Mono(500), Mono(99)));
        assert!(admitted.settle_look(Mono(50), Mono(0)), "sooner");
        assert!(admitted.settle_look(Mono(200), Mono(50)), "its time has come");
        assert!(!admitted.settle_look(Mono(200), Mono(100)), "of the one before the sooner");
    }

    #[test]
    fn an_end_is_told_once_and_then_comes() {
        let admitted = Admitted::new(Arc::new(Admission::guest().with_expiry(Wall(100_000))), None);
        assert_eq!(admitted.expiry(Wall(10_000), 60_000), Expiry::In(30_000));
        assert_eq!(admitted.expiry(Wall(40_000), 60_000), Expiry::Tell(Wall(100_000)));
        assert_eq!(admitted.expiry(Wall(50_000), 60_000), Expiry::In(50_000));
        for same_or_sooner in [100_000, 90_000] {
            admitted.renew(Arc::new(Admission::guest().with_expiry(Wall(same_or_sooner))));
            assert_eq!(admitted.expiry(Wall(60_000), 60_000), Expiry::In(same_or_sooner - 60_000));
        }
        admitted.renew(Arc::new(Admission::guest().with_expiry(Wall(200_000))));
        assert_eq!(admitted.expiry(Wall(100_000), 60_000), Expiry::In(40_000));
        assert_eq!(admitted.expiry(Wall(150_000), 60_000), Expiry::Tell(Wall(200_000)));
        assert_eq!(admitted.expiry(Wall(200_000), 60_000), Expiry::Over);
        admitted.renew(Arc::new(Admission::guest()));
        assert_eq!(admitted.expiry(Wall(200_000), 60_000), Expiry::Never);
    }
}
