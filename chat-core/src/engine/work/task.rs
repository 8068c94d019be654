//! The work of one room: a batch of letters at a time, decided, applied, logged, published, answered.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::engine::feed::fanout::go_to_the_back;
use crate::engine::feed::taken_back::Scrub;
use crate::engine::rooms::cell::{Entrance, Eviction, Letter, RoomCell};
use crate::engine::rooms::round::{Round, Verdict};
use crate::engine::rooms::state::RoomState;
use crate::engine::session::subscription::{End, Subscriber, Subscription};
use crate::engine::shared::{Shared, unavailable};
use crate::engine::work::answer;
use crate::engine::work::evict;
use crate::engine::work::recover::{self, Appended};
use crate::engine::work::scrub;
use crate::engine::work::upkeep;
use crate::messages::{Event, Recorded};
#[cfg(feature = "planted")]
use crate::planted::{self, Bug};
use crate::ports::{Fact, Tail};
use crate::room::{Answer, Input};
use crate::wire::LeftReason;
use crate::words::{MemberId, Now, Reject, RejectCode, Seq};

/// Sets a task to work on a room that has been idle.
pub(crate) fn start(shared: Arc<Shared>, cell: Arc<RoomCell>) {
    let state = cell.take_state();
    let state = state.unwrap_or_else(|| Box::new(RoomState::new(&shared.room_limits, shared.log.is_some())));
    let runtime = shared.runtime.clone();
    runtime.spawn(RoomTask { shared, cell, state: Some(state) }.run());
}

/// A room at work.
///
/// However it ends, the room goes on: where it is dropped with work left, because of a bug or because the runtime has ended, the room
/// is given up. Whoever has asked for something is answered, readers are told, and the next command finds the room anew.
struct RoomTask {
    shared: Arc<Shared>,
    cell: Arc<RoomCell>,
    /// `None` once the room is at rest, or gone.
    state: Option<Box<RoomState>>,
}

impl Drop for RoomTask {
    fn drop(&mut self) {
        let Some(mut state) = self.state.take() else { return };
        state.give_up();
        let letters = self.shared.registry.abandon(&self.cell);
        letters.into_iter().for_each(|letter| letter.refuse(&self.cell.code, None, unavailable()));
    }
}

impl RoomTask {
    /// Works until the inbox is empty.
    async fn run(mut self) {
        let Self { shared, cell, state: held } = &mut self;
        while let Some(state) = held {
            let letters = cell.take_letters(shared.limits.room.batch_inputs_max);
            if !letters.is_empty() {
                state.work_through(shared, cell, letters).await;
            } else if state.fanout.is_on() {
                state.let_others_run().await;
            } else {
                state.has_worked = false;
                match state.life {
                    // What a log said of itself outlives the look for a room that may not be there.
                    None if !state.is_patient(shared) && shared.registry.remove(cell) => *held = None,
                    None if !state.is_patient(shared) => {}
                    _ => cell.rest(held),
                }
            }
        }
    }
}

impl RoomState {
    /// Decides, appends, publishes and answers, until nothing of this is left and nothing is due.
    async fn work_through(&mut self, shared: &Arc<Shared>, cell: &Arc<RoomCell>, mut letters: VecDeque<Letter>) {
        let mut tries = 0;
        // Once something has run out: how many letters were in by then, and are read before anything is decided about it.
        let mut ahead: Option<usize> = None;
        while !letters.is_empty() || self.is_due(shared) {
            self.let_others_run().await;
            while self.is_far_ahead() {
                self.let_others_run().await;
            }
            self.has_worked = true;
            if !self.recovered {
                // Nobody asks a log for the sake of a timer that has run out.
                let is_asked = letters.iter().any(|letter| !matches!(letter, Letter::Tick | Letter::Evict(_)));
                if !is_asked || !recover::recover(shared, cell, self).await {
                    letters.drain(..).for_each(|letter| cell.refuse(letter, unavailable()));
                    self.remember_to_try_again(shared, cell);
                    return;
                }
            }
            let mut round = Round::default();
            ahead = self.is_due(shared).then(|| ahead.unwrap_or_else(|| cell.waiting()));
            if letters.is_empty()
                && let Some(ahead) = &mut ahead
            {
                letters = cell.take_letters(shared.limits.room.batch_inputs_max.min(*ahead));
                // A room that waits for its log has refused what it was waiting for.
                *ahead = if letters.is_empty() { 0 } else { *ahead - letters.len() };
            }
            self.decide_letters(shared, cell, &mut letters, &mut round);
            if ahead.is_none_or(|ahead| ahead == 0) {
                self.decide_elapsed(shared, cell, &mut round);
            }
            #[cfg(feature = "planted")]
            self.answer_too_early(shared, cell, &mut round);
            if !round.records.is_empty() && shared.log.is_some() {
                // Nobody waits for the log but who has asked for something.
                self.wake_rest();
                round = match recover::append(shared, cell, self, round).await {
                    Appended::Done(round) => round,
                    Appended::Refused => Round::default(),
                    Appended::Again(again) => {
                        match tries {
                            0 => again.into_iter().rev().for_each(|letter| letters.push_front(letter)),
                            _ => again.into_iter().for_each(|letter| cell.refuse(letter, unavailable())),
                        }
                        tries += 1;
                        Round::default()
                    }
                };
            }
            self.publish(shared, cell, &mut round);
            let life = self.life.clone();
            for (letter, verdict) in round.verdicts.drain(..) {
                answer::deliver(shared, &cell.code, life.as_ref(), letter, verdict);
            }
            self.tell_readers(&mut round);
            if let Some(life) = life.filter(|_| !round.records.is_empty() && shared.log.is_some()) {
                upkeep::after_publish(shared, cell, self, &life, &round).await;
            }
            scrub::scrub(shared, cell, self).await;
            if round.closed.is_some() {
                self.life.take().iter().for_each(|life| shared.ended.note(life));
                self.tail = Tail::default();
            }
            self.announce(shared, cell);
            evict::keep(shared);
        }
    }

