//! The contract of the `Log` port, over a file in a folder, with both durabilities.

use std::sync::Arc;

use async_trait::async_trait;
use chat_core::Log;
use chat_testkit::contract::Home;
use chat_testkit::contract::log::FeedSetup;
use log_redb::{Durability, Options, RedbLog};
use tempfile::TempDir;

struct Folder {
    dir: TempDir,
    options: Options,
}

impl Folder {
    fn new(durability: Durability) -> Self {
        let options = Options { durability, ..Options::default() };
        Self { dir: TempDir::new().expect("a folder"), options }
    }
}

#[async_trait]
impl Home for Folder {
    async fn open(&mut self) -> Arc<dyn Log> {
        Arc::new(RedbLog::open(self.dir.path(), self.options).expect("nobody else has it open"))
    }
}

/// A folder whose log keeps a feed.
fn fed(setup: FeedSetup, durability: Durability) -> Folder {
    let (feed, retention) = (Some(setup.bounds), setup.retention);
    let mut folder = Folder::new(durability);
    folder.options = Options { feed, retention, ..folder.options };
    folder
}

mod synced {
    chat_testkit::log_contract!(|| super::Folder::new(log_redb::Durability::Synced));
    chat_testkit::log_about_contract!(|| super::Folder::new(log_redb::Durability::Synced));
}

mod relaxed {
    chat_testkit::log_contract!(|| super::Folder::new(log_redb::Durability::Relaxed));
    chat_testkit::log_about_contract!(|| super::Folder::new(log_redb::Durability::Relaxed));
}

mod fed {
    chat_testkit::log_contract!(|| super::fed(Default::default(), log_redb::Durability::Synced));
}

mod fed_and_synced {
    chat_testkit::log_feed_contract!(|setup| super::fed(setup, log_redb::Durability::Synced));
}

mod fed_and_relaxed {
    chat_testkit::log_feed_contract!(|setup| super::fed(setup, log_redb::Durability::Relaxed));
}
