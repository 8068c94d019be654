//! Rooms that come back from their log: after restarts, with snapshots true and false, and from logs that trim or make no sense.

mod support;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chat_core::wire::Status;
use chat_core::{
    Command, Engine, Limits, Log, LogPage, Observer, ObserverEvent, Offset, Position, RejectCode, Resume, Seq,
    ServerFrame,
};
use chat_testkit::logs::{Fault, MemoryLog, Operation, Outcome};
use support::bent::BentLog;
use support::{
    builder, code, come_back, connect, create, engine, engine_with, founder, join, joined, log, newcomer, next_message,
    say, say_many, settle, texts,
};

#[tokio::test(start_paused = true)]
async fn a_room_comes_back_with_its_members_positions_and_keys() {
    let log = log();
    let (token, position);
    {
        let engine = engine(&log);
        let mut ann = connect(&engine, None).await;
        let room = create(&mut ann).await;
        assert_eq!(say(&ann, "one", "k1").await, Ok(Seq(2)));
        assert_eq!(say(&ann, "two", "k2").await, Ok(Seq(3)));
        (token, position) = (ann.token(), Position { epoch: room.epoch, seq: Seq(2) });
        drop(ann);
        drop(engine);
    }
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    let engine = engine(&log);
    let mut ann = connect(&engine, Some(Resume { token, positions: vec![(code(), position)] })).await;
    let ServerFrame::Welcome { resumed, rooms, .. } = ann.next().await else { panic!("welcome comes first") };
    assert!(resumed);
    assert_eq!((rooms[0].status, rooms[0].seq), (Status::Live, Some(Seq(2))));
    assert_eq!(next_message(&mut ann).await, (Seq(3), "two".into()));
    assert_eq!(say(&ann, "one", "k1").await, Ok(Seq(2)), "a retry from before the restart");
    assert_eq!(say(&ann, "three", "k3").await, Ok(Seq(4)));
    assert_eq!(texts(&engine, "Bob").await, ["one", "two", "three"]);
}

#[tokio::test(start_paused = true)]
async fn who_does_not_come_back_after_a_restart_has_left_after_the_grace() {
    let log = log();
    {
        let engine = engine(&log);
        let _ann = founder(&engine).await;
    }
    settle().await;
    let engine = engine(&log);
    let mut bob = connect(&engine, None).await;
    join(&bob, "Bob").await.expect("the room is there");
    assert_eq!(joined(&mut bob).await.members_total, 2);
    let left = loop {
        if let ServerFrame::MemberLeft { nick, reason, .. } = bob.next().await {
            break (nick, reason);
        }
    };
    assert_eq!(left, ("Ann".into(), "timeout".into()));
}

#[tokio::test(start_paused = true)]
async fn what_was_taken_back_stays_so_over_a_restart_even_where_scrubbing_failed() {
    let log = log();
    {
        let engine = engine(&log);
        let ann = founder(&engine).await;
        assert_eq!(say(&ann, "a secret", "k1").await, Ok(Seq(2)));
        log.plan(|call| (call.operation == Operation::Amend).then(|| Fault::from(Outcome::Fails)));
        ann.call(Command::redact(code(), Seq(2))).await.expect("her own message");
    }
    settle().await;
    log.heal();
    let engine = engine(&log);
    let mut bob = connect(&engine, None).await;
    join(&bob, "Bob").await.expect("the room is there");
    let history = joined(&mut bob).await.history;
    let frame = history[0].frame();
    assert_eq!((frame.text.as_str(), frame.redacted, &frame.key), ("", true, &None));
    let kept = chat_core::Log::read(log.inner(), &code(), None, chat_core::Offset(0), 100).await.expect("readable");
    assert!(!format!("{kept:?}").contains("a secret"));
}

/// What was taken back was said before all that a backlog holds.
#[tokio::test(start_paused = true)]
async fn an_old_message_that_was_taken_back_just_before_a_crash_is_scrubbed_after_it() {
    let log = log();
    let engine = || engine_with(&log, |limits| limits.room.backlog_events_max = 4);
    {
        let engine = engine();
        let ann = founder(&engine).await;
        for (number, text) in ["a secret", "b", "c", "d", "e", "f", "g", "h"].into_iter().enumerate() {
            say(&ann, text, &number.to_string()).await.expect("the log works");
        }
        log.plan(|call| (call.operation == Operation::Amend).then(|| Fault::from(Outcome::Fails)));
        ann.call(Command::redact(code(), Seq(2))).await.expect("her own message");
    }
    settle().await;
    log.heal();
    let engine = engine();
    assert_eq!(texts(&engine, "Bob").await, ["", "b", "c", "d", "e", "f", "g", "h"]);
    let kept = chat_core::Log::read(log.inner(), &code(), None, chat_core::Offset(0), 100).await.expect("readable");
    assert!(!format!("{kept:?}").contains("a secret"));
}

