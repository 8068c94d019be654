//! Who works on a log: one engine at a time, because a second would take the members of the first for people who have gone.

use std::fmt;
use std::sync::{Arc, Mutex, Weak};

use crate::locks::lock;

/// Held by an engine from before it reads its log until nothing of it is left that could write; dropping it gives the log back.
#[must_use = "dropping it gives the log back"]
pub struct LogClaim(#[expect(dead_code, reason = "it is there to be dropped")] Box<dyn Send + Sync>);

/// Another engine works on the log, or something of it still does: a session that is not dropped, a room that waits for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("another engine works on this log")]
pub struct LogInUse;

/// What a log keeps so that it can answer [`Log::claim`](super::Log::claim).
///
/// ```
/// use chat_core::{LogInUse, ExclusiveClaim};
///
/// let engines = ExclusiveClaim::default();
/// let first = engines.claim()?;
/// assert_eq!(engines.claim().err(), Some(LogInUse));
/// drop(first);
/// let _second = engines.claim()?;
/// # Ok::<(), LogInUse>(())
/// ```
#[derive(Debug, Default)]
pub struct ExclusiveClaim {
    claimed: Mutex<Weak<()>>,
}

impl LogClaim {
    /// A claim that is given up when `guard` is dropped: a lock on a file, a lease.
    pub fn new(guard: impl Send + Sync + 'static) -> Self {
        Self(Box::new(guard))
    }
}

impl ExclusiveClaim {
    /// Claims the log.
    ///
    /// # Errors
    /// [`LogInUse`] while an earlier claim is held.
    pub fn claim(&self) -> Result<LogClaim, LogInUse> {
        let mut claimed = lock(&self.claimed);
        if claimed.strong_count() > 0 {
            return Err(LogInUse);
        }
        let guard = Arc::new(());
        *claimed = Arc::downgrade(&guard);
        Ok(LogClaim::new(guard))
    }
}

impl fmt::Debug for LogClaim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogClaim").finish_non_exhaustive()
    }
}
