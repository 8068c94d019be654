//! The feed of a file: what turning it on and off does, what a backup that was put back does to cursors, and what it costs without.

use std::path::Path;
use std::time::Duration;

use chat_core::{
    Epoch, FeedBounds, FeedChange, FeedCursor, FeedError, FeedName, FeedSlice, Log, LogFeed, Offset, ReadError,
    Retention, Tail,
};
use chat_testkit::lives::{aged, code, fill, open_life, read_all};
use chat_testkit::records::Scribe;
use log_redb::redb::{Database, ReadableDatabase, TableDefinition, TableHandle};
use log_redb::{Durability, FILE_NAME, Options, RedbLog};
use tempfile::TempDir;

const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
const DAY: Duration = Duration::from_secs(86_400);

/// The records of these tests are of one day, and nothing is too old unless a test says so.
fn bounds() -> FeedBounds {
    FeedBounds { age_max: 36_500 * DAY, ..FeedBounds::default() }
}

fn open(dir: &Path, feed: Option<FeedBounds>) -> RedbLog {
    RedbLog::open(dir, Options { feed, ..Options::default() }).expect("it opens")
}

fn feed_of(log: &RedbLog) -> &dyn LogFeed {
    log.feed().expect("it was opened with a feed")
}

/// What the file says of itself: its tables, and its version.
fn look(dir: &Path) -> (Vec<String>, u64) {
    let database = Database::open(dir.join(FILE_NAME)).expect("it is closed");
    let read = database.begin_read().expect("readable");
    let tables = read.list_tables().expect("readable").map(|table| table.name().to_owned()).collect();
    let format = read.open_table(META).expect("it is there").get("format").expect("readable").expect("it is there");
    (tables, format.value())
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_feed_the_file_has_nothing_of_one() {
    let dir = TempDir::new().expect("a folder");
    let log = open(dir.path(), None);
    fill(&log, &code("ROOM"), 3).await;
    assert!(log.feed().is_none());
    log.close().await.expect("it can be closed");
    let (tables, format) = look(dir.path());
    assert!(tables.iter().all(|name| !name.contains("feed")), "{tables:?}");
    assert!(format < 256, "a program that knows of no feed can use it");
}

/// A program that knows of no feed would append without telling it, and refuses the file; until there is none any more.
#[tokio::test(flavor = "multi_thread")]
async fn a_feed_ends_with_its_cursors_when_the_file_is_opened_without() {
    let dir = TempDir::new().expect("a folder");
    let log = open(dir.path(), Some(bounds()));
    let room = code("ROOM");
    fill(&log, &room, 3).await;
    log.delete(&room, Epoch(1)).await.expect("it can be deleted");
    let end = feed_of(&log).end().await.expect("there is one");
    feed_of(&log).put_feed(&FeedName::parse("name").expect("valid"), &end).await.expect("it is stored");
    open_life(&log, &room, 2).await;
    log.close().await.expect("it can be closed");
    assert!(look(dir.path()).1 > 256);

    let log = open(dir.path(), None);
    assert!(log.feed().is_none());
    assert_eq!(read_all(&log, &room).await, Scribe::new(Epoch(2)).opening());
    log.close().await.expect("it can be closed");
    let (tables, format) = look(dir.path());
    assert!(tables.iter().all(|name| !name.contains("feed")) && format < 256, "{tables:?}, {format}");

    let log = open(dir.path(), Some(bounds()));
    assert_eq!(feed_of(&log).since(Some(&end), 10).await.err(), Some(FeedError::OtherFeed));
    assert_eq!(feed_of(&log).feeds().await, Ok(Vec::new()));
    let begins = feed_of(&log).since(None, 10).await.expect("readable");
    assert_eq!(begins.batches, [], "what was there before is not in it");
    fill(&log, &code("LATER"), 1).await;
    assert_eq!(feed_of(&log).since(Some(&begins.next), 10).await.expect("readable").batches.len(), 2);
}

/// What a reader has not read yet is in the backup as well, also of a room that is gone.
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_has_the_feed_and_its_readers_go_on_in_it() {
    let (dir, copies) = (TempDir::new().expect("a folder"), TempDir::new().expect("a folder"));
    let log = open(dir.path(), Some(bounds()));
    let (gone, stays, name) = (code("GONE"), code("STAYS"), FeedName::parse("backend").expect("valid"));
    fill(&log, &stays, 2).await;
    let read = feed_of(&log).end().await.expect("there is one");
    feed_of(&log).put_feed(&name, &read).await.expect("it is stored");
    fill(&log, &gone, 3).await;
    log.delete(&gone, Epoch(1)).await.expect("it can be deleted");
    let (backup, restored) = (copies.path().join("backup"), copies.path().join("restored"));
    log.backup(&backup).await.expect("there is room");
    log_redb::restore(&backup, &restored).expect("it is whole");
    let due = feed_of(&log).since(Some(&read), 100).await.expect("readable");
    assert_eq!(due.batches.len(), 3, "an opening, messages, and the end: {due:?}");

    let copy = open(&restored, Some(bounds()));
    assert_eq!(feed_of(&copy).feeds().await, Ok(vec![(name, read.clone())]));
    let told = feed_of(&copy).since(Some(&read), 100).await.expect("readable");
    assert_ne!(told.restored, due.restored, "by another restoration");
    assert_eq!(FeedSlice { restored: due.restored, ..told }, due);
}

/// After a backup was put back, other batches come to have the numbers that a backend has read already.
#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_that_is_ahead_of_a_backup_is_refused_and_one_from_before_it_is_good() {
    let (dir, backup) = (TempDir::new().expect("a folder"), TempDir::new().expect("a folder"));
    let room = code("ROOM");
    let log = open(dir.path(), Some(bounds()));
    let (mut scribe, tail) = fill(&log, &room, 3).await;
    let before = feed_of(&log).end().await.expect("there is one");
    log.close().await.expect("it can be closed");
    std::fs::copy(dir.path().join(FILE_NAME), backup.path().join(FILE_NAME)).expect("readable");

    let log = open(dir.path(), Some(bounds()));
    log.append(&room, &tail, &scribe.clone().talk(1)).await.expect("the tail is the end");
    let after = feed_of(&log).end().await.expect("there is one");
    log.close().await.expect("it can be closed");

    let log = open(backup.path(), Some(bounds()));
    assert_eq!(feed_of(&log).since(Some(&after), 10).await.err(), Some(FeedError::Lost), "it is ahead");
    log.append(&room, &tail, &scribe.talk(2)).await.expect("the tail is the end");
    assert_eq!(feed_of(&log).since(Some(&after), 10).await.err(), Some(FeedError::Lost), "it is another batch");
    let put = feed_of(&log).put_feed(&FeedName::parse("name").expect("valid"), &after).await;
    assert_eq!(put, Err(FeedError::Lost));
    assert_eq!(feed_of(&log).since(Some(&before), 10).await.expect("readable").batches.len(), 1);
}

