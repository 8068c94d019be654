//! The engine over a log that fails, stalls, loses answers and comes back: refused or kept, never lost and never twice.

mod support;

use std::time::Duration;

use chat_core::{Command, ConnectRequest, Connection, Engine, Hello, Nick, RejectCode, Reply, Seq, ServerFrame};
use chat_testkit::logs::{Delay, Fault, Operation, Outcome};
use support::{
    TestLog, code, connect, create, engine, engine_with, founder, join, joined, log, next_left, next_message, say,
    texts,
};

#[tokio::test(start_paused = true)]
async fn one_failure_is_made_good_without_anybody_noticing() {
    let log = log();
    let engine = engine(&log);
    let ann = founder(&engine).await;
    log.push(Operation::Append, Outcome::Fails);
    assert_eq!(say(&ann, "one", "k1").await, Ok(Seq(2)));
    assert_eq!(texts(&engine, "Bob").await, ["one"]);
}

#[tokio::test(start_paused = true)]
async fn what_could_not_be_written_is_refused_and_has_not_happened() {
    let log = log();
    let engine = engine(&log);
    let mut ann = founder(&engine).await;
    log.push(Operation::Append, Outcome::Fails);
    log.push(Operation::Append, Outcome::Fails);
    assert_eq!(say(&ann, "one", "k1").await, Err(RejectCode::Unavailable));
    assert_eq!(say(&ann, "two", "k2").await, Ok(Seq(2)), "the number was not used up");
    assert_eq!(say(&ann, "one", "k1").await, Ok(Seq(3)), "the key neither");
    assert_eq!(texts(&engine, "Bob").await, ["two", "one"]);
    assert_eq!(next_message(&mut ann).await, (Seq(2), "two".into()));
}

#[tokio::test(start_paused = true)]
async fn a_write_whose_answer_was_lost_is_found_and_not_repeated() {
    let log = log();
    let engine = engine(&log);
    let ann = founder(&engine).await;
    log.push(Operation::Append, Outcome::AnswerLost);
    assert_eq!(say(&ann, "one", "k1").await, Ok(Seq(2)));
    assert_eq!(texts(&engine, "Bob").await, ["one"]);
}

#[tokio::test(start_paused = true)]
async fn while_the_log_cannot_be_read_the_room_refuses_and_then_goes_on() {
    let log = log();
    let engine = engine(&log);
    let mut ann = connect(&engine, None).await;
    let bob = connect(&engine, None).await;
    create(&mut ann).await;
    join(&bob, "Bob").await.expect("the room is there");
    log.push(Operation::Append, Outcome::AnswerLost);
    log.plan(|call| (call.operation == Operation::Read).then(|| Fault::from(Outcome::Fails)));
    let waiting = say(&ann, "one", "k1");
    tokio::pin!(waiting);
    let refused = async {
        tokio::time::sleep(Duration::from_secs(60)).await;
        let refused = say(&bob, "two", "k2").await;
        log.heal();
        refused
    };
    let (answer, refused) = tokio::join!(waiting, refused);
    assert_eq!(refused, Err(RejectCode::Unavailable), "a minute is longer than the grace of those who are connected");
    assert_eq!(answer, Err(RejectCode::Unavailable), "nobody knew whether it was written");
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(say(&ann, "one", "k1").await, Ok(Seq(3)), "it was, and is not written twice");
    assert_eq!(say(&bob, "two", "k2").await, Ok(Seq(4)), "nobody who was connected has timed out");
}

/// Bob leaves, and closes his page without waiting, while the log can be neither written nor read.
async fn leaving_in_the_dark(engine: &Engine, log: &TestLog) -> Connection {
    let mut ann = connect(engine, None).await;
    let bob = connect(engine, None).await;
    create(&mut ann).await;
    join(&bob, "Bob").await.expect("the room is there");
    log.plan(|call| matches!(call.operation, Operation::Append | Operation::Read).then(|| Fault::from(Outcome::Fails)));
    tokio::select! {
        answer = bob.call(Command::leave(code())) => panic!("nothing is known yet: {answer:?}"),
        () = tokio::time::sleep(Duration::from_secs(1)) => {}
    }
    drop(bob);
    tokio::time::sleep(Duration::from_secs(10)).await;
    ann
}

/// Found by the simulator: the item that says that a connection is lost was read while the room waited for its log, and
/// forgotten when the append went well after all. Nobody was in the room any more, and it stayed for ever.
#[tokio::test(start_paused = true)]
async fn who_goes_while_a_batch_waits_for_the_log_is_no_ghost() {
    let log = log();
    for outcome in [Outcome::AnswerLost, Outcome::NotDone] {
        let engine = engine(&log);
        let ann = founder(&engine).await;
        log.push(Operation::Append, outcome);
        log.plan(|call| (call.operation == Operation::Read).then(|| Fault::from(Outcome::Fails)));
        tokio::select! {
            answer = say(&ann, "one", "k1") => panic!("nothing is known yet: {answer:?}"),
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
        }
        drop(ann);
        tokio::time::sleep(Duration::from_secs(10)).await;
        log.heal();
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(engine.stats().rooms, 0, "{outcome:?}: a room goes with its last member");
    }
}

