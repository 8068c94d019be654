//! Copies of the file that are being made: while there is one, pages it reads are not free, and nothing is compacted.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Who copies the file, and who may not be disturbed by that.
#[derive(Default)]
pub(crate) struct Copies {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    copies: usize,
    is_compacted: bool,
    is_over: bool,
}

/// A copy that is being made, until it is dropped.
pub(crate) struct Copying<'a>(&'a Copies);

/// Nobody copies, until it is dropped.
pub(crate) struct Alone<'a>(&'a Copies);

impl Copies {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
        self.changed.notify_all();
    }

    /// Begins a copy, after a compaction that is under way; `None` where the log is being closed.
    pub(crate) fn begin(&self) -> Option<Copying<'_>> {
        let waited = self.changed.wait_while(self.state(), |state| state.is_compacted && !state.is_over);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        if state.is_over {
            return None;
        }
        state.copies += 1;
        Some(Copying(self))
    }

    /// Keeps copies from beginning; `None` while one is being made.
    pub(crate) fn alone(&self) -> Option<Alone<'_>> {
        let mut state = self.state();
        if state.copies > 0 {
            return None;
        }
        state.is_compacted = true;
        Some(Alone(self))
    }

    /// Whether one is being made.
    pub(crate) fn are_made(&self) -> bool {
        self.state().copies > 0
    }

    /// Has those that are being made end, and waits until they have. None begins from now on.
    pub(crate) fn end(&self) {
        self.change(|state| state.is_over = true);
        let waited = self.changed.wait_while(self.state(), |state| state.copies > 0);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }
}

impl Copying<'_> {
    /// Whether it is to end now.
    pub(crate) fn is_over(&self) -> bool {
        self.0.state().is_over
    }
}

impl Drop for Copying<'_> {
    fn drop(&mut self) {
        self.0.change(|state| state.copies -= 1);
    }
}

impl Drop for Alone<'_> {
    fn drop(&mut self) {
        self.0.change(|state| state.is_compacted = false);
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn nothing_is_compacted_while_a_copy_is_made() {
        let copies = Copies::default();
        let (first, second) = (copies.begin().expect("open"), copies.begin().expect("open"));
        drop(first);
        assert!(copies.alone().is_none() && copies.are_made());
        drop(second);
        assert!(copies.alone().is_some() && !copies.are_made());
    }

    #[test]
    fn a_copy_begins_after_a_compaction_and_ends_with_the_log() {
        let copies = Copies::default();
        let alone = copies.alone().expect("nobody copies");
        thread::scope(|scope| {
            let copied = scope.spawn(|| {
                let copying = copies.begin().expect("open");
                while !copying.is_over() {
                    thread::yield_now();
                }
            });
            assert!(!copies.are_made());
            drop(alone);
            while !copies.are_made() {
                thread::yield_now();
            }
            copies.end();
            assert!(!copies.are_made());
            copied.join().expect("it has ended");
        });
        assert!(copies.begin().is_none());
    }
}