/// Records of a room that nobody has read are held back as long as they may be by their age.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_old_is_let_go_of() {
    let dir = TempDir::new().expect("a folder");
    let log = open(dir.path(), Some(FeedBounds { age_max: DAY, ..FeedBounds::default() }));
    let start = feed_of(&log).end().await.expect("there is one");
    let append = async |name: &str, age: Duration| {
        let mut scribe = Scribe::new(Epoch(1));
        log.append(&code(name), &Tail::default(), &aged(scribe.opening(), age)).await.expect("the code is free");
    };
    append("OLD", 2 * DAY).await;
    append("NEW", DAY / 2).await;
    let slice = feed_of(&log).since(Some(&start), 10).await.expect("readable");
    assert_eq!(slice.gap.map(|gap| gap.batches), Some(1));
    assert_eq!(slice.batches.iter().map(|batch| &batch.room).collect::<Vec<_>>(), [&code("NEW")]);
}

/// Of a dead room nothing is left once it was read: neither of its records, nor of what the feed knew of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_dead_room_is_purged_when_it_was_fed_and_not_before() {
    const RECORDS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("records");
    const GRAVES: TableDefinition<'_, &[u8], ()> = TableDefinition::new("feed_graves");
    let (dir, name) = (TempDir::new().expect("a folder"), FeedName::parse("name").expect("valid"));
    let count = || {
        use log_redb::redb::ReadableTableMetadata;
        let database = Database::open(dir.path().join(FILE_NAME)).expect("it is closed");
        let read = database.begin_read().expect("readable");
        let records = read.open_table(RECORDS).expect("it is there").len().expect("readable");
        (records, read.open_table(GRAVES).expect("it is there").len().expect("readable"))
    };
    let log = open(dir.path(), Some(bounds()));
    let start: FeedCursor = feed_of(&log).end().await.expect("there is one");
    feed_of(&log).put_feed(&name, &start).await.expect("it is stored");
    fill(&log, &code("ROOM"), 10).await;
    log.delete(&code("ROOM"), Epoch(1)).await.expect("it can be deleted");
    log.close().await.expect("it can be closed");
    assert_eq!(count(), (12, 1), "a clean end takes nothing that was not read");

    let log = open(dir.path(), Some(bounds()));
    let again = log.append(&code("ROOM"), &Tail::default(), &Scribe::new(Epoch(1)).opening()).await;
    assert!(again.is_err(), "records of the same life would be taken for those that are still to be read");
    let slice = feed_of(&log).since(Some(&start), 100).await.expect("readable");
    assert_eq!(slice.batches.len(), 3);
    assert_eq!(slice.batches[2].change, FeedChange::Deleted);
    feed_of(&log).put_feed(&name, &slice.next).await.expect("it is stored");
    assert_eq!(log.read(&code("ROOM"), None, Offset(0), 1).await.expect("readable").tail, Tail::default());
    log.close().await.expect("it can be closed");
    assert_eq!(count(), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn retention_goes_on_where_the_feed_was_read() {
    let dir = TempDir::new().expect("a folder");
    let retention = Retention { messages_max: Some(3), ..Retention::default() };
    let options = Options { feed: Some(bounds()), retention, ..Options::default() };
    let log = RedbLog::open(dir.path(), options).expect("it opens");
    let (room, name) = (code("ROOM"), FeedName::parse("name").expect("valid"));
    let start = feed_of(&log).end().await.expect("there is one");
    feed_of(&log).put_feed(&name, &start).await.expect("it is stored");
    let (mut scribe, mut tail) = open_life(&log, &room, 1).await;
    for _ in 0..10 {
        tail = log.append(&room, &tail, &scribe.talk(1)).await.expect("the tail is the end");
    }
    log.save_snapshot(&room, Epoch(1), tail.offset, b"snapshot").await.expect("it can be saved");
    assert_eq!(read_all(&log, &room).await.len(), 12);
    let half = feed_of(&log).since(Some(&start), 7).await.expect("readable");
    assert_eq!(half.batches.len(), 6, "the opening of two, and five messages");
    feed_of(&log).put_feed(&name, &half.next).await.expect("it is stored");
    // The next commit lets go of what was read, and the one after that trims.
    for _ in 0..2 {
        tail = log.append(&room, &tail, &scribe.talk(1)).await.expect("the tail is the end");
        log.save_snapshot(&room, Epoch(1), tail.offset, b"snapshot").await.expect("it can be saved");
    }
    let kept: Vec<u64> = read_all(&log, &room).await.iter().map(|record| record.offset.0).collect();
    assert_eq!(kept, (8..=14).collect::<Vec<_>>(), "all that was not read, though it is more than is kept");
}

/// Nobody says anything any more: what was kept for the feed alone goes all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_quiet_room_is_trimmed_once_its_feed_is_read() {
    let dir = TempDir::new().expect("a folder");
    let retention = Retention { messages_max: Some(5), ..Retention::default() };
    let log =
        RedbLog::open(dir.path(), Options { feed: Some(bounds()), retention, ..Options::default() }).expect("it opens");
    let (room, name) = (code("ROOM"), FeedName::parse("name").expect("valid"));
    let start = feed_of(&log).end().await.expect("there is one");
    feed_of(&log).put_feed(&name, &start).await.expect("it is stored");
    let (_, tail) = fill(&log, &room, 50).await;
    log.save_snapshot(&room, Epoch(1), tail.offset, b"snapshot").await.expect("it can be saved");
    assert_eq!(read_all(&log, &room).await.len(), 52, "nobody has read it");
    let end = feed_of(&log).end().await.expect("there is one");
    feed_of(&log).put_feed(&name, &end).await.expect("it is stored");
    log.close().await.expect("it can be closed");
    let log = open(dir.path(), Some(bounds()));
    assert_eq!(read_all(&log, &room).await.len(), 5);
}

