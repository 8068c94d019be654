//! What must be so after every step, read off the log of a run.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chat_core::room::{Actor, Answer, Caller, Input, More, OwedChange};
use chat_core::{Event, HistoryAnchor, Key, MemberId, Offset, Record, RejectCode, Scope, Seq};
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;

use super::World;
use crate::checks::bans::{changed_after, changed_by, check_bans, said_by};
use crate::checks::edits::check_edits;
use crate::checks::persons::{check_persons, is_message, members_of};
use crate::checks::reactions::check_reactions;
use crate::checks::roles::check_roles;
use crate::strategies::host_names;

impl World {
    /// The numbered invariants of the design, read off the log alone: no model is asked.
    pub(super) fn check_invariants(&self) -> TestCaseResult {
        let life: Vec<&Record> = self.decisions_of_this_life().iter().flatten().collect();
        self.check_numbers(&life)?;
        let members: Vec<MemberId> = self.room.members().map(|member| member.id).collect();
        prop_assert_eq!(&members, &members_of(&life));
        check_persons(&life, &self.limits)?;
        check_roles(self.decisions_of_this_life(), &self.limits)?;
        check_bans(&life)?;
        check_reactions(&life, &self.limits)?;
        check_edits(&life, &self.limits)?;
        self.check_history(&life)?;
        self.check_lifetime(&members)?;
        self.check_keys(&life)?;
        self.check_host_keys(&life)?;
        self.check_host(&life)?;
        self.check_owed(&life)?;
        self.check_changes(&life)?;
        self.room.check_invariants();
        Ok(())
    }

    /// 1. `seq` is dense from 1 within an epoch; `at` never goes back.
    fn check_numbers(&self, life: &[&Record]) -> TestCaseResult {
        prop_assert!(life.iter().map(|record| record.offset).eq((1..=life.len() as u64).map(Offset)));
        let told: Vec<Seq> = life.iter().filter_map(|record| record.seq).collect();
        prop_assert!(told.iter().copied().eq((1..=told.len() as u64).map(Seq)), "told numbers: {:?}", told);
        prop_assert!(life.is_sorted_by_key(|record| record.at), "time goes back");
        let decisions = self.decisions_of_this_life();
        let moments = self.made[self.made.len() - decisions.len()..].iter().zip(decisions);
        let moments: Vec<_> = moments.map(|(made, records)| (made, records[0].at)).collect();
        for pair in moments.windows(2) {
            let [((process, then), before), ((next, now), at)] = [pair[0], pair[1]];
            let passed = if process == next { now.since(*then) } else { Duration::ZERO };
            prop_assert!(at.since(before) >= passed, "time stands still");
        }
        Ok(())
    }

    /// 4. Members = fold of the log; history = the last N messages, never a notice.
    fn check_history(&self, life: &[&Record]) -> TestCaseResult {
        if let Some(by) = self.cast.callers().into_iter().find(|caller| self.room.member_of(caller).is_some()) {
            let asked = Input::History { by: Actor::Member(by.clone()), anchor: HistoryAnchor::Newest, limit: None };
            let decision = self.room.decide(self.now, &asked).expect("a member may read");
            let said: Vec<Seq> =
                life.iter().filter(|record| is_message(record)).filter_map(|record| record.seq).collect();
            let own = self.room.member_of(&by).and_then(|own| self.room.member(own));
            let sees = own.map_or(Seq(0), |own| own.sees);
            let most = self.limits.history_default.min(self.limits.history_max).min(self.limits.marks_max);
            let newest = &said[said.len().saturating_sub(most)..];
            let newest = &newest[newest.partition_point(|seq| *seq <= sees)..];
            let Answer::History(slice) = decision.answer else {
                return Err(TestCaseError::fail("a question for history is answered with history"));
            };
            prop_assert_eq!(slice.seqs.as_slice(), newest);
            self.check_pages(&by, &said, sees)?;
        }
        Ok(())
    }

    /// 5. A room exists exactly while it has members, lingers or is kept.
    fn check_lifetime(&self, members: &[MemberId]) -> TestCaseResult {
        let lingers = members.is_empty() && self.room.next_deadline().is_some();
        let is_kept = members.is_empty() && self.room.is_kept();
        prop_assert_eq!(self.room.epoch().is_some(), !members.is_empty() || lingers || is_kept);
        prop_assert!(!(lingers && is_kept), "what is kept waits for nothing");
        let longest = self.limits.empty_linger.max(self.limits.lost_linger);
        prop_assert!(!lingers || !longest.is_zero(), "nothing lingers for no time");
        Ok(())
    }

