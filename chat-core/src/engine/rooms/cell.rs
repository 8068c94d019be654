//! A room's place in the registry: its inbox, and its state while nobody is working on it.
//!
//! An idle room is data, not a task. The push that finds it idle starts the task; the task ends when the inbox is empty.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use smallvec::SmallVec;

use crate::engine::rooms::inbox::InboxItem;
use crate::engine::rooms::state::RoomState;
use crate::engine::session::founding::Founding;
use crate::locks::lock;
use crate::types::{Reject, RoomCode};

/// The places that a room has where it was founded from.
pub(crate) type Foundings = SmallVec<[Arc<Founding>; 1]>;

/// One room code in use.
pub(crate) struct RoomCell {
    pub(crate) code: RoomCode,
    inbox: Mutex<Inbox>,
    state: Mutex<Option<Box<RoomState>>>,
    /// See [`Weight`]; the lowest bit says whether it lingers, the next whether it is unattended, the third whether it is listed.
    weight: AtomicUsize,
    /// It has been asked to give memory back, and has not yet looked.
    evicting: AtomicBool,
    /// Something that another server told was not taken in.
    has_lost: AtomicBool,
    /// As of its last batch; nobody where another server decides, which counts them.
    members: AtomicU32,
}

/// The room as others may see it: as of its last batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Weight {
    /// What its backlog holds in memory, in bytes, to the next multiple of eight.
    pub(crate) bytes: usize,
    /// It has no members.
    pub(crate) is_lingering: bool,
    /// A log has it, and nobody is attached.
    pub(crate) is_unattended: bool,
    /// It may be shown to people who are not in it.
    pub(crate) is_listed: bool,
}

#[derive(Default)]
struct Inbox {
    items: VecDeque<InboxItem>,
    /// Items that count against the bound.
    bounded: usize,
    /// Bytes of what another server has told, and that is not played yet.
    fed_bytes: usize,
    /// Of whoever founds the room, or is about to: kept as long as the code is in use.
    foundings: Foundings,
    /// A task is at work.
    running: bool,
    /// The cell has left the registry: items for its code go to a new one.
    gone: bool,
}

/// What became of a push.
pub(crate) enum Pushed {
    /// It is in; a task is at work.
    Queued,
    /// It is in; the caller starts the task.
    Start,
    /// The room has too much to do.
    Full(InboxItem),
    /// The cell has left the registry: look again.
    Gone(InboxItem),
}

impl RoomCell {
    pub(crate) fn new(code: RoomCode) -> Self {
        Self {
            code,
            inbox: Mutex::default(),
            state: Mutex::new(None),
            weight: AtomicUsize::new(0),
            evicting: AtomicBool::new(false),
            has_lost: AtomicBool::new(false),
            members: AtomicU32::new(0),
        }
    }

    /// Answers an item that the room cannot look at now.
    pub(crate) fn refuse(&self, item: InboxItem, reject: Reject) {
        if matches!(item, InboxItem::Evict(_)) {
            // It may be asked again.
            self.evicted();
        }
        if matches!(item, InboxItem::Peer(_)) {
            self.has_lost.store(true, Ordering::Release);
        }
        item.refuse(&self.code, None, reject);
    }

    /// Whether something that another server told was not taken in since this was asked last.
    pub(crate) fn take_lost(&self) -> bool {
        self.has_lost.swap(false, Ordering::AcqRel)
    }

    pub(crate) fn weigh(&self, weight: Weight) {
        let Weight { bytes, is_lingering, is_unattended, is_listed } = weight;
        let flags = usize::from(is_listed) << 2 | usize::from(is_unattended) << 1 | usize::from(is_lingering);
        self.weight.store(bytes & !7 | flags, Ordering::Relaxed);
    }

    pub(crate) fn note_members(&self, members: usize) {
        self.members.store(u32::try_from(members).unwrap_or(u32::MAX), Ordering::Relaxed);
    }

    pub(crate) fn members(&self) -> u64 {
        self.members.load(Ordering::Relaxed).into()
    }

    /// The places that the room has where it was founded from, for as long as the cell is not in use.
    pub(crate) fn take_foundings(&self) -> Foundings {
        std::mem::take(&mut self.lock().foundings)
    }

    pub(crate) fn put_foundings(&self, foundings: Foundings) {
        self.lock().foundings.extend(foundings);
    }

    /// Whether it is to be asked to give memory back: one item at a time.
    pub(crate) fn may_evict(&self) -> bool {
        !self.evicting.swap(true, Ordering::AcqRel)
    }

    pub(crate) fn evicted(&self) {
        self.evicting.store(false, Ordering::Release);
    }

    pub(crate) fn weight(&self) -> Weight {
        let weight = self.weight.load(Ordering::Relaxed);
        let is = |flag| weight & flag == flag;
        Weight { bytes: weight & !7, is_lingering: is(1), is_unattended: is(2), is_listed: is(4) }
    }