/// What is damaged of the feed is told to whoever reads it, and no room stops for it.
#[tokio::test(flavor = "multi_thread")]
async fn damage_to_the_feed_is_told_to_its_reader_and_stops_no_room() {
    const FEED: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("feed");
    let (dir, room) = (TempDir::new().expect("a folder"), code("ROOM"));
    let log = open(dir.path(), Some(bounds()));
    let (mut scribe, tail) = fill(&log, &room, 3).await;
    log.close().await.expect("it can be closed");
    {
        let database = Database::open(dir.path().join(FILE_NAME)).expect("it is closed");
        let write = database.begin_write().expect("writable");
        write.open_table(FEED).expect("it is there").insert(1, &b"nonsense"[..]).expect("writable");
        write.commit().expect("writable");
    }
    let log = open(dir.path(), Some(FeedBounds { bytes_max: 0, ..bounds() }));
    log.append(&room, &tail, &scribe.talk(1)).await.expect("the room is whole");
    let read = feed_of(&log).since(None, 10).await;
    assert!(matches!(read, Err(FeedError::Read(ReadError::Damaged(_) | ReadError::Later { .. }))), "{read:?}");
}

/// What a reader was told is there after any crash, also where the disk has not been asked to confirm what was acked.
#[tokio::test(flavor = "multi_thread")]
async fn relaxed_feeds_nothing_that_a_crash_takes_back() {
    relaxed_takes_nothing_back(bounds()).await;
    // What it lets go of at once it has not let go of before that is on disk.
    relaxed_takes_nothing_back(FeedBounds { bytes_max: 0, ..bounds() }).await;
}

