//! The contract of the `Log` port, over a file in a folder, with both durabilities.

use std::sync::Arc;

use async_trait::async_trait;
use chat_core::Log;
use chat_testkit::contract::Home;
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

mod synced {
    chat_testkit::log_contract!(|| super::Folder::new(log_redb::Durability::Synced));
}

mod relaxed {
    chat_testkit::log_contract!(|| super::Folder::new(log_redb::Durability::Relaxed));
}
