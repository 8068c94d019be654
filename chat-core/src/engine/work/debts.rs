//! Pays what a room owes its log: texts scrubbed, incarnations deleted, snapshots stored. Nobody waits for it but the room.

use crate::engine::rooms::debts::Debt;
use crate::engine::work::task::RoomTask;
#[cfg(feature = "fault_injection")]
use crate::fault_injection::{self, Bug};
use crate::ports::{AppendError, Log};
use crate::room::Snapshot;

impl RoomTask {
    /// Pays what is owed, as far as the log can do it now. What it cannot is tried again: the room's tick comes for it though nobody
    /// says anything more, and texts that are to be scrubbed are masked meanwhile.
    pub(crate) async fn pay(&mut self) {
        let Some(log) = self.shared.log.clone() else { return };
        if self.state.debts.due_at().is_none_or(|at| self.mono() < at) {
            return;
        }
        self.state.wake_rest();
        while let Some(debt) = self.state.debts.next() {
            if let Err(error) = self.pay_one(&*log, debt).await {
                self.fault(&error);
                #[cfg(feature = "fault_injection")]
                if matches!(debt, Debt::Scrub(_)) && fault_injection::is(Bug::ForgetScrub) {
                    self.paid(debt);
                    continue;
                }
                return self.state.debts.failed(self.mono());
            }
            self.paid(debt);
        }
    }

    async fn pay_one(&self, log: &dyn Log, debt: Debt) -> Result<(), AppendError> {
        let code = &self.cell.code;
        match (debt, self.state.feed()) {
            (Debt::Delete(epoch), _) => log.delete(code, epoch).await,
            (Debt::Scrub(seq), Some(feed)) => log.scrub(code, feed.epoch, seq).await,
            (Debt::Snapshot, Some(feed)) => {
                let snapshot = Snapshot::from(self.state.room.ledger().clone());
                let bytes =
                    serde_json::to_vec(&snapshot).expect("a ledger has string keys, and a Vec takes every write");
                log.save_snapshot(code, feed.epoch, self.state.room.last_offset(), &bytes).await
            }
            (Debt::Scrub(_) | Debt::Snapshot, None) => Ok(()),
        }
    }

    fn paid(&mut self, debt: Debt) {
        if let (Debt::Scrub(seq), Some(feed)) = (debt, self.state.feed()) {
            feed.taken_back.scrubbed(seq);
        }
        self.state.debts.paid();
    }
}
