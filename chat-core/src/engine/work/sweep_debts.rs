//! Makes a log forget what was taken back in a range: its messages are looked through from the newest to the oldest, slice by slice.

use crate::domain::Amend;
use crate::engine::work::task::RoomTask;
#[cfg(feature = "fault_injection")]
use crate::fault_injection::{self, Bug};
use crate::ports::{AppendError, Log};
use crate::room::Sweep;

/// Messages that one slice looks through, and amends in one transaction at most. 2,048: a room whose log holds a hundred thousand takes in what
/// is said fifty times meanwhile. No limit, nor is the next: how much is owed has one, and these say in which pieces it is paid.
const SLICE: usize = 2_048;
/// Messages read from a log at once. 128: with the longest texts they are 2 MiB.
const FETCH: usize = 128;

/// Whether a range has been looked through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Swept {
    All,
    /// There is more of it.
    Some,
}

impl RoomTask {
    /// Makes the log forget one slice more of a range.
    pub(crate) async fn amend_slice(&mut self, log: &dyn Log, sweep: Sweep) -> Result<Swept, AppendError> {
        let Some(feed) = self.feed() else { return Ok(Swept::All) };
        let mut before = self.state.debts.swept_down_to(&sweep).unwrap_or(sweep.to.next());
        let (mut amends, mut looked, mut swept) = (Vec::new(), 0, Swept::Some);
        while looked < SLICE && swept == Swept::Some {
            let page = log.messages(&feed.code, feed.epoch, before, FETCH).await;
            let page = page.map_err(|error| AppendError::NotWritten(error.to_string()))?;
            looked += page.len();
            let is_last = page.len() < FETCH || page.first().is_some_and(|oldest| oldest.seq <= Some(sweep.from));
            for record in page.iter().rev() {
                let Some(seq) = record.seq else { continue };
                before = before.min(seq);
                if record.by.is_some_and(|by| sweep.covers(by, seq)) && !record.event.is_taken_back() {
                    amends.extend(record.event.standing_edit().map(|edit| Amend::bare(edit, sweep.change)));
                    amends.push(Amend::take_back(seq, sweep.change));
                }
            }
            if is_last {
                swept = Swept::All;
            }
        }
        if swept == Swept::All {
            // Edits of messages that the log has cut: the room remembers them.
            let edits = self.state.room.ledger().last_edits(sweep).filter(|edit| *edit < sweep.change);
            amends.extend(edits.map(|edit| Amend::bare(edit, sweep.change)));
        }
        #[cfg(feature = "fault_injection")]
        if fault_injection::is(Bug::SweepOne) {
            amends.truncate(1);
        }
        // What a smaller bound has frozen when the room was read counts from its head, and that may be this change.
        let mut frozen = Vec::new();
        if swept == Swept::All {
            frozen = self.freezes_through(sweep.change, &mut amends);
        }
        if !amends.is_empty() {
            log.amend(&feed.code, feed.epoch, &amends).await?;
        }
        match swept {
            Swept::All => {
                feed.overlay.amended(sweep.change);
                self.frozen(&feed, &frozen);
                self.state.debts.make().amended(sweep.change);
            }
            Swept::Some => self.state.debts.make().swept(&sweep, before),
        }
        Ok(swept)
    }
}