async fn relaxed_takes_nothing_back(bounds: FeedBounds) {
    let (dir, room) = (TempDir::new().expect("a folder"), code("ROOM"));
    let relaxed = Options { feed: Some(bounds), durability: Durability::Relaxed, ..Options::default() };
    let log = RedbLog::open(dir.path(), relaxed).expect("it opens");
    let (mut scribe, mut tail) = open_life(&log, &room, 1).await;
    for _ in 0..5 {
        tail = log.append(&room, &tail, &scribe.talk(1)).await.expect("the tail is the end");
        let told = feed_of(&log).end().await.expect("there is one");
        let copy = TempDir::new().expect("a folder");
        std::fs::copy(dir.path().join(FILE_NAME), copy.path().join(FILE_NAME)).expect("readable");
        let left = RedbLog::open(copy.path(), relaxed).expect("what a crash leaves opens");
        feed_of(&left).since(Some(&told), 10).await.expect("what was told is there");
    }
}

/// A program that only reads the log leaves its feed as it is, and the copy has it too.
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_a_log_that_nobody_has_open_leaves_its_feed_and_cursors() {
    let (dir, backups) = (TempDir::new().expect("a folder"), TempDir::new().expect("a folder"));
    let name = FeedName::parse("name").expect("valid");
    let log = open(dir.path(), Some(bounds()));
    fill(&log, &code("ROOM"), 3).await;
    let read = feed_of(&log).since(None, 1).await.expect("readable").next;
    feed_of(&log).put_feed(&name, &read).await.expect("it is stored");
    let rest = feed_of(&log).since(Some(&read), 100).await.expect("readable").batches;
    assert!(!rest.is_empty(), "something is not read yet");
    log.close().await.expect("it can be closed");

    let to = backups.path().join("a");
    let made = log_redb::backup(dir.path(), &to).expect("nobody has it open");
    assert_eq!((made.rooms, made.damaged), (1, 0));
    for place in [dir.path(), &to] {
        let log = open(place, Some(bounds()));
        let feed = feed_of(&log);
        let cursor = feed.feeds().await.expect("readable").pop().expect("it is stored").1;
        assert_eq!(feed.since(Some(&cursor), 100).await.expect("readable").batches, rest);
        log.close().await.expect("it can be closed");
    }
}