    /// 6. One key, one message, within the window.
    fn check_keys(&self, life: &[&Record]) -> TestCaseResult {
        let keyed = keyed_of(life);
        for (number, (scope, key)) in keyed.iter().enumerate() {
            let is_same = |(earlier, other): &(Scope, Option<Key>)| earlier == scope && key.is_some() && other == key;
            let Some(first) = keyed[..number].iter().rposition(is_same) else { continue };
            let between = &keyed[first + 1..number];
            let own = between.iter().filter(|(other, _)| other == scope).count();
            let forgotten = own + 1 >= self.limits.keys_per_scope_max || between.len() + 1 >= self.limits.keys_max;
            prop_assert!(forgotten, "{:?} of {:?} was said twice within the window", key, scope);
        }
        Ok(())
    }

    /// The host's keys are its own: one key, one message, within a window that nobody else's keys shorten.
    fn check_host_keys(&self, life: &[&Record]) -> TestCaseResult {
        let keyed = life.iter().filter_map(|record| match &record.event {
            Event::Sent { keyed: Some(keyed), .. } if record.by.is_none() => Some(&keyed.key),
            _ => None,
        });
        let keyed: Vec<&Key> = keyed.collect();
        let window = self.limits.host_keys_max + 1;
        for last in keyed.windows(window.min(keyed.len().max(1))) {
            let distinct: BTreeSet<&Key> = last.iter().copied().collect();
            prop_assert_eq!(distinct.len(), last.len(), "the host has said something twice: {:?}", last);
        }
        Ok(())
    }

    /// What the host says is nobody's, and under a name that is listed; and whoever came in by themselves has none of those.
    fn check_host(&self, life: &[&Record]) -> TestCaseResult {
        for record in life {
            if let Event::Sent { nick, .. } = &record.event {
                let is_hosts = host_names().iter().any(|name| name == nick);
                prop_assert!(record.by.is_some() || is_hosts, "{:?} is nobody's", record);
            }
        }
        Ok(())
    }

    /// What is owed is bounded, and always something that was changed.
    fn check_owed(&self, life: &[&Record]) -> TestCaseResult {
        let owed: Vec<_> = self.room.ledger().owed().collect();
        // The ranges of somebody who was erased pass alone.
        let owed_max = self.limits.owed_max.max(Event::ERASED_NUMBERS_MAX * usize::from(self.limits.owed_max > 0));
        let has_erased = life.iter().any(|record| matches!(record.event, Event::Erased { .. }));
        let owed_max = if has_erased { owed_max } else { self.limits.owed_max };
        prop_assert!(self.room.ledger().owed_total() <= owed_max);
        let longest = self.limits.owed_bytes_max.max(4 * self.limits.message_chars_max + self.limits.data_bytes_max);
        prop_assert!(self.room.ledger().owed_bytes() <= longest);
        for owed in owed {
            let record = life.iter().find(|record| record.seq == Some(owed.change()));
            let is_of_it = match (owed, record.map(|record| &record.event)) {
                (OwedChange::TakeBack(owed), Some(Event::Redacted { target })) => owed.target == *target,
                (OwedChange::Edit(owed), Some(Event::Edited { target, n, .. })) => {
                    (owed.target, owed.n, Some(owed.offset)) == (*target, *n, record.map(|record| record.offset))
                }
                (OwedChange::Sweep(owed), Some(&Event::Swept { member, from, to })) => {
                    (owed.member, owed.from, owed.to) == (member, from, to)
                }
                _ => false,
            };
            prop_assert!(is_of_it, "{:?} is owed for {:?}", owed, record);
        }
        Ok(())
    }

