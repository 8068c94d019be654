//! What a server's rooms are kept in while it runs: a file, a database, or nothing; and what follows from it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use chat_core::Engine;
use chat_serve::{PassOn, ServeConfig};
use cluster_postgres::{PgCluster, Standing};
use log_postgres::PgLog;
use log_redb::RedbLog;

#[cfg(target_os = "linux")]
use super::backup::BackupDoor;
use super::cluster::{Others, hand_over, send_away_when_apart, serve_others};
#[cfg(target_os = "linux")]
use super::console::tell_warning;

/// What rooms are kept in while a server runs.
pub enum Kept {
    /// In nothing: they go with the process.
    Nowhere,
    /// In a file.
    File(RoomsFile),
    /// In a database.
    Database(Arc<PgLog>),
    /// In a database that other servers share.
    Cluster(Arc<PgLog>, Arc<PgCluster>),
}

/// A file of rooms that is open.
pub struct RoomsFile {
    log: Arc<RedbLog>,
    /// Where backups are asked for.
    #[cfg(target_os = "linux")]
    _door: Option<BackupDoor>,
}

impl RoomsFile {
    pub(crate) fn new(dir: &Path, log: Arc<RedbLog>) -> Self {
        #[cfg(target_os = "linux")]
        return Self { _door: open_door(dir, &log), log };
        #[cfg(not(target_os = "linux"))]
        {
            let _ = dir;
            Self { log }
        }
    }
}

/// A server that cannot be asked for backups serves nevertheless.
#[cfg(target_os = "linux")]
fn open_door(dir: &Path, log: &Arc<RedbLog>) -> Option<BackupDoor> {
    match BackupDoor::open(dir, Arc::clone(log)) {
        Ok(door) => Some(door),
        Err(error) => {
            tell_warning(format_args!("No backup can be made while this server runs: {error}"));
            None
        }
    }
}

impl Kept {
    /// Waits until another server has taken the rooms over, and says so. A file belongs to one server as long as that wants it.
    pub async fn deposed(&self) -> String {
        match self {
            Self::Nowhere | Self::File(_) => std::future::pending().await,
            Self::Database(log) | Self::Cluster(log, _) => log.deposed().await,
        }
    }

    /// Gives the rooms to other servers, where there are some: before its clients are sent to them.
    pub async fn hand_over(&self) {
        if let Self::Cluster(_, cluster) = self {
            hand_over(cluster).await;
        }
    }

    /// Where requests go that belong to a session at another server.
    pub fn pass_on(&self) -> PassOn {
        match self {
            Self::Cluster(_, cluster) => PassOn::to(Arc::new(Others(Arc::clone(cluster)))),
            _ => PassOn::default(),
        }
    }

    /// Serves what other servers pass on, where there are some.
    pub fn serve_passed_on(
        &self,
        router: Router,
        config: ServeConfig,
    ) -> Option<impl Future<Output = ()> + Send + 'static> {
        let Self::Cluster(_, cluster) = self else { return None };
        Some(serve_others(Arc::clone(cluster), router, Arc::new(config)))
    }

    /// Sees to it that clients go to other servers, where there are some and they do not reach this one.
    pub fn send_away_when_apart(
        &self,
        engine: Engine,
        spread: Duration,
    ) -> Option<impl Future<Output = ()> + Send + 'static> {
        let Self::Cluster(_, cluster) = self else { return None };
        Some(send_away_when_apart(Arc::clone(cluster), engine, spread))
    }

    /// Why no client should be sent here, where that is so.
    pub fn why_not_ready(&self) -> Option<&'static str> {
        let Self::Cluster(_, cluster) = self else { return None };
        let standing = cluster.standing();
        match standing {
            Standing { is_draining: true, .. } => Some("draining"),
            Standing { holds: false, .. } => Some("the database does not answer"),
            Standing { is_apart: true, .. } => Some("other servers cannot be reached"),
            _ => None,
        }
    }

    /// Closes it, once nothing uses it any more.
    ///
    /// # Errors
    /// Why it was not closed properly; what is kept is whole.
    pub async fn close(&self) -> Result<(), String> {
        match self {
            Self::Nowhere => Ok(()),
            Self::File(file) => file.log.close().await.map_err(|error| error.to_string()),
            Self::Database(log) | Self::Cluster(log, _) => log.close().await.map_err(|error| error.to_string()),
        }
    }
}
