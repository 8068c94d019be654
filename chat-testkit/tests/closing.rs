//! Rooms that the host closes over a log that refuses, loses its answer or is out of reach: closed once, or as they were.

mod support;

use std::time::Duration;

use chat_core::wire::Status;
use chat_core::{
    Command, Connection, Engine, Log, Moderation, Offset, Position, Reject, RejectCode, Seq, ServerFrame, SignalData,
    SignalName, TypingState,
};
use chat_testkit::logs::{Operation, Outcome};
use support::{
    TestLog, code, come_back, connect, create, engine, fails, founder, join, log, newcomer, say, seconds, settle, take,
    text, texts,
};

async fn close(engine: &Engine) -> Result<Seq, RejectCode> {
    engine.moderate(&code(), Moderation::Close).await.map_err(|Reject { code, .. }| code)
}

async fn is_kept(log: &TestLog) -> bool {
    !log.inner().rooms(None, None, 1).await.expect("the log underneath does not fail").is_empty()
}

/// Where everybody has been.
async fn position(log: &TestLog) -> Position {
    let tail = log.inner().read(&code(), None, Offset(0), 0).await.expect("it can be read").tail;
    Position { epoch: tail.epoch.expect("it is there"), seq: Seq(3) }
}

fn is_closed(frames: &[ServerFrame]) -> bool {
    frames.iter().any(|frame| matches!(frame, ServerFrame::RoomClosed { .. }))
}

/// Ann has said something, Bob has read it, and both show something of themselves.
async fn stage(log: &TestLog) -> (Engine, Connection, Connection) {
    let engine = engine(log);
    let ann = founder(&engine).await;
    let bob = newcomer(&engine, "Bob").await;
    assert_eq!(say(&ann, "one", "k1").await, Ok(Seq(3)));
    assert_eq!(say(&ann, "two", "k2").await, Ok(Seq(4)));
    bob.call(Command::read(code(), Seq(3))).await.expect("he is in");
    bob.call(Command::typing(code(), TypingState::On)).await.expect("he is in");
    let hand = SignalName::parse("hand").expect("valid");
    bob.call(Command::signal(code(), hand, SignalData::parse("true").ok())).await.expect("he is in");
    ann.call(Command::live(code(), Seq(4), text("two and"))).await.expect("it is hers");
    settle().await;
    for session in [&ann, &bob] {
        take(session);
    }
    (engine, ann, bob)
}

#[tokio::test(start_paused = true)]
async fn a_close_that_the_log_refuses_changes_nothing_and_can_be_tried_again() {
    let log = log();
    let (engine, mut ann, bob) = stage(&log).await;
    log.plan(fails(&[Operation::Append]));
    assert_eq!(close(&engine).await, Err(RejectCode::Unavailable));
    assert_eq!(close(&engine).await, Err(RejectCode::Unavailable), "and again");
    log.heal();
    seconds(1).await;
    for session in [&ann, &bob] {
        let told = take(session);
        assert!(told.is_empty(), "nobody has heard of it: {told:?}");
    }

    // All goes on: who is here, what was said under which key, what is shown, and what was read.
    let read = bob.call(Command::read(code(), Seq(1))).await.expect("he is in");
    let ServerFrame::Read { read, .. } = read else { panic!("{read:?}") };
    assert_eq!((read.through, read.unread), (Seq(3), 1), "what he had read");
    assert_eq!(say(&ann, "two", "k2").await, Ok(Seq(4)));
    assert_eq!(say(&bob, "three", "k3").await, Ok(Seq(5)));
    let cid = newcomer(&engine, "Cid").await;
    settle().await;
    let shown = take(&cid);
    let shows = |is_it: fn(&ServerFrame) -> bool| shown.iter().any(is_it);
    assert!(shows(|frame| matches!(frame, ServerFrame::Live { target: Seq(4), text: Some(_), .. })), "{shown:?}");
    assert!(shows(|frame| matches!(frame, ServerFrame::Signals { signals, .. } if signals.len() == 1)), "{shown:?}");
    assert!(is_kept(&log).await);

    assert_eq!(close(&engine).await, Ok(Seq(6)));
    while !matches!(ann.next().await, ServerFrame::RoomClosed { .. }) {}
    settle().await;
    assert!(is_closed(&take(&bob)) && !is_kept(&log).await);
    assert_eq!(join(&cid, "Cid").await.expect_err("it is over").code, RejectCode::RoomNotFound);
    create(&mut connect(&engine, None).await).await;
}

