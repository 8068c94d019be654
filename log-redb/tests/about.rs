//! What is known of rooms, in a file: files of before have nothing of it, backups have it, and one that is damaged costs nothing else.

use std::path::Path;

use chat_core::{Epoch, Log, Offset, RoomCode, Tail};
use chat_testkit::lives::{code, open_life};
use chat_testkit::records::Scribe;
use log_redb::redb::{Database, ReadableTable, TableDefinition};
use log_redb::{FILE_NAME, Options, RedbLog, restore};
use tempfile::TempDir;

const ABOUTS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("abouts");

fn folder() -> TempDir {
    TempDir::new().expect("a folder")
}

fn open(dir: &Path) -> RedbLog {
    RedbLog::open(dir, Options::default()).expect("nobody else has it open")
}

async fn known(log: &RedbLog) -> Vec<Option<Vec<u8>>> {
    let rooms = log.rooms_with(None, None, usize::MAX).await.expect("the rooms can be listed");
    rooms.into_iter().map(|room| room.about).collect()
}

/// A closed log with one room, of which something is known.
async fn of_one_room(dir: &Path) -> (RoomCode, Scribe, Tail) {
    let (log, room, mut scribe) = (open(dir), code("LUNCH"), Scribe::new(Epoch(7)));
    let tail = log.append_with(&room, &Tail::default(), &scribe.opening(), b"one").await.expect("the code is free");
    assert_eq!(known(&log).await, [Some(b"one".to_vec())]);
    log.close().await.expect("it can be closed");
    (room, scribe, tail)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_before_says_nothing_until_the_next_append() {
    let dir = folder();
    let (room, mut scribe, tail) = of_one_room(dir.path()).await;
    {
        let database = Database::open(dir.path().join(FILE_NAME)).expect("it is closed");
        let write = database.begin_write().expect("it can be written");
        assert!(write.delete_table(ABOUTS).expect("it can be written"), "it was there");
        write.commit().expect("it can be written");
    }
    let log = open(dir.path());
    assert_eq!(known(&log).await, [None]);
    log.append_with(&room, &tail, &scribe.talk(1), b"two").await.expect("the tail is the end");
    assert_eq!(known(&log).await, [Some(b"two".to_vec())]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_has_what_is_known() {
    let (dir, backup, restored) = (folder(), folder(), folder());
    of_one_room(dir.path()).await;
    let log = open(dir.path());
    log.backup(backup.path().join("a")).await.expect("there is room");
    restore(backup.path().join("a"), restored.path()).expect("it is whole");
    assert_eq!(known(&open(restored.path())).await, [Some(b"one".to_vec())]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_row_is_as_good_as_none_and_costs_no_room() {
    let dir = folder();
    let (room, ..) = of_one_room(dir.path()).await;
    {
        let database = Database::open(dir.path().join(FILE_NAME)).expect("it is closed");
        let write = database.begin_write().expect("it can be written");
        {
            let mut table = write.open_table(ABOUTS).expect("it is there");
            let row = table.get(room.as_str()).expect("it can be read").expect("it is there").value().to_vec();
            let damaged: Vec<u8> = row.iter().rev().copied().collect();
            table.insert(room.as_str(), damaged.as_slice()).expect("it can be written");
        }
        write.commit().expect("it can be written");
    }
    let log = open(dir.path());
    open_life(&log, &code("OTHER"), 1).await;
    assert_eq!(known(&log).await, [None, None]);
    let page = log.read(&room, None, Offset(0), usize::MAX).await.expect("it is whole");
    assert!(!page.records.is_empty());
}
