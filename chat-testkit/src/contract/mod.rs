//! What every log, every transport and every cluster must do, as tests: one behaviour, one function, named as a sentence.

pub mod cluster;
pub mod log;
pub mod transport;

use std::sync::Arc;

use async_trait::async_trait;
use chat_core::Log;

/// The place where one test's log lives: a folder, a database, a piece of memory. Empty when it is made; whatever must
/// outlive the log (a temporary folder) is part of it.
#[async_trait]
pub trait Home: Send + 'static {
    /// Opens the log that lives here: what an earlier opening has written is there. Called again only after every
    /// handle of the opening before was dropped.
    async fn open(&mut self) -> Arc<dyn Log>;
}

/// A log that lives in memory is its own home: to open it again is to go on.
#[async_trait]
impl<L: Log> Home for Arc<L> {
    async fn open(&mut self) -> Arc<dyn Log> {
        Self::clone(self) as Arc<dyn Log>
    }
}

/// Runs one behaviour on a runtime of its own, with two threads, so that what is concurrent in it really is.
///
/// # Panics
/// When the behaviour does not hold.
pub fn run(behaviour: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime can be made").block_on(Box::pin(behaviour));
}
