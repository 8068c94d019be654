//! What was changed, over a log: told after restarts, of messages that only the log has, and while the log cannot be read.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use chat_core::wire::ChangedMessage;
use chat_core::{Command, Connection, Engine, Event, Limits, Log, MemberId, Record, RejectCode, Seq, ServerFrame};
use chat_testkit::logs::{MemoryLog, Operation, Outcome};
use support::bent::BentLog;
use support::{
    code, come_back, connect, create, engine_with, fails, join, joined, log, newcomer, say, settle, take, text,
};

fn narrow(limits: &mut Limits) {
    limits.lift_rates();
    (limits.room.backlog_events_max, limits.room.marks_max) = (8, 4);
}

/// A room in which Ann has said twenty numbers, from message 2 on.
async fn twenty<L: Log>(log: &Arc<L>) -> (Engine, Connection) {
    let engine = engine_with(log, narrow);
    let mut ann = connect(&engine, None).await;
    create(&mut ann).await;
    for number in 2..22 {
        say(&ann, &number.to_string(), &format!("k{number}")).await.expect("the log works");
    }
    (engine, ann)
}

async fn redact(session: &Connection, target: u64) -> Result<Seq, RejectCode> {
    match session.call(Command::redact(code(), Seq(target))).await {
        Ok(ServerFrame::Ack { seq, .. }) => Ok(seq),
        Ok(other) => panic!("a redaction is answered with an ack: {other:?}"),
        Err(reject) => Err(reject.code),
    }
}

