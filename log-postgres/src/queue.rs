//! How much waits to be written: so many changes, and so many bytes of them. Whoever comes later waits for a place.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Changes that wait: 8,192, which is many groups of those that are written together.
const CHANGES_MAX: usize = 8_192;
/// Bytes that wait: 64 MiB, eight of the largest groups. All of it is in memory while the database is slow; without this bound the longest
/// messages of as many rooms as there are places would be gigabytes.
const BYTES_MAX: u32 = 64 << 20;

/// The places of one log.
pub(crate) struct Queue {
    changes: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
}

/// A place in the queue, free again when it is dropped.
#[derive(Debug)]
pub(crate) struct Place(#[expect(dead_code, reason = "held, never looked at")] [OwnedSemaphorePermit; 2]);

impl Queue {
    /// Waits for a place for so many bytes: in turn, so that large changes are not passed for ever. One that is larger than all that may wait
    /// has the queue for itself.
    pub(crate) async fn place(&self, bytes: usize) -> Place {
        let bytes = u32::try_from(bytes).map_or(BYTES_MAX, |bytes| bytes.min(BYTES_MAX));
        let never_closed = "the queue's places are never closed";
        let change = Arc::clone(&self.changes).acquire_owned().await.expect(never_closed);
        let bytes = Arc::clone(&self.bytes).acquire_many_owned(bytes).await.expect(never_closed);
        Place([change, bytes])
    }
}

impl Queue {
    /// How many changes wait.
    pub(crate) fn waiting(&self) -> u64 {
        CHANGES_MAX.saturating_sub(self.changes.available_permits()) as u64
    }
}

impl Default for Queue {
    fn default() -> Self {
        Self { changes: Arc::new(Semaphore::new(CHANGES_MAX)), bytes: Arc::new(Semaphore::new(BYTES_MAX as usize)) }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Poll;

    use super::*;

    const HALF: usize = BYTES_MAX as usize / 2;

    /// A place, if there is one now.
    async fn now(queue: &Queue, bytes: usize) -> Option<Place> {
        let mut place = std::pin::pin!(tokio::task::unconstrained(queue.place(bytes)));
        match std::future::poll_fn(|context| Poll::Ready(place.as_mut().poll(context))).await {
            Poll::Ready(place) => Some(place),
            Poll::Pending => None,
        }
    }

    #[tokio::test]
    async fn so_many_changes_wait_and_no_more() {
        let queue = Queue::default();
        let mut places = Vec::new();
        while let Some(place) = now(&queue, 100).await {
            places.push(place);
        }
        assert_eq!(places.len(), CHANGES_MAX);
        places.pop();
        assert!(now(&queue, 100).await.is_some(), "a place that is free again is taken");
    }

    #[tokio::test]
    async fn so_many_bytes_wait_and_no_more_and_a_change_that_is_larger_waits_alone() {
        let queue = Queue::default();
        let halves = [now(&queue, HALF).await, now(&queue, HALF).await];
        assert!(halves.iter().all(Option::is_some) && now(&queue, 1).await.is_none());
        drop(halves);
        let huge = now(&queue, 10 * HALF).await;
        assert!(huge.is_some() && now(&queue, 1).await.is_none());
        drop(huge);
        let small = now(&queue, 1).await;
        assert!(now(&queue, usize::MAX).await.is_none(), "not beside another");
        drop(small);
        assert!(now(&queue, usize::MAX).await.is_some());
    }
}
