//! The key window: which keyed sends the room remembers, so that a retry is answered and not repeated.
//!
//! Kept as salted hashes, so that a key of 64 characters costs as little as one of 8. Never here: a message's text.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use serde::{Deserialize, Serialize};

use super::hashes::{KeyHash, ScopeHash};
use super::weight::table;
use crate::domain::Digest;
use crate::seldom::Nothing;
use crate::types::{Seq, Wall};

/// One remembered send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    /// The sender, as a salted hash: keys of different people never meet.
    pub(super) scope: ScopeHash,
    /// The key that the client chose.
    pub(super) key: KeyHash,
    /// What, as the client sent it.
    pub(super) digest: Digest,
    /// The number it was given.
    pub(super) seq: Seq,
    /// The time it was given.
    pub(super) at: Wall,
}

/// How much a window remembers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct WindowBounds {
    /// Sends of one person.
    pub(super) scope_max: usize,
    /// Sends of all.
    pub(super) total_max: usize,
}

/// The last keyed sends, per person and in all; the oldest is forgotten first.
///
/// A slab of slots threaded by two lists: all sends in order, and each person's sends in order. So both bounds are kept
/// in the time of a look-up, however unevenly people talk.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(from = "Vec<Kept>", into = "Vec<Kept>")]
pub(super) struct KeyWindow {
    slots: Vec<Slot>,
    free: Vec<u32>,
    all: Option<Ends>,
    by_scope: Index<ScopeHash, Chain>,
    by_key: Index<KeyHash, u32>,
}

/// For looking up only, never for walking through: what is a hash already needs no hashing and no order.
type Index<K, V> = HashMap<K, V, BuildHasherDefault<AsItIs>>;

/// Takes a hash for itself. Nobody outside can aim at a bucket, because nobody outside knows the salt.
#[derive(Clone, Copy, Debug, Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn write(&mut self, _: &[u8]) {
        unreachable!("only 64-bit hashes are looked up");
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    kept: Kept,
    older: Option<u32>,
    newer: Option<u32>,
    newer_of_scope: Option<u32>,
}

#[derive(Clone, Copy, Debug)]
struct Ends {
    oldest: u32,
    newest: u32,
}

#[derive(Clone, Copy, Debug)]
struct Chain {
    ends: Ends,
    len: usize,
}

impl Nothing for KeyWindow {
    const NOTHING: &'static Self = &Self {
        slots: Vec::new(),
        free: Vec::new(),
        all: None,
        by_scope: Index::with_hasher(BuildHasherDefault::new()),
        by_key: Index::with_hasher(BuildHasherDefault::new()),
    };
}

impl KeyWindow {
    /// How many sends are remembered.
    pub(super) fn len(&self) -> usize {
        self.by_key.len()
    }

    /// Whether nothing is remembered.
    pub(super) fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    /// Bytes that it holds.
    pub(super) fn weight(&self) -> usize {
        self.slots.capacity() * size_of::<Slot>()
            + self.free.capacity() * size_of::<u32>()
            + table(self.by_scope.capacity(), size_of::<(ScopeHash, Chain)>())
            + table(self.by_key.capacity(), size_of::<(KeyHash, u32)>())
    }

    /// The send under this key, if it is still remembered.
    pub(super) fn find(&self, key: KeyHash) -> Option<&Kept> {
        self.by_key.get(&key).map(|&slot| &self.slots[slot as usize].kept)
    }

    /// Remembers a send, newer than all before. Of two under one key the first stays: its answer was given.
    pub(super) fn insert(&mut self, kept: Kept, bounds: WindowBounds) {
        if bounds.scope_max == 0 || bounds.total_max == 0 || self.by_key.contains_key(&kept.key) {
            return;
        }
        if let Some(chain) = self.by_scope.get(&kept.scope)
            && chain.len >= bounds.scope_max
        {
            self.remove_oldest_of_scope(chain.ends.oldest);
        }
        if self.len() >= bounds.total_max
            && let Some(all) = self.all
        {
            self.remove_oldest_of_scope(all.oldest);
        }
        self.push(kept);
    }

    /// Whether a send of this person is remembered.
    pub(super) fn has_scope(&self, scope: ScopeHash) -> bool {
        self.by_scope.contains_key(&scope)
    }

