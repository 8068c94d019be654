//! The records of one decision: numbered, stamped, and with what follows when somebody comes or goes.

use std::time::Duration;

use smallvec::SmallVec;

use super::decision::{Answer, Decision, Note, Repeated};
use super::ledger::Ledger;
use super::members::Member;
use super::seat::Succession;
use super::time::linger_after;
use crate::domain::{BanTerm, Event, LeaveReason, Notices, Record, Role, RoomCloseReason};
use crate::types::{MemberId, Offset, RoomLimits, Seq, Wall};

/// Records that would follow the ledger's last one.
pub(super) struct Draft<'a> {
    ledger: &'a Ledger,
    limits: &'a RoomLimits,
    records: SmallVec<[Record; 1]>,
    offset: Offset,
    head: Seq,
    at: Wall,
}

impl<'a> Draft<'a> {
    /// In the ledger's incarnation, at this moment of its time.
    #[inline]
    pub(super) fn new(ledger: &'a Ledger, limits: &'a RoomLimits, at: Wall) -> Self {
        Self { ledger, limits, records: SmallVec::new(), offset: ledger.last_offset(), head: ledger.head(), at }
    }

    /// In a new incarnation: every number starts again.
    pub(super) fn new_life(ledger: &'a Ledger, limits: &'a RoomLimits, at: Wall) -> Self {
        Self { offset: Offset(0), head: Seq(0), ..Self::new(ledger, limits, at) }
    }

    /// The number of the last told event, this draft's included.
    pub(super) fn head(&self) -> Seq {
        self.head
    }

    /// The time of this draft's records.
    pub(super) fn at(&self) -> Wall {
        self.at
    }

    /// Whether the incarnation ends by it.
    pub(super) fn is_over(&self) -> bool {
        self.records.last().is_some_and(|last| matches!(last.event, Event::Closed { .. }))
    }

    /// Adds a record; answers with the number of the last told event, which is its own if it is told.
    pub(super) fn push(&mut self, by: Option<MemberId>, event: Event) -> Seq {
        self.offset = self.offset.next();
        let seq = is_told(&event, self.ledger.notices()).then(|| self.head.next());
        self.head = seq.unwrap_or(self.head);
        self.records.push(Record { offset: self.offset, seq, at: self.at, by, event });
        self.head
    }

    /// The decision on what a member says, or the host. The same as `push` and `finish`, without moving the record from one to the other: of all
    /// events this one occurs the most.
    #[inline]
    pub(super) fn say(self, by: Option<MemberId>, said: Event, note: Option<Note>) -> Decision {
        let (seq, at) = (self.head.next(), self.at);
        let record = Record { offset: self.offset.next(), seq: Some(seq), at, by, event: said };
        let answer = Answer::Sent { seq, at, repeated: Repeated::First };
        Decision { records: SmallVec::from_buf([record]), note, answer }
    }

    /// Adds a join and what follows. The answer is the head as of the join, so that the joiner is told what follows it.
    pub(super) fn push_join(&mut self, member: MemberId, joined: Event) -> Seq {
        let from = self.push(Some(member), joined);
        let members = self.ledger.members_total() + 1;
        if self.ledger.notices() == Notices::Told && members > self.limits.notices_members_max {
            self.push(None, Event::NoticesChanged { notices: Notices::Counted });
        }
        from
    }

    /// Adds a leave and what follows. The answer is the head as of the leave.
    pub(super) fn push_left(&mut self, member: &Member, reason: LeaveReason, then: Succession) -> Seq {
        let held = if let Succession::Held(until) = then { Some(until) } else { None };
        let until = self.push(Some(member.id), Event::Left { nick: member.nick.clone(), reason, held });
        self.push_what_follows_exit(then, linger_after(reason, self.limits));
        until
    }

    /// Adds a kick, which may come with a ban, and what follows. The answer is the kick's number.
    pub(super) fn push_kicked(
        &mut self,
        by: Option<MemberId>,
        member: &Member,
        then: Succession,
        ban: Option<BanTerm>,
    ) -> Seq {
        let until = self.push(by, Event::Kicked { member: member.id, nick: member.nick.clone(), ban });
        self.push_what_follows_exit(then, self.limits.empty_linger);
        until
    }

    /// Another owner, notices again, the end of a room that is empty and lingers for no time.
    fn push_what_follows_exit(&mut self, then: Succession, linger: Duration) {
        let remaining = self.ledger.members_total() - 1;
        if let Succession::Heir(member) = then {
            self.push(None, Event::RoleChanged { member, role: Role::Owner });
        }
        let (max, percent) = (self.limits.notices_members_max, self.limits.notices_resume_percent);
        if self.ledger.notices() == Notices::Counted && remaining * 100 <= max.saturating_mul(percent) {
            self.push(None, Event::NoticesChanged { notices: Notices::Told });
        }
        let is_kept = self.ledger.is_kept();
        #[cfg(feature = "fault_injection")]
        let is_kept = is_kept && !crate::fault_injection::is(crate::fault_injection::Bug::ForgetKept);
        if remaining == 0 && linger.is_zero() && !is_kept {
            self.push(None, Event::Closed { cause: RoomCloseReason::Empty });
        }
    }

    /// The decision after an exit. An empty room that lingers needs to know since when, and so does one in which a seat is held now.
    pub(super) fn finish_exit(self, answer: Answer) -> Decision {
        let lingers = self.ledger.members_total() == 1 && !self.is_over();
        let holds = self.records.iter().any(|record| matches!(record.event, Event::Left { held: Some(_), .. }));
        self.finish((lingers || holds).then_some(Note::Elapsed), answer)
    }

    /// The decision.
    pub(super) fn finish(self, note: Option<Note>, answer: Answer) -> Decision {
        Decision { records: self.records, note, answer }
    }
}

/// Whether members are told of this, and it has a number of theirs.
fn is_told(event: &Event, notices: Notices) -> bool {
    match event {
        Event::Joined { .. } | Event::Left { .. } => notices == Notices::Told,
        Event::Sent { .. }
        | Event::Edited { .. }
        | Event::Redacted { .. }
        | Event::Reacted { .. }
        | Event::Swept { .. }
        | Event::Kicked { .. }
        | Event::MemberChanged { .. }
        | Event::TopicChanged { .. }
        | Event::SettingsChanged { .. }
        | Event::RoleChanged { .. }
        | Event::NoticesChanged { .. } => true,
        Event::Created { .. }
        | Event::Banned { .. }
        | Event::BanAdded { .. }
        | Event::BanLifted { .. }
        | Event::Settled { .. }
        | Event::Protected
        | Event::Kept { .. }
        | Event::OwnerNamed { .. }
        | Event::Invited { .. }
        | Event::Erased { .. }
        | Event::Scrubbed { .. }
        | Event::Closed { .. } => false,
    }
}
