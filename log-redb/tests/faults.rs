//! A disk that fails: nothing acked is lost, nothing is written twice, and the log goes on once the disk does.

#[path = "support/disk.rs"]
mod disk;

use std::time::Duration;

use chat_core::{Amend, AppendError, Epoch, Log, Offset, ReadError, Record, Seq};
use chat_testkit::lives::{code, open_life, persist, read_all, settled};
use disk::Disk;
use log_redb::{Durability, Options, RedbLog};

fn log(disk: &Disk, durability: Durability) -> RedbLog {
    RedbLog::open_on(disk.clone(), Options { durability, ..Options::default() }).expect("a disk that works")
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_full_disk_appends_fail_and_when_space_returns_they_go_on() {
    for durability in [Durability::Synced, Durability::Relaxed] {
        let disk = Disk::new();
        let log = log(&disk, durability);
        let room = code("ROOM");
        let (mut scribe, mut tail) = open_life(&log, &room, 1).await;
        let mut written = read_all(&log, &room).await;
        disk.is_full_after(64 << 10);
        let text = "z".repeat(4_000);
        let refused = loop {
            let batch: Vec<Record> = (0..16).map(|_| scribe.clone().sent(&text)).take(1).collect();
            match log.append(&room, &tail, &batch).await {
                Ok(end) => {
                    tail = end;
                    scribe.sent(&text);
                    written.extend(batch);
                    // Under `Relaxed` nothing needs the disk until the window ends.
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
                Err(error) => break error,
            }
            assert!(written.len() < 5_000, "the disk is never full");
        };
        assert!(!matches!(refused, AppendError::Conflict), "{refused}");
        // What is in the middle of being refused is refused, and reads see what was acked or say that they cannot.
        for _ in 0..5 {
            let again = log.append(&room, &tail, &[scribe.clone().sent(&text)]).await;
            if again.is_ok() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        disk.heal();
        let found = settled(&log, &room).await;
        assert!(found.starts_with(&written), "{durability:?}: all that was acked");
        assert!(found.len() <= written.len() + 1, "{durability:?}: and what may have been written");
        let mut tail = log.read(&room, None, Offset(0), 0).await.expect("readable").tail;
        if found.len() > written.len() {
            scribe.sent(&text);
        }
        for _ in 0..20 {
            persist(&log, &room, &mut scribe, &mut tail).await;
        }
        let end = read_all(&log, &room).await;
        assert!(end.starts_with(&found) && end.len() == found.len() + 20);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_failed_sync_the_outcome_is_unknown_and_a_read_tells() {
    let disk = Disk::new();
    let log = log(&disk, Durability::Synced);
    let room = code("ROOM");
    let (mut scribe, tail) = open_life(&log, &room, 1).await;
    disk.fail_syncs();
    let record = scribe.sent("perhaps");
    let error = log.append(&room, &tail, std::slice::from_ref(&record)).await.expect_err("the sync failed");
    assert!(matches!(error, AppendError::Unknown(_)), "{error}");
    // The file is opened again and again meanwhile.
    while disk.opened() < 4 {
        let unread = log.read(&room, None, Offset(0), 1).await;
        assert!(matches!(unread, Err(ReadError::Unavailable(_))), "not before the disk has confirmed it: {unread:?}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let meanwhile = log.append(&room, &tail, std::slice::from_ref(&record)).await;
    assert!(matches!(meanwhile, Err(AppendError::NotWritten(_))), "{meanwhile:?}");
    disk.heal();
    let found = settled(&log, &room).await;
    let again = log.append(&room, &tail, std::slice::from_ref(&record)).await;
    match found.len() {
        2 => assert!(again.is_ok(), "{again:?}"),
        3 => assert_eq!(again, Err(AppendError::Conflict)),
        more => panic!("{more} records"),
    }
    assert_eq!(read_all(&log, &room).await.len(), 3, "once, whichever way it went");
}

/// What the page cache believes after a failed writeback must not be taken for what the disk holds.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_failed_sync_lost_is_not_there_and_nothing_acked_is_missing() {
    for durability in [Durability::Synced, Durability::Relaxed] {
        let disk = Disk::new();
        let log = log(&disk, durability);
        let room = code("ROOM");
        let (mut scribe, mut tail) = open_life(&log, &room, 1).await;
        for _ in 0..5 {
            tail = log.append(&room, &tail, &[scribe.sent("acked")]).await.expect("the disk works");
        }
        let acked = read_all(&log, &room).await;
        disk.lose_unsynced();
        let mut errors = 0;
        for _ in 0..20 {
            let record = scribe.clone().sent("later");
            match log.append(&room, &tail, std::slice::from_ref(&record)).await {
                Ok(end) => {
                    tail = end;
                    scribe.sent("later");
                }
                Err(_) => errors += 1,
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert!(errors > 0);
        disk.heal();
        let found = settled(&log, &room).await;
        assert!(found.starts_with(&acked), "{durability:?}");
        assert!(found.len() as u64 >= tail.offset.0, "{durability:?}: what the window held was written again");
        let mut end = log.read(&room, None, Offset(0), 0).await.expect("readable").tail;
        while scribe.offset() < end.offset {
            scribe.sent("later");
        }
        persist(&log, &room, &mut scribe, &mut end).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_write_harms_no_room_and_each_message_is_there_once() {
    let disk = Disk::new();
    let log = std::sync::Arc::new(log(&disk, Durability::Synced));
    let owners: Vec<_> = (0..8)
        .map(|number| {
            let log = std::sync::Arc::clone(&log);
            tokio::spawn(async move {
                let room = code(&format!("ROOM-{number}"));
                let (mut scribe, mut tail) = open_life(&*log, &room, 1).await;
                let mut met = 0;
                for _ in 0..150 {
                    met += persist(&*log, &room, &mut scribe, &mut tail).await.len();
                }
                (room, met)
            })
        })
        .collect();
    for _ in 0..10 {
        tokio::time::sleep(Duration::from_millis(15)).await;
        disk.fail_writes();
        tokio::time::sleep(Duration::from_millis(10)).await;
        disk.heal();
        tokio::time::sleep(Duration::from_millis(60)).await;
        disk.fail_syncs();
        tokio::time::sleep(Duration::from_millis(10)).await;
        disk.heal();
    }
    let mut met = 0;
    for owner in owners {
        let (room, errors) = owner.await.expect("no owner gives up");
        met += errors;
        let told: Vec<u64> =
            settled(&*log, &room).await.iter().filter_map(|record| record.seq.map(|seq| seq.0)).collect();
        assert!(told.iter().copied().eq(1..=151), "each message once, in order: {told:?}");
    }
    assert!(met > 0, "no owner has met an error: this test shows nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_failed_read_the_file_is_opened_again() {
    let disk = Disk::new();
    let small = Options { cache_bytes: 0, ..Options::default() };
    let log = RedbLog::open_on(disk.clone(), small).expect("a disk that works");
    let room = code("ROOM");
    let (mut scribe, tail) = open_life(&log, &room, 1).await;
    let batch: Vec<Record> = (0..200).map(|_| scribe.sent(&"w".repeat(3_000))).collect();
    log.append(&room, &tail, &batch).await.expect("the disk works");
    disk.fail_reads();
    let failed = log.read(&room, None, Offset(0), usize::MAX).await;
    assert!(matches!(failed, Err(ReadError::Unavailable(_))), "{:?}", failed.map(|stretch| stretch.records.len()));
    disk.heal();
    assert_eq!(settled(&log, &room).await.len(), 202);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_starts_on_a_full_disk_goes_on_when_space_returns() {
    let disk = Disk::new();
    let room = code("ROOM");
    let (mut scribe, mut tail) = {
        let log = log(&disk, Durability::Synced);
        let (mut scribe, tail) = open_life(&log, &room, 1).await;
        let tail = log.append(&room, &tail, &[scribe.sent("HUNTER2")]).await.expect("the disk works");
        log.amend(&room, Epoch(1), &[Amend::take_back(Seq(2), Seq(u64::MAX))]).await.expect("it can be scrubbed");
        (scribe, tail)
    };
    // Taking the text out of the file needs a page more than there is.
    disk.is_full_after(0);
    let log = log(&disk, Durability::Synced);
    assert_eq!(settled(&log, &room).await.len(), 3, "what is there can be read");
    disk.heal();
    persist(&log, &room, &mut scribe, &mut tail).await;
    log.close().await.expect("there is space");
    assert!(!disk.holds(b"HUNTER2"), "and the text goes at the next chance");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compaction_that_fails_loses_nothing() {
    let disk = Disk::new();
    let log = log(&disk, Durability::Synced);
    let room = code("ROOM");
    let (mut scribe, tail) = open_life(&log, &room, 1).await;
    let batch: Vec<Record> = (0..200).map(|_| scribe.sent("to be kept")).collect();
    log.append(&room, &tail, &batch).await.expect("the disk works");
    log.amend(&room, Epoch(1), &[Amend::take_back(Seq(5), Seq(u64::MAX))]).await.expect("it can be scrubbed");
    disk.fail_syncs();
    assert!(log.compact().await.is_err());
    disk.heal();
    assert_eq!(settled(&log, &room).await.len(), 202);
    log.compact().await.expect("the disk works again");
    log.close().await.expect("and it can be closed");
}