    /// Whoever asks for changes as long as there are more is told every message of theirs that was changed since then, or that they are
    /// out of reach.
    fn check_changes(&self, life: &[&Record]) -> TestCaseResult {
        if let Some(by) = self.cast.callers().into_iter().find(|caller| self.room.member_of(caller).is_some()) {
            let sees =
                self.room.member_of(&by).and_then(|id| self.room.member(id)).map_or(Seq(0), |member| member.sees);
            for after in [0, self.room.head().0 / 2, self.room.head().0].map(Seq) {
                let (mut told, mut at) = (BTreeSet::new(), after);
                let is_all = loop {
                    let asked = Input::Changes { by: by.clone(), after: at };
                    match self.room.decide(self.now, &asked).map(|decision| decision.answer) {
                        Ok(Answer::Changes(slice)) => {
                            prop_assert!(slice.through > at || slice.more == More::No, "it goes on");
                            told.extend(slice.changed.iter().map(|changed| changed.target));
                            let ranges = slice.swept.iter();
                            told.extend(ranges.flat_map(|sweep| said_by(life, sweep.member, sweep.from, sweep.to)));
                            at = slice.through;
                            if slice.more == More::No {
                                break true;
                            }
                        }
                        refused => {
                            prop_assert_eq!(refused.map_err(|reject| reject.code), Err(RejectCode::OutOfReach));
                            break false;
                        }
                    }
                };
                let changed = changed_after(life, after);
                let theirs: BTreeSet<Seq> = changed.into_iter().filter(|target| *target > sees).collect();
                let is_change = |record: &&&Record| {
                    let is_later = record.seq.is_some_and(|seq| seq > after);
                    let (is_one, is_range) = (changed_by(&record.event), matches!(record.event, Event::Swept { .. }));
                    is_later && (is_one.is_some() || is_range)
                };
                let changes = life.iter().filter(is_change).count();
                let is_so = if is_all { told == theirs } else { changes > self.limits.changes_max };
                prop_assert!(is_so, "after {:?} {:?} are told of {:?}", after, told, theirs);
            }
        }
        Ok(())
    }

    /// Whoever pages on after the last, or back before the first, is shown everything that the room remembers of what they see, once and in
    /// order; and a message is on the page around it.
    fn check_pages(&self, by: &Caller, said: &[Seq], sees: Seq) -> TestCaseResult {
        let limits = &self.limits;
        let marks = &said[said.len().saturating_sub(limits.marks_max)..];
        let theirs = &marks[marks.partition_point(|seq| *seq <= sees)..];
        let page = |anchor, limit| {
            let asked = Input::History { by: Actor::Member(by.clone()), anchor, limit: Some(limit) };
            match self.room.decide(self.now, &asked).map(|decision| decision.answer) {
                Ok(Answer::History(slice)) => slice,
                other => panic!("a member may read: {other:?}"),
            }
        };
        if limits.history_max > 0 {
            let (mut on, mut after) = (Vec::new(), Seq(0));
            loop {
                let slice = page(HistoryAnchor::After(after), 2);
                let Some(last) = slice.newer.seqs.last() else { break };
                on.extend(slice.newer.seqs.iter().copied());
                after = *last;
            }
            prop_assert_eq!(on.as_slice(), theirs, "paged on");
        }
        for seq in theirs {
            let slice = page(HistoryAnchor::Around(*seq), 3);
            prop_assert_eq!(slice.newer.seqs.first(), Some(seq).filter(|_| limits.history_max > 0));
            let shown: Vec<Seq> = slice.seqs.iter().chain(&slice.newer.seqs).copied().collect();
            let at = theirs.partition_point(|other| other < shown.first().unwrap_or(seq));
            prop_assert_eq!(&theirs[at..at + shown.len()], shown.as_slice(), "around {:?} without a hole", seq);
        }
        Ok(())
    }
}

/// The keys of all messages, with whose they are. Those of somebody who was erased since are known no more.
fn keyed_of(life: &[&Record]) -> Vec<(Scope, Option<Key>)> {
    let mut scopes: BTreeMap<MemberId, Scope> = BTreeMap::new();
    let mut keys = Vec::new();
    for record in life {
        match (&record.event, record.by) {
            (Event::Joined { scope, .. }, Some(by)) => {
                scopes.insert(by, scope.clone());
            }
            (
                Event::Sent { keyed: Some(keyed), .. }
                | Event::Edited { keyed: Some(keyed), .. }
                | Event::Reacted { keyed: Some(keyed), .. },
                Some(by),
            ) => {
                keys.push((scopes[&by].clone(), Some(keyed.key.clone())));
            }
            (Event::Erased { members, .. }, _) => {
                let erased: Vec<&Scope> = members.iter().filter_map(|member| scopes.get(member)).collect();
                keys.iter_mut().filter(|(scope, _)| erased.contains(&scope)).for_each(|(_, key)| *key = None);
            }
            _ => {}
        }
    }
    keys
}
