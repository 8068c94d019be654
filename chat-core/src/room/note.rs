//! What passes without being logged: somebody attached, detached, typed, read or showed something, or time passed. Cannot fail.

use std::time::Duration;

use super::attendance::Attendance;
use super::ledger::Ledger;
use super::time::RoomTime;
use crate::domain::TypingState;
use crate::types::{Body, Generation, MemberId, NetworkTag, Now, RoomLimits, Seq, SessionId, SignalData, SignalName};

/// A change in who is attached right now. Never logged; cannot fail; what does not fit is ignored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// A session has attached as a member.
    Attached {
        /// The session whose connection it is.
        session: SessionId,
        /// Which of its attaches; an older one than known is ignored.
        generation: Generation,
        /// As whom.
        member: MemberId,
        /// Where it comes from, as far as that is known.
        network: Option<NetworkTag>,
    },
    /// A session has lost its connection.
    Detached {
        /// The session whose connection it is.
        session: SessionId,
        /// Which of its attaches; an older one than known is ignored.
        generation: Generation,
    },
    /// A member started or stopped typing.
    Typing {
        /// The member, by number.
        member: MemberId,
        /// Whether they begin or stop.
        state: TypingState,
    },
    /// A message of a member's grows, or does not any more.
    Live {
        /// The member, by number.
        member: MemberId,
        /// The number of the message.
        target: Seq,
        /// What it says so far; nothing ends it.
        text: Option<Body>,
    },
    /// A member shows something under a name, or not any more.
    Signal {
        /// The member, by number.
        member: MemberId,
        /// What it is called.
        name: SignalName,
        /// What it says; nothing takes it away.
        data: Option<SignalData>,
    },
    /// A member has read up to there.
    Read {
        /// The member, by number.
        member: MemberId,
        /// The last event that was read; what is not past the one before changes nothing.
        through: Seq,
    },
    /// Time has passed: typing that has run out is forgotten, and what was shown and not renewed.
    Elapsed,
    /// The process has just started, or the ledger was read again: members without an attachment are within their grace
    /// from now. In a room just read back it is the first note, and an empty one has what is left of its linger; later it
    /// says that the log could not be reached, and an empty room lingers anew, for no less than a grace.
    Recovered,
}

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
