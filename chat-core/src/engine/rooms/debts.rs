//! What a room owes its log: it is tried again and again on a timer until it is done, also in a room where nobody says anything more.
//!
//! What the log has still to forget stands in the ledger, which is read back with the room; here is only how far that has been done.

use crate::engine::rooms::backoff::Backoff;
use crate::room::{Ledger, OwedChange, OwedErasure, OwedFreeze, Sweep};
use crate::seldom::Nothing;
use crate::types::{Epoch, Mono, Offset, Seq};

/// Records after which a snapshot of the ledger is stored: about what a recovery replays at most, beside the backlog. No limit: it bounds no
/// memory, only the time that a recovery takes.
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
    /// The log is to be made to name nobody who was erased.
    Scrub,
}

/// When what waits by choice, for more of its kind to be written with, is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    Usual,
    /// At once: an engine that goes down leaves nothing for later that can be done now.
    GoingDown,
}

/// How far the log has been made to do what is owed, and when that is tried again.
#[derive(Default, PartialEq)]
pub(crate) struct Debts {
    /// The log has been amended for all changes up to this one. What the ledger owes for them is settled by the next append.
    amended: Seq,
    /// Of the range that is being amended: the event that took it back, and the number before which messages are still to be looked at.
    sweeping: Option<(Seq, Seq)>,
    /// The log names nobody who was erased by a record up to this one. What the ledger owes for them is settled by the next append.
    scrubbed: Offset,
    /// Of the erasure that the log is being scrubbed for: the record that erased them, and up to which it has been.
    scrubbing: Option<(Offset, Offset)>,
    /// An incarnation that is over, and that the log has not been made to forget.
    over: Option<Epoch>,
    /// Records since the last snapshot of the ledger was stored.
    unsaved: usize,
    /// When it is to be stored how far people have read, where that has changed since it was.
    reads_due: Option<Mono>,
    /// When reactions are to be written, where a batch of this process has left some owed.
    freeze_due: Option<Mono>,
    pauses: Pauses,
}

/// After a failure each kind of debt has a pause of its own, so that one that is refused again and again keeps no other from being paid.
#[derive(Default, PartialEq)]
struct Pauses {
    /// Of reactions too: what the log is amended for is in the order of the changes.
    amend: Backoff,
    delete: Backoff,
    snapshot: Backoff,
    reads: Backoff,
    scrub: Backoff,
}

impl Nothing for Debts {
    const NOTHING: &'static Self = &Self {
        amended: Seq(0),
        sweeping: None,
        scrubbed: Offset(0),
        scrubbing: None,
        over: None,
        unsaved: 0,
        reads_due: None,
        freeze_due: None,
        pauses: Pauses {
            amend: Backoff::NONE,
            delete: Backoff::NONE,
            snapshot: Backoff::NONE,
            reads: Backoff::NONE,
            scrub: Backoff::NONE,
        },
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

    /// Another server pays them from now on, or did until now: what it has paid is not known here, and is paid once more.
    pub(crate) fn change_hands(&mut self) {
        *self = Self { unsaved: self.unsaved, ..Self::default() };
    }

    /// A batch of so many records is out.
    pub(crate) fn note(&mut self, records: usize) {
        self.unsaved += records;
    }

    /// What is stored knows what is to be known no more.
    pub(crate) fn store_soon(&mut self) {
        self.unsaved = self.unsaved.max(SNAPSHOT_EVERY);
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
        (self.sweeping, self.pauses.amend) = (Some((sweep.change, before)), Backoff::default());
    }

    /// Through which change the ledger may say that nothing is owed any more; `None` where that would say nothing new.
    pub(crate) fn settles(&self, ledger: &Ledger) -> Option<Seq> {
        let first = ledger.first_owed();
        first.filter(|change| *change <= self.amended).map(|_| self.amended)
    }

    /// The debt to be paid next, and when: the one that is due first. While an incarnation that is over is in the way there is no other; and
    /// before the log is amended for all changes no reactions are written, for they are changes too.
    pub(crate) fn next(&self, ledger: &Ledger, pace: Pace) -> Option<(Mono, Debt)> {
        let pauses = &self.pauses;
        if let Some(epoch) = self.over {
            return Some((pauses.delete.until(), Debt::Delete(epoch)));
        }
        let wait = |due: Option<Mono>| due.filter(|_| pace == Pace::Usual).unwrap_or_default();
        let erasure = self.erasure(ledger);
        // What an erasure comes behind does not wait for more of its kind.
        let freeze_due = self.freeze_due.filter(|_| erasure.is_none());
        let amend = match self.owed(ledger).next() {
            Some(_) => Some((pauses.amend.until(), Debt::Amend)),
            None => {
                let first = self.freezes(ledger).next();
                first.map(|_| (wait(freeze_due).max(pauses.amend.until()), Debt::Freeze))
            }
        };
        let snapshot = (self.unsaved >= SNAPSHOT_EVERY).then(|| (pauses.snapshot.until(), Debt::Snapshot));
        let reads = self.reads_due.map(|_| (wait(self.reads_due).max(pauses.reads.until()), Debt::ReadPositions));
        // Last of all: what is amended for is in the order of the changes, and nothing of a person is written behind it.
        let scrub = erasure.filter(|_| amend.is_none()).map(|_| (pauses.scrub.until(), Debt::Scrub));
        [amend, snapshot, reads, scrub].into_iter().flatten().min_by_key(|(at, _)| *at)
    }

