//! Which server a slot belongs with, of those that are there: highest random weight (rendezvous) hashing over their addresses.
//!
//! A server that joins or leaves moves its own share of the slots and no other; one that comes back at its address has the same home as before.
//! Every server finds the same answer, whatever its version: the hash is SipHash-2-4 under a fixed key, and never changes.

use std::hash::Hasher;

use chat_core::Slot;
use siphasher::sip::SipHasher24;

use crate::id::Id;

/// The weight of a server for a slot.
fn weight(slot: Slot, address: &str, id: Id) -> (u64, Id) {
    let mut hasher = SipHasher24::new_with_keys(0x736C_6F74, 0x686F_6D65);
    hasher.write(&slot.number().to_be_bytes());
    hasher.write(address.as_bytes());
    // Two at one address, of which one is about to go: their ids decide.
    (hasher.finish(), id)
}

/// The servers in the order in which a slot belongs with them.
pub(crate) fn order<'a>(slot: Slot, servers: impl Iterator<Item = (Id, &'a str)>) -> Vec<Id> {
    let mut weighed: Vec<_> = servers.map(|(id, address)| weight(slot, address, id)).collect();
    weighed.sort_unstable_by(|one, other| other.cmp(one));
    weighed.into_iter().map(|(_, id)| id).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn homes(servers: &[(Id, String)]) -> BTreeMap<Slot, Id> {
        let all = || servers.iter().map(|(id, address)| (*id, address.as_str()));
        Slot::all().map(|slot| (slot, order(slot, all())[0])).collect()
    }

    #[test]
    fn one_that_leaves_moves_its_own_slots_and_no_other() {
        let servers: Vec<_> = (0..5).map(|n| (Id::of_bits(n), format!("10.0.0.{n}:7000"))).collect();
        let before = homes(&servers);
        let after = homes(&servers[..4]);
        for (slot, home) in &before {
            assert!(after[slot] == *home || *home == servers[4].0);
        }
        for (id, address) in &servers {
            let share = before.values().filter(|home| *home == id).count();
            assert!((130..290).contains(&share), "{address} has {share} of 1024");
        }
    }

    #[test]
    fn a_home_never_changes_with_the_program() {
        let servers: Vec<_> = (0..3).map(|n| (Id::of_bits(n), format!("10.0.0.{n}:7000"))).collect();
        let homes: Vec<_> = homes(&servers).values().take(16).map(|id| id.bits()).collect();
        assert_eq!(homes, [2, 2, 0, 1, 1, 2, 1, 1, 2, 2, 0, 2, 0, 2, 0, 1]);
    }
}
