//! What one session may still say and ask, whichever connection it is on.

use crate::engine::session::bucket::Bucket;
#[cfg(feature = "fault_injection")]
use crate::fault_injection::{self, Bug};
use crate::types::{Mono, RejectCode, SessionLimits};

/// What one session may still say and ask.
pub(crate) struct Allowance {
    pub(crate) sends: Bucket,
    /// Bytes of text.
    pub(crate) said_bytes: Bucket,
    pub(crate) commands: Bucket,
    /// Rooms named that are not there.
    pub(crate) misses: Bucket,
    /// Commands refused for what they are.
    pub(crate) refusals: Bucket,
    miss_burst: u32,
    refusal_burst: u32,
}

impl Allowance {
    pub(crate) fn full(limits: &SessionLimits, now: Mono) -> Self {
        Self {
            sends: Bucket::full(limits.send_burst, now),
            said_bytes: Bucket::full(limits.said_bytes_burst, now),
            commands: Bucket::full(limits.command_burst, now),
            misses: Bucket::full(limits.miss_burst, now),
            refusals: Bucket::full(limits.refusal_burst, now),
            miss_burst: limits.miss_burst,
            refusal_burst: limits.refusal_burst,
        }
    }

    /// A room was named that is not there.
    pub(crate) fn miss(&mut self) {
        self.misses.owe(self.miss_burst);
    }

    /// A command was refused. What the server cannot do is not the client's fault.
    pub(crate) fn refused(&mut self, code: RejectCode) {
        use RejectCode::{AtCapacity, Busy, Draining, Unavailable};
        let is_own_fault = !matches!(code, AtCapacity | Busy | Draining | Unavailable);
        #[cfg(feature = "fault_injection")]
        let is_own_fault = is_own_fault || (code == Unavailable && fault_injection::is(Bug::BlameClient));
        if is_own_fault {
            self.refusals.owe(self.refusal_burst);
        }
    }
}
