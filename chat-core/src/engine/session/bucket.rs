//! Token buckets: how often something may be done.

use std::time::Duration;

use crate::types::Mono;

/// A token bucket: so many at once after a pause, so many per second in the long run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket {
    /// Thousandths of a token; below 0 where something was done that could not be refused.
    level: i64,
    filled: Mono,
}

const TOKEN: i64 = 1_000;

impl Bucket {
    pub(crate) fn full(burst: u32, now: Mono) -> Self {
        Self { level: i64::from(burst.max(1)) * TOKEN, filled: now }
    }

    /// Whether there is a token. A rate of 0 is no bound.
    ///
    /// # Errors
    /// How long until there is one.
    pub(crate) fn look(&mut self, now: Mono, burst: u32, per_second: u32) -> Result<(), Duration> {
        self.look_for(1, now, burst, per_second)
    }

    /// Whether there are so many tokens. What costs more than a burst may be had for a burst, or it never could; the rest is
    /// owed.
    ///
    /// # Errors
    /// How long until there are.
    pub(crate) fn look_for(&mut self, amount: u32, now: Mono, burst: u32, per_second: u32) -> Result<(), Duration> {
        self.reach(i64::from(amount.min(burst.max(1))) * TOKEN, now, burst, per_second)
    }

    /// Whether no more than a burst is owed.
    ///
    /// # Errors
    /// How long until no more is.
    pub(crate) fn look_at_debt(&mut self, now: Mono, burst: u32, per_second: u32) -> Result<(), Duration> {
        self.reach(-i64::from(burst.max(1)) * TOKEN, now, burst, per_second)
    }

    /// Whether the level is at least so many thousandths of a token.
    fn reach(&mut self, needed: i64, now: Mono, burst: u32, per_second: u32) -> Result<(), Duration> {
        if per_second == 0 {
            return Ok(());
        }
        // A token per second is a thousandth of a token per millisecond: no rounding, however often this is called.
        let earned = (now.since(self.filled).as_millis() as i64).saturating_mul(i64::from(per_second));
        // Who read the clock first may come second: time that has been paid for is not earned once more.
        self.filled = self.filled.max(now);
        self.level = self.level.saturating_add(earned).min(i64::from(burst.max(1)) * TOKEN);
        if self.level < needed {
            let missing = (needed - self.level).unsigned_abs();
            return Err(Duration::from_millis(missing.div_ceil(u64::from(per_second))));
        }
        Ok(())
    }

    /// Takes so many tokens, which have been looked for.
    pub(crate) fn spend(&mut self, amount: u32) {
        self.level = self.level.saturating_sub(i64::from(amount) * TOKEN);
    }

    /// Puts tokens back: they were taken for nothing.
    pub(crate) fn put_back(&mut self, amount: u32) {
        self.level = self.level.saturating_add(i64::from(amount) * TOKEN);
    }

    /// Takes a token that may not be there, for something that is known only once it is done. At most a burst is owed: who
    /// shares an address with a guesser is not to pay for ever.
    pub(crate) fn owe(&mut self, burst: u32) {
        self.owe_some(1, burst);
    }

    /// As [`Bucket::owe`], for so many tokens. Debts from before stay.
    pub(crate) fn owe_some(&mut self, amount: u32, burst: u32) {
        let most = -i64::from(burst.max(1)) * TOKEN;
        self.level = self.level.saturating_sub(i64::from(amount) * TOKEN).max(most.min(self.level));
    }

    /// Whether nothing has been taken for so long that it is as good as new.
    pub(crate) fn is_full(&mut self, now: Mono, burst: u32, per_second: u32) -> bool {
        self.look(now, burst, per_second).is_ok() && (per_second == 0 || self.level >= i64::from(burst.max(1)) * TOKEN)
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    impl Bucket {
        fn take(&mut self, now: Mono, burst: u32, per_second: u32) -> Result<(), Duration> {
            self.look(now, burst, per_second)?;
            self.spend(1);
            Ok(())
        }
    }

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Take(u32),
        Look(u32),
        PutBack,
    }

