//! Members who are attached, those who are gone and since when, and those who type. Never logged.
//!
//! Records carry no monotonic time, so what a record starts (the grace of a member nobody is attached as yet, the
//! linger of an empty room) is *unstamped* until the next note brings the time.

use std::ops::Range;
use std::time::Duration;

use smallvec::SmallVec;

use super::deadlines::Deadlines;
use super::ledger::Depth;
use super::live::LiveTexts;
use super::seat::SeatWait;
use super::signals::Signals;
use super::vacancy::Vacancy;
use crate::types::{
    Body, Generation, MemberId, Mono, NetworkTag, RoomLimits, Seq, SessionId, SignalData, SignalName, Wall,
};

/// The living half of a room.
#[derive(Clone, Debug, Default)]
pub(super) struct Attendance {
    /// One per member, in the order of their numbers.
    people: Vec<Presence>,
    /// By session.
    attachments: Vec<Attachment>,
    online: usize,
    graces: Deadlines,
    typing: Deadlines,
    live: LiveTexts,
    signals: Signals,
    linger: Linger,
    seat: SeatWait,
    unstamped: Vec<MemberId>,
    /// Where members came from, as far as that is known, in the order of their numbers; of each the latest last.
    networks: Vec<(MemberId, NetworkTag)>,
}

#[derive(Clone, Debug)]
struct Presence {
    member: MemberId,
    attached: u32,
    /// Those attached, and those whose generation is remembered; the longest known first.
    sessions: SmallVec<[SessionId; 1]>,
}

#[derive(Clone, Copy, Debug)]
struct Attachment {
    session: SessionId,
    generation: Generation,
    member: MemberId,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Attached,
    /// Kept so that what an older generation does late is recognised.
    Detached,
}

/// Whether an empty room is waiting to be deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Linger {
    /// It has members, or no incarnation.
    #[default]
    Off,
    /// It is empty; since when is not known yet.
    Unstamped,
    /// It is empty, and looks then whether it goes.
    Until(Mono),
}

impl Attendance {
    /// The member that this session is attached as, with this very generation.
    pub(super) fn attached(&self, session: SessionId, generation: Generation) -> Option<MemberId> {
        let attachment = self.find(session).ok().map(|index| &self.attachments[index])?;
        let current = attachment.state == State::Attached && attachment.generation == generation;
        current.then_some(attachment.member)
    }

    /// The newest generation known of this session.
    pub(super) fn generation(&self, session: SessionId) -> Option<Generation> {
        self.find(session).ok().map(|index| self.attachments[index].generation)
    }

    /// The sessions attached as this member.
    pub(super) fn sessions_of(&self, member: MemberId) -> SmallVec<[SessionId; 2]> {
        let Ok(person) = self.person(member) else { return SmallVec::new() };
        let sessions = self.people[person].sessions.iter().copied();
        sessions.filter(|&session| self.state(session) == Some(State::Attached)).collect()
    }

    pub(super) fn is_online(&self, member: MemberId) -> bool {
        self.person(member).is_ok_and(|person| self.people[person].attached > 0)
    }

    /// How many members have a session attached.
    pub(super) fn online(&self) -> usize {
        self.online
    }

    pub(super) fn is_typing(&self, member: MemberId) -> bool {
        self.typing.contains(member)
    }

    /// Everybody who is typing, in the order of their numbers.
    pub(super) fn typing(&self) -> impl Iterator<Item = MemberId> {
        self.typing.members()
    }

    /// Messages that grow.
    pub(super) fn live(&self) -> &LiveTexts {
        &self.live
    }

    pub(super) fn live_mut(&mut self) -> &mut LiveTexts {
        &mut self.live
    }

    /// What members show of themselves.
    pub(super) fn signals(&self) -> &Signals {
        &self.signals
    }

    pub(super) fn signals_mut(&mut self) -> &mut Signals {
        &mut self.signals
    }

    /// Of another incarnation, in which nobody is here yet. What was shown is shown no more; its revisions go on, so that whoever told it
    /// finds out, also where this is undone.
    pub(super) fn begin_anew(&mut self) {
        let (mut live, mut signals) = (std::mem::take(&mut self.live), std::mem::take(&mut self.signals));
        live.retain(|_| false);
        signals.retain(|_| false);
        *self = Self { live, signals, ..Self::default() };
    }

