//! How many messages a second are acked by rooms at once, in memory and on disk, and how soon a large file takes the first join.
//!
//! `cargo run --release -p log-redb --example throughput [FOLDER] [--opening]`; without a folder, a temporary one; with `--opening` only the
//! second half.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chat_core::{
    Amend, Body, Command, ConnectRequest, Connection, Engine, EngineBuilder, Epoch, Hello, Limits, Log, Nick, RoomCode,
    Seq, Tail,
};
use chat_testkit::records::Scribe;
use log_redb::{Durability, FILE_NAME, Options, RedbLog};

/// How long each figure is measured.
const TIME: Duration = Duration::from_secs(3);
/// How often the table is measured; compare within one round, and rounds with each other.
const ROUNDS: usize = 3;
const TEXT: usize = 100;

fn code(number: usize) -> RoomCode {
    RoomCode::parse(&format!("ROOM-{number:05}")).expect("a valid code")
}

fn text() -> Body {
    Body::parse(&"m".repeat(TEXT), TEXT).expect("valid")
}

fn engine() -> EngineBuilder {
    let mut limits = Limits::default();
    limits.lift_rates();
    Engine::builder().limits(limits)
}

async fn connect(engine: &Engine) -> Connection {
    engine.connect(ConnectRequest::default(), Hello::default()).await.expect("everybody is let in")
}

/// A session in each room, with so many sends on their way. Returns messages per second, and the median and the 99th percentile
/// of how long an ack took.
async fn measure(engine: &Engine, rooms: usize, in_flight: usize) -> (f64, Duration, Duration) {
    let mut sessions = Vec::new();
    for number in 0..rooms {
        let session = connect(engine).await;
        let command = Command::create(Nick::parse("Ann").expect("valid")).with_room(code(number));
        session.call(command).await.expect("the code is free");
        sessions.push(Arc::new(session));
    }
    let begun = Instant::now();
    let mut senders = Vec::new();
    for (number, session) in sessions.iter().enumerate() {
        for _ in 0..in_flight {
            let session = Arc::clone(session);
            senders.push(tokio::spawn(async move {
                let mut took = Vec::new();
                while begun.elapsed() < TIME {
                    let sent = Instant::now();
                    let command = Command::send(code(number), text());
                    session.call(command).await.expect("the disk works");
                    took.push(sent.elapsed());
                }
                took
            }));
        }
    }
    let mut took = Vec::new();
    for sender in senders {
        took.extend(sender.await.expect("no sender fails"));
    }
    let rate = took.len() as f64 / begun.elapsed().as_secs_f64();
    took.sort();
    (rate, took[took.len() / 2], took[took.len() * 99 / 100])
}

async fn rates(dir: &Path) {
    println!("{:>6} {:>9} {:>9} {:>12} {:>10} {:>10}", "rooms", "in flight", "log", "messages/s", "p50", "p99");
    for (rooms, in_flight) in [(1, 1), (1, 16), (100, 1), (1_000, 1), (1_000, 4)] {
        for name in ["synced", "relaxed", "memory"] {
            let place = dir.join("rates");
            let durability = if name == "relaxed" { Durability::Relaxed } else { Durability::Synced };
            let open = || RedbLog::open(&place, Options { durability, ..Options::default() }).expect("it opens");
            let log = (name != "memory").then(|| Arc::new(open()));
            let engine = match &log {
                Some(log) => engine().log(Arc::clone(log) as _).expect("it is new").build(),
                None => engine().build(),
            };
            let (rate, median, late) = measure(&engine, rooms, in_flight).await;
            println!("{rooms:>6} {in_flight:>9} {name:>9} {rate:>12.0} {median:>10.1?} {late:>10.1?}");
            drop(engine);
            if let Some(log) = log {
                log.close().await.expect("it closes");
            }
            let _ = std::fs::remove_dir_all(&place);
        }
    }
}

