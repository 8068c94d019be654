//! Pays what a room owes its log: messages amended, incarnations deleted, snapshots stored. Nobody waits for it but the room.

use std::sync::atomic::Ordering;

use crate::domain::Amend;
use crate::engine::feed::room_feed::RoomFeed;
use crate::engine::rooms::debts::{Debt, Pace};
use crate::engine::rooms::state::Phase;
use crate::engine::work::load::read_content;
use crate::engine::work::sweep_debts::Swept;
use crate::engine::work::task::RoomTask;
#[cfg(feature = "fault_injection")]
use crate::fault_injection::{self, Bug};
use crate::ports::{AppendError, Log, ReadError};
use crate::room::{OwedChange, Snapshot};
use crate::types::{Mono, Seq};

/// Changes that one transaction of the log is amended for at most: as many as a ledger owes, but under a greater
/// [`owed_max`](crate::RoomLimits::owed_max), or after an earlier program. No limit: it says how much one call of the log does, and more are
/// the next call's.
const AMENDS_MAX: usize = 256;

impl RoomTask {
    /// What the room owes its log next, and when that is due.
    pub(crate) fn next_debt(&self) -> Option<(Mono, Debt)> {
        if self.state.follows() || matches!(self.state.phase, Phase::Unread(_)) {
            // They are the owner's; and of a room that is to be read anew nothing is known that is owed.
            return None;
        }
        let goes_down = self.shared.draining.load(Ordering::Acquire);
        let pace = if goes_down { Pace::GoingDown } else { Pace::Usual };
        self.state.debts.next(self.state.room.ledger(), pace)
    }

    /// Whether an incarnation that is over is still in the log: nothing is decided before it is gone.
    pub(crate) fn is_to_be_deleted(&self) -> bool {
        matches!(self.state.phase, Phase::NoRoom) && matches!(self.next_debt(), Some((_, Debt::Delete(_))))
    }

    /// Pays what is owed, as far as the log can do it now. What it cannot is tried again: the room's tick comes for it though nobody
    /// says anything more, and what was taken back is masked meanwhile.
    pub(crate) async fn pay(&mut self) {
        let Some(log) = self.shared.log.clone() else { return };
        if self.due_debt().is_none() {
            return;
        }
        self.state.wake_rest();
        Box::pin(self.pay_each(&*log)).await;
    }

    fn due_debt(&self) -> Option<Debt> {
        let now = self.mono();
        self.next_debt().filter(|(at, _)| *at <= now).map(|(_, debt)| debt)
    }

    /// One debt after the other, until none is due. After one that the log refuses, maybe by saying nothing for long, whoever waits for the room
    /// has their turn.
    async fn pay_each(&mut self, log: &dyn Log) {
        while let Some(debt) = self.due_debt() {
            let paid = match debt {
                Debt::Amend => match self.amend(log).await {
                    // The rest is done later: it stays owed, and its timer is at once.
                    Ok(Swept::Some) if self.cell.waiting() > 0 => return,
                    amended => amended.map(drop),
                },
                Debt::Delete(epoch) => {
                    let deleted = log.delete(&self.cell.code, epoch).await;
                    deleted.map(|()| self.state.debts.make().deleted())
                }
                Debt::Snapshot => self.save_snapshot(log).await,
                Debt::Freeze => self.write_freezes(log, self.state.room.head()).await,
                Debt::ReadPositions => self.save_read_positions(log).await,
                Debt::Scrub => match self.scrub_slice(log).await {
                    Ok(Swept::Some) if self.cell.waiting() > 0 => return,
                    scrubbed => scrubbed.map(drop),
                },
            };
            if let Err(error) = paid {
                self.fault(&error);
                let now = self.mono();
                self.state.debts.make().failed(debt, now);
                if self.cell.waiting() > 0 {
                    return;
                }
            }
        }
    }

