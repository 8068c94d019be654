//! What a room is after a note: somebody attached, detached, typed, or time passed. Cannot fail.

use std::time::Duration;

use super::attendance::Attendance;
use super::input::Note;
use super::ledger::Ledger;
use super::time::RoomTime;
use crate::domain::TypingState;
use crate::types::{Now, RoomLimits};

/// Takes in a note. Whatever it says, it also tells the time to what a record has started.
pub(super) fn note(
    ledger: &Ledger,
    attendance: &mut Attendance,
    time: &mut RoomTime,
    limits: &RoomLimits,
    now: Now,
    note: Note,
) {
    let is_first = time.begin(ledger.last_at(), now.mono);
    let mut left = linger_left(ledger, *time, limits, now);
    match note {
        Note::Attached { session, generation, member, network } => {
            attendance.attach(session, generation, member, limits);
            if let Some(network) = network.filter(|_| attendance.attached(session, generation) == Some(member)) {
                attendance.came_from(member, network);
            }
        }
        Note::Detached { session, generation } => attendance.detach(session, generation),
        Note::Typing { member, state: TypingState::On } => {
            attendance.start_typing(member, now.mono.after(limits.typing_ttl));
        }
        Note::Typing { member, state: TypingState::Off } => attendance.stop_typing(member),
        Note::Elapsed => {
            attendance.expire_typing(now.mono);
            attendance.expire_linger(now.mono);
        }
        Note::Recovered => {
            attendance.restart();
            if !is_first {
                // The log could not be reached: nobody could come in. And a room that cannot end tries again after a while.
                left = limits.empty_linger.max(limits.grace);
            }
        }
    }
    attendance.stamp(now.mono, limits, left);
}

/// How long the room lingers from now on, if it is empty.
pub(super) fn linger_left(ledger: &Ledger, time: RoomTime, limits: &RoomLimits, now: Now) -> Duration {
    let left = |empty| time.linger_left(now, ledger.last_at(), empty, limits);
    ledger.empty_since().map_or(Duration::ZERO, left)
}
