//! The faulty log fails exactly as it is told to, and what it says of itself is true.

use std::sync::Arc;
use std::time::Duration;

use chat_core::{Amend, AppendError, Epoch, Log, Offset, ReadError, Record, RoomCode, Seq, Tail};
use chat_testkit::logs::{Call, Fault, FaultyLog, MemoryLog, Operation, Outcome};
use chat_testkit::records::Scribe;

struct Bench {
    log: Arc<FaultyLog<MemoryLog>>,
    room: RoomCode,
    scribe: Scribe,
    tail: Tail,
}

impl Bench {
    /// A room with its opening and three messages.
    async fn new() -> Self {
        let log = Arc::new(FaultyLog::new(MemoryLog::new()));
        let room = RoomCode::parse("LOBBY").expect("a valid code");
        let mut scribe = Scribe::new(Epoch(1));
        let mut batch = scribe.opening();
        batch.extend(scribe.talk(3));
        let tail = log.append(&room, &Tail::default(), &batch).await.expect("no fault yet");
        Self { log, room, scribe, tail }
    }

    async fn append(&mut self) -> Result<Tail, AppendError> {
        let batch = self.scribe.clone().talk(2);
        let result = self.log.append(&self.room, &self.tail, &batch).await;
        if let Ok(tail) = &result {
            self.scribe.talk(2);
            self.tail = tail.clone();
        }
        result
    }

    fn stored(&self) -> Vec<Record> {
        self.log.inner().records(&self.room)
    }
}

#[tokio::test]
async fn a_failed_append_has_written_nothing_and_the_next_succeeds() {
    let mut bench = Bench::new().await;
    for (outcome, error) in
        [(Outcome::Fails, "NotWritten"), (Outcome::Conflict, "Conflict"), (Outcome::NotDone, "Unknown")]
    {
        bench.log.push(Operation::Append, outcome);
        let refused = bench.append().await.expect_err("it was made to fail");
        assert!(format!("{refused:?}").starts_with(error), "{refused:?}");
        assert_eq!(bench.stored().len(), 5);
    }
    bench.append().await.expect("every fault was used");
    assert_eq!(bench.stored().len(), 7);
    assert_eq!((bench.log.calls(Operation::Append), bench.log.faults(Operation::Append)), (5, 3));
}

#[tokio::test]
async fn a_lost_answer_has_written_everything() {
    let mut bench = Bench::new().await;
    bench.log.push(Operation::Append, Outcome::AnswerLost);
    assert!(matches!(bench.append().await, Err(AppendError::Unknown(_))));
    assert_eq!(bench.stored().len(), 7);
    assert_eq!(bench.append().await, Err(AppendError::Conflict), "the log has moved on");
}

#[tokio::test]
async fn a_lost_tail_was_acknowledged_and_is_gone() {
    let mut bench = Bench::new().await;
    bench.log.save_snapshot(&bench.room, Epoch(1), Offset(4), b"early").await.expect("no fault");
    bench.log.push(Operation::Append, Outcome::TailLost { records: 1 });
    let tail = bench.append().await.expect("it was acknowledged");
    assert_eq!((tail.offset, bench.stored().len()), (Offset(7), 6));
    assert_eq!(bench.append().await, Err(AppendError::Conflict));
    let read = bench.log.read(&bench.room, None, Offset(0), 100).await.expect("no fault");
    assert_eq!(read.tail.offset, Offset(6));
    let snapshot = bench.log.load_snapshot(&bench.room, Epoch(1)).await;
    assert_eq!(snapshot, Ok(Some((Offset(4), b"early".to_vec()))), "what it includes is still there");

    bench.log.lose_tail(&bench.room, 3).await;
    assert_eq!(bench.log.load_snapshot(&bench.room, Epoch(1)).await, Ok(None), "it would know more than the log");
    bench.log.lose_tail(&bench.room, usize::MAX).await;
    assert_eq!(bench.log.rooms(None, None, 10).await, Ok(Vec::new()));
    bench.log.lose_tail(&bench.room, 1).await;
}

#[tokio::test]
async fn failed_reads_say_whether_to_try_again() {
    let bench = Bench::new().await;
    for (outcome, again) in [(Outcome::Fails, true), (Outcome::AnswerLost, true), (Outcome::Damaged, false)] {
        bench.log.push(Operation::Read, outcome);
        let error = bench.log.read(&bench.room, None, Offset(0), 10).await.expect_err("it was made to fail");
        assert_eq!(matches!(error, ReadError::Unavailable(_)), again, "{error:?}");
    }
    for operation in [Operation::Messages, Operation::Rooms, Operation::LoadSnapshot] {
        bench.log.push(operation, Outcome::Fails);
    }
    assert!(bench.log.messages(&bench.room, Epoch(1), Seq(9), 9).await.is_err());
    assert!(bench.log.rooms(None, None, 9).await.is_err());
    assert!(bench.log.load_snapshot(&bench.room, Epoch(1)).await.is_err());
    assert_eq!(bench.log.pending(), 0);
    assert_eq!(bench.log.messages(&bench.room, Epoch(1), Seq(9), 9).await.map(|said| said.len()), Ok(3));
}

