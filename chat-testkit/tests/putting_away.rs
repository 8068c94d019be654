//! Rooms of the log that nobody is attached to leave memory: nothing is lost or gained by it, and it makes place.

mod support;

use std::time::Duration;

use chat_core::wire::Status;
use chat_core::{
    Command, ConnectRequest, Connection, Engine, Event, Hello, LeaveReason, Log, Moderation, Offset, Position,
    RejectCode, RoomCode, Seq, ServerFrame,
};
use chat_testkit::logs::Operation;
use support::{
    TestLog, code, come_back, connect, create, engine_with, fails, founder, joined, log, newcomer, next_message, nick,
    say, seconds, settle, text, texts, try_to_come_back,
};

const HOUR: Duration = Duration::from_secs(3_600);

fn numbered(number: usize) -> RoomCode {
    RoomCode::parse(&format!("ROOM-{number:03}")).expect("valid")
}

/// A room of its own for a session.
async fn create_numbered(session: &Connection, number: usize) -> Result<ServerFrame, chat_core::Reject> {
    session.call(Command::create(nick("Ann")).with_room(numbered(number))).await
}

/// A log with rooms that each have a member, left by a process that is gone.
async fn left_behind(rooms: usize) -> TestLog {
    let log = log();
    let engine = engine_with(&log, |_| {});
    for number in 0..rooms {
        create_numbered(&connect(&engine, None).await, number).await.expect("the code is free");
    }
    drop(engine);
    settle().await;
    log
}

async fn stored(log: &TestLog) -> usize {
    log.inner().rooms(None, None, usize::MAX).await.expect("the log underneath does not fail").len()
}

/// Where rooms are: in memory, and away.
fn places(engine: &Engine) -> (usize, usize) {
    let stats = engine.stats();
    (stats.rooms, stats.rooms_away)
}

/// Who has timed out of the room so far.
async fn timed_out(log: &TestLog) -> Vec<u32> {
    let records = log.inner().read(&code(), None, Offset(0), 1_000).await.expect("readable").records;
    let left = |event: &Event| matches!(event, Event::Left { reason: LeaveReason::Timeout, .. });
    records.iter().filter(|record| left(&record.event)).filter_map(|record| record.by).map(|by| by.0).collect()
}

#[tokio::test(start_paused = true)]
async fn the_visits_of_a_start_keep_no_room_in_memory() {
    let log = left_behind(300).await;
    let engine = engine_with(&log, |_| {});
    let mut most = 0;
    for _ in 0..2_000 {
        tokio::time::sleep(Duration::from_millis(1)).await;
        most = most.max(engine.stats().rooms);
    }
    assert_eq!((places(&engine), stored(&log).await), ((0, 300), 300));
    assert!(most <= 2, "{most} rooms at once");
    seconds(27).await;
    assert_eq!(stored(&log).await, 300, "the grace begins with the process");
    seconds(3).await;
    assert_eq!((places(&engine), stored(&log).await), ((0, 0), 0));
}

#[tokio::test(start_paused = true)]
async fn visits_get_round_more_rooms_than_there_are_places() {
    let log = left_behind(40).await;
    let engine = engine_with(&log, |limits| limits.engine.rooms_max = 1);
    seconds(2).await;
    assert_eq!(places(&engine), (0, 40));
    seconds(60).await;
    assert_eq!((places(&engine), stored(&log).await), ((0, 0), 0));
}

#[tokio::test(start_paused = true)]
async fn visits_wait_for_a_place_as_long_as_it_takes() {
    let log = left_behind(10).await;
    let engine = engine_with(&log, |limits| limits.engine.rooms_max = 1);
    let mut ann = connect(&engine, None).await;
    while ann.call(Command::create(nick("Ann")).with_room(code())).await.is_err() {
        tokio::task::yield_now().await;
    }
    seconds(3_600).await;
    assert_eq!(stored(&log).await, 11, "there was never a place");
    ann.call(Command::leave(code())).await.expect("in it");
    while !matches!(ann.next().await, ServerFrame::MemberLeft { .. }) {}
    seconds(60).await;
    assert_eq!((places(&engine), stored(&log).await), ((0, 0), 0));
}