    /// What is done, how many milliseconds after the step before it, and how long after its clock was read.
    fn steps() -> impl Strategy<Value = Vec<(Step, u64, u64)>> {
        let amount = || prop_oneof![3 => Just(1), 1 => 0..9_u32];
        let step = prop_oneof![
            6 => amount().prop_map(Step::Take),
            2 => amount().prop_map(Step::Look),
            1 => Just(Step::PutBack),
        ];
        let wait = prop_oneof![3 => 0..20_u64, 1 => 0..600_u64];
        vec((step, wait, 0..4_u64), 1..120)
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn from_any_moment_on_no_schedule_gets_more_than_a_burst_and_the_rate(
            burst in 1..6_u32,
            per_second in 1..60_u32,
            steps in steps(),
        ) {
            let mut bucket = Bucket::full(burst, Mono(0));
            let (mut clock, mut latest) = (10, 0);
            // When, how many (below 0 where they were put back), and how many had to be there.
            let mut taken: Vec<(u64, i64, i64)> = Vec::new();
            let mut not_put_back: Vec<u32> = Vec::new();
            for (step, wait, late) in steps {
                clock += wait;
                let now = Mono(clock - late);
                if !matches!(step, Step::PutBack) {
                    latest = latest.max(now.0);
                }
                match step {
                    Step::Take(amount) => match bucket.look_for(amount, now, burst, per_second) {
                        Ok(()) => {
                            bucket.spend(amount);
                            taken.push((latest, i64::from(amount), i64::from(amount.min(burst))));
                            not_put_back.push(amount);
                        }
                        Err(wait) => {
                            let at = Mono(latest).after(wait);
                            let mut waits = bucket;
                            let too_early = waits.look_for(amount, Mono(at.0 - 1), burst, per_second);
                            prop_assert!(too_early.is_err(), "{wait:?} is too long");
                            let in_time = waits.look_for(amount, at, burst, per_second);
                            prop_assert!(in_time.is_ok(), "{wait:?} is too short");
                        }
                    },
                    Step::Look(amount) => drop(bucket.look_for(amount, now, burst, per_second)),
                    Step::PutBack => if let Some(amount) = not_put_back.pop() {
                        bucket.put_back(amount);
                        taken.push((latest, -i64::from(amount), 0));
                    },
                }
            }
            for (start, &(from, first, _)) in taken.iter().enumerate().filter(|(_, (_, amount, _))| *amount > 0) {
                let mut granted = 0;
                for &(at, amount, needed) in &taken[start..] {
                    let earned = (at - from) as i64 * i64::from(per_second);
                    prop_assert!(
                        amount <= 0 || (granted + needed) * TOKEN <= i64::from(burst) * TOKEN + earned,
                        "{granted} and then {amount} tokens within {} ms after {first}, with bursts of {burst} and {per_second} \
                         per second",
                        at - from
                    );
                    granted += amount;
                }
            }
        }
    }

    #[test]
    fn a_bucket_gives_a_burst_and_then_its_rate() {
        let mut bucket = Bucket::full(2, Mono(0));
        assert_eq!(bucket.take(Mono(0), 2, 5), Ok(()));
        assert_eq!(bucket.take(Mono(0), 2, 5), Ok(()));
        assert_eq!(bucket.take(Mono(0), 2, 5), Err(Duration::from_millis(200)));
        assert_eq!(bucket.take(Mono(199), 2, 5), Err(Duration::from_millis(1)));
        assert_eq!(bucket.take(Mono(200), 2, 5), Ok(()));
        assert_eq!(bucket.take(Mono(10_000), 2, 5), Ok(()));
        assert_eq!(bucket.take(Mono(10_000), 2, 5), Ok(()));
        assert!(bucket.take(Mono(10_000), 2, 5).is_err(), "a long pause earns no more than a burst");
    }

    #[test]
    fn a_rate_of_zero_is_no_bound() {
        let mut bucket = Bucket::full(1, Mono(0));
        assert!((0..1_000).all(|_| bucket.take(Mono(0), 1, 0).is_ok()));
    }

    #[test]
    fn what_is_owed_is_earned_first() {
        let mut bucket = Bucket::full(2, Mono(0));
        (0..50).for_each(|_| bucket.owe(2));
        assert_eq!(bucket.look(Mono(0), 2, 1), Err(Duration::from_secs(3)));
        assert!(!bucket.is_full(Mono(3_999), 2, 1));
        assert_eq!(bucket.look(Mono(3_999), 2, 1), Ok(()));
        assert!(bucket.is_full(Mono(4_000), 2, 1));
    }

    #[test]
    fn of_what_comes_unasked_no_more_than_a_burst_is_owed_and_nothing_is_forgiven() {
        let mut bucket = Bucket::full(2, Mono(0));
        (0..50).for_each(|_| bucket.owe_some(7, 2));
        assert_eq!(bucket.look(Mono(0), 2, 1), Err(Duration::from_secs(3)));
        assert_eq!(bucket.look_at_debt(Mono(0), 2, 1), Ok(()));
        bucket.spend(3);
        bucket.owe_some(7, 2);
        assert_eq!(bucket.look(Mono(0), 2, 1), Err(Duration::from_secs(6)));
        assert_eq!(bucket.look_at_debt(Mono(0), 2, 1), Err(Duration::from_secs(3)));
        assert_eq!(bucket.look_at_debt(Mono(3_000), 2, 1), Ok(()));
    }

    #[test]
    fn a_token_put_back_can_be_taken_again() {
        let mut bucket = Bucket::full(1, Mono(0));
        assert_eq!(bucket.take(Mono(0), 1, 1), Ok(()));
        bucket.put_back(1);
        assert_eq!(bucket.take(Mono(0), 1, 1), Ok(()));
    }

    #[test]
    fn what_costs_more_than_a_burst_passes_alone_and_is_paid_for_afterwards() {
        let mut bucket = Bucket::full(4, Mono(0));
        assert_eq!(bucket.look_for(10, Mono(0), 4, 1), Ok(()));
        bucket.spend(10);
        assert_eq!(bucket.look_for(1, Mono(0), 4, 1), Err(Duration::from_secs(7)));
        assert_eq!(bucket.look_for(10, Mono(9_999), 4, 1), Err(Duration::from_millis(1)));
        assert_eq!(bucket.look_for(10, Mono(10_000), 4, 1), Ok(()));
    }
}
