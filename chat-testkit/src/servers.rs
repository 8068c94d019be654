//! Servers that know each other, in memory: whose the rooms are is set by hand, and links are cut and mended.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use chat_core::{Cluster, ClusterEvent, NodeId, NotSent, Owner, RoomCode, Slot, Term};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// All servers of a test, and the table of whose each slot is.
#[derive(Clone, Default)]
pub struct Servers {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    owners: BTreeMap<Slot, (Option<NodeId>, Term)>,
    nodes: BTreeMap<NodeId, UnboundedSender<ClusterEvent>>,
    /// Pairs whose link is down, in both orders.
    cut: BTreeSet<(NodeId, NodeId)>,
    /// Who knows of no owner of a slot, whoever it is.
    blind: BTreeSet<(NodeId, Slot)>,
    /// Parcels still to be refused, or lost on the way, from one to another.
    losing: BTreeMap<(NodeId, NodeId), (usize, Loss)>,
    /// Parcels on the way, from one to another, where they are held back.
    held: BTreeMap<(NodeId, NodeId), VecDeque<Vec<u8>>>,
}

/// What becomes of a parcel that is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// The link does not take it.
    Refused,
    /// It never comes, and nobody is told.
    Silent,
}

/// One server's place among the others.
pub struct Server {
    id: Mutex<NodeId>,
    servers: Servers,
    events: tokio::sync::Mutex<UnboundedReceiver<ClusterEvent>>,
}

impl Servers {
    /// Another server, which owns nothing yet; all links are up.
    pub fn join(&self) -> Arc<Server> {
        let (sender, events) = unbounded_channel();
        let mut state = self.lock();
        let id = NodeId(state.nodes.len() as u128 + 1);
        for (other, to) in &state.nodes {
            let _ = (to.send(ClusterEvent::LinkUp(id)), sender.send(ClusterEvent::LinkUp(*other)));
        }
        state.nodes.insert(id, sender);
        drop(state);
        Arc::new(Server { id: Mutex::new(id), servers: self.clone(), events: tokio::sync::Mutex::new(events) })
    }

    /// This server, which owns nothing, was deposed and begins anew, as another: all its links break, and are made again.
    pub fn begin_anew(&self, server: &Server) {
        let mut state = self.lock();
        let before = server.id();
        let Some(own) = state.nodes.remove(&before) else { return };
        let now = NodeId(state.nodes.keys().map(|node| node.0).max().unwrap_or_default().max(before.0) + 1);
        *server.id.lock().unwrap_or_else(PoisonError::into_inner) = now;
        for (other, to) in &state.nodes {
            // Who does not listen any more is gone.
            let _ = (to.send(ClusterEvent::LinkDown(before)), own.send(ClusterEvent::LinkDown(*other)));
            let _ = (to.send(ClusterEvent::LinkUp(now)), own.send(ClusterEvent::LinkUp(*other)));
        }
        state.nodes.insert(now, own);
    }

    /// From now on all rooms are this server's.
    pub fn give_all(&self, to: &Server) {
        self.give(Slot::all().collect(), Some(to));
    }

    /// From now on the slot of this room is this server's.
    pub fn give_room(&self, room: &RoomCode, to: &Server) {
        self.give(vec![Slot::of(room)], Some(to));
    }

    /// From now on the slot of this room is nobody's.
    pub fn take_room(&self, room: &RoomCode) {
        self.give(vec![Slot::of(room)], None);
    }

    fn give(&self, slots: Vec<Slot>, to: Option<&Server>) {
        let mut state = self.lock();
        for slot in &slots {
            let (owner, term) = state.owners.entry(*slot).or_insert((None, Term(0)));
            (*owner, *term) = (to.map(Server::id), Term(term.0 + 1));
        }
        for node in state.nodes.values() {
            // Who does not listen any more is gone.
            let _ = node.send(ClusterEvent::Moved(slots.clone()));
        }
    }

    /// From now on this server knows of no owner of the room's slot: as where it cannot say any more that it is its own. Owner and term stay as
    /// they are.
    pub fn blind(&self, server: &Server, room: &RoomCode) {
        let mut state = self.lock();
        state.blind.insert((server.id(), Slot::of(room)));
        state.tell_moved(server, room);
    }

    /// It knows the owner again.
    pub fn see(&self, server: &Server, room: &RoomCode) {
        let mut state = self.lock();
        state.blind.remove(&(server.id(), Slot::of(room)));
        state.tell_moved(server, room);
    }

