//! The feed of all rooms in a database: how it begins and ends, who reads it, and what it holds back.

mod support;

use std::time::Duration;

use chat_core::{
    AppendError, Epoch, FeedBatch, FeedBounds, FeedChange, FeedCursor, FeedError, FeedGap, FeedName, Log, LogFeed,
    Owner, Record, Retention, Slot, Tail,
};
use chat_testkit::lives::{aged, code, fill, open_life, read_all, tail_of};
use chat_testkit::records::Scribe;
use log_postgres::{Durability, MemberOptions, Members, Options, PgLog, Setup};
use support::Cluster;

/// The longest that anything here may take.
const LONG: Duration = Duration::from_secs(60);

fn fed() -> Options {
    // The records of the scribe are of one day, and nothing is too old.
    let bounds = FeedBounds { age_max: Duration::from_secs(100 * 365 * 86_400), ..FeedBounds::default() };
    Options { feed: Some(bounds), ..support::options() }
}

fn feed_of(log: &PgLog) -> &dyn LogFeed {
    log.feed().expect("it was opened with a feed")
}

fn name(text: &str) -> FeedName {
    FeedName::parse(text).expect("a valid name")
}

async fn since(log: &PgLog, cursor: Option<&FeedCursor>) -> (Vec<FeedBatch>, FeedCursor) {
    let slice = feed_of(log).since(cursor, 10_000).await.expect("the feed can be read");
    assert_eq!((slice.gap, slice.behind), (None, 0));
    (slice.batches, slice.next)
}

fn records(batches: &[FeedBatch]) -> Vec<Record> {
    let appended = batches.iter().filter_map(|batch| match &batch.change {
        FeedChange::Appended(records) => Some(records.clone()),
        FeedChange::Deleted => None,
    });
    appended.flatten().collect()
}

async fn join(cluster: &Cluster, options: &Options, number: u8) -> (PgLog, Members) {
    drop(cluster.connect().await);
    let (address, certificate) = (format!("10.0.0.{number}:7000"), vec![number]);
    let member = MemberOptions { address, certificate, lease: Duration::from_secs(1), setup: Setup::default() };
    PgLog::join(&cluster.address, options.clone(), member).await.expect("it joins")
}