    /// Whether the log has failed, and is not to be asked again before a while.
    fn is_patient(&self, shared: &Shared) -> bool {
        shared.clock.now().mono < self.backoff.is_over_at()
    }

    /// A room that could not be read is kept while its log is given time, so that not every command asks; then it goes.
    fn remember_to_try_again(&mut self, shared: &Shared, cell: &Arc<RoomCell>) {
        let until = self.backoff.is_over_at();
        if self.is_patient(shared) && self.armed != Some(until) {
            self.armed = Some(until);
            shared.timers.tick_room(until, cell);
        }
    }

    fn is_due(&self, shared: &Shared) -> bool {
        self.life.is_some() && self.room.next_deadline().is_some_and(|at| at <= shared.clock.now().mono)
    }

    fn decide_letters(
        &mut self,
        shared: &Arc<Shared>,
        cell: &RoomCell,
        letters: &mut VecDeque<Letter>,
        round: &mut Round,
    ) {
        let now = shared.clock.now();
        while !round.is_full(self.life.as_ref(), &shared.limits.room) {
            let Some(letter) = letters.pop_front() else { break };
            self.take(shared, cell, now, letter, round);
        }
    }

    /// Decides what has run out like everything else; nobody asked, so nobody is answered.
    fn decide_elapsed(&mut self, shared: &Arc<Shared>, cell: &RoomCell, round: &mut Round) {
        let now = shared.clock.now();
        while !round.is_full(self.life.as_ref(), &shared.limits.room)
            && self.room.next_deadline().is_some_and(|at| at <= now.mono)
        {
            let _ = self.decide(shared, cell, now, &Input::Elapsed, round);
        }
    }

