//! How long a log that is opened waits for a database that starts, restarts, or has no connection free.

use std::time::Duration;

use tokio::time::Instant;

use crate::error::OpenError;

/// How long it is tried: 32 s, for as long as a database is waited for that takes a connection and is silent.
const OPEN_PATIENCE: Duration = Duration::from_secs(32);
/// Between two attempts. A server that starts refuses cheaply.
const OPEN_PAUSE: Duration = Duration::from_millis(500);

/// What is left of it for one log. No closure is tried again by it: its future could not be sent between threads wherever it borrows.
pub(crate) struct Patience {
    begun: Instant,
    has_said: bool,
}

impl Patience {
    pub(crate) fn begin() -> Self {
        Self { begun: Instant::now(), has_said: false }
    }

    /// Waits until it can be tried again, and says once what is waited for.
    ///
    /// # Errors
    /// This one, where it is another than that the database cannot be connected to now, or has been that for too long.
    pub(crate) async fn wait(&mut self, error: OpenError) -> Result<(), OpenError> {
        let OpenError::Unavailable(why) = &error else { return Err(error) };
        if self.begun.elapsed() + OPEN_PAUSE >= OPEN_PATIENCE {
            return Err(error);
        }
        if !self.has_said {
            self.has_said = true;
            tracing::warn!(error = why, at_most = ?OPEN_PATIENCE, "the log's database takes no connection yet: it is waited for");
        }
        tokio::time::sleep(OPEN_PAUSE).await;
        Ok(())
    }
}