/// Numbers of the messages that were changed after an event, how far that reaches, and whether there is more.
async fn changes(session: &Connection, after: u64) -> Result<(Vec<u64>, Seq, bool), RejectCode> {
    match session.call(Command::changes(code(), Seq(after))).await {
        Ok(ServerFrame::Changes { messages, through, more, .. }) => {
            Ok((messages.iter().map(|message| message.seq().0).collect(), through, more))
        }
        Ok(other) => panic!("a question for changes is answered with changes: {other:?}"),
        Err(reject) => Err(reject.code),
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_of_long_ago_is_taken_back_once_the_log_can_be_read() {
    let log = log();
    let (_engine, ann) = twenty(&log).await;
    log.plan(fails(&[Operation::Messages]));
    assert_eq!(redact(&ann, 3).await, Err(RejectCode::Unavailable));
    assert_eq!(redact(&ann, 21).await, Ok(Seq(22)), "the room knows this one");
    log.heal();
    assert_eq!(redact(&ann, 3).await, Ok(Seq(23)));
    assert_eq!(redact(&ann, 3).await, Ok(Seq(23)), "it has been taken back");
    assert_eq!(redact(&ann, 1).await, Err(RejectCode::MessageNotFound), "a join");
    settle().await;
    assert!(!format!("{:?}", log.inner().records(&code())).contains("\"3\""), "and the log has forgotten it");
}

#[tokio::test(start_paused = true)]
async fn a_stranger_has_the_log_asked_for_nothing() {
    let log = log();
    let (engine, _ann) = twenty(&log).await;
    let calls = log.calls(Operation::Messages);
    let stranger = connect(&engine, None).await;
    assert_eq!(redact(&stranger, 3).await, Err(RejectCode::NotMember));
    assert_eq!(changes(&stranger, 0).await, Err(RejectCode::NotMember));
    assert_eq!(log.calls(Operation::Messages), calls);
}

#[tokio::test(start_paused = true)]
async fn what_was_changed_before_a_restart_is_told_after_it() {
    let log = log();
    let (engine, ann) = twenty(&log).await;
    for target in [20, 3] {
        redact(&ann, target).await.expect("hers");
    }
    drop((ann, engine));
    settle().await;
    let engine = engine_with(&log, narrow);
    let mut bob = newcomer(&engine, "Bob").await;
    assert_eq!(joined(&mut bob).await.changed_at, Seq(23));
    assert_eq!(changes(&bob, 20).await, Ok((vec![3, 20], Seq(24), false)));
    assert_eq!(changes(&bob, 22).await, Ok((vec![3], Seq(24), false)));
}

#[tokio::test(start_paused = true)]
async fn a_page_that_the_log_could_not_be_read_for_goes_on_where_it_ended() {
    let log = log();
    let (_engine, ann) = twenty(&log).await;
    for target in [20, 3, 4] {
        redact(&ann, target).await.expect("hers");
    }
    log.push(Operation::Messages, Outcome::Fails);
    assert_eq!(changes(&ann, 0).await, Ok((vec![20], Seq(22), true)), "the backlog has that one");
    log.push(Operation::Messages, Outcome::Fails);
    assert_eq!(changes(&ann, 22).await, Ok((vec![], Seq(22), true)), "nothing, and that there is something");
    assert_eq!(changes(&ann, 22).await, Ok((vec![3, 4], Seq(24), false)));
}

/// The log begins after the message: what was changed in it says that it is there no more, and it cannot be taken back.
#[tokio::test(start_paused = true)]
async fn what_retention_has_cut_is_gone() {
    let (memory, cut) = (Arc::new(MemoryLog::new()), Arc::new(AtomicU64::new(0)));
    let through = Arc::clone(&cut);
    let log = Arc::new(BentLog::new(&memory).messages(move |mut messages| {
        messages.retain(|message| message.seq > Some(Seq(through.load(Ordering::Relaxed))));
        messages
    }));
    let (_engine, ann) = twenty(&log).await;
    for target in [19, 12] {
        redact(&ann, target).await.expect("hers");
    }
    cut.store(15, Ordering::Relaxed);
    assert_eq!(redact(&ann, 3).await, Err(RejectCode::MessageNotFound));
    let answer = ann.call(Command::changes(code(), Seq(0))).await.expect("she is in");
    let ServerFrame::Changes { messages, .. } = answer else { panic!("{answer:?}") };
    let [gone, ChangedMessage::There(bare)] = &messages[..] else { panic!("{messages:?}") };
    assert_eq!(*gone, ChangedMessage::Gone { seq: Seq(12), gone: true });
    assert!(bare.frame().redacted && bare.frame().seq == Seq(19), "{bare:?}");
}

/// The log begins after the message and not after its edit: it is made to forget that all the same, as far as the room remembers it; and
/// nobody is told it who comes back after a restart.
#[tokio::test(start_paused = true)]
async fn an_edit_whose_message_retention_has_cut_is_taken_back_with_it() {
    for (all, changes_max) in [(false, 8), (true, 8), (false, 0), (true, 0)] {
        let memory = Arc::new(MemoryLog::new());
        let limits = |limits: &mut Limits| {
            limits.lift_rates();
            limits.room.changes_max = changes_max;
        };
        let cut = |memory: &Arc<MemoryLog>, through: u64| {
            Arc::new(BentLog::new(memory).messages(move |mut messages| {
                messages.retain(|message| message.seq > Some(Seq(through)));
                messages
            }))
        };
        let (token, position) = {
            let engine = engine_with(&cut(&memory, 3), limits);
            let mut ann = connect(&engine, None).await;
            let position = create(&mut ann).await.position();
            for (said, key) in [("one", "k2"), ("two", "k3"), ("three", "k4")] {
                say(&ann, said, key).await.expect("the log works");
            }
            ann.call(Command::edit(code(), Seq(3), text("regretted"))).await.expect("hers, and in the backlog");
            settle().await;
            let take_back = match all {
                true => Command::redact_all(code(), MemberId(1)),
                false => Command::redact(code(), Seq(3)),
            };
            ann.call(take_back).await.expect("hers");
            settle().await;
            (ann.token(), position)
        };
        settle().await;
        let says = |record: &Record| matches!(record.event, Event::Edited { content: Some(_), .. });
        assert_eq!(memory.records(&code()).iter().any(says), changes_max == 0, "all: {all}");
        let engine = engine_with(&cut(&memory, 3), limits);
        let (ann, _) = come_back(&engine, &token, Some(position)).await;
        settle().await;
        assert!(!format!("{:?}", take(&ann)).contains("regretted"), "all: {all}, {changes_max}");
    }
}

/// In a room whose joins and leaves are only counted most records are quiet. Those who come back after a restart go on all the same.
#[tokio::test(start_paused = true)]
async fn quiet_records_do_not_starve_the_backlog_of_a_room_that_is_read_back() {
    let log = log();
    let counted = |limits: &mut Limits| {
        limits.lift_rates();
        limits.room.notices_members_max = 1;
        limits.room.backlog_events_max = 16;
    };
    let (token, position) = {
        let engine = engine_with(&log, counted);
        let mut ann = connect(&engine, None).await;
        create(&mut ann).await;
        let mut bob = newcomer(&engine, "Bob").await;
        let position = joined(&mut bob).await.position();
        for number in 0..10 {
            say(&ann, &number.to_string(), &format!("k{number}")).await.expect("the log works");
        }
        let guest = connect(&engine, None).await;
        for _ in 0..1_500 {
            join(&guest, "Guest").await.expect("the room is there");
            guest.call(Command::leave(code())).await.expect("he is in");
            support::take(&guest);
        }
        (bob.token(), position)
    };
    settle().await;
    assert!(log.inner().records(&code()).len() > 3_000);
    let engine = engine_with(&log, counted);
    let (mut bob, _) = come_back(&engine, &token, Some(position)).await;
    for number in 0..10 {
        let (_, said) = support::next_message(&mut bob).await;
        assert_eq!(said, number.to_string(), "told, and not left out by a gap");
    }
    assert_eq!(engine.stats().gaps, 0);
}
