//! A histogram that threads count into at once, and what it holds at some moment.

use std::sync::atomic::{AtomicU64, Ordering};

/// Microseconds, from 100 us to 10 s: what is slower than that has ended something else already.
pub(crate) const TIMES: [u64; 16] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    5_000_000, 10_000_000,
];
/// Numbers of things, up to as many as fit into a batch or an inbox, about.
pub(crate) const SIZES: [u64; 12] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 4_096];

/// How often a value was seen, by how large it was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Histogram {
    /// For each bucket its upper bound, which belongs to it, and how many values were in this bucket and no smaller one.
    pub buckets: Vec<(u64, u64)>,
    /// How many values were above all bounds.
    pub above: u64,
    /// The sum of all values.
    pub sum: u64,
}

impl Histogram {
    /// How many values there were.
    pub fn count(&self) -> u64 {
        self.above + self.buckets.iter().map(|(_, count)| count).sum::<u64>()
    }
}

/// The counts of one shard. What is above the bounds is the sum of all values less those in buckets; it has a place of its own.
pub(crate) struct Buckets<const N: usize> {
    counts: [AtomicU64; N],
    above: AtomicU64,
    sum: AtomicU64,
}

impl<const N: usize> Default for Buckets<N> {
    fn default() -> Self {
        Self { counts: [const { AtomicU64::new(0) }; N], above: AtomicU64::new(0), sum: AtomicU64::new(0) }
    }
}

impl<const N: usize> Buckets<N> {
    pub(crate) fn observe(&self, bounds: &[u64; N], value: u64) {
        let bucket = bounds.iter().position(|bound| value <= *bound);
        let count = bucket.map_or(&self.above, |bucket| &self.counts[bucket]);
        count.fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(value, Ordering::Relaxed);
    }

    /// All shards together.
    pub(crate) fn sum<'a>(bounds: &[u64; N], shards: impl Iterator<Item = &'a Self>) -> Histogram {
        let mut all = Histogram { buckets: bounds.iter().map(|bound| (*bound, 0)).collect(), above: 0, sum: 0 };
        for shard in shards {
            for ((_, all), count) in all.buckets.iter_mut().zip(&shard.counts) {
                *all += count.load(Ordering::Relaxed);
            }
            all.above += shard.above.load(Ordering::Relaxed);
            all.sum += shard.sum.load(Ordering::Relaxed);
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_in_the_first_bucket_that_it_is_not_above() {
        let (one, other) = (Buckets::default(), Buckets::default());
        [0, 1, 2, 3, 4_096].iter().for_each(|value| one.observe(&SIZES, *value));
        [3, 4_097].iter().for_each(|value| other.observe(&SIZES, *value));
        let all = Buckets::sum(&SIZES, [&one, &other].into_iter());
        let seen: Vec<_> = all.buckets.iter().filter(|(_, count)| *count > 0).copied().collect();
        assert_eq!(seen, [(1, 2), (2, 1), (4, 2), (4_096, 1)]);
        assert_eq!((all.above, all.sum, all.count()), (1, 1 + 2 + 3 + 4_096 + 3 + 4_097, 7));
    }

    #[test]
    fn bounds_rise() {
        assert!(TIMES.is_sorted() && SIZES.is_sorted());
    }
}
