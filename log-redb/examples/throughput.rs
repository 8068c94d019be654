//! How many messages a second a log takes, by rooms that write at once, and how fast a large file opens.
//!
//! `cargo run --release -p log-redb --example throughput [FOLDER]`; without a folder, a temporary one.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chat_core::{Epoch, Log, Offset, RoomCode, Seq, Tail};
use chat_testkit::logs::MemoryLog;
use chat_testkit::records::Scribe;
use log_redb::{Durability, FILE_NAME, Options, RedbLog};

/// How long each figure is measured.
const TIME: Duration = Duration::from_secs(3);
const TEXT: usize = 100;

fn code(number: usize) -> RoomCode {
    RoomCode::parse(&format!("ROOM-{number:05}")).expect("a valid code")
}

/// Rooms that each append the next batch once the last is acked. Returns messages per second, and the median and the 99th
/// percentile of how long an append took.
async fn measure(log: Arc<dyn Log>, rooms: usize, batch: usize) -> (f64, Duration, Duration) {
    let begun = Instant::now();
    let owners: Vec<_> = (0..rooms)
        .map(|number| {
            let log = Arc::clone(&log);
            tokio::spawn(async move {
                let (room, mut scribe) = (code(number), Scribe::new(Epoch(1)));
                let opening = scribe.opening();
                let mut tail = log.append(&room, &Tail::default(), &opening).await.expect("the code is free");
                let text = "m".repeat(TEXT);
                let mut took = Vec::new();
                while begun.elapsed() < TIME {
                    let records: Vec<_> = (0..batch).map(|_| scribe.sent(&text)).collect();
                    let sent = Instant::now();
                    tail = log.append(&room, &tail, &records).await.expect("the disk works");
                    took.push(sent.elapsed());
                }
                took
            })
        })
        .collect();
    let mut took = Vec::new();
    for owner in owners {
        took.extend(owner.await.expect("no owner fails"));
    }
    let rate = (took.len() * batch) as f64 / begun.elapsed().as_secs_f64();
    took.sort();
    (rate, took[took.len() / 2], took[took.len() * 99 / 100])
}

async fn rates(dir: &Path) {
    println!("{:>6} {:>6} {:>9} {:>12} {:>10} {:>10}", "rooms", "batch", "log", "messages/s", "p50", "p99");
    for (rooms, batch) in [(1, 1), (1, 64), (100, 1), (1_000, 1), (1_000, 8)] {
        for name in ["synced", "relaxed", "memory"] {
            let place = dir.join(format!("{name}-{rooms}-{batch}"));
            let durability = if name == "relaxed" { Durability::Relaxed } else { Durability::Synced };
            let log: Arc<dyn Log> = match name {
                "memory" => Arc::new(MemoryLog::new()),
                _ => Arc::new(RedbLog::open(&place, Options { durability, ..Options::default() }).expect("it opens")),
            };
            let (rate, median, late) = measure(log, rooms, batch).await;
            println!("{rooms:>6} {batch:>6} {name:>9} {rate:>12.0} {median:>10.1?} {late:>10.1?}");
            let _ = std::fs::remove_dir_all(&place);
        }
    }
}

/// Many rooms, closed properly and not; then one of them is read.
async fn opening(dir: &Path, rooms: usize, records: usize) {
    let place = dir.join("opening");
    let log = Arc::new(RedbLog::open(&place, Options::default()).expect("it opens"));
    let begun = Instant::now();
    let fillers: Vec<_> = (0..16)
        .map(|part| {
            let log = Arc::clone(&log);
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
    let file = place.join(FILE_NAME);
    let megabytes = || std::fs::metadata(&file).expect("there").len() >> 20;
    println!("\n{rooms} rooms x {records} records: written in {:.1?}, {} MiB", begun.elapsed(), megabytes());
    let torn = dir.join("torn");
    std::fs::create_dir_all(&torn).expect("writable");
    std::fs::copy(&file, torn.join(FILE_NAME)).expect("copied while it is open: as a crash leaves it");
    let begun = Instant::now();
    log.close().await.expect("it closes");
    println!("closed in {:.1?}", begun.elapsed());
    for (what, place) in [("after a proper end", &place), ("after a crash", &torn)] {
        let begun = Instant::now();
        let log = RedbLog::open(place, Options::default()).expect("it opens");
        let opened = begun.elapsed();
        let begun = Instant::now();
        let read = log.read(&code(rooms / 2), Offset(0), 1_024).await.expect("readable").records.len();
        let first = begun.elapsed();
        let begun = Instant::now();
        let page = log.messages(&code(rooms / 3), Epoch(1), Seq(u64::MAX), 50).await.expect("readable").len();
        println!(
            "{what}: opened in {opened:.1?}; a room of {read} read in {first:.1?}, {page} messages in {:.1?}",
            begun.elapsed()
        );
    }
    let log = RedbLog::open(&place, Options::default()).expect("it opens");
    log.scrub(&code(1), Epoch(1), Seq(2)).await.expect("it can be scrubbed");
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
    let dir = std::env::args_os().nth(1).map_or(temporary.path().to_path_buf(), Into::into);
    rates(&dir).await;
    opening(&dir, 10_000, 100).await;
    let _ = std::fs::remove_dir_all(dir.join("opening"));
    let _ = std::fs::remove_dir_all(dir.join("torn"));
}