/// Rooms of a member each, and with so many records.
async fn fill(log: &Arc<RedbLog>, rooms: usize, records: usize) {
    let fillers: Vec<_> = (0..16)
        .map(|part| {
            let log = Arc::clone(log);
            tokio::spawn(async move {
                for number in (part..rooms).step_by(16) {
                    let mut scribe = Scribe::new(Epoch(1));
                    let mut batch = scribe.opening();
                    batch.extend((2..records).map(|_| scribe.sent(&"m".repeat(TEXT))));
                    log.append(&code(number), &Tail::default(), &batch).await.expect("the code is free");
                }
            })
        })
        .collect();
    for filler in fillers {
        filler.await.expect("no filler fails");
    }
}

/// Many rooms, closed properly and not; then somebody joins one of them.
async fn opening(dir: &Path, rooms: usize, records: usize) {
    let (place, torn) = (dir.join("opening"), dir.join("torn"));
    let log = Arc::new(RedbLog::open(&place, Options::default()).expect("it opens"));
    let begun = Instant::now();
    fill(&log, rooms, records).await;
    let megabytes = || std::fs::metadata(place.join(FILE_NAME)).expect("there").len() >> 20;
    println!("\n{rooms} rooms x {records} records: written in {:.1?}, {} MiB", begun.elapsed(), megabytes());
    std::fs::create_dir_all(&torn).expect("writable");
    std::fs::copy(place.join(FILE_NAME), torn.join(FILE_NAME)).expect("copied while it is open: as a crash leaves it");
    let begun = Instant::now();
    log.close().await.expect("it closes");
    println!("closed in {:.1?}", begun.elapsed());
    for (what, place) in [("after a proper end", &place), ("after a crash", &torn)] {
        for _ in 0..ROUNDS {
            let copy = dir.join("copy");
            std::fs::create_dir_all(&copy).expect("writable");
            std::fs::copy(place.join(FILE_NAME), copy.join(FILE_NAME)).expect("readable");
            // What the copy has left to write is no part of opening it.
            std::fs::File::open(copy.join(FILE_NAME)).and_then(|file| file.sync_all()).expect("the disk works");
            let begun = Instant::now();
            let log = Arc::new(RedbLog::open(&copy, Options::default()).expect("it opens"));
            let opened = begun.elapsed();
            let engine = engine().log(Arc::clone(&log) as _).expect("it is new").build();
            let session = connect(&engine).await;
            let nick = Nick::parse("Zoe").expect("valid");
            let join = Command::join(code(rooms / 2), nick);
            session.call(join).await.expect("the room is there");
            println!("{what}: opened in {opened:.1?}, first join answered after {:.1?}", begun.elapsed());
            drop((session, engine));
            drop(log);
            let _ = std::fs::remove_dir_all(&copy);
        }
    }
    let log = RedbLog::open(&place, Options::default()).expect("it opens");
    log.amend(&code(1), Epoch(1), &[Amend::take_back(Seq(2), Seq(u64::MAX))]).await.expect("it can be scrubbed");
    let begun = Instant::now();
    log.close().await.expect("it closes");
    println!("closed with a scrub owed in {:.1?}, {} MiB", begun.elapsed(), megabytes());
    drop(log);
    let log = RedbLog::open(&place, Options::default()).expect("it opens");
    let begun = Instant::now();
    log.compact().await.expect("it can be compacted");
    println!("compacted in {:.1?}, {} MiB", begun.elapsed(), megabytes());
}

#[tokio::main]
async fn main() {
    let temporary = tempfile::tempdir().expect("a folder");
    let dir = std::env::args_os()
        .nth(1)
        .filter(|first| first != "--opening")
        .map_or(temporary.path().to_path_buf(), Into::into);
    if !std::env::args().any(|argument| argument == "--opening") {
        for _ in 0..ROUNDS {
            rates(&dir).await;
        }
    }
    opening(&dir, 10_000, 100).await;
    for folder in ["opening", "torn"] {
        let _ = std::fs::remove_dir_all(dir.join(folder));
    }
}
