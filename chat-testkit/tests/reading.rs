//! How far people have read is kept beside the log: not with every step, and not lost by a restart or by putting a room away.

mod support;

use std::time::Duration;

use chat_core::wire::{ReadStatus, RoomStatus, Status};
use chat_core::{Command, Connection, Engine, Log, Position, Seq, ServerFrame};
use chat_testkit::logs::{Fault, Operation, Outcome};
use support::{
    TestLog, code, come_back, connect, create, engine_with, fails, join, joined, log, say_many, seconds, settle,
};

/// Ann, who talks, and what Bob came with: his token and his position, after he has read up to there.
struct Readers {
    ann: Connection,
    bob: Connection,
    token: String,
    position: Position,
}

async fn readers(engine: &Engine) -> Readers {
    let mut ann = connect(engine, None).await;
    create(&mut ann).await;
    let mut bob = connect(engine, None).await;
    let ServerFrame::Welcome { token: Some(token), .. } = bob.next().await else { panic!("welcome comes first") };
    join(&bob, "Bob").await.expect("the room is there");
    let position = joined(&mut bob).await.position();
    say_many(&ann, 0..20).await;
    Readers { ann, bob, token, position }
}

async fn read(session: &Connection, through: u64) -> ReadStatus {
    match session.call(Command::read(code(), Seq(through))).await.expect("a member may read") {
        ServerFrame::Read { read, .. } => read,
        other => panic!("{other:?}"),
    }
}

fn left(status: &RoomStatus) -> (Seq, usize) {
    let read = status.read.expect("who comes back is told how far they have read");
    (read.through, read.unread)
}

fn engine(log: &TestLog) -> Engine {
    engine_with(log, |limits| {
        limits.lift_rates();
        limits.engine.room_idle = Duration::from_secs(10);
    })
}

/// A process that ends, and the next one.
async fn restart(engine: Engine, log: &TestLog) -> Engine {
    drop(engine);
    settle().await;
    self::engine(log)
}

#[tokio::test(start_paused = true)]
async fn positions_are_saved_together_some_seconds_later_and_outlive_the_process() {
    let log = log();
    let engine = engine(&log);
    let Readers { ann, bob, token, position } = readers(&engine).await;
    for through in 3..9 {
        assert_eq!(read(&bob, through).await.through, Seq(through));
    }
    read(&ann, 20).await;
    seconds(4).await;
    assert_eq!(log.calls(Operation::SaveReadPositions), 0, "not with every step");
    seconds(2).await;
    assert_eq!(log.calls(Operation::SaveReadPositions), 1, "but once for all of them");
    read(&bob, 5).await;
    seconds(60).await;
    assert_eq!(log.calls(Operation::SaveReadPositions), 1, "a step back is none");
    drop((ann, bob));
    let engine = restart(engine, &log).await;
    let (_bob, status) = come_back(&engine, &token, Some(position)).await;
    assert_eq!(left(&status), (Seq(8), 14));
}

#[tokio::test(start_paused = true)]
async fn what_could_not_be_saved_is_saved_once_the_log_can() {
    let log = log();
    let engine = engine(&log);
    let Readers { ann, bob, token, position } = readers(&engine).await;
    log.plan(fails(&[Operation::SaveReadPositions]));
    read(&bob, 9).await;
    seconds(30).await;
    assert!(log.faults(Operation::SaveReadPositions) > 1, "it is tried again");
    log.heal();
    seconds(30).await;
    drop((ann, bob));
    let engine = restart(engine, &log).await;
    let (_bob, status) = come_back(&engine, &token, Some(position)).await;
    assert_eq!(left(&status), (Seq(9), 13));
}

#[tokio::test(start_paused = true)]
async fn a_room_is_put_away_once_they_are_saved_and_read_back_with_them() {
    let log = log();
    let engine = engine(&log);
    let Readers { ann, bob, token, position } = readers(&engine).await;
    read(&bob, 12).await;
    drop((ann, bob));
    seconds(4).await;
    assert_eq!((engine.stats().rooms, log.calls(Operation::SaveReadPositions)), (1, 0));
    seconds(12).await;
    assert_eq!((engine.stats().rooms_away, log.calls(Operation::SaveReadPositions)), (1, 1));
    let (_bob, status) = come_back(&engine, &token, Some(position)).await;
    assert_eq!(left(&status), (Seq(12), 10));
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_goes_down_saves_them_before_their_time() {
    let log = log();
    let engine = engine(&log);
    let Readers { ann, bob, token, position } = readers(&engine).await;
    read(&bob, 12).await;
    drop((ann, bob));
    engine.drain(Duration::ZERO).await;
    settle().await;
    assert_eq!(log.calls(Operation::SaveReadPositions), 1);
    let engine = restart(engine, &log).await;
    let (_bob, status) = come_back(&engine, &token, Some(position)).await;
    assert_eq!(left(&status), (Seq(12), 10));
}

#[tokio::test(start_paused = true)]
async fn a_room_whose_positions_cannot_be_read_is_not_there_and_what_is_no_positions_is_passed_over() {
    let log = log();
    let engine = engine(&log);
    let Readers { ann, bob, token, position } = readers(&engine).await;
    read(&bob, 12).await;
    seconds(6).await;
    drop((ann, bob));
    log.push(Operation::LoadReadPositions, Fault::from(Outcome::Fails));
    let engine = restart(engine, &log).await;
    let (bob, status) = come_back(&engine, &token, Some(position)).await;
    assert_eq!(status.status, Status::Unavailable);
    drop(bob);
    seconds(10).await;
    let (bob, status) = come_back(&engine, &token, Some(position)).await;
    assert_eq!(left(&status), (Seq(12), 10), "nothing has taken their place meanwhile");
    drop(bob);
    settle().await;
    drop(engine);

    log.inner().save_read_positions(&code(), position.epoch, b"no positions").await.expect("it takes any bytes");
    let engine = self::engine(&log);
    let (_bob, status) = come_back(&engine, &token, Some(position)).await;
    assert_eq!(left(&status), (position.seq, 20));
}
