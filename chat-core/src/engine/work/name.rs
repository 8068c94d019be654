//! Those who come back are let in at once, and are shown as the policy says by now once the log takes the record of that.

use crate::engine::rooms::batch::Batch;
use crate::engine::work::task::RoomTask;
use crate::room::{Answer, Entry, Input};
use crate::types::{Now, Position, Reject};

impl RoomTask {
    /// Decides an entry. Who has a membership enters it without a record, whatever the log does.
    pub(crate) fn decide_entry(&mut self, now: Now, input: &Input, batch: &mut Batch) -> Result<Answer, Reject> {
        let Some(by) = input.caller().filter(|by| by.named.is_some()) else {
            return self.decide_one(now, input, batch);
        };
        let decision = self.state.room.decide(now, input)?;
        let comes_back = matches!(&decision.answer, Answer::Entered(entered) if entered.entry != Entry::Joined);
        if !comes_back || decision.records.is_empty() {
            return self.decide_one(now, input, batch);
        }
        let entered = self.decide_one(now, &unnamed(input), batch)?;
        self.state.unnamed.push(by.clone());
        Ok(entered)
    }

    /// Names those who have come back, as one who comes back is named: by the way, or by themselves, after they were told that they are in. Where
    /// the log has refused to take it, only by the way.
    pub(crate) fn name_who_came_back(&mut self, now: Now, batch: &mut Batch) {
        let is_by_itself = self.state.unnamed.is_due() && batch.outcomes.is_empty();
        if !is_by_itself && batch.records.is_empty() {
            return;
        }
        while !self.is_full(batch)
            && let Some(by) = self.state.unnamed.pop()
        {
            // Who has gone is named when they come back.
            let is_here = self.state.room.member_of(&by).is_some();
            let Some(epoch) = self.state.room.epoch().filter(|_| is_here) else { continue };
            let here = Position { epoch, seq: self.state.room.head() };
            let _ = self.decide_one(now, &Input::Attach { by: by.clone(), after: Some(here) }, batch);
            batch.named.push(by);
        }
    }
}

/// The same of somebody of whom the policy says nothing.
fn unnamed(input: &Input) -> Input {
    let mut input = input.clone();
    if let Input::Attach { by, .. } | Input::Join { by, .. } = &mut input {
        by.named = None;
    }
    input
}
