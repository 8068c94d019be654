//! The database loses its machine: what was acked is on the standby that takes its place, whoever cut the wait for it short.

use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::time::Instant;
use tokio_postgres::Client;

use super::client::Person;
use super::cluster::Cluster;
use super::crowd::{Crowd, PEOPLE, ROOMS, begin, goes_on};
use super::fleet::{Fleet, LONG, SERVERS};

/// How long the standby is away, and waits for it are cut short.
const AWAY: Duration = Duration::from_secs(3);

/// Waits until the database says so.
async fn until(client: &Client, question: &str) {
    let begun = Instant::now();
    while !client.query_one(question, &[]).await.expect("it answers").get::<_, bool>(0) {
        assert!(begun.elapsed() < LONG, "not within {LONG:?}: {question}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// From now on the standby takes what is written. Whoever asks it something is in the way of what it still plays, perhaps, and is sent away then.
async fn promote(standby: &Cluster) {
    let client = standby.connect().await;
    let begun = Instant::now();
    loop {
        let _ = client.batch_execute("select pg_promote(false)").await;
        let is_over = client.query_one("select not pg_is_in_recovery()", &[]).await;
        if is_over.is_ok_and(|row| row.get(0)) {
            return;
        }
        assert!(begun.elapsed() < LONG, "not within {LONG:?}: a promotion");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Ends the wait of every commit for the standby, again and again, as an operator might who sees that nothing goes on. Says how many there were.
async fn cut_short(client: &Client) -> i64 {
    let cancel = "select count(pg_cancel_backend(pid)) from pg_stat_activity where wait_event = 'SyncRep'";
    let (begun, mut count) = (Instant::now(), 0);
    while begun.elapsed() < AWAY {
        count += client.query_one(cancel, &[]).await.expect("it answers").get::<_, i64>(0);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    count
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acked_is_on_the_standby_that_takes_over() {
    let Some(primary) = Cluster::start() else { return };
    let client = primary.connect().await;
    let standby = tokio::task::block_in_place(|| primary.standby("spare"));
    client.batch_execute("alter system set synchronous_standby_names = 'spare'").await.expect("it can be set");
    client.batch_execute("select pg_reload_conf()").await.expect("it can be read");
    until(&client, "select count(*) = 1 from pg_stat_replication where sync_state = 'sync'").await;

    let folders =
        [primary.folder(), standby.folder()].map(|folder| folder.to_str().expect("a folder of a test").to_owned());
    let url = format!(
        "postgres://postgres@{}/postgres",
        folders.each_ref().map(|folder| folder.replace('/', "%2F")).join(",")
    );
    let database = format!("host={} user=postgres dbname=postgres target_session_attrs=read-write", folders.join(","));
    let fleet = Fleet::start(Duration::from_secs(2), database, vec![url; SERVERS]).await;
    let people = begin(&fleet).await;
    let mut draw = StdRng::seed_from_u64(0);
    let mut crowd = Crowd::gather(&fleet, people, &mut draw, 0);
    crowd.until("everybody is back", |seen| seen.inside == ROOMS * PEOPLE).await;
    let since = Instant::now();
    crowd.until("every room goes on", |seen| goes_on(seen, since)).await;

    tokio::task::block_in_place(|| standby.stop());
    let cut = cut_short(&client).await;
    tokio::task::block_in_place(|| {
        primary.stop();
        standby.go_on();
    });
    promote(&standby).await;
    fleet.settled().await;
    let since = Instant::now();
    crowd.until("every room goes on", |seen| goes_on(seen, since)).await;
    let mut people = crowd.finish().await.0;
    for number in 1..=SERVERS {
        let mut crowd = Crowd::gather(&fleet, people, &mut draw, number);
        crowd.until("everybody finds everything", |seen| seen.inside == ROOMS * PEOPLE).await;
        people = crowd.finish().await.0;
    }
    let acked: usize = people.iter().map(Person::acked).sum();
    println!("{acked} acked messages; {cut} waits for a standby were cut short");
    assert!(cut > 0, "nothing waited: this test shows nothing");
}