    /// Forgets all sends of a person.
    pub(super) fn forget_scope(&mut self, scope: ScopeHash) {
        if self.has_scope(scope) {
            let kept: Vec<Kept> = self.iter().copied().filter(|kept| kept.scope != scope).collect();
            *self = kept.into();
        }
    }

    /// Remembered keys, oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Kept> {
        let oldest = self.all.map(|all| all.oldest);
        let slots = std::iter::successors(oldest, |&slot| self.slots[slot as usize].newer);
        slots.map(|slot| &self.slots[slot as usize].kept)
    }

    /// The same sends as far as other bounds allow.
    pub(super) fn bounded(&self, bounds: WindowBounds) -> Self {
        let mut window = Self::default();
        self.iter().for_each(|&kept| window.insert(kept, bounds));
        window
    }

    fn push(&mut self, kept: Kept) {
        let slot = Slot { kept, older: self.all.map(|all| all.newest), newer: None, newer_of_scope: None };
        let number = match self.free.pop() {
            Some(number) => {
                self.slots[number as usize] = slot;
                number
            }
            None => {
                self.slots.push(slot);
                u32::try_from(self.slots.len() - 1).expect("a window holds less than 2^32 keys")
            }
        };
        match &mut self.all {
            Some(all) => {
                self.slots[all.newest as usize].newer = Some(number);
                all.newest = number;
            }
            None => self.all = Some(Ends { oldest: number, newest: number }),
        }
        let ends = Ends { oldest: number, newest: number };
        let chain = self.by_scope.entry(kept.scope).or_insert(Chain { ends, len: 0 });
        if chain.len > 0 {
            self.slots[chain.ends.newest as usize].newer_of_scope = Some(number);
        }
        chain.ends.newest = number;
        chain.len += 1;
        self.by_key.insert(kept.key, number);
    }

    /// Forgets a person's oldest send. The oldest of all is the oldest of its sender, so this serves both bounds.
    fn remove_oldest_of_scope(&mut self, number: u32) {
        let Slot { kept, older, newer, newer_of_scope } = self.slots[number as usize];
        self.by_key.remove(&kept.key);
        match newer_of_scope {
            Some(next) => {
                let chain = self.by_scope.get_mut(&kept.scope).expect("a remembered send has a chain");
                chain.ends.oldest = next;
                chain.len -= 1;
            }
            None => {
                self.by_scope.remove(&kept.scope);
            }
        }
        if let Some(older) = older {
            self.slots[older as usize].newer = newer;
        }
        if let Some(newer) = newer {
            self.slots[newer as usize].older = older;
        }
        let all = self.all.expect("a window with a send has ends");
        let (oldest, newest) = (newer.filter(|_| older.is_none()), older.filter(|_| newer.is_none()));
        self.all = (older.is_some() || newer.is_some())
            .then(|| Ends { oldest: oldest.unwrap_or(all.oldest), newest: newest.unwrap_or(all.newest) });
        self.free.push(number);
    }
}

