//! Counters per address: connections, new sessions, rooms, and attempts to find rooms that are not there.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use crate::engine::session::bucket::Bucket;
use crate::engine::session::detached::Detached;
use crate::engine::session::remembered::Remembered;
use crate::engine::session::shared_allowance::{SharedAllowance, both};
use crate::locks::lock;
use crate::types::{EngineLimits, Mono};

/// Addresses of whoever is connected, and of those who left lately.
#[derive(Default)]
pub(crate) struct Addresses {
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    cells: Remembered<IpAddr, AddressCell>,
    /// IPv6 networks of 48 bits. A cell of one of their addresses holds its network.
    networks: Remembered<Ipv6Addr, AddressCell>,
}

/// One address, or one network of addresses. A connection holds it, and so does a room founded from there and a session that has
/// left from there; the table forgets it some time after the last one.
pub(crate) struct AddressCell {
    connected: AtomicUsize,
    /// Rooms alive that were founded from there, and creations under way.
    pub(crate) founded: AtomicUsize,
    /// Sessions that had their last connection there.
    detached: Mutex<Detached>,
    /// The allowance for messages and bytes said from there.
    pub(crate) shared_allowance: Arc<SharedAllowance>,
    tries: Mutex<Tries>,
    /// How many times as much as one address.
    times: u32,
    network: Option<Arc<AddressCell>>,
}

/// What an address may try.
struct Tries {
    /// Rooms named that are not there.
    misses: Bucket,
    /// New sessions.
    sessions: Bucket,
    miss_burst: u32,
}

impl Addresses {
    /// The cell of an address, made when there is none. One IPv6 network of 64 bits counts as one address: a client has it
    /// all to itself (RFC 4291, section 2.5.1).
    pub(crate) fn cell(&self, address: IpAddr, limits: &EngineLimits, now: Mono) -> Arc<AddressCell> {
        let mut table = lock(&self.table);
        let Table { cells, networks } = &mut *table;
        let is_as_new = |cell: &AddressCell| cell.is_as_new(limits, now);
        let new = |times, network| AddressCell::new(times, network, limits, now);
        let (address, network) = match address.to_canonical() {
            IpAddr::V6(address) => (masked(address, 64).into(), Some(masked(address, 48))),
            address => (address, None),
        };
        cells.cell(address, limits.addresses_max, is_as_new, || {
            let times = limits.addresses_per_network.max(1);
            let network =
                network.map(|network| networks.cell(network, limits.addresses_max, is_as_new, || new(times, None)));
            new(1, network)
        })
    }
}

impl AddressCell {
    fn new(times: u32, network: Option<Arc<AddressCell>>, limits: &EngineLimits, now: Mono) -> Self {
        let miss_burst = limits.address_miss_burst.saturating_mul(times);
        let tries = Tries {
            misses: Bucket::full(miss_burst, now),
            sessions: Bucket::full(limits.address_session_burst.saturating_mul(times), now),
            miss_burst,
        };
        let shared_allowance = SharedAllowance::full(
            times,
            network.as_ref().map(|network| Arc::clone(&network.shared_allowance)),
            limits,
            now,
        );
        Self {
            connected: AtomicUsize::new(0),
            founded: AtomicUsize::new(0),
            detached: Mutex::default(),
            shared_allowance: Arc::new(shared_allowance),
            tries: Mutex::new(tries),
            times,
            network,
        }
    }

    /// The address, and the network it is of: what is counted, is counted at each.
    pub(crate) fn levels(&self) -> impl Iterator<Item = &AddressCell> {
        std::iter::once(self).chain(self.network.as_deref())
    }

    /// A bound of one address, as it is for this.
    pub(crate) fn times(&self, bound: usize) -> usize {
        bound.saturating_mul(self.times as usize)
    }

    /// The bound on connections that is reached, if one is. `leaving` makes its place free: the connection is taken over.
    pub(crate) fn is_crowded(&self, leaving: Option<&AddressCell>, limits: &EngineLimits) -> Option<usize> {
        let most = limits.connections_per_address_max;
        let is_left = |level: &AddressCell| {
            leaving.into_iter().flat_map(AddressCell::levels).any(|left| std::ptr::eq(left, level))
        };
        let is_full = |level: &&AddressCell| level.connected.load(Ordering::Acquire) >= level.times(most);
        self.levels().filter(|level| most != 0 && !is_left(level)).find(is_full).map(|level| level.times(most))
    }

    pub(crate) fn arrive(&self) {
        for level in self.levels() {
            level.connected.fetch_add(1, Ordering::AcqRel);
        }
    }

    pub(crate) fn leave(&self) {
        for level in self.levels() {
            level.connected.fetch_sub(1, Ordering::AcqRel);
        }
    }

    /// Of this level alone: a room that was founded from there is gone.
    pub(crate) fn lose_room(&self) {
        self.founded.fetch_sub(1, Ordering::AcqRel);
    }

