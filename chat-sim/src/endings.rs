//! Which sessions were ended for good, as whoever asked for it was told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard};

use chat_core::Wall;
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
    done: BTreeMap<String, Done>,
}

/// All sessions of a person were ended.
#[derive(Clone, Copy, Debug)]
struct Done {
    asked: Instant,
    told: Instant,
    /// The wall clock when it was set back furthest of the two.
    wall: Wall,
}

/// When something was asked for, or began.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) at: Instant,
    pub(crate) wall: Wall,
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
    pub(crate) fn all_are_ended(&self, person: &str, asked: Moment, now: Wall) {
        let done = Done { asked: asked.at, told: Instant::now(), wall: asked.wall.min(now) };
        self.state().done.insert(person.to_owned(), done);
    }

    /// Whether a session of the person that began no later than this was known to be ended when somebody connected. One that an earlier
    /// server began, whose clock was ahead, is not told from one that began since.
    pub(crate) fn is_ended(&self, person: &str, began: Moment, connected: Instant) -> bool {
        let Some(Done { asked, told, wall }) = self.state().done.get(person).copied() else { return false };
        began.at < asked && told < connected && began.wall < wall
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}
