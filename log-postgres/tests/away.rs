//! A database that takes no connection yet: a log that is opened waits for it, for a while, and says so once; what no wait mends is said at once.

#[path = "support/lines.rs"]
mod lines;
mod support;

use std::time::Duration;

use lines::Lines;
use log_postgres::{MemberOptions, OpenError, PgLog, Setup};
use support::Cluster;
use tokio::time::Instant;

const WAITED_FOR: &str = "takes no connection yet";

fn member() -> MemberOptions {
    MemberOptions {
        address: "127.0.0.1:1".to_owned(),
        certificate: vec![1],
        lease: Duration::from_secs(5),
        setup: Setup::default(),
    }
}

/// Waits until a log has said that it waits.
async fn waits(lines: &Lines) {
    while lines.with(WAITED_FOR).is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_database_that_starts_later_is_waited_for() {
    let Some(cluster) = Cluster::start() else { return };
    drop(cluster.connect().await);
    cluster.stop();
    let (lines, _listening) = Lines::listen();
    let (alone, among, ()) = tokio::join!(
        PgLog::open(&cluster.address, support::options()),
        PgLog::join(&cluster.address, support::options(), member()),
        async {
            waits(&lines).await;
            cluster.go_on();
        }
    );
    alone.expect("it opens").close().await.expect("it closes");
    among.expect("it joins").0.close().await.expect("it closes");
    assert_eq!(lines.with(WAITED_FOR).len(), 2, "once each: {:?}", lines.with(""));
}

#[tokio::test]
async fn a_connection_that_is_not_free_is_waited_for() {
    let Some(cluster) = Cluster::start() else { return };
    let client = cluster.connect().await;
    let few = "create role few login connection limit 0; create schema few authorization few";
    client.batch_execute(few).await.expect("it answers");
    let (lines, _listening) = Lines::listen();
    let options = log_postgres::Options { schema: "few".to_owned(), ..support::options() };
    let address = cluster.address.replace("user=postgres", "user=few");
    let (joined, ()) = tokio::join!(PgLog::join(&address, options, member()), async {
        waits(&lines).await;
        client.batch_execute("alter role few connection limit 50").await.expect("it answers");
    });
    assert!(lines.with(WAITED_FOR)[0].contains("53300"), "{:?}", lines.with(WAITED_FOR));
    joined.expect("it joins").0.close().await.expect("it closes");
}

#[tokio::test]
async fn a_database_that_stays_away_is_given_up_after_half_a_minute_and_what_no_wait_mends_at_once() {
    let Some(cluster) = Cluster::start() else { return };
    drop(cluster.connect().await);
    let (lines, _listening) = Lines::listen();
    for (found, wrong) in [("user=postgres", "user=nobody"), ("dbname=postgres", "dbname=nowhere")] {
        let refused = PgLog::open(&cluster.address.replace(found, wrong), support::options()).await.err();
        assert!(matches!(refused, Some(OpenError::Database(_))), "{refused:?}");
    }
    assert!(lines.with(WAITED_FOR).is_empty(), "{:?}", lines.with(""));
    cluster.stop();
    tokio::time::pause();
    let begun = Instant::now();
    let refused = PgLog::join(&cluster.address, support::options(), member()).await.err();
    assert!(matches!(refused, Some(OpenError::Unavailable(_))), "{refused:?}");
    let waited = begun.elapsed();
    assert!((Duration::from_secs(31)..=Duration::from_secs(43)).contains(&waited), "{waited:?}");
    assert_eq!(lines.with(WAITED_FOR).len(), 1, "{:?}", lines.with(""));
}
