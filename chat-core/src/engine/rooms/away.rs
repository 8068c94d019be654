//! Rooms that were put away: what the log does not know of a room that has left memory.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::Notify;

use crate::engine::feed::budget::{LedgerShare, MemoryBudget};
use crate::engine::rooms::cell::Foundings;
use crate::locks::lock;
use crate::ports::Term;
use crate::room::{RoomTime, Vacancy};
use crate::types::{Epoch, Mono, Offset, RoomCode, Scope};

/// The parts of a room that are kept while it is put away.
pub(crate) struct Away {
    /// Under which term it was decided here.
    pub(crate) term: Term,
    pub(crate) epoch: Epoch,
    /// Its last record.
    pub(crate) last: Offset,
    /// Whom it waits for, and until when. `None` once somebody could not come back: then graces begin anew.
    pub(crate) vacancy: Option<Vacancy>,
    /// How far its time had come.
    pub(crate) time: RoomTime,
    /// Members who were kicked lately.
    pub(crate) kicked: VecDeque<Scope>,
    pub(crate) foundings: Foundings,
    /// Whether it may be shown to people who are not in it.
    pub(crate) is_listed: bool,
    /// What this itself holds of the budget.
    pub(crate) held: LedgerShare,
}

impl Away {
    /// Counts what it holds of people.
    pub(crate) fn weigh(&mut self, budget: &Arc<MemoryBudget>) {
        let vacancy = self.vacancy.as_ref().map_or(0, Vacancy::weight);
        // What each of them takes by itself is bounded by how many there may be.
        self.held.set(budget, vacancy + self.kicked.capacity() * size_of::<Scope>());
    }
}

/// All rooms that were put away, and when each is to be visited.
#[derive(Default)]
pub(crate) struct AwayRooms {
    table: Mutex<Table>,
    sooner: Notify,
}

#[derive(Default)]
struct Table {
    rooms: HashMap<RoomCode, Entry>,
    due: BTreeSet<(Mono, RoomCode)>,
}

struct Entry {
    away: Box<Away>,
    /// When it is visited; `None` while it is, and where nothing is due.
    at: Option<Mono>,
}

/// What there is to visit.
pub(crate) enum Next {
    Due(RoomCode),
    At(Mono),
    Nothing,
}

impl AwayRooms {
    pub(crate) fn len(&self) -> usize {
        self.lock().rooms.len()
    }

    pub(crate) fn has(&self, code: &RoomCode) -> bool {
        self.lock().rooms.contains_key(code)
    }

    /// Keeps a room, to be visited at `at`, if ever; gives it back where there are `max` already.
    pub(crate) fn put(&self, code: &RoomCode, away: Box<Away>, at: Option<Mono>, max: usize) -> Result<(), Box<Away>> {
        let is_soonest = {
            let mut table = self.lock();
            if table.rooms.len() >= max {
                return Err(away);
            }
            table.rooms.insert(code.clone(), Entry { away, at });
            at.is_some_and(|at| table.schedule(at, code))
        };
        if is_soonest {
            self.sooner.notify_one();
        }
        Ok(())
    }

    /// The codes of those that may be shown to people who are not in them, in no order.
    pub(crate) fn codes_listed(&self) -> Vec<RoomCode> {
        let table = self.lock();
        let listed = table.rooms.iter().filter(|(_, entry)| entry.away.is_listed);
        listed.map(|(code, _)| code.clone()).collect()
    }

    /// The incarnation of a room that is away, and its last record when it was put away.
    pub(crate) fn last(&self, code: &RoomCode) -> Option<(Epoch, Offset)> {
        self.lock().rooms.get(code).map(|entry| (entry.away.epoch, entry.away.last))
    }

    /// The room is in memory again.
    pub(crate) fn take(&self, code: &RoomCode) -> Option<Box<Away>> {
        let mut table = self.lock();
        let Entry { away, at } = table.rooms.remove(code)?;
        if let Some(at) = at {
            table.due.remove(&(at, code.clone()));
        }
        Some(away)
    }

    /// Lets go of rooms that nothing is due in and `is_gone` holds for: nobody would ever look at them here.
    pub(crate) fn let_go(&self, is_gone: impl Fn(&RoomCode, &Away) -> bool) {
        self.lock().rooms.retain(|code, entry| {
            let is_visited = entry.away.vacancy.as_ref().is_none_or(|vacancy| vacancy.next_deadline().is_some());
            is_visited || !is_gone(code, &entry.away)
        });
    }

    /// Whoever wanted to come back could not: the log could not be read, or there was no place.
    pub(crate) fn miss(&self, code: &RoomCode) {
        if let Some(entry) = self.lock().rooms.get_mut(code) {
            entry.away.vacancy = None;
        }
    }

    /// A room whose time has come; it is not named again before [`AwayRooms::visit_again`].
    pub(crate) fn next(&self, now: Mono) -> Next {
        let mut table = self.lock();
        match table.due.first().map(|(at, _)| *at) {
            None => Next::Nothing,
            Some(at) if at > now => Next::At(at),
            Some(_) => {
                let (_, code) = table.due.pop_first().expect("there is a first");
                table.rooms.get_mut(&code).expect("what is due is away").at = None;
                Next::Due(code)
            }
        }
    }

    /// A room that is still away after a visit is visited again, at `at`.
    pub(crate) fn visit_again(&self, code: &RoomCode, at: Mono) {
        let is_soonest = {
            let mut table = self.lock();
            match table.rooms.get_mut(code) {
                Some(entry) if entry.at.is_none() => entry.at = Some(at),
                _ => return,
            }
            table.schedule(at, code)
        };
        if is_soonest {
            self.sooner.notify_one();
        }
    }

    /// Something is due sooner than it was, or the engine is gone.
    pub(crate) async fn changed(&self) {
        self.sooner.notified().await;
    }

    /// The engine is gone.
    pub(crate) fn stop(&self) {
        self.sooner.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        lock(&self.table)
    }
}

impl Table {
    /// Whether nothing is due before it.
    fn schedule(&mut self, at: Mono, code: &RoomCode) -> bool {
        self.due.insert((at, code.clone()));
        self.due.first().is_some_and(|(_, first)| first == code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_of_people_is_held_of_the_budget() {
        let budget = MemoryBudget::new(1 << 20);
        let mut away = Away {
            term: Term::default(),
            epoch: Epoch(1),
            last: Offset(1),
            vacancy: None,
            time: RoomTime::default(),
            kicked: VecDeque::with_capacity(8),
            foundings: Foundings::default(),
            is_listed: false,
            held: LedgerShare::default(),
        };
        away.weigh(&budget);
        assert_eq!(budget.ledgers_held(), away.kicked.capacity() * size_of::<Scope>());
        assert!(budget.ledgers_held() >= 8);
    }
}
