//! Pays what a room owes its log: messages amended, incarnations deleted, snapshots stored. Nobody waits for it but the room.

use std::sync::atomic::Ordering;

use crate::engine::rooms::debts::Debt;
use crate::engine::work::sweep_debts::Swept;
use crate::engine::work::task::RoomTask;
#[cfg(feature = "fault_injection")]
use crate::fault_injection::{self, Bug};
use crate::ports::{AppendError, Log};
use crate::room::{OwedAmend, Snapshot};
use crate::types::Seq;

/// Messages that one transaction of the log amends at most: as many as a ledger owes, but after an earlier program.
const AMENDS_MAX: usize = 256;

impl RoomTask {
    /// What the room owes its log next.
    pub(crate) fn next_debt(&self) -> Option<Debt> {
        self.state.debts.next(self.state.room.ledger())
    }

    /// Pays what is owed, as far as the log can do it now. What it cannot is tried again: the room's tick comes for it though nobody
    /// says anything more, and what was taken back is masked meanwhile.
    pub(crate) async fn pay(&mut self) {
        let Some(log) = self.shared.log.clone() else { return };
        // An engine that goes down leaves nothing for later that can be done now.
        let goes_down = self.shared.draining.load(Ordering::Acquire) && self.next_debt() == Some(Debt::ReadPositions);
        if !goes_down && self.state.debts.due_at(self.state.room.ledger()).is_none_or(|at| self.mono() < at) {
            return;
        }
        self.state.wake_rest();
        while let Some(debt) = self.next_debt() {
            let paid = match debt {
                Debt::Amend => match self.amend(&*log).await {
                    // The rest is done later: it stays owed, and its timer is at once.
                    Ok(Swept::Some) if self.cell.waiting() > 0 => return,
                    amended => amended.map(drop),
                },
                Debt::Delete(epoch) => {
                    let deleted = log.delete(&self.cell.code, epoch).await;
                    deleted.map(|()| self.state.debts.deleted())
                }
                Debt::Snapshot => self.save_snapshot(&*log).await,
                Debt::Freeze => self.write_freezes(&*log, self.state.room.head()).await,
                Debt::ReadPositions => self.save_read_positions(&*log).await,
            };
            if let Err(error) = paid {
                self.fault(&error);
                return self.state.debts.failed(self.mono());
            }
        }
    }

    /// Makes the log forget what was taken back, in the order of the changes: single messages together, a range slice by slice.
    async fn amend(&mut self, log: &dyn Log) -> Result<Swept, AppendError> {
        let (debts, ledger) = (&self.state.debts, self.state.room.ledger());
        let sweep = debts.sweeps(ledger).next();
        let is_before = |owed: &OwedAmend| sweep.is_none_or(|sweep| owed.change < sweep.change);
        let owed: Vec<OwedAmend> = debts.amends(ledger).take_while(is_before).take(AMENDS_MAX).collect();
        if let (true, Some(sweep)) = (owed.is_empty(), sweep) {
            // What is frozen before it is written with it, in the order of the changes.
            self.write_freezes(log, Seq(sweep.change.0 - 1)).await?;
            let swept = self.amend_slice(log, sweep).await;
            #[cfg(feature = "fault_injection")]
            let swept = swept.or_else(|error| match fault_injection::is(Bug::ForgetScrub) {
                true => {
                    self.state.debts.amended(sweep.change);
                    Ok(Swept::All)
                }
                false => Err(error),
            });
            return swept;
        }
        let (Some(last), Some(feed)) = (owed.last(), self.feed()) else { return Ok(Swept::All) };
        let mut amends: Vec<_> = owed.iter().map(|owed| owed.amend()).collect();
        let frozen = self.freezes_through(last.change, &mut amends);
        let amended = log.amend(&self.cell.code, feed.epoch, &amends).await;
        #[cfg(feature = "fault_injection")]
        let amended = amended.or_else(|error| if fault_injection::is(Bug::ForgetScrub) { Ok(()) } else { Err(error) });
        amended?;
        feed.taken_back.amended(last.change);
        self.frozen(&feed, &frozen);
        self.state.debts.amended(last.change);
        Ok(Swept::All)
    }

    async fn save_read_positions(&mut self, log: &dyn Log) -> Result<(), AppendError> {
        if let Some(feed) = self.state.feed() {
            let bytes = serde_json::to_vec(self.state.room.read_positions()).expect("numbers can be stored");
            log.save_read_positions(&self.cell.code, feed.epoch, &bytes).await?;
        }
        self.state.debts.reads_saved();
        Ok(())
    }

    async fn save_snapshot(&mut self, log: &dyn Log) -> Result<(), AppendError> {
        if let Some(feed) = self.state.feed() {
            let snapshot = Snapshot::from(self.state.room.ledger().clone());
            let bytes = serde_json::to_vec(&snapshot).expect("a ledger has string keys, and a Vec takes every write");
            log.save_snapshot(&self.cell.code, feed.epoch, self.state.room.last_offset(), &bytes).await?;
        }
        self.state.debts.saved();
        Ok(())
    }
}
