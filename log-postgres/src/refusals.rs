//! What is said of a database that is there and takes no appends, as one whose disk is full: at once, then once a minute, and once when it takes them.

use std::time::Duration;

use tokio::time::Instant;

/// How often it is said at most, whoever fails how often in between.
const SAID_EVERY: Duration = Duration::from_secs(60);

/// Since when appends have failed, and what was said of it.
#[derive(Debug, Default)]
pub(crate) struct Refusals {
    since: Option<Instant>,
    said: Option<Instant>,
    /// Whether it was said of the failures of now.
    is_said: bool,
}

impl Refusals {
    /// An append has failed, or nobody knows. The words of the database name no room and no text: what they are about stands in details that are left
    /// out.
    pub(crate) fn failed(&mut self, error: &str) {
        let now = Instant::now();
        let since = *self.since.get_or_insert(now);
        if self.said.is_none_or(|said| now - said >= SAID_EVERY) {
            (self.said, self.is_said) = (Some(now), true);
            tracing::warn!(error, lasting = ?(now - since), "the log's database takes no appends: messages are refused");
        }
    }

    /// Appends were taken.
    pub(crate) fn taken(&mut self) {
        let Some(since) = self.since.take() else { return };
        if std::mem::take(&mut self.is_said) {
            tracing::info!(lasted = ?since.elapsed(), "the log's database takes appends again");
        }
    }
}
