//! The bytes of all backlogs and ledgers together, and who gives some back when they are too many.
//!
//! A ledger cannot be cut: what all of them hold, backlogs may not. From three quarters on nobody new is let in, and once ledgers alone
//! hold everything, nothing is taken in that would have to be remembered.
//!
//! Max-min fair: when seven eighths of what ledgers leave are held, rooms that linger without members give theirs, and if that is not enough, no room
//! keeps more than a level, so that no room that keeps less loses anything and the level is as high as can be. A room that would pass the whole
//! budget meanwhile gives at once.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::locks::lock;
use crate::types::Mono;

/// The shortest time between two looks at all rooms: a budget that cannot be met is not to cost more than this.
const PAUSE: Duration = Duration::from_millis(250);

/// What all backlogs and ledgers of an engine hold, and may hold.
pub(crate) struct MemoryBudget {
    bytes_max: usize,
    /// By backlogs.
    held: AtomicUsize,
    ledgers: AtomicUsize,
    backlogs: AtomicUsize,
    /// 0 before the first look.
    level: AtomicUsize,
    /// When all rooms were looked at last, for each purpose.
    looked: Mutex<[Option<Mono>; 2]>,
}

/// What all rooms are looked at for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    /// Memory is short.
    Memory,
    /// Places for rooms are.
    Places,
}

impl MemoryBudget {
    pub(crate) fn new(bytes_max: usize) -> Arc<Self> {
        Arc::new(Self {
            bytes_max,
            held: AtomicUsize::new(0),
            ledgers: AtomicUsize::new(0),
            backlogs: AtomicUsize::new(0),
            level: AtomicUsize::new(0),
            looked: Mutex::default(),
        })
    }

    /// Bytes that there may be.
    pub(crate) fn bytes_max(&self) -> usize {
        self.bytes_max
    }

    /// Bytes that backlogs hold.
    pub(crate) fn backlogs_held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    /// Bytes that ledgers hold.
    pub(crate) fn ledgers_held(&self) -> usize {
        self.ledgers.load(Ordering::Relaxed)
    }

    /// Bytes that ledgers leave to backlogs.
    fn left(&self) -> usize {
        self.bytes_max.saturating_sub(self.ledgers_held())
    }

    /// Whether ledgers hold so much that nobody new is let in: what is left is for those who are.
    pub(crate) fn is_crowded(&self) -> bool {
        self.ledgers_held() >= self.bytes_max / 4 * 3
    }

    /// Whether ledgers hold all that there may be.
    pub(crate) fn is_full(&self) -> bool {
        self.ledgers_held() >= self.bytes_max
    }

    pub(crate) fn is_passed(&self) -> bool {
        self.backlogs_held() > self.left()
    }

    /// Whether it is time to look who can give some back.
    pub(crate) fn is_nearly_passed(&self) -> bool {
        self.backlogs_held() > self.left() / 8 * 7
    }

    /// Whether memory is to be given back: all together is much, or ledgers alone are.
    pub(crate) fn is_short(&self) -> bool {
        self.is_nearly_passed() || self.is_crowded()
    }

    /// What one backlog may keep, as of the last look; before the first, an equal share.
    pub(crate) fn level(&self) -> usize {
        match self.level.load(Ordering::Relaxed) {
            0 => self.left() / self.backlogs.load(Ordering::Relaxed).max(1),
            // Ledgers may have grown since.
            level => level.min(self.left()),
        }
    }

    /// Finds the level anew. A quarter of what ledgers leave is left free, so that not every message after it makes all rooms be looked at.
    pub(crate) fn set_level(&self, weights: Vec<usize>) -> usize {
        let out_of_reach = self.backlogs_held().saturating_sub(weights.iter().sum());
        let level = level(weights, (self.left() / 4 * 3).saturating_sub(out_of_reach)).max(1);
        self.level.store(level, Ordering::Relaxed);
        level
    }

    pub(crate) fn enter(&self) {
        self.backlogs.fetch_add(1, Ordering::Relaxed);
    }

    /// A backlog goes, with what it held.
    pub(crate) fn leave(&self, held: usize) {
        self.backlogs.fetch_sub(1, Ordering::Relaxed);
        self.held.fetch_sub(held, Ordering::Relaxed);
    }

    /// A backlog holds `now` bytes instead of `before`.
    pub(crate) fn change(&self, before: usize, now: usize) {
        match now >= before {
            true => self.held.fetch_add(now - before, Ordering::Relaxed),
            false => self.held.fetch_sub(before - now, Ordering::Relaxed),
        };
    }

    fn change_ledger(&self, before: usize, now: usize) {
        match now >= before {
            true => self.ledgers.fetch_add(now - before, Ordering::Relaxed),
            false => self.ledgers.fetch_sub(before - now, Ordering::Relaxed),
        };
    }