#[tokio::test]
async fn writes_that_are_no_appends_fail_too() {
    let bench = Bench::new().await;
    for operation in [Operation::SaveSnapshot, Operation::Amend, Operation::Delete] {
        bench.log.push(operation, Outcome::Conflict);
    }
    assert!(matches!(
        bench.log.save_snapshot(&bench.room, Epoch(1), Offset(1), b"").await,
        Err(AppendError::NotWritten(_))
    ));
    assert!(bench.log.amend(&bench.room, Epoch(1), &[Amend::take_back(Seq(2), Seq(u64::MAX))]).await.is_err());
    assert!(bench.log.delete(&bench.room, Epoch(1)).await.is_err());
    assert_eq!(bench.stored().len(), 5);
}

#[tokio::test]
async fn a_stalled_call_waits_until_it_is_released() {
    let bench = Bench::new().await;
    bench.log.push(Operation::Append, Fault::stalled(Outcome::Done));
    bench.log.push(Operation::Append, Fault::answered_late(Outcome::Done));
    let mut scribe = bench.scribe.clone();
    let batches = [scribe.talk(1), scribe.talk(1)];

    let (log, room, tail) = (Arc::clone(&bench.log), bench.room.clone(), bench.tail.clone());
    let first = batches[0].clone();
    let stalled = tokio::spawn(async move { log.append(&room, &tail, &first).await });
    until(|| bench.log.stalled() == 1).await;
    assert_eq!(bench.stored().len(), 5, "it stalls before it writes");
    assert!(bench.log.release_one());
    let tail = stalled.await.expect("no panic").expect("it went through in the end");

    let (log, room) = (Arc::clone(&bench.log), bench.room.clone());
    let late = tokio::spawn(async move { log.append(&room, &tail, &batches[1]).await });
    until(|| bench.log.stalled() == 1).await;
    assert_eq!(bench.stored().len(), 7, "only its answer is late");
    assert!(!late.is_finished());
    assert_eq!(bench.log.release_all(), 1);
    late.await.expect("no panic").expect("it went through");
    assert!(!bench.log.release_one(), "nobody waits any more");
}

#[tokio::test]
async fn a_caller_that_gives_up_does_not_take_the_release_of_another() {
    let bench = Bench::new().await;
    bench.log.push(Operation::Read, Fault::stalled(Outcome::Done));
    bench.log.push(Operation::Read, Fault::stalled(Outcome::Done));
    let read = || {
        let (log, room) = (Arc::clone(&bench.log), bench.room.clone());
        tokio::spawn(async move { log.read(&room, None, Offset(0), 10).await })
    };
    let gives_up = read();
    until(|| bench.log.stalled() == 1).await;
    let waits = read();
    until(|| bench.log.stalled() == 2).await;
    gives_up.abort();
    assert!(gives_up.await.is_err());
    assert!(bench.log.release_one());
    assert_eq!(waits.await.expect("no panic").map(|stretch| stretch.records.len()), Ok(5));
}

#[tokio::test(start_paused = true)]
async fn a_slow_call_takes_its_time_on_the_clock_of_the_test() {
    let mut bench = Bench::new().await;
    bench.log.push(Operation::Append, Fault::slow(Duration::from_secs(3_600)));
    let start = tokio::time::Instant::now();
    bench.append().await.expect("slow, but no fault");
    assert_eq!(start.elapsed(), Duration::from_secs(3_600));
}

#[tokio::test]
async fn a_plan_decides_about_calls_that_nothing_is_pushed_for() {
    let mut bench = Bench::new().await;
    bench.log.plan(|call: &Call| {
        let every_other = call.operation == Operation::Append && call.number.is_multiple_of(2);
        every_other.then(|| Outcome::Fails.into())
    });
    assert!(bench.append().await.is_err(), "the second append, after that of the opening");
    assert!(bench.append().await.is_ok());
    bench.log.push(Operation::Append, Outcome::Done);
    assert!(bench.append().await.is_ok(), "what is pushed comes first");
    assert!(bench.append().await.is_ok());
    bench.log.heal();
    assert!(bench.append().await.is_ok(), "the sixth, without a plan");
    assert_eq!(bench.log.calls(Operation::Append), 6);
}

#[tokio::test]
#[should_panic(expected = "offsets continue")]
async fn a_batch_with_a_hole_is_a_bug_of_the_caller() {
    let mut bench = Bench::new().await;
    bench.scribe.talk(1);
    let _ = bench.append().await;
}

/// Lets other tasks run until something is so.
async fn until(is_so: impl Fn() -> bool) {
    for _ in 0..1_000 {
        if is_so() {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("it never came to be");
}
