//! What a room owes its log: it is tried again and again on a timer until it is done, also in a room where nobody says anything more.

use std::collections::VecDeque;

use crate::engine::rooms::backoff::Backoff;
use crate::types::{Epoch, Mono, Seq};

/// Records after which a snapshot of the ledger is stored: about what a recovery replays at most, beside the backlog.
const SNAPSHOT_EVERY: usize = 1_000;

/// One thing that is owed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Debt {
    /// The log is to forget the text of a message that was taken back.
    Scrub(Seq),
    /// The log is to forget an incarnation that is over.
    Delete(Epoch),
    /// The ledger is to be stored.
    Snapshot,
}

/// What a room owes its log, and when that is tried again.
#[derive(Default)]
pub(crate) struct Debts {
    /// Messages taken back whose text the log has not been made to forget yet.
    scrubs: VecDeque<Seq>,
    /// An incarnation that is over, and that the log has not been made to forget.
    over: Option<Epoch>,
    /// Records since the last snapshot of the ledger was stored.
    unsaved: usize,
    backoff: Backoff,
}

impl Debts {
    /// The debts of an incarnation that is read back, of whose records the stored snapshot covers all but so many.
    pub(crate) fn of(unsaved: usize) -> Self {
        Self { unsaved, ..Self::default() }
    }

    /// A batch is out: so many records, which take these messages back.
    pub(crate) fn note(&mut self, records: usize, redacted: &[Seq]) {
        self.unsaved += records;
        self.scrubs.extend(redacted);
    }

    /// The incarnation is over. What was owed for it goes with it: the numbers mean other messages in the next.
    pub(crate) fn note_over(&mut self, epoch: Epoch) {
        *self = Self { over: Some(epoch), ..Self::default() };
    }

    /// How many texts are to be scrubbed.
    pub(crate) fn scrubs(&self) -> usize {
        self.scrubs.len()
    }

    /// The debt to be paid next.
    pub(crate) fn next(&self) -> Option<Debt> {
        if let Some(epoch) = self.over {
            return Some(Debt::Delete(epoch));
        }
        // A snapshot knows nothing of texts that are still to be scrubbed: who reads the room back replays what says so.
        let scrub = self.scrubs.front().map(|&seq| Debt::Scrub(seq));
        scrub.or((self.unsaved >= SNAPSHOT_EVERY).then_some(Debt::Snapshot))
    }

    /// When it is to be done; `None` while nothing is owed.
    pub(crate) fn due_at(&self) -> Option<Mono> {
        self.next().map(|_| self.backoff.until())
    }

    /// The debt that was next has been paid.
    pub(crate) fn paid(&mut self) {
        match self.next() {
            Some(Debt::Scrub(_)) => drop(self.scrubs.pop_front()),
            Some(Debt::Delete(_)) => self.over = None,
            Some(Debt::Snapshot) => self.unsaved = 0,
            None => {}
        }
        self.backoff = Backoff::default();
    }

    /// The log could not do it.
    pub(crate) fn failed(&mut self, now: Mono) {
        self.backoff.failed(now);
    }
}
