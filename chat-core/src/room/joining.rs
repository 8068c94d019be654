//! The rules of coming in: who founds a room, joins it or comes back to it, as whom, and what they are shown first.

use super::decide::{Rules, not_member};
use super::decision::{Answer, Decision, Entered, Entry, HistorySlice, Note};
use super::draft::Draft;
use super::former::Place;
use super::input::Caller;
use super::me::Shown;
use super::members::Member;
use crate::domain::{Event, RecordVersion, Role};
use crate::types::{Color, Epoch, MemberId, Nick, PersonData, Position, Reject, RejectCode, SecretHash, Seq};

/// As who somebody comes in: what their record says of them, beside their name.
#[derive(Clone, Copy)]
struct Seat {
    member: MemberId,
    color: Color,
    sees: Option<Seq>,
}

impl Rules<'_> {
    /// Begins an incarnation, whose owner it is.
    pub(super) fn create(
        self,
        by: &Caller,
        asked: (&Nick, Option<&PersonData>),
        epoch: Epoch,
        salt: u64,
    ) -> Result<Decision, Reject> {
        let shown = self.shown_as(by, asked);
        self.check_is_not_hosts(by, &shown.nick_key)?;
        let mut draft = Draft::new_life(self.ledger, self.limits, self.now.wall);
        draft.push(None, Event::Created { epoch, salt });
        let seat = Seat { member: MemberId(1), color: Color(0), sees: self.says_floor().then_some(Seq(0)) };
        Ok(self.joined(draft, by, seat, shown, Role::Owner))
    }

    /// Makes somebody a member, or attaches to the membership that they have.
    pub(super) fn join(
        self,
        by: &Caller,
        asked: (&Nick, Option<&PersonData>),
        history: Option<u32>,
        after: Option<Position>,
        secret: Option<SecretHash>,
    ) -> Result<Decision, Reject> {
        let scope = by.scope();
        self.check_may_join(by, &scope)?;
        if let Some(member) = self.ledger.member_with_scope(&scope) {
            if self.attendance.attached(by.session, by.generation) == Some(member.id) {
                return Err(Reject::new(RejectCode::AlreadyMember, "you are in this room already"));
            }
            return self.come_back(by, member, history, after);
        }
        self.check_is_not_late(by)?;
        if self.ledger.is_new(&scope) {
            if self.invited_until(&scope).is_none() {
                self.admit_newcomer(secret)?;
            }
            self.check_says_what_newcomers_see()?;
        }
        let shown = self.shown_as(by, asked);
        self.check_nick_is_free(by, &shown.nick_key, None)?;
        if self.ledger.members_total() >= self.limits.members_max {
            return Err(Reject::new(RejectCode::RoomFull, "the room is full").limit(self.limits.members_max as u64));
        }
        let place = self.ledger.place(&scope);
        let (seat, role) = (self.seat(place), self.role_at_join(&scope, place));
        let mut decision = self.joined(self.draft(), by, seat, shown, role);
        let Answer::Entered(entered) = &mut decision.answer else { unreachable!("a join is answered with an entry") };
        match (self.seen(after), place) {
            (Some(seen), Some(place)) => {
                entered.from = seen.clamp(place.joined, self.ledger.head());
                entered.is_named = true;
            }
            _ => entered.history = self.newest(history, self.floor(place, seat)),
        }
        Ok(decision)
    }

    /// As who somebody comes in. A number is a person: who comes back to their place has it again, and sees what they saw. While
    /// programs live that cannot read that, each join has a number of its own, and newcomers see everything.
    fn seat(self, place: Option<&Place>) -> Seat {
        let new = || (self.ledger.next_member(), self.ledger.least_used_color());
        let says_floor = self.says_floor();
        let again = place.filter(|_| says_floor).and_then(Place::number);
        let (member, color) = again.unwrap_or_else(new);
        let floor = || place.map_or_else(|| self.floor_of_newcomer(), |place| place.sees);
        Seat { member, color, sees: says_floor.then(floor) }
    }

    /// Whether a join may be recorded with what is seen of the messages before it.
    pub(super) fn says_floor(self) -> bool {
        self.writes >= RecordVersion::PERSONS
    }

    /// What somebody sees who comes in like this; see `Ledger::apply`.
    fn floor(self, place: Option<&Place>, seat: Seat) -> Seq {
        seat.sees.or(place.map(|place| place.sees)).unwrap_or_default()
    }

    /// Attaches to a membership, and never makes one: a resume.
    pub(super) fn attach(self, by: &Caller, after: Option<Position>) -> Result<Decision, Reject> {
        let scope = by.scope();
        let Some(member) = self.ledger.member_with_scope(&scope) else {
            return Err(self.check_is_not_banned(&scope, None).err().unwrap_or_else(not_member));
        };
        // One from before all that they may see is nobody's.
        let after = after.filter(|after| after.seq >= member.joined);
        let mut decision = self.come_back(by, member, None, after)?;
        let Answer::Entered(entered) = &mut decision.answer else { unreachable!("who comes back has entered") };
        // Who names a position of an earlier membership has not heard of this one: another device began it, or its `joined`
        // was lost.
        if self.seen(after).is_some_and(|seen| seen >= member.entered) {
            entered.entry = Entry::Continued;
        }
        Ok(decision)
    }

    /// What an older generation asks late is not for it to have any more: its answer would reach nobody.
    fn check_is_not_late(&self, by: &Caller) -> Result<(), Reject> {
        match self.attendance.generation(by.session) {
            Some(known) if known > by.generation => Err(not_member()),
            _ => Ok(()),
        }
    }

    /// Attaches to a membership: nobody is told.
    fn come_back(
        self,
        by: &Caller,
        member: &Member,
        history: Option<u32>,
        after: Option<Position>,
    ) -> Result<Decision, Reject> {
        self.check_is_not_late(by)?;
        let others = self.attendance.sessions_of(member.id).iter().filter(|&&session| session != by.session).count();
        if others >= self.limits.attachments_max {
            let reject = Reject::new(RejectCode::TooManyAttachments, "you are here on as many devices as there may be");
            return Err(reject.limit(self.limits.attachments_max as u64));
        }
        let head = self.ledger.head();
        let seen = self.seen(after);
        let (from, history) = match seen {
            Some(seen) => (seen.clamp(member.joined, head), HistorySlice::default()),
            None => (head, self.newest(history, member.sees)),
        };
        let entered = Entered { member: member.id, from, is_named: seen.is_some(), entry: Entry::Attached, history };
        let mut draft = self.draft();
        if let Some(changed) = self.named_otherwise(by, member) {
            draft.push(Some(member.id), changed);
        }
        Ok(draft.finish(Some(attached(by, member.id)), Answer::Entered(Box::new(entered))))
    }

    fn joined(
        self,
        mut draft: Draft<'_>,
        by: &Caller,
        Seat { member, color, sees }: Seat,
        Shown { nick, nick_key, data }: Shown,
        role: Role,
    ) -> Decision {
        let scope = by.scope();
        let from = draft.push_join(member, Event::Joined { nick, nick_key, color, role, scope, sees, data });
        let history = HistorySlice::default();
        let entered = Entered { member, from, is_named: false, entry: Entry::Joined, history };
        draft.finish(Some(attached(by, member)), Answer::Entered(Box::new(entered)))
    }

    /// What a caller says they have seen, if it is of this incarnation, and there. What is past the head was lost with its log: they are shown the
    /// room anew, before the same numbers are given to something else.
    fn seen(self, after: Option<Position>) -> Option<Seq> {
        let is_there = |after: &Position| Some(after.epoch) == self.ledger.epoch() && after.seq <= self.ledger.head();
        after.filter(is_there).map(|after| after.seq)
    }
}

fn attached(by: &Caller, member: MemberId) -> Note {
    Note::Attached { session: by.session, generation: by.generation, member, network: by.network }
}
