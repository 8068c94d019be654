//! Who is what in a room: roles that are given, kept for who is away, and handed on.

use super::decide::Rules;
use super::decision::{Answer, Decision};
use super::former::Place;
use super::hashes::ScopeHash;
use super::input::Actor;
use super::ledger::Ledger;
use super::members::Member;
use super::seat::{OwnerSeat, Succession};
use super::time::linger_after;
use crate::domain::{Event, LeaveReason, RecordVersion, Role};
use crate::types::{MemberId, Reject, RejectCode, Scope, Wall};

impl<'a> Rules<'a> {
    /// Gives somebody a role. That of the owner is handed on: one change for who was it, one for who is.
    pub(super) fn set_role(self, by: &Actor, member: MemberId, role: Role) -> Result<Decision, Reject> {
        let standing = self.standing(by)?;
        standing.may_appoint(role, self.ledger.is_protected())?;
        if standing.by() == Some(member) && role != Role::Owner {
            return Err(Reject::bad_field("member", "to be the owner no more, make another the owner"));
        }
        // An owner has to be there. A moderator may be away: else nobody could free the place of one who left for good.
        let is_here = self.ledger.member(member).is_some();
        let before = match self.ledger.role_kept(member).filter(|_| is_here || role != Role::Owner) {
            Some(before) => before,
            None => return Err(Reject::new(RejectCode::MemberNotFound, "there is no such member")),
        };
        if before == role {
            return Ok(self.nothing_to_do());
        }
        if before == Role::Owner && !self.ledger.is_protected() {
            return Err(Reject::bad_field("role", "a room is not left without an owner: make another the owner"));
        }
        if self.writes < RecordVersion::PERSONS {
            return Err(Reject::new(
                RejectCode::Unavailable,
                "not every program on the log of this room knows this role",
            ));
        }
        let owner = self.ledger.owner().filter(|_| role == Role::Owner);
        // Whoever hands the room on needs a place among the moderators, and may have that of who gets it.
        let more = usize::from(role == Role::Moderator || owner.is_some());
        let fewer = usize::from(before == Role::Moderator);
        let max = self.limits.moderators_max;
        if more > fewer && self.ledger.moderators_total() >= max {
            return Err(Reject::new(RejectCode::RolesFull, "there are as many moderators as may be").limit(max as u64));
        }
        let mut draft = self.draft();
        if let Some(owner) = owner {
            draft.push(standing.by(), Event::RoleChanged { member: owner.id, role: Role::Moderator });
        }
        let seq = draft.push(standing.by(), Event::RoleChanged { member, role });
        Ok(draft.finish(None, Answer::Done { seq }))
    }

    /// The room is the host's from now on.
    pub(super) fn protect(self) -> Result<Decision, Reject> {
        if self.ledger.is_protected() {
            return Ok(self.nothing_to_do());
        }
        if self.writes < RecordVersion::PERSONS {
            return Err(Reject::new(
                RejectCode::Unavailable,
                "not every program on the log of this room knows of this",
            ));
        }
        Ok(self.done(None, Event::Protected))
    }

    /// As what somebody comes in: as what they were, and into an empty room that nobody's seat is held in, as its owner.
    pub(super) fn role_at_join(self, scope: &Scope, place: Option<&Place>) -> Role {
        let held = self.ledger.held_seat();
        if held.is_some_and(|seat| seat.scope == self.ledger.hash(scope)) && !is_forgotten() {
            return Role::Owner;
        }
        let is_held = held.is_some_and(|seat| seat.until.is_none_or(|until| until > self.at()));
        if self.ledger.members_total() == 0 && !is_held && !self.ledger.is_protected() {
            return Role::Owner;
        }
        match place {
            Some(place) if place.role == Role::Moderator && self.writes >= RecordVersion::PERSONS => Role::Moderator,
            _ => Role::Member,
        }
    }

    /// What becomes of the room of who leaves it now: it is held for an owner who is lost, or who leaves it empty where it does not end with
    /// that, and else goes to who follows.
    pub(super) fn after_leave(self, leaver: &Member, reason: LeaveReason) -> Succession {
        let is_last = self.ledger.members_total() == 1;
        let goes_on = !is_last || self.ledger.is_kept() || !linger_after(reason, self.limits).is_zero();
        let is_held = leaver.role == Role::Owner
            && !self.ledger.is_protected()
            && goes_on
            && (reason == LeaveReason::Timeout || is_last)
            && self.writes >= RecordVersion::PERSONS
            && !self.limits.owner_seat_held.is_zero();
        match is_held {
            true => Succession::Held(self.at().after(self.limits.owner_seat_held)),
            false => self.after_kick(leaver),
        }
    }

