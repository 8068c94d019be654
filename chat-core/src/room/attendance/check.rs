//! What always holds of those who are attached, as checks that panic.

use super::{Attendance, Linger};
use crate::room::ledger::Depth;
use crate::types::{RoomLimits, SessionId};

impl Attendance {
    /// Panics when its parts disagree.
    pub(in crate::room) fn check(&self, depth: Depth, limits: &RoomLimits) {
        assert!(self.online <= self.people.len(), "who is online is a member");
        assert!(self.typing.len() <= self.online, "who types is online");
        if depth == Depth::Counts {
            return;
        }
        self.graces.check();
        self.typing.check();
        self.live.check(limits, |member| self.is_online(member));
        self.signals.check(limits, |member| self.is_online(member));
        assert!(self.people.is_sorted_by(|a, b| a.member < b.member), "people are in order");
        assert!(self.attachments.is_sorted_by(|a, b| a.session < b.session), "a session is attached once");
        let remembered: usize = self.people.iter().map(|person| person.sessions.len()).sum();
        assert_eq!(remembered, self.attachments.len(), "every attachment is somebody's");
        for person in &self.people {
            assert!(person.sessions.len() <= limits.attachments_max, "attachments_max holds");
            let own = |session: &SessionId| {
                self.find(*session).is_ok_and(|index| self.attachments[index].member == person.member)
            };
            assert!(person.sessions.iter().all(own), "a member's sessions are their own");
            let attached = self.sessions_of(person.member).len();
            assert_eq!(attached, person.attached as usize, "who is attached is counted");
            let counting = self.graces.contains(person.member);
            let unstamped = self.unstamped.contains(&person.member);
            assert_eq!(attached == 0, counting || unstamped, "exactly who is gone is in their grace");
        }
        let online = self.people.iter().filter(|person| person.attached > 0).count();
        assert_eq!(online, self.online, "who is online is counted");
        assert!(self.typing().all(|member| !self.graces.contains(member)), "who types is online");
        assert!(self.people.is_empty() || self.linger == Linger::Off, "only an empty room lingers");
        self.networks.check(limits.former_networks_max, |member| self.person(member).is_ok());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Generation, MemberId, Mono};

    /// Member 1, attached in session 1.
    fn one_attached() -> Attendance {
        let mut attendance = Attendance::default();
        attendance.enter(MemberId(1));
        attendance.attach(SessionId::new(1), Generation(1), MemberId(1), &RoomLimits::default());
        attendance.check(Depth::Full, &RoomLimits::default());
        attendance
    }

    #[test]
    #[should_panic(expected = "who types is online")]
    fn more_typists_than_people_online_are_a_bug_that_counts_show() {
        let mut broken = one_attached();
        broken.typing.set(MemberId(1), Mono(9));
        broken.typing.set(MemberId(2), Mono(9));
        broken.check(Depth::Counts, &RoomLimits::default());
    }

    /// As if member 2 had the session of member 1.
    fn mixed_up() -> Attendance {
        let mut broken = one_attached();
        broken.attachments[0].member = MemberId(2);
        broken
    }

    #[test]
    #[should_panic(expected = "a member's sessions are their own")]
    fn an_attachment_of_somebody_else_is_a_bug_that_a_full_look_shows() {
        mixed_up().check(Depth::Full, &RoomLimits::default());
    }

    #[test]
    fn counts_are_looked_at_without_a_look_at_every_member() {
        mixed_up().check(Depth::Counts, &RoomLimits::default());
    }
}
