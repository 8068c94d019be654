//! Who has come back and is called something else by the policy now: a membership is entered at once, and named once the log takes the record.

use std::collections::VecDeque;

use thin_vec::ThinVec;

use crate::room::Caller;

/// Each of them once; whoever has gone meanwhile is passed over when their turn comes.
#[derive(Default)]
pub(crate) struct Unnamed {
    waiting: VecDeque<Caller>,
    /// Nothing stands in the way. Where the log has refused the record, it rides with the next that somebody asks for.
    is_due: bool,
}

impl Unnamed {
    /// Somebody has just come back.
    pub(crate) fn push(&mut self, by: Caller) {
        self.waiting.retain(|other| other.session != by.session);
        self.waiting.push_back(by);
        self.is_due = true;
    }

    /// Whether they are to be named though nothing else is to be recorded.
    pub(crate) fn is_due(&self) -> bool {
        self.is_due
    }

    /// The next of them.
    pub(crate) fn pop(&mut self) -> Option<Caller> {
        let next = self.waiting.pop_front();
        self.is_due &= !self.waiting.is_empty();
        next
    }

    /// The log has not taken the records of these; `is_due` says whether it would now.
    pub(crate) fn put_back(&mut self, named: ThinVec<Caller>, is_due: bool) {
        for by in named {
            if self.waiting.iter().all(|other| other.session != by.session) {
                self.waiting.push_back(by);
            }
        }
        self.is_due = is_due && !self.waiting.is_empty();
    }
}