    /// Whether a message grows here, or somebody shows a signal.
    pub(super) fn shows_something(&self) -> bool {
        !self.live.is_empty() || !self.signals.as_slice().is_empty()
    }

    /// Whether what somebody shows has run out.
    fn slots_are_due(&self, now: Mono) -> bool {
        self.live.earliest().into_iter().chain(self.signals.earliest()).any(|at| at <= now)
    }

    /// The member whose grace ran out first, if any has.
    pub(super) fn overdue(&self, now: Mono) -> Option<MemberId> {
        self.graces.due(now)
    }

    /// How long a member without a connection has until it has left; `None` for who is connected.
    pub(super) fn grace_left(&self, member: MemberId, now: Mono, limits: &RoomLimits) -> Option<Duration> {
        match self.graces.of(member) {
            Some(until) => Some(until.since(now)),
            None => self.unstamped.contains(&member).then_some(limits.grace),
        }
    }

    pub(super) fn linger_is_due(&self, now: Mono) -> bool {
        matches!(self.linger, Linger::Until(until) if until <= now)
    }

    /// Whether a note of the time would change something.
    pub(super) fn wants_time(&self, now: Mono) -> bool {
        self.is_unstamped()
            || self.typing.due(now).is_some()
            || self.slots_are_due(now)
            || self.linger_is_due(now)
            || self.seat_is_due(now)
    }

    /// Whether a seat that is held is to be looked at now.
    pub(super) fn seat_is_due(&self, now: Mono) -> bool {
        self.seat.is_due(now)
    }