#[tokio::test(start_paused = true)]
async fn an_empty_room_leaves_memory_and_goes_when_its_linger_ends() {
    for asks_between in [false, true] {
        let log = log();
        let engine = engine_with(&log, |limits| limits.room.empty_linger = HOUR);
        let ann = founder(&engine).await;
        ann.call(Command::leave(code())).await.expect("in it");
        drop(ann);
        seconds(59).await;
        assert_eq!(places(&engine), (1, 0), "somebody was here a minute ago");
        seconds(2).await;
        assert_eq!((places(&engine), stored(&log).await), ((0, 1), 1));
        for _ in 0..30 {
            if asks_between {
                let stranger = connect(&engine, None).await;
                let leave = stranger.call(Command::leave(code())).await;
                assert_eq!(leave.expect_err("not in it").code, RejectCode::NotMember);
                assert_eq!(places(&engine), (1, 0));
            }
            seconds(100).await;
            assert_eq!(places(&engine), (0, 1));
        }
        seconds(3_600 - 61 - 3_000 - 1).await;
        assert_eq!(stored(&log).await, 1);
        seconds(2).await;
        assert_eq!((places(&engine), stored(&log).await), ((0, 0), 0), "asked in between: {asks_between}");
    }
}

#[tokio::test(start_paused = true)]
async fn each_grace_ends_when_it_would_have_however_often_the_room_is_read_back() {
    let log = log();
    let engine = engine_with(&log, |limits| limits.room.grace = HOUR);
    let ann = founder(&engine).await;
    let bob = newcomer(&engine, "Bob").await;
    let cid = newcomer(&engine, "Cid").await;
    drop(ann);
    seconds(600).await;
    drop((bob, cid));
    for asked in 1..=29 {
        seconds(100).await;
        assert_eq!((places(&engine), timed_out(&log).await.len()), ((0, 1), 0), "after {asked} times");
        let stranger = connect(&engine, None).await;
        let leave = stranger.call(Command::leave(code())).await;
        assert_eq!(leave.expect_err("not in it").code, RejectCode::NotMember);
    }
    seconds(99).await;
    assert_eq!(timed_out(&log).await, Vec::<u32>::new());
    seconds(2).await;
    assert_eq!(timed_out(&log).await, [1], "an hour after Ann has gone");
    seconds(598).await;
    assert_eq!((places(&engine), timed_out(&log).await), ((0, 1), vec![1]));
    seconds(2).await;
    assert_eq!((places(&engine), stored(&log).await), ((0, 0), 0), "an hour after the others have");
}

#[tokio::test(start_paused = true)]
async fn a_room_that_could_not_be_visited_when_its_time_had_come_is_visited_again() {
    let log = log();
    let engine = engine_with(&log, |limits| limits.room.grace = HOUR);
    drop(founder(&engine).await);
    seconds(600).await;
    assert_eq!(places(&engine), (0, 1));
    log.plan(fails(&[Operation::Read]));
    seconds(3_600).await;
    log.heal();
    // Nobody could come back meanwhile, so the grace begins anew.
    seconds(3_500).await;
    assert_eq!(stored(&log).await, 1);
    seconds(200).await;
    assert_eq!((places(&engine), stored(&log).await), ((0, 0), 0));
}

#[tokio::test(start_paused = true)]
async fn a_room_that_owes_its_log_something_stays_until_it_is_done() {
    let log = log();
    let engine = engine_with(&log, |limits| limits.room.grace = HOUR);
    let ann = founder(&engine).await;
    let secret = say(&ann, "secret", "k").await.expect("she is in");
    log.plan(fails(&[Operation::Amend]));
    ann.call(Command::redact(code(), secret)).await.expect("it is hers");
    drop(ann);
    seconds(600).await;
    assert_eq!(places(&engine), (1, 0));
    log.heal();
    seconds(120).await;
    assert_eq!(places(&engine), (0, 1));
    let texts = log.inner().records(&code()).into_iter().filter_map(|record| match record.event {
        Event::Sent { text, .. } => Some(text.as_str().to_owned()),
        _ => None,
    });
    assert_eq!(texts.collect::<Vec<_>>(), [""]);
}

/// A message that the backlog does not have, so that only the log knows what became of its text.
#[tokio::test(start_paused = true)]
async fn what_the_log_has_forgotten_it_is_not_asked_to_forget_again() {
    let log = log();
    let engine = engine_with(&log, |limits| {
        limits.room.grace = HOUR;
        limits.room.backlog_events_max = 4;
    });
    let ann = founder(&engine).await;
    let secret = say(&ann, "secret", "k").await.expect("she is in");
    for number in 0..6 {
        say(&ann, "x", &number.to_string()).await.expect("she is in");
    }
    ann.call(Command::redact(code(), secret)).await.expect("it is hers");
    let token = ann.token();
    drop(ann);
    seconds(600).await;
    assert_eq!((places(&engine), log.calls(Operation::Amend)), ((0, 1), 1));
    let (ann, status) = come_back(&engine, &token, None).await;
    assert_eq!((status.status, log.calls(Operation::Amend)), (Status::Live, 1));
    // After it has come back it owes the log what it is made to owe.
    say(&ann, "y", "y").await.expect("she is in");
    ann.call(Command::redact(code(), secret.next())).await.expect("it is hers");
    let token = ann.token();
    drop(ann);
    seconds(600).await;
    assert_eq!(try_to_come_back(&engine, &token).await, Status::Live);
    assert_eq!(log.calls(Operation::Amend), 2);
}

