//! Schedules of two servers and what is between them, on a real PostgreSQL: what a server that was deposed has begun is there or not for
//! good, and nothing of it comes after.

mod support;
#[cfg(unix)]
#[path = "support/wire.rs"]
mod wire;

use std::sync::Arc;
use std::time::Duration;

use chat_core::{AppendError, Epoch, Log, Offset, ReadError, Record, Tail};
use chat_testkit::lives::{code, open_life, read_all, settled, tail_of};
use chat_testkit::records::Scribe;
use log_postgres::PgLog;
use support::{Cluster, blocked, wait_for};

/// The row of a room, locked as upkeep would.
const LOCK: &str = "begin; select 1 from tails where code = 'ROOM' for update";

/// An append that is on its way, in a task.
fn append(log: &Arc<PgLog>, after: &Tail, batch: Vec<Record>) -> tokio::task::JoinHandle<Result<Tail, AppendError>> {
    let (log, after) = (Arc::clone(log), after.clone());
    tokio::spawn(async move { log.append(&code("ROOM"), &after, &batch).await })
}

/// Holds every append up, once its rows are locked, until something is in `gate`.
const GATE: &str = "
create table gate ();
create function hold() returns trigger language plpgsql as $$ begin
    loop exit when exists (select 1 from gate); perform pg_sleep(0.005); end loop; return new;
end $$;
create trigger hold before insert on records for each row execute function hold();
";
const OPEN_GATE: &str = "insert into gate default values";

/// M1: an append is under way while another server opens the log, and comes to its end then.
#[tokio::test(flavor = "multi_thread")]
async fn who_takes_the_log_waits_for_an_append_that_has_begun_and_sees_it() {
    let Some(cluster) = Cluster::shared() else { return };
    let options = support::options();
    let old = Arc::new(cluster.open(&options).await);
    let (mut scribe, tail) = open_life(&*old, &code("ROOM"), 1).await;
    let client = cluster.connect_to(&options).await;
    client.batch_execute(GATE).await.expect("appends are held up");
    let appended = append(&old, &tail, scribe.talk(1));
    wait_for(&client, &options, "wait_event = 'PgSleep'", 1).await;
    let taking = async {
        let new = cluster.open(&options).await;
        new.read(&code("ROOM"), None, Offset(0), 0).await.expect("readable").tail
    };
    let release = async {
        blocked(&client, &options, 1).await;
        client.batch_execute(OPEN_GATE).await.expect("it is let go");
    };
    let (seen, ()) = tokio::join!(taking, release);
    let end = appended.await.expect("no panic").expect("it had begun before");
    assert_eq!((seen.epoch, seen.offset), (end.epoch, end.offset));
    assert_eq!(old.append(&code("ROOM"), &end, &scribe.talk(1)).await, Err(AppendError::Deposed));
}

/// M1, where the append does not come to its end: it is ended, and nothing of it comes to pass.
#[tokio::test(flavor = "multi_thread")]
async fn an_append_that_is_held_up_for_long_is_ended_by_who_takes_the_log() {
    let Some(cluster) = Cluster::shared() else { return };
    let options = support::options();
    let old = Arc::new(cluster.open(&options).await);
    let (mut scribe, tail) = open_life(&*old, &code("ROOM"), 1).await;
    let client = cluster.connect_to(&options).await;
    client.batch_execute(GATE).await.expect("appends are held up");
    let appended = append(&old, &tail, scribe.talk(1));
    wait_for(&client, &options, "wait_event = 'PgSleep'", 1).await;
    let new = cluster.open(&options).await;
    let before = new.read(&code("ROOM"), None, Offset(0), 10).await.expect("readable");
    client.batch_execute(OPEN_GATE).await.expect("it is let go");
    let answer = appended.await.expect("no panic");
    assert!(answer.is_err(), "{answer:?}");
    assert_eq!((before.records.len(), before.tail.offset), (2, tail.offset));
    assert_eq!(new.read(&code("ROOM"), None, Offset(0), 10).await.as_ref(), Ok(&before));
    new.append(&code("ROOM"), &before.tail, &late(&tail)).await.expect("the end is where it was");
}

