//! Sessions are attached as members, and detached again: the newest generation of each counts.

use super::{Attachment, Attendance, State};
use crate::types::{Generation, MemberId, RoomLimits, SessionId};

impl Attendance {
    /// A session is attached as a member; ignored from an older generation, for nobody, and over the bound.
    pub(in crate::room) fn attach(
        &mut self,
        session: SessionId,
        generation: Generation,
        member: MemberId,
        limits: &RoomLimits,
    ) {
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

    /// A session lost its connection; ignored from an older generation.
    pub(in crate::room) fn detach(&mut self, session: SessionId, generation: Generation) {
        let Ok(index) = self.find(session) else { return };
        if self.attachments[index].generation <= generation {
            self.attachments[index].generation = generation;
            self.set_detached(session);
        }
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
}