    /// The link between two servers is down, as both know.
    pub fn cut(&self, one: &Server, other: &Server) {
        let mut state = self.lock();
        state.cut.extend([(one.id(), other.id()), (other.id(), one.id())]);
        state.tell_both(one, other, ClusterEvent::LinkDown);
    }

    /// It is up again.
    pub fn mend(&self, one: &Server, other: &Server) {
        let mut state = self.lock();
        state.cut.retain(|pair| ![(one.id(), other.id()), (other.id(), one.id())].contains(pair));
        state.tell_both(one, other, ClusterEvent::LinkUp);
    }

    /// It is up again, as one of them knows by now.
    pub fn mend_for(&self, one: &Server, other: &Server) {
        let mut state = self.lock();
        state.cut.remove(&(one.id(), other.id()));
        if let Some(node) = state.nodes.get(&one.id()) {
            // Who does not listen any more is gone.
            let _ = node.send(ClusterEvent::LinkUp(other.id()));
        }
    }

    /// The link loses the next so many parcels.
    pub fn lose(&self, from: &Server, to: &Server, parcels: usize, how: Loss) {
        self.lock().losing.insert((from.id(), to.id()), (parcels, how));
    }

    /// How many parcels the link is still to lose.
    pub fn losing(&self, from: &Server, to: &Server) -> usize {
        self.lock().losing.get(&(from.id(), to.id())).map_or(0, |(left, _)| *left)
    }

    /// From now on what one sends another stays on the way, also while the link is down.
    pub fn hold(&self, from: &Server, to: &Server) {
        self.lock().held.entry((from.id(), to.id())).or_default();
    }

    /// What was held back arrives, in its order, and nothing is held back any more.
    pub fn release(&self, from: &Server, to: &Server) {
        let mut state = self.lock();
        for parcel in state.held.remove(&(from.id(), to.id())).unwrap_or_default() {
            // Who does not listen any more is gone.
            let _ = state.deliver(from.id(), to.id(), parcel);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn deliver(&self, from: NodeId, to: NodeId, parcel: Vec<u8>) -> Result<(), NotSent> {
        let node = self.nodes.get(&to).ok_or(NotSent)?;
        node.send(ClusterEvent::Parcel { from, parcel }).map_err(|_| NotSent)
    }

    fn tell_moved(&self, server: &Server, room: &RoomCode) {
        if let Some(node) = self.nodes.get(&server.id()) {
            // Who does not listen any more is gone.
            let _ = node.send(ClusterEvent::Moved(vec![Slot::of(room)]));
        }
    }

    fn tell_both(&self, one: &Server, other: &Server, event: fn(NodeId) -> ClusterEvent) {
        for (to, of) in [(one, other), (other, one)] {
            if let Some(node) = self.nodes.get(&to.id()) {
                let _ = node.send(event(of.id()));
            }
        }
    }
}

impl Server {
    /// Which one it is.
    pub fn id(&self) -> NodeId {
        *self.id.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Cluster for Server {
    fn owner(&self, slot: Slot) -> Owner {
        let state = self.servers.lock();
        match state.owners.get(&slot).filter(|_| !state.blind.contains(&(self.id(), slot))) {
            None | Some((None, _)) => Owner::Nobody,
            Some((Some(owner), term)) if *owner == self.id() => Owner::Me(*term),
            Some((Some(owner), term)) => Owner::Other(*owner, *term),
        }
    }

    fn send(&self, to: NodeId, parcel: Vec<u8>) -> Result<(), NotSent> {
        let mut state = self.servers.lock();
        if state.cut.contains(&(self.id(), to)) {
            return Err(NotSent);
        }
        if let Some((left, how)) = state.losing.get_mut(&(self.id(), to)).filter(|(left, _)| *left > 0) {
            *left -= 1;
            return if *how == Loss::Silent { Ok(()) } else { Err(NotSent) };
        }
        if let Some(held) = state.held.get_mut(&(self.id(), to)) {
            held.push_back(parcel);
            return Ok(());
        }
        state.deliver(self.id(), to, parcel)
    }

    fn living(&self) -> Vec<NodeId> {
        let me = self.id();
        self.servers.lock().nodes.keys().copied().filter(|node| *node != me).collect()
    }

    async fn next(&self) -> ClusterEvent {
        match self.events.lock().await.recv().await {
            Some(event) => event,
            None => std::future::pending().await,
        }
    }
}
