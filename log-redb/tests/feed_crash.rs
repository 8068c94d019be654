//! A server that is killed at any moment: a backend that reads its feed hears every join, message and leave that was acked, also the last ones
//! of rooms that are gone by then, at least once and in the order of each room.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use chat_core::{Engine, FeedBounds};
use chat_testkit::feed_crash::{self, Heard};
use log_redb::{Options, RedbLog};
use tempfile::TempDir;

const ROUNDS: u64 = 20;
/// Where the child finds its folder, and which round it is; without them this is no child.
const FOLDER: &str = "LOG_REDB_FEED_FOLDER";
const ROUND: &str = "LOG_REDB_FEED_ROUND";

fn open(dir: &std::path::Path) -> (Engine, Arc<RedbLog>) {
    let options = Options { feed: Some(FeedBounds::default()), ..Options::default() };
    let log = Arc::new(RedbLog::open(dir, options).expect("what a crash left opens"));
    let builder = Engine::builder().limits(feed_crash::limits()).log(Arc::clone(&log) as _);
    (builder.expect("nobody else has it").build(), log)
}

/// The child: people come and go, and a backend listens, until it is killed.
#[test]
fn child() {
    let Some(dir) = std::env::var_os(FOLDER) else { return };
    let round = std::env::var(ROUND).expect("it is told which round it is");
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let (engine, _log) = open(dir.as_ref());
        feed_crash::serve_until_killed(engine, &round).await;
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backend_hears_all_that_was_acked_whenever_the_server_is_killed() {
    let dir = TempDir::new().expect("a folder");
    let mut heard = Heard::default();
    for round in 0..ROUNDS {
        let mut child = Command::new(std::env::current_exe().expect("this program"));
        child.args(["child", "--exact", "--nocapture", "--test-threads=1"]);
        child.env(FOLDER, dir.path()).env(ROUND, round.to_string());
        // Spread over the opening, the first commits and the middle of everything.
        heard.run_and_kill(&mut child, Duration::from_millis(40 + (round * 2_654_435_761) % 300));
        // Every other time nobody reads before the next server runs.
        if round % 2 == 1 {
            let (engine, _log) = open(dir.path());
            heard.read_on(&engine).await;
            heard.check();
        }
    }
    heard.check();
    let (acked, lives) = heard.counts();
    assert!(acked > 100 && lives > 10, "{acked} acks and {lives} ends in {ROUNDS} rounds: this test shows nothing");
}
