//! What an act comes to, in the words of the room.

use chat_core::room::{Answer, Decision, Note};
use chat_core::{Record, RejectCode};

use super::Refusal;

pub(super) fn decision(records: Vec<Record>, note: Option<Note>, answer: Answer) -> Decision {
    Decision { records: records.into_iter().collect(), note, answer }
}

pub(super) fn refusal(code: RejectCode, field: Option<&'static str>) -> Refusal {
    Refusal { code, field, retry_after: None, until: None }
}
