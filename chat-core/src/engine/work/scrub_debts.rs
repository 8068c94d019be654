//! Makes a log name nobody who was erased: the room is stored without them, and then its records are looked through from the first, slice by slice.
//!
//! In this order: whoever reads the room back begins with what is stored, and with no record that was scrubbed.

use crate::domain::Scrub;
use crate::engine::work::sweep_debts::Swept;
use crate::engine::work::task::RoomTask;
use crate::ports::{AppendError, Log};
use crate::types::Offset;

/// Records that one slice looks through, and scrubs in one transaction at most. 512: with the longest texts they are 8 MiB. No limit: what is owed is
/// bounded by what the log holds, and this says in which pieces it is paid.
const SLICE: usize = 512;

impl RoomTask {
    /// Scrubs one slice more of the log for the person who was erased first.
    pub(crate) async fn scrub_slice(&mut self, log: &dyn Log) -> Result<Swept, AppendError> {
        let ledger = self.state.room.ledger();
        let (Some(owed), Some(feed)) = (self.state.debts.erasure(ledger).cloned(), self.feed()) else {
            return Ok(Swept::All);
        };
        let after = match self.state.debts.scrubbed_up_to(&owed) {
            Some(after) => after,
            None => {
                self.save_snapshot(log).await?;
                self.save_read_positions(log).await?;
                Offset(0)
            }
        };
        let page = log.read(&feed.code, Some(feed.epoch), after, SLICE).await;
        let page = page.map_err(|error| AppendError::NotWritten(error.to_string()))?;
        let ledger = self.state.room.ledger();
        let scrubs: Vec<Scrub> = page.records.iter().filter_map(|record| ledger.scrub(&owed, record)).collect();
        if !scrubs.is_empty() {
            log.scrub(&feed.code, feed.epoch, &scrubs).await?;
        }
        match page.records.last().map(|last| last.offset).filter(|last| *last < owed.through) {
            Some(last) => {
                self.state.debts.make().scrubbing(owed.through, last);
                Ok(Swept::Some)
            }
            None => {
                self.state.debts.make().scrubbed(owed.through);
                feed.overlay.scrubbed(owed.through);
                Ok(Swept::All)
            }
        }
    }
}
