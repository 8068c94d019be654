//! A process that writes to a log and is killed: what it says of its acks, and whether what is left in the log keeps to them.
//!
//! A test has two halves. The child opens the log and calls [`write_until_killed`]; [`run_and_kill`] starts it, and [`check`] looks at what it
//! left, in a log that was opened again.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use chat_core::{Amend, Epoch, Event, Log, Offset, Seq};

use crate::lives::{code, open_life, tail_of};

/// Rooms that a child writes to: 4.
const ROOMS: u64 = 4;
/// Messages in one batch, at most.
const BATCH_MAX: usize = 3;
/// The message that is taken back in every incarnation.
const SCRUBBED: Seq = Seq(4);

/// What a child said last of a room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// The incarnation; 0 before the first.
    pub life: u64,
    /// Up to where it was acked.
    pub offset: u64,
    /// Whether taking the message back was confirmed.
    pub scrubbed: bool,
}

/// The child: appends to a few rooms, one to three messages at a time, and says what was acked. Now and then it scrubs, stores snapshots,
/// and, after `turns` batches, deletes the room and begins it again.
///
/// # Panics
/// When the log refuses anything.
pub async fn write_until_killed(log: Arc<dyn Log>, turns: usize) {
    let owners: Vec<_> = (0..ROOMS).map(|number| tokio::spawn(own(Arc::clone(&log), number, turns))).collect();
    for owner in owners {
        owner.await.expect("no owner ends");
    }
}

async fn own(log: Arc<dyn Log>, number: u64, turns: usize) {
    let room = code(&format!("ROOM-{number}"));
    let mut life = tail_of(&*log, &room).await.epoch.map_or(0, |epoch| epoch.0);
    loop {
        life += 1;
        if life > 1 {
            log.delete(&room, Epoch(life - 1)).await.expect("it can be deleted");
        }
        let (mut scribe, mut tail) = open_life(&*log, &room, life).await;
        say(format!("\nack {number} {life} {}\n", tail.offset.0));
        for turn in 0..turns {
            let batch = scribe.talk(1 + turn % BATCH_MAX);
            tail = log.append(&room, &tail, &batch).await.expect("the log works");
            say(format!("\nack {number} {life} {}\n", tail.offset.0));
            if turn % 16 == 9 {
                let taken_back = Amend::take_back(SCRUBBED, Seq(u64::MAX));
                log.amend(&room, Epoch(life), &[taken_back]).await.expect("it can be scrubbed");
                say(format!("\nscrubbed {number} {life} {SCRUBBED}\n"));
            }
            if turn % 25 == 20 {
                log.save_snapshot(&room, Epoch(life), tail.offset, b"snapshot").await.expect("it can be saved");
            }
        }
    }
}

/// Says what was acked, in one write, so that a kill leaves no half a line.
fn say(line: String) {
    let mut out = std::io::stdout().lock();
    out.write_all(line.as_bytes()).and_then(|()| out.flush()).expect("the parent listens");
}

/// Lets a child run for so long, kills it, and returns what it said of each room.
///
/// # Panics
/// When it cannot be started, or ends by itself.
pub fn run_and_kill(child: &mut Command, after: Duration) -> Vec<Said> {
    let mut child = child.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the program can be started");
    let out = child.stdout.take().expect("piped");
    let listener = std::thread::spawn(move || {
        let mut said = vec![Said::default(); ROOMS as usize];
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
    std::thread::sleep(after);
    child.kill().expect("it is still running");
    child.wait().expect("it is dead");
    listener.join().expect("no panic")
}

/// Whether a log holds what a child said before it was killed, once and in order, and not more than what was under way. Returns how many
/// records were acked.
///
/// # Panics
/// When it does not.
pub async fn check(log: &dyn Log, said: &[Said], turns: usize) -> u64 {
    let mut acked = 0;
    for (number, said) in said.iter().enumerate().filter(|(_, said)| said.life > 0) {
        let room = code(&format!("ROOM-{number}"));
        let page = log.read(&room, None, Offset(0), usize::MAX).await.expect("what a crash left is whole");
        let Some(Epoch(life)) = page.tail.epoch else {
            // The delete of the life was under way, and nobody had been told of the next one.
            let (Said { life, offset, .. }, whole) = (said, turns as u64);
            assert!(*offset > whole, "life {life} of room {number} is gone, acked up to {offset}");
            continue;
        };
        assert!(life == said.life || life == said.life + 1, "life {life} of room {number}, told {}", said.life);
        if life == said.life {
            assert!(page.tail.offset.0 >= said.offset, "acked up to {}, kept to {:?}", said.offset, page.tail);
            assert!(page.tail.offset.0 <= said.offset + BATCH_MAX as u64, "no more than one batch was under way");
        }
        acked += said.offset;
        assert!(page.records.iter().map(|record| record.offset.0).eq(1..=page.tail.offset.0), "once, in order");
        for record in &page.records {
            let Event::Sent { text, .. } = &record.event else { continue };
            let seq = record.seq.expect("a message is told");
            match text.as_str() {
                "" => assert_eq!(seq, SCRUBBED, "nobody scrubbed {seq}"),
                text => assert_eq!(text, format!("message {seq}")),
            }
            assert!(!(said.scrubbed && life == said.life && seq == SCRUBBED && !text.as_str().is_empty()), "scrubbed");
        }
        // Nothing of the killed process comes now.
        assert_eq!(log.read(&room, None, Offset(0), usize::MAX).await, Ok(page));
    }
    acked
}
