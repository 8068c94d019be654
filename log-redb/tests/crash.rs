//! A process that is killed at any moment: whatever it had acked is there, once and in order, and nothing half-written is.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use chat_core::{Ended, EndedWho, Log, SessionId, Wall};
use chat_testkit::crash;
use chat_testkit::lives::{code, open_life, read_all};
use log_redb::{Durability, Options, RedbLog};
use tempfile::TempDir;

const ROUNDS: u64 = 20;
/// Batches of each incarnation.
const TURNS: usize = 200;
/// Where the child finds its folder; without it this is no child.
const FOLDER: &str = "LOG_REDB_CRASH_FOLDER";

/// The child: writes to the log until it is killed.
#[test]
fn child() {
    let Some(dir) = std::env::var_os(FOLDER) else { return };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let log = RedbLog::open(dir, Options::default()).expect("what a crash left opens");
        crash::write_until_killed(Arc::new(log), TURNS).await;
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_was_acked_is_there_after_a_kill_once_and_in_order() {
    let dir = TempDir::new().expect("a folder");
    let mut acked = 0;
    for round in 0..ROUNDS {
        let mut child = Command::new(std::env::current_exe().expect("this program"));
        child.args(["child", "--exact", "--nocapture", "--test-threads=1"]).env(FOLDER, dir.path());
        // Spread over the opening, the first commits and the middle of everything.
        let said = crash::run_and_kill(&mut child, Duration::from_millis(30 + (round * 2_654_435_761) % 260));
        let log = RedbLog::open(dir.path(), Options::default()).expect("what a crash left opens");
        acked += crash::check(&log, &said, TURNS).await;
    }
    assert!(acked > 100, "{acked} records in {ROUNDS} rounds: this test shows nothing");
}

/// `Relaxed` may lose what was acked last, and nothing before a record that it keeps.
#[tokio::test(flavor = "multi_thread")]
async fn relaxed_keeps_all_but_the_end() {
    let dir = TempDir::new().expect("a folder");
    let copy = TempDir::new().expect("a folder");
    let options = Options { durability: Durability::Relaxed, ..Options::default() };
    let log = RedbLog::open(dir.path(), options).expect("it opens");
    let room = code("ROOM");
    let (mut scribe, mut tail) = open_life(&log, &room, 1).await;
    for _ in 0..100 {
        tail = log.append(&room, &tail, &scribe.talk(1)).await.expect("the disk works");
    }
    let early = tail.offset;
    tokio::time::sleep(2 * Durability::RELAXED_WINDOW + Duration::from_millis(300)).await;
    for _ in 0..100 {
        tail = log.append(&room, &tail, &scribe.talk(1)).await.expect("the disk works");
    }
    std::fs::copy(dir.path().join(log_redb::FILE_NAME), copy.path().join(log_redb::FILE_NAME)).expect("readable");
    let whole = read_all(&log, &room).await;
    let left = RedbLog::open(copy.path(), options).expect("what a crash leaves opens");
    let kept = read_all(&left, &room).await;
    assert!(whole.starts_with(&kept));
    assert!(kept.len() as u64 >= early.0, "the window was over for {} of {} records", early.0, kept.len());
}

/// An end that was answered is not taken back by a crash, or a token that was stolen would be good again.
#[tokio::test(flavor = "multi_thread")]
async fn relaxed_keeps_every_end_of_a_session() {
    let dir = TempDir::new().expect("a folder");
    let copy = TempDir::new().expect("a folder");
    let options = Options { durability: Durability::Relaxed, ..Options::default() };
    let log = RedbLog::open(dir.path(), options).expect("it opens");
    let session = SessionId::new(7);
    let ended = Ended { who: EndedWho::Session(session), through: session, until: Wall(1) };
    log.put_ended(&ended, &[]).await.expect("the disk works");
    std::fs::copy(dir.path().join(log_redb::FILE_NAME), copy.path().join(log_redb::FILE_NAME)).expect("readable");
    let left = RedbLog::open(copy.path(), options).expect("what a crash leaves opens");
    assert_eq!(left.ended().await, Ok(vec![ended]));
}
