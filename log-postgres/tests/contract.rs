//! The contracts of the `Log` port and of its feed, over a schema of a database, with both durabilities.

mod support;

use std::sync::Arc;

use async_trait::async_trait;
use chat_core::Log;
use chat_testkit::contract::Home;
use chat_testkit::contract::log::FeedSetup;
use chat_testkit::logs::MemoryLog;
use log_postgres::{Durability, Options};
use support::Cluster;

struct Schema {
    options: Options,
    /// Where there is no PostgreSQL, which was said, there is nothing to check.
    memory: Arc<MemoryLog>,
}

impl Schema {
    fn new(durability: Durability) -> Self {
        Self { options: Options { durability, ..support::options() }, memory: Arc::default() }
    }
}

impl Schema {
    fn with_feed(setup: FeedSetup, durability: Durability) -> Self {
        let FeedSetup { bounds, retention } = setup;
        let options = Options { feed: Some(bounds), durability, retention, ..support::options() };
        Self { options, memory: Arc::new(MemoryLog::with_feed(bounds, retention)) }
    }
}

#[async_trait]
impl Home for Schema {
    async fn open(&mut self) -> Arc<dyn Log> {
        match Cluster::shared() {
            Some(cluster) => Arc::new(cluster.open(&self.options).await),
            None => Arc::clone(&self.memory) as _,
        }
    }
}

mod synced {
    chat_testkit::log_contract!(|| super::Schema::new(log_postgres::Durability::Synced));
    chat_testkit::log_about_contract!(|| super::Schema::new(log_postgres::Durability::Synced));
}

mod relaxed {
    chat_testkit::log_contract!(|| super::Schema::new(log_postgres::Durability::Relaxed));
    chat_testkit::log_about_contract!(|| super::Schema::new(log_postgres::Durability::Relaxed));
}

mod feed {
    chat_testkit::log_feed_contract!(|setup| super::Schema::with_feed(setup, log_postgres::Durability::Synced));
}

mod relaxed_feed {
    chat_testkit::log_feed_contract!(|setup| super::Schema::with_feed(setup, log_postgres::Durability::Relaxed));
}

mod with_feed {
    chat_testkit::log_contract!(|| super::Schema::with_feed(Default::default(), log_postgres::Durability::Synced));
}
