//! The writer without its thread: what it does unasked, step by step, and once more after that.

use std::sync::mpsc::channel;

use chat_core::{Epoch, Mono, Now, Record, RoomCode, SteadyWall, SystemClock, Tail, Wall};
use chat_testkit::records::Scribe;
use redb::{ReadableDatabase, ReadableTable, ReadableTableMetadata};
use tempfile::TempDir;

use super::*;
use crate::format::{Encoded, RECORDS, TOMBSTONES};
use crate::options::Retention;

const WEEK: Duration = Duration::from_secs(7 * 86_400);

fn writer(dir: &TempDir, retention: Retention) -> Writer {
    writer_by(dir, retention, Arc::new(SystemClock::new()))
}

fn writer_by(dir: &TempDir, retention: Retention, clock: Arc<dyn Clock>) -> Writer {
    let options = Options { durability: Durability::Relaxed, retention, ..Options::default() };
    let store = Store::open_in(dir.path(), &options, clock.now().wall).expect("it opens");
    Writer::new(Arc::new(store), channel().1, options, clock)
}

/// A clock of a machine on which nothing but what a test says happens.
#[derive(Default)]
struct HandClock(std::sync::Mutex<Duration>);

impl HandClock {
    fn pass(&self, time: Duration) {
        *self.0.lock().expect("nobody panics with it") += time;
    }
}

impl Clock for HandClock {
    fn now(&self) -> Now {
        let passed = *self.0.lock().expect("nobody panics with it");
        Now { wall: Wall(1_795_370_400_000).after(passed), mono: Mono(0).after(passed) }
    }

    fn instant(&self, _: Mono) -> tokio::time::Instant {
        tokio::time::Instant::now()
    }
}

fn code(name: &str) -> RoomCode {
    RoomCode::parse(name).expect("a valid code")
}

impl Writer {
    fn change(&mut self, change: Change) -> Tail {
        let bytes = change.bytes();
        self.commit(vec![change], bytes).pop().expect("an answer").expect("the disk works")
    }

    /// An incarnation with so many messages, all of them older than a week, and a snapshot that covers them.
    fn old_life(&mut self, room: &str, messages: usize) {
        let mut scribe = Scribe::new(Epoch(1));
        let mut records: Vec<Record> = [scribe.opening(), scribe.talk(messages)].concat();
        records.iter_mut().for_each(|record| record.at = Wall(1_000));
        let batch = records.iter().map(Encoded::new).collect();
        let after = Tail::default();
        let tail = self.change(Change::Append { room: code(room), after, claims: Some(Epoch(1)), batch, about: None });
        self.change(Change::Snapshot { room: code(room), epoch: Epoch(1), through: tail.offset, bytes: b"all".into() });
    }

    /// Records in the file, and deleted incarnations that still have some.
    fn held(&self) -> (u64, u64) {
        let store = self.store.shared();
        let read = store.as_ref().expect("open").begin_read().expect("readable");
        let records = read.open_table(RECORDS).expect("a table").len().expect("readable");
        let tombstones = read.open_table(TOMBSTONES).expect("a table").iter().expect("readable").count() as u64;
        (records, tombstones)
    }
}

#[test]
fn every_sweep_comes_to_every_room() {
    let dir = TempDir::new().expect("a folder");
    let a_week = Retention { age_max: Some(WEEK), ..Retention::default() };
    let mut writer = writer(&dir, a_week);
    for sweep in 1..=3 {
        // With the limit a snapshot trims by itself: these records grow too old after it.
        writer.options.retention = Retention::default();
        for number in 0..130 {
            writer.old_life(&format!("ROOM-{sweep}-{number}"), 1);
        }
        writer.options.retention = a_week;
        for _ in 0..10 {
            writer.sweep.as_mut().expect("there is always a next one").is_due_now();
            writer.upkeep();
        }
        assert_eq!(writer.held(), (130 * sweep, 0), "the newest record of each room");
    }
}

#[test]
fn deleted_rooms_go_however_many_and_large_they_are_each_time() {
    let dir = TempDir::new().expect("a folder");
    let mut writer = writer(&dir, Retention::default());
    for _ in 0..2 {
        let rooms: Vec<String> = (0..70).map(|number| format!("ROOM-{number}")).collect();
        rooms.iter().for_each(|room| writer.old_life(room, 3));
        writer.old_life("LARGE", 5_000);
        for room in rooms.iter().map(String::as_str).chain(["LARGE"]) {
            writer.change(Change::Delete { room: code(room), epoch: Epoch(1) });
        }
        let steps = (0..200).take_while(|_| {
            writer.upkeep();
            writer.is_purging
        });
        assert!(steps.count() < 200, "it never ends");
        assert_eq!(writer.held(), (0, 0));
        assert!(writer.patience() > Duration::from_secs(1), "and then it rests");
    }
}

/// Whoever writes would wait for as long as it takes.
#[test]
fn while_rooms_are_used_nothing_is_compacted_and_at_the_end_it_is() {
    let dir = TempDir::new().expect("a folder");
    let mut writer = writer(&dir, Retention::default());
    writer.old_life("LARGE", 130_000);
    writer.change(Change::Delete { room: code("LARGE"), epoch: Epoch(1) });
    for _ in 0..100 {
        writer.upkeep();
    }
    assert_eq!(writer.held(), (0, 0));
    let (removed, bytes) = (writer.owed.removed, writer.store.bytes().expect("there"));
    assert!(removed > compact::FREE_BYTES_MIN, "{removed} bytes are too few to be worth it: this test shows nothing");
    writer.compact_if_owed().expect("it can be compacted");
    let after = writer.store.bytes().expect("there");
    assert!(writer.owed.removed == 0 && after < bytes / 4, "{bytes} bytes before, {after} after");
}

#[test]
fn what_a_sweep_believed_holds_for_the_next_process() {
    let dir = TempDir::new().expect("a folder");
    let (clock, a_week) = (Arc::new(HandClock::default()), Retention { age_max: Some(WEEK), ..Retention::default() });
    let sweep = |down: Duration| {
        clock.pass(down);
        let mut writer = writer_by(&dir, a_week, Arc::clone(&clock) as _);
        writer.upkeep();
        writer.keep().now.0
    };
    let start = sweep(Duration::ZERO);
    let hour = SteadyWall::STEP_MAX;
    for hours in 1..=3 {
        assert_eq!(sweep(hour), start + 3_600_000 * hours, "an hour later than the sweep before");
    }
    let last = clock.now().wall.0;
    assert_eq!(sweep(hour + Duration::from_millis(1)), last, "and no more than that at once");
}
