//! A file that is not what it should be is refused by name: newer, foreign, cut, or changed anywhere.

use std::fs::{self, OpenOptions};
use std::path::Path;

use chat_core::{Ended, EndedWho, Log, Offset, ReadError, Record, SessionId, Wall};
use chat_testkit::lives::{code, fill, open_life, read_all};
use log_redb::redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use log_redb::{FILE_NAME, OpenError, Options, RedbLog, Verify};
use tempfile::TempDir;

const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
const TAILS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("tails");
const RECORDS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("records");
const ENDED: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("ended");

fn open(dir: &Path) -> Result<RedbLog, OpenError> {
    RedbLog::open(dir, Options::default())
}

/// A closed log with some rooms, and what is in them.
async fn closed_log(rooms: usize) -> (TempDir, Vec<Vec<Record>>) {
    let dir = TempDir::new().expect("a folder");
    let log = open(dir.path()).expect("it opens");
    let mut whole = Vec::new();
    for number in 0..rooms {
        let room = code(&format!("ROOM-{number}"));
        fill(&log, &room, 30).await;
        whole.push(read_all(&log, &room).await);
    }
    log.close().await.expect("it closes");
    (dir, whole)
}

/// Changes the row of record 7 of the first room.
fn edit_record(dir: &Path, edit: impl FnOnce(&mut Vec<u8>)) {
    let database = Database::open(dir.join(FILE_NAME)).expect("it is a redb file");
    let write = database.begin_write().expect("writable");
    {
        let mut records = write.open_table(RECORDS).expect("there");
        let key = [b"ROOM-0\0".as_slice(), &1_u64.to_be_bytes(), &7_u64.to_be_bytes()].concat();
        let mut row =
            records.get(key.as_slice()).expect("readable").expect("the key is as documented").value().to_vec();
        edit(&mut row);
        if row.is_empty() {
            records.remove(key.as_slice()).expect("writable");
        } else {
            records.insert(key.as_slice(), row.as_slice()).expect("writable");
        }
    }
    write.commit().expect("writable");
}

