//! The task that takes in what other servers send, and sees to it that rooms hear of links and owners.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::FutureExt;

use crate::engine::parcel::{BadParcel, PARCELS, Parcel, ParcelWho};
use crate::engine::rooms::from_peer::{Asked, FromPeer};
use crate::engine::rooms::guest_reply::GuestReply;
use crate::engine::rooms::inbox::InboxItem;
use crate::engine::shared::Shared;
use crate::engine::work::sweep;
use crate::ports::{ClusterEvent, Ended, EndedWho, ObserverEvent, Owner, Slot};
use crate::room::Input;
use crate::types::{CloseReason, Generation, Mono, NodeId, RoomCode, SessionId};

/// Before it is said once more of the same server that what it sends cannot be read. A minute: it sends much.
const SAY_AGAIN: Duration = Duration::from_secs(60);
/// Before a cluster is asked again that has panicked.
const AFTER_PANIC: Duration = Duration::from_secs(1);

/// Takes in what happens among the servers, until the engine is gone.
pub(crate) async fn run(engine: Weak<Shared>) {
    let Some(cluster) = engine.upgrade().and_then(|shared| shared.cluster.clone()) else { return };
    let mut unread = Unread::default();
    loop {
        let event = AssertUnwindSafe(cluster.next()).catch_unwind().await;
        let Some(shared) = engine.upgrade() else { return };
        let Ok(event) = event else {
            shared.failures.note_panic();
            drop(shared);
            tokio::time::sleep(AFTER_PANIC).await;
            continue;
        };
        match event {
            ClusterEvent::Parcel { from, parcel } => match Parcel::decode(&parcel) {
                Ok(read) => shared.take_in(from, read, parcel.len()),
                Err(error) => {
                    if unread.is_to_be_said(from, shared.clock.now().mono) {
                        // Its words may be somebody's.
                        let version = if let BadParcel::Version(version) = error { Some(version) } else { None };
                        tracing::warn!(%from, version, reads = ?PARCELS, "what another server has sent cannot be read");
                    }
                    shared.observe(ObserverEvent::BadParcel { from, error: error.to_string() });
                }
            },
            ClusterEvent::LinkUp(node) => {
                shared.peers.come(node);
                // What each has ended meanwhile stands in the log. Until this moment the other was not told, and it may have read by then.
                shared.read_ended_again();
                let _ = shared.send(node, &Parcel::ReadEnded {});
                shared.tell_rooms(|_| true, || FromPeer::Link { node, is_up: true }.into()).await;
            }
            ClusterEvent::LinkDown(node) => {
                shared.peers.go(node);
                shared.tell_rooms(|_| true, || FromPeer::Link { node, is_up: false }.into()).await;
            }
            ClusterEvent::Moved(slots) => {
                // Somebody may come and go at the server that decides now, and when they come back nothing here is due.
                shared.away.let_go(|code, away| {
                    let slot = Slot::of(code);
                    slots.contains(&slot) && shared.owner_of(slot) != Owner::Me(away.term)
                });
                let won: Vec<Slot> = slots.iter().copied().filter(|slot| shared.decides_slot(*slot)).collect();
                shared.spawn(sweep::visit_slots(Weak::clone(&engine), won));
                shared.tell_rooms(|code| slots.contains(&Slot::of(code)), || InboxItem::Tick).await;
            }
        }
    }
}

/// Of whom it was said, and when, that what they send cannot be read. All that a server of another version sends is that.
#[derive(Default)]
struct Unread(BTreeMap<NodeId, Mono>);

impl Unread {
    fn is_to_be_said(&mut self, from: NodeId, now: Mono) -> bool {
        if self.0.get(&from).is_some_and(|at| now < at.after(SAY_AGAIN)) {
            return false;
        }
        // Who was not heard of since then is told of anew.
        self.0.retain(|_, at| now < at.after(SAY_AGAIN));
        self.0.insert(from, now);
        true
    }
}

