//! A process that is killed at any moment: whatever it had acked is there, once and in order, and nothing of it comes later.

mod support;

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use chat_core::{Amend, Epoch, Event, Log, Offset, Seq};
use log_postgres::{Options, PgLog};
use support::{Cluster, code, open_life};

const ROUNDS: u64 = 12;
const ROOMS: u64 = 4;
/// Where the child finds its database and schema; without them this is no child.
const ADDRESS: &str = "LOG_POSTGRES_CRASH_ADDRESS";
const SCHEMA: &str = "LOG_POSTGRES_CRASH_SCHEMA";

/// The child: appends to a few rooms, one to three messages at a time, and says what was acked. Now and then it scrubs,
/// stores snapshots, and deletes and begins a room again.
#[test]
fn child() {
    let (Ok(address), Ok(schema)) = (std::env::var(ADDRESS), std::env::var(SCHEMA)) else { return };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let options = Options { schema, ..Options::default() };
        let log = Arc::new(PgLog::open(&address, options).await.expect("what a crash left opens"));
        let owners: Vec<_> = (0..ROOMS).map(|number| tokio::spawn(own(Arc::clone(&log), number))).collect();
        for owner in owners {
            owner.await.expect("no owner ends");
        }
    });
}

/// Says what was acked, in one write, so that a kill leaves no half a line.
fn say(line: String) {
    let mut out = std::io::stdout().lock();
    out.write_all(line.as_bytes()).and_then(|()| out.flush()).expect("the parent listens");
}

async fn own(log: Arc<PgLog>, number: u64) {
    let room = code(&format!("ROOM-{number}"));
    let mut life = log.read(&room, None, Offset(0), 0).await.expect("readable").tail.epoch.map_or(0, |epoch| epoch.0);
    loop {
        life += 1;
        if life > 1 {
            log.delete(&room, Epoch(life - 1)).await.expect("it can be deleted");
        }
        let (mut scribe, mut tail) = open_life(&*log, &room, life).await;
        say(format!("\nack {number} {life} {}\n", tail.offset.0));
        for turn in 0..60_usize {
            let batch = scribe.talk(1 + turn % 3);
            tail = log.append(&room, &tail, &batch).await.expect("the database works");
            say(format!("\nack {number} {life} {}\n", tail.offset.0));
            if turn % 16 == 9 {
                let taken_back = Amend::take_back(Seq(4), Seq(u64::MAX));
                log.amend(&room, Epoch(life), &[taken_back]).await.expect("it can be scrubbed");
                say(format!("\nscrubbed {number} {life} 4\n"));
            }
            if turn % 25 == 20 {
                log.save_snapshot(&room, Epoch(life), tail.offset, b"snapshot").await.expect("it can be saved");
            }
        }
    }
}

/// What the child said of a room last.
#[derive(Clone, Copy, Default)]
struct Said {
    life: u64,
    offset: u64,
    scrubbed: bool,
}

/// Lets a child run for a while and kills it.
fn run_and_kill(cluster: &Cluster, options: &Options, round: u64) -> [Said; ROOMS as usize] {
    let mut child = Command::new(std::env::current_exe().expect("this program"))
        .args(["child", "--exact", "--nocapture", "--test-threads=1"])
        .env(ADDRESS, &cluster.address)
        .env(SCHEMA, &options.schema)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("this program can be started");
    let out = child.stdout.take().expect("piped");
    let listener = std::thread::spawn(move || {
        let mut said = [Said::default(); ROOMS as usize];
        for line in BufReader::new(out).lines().map_while(Result::ok) {
            let words: Vec<&str> = line.split(' ').collect();
            let [what @ ("ack" | "scrubbed"), room, life, number] = words[..] else { continue };
            let [room, life, number] = [room, life, number].map(|word| word.parse::<u64>().expect("a number"));
            let said = &mut said[room as usize];
            if said.life != life {
                *said = Said { life, ..Said::default() };
            }
            match what {
                "ack" => said.offset = number,
                _ => said.scrubbed = true,
            }
        }
        said
    });
    // Spread over the opening, the first commits and the middle of everything.
    std::thread::sleep(Duration::from_millis(200 + (round * 2_654_435_761) % 900));
    child.kill().expect("it is still running");
    child.wait().expect("it is dead");
    listener.join().expect("no panic")
}

async fn check(cluster: &Cluster, options: &Options, said: &[Said]) -> u64 {
    let log = cluster.open(options).await;
    let mut acked = 0;
    for (number, said) in said.iter().enumerate().filter(|(_, said)| said.life > 0) {
        let room = code(&format!("ROOM-{number}"));
        let page = log.read(&room, None, Offset(0), usize::MAX).await.expect("what a crash left is whole");
        let Some(Epoch(life)) = page.tail.epoch else {
            // The delete of the life was under way, and nobody had been told of the next one.
            assert!(said.offset > 60, "life {} of room {number} is gone, acked up to {}", said.life, said.offset);
            continue;
        };
        assert!(life == said.life || life == said.life + 1, "life {life} of room {number}, told {}", said.life);
        if life == said.life {
            assert!(page.tail.offset.0 >= said.offset, "acked up to {}, kept to {:?}", said.offset, page.tail);
            assert!(page.tail.offset.0 <= said.offset + 3, "no more than one batch was under way");
        }
        acked += said.offset;
        assert!(page.records.iter().map(|record| record.offset.0).eq(1..=page.tail.offset.0), "once, in order");
        for record in &page.records {
            let Event::Sent { text, .. } = &record.event else { continue };
            let seq = record.seq.expect("a message is told");
            match text.as_str() {
                "" => assert_eq!(seq, Seq(4), "nobody scrubbed {seq}"),
                text => assert_eq!(text, format!("message {seq}")),
            }
            assert!(!(said.scrubbed && life == said.life && seq == Seq(4) && !text.as_str().is_empty()), "scrubbed");
        }
        // Nothing of the killed process comes now that another has the log.
        assert_eq!(log.read(&room, None, Offset(0), usize::MAX).await, Ok(page));
    }
    acked
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_was_acked_is_there_after_a_kill_once_and_in_order() {
    let Some(cluster) = Cluster::shared() else { return };
    let options = support::options();
    let mut acked = 0;
    for round in 0..ROUNDS {
        let said = run_and_kill(cluster, &options, round);
        acked += check(cluster, &options, &said).await;
    }
    assert!(acked > 100, "{acked} records in {ROUNDS} rounds: this test shows nothing");
}
