//! A durable log for many rooms in one file, on redb: the [`Log`](chat_core::Log) port of chat-core.
//!
//! ```
//! use std::sync::Arc;
//!
//! use chat_core::Engine;
//! use log_redb::{Options, RedbLog};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let dir = folder.path();
//! let log = Arc::new(RedbLog::open(dir, Options::default())?);
//! let engine = Engine::builder().log(Arc::clone(&log) as _)?.secret(log_redb::secret(dir)?).build();
//! // ... serve, and when everybody has gone:
//! drop(engine);
//! log.close().await?;
//! # Ok(())
//! # }
//! ```
//!
//! With a feed, a backend reads everything that happens in all rooms, and goes on where it was after a crash of either:
//!
//! ```
//! use std::sync::Arc;
//!
//! use chat_core::{Engine, FeedBounds, FeedName};
//! use log_redb::{Options, RedbLog};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let dir = folder.path();
//! # async fn index(_: &str) {}
//! # let is_over = || true;
//! let options = Options { feed: Some(FeedBounds::default()), ..Options::default() };
//! let engine = Engine::builder().log(Arc::new(RedbLog::open(dir, options)?))?.build();
//!
//! let name = FeedName::parse("search-index").expect("1 to 32 of a-z 0-9 - _");
//! let mut feed = engine.feed_of(name).await?;
//! while !is_over() {
//!     let page = feed.next().await?;
//!     for event in &page.events {
//!         index(&event.json).await;
//!     }
//!     feed.done(&page).await?;
//! }
//! # Ok(())
//! # }
//! ```
//!
//! - One thread writes. What many rooms append while it waits for the disk becomes one commit, and is answered together.
//! - Reads run on snapshots of the file, beside the writer and never on a thread of the async runtime.
//! - [`RedbLog::backup`] copies a log that is in use, and [`restore`] makes a log of such a copy.
//! - After a failed write the file is closed and opened again; until then reads are unavailable and nothing is written.
//! - What lies in the file is on the page `FORMAT.md`; what does not look like it is refused by name, never guessed at.
//! - Opening or reading a file whose page numbers are damaged may take up to 4 GiB of memory once: redb clears a page as long
//!   as its number says before it reads it.

mod apply;
mod backup;
mod compact;
mod copies;
mod feed;
mod feed_read;
mod feed_rows;
mod format;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod log;
mod options;
mod ownership;
mod read;
mod request;
mod restore;
mod secret;
mod slack;
mod store;
mod tables;
mod trim;
mod writer;

pub use backup::{Backup, BackupError, BackupFolder, backup};
pub use log::RedbLog;
pub use options::{Durability, Options, Retention, Verify};
pub use restore::{RestoreError, restore};
pub use secret::secret;
pub use store::{FILE_NAME, OpenError, Place};

/// What [`Place::storage`] is made of, for those who bring their own storage.
pub use redb;