async fn damage(log: &RedbLog) -> String {
    match log.read(&code("ROOM-0"), None, Offset(0), 100).await {
        Err(ReadError::Damaged(what)) => what,
        other => panic!("it is not refused: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_a_newer_version_is_refused() {
    let (dir, _) = closed_log(1).await;
    let database = Database::open(dir.path().join(FILE_NAME)).expect("it is a redb file");
    let write = database.begin_write().expect("writable");
    write.open_table(META).expect("there").insert("format", 3).expect("writable");
    write.commit().expect("writable");
    drop(database);
    let error = open(dir.path()).map(drop).expect_err("it is newer");
    assert!(matches!(error, OpenError::Newer { found: 3, known: 2, .. }), "{error:?}");
    let told = format!("rooms.redb is of format version 3; log-redb {} reads up to 2", env!("CARGO_PKG_VERSION"));
    assert!(error.to_string().ends_with(&told), "{error}");
}

#[test]
fn a_file_of_something_else_is_refused() {
    let dir = TempDir::new().expect("a folder");
    let path = dir.path().join(FILE_NAME);
    fs::write(&path, "these are not the bytes you are looking for".repeat(500)).expect("writable");
    let error = open(dir.path()).map(drop).expect_err("it is no redb file");
    assert!(matches!(error, OpenError::Damaged { .. }), "{error:?}");

    fs::write(&path, "").expect("writable");
    let error = open(dir.path()).map(drop).expect_err("an empty file was a log once");
    assert!(error.to_string().ends_with("rooms.redb is damaged: it is empty"), "{error}");

    fs::remove_file(&path).expect("removable");
    let database = Database::create(&path).expect("a redb file");
    let write = database.begin_write().expect("writable");
    write
        .open_table(TableDefinition::<&str, u64>::new("recipes"))
        .expect("a table")
        .insert("soup", 1)
        .expect("writable");
    write.commit().expect("writable");
    drop(database);
    let error = open(dir.path()).map(drop).expect_err("it is another's");
    assert!(matches!(error, OpenError::Foreign { .. }), "{error:?}");
}

#[test]
fn a_file_in_use_is_refused() {
    let dir = TempDir::new().expect("a folder");
    let _log = open(dir.path()).expect("it opens");
    let error = open(dir.path()).map(drop).expect_err("it is in use");
    assert!(matches!(error, OpenError::InUse { .. }), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_record_is_damage_with_its_name_and_other_rooms_are_whole() {
    let (dir, whole) = closed_log(2).await;
    edit_record(dir.path(), |row| *row.last_mut().expect("not empty") ^= 1);
    let log = open(dir.path()).expect("the file is whole");
    assert_eq!(damage(&log).await, "record 7 of room ROOM-0 does not match its checksum");
    assert_eq!(log.read(&code("ROOM-0"), None, Offset(7), 100).await.expect("readable").records, whole[0][7..]);
    assert_eq!(read_all(&log, &code("ROOM-1")).await, whole[1]);
    let messages = log.messages(&code("ROOM-0"), chat_core::Epoch(1), chat_core::Seq(100), 100).await;
    assert!(matches!(messages, Err(ReadError::Damaged(_))), "{messages:?}");
    log.close().await.expect("it closes");

    edit_record(dir.path(), |row| row.truncate(9));
    assert_eq!(
        damage(&open(dir.path()).expect("it opens")).await,
        "record 7 of room ROOM-0 does not match its checksum"
    );
    edit_record(dir.path(), |row| row.truncate(4));
    assert_eq!(damage(&open(dir.path()).expect("it opens")).await, "record 7 of room ROOM-0 is cut short");
    edit_record(dir.path(), Vec::clear);
    assert_eq!(damage(&open(dir.path()).expect("it opens")).await, "record 7 of room ROOM-0 is missing");
}

/// Nothing is passed over: what it says may be that somebody may not see what follows.
#[tokio::test(flavor = "multi_thread")]
async fn a_record_of_a_later_version_is_refused_by_name_and_nothing_is_written_over_it() {
    let (dir, whole) = closed_log(2).await;
    edit_record(dir.path(), |row| row[0] = 9);
    let log = open(dir.path()).expect("the file is whole");
    let refused = log.read(&code("ROOM-0"), None, Offset(0), 100).await.expect_err("it cannot be read");
    let what = "record 7 of room ROOM-0".to_owned();
    assert_eq!(refused, ReadError::Later { what, version: 9, readable_from: 9, reads: 2 });
    assert_eq!(read_all(&log, &code("ROOM-1")).await, whole[1], "other rooms are not concerned");
    let log = std::sync::Arc::new(log);
    let engine = chat_core::Engine::builder().log(log.clone()).expect("it has no engine yet").build();
    let session = chat_testkit::one_room::connect(&engine, None).await;
    let nick = chat_core::Nick::parse("Bob").expect("a valid nick");
    let refused =
        session.call(chat_core::Command::join(code("ROOM-0"), nick)).await.expect_err("nobody can say who is in it");
    assert_eq!(refused.code, chat_core::RejectCode::Unavailable);
    assert!(engine.stats().unreadable > 0);
    assert_eq!(log.read(&code("ROOM-0"), None, Offset(7), 100).await.expect("the rest").records, whole[0][7..]);
}

fn format_of(dir: &Path) -> u64 {
    let database = Database::open(dir.join(FILE_NAME)).expect("it is a redb file");
    let read = database.begin_read().expect("readable");
    let meta = read.open_table(META).expect("there");
    meta.get("format").expect("readable").expect("every file says it").value()
}

/// A program that does not know the later version may use the file until there is something in it that it cannot read.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_of_the_version_that_is_needed_to_read_it() {
    let dir = TempDir::new().expect("a folder");
    let log = open(dir.path()).expect("it opens");
    let (mut scribe, tail) = fill(&log, &code("ROOM-0"), 3).await;
    log.close().await.expect("it closes");
    assert_eq!(format_of(dir.path()), 1);
    let log = open(dir.path()).expect("it opens");
    let mut joined = scribe.joined("Bob");
    let chat_core::Event::Joined { sees, .. } = &mut joined.event else { panic!("{joined:?}") };
    *sees = Some(chat_core::Seq(2));
    log.append(&code("ROOM-0"), &tail, &[joined.clone()]).await.expect("the tail is the end");
    log.close().await.expect("it closes");
    assert_eq!(format_of(dir.path()), 2);
    let log = open(dir.path()).expect("this program knows it");
    assert_eq!(read_all(&log, &code("ROOM-0")).await.last(), Some(&joined));
}

/// Files as earlier programs left them, one of each format. None is ever changed: it is on somebody's disk.
#[tokio::test(flavor = "multi_thread")]
async fn files_of_every_format_are_read_and_written_on() {
    let files: [(&[u8], usize, usize); 2] =
        [(include_bytes!("fixtures/rooms-1.redb"), 14, 1), (include_bytes!("fixtures/rooms-2.redb"), 15, 2)];
    for (bytes, records, members) in files {
        let dir = TempDir::new().expect("a folder");
        fs::write(dir.path().join(FILE_NAME), bytes).expect("writable");
        let log = open(dir.path()).expect("it can be read");
        let read = read_all(&log, &code("ROOM-0")).await;
        assert_eq!(read.len(), records);
        let tail = log.read(&code("ROOM-0"), None, Offset(0), 0).await.expect("readable").tail;
        let epoch = tail.epoch.expect("it is there");
        let (through, snapshot) = log.load_snapshot(&code("ROOM-0"), epoch).await.expect("readable").expect("stored");
        let ledger: chat_core::room::Ledger =
            chat_core::room::Snapshot::read(&snapshot).expect("it can be read").into();
        assert_eq!((ledger.last_offset(), ledger.members_total()), (through, members));
        let log = std::sync::Arc::new(log);
        let engine = chat_core::Engine::builder().log(log.clone()).expect("it has no engine yet").build();
        let session = chat_testkit::one_room::connect(&engine, None).await;
        let nick = chat_core::Nick::parse("Eve").expect("a valid nick");
        session.call(chat_core::Command::join(code("ROOM-0"), nick)).await.expect("the room is there");
        assert_eq!(read_all(&*log, &code("ROOM-0")).await.len(), records + 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_tail_is_damage_with_its_name() {
    let (dir, _) = closed_log(1).await;
    let database = Database::open(dir.path().join(FILE_NAME)).expect("it is a redb file");
    let write = database.begin_write().expect("writable");
    {
        let mut tails = write.open_table(TAILS).expect("there");
        let mut row = tails.get("ROOM-0").expect("readable").expect("there").value().to_vec();
        row[30] ^= 1;
        tails.insert("ROOM-0", row.as_slice()).expect("writable");
    }
    write.commit().expect("writable");
    drop(database);
    let log = open(dir.path()).expect("the file is whole");
    assert_eq!(damage(&log).await, "the tail of room ROOM-0 does not match its checksum");
    let mut scribe = chat_testkit::records::Scribe::new(chat_core::Epoch(1));
    let refused = log.append(&code("ROOM-0"), &chat_core::Tail::default(), &scribe.opening()).await;
    assert!(matches!(refused, Err(chat_core::AppendError::NotWritten(_))), "nothing is written over it: {refused:?}");
}

/// The row of a room's tail, and in its place another one.
fn swap_tail(dir: &Path, row: Option<&[u8]>) -> Vec<u8> {
    let database = Database::open(dir.join(FILE_NAME)).expect("it is a redb file");
    let write = database.begin_write().expect("writable");
    let found = {
        let mut tails = write.open_table(TAILS).expect("there");
        let found = tails.get("ROOM-0").expect("readable").expect("there").value().to_vec();
        tails.insert("ROOM-0", row.unwrap_or(&found)).expect("writable");
        found
    };
    write.commit().expect("writable");
    found
}

/// A sector that the disk never wrote, or wrote elsewhere, holds the tail as it was, with a checksum that matches.
#[tokio::test(flavor = "multi_thread")]
async fn a_tail_from_before_its_last_records_is_damage() {
    let dir = TempDir::new().expect("a folder");
    let log = open(dir.path()).expect("it opens");
    let (mut scribe, before) = open_life(&log, &code("ROOM-0"), 1).await;
    log.close().await.expect("it closes");
    let stale = swap_tail(dir.path(), None);
    let log = open(dir.path()).expect("it opens");
    let tail = log.append(&code("ROOM-0"), &before, &scribe.talk(3)).await.expect("the tail is the end");
    log.close().await.expect("it closes");
    swap_tail(dir.path(), Some(&stale));

    let log = open(dir.path()).expect("the file is whole");
    assert_eq!(damage(&log).await, format!("room ROOM-0 has records behind its tail, {}", before.offset.0));
    let mut unaware = chat_testkit::records::Scribe::new(chat_core::Epoch(1));
    unaware.opening();
    let refused = log.append(&code("ROOM-0"), &before, &unaware.talk(1)).await;
    assert!(matches!(refused, Err(chat_core::AppendError::NotWritten(_))), "nothing is written over them: {refused:?}");
    let refused = log.append(&code("ROOM-0"), &tail, &scribe.talk(1)).await;
    assert!(matches!(refused, Err(chat_core::AppendError::Conflict)), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_cut_anywhere_is_refused() {
    let (dir, _) = closed_log(20).await;
    let path = dir.path().join(FILE_NAME);
    let bytes = fs::read(&path).expect("readable");
    for part in [1, 100, 4_095, 4_096, bytes.len() / 4, bytes.len() / 2, bytes.len() - 4_096, bytes.len() - 1] {
        fs::write(&path, &bytes[..part]).expect("writable");
        let error = open(dir.path()).map(drop).expect_err("it is cut");
        assert!(matches!(error, OpenError::Damaged { .. }), "cut at {part}: {error:?}");
    }
    fs::write(&path, &bytes).expect("writable");
    open(dir.path()).expect("and whole it is not");
}

/// A byte of every page in turn: what can be read afterwards is what was written; the rest is refused.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_changed_anywhere_never_reads_wrong() {
    let (dir, whole) = closed_log(20).await;
    let path = dir.path().join(FILE_NAME);
    let bytes = fs::read(&path).expect("readable");
    let (mut refused, mut read) = (0, 0);
    for verify in [Verify::AfterCrash, Verify::Always] {
        for page in (0..bytes.len()).step_by(4_096 * bytes.len().div_ceil(4_096 * 40)) {
            let mut changed = bytes.clone();
            for at in [page + 9, page + 200, page + 1_500] {
                changed[at] ^= 0x55;
            }
            fs::write(&path, &changed).expect("writable");
            let Ok(log) = RedbLog::open(dir.path(), Options { verify, ..Options::default() }) else {
                refused += 1;
                continue;
            };
            for (number, records) in whole.iter().enumerate() {
                match log.read(&code(&format!("ROOM-{number}")), None, Offset(0), 100).await {
                    Ok(stretch) if stretch.records == *records => read += 1,
                    Err(_) => refused += 1,
                    Ok(stretch) => panic!("page {page}: {} records of {}", stretch.records.len(), records.len()),
                }
            }
        }
    }
    assert!(refused > 0 && read > 0, "{refused} refused, {read} read");
}

/// The file as it was while the log was open is what a crash leaves.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_was_never_closed_is_whole() {
    let dir = TempDir::new().expect("a folder");
    let log = open(dir.path()).expect("it opens");
    fill(&log, &code("ROOM"), 500).await;
    let other = TempDir::new().expect("a folder");
    fs::copy(dir.path().join(FILE_NAME), other.path().join(FILE_NAME)).expect("copied while it is open");
    let copy = open(other.path()).expect("it is repaired");
    assert_eq!(read_all(&copy, &code("ROOM")).await, read_all(&log, &code("ROOM")).await);
    drop(copy);
    let longer = OpenOptions::new().append(true).open(other.path().join(FILE_NAME));
    std::io::Write::write_all(&mut longer.expect("there"), &[0xA5; 10_000]).expect("writable");
    if let Ok(copy) = open(other.path()) {
        assert_eq!(read_all(&copy, &code("ROOM")).await.len(), 502);
    }
}

#[test]
fn the_format_page_names_what_is_in_the_file() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("FORMAT.md")).expect("the page is there");
    let dir = TempDir::new().expect("a folder");
    drop(open(dir.path()).expect("it opens"));
    let database = Database::open(dir.path().join(FILE_NAME)).expect("it is a redb file");
    let read = database.begin_read().expect("readable");
    for table in read.list_tables().expect("readable") {
        let name = log_redb::redb::TableHandle::name(&table).to_owned();
        assert!(page.contains(&format!("`{name}`")), "FORMAT.md does not name the table {name}");
    }
    for entry in read.open_table(META).expect("there").iter().expect("readable") {
        let name = entry.expect("readable").0.value().to_owned();
        assert!(page.contains(&format!("`{name}`")), "FORMAT.md does not name the number {name}");
    }
}

fn ended(session: u128) -> Ended {
    let session = SessionId::new(session);
    Ended { who: EndedWho::Session(session), through: session, until: Wall(10) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_from_before_ends_were_remembered_is_read_and_remembers_them() {
    let (dir, whole) = closed_log(1).await;
    let database = Database::open(dir.path().join(FILE_NAME)).expect("it is a redb file");
    let write = database.begin_write().expect("writable");
    write.delete_table(ENDED).expect("writable");
    write.commit().expect("writable");
    drop(database);
    let log = open(dir.path()).expect("it opens");
    assert_eq!(log.ended().await, Ok(Vec::new()));
    assert_eq!(read_all(&log, &code("ROOM-0")).await, whole[0]);
    log.put_ended(&ended(7), &[]).await.expect("writable");
    assert_eq!(log.ended().await, Ok(vec![ended(7)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_end_is_damage_and_rooms_are_whole() {
    let (dir, whole) = closed_log(1).await;
    let log = open(dir.path()).expect("it opens");
    log.put_ended(&ended(7), &[]).await.expect("writable");
    log.close().await.expect("it closes");
    let database = Database::open(dir.path().join(FILE_NAME)).expect("it is a redb file");
    let write = database.begin_write().expect("writable");
    {
        let mut table = write.open_table(ENDED).expect("there");
        let key = [&[0], 7_u128.to_be_bytes().as_slice()].concat();
        let mut row = table.get(key.as_slice()).expect("readable").expect("the key is as documented").value().to_vec();
        row[10] ^= 1;
        table.insert(key.as_slice(), row.as_slice()).expect("writable");
    }
    write.commit().expect("writable");
    drop(database);
    let log = open(dir.path()).expect("it opens");
    assert!(matches!(log.ended().await, Err(ReadError::Damaged(_))));
    assert_eq!(read_all(&log, &code("ROOM-0")).await, whole[0]);
}
