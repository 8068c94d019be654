//! Bans: who is kept out, who lets them in again, and who is shown whom.

use super::bans::{Asker, Ban, BanLine, Person};
use super::decide::Rules;
use super::decision::{Answer, Decision, More};
use super::former::Place;
use super::hashes::ScopeHash;
use super::input::{Actor, Caller};
use super::members::Member;
use crate::domain::{BanTerm, BanTerms, Event, RecordVersion, Role};
use crate::types::{BanId, MemberId, NetworkTag, Reject, RejectCode, Scope, Wall};

/// Somebody who is to be kept out.
#[derive(Clone, Copy)]
enum Whom<'a> {
    Present(&'a Member),
    /// They have left, and may come back to their place.
    Gone(&'a Place),
    /// They were put out, and have not come back.
    Out(&'a Place),
    /// They are banned, and it is longer ago than who was put out is remembered.
    Banned(&'a Ban, ScopeHash),
}

impl Whom<'_> {
    /// What they are, or are again when they come back.
    fn role(self) -> Role {
        match self {
            Self::Present(member) => member.role,
            Self::Gone(place) => place.role,
            Self::Out(_) | Self::Banned(..) => Role::Member,
        }
    }
}

impl<'a> Rules<'a> {
    /// Keeps somebody out, who is put out first if they are there. Of who is banned already it takes the place of that ban.
    pub(super) fn ban(self, by: &Actor, member: MemberId, terms: BanTerms) -> Result<Decision, Reject> {
        let standing = self.standing(by)?;
        standing.may_put_out(member)?;
        let whom = self.whom(member);
        let whom = whom.ok_or_else(|| Reject::new(RejectCode::MemberNotFound, "there is no such member"))?;
        standing.may_act_on(whom.role())?;
        let at = self.at();
        let (person, nick) = self.who(whom);
        let of_others = self.ledger.bans().holding(None, at).filter(|ban| !self.is_of(ban, person));
        if of_others.count() >= self.limits.bans_max {
            let reject = Reject::new(RejectCode::BansFull, "as many are banned from this room as may be");
            return Err(reject.limit(self.limits.bans_max as u64));
        }
        let networks = if terms.network { self.networks(member, person)? } else { Vec::new() };
        let is_plain = terms == BanTerms::default();
        let mut draft = self.draft();
        let ban = match (self.writes >= RecordVersion::PERSONS, whom) {
            (true, _) => {
                let until = terms.minutes.map(|minutes| at.after(60 * SECOND * minutes.get()));
                draft.push(
                    standing.by(),
                    Event::BanAdded {
                        ban: self.ledger.bans().next(),
                        person: person.into(),
                        member,
                        nick,
                        until,
                        networks,
                    },
                );
                Some(BanTerm::until(until))
            }
            // What every program can read: for ever, and of who is there.
            (false, Whom::Present(target)) if is_plain => {
                draft.push(standing.by(), Event::Banned { scope: target.scope.clone() });
                None
            }
            (false, _) => return Err(not_yet()),
        };
        if terms.sweep {
            self.push_sweep(&mut draft, standing, member, None)?;
        }
        match whom {
            Whom::Present(target) => {
                let seq = draft.push_kicked(standing.by(), target, self.after_kick(target), ban);
                Ok(draft.finish_exit(Answer::Done { seq }))
            }
            Whom::Gone(_) | Whom::Out(_) | Whom::Banned(..) => {
                // Answered with the head as of the ban: who follows an owner who is kept out follows at once.
                let seq = draft.head();
                if let Some(heir) = self.after_ban_of(person) {
                    draft.push(None, Event::RoleChanged { member: heir.id, role: Role::Owner });
                }
                Ok(draft.finish(None, Answer::Done { seq }))
            }
        }
    }

    /// Ends a ban before its time.
    pub(super) fn unban(self, by: &Actor, ban: BanId) -> Result<Decision, Reject> {
        let standing = self.standing(by)?;
        standing.may_moderate()?;
        if !self.ledger.bans().holding(None, self.at()).any(|held| held.number == ban) {
            return Err(Reject::new(RejectCode::BanNotFound, "there is no such ban, or it is over"));
        }
        if self.writes < RecordVersion::PERSONS {
            return Err(not_yet());
        }
        let mut draft = self.draft();
        let seq = draft.push(standing.by(), Event::BanLifted { ban });
        Ok(draft.finish(None, Answer::Done { seq }))
    }

    /// Shows who is kept out to who may change it.
    pub(super) fn bans(self, by: &Actor, after: Option<BanId>, limit: Option<u32>) -> Result<Decision, Reject> {
        self.standing(by)?.may_moderate()?;
        let page_max = self.limits.bans_page_max;
        let count = limit.map_or(page_max, |limit| page_max.min(limit as usize));
        let mut holding = self.ledger.bans().holding(after, self.at());
        let page: Vec<BanLine> = holding.by_ref().take(count).map(Ban::line).collect();
        let more = if holding.next().is_some() { More::Yes } else { More::No };
        Ok(self.draft().finish(None, Answer::Bans { page, more }))
    }

    /// Refuses who is kept out and would join. Where they come from binds those alone of whom nothing else is known: no identity, no
    /// membership, no place. Or a ban of one guest would take the room from an owner who was lost and comes back from the same house.
    pub(super) fn check_may_join(self, by: &Caller, scope: &Scope) -> Result<(), Reject> {
        let is_new = by.identity.is_none() && self.is_new(scope);
        self.check_is_not_banned(scope, by.network.filter(|_| is_new))
    }

    /// Whether nothing is known of a person: they are no member, and have no place.
    fn is_new(self, scope: &Scope) -> bool {
        #[cfg(feature = "fault_injection")]
        if crate::fault_injection::is(crate::fault_injection::Bug::LockOut) {
            return self.ledger.member_with_scope(scope).is_none();
        }
        self.ledger.is_new(scope)
    }

    /// Refuses a person who is kept out, or whom this network keeps out.
    pub(super) fn check_is_not_banned(self, scope: &Scope, network: Option<NetworkTag>) -> Result<(), Reject> {
        #[cfg(feature = "fault_injection")]
        if crate::fault_injection::is(crate::fault_injection::Bug::ForgetBan) {
            return Ok(());
        }
        let (bans, hash) = (self.ledger.bans(), self.ledger.hash(scope));
        let against = |network| bans.against(Asker { scope, hash, network }, self.at());
        match against(network) {
            Some(ban) if against(None).is_none() => {
                let message = "newcomers from your network are banned from this room";
                Err(Reject { until: ban.until, ..Reject::new(RejectCode::Banned, message) })
            }
            Some(ban) => Err(banned(ban.until)),
            None => Ok(()),
        }
    }

    /// Who has, or had, this number: they are there, have left, or were put out.
    fn whom(self, member: MemberId) -> Option<Whom<'a>> {
        let present = self.ledger.member(member).map(Whom::Present);
        let whom = present.or_else(|| self.ledger.place_of(member).map(Whom::Gone));
        whom.or_else(|| self.ledger.put_out(member).map(Whom::Out)).or_else(|| {
            let ban = self.ledger.bans().holding(None, self.at()).find(|ban| ban.member == Some(member))?;
            Some(Whom::Banned(ban, ban.hash()?))
        })
    }

    fn is_of(self, ban: &Ban, person: ScopeHash) -> bool {
        match &ban.person {
            Person::Scope(scope) => self.ledger.hash(scope) == person,
            Person::Hash(hash) => *hash == person,
        }
    }

    /// Where somebody came from, as far as that is remembered: since the room was last read back, or by an earlier ban. Or nobody could tell
    /// that a ban of their network binds nobody but them.
    fn networks(self, member: MemberId, person: ScopeHash) -> Result<Vec<NetworkTag>, Reject> {
        let known = self.attendance.networks_of(member);
        if !known.is_empty() {
            return Ok(known);
        }
        let mut holding = self.ledger.bans().holding(None, self.at());
        let before = holding.find(|ban| self.is_of(ban, person) && !ban.networks.is_empty());
        let unknown =
            || Reject::bad_field("network", "where they came from is not known any more: ban them without it");
        before.map(|ban| ban.networks.clone()).ok_or_else(unknown)
    }

    fn who(self, whom: Whom<'a>) -> (ScopeHash, Option<crate::types::Nick>) {
        match whom {
            Whom::Present(member) => (self.ledger.hash(&member.scope), Some(member.nick.clone())),
            Whom::Gone(place) | Whom::Out(place) => (place.scope(), place.nick.clone()),
            Whom::Banned(ban, person) => (person, ban.nick.clone()),
        }
    }
}

const SECOND: std::time::Duration = std::time::Duration::from_secs(1);

fn banned(until: Option<Wall>) -> Reject {
    Reject { until, ..Reject::new(RejectCode::Banned, "you are banned from this room") }
}

/// What is asked needs a record that not every program reads which lives on the room's log.
pub(super) fn not_yet() -> Reject {
    Reject::new(RejectCode::Unavailable, "not every program of this room can read that yet")
}
