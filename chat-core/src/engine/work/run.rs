//! The one place that waits in a room's work: letters in, then decide, append, publish, answer, and after that what is owed.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::engine::feed::fanout::go_to_the_back;
use crate::engine::rooms::cell::{Letter, RoomCell};
use crate::engine::rooms::debts::Debt;
use crate::engine::rooms::round::Round;
use crate::engine::rooms::state::{Phase, RoomState};
use crate::engine::session::subscription::Subscriber;
use crate::engine::shared::{Shared, unavailable};
use crate::engine::work::append::Appended;
use crate::engine::work::evict;
use crate::engine::work::task::RoomTask;

/// Sets a task to work on a room that has been idle.
pub(crate) fn start(shared: Arc<Shared>, cell: Arc<RoomCell>) {
    let state = cell.take_state();
    let state = state.unwrap_or_else(|| Box::new(RoomState::new(&shared.room_limits, shared.log.is_some())));
    let runtime = shared.runtime.clone();
    runtime.spawn(Running(Some(RoomTask { shared, cell, state })).run());
}

/// A room's task as it runs.
///
/// However it ends, the room goes on: where it is dropped with work left, because of a bug or because the runtime has ended, the room
/// is given up.
struct Running(Option<RoomTask>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.iter_mut().for_each(RoomTask::give_up);
    }
}

impl Running {
    /// Works until the inbox is empty.
    async fn run(mut self) {
        while let Some(task) = &mut self.0 {
            let letters = task.cell.take_letters(task.shared.limits.room.batch_inputs_max);
            if !letters.is_empty() {
                task.work_through(letters).await;
            } else if task.state.fanout.is_on() {
                task.let_others_run().await;
            } else {
                self.end();
            }
        }
    }

    /// Puts the room to rest, or takes it away where there is none. Goes on where something has come in meanwhile.
    fn end(&mut self) {
        let Some(task) = &mut self.0 else { return };
        task.state.has_worked = false;
        let is_there = match &task.state.phase {
            Phase::Live(_) => true,
            Phase::Vacant => task.state.debts.next().is_some(),
            // What a log said of itself outlives the look for a room that may not be there.
            Phase::Unread(backoff) => task.mono() < backoff.is_over_at(),
        };
        if is_there && !task.put_away() {
            let Some(RoomTask { shared, cell, state }) = self.0.take() else { return };
            self.0 = cell.rest(state).map(|state| RoomTask { shared, cell, state });
        } else if is_there || task.shared.registry.remove(&task.cell) {
            self.0 = None;
        }
    }
}

impl RoomTask {
    /// Decides, appends, publishes and answers, until nothing of this is left and nothing is due.
    async fn work_through(&mut self, mut letters: VecDeque<Letter>) {
        let mut tries = 0;
        // Once something has run out: how many letters were in by then, and are read before anything is decided about it.
        let mut ahead: Option<usize> = None;
        while !letters.is_empty() || self.state.is_due(self.mono()) {
            self.let_others_run().await;
            while self.state.is_far_ahead() {
                self.let_others_run().await;
            }
            self.state.has_worked = true;
            if !self.finds_out(&letters).await {
                letters.drain(..).for_each(|letter| self.cell.refuse(letter, unavailable()));
                self.arm(None);
                return;
            }
            ahead = self.state.is_due(self.mono()).then(|| ahead.unwrap_or_else(|| self.cell.waiting()));
            if letters.is_empty()
                && let Some(ahead) = &mut ahead
            {
                letters = self.cell.take_letters(self.shared.limits.room.batch_inputs_max.min(*ahead));
                // A room that waits for its log has refused what it was waiting for.
                *ahead = if letters.is_empty() { 0 } else { *ahead - letters.len() };
            }
            let mut round = self.decide(&mut letters, ahead.is_none_or(|ahead| ahead == 0));
            if !round.records.is_empty() && self.shared.log.is_some() {
                // Nobody waits for the log but who has asked for something.
                self.state.wake_rest();
                round = match self.append(round).await {
                    Appended::Done(round) => round,
                    Appended::Refused => Round::default(),
                    Appended::Again(again) => {
                        match tries {
                            0 => again.into_iter().rev().for_each(|letter| letters.push_front(letter)),
                            _ => again.into_iter().for_each(|letter| self.cell.refuse(letter, unavailable())),
                        }
                        tries += 1;
                        Round::default()
                    }
                };
            }
            self.publish(round);
            self.pay().await;
            self.announce();
            evict::keep(&self.shared);
        }
    }

    /// Sees to it that the room is known, and that nothing of an earlier one stands in its way. `false` where the log cannot say so now.
    async fn finds_out(&mut self, letters: &VecDeque<Letter>) -> bool {
        match &self.state.phase {
            Phase::Live(_) => true,
            Phase::Vacant => {
                self.pay().await;
                !matches!(self.state.debts.next(), Some(Debt::Delete(_)))
            }
            Phase::Unread(_) => {
                // Nobody asks a log for the sake of a timer that has run out.
                let is_asked = letters.iter().any(|letter| !matches!(letter, Letter::Tick | Letter::Evict(_)));
                is_asked && self.recover().await
            }
        }
    }

    /// Wakes the next few readers that have not heard of the latest, and lets them, and whoever else waits, run. Also where a
    /// round brought nobody anything: many of those in a row would stand before everybody else.
    async fn let_others_run(&mut self) {
        let state = &mut self.state;
        state.fanout.wake_some(&state.subscribers, Subscriber::is_awake, Subscriber::wake);
        if state.fanout.take_woken() || state.has_worked {
            state.has_worked = false;
            go_to_the_back().await;
        }
    }
}
