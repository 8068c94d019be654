//! How much of a room is kept: by count, bytes and age, oldest first, and only what a snapshot covers.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use chat_core::{Amend, Clock, Epoch, Log, Mono, Now, Offset, Record, Seq, Tail, Wall};
use chat_testkit::lives::{aged, code, fill, read_all, texts};
use chat_testkit::records::Scribe;
use log_redb::redb::{Database, TableDefinition};
use log_redb::{FILE_NAME, Options, RedbLog, Retention};
use tempfile::TempDir;

const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");

fn log(dir: &TempDir, retention: Retention) -> RedbLog {
    RedbLog::open(dir.path(), Options { retention, ..Options::default() }).expect("it opens")
}

fn messages(max: u64) -> Retention {
    Retention { messages_max: Some(max), ..Retention::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_snapshot_nothing_is_trimmed() {
    let dir = TempDir::new().expect("a folder");
    let log = log(&dir, messages(10));
    fill(&log, &code("ROOM"), 200).await;
    assert_eq!(read_all(&log, &code("ROOM")).await.len(), 202);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_oldest_go_as_far_as_the_snapshot_reaches() {
    let dir = TempDir::new().expect("a folder");
    let log = log(&dir, messages(10));
    let room = code("ROOM");
    let (mut scribe, tail) = fill(&log, &room, 100).await;
    let whole = read_all(&log, &room).await;

    log.save_snapshot(&room, Epoch(1), Offset(60), b"up to 60").await.expect("it can be saved");
    let kept = log.read(&room, None, Offset(0), usize::MAX).await.expect("readable");
    assert_eq!(kept.records, whole[60..], "41 messages are too many, and no more is covered");
    assert_eq!(kept.tail, tail, "the end is where it was");

    log.save_snapshot(&room, Epoch(1), tail.offset, b"all").await.expect("it can be saved");
    assert_eq!(read_all(&log, &room).await, whole[92..]);
    assert_eq!(log.read(&room, None, Offset(95), 3).await.expect("readable").records, whole[95..98]);
    assert_eq!(
        log.read(&room, None, Offset(7), 3).await.expect("readable").records,
        whole[92..95],
        "from the first kept"
    );
    let paged = log.messages(&room, Epoch(1), Seq(u64::MAX), 100).await.expect("readable");
    assert_eq!(paged, whole[92..], "paging back ends where the log begins");
    assert_eq!(log.messages(&room, Epoch(1), Seq(20), 100).await, Ok(Vec::new()));
    let later = log.messages_after(&room, Epoch(1), Seq(20), 3).await;
    assert_eq!(later, Ok(whole[92..95].to_vec()), "what follows begins where the log begins");
    log.amend(&room, Epoch(1), &[Amend::take_back(Seq(20), Seq(u64::MAX))])
        .await
        .expect("scrubbing what is gone is no error");

    // Nothing newer is covered: the room grows past the limit until the next snapshot.
    let tail = log.append(&room, &tail, &scribe.talk(5)).await.expect("the tail is the end");
    assert_eq!(texts(&read_all(&log, &room).await).len(), 10, "what is covered goes as others come");
    log.append(&room, &tail, &scribe.talk(30)).await.expect("the tail is the end");
    assert_eq!(texts(&read_all(&log, &room).await).len(), 35, "and then no more is covered");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_record_stays_whatever_the_limit() {
    let dir = TempDir::new().expect("a folder");
    let log = log(&dir, Retention { messages_max: Some(0), bytes_max: Some(0), ..Retention::default() });
    let room = code("ROOM");
    let (_, tail) = fill(&log, &room, 20).await;
    log.save_snapshot(&room, Epoch(1), tail.offset, b"all").await.expect("it can be saved");
    let stretch = log.read(&room, None, Offset(0), 100).await.expect("readable");
    assert_eq!((stretch.records.len(), stretch.records[0].offset), (1, tail.offset));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_over_its_bytes_is_trimmed() {
    let dir = TempDir::new().expect("a folder");
    let log = log(&dir, Retention { bytes_max: Some(10_000), ..Retention::default() });
    let room = code("ROOM");
    let (_, tail) = fill(&log, &room, 500).await;
    log.save_snapshot(&room, Epoch(1), tail.offset, b"all").await.expect("it can be saved");
    let kept = read_all(&log, &room).await;
    assert!((10..100).contains(&kept.len()), "{} records of 100 to 1,000 bytes", kept.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_old_goes_also_from_a_room_that_nobody_uses() {
    const DAY: Duration = Duration::from_secs(86_400);
    let dir = TempDir::new().expect("a folder");
    let room = code("ROOM");
    let (old, new);
    {
        let log = log(&dir, Retention::default());
        let mut scribe = Scribe::new(Epoch(1));
        old = aged([scribe.opening(), scribe.talk(50)].concat(), 30 * DAY);
        new = aged(scribe.talk(20), DAY);
        let tail = log.append(&room, &Tail::default(), &old).await.expect("the code is free");
        let tail = log.append(&room, &tail, &new).await.expect("the tail is the end");
        log.save_snapshot(&room, Epoch(1), tail.offset, b"all").await.expect("it can be saved");
        assert_eq!(read_all(&log, &room).await.len(), 72);
    }
    let log = log(&dir, Retention { age_max: Some(7 * DAY), ..Retention::default() });
    for _ in 0..100 {
        if read_all(&log, &room).await == new {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{} records are left, and {} are young enough", read_all(&log, &room).await.len(), new.len());
}

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const YEAR: u64 = 365 * DAY;

/// A clock that a test moves by hand.
struct HandClock(Mutex<Now>);

impl HandClock {
    fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(Now { wall: Wall(1_795_370_400_000), mono: Mono(0) })))
    }

    fn set(&self, change: impl FnOnce(&mut Now)) {
        change(&mut self.0.lock().expect("nobody panics with it"));
    }

    fn pass(&self, millis: u64) {
        self.set(|now| *now = Now { wall: Wall(now.wall.0 + millis), mono: Mono(now.mono.0 + millis) });
    }

    fn step(&self, ahead: u64) {
        self.set(|now| now.wall.0 += ahead);
    }

    fn step_back(&self, back: u64) {
        self.set(|now| now.wall.0 -= back);
    }
}

impl Clock for HandClock {
    fn now(&self) -> Now {
        *self.0.lock().expect("nobody panics with it")
    }

    fn instant(&self, _: Mono) -> tokio::time::Instant {
        tokio::time::Instant::now()
    }
}

/// A log of which nothing is kept for more than a week, and a room that goes on.
struct Aging {
    clock: Arc<HandClock>,
    dir: TempDir,
    log: Option<RedbLog>,
    scribe: Scribe,
    tail: Tail,
}

impl Aging {
    /// With 50 messages of this moment.
    async fn new() -> Self {
        let (clock, dir) = (HandClock::new(), TempDir::new().expect("a folder"));
        let mut aging = Self { clock, dir, log: None, scribe: Scribe::new(Epoch(1)), tail: Tail::default() };
        aging.open();
        let mut records = [aging.scribe.opening(), aging.scribe.talk(50)].concat();
        records.iter_mut().for_each(|record| record.at = aging.clock.now().wall);
        aging.append(records).await;
        aging
    }

    fn open(&mut self) {
        // One process after the other.
        self.log = None;
        let week = Retention { age_max: Some(Duration::from_millis(7 * DAY)), ..Retention::default() };
        let options = Options { retention: week, ..Options::default() };
        let clock = Arc::clone(&self.clock) as _;
        self.log = Some(RedbLog::open_with_clock(self.dir.path(), options, clock).expect("it opens"));
    }

    fn log(&self) -> &RedbLog {
        self.log.as_ref().expect("it is open")
    }

    async fn append(&mut self, records: Vec<Record>) {
        self.tail = self.log().append(&code("ROOM"), &self.tail, &records).await.expect("the tail is the end");
    }

    /// Says one more thing, stores a snapshot, which has what is too old go, and counts what is left.
    async fn kept(&mut self) -> usize {
        let mut records = self.scribe.talk(1);
        records.iter_mut().for_each(|record| record.at = self.clock.now().wall);
        self.append(records).await;
        let saved = self.log().save_snapshot(&code("ROOM"), Epoch(1), self.tail.offset, b"all").await;
        saved.expect("it can be saved");
        texts(&read_all(self.log(), &code("ROOM")).await).len()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_with_a_clock_years_ahead_deletes_nothing() {
    let mut aging = Aging::new().await;
    aging.log = None;
    aging.clock.pass(DAY);
    aging.clock.step(5 * YEAR);
    aging.open();
    assert_eq!(aging.kept().await, 51);
    aging.clock.pass(9 * MINUTE);
    assert_eq!(aging.kept().await, 52);
    aging.clock.step_back(5 * YEAR);
    aging.clock.pass(DAY);
    assert_eq!(aging.kept().await, 53, "set right in time");
    aging.clock.pass(6 * DAY);
    assert_eq!(aging.kept().await, 1 + 3, "what was stamped by the wrong clock, and what is young");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_grew_too_old_while_no_process_ran_goes_after_ten_minutes() {
    let mut aging = Aging::new().await;
    aging.log = None;
    aging.clock.pass(30 * DAY);
    aging.open();
    assert_eq!(aging.kept().await, 51);
    aging.clock.pass(10 * MINUTE);
    assert_eq!(aging.kept().await, 2, "the clock has stood for ten minutes");
    aging.clock.pass(8 * DAY);
    assert_eq!(aging.kept().await, 1, "and goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_of_the_clock_is_believed_after_ten_minutes() {
    let mut aging = Aging::new().await;
    assert_eq!(aging.kept().await, 51);
    aging.clock.step(30 * DAY);
    assert_eq!(aging.kept().await, 52);
    aging.clock.pass(10 * MINUTE);
    assert_eq!(aging.kept().await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_does_not_say_what_was_believed_is_kept_for_ten_minutes() {
    let mut aging = Aging::new().await;
    aging.log = None;
    let database = Database::open(aging.dir.path().join(FILE_NAME)).expect("it is a redb file");
    let write = database.begin_write().expect("writable");
    let removed = write.open_table(META).expect("there").remove("clock").expect("writable").map(|clock| clock.value());
    assert_eq!(removed, Some(aging.clock.now().wall.0));
    write.commit().expect("writable");
    drop(database);
    aging.clock.pass(30 * DAY);
    aging.open();
    assert_eq!(aging.kept().await, 51);
    aging.clock.pass(10 * MINUTE);
    assert_eq!(aging.kept().await, 2);
}

/// One that came late would uncover records that are gone.
#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_never_goes_back() {
    let dir = TempDir::new().expect("a folder");
    let log = log(&dir, messages(10));
    let room = code("ROOM");
    let (_, tail) = fill(&log, &room, 100).await;
    log.save_snapshot(&room, Epoch(1), tail.offset, b"newer").await.expect("it can be saved");
    log.save_snapshot(&room, Epoch(1), Offset(50), b"older").await.expect("an ignored snapshot is no error");
    let kept = log.load_snapshot(&room, Epoch(1)).await;
    assert_eq!(kept, Ok(Some((tail.offset, b"newer".to_vec()))));
}
