//! Where session ids, epochs, salts, room codes and delays are drawn from.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};

use crate::words::{Epoch, RoomCode, SessionId};

/// The thread's cryptographic generator, or in a simulation one that begins with a seed.
#[derive(Default)]
pub(crate) struct Chance {
    seeded: Option<Mutex<StdRng>>,
}

impl Chance {
    /// Draws the same in the same order for the same seed.
    pub(crate) fn seeded(seed: u64) -> Self {
        Self { seeded: Some(Mutex::new(StdRng::seed_from_u64(seed))) }
    }

    pub(crate) fn secret(&self) -> [u8; 32] {
        self.draw(|rng| rng.random())
    }

    pub(crate) fn session(&self) -> SessionId {
        SessionId::new(self.draw(|rng| rng.random()))
    }

    pub(crate) fn epoch(&self) -> Epoch {
        #[cfg(feature = "planted")]
        if crate::planted::is(crate::planted::Bug::ForgetEpoch) {
            return Epoch(7);
        }
        Epoch(self.draw(|rng| rng.random()))
    }

    pub(crate) fn salt(&self) -> u64 {
        self.draw(|rng| rng.random())
    }

    /// From nothing up to `most`, in whole milliseconds.
    pub(crate) fn delay(&self, most: Duration) -> Duration {
        let most = u64::try_from(most.as_millis()).unwrap_or(u64::MAX);
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
            Some(seeded) => draw(&mut *seeded.lock().unwrap_or_else(PoisonError::into_inner)),
        }
    }
}