    /// What becomes of the room of who is put out of it.
    pub(super) fn after_kick(self, leaver: &Member) -> Succession {
        let is_owners = leaver.role == Role::Owner && !self.ledger.is_protected();
        let heir = self.heir(Some(leaver.id)).filter(|_| is_owners);
        heir.map_or(Succession::None, |heir| Succession::Heir(heir.id))
    }

    /// Who follows at once where who is kept out now, and is gone, had the seat held for them.
    pub(super) fn after_ban_of(self, person: ScopeHash) -> Option<&'a Member> {
        let is_held = self.ledger.held_seat().is_some_and(|seat| seat.scope == person);
        self.heir(None).filter(|_| is_held && !self.ledger.is_protected())
    }

    /// Who follows an owner who is gone, and is not this one: a moderator, and else a member; of those, one who is connected, and else
    /// one who is not; of those, who has been here longest.
    fn heir(self, but: Option<MemberId>) -> Option<&'a Member> {
        let others = self.ledger.members_after(None).filter(|member| Some(member.id) != but);
        others.min_by_key(|member| {
            (member.role != Role::Moderator, !self.attendance.is_online(member.id), member.since, member.id)
        })
    }

    /// Who follows now that the time is over for which the seat was held; nobody while it is not, or was only said to be by a clock that
    /// has been set right since.
    pub(super) fn successor(self) -> Option<&'a Member> {
        let until = self.ledger.seat_until().filter(|_| self.attendance.seat_is_due(self.now.mono))?;
        if until <= self.at() { self.heir(None) } else { None }
    }
}

/// Whether a bug is switched on that does not give a held seat back.
fn is_forgotten() -> bool {
    #[cfg(feature = "fault_injection")]
    return crate::fault_injection::is(crate::fault_injection::Bug::ForgetSeat);
    #[cfg(not(feature = "fault_injection"))]
    false
}

impl Ledger {
    /// The owner, if they are here.
    pub(super) fn owner(&self) -> Option<&Member> {
        self.members_after(None).find(|member| member.role == Role::Owner)
    }

    /// Who owns the room. Costs a look at every member.
    pub(super) fn owner_seat(&self) -> OwnerSeat {
        match (self.owner(), self.held_seat()) {
            (Some(owner), _) => OwnerSeat::Taken(owner.id),
            (None, Some(seat)) => OwnerSeat::Held(seat.until),
            (None, None) => OwnerSeat::Free,
        }
    }

    /// How many moderators there are, those who left and have their place still included. Costs a look at everybody.
    pub(super) fn moderators_total(&self) -> usize {
        let here = self.members_after(None).filter(|member| member.role == Role::Moderator).count();
        here + self.places().filter(|place| place.role == Role::Moderator).count()
    }

    /// The role of who has this number, also where they left and have their place still; `None` for nobody who is known. Costs a look at
    /// those who left, where it is nobody who is here.
    pub(super) fn role_kept(&self, id: MemberId) -> Option<Role> {
        if let Some(member) = self.member(id) {
            return Some(member.role);
        }
        self.places().find(|place| place.is_of(id)).map(|place| place.role)
    }

    /// Until when a seat is held that somebody here may follow to: what the room waits for.
    pub(super) fn seat_until(&self) -> Option<Wall> {
        self.held_seat().and_then(|seat| seat.until).filter(|_| self.members_total() > 0)
    }

    /// Panics unless the owner's seat is exactly one of taken, held, the host's to give, and of no use to anybody. Costs a look at every
    /// member.
    pub(super) fn check_seat(&self) {
        let (has_owner, is_held) = (self.owner().is_some(), self.held_seat().is_some());
        assert!(!(has_owner && is_held), "a seat that is held is empty");
        let is_free = self.members_total() == 0 || self.is_protected();
        assert!(has_owner || is_held || is_free, "a room with members has an owner, or holds their seat");
    }
}
