//! Where session ids, epochs, salts, room codes and delays are drawn from.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};

use crate::hashing::Hashing;
use crate::locks::lock;
use crate::types::{Epoch, RoomCode, SessionId, Wall, millis};

/// The thread's cryptographic generator, or in a simulation one that begins with a seed.
#[derive(Default)]
pub(crate) struct IdSource {
    seeded: Option<Mutex<StdRng>>,
    /// The keys of all hash tables whose order can be noticed.
    hashing: Hashing,
    /// Sessions so far; begins again after the last.
    sessions: AtomicU16,
    /// The latest time that an id of a session names: where the clock is set back, they go on from there.
    newest: AtomicU64,
}

impl IdSource {
    /// Draws the same in the same order for the same seed.
    pub(crate) fn seeded(seed: u64) -> Self {
        let hashing = Hashing::seeded(seed);
        Self { seeded: Some(Mutex::new(StdRng::seed_from_u64(seed))), hashing, ..Self::default() }
    }

    /// For a hash table whose order can be noticed.
    pub(crate) fn hashing(&self) -> Hashing {
        self.hashing.clone()
    }

    pub(crate) fn secret(&self) -> [u8; 32] {
        self.draw(|rng| rng.random())
    }

    /// A ULID: the time, and of the 80 bits after it the first 16 count, so that ids sort as their sessions began.
    ///
    /// A room keeps its readers in this order, and goes along it with each message. Who connected one after the other lies side by
    /// side in memory, here and in the kernel; in an order of chance, every send would wait for memory longer.
    pub(crate) fn session(&self, now: Wall) -> SessionId {
        let time = u128::from(self.latest(now));
        let count = u128::from(self.sessions.fetch_add(1, Ordering::Relaxed));
        let drawn = u128::from(self.draw(|rng| rng.random::<u64>()));
        SessionId::new(time << 80 | count << 64 | drawn)
    }

    /// No session so far has a higher id than this. Those that are drawn from now on have, as if they began a millisecond later.
    pub(crate) fn last_session(&self, now: Wall) -> SessionId {
        let next = self.latest(now).saturating_add(1);
        self.newest.fetch_max(next, Ordering::Relaxed);
        SessionId::new((u128::from(next) << 80) - 1)
    }

    /// The latest time that an id of a session names.
    pub(crate) fn newest(&self, now: Wall) -> Wall {
        Wall(self.latest(now))
    }

    fn latest(&self, now: Wall) -> u64 {
        let now = now.min(Wall::MAX).0;
        self.newest.fetch_max(now, Ordering::Relaxed).max(now)
    }

    pub(crate) fn epoch(&self) -> Epoch {
        #[cfg(feature = "fault_injection")]
        if crate::fault_injection::is(crate::fault_injection::Bug::ForgetEpoch) {
            return Epoch(7);
        }
        Epoch(self.draw(|rng| rng.random()))
    }

    pub(crate) fn salt(&self) -> u64 {
        self.draw(|rng| rng.random())
    }

    /// From nothing up to `most`, in whole milliseconds.
    pub(crate) fn delay(&self, most: Duration) -> Duration {
        let most = millis(most);
        Duration::from_millis(self.draw(|rng| rng.random_range(0..=most)))
    }

    /// Eight letters. 26 does not divide 256: draws past 234 are drawn again, so that every letter is as likely as any other.
    pub(crate) fn code(&self) -> RoomCode {
        self.draw(|rng| {
            RoomCode::from_draw(std::array::from_fn(|_| {
                loop {
                    let byte: u8 = rng.random();
                    if byte < 234 {
                        return byte;
                    }
                }
            }))
        })
    }

    fn draw<T>(&self, draw: impl FnOnce(&mut dyn Rng) -> T) -> T {
        match &self.seeded {
            None => draw(&mut rand::rng()),
            Some(seeded) => draw(&mut *lock(seeded)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_sort_as_they_began() {
        let ids = IdSource::default();
        let times = [1, 1, 1, 2, 1_795_370_400_123, Wall::MAX.0];
        let ids: Vec<_> = times.iter().map(|&at| ids.session(Wall(at))).collect();
        assert!(ids.is_sorted(), "{ids:?}");
        assert_eq!(ids[4].bits() >> 80, 1_795_370_400_123);
    }

    #[test]
    fn the_last_session_lies_between_those_before_and_those_after() {
        let ids = IdSource::default();
        for at in [5, 5, 9, 3] {
            let before = ids.session(Wall(at));
            let last = ids.last_session(Wall(at));
            assert!(before <= last && last < ids.session(Wall(at)), "{before} {last}");
        }
    }

    #[test]
    fn two_engines_of_one_moment_draw_different_ids() {
        assert_ne!(IdSource::default().session(Wall(1)), IdSource::default().session(Wall(1)));
        assert_eq!(IdSource::seeded(7).session(Wall(1)), IdSource::seeded(7).session(Wall(1)));
    }

    #[test]
    fn codes_have_all_letters_and_no_two_salts_are_the_same() {
        let ids = IdSource::seeded(7);
        let letters: std::collections::BTreeSet<_> =
            (0..100).flat_map(|_| ids.code().as_str().chars().collect::<Vec<_>>()).collect();
        assert_eq!(letters.into_iter().collect::<String>(), "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
        assert_ne!(ids.salt(), ids.salt());
    }
}