    /// The erasure that the log is to be scrubbed for next.
    pub(crate) fn erasure<'l>(&self, ledger: &'l Ledger) -> Option<&'l OwedErasure> {
        ledger.owed_erasures().find(|owed| owed.through > self.scrubbed)
    }

    /// Up to which record the log has been scrubbed for this erasure; `None` where it has not been begun.
    pub(crate) fn scrubbed_up_to(&self, owed: &OwedErasure) -> Option<Offset> {
        self.scrubbing.filter(|(through, _)| *through == owed.through).map(|(_, after)| after)
    }

    /// The log has been scrubbed for an erasure up to this record.
    pub(crate) fn scrubbing(&mut self, through: Offset, after: Offset) {
        (self.scrubbing, self.pauses.scrub) = (Some((through, after)), Backoff::default());
    }

    /// The log names nobody any more who was erased by a record up to this one.
    pub(crate) fn scrubbed(&mut self, through: Offset) {
        (self.scrubbed, self.scrubbing, self.pauses.scrub) = (through, None, Backoff::default());
    }

    /// Through which record the ledger may say that nobody is named any more; `None` where that would say nothing new.
    pub(crate) fn settles_erasures(&self, ledger: &Ledger) -> Option<Offset> {
        let first = ledger.owed_erasures().next();
        first.filter(|owed| owed.through <= self.scrubbed).map(|_| self.scrubbed)
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
        (self.reads_due, self.pauses.reads) = (None, Backoff::default());
    }

    /// The log has been amended for every change up to this one.
    pub(crate) fn amended(&mut self, through: Seq) {
        self.amended = through;
        (self.freeze_due, self.pauses.amend) = (None, Backoff::default());
    }

    /// The incarnation that is over is gone.
    pub(crate) fn deleted(&mut self) {
        (self.over, self.pauses.delete) = (None, Backoff::default());
    }

    /// The ledger has been stored.
    pub(crate) fn saved(&mut self) {
        (self.unsaved, self.pauses.snapshot) = (0, Backoff::default());
    }

    /// The log could not do it: it is tried again after a pause, and whatever else is due before it.
    pub(crate) fn failed(&mut self, debt: Debt, now: Mono) {
        let pause = match debt {
            Debt::Amend | Debt::Freeze => &mut self.pauses.amend,
            Debt::Delete(_) => &mut self.pauses.delete,
            Debt::Snapshot => &mut self.pauses.snapshot,
            Debt::ReadPositions => &mut self.pauses.reads,
            Debt::Scrub => &mut self.pauses.scrub,
        };
        pause.failed(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::RoomLimits;

    /// What is tried at each of these moments, by a log that refuses what it is said to.
    fn tried(debts: &mut Debts, refuses: &[Debt], moments: &[u64]) -> Vec<Vec<Debt>> {
        let ledger = Ledger::new(&RoomLimits::default());
        let mut at = |now: Mono| {
            let mut tried = Vec::new();
            while let Some((due, debt)) = debts.next(&ledger, Pace::Usual)
                && due <= now
            {
                tried.push(debt);
                match debt {
                    _ if refuses.contains(&debt) => debts.failed(debt, now),
                    Debt::Snapshot => debts.saved(),
                    Debt::ReadPositions => debts.reads_saved(),
                    Debt::Delete(_) => debts.deleted(),
                    Debt::Amend | Debt::Freeze | Debt::Scrub => panic!("nothing is changed in this room"),
                }
            }
            tried
        };
        moments.iter().map(|&now| at(Mono(now))).collect()
    }

    #[test]
    fn a_debt_that_is_refused_keeps_no_other_from_being_paid() {
        let mut debts = Debts::of(SNAPSHOT_EVERY, Seq(0));
        debts.note_read(Mono(50));
        let refused = tried(&mut debts, &[Debt::Snapshot], &[0, 49, 50, 100, 299]);
        let expected = [vec![Debt::Snapshot], vec![], vec![Debt::ReadPositions], vec![Debt::Snapshot], vec![]];
        assert_eq!(refused, expected, "and it has a pause of its own, which goes on growing");
        debts.note_read(Mono(300));
        let taken = tried(&mut debts, &[], &[300, 10_000]);
        assert_eq!(taken, [vec![Debt::Snapshot, Debt::ReadPositions], vec![]]);
    }

    #[test]
    fn whatever_is_refused_is_tried_once_and_then_after_its_pause() {
        let mut debts = Debts::of(SNAPSHOT_EVERY, Seq(0));
        debts.note_read(Mono(0));
        let both = vec![Debt::Snapshot, Debt::ReadPositions];
        let refused = tried(&mut debts, &both, &[0, 99, 100, 299, 300]);
        assert_eq!(refused, [both.clone(), vec![], both.clone(), vec![], both]);
    }

    #[test]
    fn nothing_else_is_owed_while_the_incarnation_before_is_in_the_way() {
        let mut debts = Debts::of(SNAPSHOT_EVERY, Seq(0));
        debts.note_over(Epoch(7));
        debts.note_read(Mono(0));
        let delete = Debt::Delete(Epoch(7));
        assert_eq!(tried(&mut debts, &[delete], &[0, 99]), [vec![delete], vec![]]);
        assert_eq!(tried(&mut debts, &[], &[100]), [[delete, Debt::ReadPositions]]);
    }

    #[test]
    fn an_engine_that_goes_down_waits_for_no_more_of_a_kind() {
        let (mut debts, ledger) = (Debts::default(), Ledger::new(&RoomLimits::default()));
        debts.note_read(Mono(5_000));
        let next = |debts: &Debts, pace| debts.next(&ledger, pace).map(|(at, _)| at);
        assert_eq!([Pace::Usual, Pace::GoingDown].map(|pace| next(&debts, pace)), [5_000, 0].map(|at| Some(Mono(at))));
        debts.failed(Debt::ReadPositions, Mono(0));
        assert_eq!(next(&debts, Pace::GoingDown), Some(Mono(100)), "and for a log that refuses");
    }
}
