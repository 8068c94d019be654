//! More of everything than the log does at once: rooms in a sweep, records in a slice, changes in a commit, and all of it again.

#[path = "support/disk.rs"]
mod disk;

use std::sync::Arc;
use std::time::Duration;

use chat_core::{Amend, Epoch, Log, Offset, ReadError, Record, RoomCode, Seq, Tail, Wall};
use chat_testkit::lives::{code, fill, open_life, read_all, texts};
use chat_testkit::records::Scribe;
use disk::Disk;
use log_redb::{Durability, Options, RedbLog, Retention};
use tempfile::TempDir;
use tokio::task::JoinSet;

const DAY: Duration = Duration::from_secs(86_400);
const A_WEEK: Retention =
    Retention { messages_max: None, bytes_max: None, age_max: Some(Duration::from_secs(7 * 86_400)) };

fn log(dir: &TempDir, retention: Retention) -> Arc<RedbLog> {
    Arc::new(RedbLog::open(dir.path(), Options { retention, ..Options::default() }).expect("it opens"))
}

/// Waits for what the writer does by itself.
async fn eventually(mut what: impl AsyncFnMut() -> Result<(), String>) {
    let mut missing = String::new();
    for _ in 0..1_500 {
        match what().await {
            Ok(()) => return,
            Err(now) => missing = now,
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("it never comes to it: {missing}");
}

/// Fills rooms with a life of a month ago, and a snapshot that covers it; all at the same time.
async fn month_old_rooms(dir: &TempDir, rooms: &[RoomCode], messages: usize) {
    let log = log(dir, Retention::default());
    let mut filling = JoinSet::new();
    for room in rooms {
        let (log, room) = (Arc::clone(&log), room.clone());
        filling.spawn(async move {
            let mut scribe = Scribe::new(Epoch(1));
            let records = aged([scribe.opening(), scribe.talk(messages)].concat(), 30 * DAY);
            let tail = log.append(&room, &Tail::default(), &records).await.expect("the code is free");
            log.save_snapshot(&room, Epoch(1), tail.offset, b"all").await.expect("it can be saved");
        });
    }
    filling.join_all().await;
}

/// Records made a given time ago.
fn aged(mut records: Vec<Record>, age: Duration) -> Vec<Record> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    records.iter_mut().for_each(|record| record.at = Wall((now - age).as_millis() as u64));
    records
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_old_goes_from_every_room_however_many_there_are() {
    let dir = TempDir::new().expect("a folder");
    let rooms: Vec<_> = (0..200).map(|number| code(&format!("ROOM-{number}"))).collect();
    month_old_rooms(&dir, &rooms, 3).await;
    let log = log(&dir, A_WEEK);
    eventually(async || {
        for room in &rooms {
            let kept = read_all(&*log, room).await.len();
            if kept > 1 {
                return Err(format!("{room} has {kept} records"));
            }
        }
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_old_goes_from_a_room_however_much_it_is() {
    let dir = TempDir::new().expect("a folder");
    let rooms = ["FIRST", "LAST", "MIDDLE"].map(code);
    month_old_rooms(&dir, &rooms, 5_000).await;
    let log = log(&dir, A_WEEK);
    eventually(async || {
        for room in &rooms {
            let kept = read_all(&*log, room).await.len();
            if kept > 1 {
                return Err(format!("{room} has {kept} records"));
            }
        }
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_are_counted_right_however_many_messages_were_scrubbed() {
    let dir = TempDir::new().expect("a folder");
    let log = log(&dir, Retention { bytes_max: Some(30_000), ..Retention::default() });
    let room = code("ROOM");
    let (mut scribe, mut tail) = open_life(&*log, &room, 1).await;
    for round in 1..=40 {
        let batch: Vec<_> = (0..10).map(|_| scribe.sent(&"x".repeat(1_000))).collect();
        tail = log.append(&room, &tail, &batch).await.expect("the tail is the end");
        for record in batch.iter().step_by(2) {
            log.amend(&room, Epoch(1), &[Amend::take_back(record.seq.expect("messages are told"), Seq(u64::MAX))])
                .await
                .expect("it can be scrubbed");
        }
        log.save_snapshot(&room, Epoch(1), tail.offset, b"all").await.expect("it can be saved");
        let kept: usize = texts(&read_all(&*log, &room).await).iter().map(String::len).sum();
        // A round leaves 5,000 bytes of texts, and some 2,000 around all ten.
        let expected = if round < 4 { 5_000 * round..5_001 * round } else { 18_000..25_000 };
        assert!(expected.contains(&kept), "{kept} bytes of texts after round {round}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn more_changes_than_wait_or_make_a_commit_are_all_answered_and_all_there() {
    // More than 8,192 at once, of which 4,096 make a commit; and again, as every place in the queue is given back.
    const ROOMS: u64 = 9_000;
    let log = Arc::new(RedbLog::open_on(Disk::new(), Options::default()).expect("a disk that works"));
    let mut appends = JoinSet::new();
    for number in 0..ROOMS {
        let log = Arc::clone(&log);
        appends.spawn(async move {
            let room = code(&format!("ROOM-{number:05}"));
            let (mut scribe, tail) = open_life(&*log, &room, 1).await;
            log.append(&room, &tail, &[scribe.sent("hello")]).await.expect("the tail is the end");
        });
    }
    tokio::time::timeout(Duration::from_secs(60), appends.join_all()).await.expect("nobody waits for ever");
    let mut rooms: Vec<RoomCode> = Vec::new();
    loop {
        let page = log.rooms(None, rooms.last(), 1_000).await.expect("readable");
        if page.is_empty() {
            break;
        }
        rooms.extend(page);
    }
    assert!(rooms.iter().map(RoomCode::as_str).eq((0..ROOMS).map(|number| format!("ROOM-{number:05}"))));
    for room in rooms.iter().step_by(1_000) {
        assert_eq!(texts(&read_all(&*log, room).await), ["hello"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_file_shrinks_at_each_end_at_which_most_of_it_is_free() {
    let dir = TempDir::new().expect("a folder");
    let text = "y".repeat(4_000);
    let bytes = || std::fs::metadata(dir.path().join(log_redb::FILE_NAME)).expect("there").len();
    for epoch in 1..=3 {
        let log = log(&dir, Retention::default());
        let room = code("LARGE");
        let (mut scribe, mut tail) = open_life(&*log, &room, epoch).await;
        for _ in 0..12 {
            let batch: Vec<_> = (0..512).map(|_| scribe.sent(&text)).collect();
            tail = log.append(&room, &tail, &batch).await.expect("the tail is the end");
        }
        let before = bytes();
        assert!(before > 30 << 20);
        log.delete(&room, Epoch(epoch)).await.expect("it can be deleted");
        log.close().await.expect("it can be closed");
        let after = bytes();
        assert!(after < before / 4, "time {epoch}: the file had {before} bytes, and still has {after}");
    }
}

/// Reads until the log can be read again.
async fn settled(log: &RedbLog, room: &RoomCode) -> usize {
    let mut records = 0;
    eventually(async || match log.read(room, None, Offset(0), usize::MAX).await {
        Ok(stretch) => {
            records = stretch.records.len();
            Ok(())
        }
        Err(ReadError::Unavailable(why)) => Err(why),
        Err(damaged) => panic!("{damaged}"),
    })
    .await;
    records
}

#[tokio::test(flavor = "multi_thread")]
async fn each_time_a_read_fails_the_file_is_opened_again() {
    let disk = Disk::new();
    let log = RedbLog::open_on(disk.clone(), Options { cache_bytes: 0, ..Options::default() }).expect("it works");
    let room = code("ROOM");
    fill(&log, &room, 200).await;
    for _ in 0..3 {
        let opened = disk.opened();
        disk.fail_reads();
        log.read(&room, None, Offset(0), usize::MAX).await.expect_err("the disk fails");
        disk.heal();
        assert_eq!(settled(&log, &room).await, 202);
        assert!(disk.opened() > opened);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_acked_before_its_sync_is_synced_soon_each_time() {
    let disk = Disk::new();
    let options = Options { durability: Durability::Relaxed, ..Options::default() };
    let log = RedbLog::open_on(disk.clone(), options).expect("a disk that works");
    let room = code("ROOM");
    let (mut scribe, mut tail) = open_life(&log, &room, 1).await;
    for _ in 0..3 {
        let synced = disk.syncs();
        tail = log.append(&room, &tail, &[scribe.sent("relaxed")]).await.expect("the tail is the end");
        eventually(async || match disk.syncs() > synced {
            true => Ok(()),
            false => Err("it is not synced".to_owned()),
        })
        .await;
    }
    assert_eq!(log.read(&room, None, Offset(0), 0).await.expect("readable").tail, tail);
    assert_eq!(scribe.head(), Seq(4));
}
