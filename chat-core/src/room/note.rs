//! What a room is after a note: somebody attached, detached, typed, read or showed something, or time passed. Cannot fail.

use std::time::Duration;

use super::attendance::Attendance;
use super::decision::Note;
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
    let mut seat = seat_left(ledger, *time, limits, now);
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
        Note::Live { member, target, text } => {
            attendance.note_live(member, target, text, now.mono.after(limits.live_ttl), limits);
        }
        Note::Signal { member, name, data } => {
            attendance.note_signal(member, name, data, now.mono.after(limits.signal_ttl), limits);
        }
        // Kept beside this: who has read how far has nothing to do with who is here.
        Note::Read { .. } => {}
        Note::Elapsed => {
            attendance.expire_typing(now.mono);
            attendance.expire_slots(now.mono);
            attendance.expire_linger(now.mono);
            attendance.expire_seat(now.mono);
        }
        Note::Recovered => {
            attendance.restart();
            // Nobody could come in: the owner may be on their way back.
            seat = seat.max(limits.grace);
            if !is_first {
                // The log could not be reached: nobody could come in. And a room that cannot end tries again after a while.
                left = ledger.linger(limits).max(limits.grace);
            }
        }
    }
    attendance.stamp(now.mono, limits, left, seat);
}

/// How long a seat is held from now on, if it is and somebody is here.
pub(super) fn seat_left(ledger: &Ledger, time: RoomTime, limits: &RoomLimits, now: Now) -> Duration {
    let left = |until| time.left(now, ledger.last_at(), until, limits);
    ledger.seat_until().map_or(Duration::ZERO, left)
}

/// How long the room lingers from now on, if it is empty.
pub(super) fn linger_left(ledger: &Ledger, time: RoomTime, limits: &RoomLimits, now: Now) -> Duration {
    let left = |ends| time.left(now, ledger.last_at(), ends, limits);
    ledger.empty_until(limits).map_or(Duration::ZERO, left)
}
