//! Whose each slot is, as the database said last, and how many writes of each are under way here.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use std::time::Duration;

use chat_core::Slot;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::id::Id;

/// Who has a slot, and since when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Held {
    /// `None`: nobody.
    pub(crate) node: Option<Id>,
    /// How often it has been taken or given.
    pub(crate) term: i64,
}

/// All slots. Where servers share a log, it is behind the table by at most a beat.
pub(crate) struct Slots {
    table: RwLock<Table>,
    /// Writes that were let in and are not answered yet, by slot.
    under_way: Arc<[AtomicU32]>,
    /// Told when a write is answered in a slot that is being given.
    answered: Arc<Notify>,
}

struct Table {
    held: Vec<Held>,
    /// When that was heard.
    heard: Vec<Instant>,
    /// By how many slots are about to be given: of such a one nothing is let in.
    yielding: Vec<u32>,
}

/// A write that was let in. It is under way until this is dropped.
#[derive(Debug)]
pub(crate) struct UnderWay {
    counts: Arc<[AtomicU32]>,
    slot: usize,
    answered: Arc<Notify>,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if self.counts[self.slot].fetch_sub(1, Ordering::AcqRel) == 1 {
            self.answered.notify_waiters();
        }
    }
}

impl Slots {
    pub(crate) fn new(held: Vec<Held>) -> Self {
        let count = usize::from(Slot::COUNT);
        debug_assert_eq!(held.len(), count);
        Self {
            table: RwLock::new(Table { held, heard: vec![Instant::now(); count], yielding: vec![0; count] }),
            under_way: (0..count).map(|_| AtomicU32::new(0)).collect(),
            answered: Arc::default(),
        }
    }

    pub(crate) fn held(&self, slot: Slot) -> Held {
        self.read().held[index(slot)]
    }

    /// Who has a slot, and whether it is about to be given.
    pub(crate) fn stands(&self, slot: Slot) -> (Held, bool) {
        let table = self.read();
        (table.held[index(slot)], table.yielding[index(slot)] > 0)
    }

    /// Under which term this server has a slot: 0, which no slot has that was ever taken, where it does not.
    pub(crate) fn term(&self, slot: Slot, me: Id) -> i64 {
        let held = self.held(slot);
        if held.node == Some(me) { held.term } else { 0 }
    }

    /// Lets a write in, unless its slot is about to be given.
    pub(crate) fn enter(&self, slot: Slot) -> Option<UnderWay> {
        // Under the lock: whoever begins to give a slot sees it, or it sees that.
        let table = self.read();
        let slot = index(slot);
        if table.yielding[slot] > 0 {
            return None;
        }
        self.under_way[slot].fetch_add(1, Ordering::AcqRel);
        Some(UnderWay { counts: Arc::clone(&self.under_way), slot, answered: Arc::clone(&self.answered) })
    }

    /// Lets nothing in any more for these.
    pub(crate) fn begin_to_yield(&self, slots: &[Slot]) {
        let mut table = self.write();
        slots.iter().for_each(|slot| table.yielding[index(*slot)] += 1);
    }

    /// Lets writes in again, unless somebody else is about to give them.
    pub(crate) fn end_to_yield(&self, slots: &[Slot]) {
        let mut table = self.write();
        slots.iter().for_each(|slot| table.yielding[index(*slot)] -= 1);
    }

    /// Whether nothing of a slot is under way.
    pub(crate) fn is_quiet(&self, slot: Slot) -> bool {
        self.under_way[index(slot)].load(Ordering::Acquire) == 0
    }

    /// Waits until nothing of these is under way.
    pub(crate) async fn quiet(&self, slots: &[Slot]) {
        loop {
            let answered = self.answered.notified();
            tokio::pin!(answered);
            // Registered before the look, so that the last answer is not missed.
            answered.as_mut().enable();
            if slots.iter().all(|slot| self.is_quiet(*slot)) {
                return;
            }
            answered.await;
        }
    }

    /// Takes in who has a slot, unless a later term is known; whether that is news.
    pub(crate) fn hear(&self, slot: Slot, held: Held) -> bool {
        self.write().hear(slot, held)
    }

    /// Takes in what the database has just answered to this server's own change of the table.
    pub(crate) fn put(&self, slot: Slot, held: Held) -> bool {
        let mut table = self.write();
        let is_news = table.held[index(slot)] != held;
        table.put(slot, held);
        is_news
    }

    /// Takes in the whole table, of which a read was begun then; which slots are others' now.
    ///
    /// What was heard of a later term may be on its way into the table. Where it was heard for longer than `patience` before, it is not: the database
    /// has lost it, as one can that went over to a standby, and its table is the truth. So it is where it names another under the same term.
    pub(crate) fn replace(&self, all: &[Held], begun: Instant, patience: Duration) -> Vec<Slot> {
        let mut table = self.write();
        let mut moved = Vec::new();
        for (slot, held) in Slot::all().zip(all.iter().copied()) {
            let (known, heard) = (table.held[index(slot)], table.heard[index(slot)]);
            let is_lost = known.term > held.term && begun.saturating_duration_since(heard) > patience;
            let is_another = known.term == held.term && held.node.is_some() && known.node != held.node;
            if is_lost || is_another {
                tracing::error!(%slot, known = known.term, found = held.term, "the database has lost who has a slot: its table is believed");
                table.put(slot, held);
                moved.push(slot);
            } else if table.hear(slot, held) {
                moved.push(slot);
            }
        }
        moved
    }

