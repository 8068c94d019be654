//! What a room waits for: graces, the linger of an empty room, a seat that is held, and whatever else runs out.
//!
//! Records carry no monotonic time, so what a record starts (the grace of a member nobody is attached as yet, the
//! linger of an empty room) is *unstamped* until the next note brings the time: each ends with `stamp`.

use std::time::Duration;

use super::Attendance;
use crate::room::deadlines::Deadlines;
use crate::room::seat::SeatWait;
use crate::room::vacancy::Vacancy;
use crate::types::{MemberId, Mono, RoomLimits, Wall};

/// Whether an empty room is waiting to be deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::room) enum Linger {
    /// It has members, or no incarnation, or stays without members.
    #[default]
    Off,
    /// It is empty; since when is not known yet.
    Unstamped,
    /// It is empty, and looks then whether it goes.
    Until(Mono),
}

impl Attendance {
    /// How long a member without a connection has until it has left; `None` for who is connected.
    pub(in crate::room) fn grace_left(&self, member: MemberId, now: Mono, limits: &RoomLimits) -> Option<Duration> {
        match self.graces.of(member) {
            Some(until) => Some(until.since(now)),
            None => self.unstamped.contains(&member).then_some(limits.grace),
        }
    }

    /// The member whose grace ran out first, if any has.
    pub(in crate::room) fn overdue(&self, now: Mono) -> Option<MemberId> {
        self.graces.due(now)
    }

    pub(in crate::room) fn linger(&self) -> Linger {
        self.linger
    }

    pub(in crate::room) fn linger_is_due(&self, now: Mono) -> bool {
        matches!(self.linger, Linger::Until(until) if until <= now)
    }

    pub(in crate::room) fn seat(&self) -> SeatWait {
        self.seat
    }

    /// Whether a seat that is held is to be looked at now.
    pub(in crate::room) fn seat_is_due(&self, now: Mono) -> bool {
        self.seat.is_due(now)
    }

    /// Whether a note of the time would change something.
    pub(in crate::room) fn wants_time(&self, now: Mono) -> bool {
        self.is_unstamped()
            || self.typing.due(now).is_some()
            || self.slots_are_due(now)
            || self.linger_is_due(now)
            || self.seat_is_due(now)
    }

    /// When time will change something next; at once while something is unstamped.
    pub(in crate::room) fn next_deadline(&self) -> Option<Mono> {
        if self.is_unstamped() {
            return Some(Mono(0));
        }
        let linger = if let Linger::Until(until) = self.linger { Some(until) } else { None };
        let [grace, typing] = [&self.graces, &self.typing].map(|deadlines| deadlines.earliest().map(|(at, _)| at));
        let slots = [self.live.earliest(), self.signals.earliest()];
        [grace, typing, linger, self.seat.at()].into_iter().chain(slots).flatten().min()
    }

    fn is_unstamped(&self) -> bool {
        !self.unstamped.is_empty() || self.linger == Linger::Unstamped || self.seat == SeatWait::Unstamped
    }

    /// An incarnation without members, not yet closed: it lingers, if it does not yet.
    pub(in crate::room) fn vacate(&mut self) {
        if self.linger == Linger::Off {
            self.linger = Linger::Unstamped;
        }
    }

    /// An incarnation that stays, whether or not it has members.
    pub(in crate::room) fn stay(&mut self) {
        self.linger = Linger::Off;
    }

    /// A seat is held until then, for whoever is here to follow; or no more.
    pub(in crate::room) fn hold_seat(&mut self, until: Option<Wall>) {
        self.seat = SeatWait::of(until);
    }

    /// Gives what is unstamped its time; an empty room, and a seat that is held, have so much left.
    pub(in crate::room) fn stamp(
        &mut self,
        now: Mono,
        limits: &RoomLimits,
        linger_left: Duration,
        seat_left: Duration,
    ) {
        self.seat.stamp(now.after(seat_left));
        for member in std::mem::take(&mut self.unstamped) {
            let gone = self.person(member).is_ok_and(|index| self.people[index].attached == 0);
            if gone && !self.graces.contains(member) {
                self.graces.set(member, now.after(limits.grace));
            }
        }
        if self.linger == Linger::Unstamped {
            self.linger = Linger::Until(now.after(linger_left));
        }
    }

    /// Has a linger that is due timed anew: the room is still here.
    pub(in crate::room) fn expire_linger(&mut self, now: Mono) {
        if self.linger_is_due(now) {
            self.linger = Linger::Unstamped;
        }
    }

    /// Has the wait for a held seat timed anew where it is over: nobody was given it.
    pub(in crate::room) fn expire_seat(&mut self, now: Mono) {
        if self.seat_is_due(now) {
            self.seat.restart();
        }
    }

    /// Starts every grace anew, and has the linger and the wait for a held seat timed anew.
    pub(in crate::room) fn restart(&mut self) {
        self.graces = Deadlines::default();
        self.unstamped = self.people.iter().filter(|person| person.attached == 0).map(|person| person.member).collect();
        if self.linger != Linger::Off {
            self.linger = Linger::Unstamped;
        }
        self.seat.restart();
    }

    /// The moment that is waited for; `None` while somebody is attached, or something is unstamped.
    pub(in crate::room) fn vacancy(&self) -> Option<Vacancy> {
        let linger = if let Linger::Until(until) = self.linger { Some(until) } else { None };
        (self.online == 0 && !self.is_unstamped()).then(|| Vacancy::new(self.graces.iter(), linger, self.seat.at()))
    }

    /// Gives what is unstamped the time that it had before.
    pub(in crate::room) fn wait(&mut self, vacancy: &Vacancy) {
        for member in std::mem::take(&mut self.unstamped) {
            self.graces.set(member, vacancy.grace_of(member));
        }
        if let (Linger::Unstamped, Some(until)) = (self.linger, vacancy.linger()) {
            self.linger = Linger::Until(until);
        }
        if let Some(until) = vacancy.seat() {
            self.seat.stamp(until);
        }
    }
}