/// More than a room's snapshots are apart, and more than it reads at once.
const MANY: usize = 2_500;

fn fast(limits: &mut Limits) {
    limits.session.send_per_second = 0;
}

/// A room in which the numbers below `said` were said, as an engine that is gone has left it; and where Ann stands in it.
async fn left_behind(memory: &Arc<MemoryLog>, said: usize) -> (String, Position) {
    let engine = engine_with(memory, fast);
    let mut ann = connect(&engine, None).await;
    let position = create(&mut ann).await.position();
    say_many(&ann, 0..said).await;
    let token = ann.token();
    drop((ann, engine));
    settle().await;
    (token, position)
}

/// Somebody new sees the newest messages, up to the number `end`.
async fn shows_the_newest(engine: &Engine, nick: &str, end: usize) {
    let newest: Vec<String> = (end - 50..end).map(|number| number.to_string()).collect();
    assert_eq!(texts(engine, nick).await, newest);
}

/// Were the records since the last snapshot counted anew by each process, one that ends before it has made its own would leave
/// more to the next, and so on without end.
#[tokio::test(start_paused = true)]
async fn a_room_that_is_often_restarted_is_read_back_in_bounded_time() {
    const BACKLOG: usize = 16;
    let memory = Arc::new(MemoryLog::new());
    left_behind(&memory, 0).await;
    for number in 0..8 {
        let read = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&read);
        let log = Arc::new(BentLog::new(&memory).reads(move |stretch| {
            counter.fetch_add(stretch.records.len(), Ordering::Relaxed);
            stretch
        }));
        let engine = engine_with(&log, |limits| {
            fast(limits);
            limits.room.backlog_events_max = BACKLOG;
        });
        let session = newcomer(&engine, &format!("Guest {number}")).await;
        let read = read.load(Ordering::Relaxed);
        assert!(read <= 1_000 + 600 + BACKLOG, "{read} records are read at start {number}");
        say_many(&session, 0..600).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_room_of_many_pages_comes_back_whole() {
    let memory = Arc::new(MemoryLog::new());
    let (token, position) = left_behind(&memory, MANY).await;
    let engine = engine(&memory);
    let (mut ann, status) = come_back(&engine, &token, Some(position)).await;
    assert_eq!(status.status, Status::Live);
    for number in 0..MANY {
        assert_eq!(next_message(&mut ann).await, (Seq(number as u64 + 2), number.to_string()));
    }
    shows_the_newest(&engine, "Zoe", MANY).await;
}

/// As a disk does that lied about a flush: the snapshot knows of records that the log has lost.
#[tokio::test(start_paused = true)]
async fn as_many_events_come_back_as_a_backlog_may_have() {
    for (said, expected) in [(8, Status::Live), (9, Status::Gap)] {
        let log = log();
        let engine = || engine_with(&log, |limits| limits.room.backlog_events_max = 8);
        let first = engine();
        let ann = founder(&first).await;
        let mut bob = newcomer(&first, "Bob").await;
        let (position, token) = (joined(&mut bob).await.position(), bob.token());
        for number in 0..said {
            say(&ann, "x", &number.to_string()).await.expect("she is in");
        }
        drop((ann, bob, first));
        settle().await;
        assert_eq!(
            come_back(&engine(), &token, Some(position)).await.1.status,
            expected,
            "{said} after what he has seen"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_that_is_newer_than_its_log_is_not_believed() {
    let log = log();
    let epoch = {
        let engine = engine_with(&log, fast);
        let mut ann = connect(&engine, None).await;
        let epoch = create(&mut ann).await.epoch;
        say_many(&ann, 0..1_100).await;
        epoch
    };
    settle().await;
    let snapshot = log.inner().load_snapshot(&code(), epoch).await.expect("the memory can be read");
    let (through, bytes) = snapshot.expect("one was made");
    let records = log.inner().records(&code());
    let lost = records.len() - usize::try_from(through.0).expect("a small number") + 5;
    log.lose_tail(&code(), lost).await;
    log.inner().save_snapshot(&code(), epoch, through, &bytes).await.expect("the memory can be written");

    let engine = engine(&log);
    let mut bob = newcomer(&engine, "Bob").await;
    assert_eq!(joined(&mut bob).await.members_total, 2);
    let head = through.0 - 5;
    assert_eq!(say(&bob, "after the loss", "k1").await, Ok(Seq(head + 1)), "behind his own join");
    assert_eq!(next_message(&mut bob).await, (Seq(head + 1), "after the loss".into()));
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_that_cannot_be_read_only_costs_time() {
    let memory = Arc::new(MemoryLog::new());
    let (token, position) = left_behind(&memory, 1_100).await;
    for (bytes, nick) in [(&b""[..], "Bob"), (b"{}", "Cat"), (b"{\"version\":2,\"ledger\":{}}", "Dan")] {
        memory.save_snapshot(&code(), position.epoch, Offset(1_000), bytes).await.expect("the memory can be written");
        let engine = engine(&memory);
        assert_eq!(come_back(&engine, &token, Some(position)).await.1.status, Status::Live);
        shows_the_newest(&engine, nick, 1_100).await;
        settle().await;
    }
}

/// Retention goes on while a room is read, up to its last snapshot.
#[tokio::test(start_paused = true)]
async fn a_log_that_trims_between_two_pages_leaves_no_hole_in_the_backlog() {
    const TRIMMED: u64 = 1_500;
    let memory = Arc::new(MemoryLog::new());
    let (token, position) = left_behind(&memory, MANY).await;
    let log = Arc::new(BentLog::new(&memory).reads(move |mut page| {
        // What comes before has been read by then, whoever reads: the engine itself looks at its rooms too when it begins.
        if page.records.last().is_some_and(|last| last.offset > Offset(TRIMMED)) {
            page.records.retain(|record| record.offset > Offset(TRIMMED));
        }
        page
    }));
    let engine = engine_with(&log, fast);
    let (_, status) = come_back(&engine, &token, Some(position)).await;
    assert_eq!(status.status, Status::Gap, "the oldest are gone");
    // Records are one ahead of numbers: the first one is not told.
    let oldest = Position { seq: Seq(TRIMMED - 1), ..position };
    let (mut ann, status) = come_back(&engine, &token, Some(oldest)).await;
    assert_eq!(status.status, Status::Live);
    for seq in TRIMMED..MANY as u64 {
        assert_eq!(next_message(&mut ann).await, (Seq(seq), (seq - 2).to_string()));
    }
    shows_the_newest(&engine, "Bob", MANY).await;
    say_many(&ann, MANY..MANY + 50).await;
    shows_the_newest(&engine, "Zoe", MANY + 50).await;
}

/// What the engine says of its log.
#[derive(Default)]
struct Faults(Mutex<Vec<String>>);

impl Observer for Faults {
    fn observe(&self, event: ObserverEvent<'_>) {
        if let ObserverEvent::LogFault { error, .. } = event {
            self.0.lock().expect("nothing panics here").push(error);
        }
    }
}

/// What it reads makes no sense: that is a fault of the log and no panic of the room, which is refused while the others go on.
#[tokio::test(start_paused = true)]
async fn a_room_whose_log_makes_no_sense_is_refused_and_the_others_go_on() {
    type Bend = fn(LogPage) -> LogPage;
    let bends: [(&str, Bend); 4] = [
        ("a record is missing", |mut stretch| {
            stretch.records.retain(|record| record.offset != Offset(7));
            stretch
        }),
        ("the end is missing", |mut stretch| {
            stretch.records.retain(|record| record.offset < Offset(7));
            stretch
        }),
        ("nothing is there", |stretch| LogPage { records: Vec::new(), ..stretch }),
        ("pages repeat themselves", |mut stretch| {
            let first = stretch.records.first().cloned();
            stretch.records.extend(first);
            stretch
        }),
    ];
    for (what, bend) in bends {
        let memory = Arc::new(MemoryLog::new());
        left_behind(&memory, 20).await;
        let (log, faults) = (Arc::new(BentLog::new(&memory).reads(bend)), Arc::new(Faults::default()));
        let engine = builder(&log).observer(Arc::clone(&faults) as _).build();
        let bob = connect(&engine, None).await;
        let refused = join(&bob, "Bob").await.expect_err("nobody knows what is in it");
        assert_eq!(refused.code, RejectCode::Unavailable, "{what}");
        let told = faults.0.lock().expect("nothing panics here").join("; ");
        assert!(told.starts_with("the log is damaged"), "{what}: {told}");
        bob.call(Command::create(support::nick("Bob"))).await.expect("another room works");
    }
}

/// Another owner has deleted the room and made it anew while it was read: the two lives are not mixed.
#[tokio::test(start_paused = true)]
async fn a_life_that_ends_while_it_is_read_is_not_mixed_with_the_next() {
    let memory = Arc::new(MemoryLog::new());
    left_behind(&memory, MANY).await;
    let pages = AtomicUsize::new(0);
    let log = Arc::new(BentLog::new(&memory).reads(move |mut stretch| {
        // The second page of records, and no other, is of a life that the memory does not hold.
        if !stretch.records.is_empty() && pages.fetch_add(1, Ordering::Relaxed) == 1 {
            stretch.tail.epoch = stretch.tail.epoch.map(|epoch| chat_core::Epoch(epoch.0 ^ 1));
        }
        stretch
    }));
    let engine = engine(&log);
    let bob = connect(&engine, None).await;
    assert_eq!(join(&bob, "Bob").await.map_err(|reject| reject.code), Err(RejectCode::Unavailable));
    tokio::time::sleep(Duration::from_secs(1)).await;
    shows_the_newest(&engine, "Zoe", MANY).await;
}
