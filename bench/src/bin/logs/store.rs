//! The logs that are put beside each other, each opened where nothing is yet.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bench::postgres::{Postgres, Programs};
use chat_core::Log;
use log_postgres::{OpenError, PgLog};
use log_redb::RedbLog;

use super::Fault;

/// How long a new cluster may take until it takes connections.
const START_MAX: Duration = Duration::from_secs(30);

/// A log, with how durable its acks are.
#[derive(Debug)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    maker: Maker,
    is_relaxed: bool,
    /// What it is held against.
    pub(crate) beside: Option<&'static str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Maker {
    Redb,
    Postgres,
}

pub(crate) const KINDS: [Kind; 4] = [
    Kind { name: "redb", maker: Maker::Redb, is_relaxed: false, beside: None },
    Kind { name: "postgres", maker: Maker::Postgres, is_relaxed: false, beside: Some("redb") },
    Kind { name: "redb-relaxed", maker: Maker::Redb, is_relaxed: true, beside: None },
    Kind { name: "postgres-relaxed", maker: Maker::Postgres, is_relaxed: true, beside: Some("redb-relaxed") },
];

impl Kind {
    pub(crate) fn needs_postgres(&self) -> bool {
        self.maker == Maker::Postgres
    }
}

/// An open log.
pub(crate) enum Store {
    Redb(Arc<RedbLog>),
    Postgres(Arc<PgLog>, Postgres),
}

impl Store {
    /// Opens a new log in this folder, which is empty.
    pub(crate) async fn open(kind: &Kind, folder: &Path, programs: Option<&Programs>) -> Result<Self, Fault> {
        let store = match kind.maker {
            Maker::Redb => {
                let durability =
                    if kind.is_relaxed { log_redb::Durability::Relaxed } else { log_redb::Durability::Synced };
                let options = log_redb::Options { durability, ..log_redb::Options::default() };
                Self::Redb(Arc::new(RedbLog::open(folder.join("redb"), options)?))
            }
            Maker::Postgres => {
                let cluster = Postgres::start(programs.ok_or("PostgreSQL is not installed")?, folder)?;
                let durability =
                    if kind.is_relaxed { log_postgres::Durability::Relaxed } else { log_postgres::Durability::Synced };
                let options = log_postgres::Options { durability, ..log_postgres::Options::default() };
                let log = open(&cluster, &options).await?;
                Self::Postgres(Arc::new(log), cluster)
            }
        };
        // What was left to be written before is not for the next to wait for.
        std::process::Command::new("sync").status()?;
        Ok(store)
    }

    pub(crate) fn log(&self) -> Arc<dyn Log> {
        match self {
            Self::Redb(log) => Arc::clone(log) as _,
            Self::Postgres(log, _) => Arc::clone(log) as _,
        }
    }

    /// CPU time of what serves the log from outside of this process.
    pub(crate) fn outside_ns(&self) -> std::io::Result<u64> {
        match self {
            Self::Redb(_) => Ok(0),
            Self::Postgres(_, cluster) => cluster.cpu_ns(),
        }
    }

    pub(crate) async fn close(self) -> Result<(), Fault> {
        match self {
            Self::Redb(log) => log.close().await?,
            Self::Postgres(log, _cluster) => log.close().await?,
        }
        Ok(())
    }
}

/// Opens the log once the cluster takes connections.
async fn open(cluster: &Postgres, options: &log_postgres::Options) -> Result<PgLog, Fault> {
    let since = Instant::now();
    loop {
        match PgLog::open(cluster.address(), options.clone()).await {
            Ok(log) => return Ok(log),
            Err(OpenError::Database(_) | OpenError::Unavailable(_)) if since.elapsed() < START_MAX => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Err(error) => return Err(format!("{error}: {}", cluster.said()).into()),
        }
    }
}
