//! What a ledger knows of people: who is a member, who left and may come back, who is kept out, and for whom the owner's seat is held.

use super::Ledger;
#[cfg(feature = "fault_injection")]
use crate::fault_injection::{self, Bug};
use crate::room::bans::Bans;
use crate::room::former::Place;
use crate::room::hashes::ScopeHash;
use crate::room::invites::Invites;
use crate::room::members::Member;
use crate::room::seat::HeldSeat;
#[cfg(feature = "fault_injection")]
use crate::seldom::Seldom;
use crate::types::{Color, MemberId, NickKey, Scope, Wall};

impl Ledger {
    /// The member with this number.
    pub fn member(&self, id: MemberId) -> Option<&Member> {
        self.members.get(id)
    }

    /// The member who is this person.
    pub fn member_with_scope(&self, scope: &Scope) -> Option<&Member> {
        self.members.with_scope(scope)
    }

    /// Members with a higher number than this, in order; all for `None`.
    pub fn members_after(&self, after: Option<MemberId>) -> impl Iterator<Item = &Member> {
        self.members.after(after)
    }

    /// How many members there are.
    pub fn members_total(&self) -> usize {
        self.members.len()
    }

    /// Who looks like this, but for one.
    pub(in crate::room) fn member_with_nick(&self, key: &NickKey, but: Option<MemberId>) -> Option<&Member> {
        self.members.with_nick(key, but)
    }

    /// When this member last changed what they are shown as, if that was lately.
    pub(in crate::room) fn changed_last(&self, member: MemberId) -> Option<Wall> {
        self.member_changes.last(member)
    }

    /// The highest number that anybody has had.
    pub(in crate::room) fn last_member(&self) -> MemberId {
        self.last_member
    }

    pub(in crate::room) fn next_member(&self) -> MemberId {
        MemberId(self.last_member.0 + 1)
    }

    /// Whether somebody is, or ever was, known here under this number.
    pub(in crate::room) fn was_given(&self, member: MemberId) -> bool {
        (MemberId(1)..=self.last_member).contains(&member)
    }

    pub(in crate::room) fn least_used_color(&self) -> Color {
        self.members.least_used_color()
    }

    /// When this member last spoke in slow mode, if that is remembered.
    pub(in crate::room) fn spoke_last(&self, member: MemberId) -> Option<Wall> {
        self.slow_mode.last(member)
    }

    /// The place of this person, if they left and are remembered.
    pub(in crate::room) fn place(&self, scope: &Scope) -> Option<&Place> {
        self.former.place(self.hash(scope))
    }

    /// Whether nothing is known of a person: no membership, no place that they left, and no seat that is held for them.
    pub(in crate::room) fn is_new(&self, scope: &Scope) -> bool {
        let is_held = || self.held.is_some_and(|seat| seat.scope == self.hash(scope));
        self.member_with_scope(scope).is_none() && self.place(scope).is_none() && !is_held()
    }

    /// The places of all who left and are remembered.
    pub(in crate::room) fn places(&self) -> impl Iterator<Item = &Place> {
        self.former.iter()
    }

    /// The place of who has this number, if they left and are remembered.
    pub(in crate::room) fn place_of(&self, member: MemberId) -> Option<&Place> {
        self.former.with_number(member)
    }

    /// Who was put out under this number, if they are remembered and have not come back.
    pub(in crate::room) fn put_out(&self, member: MemberId) -> Option<&Place> {
        self.put_out.with_number(member)
    }

    /// For whom the owner's seat is held, if it is.
    pub(in crate::room) fn held_seat(&self) -> Option<HeldSeat> {
        self.held
    }

    /// Whether only the host says who is the owner.
    pub fn is_protected(&self) -> bool {
        self.protected
    }

    /// Without the networks of its bans, or without its invites, where that is the bug.
    #[cfg(feature = "fault_injection")]
    pub(in crate::room) fn with_what_is_read_back(mut self) -> Self {
        if fault_injection::is(Bug::ForgetNetworks) {
            self.bans.make().forget_networks();
        }
        if fault_injection::is(Bug::ForgetInvites) {
            self.invites = Seldom::default();
        }
        self
    }

    pub(in crate::room) fn bans(&self) -> &Bans {
        &self.bans
    }

    pub(in crate::room) fn invites(&self) -> &Invites {
        &self.invites
    }

    /// Whether a person is kept out now.
    #[cfg(test)]
    pub(in crate::room) fn is_banned(&self, scope: &Scope) -> bool {
        self.bans.contains(scope, self.hash(scope), self.at)
    }

    pub(in crate::room) fn hash(&self, scope: &Scope) -> ScopeHash {
        ScopeHash::new(self.salt(), scope)
    }
}
