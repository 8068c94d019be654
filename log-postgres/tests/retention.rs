//! How much of a room is kept: by count, bytes and age, oldest first, and only what a snapshot covers; and what is deleted goes.

mod support;

use std::time::Duration;

use chat_core::{Amend, Epoch, Log, Offset, Seq, Tail};
use chat_testkit::lives::{aged, code, fill, open_life, read_all, texts};
use chat_testkit::records::Scribe;
use log_postgres::{Options, PgLog, Retention};
use support::Cluster;
use tokio_postgres::Client;

fn messages(max: u64) -> Retention {
    Retention { messages_max: Some(max), ..Retention::default() }
}

/// Reads until the room has so many messages.
async fn kept(log: &PgLog, wanted: usize) {
    let mut found = 0;
    for _ in 0..500 {
        found = texts(&read_all(log, &code("ROOM")).await).len();
        if found == wanted {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{found} messages are kept, and not {wanted}");
}

async fn count(client: &Client, table: &str) -> i64 {
    client.query_one(&format!("select count(*) from {table}"), &[]).await.expect("it answers").get(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_oldest_go_as_far_as_the_snapshot_reaches() {
    let Some(cluster) = Cluster::shared() else { return };
    let options = Options { retention: messages(10), ..support::options() };
    let log = cluster.open(&options).await;
    let room = code("ROOM");
    let (mut scribe, tail) = fill(&log, &room, 100).await;
    let whole = read_all(&log, &room).await;
    assert_eq!(whole.len(), 102, "without a snapshot nothing is trimmed");

    log.save_snapshot(&room, Epoch(1), Offset(60), b"up to 60").await.expect("it can be saved");
    let kept_now = log.read(&room, None, Offset(0), usize::MAX).await.expect("readable");
    assert_eq!(kept_now.records, whole[60..], "41 messages are too many, and no more is covered");
    assert_eq!(kept_now.tail, tail, "the end is where it was");

    log.save_snapshot(&room, Epoch(1), tail.offset, b"all").await.expect("it can be saved");
    assert_eq!(read_all(&log, &room).await, whole[92..]);
    assert_eq!(log.read(&room, None, Offset(7), 3).await.expect("readable").records, whole[92..95]);
    let paged = log.messages(&room, Epoch(1), Seq(u64::MAX), 100).await.expect("readable");
    assert_eq!(paged, whole[92..], "paging back ends where the log begins");
    assert_eq!(log.messages(&room, Epoch(1), Seq(20), 100).await, Ok(Vec::new()));
    assert_eq!(log.messages_after(&room, Epoch(1), Seq(20), 3).await, Ok(whole[92..95].to_vec()));
    let gone = Amend::take_back(Seq(20), Seq(u64::MAX));
    log.amend(&room, Epoch(1), &[gone]).await.expect("amending what is gone is no error");

    // Nothing newer is covered: the room grows past the limit until the next snapshot.
    let tail = log.append(&room, &tail, &scribe.talk(5)).await.expect("the tail is the end");
    kept(&log, 10).await;
    log.append(&room, &tail, &scribe.talk(30)).await.expect("the tail is the end");
    kept(&log, 35).await;

    let client = cluster.connect_to(&options).await;
    let sums = "select t.messages, t.bytes, t.first, count(*) filter (where r.kind = 1), sum(octet_length(r.body))::bigint, min(r.last) \
                from tails t join records r using (life) group by t.code";
    let row = client.query_one(sums, &[]).await.expect("one room");
    let [messages, bytes, first, of_messages, of_bytes, of_first] =
        [0, 1, 2, 3, 4, 5].map(|index| row.get::<_, i64>(index));
    assert_eq!((messages, bytes, first), (of_messages, of_bytes, of_first), "the tail counts what is there");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_record_stays_whatever_the_limit() {
    let Some(cluster) = Cluster::shared() else { return };
    let retention = Retention { messages_max: Some(0), bytes_max: Some(0), ..Retention::default() };
    let log = cluster.open(&Options { retention, ..support::options() }).await;
    let room = code("ROOM");
    let (_, tail) = fill(&log, &room, 20).await;
    log.save_snapshot(&room, Epoch(1), tail.offset, b"all").await.expect("it can be saved");
    let page = log.read(&room, None, Offset(0), 100).await.expect("readable");
    assert_eq!((page.records.len(), page.records[0].offset), (1, tail.offset));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_over_its_bytes_is_trimmed() {
    let Some(cluster) = Cluster::shared() else { return };
    let retention = Retention { bytes_max: Some(10_000), ..Retention::default() };
    let log = cluster.open(&Options { retention, ..support::options() }).await;
    let room = code("ROOM");
    let (_, tail) = fill(&log, &room, 500).await;
    log.save_snapshot(&room, Epoch(1), tail.offset, b"all").await.expect("it can be saved");
    let kept = read_all(&log, &room).await;
    assert!((10..100).contains(&kept.len()), "{} records of 100 to 1,000 bytes", kept.len());
}

const DAY: Duration = Duration::from_secs(86_400);

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_old_goes_also_from_a_room_that_nobody_uses() {
    let Some(cluster) = Cluster::shared() else { return };
    let keeps_all = support::options();
    let keeps_a_week =
        Options { retention: Retention { age_max: Some(7 * DAY), ..Retention::default() }, ..keeps_all.clone() };
    let room = code("ROOM");
    let log = cluster.open(&keeps_all).await;
    let mut scribe = Scribe::new(Epoch(1));
    let old = aged([scribe.opening(), scribe.talk(50)].concat(), 30 * DAY);
    let tail = log.append(&room, &Tail::default(), &old).await.expect("the code is free");
    let new = aged(scribe.talk(20), DAY);
    let tail = log.append(&room, &tail, &new).await.expect("the tail is the end");
    log.save_snapshot(&room, Epoch(1), tail.offset, b"all").await.expect("it can be saved");
    assert_eq!(read_all(&log, &room).await.len(), 72);

    // By a clock that is far ahead of what the tables say was last believed, nothing is too old at first.
    let client = cluster.connect_to(&keeps_all).await;
    client.execute("update meta set value = '1000' where key = 'clock'", &[]).await.expect("writable");
    log.close().await.expect("it can be closed");
    let log = cluster.open(&keeps_a_week).await;
    log.save_snapshot(&room, Epoch(1), tail.offset, b"all").await.expect("it can be saved");
    assert_eq!(read_all(&log, &room).await.len(), 72, "the clock is doubted");
    log.close().await.expect("it can be closed");

    client.execute("delete from meta where key = 'clock'", &[]).await.expect("writable");
    let log = cluster.open(&keeps_a_week).await;
    kept(&log, 20).await;
    assert_eq!(read_all(&log, &room).await, new);
}

/// The code is free at once; the records go slice by slice, and at last the note of it.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_of_an_incarnation_that_was_deleted() {
    let Some(cluster) = Cluster::shared() else { return };
    let options = support::options();
    let log = cluster.open(&options).await;
    let room = code("ROOM");
    let (_, tail) = fill(&log, &room, 5_000).await;
    log.save_snapshot(&room, Epoch(1), tail.offset, b"all").await.expect("it can be saved");
    log.save_read_positions(&room, Epoch(1), b"far").await.expect("they can be saved");
    log.delete(&room, Epoch(1)).await.expect("it can be deleted");
    open_life(&log, &room, 2).await;
    let client = cluster.connect_to(&options).await;
    let left = async || count(&client, "records").await + count(&client, "snapshots").await;
    for _ in 0..500 {
        if left().await == 2 && count(&client, "read_positions").await == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!((left().await, count(&client, "read_positions").await), (2, 0), "the opening of the next");
    assert_eq!(count(&client, "graves").await, 1, "it is looked at once more, a minute later");
    log.close().await.expect("it can be closed");

    client.execute("update graves set since = now() - interval '2 minutes'", &[]).await.expect("writable");
    let log = cluster.open(&options).await;
    for _ in 0..500 {
        if count(&client, "graves").await == 0 {
            assert_eq!(read_all(&log, &room).await.len(), 2);
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the grave is still there");
}
