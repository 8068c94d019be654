//! From letters to a batch: each is decided by the pure room and applied at once. Nothing is waited for, and nothing is told.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::engine::rooms::cell::{Entrance, Eviction, Letter};
use crate::engine::rooms::round::{Round, Verdict};
use crate::engine::rooms::state::Phase;
use crate::engine::session::subscription::{End, Subscriber, Subscription};
use crate::engine::shared::unavailable;
use crate::engine::work::answer;
use crate::engine::work::capacity;
use crate::engine::work::task::RoomTask;
use crate::engine::work::visit::is_of_somebody;
use crate::messages::{Event, Recorded};
#[cfg(feature = "planted")]
use crate::planted::{self, Bug};
use crate::room::{Answer, Input};
use crate::wire::LeftReason;
use crate::words::{MemberId, Now, Reject, RejectCode, Seq};

impl RoomTask {
    /// Decides as many letters as make one batch; and what has run out, if that is its turn. Like everything else, only nobody has
    /// asked, so nobody is answered.
    pub(crate) fn decide(&mut self, letters: &mut VecDeque<Letter>, may_elapse: bool) -> Round {
        let mut round = Round::default();
        let now = self.now();
        while !self.is_full(&round) {
            let Some(letter) = letters.pop_front() else { break };
            self.take(now, letter, &mut round);
        }
        while may_elapse && !self.is_full(&round) && self.state.room.next_deadline().is_some_and(|at| at <= now.mono) {
            let _ = self.decide_one(now, &Input::Elapsed, &mut round);
        }
        #[cfg(feature = "planted")]
        self.answer_too_early(&mut round);
        round
    }

    fn is_full(&self, round: &Round) -> bool {
        round.is_full(self.state.life(), &self.shared.limits.room)
    }

    fn take(&mut self, now: Now, mut letter: Letter, round: &mut Round) {
        if is_of_somebody(&letter) {
            self.state.asked = Some(now.mono);
        }
        let verdict = match &mut letter {
            Letter::Command { input: input @ Input::Members { .. }, reply } => {
                match self.decide_one(now, input, round) {
                    Err(reject) => Verdict::Rejected(reject),
                    Ok(Answer::Members { page, total }) => {
                        let limits = &self.shared.limits.session;
                        // A page for a channel is the channel's, and the only one.
                        let bytes_max =
                            if reply.is_mailbox() { reply.claim_members(limits) } else { limits.page_bytes_max };
                        self.members_page(&page, total, bytes_max)
                    }
                    Ok(answer) => Verdict::Answer(answer),
                }
            }
            Letter::Command { input, .. } | Letter::Host { input, .. } => {
                match self.may_owe(input, round).and_then(|()| self.decide_one(now, input, round)) {
                    Err(reject) => Verdict::Rejected(reject),
                    Ok(answer) => Verdict::Answer(answer),
                }
            }
            Letter::Enter { input, entrance } => match self.decide_one(now, input, round) {
                Err(reject) => Verdict::Rejected(reject),
                // It has been given up, or its connection is gone: it counts as having been there, and gone just now.
                Ok(Answer::Entered(_)) if matches!(entrance, Entrance::Resume(back) if !back.is_awaited()) => {
                    let (session, generation) = (entrance.cell().id, entrance.connection().generation);
                    self.state.forget_reader(now, session, generation);
                    round.gone.push((session, generation));
                    return;
                }
                Ok(Answer::Entered(entered)) => {
                    let session = entrance.cell().id;
                    let life = self.state.life().expect("somebody has entered it");
                    let nick =
                        self.state.room.member(entered.member).expect("who has entered is a member").nick.clone();
                    let subscription = Subscription::new(Arc::clone(life), entered.member, nick, entered.from);
                    let subscription = Arc::new(subscription);
                    let subscriber = Subscriber {
                        connection: Arc::clone(entrance.connection()),
                        subscription: Arc::clone(&subscription),
                    };
                    self.state.subscribers.insert(session, subscriber);
                    round.begun.push((session, entrance.connection().generation, Arc::clone(&subscription)));
                    let bytes_max = entrance.claim_members(&self.shared.limits.session);
                    Verdict::Entered(Box::new(answer::admit(
                        &self.shared,
                        &self.state.room,
                        entered,
                        subscription,
                        bytes_max,
                    )))
                }
                Ok(other) => Verdict::Answer(other),
            },
            Letter::Detach { session, generation } => {
                self.state.forget_reader(now, *session, *generation);
                round.gone.push((*session, *generation));
                return;
            }
            // Looked at after the batch.
            Letter::Snapshot => return,
            Letter::Evict(eviction) => {
                self.give_back(*eviction);
                return;
            }
            Letter::Tick => {
                if self.state.armed.is_some_and(|at| at <= now.mono) {
                    self.state.armed = None;
                }
                return;
            }
        };
        if let (
            Letter::Enter { input: Input::Attach { by, .. }, entrance: Entrance::Resume(resuming) },
            Verdict::Rejected(reject),
        ) = (&mut letter, &verdict)
        {
            resuming.was_member = self.state.room.was_member(&by.scope());
            resuming.put_out = match reject.code {
                RejectCode::Banned => Some(LeftReason::Banned),
                _ => self.state.kicked.contains(&by.scope()).then_some(LeftReason::Kicked),
            };
        }
        round.verdicts.push((letter, verdict));
    }

