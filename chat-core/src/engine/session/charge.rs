//! What an answer that shows much costs whoever pays for its session: held while it is being made, and paid once it is.
//!
//! How long it is, is known only then. So it may be asked for as long as nothing is owed, and what it was too long by is owed.

use std::sync::Arc;
use std::time::Duration;

use crate::engine::session::shared_allowance::SharedAllowance;
use crate::types::{Limits, Mono};

/// The bytes of one answer to come. The part that was held and is not paid goes back when this is dropped.
pub(crate) struct Charge {
    shared_allowance: Arc<SharedAllowance>,
    held: u32,
}

impl Charge {
    /// Holds a page for an answer that is asked for: of many that are asked for at once no more are let through than are there.
    ///
    /// # Errors
    /// How long until nothing is owed.
    pub(crate) fn hold(shared_allowance: &Arc<SharedAllowance>, limits: &Limits, now: Mono) -> Result<Self, Duration> {
        shared_allowance.may_ask(&limits.engine, now)?;
        Ok(Self::hold_anyway(shared_allowance, limits))
    }

    /// Holds a page for a `joined` that a resume makes due, whatever is owed: of many that come back at once, those who come after see
    /// what is due to those before.
    pub(crate) fn hold_anyway(shared_allowance: &Arc<SharedAllowance>, limits: &Limits) -> Self {
        let page = u32::try_from(limits.session.page_bytes_max).unwrap_or(u32::MAX);
        let held = page.min(limits.engine.address_answered_bytes_burst);
        shared_allowance.answer(held);
        Self { shared_allowance: Arc::clone(shared_allowance), held }
    }

    /// For an answer that nobody has asked for and that mostly is not due: it is paid for, whatever is owed.
    pub(crate) fn owed(shared_allowance: &Arc<SharedAllowance>) -> Self {
        Self { shared_allowance: Arc::clone(shared_allowance), held: 0 }
    }

    /// So much of it has been made, whether or not it will be read.
    pub(crate) fn pay(&mut self, bytes: usize) {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let of_held = bytes.min(self.held);
        self.held -= of_held;
        self.shared_allowance.answer(bytes - of_held);
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.shared_allowance.answer_less(self.held);
    }
}
