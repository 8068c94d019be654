//! Who decides for a room, where there are several servers, and what becomes of it here when that changes.

use std::collections::VecDeque;

use crate::engine::parcel::Parcel;
use crate::engine::rooms::batch::Batch;
use crate::engine::rooms::from_peer::FromPeer;
use crate::engine::rooms::inbox::InboxItem;
use crate::engine::shared::{Shared, unavailable};
use crate::engine::work::task::RoomTask;
#[cfg(feature = "fault_injection")]
use crate::fault_injection::{self, Bug};
use crate::ports::{NotSent, Owner, Slot, Term};
use crate::room::Note;
use crate::types::{NodeId, RoomCode};

impl Shared {
    /// Who decides for a room.
    pub(crate) fn owner(&self, code: &RoomCode) -> Owner {
        match self.cluster.is_some() {
            true => self.owner_of(Slot::of(code)),
            false => Owner::Me(Term::default()),
        }
    }

    /// Whether the rooms of a slot are decided here.
    pub(crate) fn decides_slot(&self, slot: Slot) -> bool {
        matches!(self.owner_of(slot), Owner::Me(_))
    }

    /// Whether a room is decided here.
    pub(crate) fn decides(&self, code: &RoomCode) -> bool {
        matches!(self.owner(code), Owner::Me(_))
    }

    /// Sends a parcel to another server.
    pub(crate) fn send(&self, node: NodeId, parcel: &Parcel) -> Result<(), NotSent> {
        self.send_bytes(node, parcel.encode())
    }
}

impl RoomTask {
    /// Works through what has come in, as the owner of the room, or as one who follows it.
    pub(crate) async fn work_among_servers(&mut self, mut items: VecDeque<InboxItem>) {
        loop {
            match self.take_part() {
                Owner::Me(term) if self.decides_under(term) || self.take_over(term).await => {
                    items = self.work_through(items).await;
                }
                // The log cannot be read, or the room is another's by now.
                Owner::Me(_) if !self.is_as_it_was() => continue,
                #[cfg(feature = "fault_injection")]
                Owner::Other(..) if fault_injection::is(Bug::DecideForOthers) => items = self.work_through(items).await,
                Owner::Other(node, _) => self.follow(node, std::mem::take(&mut items)).await,
                Owner::Me(_) | Owner::Nobody => {
                    items.drain(..).for_each(|item| self.take_without_owner(item));
                    self.announce();
                }
            }
            // What was not decided, because the room is decided elsewhere by now.
            if items.is_empty() {
                return;
            }
        }
    }

    fn decides_under(&self, term: Term) -> bool {
        self.state.part.as_ref().is_some_and(|part| part.own == Some(term))
    }

    /// Whether the room is still whose it was when its task looked last.
    pub(crate) fn is_as_it_was(&self) -> bool {
        let stands = self.state.part.as_ref().and_then(|part| part.stands);
        stands.is_none_or(|stands| stands == self.owner())
    }

    /// Whose the room is now, as far as that is known.
    fn owner(&self) -> Owner {
        let over = self.state.part.as_ref().and_then(|part| part.over);
        match self.shared.owner(&self.cell.code) {
            // The log knows better.
            Owner::Me(term) if over == Some(term) => Owner::Nobody,
            owner => owner,
        }
    }

    /// Nobody decides: nothing is decided or answered, and who goes is gone.
    fn take_without_owner(&mut self, item: InboxItem) {
        let has_lapsed = self.state.has_lapsed() && self.state.feed().is_some();
        match item {
            InboxItem::Detach { session, generation } => self.lose_reader(self.now(), session, generation),
            InboxItem::End { by, whole } => {
                self.state.subscribers.remove(&by.session);
                if has_lapsed {
                    // It leaves once somebody decides.
                    self.state.forget_reader(self.now(), by.session, by.generation);
                    self.state.part.get_or_insert_default().later.push(InboxItem::End { by, whole });
                }
            }
            InboxItem::Peer(peer) if has_lapsed => match *peer {
                ended @ FromPeer::Ended { .. } => self.state.part.get_or_insert_default().later.push(ended.into()),
                peer => self.hear_peer(self.now(), &peer, &mut Batch::default()),
            },
            InboxItem::Evict(eviction) => self.give_back(eviction),
            InboxItem::Tick => self.state.disarm(),
            // Looked at after the others.
            InboxItem::GapView => {}
            item => self.cell.refuse(item, unavailable()),
        }
    }

    /// As whom the room is worked on now. What is known of it stays, and everybody who reads it; what was decided here is a copy where another
    /// server decides, or has in between.
    fn take_part(&mut self) -> Owner {
        let now = self.owner();
        let part = self.state.part.get_or_insert_default();
        let before = part.stands.replace(now);
        if before == Some(now) {
            return now;
        }
        match now {
            Owner::Me(term) if part.own == Some(term) => self.go_on_deciding(),
            // Nobody else can have decided.
            Owner::Nobody if part.own.is_some() => {}
            Owner::Me(_) | Owner::Other(..) if part.own.is_some() => self.become_copy(),
            Owner::Me(_) | Owner::Other(..) | Owner::Nobody => self.lose_owner(),
        }
        if let Owner::Other(node, _) = now {
            self.hand_on(node);
            if before.is_some() {
                self.ask_to_follow(node);
            }
        }
        now
    }

    /// Who ended a session while nobody decided is heard by whoever does now.
    fn hand_on(&mut self, owner: NodeId) {
        for item in self.state.part.iter_mut().flat_map(|part| part.later.drain(..)) {
            let (by, whole) = match item {
                InboxItem::End { by, whole } => (by, whole),
                InboxItem::Peer(peer) => match *peer {
                    FromPeer::Ended { by, whole } => (by, whole),
                    _ => continue,
                },
                _ => continue,
            };
            // Where it cannot be told, the owner finds out by the link.
            let _ = self.shared.send(owner, &Parcel::End { room: self.cell.code.clone(), by, whole });
        }
    }

    /// The term under which the room was decided here goes on. Nobody could come back meanwhile.
    fn go_on_deciding(&mut self) {
        #[cfg(feature = "fault_injection")]
        if fault_injection::is(Bug::RunGracesOut) {
            return;
        }
        if self.state.feed().is_some() {
            self.state.note(self.now(), Note::Recovered);
        }
    }

    /// The room leaves memory: its owner has nobody to tell here.
    pub(crate) fn follow_no_more(&self) {
        let Some(part) = &self.state.part else { return };
        if let Some(owner) = part.follows() {
            // Where it cannot be told, what it tells comes to nobody.
            let _ = self.shared.send(owner, &Parcel::Unfollow { room: self.cell.code.clone() });
        }
    }
}
