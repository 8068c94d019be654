//! The links and the table as they are at one moment.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use chat_core::{ClusterEvent, NodeId, Slot};
use rand::RngExt;
use rand::rngs::StdRng;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::table::{Known, Owned, Table};
use super::troubles::Troubles;
use super::way::{Way, What};

/// Within which a server learns of a new owner, in milliseconds, where it learns late.
const LEARNS_MAX: u64 = 1_500;
/// Within which the ends of a link learn that it is down, or up again, in milliseconds.
const NOTICES_MAX: u64 = 500;

/// The links and the table as they are at one moment.
#[derive(Debug)]
pub(super) struct State {
    pub(super) rng: StdRng,
    /// In which place the server is whose each slot is, by its number.
    pub(super) homes: Vec<usize>,
    /// Whose each slot is in truth.
    pub(super) table: Table,
    /// The servers that are up.
    pub(super) nodes: BTreeMap<NodeId, Inbox>,
    /// Of two servers with a link, how many they have had by now; none where it is cut.
    pub(super) pairs: BTreeMap<(NodeId, NodeId), u32>,
    /// And where it is cut.
    cut: BTreeMap<(NodeId, NodeId), u32>,
    /// How many servers there have been.
    begun: u128,
    learns_late: bool,
    /// Those that the others have taken for dead.
    pub(super) deposed: BTreeSet<NodeId>,
    pub(super) troubles: Troubles,
    /// When the server in a place stood still.
    pub(super) stills: Troubles,
}

/// What comes to one server.
#[derive(Debug)]
pub(super) struct Inbox {
    pub(super) place: usize,
    /// What it knows of by itself.
    pub(super) events: VecDeque<ClusterEvent>,
    pub(super) known: Known,
    /// What is under way from each of the others.
    pub(super) ways: BTreeMap<NodeId, Way>,
    /// Something new is there, or under way.
    pub(super) news: Arc<Notify>,
    /// It stands still; and what it has sent since.
    pub(super) frozen: Option<Vec<(NodeId, Vec<u8>)>>,
}

/// What became of a parcel.
#[derive(Clone, Copy, Debug)]
pub(super) enum Sent {
    OnItsWay,
    /// Who sends it stands still.
    Held,
    /// Its link is down, and who sends it does not know that yet.
    Lost,
    Refused,
    /// Too much is under way: the link is cut.
    Full,
}

/// Two servers, in one order.
pub(super) fn pair(one: NodeId, other: NodeId) -> (NodeId, NodeId) {
    (one.min(other), one.max(other))
}

impl Inbox {
    pub(super) fn new(place: usize, known: Known) -> Self {
        let (events, ways) = (VecDeque::new(), BTreeMap::new());
        Self { place, events, known, ways, news: Arc::default(), frozen: None }
    }

    /// What it has learned by now it is told.
    pub(super) fn refresh(&mut self, now: Instant) {
        let moved = self.known.refresh(now).into_iter().map(ClusterEvent::Moved);
        self.events.extend(moved);
    }

    /// It is told that slots have moved, as far as it is concerned.
    pub(super) fn hear_moved(&mut self, slots: Vec<Slot>) {
        self.events.push_back(ClusterEvent::Moved(slots));
        self.news.notify_one();
    }
}

impl State {
    pub(super) fn new(rng: StdRng, homes: Vec<usize>, learns_late: bool) -> Self {
        let (nodes, pairs, cut) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let (table, troubles, stills) = (Table::new(), Troubles::default(), Troubles::default());
        Self { rng, homes, table, nodes, pairs, cut, begun: 0, learns_late, deposed: BTreeSet::new(), troubles, stills }
    }

    pub(super) fn next_id(&mut self) -> NodeId {
        self.begun += 1;
        NodeId(self.begun)
    }

    pub(super) fn millis(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(self.rng.random_range(from..=to))
    }

    /// The servers that are up, do not stand still, and were not taken for dead.
    pub(super) fn awake(&self) -> Vec<NodeId> {
        let is_awake = |(id, inbox): &(&NodeId, &Inbox)| inbox.frozen.is_none() && !self.deposed.contains(id);
        self.nodes.iter().filter(is_awake).map(|(id, _)| *id).collect()
    }

    /// The server in a place, if it is up and does not stand still.
    pub(super) fn awake_in(&self, place: usize) -> Option<NodeId> {
        self.awake().into_iter().find(|id| self.nodes[id].place == place)
    }

    /// From now on these slots are another's, or nobody's.
    pub(super) fn give(&mut self, slots: Vec<Slot>, to: Option<NodeId>) {
        slots.iter().for_each(|slot| self.table.give(*slot, to));
        self.tell(&slots, to, None);
    }

    /// Everybody learns whose these slots are: one server at once, one not at all, the others in their own time.
    pub(super) fn tell(&mut self, slots: &[Slot], at_once: Option<NodeId>, but: Option<NodeId>) {
        let changes: Vec<(Slot, Owned)> = slots.iter().map(|slot| (*slot, self.table.get(*slot))).collect();
        for (id, inbox) in self.nodes.iter_mut().filter(|(id, _)| Some(**id) != but) {
            let is_late = self.learns_late && Some(*id) != at_once;
            let late = if is_late { self.rng.random_range(0..=LEARNS_MAX) } else { 0 };
            inbox.known.learn(Instant::now() + Duration::from_millis(late), changes.clone());
            inbox.news.notify_one();
        }
    }

