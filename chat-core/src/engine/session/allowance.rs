//! What one session may still say and ask, whichever connection it is on.

use std::time::Duration;

use crate::engine::session::bucket::Bucket;
use crate::engine::session::shared_allowance::both;
#[cfg(feature = "fault_injection")]
use crate::fault_injection::{self, Bug};
use crate::types::{Mono, RejectCode, SessionLimits};

/// What one session may still say and ask.
pub(crate) struct Allowance {
    pub(crate) sends: Bucket,
    /// Bytes of text.
    pub(crate) said_bytes: Bucket,
    pub(crate) commands: Bucket,
    /// Texts of growing messages; nothing before the first.
    live: Option<Box<LiveAllowance>>,
    /// Rooms named that are not there.
    pub(crate) misses: Bucket,
    /// Commands refused for what they are.
    pub(crate) refusals: Bucket,
    miss_burst: u32,
    refusal_burst: u32,
}

/// What one session may still show of messages that grow.
pub(crate) struct LiveAllowance {
    pub(crate) texts: Bucket,
    pub(crate) bytes: Bucket,
}

impl LiveAllowance {
    /// Whether a text of so many bytes may be shown.
    ///
    /// # Errors
    /// How long until it may.
    pub(crate) fn look(&mut self, bytes: u32, limits: &SessionLimits, now: Mono) -> Result<(), Duration> {
        let texts = self.texts.look(now, limits.live_burst, limits.live_per_second);
        both(texts, self.bytes.look_for(bytes, now, limits.live_bytes_burst, limits.live_bytes_per_second))
    }

    /// Pays for it.
    pub(crate) fn spend(&mut self, bytes: u32) {
        self.texts.spend(1);
        self.bytes.spend(bytes);
    }
}

impl Allowance {
    pub(crate) fn full(limits: &SessionLimits, now: Mono) -> Self {
        Self {
            sends: Bucket::full(limits.send_burst, now),
            said_bytes: Bucket::full(limits.said_bytes_burst, now),
            commands: Bucket::full(limits.command_burst, now),
            live: None,
            misses: Bucket::full(limits.miss_burst, now),
            refusals: Bucket::full(limits.refusal_burst, now),
            miss_burst: limits.miss_burst,
            refusal_burst: limits.refusal_burst,
        }
    }

    /// What it may still show of messages that grow.
    pub(crate) fn live(&mut self, limits: &SessionLimits, now: Mono) -> &mut LiveAllowance {
        self.live.get_or_insert_with(|| {
            let texts = Bucket::full(limits.live_burst, now);
            Box::new(LiveAllowance { texts, bytes: Bucket::full(limits.live_bytes_burst, now) })
        })
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
