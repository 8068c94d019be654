//! What an embedder may choose about deliveries.

use std::path::PathBuf;
use std::time::Duration;

/// How deliveries are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Requests under way at once; a room's are always one after the other. 4: enough to fill a backend that takes 50 ms for each.
    pub lanes: usize,
    /// The most events of one delivery. 100: about 20 KiB, and 400 KiB where messages are as long as they may be.
    pub batch_max: usize,
    /// How long a request may take, with connecting. 15 s, as Standard Webhooks advise.
    pub timeout: Duration,
    /// First and longest pause before a delivery is tried again; each is drawn between a half and the whole. 1 s and 5 min. A `retry-after`
    /// makes it longer, up to the longest.
    pub pause: (Duration, Duration),
    /// The certificates that servers are trusted by, as PEM. Without one, what `SSL_CERT_FILE` names, or where systems keep theirs. Not looked
    /// at for `http`.
    pub roots: Option<PathBuf>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            lanes: 4,
            batch_max: 100,
            timeout: Duration::from_secs(15),
            pause: (Duration::from_secs(1), Duration::from_secs(300)),
            roots: None,
        }
    }
}
