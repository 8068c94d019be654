//! Whose turn it is to be woken: a room's news goes to its readers a few at a time, round and round.
//!
//! Waking five hundred readers at once puts five hundred writes before whoever speaks next, in this room or another. A few
//! at a time, and what is said meanwhile goes to all the others in the same write: the more a room has to do, the more
//! each write carries.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::hint::black_box;
use std::ops::Bound::{Excluded, Included, Unbounded};
use std::task::Poll;

use crate::types::SessionId;

/// How many are woken before others have their turn. 16: a quarter of a millisecond of writes.
const AT_A_TIME: usize = 16;
/// In how many turns, at most, all are woken: beside hundreds of busy rooms a big one gets to its last reader in time.
const TURNS_MAX: usize = 64;

/// Events, and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Extent {
    pub(crate) events: usize,
    pub(crate) bytes: usize,
}

/// A walk along a room's readers, in the order of their sessions.
#[derive(Debug, Default)]
pub(crate) struct Fanout {
    /// The reader that was woken last; `None` before the first.
    last: Option<SessionId>,
    /// Where the walk ends; `None` while it rests.
    goal: Option<Goal>,
    /// Events published in this lap, and in the one before it. A reader that always reads is behind by no more.
    laps: [Extent; 2],
    has_woken: bool,
}

#[derive(Debug)]
struct Goal {
    /// Past the last reader, and on from the first.
    wraps: bool,
    /// Behind this one; `None` before the first.
    until: Option<SessionId>,
}

impl Fanout {
    /// There is news: everybody is to be woken from here on, the next first.
    pub(crate) fn begin(&mut self) {
        self.goal = Some(Goal { wraps: true, until: self.last });
    }

    /// So much was published.
    pub(crate) fn note(&mut self, published: Extent) {
        self.laps[0].events += published.events;
        self.laps[0].bytes += published.bytes;
    }

    /// Whether somebody is still to be woken.
    pub(crate) fn is_on(&self) -> bool {
        self.goal.is_some()
    }

    /// How much a reader may not have been woken for.
    pub(crate) fn unseen(&self) -> Extent {
        let [this, before] = self.laps;
        Extent { events: this.events + before.events, bytes: this.bytes + before.bytes }
    }

    /// Wakes the next few, having looked at all of them first: looks wait for nothing, so that the processor fetches what they
    /// need side by side, where wake-ups would wait for it one after the other.
    pub(crate) fn wake_some<R>(
        &mut self,
        readers: &BTreeMap<SessionId, R>,
        look: impl Fn(&R) -> bool,
        wake: impl FnMut(&R),
    ) {
        self.wake(readers, AT_A_TIME.max(readers.len().div_ceil(TURNS_MAX)), look, wake);
    }

    /// Wakes everybody who is still to be woken.
    pub(crate) fn wake_rest<R>(&mut self, readers: &BTreeMap<SessionId, R>, wake: impl FnMut(&R)) {
        self.wake(readers, usize::MAX, |_| true, wake);
    }

    /// Whether anybody was woken since this was last asked.
    pub(crate) fn take_woken(&mut self) -> bool {
        std::mem::take(&mut self.has_woken)
    }

    fn wake<R>(
        &mut self,
        readers: &BTreeMap<SessionId, R>,
        mut left: usize,
        look: impl Fn(&R) -> bool,
        mut wake: impl FnMut(&R),
    ) {
        let Some(goal) = &mut self.goal else { return };
        loop {
            let from = self.last.map_or(Unbounded, Excluded);
            let to = match (goal.wraps, goal.until) {
                (true, _) => Unbounded,
                (false, Some(until)) => Included(until),
                (false, None) => break,
            };
            // What they found is of no use, but the compiler is not to know.
            black_box(readers.range((from, to)).take(left).filter(|(_, reader)| look(reader)).count());
            for (&session, reader) in readers.range((from, to)) {
                if left == 0 {
                    return;
                }
                wake(reader);
                (self.last, self.has_woken) = (Some(session), true);
                left -= 1;
            }
            if !goal.wraps {
                break;
            }
            (goal.wraps, self.last) = (false, None);
            self.laps = [Extent::default(), self.laps[0]];
        }
        (self.goal, self.laps) = (None, Default::default());
    }
}

/// Lets everybody run who is ready by now. Unlike tokio's `yield_now`, which comes back when the runtime next looks for news,
/// whether or not they have.
pub(crate) async fn yield_to_back_of_queue() {
    let mut has_been = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut has_been, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[cfg(test)]
mod tests;