/// One message behind the opening.
fn late(tail: &Tail) -> Vec<Record> {
    let mut scribe = Scribe::new(Epoch(1));
    scribe.opening();
    scribe.talk((tail.offset.0 - scribe.offset().0) as usize);
    scribe.talk(1)
}

/// M2: the claim waits for a rival, which goes back after another server has found the code free.
#[tokio::test(flavor = "multi_thread")]
async fn a_claim_that_a_rival_held_up_does_not_come_after_the_code_was_found_free() {
    let Some(cluster) = Cluster::shared() else { return };
    let options = support::options();
    let old = Arc::new(cluster.open(&options).await);
    let client = cluster.connect_to(&options).await;
    let rival = "begin; insert into tails (code, slot, life, epoch, term, first, last, head, messages, bytes, through) \
                 values ('ROOM', 1, gen_random_uuid(), 9, 1, 1, 1, 0, 0, 0, 0)";
    client.batch_execute(rival).await.expect("it is claimed");
    let claimed = append(&old, &Tail::default(), Scribe::new(Epoch(1)).opening());
    blocked(&client, &options, 1).await;
    let new = cluster.open(&options).await;
    let empty = new.read(&code("ROOM"), None, Offset(0), 10).await.expect("readable");
    assert_eq!(empty.tail, Tail::default());
    client.batch_execute("rollback").await.expect("it is given up");
    let answer = claimed.await.expect("no panic");
    assert!(answer.is_err(), "{answer:?}");
    assert_eq!(new.read(&code("ROOM"), None, Offset(0), 10).await, Ok(empty));
    open_life(&new, &code("ROOM"), 2).await;
}

