//! A database that is there and takes no appends: its words are said at once, then once a minute, and so is that it takes them again.

#[path = "support/lines.rs"]
mod lines;
mod support;

use std::time::Duration;

use chat_core::{AppendError, Log};
use chat_testkit::lives::{code, open_life};
use lines::Lines;
use support::Cluster;

#[tokio::test]
async fn a_database_that_takes_no_appends_is_told_of_in_its_words_and_so_is_that_it_takes_them_again() {
    const REFUSED: &str = "takes no appends";
    let Some(cluster) = Cluster::shared() else { return };
    let options = support::options();
    let log = cluster.open(&options).await;
    let room = code("SECRET-ROOM");
    let (mut scribe, tail) = open_life(&log, &room, 1).await;
    let client = cluster.connect_to(&options).await;
    // As a disk without space has it.
    let refuse = "create function full_disk() returns trigger language plpgsql as \
                  $$ begin raise exception 'No space left on device' using errcode = '53100'; end $$; \
                  create trigger full_disk before insert on records for each statement execute function full_disk()";
    client.batch_execute(refuse).await.expect("it can be refused");
    let (lines, _listening) = Lines::listen();
    let batch = scribe.talk(1);
    for _ in 0..3 {
        let appended = log.append(&room, &tail, &batch).await;
        assert!(matches!(appended, Err(AppendError::NotWritten(_))), "{appended:?}");
    }
    let said = lines.with(REFUSED);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].starts_with("WARN") && said[0].contains("No space left on device (SQLSTATE 53100)"), "{said:?}");
    assert!(lines.with("SECRET-ROOM").is_empty(), "{:?}", lines.with("SECRET-ROOM"));
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(61)).await;
    tokio::time::resume();
    assert!(log.append(&room, &tail, &batch).await.is_err());
    assert_eq!(lines.with(REFUSED).len(), 2, "{:?}", lines.with(""));

    client.batch_execute("drop trigger full_disk on records").await.expect("it can be allowed");
    log.append(&room, &tail, &batch).await.expect("it is taken");
    let again = lines.with("takes appends again");
    assert!(again.len() == 1 && again[0].starts_with("INFO"), "{again:?}");
}