/// How far people have read is stored beside the log, and what a close has undone must not be stored over it.
#[tokio::test(start_paused = true)]
async fn what_was_read_before_a_close_that_was_refused_is_known_after_a_restart() {
    let log = log();
    let (engine, ann, bob) = stage(&log).await;
    log.push(Operation::Append, Outcome::Fails);
    log.push(Operation::Append, Outcome::Fails);
    assert_eq!(close(&engine).await, Err(RejectCode::Unavailable));
    ann.call(Command::read(code(), Seq(3))).await.expect("she is in");
    seconds(6).await;
    let (token, position) = (bob.token(), position(&log).await);
    drop((ann, bob, engine));
    settle().await;
    let engine = support::engine(&log);
    let (_bob, status) = come_back(&engine, &token, Some(position)).await;
    assert_eq!(status.read.map(|read| (read.through, read.unread)), Some((Seq(3), 1)));
}

#[tokio::test(start_paused = true)]
async fn a_close_whose_answer_is_lost_is_done_once() {
    for outcome in [Outcome::AnswerLost, Outcome::NotDone, Outcome::Fails] {
        let log = log();
        let (engine, ann, bob) = stage(&log).await;
        log.push(Operation::Append, outcome);
        assert_eq!(close(&engine).await, Ok(Seq(4)), "{outcome:?}");
        settle().await;
        assert!(is_closed(&take(&ann)) && is_closed(&take(&bob)), "{outcome:?}");
        assert!(!is_kept(&log).await, "{outcome:?}");
        assert_eq!(close(&engine).await, Err(RejectCode::RoomNotFound), "{outcome:?}");
    }
}

/// The host is told that nobody knows; what the log has after all is done, and what it has not is not.
#[tokio::test(start_paused = true)]
async fn a_close_over_a_log_that_is_out_of_reach_is_done_or_not_once_it_is_back() {
    for (outcome, is_done) in [(Outcome::AnswerLost, true), (Outcome::NotDone, false)] {
        let log = log();
        let (engine, ann, bob) = stage(&log).await;
        log.push(Operation::Append, outcome);
        log.plan(fails(&[Operation::Append, Operation::Read]));
        let began = tokio::time::Instant::now();
        assert_eq!(close(&engine).await, Err(RejectCode::Unavailable), "{outcome:?}");
        assert!(began.elapsed() <= Duration::from_secs(36), "{:?}", began.elapsed());
        settle().await;
        assert!(!is_closed(&take(&ann)), "{outcome:?}: nobody knows");
        log.heal();
        seconds(6).await;
        assert_eq!((is_closed(&take(&ann)), is_kept(&log).await), (is_done, !is_done), "{outcome:?}");
        let again = if is_done { Err(RejectCode::RoomNotFound) } else { Ok(Seq(4)) };
        assert_eq!(close(&engine).await, again, "{outcome:?}");
        settle().await;
        assert!(!is_kept(&log).await, "{outcome:?}");
        drop(bob);
    }
}

/// Between the last record of a life and its deletion a process may end, and the next one may not be able to delete it.
#[tokio::test(start_paused = true)]
async fn a_room_that_was_closed_and_not_deleted_is_over_after_a_restart() {
    let log = log();
    let (engine, ann, bob) = stage(&log).await;
    let (token, position) = (bob.token(), position(&log).await);
    log.plan(fails(&[Operation::Delete]));
    assert_eq!(close(&engine).await, Ok(Seq(4)));
    drop((ann, bob, engine));
    settle().await;
    assert!(is_kept(&log).await, "it could not be deleted");
    let engine = support::engine(&log);
    let cid = connect(&engine, None).await;
    assert_eq!(join(&cid, "Cid").await.expect_err("nobody is let into it").code, RejectCode::Unavailable);
    log.heal();
    seconds(6).await;
    assert_eq!(join(&cid, "Cid").await.expect_err("it is over").code, RejectCode::RoomNotFound);
    let (_bob, status) = come_back(&engine, &token, Some(position)).await;
    assert_eq!(status.status, Status::Unknown);
    assert!(!is_kept(&log).await);
    let mut eve = connect(&engine, None).await;
    create(&mut eve).await;
    assert_eq!(texts(&engine, "Dan").await, Vec::<String>::new(), "another life");
}