/// Waits until it is so, looking again and again.
async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let waited = tokio::time::timeout(LONG, async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    waited.await.unwrap_or_else(|_| panic!("not within {LONG:?}: {what}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_appended_once_a_feed_has_begun_is_in_it_whoever_appends() {
    let Some(cluster) = Cluster::shared() else { return };
    let options = fed();
    let (before, members) = join(cluster, &Options { feed: None, ..options.clone() }, 1).await;
    assert!(Slot::all().all(|slot| matches!(members.owner(slot), Owner::Me(_))));
    let room = code("ROOM");
    let (mut scribe, tail) = open_life(&before, &room, 1).await;
    assert!(before.feed().is_none());

    let (fed, _members) = join(cluster, &options, 2).await;
    // The connection that knew of no feed is not one that writes any more.
    let batch = scribe.talk(2);
    let refused = before.append(&room, &tail, &batch).await;
    assert!(matches!(refused, Err(AppendError::NotWritten(_))), "{refused:?}");
    before.append(&room, &tail, &batch).await.expect("the tail is the end");
    assert_eq!(records(&since(&fed, None).await.0), batch);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_of_a_name_is_put_by_the_owner_of_its_slot_alone() {
    let Some(cluster) = Cluster::shared() else { return };
    let options = fed();
    let (first_log, first) = join(cluster, &options, 1).await;
    let (second_log, second) = join(cluster, &options, 2).await;
    let (room, webhook) = (code("ROOM"), name("webhook"));
    open_life(&first_log, &room, 1).await;
    let (_, end) = since(&second_log, None).await;
    let elsewhere = feed_of(&second_log).put_feed(&webhook, &end).await;
    assert_eq!(elsewhere, Err(FeedError::Write(AppendError::Deposed)));
    feed_of(&first_log).put_feed(&webhook, &end).await.expect("it has the slot");

    first.drain(LONG).await;
    second.hear(first.me(), &first.changed().await.told);
    until("it has the slot", async || matches!(second.owner(webhook.slot()), Owner::Me(_))).await;
    let late = feed_of(&first_log).put_feed(&webhook, &end).await;
    assert_eq!(late, Err(FeedError::Write(AppendError::Deposed)));
    feed_of(&second_log).put_feed(&webhook, &end).await.expect("it has the slot now");
    assert_eq!(feed_of(&first_log).feeds().await, Ok(vec![(webhook, end)]), "whoever may not put it may read it");
}

/// A database counts transactions as they begin, and shows them as they end: whoever went by that would never be told what ended late.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_begun_before_others_and_ended_after_them_is_fed_once() {
    let Some(cluster) = Cluster::shared() else { return };
    let options = fed();
    let log = cluster.open(&options).await;
    let room = code("ROOM");
    let (mut scribe, tail) = open_life(&log, &room, 1).await;
    let (_, mut cursor) = since(&log, None).await;

    let late = cluster.connect_to(&options).await;
    let other = Slot::all().find(|slot| *slot != Slot::of(&room)).expect("there are many").number();
    let append = format!(
        "begin; update feed_slots set last = last + 1, key = pg_current_xact_id()::text::bigint, mark = 7 where slot = {other}; \
         insert into feed (slot, number, key, mark, life, code, epoch, at, bytes, total) \
         select {other}, 1, key, 7, '{}', 'LATE', 9, 0, 0, 0 from feed_slots where slot = {other}",
        "00000000-0000-0000-0000-000000000009"
    );
    late.batch_execute(&append).await.expect("it is appended");
    let batch = scribe.talk(1);
    log.append(&room, &tail, &batch).await.expect("the tail is the end");
    let (fed, next) = since(&log, Some(&cursor)).await;
    assert_eq!(records(&fed), batch);
    cursor = next;
    late.batch_execute("commit").await.expect("it is committed");
    let (fed, next) = since(&log, Some(&cursor)).await;
    assert_eq!(fed.iter().map(|batch| batch.room.as_str()).collect::<Vec<_>>(), ["LATE"]);
    assert_eq!(since(&log, Some(&next)).await, (Vec::new(), next));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quiet_room_is_trimmed_once_its_feed_is_read() {
    let Some(cluster) = Cluster::shared() else { return };
    let retention = Retention { messages_max: Some(5), ..Retention::default() };
    let log = cluster.open(&Options { retention, ..fed() }).await;
    let (room, start) = (code("ROOM"), feed_of(&log).end().await.expect("there is a feed"));
    feed_of(&log).put_feed(&name("late"), &start).await.expect("there is room for it");
    let (_, tail) = fill(&log, &room, 50).await;
    log.save_snapshot(&room, Epoch(1), tail.offset, b"all").await.expect("it can be saved");
    assert_eq!(read_all(&log, &room).await.len(), 52, "nobody has read it");
    let (_, end) = since(&log, Some(&start)).await;
    feed_of(&log).put_feed(&name("late"), &end).await.expect("it is remembered");
    until("it is trimmed, though nobody says anything", async || read_all(&log, &room).await.len() == 5).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_older_than_the_bound_is_let_go_of_whoever_waits_for_it() {
    let Some(cluster) = Cluster::shared() else { return };
    let bounds = FeedBounds { age_max: Duration::from_secs(7 * 86_400), ..FeedBounds::default() };
    let log = cluster.open(&Options { feed: Some(bounds), ..support::options() }).await;
    let start = feed_of(&log).end().await.expect("there is a feed");
    feed_of(&log).put_feed(&name("late"), &start).await.expect("there is room for it");
    let mut scribe = Scribe::new(Epoch(1));
    let old = aged(scribe.opening(), Duration::from_secs(8 * 86_400));
    let new = aged(scribe.talk(1), Duration::from_secs(6 * 86_400));
    let tail = log.append(&code("ROOM"), &Tail::default(), &old).await.expect("the code is free");
    log.append(&code("ROOM"), &tail, &new).await.expect("the tail is the end");
    until("the older is let go of", async || {
        let slice = feed_of(&log).since(Some(&start), 10).await.expect("the feed can be read");
        assert_eq!(records(&slice.batches).last(), new.last());
        slice.gap == Some(FeedGap { batches: 1 })
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_of_a_deleted_room_goes_once_its_feed_is_read() {
    let Some(cluster) = Cluster::shared() else { return };
    let options = fed();
    let log = cluster.open(&options).await;
    let (room, start) = (code("ROOM"), feed_of(&log).end().await.expect("there is a feed"));
    feed_of(&log).put_feed(&name("late"), &start).await.expect("there is room for it");
    fill(&log, &room, 10).await;
    log.delete(&room, Epoch(1)).await.expect("it can be deleted");
    let client = cluster.connect_to(&options).await;
    let left = async || {
        let counts = "select (select count(*) from records), (select count(*) from graves)";
        let row = client.query_one(counts, &[]).await.expect("it answers");
        (row.get::<_, i64>(0), row.get::<_, i64>(1))
    };
    assert_eq!(left().await, (12, 0), "held back");
    let (fed, end) = since(&log, Some(&start)).await;
    assert_eq!((records(&fed).len(), fed.last().map(|batch| &batch.change)), (12, Some(&FeedChange::Deleted)));
    feed_of(&log).put_feed(&name("late"), &end).await.expect("it is remembered");
    until("nothing is left of it but its grave", async || left().await == (0, 1)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_of_what_the_database_has_lost_is_refused() {
    let Some(cluster) = Cluster::shared() else { return };
    let options = fed();
    let log = cluster.open(&options).await;
    let room = code("ROOM");
    fill(&log, &room, 3).await;
    let (_, end) = since(&log, None).await;
    let client = cluster.connect_to(&options).await;
    let slot = Slot::of(&room).number();
    let lose = async |statement: &str| {
        client.batch_execute(&format!("{statement} where slot = {slot}")).await.expect("writable");
        feed_of(&log).since(Some(&end), 10).await.err()
    };
    assert_eq!(lose("update feed_slots set mark = mark").await, None);
    assert_eq!(lose("update feed_slots set last = last - 1").await, Some(FeedError::Lost), "it is behind");
    let another = format!(
        "update feed set mark = mark % 1000 + 1 where slot = {slot}; update feed_slots set last = last + 1, mark = mark % 1000 + 1"
    );
    assert_eq!(lose(&another).await, Some(FeedError::Lost), "something else came in its place");
    assert_eq!(lose("update feed_slots set last = last + 1").await, Some(FeedError::Lost), "and more after that");
    assert_eq!(feed_of(&log).put_feed(&name("any"), &end).await, Err(FeedError::Lost));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_opens_the_log_alone_and_without_a_feed_ends_it() {
    let Some(cluster) = Cluster::shared() else { return };
    let options = fed();
    let log = cluster.open(&options).await;
    let (dead, room) = (code("DEAD"), code("ROOM"));
    fill(&log, &dead, 3).await;
    log.delete(&dead, Epoch(1)).await.expect("it can be deleted");
    let (mut scribe, _) = open_life(&log, &room, 2).await;
    let (_, end) = since(&log, None).await;
    feed_of(&log).put_feed(&name("any"), &end).await.expect("there is room for it");
    log.close().await.expect("it is closed");
    let client = cluster.connect_to(&options).await;
    let format = async || {
        let row = client.query_one("select value from meta where key = 'format'", &[]).await.expect("it answers");
        row.get::<_, String>(0)
    };
    assert_eq!(format().await, "3", "no program may write that knows of no feed");

    let log = cluster.open(&Options { feed: None, ..options.clone() }).await;
    assert!(log.feed().is_none());
    assert_eq!(format().await, "2");
    let tail = tail_of(&log, &room).await;
    log.append(&room, &tail, &scribe.talk(1)).await.expect("the tail is the end");
    until("what was held back of the deleted room goes", async || {
        let count = "select count(*) from records r where not exists (select from tails t where t.life = r.life)";
        client.query_one(count, &[]).await.expect("it answers").get::<_, i64>(0) == 0
    })
    .await;
    log.close().await.expect("it is closed");

    let log = cluster.open(&options).await;
    assert_eq!(since(&log, None).await.0, [], "what is there already is not in it");
    assert_eq!(feed_of(&log).since(Some(&end), 1).await.err(), Some(FeedError::OtherFeed));
    assert_eq!(feed_of(&log).feeds().await, Ok(Vec::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_that_know_of_no_feed_are_made_to() {
    let Some(cluster) = Cluster::shared() else { return };
    let options = support::options();
    let log = cluster.open(&options).await;
    let (mut scribe, _) = open_life(&log, &code("ROOM"), 1).await;
    log.close().await.expect("it is closed");
    let client = cluster.connect_to(&options).await;
    client
        .batch_execute("drop table feed_state, feed_slots, feed, feed_names")
        .await
        .expect("as they were made before");
    let log = cluster.open(&Options { feed: fed().feed, ..options }).await;
    let (batch, tail) = (scribe.talk(1), tail_of(&log, &code("ROOM")).await);
    log.append(&code("ROOM"), &tail, &batch).await.expect("the tail is the end");
    assert_eq!(records(&since(&log, None).await.0), batch);
}

/// What a reader was told is there after any crash, also where the database has not been asked to confirm what was acked.
#[tokio::test(flavor = "multi_thread")]
async fn relaxed_feeds_nothing_that_a_crash_of_the_database_takes_back() {
    // Nothing is written by itself meanwhile.
    let settings = ["wal_writer_delay=10s", "wal_writer_flush_after=1GB"];
    let Some(cluster) = Cluster::start_with(|_| settings.map(str::to_owned).to_vec()) else { return };
    let options = Options { durability: Durability::Relaxed, ..fed() };
    let log = cluster.open(&options).await;
    let room = code("ROOM");
    let (mut scribe, mut tail) = open_life(&log, &room, 1).await;
    let (mut cursor, mut told) = (None, Vec::new());
    for _ in 0..5 {
        tail = log.append(&room, &tail, &scribe.talk(1)).await.expect("the tail is the end");
        let (fed, next) = since(&log, cursor.as_ref()).await;
        told.extend(records(&fed));
        cursor = Some(next);
    }
    cluster.crash();
    drop(log);
    let log = cluster.open(&options).await;
    assert_eq!(since(&log, cursor.as_ref()).await.0, []);
    assert_eq!(read_all(&log, &room).await, told);
}

/// A server of before there were feeds joins the service and runs on while one is begun: it would write without telling it. It has the words of those
/// programs, which are `log-postgres` of before 6e175e76.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_knows_of_no_feed_writes_nothing_once_there_is_one() {
    const WRITER: &str = "insert into writers (id, node, pid, started) \
        select $1::text::uuid, (select id from nodes limit 1), pid, backend_start from pg_stat_activity where pid = pg_backend_pid()";
    const WRITE: &str = "with me as (select node from writers where id = $1::text::uuid for key share) \
        select exists (select from me) as alive";
    let Some(cluster) = Cluster::shared() else { return };
    let options = support::options();
    let (first, _members) = join(cluster, &options, 1).await;
    let old = cluster.connect_to(&options).await;
    let begin = async |id: &str| old.execute(WRITER, &[&id]).await;
    let (before, after) = ("00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000002");
    assert_eq!(begin(before).await.expect("it writes as long as there is no feed"), 1);

    let (second, _members_too) = join(cluster, &Options { feed: fed().feed, ..options.clone() }, 2).await;
    let alive: bool = old.query_one(WRITE, &[&before]).await.expect("it answers").get("alive");
    assert!(!alive, "what it writes with is gone");
    let error = begin(after).await.expect_err("it gets no other");
    let words = error.as_db_error().expect("the database says so").message();
    assert!(words.contains("a feed was begun") && words.contains("this program knows of none"), "{words}");
    drop((first, second));
    let alone = cluster.open(&options).await;
    assert!(alone.feed().is_none(), "it has ended");
    assert_eq!(begin(after).await.expect("there is no feed any more"), 1);
}
