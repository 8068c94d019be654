//! A wall clock held against the monotonic one: a long step forward is believed after a while, everything else at once.
//!
//! A clock that is wrong for a moment would otherwise run out whatever is kept for a time, and put stamps years ahead that
//! nothing brings back.

use std::time::Duration;

use crate::types::{Now, Wall, millis};

/// What of a wall clock is believed.
///
/// ```
/// use chat_core::{Mono, Now, SteadyWall, Wall};
///
/// let at = |hours: u64, minutes: u64| Now { wall: Wall(hours * 3_600_000), mono: Mono(minutes * 60_000) };
/// let mut wall = SteadyWall::new(at(1, 0));
/// assert_eq!(wall.look(at(500, 0)).0, Wall(3_600_000), "a step of 499 hours");
/// assert_eq!(wall.look(at(500, 10)).0, Wall(500 * 3_600_000), "is believed when it has stood for ten minutes");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct SteadyWall {
    believed: Now,
    /// When a step was first seen that is not believed yet.
    doubted: Option<Now>,
    step_max: Duration,
    doubt: Duration,
}

/// A step of the wall clock forward, against the monotonic clock, that is too long to be believed at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WallStep {
    /// How far it goes.
    pub ahead: Duration,
    /// Whether the step is believed.
    pub belief: Belief,
}

/// Whether a step is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Belief {
    /// Not yet: time goes on by the monotonic clock.
    Doubted,
    /// It has stood for long enough.
    Believed,
}

impl SteadyWall {
    /// How far a clock may step forward and be believed at once: 1 h. See [`RoomLimits::clock_step_max`](crate::RoomLimits::clock_step_max).
    pub const STEP_MAX: Duration = Duration::from_secs(3_600);
    /// How long a longer step is doubted: 10 min. See [`RoomLimits::clock_doubt`](crate::RoomLimits::clock_doubt).
    pub const DOUBT: Duration = Duration::from_secs(600);

    /// Believes this much, and from then on with the usual bounds.
    pub fn new(believed: Now) -> Self {
        Self::with_bounds(believed, Self::STEP_MAX, Self::DOUBT)
    }

    /// The same with other bounds than [`SteadyWall::STEP_MAX`] and [`SteadyWall::DOUBT`].
    pub fn with_bounds(believed: Now, step_max: Duration, doubt: Duration) -> Self {
        Self { believed, doubted: None, step_max, doubt }
    }

    /// The time to go by, and whether a step was seen or believed by this look.
    ///
    /// A step is seen by the looks before and after it, so it is doubted from the first look after it. A clock that has gone
    /// back is believed at once; one that steps on is doubted anew.
    pub fn look(&mut self, now: Now) -> (Wall, Option<WallStep>) {
        let expected = passed(self.believed, now);
        let ahead = now.wall.since(expected);
        if ahead <= self.step_max {
            (self.believed, self.doubted) = (now, None);
            return (now.wall, None);
        }
        let same = self.doubted.filter(|since| now.wall.0.abs_diff(passed(*since, now).0) <= millis(self.step_max));
        let Some(since) = same else {
            self.doubted = Some(now);
            return (expected, Some(WallStep { ahead, belief: Belief::Doubted }));
        };
        if now.mono.since(since.mono) < self.doubt {
            return (expected, None);
        }
        (self.believed, self.doubted) = (now, None);
        (now.wall, Some(WallStep { ahead, belief: Belief::Believed }))
    }

    /// Whether a step has been seen that is not believed yet.
    pub fn is_doubting(&self) -> bool {
        self.doubted.is_some()
    }
}

/// What a wall clock that goes as the monotonic one does would show.
fn passed(then: Now, now: Now) -> Wall {
    then.wall.after(now.mono.since(then.mono))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Mono;

    const HOUR: u64 = 3_600_000;
    const MINUTE: u64 = 60_000;
    const YEAR: u64 = 8_760 * HOUR;

    /// Starts at midday, and looks so many minutes later at a clock that is so far off.
    struct Watch(SteadyWall);

    impl Watch {
        fn new() -> Self {
            Self(SteadyWall::new(Now { wall: Wall(12 * HOUR), mono: Mono(0) }))
        }

        /// How far off what is believed is.
        fn look(&mut self, minutes: u64, off: i64) -> (i64, Option<Belief>) {
            let right = 12 * HOUR + minutes * MINUTE;
            let now = Now { wall: Wall(right.saturating_add_signed(off)), mono: Mono(minutes * MINUTE) };
            let (wall, step) = self.0.look(now);
            (wall.0.cast_signed() - right.cast_signed(), step.map(|step| step.belief))
        }
    }

    #[test]
    fn a_long_step_is_believed_after_ten_minutes() {
        let (mut watch, year) = (Watch::new(), YEAR.cast_signed());
        assert_eq!(watch.look(5, 0), (0, None));
        assert_eq!(watch.look(6, year), (0, Some(Belief::Doubted)));
        assert_eq!(watch.look(15, year), (0, None));
        assert_eq!(watch.look(16, year), (year, Some(Belief::Believed)));
        assert_eq!((watch.look(17, year), watch.0.is_doubting()), ((year, None), false));
    }

    #[test]
    fn steps_of_up_to_an_hour_and_steps_back_are_believed_at_once() {
        let (mut watch, hour) = (Watch::new(), HOUR.cast_signed());
        assert_eq!(watch.look(1, hour), (hour, None));
        assert_eq!(watch.look(2, -5 * hour), (-5 * hour, None));
        assert_eq!(watch.look(3, -4 * hour + 1), (-5 * hour, Some(Belief::Doubted)), "a millisecond more than an hour");
    }

    #[test]
    fn a_clock_that_is_set_right_in_time_was_never_believed() {
        let (mut watch, year) = (Watch::new(), YEAR.cast_signed());
        assert_eq!(watch.look(1, year).1, Some(Belief::Doubted));
        assert_eq!(watch.look(10, 0), (0, None));
        assert_eq!(watch.look(20, year), (0, Some(Belief::Doubted)), "the ten minutes begin anew");
        assert_eq!(watch.look(29, year), (0, None));
    }

    #[test]
    fn a_doubted_clock_may_be_off_by_another_hour() {
        let (mut watch, year, hour) = (Watch::new(), YEAR.cast_signed(), HOUR.cast_signed());
        assert_eq!(watch.look(1, year).1, Some(Belief::Doubted));
        assert_eq!(watch.look(5, year + hour), (0, None));
        assert_eq!(watch.look(6, year + hour + 1), (0, Some(Belief::Doubted)));
    }

    #[test]
    fn a_clock_that_steps_on_is_doubted_anew() {
        let (mut watch, year) = (Watch::new(), YEAR.cast_signed());
        assert_eq!(watch.look(1, year).1, Some(Belief::Doubted));
        assert_eq!(watch.look(9, 3 * year), (0, Some(Belief::Doubted)));
        assert_eq!(watch.look(18, 3 * year), (0, None));
        assert_eq!(watch.look(19, 3 * year), (3 * year, Some(Belief::Believed)));
    }
}
