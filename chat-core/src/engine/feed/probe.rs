//! One event of a room at a time whose way to its readers is timed: which, and when it was published.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::meters::Micros;
use crate::types::Seq;

/// How long one event is the one that is timed, in microseconds. 100 ms: in a room where much is said its readers look at the clock ten
/// times a second, and not for every write.
const EVERY: u32 = 100_000;

/// The latest event that is timed.
#[derive(Debug, Default)]
pub(crate) struct Probe {
    seq: AtomicU64,
    /// When it was published; 0 while there is none, or another takes its place.
    at: AtomicU32,
}

impl Probe {
    /// This event is published now. It is timed, unless another was a moment ago. One thread at a time calls it, the room's own.
    pub(crate) fn publish(&self, seq: Seq, now: Micros) {
        let last = self.at.load(Ordering::Relaxed);
        if last == 0 || now.since(last) >= EVERY {
            self.at.store(0, Ordering::SeqCst);
            self.seq.store(seq.0, Ordering::SeqCst);
            self.at.store(now.get(), Ordering::SeqCst);
        }
    }

    /// When it was published, if it is one of those after `after` and up to `through`.
    pub(crate) fn within(&self, after: Seq, through: Seq) -> Option<Micros> {
        let seq = self.seq.load(Ordering::Relaxed);
        if seq <= after.0 || seq > through.0 {
            return None;
        }
        let at = self.at.load(Ordering::SeqCst);
        // Another may have taken its place in between.
        let is_still = self.seq.load(Ordering::SeqCst) == seq && self.at.load(Ordering::SeqCst) == at;
        Micros::of(at).filter(|_| is_still)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: u32) -> Micros {
        Micros::of(micros).expect("not 0")
    }

    #[test]
    fn an_event_is_timed_by_whoever_reads_past_it() {
        let probe = Probe::default();
        assert_eq!(probe.within(Seq(0), Seq(9)), None);
        probe.publish(Seq(5), at(7));
        assert_eq!(probe.within(Seq(4), Seq(5)), Some(at(7)));
        assert_eq!(probe.within(Seq(0), Seq(9)), Some(at(7)));
        assert_eq!([probe.within(Seq(5), Seq(9)), probe.within(Seq(0), Seq(4))], [None; 2]);
    }

    #[test]
    fn another_takes_its_place_after_a_while_also_where_the_numbers_begin_again() {
        let probe = Probe::default();
        probe.publish(Seq(1), at(u32::MAX - 50_000));
        probe.publish(Seq(2), at(49_000));
        assert_eq!(probe.within(Seq(1), Seq(2)), None);
        probe.publish(Seq(3), at(50_000));
        assert_eq!(probe.within(Seq(1), Seq(3)), Some(at(50_000)));
    }
}