/// M3: the wait for a standby is cut short, and PostgreSQL calls that success, with a warning.
#[tokio::test(flavor = "multi_thread")]
async fn what_no_standby_has_confirmed_is_not_acked_and_not_read_until_it_is_settled() {
    let Some(cluster) = Cluster::start() else { return };
    let options = support::options();
    let log = Arc::new(cluster.open(&options).await);
    let (mut scribe, mut tail) = open_life(&*log, &code("ROOM"), 1).await;
    let client = cluster.connect_to(&options).await;
    client.batch_execute("alter system set synchronous_standby_names = 'nobody'").await.expect("it can be set");
    client.batch_execute("select pg_reload_conf()").await.expect("it is read again");
    let waits = "select pid from pg_stat_activity where wait_event = 'SyncRep' and query like '%update tails%'";
    let (record, appended, pid) = loop {
        let record = scribe.sent("perhaps");
        let appended = append(&log, &tail, vec![record.clone()]);
        let waiting = loop {
            if let Some(row) = client.query_opt(waits, &[]).await.expect("it answers") {
                break Some(row.get::<_, i32>(0));
            }
            if appended.is_finished() {
                break None;
            }
        };
        match waiting {
            Some(pid) => break (record, appended, pid),
            // The setting was not read yet.
            None => tail = appended.await.expect("no panic").expect("acked as one machine does"),
        }
    };
    client.query_one("select pg_cancel_backend($1)", &[&pid]).await.expect("it can be cancelled");
    for _ in 0..2_000 {
        match log.read(&code("ROOM"), None, Offset(0), 100).await {
            Err(ReadError::Unavailable(_)) => break,
            // The answer of the cancelled statement is on its way.
            read => assert!(read.is_ok(), "{read:?}"),
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let meanwhile = log.read(&code("ROOM"), None, Offset(0), 100).await;
    assert!(matches!(meanwhile, Err(ReadError::Unavailable(_))), "nobody knows, and nobody reads: {meanwhile:?}");
    assert!(!appended.is_finished(), "and nobody is told that it is there, or not");
    // Nor does anybody who cuts short what is to settle it.
    let cancel = "select pg_cancel_backend(pid) from pg_stat_activity where wait_event = 'SyncRep'";
    let mut cancelled = 0;
    while cancelled < 8 {
        cancelled += client.query(cancel, &[]).await.expect("it can be cancelled").len();
        let meanwhile = log.read(&code("ROOM"), None, Offset(0), 100).await;
        assert!(matches!(meanwhile, Err(ReadError::Unavailable(_))), "after {cancelled}: {meanwhile:?}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    client.batch_execute("alter system reset synchronous_standby_names").await.expect("it can be set");
    client.batch_execute("select pg_reload_conf()").await.expect("it is read again");
    let answer = appended.await.expect("no panic");
    assert!(matches!(answer, Err(AppendError::Unknown(_))), "{answer:?}");
    assert_eq!(settled(&*log, &code("ROOM")).await.last(), Some(&record), "a read tells");
}

/// M4: a client is gone in the middle of a write, and its backend waits for the rest with the locks of that write.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_backend_whose_client_is_gone_does_not_keep_the_log() {
    let Some(cluster) = Cluster::shared() else { return };
    let options = support::options();
    let old = Arc::new(cluster.open(&options).await);
    let (mut scribe, tail) = open_life(&*old, &code("ROOM"), 1).await;
    let client = cluster.connect_to(&options).await;
    let mut wire = wire::Wire::connect(cluster.folder(), &format!("chat {}", options.name));
    wire.run(&format!("set search_path = {}", options.schema));
    let writer = "00000000-0000-0000-0000-000000000001";
    wire.run(&format!(
        "insert into writers (id, node, pid, started) select '{writer}', (select id from nodes), pid, backend_start \
         from pg_stat_activity where pid = pg_backend_pid()"
    ));
    wire.begin(&format!(
        "with me as (select node from writers where id = '{writer}' for key share) \
         update tails set last = last + 1 from me where code = 'ROOM'"
    ));
    wait_for(&client, &options, "state = 'active' and wait_event = 'ClientRead'", 1).await;
    let new = cluster.open(&options).await;
    assert!(wire.is_ended());
    let end = tail_of(&new, &code("ROOM")).await;
    assert_eq!(end.offset, tail.offset);
    new.append(&code("ROOM"), &end, &scribe.talk(1)).await.expect("nobody has written");
}

/// M5: somebody locks rows in an order of their own, and the statement of many rooms is what PostgreSQL ends for it.
#[tokio::test(flavor = "multi_thread")]
async fn rooms_whose_statement_met_a_deadlock_are_tried_one_by_one() {
    const ROOMS: u64 = 20;
    let Some(cluster) = Cluster::shared() else { return };
    let options = support::options();
    let log = Arc::new(cluster.open(&options).await);
    let (mut first, first_tail) = open_life(&*log, &code("ROOM"), 1).await;
    let mut rooms = Vec::new();
    for number in 0..ROOMS {
        let room = code(&format!("ROOM-{number}"));
        let (scribe, tail) = open_life(&*log, &room, 1).await;
        rooms.push((room, scribe, tail));
    }
    let (one, other) = (cluster.connect_to(&options).await, cluster.connect_to(&options).await);
    // All of them wait behind one that waits, and so become one statement.
    one.batch_execute(LOCK).await.expect("it is locked");
    other.batch_execute("set deadlock_timeout = '60s'").await.expect("it can be set");
    let last = format!("begin; select 1 from tails where code = 'ROOM-{}' for update", ROOMS - 1);
    other.batch_execute(&last).await.expect("it is locked");
    let held_up = append(&log, &first_tail, first.talk(1));
    blocked(&one, &options, 1).await;
    let appends: Vec<_> = rooms
        .into_iter()
        .map(|(room, mut scribe, tail)| {
            let log = Arc::clone(&log);
            tokio::spawn(async move { log.append(&room, &tail, &scribe.talk(1)).await })
        })
        .collect();
    tokio::task::yield_now().await;
    one.batch_execute("commit").await.expect("it is let go");
    held_up.await.expect("no panic").expect("it was held up, and no more");
    blocked(&one, &options, 1).await;
    let others = "select 1 from tails where code like 'ROOM-%' order by code for update";
    other.batch_execute(others).await.expect("the other statement is ended");
    other.batch_execute("commit").await.expect("it is let go");
    for append in appends {
        append.await.expect("no panic").expect("nothing was written, so it is tried again");
    }
}

/// M6: the deletion of the incarnation before is not committed yet.
#[tokio::test(flavor = "multi_thread")]
async fn a_claim_waits_for_the_deletion_before_it() {
    let Some(cluster) = Cluster::shared() else { return };
    let options = support::options();
    let log = Arc::new(cluster.open(&options).await);
    let client = cluster.connect_to(&options).await;
    open_life(&*log, &code("ROOM"), 1).await;
    for (end, wins) in [("rollback", false), ("commit", true)] {
        client.batch_execute("begin; delete from tails where code = 'ROOM'").await.expect("it is deleted");
        let claimed = append(&log, &Tail::default(), Scribe::new(Epoch(2)).opening());
        blocked(&client, &options, 1).await;
        client.batch_execute(end).await.expect("it is over");
        match claimed.await.expect("no panic") {
            Ok(tail) => assert_eq!((tail.epoch, wins), (Some(Epoch(2)), true)),
            Err(error) => assert_eq!((error, wins), (AppendError::Conflict, false)),
        }
    }
}

/// M7: nothing that a server does after it was deposed has any effect, and it hears of it also where it does nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_deposed_server_writes_nothing_and_is_told_so() {
    let Some(cluster) = Cluster::shared() else { return };
    let options = support::options();
    let old = Arc::new(cluster.open(&options).await);
    let (mut scribe, tail) = open_life(&*old, &code("ROOM"), 1).await;
    let tail = old.append(&code("ROOM"), &tail, &scribe.talk(3)).await.expect("the tail is the end");
    let told = tokio::spawn({
        let old = Arc::clone(&old);
        async move { old.deposed().await }
    });
    let new = cluster.open(&options).await;
    let whole = read_all(&new, &code("ROOM")).await;
    let secrets = (old.secret().await.expect("readable"), new.secret().await.expect("readable"));
    assert!(secrets.0 == secrets.1 && secrets.0 != [0; 32], "tokens of the one are good at the other");
    assert!(told.await.expect("no panic").contains("another server"));
    assert_eq!(old.append(&code("ROOM"), &tail, &scribe.clone().talk(1)).await, Err(AppendError::Deposed));
    let claim = old.append(&code("OTHER"), &Tail::default(), &Scribe::new(Epoch(1)).opening()).await;
    assert_eq!(claim, Err(AppendError::Deposed));
    assert_eq!(old.save_snapshot(&code("ROOM"), Epoch(1), tail.offset, b"old").await, Err(AppendError::Deposed));
    assert_eq!(old.save_read_positions(&code("ROOM"), Epoch(1), b"old").await, Err(AppendError::Deposed));
    assert_eq!(old.delete(&code("ROOM"), Epoch(1)).await, Err(AppendError::Deposed));
    assert_eq!(read_all(&*old, &code("ROOM")).await, whole, "what it reads is true");
    assert_eq!(new.load_snapshot(&code("ROOM"), Epoch(1)).await, Ok(None));
    assert_eq!(new.rooms(None, None, 10).await, Ok(vec![code("ROOM")]));
    let end = tail_of(&new, &code("ROOM")).await;
    assert_eq!(end.offset, tail.offset);
    new.append(&code("ROOM"), &end, &scribe.talk(1)).await.expect("the end is where it was");
    assert!(old.close().await.is_ok(), "its row is not there any more, which is no error");
    new.append(&code("OTHER"), &Tail::default(), &Scribe::new(Epoch(1)).opening()).await.expect("it is the owner");
}

/// What was decided before somebody else had the log is not written after it, though nobody has written a record in between: whoever has it
/// now, or has it again, reads first.
#[tokio::test(flavor = "multi_thread")]
async fn a_tail_of_before_the_log_was_taken_is_refused_though_nothing_was_written_since() {
    let Some(cluster) = Cluster::shared() else { return };
    let options = support::options();
    let first = cluster.open(&options).await;
    let (mut scribe, tail) = open_life(&first, &code("ROOM"), 1).await;
    let before = read_all(&first, &code("ROOM")).await;
    drop(cluster.open(&options).await);
    let again = cluster.open(&options).await;
    let batch = scribe.talk(1);
    assert_eq!(again.append(&code("ROOM"), &tail, &batch).await, Err(AppendError::Conflict));
    assert_eq!(read_all(&again, &code("ROOM")).await, before);
    let end = tail_of(&again, &code("ROOM")).await;
    assert!(end.offset == tail.offset && end.token > tail.token, "{end:?} after {tail:?}");
    let end = again.append(&code("ROOM"), &end, &batch).await.expect("what was read is the end");
    assert_eq!(tail_of(&again, &code("ROOM")).await, end);
}

/// The same before the server has heard of it: what it writes finds out.
#[tokio::test(flavor = "multi_thread")]
async fn the_first_write_after_it_was_deposed_tells_a_server_so() {
    let Some(cluster) = Cluster::shared() else { return };
    let options = support::options();
    let old = cluster.open(&options).await;
    let (mut scribe, tail) = open_life(&old, &code("ROOM"), 1).await;
    let client = cluster.connect_to(&options).await;
    client.batch_execute("delete from nodes").await.expect("it is deposed");
    assert_eq!(old.append(&code("ROOM"), &tail, &scribe.talk(1)).await, Err(AppendError::Deposed));
    assert_eq!(read_all(&old, &code("ROOM")).await.len(), 2);
    assert!(old.deposed().await.contains("another server"));
}

/// Servers that take the log from each other again and again write one history: what was acked is there, once and in order.
#[tokio::test(flavor = "multi_thread")]
async fn servers_that_take_the_log_from_each_other_write_one_history() {
    let Some(cluster) = Cluster::shared() else { return };
    let options = support::options();
    open_life(&cluster.open(&options).await, &code("ROOM"), 1).await;
    let servers: Vec<_> = (0..3)
        .map(|server| {
            let options = options.clone();
            tokio::spawn(async move {
                let (mut acked, mut turn) = (Vec::new(), 0);
                while acked.len() < 15 {
                    turn += 1;
                    let Ok(log) = PgLog::open(&cluster.address, options.clone()).await else { continue };
                    let mut tail = log.read(&code("ROOM"), None, Offset(0), 0).await.expect("readable").tail;
                    for number in 0..5 {
                        let mut record = late(&tail).remove(0);
                        if let chat_core::Event::Sent { text, .. } = &mut record.event {
                            let words = format!("{number} of turn {turn} of server {server}");
                            *text = chat_core::Body::parse(&words, 100).expect("a valid text");
                        }
                        match log.append(&code("ROOM"), &tail, std::slice::from_ref(&record)).await {
                            Ok(end) => {
                                acked.push(record);
                                tail = end;
                            }
                            Err(_) => break,
                        }
                    }
                }
                (acked, turn)
            })
        })
        .collect();
    let (mut acked, mut turns) = (Vec::new(), 0);
    for server in servers {
        let (of_server, of_turns) = server.await.expect("no panic");
        acked.extend(of_server);
        turns += of_turns;
    }
    let log = cluster.open(&options).await;
    let whole = read_all(&log, &code("ROOM")).await;
    for record in &acked {
        assert_eq!(whole.iter().filter(|kept| *kept == record).count(), 1, "{record:?}");
    }
    // What was not acked may be there too: whoever was deposed in the middle of it does not know.
    assert!(whole.len() - 2 <= acked.len() + turns, "{} records, {} acked in {turns} turns", whole.len(), acked.len());
}
