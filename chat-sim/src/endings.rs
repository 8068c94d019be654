//! Which sessions were ended for good, as whoever asked for it was told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard};

use tokio::time::Instant;

use crate::locks::lock;

/// What people of one world know of ends.
#[derive(Debug, Default)]
pub(crate) struct Endings {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    lost: u32,
    /// Who has asked that all their sessions end.
    asked: BTreeSet<String>,
    /// When somebody asked for that and when they were told that it is so.
    done: BTreeMap<String, (Instant, Instant)>,
}

impl Endings {
    /// How many servers without a log have gone down: what they remembered is forgotten.
    pub(crate) fn lost(&self) -> u32 {
        self.state().lost
    }

    pub(crate) fn lose_all(&self) {
        let mut state = self.state();
        state.lost += 1;
        state.done.clear();
    }

    pub(crate) fn ask_for_all(&self, person: &str) {
        self.state().asked.insert(person.to_owned());
    }

    /// Whether some session of the person may have been ended by another.
    pub(crate) fn were_asked_for(&self, person: &str) -> bool {
        self.state().asked.contains(person)
    }

    /// All sessions of the person are ended that had begun when it was asked for.
    pub(crate) fn all_are_ended(&self, person: &str, asked: Instant) {
        self.state().done.insert(person.to_owned(), (asked, Instant::now()));
    }

    /// Whether a session of the person that began no later than this was known to be ended when somebody connected.
    pub(crate) fn is_ended(&self, person: &str, began: Instant, connected: Instant) -> bool {
        self.state().done.get(person).is_some_and(|(asked, told)| began < *asked && *told < connected)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}
