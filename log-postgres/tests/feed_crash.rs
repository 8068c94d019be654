//! A server that is killed at any moment: a backend that reads its feed hears every join, message and leave that was acked, also the last ones
//! of rooms that are gone by then, at least once and in the order of each room.

mod support;

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use chat_core::{Engine, FeedBounds};
use chat_testkit::feed_crash::{self, Heard};
use log_postgres::{Options, PgLog};
use support::Cluster;

const ROUNDS: u64 = 20;
/// Where the child finds its database and schema, and which round it is; without them this is no child.
const ADDRESS: &str = "LOG_POSTGRES_FEED_ADDRESS";
const SCHEMA: &str = "LOG_POSTGRES_FEED_SCHEMA";
const ROUND: &str = "LOG_POSTGRES_FEED_ROUND";

async fn open(address: &str, schema: &str) -> (Engine, Arc<PgLog>) {
    let options = Options { feed: Some(FeedBounds::default()), schema: schema.to_owned(), ..Options::default() };
    let log = Arc::new(PgLog::open(address, options).await.expect("what a crash left opens"));
    let builder = Engine::builder().limits(feed_crash::limits()).log(Arc::clone(&log) as _);
    (builder.expect("nobody else has it").build(), log)
}

/// The child: people come and go, and a backend listens, until it is killed.
#[test]
fn child() {
    let (Ok(address), Ok(schema)) = (std::env::var(ADDRESS), std::env::var(SCHEMA)) else { return };
    let round = std::env::var(ROUND).expect("it is told which round it is");
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let (engine, _log) = open(&address, &schema).await;
        feed_crash::serve_until_killed(engine, &round).await;
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backend_hears_all_that_was_acked_whenever_the_server_is_killed() {
    let Some(cluster) = Cluster::shared() else { return };
    drop(cluster.connect().await);
    let options = support::options();
    let mut heard = Heard::default();
    for round in 0..ROUNDS {
        let mut child = Command::new(std::env::current_exe().expect("this program"));
        child.args(["child", "--exact", "--nocapture", "--test-threads=1"]);
        child.env(ADDRESS, &cluster.address).env(SCHEMA, &options.schema).env(ROUND, round.to_string());
        // Spread over the opening, the first commits and the middle of everything.
        heard.run_and_kill(&mut child, Duration::from_millis(250 + (round * 2_654_435_761) % 900));
        // Every other time nobody reads before the next server runs.
        if round % 2 == 1 {
            let (engine, _log) = open(&cluster.address, &options.schema).await;
            heard.read_on(&engine).await;
            heard.check();
        }
    }
    heard.check();
    let (acked, lives) = heard.counts();
    assert!(acked > 100 && lives > 10, "{acked} acks and {lives} ends in {ROUNDS} rounds: this test shows nothing");
}
