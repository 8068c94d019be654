//! Who decides for a room, where there are several servers, and what becomes of it here when that changes.

use std::collections::VecDeque;

use crate::engine::parcel::Parcel;
use crate::engine::rooms::backoff::Backoff;
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

    /// Whether this server decides for no room, and others do that can be reached.
    pub(crate) fn goes_on_elsewhere(&self) -> bool {
        let owners: Vec<Owner> = Slot::all().map(|slot| self.owner_of(slot)).collect();
        let is_mine = |owner: &Owner| matches!(owner, Owner::Me(_));
        let is_there = |owner: &Owner| matches!(owner, Owner::Other(node, _) if self.peers.has(*node));
        !owners.iter().any(is_mine) && owners.iter().any(is_there)
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
            let owner = self.take_part();
            let decides = match owner {
                Owner::Me(term) => self.decides_under(term) || self.take_over(term).await,
                Owner::Other(..) | Owner::Nobody => false,
            };
            if !self.is_as_it_was() {
                continue;
            }
            self.sort_out(&mut items);
            match owner {
                Owner::Me(_) if decides => items = self.work_through(items).await,
                #[cfg(feature = "fault_injection")]
                Owner::Other(..) if fault_injection::is(Bug::DecideForOthers) => items = self.work_through(items).await,
                Owner::Me(_) | Owner::Nobody if self.state.has_lapsed() => {
                    items.drain(..).for_each(|item| self.take_without_owner(item));
                    self.end_shown(self.now());
                    self.announce();
                }
                Owner::Me(_) | Owner::Other(..) | Owner::Nobody => self.follow(std::mem::take(&mut items)).await,
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
        let is_over = |term| over.is_some_and(|(over, until)| over == term && self.mono() < until);
        match self.shared.owner(&self.cell.code) {
            // The log knows better.
            Owner::Me(term) if is_over(term) => Owner::Nobody,
            owner => owner,
        }
    }

    /// Nobody decides, and what is here was decided here: nothing is decided or answered, and who goes is gone.
    fn take_without_owner(&mut self, item: InboxItem) {
        let is_known = self.state.feed().is_some();
        match item {
            InboxItem::Detach { session, generation } => self.lose_reader(self.now(), session, generation),
            InboxItem::End { by, whole } => {
                // It leaves once somebody decides.
                self.state.detach_ended(self.now(), by.session, by.generation);
                self.state.part.get_or_insert_default().later.push(InboxItem::End { by, whole });
            }
            InboxItem::Peer(peer) if is_known => match *peer {
                ended @ FromPeer::Ended { .. } => self.state.part.get_or_insert_default().later.push(ended.into()),
                peer => {
                    let mut batch = Batch::default();
                    self.hear_peer(self.now(), &peer, &mut batch);
                    self.publish(batch);
                }
            },
            InboxItem::Readmitted { cell, connection } => self.readmit_from_here(self.now(), &cell, &connection),
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
            #[cfg(feature = "fault_injection")]
            Owner::Me(term) if part.has_decided && fault_injection::is(Bug::BelieveTable) => {
                (part.own, part.fed_by) = (Some(term), None);
                self.go_on_deciding();
            }
            // Nobody else can have decided.
            Owner::Nobody if part.own.is_some() => {}
            Owner::Me(_) | Owner::Other(..) if part.own.is_some() => self.become_copy(),
            Owner::Me(_) | Owner::Other(..) | Owner::Nobody => {}
        }
        let part = self.state.part.get_or_insert_default();
        (part.asking, part.follow_at) = (Backoff::default(), None);
        part.silent_since = (part.decides().is_none() && before.is_some()).then(|| self.shared.clock.now().mono);
        if let Owner::Other(node, _) = now {
            self.hand_on(node);
            if before.is_some() {
                self.ask_to_follow(node);
            }
        }
        now
    }

    /// What was not heard while nobody decided: who ended a session is heard by whoever decides now.
    fn hand_on(&mut self, owner: NodeId) {
        let later = self.state.part.as_mut().map(|part| std::mem::take(&mut part.later)).unwrap_or_default();
        for item in later {
            match item {
                InboxItem::End { by, whole } => self.tell_ended(Some(owner), by, whole),
                InboxItem::Peer(peer) => match *peer {
                    FromPeer::Ended { by, whole } => self.tell_ended(Some(owner), by, whole),
                    FromPeer::Answered { from, answers, .. } => self.keep_answers(from, answers),
                    FromPeer::Undecided { from, numbers } => self.take_back_letters(from, &numbers),
                    FromPeer::Link { node, is_up: false } => self.lose_link(node),
                    // Said to an owner, which this server is no more.
                    _ => {}
                },
                _ => {}
            }
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
