//! What must hold of edits and answers, read off the records of one life alone.

use std::collections::BTreeMap;

use chat_core::{Event, MemberId, Record, RoomLimits, Seq, Wall};
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;

/// A message, as far as edits care.
struct Said {
    by: Option<MemberId>,
    at: Wall,
    edits: u32,
    is_taken_back: bool,
}

/// A message is edited by its author alone, as long as it is there and in its time, and each edit has the next number, up to the bound. What
/// one answers was there.
pub(super) fn check_edits(life: &[&Record], limits: &RoomLimits) -> TestCaseResult {
    let mut said: BTreeMap<Seq, Said> = BTreeMap::new();
    let mut head = Seq(0);
    for record in life {
        match &record.event {
            Event::Sent { text, data, reply_to, .. } => {
                prop_assert!(!text.as_str().is_empty() || data.is_some(), "{:?} says nothing", record);
                prop_assert!(reply_to.is_none_or(|seq| seq > Seq(0) && seq <= head), "{:?} answers nothing", record);
                let message = Said { by: record.by, at: record.at, edits: 0, is_taken_back: false };
                said.extend(record.seq.map(|seq| (seq, message)));
            }
            Event::Edited { target, content, n, .. } => {
                let Some(message) = said.get_mut(target) else {
                    return Err(TestCaseError::fail(format!("{record:?} edits no message")));
                };
                prop_assert!(content.as_ref().is_some_and(|content| !content.is_empty()));
                prop_assert_eq!(message.by, record.by, "{:?} edits what somebody else said", record);
                prop_assert!(!message.is_taken_back, "{:?} edits what was taken back", record);
                prop_assert!(record.at.since(message.at) <= limits.edit_window, "{:?} is late", record);
                message.edits += 1;
                prop_assert_eq!(message.edits, *n);
                prop_assert!(*n <= limits.edits_max);
            }
            Event::Redacted { target } => {
                said.get_mut(target).into_iter().for_each(|message| message.is_taken_back = true)
            }
            Event::Swept { member, from, to } => {
                let range = said.range_mut(*from..=*to).filter(|(_, message)| message.by == Some(*member));
                range.for_each(|(_, message)| message.is_taken_back = true);
            }
            _ => {}
        }
        head = record.seq.unwrap_or(head);
    }
    Ok(())
}
