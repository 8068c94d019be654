//! What an embedder chooses: how durable an ack is, and how much of a room is kept.

use std::time::Duration;

use chat_core::FeedBounds;
pub use chat_core::Retention;

/// What an answered append has survived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Durability {
    /// The disk has confirmed it: an ack outlives a crash of the process and of the machine.
    #[default]
    Synced,
    /// It is written, and synced within [`Durability::RELAXED_WINDOW`]; the end of a session at once. A crash, of the process too, loses at most what was
    /// acked in that window; never a part of a batch, and never something older than what it keeps. An I/O error alone
    /// loses nothing: what the window held is written again.
    Relaxed,
}

impl Durability {
    /// The longest that something acked under [`Durability::Relaxed`] waits for its sync, while the disk keeps up.
    pub const RELAXED_WINDOW: Duration = Duration::from_millis(100);
}

/// How a [`RedbLog`](crate::RedbLog) is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// What an ack means.
    pub durability: Durability,
    /// How much of each room is kept.
    pub retention: Retention,
    /// Whether there is a feed of all rooms ([`LogFeed`](chat_core::LogFeed)), and how much it holds back. Without one nothing is paid for it.
    /// The feed begins when the file is first opened with it, and ends, with all of its cursors, when it is opened without.
    pub feed: Option<FeedBounds>,
    /// Memory for pages of the file, in bytes.
    pub cache_bytes: usize,
    /// Verifies the checksum of every page when the file is opened, also after a clean end. Reads the whole file.
    ///
    /// Without it only a file that was not closed properly is verified at once, and every record when it is read.
    pub verify: Verify,
}

/// When every page of the file is verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Verify {
    /// On opening after a crash.
    #[default]
    AfterCrash,
    /// On every opening.
    Always,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            durability: Durability::default(),
            retention: Retention::default(),
            feed: None,
            cache_bytes: 64 << 20,
            verify: Verify::default(),
        }
    }
}
