//! Servers of one chat service that share a PostgreSQL database: who owns what, and the links between them.
//!
//! ```no_run
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! use chat_core::{Engine, Limits};
//! use cluster_postgres::{JoinOptions, PgCluster};
//!
//! # async fn serve() -> Result<(), Box<dyn std::error::Error>> {
//! let options = JoinOptions {
//!     log: log_postgres::Options { name: "chat-1".to_owned(), ..log_postgres::Options::default() },
//!     listen: "10.0.0.5:7000".parse()?,
//!     address: None,
//!     lease: Duration::from_secs(5),
//!     setup: log_postgres::Setup::of(&Limits::default()),
//! };
//! let (log, cluster) = PgCluster::join("postgres://chat@db.internal/chat", options).await?;
//! let (log, cluster) = (Arc::new(log), Arc::new(cluster));
//! let secret = log.secret().await?;
//! let engine = Engine::builder().log(Arc::clone(&log) as _)?.cluster(Arc::clone(&cluster) as _).secret(secret).build();
//! // ... serve until the end, or until `log.deposed()`, and then:
//! cluster.drain(Duration::from_secs(10)).await;
//! engine.drain(Duration::from_secs(5)).await;
//! log.close().await?;
//! # Ok(())
//! # }
//! ```
//!
//! - **The database decides and keeps**: every room is one server's at any time, by its slot, and whoever has it no more writes nothing of it
//!   (`log-postgres`). The links carry, and nothing that one of them loses is the truth of anything.
//! - A server that is killed loses its rooms to the others a little after its lease; one that goes in order gives them first ([`PgCluster::drain`]).
//! - [`links`] is a full mesh of TLS 1.3 connections, whose certificates are drawn at each start and known from the table of servers. It is meant for
//!   up to 32 servers.

mod cluster;
pub mod links;
mod told;

pub use cluster::{JoinError, JoinOptions, PgCluster, Standing};
