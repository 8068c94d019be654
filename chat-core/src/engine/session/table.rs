//! All sessions, with and without a connection, and which of those without are forgotten.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::engine::session::addresses::AddressCell;
use crate::engine::session::cell::{SessionCell, SessionState};
use crate::engine::session::connection_state::ConnectionState;
use crate::engine::session::detached::{Detached, Loss};
use crate::types::{Identity, Limits, Mono, SessionId};

/// All sessions, and those without a connection in the order they lost it.
#[derive(Default)]
pub(crate) struct Sessions {
    pub(crate) by_id: HashMap<SessionId, Arc<SessionCell>>,
    /// Those of people whom the policy has named.
    by_identity: HashMap<Identity, BTreeSet<SessionId>>,
    detached: Detached,
}

impl Sessions {
    pub(crate) fn cell(&self, id: SessionId) -> Option<Arc<SessionCell>> {
        self.by_id.get(&id).cloned()
    }

    /// A session begins, or comes back and is not known. `state` is its own.
    pub(crate) fn insert(&mut self, cell: &Arc<SessionCell>, state: &SessionState) {
        self.by_id.insert(cell.id, Arc::clone(cell));
        if let Some(identity) = &state.identity {
            self.by_identity.entry(identity.clone()).or_default().insert(cell.id);
        }
    }

    /// All of a person.
    pub(crate) fn of(&self, identity: &Identity) -> Vec<SessionId> {
        self.by_identity.get(identity).into_iter().flatten().copied().collect()
    }

    /// A session is over. `state` is its own.
    pub(crate) fn take_out(&mut self, cell: &SessionCell, state: &mut SessionState) {
        self.attach(state);
        self.by_id.remove(&cell.id);
        if let Some(identity) = &state.identity
            && let Some(all) = self.by_identity.get_mut(identity)
        {
            all.remove(&cell.id);
            if all.is_empty() {
                self.by_identity.remove(identity);
            }
        }
    }

    /// A session has lost this connection, unless it has a newer one by now. Where that makes too many, others are forgotten.
    pub(crate) fn detach(&mut self, cell: &SessionCell, connection: &ConnectionState, limits: &Limits, now: Mono) {
        let from = connection.address.as_deref();
        {
            let mut state = cell.lock();
            if !state.is_gone_since(connection.generation) {
                return;
            }
            if state.is_ended {
                return self.take_out(cell, &mut state);
            }
            state.is_counted = true;
            state.gone_from = connection.address.clone();
        }
        let loss = (cell.id, connection.generation);
        self.detached.push(loss);
        from.into_iter().flat_map(AddressCell::levels).for_each(|level| level.lock_detached().push(loss));
        self.drop_stale(from);
        self.forget_over(limits, now);
        self.forget_surplus(from, limits, now);
    }

    /// A session has a connection again.
    pub(crate) fn attach(&mut self, state: &mut SessionState) {
        if !std::mem::take(&mut state.is_counted) {
            return;
        }
        self.detached.remove_one();
        if let Some(address) = state.gone_from.take() {
            address.levels().for_each(|level| level.lock_detached().remove_one());
        }
    }

    /// Forgets sessions that have been without a connection for too long.
    pub(crate) fn forget_over(&mut self, limits: &Limits, now: Mono) {
        while let Some(loss) = self.detached.front() {
            if self.gone_at(loss).is_some_and(|gone| now.since(gone) <= limits.session.retention) {
                return;
            }
            self.detached.pop();
            self.forget(loss);
        }
    }

    /// Forgets sessions where there are too many: of the address that somebody has just left, and of all. The longest gone goes
    /// first; once that is within its grace, who has just left makes place at their own address.
    fn forget_surplus(&mut self, from: Option<&AddressCell>, limits: &Limits, now: Mono) {
        let per_address = limits.engine.sessions_detached_per_address_max;
        for level in from.into_iter().flat_map(AddressCell::levels) {
            let most = level.times(per_address);
            while most != 0 && level.lock_detached().count() > most && self.forget_oldest(level) {}
        }
        while self.detached.count() > limits.engine.sessions_detached_max {
            let Some(longest_gone) = self.detached.front() else { return };
            let is_in_grace = self.gone_at(longest_gone).is_some_and(|gone| now.since(gone) < limits.room.grace);
            let makes_place = is_in_grace && from.is_some_and(|address| self.forget_oldest(address));
            if !makes_place {
                self.detached.pop();
                self.forget(longest_gone);
            }
        }
    }

    /// Forgets who has left this address first.
    fn forget_oldest(&mut self, address: &AddressCell) -> bool {
        loop {
            let Some(loss) = address.lock_detached().pop() else { return false };
            if self.forget(loss) {
                return true;
            }
        }
    }

    /// Forgets a session, unless it has come back.
    fn forget(&mut self, (id, generation): Loss) -> bool {
        let Some(cell) = self.by_id.get(&id).cloned() else { return false };
        let mut state = cell.lock();
        let is_gone = state.is_gone_since(generation);
        if is_gone {
            self.take_out(&cell, &mut state);
        }
        is_gone
    }

    /// Since when a session has been without a connection; `None` for one that has come back, or is forgotten.
    fn gone_at(&self, (id, generation): Loss) -> Option<Mono> {
        let state = self.by_id.get(&id)?.lock();
        state.is_gone_since(generation).then_some(state.detached)
    }

    fn drop_stale(&mut self, from: Option<&AddressCell>) {
        if let Some(mut queue) = self.detached.take_stale() {
            queue.retain(|loss| self.gone_at(*loss).is_some());
            self.detached.restore(queue);
        }
        for level in from.into_iter().flat_map(AddressCell::levels) {
            let stale = level.lock_detached().take_stale();
            if let Some(mut queue) = stale {
                queue.retain(|loss| self.gone_at(*loss).is_some());
                level.lock_detached().restore(queue);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::session::token::{Issue, Kind};
    use crate::types::Generation;

    /// Comes back, if it was away, and goes.
    fn come_and_go(sessions: &mut Sessions, id: u128, generation: u64) {
        let (limits, id) = (Limits::default(), SessionId::new(id));
        let new = || Arc::new(SessionCell::new(id, None, &limits.session, Mono(0)));
        let cell = Arc::clone(sessions.by_id.entry(id).or_insert_with(new));
        let made = (Issue { generation: 1, day: 0 }, Kind::Token);
        let connection = ConnectionState::new(Generation(generation), made, "test", None, None, Arc::default());
        let mut state = cell.lock();
        sessions.attach(&mut state);
        state.generation = Generation(generation);
        drop(state);
        sessions.detach(&cell, &connection, &limits, Mono(0));
    }

    #[test]
    fn however_often_one_comes_and_goes_behind_one_that_stays_away_few_entries_are_kept() {
        let mut sessions = Sessions::default();
        come_and_go(&mut sessions, 1, 1);
        for generation in 2..1_000 {
            come_and_go(&mut sessions, 2, generation);
            assert!(sessions.detached.entries() <= 13, "{} of two", sessions.detached.entries());
        }
        assert_eq!(sessions.detached.count(), 2);
    }
}
