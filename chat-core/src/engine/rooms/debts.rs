//! What a room owes its log: it is tried again and again on a timer until it is done, also in a room where nobody says anything more.
//!
//! What the log has still to forget stands in the ledger, which is read back with the room; here is only how far that has been done.

use crate::engine::rooms::backoff::Backoff;
use crate::room::{Ledger, OwedChange, OwedFreeze, Sweep};
use crate::seldom::Nothing;
use crate::types::{Epoch, Mono, Seq};

/// Records after which a snapshot of the ledger is stored: about what a recovery replays at most, beside the backlog.
const SNAPSHOT_EVERY: usize = 1_000;

/// One thing that is owed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Debt {
    /// The log is to be amended for the messages that were changed.
    Amend,
    /// The log is to forget an incarnation that is over.
    Delete(Epoch),
    /// The ledger is to be stored.
    Snapshot,
    /// Reactions are to be written into the records of messages that take no more.
    Freeze,
    /// How far people have read is to be stored.
    ReadPositions,
}

/// How far the log has been made to do what is owed, and when that is tried again.
#[derive(Default, PartialEq)]
pub(crate) struct Debts {
    /// The log has been amended for all changes up to this one. What the ledger owes for them is settled by the next append.
    amended: Seq,
    /// Of the range that is being amended: the event that took it back, and the number before which messages are still to be looked at.
    sweeping: Option<(Seq, Seq)>,
    /// An incarnation that is over, and that the log has not been made to forget.
    over: Option<Epoch>,
    /// Records since the last snapshot of the ledger was stored.
    unsaved: usize,
    /// When it is to be stored how far people have read, where that has changed since it was.
    reads_due: Option<Mono>,
    /// When reactions are to be written, where a batch of this process has left some owed.
    freeze_due: Option<Mono>,
    backoff: Backoff,
}

impl Nothing for Debts {
    const NOTHING: &'static Self = &Self {
        amended: Seq(0),
        sweeping: None,
        over: None,
        unsaved: 0,
        reads_due: None,
        freeze_due: None,
        backoff: Backoff::NONE,
    };
}

impl Debts {
    /// The debts of an incarnation that is read back, of whose records the stored snapshot covers all but so many, and which is known to
    /// have been amended so far.
    pub(crate) fn of(unsaved: usize, amended: Seq) -> Self {
        Self { unsaved, amended, ..Self::default() }
    }

    /// The ledger was read back under another bound than the one that counts here: other messages take no more reactions there, and since other
    /// events, so that it is not known which the log has been amended for. It is stored soon, so that it is read back as it is.
    pub(crate) fn freeze_otherwise(&mut self) {
        (self.amended, self.unsaved) = (Seq(0), self.unsaved.max(SNAPSHOT_EVERY));
    }

    /// A batch of so many records is out.
    pub(crate) fn note(&mut self, records: usize) {
        self.unsaved += records;
    }

    /// The incarnation is over. What was owed for it goes with it: the numbers mean other messages in the next.
    pub(crate) fn note_over(&mut self, epoch: Epoch) {
        *self = Self { over: Some(epoch), ..Self::default() };
    }

    /// What the log has still to be amended for.
    pub(crate) fn owed(&self, ledger: &Ledger) -> impl Iterator<Item = OwedChange> {
        ledger.owed().filter(|owed| owed.change() > self.amended)
    }

    /// The same, of messages whose reactions are to be written into their records.
    pub(crate) fn freezes(&self, ledger: &Ledger) -> impl Iterator<Item = OwedFreeze> {
        ledger.owed_freezes().filter(|owed| owed.change > self.amended)
    }

    /// Down to where a range has been amended, if it has been begun.
    pub(crate) fn swept_down_to(&self, sweep: &Sweep) -> Option<Seq> {
        self.sweeping.filter(|(change, _)| *change == sweep.change).map(|(_, before)| before)
    }

    /// A range has been amended down to here.
    pub(crate) fn swept(&mut self, sweep: &Sweep, before: Seq) {
        (self.sweeping, self.backoff) = (Some((sweep.change, before)), Backoff::default());
    }

    /// Through which change the ledger may say that nothing is owed any more; `None` where that would say nothing new.
    pub(crate) fn settles(&self, ledger: &Ledger) -> Option<Seq> {
        let first = ledger.first_owed();
        first.filter(|change| *change <= self.amended).map(|_| self.amended)
    }

    /// The debt to be paid next.
    pub(crate) fn next(&self, ledger: &Ledger) -> Option<Debt> {
        if let Some(epoch) = self.over {
            return Some(Debt::Delete(epoch));
        }
        let amend = self.owed(ledger).next().map(|_| Debt::Amend);
        let snapshot = || (self.unsaved >= SNAPSHOT_EVERY).then_some(Debt::Snapshot);
        let freeze = self.freezes(ledger).next().map(|_| (self.freeze_due.unwrap_or_default(), Debt::Freeze));
        let reads = self.reads_due.map(|at| (at, Debt::ReadPositions));
        let soonest = freeze.into_iter().chain(reads).min_by_key(|(at, _)| *at).map(|(_, debt)| debt);
        amend.or_else(snapshot).or(soonest)
    }

    /// When it is to be done; `None` while nothing is owed.
    pub(crate) fn due_at(&self, ledger: &Ledger) -> Option<Mono> {
        match self.next(ledger)? {
            Debt::ReadPositions => self.reads_due.map(|at| at.max(self.backoff.until())),
            Debt::Freeze => Some(self.freeze_due.unwrap_or_default().max(self.backoff.until())),
            _ => Some(self.backoff.until()),
        }
    }

    /// Somebody has read on: how far is to be stored by this time, or by an earlier one that was said before.
    pub(crate) fn note_read(&mut self, due: Mono) {
        self.reads_due.get_or_insert(due);
    }

    /// Reactions are owed: they are to be written by this time, or by an earlier one that was said before.
    pub(crate) fn note_freeze(&mut self, due: Mono) {
        self.freeze_due = Some(self.freeze_due.map_or(due, |at| at.min(due)));
    }

    /// It has been stored how far people have read.
    pub(crate) fn reads_saved(&mut self) {
        (self.reads_due, self.backoff) = (None, Backoff::default());
    }

    /// The log has been amended for every change up to this one.
    pub(crate) fn amended(&mut self, through: Seq) {
        self.amended = through;
        (self.freeze_due, self.backoff) = (None, Backoff::default());
    }

    /// The incarnation that is over is gone.
    pub(crate) fn deleted(&mut self) {
        (self.over, self.backoff) = (None, Backoff::default());
    }

    /// The ledger has been stored.
    pub(crate) fn saved(&mut self) {
        (self.unsaved, self.backoff) = (0, Backoff::default());
    }

    /// The log could not do it.
    pub(crate) fn failed(&mut self, now: Mono) {
        self.backoff.failed(now);
    }
}