#[tokio::test(start_paused = true)]
async fn who_comes_back_to_a_room_that_was_put_away_finds_it_as_it_was() {
    let log = log();
    let engine = engine_with(&log, |limits| limits.room.grace = HOUR);
    let mut ann = connect(&engine, None).await;
    let epoch = create(&mut ann).await.epoch;
    let bob = newcomer(&engine, "Bob").await;
    assert_eq!(say(&ann, "one", "k1").await, Ok(Seq(3)));
    assert_eq!(say(&ann, "two", "k2").await, Ok(Seq(4)));
    let bobs = bob.token();
    drop(bob);
    settle().await;
    engine.moderate(&code(), Moderation::Kick(chat_core::MemberId(2))).await.expect("he is a member");
    let anns = ann.token();
    drop(ann);
    seconds(61).await;
    assert_eq!(places(&engine), (0, 1));

    let (mut ann, status) = come_back(&engine, &anns, Some(Position { epoch, seq: Seq(3) })).await;
    assert_eq!((status.status, status.seq, status.epoch), (Status::Live, Some(Seq(3)), Some(epoch)));
    assert_eq!(next_message(&mut ann).await, (Seq(4), "two".into()));
    assert_eq!(say(&ann, "one", "k1").await, Ok(Seq(3)), "a retry is answered");
    assert_eq!(say(&ann, "three", "k3").await, Ok(Seq(6)));
    let (_bob, status) = come_back(&engine, &bobs, None).await;
    assert_eq!((status.status, status.reason.is_some()), (Status::Left, true), "it is known that he was kicked");
    assert_eq!(texts(&engine, "Cid").await, ["one", "two", "three"]);
    seconds(2 * 3_600).await;
    assert_eq!((places(&engine), timed_out(&log).await), ((1, 0), vec![3]), "Ann is there, and Cid has gone");
}

