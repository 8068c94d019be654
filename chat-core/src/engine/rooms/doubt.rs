//! Whether a log is to be believed that says it ends before what was read of it.

use std::time::Duration;

use crate::types::Mono;

/// How long a log has to say so, without another word, until it is believed. 5 s: a single answer may have come from what was replaced a moment ago,
/// and whoever asks waits no longer than for an owner.
const BELIEVED_AFTER: Duration = Duration::from_secs(5);

/// Since when a log has said that it ends before what was read of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Doubt(Option<Mono>);

impl Doubt {
    /// The log has said it now. Whether it is to be believed.
    pub(crate) fn grows(&mut self, now: Mono) -> bool {
        self.0.get_or_insert(now).after(BELIEVED_AFTER) <= now
    }
}
