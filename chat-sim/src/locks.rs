//! Locks that outlive a panic: injected bugs and the embedders of some worlds panic on purpose, and the world goes on to its verdict.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks it, whether or not somebody panicked while they held it.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
