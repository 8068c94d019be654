//! What has happened on all links and was not taken yet: in order for each peer, the peers in turn, and bounded.
//!
//! A link that begins and ends before anybody has looked leaves no trace: so there is at most one end and one beginning of each peer, however
//! often its link breaks while nobody looks.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chat_core::NodeId;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use super::options::{ARRIVED_BYTES_MAX, ITEM_BYTES, STRANGERS_PAUSE};

/// What has happened on the links.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkEvent {
    /// From now on what is sent goes to this server, and comes from it. What was sent before and has not come will not come.
    Up(NodeId),
    /// It does not any more.
    Down(NodeId),
    /// A parcel of the engine, as it was sent.
    Parcel {
        /// Who sent it.
        from: NodeId,
        /// Its bytes.
        bytes: Vec<u8>,
    },
    /// What another server says beside the engine's parcels, as it was sent.
    Control {
        /// Who sent it.
        from: NodeId,
        /// Its bytes.
        bytes: Vec<u8>,
    },
    /// Somebody came or answered who is not in the table, or is there as somebody else: the table may be out of date. Told a few times in a second
    /// at most: anybody who reaches the port can bring it about.
    Unknown,
}

/// A link whose events are not wanted any more: it is down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ended;

/// The events that were not taken yet.
#[derive(Default)]
pub(super) struct Inbox {
    arrived: Mutex<Arrived>,
    filled: Notify,
}

#[derive(Default)]
struct Arrived {
    lanes: HashMap<NodeId, Lane>,
    /// Those with events, the next first.
    turn: VecDeque<NodeId>,
    stranger: bool,
    stranger_told: Option<Instant>,
}

/// The events of one peer.
#[derive(Default)]
struct Lane {
    /// The number of its link, while there is one.
    link: Option<u64>,
    events: VecDeque<LinkEvent>,
    bytes: usize,
    /// Told whenever something was taken. Each link has its own: the reader of an earlier one must not be told instead.
    taken: Arc<Notify>,
}

fn weight(event: &LinkEvent) -> usize {
    match event {
        LinkEvent::Parcel { bytes, .. } | LinkEvent::Control { bytes, .. } => bytes.len() + ITEM_BYTES,
        LinkEvent::Up(_) | LinkEvent::Down(_) | LinkEvent::Unknown => 0,
    }
}

impl Inbox {
    fn lock(&self) -> MutexGuard<'_, Arrived> {
        self.arrived.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A link is up. The one before it is down.
    pub(super) fn up(&self, peer: NodeId, link: u64) {
        let mut arrived = self.lock();
        let lane = arrived.lanes.entry(peer).or_default();
        lane.link = Some(link);
        lane.taken = Arc::default();
        arrived.push(peer, LinkEvent::Up(peer));
        drop(arrived);
        self.filled.notify_one();
    }

    /// The link is down: nothing of it comes after this.
    pub(super) fn down(&self, peer: NodeId) {
        let mut arrived = self.lock();
        let Some(lane) = arrived.lanes.get_mut(&peer) else { return };
        lane.link = None;
        // Its reader may wait for room.
        lane.taken.notify_one();
        match lane.events.iter().rposition(|event| matches!(event, LinkEvent::Up(_))) {
            // Nobody has heard of this link.
            Some(up) => {
                let unheard: usize = lane.events.drain(up..).map(|event| weight(&event)).sum();
                lane.bytes -= unheard;
                if lane.events.is_empty() {
                    arrived.lanes.remove(&peer);
                    arrived.turn.retain(|other| *other != peer);
                }
            }
            None => arrived.push(peer, LinkEvent::Down(peer)),
        }
        drop(arrived);
        self.filled.notify_one();
    }

    /// Hands in what has arrived on a link, once there is room for it.
    ///
    /// # Errors
    /// The link is down.
    pub(super) async fn push(&self, peer: NodeId, link: u64, event: LinkEvent) -> Result<(), Ended> {
        loop {
            let taken = {
                let mut arrived = self.lock();
                let lane = arrived.lanes.get(&peer).filter(|lane| lane.link == Some(link)).ok_or(Ended)?;
                if lane.bytes < ARRIVED_BYTES_MAX {
                    arrived.push(peer, event);
                    drop(arrived);
                    self.filled.notify_one();
                    return Ok(());
                }
                Arc::clone(&lane.taken)
            };
            taken.notified().await;
        }
    }

    /// There is somebody who is not in the table.
    pub(super) fn stranger(&self) {
        self.lock().stranger = true;
        self.filled.notify_one();
    }

    /// The next event, once there is one. One at a time may wait; dropped while it does, it has taken nothing.
    pub(super) async fn next(&self) -> LinkEvent {
        loop {
            let filled = self.filled.notified();
            let due = match self.lock().next() {
                Ok(event) => return event,
                Err(due) => due,
            };
            match due {
                Some(due) => timeout_at(due, filled).await.unwrap_or_default(),
                None => filled.await,
            }
        }
    }
}

impl Arrived {
    fn push(&mut self, peer: NodeId, event: LinkEvent) {
        let lane = self.lanes.entry(peer).or_default();
        if lane.events.is_empty() {
            self.turn.push_back(peer);
        }
        lane.bytes += weight(&event);
        lane.events.push_back(event);
    }

    /// The next event; where there is none, when there will be one by itself.
    fn next(&mut self) -> Result<LinkEvent, Option<Instant>> {
        let mut due = None;
        if self.stranger {
            let now = Instant::now();
            due = self.stranger_told.map(|told| told + STRANGERS_PAUSE).filter(|due| *due > now);
            if due.is_none() {
                self.stranger = false;
                self.stranger_told = Some(now);
                return Ok(LinkEvent::Unknown);
            }
        }
        let peer = self.turn.pop_front().ok_or(due)?;
        let lane = self.lanes.get_mut(&peer).expect("a peer with a turn has a lane");
        let event = lane.events.pop_front().expect("a peer with a turn has events");
        lane.bytes -= weight(&event);
        lane.taken.notify_one();
        if !lane.events.is_empty() {
            self.turn.push_back(peer);
        } else if lane.link.is_none() {
            self.lanes.remove(&peer);
        }
        Ok(event)
    }
}

#[cfg(test)]
mod tests;
