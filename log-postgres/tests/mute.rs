//! A database that takes connections and stays mute: every call ends with an error that says so, nothing is lost, and little is said of it.

#[path = "support/lines.rs"]
mod lines;
#[path = "support/proxy.rs"]
mod proxy;
mod support;

use std::time::Duration;

use chat_core::{Amend, AppendError, Epoch, Log, Offset, ReadError, Seq, Tail};
use chat_testkit::lives::{code, fill, open_life, persist, read_all, settled, tail_of, texts};
use chat_testkit::records::Scribe;
use lines::Lines;
use log_postgres::{OpenError, PgLog};
use proxy::Proxy;
use support::Cluster;
use tokio::time::Instant;

/// The longest that any call takes: its turn, the statement, and the search for the database.
const CALL_MAX: Duration = Duration::from_secs(120);

/// Runs calls with the clock of the runtime paused: it leaps to whatever is waited for next.
async fn leaping<T>(calls: impl Future<Output = T>) -> T {
    let started = Instant::now();
    let done = tokio::time::timeout(Duration::from_secs(86_400), calls).await.expect("every call ends");
    assert!(started.elapsed() <= CALL_MAX, "it took {:?}", started.elapsed());
    done
}

#[tokio::test]
async fn every_call_on_a_database_that_is_mute_ends_in_time_and_nothing_is_lost() {
    let Some(cluster) = Cluster::start() else { return };
    drop(cluster.connect().await);
    let proxy = Proxy::to(cluster.folder()).await;
    let log = PgLog::open(&proxy.address(), support::options()).await.expect("it opens");
    let (mut scribe, tail) = fill(&log, &code("ROOM"), 3).await;
    let (mut other, mut other_tail) = open_life(&log, &code("OTHER"), 1).await;
    let before = read_all(&log, &code("ROOM")).await;
    let (lines, _listening) = Lines::listen();

    proxy.mute(true);
    tokio::time::pause();
    let batch = scribe.talk(2);
    let taken_back = [Amend::take_back(Seq(1), Seq(u64::MAX))];
    let (room, everything) = (code("ROOM"), usize::MAX);
    leaping(async {
        let claim = Scribe::new(Epoch(1)).opening();
        let (appended, claimed, read, paged, listed, saved, amended) = tokio::join!(
            log.append(&room, &tail, &batch),
            async {
                tokio::task::yield_now().await;
                log.append(&code("CLAIM"), &Tail::default(), &claim).await
            },
            log.read(&room, None, Offset(0), everything),
            log.messages(&room, Epoch(1), Seq(9), 9),
            log.rooms(None, None, 9),
            log.save_snapshot(&room, Epoch(1), tail.offset, b"all"),
            log.amend(&room, Epoch(1), &taken_back),
        );
        assert!(matches!(appended, Err(AppendError::Unknown(_))), "{appended:?}");
        assert!(matches!(claimed, Err(AppendError::NotWritten(_) | AppendError::Unknown(_))), "{claimed:?}");
        assert!(matches!(read, Err(ReadError::Unavailable(_))), "{read:?}");
        assert!(matches!(paged, Err(ReadError::Unavailable(_))), "{paged:?}");
        assert!(matches!(listed, Err(ReadError::Unavailable(_))), "{listed:?}");
        assert!(matches!(saved, Err(AppendError::Unknown(_) | AppendError::NotWritten(_))), "{saved:?}");
        assert!(matches!(amended, Err(AppendError::Unknown(_) | AppendError::NotWritten(_))), "{amended:?}");
    })
    .await;
    let doubted = log.read(&room, None, Offset(0), everything).await;
    assert!(matches!(&doubted, Err(ReadError::Unavailable(why)) if why.contains("found out")), "{doubted:?}");
    // Changes that wait for their turn do not look for the database one after the other.
    leaping(async {
        for saved in [(); 50].map(|()| log.save_read_positions(&room, Epoch(1), b"far")) {
            assert!(saved.await.is_err());
        }
    })
    .await;

    let said = lines.with("cannot be told").len();
    tokio::time::sleep(Duration::from_secs(600)).await;
    let more = lines.with("cannot be told").len() - said;
    assert!(said > 0 && (8..=11).contains(&more), "{said} and {more} lines: {:?}", lines.with(""));

    tokio::time::resume();
    proxy.mute(false);
    let after = settled(&log, &room).await;
    assert!(after == before || after == [&before[..], &batch].concat(), "whole or not at all: {after:?}");
    if after == before {
        let tail = tail_of(&log, &room).await;
        log.append(&room, &tail, &batch).await.expect("the tail is the end");
    }
    assert_eq!(read_all(&log, &room).await, [&before[..], &batch].concat());
    persist(&log, &code("OTHER"), &mut other, &mut other_tail).await;
    assert_eq!(texts(&settled(&log, &code("OTHER")).await).len(), 1);
    while lines.with("is there again").is_empty() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(lines.with("is there again").len(), 1, "once");
}

#[tokio::test]
async fn a_log_that_is_opened_or_closed_on_a_database_that_is_mute_says_so() {
    let Some(cluster) = Cluster::start() else { return };
    drop(cluster.connect().await);
    let proxy = Proxy::to(cluster.folder()).await;
    let log = PgLog::open(&proxy.address(), support::options()).await.expect("it opens");
    open_life(&log, &code("ROOM"), 1).await;
    proxy.mute(true);
    tokio::time::pause();
    leaping(async {
        let opened = PgLog::open(&proxy.address(), support::options()).await.err();
        assert!(matches!(&opened, Some(OpenError::Unavailable(why)) if why.contains("within")), "{opened:?}");
        assert!(log.secret().await.is_err() && log.close().await.is_err());
    })
    .await;
}
