//! The rule of what the log may be owed: nothing is changed while it has too much to be amended for, and what it was amended for is settled.

use std::time::Duration;

use super::decide::Rules;
use super::decision::{Answer, Decision};
use crate::domain::{Event, RecordVersion};
use crate::types::{Reject, RejectCode, Seq};

/// When to try again to change a message, where the log is owed too much. 1 s: as with any log that cannot be reached.
const OWED_RETRY: Duration = Duration::from_secs(1);

fn owes_much() -> Reject {
    let message = "the log has still to be amended for what was changed before";
    Reject::new(RejectCode::Unavailable, message).retry_after(OWED_RETRY)
}

impl Rules<'_> {
    /// One more change, of a message that says so many bytes after it, could not be masked for those who read the log after a restart.
    pub(super) fn check_owes_little(self, bytes: usize) -> Result<(), Reject> {
        let owed = self.ledger.owed_bytes();
        let is_over = bytes > 0 && owed > 0 && owed + bytes > self.limits.owed_bytes_max;
        if self.ledger.owed_total() >= self.limits.owed_max || is_over {
            return Err(owes_much());
        }
        Ok(())
    }

    /// So many changes more at once would be more than may be owed. More than that alone pass alone.
    pub(super) fn check_may_owe(self, changes: usize) -> Result<(), Reject> {
        let owed = self.ledger.owed_total();
        if changes > 0 && owed > 0 && owed + changes > self.limits.owed_max {
            return Err(owes_much());
        }
        Ok(())
    }

    /// The log has been amended for every change up to this one.
    pub(super) fn settle(self, through: Seq) -> Decision {
        let mut draft = self.draft();
        let is_owed = self.ledger.first_owed().is_some_and(|change| change <= through);
        if is_owed && self.writes >= RecordVersion::PERSONS {
            let frozen = self.ledger.owed_freezes().filter(|owed| owed.change <= through).map(|owed| owed.target).max();
            draft.push(None, Event::Settled { through, frozen: frozen.unwrap_or_default() });
        }
        draft.finish(None, Answer::Nothing)
    }
}
