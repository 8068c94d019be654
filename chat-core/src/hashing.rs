//! The keys of hash tables whose order can be noticed.

use std::hash::{BuildHasher, DefaultHasher, Hasher};

use rand::RngExt;

/// Hashes under a secret key that nobody who chooses what is hashed knows. In a simulation the key is the seed's, so that a table is gone through in
/// the same order each time.
#[derive(Clone)]
pub(crate) struct Hashing(DefaultHasher);

impl Default for Hashing {
    fn default() -> Self {
        Self::keyed(rand::rng().random())
    }
}

impl Hashing {
    /// Of a simulation.
    pub(crate) fn seeded(seed: u64) -> Self {
        Self::keyed([seed, 0])
    }

    fn keyed(key: [u64; 2]) -> Self {
        let mut hasher = DefaultHasher::new();
        key.into_iter().for_each(|half| hasher.write_u64(half));
        Self(hasher)
    }
}

impl BuildHasher for Hashing {
    type Hasher = DefaultHasher;

    fn build_hasher(&self) -> DefaultHasher {
        self.0.clone()
    }
}
