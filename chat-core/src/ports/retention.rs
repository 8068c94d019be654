//! What a log keeps of each room, and the clock that the age of records is measured by: the wall clock, as far as it is believed.

use std::sync::Arc;
use std::time::Duration;

use super::clock::Clock;
use crate::types::{Now, SteadyWall, Wall, WallStep, millis};

/// How much of each room is kept; `None` keeps all.
///
/// Only records that a snapshot covers are deleted, oldest first, and never the newest one. The engine stores a snapshot
/// every 1,000 records or so: a room can hold that many more than the limit, and one that never had a snapshot is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Retention {
    /// The most messages.
    pub messages_max: Option<u64>,
    /// The most bytes of records.
    pub bytes_max: Option<u64>,
    /// The oldest a record may be. Looked at when a snapshot is stored, and at every room once in ten minutes. By a clock that is
    /// more than an hour ahead of what the log last believed, nothing is deleted until it has stood for ten minutes.
    pub age_max: Option<Duration>,
}

impl Retention {
    /// Whether everything is kept.
    pub fn keeps_all(&self) -> bool {
        *self == Self::default()
    }
}

/// The clock by which a log that is open finds out what is too old.
///
/// A start has nothing to hold its clock against but the log, which says what was last believed. A clock that is more than an hour
/// ahead of that is believed after ten minutes: what is deleted for its age does not come back.
pub struct AgeClock {
    clock: Arc<dyn Clock>,
    wall: SteadyWall,
}

impl AgeClock {
    /// Of a log that says this. Where it says nothing, nothing in it is old until the clock has stood for ten minutes.
    pub fn new(clock: Arc<dyn Clock>, known: Option<Wall>) -> Self {
        let wall = SteadyWall::new(Now { wall: known.unwrap_or(Wall(0)), mono: clock.now().mono });
        Self { clock, wall }
    }

    /// What retention keeps as of now, and a long step of the clock that this look has found or believed. Where nothing goes by age, the
    /// clock is not looked at.
    pub fn keep(&mut self, retention: Retention) -> (Keep, Option<WallStep>) {
        let Some(age) = retention.age_max else { return (Keep { retention, now: Wall(0), oldest: Wall(0) }, None) };
        let (now, step) = self.wall.look(self.clock.now());
        (Keep { retention, now, oldest: Wall(now.0.saturating_sub(millis(age))) }, step)
    }
}

/// How much of each room is kept, as of one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// What is chosen.
    pub retention: Retention,
    /// What is believed to be the time; 0 where no age is looked at.
    pub now: Wall,
    /// The time before which records are too old.
    pub oldest: Wall,
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::types::{Belief, Mono};

    const HOUR: u64 = 3_600_000;
    const DAY: u64 = 24 * HOUR;
    const WEEK: Retention =
        Retention { messages_max: None, bytes_max: None, age_max: Some(Duration::from_secs(7 * 86_400)) };

    struct HandClock(Mutex<Now>);

    impl Clock for HandClock {
        fn now(&self) -> Now {
            *self.0.lock().expect("no panic")
        }

        fn instant(&self, _: Mono) -> tokio::time::Instant {
            unreachable!("nobody waits by this clock")
        }
    }

    /// A clock of a log that has believed this, and a hand that sets it.
    fn clock(believed: Option<u64>, wall: u64) -> (AgeClock, Arc<HandClock>) {
        let hand = Arc::new(HandClock(Mutex::new(Now { wall: Wall(wall), mono: Mono(0) })));
        (AgeClock::new(Arc::clone(&hand) as _, believed.map(Wall)), hand)
    }

    #[test]
    fn what_is_older_than_the_age_is_too_old() {
        let (mut clock, _hand) = clock(Some(100 * DAY), 100 * DAY + HOUR / 2);
        let (keep, step) = clock.keep(WEEK);
        assert_eq!((keep.now, keep.oldest, step), (Wall(100 * DAY + HOUR / 2), Wall(93 * DAY + HOUR / 2), None));
    }

    #[test]
    fn a_clock_that_is_far_ahead_of_the_log_is_believed_when_it_has_stood_for_a_while() {
        for believed in [None, Some(100 * DAY)] {
            let (mut clock, hand) = clock(believed, 500 * DAY);
            let (keep, step) = clock.keep(WEEK);
            assert_eq!((keep.now.0, step.map(|step| step.belief)), (believed.unwrap_or(0), Some(Belief::Doubted)));
            *hand.0.lock().expect("no panic") = Now { wall: Wall(500 * DAY + HOUR), mono: Mono(HOUR) };
            let (keep, step) = clock.keep(WEEK);
            assert_eq!((keep.now.0, step.map(|step| step.belief)), (500 * DAY + HOUR, Some(Belief::Believed)));
        }
    }

    #[test]
    fn without_an_age_the_clock_is_not_looked_at() {
        let (mut clock, _hand) = clock(None, 500 * DAY);
        let (keep, step) = clock.keep(Retention { messages_max: Some(1), ..Retention::default() });
        assert_eq!((keep.now, keep.oldest, step), (Wall(0), Wall(0), None));
    }
}
