//! How long a log that is opened waits for a database that starts, restarts, or has no connection free.

use std::time::Duration;

use tokio::time::Instant;

use crate::error::OpenError;

/// How long it is tried: 32 s, for as long as a database is waited for that takes a connection and is silent.
const OPEN_PATIENCE: Duration = Duration::from_secs(32);
/// Between two attempts. A server that starts refuses cheaply.
const OPEN_PAUSE: Duration = Duration::from_millis(500);

/// Tries until it succeeds, fails for another reason than that the database cannot be connected to now, or has taken too long. Says once what is
/// waited for.
///
/// # Errors
/// Those of the last attempt.
pub(crate) async fn patiently<T, F>(attempt: impl Fn() -> F) -> Result<T, OpenError>
where
    F: Future<Output = Result<T, OpenError>>,
{
    let begun = Instant::now();
    let mut has_said = false;
    loop {
        match attempt().await {
            Err(OpenError::Unavailable(why)) if begun.elapsed() + OPEN_PAUSE < OPEN_PATIENCE => {
                if !has_said {
                    has_said = true;
                    tracing::warn!(error = why, at_most = ?OPEN_PATIENCE, "the log's database takes no connection yet: it is waited for");
                }
                tokio::time::sleep(OPEN_PAUSE).await;
            }
            ended => return ended,
        }
    }
}
