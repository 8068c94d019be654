//! What connects the servers of a world, in memory: parcels that come late and in order, and a table of whose the rooms are.
//!
//! Nothing is lost here but with the link that carries it. Every link has a way in each direction, of its own latency.

#[cfg(test)]
mod tests;
mod way;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chat_core::{Cluster, ClusterEvent, NodeId, NotSent, Owner, Slot, Term};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use self::way::{Way, What};
use crate::locks::lock;
use crate::transcript::Transcript;

/// How long a parcel is under way, in milliseconds, at most.
const LATENCY_MAX: u64 = 20;
/// What of a parcel is shown in the transcript, in bytes.
const SHOWN: usize = 300;

/// Everything between the servers of one world.
#[derive(Debug)]
pub(crate) struct Links {
    transcript: Arc<Transcript>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    rng: StdRng,
    /// In which place the server is whose each slot is, by its number.
    homes: Vec<usize>,
    /// Who decides for each slot, by its number, if anybody does; and under which term, or was last.
    owners: Vec<(Option<NodeId>, Term)>,
    /// The servers that are up.
    nodes: BTreeMap<NodeId, Inbox>,
    /// How many servers there have been.
    begun: u128,
}

/// What comes to one server.
#[derive(Debug, Default)]
struct Inbox {
    /// What it knows of by itself.
    events: VecDeque<ClusterEvent>,
    /// What is under way from each of the others.
    ways: BTreeMap<NodeId, Way>,
    /// Something new is there, or under way.
    news: Arc<Notify>,
}

/// One server's end of all its links.
#[derive(Debug)]
pub(crate) struct Node {
    id: NodeId,
    links: Arc<Links>,
    news: Arc<Notify>,
}

impl Links {
    /// The links of a world with so many places for servers; which slots are whose is drawn.
    pub(crate) fn new(places: usize, seed: u64, transcript: Arc<Transcript>) -> Arc<Self> {
        let mut rng = StdRng::seed_from_u64(seed);
        let homes = Slot::all().map(|_| rng.random_range(0..places)).collect();
        let owners = vec![(None, Term(0)); usize::from(Slot::COUNT)];
        let state = State { rng, homes, owners, nodes: BTreeMap::new(), begun: 0 };
        Arc::new(Self { transcript, state: Mutex::new(state) })
    }

    /// A new server comes up in a place: it has a link to each of the others, and the slots of its place.
    pub(crate) fn join(self: &Arc<Self>, place: usize) -> Arc<Node> {
        let mut state = lock(&self.state);
        state.begun += 1;
        let id = NodeId(state.begun);
        let mut inbox = Inbox::default();
        let others: Vec<NodeId> = state.nodes.keys().copied().collect();
        for other in others {
            let latency = Duration::from_millis(state.rng.random_range(0..=LATENCY_MAX));
            inbox.ways.insert(other, Way::new(latency));
            if let Some(theirs) = state.nodes.get_mut(&other) {
                theirs.ways.insert(id, Way::new(latency));
                theirs.news.notify_one();
            }
        }
        let news = Arc::clone(&inbox.news);
        state.nodes.insert(id, inbox);
        let slots: Vec<Slot> = Slot::all().filter(|slot| state.homes[usize::from(slot.number())] == place).collect();
        state.give(slots, Some(id));
        Arc::new(Node { id, links: Arc::clone(self), news })
    }
}

impl State {
    /// From now on these slots are another's, or nobody's.
    fn give(&mut self, slots: Vec<Slot>, to: Option<NodeId>) {
        for slot in &slots {
            let (owner, term) = &mut self.owners[usize::from(slot.number())];
            if to.is_some() {
                *term = Term(term.0 + 1);
            }
            *owner = to;
        }
        for inbox in self.nodes.values_mut() {
            inbox.events.push_back(ClusterEvent::Moved(slots.clone()));
            inbox.news.notify_one();
        }
    }
}

impl Inbox {
    /// The next thing, if it is there; or when it will be.
    fn take(&mut self, now: Instant) -> Result<ClusterEvent, Option<Instant>> {
        if let Some(event) = self.events.pop_front() {
            return Ok(event);
        }
        let first = self.ways.iter().filter_map(|(from, way)| Some((way.next_at()?, *from))).min();
        let Some((_, from)) = first.filter(|(at, _)| *at <= now) else { return Err(first.map(|(at, _)| at)) };
        let what = self.ways.get_mut(&from).and_then(Way::pop).expect("it is there");
        Ok(match what {
            What::Up => ClusterEvent::LinkUp(from),
            What::Parcel(parcel) => ClusterEvent::Parcel { from, parcel },
            What::Down => {
                self.ways.remove(&from);
                ClusterEvent::LinkDown(from)
            }
        })
    }
}

impl Node {
    /// Which server it is.
    pub(crate) fn id(&self) -> NodeId {
        self.id
    }

    /// It is gone: nothing comes from it or to it any more, and what was its own is nobody's.
    pub(crate) fn leave(&self) {
        let mut state = lock(&self.links.state);
        if state.nodes.remove(&self.id).is_none() {
            return;
        }
        for inbox in state.nodes.values_mut() {
            if let Some(way) = inbox.ways.get_mut(&self.id) {
                way.go_down();
                inbox.news.notify_one();
            }
        }
        let owners = &state.owners;
        let own = |slot: &Slot| owners[usize::from(slot.number())].0 == Some(self.id);
        let slots = Slot::all().filter(own).collect();
        state.give(slots, None);
    }

    fn note(&self, to: NodeId, what: impl std::fmt::Display) {
        self.links.transcript.note(format_args!("node {}", self.id.0), format_args!("to node {}: {what}", to.0));
    }
}

/// A parcel in few words: its length, and how it begins.
fn in_short(parcel: &[u8]) -> String {
    let text = String::from_utf8_lossy(&parcel[..parcel.len().min(SHOWN)]);
    format!("{} bytes {}", parcel.len(), text.trim_start_matches(char::is_control))
}

#[async_trait]
impl Cluster for Node {
    fn owner(&self, slot: Slot) -> Owner {
        let state = lock(&self.links.state);
        match state.owners[usize::from(slot.number())] {
            (Some(owner), term) if owner == self.id => Owner::Me(term),
            (Some(owner), term) => Owner::Other(owner, term),
            (None, _) => Owner::Nobody,
        }
    }

    fn send(&self, to: NodeId, parcel: Vec<u8>) -> Result<(), NotSent> {
        let shown = in_short(&parcel);
        let mut state = lock(&self.links.state);
        let inbox = state.nodes.get_mut(&to);
        let result = inbox.ok_or(NotSent).and_then(|inbox| {
            inbox.ways.get_mut(&self.id).ok_or(NotSent)?.push(parcel)?;
            inbox.news.notify_one();
            Ok(())
        });
        drop(state);
        self.note(to, format_args!("{shown}{}", if result.is_err() { ", not sent" } else { "" }));
        result
    }

    async fn next(&self) -> ClusterEvent {
        loop {
            let taken = match lock(&self.links.state).nodes.get_mut(&self.id) {
                Some(inbox) => inbox.take(Instant::now()),
                None => Err(None),
            };
            let wait = match taken {
                Ok(event) => return event,
                Err(wait) => wait,
            };
            let there = async {
                match wait {
                    Some(at) => sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = self.news.notified() => {}
                () = there => {}
            }
        }
    }
}
