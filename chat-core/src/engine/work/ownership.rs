//! Who decides for a room, where there are several servers, and what becomes of it here when that changes.

use std::collections::VecDeque;

use crate::engine::parcel::Parcel;
use crate::engine::rooms::batch::Batch;
use crate::engine::rooms::from_peer::FromPeer;
use crate::engine::rooms::inbox::InboxItem;
use crate::engine::rooms::state::RoomState;
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
                Owner::Me(_) => items = self.work_through(items).await,
                #[cfg(feature = "fault_injection")]
                Owner::Other(..) if fault_injection::is(Bug::DecideForOthers) => items = self.work_through(items).await,
                Owner::Other(node, _) => self.follow(node, std::mem::take(&mut items)).await,
                Owner::Nobody => {
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

    /// Whether the room is still whose it was when its task looked last.
    pub(crate) fn is_as_it_was(&self) -> bool {
        let stands = self.state.part.as_ref().and_then(|part| part.stands);
        stands.is_none_or(|stands| stands == self.shared.owner(&self.cell.code))
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

    /// As whom the room is worked on now. What was decided under another term is not believed any more.
    fn take_part(&mut self) -> Owner {
        let now = self.shared.owner(&self.cell.code);
        let part = self.state.part.get_or_insert_default();
        let before = part.stands.replace(now);
        match (before.filter(|before| *before != now), now) {
            (_, Owner::Me(term)) if before.is_none() => part.own = Some(term),
            (None, _) => {}
            // Nobody has decided meanwhile.
            (_, Owner::Nobody) if part.own.is_some() => {}
            (_, Owner::Me(term)) if part.own == Some(term) => self.go_on_deciding(),
            (Some(Owner::Other(..) | Owner::Nobody), Owner::Other(node, _)) if part.own.is_none() => {
                self.lose_owner();
                self.ask_to_follow(node);
            }
            (Some(Owner::Other(..)), Owner::Nobody) => self.lose_owner(),
            _ => self.begin_anew(now),
        }
        now
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

    /// Forgets what was known of the room: its readers come back to it.
    fn begin_anew(&mut self, now: Owner) {
        self.lose_owner();
        self.state.give_up();
        *self.state = RoomState::new(&self.shared.room_limits, self.shared.log.is_some());
        let part = self.state.part.get_or_insert_default();
        part.stands = Some(now);
        part.own = match now {
            Owner::Me(term) => Some(term),
            _ => None,
        };
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
