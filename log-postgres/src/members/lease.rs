//! How long a server may believe that its slots are its own: from before its last answered beat was sent, on a clock that counts sleep.
//!
//! Nobody takes a server for gone before it has stopped believing, whichever clocks the others have: each measures a length of time, and none
//! compares a time of day with another's. A process that was stopped, or a machine that slept, finds its lease over when it wakes.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// By how much the time of day may differ from what the other clock has counted since the last beat. Where a machine was stopped with all
/// that it counts by, the time of day is all that tells.
const DRIFT_MAX: Duration = Duration::from_secs(1);

/// Two clocks, read together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Clocks {
    /// Since the machine was started, its sleep included.
    pub(crate) running: Duration,
    /// The time of day.
    pub(crate) wall: Duration,
}

impl Clocks {
    pub(crate) fn now() -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { running: running(), wall }
    }
}

#[cfg(target_os = "linux")]
fn running() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(now.tv_nsec).unwrap_or_default())
}

/// Where there is no such clock, the time of day tells of a sleep.
#[cfg(not(target_os = "linux"))]
fn running() -> Duration {
    static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    START.get_or_init(std::time::Instant::now).elapsed()
}

/// A right that is over by itself.
pub(crate) struct Lease {
    length: Duration,
    /// When the last beat was sent that was answered.
    sent: Mutex<Option<Clocks>>,
}

impl Lease {
    pub(crate) fn new(length: Duration) -> Self {
        Self { length, sent: Mutex::new(None) }
    }

    /// A beat that was sent then has been answered. Whether it held until now.
    pub(crate) fn renew(&self, sent: Clocks) -> bool {
        let before = self.sent.lock().unwrap_or_else(PoisonError::into_inner).replace(sent);
        before.is_some_and(|before| self.rest_of(before, Clocks::now()).is_some())
    }

    /// The server is none of the service any more.
    pub(crate) fn end(&self) {
        *self.sent.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    pub(crate) fn holds(&self) -> bool {
        self.rest(Clocks::now()).is_some()
    }

    /// What is left of it; `None` where it is over.
    pub(crate) fn rest(&self, now: Clocks) -> Option<Duration> {
        let sent = (*self.sent.lock().unwrap_or_else(PoisonError::into_inner))?;
        self.rest_of(sent, now)
    }

    fn rest_of(&self, sent: Clocks, now: Clocks) -> Option<Duration> {
        let counted = now.running.checked_sub(sent.running)?;
        let of_day = now.wall.saturating_sub(sent.wall);
        let drift = if now.wall < sent.wall { sent.wall - now.wall + counted } else { of_day.abs_diff(counted) };
        (drift <= DRIFT_MAX && counted < self.length).then(|| self.length - counted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LENGTH: Duration = Duration::from_secs(5);

    fn at(running: u64, wall: u64) -> Clocks {
        Clocks { running: Duration::from_millis(running), wall: Duration::from_millis(wall) }
    }

    fn rest(sent: Clocks, now: Clocks) -> Option<u64> {
        let lease = Lease::new(LENGTH);
        lease.renew(sent);
        lease.rest(now).map(|rest| rest.as_millis() as u64)
    }

    #[test]
    fn it_is_over_when_its_time_is() {
        let sent = at(10_000, 1_000_000);
        assert_eq!(rest(sent, sent), Some(5_000));
        assert_eq!(rest(sent, at(14_999, 1_004_999)), Some(1));
        assert_eq!(rest(sent, at(15_000, 1_005_000)), None);
        assert_eq!(rest(sent, at(9_000, 999_000)), None, "a clock that went back counts nothing");
    }

    #[test]
    fn a_sleep_that_one_clock_alone_has_counted_ends_it() {
        let sent = at(10_000, 1_000_000);
        assert_eq!(rest(sent, at(70_000, 1_060_000)), None, "both have");
        assert_eq!(rest(sent, at(10_100, 1_060_000)), None, "the time of day alone");
        assert_eq!(rest(sent, at(70_000, 1_000_100)), None, "the other alone");
    }

    #[test]
    fn a_time_of_day_that_is_set_a_little_does_not_end_it_and_one_that_is_set_far_does() {
        let sent = at(10_000, 1_000_000);
        assert_eq!(rest(sent, at(10_100, 1_000_900)), Some(4_900));
        assert_eq!(rest(sent, at(10_100, 999_200)), Some(4_900));
        for wall in [998_000, 1_003_000, 0] {
            assert_eq!(rest(sent, at(10_100, wall)), None, "{wall}");
        }
    }

    #[test]
    fn what_was_never_given_or_was_ended_does_not_hold() {
        let lease = Lease::new(LENGTH);
        assert!(!lease.holds());
        lease.renew(Clocks::now());
        assert!(lease.holds());
        lease.end();
        assert!(!lease.holds());
    }
}
