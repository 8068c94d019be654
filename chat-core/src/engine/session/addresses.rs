//! What is counted per address: connections, and attempts to find rooms that are not there.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::engine::session::bucket::Bucket;
use crate::words::{EngineLimits, Mono};

/// Addresses of whoever is connected, and of those who left lately.
#[derive(Default)]
pub(crate) struct Addresses {
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    cells: HashMap<IpAddr, Arc<AddressCell>>,
    /// With so many, those are looked for that can be forgotten. Doubled where few can: a look at all is not for every
    /// client that comes.
    sweep_at: usize,
}

/// One address. A connection holds it; the table forgets it some time after the last one.
pub(crate) struct AddressCell {
    pub(crate) connected: AtomicUsize,
    misses: Mutex<Bucket>,
    burst: u32,
}

impl Addresses {
    /// The cell of an address, made when there is none. One IPv6 network of 64 bits counts as one address: a client has it
    /// all to itself (RFC 4291, section 2.5.1).
    pub(crate) fn cell(&self, address: IpAddr, limits: &EngineLimits, now: Mono) -> Arc<AddressCell> {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let Table { cells, sweep_at } = &mut *table;
        if cells.len() >= limits.addresses_max.max(*sweep_at) && !cells.contains_key(&network(address)) {
            cells.retain(|_, cell| !cell.is_forgettable(limits, now));
            if cells.len() >= limits.addresses_max {
                // More than may be remembered owe something: what those owe who have gone is forgotten.
                cells.retain(|_, cell| cell.connected.load(Ordering::Acquire) > 0);
            }
            *sweep_at = cells.len() * 2;
        }
        let cell = cells.entry(network(address)).or_insert_with(|| {
            Arc::new(AddressCell {
                connected: AtomicUsize::new(0),
                misses: Mutex::new(Bucket::full(limits.address_miss_burst, now)),
                burst: limits.address_miss_burst,
            })
        });
        Arc::clone(cell)
    }
}

impl AddressCell {
    /// An attempt to find a room that is not there.
    pub(crate) fn miss(&self) {
        self.lock().owe(self.burst);
    }

    /// Whether another attempt may be made.
    ///
    /// # Errors
    /// How long until it may.
    pub(crate) fn may_try(&self, limits: &EngineLimits, now: Mono) -> Result<(), std::time::Duration> {
        self.lock().look(now, limits.address_miss_burst, limits.address_misses_per_second)
    }

    fn is_forgettable(&self, limits: &EngineLimits, now: Mono) -> bool {
        self.connected.load(Ordering::Acquire) == 0
            && self.lock().is_full(now, limits.address_miss_burst, limits.address_misses_per_second)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Bucket> {
        self.misses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
        address => address,
    }
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
        here.connected.fetch_add(1, Ordering::AcqRel);
        addresses.cell(address("192.0.2.2"), &limits, Mono(0)).miss();
        addresses.cell(address("192.0.2.3"), &limits, Mono(0));
        let again = addresses.cell(address("192.0.2.1"), &limits, Mono(0));
        assert!(Arc::ptr_eq(&here, &again), "who is connected is not forgotten");
        assert_eq!(addresses.table.lock().unwrap_or_else(PoisonError::into_inner).cells.len(), 2);
    }

    fn remembered(addresses: &Addresses) -> usize {
        addresses.table.lock().unwrap_or_else(PoisonError::into_inner).cells.len()
    }

    /// Somebody comes from an address of their own and goes again.
    fn visit(addresses: &Addresses, limits: &EngineLimits, number: u32) {
        let cell = addresses.cell(std::net::Ipv4Addr::from_bits(number).into(), limits, Mono(0));
        cell.connected.fetch_add(1, Ordering::AcqRel);
        cell.connected.fetch_sub(1, Ordering::AcqRel);
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
                    let cell = addresses.cell(Ipv6Addr::new(round, number, 0, 0, 0, 0, 0, 0).into(), &limits, Mono(0));
                    cell.connected.fetch_add(1, Ordering::AcqRel);
                    cell
                })
                .collect();
            for number in 0..1_000 {
                visit(&addresses, &limits, number);
                assert!(remembered(&addresses) <= 2 * crowd.len() + 16, "beside those who are connected");
            }
            for cell in crowd {
                cell.connected.fetch_sub(1, Ordering::AcqRel);
            }
            for number in 0..1_000 {
                visit(&addresses, &limits, number);
            }
            assert!(remembered(&addresses) <= 16, "{} in round {round}", remembered(&addresses));
        }
    }
}