    pub(crate) fn take(
        &mut self,
        shared: &Arc<Shared>,
        cell: &RoomCell,
        now: Now,
        mut letter: Letter,
        round: &mut Round,
    ) {
        let verdict = match &mut letter {
            Letter::Command { input: input @ Input::Members { .. }, reply } => {
                match self.decide(shared, cell, now, input, round) {
                    Err(reject) => Verdict::Rejected(reject),
                    Ok(Answer::Members { page, total }) => {
                        let limits = &shared.limits.session;
                        // A page for a channel is the channel's, and the only one.
                        let bytes_max =
                            if reply.is_mailbox() { reply.claim_members(limits) } else { limits.page_bytes_max };
                        self.members_page(&page, total, bytes_max)
                    }
                    Ok(answer) => Verdict::Answer(answer),
                }
            }
            Letter::Command { input, .. } | Letter::Host { input, .. } => {
                match self.may_owe(shared, input, round).and_then(|()| self.decide(shared, cell, now, input, round)) {
                    Err(reject) => Verdict::Rejected(reject),
                    Ok(answer) => Verdict::Answer(answer),
                }
            }
            Letter::Enter { input, entrance } => match self.decide(shared, cell, now, input, round) {
                Err(reject) => Verdict::Rejected(reject),
                Ok(Answer::Entered(entered)) => {
                    let session = entrance.cell().id;
                    let life = self.life.as_ref().expect("somebody has entered it");
                    let nick = self.room.member(entered.member).expect("who has entered is a member").nick.clone();
                    let subscription = Subscription::new(Arc::clone(life), entered.member, nick, entered.from);
                    let subscription = Arc::new(subscription);
                    let subscriber = Subscriber {
                        connection: Arc::clone(entrance.connection()),
                        subscription: Arc::clone(&subscription),
                    };
                    self.subscribers.insert(session, subscriber);
                    round.begun.push((session, entrance.connection().generation));
                    let bytes_max = entrance.claim_members(&shared.limits.session);
                    Verdict::Entered(Box::new(answer::admit(shared, &self.room, entered, subscription, bytes_max)))
                }
                Ok(other) => Verdict::Answer(other),
            },
            Letter::Detach { session, generation } => {
                self.forget_reader(now, *session, *generation);
                round.gone.push((*session, *generation));
                return;
            }
            // Looked at after the batch.
            Letter::Snapshot => return,
            Letter::Evict(eviction) => {
                self.give_back(cell, *eviction);
                return;
            }
            Letter::Tick => {
                if self.armed.is_some_and(|at| at <= now.mono) {
                    self.armed = None;
                }
                return;
            }
        };
        if let (
            Letter::Enter { input: Input::Attach { by, .. }, entrance: Entrance::Resume(resuming) },
            Verdict::Rejected(reject),
        ) = (&mut letter, &verdict)
        {
            resuming.was_member = self.room.was_member(&by.scope());
            resuming.put_out = match reject.code {
                RejectCode::Banned => Some(LeftReason::Banned),
                _ => self.kicked.contains(&by.scope()).then_some(LeftReason::Kicked),
            };
        }
        round.verdicts.push((letter, verdict));
    }

    /// Whether the room may come to owe the log one more text to forget, where the input would make it.
    fn may_owe(&self, shared: &Shared, input: &Input, round: &Round) -> Result<(), Reject> {
        let is_redact = matches!(input, Input::Redact { .. });
        match is_redact && self.unscrubbed.len() + round.redacted.len() >= shared.limits.room.unscrubbed_max {
            true if shared.log.is_some() => Err(unavailable()),
            _ => Ok(()),
        }
    }

    /// Gives memory back, as it was asked to.
    pub(super) fn give_back(&self, cell: &RoomCell, eviction: Eviction) {
        cell.evicted();
        let Some(life) = &self.life else { return };
        match eviction {
            Eviction::Lingering if self.room.members_total() > 0 => {}
            Eviction::Lingering => life.backlog.evict(0),
            Eviction::Above(share) => life.backlog.evict(share),
        }
    }

    fn decide(
        &mut self,
        shared: &Arc<Shared>,
        cell: &RoomCell,
        now: Now,
        input: &Input,
        round: &mut Round,
    ) -> Result<Answer, Reject> {
        let decision = self.room.decide(now, input)?;
        for record in decision.records {
            self.apply(shared, cell, record, round);
        }
        if let Some(note) = decision.note {
            self.room.note(now, note);
        }
        Ok(decision.answer)
    }

    /// Takes in one record, and notes what its publishing will bring.
    pub(crate) fn apply(&mut self, shared: &Arc<Shared>, cell: &RoomCell, record: Recorded, round: &mut Round) {
        let until = record.seq.unwrap_or(self.room.head());
        match &record.event {
            Event::Created { epoch, .. } => {
                self.subscribers.clear();
                #[cfg(feature = "planted")]
                let told = self.presence_told.filter(|_| planted::is(Bug::WithholdPresence));
                // What members of an earlier life were told says nothing to those of this one.
                (self.snapshot_made, self.presence_told) = (None, None);
                #[cfg(feature = "planted")]
                if told.is_some() {
                    self.presence_told = told;
                }
                self.typing_told.clear();
                self.kicked.clear();
                self.life = Some(Arc::new(shared.new_life(&cell.code, *epoch, Seq(0))));
            }
            Event::Left { .. } => {
                let member = record.by.expect("a leave has a member");
                let end = if record.seq.is_some() { End::Membership } else { End::Quiet };
                self.end_member(member, until, end, round);
            }
            Event::Kicked { member, .. } => {
                round.kicked.extend(self.room.member(*member).map(|member| member.scope.clone()));
                self.end_member(*member, until, End::Membership, round);
            }
            #[cfg(feature = "planted")]
            Event::Joined { .. } if planted::is(Bug::RememberKick) => {}
            // Who is back was not put out for good.
            Event::Joined { scope, .. } => {
                self.kicked.retain(|kicked| kicked != scope);
                round.kicked.retain(|kicked| kicked != scope);
            }
            Event::Closed { cause } => {
                let readers = std::mem::take(&mut self.subscribers);
                round.ends.extend(readers.into_iter().map(|(session, reader)| (session, reader, until, End::Life)));
                round.closed = Some(*cause);
            }
            Event::Redacted { target } => round.redacted.push(*target),
            _ => {}
        }
        self.room.apply(&record);
        if record.seq.is_some() {
            let life = self.life.as_ref().expect("told events belong to a life");
            round.encode(life, &record);
        }
        round.records.push(record);
    }

