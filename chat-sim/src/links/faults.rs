//! What goes wrong between servers: links that break, are slow, or full; slots that move; leases that lapse; servers that die.

use std::sync::Arc;
use std::time::Duration;

use chat_core::{NodeId, Slot};
use rand::RngExt;
use tokio::time::sleep;

use super::state::{State, pair};
use super::{Links, Node};

/// How long a server seems to live on that does not, in milliseconds: its slots are nobody's only then.
const UNSEEN: (u64, u64) = (2_000, 6_000);
/// How long slots are nobody's, in milliseconds, before others take them.
const ORPHANED_MAX: u64 = 2_000;
/// How long a server that gives slots away still finishes what it has under way, in milliseconds.
const GIVES: (u64, u64) = (20, 1_000);
/// Of how many bytes a narrow line is full.
const NARROW_HELD: usize = 32 << 10;

impl Links {
    /// The link between the servers in two places breaks, and is mended after this time.
    pub(crate) fn cut(self: &Arc<Self>, places: (usize, usize), time: Duration) {
        let mut state = self.state();
        let Some((one, other)) = state.both(places) else { return };
        if state.cut(one, other) {
            self.note(format_args!("the link of node {} and node {} is cut for {time:?}", one.0, other.0));
            self.mend_after(one, other, time);
        }
    }

    pub(super) fn mend_after(self: &Arc<Self>, one: NodeId, other: NodeId, time: Duration) {
        let links = Arc::clone(self);
        tokio::spawn(async move {
            sleep(time).await;
            if links.state().mend(one, other) {
                links.note(format_args!("the link of node {} and node {} is mended", one.0, other.0));
            }
        });
    }

    /// What goes one way, from a place to another, takes so much longer for a time.
    pub(crate) fn delay(self: &Arc<Self>, places: (usize, usize), delay: Duration, time: Duration) {
        self.note(format_args!("what goes from place {} to place {} takes {delay:?} longer", places.0, places.1));
        self.state().change(places, |way| way.delay(delay));
        let links = Arc::clone(self);
        tokio::spawn(async move {
            sleep(time).await;
            links.state().change(places, |way| way.delay(Duration::ZERO));
        });
    }

    /// Few bytes in a second pass one way, from a place to another, for a time; and a link that is full is cut.
    pub(crate) fn narrow(self: &Arc<Self>, places: (usize, usize), bandwidth: u32, time: Duration) {
        self.note(format_args!("from place {} to place {} go {bandwidth} bytes a second", places.0, places.1));
        let mut state = self.state();
        state.change(places, |way| way.narrow(Some((bandwidth, NARROW_HELD))));
        let of = [places.0, places.1];
        of.iter().for_each(|place| state.troubles.begin(*place));
        drop(state);
        let links = Arc::clone(self);
        tokio::spawn(async move {
            sleep(time).await;
            let mut state = links.state();
            state.change(places, |way| way.narrow(None));
            of.iter().for_each(|place| state.troubles.end(*place));
        });
    }

    /// Whoever has these slots gives them to the server in a place, if that is up. They stop; what is under way is finished; then it begins.
    pub(crate) fn move_slots(self: &Arc<Self>, slots: &[Slot], place: usize) {
        let mut state = self.state();
        let Some(to) = state.awake_in(place) else { return };
        let awake = state.awake();
        let owned = slots.iter().filter_map(|slot| Some((*slot, state.table.get(*slot).0?, state.table.get(*slot).1)));
        let given: Vec<_> = owned.filter(|(_, from, _)| *from != to && awake.contains(from)).collect();
        for (slot, from, _) in &given {
            state.gives(*from, *slot, true);
        }
        if given.is_empty() {
            return;
        }
        let time = state.millis(GIVES.0, GIVES.1);
        drop(state);
        self.note(format_args!("{} slots move to node {}", given.len(), to.0));
        let links = Arc::clone(self);
        tokio::spawn(async move {
            sleep(time).await;
            let mut state = links.state();
            let awake = state.awake();
            let (mut moved, mut kept) = (Vec::new(), Vec::new());
            for (slot, from, term) in given {
                if state.table.get(slot) == (Some(from), term) && awake.contains(&from) && awake.contains(&to) {
                    moved.push(slot);
                } else {
                    kept.push((slot, from));
                }
            }
            state.give(moved, Some(to));
            // Those that somebody else has meanwhile are learned of.
            kept.into_iter().for_each(|(slot, from)| state.gives(from, slot, false));
        });
    }

    /// The servers in some places, or all of them, cannot say for a time that they own anything.
    pub(crate) fn lapse(self: &Arc<Self>, place: Option<usize>, time: Duration) {
        let mut state = self.state();
        let all = state.nodes.iter().filter(|(_, inbox)| place.is_none_or(|place| inbox.place == place));
        let all: Vec<NodeId> = all.map(|(id, _)| *id).collect();
        let lapsed: Vec<NodeId> = all.into_iter().filter(|id| state.lapses(*id, true)).collect();
        drop(state);
        self.note(format_args!("the leases of {lapsed:?} lapse for {time:?}"));
        let links = Arc::clone(self);
        tokio::spawn(async move {
            sleep(time).await;
            let mut state = links.state();
            for id in lapsed {
                state.lapses(id, false);
            }
        });
    }

