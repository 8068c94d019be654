//! What those who share an address or an identity may say and show together, in messages and bytes of text, and be answered, in bytes.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use crate::engine::session::bucket::Bucket;
use crate::engine::session::remembered::Remembered;
use crate::locks::lock;
use crate::types::{EngineLimits, Identity, Mono};

/// What an end costs, of what an hour brings.
const END: u32 = 3_600;

/// What all sessions of one address, one network of addresses or one identity may say and be answered.
pub(crate) struct SharedAllowance {
    said: Mutex<Said>,
    /// Bytes of texts of messages that grow.
    live: Mutex<Bucket>,
    /// Bytes of answers.
    answered: Mutex<Bucket>,
    /// Sessions ended, in parts of an [`END`].
    ends: Mutex<Bucket>,
    /// How many times as much as one address.
    times: u32,
    /// Pays as much, each time: the network that the address is of.
    network: Option<Arc<SharedAllowance>>,
}

struct Said {
    messages: Bucket,
    bytes: Bucket,
}

/// Something to say: how many messages it is, and how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Price {
    pub(crate) messages: u32,
    pub(crate) bytes: u32,
}

impl SharedAllowance {
    pub(crate) fn full(times: u32, network: Option<Arc<SharedAllowance>>, limits: &EngineLimits, now: Mono) -> Self {
        let [messages, bytes, answered] = bounds(limits, times).map(|(burst, _)| Bucket::full(burst, now));
        let said = Said { messages, bytes };
        let ends = Bucket::full(end_bounds(limits, times).0, now);
        let live = Mutex::new(Bucket::full(live_bounds(limits, times).0, now));
        Self { said: Mutex::new(said), live, answered: Mutex::new(answered), ends: Mutex::new(ends), times, network }
    }

    /// Pays for the end of a session, which is remembered for long.
    ///
    /// # Errors
    /// How long until another may be ended.
    pub(crate) fn end(&self, limits: &EngineLimits, now: Mono) -> Result<(), Duration> {
        let look = |level: &SharedAllowance| {
            let (burst, rate) = end_bounds(limits, level.times);
            lock(&level.ends).look_for(END, now, burst, rate)
        };
        self.levels().map(look).fold(Ok(()), both)?;
        self.levels().for_each(|level| lock(&level.ends).spend(END));
        Ok(())
    }

    /// Pays for so many bytes of a message that grows; for nothing where it is refused, here or by `others`, who pay too.
    ///
    /// # Errors
    /// How long until they may be shown.
    pub(crate) fn show_live(
        &self,
        bytes: u32,
        limits: &EngineLimits,
        now: Mono,
        others: Result<(), Duration>,
    ) -> Result<(), Duration> {
        let look = |level: &SharedAllowance| {
            let (burst, rate) = live_bounds(limits, level.times);
            lock(&level.live).look_for(bytes, now, burst, rate)
        };
        self.levels().map(look).fold(others, both)?;
        self.levels().for_each(|level| lock(&level.live).spend(bytes));
        Ok(())
    }

    /// It was paid for nothing.
    pub(crate) fn ended_nothing(&self) {
        self.levels().for_each(|level| lock(&level.ends).put_back(END));
    }

    /// Pays for something that is said; for nothing where it is refused, here or by `others`, who pay too.
    ///
    /// # Errors
    /// How long until it may be said.
    pub(crate) fn pay(
        &self,
        price: Price,
        limits: &EngineLimits,
        now: Mono,
        others: Result<(), Duration>,
    ) -> Result<(), Duration> {
        if limits.address_sends_per_second == 0 && limits.address_said_bytes_per_second == 0 {
            return others;
        }
        let mut said = self.lock();
        let own = said.look(price, self.times, limits, now);
        let all = both(own, others);
        let all = match &self.network {
            None => all,
            Some(network) => network.pay(price, limits, now, all),
        };
        if all.is_ok() {
            said.spend(price);
        }
        all
    }

    /// It was paid for nothing.
    pub(crate) fn put_back(&self, price: Price) {
        let mut said = self.lock();
        said.messages.put_back(price.messages);
        said.bytes.put_back(price.bytes);
        drop(said);
        if let Some(network) = &self.network {
            network.put_back(price);
        }
    }

