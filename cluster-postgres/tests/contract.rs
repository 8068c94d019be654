//! Servers on a PostgreSQL keep the contract that is asked of every cluster.

#[path = "../../log-postgres/tests/support/cluster.rs"]
mod postgres;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use chat_core::{Cluster, NodeId};
use chat_testkit::contract::cluster::{Place, Service};
use cluster_postgres::{JoinOptions, PgCluster};
use log_postgres::{Options, PgLog};
use postgres::Cluster as Postgres;

/// A schema of a database that the tests share.
struct OnPostgres {
    postgres: &'static Postgres,
    schema: String,
}

struct Seat {
    id: NodeId,
    log: PgLog,
    cluster: Arc<PgCluster>,
}

async fn service() -> Option<OnPostgres> {
    static SCHEMAS: AtomicU32 = AtomicU32::new(0);
    let postgres = Postgres::shared()?;
    drop(postgres.connect().await);
    Some(OnPostgres { postgres, schema: format!("service_{}", SCHEMAS.fetch_add(1, Ordering::Relaxed)) })
}

#[async_trait]
impl Service for OnPostgres {
    async fn join(&self) -> Box<dyn Place> {
        let options = JoinOptions {
            log: Options { schema: self.schema.clone(), ..Options::default() },
            listen: "127.0.0.1:0".parse().expect("an address"),
            address: None,
            lease: Duration::from_secs(2),
            setup: log_postgres::Setup::default(),
        };
        let (log, cluster) = PgCluster::join(&self.postgres.address, options).await.expect("it joins");
        Box::new(Seat { id: cluster.id(), log, cluster: Arc::new(cluster) })
    }
}

#[async_trait]
impl Place for Seat {
    fn id(&self) -> NodeId {
        self.id
    }

    fn cluster(&self) -> Arc<dyn Cluster> {
        Arc::clone(&self.cluster) as _
    }

    async fn give_all(&self) {
        self.cluster.drain(Duration::from_secs(30)).await;
    }

    async fn vanish(self: Box<Self>) {
        // Its row stays, as when it is killed.
        let Self { log, cluster, .. } = *self;
        drop(log);
        assert!(Arc::into_inner(cluster).is_some(), "nobody else has it");
    }
}

chat_testkit::cluster_contract! { service() }
