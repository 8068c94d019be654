//! A text that is taken away is gone at once for readers, and gone from the file after the next compaction.

use std::fs;
use std::path::Path;

use chat_core::{Amend, Epoch, Log, Seq};
use chat_testkit::lives::{code, open_life, read_all};
use log_redb::{FILE_NAME, Options, RedbLog, Retention};

/// How often the text stands in the file.
fn occurrences(dir: &Path, text: &str) -> usize {
    let bytes = fs::read(dir.join(FILE_NAME)).expect("the file is there");
    bytes.windows(text.len()).filter(|window| *window == text.as_bytes()).count()
}

/// Messages of different lengths in many rooms, every third of which names a secret; then all of those are scrubbed.
async fn whisper(log: &RedbLog, rooms: usize) {
    for number in 0..rooms {
        let room = code(&format!("ROOM-{number}"));
        let (mut scribe, mut tail) = open_life(log, &room, 1).await;
        for turn in 0..6_usize {
            let filler = "x".repeat((number * 37 + turn * 411) % 3_000);
            let batch = [
                scribe.sent(&format!("before {filler}")),
                scribe.sent(&format!("{filler} PASSWORD-IS-HUNTER2 {filler}")),
                scribe.sent("after"),
            ];
            tail = log.append(&room, &tail, &batch).await.expect("the tail is the end");
        }
    }
    for number in 0..rooms {
        let room = code(&format!("ROOM-{number}"));
        let scrub = async |turn: u64| {
            let amend = Amend::take_back(Seq(3 + turn * 3), Seq(u64::MAX));
            log.amend(&room, Epoch(1), &[amend]).await
        };
        // Together, so that one commit changes one page several times.
        let scrubbed = tokio::join!(scrub(0), scrub(1), scrub(2), scrub(3), scrub(4), scrub(5));
        assert_eq!(scrubbed, (Ok(()), Ok(()), Ok(()), Ok(()), Ok(()), Ok(())));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_compaction_the_file_does_not_hold_the_text() {
    let dir = tempfile::tempdir().expect("a folder");
    let log = RedbLog::open(dir.path(), Options::default()).expect("it opens");
    whisper(&log, 60).await;
    for number in 0..60 {
        let records = read_all(&log, &code(&format!("ROOM-{number}"))).await;
        assert!(!format!("{records:?}").contains("HUNTER2"), "gone for readers at once");
    }
    assert!(occurrences(dir.path(), "HUNTER2") > 0, "free pages still hold it: otherwise this test shows nothing");
    log.compact().await.expect("it can be compacted");
    assert_eq!(occurrences(dir.path(), "HUNTER2"), 0);
    assert_eq!(read_all(&log, &code("ROOM-0")).await.len(), 20, "and nothing else is lost");
    let before = read_all(&log, &code("ROOM-7")).await;
    drop(log);
    let log = RedbLog::open(dir.path(), Options::default()).expect("it opens");
    assert_eq!(read_all(&log, &code("ROOM-7")).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_and_opening_compact_what_is_owed() {
    let dir = tempfile::tempdir().expect("a folder");
    let log = RedbLog::open(dir.path(), Options::default()).expect("it opens");
    whisper(&log, 10).await;
    drop(log);
    assert!(occurrences(dir.path(), "HUNTER2") > 0, "dropping does not take the time");
    let log = RedbLog::open(dir.path(), Options::default()).expect("it opens");
    assert_eq!(occurrences(dir.path(), "HUNTER2"), 0, "opening does");
    let room = code("ANOTHER");
    let (mut scribe, tail) = open_life(&log, &room, 1).await;
    let tail = log.append(&room, &tail, &[scribe.sent("PASSWORD-IS-HUNTER2")]).await.expect("the tail is the end");
    log.amend(&room, Epoch(1), &[Amend::take_back(Seq(2), Seq(u64::MAX))]).await.expect("it can be scrubbed");
    log.close().await.expect("it can be closed");
    assert_eq!(occurrences(dir.path(), "HUNTER2"), 0, "closing does");
    assert!(log.read(&room, None, chat_core::Offset(0), 1).await.is_err(), "a closed log says so");
    assert!(log.append(&room, &tail, &[scribe.sent("x")]).await.is_err());
    drop(log);
    RedbLog::open(dir.path(), Options::default()).expect("a closed log can be opened");
}

/// A room's end, and what retention no longer keeps, take texts away as scrubbing does.
#[tokio::test(flavor = "multi_thread")]
async fn deleted_rooms_and_trimmed_messages_leave_the_file_too() {
    let dir = tempfile::tempdir().expect("a folder");
    let retention = Retention { messages_max: Some(10), ..Retention::default() };
    let options = Options { retention, ..Options::default() };
    for ends in ["closed", "opened"] {
        let log = RedbLog::open(dir.path(), options).expect("it opens");
        let (deleted, trimmed, kept) = (code("DELETED"), code("TRIMMED"), code("KEPT"));
        for room in [&deleted, &trimmed, &kept] {
            let (mut scribe, tail) = open_life(&log, room, 1).await;
            let batch: Vec<_> = (0..3_000).map(|_| scribe.sent(&format!("HUNTER2 in {room}"))).collect();
            let tail = log.append(room, &tail, &batch).await.expect("the tail is the end");
            let tail = log.append(room, &tail, &scribe.talk(10)).await.expect("the tail is the end");
            if *room == trimmed {
                log.save_snapshot(room, Epoch(1), tail.offset, b"all").await.expect("it can be saved");
            }
        }
        // More is to go than one snapshot lets go at once.
        for _ in 0..2 {
            let stretch = log.read(&trimmed, None, chat_core::Offset(0), 0).await.expect("readable");
            log.save_snapshot(&trimmed, Epoch(1), stretch.tail.offset, b"all").await.expect("it can be saved");
        }
        assert_eq!(read_all(&log, &trimmed).await.len(), 10);
        log.delete(&deleted, Epoch(1)).await.expect("it can be deleted");
        match ends {
            "closed" => log.close().await.expect("it can be closed"),
            _ => {
                drop(log);
                drop(RedbLog::open(dir.path(), options).expect("it opens"));
            }
        }
        assert_eq!(occurrences(dir.path(), "HUNTER2 in DELETED"), 0, "{ends}");
        assert_eq!(occurrences(dir.path(), "HUNTER2 in TRIMMED"), 0, "{ends}");
        assert!(occurrences(dir.path(), "HUNTER2 in KEPT") >= 3_000);
        let log = RedbLog::open(dir.path(), options).expect("it opens");
        for room in [trimmed, kept] {
            log.delete(&room, Epoch(1)).await.expect("it can be deleted");
        }
    }
}
