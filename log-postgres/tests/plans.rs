//! How the database finds what it is asked for among 100,000 rooms: by an index, whatever is asked, and however many rooms at once.

mod support;

use std::sync::Arc;

use chat_core::{Amend, Epoch, Log, Offset, Seq, Slot};
use chat_testkit::lives::{code, fill, open_life};
use log_postgres::{Options, PgLog, Retention};
use support::Cluster;

/// Rooms beside those that are used: their codes, lives and two records each.
const OTHERS: &str = "
insert into tails (code, slot, life, epoch, term, first, last, head, messages, bytes, through)
    select 'OTHER-' || n, n % 1024, md5(n::text)::uuid, n, 1, 1, 2, 1, 1, 200, 0 from generate_series(1, 100000) n;
insert into records (life, last, seq, kind, version, at, body)
    select life, n, n - 1, n - 1, 1, 0, repeat('x', 100)::bytea from tails, generate_series(1, 2) n where code <> 'ROOM';
insert into snapshots (life, through, body) select life, 1, 'all'::bytea from tails;
insert into read_positions (life, body) select life, 'far'::bytea from tails;
";
/// Rooms that are written to at once.
const AT_ONCE: u64 = 200;

#[tokio::test(flavor = "multi_thread")]
async fn among_a_hundred_thousand_rooms_everything_is_found_by_an_index() {
    // Every plan of a statement that has ended is in the server's log.
    let settings = ["session_preload_libraries=auto_explain", "auto_explain.log_min_duration=0"];
    let Some(cluster) = Cluster::start_with(|_| settings.map(str::to_owned).to_vec()) else { return };
    let retention = Retention { messages_max: Some(10), ..Retention::default() };
    let options = Options { retention, ..support::options() };
    let log = Arc::new(cluster.open(&options).await);
    cluster
        .connect_to(&options)
        .await
        .batch_execute(&format!("{OTHERS} analyze"))
        .await
        .expect("they can be put there");
    let before = cluster.said().len();

    let room = code("ROOM");
    let (_, tail) = fill(&*log, &room, 40).await;
    write_at_once(&log).await;
    log.read(&room, None, Offset(30), 100).await.expect("readable");
    log.messages(&room, Epoch(1), Seq(30), 10).await.expect("readable");
    log.messages_after(&room, Epoch(1), Seq(30), 10).await.expect("readable");
    log.rooms(None, Some(&room), 10).await.expect("readable");
    log.rooms(Some(Slot::of(&room)), None, 10).await.expect("readable");
    log.amend(&room, Epoch(1), &[Amend::take_back(Seq(30), Seq(u64::MAX))]).await.expect("it can be taken back");
    log.save_snapshot(&room, Epoch(1), tail.offset, b"all").await.expect("it can be saved");
    log.load_snapshot(&room, Epoch(1)).await.expect("readable");
    log.save_read_positions(&room, Epoch(1), b"far").await.expect("they can be saved");
    log.load_read_positions(&room, Epoch(1)).await.expect("readable");
    log.delete(&room, Epoch(1)).await.expect("it can be deleted");
    Arc::into_inner(log).expect("nobody else has it").close().await.expect("it closes");

    let said = cluster.said().split_off(before);
    let plans: Vec<&str> = said.split("Query Text:").skip(1).collect();
    for words in ["update tails", "insert into tails", "order by seq desc", "delete from records", "into snapshots"] {
        assert!(plans.iter().any(|plan| plan.contains(words)), "no plan of {words}: {}", plans.len());
    }
    for table in ["tails", "records", "snapshots", "read_positions"] {
        let whole = plans.iter().find(|plan| plan.contains(&format!("Seq Scan on {table}")));
        assert!(whole.is_none(), "all of {table} is read: {}", whole.unwrap_or(&""));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn before_there_are_statistics_a_room_is_held_against_its_own_slot_alone() {
    let settings = ["session_preload_libraries=auto_explain", "auto_explain.log_min_duration=0", "autovacuum=off"];
    let Some(cluster) = Cluster::start_with(|_| settings.map(str::to_owned).to_vec()) else { return };
    let log = Arc::new(cluster.open(&support::options()).await);
    write_at_once(&log).await;
    Arc::into_inner(log).expect("nobody else has it").close().await.expect("it closes");

    let said = cluster.said();
    for words in ["update tails", "insert into tails"] {
        let mut plans = said.split("Query Text:").skip(1).filter(|plan| plan.contains(words)).peekable();
        assert!(plans.peek().is_some(), "no plan of {words}");
        // All slots are of one server and of one term: what joins rooms with slots by these has a thousand rows for each room.
        let of_all = plans.find(|plan| !plan.contains("slots_pkey") || plan.contains("slots_node"));
        assert!(of_all.is_none(), "all slots are looked at: {}", of_all.unwrap_or(""));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_room_appends_is_planned_once_and_stays_quick_among_many_rooms() {
    let settings = ["session_preload_libraries=auto_explain", "auto_explain.log_min_duration=0", "autovacuum=off"];
    let Some(cluster) = Cluster::start_with(|_| settings.map(str::to_owned).to_vec()) else { return };
    let options = support::options();
    let log = Arc::new(cluster.open(&options).await);
    let (mut scribe, mut tail) = open_life(&*log, &code("ROOM"), 1).await;
    // PostgreSQL plans a statement five times, and then once for all: here while it knows of one room, which is quickest read as a whole.
    let client = cluster.connect_to(&options).await;
    client.batch_execute("analyze").await.expect("it can be looked at");
    for _ in 0..10 {
        tail = log.append(&code("ROOM"), &tail, &scribe.talk(1)).await.expect("the tail is the end");
    }
    client.batch_execute(OTHERS).await.expect("they can be put there");
    let before = cluster.said().len();
    log.append(&code("ROOM"), &tail, &scribe.talk(1)).await.expect("the tail is the end");
    Arc::into_inner(log).expect("nobody else has it").close().await.expect("it closes");

    let said = cluster.said().split_off(before);
    let plan = said.split("Query Text:").find(|plan| plan.contains("update tails")).expect("a plan of an append");
    assert!(plan.contains("(code = $8)"), "it was planned anew: {plan}");
    assert!(plan.contains("Index Scan using tails") && !plan.contains("Seq Scan"), "all rooms are read: {plan}");
}

/// Opens many rooms at the same time, and appends to them.
async fn write_at_once(log: &Arc<PgLog>) {
    let appends = (0..AT_ONCE).map(|number| {
        let log = Arc::clone(log);
        tokio::spawn(async move {
            let room = code(&format!("ROOM-{number}"));
            let (mut scribe, tail) = open_life(&*log, &room, 1).await;
            log.append(&room, &tail, &scribe.talk(2)).await.expect("the tail is the end");
        })
    });
    for append in appends.collect::<Vec<_>>() {
        append.await.expect("it is written");
    }
}
