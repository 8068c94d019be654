//! Who decides for a room, where there are several servers, and what becomes of it here when that changes.

use std::collections::VecDeque;

use crate::engine::parcel::Parcel;
use crate::engine::rooms::inbox::InboxItem;
use crate::engine::rooms::state::RoomState;
use crate::engine::shared::{Shared, unavailable};
use crate::engine::work::task::RoomTask;
#[cfg(feature = "fault_injection")]
use crate::fault_injection::{self, Bug};
use crate::ports::{NotSent, Owner, Slot, Term};
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
    pub(crate) async fn work_among_servers(&mut self, items: VecDeque<InboxItem>) {
        match self.take_part() {
            Owner::Me(_) => self.work_through(items).await,
            #[cfg(feature = "fault_injection")]
            Owner::Other(..) if fault_injection::is(Bug::DecideForOthers) => self.work_through(items).await,
            Owner::Other(node, _) => self.follow(node, items).await,
            Owner::Nobody => items.into_iter().for_each(|item| self.take_without_owner(item)),
        }
    }

    /// Nobody decides: nothing is decided, and who goes is gone.
    fn take_without_owner(&mut self, item: InboxItem) {
        match item {
            InboxItem::Detach { session, generation } => self.lose_reader(self.now(), session, generation),
            InboxItem::End { by, .. } => drop(self.state.subscribers.remove(&by.session)),
            InboxItem::Tick => self.state.disarm(),
            item => self.cell.refuse(item, unavailable()),
        }
    }

    /// As whom the room is worked on now. What was decided under another term is not believed any more.
    fn take_part(&mut self) -> Owner {
        let now = self.shared.owner(&self.cell.code);
        let before = self.state.part.get_or_insert_default().stands.replace(now);
        match before.filter(|before| *before != now) {
            None => {}
            Some(Owner::Other(..) | Owner::Nobody) if !matches!(now, Owner::Me(_)) => {
                self.lose_owner();
                if let Owner::Other(node, _) = now {
                    self.ask_to_follow(node);
                }
            }
            Some(_) => self.begin_anew(now),
        }
        now
    }

    /// Forgets what was known of the room: its readers come back to it.
    fn begin_anew(&mut self, now: Owner) {
        self.lose_owner();
        self.state.give_up();
        *self.state = RoomState::new(&self.shared.room_limits, self.shared.log.is_some());
        self.state.part.get_or_insert_default().stands = Some(now);
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