    fn end_member(&mut self, member: MemberId, until: Seq, end: End, round: &mut Round) {
        for session in self.room.sessions_of(member) {
            if let Some(reader) = self.subscribers.remove(&session) {
                round.ends.push((session, reader, until, end));
            }
        }
        #[cfg(feature = "planted")]
        if planted::is(Bug::TellOneDevice) {
            let quiet = round.ends.iter_mut().filter(|(.., end)| *end == End::Quiet);
            quiet.skip(1).for_each(|(.., end)| *end = End::Membership);
        }
    }

    /// Makes a batch known: the log has it.
    fn publish(&mut self, shared: &Arc<Shared>, cell: &RoomCell, round: &mut Round) {
        if round.records.is_empty() {
            return;
        }
        let life = Arc::clone(self.life.as_ref().expect("records belong to a life"));
        for (_, reader, until, end) in &*round.ends {
            reader.end(*until, *end);
        }
        if let Some(cause) = round.closed {
            let _ = life.closed.set(cause);
        }
        // Before the segments: whoever has heard that a message is taken back is not shown it any more.
        let scrub = if shared.log.is_some() { Scrub::Owed } else { Scrub::Done };
        life.taken_back.add(&round.redacted, scrub);
        for segment in round.segments.drain(..) {
            self.fanout.note(segment.size());
            life.backlog.publish(segment);
        }
        // After the segments: a message may be taken back in the batch that says it.
        for &seq in &round.redacted {
            life.backlog.redact(seq);
        }
        for scope in round.kicked.drain(..) {
            if self.kicked.len() >= shared.limits.room.bans_max {
                self.kicked.pop_front();
            }
            self.kicked.push_back(scope);
        }
        for record in &round.records {
            shared.observe(Fact::Published { room: &cell.code, epoch: life.epoch, record });
            #[cfg(feature = "planted")]
            crate::planted::trip(record);
        }
    }

    /// Sees to it that everybody is woken for whom the round brought something. After the answers: who asked stands before the
    /// others in the runtime's queue, and has the next command here while they are still being served.
    fn tell_readers(&mut self, round: &mut Round) {
        // What is recorded quietly brings nobody anything: in a big room each join would wake all.
        if round.records.iter().any(|record| record.seq.is_some()) {
            self.fanout.begin();
        }
        for (_, reader, ..) in round.ends.drain(..) {
            reader.connection.wake.wake();
        }
    }

    /// Wakes the next few readers that have not heard of the latest, and lets them, and whoever else waits, run. Also where a
    /// round brought nobody anything: many of those in a row would stand before everybody else.
    async fn let_others_run(&mut self) {
        self.fanout.wake_some(&self.subscribers, Subscriber::is_awake, Subscriber::wake);
        if self.fanout.take_woken() || self.has_worked {
            self.has_worked = false;
            go_to_the_back().await;
        }
    }

    /// Wakes everybody who has not heard of the latest: something is to be waited for.
    pub(crate) fn wake_rest(&mut self) {
        self.fanout.wake_rest(&self.subscribers, Subscriber::wake);
    }

    /// Whether so much has been published that a reader who has not been woken yet could lose sight of it.
    fn is_far_ahead(&self) -> bool {
        self.life.as_ref().is_some_and(|life| life.backlog.is_much(self.fanout.unseen()))
    }

    #[cfg(feature = "planted")]
    fn answer_too_early(&self, shared: &Arc<Shared>, cell: &RoomCell, round: &mut Round) {
        if planted::is(Bug::AckBeforeAppend) {
            let early = round.verdicts.extract_if(.., |(letter, _)| matches!(letter, Letter::Command { .. }));
            early
                .for_each(|(letter, verdict)| answer::deliver(shared, &cell.code, self.life.as_ref(), letter, verdict));
        }
    }

    fn members_page(&self, page: &[MemberId], total: usize, bytes_max: usize) -> Verdict {
        let (page, last) = answer::members_page(&self.room, page, bytes_max);
        let more = last.is_some_and(|last| self.room.members_after(Some(last)).next().is_some());
        Verdict::Members { page, total, more }
    }
}