    /// Whether all rooms may be looked at now: not too often.
    pub(crate) fn may_look(&self, purpose: Purpose, now: Mono) -> bool {
        let mut looked = lock(&self.looked);
        let last = &mut looked[purpose as usize];
        let may = last.is_none_or(|last| now >= last.after(PAUSE));
        if may {
            *last = Some(now);
        }
        may
    }
}

/// What one ledger holds of a budget, until it is dropped.
#[derive(Default)]
pub(crate) struct LedgerShare {
    /// `None` while it holds nothing.
    budget: Option<Arc<MemoryBudget>>,
    bytes: usize,
}

impl LedgerShare {
    /// It holds so many bytes from now on.
    pub(crate) fn set(&mut self, budget: &Arc<MemoryBudget>, bytes: usize) {
        if self.bytes == bytes {
            return;
        }
        budget.change_ledger(self.bytes, bytes);
        self.bytes = bytes;
        self.budget.get_or_insert_with(|| Arc::clone(budget));
    }
}

impl Drop for LedgerShare {
    fn drop(&mut self) {
        if let Some(budget) = &self.budget {
            budget.change_ledger(self.bytes, 0);
        }
    }
}

/// The highest level that fits: if nobody keeps more than it, all together keep `target`.
fn level(mut weights: Vec<usize>, target: usize) -> usize {
    weights.sort_unstable();
    let (mut left, mut rooms) = (target, weights.len());
    for weight in weights {
        let equal = left / rooms;
        if weight > equal {
            return equal;
        }
        left -= weight;
        rooms -= 1;
    }
    usize::MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_level_takes_from_the_largest_only() {
        assert_eq!(level(vec![10, 20, 30], 60), usize::MAX, "it fits");
        assert_eq!(level(vec![10, 1_000, 20, 1_000], 100), 35);
        assert_eq!(level(vec![50, 50, 50], 75), 25);
        assert_eq!(level(vec![], 0), usize::MAX);
        assert_eq!(level(vec![5], 0), 0);
    }

    #[test]
    fn a_quarter_is_left_free_so_that_the_next_message_does_not_ask_again() {
        let budget = MemoryBudget::new(800);
        let mut rooms = [100, 350, 350];
        rooms.iter().for_each(|&bytes| budget.change(0, bytes));
        assert!(budget.is_nearly_passed());
        let level = budget.set_level(rooms.to_vec());
        for bytes in &mut rooms {
            budget.change(*bytes, level.min(*bytes));
            *bytes = level.min(*bytes);
        }
        assert_eq!((rooms, budget.backlogs_held(), budget.level()), ([100, 250, 250], 600, 250));
        budget.change(0, 100);
        assert!(!budget.is_nearly_passed(), "an eighth may come in");
    }

    #[test]
    fn what_ledgers_hold_backlogs_may_not() {
        let budget = MemoryBudget::new(800);
        (0..2).for_each(|_| budget.enter());
        let mut share = LedgerShare::default();
        share.set(&budget, 400);
        assert_eq!((budget.level(), budget.is_nearly_passed(), budget.is_crowded()), (200, false, false));
        budget.change(0, 360);
        assert!(budget.is_nearly_passed());
        assert_eq!(
            budget.set_level(vec![50, 310]),
            250,
            "half is the ledger's, and a quarter of the rest is left free"
        );
        share.set(&budget, 600);
        assert!(budget.is_crowded() && !budget.is_full());
        assert_eq!(budget.set_level(vec![50, 310]), 100, "who is in goes on with what is left");
        share.set(&budget, 800);
        assert!(budget.is_full());
        drop(share);
        assert_eq!((budget.ledgers_held(), budget.backlogs_held()), (0, 360));
    }

    /// A level that was found before ledgers grew, or where nobody had to give any, is no licence to keep more than there is.
    #[test]
    fn no_backlog_may_keep_more_than_ledgers_leave() {
        let budget = MemoryBudget::new(800);
        budget.change(0, 100);
        assert_eq!(budget.set_level(vec![100]), usize::MAX, "it fits");
        let mut share = LedgerShare::default();
        share.set(&budget, 500);
        assert_eq!(budget.level(), 300);
    }

    #[test]
    fn where_nothing_may_be_kept_no_room_falls_back_to_an_equal_share() {
        let budget = MemoryBudget::new(800);
        (0..2).for_each(|_| budget.enter());
        budget.change(0, 1_000);
        assert_eq!(budget.level(), 400, "nobody has looked yet");
        budget.set_level(vec![100, 100]);
        assert!(budget.level() < 2, "what ended incarnations hold is too much already: {}", budget.level());
    }
}
