//! Whose each slot is: as it is, and as one server knows it, which learns of every change in its own time.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use chat_core::{NodeId, Owner, Slot, Term};
use tokio::time::Instant;

/// Who decides for a slot, if anybody does; and under which term, or was last.
pub(super) type Owned = (Option<NodeId>, Term);

/// Whose each slot is, by its number.
#[derive(Clone, Debug)]
pub(super) struct Table(Vec<Owned>);

impl Table {
    /// Every slot is nobody's.
    pub(super) fn new() -> Self {
        Self(vec![(None, Term(0)); usize::from(Slot::COUNT)])
    }

    pub(super) fn get(&self, slot: Slot) -> Owned {
        self.0[usize::from(slot.number())]
    }

    pub(super) fn set(&mut self, slot: Slot, owned: Owned) {
        self.0[usize::from(slot.number())] = owned;
    }

    /// From now on a slot is another's, under a later term, or nobody's.
    pub(super) fn give(&mut self, slot: Slot, to: Option<NodeId>) {
        let (_, term) = self.get(slot);
        let term = if to.is_some() { Term(term.0 + 1) } else { term };
        self.set(slot, (to, term));
    }

    /// The slots that are this server's, or nobody's.
    pub(super) fn of(&self, owner: Option<NodeId>) -> Vec<Slot> {
        Slot::all().filter(|slot| self.get(*slot).0 == owner).collect()
    }
}

/// What one server knows of the table.
#[derive(Debug)]
pub(super) struct Known {
    table: Table,
    /// What it has still to learn, and when it does.
    news: VecDeque<(Instant, Vec<(Slot, Owned)>)>,
    /// What it gives away: it decides nothing there any more.
    giving: BTreeSet<Slot>,
    /// It cannot say of any slot that it is its own.
    is_lapsed: bool,
    /// When it learned something last.
    learned: Option<Instant>,
}

impl Known {
    pub(super) fn new(table: Table) -> Self {
        Self { table, news: VecDeque::new(), giving: BTreeSet::new(), is_lapsed: false, learned: None }
    }

    /// It learns of this, after everything before it.
    pub(super) fn learn(&mut self, at: Instant, changes: Vec<(Slot, Owned)>) {
        let last = self.news.back().map(|(at, _)| *at);
        self.news.push_back((last.map_or(at, |last| last.max(at)), changes));
    }

    /// Whether it has learned anything so lately, or is about to.
    pub(super) fn has_learned_within(&self, time: Duration) -> bool {
        self.next_at().is_some() || self.learned.is_some_and(|at| at.elapsed() < time)
    }

    /// When it learns something next.
    pub(super) fn next_at(&self) -> Option<Instant> {
        self.news.front().map(|(at, _)| *at)
    }

    /// What it has learned by now, change by change.
    pub(super) fn refresh(&mut self, now: Instant) -> Vec<Vec<Slot>> {
        let mut moved = Vec::new();
        while self.next_at().is_some_and(|at| at <= now)
            && let Some((_, changes)) = self.news.pop_front()
        {
            moved.push(changes.iter().map(|(slot, _)| *slot).collect());
            self.learned = Some(now);
            for (slot, owned) in changes {
                self.giving.remove(&slot);
                self.table.set(slot, owned);
            }
        }
        moved
    }

    /// All of it is known at once.
    pub(super) fn catch_up(&mut self, table: &Table) {
        *self = Self::new(table.clone());
    }

    /// It decides nothing any more in a slot that it gives away; or goes on, where nobody has taken it.
    pub(super) fn give(&mut self, slot: Slot, gives: bool) {
        if gives {
            self.giving.insert(slot);
        } else {
            self.giving.remove(&slot);
        }
    }

    /// Whether this is new.
    pub(super) fn lapse(&mut self, is_lapsed: bool) -> bool {
        std::mem::replace(&mut self.is_lapsed, is_lapsed) != is_lapsed
    }

    /// The slots that it has for its own.
    pub(super) fn own(&self, me: NodeId) -> Vec<Slot> {
        self.table.of(Some(me))
    }

    pub(super) fn owner(&self, slot: Slot, me: NodeId) -> Owner {
        match self.table.get(slot) {
            (Some(owner), _) if owner == me && (self.is_lapsed || self.giving.contains(&slot)) => Owner::Nobody,
            (Some(owner), term) if owner == me => Owner::Me(term),
            (Some(owner), term) => Owner::Other(owner, term),
            (None, _) => Owner::Nobody,
        }
    }
}
