//! Copies of a log that is in use, and what becomes of them: nothing acked is missing, nothing taken away is there, nothing is overwritten.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use chat_core::{Amend, Epoch, FeedBounds, Log, ReadError, RoomCode, Seq};
use chat_testkit::lives::{code, fill, open_life, read_all, texts};
use log_redb::redb::{self, ReadableTable, TableDefinition};
use log_redb::{BackupError, BackupFolder, FILE_NAME, Options, RedbLog, RestoreError, restore};
use tempfile::TempDir;

const ROOMS: usize = 4;

fn folder() -> TempDir {
    TempDir::new().expect("a folder")
}

fn open(dir: &Path) -> RedbLog {
    RedbLog::open(dir, Options::default()).expect("nobody else has it open")
}

fn rooms() -> impl Iterator<Item = RoomCode> {
    (0..ROOMS).map(|number| code(&format!("ROOM-{number}")))
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_was_acked_before_is_in_a_backup_whatever_is_written_meanwhile() {
    let (dir, backups, restored) = (folder(), folder(), folder());
    let log = Arc::new(open(dir.path()));
    let secret = log_redb::secret(dir.path()).expect("it is made");
    // The last record of each room that was acked.
    let acked: Arc<[AtomicU64; ROOMS]> = Arc::default();
    let mut writers = Vec::new();
    for (number, room) in rooms().enumerate() {
        let (mut scribe, mut tail) = open_life(&*log, &room, 7).await;
        let (log, acked) = (Arc::clone(&log), Arc::clone(&acked));
        writers.push(tokio::spawn(async move {
            loop {
                tail = log.append(&room, &tail, &scribe.talk(3)).await.expect("the disk is there");
                acked[number].store(tail.offset.0, Ordering::SeqCst);
            }
        }));
    }
    for round in 0..5 {
        while acked.iter().any(|acked| acked.load(Ordering::SeqCst) < (round + 1) * 30) {
            tokio::task::yield_now().await;
        }
        let before: Vec<u64> = acked.iter().map(|acked| acked.load(Ordering::SeqCst)).collect();
        let (backup, into) = (backups.path().join(round.to_string()), restored.path().join(round.to_string()));
        let made = log.backup(&backup).await.expect("there is room");
        assert_eq!((made.rooms, made.damaged), (ROOMS as u64, 0));
        restore(&backup, &into).expect("it is whole");
        assert_eq!(log_redb::secret(&into).expect("it came with it"), secret);
        let copy = open(&into);
        let mut records = 0;
        for (room, before) in rooms().zip(before) {
            let (copied, all) = (read_all(&copy, &room).await, read_all(&*log, &room).await);
            assert!(copied.len() as u64 >= before, "{} of {before}", copied.len());
            assert_eq!(copied, all[..copied.len()], "it is how the room began");
            records += copied.len() as u64;
        }
        assert_eq!(made.records, records);
        copy.close().await.expect("it can be closed");
    }
    writers.iter().for_each(|writer| writer.abort());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_log_goes_on_where_the_backup_was_made() {
    let (dir, backup, restored) = (folder(), folder(), folder());
    let log = open(dir.path());
    let room = code("LUNCH");
    let (mut scribe, tail) = fill(&log, &room, 10).await;
    log.save_snapshot(&room, tail.epoch.expect("it has one"), tail.offset, b"all").await.expect("saved");
    log.backup(backup.path().join("a")).await.expect("there is room");
    log.close().await.expect("it can be closed");
    restore(backup.path().join("a"), restored.path()).expect("it is whole");
    let log = open(restored.path());
    let epoch = tail.epoch.expect("it has one");
    assert_eq!(log.load_snapshot(&room, epoch).await, Ok(Some((tail.offset, b"all".to_vec()))));
    let read = log.read(&room, None, tail.offset, 1).await.expect("readable");
    log.append(&room, &read.tail, &scribe.talk(2)).await.expect("it goes on");
    assert_eq!(read_all(&log, &room).await.len() as u64, tail.offset.0 + 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_taken_away_is_not_in_a_backup() {
    let (dir, backup) = (folder(), folder());
    let log = open(dir.path());
    let (kept, gone) = (code("KEPT"), code("GONE"));
    let (_, tail) = fill(&log, &kept, 5).await;
    let said = texts(&read_all(&log, &kept).await);
    let (_, deleted) = fill(&log, &gone, 2_000).await;
    let of_gone = texts(&read_all(&log, &gone).await);
    log.amend(&kept, tail.epoch.expect("it has one"), &[Amend::take_back(Seq(4), Seq(9))]).await.expect("amended");
    log.delete(&gone, deleted.epoch.expect("it has one")).await.expect("deleted");
    let made = log.backup(backup.path().join("a")).await.expect("there is room");
    assert_eq!((made.rooms, made.records), (1, tail.offset.0));
    let bytes = fs::read(backup.path().join("a").join(FILE_NAME)).expect("readable");
    let has = |text: &str| text.is_empty() || bytes.windows(text.len()).any(|window| window == text.as_bytes());
    let left = texts(&read_all(&log, &kept).await);
    assert!(left.iter().all(|text| has(text)) && left.contains(&String::new()));
    assert!(said.iter().chain(&of_gone).filter(|text| !left.contains(text)).all(|text| !has(text)));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_overwritten() {
    let (dir, backup, restored) = (folder(), folder(), folder());
    let log = open(dir.path());
    fill(&log, &code("LUNCH"), 3).await;
    let into = backup.path().join("a");
    log.backup(&into).await.expect("there is room");
    let first = fs::read(into.join(FILE_NAME)).expect("readable");
    assert!(matches!(log.backup(&into).await, Err(BackupError::Exists { .. })));
    assert!(matches!(log.backup(dir.path()).await, Err(BackupError::Exists { .. })), "its own folder");
    assert_eq!(fs::read(into.join(FILE_NAME)).expect("readable"), first);
    assert!(matches!(restore(&into, dir.path()), Err(RestoreError::InUse { .. })));
    restore(&into, restored.path()).expect("it is whole");
    assert!(matches!(restore(&into, restored.path()), Err(RestoreError::Exists { .. })));
    fs::remove_file(restored.path().join(FILE_NAME)).expect("it is ours");
    log_redb::secret(restored.path()).expect("it is made");
    assert!(matches!(restore(&into, restored.path()), Err(RestoreError::Exists { .. })), "the secret is kept too");
}

/// The secret is put there before the log gets its name: whoever is killed between the two leaves a secret alone.
#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_that_was_cut_short_is_made_again() {
    let (dir, backup, restored) = (folder(), folder(), folder());
    let log = open(dir.path());
    fill(&log, &code("LUNCH"), 3).await;
    let secret = log_redb::secret(dir.path()).expect("it is made");
    let into = backup.path().join("a");
    log.backup(&into).await.expect("there is room");
    fs::remove_file(into.join(FILE_NAME)).expect("it is ours");
    log.backup(&into).await.expect("the secret is the same");
    restore(&into, restored.path()).expect("it is whole");
    fs::remove_file(restored.path().join(FILE_NAME)).expect("it is ours");
    restore(&into, restored.path()).expect("the secret is the same");
    assert_eq!(log_redb::secret(restored.path()).expect("it came with it"), secret);
}

/// Another secret beside the copy would be told only after all of it was made.
#[tokio::test(flavor = "multi_thread")]
async fn a_folder_with_another_secret_is_refused_before_anything_is_copied() {
    let (dir, into, restored) = (folder(), folder(), folder());
    let log = open(dir.path());
    fill(&log, &code("LUNCH"), 3).await;
    log_redb::secret(dir.path()).expect("it is made");
    let another = log_redb::secret(into.path()).expect("it is made");
    let is_empty = |dir: &Path| !dir.join(format!("{FILE_NAME}.new")).exists() && !dir.join(FILE_NAME).exists();
    let refused = log.backup(into.path()).await;
    assert!(matches!(refused, Err(BackupError::Exists { .. })) && is_empty(into.path()), "{refused:?}");
    log.close().await.expect("an orderly end");
    drop(log);
    let refused = log_redb::backup(dir.path(), into.path());
    assert!(matches!(refused, Err(BackupError::Exists { .. })) && is_empty(into.path()), "{refused:?}");
    assert_eq!(log_redb::secret(into.path()).expect("it is there"), another);
    let backup = restored.path().join("backup");
    log_redb::backup(dir.path(), &backup).expect("there is room");
    let refused = restore(&backup, into.path());
    assert!(matches!(refused, Err(RestoreError::Exists { .. })) && is_empty(into.path()), "{refused:?}");
}

/// What comes after a backup has the places of what came after it the first time.
#[tokio::test(flavor = "multi_thread")]
async fn a_feed_says_by_which_restoration_it_is_told() {
    let (dir, backups) = (folder(), folder());
    let options = Options { feed: Some(FeedBounds::default()), ..Options::default() };
    let restored = async |log: &RedbLog| {
        let feed = log.feed().expect("it was opened with one");
        feed.since(None, 10).await.expect("it can be read").restored
    };
    let log = RedbLog::open(dir.path(), options).expect("nobody else has it open");
    fill(&log, &code("LUNCH"), 3).await;
    assert_eq!(restored(&log).await, 0, "it never was");
    let mut drawn = Vec::new();
    let mut log = log;
    for round in 0..3 {
        let (backup, into) = (backups.path().join(format!("b{round}")), backups.path().join(format!("r{round}")));
        log.backup(&backup).await.expect("there is room");
        restore(&backup, &into).expect("it is whole");
        log = RedbLog::open(&into, options).expect("nobody else has it open");
        drawn.push(restored(&log).await);
        assert_eq!(restored(&log).await, drawn[round], "for as long as it is this one");
    }
    drawn.push(0);
    drawn.sort_unstable();
    drawn.dedup();
    assert_eq!(drawn.len(), 4, "another each time: {drawn:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_backup_becomes_no_log() {
    let (dir, backup, restored) = (folder(), folder(), folder());
    assert!(matches!(restore(backup.path(), restored.path().join("a")), Err(RestoreError::NoBackup { .. })));
    let log = open(dir.path());
    fill(&log, &code("LUNCH"), 500).await;
    let into = backup.path().join("a");
    log.backup(&into).await.expect("there is room");
    let whole = fs::read(into.join(FILE_NAME)).expect("readable");
    let mut damaged = whole.clone();
    let text = texts(&read_all(&log, &code("LUNCH")).await).pop().expect("it has messages");
    let at = whole.windows(text.len()).position(|window| window == text.as_bytes()).expect("it is in the copy");
    damaged[at] ^= 1;
    for (number, bytes) in [&whole[..whole.len() / 2], &[], b"not a database", &damaged].into_iter().enumerate() {
        fs::write(into.join(FILE_NAME), bytes).expect("writable");
        let dir = restored.path().join(number.to_string());
        let refused = restore(&into, &dir).expect_err("it cannot be right");
        assert!(matches!(refused, RestoreError::Unusable(_)), "{number}: {refused}");
        let left: Vec<_> =
            fs::read_dir(&dir).expect("made").map(|entry| entry.expect("readable").file_name()).collect();
        assert_eq!(left, ["lock"], "{number}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_closed_is_not_copied_and_waits_for_no_copy() {
    let (dir, backup) = (folder(), folder());
    let log = Arc::new(open(dir.path()));
    fill(&*log, &code("LUNCH"), 2_000).await;
    let copying = tokio::spawn({
        let (log, into) = (Arc::clone(&log), backup.path().join("a"));
        async move { log.backup(into).await }
    });
    log.close().await.expect("it can be closed");
    // It was done before, or was ended.
    match copying.await.expect("no panic") {
        Ok(made) => assert_eq!(made.rooms, 1),
        Err(error) => assert!(matches!(error, BackupError::Closed | BackupError::Log(_)), "{error}"),
    }
    let late = log.backup(backup.path().join("b")).await;
    assert!(matches!(late, Err(BackupError::Closed)), "{late:?}");
    let read = log.read(&code("LUNCH"), Some(Epoch(1)), chat_core::Offset(0), 1).await;
    assert!(matches!(read, Err(ReadError::Unavailable(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_that_was_broken_off_is_in_the_way_of_nobody() {
    let (dir, backup) = (folder(), folder());
    let log = open(dir.path());
    fill(&log, &code("LUNCH"), 3).await;
    let into = backup.path().join("a");
    fs::create_dir(&into).expect("a folder");
    fs::write(into.join(format!("{FILE_NAME}.new")), [b'x'; 100_000]).expect("writable");
    log.backup(&into).await.expect("it begins anew");
    restore(&into, backup.path().join("b")).expect("it is whole");
}

/// What somebody has left where the copy is to be is taken away, not written to, and two attempts are not made at once.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_through_what_was_left_in_the_folder() {
    let (dir, backup) = (folder(), folder());
    let log = open(dir.path());
    fill(&log, &code("LUNCH"), 3).await;
    let (into, elsewhere) = (backup.path().join("a"), backup.path().join("elsewhere"));
    fs::create_dir(&into).expect("a folder");
    fs::write(&elsewhere, "mine").expect("writable");
    #[cfg(unix)]
    std::os::unix::fs::symlink(&elsewhere, into.join(format!("{FILE_NAME}.new"))).expect("a link");
    let first = BackupFolder::begin(&into).expect("nobody else makes one there");
    assert!(matches!(log.backup(&into).await, Err(BackupError::Exists { .. })), "one attempt at a time");
    drop(first);
    log.backup(&into).await.expect("it begins anew");
    assert_eq!(fs::read_to_string(&elsewhere).expect("readable"), "mine");
    restore(&into, backup.path().join("b")).expect("it is whole");
}

/// Changes the file of a log as no program of ours would.
fn tamper(dir: &Path, change: impl FnOnce(&redb::WriteTransaction)) {
    let database = redb::Database::open(dir.join(FILE_NAME)).expect("nobody else has it open");
    let write = database.begin_write().expect("writable");
    change(&write);
    write.commit().expect("writable");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_record_is_counted_and_an_unknown_table_is_not_left_out() {
    let (dir, backup) = (folder(), folder());
    let log = open(dir.path());
    fill(&log, &code("LUNCH"), 3).await;
    log.close().await.expect("it can be closed");
    tamper(dir.path(), |write| {
        let mut records = write.open_table(TableDefinition::<&[u8], &[u8]>::new("records")).expect("there");
        let (key, mut row) = {
            let (key, row) = records.first().expect("readable").expect("it has records");
            (key.value().to_vec(), row.value().to_vec())
        };
        *row.last_mut().expect("not empty") ^= 1;
        records.insert(key.as_slice(), row.as_slice()).expect("writable");
    });
    let log = open(dir.path());
    let made = log.backup(backup.path().join("a")).await.expect("the rest can be read");
    assert_eq!((made.damaged, made.records), (1, 5));
    log.close().await.expect("it can be closed");
    tamper(dir.path(), |write| drop(write.open_table(TableDefinition::<u64, u64>::new("later")).expect("made")));
    let refused = open(dir.path()).backup(backup.path().join("b")).await.expect_err("who knows what it is");
    assert!(refused.to_string().contains("\"later\""), "{refused}");
    assert!(!backup.path().join("b").join(FILE_NAME).exists());
}
