//! What a room owes its log when the log could not do it: it is done when the log can, though nobody says anything more.

mod support;

use std::time::Duration;

use chat_core::{Command, Limits, Log, Moderation, Offset, ReactionName};
use chat_testkit::logs::{Fault, Operation, Outcome};
use support::{TestLog, code, connect, create, engine_with, fails, founder, join, log, nick, say, seconds};

/// Else what was said in it would stay in the log until somebody uses the code again.
#[tokio::test(start_paused = true)]
async fn a_room_that_could_not_be_deleted_is_deleted_when_the_log_is_back() {
    let log = log();
    let engine = engine_with(&log, Limits::lift_rates);
    let ann = founder(&engine).await;
    say(&ann, "a secret", "k1").await.expect("she is in");
    log.plan(fails(&[Operation::Delete]));
    engine.moderate(&code(), Moderation::Close).await.expect("it is there");
    seconds(20).await;
    assert!(log.inner().read(&code(), None, Offset(0), 1).await.expect("it can be read").tail.epoch.is_some());
    log.heal();
    seconds(10).await;
    assert_eq!(log.inner().read(&code(), None, Offset(0), 1).await.expect("it can be read").tail.epoch, None);
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
    let again = || ann.call(Command::create(nick("Ann")).with_room(code()));
    assert_eq!(again().await.expect_err("the life before is in its way").code.as_str(), "unavailable");
    log.heal();
    seconds(10).await;
    again().await.expect("the code is free");
    let tail = log.inner().read(&code(), None, Offset(0), 1).await.expect("it can be read").tail;
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

/// A log that was out of reach for long and works again is trusted again: the next failure is a first one.
#[tokio::test(start_paused = true)]
async fn one_failure_after_an_outage_is_made_up_for_at_once() {
    let log = log();
    let engine = engine_with(&log, Limits::lift_rates);
    let ann = founder(&engine).await;
    let take_back = async |key: &str| {
        let seq = say(&ann, "a secret", key).await.expect("she is in");
        ann.call(Command::redact(code(), seq)).await.expect("her own message");
    };
    log.plan(fails(&[Operation::Amend]));
    take_back("k1").await;
    seconds(60).await;
    log.heal();
    seconds(10).await;
    log.push(Operation::Amend, Outcome::Fails);
    let calls = log.calls(Operation::Amend);
    take_back("k2").await;
    seconds(1).await;
    assert_eq!(log.calls(Operation::Amend), calls + 2, "once in vain, and once more");
}

/// Each look at a log that is out of reach puts off when the code is forgotten, and it is forgotten in the end.
#[tokio::test(start_paused = true)]
async fn a_code_that_could_not_be_looked_up_twice_takes_no_place_for_ever() {
    let log = log();
    let engine = engine_with(&log, Limits::lift_rates);
    let ann = connect(&engine, None).await;
    log.plan(fails(&[Operation::Read]));
    for _ in 0..2 {
        join(&ann, "Ann").await.expect_err("the log cannot be read");
        tokio::time::sleep(Duration::from_millis(150)).await;
    }
    assert_eq!(engine.rooms(), [code()], "the next one to ask is not to ask the log");
    seconds(60).await;
    assert_eq!(engine.rooms(), []);
}

/// What the log has of a room that owes it one of each kind for a while: whether a snapshot is stored, reactions are written into their message,
/// and read positions are stored.
async fn paid(log: &TestLog) -> (bool, bool, bool) {
    let records = log.inner().records(&code());
    let epoch = log.inner().read(&code(), None, Offset(0), 0).await.expect("it can be read").tail.epoch;
    let epoch = epoch.expect("the room is there");
    let snapshot = log.inner().load_snapshot(&code(), epoch).await.expect("it can be read");
    let reads = log.inner().load_read_positions(&code(), epoch).await.expect("it can be read");
    let are_frozen = records.iter().any(|record| !record.event.frozen_reactions().is_empty());
    (snapshot.is_some(), are_frozen, reads.is_some())
}

/// Else nobody's reactions and read positions would be stored for as long as the log takes no snapshot.
#[tokio::test(start_paused = true)]
async fn what_the_log_refuses_keeps_nothing_else_from_it() {
    for (refused, expected) in [
        (Operation::SaveSnapshot, (false, true, true)),
        (Operation::SaveReadPositions, (true, true, false)),
        (Operation::Amend, (true, false, true)),
    ] {
        let log = log();
        let engine = engine_with(&log, |limits| {
            limits.lift_rates();
            limits.room.reactable_max = 1;
        });
        let ann = founder(&engine).await;
        log.plan(move |call| (call.operation == refused).then(|| Fault::from(Outcome::Fails)));
        for number in 0..1_000 {
            say(&ann, "on and on", &format!("k{number}")).await.expect("she is in");
        }
        seconds(20).await;
        let last = say(&ann, "the last but one", "last").await.expect("she is in");
        let name = ReactionName::parse("+1").expect("valid");
        ann.call(Command::react(code(), last, name)).await.expect("it takes reactions");
        ann.call(Command::read(code(), last)).await.expect("a member may read");
        say(&ann, "which takes no more by now", "k").await.expect("she is in");
        seconds(20).await;
        assert_eq!(paid(&log).await, expected, "{refused:?} is refused");
        assert!(log.faults(refused) < 30, "and asked seldom: {}", log.faults(refused));
        log.heal();
        seconds(10).await;
        assert_eq!(paid(&log).await, (true, true, true), "{refused:?}, and the log is back");
    }
}
