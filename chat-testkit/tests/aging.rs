//! A log that lets go of what is old gets snapshots of rooms that say little, too: only what a snapshot covers may go.

mod support;

use std::sync::Arc;
use std::time::Duration;

use chat_core::{Limits, Log, Offset, RoomOptions};
use chat_testkit::logs::{FaultyLog, MemoryLog, Operation};
use support::{TestLog, code, engine_with, fails, founder, log, pass, say, seconds};

const HOUR: Duration = Duration::from_secs(3_600);

fn log_of_a_day() -> TestLog {
    Arc::new(FaultyLog::new(MemoryLog::with_age(24 * HOUR)))
}

/// How far the log may let go of the room, and how far it goes.
async fn covered(log: &TestLog) -> (Option<Offset>, Offset) {
    let tail = log.inner().read(&code(), None, Offset(0), 0).await.expect("it can be read").tail;
    let snapshot = log.inner().load_snapshot(&code(), tail.epoch.expect("it is there")).await.expect("it can be read");
    (snapshot.map(|(through, _)| through), tail.offset)
}

#[tokio::test(start_paused = true)]
async fn what_was_said_in_a_small_room_is_covered_within_an_hour() {
    let log = log_of_a_day();
    let engine = engine_with(&log, Limits::lift_rates);
    let ann = founder(&engine).await;
    say(&ann, "one", "k1").await.expect("she is in");
    pass(HOUR / 2).await;
    say(&ann, "two", "k2").await.expect("she is in");
    pass(HOUR / 2 - Duration::from_secs(1)).await;
    assert_eq!(covered(&log).await.0, None, "one snapshot for what an hour brings");
    pass(Duration::from_secs(2)).await;
    let (through, last) = covered(&log).await;
    assert_eq!(through, Some(last));
    // A room that says nothing costs nothing.
    let saved = log.calls(Operation::SaveSnapshot);
    pass(24 * HOUR).await;
    assert_eq!(log.calls(Operation::SaveSnapshot), saved);
    say(&ann, "three", "k3").await.expect("she is in");
    pass(HOUR).await;
    assert_eq!(log.calls(Operation::SaveSnapshot), saved + 1);
}

#[tokio::test(start_paused = true)]
async fn a_room_that_leaves_memory_is_covered_before() {
    let log = log_of_a_day();
    let engine = engine_with(&log, |limits| {
        limits.lift_rates();
        limits.engine.room_idle = Duration::from_secs(10);
    });
    let room = engine.room(&code());
    room.create(RoomOptions::new()).await.expect("made");
    pass(Duration::from_secs(30)).await;
    assert_eq!((engine.stats().rooms, engine.stats().rooms_away), (0, 1), "as soon as without an age");
    let (through, last) = covered(&log).await;
    assert_eq!(through, Some(last));
}

/// Its records are older than the process: it is visited after the start.
#[tokio::test(start_paused = true)]
async fn a_room_of_a_process_before_is_covered_though_nobody_opens_it() {
    let log = log_of_a_day();
    let engine = engine_with(&log, Limits::lift_rates);
    engine.room(&code()).create(RoomOptions::new()).await.expect("made");
    drop(engine);
    assert_eq!(covered(&log).await.0, None);
    let engine = engine_with(&log, Limits::lift_rates);
    pass(Duration::from_secs(120)).await;
    let (through, last) = covered(&log).await;
    assert_eq!((through, engine.stats().rooms), (Some(last), 0));
}

#[tokio::test(start_paused = true)]
async fn a_log_that_refuses_the_snapshot_is_asked_again() {
    let log = log_of_a_day();
    let engine = engine_with(&log, Limits::lift_rates);
    let _ann = founder(&engine).await;
    log.plan(fails(&[Operation::SaveSnapshot]));
    pass(2 * HOUR).await;
    assert_eq!(covered(&log).await.0, None);
    log.heal();
    seconds(10).await;
    let (through, last) = covered(&log).await;
    assert_eq!(through, Some(last));
}

#[tokio::test(start_paused = true)]
async fn a_log_that_keeps_whatever_its_age_is_asked_for_nothing() {
    let log = log();
    let engine = engine_with(&log, Limits::lift_rates);
    let ann = founder(&engine).await;
    say(&ann, "one", "k1").await.expect("she is in");
    pass(48 * HOUR).await;
    assert_eq!(log.calls(Operation::SaveSnapshot), 0);
}