    /// The next thing that a server hears of, if it is there; or when it will be.
    pub(super) fn take(&mut self, id: NodeId, now: Instant) -> Result<ClusterEvent, Option<Instant>> {
        let Some(inbox) = self.nodes.get_mut(&id).filter(|inbox| inbox.frozen.is_none()) else { return Err(None) };
        inbox.refresh(now);
        if let Some(event) = inbox.events.pop_front() {
            return Ok(event);
        }
        let first = inbox.ways.iter().filter_map(|(from, way)| Some((way.next_at()?, *from))).min();
        let learns_at = inbox.known.next_at();
        let Some((_, from)) = first.filter(|(at, _)| *at <= now) else {
            return Err(first.map(|(at, _)| at).into_iter().chain(learns_at).min());
        };
        let what = inbox.ways.get_mut(&from).and_then(Way::pop).expect("it is there");
        Ok(match what {
            What::Up(_) => ClusterEvent::LinkUp(from),
            What::Parcel(parcel) => ClusterEvent::Parcel { from, parcel },
            What::Down => {
                if !self.nodes.contains_key(&from) {
                    self.nodes.get_mut(&id).and_then(|inbox| inbox.ways.remove(&from));
                }
                ClusterEvent::LinkDown(from)
            }
        })
    }

    pub(super) fn send(&mut self, id: NodeId, to: NodeId, parcel: Vec<u8>) -> Sent {
        let Some(inbox) = self.nodes.get_mut(&id) else { return Sent::Refused };
        let Some(known) = inbox.ways.get(&to).and_then(|way| way.known) else { return Sent::Refused };
        if let Some(held) = &mut inbox.frozen {
            held.push((to, parcel));
            return Sent::Held;
        }
        if self.pairs.get(&pair(id, to)) != Some(&known) {
            return Sent::Lost;
        }
        let Some(theirs) = self.nodes.get_mut(&to) else { return Sent::Lost };
        let Some(way) = theirs.ways.get_mut(&id) else { return Sent::Lost };
        if !way.push(parcel) {
            self.cut(id, to);
            return Sent::Full;
        }
        theirs.news.notify_one();
        Sent::OnItsWay
    }

    /// The link between two servers breaks, in the middle of what is under way, which each of them notices in its own time. `false` where there
    /// is none.
    pub(super) fn cut(&mut self, one: NodeId, other: NodeId) -> bool {
        let Some(link) = self.pairs.remove(&pair(one, other)) else { return false };
        self.each_end(one, other, |way, arrive, noticed| way.go_down(arrive, noticed));
        self.note_cut(one, other, link);
        true
    }

    /// Two servers have no link; so many they have had.
    pub(super) fn note_cut(&mut self, one: NodeId, other: NodeId, links: u32) {
        self.cut.insert(pair(one, other), links);
        for place in self.places(one, other) {
            self.troubles.begin(place);
        }
    }

    fn forget_cut(&mut self, one: NodeId, other: NodeId) -> Option<u32> {
        let links = self.cut.remove(&pair(one, other))?;
        for place in self.places(one, other) {
            self.troubles.end(place);
        }
        Some(links)
    }

    fn places(&self, one: NodeId, other: NodeId) -> Vec<usize> {
        [one, other].iter().filter_map(|id| self.nodes.get(id)).map(|inbox| inbox.place).collect()
    }

    /// It is up again.
    pub(super) fn mend(&mut self, one: NodeId, other: NodeId) -> bool {
        let are_up = self.nodes.contains_key(&one) && self.nodes.contains_key(&other);
        let Some(link) = self.forget_cut(one, other) else { return false };
        if are_up {
            self.pairs.insert(pair(one, other), link + 1);
            self.each_end(one, other, |way, _, noticed| way.come_up(link + 1, noticed));
        }
        are_up
    }

    /// A server is gone: its links are down.
    pub(super) fn remove(&mut self, id: NodeId) -> Option<Inbox> {
        let others: Vec<NodeId> = self.nodes.keys().copied().filter(|other| *other != id).collect();
        for other in others {
            // What was cut already is gone with it.
            self.forget_cut(id, other);
            if self.pairs.remove(&pair(id, other)).is_some() {
                let (arrive, noticed) = self.draw_break();
                if let Some(inbox) = self.nodes.get_mut(&other)
                    && let Some(way) = inbox.ways.get_mut(&id)
                {
                    way.go_down(arrive, noticed);
                    inbox.news.notify_one();
                }
            } else if let Some(inbox) = self.nodes.get_mut(&other)
                && inbox.ways.get(&id).is_some_and(|way| way.next_at().is_none())
            {
                inbox.ways.remove(&id);
            }
        }
        self.nodes.remove(&id)
    }

    /// Does something to both ways of a link, with how much of what is under way still arrives and how late it is noticed.
    fn each_end(&mut self, one: NodeId, other: NodeId, act: impl Fn(&mut Way, usize, Duration)) {
        for (id, from) in [(one, other), (other, one)] {
            let (arrive, noticed) = self.draw_break();
            if let Some(inbox) = self.nodes.get_mut(&id)
                && let Some(way) = inbox.ways.get_mut(&from)
            {
                act(way, arrive, noticed);
                inbox.news.notify_one();
            }
        }
    }

    fn draw_break(&mut self) -> (usize, Duration) {
        match self.learns_late {
            true => (self.rng.random_range(0..3), self.millis(0, NOTICES_MAX)),
            false => (0, Duration::ZERO),
        }
    }
}
