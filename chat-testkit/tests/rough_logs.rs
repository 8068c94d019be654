//! Logs that hang, panic, or cannot be read: each call has an end, and nobody asks such a log all the time.

mod support;

use std::sync::Arc;
use std::time::Duration;

use chat_core::{
    AppendError, Command, ConnectRequest, Engine, Epoch, Hello, Log, LogClaim, LogInUse, LogPage, Moderation, Offset,
    ReadError, Record, RejectCode, RoomCode, Seq, Tail,
};
use chat_testkit::logs::{Delay, Fault, MemoryLog, Operation};
use support::*;
use tokio::time::{Instant, timeout};

/// Longer than a call of the log may take, twice.
const PATIENCE: Duration = Duration::from_secs(90);

#[tokio::test(start_paused = true)]
async fn a_log_that_never_answers_is_given_up_and_the_room_goes_on_once_it_does() {
    let log = log();
    let engine = engine(&log);
    let mut ann = connect(&engine, None).await;
    create(&mut ann).await;
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
        let mut ann = connect(&engine, None).await;
        create(&mut ann).await;
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
    let mut ann = connect(&engine, None).await;
    create(&mut ann).await;
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

/// Panics at every third append, scrub or read.
#[derive(Default)]
struct Brittle {
    log: MemoryLog,
    calls: std::sync::atomic::AtomicU64,
}

impl Brittle {
    fn trip(&self) {
        let call = self.calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        assert!(call % 3 < 2, "a log that trips");
    }
}

#[async_trait::async_trait]
impl Log for Brittle {
    fn claim(&self) -> Result<LogClaim, LogInUse> {
        self.log.claim()
    }

    async fn append(&self, room: &RoomCode, after: &Tail, batch: &[Record]) -> Result<Tail, AppendError> {
        self.trip();
        self.log.append(room, after, batch).await
    }

    async fn read(&self, room: &RoomCode, after: Offset, max: usize) -> Result<LogPage, ReadError> {
        self.trip();
        self.log.read(room, after, max).await
    }

    async fn messages(&self, room: &RoomCode, epoch: Epoch, before: Seq, max: usize) -> Result<Vec<Record>, ReadError> {
        self.log.messages(room, epoch, before, max).await
    }

    async fn rooms(&self, after: Option<&RoomCode>, max: usize) -> Result<Vec<RoomCode>, ReadError> {
        self.log.rooms(after, max).await
    }

    async fn load_snapshot(&self, room: &RoomCode, epoch: Epoch) -> Result<Option<(Offset, Vec<u8>)>, ReadError> {
        self.log.load_snapshot(room, epoch).await
    }

    async fn save_snapshot(
        &self,
        room: &RoomCode,
        epoch: Epoch,
        through: Offset,
        snapshot: &[u8],
    ) -> Result<(), AppendError> {
        self.log.save_snapshot(room, epoch, through, snapshot).await
    }

    async fn scrub(&self, room: &RoomCode, epoch: Epoch, seq: Seq) -> Result<(), AppendError> {
        self.trip();
        self.log.scrub(room, epoch, seq).await
    }

    async fn delete(&self, room: &RoomCode, epoch: Epoch) -> Result<(), AppendError> {
        self.log.delete(room, epoch).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_log_that_panics_has_failed_and_nothing_more() {
    let log = Arc::new(Brittle::default());
    let engine = Engine::builder().log(Arc::clone(&log) as _).expect("nobody else has it").build();
    let ann = engine.connect(ConnectRequest::default(), Hello::default()).await.expect("everybody is let in");
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