    /// For how long of the last `time` the server in a place could not be reached by some other.
    pub(crate) fn troubled(&self, place: usize, time: Duration) -> Duration {
        self.state().troubles.within(place, time)
    }

    /// For how long of the last `time` the server in a place did not stand still, whatever its clock did.
    pub(crate) fn awake(&self, place: usize, time: Duration) -> Duration {
        time.saturating_sub(self.state().stills.within(place, time))
    }

    /// Whether the server in a place has learned so lately who decides for some room.
    pub(crate) fn has_learned_within(&self, place: usize, time: Duration) -> bool {
        let state = self.state();
        let mut there = state.nodes.values().filter(|inbox| inbox.place == place);
        there.any(|inbox| inbox.known.has_learned_within(time))
    }

    /// A server's slots are nobody's any more; after a while somebody takes them.
    pub(super) fn depose(self: &Arc<Self>, id: NodeId) {
        let mut state = self.state();
        let slots = state.table.of(Some(id));
        slots.iter().for_each(|slot| state.table.give(*slot, None));
        state.deposed.insert(id);
        // Whose they were does not know it.
        state.tell(&slots, None, Some(id));
        drop(state);
        self.note(format_args!("node {} is deposed", id.0));
        let links = Arc::clone(self);
        tokio::spawn(async move {
            while !links.state().table.of(None).is_empty() {
                let time = links.state().millis(0, ORPHANED_MAX);
                sleep(time).await;
                links.take_orphans();
            }
        });
    }

    /// Somebody who is there takes what is nobody's: who is at home in it, or anybody.
    fn take_orphans(&self) {
        let mut state = self.state();
        let awake = state.awake();
        if awake.is_empty() {
            return;
        }
        let taker = awake[state.rng.random_range(0..awake.len())];
        let mut taken: Vec<(NodeId, Vec<Slot>)> = Vec::new();
        for slot in state.table.of(None) {
            let home = state.awake_in(state.homes[usize::from(slot.number())]);
            let id = home.unwrap_or(taker);
            match taken.iter_mut().find(|(taker, _)| *taker == id) {
                Some((_, slots)) => slots.push(slot),
                None => taken.push((id, vec![slot])),
            }
        }
        for (id, slots) in taken {
            self.note(format_args!("node {} takes {} slots", id.0, slots.len()));
            state.give(slots, Some(id));
        }
    }
}

impl Node {
    /// It is gone: nothing comes from it or to it any more, and what was its own is nobody's, at once or once the others see that.
    pub(crate) fn leave(&self) {
        let id = self.id();
        let mut state = self.links.state();
        if state.remove(id).is_none() {
            return;
        }
        if !self.links.has_faults {
            let slots = state.table.of(Some(id));
            return state.give(slots, None);
        }
        let time = state.millis(UNSEEN.0, UNSEEN.1);
        drop(state);
        let links = Arc::clone(&self.links);
        tokio::spawn(async move {
            sleep(time).await;
            links.depose(id);
        });
    }
}

impl State {
    fn both(&self, places: (usize, usize)) -> Option<(NodeId, NodeId)> {
        let of = |place| self.nodes.iter().find(|(_, inbox)| inbox.place == place).map(|(id, _)| *id);
        of(places.0).zip(of(places.1)).filter(|(one, other)| self.pairs.contains_key(&pair(*one, *other)))
    }

    /// Changes the way from one place to another.
    fn change(&mut self, places: (usize, usize), change: impl Fn(&mut super::Way)) {
        let from = self.nodes.iter().find(|(_, inbox)| inbox.place == places.0).map(|(id, _)| *id);
        let to = self.nodes.values_mut().find(|inbox| inbox.place == places.1);
        if let (Some(from), Some(to)) = (from, to)
            && let Some(way) = to.ways.get_mut(&from)
        {
            change(way);
        }
    }

    /// A server begins to give a slot away, or keeps it after all.
    fn gives(&mut self, id: NodeId, slot: Slot, gives: bool) {
        if let Some(inbox) = self.nodes.get_mut(&id) {
            inbox.known.give(slot, gives);
            inbox.hear_moved(vec![slot]);
        }
    }

    /// Whether this is new to the server.
    pub(super) fn lapses(&mut self, id: NodeId, is_lapsed: bool) -> bool {
        let Some(inbox) = self.nodes.get_mut(&id) else { return false };
        let is_new = inbox.known.lapse(is_lapsed);
        if is_new {
            let own = inbox.known.own(id);
            inbox.hear_moved(own);
        }
        is_new
    }
}
