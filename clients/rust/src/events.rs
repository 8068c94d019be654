//! What is told to a program as it happens: a bounded queue for each who listens, and a stream over it.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};

use chat_core::Seq;
use chat_core::wire::ServerFrame;
use futures_util::Stream;
use futures_util::task::AtomicWaker;

use crate::error::Error;
use crate::messages::Message;
use crate::options::Bounds;
use crate::outbox::Pending;
use crate::state::Ending;

/// What happens in a room. Each event of the log comes once and in order, but for those that [`Missed`](Self::Missed) names.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum RoomEvent {
    /// One is in the room: for the first time, again, or in another life of it. What it was before is in the state.
    Joined,
    /// Somebody has said something, as one hears of it.
    Message(Message),
    /// Any other event of the log.
    Event(Box<ServerFrame>),
    /// What passes: who types, what grows, what members show, how many are there.
    Passing(Box<ServerFrame>),
    /// The events from here to there were not told. The state reads what they say; [`CaughtUp`](Self::CaughtUp) follows.
    #[allow(missing_docs)]
    Missed { from: Seq, to: Seq },
    /// What is held equals the log again.
    CaughtUp,
    /// Something that waited to be sent will not be.
    Refused(Pending, Error),
    /// This stream was not read in time: so many of what it held were dropped, and what follows comes after them. The state has it all.
    Skipped(u64),
    /// One is not in the room any more. The last.
    Ended(Ending),
}

/// What is told of a room to one who listens.
#[derive(Default)]
struct Waiting {
    events: VecDeque<(RoomEvent, usize)>,
    bytes: usize,
    skipped: u64,
    is_over: bool,
}

pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    reader: AtomicWaker,
    events_max: usize,
    bytes_max: usize,
}

impl Queue {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, event: RoomEvent, bytes: usize) {
        let mut waiting = self.waiting();
        waiting.events.push_back((event, bytes));
        waiting.bytes += bytes;
        while waiting.events.len() > self.events_max || (waiting.bytes > self.bytes_max && waiting.events.len() > 1) {
            let dropped = waiting.events.pop_front().map_or(0, |(_, bytes)| bytes);
            waiting.bytes -= dropped;
            waiting.skipped += 1;
        }
        drop(waiting);
        self.reader.wake();
    }

    fn end(&self) {
        self.waiting().is_over = true;
        self.reader.wake();
    }
}

/// The events of one room from one moment on; see [`Room::events`](crate::Room::events). It ends with the membership, or the client.
pub struct Events(Arc<Queue>);

impl Events {
    /// Nothing more.
    pub(crate) fn over() -> Self {
        let mut none = Listeners::default();
        none.add(&Bounds::default())
    }
}

impl Stream for Events {
    type Item = RoomEvent;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<RoomEvent>> {
        self.0.reader.register(cx.waker());
        let mut waiting = self.0.waiting();
        let skipped = std::mem::take(&mut waiting.skipped);
        if skipped > 0 {
            return Poll::Ready(Some(RoomEvent::Skipped(skipped)));
        }
        match waiting.events.pop_front() {
            Some((event, bytes)) => {
                waiting.bytes -= bytes;
                Poll::Ready(Some(event))
            }
            None if waiting.is_over => Poll::Ready(None),
            None => Poll::Pending,
        }
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").finish_non_exhaustive()
    }
}

/// All who listen to a room: each has what happens since it came.
#[derive(Default)]
pub(crate) struct Listeners(Vec<Weak<Queue>>);

impl Listeners {
    pub(crate) fn add(&mut self, bounds: &Bounds) -> Events {
        self.0.retain(|queue| queue.strong_count() > 0);
        let queue = Arc::new(Queue {
            waiting: Mutex::default(),
            reader: AtomicWaker::new(),
            events_max: bounds.events_max.max(1),
            bytes_max: bounds.events_bytes_max,
        });
        self.0.push(Arc::downgrade(&queue));
        Events(queue)
    }

    pub(crate) fn tell(&mut self, event: &RoomEvent, bytes: usize) {
        for queue in self.0.iter().filter_map(Weak::upgrade) {
            queue.push(event.clone(), bytes);
        }
    }
}

impl Drop for Listeners {
    fn drop(&mut self) {
        for queue in self.0.iter().filter_map(Weak::upgrade) {
            queue.end();
        }
    }
}
