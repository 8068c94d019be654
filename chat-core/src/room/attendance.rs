//! Members who are attached, those who are gone and since when, and those who type. Never logged.

use smallvec::SmallVec;

use self::networks::Networks;
pub(super) use self::waiting::Linger;
use super::deadlines::Deadlines;
use super::live::LiveTexts;
use super::seat::SeatWait;
use super::signals::Signals;
use crate::seldom::Seldom;
use crate::types::{Generation, MemberId, NetworkTag, SessionId};

mod attaching;
mod check;
mod ephemeral;
mod networks;
mod waiting;

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
    live: Seldom<LiveTexts>,
    signals: Seldom<Signals>,
    linger: Linger,
    seat: SeatWait,
    /// Members whose grace has begun, and who are not given its end yet.
    unstamped: Vec<MemberId>,
    networks: Networks,
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

    /// Every session that is attached, in the order of their numbers.
    pub(super) fn attachments(&self) -> impl Iterator<Item = (SessionId, Generation, MemberId)> {
        let attached = self.attachments.iter().filter(|attachment| attachment.state == State::Attached);
        attached.map(|attachment| (attachment.session, attachment.generation, attachment.member))
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

    /// The members it knows, in order.
    pub(super) fn members(&self) -> impl Iterator<Item = MemberId> {
        self.people.iter().map(|person| person.member)
    }

    /// Where a member came from, the latest last.
    pub(super) fn networks_of(&self, member: MemberId) -> Vec<NetworkTag> {
        self.networks.of(member)
    }

    /// A member came from there; the last few are remembered.
    pub(super) fn came_from(&mut self, member: MemberId, network: NetworkTag) {
        self.networks.came_from(member, network);
    }

    /// Bytes that it holds.
    pub(super) fn weight(&self) -> usize {
        // A member of one session has its number inside; of several, elsewhere.
        self.people.capacity() * size_of::<Presence>()
            + self.attachments.capacity() * size_of::<Attachment>()
            + self.attachments.len().saturating_sub(self.people.len()) * 2 * size_of::<SessionId>()
            + self.unstamped.capacity() * size_of::<MemberId>()
            + self.networks.weight()
            + self.graces.weight()
            + self.typing.weight()
            + self.live.weight()
            + self.signals.weight()
            + self.live.room()
            + self.signals.room()
    }

    // What records bring about.

    /// Somebody became a member, with no session attached yet.
    pub(super) fn enter(&mut self, member: MemberId) {
        if let Err(index) = self.person(member) {
            self.people.insert(index, Presence { member, attached: 0, sessions: SmallVec::new() });
            self.unstamped.push(member);
        }
        self.networks.enter(member);
        self.linger = Linger::Off;
    }

    /// Somebody stopped being a member: all their attachments end. Of so many who went it is known where they came from.
    pub(super) fn exit(&mut self, member: MemberId, gone_max: usize) {
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
        self.networks.exit(member, gone_max);
        if self.people.is_empty() {
            self.linger = Linger::Unstamped;
        }
    }

    /// Nothing is remembered of where those came from, who are not here.
    pub(super) fn forget_networks(&mut self, members: &[MemberId]) {
        members.iter().for_each(|&member| self.networks.forget_one(member));
    }

    /// Another fold of the log is in place: numbers of who has gone may be others' there.
    pub(super) fn forget_gone(&mut self) {
        self.networks.forget_gone();
    }

    /// Of another incarnation, in which nobody is here yet. What was shown is shown no more; its revisions go on, so that whoever told it
    /// finds out, also where this is undone.
    pub(super) fn begin_anew(&mut self) {
        let (mut live, mut signals) = (std::mem::take(&mut self.live), std::mem::take(&mut self.signals));
        live.if_any().into_iter().for_each(|live| live.retain(|_| false));
        signals.if_any().into_iter().for_each(|signals| signals.retain(|_| false));
        *self = Self { live, signals, ..Self::default() };
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