    pub(crate) fn push(&self, item: InboxItem, inbox_max: usize, fed_bytes_max: usize) -> Pushed {
        let mut inbox = self.lock();
        if inbox.gone {
            return Pushed::Gone(item);
        }
        if item.is_bounded() {
            if inbox.bounded >= inbox_max {
                return Pushed::Full(item);
            }
            inbox.bounded += 1;
        }
        let fed_bytes = item.fed_bytes();
        if fed_bytes > 0 && inbox.fed_bytes > 0 && inbox.fed_bytes + fed_bytes > fed_bytes_max {
            return Pushed::Full(item);
        }
        inbox.fed_bytes += fed_bytes;
        if let Some(founding) = item.founding() {
            inbox.foundings.retain(|founding| !founding.is_given_up());
            inbox.foundings.push(Arc::clone(founding));
        }
        inbox.items.push_back(item);
        match std::mem::replace(&mut inbox.running, true) {
            true => Pushed::Queued,
            false => Pushed::Start,
        }
    }

    /// How many items are in.
    pub(crate) fn waiting(&self) -> usize {
        self.lock().items.len()
    }

    /// Up to `max` items, in order.
    pub(crate) fn take_items(&self, max: usize) -> VecDeque<InboxItem> {
        let mut inbox = self.lock();
        let items = match inbox.items.len() <= max {
            true => std::mem::take(&mut inbox.items),
            false => inbox.items.drain(..max).collect(),
        };
        inbox.bounded -= items.iter().filter(|item| item.is_bounded()).count();
        inbox.fed_bytes -= items.iter().map(InboxItem::fed_bytes).sum::<usize>();
        items
    }

    /// The state, for the one task at work; made when there is none yet.
    pub(crate) fn take_state(&self) -> Option<Box<RoomState>> {
        lock(&self.state).take()
    }

    /// Takes the state back, and gives it out again where something has come in: then the task goes on. It is back before the next
    /// task can start.
    pub(crate) fn rest(&self, state: Box<RoomState>) -> Option<Box<RoomState>> {
        let mut inbox = self.lock();
        if !inbox.items.is_empty() {
            return Some(state);
        }
        *lock(&self.state) = Some(state);
        inbox.items = VecDeque::new();
        inbox.running = false;
        None
    }

    /// Leaves for good, with what has come in.
    pub(crate) fn abandon(&self) -> VecDeque<InboxItem> {
        let mut inbox = self.lock();
        inbox.gone = true;
        std::mem::take(&mut inbox.items)
    }

    /// Leaves for good, unless something has come in. Called with the registry's shard locked.
    pub(crate) fn leave(&self) -> bool {
        let mut inbox = self.lock();
        inbox.gone = inbox.items.is_empty();
        inbox.gone
    }

    fn lock(&self) -> MutexGuard<'_, Inbox> {
        lock(&self.inbox)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::rooms::inbox::Eviction;
    use crate::types::RejectCode;

    fn cell() -> RoomCell {
        RoomCell::new(RoomCode::parse("LUNCH").expect("a room code"))
    }

    fn pushed(cell: &RoomCell) -> Pushed {
        cell.push(InboxItem::Tick, 1, 1)
    }

    #[test]
    fn the_weight_is_seen_as_it_was_set() {
        let cell = cell();
        for bytes in [0, 8, 1_000] {
            for flags in 0..8 {
                let is = |flag| flags & flag == flag;
                let weight = Weight { bytes, is_lingering: is(1), is_unattended: is(2), is_listed: is(4) };
                cell.weigh(weight);
                assert_eq!(cell.weight(), weight);
            }
        }
        cell.weigh(Weight { bytes: 1_007, ..Weight::default() });
        assert_eq!(cell.weight(), Weight { bytes: 1_000, ..Weight::default() });
    }

    #[test]
    fn it_is_asked_to_give_back_by_one_item_at_a_time() {
        let cell = cell();
        assert!(cell.may_evict() && !cell.may_evict());
        cell.evicted();
        assert!(cell.may_evict());
        let busy = || Reject::new(RejectCode::Busy, "");
        cell.refuse(InboxItem::Tick, busy());
        assert!(!cell.may_evict());
        cell.refuse(InboxItem::Evict(Eviction::Lingering), busy());
        assert!(cell.may_evict(), "it was not looked at");
    }

    #[test]
    fn what_comes_after_it_has_left_goes_elsewhere() {
        let cell = cell();
        assert!(matches!(pushed(&cell), Pushed::Start) && matches!(pushed(&cell), Pushed::Queued));
        assert_eq!((cell.waiting(), cell.leave()), (2, false));
        assert!(matches!(pushed(&cell), Pushed::Queued), "it has not left");
        assert_eq!((cell.take_items(2).len(), cell.waiting()), (2, 1));
        assert_eq!((cell.take_items(2).len(), cell.leave()), (1, true));
        assert!(matches!(pushed(&cell), Pushed::Gone(_)));
        let failed = self::cell();
        pushed(&failed);
        assert_eq!(failed.abandon().len(), 1);
        assert!(matches!(pushed(&failed), Pushed::Gone(_)));
    }
}
