//! After a start the engine visits every stored room by itself: paced, one at a time, and over failures of the log.

mod support;

use std::time::Duration;

use chat_core::{Command, Log, RoomCode};
use chat_testkit::logs::{Call, Delay, Fault, Operation, Outcome};
use support::{TestLog, connect, engine, engine_with, fails, log, nick, settle};

/// Longer than the grace.
const LATER: Duration = Duration::from_secs(40);

fn code(number: usize) -> RoomCode {
    RoomCode::parse(&format!("ROOM-{number:03}")).expect("valid")
}

/// A log with rooms that each have a member, left by a process that is gone.
async fn left_behind(rooms: usize) -> TestLog {
    let log = log();
    let engine = engine(&log);
    for number in 0..rooms {
        let session = connect(&engine, None).await;
        let command = Command::create(nick("Ann")).with_room(code(number));
        session.call(command).await.expect("the code is free");
    }
    drop(engine);
    settle().await;
    log
}

async fn stored(log: &TestLog) -> Vec<RoomCode> {
    log.inner().rooms(None, None, usize::MAX).await.expect("the log underneath does not fail")
}

#[tokio::test(start_paused = true)]
async fn graces_run_out_in_rooms_that_nobody_opens() {
    let log = left_behind(300).await;
    assert_eq!(stored(&log).await.len(), 300, "an engine that is dropped leaves its rooms as they are");
    let _engine = engine(&log);
    tokio::time::sleep(Duration::from_secs(29)).await;
    assert_eq!(stored(&log).await.len(), 300, "the grace begins again with the process");
    tokio::time::sleep(LATER).await;
    assert_eq!(stored(&log).await, []);
}

#[tokio::test(start_paused = true)]
async fn rooms_are_visited_one_at_a_time_and_nobody_waits_for_it() {
    let log = left_behind(20).await;
    let slow = |call: &Call| {
        let before = Delay::For(Duration::from_secs(1));
        let is_swept = call.room.as_ref().is_none_or(|room| *room != code(19));
        (call.operation == Operation::LoadSnapshot && is_swept).then(|| Fault { before, ..Fault::default() })
    };
    log.plan(slow);
    let engine = engine(&log);
    for seconds in 1..=5 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let read = log.calls(Operation::LoadSnapshot);
        assert!((seconds..=seconds + 1).contains(&read), "{read} rooms read in {seconds} s of 1 s each");
    }
    let before = tokio::time::Instant::now();
    let join = Command::join(code(19), nick("Bob"));
    connect(&engine, None).await.call(join).await.expect("the room is there");
    assert_eq!(before.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_log_that_cannot_be_read_at_the_start_is_asked_again() {
    for operation in [Operation::Rooms, Operation::Read] {
        let log = left_behind(5).await;
        log.plan(move |call| {
            let is_down = call.operation == operation || call.operation == Operation::Rooms && call.number > 2;
            is_down.then(|| Fault::from(Outcome::Fails))
        });
        let _engine = engine(&log);
        tokio::time::sleep(Duration::from_secs(600)).await;
        assert!(log.faults(Operation::Rooms) < 150, "it is asked seldom");
        log.heal();
        tokio::time::sleep(LATER).await;
        assert_eq!(stored(&log).await, [], "{operation:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_room_that_cannot_be_read_keeps_nobody_from_the_others() {
    let log = left_behind(5).await;
    log.plan(|call| {
        let is_bad = call.operation == Operation::Read && call.room == Some(code(2));
        is_bad.then(|| Fault::from(Outcome::Damaged))
    });
    let _engine = engine(&log);
    tokio::time::sleep(LATER).await;
    assert_eq!(stored(&log).await, [code(2)]);
    assert_eq!(log.faults(Operation::Read), 3, "and it is not asked for ever");
}

#[tokio::test(start_paused = true)]
async fn a_room_that_is_told_to_stay_empty_goes_when_that_time_is_over() {
    let log = left_behind(3).await;
    let _engine = engine_with(&log, |limits| limits.room.empty_linger = Duration::from_secs(3_600));
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    assert_eq!(stored(&log).await.len(), 3, "an hour from the end of the grace");
    tokio::time::sleep(LATER).await;
    assert_eq!(stored(&log).await, []);
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_goes_visits_nobody_any_more() {
    for drains in [true, false] {
        let log = left_behind(10).await;
        let engine = engine(&log);
        match drains {
            true => engine.drain(Duration::ZERO).await,
            false => drop(engine),
        }
        let read = log.calls(Operation::Read);
        tokio::time::sleep(LATER).await;
        assert!(log.calls(Operation::Read) <= read + 2, "at most the visit that was under way");
        assert!(stored(&log).await.len() >= 9);
    }
    let log = left_behind(2).await;
    log.plan(fails(&[Operation::Rooms]));
    drop(engine(&log));
    tokio::time::sleep(LATER).await;
    assert!(log.calls(Operation::Rooms) <= 2);
}

/// One that could not be read when its turn came, in a log that could be listed.
#[tokio::test(start_paused = true)]
async fn a_room_that_could_not_be_read_for_a_while_is_visited_again() {
    for outage in [Duration::from_secs(10), Duration::from_secs(3_600)] {
        let log = left_behind(5).await;
        log.plan(|call| {
            let is_bad = call.operation == Operation::Read && call.room == Some(code(2));
            is_bad.then(|| Fault::from(Outcome::Fails))
        });
        let _engine = engine(&log);
        tokio::time::sleep(outage).await;
        assert!(log.faults(Operation::Read) < 12, "it is asked seldom");
        log.heal();
        tokio::time::sleep(2 * outage + Duration::from_secs(120)).await;
        assert_eq!(stored(&log).await, [], "its member is not there for ever");
    }
}

/// The others wait for whoever opens them.
#[tokio::test(start_paused = true)]
async fn no_more_rooms_are_left_for_later_than_may_be() {
    let log = left_behind(5).await;
    log.plan(|call| {
        let is_bad = call.operation == Operation::Read && call.room.as_ref().is_some_and(|room| *room >= code(2));
        is_bad.then(|| Fault::from(Outcome::Fails))
    });
    let engine = engine_with(&log, |limits| limits.engine.rooms_revisited_max = 1);
    tokio::time::sleep(Duration::from_secs(10)).await;
    log.heal();
    tokio::time::sleep(Duration::from_secs(2 * 3_600)).await;
    assert_eq!(stored(&log).await, [code(3), code(4)], "the first of them was visited again");
    let join = Command::join(code(3), nick("Bob"));
    connect(&engine, None).await.call(join).await.expect("the room is there");
    tokio::time::sleep(LATER).await;
    assert_eq!(stored(&log).await, [code(4)], "Ann's grace has run out, and Bob's");
}
