//! Your log: where rooms live on when the process ends.
//!
//! Without a log rooms live in memory. With one, nothing is acked, shown or counted before the log has it.
//!
//! # In a file
//!
#![cfg_attr(feature = "redb", doc = "```")]
#![cfg_attr(not(feature = "redb"), doc = "```ignore")]
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! use roomlog::redb::{Options, RedbLog, Retention, secret};
//! use roomlog::{Engine, Limits};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let dir = folder.path();
//! let retention = Retention { age_max: Some(Duration::from_secs(30 * 86_400)), ..Retention::default() };
//! let log = Arc::new(RedbLog::open(dir, Options { retention, ..Options::default() })?);
//! let mut limits = Limits::default();
//! limits.room.empty_linger = Duration::from_secs(7 * 86_400);
//! let engine = Engine::builder().limits(limits).log(Arc::clone(&log) as _)?.secret(secret(dir)?).build();
//! // ... serve, drain, and when everybody has gone:
//! drop(engine);
//! log.close().await?;
//! # Ok(())
//! # }
//! ```
//!
//! - The folder belongs to one process at a time, and holds the secret that sessions are signed with.
//! - `empty_linger` says how long a room lives after its last member has left: nothing by default, so that it goes at once, log or not.
//! - `Retention` bounds what is kept of each room: messages, bytes, age.
//! - `RedbLog::backup` copies a log that is in use, and `restore` makes a log of the copy.
//! - `Durability::Synced`, the default, acks what the disk has confirmed.
//!
//! # In PostgreSQL
//!
#![cfg_attr(feature = "postgres", doc = "```no_run")]
#![cfg_attr(not(feature = "postgres"), doc = "```ignore")]
//! use std::sync::Arc;
//!
//! use roomlog::Engine;
//! use roomlog::postgres::{Options, PgLog};
//!
//! # async fn open() -> Result<(), Box<dyn std::error::Error>> {
//! let log = Arc::new(PgLog::open("postgres:///chat?host=/run/postgresql", Options::default()).await?);
//! let secret = log.secret().await?;
//! let engine = Engine::builder().log(Arc::clone(&log) as _)?.secret(secret).build();
//! // ... serve until the end, or until another process has taken the rooms over:
//! let why = log.deposed().await;
//! # drop((engine, why));
//! # Ok(())
//! # }
//! ```
//!
//! `cluster::PgCluster` has several servers share one such database, and their rooms.
//!
//! # Anywhere else
//!
//! A log of your own is the port [`Log`](crate::port::Log). `chat-testkit` has its contract as tests: `check_a_log`, an example there, is a whole one.
