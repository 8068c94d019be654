//! A database that fails: nothing acked is lost, nothing is written twice, and the log goes on once the database does.

mod support;

use std::sync::Arc;
use std::time::Duration;

use chat_core::{Amend, AppendError, Epoch, Log, ReadError, Seq};
use chat_testkit::lives::{code, fill, open_life, persist, read_all, settled};
use log_postgres::{OpenError, Options, PgLog};
use support::Cluster;

/// Owners of eight rooms say so many messages each, while somebody does something to the database. Returns how many errors they met.
async fn owners_against(log: Arc<PgLog>, messages: u64, harm: impl AsyncFnOnce()) -> usize {
    let mut lives = Vec::new();
    for number in 0..8 {
        let room = code(&format!("ROOM-{number}"));
        let (scribe, tail) = open_life(&*log, &room, 1).await;
        lives.push((room, scribe, tail));
    }
    let owners: Vec<_> = lives
        .into_iter()
        .map(|(room, mut scribe, mut tail)| {
            let log = Arc::clone(&log);
            tokio::spawn(async move {
                let mut met = 0;
                for _ in 0..messages {
                    met += persist(&*log, &room, &mut scribe, &mut tail).await.len();
                }
                (room, met)
            })
        })
        .collect();
    harm().await;
    let mut met = 0;
    for owner in owners {
        let (room, errors) = owner.await.expect("no owner gives up");
        met += errors;
        let told: Vec<u64> =
            settled(&*log, &room).await.iter().filter_map(|record| record.seq.map(|seq| seq.0)).collect();
        assert!(told.iter().copied().eq(1..=messages + 1), "each message once, in order: {told:?}");
    }
    met
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_are_ended_lose_nothing_and_each_message_is_there_once() {
    let Some(cluster) = Cluster::shared() else { return };
    let options = support::options();
    let log = Arc::new(cluster.open(&options).await);
    let client = cluster.connect_to(&options).await;
    let end = "select pg_terminate_backend(pid) from writers where node in (select id from nodes)";
    let met = owners_against(log, 200, async || {
        for _ in 0..30 {
            tokio::time::sleep(Duration::from_millis(20)).await;
            client.query(end, &[]).await.expect("they can be ended");
        }
    });
    assert!(met.await > 0, "no owner has met an error: this test shows nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_crashes_loses_nothing_acked_and_each_message_is_there_once() {
    let Some(cluster) = Cluster::start() else { return };
    let log = Arc::new(cluster.open(&support::options()).await);
    let met = owners_against(log, 300, async || {
        for _ in 0..3 {
            tokio::time::sleep(Duration::from_millis(150)).await;
            cluster.crash();
            drop(cluster.connect().await);
        }
    });
    assert!(met.await > 0, "no owner has met an error: this test shows nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_crash_a_log_is_read_again_though_nobody_writes() {
    let Some(cluster) = Cluster::start() else { return };
    let log = cluster.open(&support::options()).await;
    fill(&log, &code("ROOM"), 3).await;
    cluster.crash();
    assert_eq!(settled(&log, &code("ROOM")).await.len(), 5);
}

/// What the store refuses of one room is that room's matter.
#[tokio::test(flavor = "multi_thread")]
async fn a_room_whose_records_are_refused_fails_none_beside_it() {
    let Some(cluster) = Cluster::shared() else { return };
    let options = support::options();
    let log = Arc::new(cluster.open(&options).await);
    let client = cluster.connect_to(&options).await;
    let refuse = "alter table records add constraint poison check (position('poison'::bytea in body) = 0)";
    client.batch_execute(refuse).await.expect("it can be refused");
    let mut appends = Vec::new();
    for number in 0..40 {
        let room = code(&format!("ROOM-{number}"));
        let (mut scribe, tail) = open_life(&*log, &room, 1).await;
        let (log, text) = (Arc::clone(&log), if number == 17 { "poison" } else { "hello" });
        appends.push(tokio::spawn(async move { log.append(&room, &tail, &[scribe.sent(text)]).await }));
    }
    for (number, append) in appends.into_iter().enumerate() {
        match append.await.expect("no panic") {
            Err(AppendError::NotWritten(_)) if number == 17 => {}
            answer => assert_eq!((answer.map(|tail| tail.offset.0), number == 17), (Ok(3), false), "room {number}"),
        }
    }
    assert_eq!(read_all(&*log, &code("ROOM-17")).await.len(), 2);
    assert_eq!(read_all(&*log, &code("ROOM-18")).await.len(), 3);
}

/// Rooms that one statement locks, and others that lock one of them each: nobody waits for the other in a circle.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_is_done_to_many_rooms_at_once_deadlocks() {
    let Some(cluster) = Cluster::start() else { return };
    let retention = log_postgres::Retention { messages_max: Some(5), ..Default::default() };
    let log = Arc::new(cluster.open(&Options { retention, ..support::options() }).await);
    let owners: Vec<_> = (0..60)
        .map(|number| {
            let log = Arc::clone(&log);
            tokio::spawn(async move {
                let room = code(&format!("ROOM-{number}"));
                let (mut scribe, mut tail) = open_life(&*log, &room, 1).await;
                for turn in 0..15 {
                    tail = log.append(&room, &tail, &scribe.talk(2)).await.expect("the tail is the end");
                    log.save_snapshot(&room, Epoch(1), tail.offset, b"all").await.expect("it can be saved");
                    if turn % 4 == number % 4 {
                        let amend = Amend::take_back(scribe.head(), Seq(u64::MAX));
                        let more = [scribe.sent("more")];
                        let (appended, amended) = tokio::join!(
                            log.append(&room, &tail, &more),
                            log.amend(&room, Epoch(1), std::slice::from_ref(&amend))
                        );
                        tail = appended.expect("the tail is the end");
                        amended.expect("it can be taken back");
                    }
                }
                log.delete(&room, Epoch(1)).await.expect("it can be deleted");
            })
        })
        .collect();
    for owner in owners {
        owner.await.expect("every call succeeds");
    }
    let client = cluster.connect().await;
    let deadlocks = client.query_one("select sum(deadlocks)::bigint from pg_stat_database", &[]).await;
    assert_eq!(deadlocks.expect("it answers").get::<_, i64>(0), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_is_named_and_never_passed_over() {
    let Some(cluster) = Cluster::shared() else { return };
    let options = support::options();
    let log = cluster.open(&options).await;
    let client = cluster.connect_to(&options).await;
    let room = code("ROOM");
    fill(&log, &room, 10).await;
    let of = |what: &str| format!("update records set {what} where last = 5");
    let damaged = async |log: &PgLog| {
        let read = log.read(&room, None, chat_core::Offset(0), 100).await;
        assert!(matches!(read, Err(ReadError::Damaged(_))), "{read:?}");
        assert_eq!(log.read(&room, None, chat_core::Offset(5), 100).await.expect("readable").records.len(), 7);
    };
    let life: String = client.query_one("select life::text from tails", &[]).await.expect("one room").get(0);
    let nobody = "00000000-0000-0000-0000-000000000000";
    client.batch_execute(&of(&format!("life = '{nobody}'"))).await.expect("writable");
    damaged(&log).await;
    client.batch_execute(&of(&format!("life = '{life}'"))).await.expect("writable");
    assert_eq!(read_all(&log, &room).await.len(), 12);
    client.batch_execute(&of("body = 'rubbish'")).await.expect("writable");
    damaged(&log).await;
    client.batch_execute(&of("version = 99")).await.expect("writable");
    let later = log.read(&room, None, chat_core::Offset(0), 100).await;
    client.batch_execute("update tails set last = 11").await.expect("writable");
    let behind = log.read(&room, None, chat_core::Offset(5), 100).await;
    assert!(matches!(behind, Err(ReadError::Damaged(_))), "a record behind the tail: {behind:?}");
    assert!(matches!(later, Err(ReadError::Later { version: 99, .. })), "{later:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_keep_a_log_is_refused_by_name() {
    let Some(cluster) = Cluster::start() else { return };
    let options = support::options();
    drop(cluster.open(&options).await);
    let client = cluster.connect_to(&options).await;
    let refused = async |options: &Options| match PgLog::open(&cluster.address, options.clone()).await {
        Ok(_) => panic!("it opens"),
        Err(error) => error,
    };
    client.batch_execute("update meta set value = '9' where key = 'format'").await.expect("writable");
    let later = refused(&options).await;
    assert!(matches!(later, OpenError::Later { found: 9, reads: 3 }), "{later}");
    client.batch_execute("update meta set value = '2' where key = 'format'").await.expect("writable");
    let bad = refused(&Options { schema: "Chat; drop".into(), ..options.clone() }).await;
    assert!(matches!(bad, OpenError::Schema(_)), "{bad}");
    client.batch_execute("alter role postgres set synchronous_commit = off").await.expect("it can be set");
    let unfit = refused(&options).await;
    assert!(matches!(&unfit, OpenError::Unfit(why) if why.contains("synchronous_commit")), "{unfit}");
    client.batch_execute("alter role postgres reset synchronous_commit").await.expect("it can be set");
    let elsewhere = PgLog::open("postgres://db.example.com/chat", options.clone()).await;
    assert!(matches!(elsewhere.err(), Some(OpenError::Address(_))), "no TLS");
    // One that sets aside what a connection asks for, as some poolers do.
    let pooled = format!("{} options='-c search_path=elsewhere'", cluster.address);
    PgLog::open(&pooled, options).await.expect("what the log asks for comes last").close().await.expect("it closes");
}