/// Found by the simulator: Bob's leave and the loss of his connection were in one batch. When the leave was undone he was attached
/// again, on a connection that was gone: nobody would ever say so a second time, and he stayed for ever.
#[tokio::test(start_paused = true)]
async fn who_goes_right_behind_a_leave_that_is_undone_is_no_ghost() {
    let log = log();
    let engine = engine(&log);
    let mut ann = connect(&engine, None).await;
    let bob = connect(&engine, None).await;
    create(&mut ann).await;
    join(&bob, "Bob").await.expect("the room is there");
    log.push(Operation::Append, Outcome::Fails);
    log.push(Operation::Append, Outcome::Fails);
    bob.submit(Command::leave(code()), Reply::mailbox(None)).expect("few commands are in flight");
    drop(bob);
    let left = tokio::time::timeout(Duration::from_secs(120), next_left(&mut ann)).await;
    assert_eq!(left, Ok(("Bob".into(), "timeout".into())));
}

#[tokio::test(start_paused = true)]
async fn a_leave_that_waited_for_the_log_is_a_leave() {
    let log = log();
    let engine = engine(&log);
    let mut ann = leaving_in_the_dark(&engine, &log).await;
    log.heal();
    assert_eq!(next_left(&mut ann).await, ("Bob".into(), "left".into()));
}

#[tokio::test(start_paused = true)]
async fn who_goes_while_a_leave_could_not_be_written_is_no_ghost() {
    let log = log();
    let engine = engine(&log);
    let mut ann = leaving_in_the_dark(&engine, &log).await;
    log.plan(|call| (call.operation == Operation::Append).then(|| Fault::from(Outcome::Fails)));
    tokio::time::sleep(Duration::from_secs(10)).await;
    log.heal();
    assert_eq!(next_left(&mut ann).await, ("Bob".into(), "timeout".into()));
}

#[tokio::test(start_paused = true)]
async fn a_stalled_log_holds_up_its_room_and_no_other() {
    let log = log();
    let engine = engine(&log);
    let ann = founder(&engine).await;
    log.plan(|call| {
        let is_it = call.operation == Operation::Append && call.room == Some(code());
        is_it.then(|| Fault { before: Delay::For(Duration::from_secs(5)), ..Fault::default() })
    });
    let before = tokio::time::Instant::now();
    let other = async {
        let session = connect(&engine, None).await;
        let nick = Nick::parse("Zoe").expect("valid");
        session.call(Command::create(nick)).await.expect("another room works");
        before.elapsed()
    };
    let (seq, other) = tokio::join!(say(&ann, "one", "k1"), other);
    assert_eq!((seq, other), (Ok(Seq(2)), Duration::ZERO));
    assert_eq!(before.elapsed(), Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn a_room_that_went_with_its_last_member_is_gone_from_the_log() {
    let log = log();
    let engine = engine(&log);
    let mut ann = connect(&engine, None).await;
    let first = create(&mut ann).await.epoch;
    ann.call(Command::leave(code())).await.expect("she is in it");
    tokio::task::yield_now().await;
    let mut bob = connect(&engine, None).await;
    assert_eq!(join(&bob, "Bob").await.map_err(|reject| reject.code), Err(RejectCode::RoomNotFound));
    let second = create(&mut bob).await.epoch;
    assert_ne!(first, second);
}

#[tokio::test(start_paused = true)]
async fn the_log_shows_what_memory_gave_back() {
    let engine = engine_with(&log(), |limits| {
        limits.engine.memory_bytes_max = 16 << 10;
        limits.lift_rates();
    });
    let ann = founder(&engine).await;
    for number in 0..300 {
        say(&ann, &"x".repeat(100), &format!("k{number}")).await.expect("logged");
    }
    assert!(engine.stats().backlog_bytes <= 16 << 10);
    let page = Command::history(code()).with_limit(200);
    let Ok(ServerFrame::History { messages, more, .. }) = ann.call(page).await else { panic!("a history is answered") };
    assert_eq!((messages.len(), more), (200, true));
}

#[tokio::test(start_paused = true)]
async fn what_is_read_from_the_log_is_paid_for_by_whoever_asked() {
    let log = log();
    let engine = engine_with(&log, |limits| {
        limits.lift_rates();
        limits.room.backlog_events_max = 4;
        (limits.engine.address_answered_bytes_burst, limits.engine.address_answered_bytes_per_second) = (10_000, 1_000);
    });
    let ann = founder(&engine).await;
    for number in 0..20 {
        say(&ann, &"x".repeat(1_000), &number.to_string()).await.expect("the log works");
    }
    let request = ConnectRequest { address: "192.0.2.1".parse().ok(), ..ConnectRequest::default() };
    let mut bob = engine.connect(request, Hello::default()).await.expect("everybody is let in");
    join(&bob, "Bob").await.expect("nothing is owed");
    assert_eq!(joined(&mut bob).await.history.len(), 20);
    let history = || Command::history(code()).with_limit(20);
    let refused = bob.call(history()).await.expect_err("it was long");
    assert_eq!(refused.code, RejectCode::RateLimited);
    tokio::time::sleep(refused.retry_after.expect("it says when")).await;
    bob.call(history()).await.expect("it is paid for");
    assert_eq!(bob.call(history()).await.expect_err("it was as long").code, RejectCode::RateLimited);
}
