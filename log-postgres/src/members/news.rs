//! What has changed among the servers and is to be told: each slot once, however often it has moved meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use chat_core::Slot;
use tokio::sync::Notify;

use super::Move;

/// What has changed since it was asked for last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changed {
    /// Slots of which the owner, its term, or whether it may own is another.
    pub slots: Vec<Slot>,
    /// Slots that this server has taken or given, and whose they are now: the others are to be told.
    pub told: Vec<Move>,
    /// Whether the servers are others, or this one has begun anew, or is apart from them, or is not any more.
    pub members: bool,
}

#[derive(Default)]
pub(super) struct News {
    waiting: Mutex<Waiting>,
    come: Notify,
}

/// No more than there are slots.
#[derive(Default)]
struct Waiting {
    slots: BTreeSet<Slot>,
    told: BTreeMap<Slot, Move>,
    members: bool,
}

impl News {
    pub(super) fn moved(&self, slots: impl IntoIterator<Item = Slot>) {
        self.put(|waiting| waiting.slots.extend(slots));
    }

    /// Moves of which nobody else knows yet.
    pub(super) fn made(&self, moves: &[Move]) {
        self.put(|waiting| {
            waiting.slots.extend(moves.iter().map(|made| made.slot));
            waiting.told.extend(moves.iter().map(|made| (made.slot, *made)));
        });
    }

    pub(super) fn members(&self) {
        self.put(|waiting| waiting.members = true);
    }

    fn put(&self, put: impl FnOnce(&mut Waiting)) {
        let mut waiting = self.lock();
        put(&mut waiting);
        let is_some = !waiting.is_empty();
        drop(waiting);
        if is_some {
            self.come.notify_one();
        }
    }

    pub(super) async fn next(&self) -> Changed {
        loop {
            let come = self.come.notified();
            tokio::pin!(come);
            // Registered before the look, so that nothing is missed.
            come.as_mut().enable();
            let waiting = {
                let mut waiting = self.lock();
                (!waiting.is_empty()).then(|| std::mem::take(&mut *waiting))
            };
            if let Some(Waiting { slots, told, members }) = waiting {
                let (slots, told) = (slots.into_iter().collect(), told.into_values().collect());
                return Changed { slots, told, members };
            }
            come.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn is_empty(&self) -> bool {
        self.slots.is_empty() && self.told.is_empty() && !self.members
    }
}

#[cfg(test)]
mod tests {
    use chat_core::{NodeId, Term};

    use super::*;

    #[tokio::test]
    async fn a_slot_that_moves_twice_is_told_once_as_it_is_now() {
        let news = News::default();
        let slot = Slot::all().next().expect("there are some");
        let made = |term| Move { slot, node: NodeId(1), term: Term(term) };
        news.made(&[made(3)]);
        news.moved([slot]);
        news.made(&[made(4)]);
        let changed = news.next().await;
        assert_eq!(changed, Changed { slots: vec![slot], told: vec![made(4)], members: false });
        news.moved([]);
        news.members();
        assert_eq!(news.next().await, Changed { members: true, ..Changed::default() });
    }
}
