//! A whole server stands still for a while: it sends, hears and learns nothing, and others may take what was its own meanwhile.

use std::sync::Arc;
use std::time::Duration;

use chat_core::{NodeId, Slot};
use tokio::time::sleep;

use super::state::State;
use super::way::Way;
use super::{LATENCY_MAX, Node};
use crate::locks::lock;

/// After how much silence the others take the link for broken.
const SILENCE: Duration = Duration::from_secs(3);
/// After how much more of it they depose the server.
const DEPOSED: Duration = Duration::from_secs(3);
/// How long a lease lasts: a server that wakes later than that knows that it has run out, by a clock that has run on.
const LEASE: Duration = Duration::from_secs(5);
/// How long a server whose clock has stood still believes what it knew, in milliseconds.
const BELIEVES_MAX: u64 = 1_000;
/// How long the others, and it, take to find each other again, in milliseconds.
const FINDS: (u64, u64) = (100, 1_000);

impl Node {
    /// Stands still from now on for this time, by a clock that stands still, too, or runs on.
    pub(crate) fn freeze(self: &Arc<Self>, time: Duration, clock_stands: bool) {
        let mut state = self.links.state();
        let Some(inbox) = state.nodes.get_mut(&self.id()) else { return };
        if inbox.frozen.is_some() {
            return;
        }
        inbox.frozen = Some(Vec::new());
        state.troubles.begin(self.place);
        state.stills.begin(self.place);
        drop(state);
        self.frozen.shut();
        let node = Arc::clone(self);
        tokio::spawn(async move {
            let is_deposed = node.stand_still(time).await;
            node.wake(time, clock_stands, is_deposed).await;
        });
    }

    /// What the others see of it. Whether they have deposed it.
    async fn stand_still(&self, time: Duration) -> bool {
        sleep(time.min(SILENCE)).await;
        if time <= SILENCE {
            return false;
        }
        let id = self.id();
        self.links.state().cut_all(id);
        sleep((time - SILENCE).min(DEPOSED)).await;
        if time <= SILENCE + DEPOSED {
            return false;
        }
        self.links.depose(id);
        sleep(time - SILENCE - DEPOSED).await;
        true
    }

    async fn wake(&self, time: Duration, clock_stands: bool, is_deposed: bool) {
        let (believes, finds) = self.go_on(time > LEASE && !clock_stands);
        self.frozen.open();
        sleep(believes).await;
        self.find_out(is_deposed);
        // It may be waiting for what comes to the server that it was.
        self.news.notify_one();
        sleep(finds).await;
        self.come_back();
    }

    /// What was to be sent is sent. How long it believes what it knew, and how long it takes after that to find the others.
    fn go_on(&self, has_lapsed: bool) -> (Duration, Duration) {
        let (id, mut state) = (self.id(), self.links.state());
        state.stills.end(self.place);
        let sent = state.nodes.get_mut(&id).and_then(|inbox| inbox.frozen.take()).unwrap_or_default();
        for (to, parcel) in sent {
            state.send(id, to, parcel);
        }
        if has_lapsed {
            // By a clock that has run on.
            state.lapses(id, true);
        }
        if let Some(inbox) = state.nodes.get(&id) {
            inbox.news.notify_one();
        }
        (state.millis(0, BELIEVES_MAX), state.millis(FINDS.0, FINDS.1))
    }

    fn find_out(&self, is_deposed: bool) {
        let (id, mut state) = (self.id(), self.links.state());
        state.lapses(id, false);
        if is_deposed && let Some(new) = state.begin_anew(id) {
            *lock(&self.id) = new;
        }
    }

    fn come_back(&self) {
        let (id, mut state) = (self.id(), self.links.state());
        state.mend_all(id);
        state.troubles.end(self.place);
    }
}

impl State {
    fn others(&self, id: NodeId) -> Vec<NodeId> {
        self.nodes.keys().copied().filter(|other| *other != id).collect()
    }

    fn cut_all(&mut self, id: NodeId) {
        for other in self.others(id) {
            self.cut(id, other);
        }
    }

    fn mend_all(&mut self, id: NodeId) {
        for other in self.others(id) {
            self.mend(id, other);
        }
    }

    /// A server that was deposed is another one from now on, and knows all that is known. Its links are still down.
    fn begin_anew(&mut self, id: NodeId) -> Option<NodeId> {
        self.cut_all(id);
        let mut inbox = self.remove(id)?;
        let new = self.next_id();
        inbox.known.catch_up(&self.table);
        inbox.hear_moved(Slot::all().collect());
        for other in self.others(new) {
            let latency = self.millis(0, LATENCY_MAX);
            if let Some(theirs) = self.nodes.get_mut(&other) {
                theirs.ways.insert(new, Way::down(latency));
            }
            // What it has still to hear of the other comes first.
            inbox.ways.entry(other).or_insert_with(|| Way::down(latency));
        }
        self.nodes.insert(new, inbox);
        self.others(new).into_iter().for_each(|other| self.note_cut(new, other, 0));
        Some(new)
    }
}
