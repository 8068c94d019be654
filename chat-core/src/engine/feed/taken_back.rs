//! Messages of one incarnation that were taken back lately: they mask a page that was read before the log forgot the text.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard};

use crate::locks::lock;
use crate::room::{OwedAmend, Sweep};
use crate::types::Seq;

/// Of most incarnations it holds nothing, and takes two words.
pub(crate) struct TakenBack {
    known: Mutex<Option<Box<Known>>>,
    /// See [`RoomLimits::owed_max`](crate::RoomLimits::owed_max): as many are remembered.
    entries_max: usize,
}

#[derive(Default)]
struct Known {
    /// In the order in which they were taken back.
    entries: VecDeque<Entry>,
    /// How many there were in all.
    count: u64,
    /// Of those, how many may have been forgotten again: a page that is older may show one of them.
    forgotten: u64,
}

struct Entry {
    what: What,
    /// The event that took it back.
    change: Seq,
    /// How many there were with it.
    count: u64,
    scrub: Scrub,
}

/// What was taken back.
#[derive(Clone, Copy)]
enum What {
    One(Seq),
    Range(Sweep),
}

/// Whether the log still holds the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scrub {
    /// It may. Such an entry is never forgotten.
    Owed,
    /// It does not, or there is no log.
    Done,
}

/// So many have been taken back since the page was read that not all of them are remembered: it has to be read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stale;

impl TakenBack {
    pub(crate) fn new(entries_max: usize) -> Self {
        Self { known: Mutex::new(None), entries_max }
    }

    /// Notes what a batch takes back. Called before the batch is published, so that whoever has heard of it is shown no text.
    pub(crate) fn add(&self, owed: &[OwedAmend], scrub: Scrub) {
        self.add_all(owed.iter().map(|owed| (What::One(owed.target), owed.change)), scrub);
    }

    /// The same, of ranges.
    pub(crate) fn add_sweeps(&self, sweeps: &[Sweep], scrub: Scrub) {
        self.add_all(sweeps.iter().map(|sweep| (What::Range(*sweep), sweep.change)), scrub);
    }

    fn add_all(&self, all: impl ExactSizeIterator<Item = (What, Seq)>, scrub: Scrub) {
        if all.len() == 0 {
            return;
        }
        let mut guard = self.lock();
        let known = guard.get_or_insert_default();
        for (what, change) in all {
            known.count += 1;
            let count = known.count;
            known.entries.push_back(Entry { what, change, count, scrub });
        }
        known.shrink(self.entries_max);
    }

    /// The log has been amended for every change up to this one.
    pub(crate) fn amended(&self, through: Seq) {
        if let Some(known) = &mut *self.lock() {
            known
                .entries
                .iter_mut()
                .filter(|entry| entry.change <= through)
                .for_each(|entry| entry.scrub = Scrub::Done);
        }
    }

    /// How many there have been; for [`TakenBack::among`], before the page is read.
    pub(crate) fn count(&self) -> u64 {
        self.lock().as_ref().map_or(0, |known| known.count)
    }

    /// Which messages of a page, read when there had been `count`, are to be masked. `place` says where in the page one is.
    ///
    /// # Errors
    /// [`Stale`]: not all are known.
    pub(crate) fn among(&self, count: u64, place: impl Fn(Seq) -> Option<usize>) -> Result<Vec<usize>, Stale> {
        match &*self.lock() {
            None => Ok(Vec::new()),
            Some(known) if known.forgotten > count => Err(Stale),
            Some(known) => {
                let ones = known.entries.iter().filter_map(|entry| match entry.what {
                    What::One(seq) => place(seq),
                    What::Range(_) => None,
                });
                Ok(ones.collect())
            }
        }
    }

    /// The ranges that were taken back, of which a page, read when there had been `count`, may still show something.
    ///
    /// # Errors
    /// [`Stale`]: not all are known.
    pub(crate) fn sweeps(&self, count: u64) -> Result<Vec<Sweep>, Stale> {
        match &*self.lock() {
            None => Ok(Vec::new()),
            Some(known) if known.forgotten > count => Err(Stale),
            Some(known) => {
                let ranges = known.entries.iter().filter_map(|entry| match entry.what {
                    What::One(_) => None,
                    What::Range(sweep) => Some(sweep),
                });
                Ok(ranges.collect())
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Box<Known>>> {
        lock(&self.known)
    }
}

impl Known {
    /// Forgets the oldest that the log does not hold any more.
    fn shrink(&mut self, entries_max: usize) {
        let mut over = self.entries.len().saturating_sub(entries_max);
        if over == 0 {
            return;
        }
        let forgotten = &mut self.forgotten;
        self.entries.retain(|entry| {
            let goes = over > 0 && entry.scrub == Scrub::Done;
            if goes {
                over -= 1;
                *forgotten = (*forgotten).max(entry.count);
            }
            !goes
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::MemberId;

    fn owed(targets: &[u64]) -> Vec<OwedAmend> {
        targets.iter().map(|&target| OwedAmend { target: Seq(target), change: Seq(10 + target) }).collect()
    }

    fn among(taken_back: &TakenBack, count: u64) -> Result<Vec<usize>, Stale> {
        taken_back.among(count, |seq| Some(seq.0 as usize))
    }

    #[test]
    fn what_the_log_still_holds_is_never_forgotten_and_what_it_has_forgotten_is_when_there_is_no_place() {
        let taken_back = TakenBack::new(2);
        taken_back.add(&owed(&[1]), Scrub::Owed);
        taken_back.add(&owed(&[2, 3]), Scrub::Done);
        assert_eq!(among(&taken_back, 2), Ok(vec![1, 3]));
        taken_back.amended(Seq(11));
        taken_back.add(&owed(&[4]), Scrub::Owed);
        assert_eq!(among(&taken_back, 2), Ok(vec![3, 4]));
    }

    #[test]
    fn a_range_is_known_as_long_as_the_log_may_hold_something_of_it() {
        let sweep = Sweep { member: MemberId(2), from: Seq(1), to: Seq(9), change: Seq(10) };
        let taken_back = TakenBack::new(1);
        taken_back.add_sweeps(&[sweep], Scrub::Owed);
        assert_eq!((taken_back.sweeps(0), among(&taken_back, 0)), (Ok(vec![sweep]), Ok(vec![])));
        taken_back.add(&owed(&[4]), Scrub::Done);
        assert_eq!(taken_back.sweeps(2), Ok(vec![sweep]), "the other one went");
        taken_back.amended(Seq(10));
        taken_back.add(&owed(&[5]), Scrub::Owed);
        assert_eq!((taken_back.sweeps(2), taken_back.sweeps(1)), (Ok(vec![]), Err(Stale)));
    }

    #[test]
    fn a_page_that_is_older_than_what_is_remembered_is_stale() {
        let taken_back = TakenBack::new(2);
        let before = taken_back.count();
        taken_back.add(&owed(&[1, 2]), Scrub::Done);
        assert_eq!(among(&taken_back, before), Ok(vec![1, 2]));
        taken_back.add(&owed(&[3]), Scrub::Done);
        assert_eq!(among(&taken_back, before), Err(Stale));
        assert_eq!(among(&taken_back, taken_back.count()), Ok(vec![2, 3]));
    }
}