    /// When time will change something next; at once while something is unstamped.
    pub(super) fn next_deadline(&self) -> Option<Mono> {
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

    /// Bytes that it holds.
    pub(super) fn weight(&self) -> usize {
        // A member of one session has its number inside; of several, elsewhere.
        self.people.capacity() * size_of::<Presence>()
            + self.attachments.capacity() * size_of::<Attachment>()
            + self.attachments.len().saturating_sub(self.people.len()) * 2 * size_of::<SessionId>()
            + self.unstamped.capacity() * size_of::<MemberId>()
            + self.networks.capacity() * size_of::<(MemberId, NetworkTag)>()
            + self.graces.weight()
            + self.typing.weight()
            + self.live.weight()
            + self.signals.weight()
    }

    // What records bring about.

    /// Somebody became a member, with no session attached yet.
    pub(super) fn enter(&mut self, member: MemberId) {
        if let Err(index) = self.person(member) {
            self.people.insert(index, Presence { member, attached: 0, sessions: SmallVec::new() });
            self.unstamped.push(member);
        }
        self.linger = Linger::Off;
    }

    /// Somebody stopped being a member: all their attachments end.
    pub(super) fn exit(&mut self, member: MemberId) {
        let Ok(index) = self.person(member) else { return };
        let person = self.people.remove(index);
        for session in person.sessions {
            let index = self.find(session).expect("a remembered session has an attachment");
            self.attachments.remove(index);
        }
        self.online -= usize::from(person.attached > 0);
        self.graces.drop(member);
        self.typing.drop(member);
        self.end_slots(member);
        self.unstamped.retain(|&unstamped| unstamped != member);
        let networks = self.networks_range(member);
        self.networks.drain(networks);
        if self.people.is_empty() {
            self.linger = Linger::Unstamped;
        }
    }

    /// An incarnation without members, not yet closed: it lingers, if it does not yet.
    pub(super) fn vacate(&mut self) {
        if self.linger == Linger::Off {
            self.linger = Linger::Unstamped;
        }
    }

    /// A seat is held until then, for whoever is here to follow; or no more.
    pub(super) fn hold_seat(&mut self, until: Option<Wall>) {
        self.seat = SeatWait::of(until);
    }

    // What notes bring about. Each ends with `stamp`.

    /// A session is attached as a member; ignored from an older generation, for nobody, and over the bound.
    pub(super) fn attach(&mut self, session: SessionId, generation: Generation, member: MemberId, limits: &RoomLimits) {
        if self.person(member).is_err() || self.generation(session).is_some_and(|known| known > generation) {
            return;
        }
        match self.find(session) {
            Ok(index) if self.attachments[index].member == member => self.attachments[index].generation = generation,
            found => {
                if !self.make_place(member, limits.attachments_max) {
                    return;
                }
                if found.is_ok() {
                    self.forget(session);
                }
                let index = self.find(session).expect_err("a session is attached once");
                let attachment = Attachment { session, generation, member, state: State::Detached };
                self.attachments.insert(index, attachment);
                self.person_mut(member).sessions.push(session);
            }
        }
        self.set_attached(session);
    }

    /// A member came from there; the last few are remembered.
    pub(super) fn came_from(&mut self, member: MemberId, network: NetworkTag) {
        let range = self.networks_range(member);
        if let Some(known) = self.networks[range.clone()].iter().position(|(_, known)| *known == network) {
            // Mostly the latest, and nothing moves.
            return self.networks[range.start + known..range.end].rotate_left(1);
        }
        if range.len() == NetworkTag::PER_PERSON_MAX {
            self.networks[range.clone()].rotate_left(1);
            self.networks[range.end - 1].1 = network;
        } else {
            self.networks.insert(range.end, (member, network));
        }
    }

    /// Where a member came from, the latest last.
    pub(super) fn networks_of(&self, member: MemberId) -> Vec<NetworkTag> {
        self.networks[self.networks_range(member)].iter().map(|(_, network)| *network).collect()
    }

    fn networks_range(&self, member: MemberId) -> Range<usize> {
        let start = self.networks.partition_point(|(other, _)| *other < member);
        start..start + self.networks[start..].partition_point(|(other, _)| *other == member)
    }

    /// A session lost its connection; ignored from an older generation.
    pub(super) fn detach(&mut self, session: SessionId, generation: Generation) {
        let Ok(index) = self.find(session) else { return };
        if self.attachments[index].generation <= generation {
            self.attachments[index].generation = generation;
            self.set_detached(session);
        }
    }

    /// Starts or renews a member's typing; ignored for who is not here.
    pub(super) fn start_typing(&mut self, member: MemberId, until: Mono) {
        if self.person(member).is_ok_and(|index| self.people[index].attached > 0) {
            self.typing.set(member, until);
        }
    }

    /// A message of a member grows, or does not any more; what grows is ignored for who is not here, and over the bound.
    pub(super) fn note_live(
        &mut self,
        member: MemberId,
        target: Seq,
        text: Option<Body>,
        until: Mono,
        limits: &RoomLimits,
    ) {
        match text {
            Some(text) if self.is_online(member) && self.live.room_for(member, &text, limits).is_ok() => {
                self.live.show(member, target, text, until);
            }
            Some(_) => {}
            None => self.live.retain(|live| (live.member, live.target) != (member, target)),
        }
    }

    /// A member shows something under a name, or not any more; what is shown is ignored for who is not here, and over the bound.
    pub(super) fn note_signal(
        &mut self,
        member: MemberId,
        name: SignalName,
        data: Option<SignalData>,
        until: Mono,
        limits: &RoomLimits,
    ) {
        match data {
            Some(data) if self.is_online(member) && self.signals.room_for(member, &name, &data, limits).is_ok() => {
                self.signals.show(member, name, data, until);
            }
            Some(_) => {}
            None => self.signals.take_away(member, &name),
        }
    }

    /// Who has gone shows nothing.
    fn end_slots(&mut self, member: MemberId) {
        self.live.end_of(member);
        self.signals.end_of(member);
    }

    /// Forgets what was shown and not renewed in time.
    pub(super) fn expire_slots(&mut self, now: Mono) {
        self.live.expire(now);
        self.signals.expire(now);
    }

    pub(super) fn stop_typing(&mut self, member: MemberId) {
        self.typing.drop(member);
    }

    /// Forgets typing that has run out.
    pub(super) fn expire_typing(&mut self, now: Mono) {
        while let Some(member) = self.typing.due(now) {
            self.typing.drop(member);
        }
    }

    /// Has a linger that is due timed anew: the room is still here.
    pub(super) fn expire_linger(&mut self, now: Mono) {
        if self.linger_is_due(now) {
            self.linger = Linger::Unstamped;
        }
    }

    /// Has the wait for a held seat timed anew where it is over: nobody was given it.
    pub(super) fn expire_seat(&mut self, now: Mono) {
        if self.seat_is_due(now) {
            self.seat.restart();
        }
    }

    /// Starts every grace anew, and has the linger and the wait for a held seat timed anew.
    pub(super) fn restart(&mut self) {
        self.graces = Deadlines::default();
        self.unstamped = self.people.iter().filter(|person| person.attached == 0).map(|person| person.member).collect();
        if self.linger != Linger::Off {
            self.linger = Linger::Unstamped;
        }
        self.seat.restart();
    }

    /// The moment that is waited for; `None` while somebody is attached, or something is unstamped.
    pub(super) fn vacancy(&self) -> Option<Vacancy> {
        let linger = if let Linger::Until(until) = self.linger { Some(until) } else { None };
        (self.online == 0 && !self.is_unstamped()).then(|| Vacancy::new(self.graces.iter(), linger, self.seat.at()))
    }

    /// Gives what is unstamped the time that it had before.
    pub(super) fn wait(&mut self, vacancy: &Vacancy) {
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

    /// Gives what is unstamped its time; an empty room, and a seat that is held, have so much left.
    pub(super) fn stamp(&mut self, now: Mono, limits: &RoomLimits, linger_left: Duration, seat_left: Duration) {
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

    /// The members it knows, in order.
    pub(super) fn members(&self) -> impl Iterator<Item = MemberId> {
        self.people.iter().map(|person| person.member)
    }

    pub(super) fn linger(&self) -> Linger {
        self.linger
    }

    pub(super) fn seat(&self) -> SeatWait {
        self.seat
    }

    /// Panics when its parts disagree.
    pub(super) fn check(&self, depth: Depth, limits: &RoomLimits) {
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
        assert!(self.networks.is_sorted_by_key(|(member, _)| *member), "networks are in the order of the members");
        let is_here = |(member, _): &(MemberId, NetworkTag)| self.person(*member).is_ok();
        assert!(self.networks.iter().all(is_here), "nobody is remembered to come from anywhere who is not here");
    }

    fn set_attached(&mut self, session: SessionId) {
        let index = self.find(session).expect("found above");
        let Attachment { member, state, .. } = self.attachments[index];
        if state == State::Attached {
            return;
        }
        self.attachments[index].state = State::Attached;
        let person = self.person_mut(member);
        person.attached += 1;
        if person.attached == 1 {
            self.online += 1;
            self.graces.drop(member);
            self.unstamped.retain(|&unstamped| unstamped != member);
        }
    }

    fn set_detached(&mut self, session: SessionId) {
        let index = self.find(session).expect("found above");
        let Attachment { member, state, .. } = self.attachments[index];
        if state == State::Detached {
            return;
        }
        self.attachments[index].state = State::Detached;
        let person = self.person_mut(member);
        person.attached -= 1;
        if person.attached == 0 {
            self.online -= 1;
            self.typing.drop(member);
            self.end_slots(member);
            self.unstamped.push(member);
        }
    }

    /// Whether the member may have one session more, once a detached one is forgotten if need be.
    fn make_place(&mut self, member: MemberId, max: usize) -> bool {
        let person = self.person_mut(member);
        if person.sessions.len() < max {
            return true;
        }
        let sessions = person.sessions.clone();
        match sessions.into_iter().find(|&session| self.state(session) == Some(State::Detached)) {
            Some(session) => {
                self.forget(session);
                true
            }
            None => false,
        }
    }

    /// Forgets a session altogether.
    fn forget(&mut self, session: SessionId) {
        self.set_detached(session);
        let index = self.find(session).expect("found above");
        let attachment = self.attachments.remove(index);
        self.person_mut(attachment.member).sessions.retain(|known| *known != session);
    }

    fn state(&self, session: SessionId) -> Option<State> {
        self.find(session).ok().map(|index| self.attachments[index].state)
    }

    fn find(&self, session: SessionId) -> Result<usize, usize> {
        self.attachments.binary_search_by_key(&session, |attachment| attachment.session)
    }

    fn person(&self, member: MemberId) -> Result<usize, usize> {
        self.people.binary_search_by_key(&member, |person| person.member)
    }

    fn person_mut(&mut self, member: MemberId) -> &mut Presence {
        let index = self.person(member).expect("an attachment is a member's");
        &mut self.people[index]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