    /// Whether something that shows much may be asked for.
    ///
    /// # Errors
    /// How long until nothing is owed.
    pub(crate) fn may_ask(&self, limits: &EngineLimits, now: Mono) -> Result<(), Duration> {
        self.look_at_answered(|answered, burst, rate| answered.look(now, burst, rate), limits)
    }

    /// Whether somebody may come back, and perhaps be shown their rooms afresh.
    ///
    /// # Errors
    /// How long until no more than a burst is owed.
    pub(crate) fn may_come_back(&self, limits: &EngineLimits, now: Mono) -> Result<(), Duration> {
        self.look_at_answered(|answered, burst, rate| answered.look_at_debt(now, burst, rate), limits)
    }

    fn look_at_answered(
        &self,
        look: impl Fn(&mut Bucket, u32, u32) -> Result<(), Duration>,
        limits: &EngineLimits,
    ) -> Result<(), Duration> {
        let of_level = |level: &SharedAllowance| {
            let [_, _, (burst, rate)] = bounds(limits, level.times);
            look(&mut level.lock_answered(), burst, rate)
        };
        self.levels().map(of_level).fold(Ok(()), both)
    }

    /// Pays for so many bytes of answers, or owes them.
    pub(crate) fn answer(&self, bytes: u32) {
        self.levels().for_each(|level| level.lock_answered().spend(bytes));
    }

    /// Pays for so many bytes that came unasked. At most a burst is owed for them: nobody is kept from coming back by what others of
    /// their address miss.
    pub(crate) fn answer_unasked(&self, bytes: u32, limits: &EngineLimits) {
        for level in self.levels() {
            let [_, _, (burst, _)] = bounds(limits, level.times);
            level.lock_answered().owe_some(bytes, burst);
        }
    }

    /// So many bytes were paid for nothing.
    pub(crate) fn answer_less(&self, bytes: u32) {
        self.levels().for_each(|level| level.lock_answered().put_back(bytes));
    }

    /// This, and the network it is of.
    fn levels(&self) -> impl Iterator<Item = &SharedAllowance> {
        std::iter::successors(Some(self), |level| level.network.as_deref())
    }

    fn lock_answered(&self) -> MutexGuard<'_, Bucket> {
        lock(&self.answered)
    }

    /// Whether nothing has been said for so long that it is as good as new.
    pub(crate) fn is_full(&self, limits: &EngineLimits, now: Mono) -> bool {
        let [(burst, rate), (bytes_burst, bytes_rate), (answered_burst, answered_rate)] = bounds(limits, self.times);
        let (end_burst, end_rate) = end_bounds(limits, self.times);
        let (live_burst, live_rate) = live_bounds(limits, self.times);
        let mut said = self.lock();
        lock(&self.ends).is_full(now, end_burst, end_rate)
            && lock(&self.live).is_full(now, live_burst, live_rate)
            && said.messages.is_full(now, burst, rate)
            && said.bytes.is_full(now, bytes_burst, bytes_rate)
            && self.lock_answered().is_full(now, answered_burst, answered_rate)
    }

    fn lock(&self) -> MutexGuard<'_, Said> {
        lock(&self.said)
    }
}

impl Said {
    fn look(&mut self, price: Price, times: u32, limits: &EngineLimits, now: Mono) -> Result<(), Duration> {
        let [(burst, rate), (bytes_burst, bytes_rate), _] = bounds(limits, times);
        let messages = self.messages.look_for(price.messages, now, burst, rate);
        both(messages, self.bytes.look_for(price.bytes, now, bytes_burst, bytes_rate))
    }

    fn spend(&mut self, price: Price) {
        self.messages.spend(price.messages);
        self.bytes.spend(price.bytes);
    }
}

/// At once and per second, of messages, of bytes of text, and of bytes of answers.
fn bounds(limits: &EngineLimits, times: u32) -> [(u32, u32); 3] {
    [
        (limits.address_send_burst, limits.address_sends_per_second),
        (limits.address_said_bytes_burst, limits.address_said_bytes_per_second),
        (limits.address_answered_bytes_burst, limits.address_answered_bytes_per_second),
    ]
    .map(|(burst, rate)| (burst.saturating_mul(times), rate.saturating_mul(times)))
}

