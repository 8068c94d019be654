//! What the tests share: a PostgreSQL of their own, logs in schemas of it, and rooms filled without running one.
#![allow(dead_code)]

mod cluster;

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use chat_core::{Epoch, Event, Log, Offset, ReadError, Record, RoomCode, Tail};
use chat_testkit::records::Scribe;
pub(crate) use cluster::Cluster;
use log_postgres::{Options, PgLog};
use tokio_postgres::Client;

impl Cluster {
    /// A connection that finds the tables of a log.
    pub(crate) async fn connect_to(&self, options: &Options) -> Client {
        let client = self.connect().await;
        client.batch_execute(&format!("set search_path = {}", options.schema)).await.expect("a schema");
        client
    }

    /// Opens a log once the server takes connections.
    pub(crate) async fn open(&self, options: &Options) -> PgLog {
        drop(self.connect().await);
        PgLog::open(&self.address, options.clone()).await.expect("it opens")
    }
}

/// Options with a schema that no other test has.
pub(crate) fn options() -> Options {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let schema = format!("test_{}_{number}", std::process::id());
    Options { name: schema.clone(), schema, ..Options::default() }
}

pub(crate) fn code(text: &str) -> RoomCode {
    RoomCode::parse(text).expect("a valid code")
}

/// A life with its opening appended.
pub(crate) async fn open_life(log: &dyn Log, room: &RoomCode, epoch: u64) -> (Scribe, Tail) {
    let mut scribe = Scribe::new(Epoch(epoch));
    let opening = scribe.opening();
    let tail = log.append(room, &Tail::default(), &opening).await.expect("a free code can be claimed");
    (scribe, tail)
}

/// A life with this many messages after its opening.
pub(crate) async fn fill(log: &dyn Log, room: &RoomCode, messages: usize) -> (Scribe, Tail) {
    let (mut scribe, tail) = open_life(log, room, 1).await;
    let tail = log.append(room, &tail, &scribe.talk(messages)).await.expect("the tail is the end");
    (scribe, tail)
}

pub(crate) async fn read_all(log: &dyn Log, room: &RoomCode) -> Vec<Record> {
    log.read(room, None, Offset(0), usize::MAX).await.expect("the log can be read").records
}

/// Reads until the log can be read again.
pub(crate) async fn settled(log: &dyn Log, room: &RoomCode) -> Vec<Record> {
    for _ in 0..2_000 {
        match log.read(room, None, Offset(0), usize::MAX).await {
            Ok(page) => return page.records,
            Err(ReadError::Unavailable(_)) => tokio::time::sleep(Duration::from_millis(10)).await,
            Err(damaged) => panic!("{damaged}"),
        }
    }
    panic!("the log does not come back");
}

pub(crate) fn texts(records: &[Record]) -> Vec<String> {
    let text = |record: &Record| match &record.event {
        Event::Sent { text, .. } => Some(text.as_str().to_owned()),
        _ => None,
    };
    records.iter().filter_map(text).collect()
}

/// Waits until so many backends of a log wait for a lock.
pub(crate) async fn blocked(client: &Client, options: &Options, backends: i64) {
    wait_for(client, options, "wait_event_type = 'Lock'", backends).await;
}

/// Waits until so many backends of a log are as the condition says.
pub(crate) async fn wait_for(client: &Client, options: &Options, condition: &str, backends: i64) {
    let name = format!("chat {}", options.name);
    let waiting = format!("select count(*) from pg_stat_activity where application_name = $1 and {condition}");
    for _ in 0..5_000 {
        // A transaction sees the same of others' activity until it asks for it anew.
        client.batch_execute("select pg_stat_clear_snapshot()").await.expect("it answers");
        if client.query_one(&waiting, &[&name]).await.expect("it answers").get::<_, i64>(0) >= backends {
            return;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    panic!("no {backends} backends with {condition}");
}
