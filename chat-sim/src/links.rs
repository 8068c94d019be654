//! What connects the servers of a world, in memory: parcels that come late and in order, and a table of whose the rooms are.
//!
//! Nothing is lost here but with the link that carries it. Every link has a way in each direction, of its own latency. In worlds where servers
//! lose each other ([`faults`]) links break and are mended, and every server learns of links and owners in its own time.

mod faults;
mod freeze;
mod state;
mod table;
#[cfg(test)]
mod tests;
mod troubles;
mod way;

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use chat_core::{Cluster, ClusterEvent, NodeId, NotSent, Owner, RoomCode, Slot, Term};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use self::state::{Inbox, Sent, State, pair};
use self::table::Known;
use self::way::Way;
use crate::gate::Gate;
use crate::locks::lock;
use crate::transcript::Transcript;

/// How long a parcel is under way, in milliseconds, at most.
const LATENCY_MAX: u64 = 20;
/// What of a parcel is shown in the transcript, in bytes.
const SHOWN: usize = 300;
/// How long a link that was cut because it was full stays down.
const FULL: Duration = Duration::from_millis(700);

/// Everything between the servers of one world.
#[derive(Debug)]
pub(crate) struct Links {
    transcript: Arc<Transcript>,
    /// Servers lose each other, and learn of everything late.
    has_faults: bool,
    state: Mutex<State>,
}

/// One server's end of all its links.
#[derive(Debug)]
pub(crate) struct Node {
    /// Which server it is: another one once it was deposed, and has found out.
    id: Mutex<NodeId>,
    place: usize,
    links: Arc<Links>,
    news: Arc<Notify>,
    frozen: Gate,
}

impl Links {
    /// The links of a world with so many places for servers; which slots are whose is drawn.
    pub(crate) fn new(places: usize, seed: u64, transcript: Arc<Transcript>, has_faults: bool) -> Arc<Self> {
        let mut rng = StdRng::seed_from_u64(seed);
        let homes = Slot::all().map(|_| rng.random_range(0..places)).collect();
        Arc::new(Self { transcript, has_faults, state: Mutex::new(State::new(rng, homes, has_faults)) })
    }

    /// A new server comes up in a place: it has a link to each of the others, and the slots of its place.
    pub(crate) fn join(self: &Arc<Self>, place: usize) -> Arc<Node> {
        let mut state = self.state();
        let id = state.next_id();
        let mut inbox = Inbox::new(place, Known::new(state.table.clone()));
        let others: Vec<NodeId> = state.nodes.keys().copied().collect();
        for other in others {
            let latency = Duration::from_millis(state.rng.random_range(0..=LATENCY_MAX));
            state.pairs.insert(pair(id, other), 1);
            inbox.ways.insert(other, Way::new(latency, 1));
            if let Some(theirs) = state.nodes.get_mut(&other) {
                theirs.ways.insert(id, Way::new(latency, 1));
                theirs.news.notify_one();
            }
        }
        let news = Arc::clone(&inbox.news);
        state.nodes.insert(id, inbox);
        let is_home = |slot: &Slot| state.homes[usize::from(slot.number())] == place;
        let is_free = |slot: &Slot| !self.has_faults || state.table.get(*slot).0.is_none();
        let slots: Vec<Slot> = Slot::all().filter(is_home).filter(is_free).collect();
        state.give(slots, Some(id));
        drop(state);
        let (id, links, frozen) = (Mutex::new(id), Arc::clone(self), Gate::default());
        Arc::new(Node { id, place, links, news, frozen })
    }

    /// Whether this server decides for the room, under this term, whatever anybody knows of it. Term 0 is any.
    pub(crate) fn decides(&self, room: &RoomCode, server: NodeId, term: Term) -> bool {
        let (owner, now) = self.state().table.get(Slot::of(room));
        owner == Some(server) && (term == now || term == Term(0))
    }

    /// Under which term a room is decided, or was last.
    pub(crate) fn term(&self, room: &RoomCode) -> Term {
        self.state().table.get(Slot::of(room)).1
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    fn note(&self, what: impl std::fmt::Display) {
        self.transcript.note("links", what);
    }
}

impl Node {
    /// Which server it is.
    pub(crate) fn id(&self) -> NodeId {
        *lock(&self.id)
    }

    /// Whether it decides for a room, whatever it knows of that.
    pub(crate) fn decides(&self, room: &RoomCode) -> bool {
        self.links.decides(room, self.id(), Term(0))
    }

    /// Whether a slot is its own, whatever it knows of that.
    pub(crate) fn has(&self, slot: Slot) -> bool {
        self.links.state().table.get(slot).0 == Some(self.id())
    }

    /// Under which term a room is decided, or was last.
    pub(crate) fn term(&self, room: &RoomCode) -> Term {
        self.links.term(room)
    }

    /// Whether it was taken for dead, and has not found out yet.
    pub(crate) fn is_deposed(&self) -> bool {
        self.links.state().deposed.contains(&self.id())
    }

    /// Whether it stands still.
    pub(crate) fn is_frozen(&self) -> bool {
        self.frozen.is_shut()
    }

    /// Whether servers lose each other in this world.
    pub(crate) fn has_faults(&self) -> bool {
        self.links.has_faults
    }

    /// Returns as soon as the server is not frozen.
    pub(crate) async fn awake(&self) {
        self.frozen.pass().await;
    }

    fn note(&self, from: NodeId, to: NodeId, what: impl std::fmt::Display) {
        self.links.transcript.note(format_args!("node {}", from.0), format_args!("to node {}: {what}", to.0));
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
        let id = self.id();
        let mut state = self.links.state();
        let Some(inbox) = state.nodes.get_mut(&id) else { return Owner::Nobody };
        inbox.refresh(Instant::now());
        inbox.known.owner(slot, id)
    }

    fn send(&self, to: NodeId, parcel: Vec<u8>) -> Result<(), NotSent> {
        let (id, shown) = (self.id(), in_short(&parcel));
        let sent = self.links.state().send(id, to, parcel);
        let how = match sent {
            Sent::OnItsWay => "",
            Sent::Held => ", held back",
            Sent::Lost => ", lost",
            Sent::Refused => ", not sent",
            Sent::Full => ", which is too much",
        };
        self.note(id, to, format_args!("{shown}{how}"));
        if matches!(sent, Sent::Full) {
            self.links.mend_after(id, to, FULL);
        }
        if matches!(sent, Sent::Refused | Sent::Full) { Err(NotSent) } else { Ok(()) }
    }

    async fn next(&self) -> ClusterEvent {
        loop {
            let id = self.id();
            let taken = self.links.state().take(id, Instant::now());
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
