//! What a room owes its log when the log could not do it: it is done when the log can, though nobody says anything more.

mod support;

use chat_core::{Command, Limits, Log, Moderation, Offset};
use chat_testkit::logs::Operation;
use support::{code, connect, create, engine_with, fails, log, nick, say, seconds};

/// Else what was said in it would stay in the log until somebody uses the code again.
#[tokio::test(start_paused = true)]
async fn a_room_that_could_not_be_deleted_is_deleted_when_the_log_is_back() {
    let log = log();
    let engine = engine_with(&log, Limits::lift_rates);
    let mut ann = connect(&engine, None).await;
    create(&mut ann).await;
    say(&ann, "a secret", "k1").await.expect("she is in");
    log.plan(fails(&[Operation::Delete]));
    engine.moderate(&code(), Moderation::Close).await.expect("it is there");
    seconds(20).await;
    assert!(log.inner().read(&code(), Offset(0), 1).await.expect("it can be read").tail.epoch.is_some());
    log.heal();
    seconds(10).await;
    assert_eq!(log.inner().read(&code(), Offset(0), 1).await.expect("it can be read").tail.epoch, None);
    assert_eq!(engine.rooms(), [], "nothing of it is left in memory either");
}

/// The code is free as soon as the life before is gone, and not before.
#[tokio::test(start_paused = true)]
async fn a_code_is_taken_up_again_once_the_life_before_is_deleted() {
    let log = log();
    let engine = engine_with(&log, Limits::lift_rates);
    let mut ann = connect(&engine, None).await;
    let first = create(&mut ann).await;
    log.plan(fails(&[Operation::Delete]));
    engine.moderate(&code(), Moderation::Close).await.expect("it is there");
    let again = || ann.call(Command::Create { nick: nick("Ann"), room: Some(code()) });
    assert_eq!(again().await.expect_err("the life before is in its way").code.as_str(), "unavailable");
    log.heal();
    seconds(10).await;
    again().await.expect("the code is free");
    let tail = log.inner().read(&code(), Offset(0), 1).await.expect("it can be read").tail;
    assert!(tail.epoch.is_some_and(|epoch| epoch != first.epoch));
}

/// Else the next thousand records would have to come before it is tried again.
#[tokio::test(start_paused = true)]
async fn a_snapshot_that_could_not_be_stored_is_stored_when_the_log_is_back() {
    let log = log();
    let engine = engine_with(&log, Limits::lift_rates);
    let mut ann = connect(&engine, None).await;
    let epoch = create(&mut ann).await.epoch;
    log.plan(fails(&[Operation::SaveSnapshot]));
    for number in 0..1_000 {
        say(&ann, "on and on", &format!("k{number}")).await.expect("she is in");
    }
    assert_eq!(log.inner().load_snapshot(&code(), epoch).await.expect("it can be read"), None);
    log.heal();
    seconds(10).await;
    let (through, _) = log.inner().load_snapshot(&code(), epoch).await.expect("it can be read").expect("it is stored");
    assert_eq!(through, Offset(1_002));
}