    /// Amends the log for what was changed, in the order of the changes: single messages together, a range slice by slice.
    async fn amend(&mut self, log: &dyn Log) -> Result<Swept, AppendError> {
        let first = self.state.debts.owed(self.state.room.ledger()).next();
        if let Some(OwedChange::Sweep(sweep)) = first {
            // What is frozen before it is written with it, in the order of the changes.
            self.write_freezes(log, Seq(sweep.change.0 - 1)).await?;
            let swept = self.amend_slice(log, sweep).await;
            #[cfg(feature = "fault_injection")]
            let swept = swept.or_else(|error| match fault_injection::is(Bug::ForgetScrub) {
                true => {
                    self.state.debts.make().amended(sweep.change);
                    Ok(Swept::All)
                }
                false => Err(error),
            });
            return swept;
        }
        let is_one = |owed: &OwedChange| owed.target().is_some();
        let (debts, ledger) = (&self.state.debts, self.state.room.ledger());
        let owed: Vec<OwedChange> = debts.owed(ledger).take_while(is_one).take(AMENDS_MAX).collect();
        let (Some(last), Some(feed)) = (owed.last().map(OwedChange::change), self.feed()) else {
            return Ok(Swept::All);
        };
        let mut frozen = Vec::new();
        let amended = match self.amends(log, &feed, &owed).await {
            Ok(mut amends) => {
                // What is frozen by then is written with it: all up to there counts as done.
                frozen = self.freezes_through(last, &mut amends);
                log.amend(&self.cell.code, feed.epoch, &amends).await
            }
            Err(error) => Err(AppendError::NotWritten(error.to_string())),
        };
        #[cfg(feature = "fault_injection")]
        let amended = amended.or_else(|error| if fault_injection::is(Bug::ForgetScrub) { Ok(()) } else { Err(error) });
        amended?;
        feed.overlay.amended(last);
        self.frozen(&feed, &frozen);
        self.state.debts.make().amended(last);
        Ok(Swept::All)
    }

    /// What the log is asked for these changes of single messages: of those of one message the last stands, and every edit of it that was
    /// before is to say nothing any more.
    async fn amends(&self, log: &dyn Log, feed: &RoomFeed, owed: &[OwedChange]) -> Result<Vec<Amend>, ReadError> {
        let mut amends = Vec::new();
        for (index, owed_now) in owed.iter().enumerate() {
            let Some(target) = owed_now.target() else { continue };
            let change = owed_now.change();
            let is_of_same = |other: &OwedChange| other.target() == Some(target);
            if self.state.room.ledger().was_edited() && !owed[..index].iter().any(is_of_same) {
                let rows = log.messages(&feed.code, feed.epoch, target.next(), 1).await?;
                let row = rows.last().filter(|row| row.seq == Some(target));
                // Of a message that the log has cut, the room remembers it.
                let edit = match (row, owed_now) {
                    (Some(row), _) => row.event.standing_edit(),
                    (None, OwedChange::Edit(edit)) => edit.before,
                    (None, _) => self.state.room.ledger().last_edit(target),
                };
                let edit = edit.filter(|edit| *edit < change);
                amends.extend(edit.map(|edit| Amend::bare(edit, change)));
            }
            let later = owed[index + 1..].iter().find(|other| is_of_same(other));
            match (owed_now, later) {
                (OwedChange::TakeBack(_), _) => amends.push(Amend::take_back(target, change)),
                (OwedChange::Edit(_), Some(later)) => amends.push(Amend::bare(change, later.change())),
                (OwedChange::Edit(edit), None) => {
                    let content = match feed.overlay.content(change) {
                        None => read_content(log, &feed.code, feed.epoch, edit).await?,
                        here => here,
                    };
                    amends.extend(content.map(|content| Amend::replace(target, change, content, edit.n)));
                }
                (OwedChange::Sweep(_), _) => {}
            }
        }
        Ok(amends)
    }

    pub(crate) async fn save_read_positions(&mut self, log: &dyn Log) -> Result<(), AppendError> {
        if let Some(feed) = self.state.feed() {
            let bytes = serde_json::to_vec(self.state.room.read_positions()).expect("numbers can be stored");
            log.save_read_positions(&self.cell.code, feed.epoch, &bytes).await?;
        }
        self.state.debts.make().reads_saved();
        Ok(())
    }

    pub(crate) async fn save_snapshot(&mut self, log: &dyn Log) -> Result<(), AppendError> {
        if let Some(feed) = self.state.feed() {
            let snapshot = Snapshot::from(self.state.room.ledger().clone());
            let bytes = serde_json::to_vec(&snapshot).expect("a ledger has string keys, and a Vec takes every write");
            log.save_snapshot(&self.cell.code, feed.epoch, self.state.room.last_offset(), &bytes).await?;
        }
        self.state.debts.make().saved();
        Ok(())
    }
}
