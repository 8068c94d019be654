//! Whether there is memory for what a room would have to remember.

use std::time::Duration;

use crate::domain::Event;
use crate::engine::feed::budget::MemoryBudget;
use crate::room::{Decision, Input, Note};
use crate::types::{Reject, RejectCode};

/// When to try again: rooms that nobody is in may be gone by then.
const WAIT: Duration = Duration::from_secs(10);

/// Looks at a decision before anything of it is taken in. What changes nothing (a retry), a return, also of somebody whom the
/// policy calls something else by now, what makes a room smaller and what time brings is always let through.
///
/// # Errors
/// `at_capacity`: for somebody new where the ledgers of all rooms are crowded, for whatever is said or shown, or anybody wants to be called, where they are
/// full.
pub(crate) fn check(budget: &MemoryBudget, input: &Input, decision: &Decision) -> Result<(), Reject> {
    let is_refused = match input {
        Input::Create { .. } | Input::Found { .. } | Input::Join { .. } => {
            let mut events = decision.records.iter().map(|record| &record.event);
            events.any(|event| matches!(event, Event::Created { .. } | Event::Joined { .. })) && budget.is_crowded()
        }
        Input::Invite { .. } => budget.is_crowded(),
        Input::Send { .. }
        | Input::Say { .. }
        | Input::Edit { .. }
        | Input::React { .. }
        | Input::Me { .. }
        | Input::SetTopic { .. }
        | Input::Live { text: Some(_), .. }
        | Input::Signal { data: Some(_), .. } => budget.is_full(),
        _ => false,
    };
    let keeps_something = matches!(decision.note, Some(Note::Live { .. } | Note::Signal { .. }));
    if !is_refused || (decision.records.is_empty() && !keeps_something) {
        return Ok(());
    }
    let reject = Reject::new(RejectCode::AtCapacity, "the server's rooms hold as much as they may");
    Err(reject.limit(budget.bytes_max() as u64).retry_after(WAIT))
}
