//! What the tests share: a PostgreSQL of their own, and logs in schemas of it.
#![allow(dead_code)]

mod cluster;

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

pub(crate) use cluster::Cluster;
use log_postgres::{Options, PgLog};
use tokio_postgres::Client;

impl Cluster {
    /// A connection that finds the tables of a log.
    pub(crate) async fn connect_to(&self, options: &Options) -> Client {
        let client = self.connect().await;
        client.batch_execute(&format!("set search_path = {}", options.schema)).await.expect("a schema");
        client
    }

    /// Opens a log once the server takes connections.
    pub(crate) async fn open(&self, options: &Options) -> PgLog {
        drop(self.connect().await);
        PgLog::open(&self.address, options.clone()).await.expect("it opens")
    }
}

/// Options with a schema that no other test has.
pub(crate) fn options() -> Options {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let schema = format!("test_{}_{number}", std::process::id());
    Options { name: schema.clone(), schema, ..Options::default() }
}

/// Waits until so many backends of a log wait for a lock.
pub(crate) async fn blocked(client: &Client, options: &Options, backends: i64) {
    wait_for(client, options, "wait_event_type = 'Lock'", backends).await;
}

/// Waits until so many backends of a log are as the condition says.
pub(crate) async fn wait_for(client: &Client, options: &Options, condition: &str, backends: i64) {
    let name = format!("chat {}", options.name);
    let waiting = format!("select count(*) from pg_stat_activity where application_name = $1 and {condition}");
    for _ in 0..5_000 {
        // A transaction sees the same of others' activity until it asks for it anew.
        client.batch_execute("select pg_stat_clear_snapshot()").await.expect("it answers");
        if client.query_one(&waiting, &[&name]).await.expect("it answers").get::<_, i64>(0) >= backends {
            return;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    panic!("no {backends} backends with {condition}");
}