impl Shared {
    /// Puts what another server has sent where it belongs.
    fn take_in(self: &Arc<Self>, from: NodeId, parcel: Parcel, bytes: usize) {
        match parcel {
            // What a room asks itself.
            Parcel::Ask { input, .. } if matches!(*input, Input::Settle { .. } | Input::Elapsed) => {}
            Parcel::Ask { room, number, follows, input } => {
                let Some(cluster) = self.cluster.clone() else { return };
                let reply = GuestReply::new(cluster, from, room.clone(), number);
                let makes_it = input.is_beginning();
                let item = InboxItem::Asked(Box::new(Asked { input: *input, follows, reply }));
                match makes_it && !self.is_full() {
                    true => self.enqueue_new(&room, item),
                    false => self.enqueue(&room, item),
                }
            }
            Parcel::Follow { room, epoch, attached, awaited } => {
                self.enqueue(&room, FromPeer::Follow { node: from, epoch, attached, awaited }.into());
            }
            Parcel::Unfollow { room } => self.enqueue_if_here(&room, FromPeer::Unfollow { node: from }.into()),
            Parcel::Detach { room, session, generation } => {
                self.enqueue_if_here(&room, FromPeer::Lost { node: from, session, generation }.into());
            }
            Parcel::End { room, by, whole } => self.enqueue(&room, FromPeer::Ended { by, whole }.into()),
            Parcel::Feed(feed) => {
                let room = feed.room.clone();
                if self.registry.room(&room).is_none() {
                    // Nobody is in it here any more, and the owner has not heard of that.
                    let _ = self.send(from, &Parcel::Unfollow { room });
                    return;
                }
                self.enqueue_if_here(&room, FromPeer::Fed { from, feed: *feed, bytes }.into());
            }
            Parcel::Answers { room, ahead, answers } => {
                self.enqueue_if_here(&room, FromPeer::Answered { from, ahead, answers }.into());
            }
            Parcel::Undecided { room, numbers } => {
                self.enqueue_if_here(&room, FromPeer::Undecided { from, numbers }.into());
            }
            Parcel::Ended { number, who, through, until } => {
                let who = match who {
                    ParcelWho::Session(session) => EndedWho::Session(session),
                    ParcelWho::Person(identity) => EndedWho::Person(identity),
                };
                self.hear_ended(Ended { who, through, until });
                // Where it cannot be told, it does not wait any more.
                let _ = self.send(from, &Parcel::EndHeard { number });
            }
            Parcel::Revoked { number, identity, what } => {
                self.revoke_here(&identity, &what.into());
                let _ = self.send(from, &Parcel::EndHeard { number });
            }
            Parcel::SessionsOf { number, identity } => {
                let _ = self.send(from, &self.say_sessions(number, &identity));
            }
            Parcel::SessionsAre { number, .. } => self.peers.says(number, from, parcel),
            Parcel::Add { number, whom } => self.add_for(from, number, whom),
            Parcel::Added { number, .. } => self.peers.says(number, from, parcel),
            Parcel::EndHeard { number } => self.peers.heard(number, from),
            Parcel::ReadEnded {} => self.read_ended_again(),
            Parcel::Replaced { session, generation } => self.close_replaced(session, generation),
        }
    }

    /// What other servers have ended is looked up.
    pub(crate) fn read_ended_again(self: &Arc<Self>) {
        self.ended_sessions.read_again();
        let reader = Arc::clone(self);
        self.spawn(async move { drop(reader.read_ended().await) });
    }

    /// To a room that is in memory; what nobody waits for comes to nobody.
    fn enqueue_if_here(self: &Arc<Self>, code: &RoomCode, item: InboxItem) {
        if let Some(cell) = self.registry.room(code) {
            self.push(&cell, item);
        }
    }

    /// A newer connection of the session has come in at another server.
    fn close_replaced(&self, session: SessionId, generation: Generation) {
        let cell = self.lock_sessions().cell(session);
        let Some(cell) = cell else { return };
        let state = cell.lock();
        if let Some(connection) = state.connection.as_ref().filter(|connection| connection.generation <= generation) {
            connection.close(CloseReason::Replaced);
        }
    }

    /// Tells rooms in memory something.
    async fn tell_rooms(self: &Arc<Self>, is_one: impl Fn(&RoomCode) -> bool, what: impl Fn() -> InboxItem) {
        for cell in self.registry.cells(|_| true).await {
            if is_one(&cell.code) {
                self.push(&cell, what());
            }
        }
    }
}
