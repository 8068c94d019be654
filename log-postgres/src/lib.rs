//! A durable log for many rooms in PostgreSQL: the [`Log`](chat_core::Log) port of chat-core.
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use chat_core::Engine;
//! use log_postgres::{Options, PgLog};
//!
//! # async fn serve() -> Result<(), Box<dyn std::error::Error>> {
//! let log = Arc::new(PgLog::open("postgres://chat@localhost/chat", Options::default()).await?);
//! let engine = Engine::builder().log(Arc::clone(&log) as _)?.secret(log.secret().await?).build();
//! // ... serve until the end, or until `log.deposed()`, and then:
//! drop(engine);
//! log.close().await?;
//! # Ok(())
//! # }
//! ```
//!
//! - PostgreSQL decides and keeps: an append names the tail that it follows, and is one statement with its records. What many rooms append at
//!   once is one statement, too, and is answered together.
//! - One server at a time has the log. Opening it deposes whoever had it: what they had begun is there or not for good, and nothing of
//!   theirs comes after. Or several share it ([`PgLog::join`]): each has the rooms of some slots, and one that is silent loses them to the
//!   others in the same way.
//! - Where a connection is lost in the middle of a write, or the database warns, the outcome is not known. It is settled on another
//!   connection before anybody reads.
//! - The tables are on the page `SCHEMA.md`. PostgreSQL 14 or later, on a direct connection or through a pooler in session mode; what does not
//!   keep the rules is refused by name. TLS as the address says: `sslmode` is `disable`, `prefer`, `require`, or `verify-full` with
//!   `sslrootcert=FILE`.
//! - The crate `log`, at level debug, is given every value of every statement by the driver: cap the target `tokio_postgres` at info.

mod address;
mod agreement;
mod append;
mod appender;
mod change;
mod checks;
mod connection;
mod doubts;
mod encoded;
mod error;
mod feed;
mod feed_cursor;
mod feed_read;
mod group;
mod id;
mod keeper;
mod lane;
mod log;
mod log_feed;
mod members;
mod node;
mod options;
mod outage;
mod patience;
mod pool;
mod queue;
mod read;
mod refusals;
mod schema;
mod secret;
mod setup;
mod slots;
mod tls;
mod trim;

pub use address::is_local;
pub use checks::Copies;
pub use error::OpenError;
pub use log::PgLog;
pub use members::{Changed, Member, Members, Move};
pub use options::{Durability, MemberOptions, Options, Retention};
pub use setup::Setup;
