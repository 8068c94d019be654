//! The engine over a log that fails, stalls, loses answers and comes back: refused or kept, never lost and never twice.

mod support;

use std::sync::Arc;
use std::time::Duration;

use chat_core::{
    Command, ConnectRequest, Connection, Engine, Hello, Nick, Observer, ObserverEvent, RejectCode, Reply, RoomCode,
    Seq, ServerFrame,
};
use chat_testkit::logs::{Delay, Fault, Operation, Outcome};
use support::{
    TestLog, builder, code, connect, create, engine, engine_with, founder, join, joined, log, newcomer, next_left,
    next_message, nick, say, seconds, settle, take, text, texts,
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

/// The room learns nothing of a connection that was lost before it knew of it.
#[tokio::test(start_paused = true)]
async fn who_is_gone_before_the_log_has_their_join_leaves_after_their_grace() {
    let log = log();
    let engine = engine(&log);
    let mut ann = founder(&engine).await;
    log.push(Operation::Append, Fault::slow(Duration::from_secs(5)));
    let bob = connect(&engine, None).await;
    bob.submit(Command::join(code(), nick("Bob")), Reply::mailbox(None)).expect("few are in flight");
    settle().await;
    drop(bob);
    let left = tokio::time::timeout(Duration::from_secs(60), next_left(&mut ann)).await;
    assert_eq!(left.expect("he is no ghost"), ("Bob".to_owned(), "timeout".to_owned()));
}

/// A room remembers the numbers of so many messages; the log has the others.
#[tokio::test(start_paused = true)]
async fn messages_that_the_room_has_no_mark_of_are_shown_from_the_log() {
    let log = log();
    let engine = engine_with(&log, |limits| {
        (limits.room.marks_max, limits.room.backlog_events_max) = (4, 4);
        limits.lift_rates();
    });
    let ann = founder(&engine).await;
    for number in 0..10 {
        say(&ann, &number.to_string(), &format!("k{number}")).await.expect("she is in");
    }
    for (limit, first, has_more) in [(10, "0", false), (8, "2", true)] {
        let answer = ann.call(Command::history(code()).with_limit(limit)).await;
        let Ok(ServerFrame::History { messages, more, .. }) = answer else { panic!("{answer:?}") };
        let shown: Vec<&str> = messages.iter().map(|message| message.frame().text.as_str()).collect();
        assert_eq!((shown.len(), shown.first(), more), (limit as usize, Some(&first), has_more));
    }
}

/// Whoever is told that nobody knows may have founded a room.
#[tokio::test(start_paused = true)]
async fn a_room_whose_founder_was_sent_away_keeps_its_place_at_their_address() {
    let log = log();
    let engine = engine_with(&log, |limits| limits.engine.rooms_per_address_max = 1);
    let address = Some("192.0.2.1".parse().expect("an address"));
    let request = ConnectRequest { transport: "test", address, ..ConnectRequest::default() };
    let ann = engine.connect(request, Hello::default()).await.expect("everybody is let in");
    let create = |room: &str| {
        let room = RoomCode::parse(room).expect("valid");
        async { ann.call(Command::create(nick("Ann")).with_room(room)).await.map_err(|reject| reject.code).err() }
    };
    log.push(Operation::Append, Outcome::AnswerLost);
    // Once it has been read that there is none.
    log.plan(|call| (call.operation == Operation::Read && call.number > 1).then(|| Outcome::Fails.into()));
    assert_eq!(create("LUNCH").await, Some(RejectCode::Unavailable));
    log.heal();
    seconds(6).await;
    assert_eq!(engine.rooms(), [code()], "it is there");
    assert_eq!(create("DINNER").await, Some(RejectCode::AtCapacity));
}

/// In a big room readers are woken a few at a time. Those whose turn has not come do not wait for what the log does next.
#[tokio::test(start_paused = true)]
async fn what_was_said_before_the_log_stalls_is_heard_by_everybody() {
    let log = log();
    let engine = engine_with(&log, |limits| limits.room.batch_inputs_max = 1);
    let ann = founder(&engine).await;
    let mut readers = Vec::new();
    for number in 0..100 {
        let mut reader = newcomer(&engine, &format!("Guest {number}")).await;
        readers.push(tokio::spawn(async move { next_message(&mut reader).await.1 }));
    }
    settle().await;
    log.push(Operation::Append, Outcome::Done);
    log.push(Operation::Append, Fault::stalled(Outcome::Done));
    for said in ["one", "two"] {
        ann.submit(Command::send(code(), text(said)), Reply::mailbox(None)).expect("few are in flight");
    }
    for reader in readers {
        let heard = tokio::time::timeout(Duration::from_secs(1), reader).await.expect("nobody waits for the log");
        assert_eq!(heard.expect("no panic"), "one");
    }
    assert_eq!(log.release_all(), 1);
}

/// The second engine draws what the first one drew, and finds it only in the log.
#[tokio::test(start_paused = true)]
async fn a_code_that_is_drawn_and_taken_is_drawn_again() {
    let log = log();
    let mut drawn = Vec::new();
    for _ in 0..2 {
        let engine = builder(&log).seed(7).build();
        let mut ann = connect(&engine, None).await;
        ann.call(Command::create(nick("Ann"))).await.expect("there are codes enough");
        drawn.push(joined(&mut ann).await.room);
        drop((ann, engine));
        settle().await;
    }
    assert_ne!(drawn[0], drawn[1]);
}

/// What is there when a grace is over is read first; what comes after that is not.
#[tokio::test(start_paused = true)]
async fn a_grace_runs_out_also_where_there_is_always_something_to_do() {
    let log = log();
    let engine = engine_with(&log, |limits| limits.lift_rates());
    let mut ann = founder(&engine).await;
    drop(newcomer(&engine, "Bob").await);
    let cid = newcomer(&engine, "Cid").await;
    log.plan(|call| (call.operation == Operation::Append).then(|| Fault::slow(Duration::from_millis(100))));
    let talk = tokio::spawn(async move {
        loop {
            cid.submit(Command::send(code(), text("x")), Reply::mailbox(None)).expect("few are in flight");
            take(&cid);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    let left = tokio::time::timeout(Duration::from_secs(31), next_left(&mut ann)).await;
    assert_eq!(left.expect("half a minute is over"), ("Bob".to_owned(), "timeout".to_owned()));
    talk.abort();
}

/// Trips over whatever it sees.
struct Clumsy;

impl Observer for Clumsy {
    fn observe(&self, event: ObserverEvent<'_>) {
        panic!("an observer that trips over {event:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_observer_that_panics_neither_closes_a_room_nor_keeps_its_records_from_the_log() {
    let log = log();
    let engine = builder(&log).observer(Arc::new(Clumsy)).build();
    let ann = founder(&engine).await;
    let mut bob = newcomer(&engine, "Bob").await;
    assert_eq!(say(&ann, "one", "k1").await, Ok(Seq(3)));
    assert_eq!(next_message(&mut bob).await, (Seq(3), "one".into()));
    drop(bob);
    seconds(31).await;
    assert_eq!(say(&ann, "two", "k2").await, Ok(Seq(5)), "after Bob has timed out");
    assert_eq!(texts(&engine, "Cid").await, ["one", "two"]);
}
