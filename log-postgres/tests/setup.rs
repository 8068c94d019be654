//! What servers that share a log are to have alike: another secret is refused, and other limits and leases are said.

#[path = "support/lines.rs"]
mod lines;
mod support;

use std::time::Duration;

use chat_core::Limits;
use lines::Lines;
use log_postgres::{MemberOptions, Members, OpenError, Options, PgLog, Setup};
use support::Cluster;

const LEASE: Duration = Duration::from_secs(1);
const ONE: [u8; 32] = [0xA1; 32];
const TWO: [u8; 32] = [0xB2; 32];

async fn join(cluster: &Cluster, options: &Options, number: u8, setup: Setup) -> Result<(PgLog, Members), OpenError> {
    drop(cluster.connect().await);
    let (address, certificate) = (format!("10.0.0.{number}:7000"), vec![number]);
    PgLog::join(&cluster.address, options.clone(), MemberOptions { address, certificate, lease: LEASE, setup }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_tokens_would_be_void_at_another_does_not_join_it() {
    let Some(cluster) = Cluster::shared() else { return };
    let options = support::options();
    let first = join(cluster, &options, 1, Setup::default().secret(&ONE)).await.expect("it is the first");
    for other in [Setup::default().secret(&TWO), Setup::default(), Setup::default().secret(&TWO).old_secret(&ONE)] {
        let refused = join(cluster, &options, 2, other).await;
        let Err(error) = refused else { panic!("it has joined") };
        assert!(matches!(&error, OpenError::Secret(server) if server.contains("10.0.0.1:7000")), "{error}");
    }
    let client = cluster.connect_to(&options).await;
    let rows = client.query("select setup from nodes", &[]).await.expect("it answers");
    assert_eq!(rows.len(), 1, "who is refused leaves no row");
    let said: String = rows[0].get(0);
    assert!(!said.contains("a1a1") && !said.contains("A1A1"), "the secret is nobody's business: {said}");
    let same = join(cluster, &options, 2, Setup::default().secret(&ONE)).await.expect("the same secret");
    drop((first, same));
}

/// The next one is taken everywhere before it signs anywhere.
#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_changed_while_servers_run() {
    let Some(cluster) = Cluster::shared() else { return };
    let options = support::options();
    let (before, takes) = (Setup::default(), Setup::default().old_secret(&TWO));
    let (first, members) = join(cluster, &options, 1, before).await.expect("by the secret in the database");
    let (second, _) = join(cluster, &options, 2, takes.clone()).await.expect("it takes both, and signs as before");
    let kept = first.secret().await.expect("it is there");
    let after = Setup::default().secret(&TWO).old_secret(&kept);
    let Err(OpenError::Secret(_)) = join(cluster, &options, 3, after.clone()).await else {
        panic!("its tokens would be void at the first")
    };
    members.drain(Duration::from_secs(30)).await;
    first.close().await.expect("it goes in order");
    let (third, _) = join(cluster, &options, 3, after).await.expect("all that are there take its tokens");
    drop((second, third));
}

/// As that of a server that was killed, and of which nobody else is left to find that out.
#[tokio::test(flavor = "multi_thread")]
async fn a_row_of_somebody_who_is_silent_keeps_nobody_out() {
    let Some(cluster) = Cluster::shared() else { return };
    let options = support::options();
    let (gone, _) = join(cluster, &options, 1, Setup::default().secret(&ONE)).await.expect("it is the first");
    gone.close().await.expect("it is closed");
    let client = cluster.connect_to(&options).await;
    let ghost = "insert into nodes (id, name, address, certificate, lease_ms, setup) \
                 values (gen_random_uuid(), 'ghost', '10.0.0.9:7000', '\\x09', 1000, '{\"secret\":\"another\"}')";
    client.batch_execute(ghost).await.expect("it is there");
    let (_log, members) = join(cluster, &options, 2, Setup::default().secret(&ONE)).await.expect("it is silent");
    assert!(members.holds());
}

#[tokio::test]
async fn other_limits_and_leases_are_said_with_both_values() {
    let Some(cluster) = Cluster::shared() else { return };
    let options = support::options();
    let mut limits = Limits::default();
    let first = join(cluster, &options, 1, Setup::of(&limits)).await.expect("it is the first");
    let (lines, _listening) = Lines::listen();
    let same = join(cluster, &options, 2, Setup::of(&limits)).await.expect("it is alike");
    assert_eq!(lines.with("another server has"), Vec::<String>::new());
    same.0.close().await.expect("it is closed");
    limits.room.grace = Duration::from_secs(12);
    let member = MemberOptions {
        address: "10.0.0.3:7000".to_owned(),
        certificate: vec![3],
        lease: LEASE * 2,
        setup: Setup::of(&limits),
    };
    let mut keeps = options.clone();
    keeps.retention.messages_max = Some(9);
    let other = PgLog::join(&cluster.address, keeps, member).await.expect("it is said, and no more");
    let said = lines.with("another server has other limits");
    assert_eq!(said.len(), 1, "{said:?}");
    for words in ["10.0.0.1:7000", "room.grace (here 12s, there 30s)", "keep_messages (here Some(9), there None)"] {
        assert!(said[0].starts_with("WARN") && said[0].contains(words), "{words}: {said:?}");
    }
    let said = lines.with("another server has another lease");
    assert!(said.len() == 1 && said[0].contains("here=2s there=1s"), "{said:?}");
    drop((first, other));
}

/// The versions in between were skipped.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_reads_nothing_of_what_another_writes_does_not_join_it() {
    let Some(cluster) = Cluster::shared() else { return };
    let options = support::options();
    let first = join(cluster, &options, 1, Setup::default()).await.expect("it is the first");
    let client = cluster.connect_to(&options).await;
    let later = "update nodes set setup = (setup::jsonb || '{\"parcels\": [8, 9]}')::text";
    client.batch_execute(later).await.expect("it answers");
    let Err(error) = join(cluster, &options, 2, Setup::default()).await else { panic!("it has joined") };
    assert!(matches!(error, OpenError::Parcels { theirs: 9, .. }), "{error}");
    for words in ["10.0.0.1:7000", "version 9", "version 1", "versions in between"] {
        assert!(error.to_string().contains(words), "{error}");
    }
    drop(first);
}

/// They say nothing of it: there is nothing to compare.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_of_the_version_before_is_joined_without_a_word() {
    let Some(cluster) = Cluster::shared() else { return };
    let options = support::options();
    let first = join(cluster, &options, 1, Setup::default().secret(&ONE)).await.expect("it is the first");
    let client = cluster.connect_to(&options).await;
    client.batch_execute("update nodes set setup = null").await.expect("it answers");
    let second = join(cluster, &options, 2, Setup::default().secret(&TWO)).await.expect("nothing is known");
    drop((first, second));
}
