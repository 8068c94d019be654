//! Room time: what records are stamped with, and what an `until` that outlives a process is compared with.
//!
//! It is `max(wall, last_at + mono since the last record)`: it neither stands still nor goes back, whatever is done to the
//! wall clock. Where nothing of this process is known yet, it is `max(wall, last_at)`.

use std::time::Duration;

use crate::domain::LeaveReason;
use crate::types::{Mono, Now, RoomLimits, Wall};

/// What this process knows of a room's time: it means nothing to another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RoomTime {
    /// The last record and when it was made; of a room read back its last record and when that was.
    anchor: Option<(Wall, Mono)>,
}

impl RoomTime {
    /// Room time now, where the last record is of `last_at`.
    pub(super) fn at(self, now: Now, last_at: Wall) -> Wall {
        now.wall.max(self.sure(now.mono, last_at))
    }

    /// A record was made just now.
    pub(super) fn record(&mut self, at: Wall, now: Mono) {
        self.anchor = Some((at, now));
    }

    /// From now on it goes on by the monotonic clock. Whether it did not until now.
    pub(super) fn begin(&mut self, last_at: Wall, now: Mono) -> bool {
        let is_first = self.anchor.is_none();
        self.anchor.get_or_insert((last_at, now));
        is_first
    }

    /// The log was read again, and ends with a record of `last_at`. Time that has passed has passed, also where the record that
    /// said so is not there.
    pub(super) fn read_again(&mut self, last_at: Wall, now: Mono) {
        if self.sure(now, last_at) < last_at {
            self.record(last_at, now);
        }
    }

    /// How long it is until a point in room time: the end of an empty room, or of a seat that is held.
    ///
    /// Where only the wall clock says that more than [`RoomLimits::clock_step_max`] has passed since the last record, the room
    /// waits for [`RoomLimits::clock_doubt`] and looks again: at a start there is nothing else to hold a clock against.
    pub(super) fn left(self, now: Now, last_at: Wall, until: Wall, limits: &RoomLimits) -> Duration {
        let at = self.at(now, last_at);
        let left = until.since(at);
        match at.since(self.sure(now.mono, last_at)) > limits.clock_step_max {
            true => left.max(limits.clock_doubt),
            false => left,
        }
    }

    /// How far it has come for sure, whatever the wall clock says.
    fn sure(self, now: Mono, last_at: Wall) -> Wall {
        #[cfg(feature = "fault_injection")]
        if crate::fault_injection::is(crate::fault_injection::Bug::StandStill) {
            return last_at;
        }
        self.anchor.map_or(last_at, |(at, since)| at.after(now.since(since)))
    }
}

/// How long a room lingers whose last member is gone like this.
pub(super) fn linger_after(reason: LeaveReason, limits: &RoomLimits) -> Duration {
    match reason {
        LeaveReason::Left => limits.empty_linger,
        LeaveReason::Timeout => limits.empty_linger.max(limits.lost_linger),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now(wall: u64, mono: u64) -> Now {
        Now { wall: Wall(wall), mono: Mono(mono) }
    }

    #[test]
    fn a_log_read_again_never_takes_time_back() {
        let mut time = RoomTime::default();
        time.record(Wall(1_000), Mono(10));
        time.read_again(Wall(400), Mono(20));
        assert_eq!(time.at(now(0, 30), Wall(400)), Wall(1_020), "a record was lost, and not the time since");
        time.read_again(Wall(5_000), Mono(30));
        assert_eq!(time.at(now(0, 35), Wall(5_000)), Wall(5_005), "somebody else has written a later one");
    }

    #[test]
    fn the_end_of_time_is_no_overflow() {
        let mut time = RoomTime::default();
        time.record(Wall(u64::MAX), Mono(10));
        assert_eq!(time.at(now(0, 20), Wall(u64::MAX)), Wall(u64::MAX));
    }
}
