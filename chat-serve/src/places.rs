//! Places for connections: how many there are, in all and for each address.
//!
//! Addresses count as they do in the engine: one of IPv4, a network of 64 bits of IPv6, and a network of 48 bits 16 times as much.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many times as much as an address a network of 48 bits of IPv6 may have.
const ADDRESSES_PER_NETWORK: usize = 16;

/// How many there may be of something at once, connections or sessions, in all and of one address; and how many there are.
#[derive(Debug)]
pub struct Places {
    most: usize,
    /// 0: no bound.
    most_per_address: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    /// Of whoever has any.
    groups: HashMap<Group, usize>,
}

/// Whose connections are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Group {
    V4(u32),
    /// By its first 64 bits.
    V6(u64),
    /// By its first 48 bits.
    Network(u64),
}

/// A place among all that there are, until it is dropped.
#[derive(Debug)]
pub struct Place {
    places: Arc<Places>,
    client: Option<ClientPlace>,
}

/// A place among the connections of one address, until it is dropped.
#[derive(Debug)]
pub(crate) struct ClientPlace {
    places: Arc<Places>,
    group: Group,
}

/// Why there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crowded {
    /// All places are taken.
    Server,
    /// Those of this address are.
    Address,
}

impl Places {
    /// So many places, and so many of them for one address; 0 for no bound there. An IPv6 network of 64 bits counts as one address, and
    /// one of 48 bits has 16 times as much.
    pub fn new(most: usize, most_per_address: usize) -> Arc<Self> {
        Arc::new(Self { most, most_per_address, taken: Mutex::default() })
    }

    /// A place; counted for its address too, unless that is `None`.
    ///
    /// # Errors
    /// Where there is none, in all or for this address.
    pub fn take(self: &Arc<Self>, address: Option<IpAddr>) -> Result<Place, Crowded> {
        let mut taken = self.lock();
        if taken.all >= self.most {
            return Err(Crowded::Server);
        }
        let client = match address {
            Some(address) => self.take_client(&mut taken, address)?,
            None => None,
        };
        taken.all += 1;
        Ok(Place { places: Arc::clone(self), client })
    }

    /// A place for a client whose connection is a proxy's.
    pub(crate) fn take_behind_proxy(self: &Arc<Self>, address: IpAddr) -> Result<Option<ClientPlace>, Crowded> {
        self.take_client(&mut self.lock(), address)
    }

    fn take_client(self: &Arc<Self>, taken: &mut Taken, address: IpAddr) -> Result<Option<ClientPlace>, Crowded> {
        if self.most_per_address == 0 {
            return Ok(None);
        }
        let group = Group::of(address);
        let is_full = |group: Group| {
            let most = match group {
                Group::Network(_) => self.most_per_address.saturating_mul(ADDRESSES_PER_NETWORK),
                _ => self.most_per_address,
            };
            taken.groups.get(&group).is_some_and(|count| *count >= most)
        };
        if group.levels().any(is_full) {
            return Err(Crowded::Address);
        }
        for level in group.levels() {
            *taken.groups.entry(level).or_default() += 1;
        }
        Ok(Some(ClientPlace { places: Arc::clone(self), group }))
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Group {
    fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address.to_bits()),
            IpAddr::V6(address) => Self::V6((address.to_bits() >> 64) as u64),
        }
    }

    /// Itself, and the network it is of: what is counted, is counted at each.
    fn levels(self) -> impl Iterator<Item = Self> {
        let network = match self {
            Self::V6(bits) => Some(Self::Network(bits >> 16)),
            _ => None,
        };
        std::iter::once(self).chain(network)
    }
}

impl Place {
    /// Counts the client behind a proxy from now on, until this is dropped.
    pub(crate) fn keep(&mut self, client: ClientPlace) {
        self.client = Some(client);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.lock().all -= 1;
    }
}

impl Drop for ClientPlace {
    fn drop(&mut self) {
        let mut taken = self.places.lock();
        for level in self.group.levels() {
            if let Some(count) = taken.groups.get_mut(&level) {
                *count -= 1;
                if *count == 0 {
                    taken.groups.remove(&level);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Option<IpAddr> {
        Some(text.parse().expect("an address"))
    }

    #[test]
    fn an_address_has_its_places_and_gives_them_back() {
        let places = Places::new(5, 2);
        let take = |text| places.take(address(text));
        let first = take("192.0.2.1").expect("a place");
        let _second = take("::ffff:192.0.2.1").expect("a place");
        assert_eq!(take("192.0.2.1").expect_err("it has two"), Crowded::Address);
        let _other = take("192.0.2.2").expect("another address");
        drop(first);
        let _third = take("192.0.2.1").expect("one is free");
        let _fourth = places.take(None).expect("a place");
        let _fifth = places.take(None).expect("a proxy has no bound but that of all");
        assert_eq!(take("192.0.2.3").expect_err("all five are taken"), Crowded::Server);
    }

    #[test]
    fn a_network_of_64_bits_is_one_address_and_one_of_48_has_16_times_as_much() {
        let places = Places::new(100, 1);
        let _first = places.take(address("2001:db8::1")).expect("a place");
        assert_eq!(places.take(address("2001:db8::2")).expect_err("the same network"), Crowded::Address);
        let network: Vec<_> = (1..16)
            .map(|number| places.take(address(&format!("2001:db8:0:{number:x}::1"))).expect("a place"))
            .collect();
        assert_eq!(places.take(address("2001:db8:0:ff::1")).expect_err("16 have come"), Crowded::Address);
        let _elsewhere = places.take(address("2001:db8:1::1")).expect("another network");
        drop(network);
        let _again = places.take(address("2001:db8:0:ff::1")).expect("places were given back");
    }

    #[test]
    fn nothing_is_remembered_of_who_is_gone() {
        let places = Places::new(100, 1);
        let taken: Vec<_> =
            (0..50).map(|host| places.take(address(&format!("192.0.2.{host}"))).expect("one")).collect();
        drop(taken);
        drop(places.take(address("2001:db8::1")).expect("a place"));
        let taken = places.lock();
        assert_eq!((taken.all, taken.groups.len()), (0, 0));
    }

    #[test]
    fn without_a_bound_no_address_is_counted() {
        let places = Places::new(100, 0);
        let all: Vec<_> = (0..100).map(|_| places.take(address("192.0.2.1")).expect("a place")).collect();
        assert!(places.lock().groups.is_empty());
        drop(all);
    }
}
