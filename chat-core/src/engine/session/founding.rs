//! A room counts at the address it was founded from, for as long as it is there.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::engine::session::addresses::AddressCell;
use crate::types::EngineLimits;

/// A place among the rooms of an address. The creation holds it, and the room's cell for as long as that is in use: nobody has to
/// count down when a room ends, however it does.
pub(crate) struct Founding {
    address: Arc<AddressCell>,
    given_up: AtomicBool,
}

impl Founding {
    /// Takes a place.
    ///
    /// # Errors
    /// As many rooms as may be, where so many were founded from there.
    pub(crate) fn new(address: &Arc<AddressCell>, limits: &EngineLimits) -> Result<Arc<Self>, usize> {
        for (taken, level) in address.levels().enumerate() {
            let most = level.times(limits.rooms_per_address_max);
            let one_more = |founded: usize| (most == 0 || founded < most).then_some(founded + 1);
            if level.founded.fetch_update(Ordering::AcqRel, Ordering::Acquire, one_more).is_err() {
                address.levels().take(taken).for_each(AddressCell::lose_room);
                return Err(most);
            }
        }
        Ok(Arc::new(Self { address: Arc::clone(address), given_up: AtomicBool::new(false) }))
    }

    /// There will be no room.
    pub(crate) fn give_up(&self) {
        if !self.given_up.swap(true, Ordering::AcqRel) {
            self.address.levels().for_each(AddressCell::lose_room);
        }
    }

    pub(crate) fn is_given_up(&self) -> bool {
        self.given_up.load(Ordering::Acquire)
    }
}

impl Drop for Founding {
    fn drop(&mut self) {
        self.give_up();
    }
}
