//! Logs that hang, panic, or cannot be read: each call has an end, and nobody asks such a log all the time.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chat_core::{Body, Command, Log, Moderation, Offset, RejectCode, RoomCode, Seq};
use chat_testkit::erased::{Passes, TRACES, leave_traces, person};
use chat_testkit::logs::{Delay, Fault, Operation};
use support::*;
use tokio::time::{Instant, timeout};

/// Longer than a call of the log may take, twice.
const PATIENCE: Duration = Duration::from_secs(90);

#[tokio::test(start_paused = true)]
async fn a_log_that_never_answers_is_given_up_and_the_room_goes_on_once_it_does() {
    let log = log();
    let engine = engine(&log);
    let ann = founder(&engine).await;
    let bob = newcomer(&engine, "Bob").await;
    for round in 0..2 {
        log.plan(|call| {
            (call.operation == Operation::Append).then(|| Fault { before: Delay::UntilReleased, ..Fault::default() })
        });
        let begun = Instant::now();
        let answer = timeout(PATIENCE, say(&ann, "lost", &format!("lost-{round}"))).await.expect("it has an end");
        assert_eq!(answer, Err(RejectCode::Unavailable), "after {:?}", begun.elapsed());
        log.heal();
        say(&bob, "and on", &format!("on-{round}")).await.expect("the log is back");
    }
    assert!(engine.stats().embedder_timeouts >= 4, "each was tried twice: {:?}", engine.stats());
}

#[tokio::test(start_paused = true)]
async fn a_log_that_cannot_be_read_is_not_asked_at_every_command() {
    let log = log();
    {
        let engine = engine(&log);
        let _ann = founder(&engine).await;
    }
    settle().await;
    log.plan(fails(&[Operation::Read, Operation::Rooms]));
    let engine = engine(&log);
    let bob = connect(&engine, None).await;
    let before = log.faults(Operation::Read);
    for _ in 0..100 {
        assert!(join(&bob, "Bob").await.is_err_and(|reject| reject.code == RejectCode::Unavailable));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let reads = log.faults(Operation::Read) - before;
    assert!((3..12).contains(&reads), "{reads} reads in five seconds, with growing pauses");
    log.heal();
    seconds(10).await;
    join(&bob, "Bob").await.expect("the log is back");
}

#[tokio::test(start_paused = true)]
async fn rooms_that_are_only_looked_for_take_a_place_each_and_give_it_back() {
    let log = log();
    let engine = engine_with(&log, |limits| limits.engine.rooms_max = 2);
    let _ann = founder(&engine).await;
    log.plan(|call| {
        (call.operation == Operation::Read).then(|| Fault { before: Delay::UntilReleased, ..Fault::default() })
    });
    let look = |number: usize| {
        let (engine, room) = (engine.clone(), RoomCode::parse(&format!("ROOM-{number}")).expect("valid"));
        tokio::spawn(async move { engine.moderate(&room, Moderation::Close).await })
    };
    let first = look(1);
    settle().await;
    let refused = look(2).await.expect("no panic").expect_err("there is no place");
    assert_eq!((refused.code, refused.limit), (RejectCode::AtCapacity, Some(2)));
    assert!(refused.retry_after.is_some());
    log.heal();
    assert_eq!(first.await.expect("no panic").expect_err("there is none").code, RejectCode::Unavailable);
    seconds(60).await;
    assert_eq!(look(3).await.expect("no panic").expect_err("there is none").code, RejectCode::RoomNotFound);
    assert_eq!(engine.stats().rooms, 1);
}

#[tokio::test(start_paused = true)]
async fn a_log_that_panics_has_failed_and_nothing_more() {
    let log = log();
    let (calls, trips) = (AtomicU64::new(0), [Operation::Append, Operation::Read, Operation::Amend]);
    log.plan(move |call| {
        let is_third = trips.contains(&call.operation) && calls.fetch_add(1, Ordering::Relaxed) % 3 == 2;
        assert!(!is_third, "a log that trips");
        None
    });
    let engine = engine(&log);
    let ann = connect(&engine, None).await;
    let mut tries = 0;
    while ann.call(Command::create(nick("Ann")).with_room(code())).await.is_err() {
        seconds(1).await;
        tries += 1;
        assert!(tries < 10, "two calls of three work");
    }
    for number in 0..10 {
        let key = number.to_string();
        let mut said = say(&ann, "text", &key).await;
        for _ in 0..5 {
            if said.is_err() {
                seconds(1).await;
                said = say(&ann, "text", &key).await;
            }
        }
        assert_eq!(said, Ok(Seq(number + 2)), "once, and in order");
    }
    assert!(engine.stats().embedder_panics > 5);
}

/// Each call that has to do with an erasure fails by itself, and the room goes on.
#[tokio::test(start_paused = true)]
async fn a_log_that_trips_over_an_erasure_or_hangs_in_it_harms_that_call_alone() {
    const CALLS: [Operation; 4] =
        [Operation::Erasures, Operation::PutErasure, Operation::Scrub, Operation::DropErasure];
    for (which, hangs) in CALLS.into_iter().flat_map(|which| [(which, false), (which, true)]) {
        let log = log();
        let engine = builder(&log).policy(Arc::new(Passes)).build();
        let people = leave_traces(&engine, &code()).await;
        let calls = AtomicU64::new(0);
        log.plan(move |call| {
            let is_it = call.operation == which && calls.fetch_add(1, Ordering::Relaxed) < 3;
            assert!(hangs || !is_it, "a log that trips");
            is_it.then(|| Fault { before: Delay::UntilReleased, ..Fault::default() })
        });
        let mut tries = 0;
        while let Err(reject) = timeout(PATIENCE, engine.erase(person())).await.expect("it has an end") {
            assert_eq!(reject.code, RejectCode::Unavailable, "{which:?}, {hangs}");
            tries += 1;
            assert!(tries < 5, "{which:?}, {hangs}: three calls fail");
        }
        let text = Body::parse("and on", 100).expect("a valid text");
        let said = timeout(PATIENCE, people[0].call(Command::send(code(), text))).await.expect("it has an end");
        said.expect("the room goes on");
        for _ in 0..600 {
            if engine.erasures().await.is_ok_and(|all| all.is_empty()) {
                break;
            }
            seconds(1).await;
        }
        assert_eq!(engine.erasures().await, Ok(Vec::new()), "{which:?}, {hangs}");
        let page = log.inner().read(&code(), None, Offset(0), usize::MAX).await.expect("the log can be read");
        let held = serde_json::to_string(&page.records).expect("records can be stored");
        assert!(!TRACES.iter().any(|trace| held.contains(trace)), "{which:?}, {hangs}: {held}");
        let stats = engine.stats();
        assert!(if hangs { stats.embedder_timeouts } else { stats.embedder_panics } >= 3, "{which:?}: {stats:?}");
    }
}