impl PartialEq for KeyWindow {
    /// By what is remembered, in order; which slot it lies in is history.
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl From<Vec<Kept>> for KeyWindow {
    fn from(sends: Vec<Kept>) -> Self {
        let mut window = Self::default();
        let unbounded = WindowBounds { scope_max: usize::MAX, total_max: usize::MAX };
        sends.into_iter().for_each(|kept| window.insert(kept, unbounded));
        window
    }
}

impl From<KeyWindow> for Vec<Kept> {
    fn from(window: KeyWindow) -> Self {
        window.iter().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::hash::BuildHasher;

    use super::*;

    const BOUNDS: WindowBounds = WindowBounds { scope_max: 3, total_max: 5 };

    fn person(bits: u64) -> ScopeHash {
        ScopeHash::from_bits(bits)
    }

    fn key(bits: u64) -> KeyHash {
        KeyHash::from_bits(bits)
    }

    fn kept(scope: u64, seq: u64) -> Kept {
        Kept { scope: person(scope), key: key(seq), digest: Digest(1), seq: Seq(seq), at: Wall(seq) }
    }

    fn seqs(window: &KeyWindow) -> Vec<u64> {
        window.iter().map(|kept| kept.seq.0).collect()
    }

    #[test]
    fn one_person_cannot_push_out_the_keys_of_others() {
        let mut window = KeyWindow::default();
        window.insert(kept(1, 1), BOUNDS);
        (2..20).for_each(|seq| window.insert(kept(2, seq), BOUNDS));
        assert_eq!(seqs(&window), [1, 17, 18, 19]);
        assert_eq!(window.find(key(16)), None);
        assert_eq!(window.find(key(1)).map(|kept| kept.seq), Some(Seq(1)));
        assert!(window.slots.len() <= 5, "slots are used again");
    }

    #[test]
    fn a_window_agrees_with_two_plain_queues() {
        let (mut window, mut plain) = (KeyWindow::default(), VecDeque::new());
        for seq in 0..500_u64 {
            let scope = (seq * seq / 7) % 4;
            window.insert(kept(scope, seq), BOUNDS);
            if plain.iter().filter(|kept: &&Kept| kept.scope == person(scope)).count() >= BOUNDS.scope_max {
                let oldest = plain.iter().position(|kept| kept.scope == person(scope)).expect("counted above");
                plain.remove(oldest);
            }
            if plain.len() >= BOUNDS.total_max {
                plain.pop_front();
            }
            plain.push_back(kept(scope, seq));
            assert!(window.iter().eq(plain.iter()), "after {seq}");
            assert_eq!(window.len(), plain.len());
            assert!(plain.iter().all(|kept| window.find(kept.key) == Some(kept)));
        }
    }

    #[test]
    fn the_first_send_under_a_key_stays() {
        let mut window = KeyWindow::default();
        window.insert(kept(1, 1), BOUNDS);
        window.insert(Kept { seq: Seq(9), ..kept(1, 1) }, BOUNDS);
        assert_eq!(window.find(key(1)).map(|kept| kept.seq), Some(Seq(1)));
    }

    #[test]
    fn a_tighter_bound_keeps_the_newest() {
        let window = KeyWindow::from((1..=5).map(|seq| kept(seq, seq)).collect::<Vec<_>>());
        assert_eq!(seqs(&window.bounded(WindowBounds { scope_max: 1, total_max: 2 })), [4, 5]);
    }

    #[test]
    fn a_window_without_a_place_for_a_person_or_for_all_remembers_nothing() {
        let window = KeyWindow::from((1..=5).map(|seq| kept(seq, seq)).collect::<Vec<_>>());
        for (scope_max, total_max) in [(0, 0), (0, 5), (5, 0)] {
            assert_eq!(window.bounded(WindowBounds { scope_max, total_max }).len(), 0, "{scope_max}, {total_max}");
        }
    }

    #[test]
    fn windows_are_the_same_when_they_remember_the_same_in_order() {
        let window = |seqs: &[u64]| KeyWindow::from(seqs.iter().map(|&seq| kept(1, seq)).collect::<Vec<_>>());
        assert_eq!(window(&[1, 2]), window(&[1, 2]));
        assert_ne!(window(&[1, 2]), window(&[1]));
        assert_ne!(window(&[1, 2]), window(&[2, 1]));
    }

    /// Were all hashes one, every send would be searched for among all that are remembered.
    #[test]
    fn a_hash_is_looked_up_as_it_is() {
        let hashes = BuildHasherDefault::<AsItIs>::default();
        assert_eq!([7, 8].map(|hash| hashes.hash_one(key(hash))), [7, 8]);
        assert_eq!(hashes.hash_one(person(u64::MAX)), u64::MAX);
    }

    #[test]
    #[should_panic(expected = "only 64-bit hashes are looked up")]
    fn what_is_no_hash_is_not_looked_up_as_one() {
        BuildHasherDefault::<AsItIs>::default().hash_one("a text");
    }

    #[test]
    fn a_window_is_stored_and_read_back_in_order() {
        let mut window = KeyWindow::default();
        (0..40).for_each(|seq| window.insert(kept(seq % 3, seq), BOUNDS));
        let stored = serde_json::to_string(&window).expect("a window can be stored");
        let read: KeyWindow = serde_json::from_str(&stored).expect("what was stored is read");
        assert_eq!(read, window);
    }
}
