//! What a log has still to be amended for: each question reads all facts anew.

use chat_core::room::{OwedAmend, OwedChange, OwedEdit};
use chat_core::{Event, Record, Seq};

use super::{Model, facts};

/// Whether one more change, after which a message says so many bytes, would be too much.
pub(super) fn is_owed_too_much(model: &Model, bytes: usize) -> bool {
    let owed = changes(&model.facts());
    let held: usize =
        owed.iter().map(|owed| if let OwedChange::Edit(edit) = owed { edit.bytes as usize } else { 0 }).sum();
    owed.len() >= model.limits.owed_max || (bytes > 0 && held > 0 && held + bytes > model.limits.owed_bytes_max)
}

/// All that the log has not been said to have been amended for since.
pub(super) fn changes(facts: &[Record]) -> Vec<OwedChange> {
    let changes = facts.iter().enumerate().filter_map(|(number, record)| {
        let change = record.seq?;
        // Nothing is said of changes that are still to come.
        if facts[number + 1..].iter().any(|later| settles(later, change)) {
            return None;
        }
        match &record.event {
            Event::Redacted { target } => Some(OwedChange::TakeBack(OwedAmend { target: *target, change })),
            Event::Edited { target, content, n, .. } => {
                let is_superseded = facts[number + 1..].iter().any(|later| changes_it(later, *target));
                let content = content.as_ref().filter(|_| !is_superseded);
                let bytes = content.map_or(0, |content| content.bytes() as u32);
                let (target, offset, n) = (*target, record.offset, *n);
                Some(OwedChange::Edit(OwedEdit { target, change, offset, n, bytes, before: None }))
            }
            Event::Swept { .. } => facts::swept(std::slice::from_ref(record)).pop().map(OwedChange::Sweep),
            _ => None,
        }
    });
    changes.collect()
}

fn settles(record: &Record, change: Seq) -> bool {
    matches!(record.event, Event::Settled { through, .. } if change <= through)
}

fn changes_it(record: &Record, message: Seq) -> bool {
    match record.event {
        Event::Redacted { target } | Event::Edited { target, .. } => target == message,
        _ => false,
    }
}
