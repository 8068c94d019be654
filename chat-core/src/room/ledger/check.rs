//! What always holds of a ledger, as checks that panic.

use super::Ledger;
use crate::room::erasures::Erasures;
use crate::types::MemberId;

/// How closely to look for a broken invariant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::room) enum Depth {
    /// At counts only: the same cost in a room of any size.
    Counts,
    /// At every member.
    Full,
}

impl Ledger {
    /// Panics when something is over its bound; with a look at every member and message at [`Depth::Full`].
    pub(in crate::room) fn check(&self, depth: Depth) {
        assert!(self.head.0 <= self.offset.0, "what is told is recorded");
        assert!(self.marks.len() <= self.bounds.marks_max, "marks_max holds");
        assert!(self.former.len() <= self.bounds.former_max, "former_max holds");
        assert!(self.put_out.len() <= self.bounds.former_max, "former_max holds of who was put out, too");
        assert!(self.changes.len() <= self.bounds.changes_max, "changes_max holds");
        assert!(self.slow_mode.len() <= self.bounds.slowed_max, "slowed_max holds");
        assert!(self.member_changes.len() <= self.bounds.member_changes.max, "member_changes_max holds");
        assert!(self.settings.slow_ms > 0 || self.slow_mode.is_empty(), "without slow mode nobody is slowed");
        assert!(self.keys.len() <= self.bounds.keys.total_max, "keys_max holds");
        assert!(self.host_keys.len() <= self.bounds.host_keys_max, "host_keys_max holds");
        assert!(self.erasures.len() <= Erasures::MAX, "so many are erased at once");
        assert!(self.life.is_some() || self.members.len() == 0, "a room without an incarnation has no members");
        assert!(
            self.empty.is_none() || self.empty_since() == self.empty,
            "only a living room without members is empty"
        );
        if depth == Depth::Full {
            self.members.check();
            self.marks.check(self.head);
            self.owed.check(self.head);
            self.bans.check();
            self.invites.check();
            self.erasures.check(self.offset);
            self.changes.check(self.head);
            self.slow_mode.check();
            self.member_changes.check();
            self.reactions.check(self.head);
            let newest = self.members_after(None).last().map_or(MemberId(0), |member| member.id);
            assert!(newest <= self.last_member, "a new member has a new number");
            self.former.check(self.last_member, |id| self.member(id).is_some());
            self.put_out.check(self.last_member, |id| self.member(id).is_some());
            assert!(self.members_after(None).all(|member| member.joined <= self.head), "nobody joined in the future");
            let floors = self.members_after(None).all(|member| member.sees <= member.joined);
            assert!(floors, "a floor is not above where events begin");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{RoomLimits, Seq};

    #[test]
    #[should_panic(expected = "what is told is recorded")]
    fn a_head_past_the_last_record_is_a_bug_that_counts_show() {
        let broken = Ledger { head: Seq(1), ..Ledger::new(&RoomLimits::default()) };
        broken.check(Depth::Counts);
    }

    /// With a message that is newer than the head.
    fn ahead() -> Ledger {
        let mut broken = Ledger::new(&RoomLimits::default());
        broken.marks.push(Seq(1), MemberId(1), 1);
        broken
    }

    #[test]
    #[should_panic(expected = "no message is newer than the head")]
    fn a_message_from_the_future_is_a_bug_that_a_full_look_shows() {
        ahead().check(Depth::Full);
    }

    #[test]
    fn counts_are_looked_at_without_a_look_at_every_message() {
        ahead().check(Depth::Counts);
    }
}
