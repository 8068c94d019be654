//! Sessions without a connection, in the order they lost it.

use std::collections::VecDeque;

use crate::types::{Generation, SessionId};

/// Which session, and which connection it lost.
pub(crate) type Loss = (SessionId, Generation);

/// Sessions without a connection: all of them, or those of one address.
#[derive(Default)]
pub(crate) struct Detached {
    /// Longest gone first. One that has come back leaves its entry behind.
    queue: VecDeque<Loss>,
    count: usize,
}

impl Detached {
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    pub(crate) fn push(&mut self, loss: Loss) {
        self.queue.push_back(loss);
        self.count += 1;
    }

    /// One has come back, or is forgotten.
    pub(crate) fn remove_one(&mut self) {
        self.count -= 1;
    }

    /// The session that is longest gone, unless it has come back.
    pub(crate) fn front(&self) -> Option<Loss> {
        self.queue.front().copied()
    }

    pub(crate) fn pop(&mut self) -> Option<Loss> {
        self.queue.pop_front()
    }

    /// The queue, where most of it are entries of sessions that have come back, to be put back without those: one that comes and
    /// goes leaves an entry each time, all of them behind one that stays away.
    pub(crate) fn take_stale(&mut self) -> Option<VecDeque<Loss>> {
        (self.queue.len() > 2 * self.count + 8).then(|| std::mem::take(&mut self.queue))
    }

    pub(crate) fn restore(&mut self, queue: VecDeque<Loss>) {
        self.queue = queue;
    }

    #[cfg(test)]
    pub(crate) fn entries(&self) -> usize {
        self.queue.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_of_who_has_come_back_are_looked_through_where_they_are_most() {
        let mut detached = Detached::default();
        for id in 0..11 {
            detached.push((SessionId::new(id), Generation(1)));
        }
        (0..9).for_each(|_| detached.remove_one());
        assert_eq!((detached.count(), detached.take_stale().is_none()), (2, true), "few of them");
        detached.remove_one();
        let queue = detached.take_stale().expect("eleven of one");
        assert_eq!((queue.len(), detached.front()), (11, None));
        detached.restore(queue);
        assert_eq!(detached.pop(), Some((SessionId::new(0), Generation(1))));
        assert!(detached.take_stale().is_none(), "ten of one");
    }
}