#[tokio::test(start_paused = true)]
async fn a_room_is_not_put_away_while_somebody_reads_what_it_said() {
    let log = log();
    let engine = engine_with(&log, |limits| limits.room.empty_linger = HOUR);
    let mut ann = founder(&engine).await;
    say(&ann, "one", "k1").await.expect("in it");
    ann.call(Command::leave(code())).await.expect("in it");
    seconds(600).await;
    assert_eq!(places(&engine), (1, 0), "she has not read that she has left");
    while !matches!(ann.next().await, ServerFrame::MemberLeft { .. }) {}
    drop(ann);
    seconds(61).await;
    assert_eq!(places(&engine), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn who_could_not_come_back_because_of_the_log_has_their_grace_anew() {
    let log = log();
    let engine = engine_with(&log, |limits| limits.room.grace = HOUR);
    let ann = founder(&engine).await;
    let token = ann.token();
    drop(ann);
    seconds(3_500).await;
    assert_eq!(places(&engine), (0, 1));
    log.plan(fails(&[Operation::Read]));
    assert_eq!(try_to_come_back(&engine, &token).await, Status::Unavailable);
    seconds(7_200).await;
    log.heal();
    seconds(3_000).await;
    assert_eq!(timed_out(&log).await, Vec::<u32>::new());
    assert_eq!(try_to_come_back(&engine, &token).await, Status::Live);
    seconds(3_601).await;
    assert_eq!(stored(&log).await, 0);
}

#[tokio::test(start_paused = true)]
async fn who_could_not_come_back_because_there_was_no_place_has_their_grace_anew() {
    let log = log();
    let engine = engine_with(&log, |limits| {
        limits.room.grace = HOUR;
        limits.engine.rooms_max = 1;
    });
    let ann = founder(&engine).await;
    let token = ann.token();
    drop(ann);
    seconds(61).await;
    let mut bob = connect(&engine, None).await;
    create_numbered(&bob, 1).await.expect("hers has left memory");
    seconds(3_500).await;
    assert_eq!(try_to_come_back(&engine, &token).await, Status::Unavailable);
    seconds(100).await;
    bob.call(Command::leave(numbered(1))).await.expect("in it");
    while !matches!(bob.next().await, ServerFrame::MemberLeft { .. }) {}
    seconds(3_500).await;
    assert_eq!(timed_out(&log).await, Vec::<u32>::new());
    assert_eq!(try_to_come_back(&engine, &token).await, Status::Live);
    seconds(3_601).await;
    assert_eq!((places(&engine), stored(&log).await), ((0, 0), 0));
}

#[tokio::test(start_paused = true)]
async fn a_room_that_somebody_may_come_back_to_makes_no_place_for_others() {
    let log = log();
    let engine = engine_with(&log, |limits| limits.engine.rooms_max = 1);
    let ann = founder(&engine).await;
    let token = ann.token();
    drop(ann);
    let bob = connect(&engine, None).await;
    for _ in 0..10 {
        seconds(1).await;
        assert_eq!(create_numbered(&bob, 1).await.expect_err("no place").code, RejectCode::AtCapacity);
    }
    assert_eq!(try_to_come_back(&engine, &token).await, Status::Live);
}

#[tokio::test(start_paused = true)]
async fn rooms_that_nobody_is_in_make_place_for_others() {
    let log = log();
    let engine = engine_with(&log, |limits| {
        (limits.room.empty_linger, limits.engine.room_idle) = (HOUR, HOUR);
        limits.engine.rooms_max = 3;
    });
    let mut ann = connect(&engine, None).await;
    for number in 0..10 {
        while let Err(reject) = create_numbered(&ann, number).await {
            assert_eq!((reject.code, number >= 3), (RejectCode::AtCapacity, true));
            seconds(10).await;
        }
        joined(&mut ann).await;
        ann.call(Command::leave(numbered(number))).await.expect("in it");
        while !matches!(ann.next().await, ServerFrame::MemberLeft { .. }) {}
    }
    assert_eq!(stored(&log).await, 10);
}

#[tokio::test(start_paused = true)]
async fn ledgers_of_rooms_that_nobody_is_in_are_given_back_before_anybody_is_refused() {
    let log = log();
    let engine = engine_with(&log, |limits| {
        limits.room.empty_linger = HOUR;
        limits.engine.memory_bytes_max = 256 << 10;
        limits.lift_rates();
    });
    let mut ann = connect(&engine, None).await;
    for number in 0..60 {
        create_numbered(&ann, number).await.expect("what nobody needs makes place");
        joined(&mut ann).await;
        for key in 0..64 {
            let key = Some(chat_core::Key::parse(&format!("k{key}")).expect("valid"));
            let send = Command::send(numbered(number), text("x")).with_key(key);
            ann.call(send).await.expect("in it");
            ann.next().await;
        }
        ann.call(Command::leave(numbered(number))).await.expect("in it");
        while !matches!(ann.next().await, ServerFrame::MemberLeft { .. }) {}
        seconds(1).await;
        let held = engine.stats().ledger_bytes + engine.stats().backlog_bytes;
        assert!(held <= 256 << 10, "{held} bytes");
    }
    assert_eq!(stored(&log).await, 60);
}

#[tokio::test(start_paused = true)]
async fn a_room_that_was_put_away_counts_still_at_the_address_it_was_founded_from() {
    let log = log();
    let engine = engine_with(&log, |limits| {
        limits.room.empty_linger = HOUR;
        limits.engine.rooms_per_address_max = 2;
    });
    let address = Some("192.0.2.7".parse().expect("an address"));
    let request = ConnectRequest { address, ..ConnectRequest::default() };
    let mut ann = engine.connect(request, Hello::default()).await.expect("everybody is let in");
    for number in 0..2 {
        create_numbered(&ann, number).await.expect("the code is free");
        joined(&mut ann).await;
        ann.call(Command::leave(numbered(number))).await.expect("in it");
        while !matches!(ann.next().await, ServerFrame::MemberLeft { .. }) {}
    }
    // A transport looks again after what it has written; then the session lets go of what it has read to the end.
    assert!(ann.peek().is_none());
    seconds(61).await;
    assert_eq!(places(&engine), (0, 2));
    assert_eq!(create_numbered(&ann, 2).await.expect_err("two are there").code, RejectCode::AtCapacity);
    engine.moderate(&numbered(0), Moderation::Close).await.expect("it is there");
    settle().await;
    create_numbered(&ann, 2).await.expect("one is gone");
    assert_eq!(create_numbered(&ann, 3).await.expect_err("two are there").code, RejectCode::AtCapacity);
}

#[tokio::test(start_paused = true)]
async fn where_no_more_may_be_away_a_room_stays_in_memory() {
    let log = left_behind(5).await;
    let engine = engine_with(&log, |limits| limits.engine.rooms_away_max = 2);
    seconds(1).await;
    assert_eq!(places(&engine), (3, 2));
    seconds(60).await;
    assert_eq!((places(&engine), stored(&log).await), ((0, 0), 0));
}
