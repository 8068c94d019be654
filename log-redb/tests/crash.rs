//! A process that is killed at any moment: whatever it had acked is there, once and in order, and nothing half-written is.

mod support;

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use chat_core::{Amend, Ended, EndedWho, Epoch, Event, Log, Offset, Seq, SessionId, Wall};
use log_redb::{Durability, Options, RedbLog};
use support::{code, open_life, read_all};
use tempfile::TempDir;

const ROUNDS: u64 = 20;
const ROOMS: u64 = 4;
/// Where the child finds its folder; without it this is no child.
const FOLDER: &str = "LOG_REDB_CRASH_FOLDER";

/// The child: appends to a few rooms, one to three messages at a time, and says what was acked. Now and then it scrubs,
/// stores snapshots, and deletes and begins a room again.
#[test]
fn child() {
    let Some(dir) = std::env::var_os(FOLDER) else { return };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let log = Arc::new(RedbLog::open(dir, Options::default()).expect("what a crash left opens"));
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

async fn own(log: Arc<RedbLog>, number: u64) {
    let room = code(&format!("ROOM-{number}"));
    let mut life = log.read(&room, None, Offset(0), 0).await.expect("readable").tail.epoch.map_or(0, |epoch| epoch.0);
    loop {
        life += 1;
        if life > 1 {
            log.delete(&room, Epoch(life - 1)).await.expect("it can be deleted");
        }
        let (mut scribe, mut tail) = open_life(&*log, &room, life).await;
        say(format!("\nack {number} {life} {}\n", tail.offset.0));
        for turn in 0..200_usize {
            let batch = scribe.talk(1 + turn % 3);
            tail = log.append(&room, &tail, &batch).await.expect("the disk works");
            say(format!("\nack {number} {life} {}\n", tail.offset.0));
            if turn % 16 == 9 {
                log.amend(&room, Epoch(life), &[Amend::take_back(Seq(4), Seq(u64::MAX))])
                    .await
                    .expect("it can be scrubbed");
                say(format!("\nscrubbed {number} {life} 4\n"));
            }
            if turn % 50 == 30 {
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
fn run_and_kill(dir: &TempDir, round: u64) -> [Said; ROOMS as usize] {
    let mut child = Command::new(std::env::current_exe().expect("this program"))
        .args(["child", "--exact", "--nocapture", "--test-threads=1"])
        .env(FOLDER, dir.path())
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
    std::thread::sleep(Duration::from_millis(30 + (round * 2_654_435_761) % 260));
    child.kill().expect("it is still running");
    child.wait().expect("it is dead");
    listener.join().expect("no panic")
}

async fn check(dir: &TempDir, said: &[Said]) -> u64 {
    let log = RedbLog::open(dir.path(), Options::default()).expect("what a crash left opens");
    let mut acked = 0;
    for (number, said) in said.iter().enumerate().filter(|(_, said)| said.life > 0) {
        let room = code(&format!("ROOM-{number}"));
        let stretch = log.read(&room, None, Offset(0), usize::MAX).await.expect("what a crash left is whole");
        let Some(Epoch(life)) = stretch.tail.epoch else {
            // The delete of the life was under way, and nobody had been told of the next one.
            assert!(said.offset > 200, "life {} of room {number} is gone, acked up to {}", said.life, said.offset);
            continue;
        };
        assert!(life == said.life || life == said.life + 1, "life {life} of room {number}, told {}", said.life);
        if life == said.life {
            assert!(stretch.tail.offset.0 >= said.offset, "acked up to {}, kept to {:?}", said.offset, stretch.tail);
            assert!(stretch.tail.offset.0 <= said.offset + 3, "no more than one batch was under way");
        }
        acked += said.offset;
        assert!(stretch.records.iter().map(|record| record.offset.0).eq(1..=stretch.tail.offset.0), "once, in order");
        for record in &stretch.records {
            let Event::Sent { text, .. } = &record.event else { continue };
            let seq = record.seq.expect("a message is told");
            match text.as_str() {
                "" => assert_eq!(seq, Seq(4), "nobody scrubbed {seq}"),
                text => assert_eq!(text, format!("message {seq}")),
            }
            assert!(!(said.scrubbed && life == said.life && seq == Seq(4) && !text.as_str().is_empty()), "scrubbed");
        }
    }
    acked
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_was_acked_is_there_after_a_kill_once_and_in_order() {
    let dir = TempDir::new().expect("a folder");
    let mut acked = 0;
    for round in 0..ROUNDS {
        let said = run_and_kill(&dir, round);
        acked += check(&dir, &said).await;
    }
    assert!(acked > 100, "{acked} records in {ROUNDS} rounds: this test shows nothing");
}

/// `Relaxed` may lose what was acked last, and nothing before a record that it keeps.
#[tokio::test(flavor = "multi_thread")]
async fn relaxed_keeps_all_but_the_end() {
    let dir = TempDir::new().expect("a folder");
    let copy = TempDir::new().expect("a folder");
    let options = Options { durability: Durability::Relaxed, ..Options::default() };
    let log = RedbLog::open(dir.path(), options).expect("it opens");
    let room = code("ROOM");
    let (mut scribe, mut tail) = open_life(&log, &room, 1).await;
    for _ in 0..100 {
        tail = log.append(&room, &tail, &scribe.talk(1)).await.expect("the disk works");
    }
    let early = tail.offset;
    tokio::time::sleep(2 * Durability::RELAXED_WINDOW + Duration::from_millis(300)).await;
    for _ in 0..100 {
        tail = log.append(&room, &tail, &scribe.talk(1)).await.expect("the disk works");
    }
    std::fs::copy(dir.path().join(log_redb::FILE_NAME), copy.path().join(log_redb::FILE_NAME)).expect("readable");
    let whole = read_all(&log, &room).await;
    let left = RedbLog::open(copy.path(), options).expect("what a crash leaves opens");
    let kept = read_all(&left, &room).await;
    assert!(whole.starts_with(&kept));
    assert!(kept.len() as u64 >= early.0, "the window was over for {} of {} records", early.0, kept.len());
}

/// An end that was answered is not taken back by a crash, or a token that was stolen would be good again.
#[tokio::test(flavor = "multi_thread")]
async fn relaxed_keeps_every_end_of_a_session() {
    let dir = TempDir::new().expect("a folder");
    let copy = TempDir::new().expect("a folder");
    let options = Options { durability: Durability::Relaxed, ..Options::default() };
    let log = RedbLog::open(dir.path(), options).expect("it opens");
    let session = SessionId::new(7);
    let ended = Ended { who: EndedWho::Session(session), through: session, until: Wall(1) };
    log.put_ended(&ended, &[]).await.expect("the disk works");
    std::fs::copy(dir.path().join(log_redb::FILE_NAME), copy.path().join(log_redb::FILE_NAME)).expect("readable");
    let left = RedbLog::open(copy.path(), options).expect("what a crash leaves opens");
    assert_eq!(left.ended().await, Ok(vec![ended]));
}
