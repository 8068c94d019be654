//! A share of all rooms: which of 1,024 a room belongs to is a matter of its code alone.
//!
//! Servers that share a log share the rooms slot by slot: as many rooms as there are need no more than 1,024 owners to be named.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::types::RoomCode;

/// One of [`Slot::COUNT`] shares of all rooms, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(u16);

impl Slot {
    /// How many there are. It never changes: a log that several servers share says of each slot whose it is.
    pub const COUNT: u16 = 1_024;

    /// The slot of a room: the first 8 bytes of the SHA-256 of its code in capitals, as a big-endian number, modulo [`Slot::COUNT`].
    ///
    /// ```
    /// use chat_core::{RoomCode, Slot};
    ///
    /// let slot = Slot::of(&RoomCode::parse("LUNCH")?);
    /// assert_eq!(slot.number(), 595);
    /// # Ok::<(), chat_core::Reject>(())
    /// ```
    pub fn of(room: &RoomCode) -> Self {
        Self::of_text(room.as_str())
    }

    /// The slot of a text by the same rule.
    pub(super) fn of_text(text: &str) -> Self {
        let hash = Sha256::digest(text.as_bytes());
        let first = hash.first_chunk().expect("a hash has 32 bytes");
        Self((u64::from_be_bytes(*first) % u64::from(Self::COUNT)) as u16)
    }

    /// All of them, in order.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..Self::COUNT).map(Self)
    }

    /// Its number, below [`Slot::COUNT`].
    pub fn number(self) -> u16 {
        self.0
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slot_of_a_code_never_changes() {
        for (code, slot) in [("LUNCH", 595), ("lunch", 595), ("AAA", 950), ("OPEN-HOUSE", 29)] {
            assert_eq!(Slot::of(&RoomCode::parse(code).expect("a valid code")), Slot(slot), "{code}");
        }
        assert!(Slot::all().map(Slot::number).eq(0..Slot::COUNT));
    }
}
