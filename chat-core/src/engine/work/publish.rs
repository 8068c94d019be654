//! Makes a batch known that the log has: to the readers, to whoever asked, to the observer.

use std::sync::Arc;

use crate::engine::feed::taken_back::Scrub;
use crate::engine::rooms::round::Round;
use crate::engine::work::answer::{self, Stray};
use crate::engine::work::task::RoomTask;
use crate::ports::{Fact, Tail};
use crate::words::Now;

impl RoomTask {
    /// Publishes a batch, answers whoever asked, and takes up what is owed for it.
    pub(crate) fn publish(&mut self, mut round: Round) {
        self.tell_all(&mut round);
        let life = self.life();
        for (letter, verdict) in round.verdicts.drain(..) {
            if let Some(stray) = answer::deliver(&self.shared, &self.cell.code, life.as_ref(), letter, verdict) {
                self.forget_stray(self.now(), stray);
            }
        }
        self.tell_readers(&mut round);
        let Some(life) = life.filter(|_| !round.records.is_empty()) else { return };
        let is_logged = self.shared.log.is_some();
        if round.closed.is_some() {
            self.state.vacate();
            self.shared.ended.note(&life);
            self.state.tail = Tail::default();
            if is_logged {
                self.state.debts.note_over(life.epoch);
            }
        } else if is_logged {
            self.state.debts.note(round.records.len(), &round.redacted);
        }
    }

    /// Makes a batch known: the log has it.
    fn tell_all(&mut self, round: &mut Round) {
        if round.records.is_empty() {
            return;
        }
        let life = Arc::clone(self.state.life().expect("records belong to a life"));
        for (_, reader, until, end) in &*round.ends {
            reader.end(*until, *end);
        }
        if let Some(cause) = round.closed {
            let _ = life.closed.set(cause);
        }
        // Before the segments: whoever has heard that a message is taken back is not shown it any more.
        let scrub = if self.shared.log.is_some() { Scrub::Owed } else { Scrub::Done };
        life.taken_back.add(&round.redacted, scrub);
        for segment in round.segments.drain(..) {
            self.state.fanout.note(segment.size());
            life.backlog.publish(segment);
        }
        // After the segments: a message may be taken back in the batch that says it.
        for &seq in &round.redacted {
            life.backlog.redact(seq);
        }
        for scope in round.kicked.drain(..) {
            if self.state.kicked.len() >= self.shared.limits.room.bans_max {
                self.state.kicked.pop_front();
            }
            self.state.kicked.push_back(scope);
        }
        for record in &round.records {
            self.shared.observe(Fact::Published { room: &self.cell.code, epoch: life.epoch, record });
            #[cfg(feature = "planted")]
            crate::planted::trip(record);
        }
    }

    /// Sees to it that everybody is woken for whom the round brought something. After the answers: who asked stands before the
    /// others in the runtime's queue, and has the next command here while they are still being served.
    fn tell_readers(&mut self, round: &mut Round) {
        // What is recorded quietly brings nobody anything: in a big room each join would wake all.
        if round.records.iter().any(|record| record.seq.is_some()) {
            self.state.fanout.begin();
        }
        for (_, reader, ..) in round.ends.drain(..) {
            reader.connection.wake.wake();
        }
    }

    /// Lets somebody go who was let in, and was not there any more when they were to be told. A later entrance of theirs stays.
    fn forget_stray(&mut self, now: Now, stray: Stray) {
        let Stray { session, generation, subscription } = stray;
        let reader = self.state.subscribers.get(&session);
        if reader.is_none_or(|reader| Arc::ptr_eq(&reader.subscription, &subscription)) {
            self.state.forget_reader(now, session, generation);
        }
    }
}