    pub(crate) fn lock_detached(&self) -> MutexGuard<'_, Detached> {
        lock(&self.detached)
    }

    /// Counts a new session. Called with the table of sessions locked.
    ///
    /// # Errors
    /// How long until there may be one.
    pub(crate) fn begin(&self, limits: &EngineLimits, now: Mono) -> Result<(), Duration> {
        if limits.address_sessions_per_second == 0 {
            return Ok(());
        }
        let look = |level: &AddressCell| {
            let burst = limits.address_session_burst.saturating_mul(level.times);
            let rate = limits.address_sessions_per_second.saturating_mul(level.times);
            level.lock_tries().sessions.look(now, burst, rate)
        };
        self.levels().map(look).fold(Ok(()), both)?;
        self.levels().for_each(|level| level.lock_tries().sessions.spend(1));
        Ok(())
    }

    /// An attempt to find a room that is not there.
    pub(crate) fn miss(&self) {
        for level in self.levels() {
            let mut tries = level.lock_tries();
            let burst = tries.miss_burst;
            tries.misses.owe(burst);
        }
    }

    /// Whether another attempt may be made.
    ///
    /// # Errors
    /// How long until it may.
    pub(crate) fn may_try(&self, limits: &EngineLimits, now: Mono) -> Result<(), Duration> {
        let look = |level: &AddressCell| {
            let mut tries = level.lock_tries();
            let burst = tries.miss_burst;
            tries.misses.look(now, burst, limits.address_misses_per_second.saturating_mul(level.times))
        };
        self.levels().map(look).fold(Ok(()), both)
    }

    /// Whether nothing is owed there.
    fn is_as_new(&self, limits: &EngineLimits, now: Mono) -> bool {
        let rate = |rate: u32| rate.saturating_mul(self.times);
        let mut tries = self.lock_tries();
        let miss_burst = tries.miss_burst;
        let session_burst = limits.address_session_burst.saturating_mul(self.times);
        tries.misses.is_full(now, miss_burst, rate(limits.address_misses_per_second))
            && tries.sessions.is_full(now, session_burst, rate(limits.address_sessions_per_second))
            && self.shared_allowance.is_full(limits, now)
    }

    fn lock_tries(&self) -> MutexGuard<'_, Tries> {
        lock(&self.tries)
    }
}

/// The network of so many bits that an address is of.
fn masked(address: Ipv6Addr, bits: u32) -> Ipv6Addr {
    Ipv6Addr::from_bits(address.to_bits() & !(u128::MAX >> bits))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn a_network_of_64_bits_is_one_address_and_a_mapped_one_is_itself() {
        let addresses = Addresses::default();
        let limits = EngineLimits::default();
        let cell = |text: &str| addresses.cell(address(text), &limits, Mono(0));
        assert!(Arc::ptr_eq(&cell("2001:db8::1"), &cell("2001:db8::ffff:2")));
        assert!(!Arc::ptr_eq(&cell("2001:db8::1"), &cell("2001:db8:0:1::1")));
        assert!(Arc::ptr_eq(&cell("192.0.2.1"), &cell("::ffff:192.0.2.1")));
        assert!(!Arc::ptr_eq(&cell("192.0.2.1"), &cell("192.0.2.2")));
    }

    #[test]
    fn addresses_that_left_are_forgotten_where_there_are_too_many() {
        let addresses = Addresses::default();
        let limits = EngineLimits { addresses_max: 2, ..EngineLimits::default() };
        let here = addresses.cell(address("192.0.2.1"), &limits, Mono(0));
        addresses.cell(address("192.0.2.2"), &limits, Mono(0)).miss();
        addresses.cell(address("192.0.2.3"), &limits, Mono(0));
        let again = addresses.cell(address("192.0.2.1"), &limits, Mono(0));
        assert!(Arc::ptr_eq(&here, &again), "who is connected is not forgotten");
        assert_eq!(remembered(&addresses), 2);
    }

    fn remembered(addresses: &Addresses) -> usize {
        let table = lock(&addresses.table);
        table.cells.len().max(table.networks.len())
    }

    /// Somebody comes from an address of their own and goes again.
    fn visit(addresses: &Addresses, limits: &EngineLimits, number: u32) {
        let address = Ipv6Addr::from_bits(u128::from(number) << 80);
        addresses.cell(address.into(), limits, Mono(0)).begin(limits, Mono(0)).expect("the first");
    }

    #[test]
    fn however_many_come_and_go_no_more_are_remembered() {
        let addresses = Addresses::default();
        let limits = EngineLimits { addresses_max: 16, ..EngineLimits::default() };
        for number in 0..2_000 {
            visit(&addresses, &limits, number);
            assert!(remembered(&addresses) <= 16, "{} after {number}", remembered(&addresses));
        }
    }

    #[test]
    fn a_crowd_that_was_connected_once_is_forgotten_in_the_end() {
        let addresses = Addresses::default();
        let limits = EngineLimits { addresses_max: 16, ..EngineLimits::default() };
        for round in 0..5 {
            let crowd: Vec<_> = (0..100)
                .map(|number| {
                    addresses.cell(Ipv6Addr::new(1 + round, number, 0, 0, 0, 0, 0, 0).into(), &limits, Mono(0))
                })
                .collect();
            for number in 0..1_000 {
                visit(&addresses, &limits, number);
                assert!(remembered(&addresses) <= 2 * crowd.len() + 16, "beside those who are connected");
            }
            drop(crowd);
            for number in 0..1_000 {
                visit(&addresses, &limits, number);
            }
            assert!(remembered(&addresses) <= 16, "{} in round {round}", remembered(&addresses));
        }
    }
}
