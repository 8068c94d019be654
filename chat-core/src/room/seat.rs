//! The owner's seat while the owner is away: whose it is, until when, and when the room looks whether it is free.
//!
//! A room has an owner, or their seat is held, or it is protected, or nobody is there: always one of these.

use serde::{Deserialize, Serialize};

use super::hashes::ScopeHash;
use crate::types::{MemberId, Mono, Wall};

/// Who owns a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnerSeat {
    /// This member.
    Taken(MemberId),
    /// Somebody who is away, and is the owner if they come back, or come at all: until then, in room time; without end in a protected room, and for
    /// whom the host has named, unless it names somebody else.
    Held(Option<Wall>),
    /// Nobody, which is so in a protected room or in an empty one alone.
    Free,
}

/// What becomes of the owner's seat when somebody goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Succession {
    /// Nothing: it is not theirs, or the host's to give, or nobody is left.
    None,
    /// It is held for them until then, in room time.
    Held(Wall),
    /// This member follows at once.
    Heir(MemberId),
}

/// A seat that is held: part of the ledger, so that it outlives the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct HeldSeat {
    /// Whose it is. Not by their place, which others who leave may push out.
    pub(super) scope: ScopeHash,
    /// Until when, in room time; without end in a protected room, and where the host has named them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) until: Option<Wall>,
}

/// When a room with members looks whether a seat that is held is free. Monotonic, and so never part of a log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum SeatWait {
    /// There is nothing to wait for: an owner is there, or nobody who could follow.
    #[default]
    Off,
    /// It is held; how long still is not known yet.
    Unstamped,
    /// It is held, and the room looks then.
    Until(Mono),
}

impl SeatWait {
    /// Waits for a seat anew, or for none.
    pub(super) fn of(until: Option<Wall>) -> Self {
        if until.is_some() { Self::Unstamped } else { Self::Off }
    }

    /// The moment that it waits for, as far as it is known.
    pub(super) fn at(self) -> Option<Mono> {
        if let Self::Until(at) = self { Some(at) } else { None }
    }

    /// Whether that moment has come.
    pub(super) fn is_due(self, now: Mono) -> bool {
        self.at().is_some_and(|at| at <= now)
    }

    /// Has what it waits for timed anew.
    pub(super) fn restart(&mut self) {
        if *self != Self::Off {
            *self = Self::Unstamped;
        }
    }

    /// Gives what is not timed its moment.
    pub(super) fn stamp(&mut self, at: Mono) {
        if *self == Self::Unstamped {
            *self = Self::Until(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_due_once_it_has_come_and_is_timed_anew_only_where_there_is_one() {
        let mut wait = SeatWait::of(Some(Wall(7)));
        assert_eq!((wait.at(), wait.is_due(Mono(9))), (None, false));
        wait.stamp(Mono(5));
        wait.stamp(Mono(8));
        assert_eq!([4, 5].map(|now| wait.is_due(Mono(now))), [false, true], "the first stamp stands");
        wait.restart();
        assert_eq!(wait, SeatWait::Unstamped);
        let mut off = SeatWait::of(None);
        off.restart();
        off.stamp(Mono(5));
        assert_eq!(off, SeatWait::Off);
    }

    #[test]
    fn a_seat_is_stored_and_read_back() {
        for until in [Some(Wall(9)), None] {
            let seat = HeldSeat { scope: ScopeHash::from_bits(3), until };
            let stored = serde_json::to_string(&seat).expect("it can be stored");
            assert_eq!(serde_json::from_str::<HeldSeat>(&stored).expect("what was stored is read"), seat);
        }
    }
}
