//! The one place that waits in a room's work: items in, then decide, append, publish, answer, and after that what is owed.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::engine::feed::fanout::yield_to_back_of_queue;
use crate::engine::rooms::batch::Batch;
use crate::engine::rooms::cell::RoomCell;
use crate::engine::rooms::inbox::InboxItem;
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

/// A room's task as it runs. What waits for a log is boxed in it: a task that waits for none is the smaller for it, and there are many.
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
            let max = task.shared.limits.room.batch_inputs_max;
            let items = task.cell.take_items(max);
            if !items.is_empty() {
                let left = if items.len() < max { 0 } else { task.cell.waiting() };
                task.shared.counters.begin(items.len() + left);
                match task.shared.cluster.is_some() {
                    true => Box::pin(task.work_among_servers(items)).await,
                    false => drop(task.work_through(items).await),
                }
            } else if task.state.fanout.is_on() {
                task.yield_to_readers().await;
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
            Phase::NoRoom => task.next_debt().is_some() || task.state.has_letters(),
            // What a log said of itself outlives the look for a room that may not be there.
            Phase::Unread(backoff) => task.mono() < backoff.is_over_at() || task.state.has_letters(),
        };
        if is_there && !task.put_away() {
            let Some(RoomTask { shared, cell, state }) = self.0.take() else { return };
            self.0 = cell.rest(state).map(|state| RoomTask { shared, cell, state });
        } else if is_there || task.shared.registry.remove(&task.cell) {
            task.follow_no_more();
            self.0 = None;
        }
    }
}

impl RoomTask {
    /// Decides, appends, publishes and answers, until nothing of this is left and nothing is due. Gives back what it has not decided, where the
    /// room is another server's by then, or nobody's.
    pub(crate) async fn work_through(&mut self, mut items: VecDeque<InboxItem>) -> VecDeque<InboxItem> {
        let mut was_overtaken = false;
        // Once something has run out: how many items were in by then, and are read before anything is decided about it.
        let mut ahead: Option<usize> = None;
        while !items.is_empty() || self.state.is_due(self.mono()) {
            self.yield_to_readers().await;
            while self.state.is_far_ahead() {
                self.yield_to_readers().await;
            }
            self.state.has_worked = true;
            if !self.finds_out(&items).await {
                items.drain(..).for_each(|item| self.cell.refuse(item, unavailable()));
                self.arm(None);
                return items;
            }
            if !self.is_as_it_was() {
                return items;
            }
            ahead = self.state.is_due(self.mono()).then(|| ahead.unwrap_or_else(|| self.cell.waiting()));
            if items.is_empty()
                && let Some(ahead) = &mut ahead
            {
                items = self.cell.take_items(self.shared.limits.room.batch_inputs_max.min(*ahead));
                // A room that waits for its log has refused what it was waiting for.
                *ahead = if items.is_empty() { 0 } else { *ahead - items.len() };
                if self.shared.cluster.is_some() {
                    self.sort_out(&mut items);
                }
            }
            let waiting = items.len();
            let mut batch = self.decide(&mut items, ahead.is_none_or(|ahead| ahead == 0));
            // What waited for a decision of before may have come back into it.
            let (inputs, records) = (waiting.saturating_sub(items.len()), batch.records.len());
            self.shared.counters.decided(inputs, records);
            tracing::trace!(room = %self.tag(), inputs, records, "a batch is decided");
            if !batch.records.is_empty() && self.shared.log.is_some() {
                // Nobody waits for the log but who has asked for something.
                self.state.wake_rest();
                batch = match Box::pin(self.append(batch)).await {
                    Appended::Done(batch) => batch,
                    Appended::Refused(mut back) if self.is_as_it_was() => self.decide(&mut back, false),
                    Appended::Refused(back) => {
                        back.into_iter().rev().for_each(|item| items.push_front(item));
                        Batch::default()
                    }
                    Appended::Again(again) => {
                        match std::mem::replace(&mut was_overtaken, true) {
                            false => again.into_iter().rev().for_each(|item| items.push_front(item)),
                            true => again.into_iter().for_each(|item| self.cell.refuse(item, unavailable())),
                        }
                        Batch::default()
                    }
                };
            }
            self.publish(batch);
            self.pay().await;
            self.announce();
            evict::keep(&self.shared);
        }
        items
    }

    /// Sees to it that the room is known, and that nothing of an earlier one stands in its way. `false` where the log cannot say so now.
    async fn finds_out(&mut self, items: &VecDeque<InboxItem>) -> bool {
        match &self.state.phase {
            Phase::Live(_) => true,
            Phase::NoRoom => {
                self.pay().await;
                !self.is_to_be_deleted()
            }
            Phase::Unread(_) => {
                // Nobody asks a log for the sake of a timer that has run out.
                let is_asked = items.iter().any(|item| !matches!(item, InboxItem::Tick | InboxItem::Evict(_)));
                is_asked && Box::pin(self.recover()).await
            }
        }
    }

    /// Wakes the next few readers that have not heard of the latest, and lets them, and whoever else waits, run. Also where a
    /// batch brought nobody anything: many of those in a row would stand before everybody else.
    pub(crate) async fn yield_to_readers(&mut self) {
        let state = &mut self.state;
        state.fanout.wake_some(&state.subscribers, Subscriber::is_awake, Subscriber::wake);
        if state.fanout.take_woken() || state.has_worked {
            state.has_worked = false;
            yield_to_back_of_queue().await;
        }
    }
}