/// At once and per second, in parts of an [`END`].
fn end_bounds(limits: &EngineLimits, times: u32) -> (u32, u32) {
    (
        limits.address_end_burst.saturating_mul(END).saturating_mul(times),
        limits.address_ends_per_hour.saturating_mul(times),
    )
}

/// At once and per second, of bytes of messages that grow.
fn live_bounds(limits: &EngineLimits, times: u32) -> (u32, u32) {
    let (burst, rate) = (limits.address_live_bytes_burst, limits.address_live_bytes_per_second);
    (burst.saturating_mul(times), rate.saturating_mul(times))
}

/// Whether both allow it; else the longer wait.
pub(crate) fn both(one: Result<(), Duration>, other: Result<(), Duration>) -> Result<(), Duration> {
    one.err().max(other.err()).map_or(Ok(()), Err)
}

/// What identities may say and be answered. A person pays from the same one wherever they are.
#[derive(Default)]
pub(crate) struct SharedAllowances {
    table: Mutex<Remembered<Identity, SharedAllowance>>,
}

impl SharedAllowances {
    pub(crate) fn of(&self, identity: &Identity, limits: &EngineLimits, now: Mono) -> Arc<SharedAllowance> {
        let mut table = lock(&self.table);
        let is_as_new = |shared_allowance: &SharedAllowance| shared_allowance.is_full(limits, now);
        table.cell(identity.clone(), limits.addresses_max, is_as_new, || SharedAllowance::full(1, None, limits, now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_one_of_two_bounds_is_lifted_the_other_holds() {
        let limits = EngineLimits::default();
        let no_messages = EngineLimits { address_sends_per_second: 0, ..limits };
        let no_bytes = EngineLimits { address_said_bytes_per_second: 0, ..limits };
        let many = Price { messages: limits.address_send_burst, bytes: 1 };
        let long = Price { messages: 1, bytes: limits.address_said_bytes_burst };
        for (limits, price, is_bounded) in [
            (&limits, many, true),
            (&no_messages, many, false),
            (&no_bytes, many, true),
            (&no_messages, long, true),
            (&no_bytes, long, false),
        ] {
            let allowance = SharedAllowance::full(1, None, limits, Mono(0));
            let say = || allowance.pay(price, limits, Mono(0), Ok(()));
            say().expect("a burst");
            assert_eq!(say().is_err(), is_bounded, "{price:?}");
        }
    }

    #[test]
    fn what_grows_is_paid_by_the_address_and_by_its_network_and_for_nothing_where_it_is_refused() {
        let limits =
            EngineLimits { address_live_bytes_burst: 10, address_live_bytes_per_second: 1, ..EngineLimits::default() };
        let network = Arc::new(SharedAllowance::full(2, None, &limits, Mono(0)));
        let [one, other, third] =
            [(); 3].map(|()| SharedAllowance::full(1, Some(Arc::clone(&network)), &limits, Mono(0)));
        let show = |of: &SharedAllowance, bytes| of.show_live(bytes, &limits, Mono(0), Ok(()));
        assert_eq!(show(&one, 8), Ok(()));
        assert_eq!(show(&one, 8), Err(Duration::from_secs(6)));
        let refused = other.show_live(8, &limits, Mono(0), Err(Duration::from_secs(9)));
        assert_eq!(refused, Err(Duration::from_secs(9)), "by others, and nothing is paid");
        assert_eq!(show(&other, 10), Ok(()));
        assert_eq!(show(&third, 8), Err(Duration::from_secs(3)), "the network has two left, and twice the rate");
        assert_eq!(show(&third, 2), Ok(()));
    }

    #[test]
    fn it_is_as_new_only_where_nothing_at_all_is_owed() {
        let limits = EngineLimits::default();
        let full = || SharedAllowance::full(1, None, &limits, Mono(0));
        assert!(full().is_full(&limits, Mono(0)));
        for price in [Price { messages: 1, bytes: 0 }, Price { messages: 0, bytes: 1 }] {
            let said = full();
            said.pay(price, &limits, Mono(0), Ok(())).expect("the first");
            assert!(!said.is_full(&limits, Mono(0)), "{price:?}");
        }
        let answered = full();
        answered.answer(1);
        assert!(!answered.is_full(&limits, Mono(0)));
        let live = full();
        live.show_live(1, &limits, Mono(0), Ok(())).expect("the first");
        assert!(!live.is_full(&limits, Mono(0)));
    }
}
