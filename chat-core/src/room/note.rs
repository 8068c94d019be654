//! What a room is after a note: somebody attached, detached, typed, or time passed. Cannot fail.

use super::attendance::Attendance;
use super::input::Note;
use crate::messages::TypingState;
use crate::words::{Mono, RoomLimits};

/// Takes in a note. Whatever it says, it also tells the time to what a record has started.
pub(super) fn note(attendance: &mut Attendance, limits: &RoomLimits, now: Mono, note: Note) {
    match note {
        Note::Attached { session, generation, member } => attendance.attach(session, generation, member, limits),
        Note::Detached { session, generation } => attendance.detach(session, generation),
        Note::Typing { member, state: TypingState::On } => {
            attendance.start_typing(member, now.after(limits.typing_ttl));
        }
        Note::Typing { member, state: TypingState::Off } => attendance.stop_typing(member),
        Note::Elapsed => attendance.expire_typing(now),
        Note::Recovered => attendance.restart(),
    }
    attendance.stamp(now, limits);
}