    /// The slots that this server has, and under which terms.
    pub(crate) fn of(&self, me: Id) -> Vec<(Slot, i64)> {
        let table = self.read();
        let mine = Slot::all().zip(&table.held).filter(|(_, held)| held.node == Some(me));
        mine.map(|(slot, held)| (slot, held.term)).collect()
    }

    /// Forgets that a node has any; which ones it had.
    pub(crate) fn strip(&self, node: Id) -> Vec<Slot> {
        let mut table = self.write();
        let theirs = Slot::all().filter(|slot| table.held[index(*slot)].node == Some(node)).collect::<Vec<_>>();
        theirs.iter().for_each(|slot| table.held[index(*slot)].node = None);
        theirs
    }

    fn read(&self) -> RwLockReadGuard<'_, Table> {
        self.table.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Table> {
        self.table.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn hear(&mut self, slot: Slot, held: Held) -> bool {
        let known = &self.held[index(slot)];
        // A node that is gone leaves its slots without a change of their term.
        let is_news =
            held.term > known.term || (held.term == known.term && held.node.is_none() && known.node.is_some());
        if is_news {
            self.put(slot, held);
        }
        is_news
    }

    fn put(&mut self, slot: Slot, held: Held) {
        self.held[index(slot)] = held;
        self.heard[index(slot)] = Instant::now();
    }
}

fn index(slot: Slot) -> usize {
    slot.number().into()
}

#[cfg(test)]
mod tests {
    use std::task::Poll;

    use super::*;

    fn none() -> Slots {
        Slots::new(vec![Held::default(); Slot::COUNT.into()])
    }

    fn slot(number: usize) -> Slot {
        Slot::all().nth(number).expect("below the count")
    }

    #[test]
    fn a_later_term_is_believed_and_an_earlier_one_is_not() {
        let (slots, one, other) = (none(), Id::draw(), Id::draw());
        let held = |node, term| Held { node, term };
        assert!(slots.hear(slot(3), held(Some(one), 2)));
        assert!(!slots.hear(slot(3), held(Some(other), 1)) && !slots.hear(slot(3), held(None, 1)));
        assert!(!slots.hear(slot(3), held(Some(one), 2)), "nothing new");
        assert!(slots.hear(slot(3), held(None, 2)), "its node is gone");
        assert!(!slots.hear(slot(3), held(Some(one), 2)), "it does not come back under the term that it had");
        assert!(slots.hear(slot(3), held(Some(other), 3)));
        assert_eq!(slots.of(other), [(slot(3), 3)]);
        assert_eq!(slots.strip(other), [slot(3)]);
        assert_eq!(slots.of(other), []);
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_table_has_lost_is_believed_to_be_lost_once_it_has_had_time() {
        let (slots, one, other) = (none(), Id::draw(), Id::draw());
        let held = |node, term| Held { node: Some(node), term };
        let patience = Duration::from_secs(10);
        let table = vec![held(one, 4); Slot::COUNT.into()];
        assert_eq!(slots.replace(&table, Instant::now(), patience).len(), 1_024);
        slots.hear(slot(5), held(other, 5));
        for pause in [patience, Duration::from_millis(1)] {
            assert_eq!(slots.replace(&table, Instant::now(), patience), [], "it may be on its way");
            tokio::time::advance(pause).await;
        }
        assert_eq!(slots.replace(&table, Instant::now(), patience), [slot(5)]);
        assert_eq!(slots.held(slot(5)), held(one, 4));
        slots.hear(slot(6), held(other, 5));
        let mut lost = table.clone();
        lost[6] = held(one, 5);
        assert_eq!(
            slots.replace(&lost, Instant::now(), patience),
            [slot(6)],
            "one term, two servers: the table decides"
        );
        assert_eq!(slots.held(slot(6)), held(one, 5));
    }

    #[tokio::test]
    async fn a_slot_that_is_given_lets_nothing_in_and_waits_for_what_is_under_way() {
        let slots = none();
        let (before, elsewhere) = (slots.enter(slot(7)).expect("let in"), slots.enter(slot(8)).expect("let in"));
        slots.begin_to_yield(&[slot(7)]);
        assert!(slots.enter(slot(7)).is_none() && slots.enter(slot(9)).is_some());
        let given = [slot(7)];
        let mut quiet = std::pin::pin!(slots.quiet(&given));
        let now = std::future::poll_fn(|context| Poll::Ready(quiet.as_mut().poll(context))).await;
        assert!(now.is_pending());
        drop(before);
        quiet.await;
        drop(elsewhere);
        slots.begin_to_yield(&given);
        slots.end_to_yield(&given);
        assert!(slots.enter(slot(7)).is_none(), "two were about to give it");
        slots.end_to_yield(&given);
        assert!(slots.enter(slot(7)).is_some());
    }
}
