//! Whether there is a place for a connection: of the engine, of its address, and of what its person may be shown.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::engine::session::addresses::AddressCell;
use crate::engine::session::shared_allowance::SharedAllowance;
use crate::engine::shared::{Refusal, Shared};
use crate::types::{CloseReason, Identity, Mono, Reject, RejectCode};

/// What a client that finds no place is told to wait before it tries again.
const NO_PLACE_WAIT: Duration = Duration::from_secs(10);

/// What one is told to wait who comes to a server that goes, while others have its rooms. Not nothing: whoever sends clients here may not know yet.
const ELSEWHERE_WAIT: Duration = Duration::from_secs(1);

const GOES_DOWN: &str = "the server is going down";

impl Shared {
    pub(crate) fn check_draining(&self) -> Result<(), Refusal> {
        if !self.draining.load(Ordering::Acquire) {
            return Ok(());
        }
        let wait = if self.goes_on.load(Ordering::Acquire) { ELSEWHERE_WAIT } else { NO_PLACE_WAIT };
        Err(Refusal::new(CloseReason::Draining, RejectCode::Draining, GOES_DOWN).come_back(wait))
    }

    /// Whether commands are taken of those who are connected.
    ///
    /// # Errors
    /// `draining`.
    pub(crate) fn check_accepting(&self) -> Result<(), Reject> {
        match self.draining.load(Ordering::Acquire) && !self.goes_on.load(Ordering::Acquire) {
            true => Err(Reject::new(RejectCode::Draining, GOES_DOWN)),
            false => Ok(()),
        }
    }

    /// Whether there is a place for another connection, of the engine and of the address. Holds only while the table of
    /// sessions is locked.
    pub(crate) fn check_place(&self, address: Option<IpAddr>, now: Mono) -> Result<Option<Arc<AddressCell>>, Refusal> {
        self.check_draining()?;
        let connections_max = self.limits.engine.connections_max;
        if self.connected.load(Ordering::Acquire) >= connections_max {
            return Err(no_place("the server is full", connections_max));
        }
        self.check_address(self.address(address, now), None)
    }

    /// Whether there is a place for another connection of the address; for one that is taken over, it has its own place.
    pub(crate) fn check_address(
        &self,
        address: Option<Arc<AddressCell>>,
        leaving: Option<&AddressCell>,
    ) -> Result<Option<Arc<AddressCell>>, Refusal> {
        match address.as_ref().and_then(|cell| cell.is_crowded(leaving, &self.limits.engine)) {
            Some(most) => Err(no_place("as many are connected from this address as may be", most)),
            None => Ok(address),
        }
    }

    /// Whether another session may begin at the address: else beginning anew would be a way around what each may do.
    pub(crate) fn check_beginning(&self, address: Option<&AddressCell>, now: Mono) -> Result<(), Refusal> {
        let begun = address.map_or(Ok(()), |cell| cell.begin(&self.limits.engine, now));
        begun.map_err(|wait| {
            let message = "too many sessions were begun from this address";
            Refusal::new(CloseReason::AtCapacity, RejectCode::RateLimited, message).come_back(wait)
        })
    }

    /// Whether somebody may be shown their rooms afresh: that cannot be refused once they are back, and costs.
    pub(crate) fn check_answer_allowance(
        &self,
        shared_allowance: Option<Arc<SharedAllowance>>,
        now: Mono,
    ) -> Result<(), Refusal> {
        let may = shared_allowance
            .map_or(Ok(()), |shared_allowance| shared_allowance.may_come_back(&self.limits.engine, now));
        may.map_err(|wait| {
            let message = "too much was shown to this address or person already";
            Refusal::new(CloseReason::AtCapacity, RejectCode::RateLimited, message).come_back(wait)
        })
    }

    pub(crate) fn address(&self, address: Option<IpAddr>, now: Mono) -> Option<Arc<AddressCell>> {
        address.map(|address| self.addresses.cell(address, &self.limits.engine, now))
    }

    /// What pays for what a session says and is answered: its identity, or where it comes from.
    pub(crate) fn shared_allowance(
        &self,
        identity: Option<&Identity>,
        address: Option<&Arc<AddressCell>>,
        now: Mono,
    ) -> Option<Arc<SharedAllowance>> {
        match identity {
            Some(identity) => Some(self.shared_allowances.of(identity, &self.limits.engine, now)),
            None => address.map(|address| Arc::clone(&address.shared_allowance)),
        }
    }
}

fn no_place(message: &'static str, limit: usize) -> Refusal {
    let refusal = Refusal::new(CloseReason::AtCapacity, RejectCode::AtCapacity, message).come_back(NO_PLACE_WAIT);
    Refusal { reject: refusal.reject.limit(limit as u64), ..refusal }
}
