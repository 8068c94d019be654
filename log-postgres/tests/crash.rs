//! A process that is killed at any moment: whatever it had acked is there, once and in order, and nothing of it comes later.

mod support;

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use chat_testkit::crash;
use log_postgres::{Options, PgLog};
use support::Cluster;

const ROUNDS: u64 = 12;
/// Batches of each incarnation.
const TURNS: usize = 60;
/// Where the child finds its database and schema; without them this is no child.
const ADDRESS: &str = "LOG_POSTGRES_CRASH_ADDRESS";
const SCHEMA: &str = "LOG_POSTGRES_CRASH_SCHEMA";

/// The child: writes to the log until it is killed.
#[test]
fn child() {
    let (Ok(address), Ok(schema)) = (std::env::var(ADDRESS), std::env::var(SCHEMA)) else { return };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let options = Options { schema, ..Options::default() };
        let log = PgLog::open(&address, options).await.expect("what a crash left opens");
        crash::write_until_killed(Arc::new(log), TURNS).await;
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_was_acked_is_there_after_a_kill_once_and_in_order() {
    let Some(cluster) = Cluster::shared() else { return };
    let options = support::options();
    let mut acked = 0;
    for round in 0..ROUNDS {
        let mut child = Command::new(std::env::current_exe().expect("this program"));
        child.args(["child", "--exact", "--nocapture", "--test-threads=1"]);
        child.env(ADDRESS, &cluster.address).env(SCHEMA, &options.schema);
        // Spread over the opening, the first commits and the middle of everything.
        let said = crash::run_and_kill(&mut child, Duration::from_millis(200 + (round * 2_654_435_761) % 900));
        acked += crash::check(&cluster.open(&options).await, &said, TURNS).await;
    }
    assert!(acked > 100, "{acked} records in {ROUNDS} rounds: this test shows nothing");
}