    /// Whether the room may come to owe the log one more text to forget, where the input would make it.
    fn may_owe(&self, input: &Input, round: &Round) -> Result<(), Reject> {
        let is_redact = matches!(input, Input::Redact { .. });
        match is_redact && self.state.debts.scrubs() + round.redacted.len() >= self.shared.limits.room.unscrubbed_max {
            true if self.shared.log.is_some() => Err(unavailable()),
            _ => Ok(()),
        }
    }

    /// Gives memory back, as it was asked to.
    pub(crate) fn give_back(&mut self, eviction: Eviction) {
        self.cell.evicted();
        let Some(life) = self.state.life() else { return };
        match eviction {
            Eviction::Lingering if self.state.room.members_total() > 0 => {}
            Eviction::Lingering => life.backlog.evict(0),
            Eviction::Above(share) => life.backlog.evict(share),
            // Looked at when it rests, as if nobody had asked.
            Eviction::PutAway => self.state.asked = None,
        }
    }

    fn decide_one(&mut self, now: Now, input: &Input, round: &mut Round) -> Result<Answer, Reject> {
        let decision = self.state.room.decide(now, input)?;
        capacity::check(&self.shared.budget, input, &decision)?;
        for record in decision.records {
            self.apply(now, record, round);
        }
        if let Some(note) = decision.note {
            self.state.room.note(now, note);
        }
        Ok(decision.answer)
    }

    /// Takes in one record, and notes what its publishing will bring.
    fn apply(&mut self, now: Now, record: Recorded, round: &mut Round) {
        let until = record.seq.unwrap_or(self.state.room.head());
        match &record.event {
            Event::Created { epoch, .. } => {
                self.state.subscribers.clear();
                #[cfg(feature = "planted")]
                let told = self.state.presence_told.filter(|_| planted::is(Bug::WithholdPresence));
                // What members of an earlier life were told says nothing to those of this one.
                (self.state.snapshot_made, self.state.presence_told) = (None, None);
                #[cfg(feature = "planted")]
                if told.is_some() {
                    self.state.presence_told = told;
                }
                self.state.typing_told.clear();
                self.state.kicked.clear();
                let life = self.shared.new_life(&self.cell.code, *epoch, Seq(0));
                self.state.phase = Phase::Live(Arc::new(life));
            }
            Event::Left { .. } => {
                let member = record.by.expect("a leave has a member");
                let end = if record.seq.is_some() { End::Membership } else { End::Quiet };
                self.end_member(member, until, end, round);
            }
            Event::Kicked { member, .. } => {
                round.kicked.extend(self.state.room.member(*member).map(|member| member.scope.clone()));
                self.end_member(*member, until, End::Membership, round);
            }
            #[cfg(feature = "planted")]
            Event::Joined { .. } if planted::is(Bug::RememberKick) => {}
            // Who is back was not put out for good.
            Event::Joined { scope, .. } => {
                self.state.kicked.retain(|kicked| kicked != scope);
                round.kicked.retain(|kicked| kicked != scope);
            }
            Event::Closed { cause } => {
                let readers = std::mem::take(&mut self.state.subscribers);
                round.ends.extend(readers.into_iter().map(|(session, reader)| (session, reader, until, End::Life)));
                round.closed = Some(*cause);
            }
            Event::Redacted { target } => round.redacted.push(*target),
            _ => {}
        }
        self.state.room.apply(now, &record);
        if record.seq.is_some() {
            let life = self.state.life().expect("told events belong to a life");
            round.encode(life, &record);
        }
        round.records.push(record);
    }

    fn end_member(&mut self, member: MemberId, until: Seq, end: End, round: &mut Round) {
        for session in self.state.room.sessions_of(member) {
            if let Some(reader) = self.state.subscribers.remove(&session) {
                round.ends.push((session, reader, until, end));
            }
        }
        #[cfg(feature = "planted")]
        if planted::is(Bug::TellOneDevice) {
            let quiet = round.ends.iter_mut().filter(|(.., end)| *end == End::Quiet);
            quiet.skip(1).for_each(|(.., end)| *end = End::Membership);
        }
    }

    #[cfg(feature = "planted")]
    fn answer_too_early(&self, round: &mut Round) {
        if planted::is(Bug::AckBeforeAppend) {
            let early = round.verdicts.extract_if(.., |(letter, _)| matches!(letter, Letter::Command { .. }));
            early.for_each(|(letter, verdict)| {
                answer::deliver(&self.shared, &self.cell.code, self.state.life(), letter, verdict);
            });
        }
    }

    fn members_page(&self, page: &[MemberId], total: usize, bytes_max: usize) -> Verdict {
        let (page, last) = answer::members_page(&self.state.room, page, bytes_max);
        let more = last.is_some_and(|last| self.state.room.members_after(Some(last)).next().is_some());
        Verdict::Members { page, total, more }
    }
}
