//! What happened in a world, line by line: hashed as it grows, and its last lines kept.

use std::collections::VecDeque;
use std::fmt::{self, Write};
use std::sync::Mutex;

use tokio::time::Instant;

use crate::locks::lock;

/// Lines kept to be shown when a promise is broken.
const KEPT: usize = 60;
/// FNV-1a, 64 bits: the same on every machine, and in every build.
const FNV: (u64, u64) = (0xcbf2_9ce4_8422_2325, 0x0100_0000_01b3);

/// The transcript of one world. Two runs of a seed are the same when their hashes are.
#[derive(Debug)]
pub(crate) struct Transcript {
    start: Instant,
    shown: bool,
    lines: Mutex<Lines>,
}

#[derive(Debug)]
struct Lines {
    hash: u64,
    count: u64,
    last: VecDeque<String>,
}

impl Transcript {
    /// An empty one; `shown` prints each line as it comes.
    pub(crate) fn new(shown: bool) -> Self {
        let lines = Lines { hash: FNV.0, count: 0, last: VecDeque::with_capacity(KEPT) };
        Self { start: Instant::now(), shown, lines: Mutex::new(lines) }
    }

    /// Adds a line: who did or was told what, and when.
    pub(crate) fn note(&self, who: impl fmt::Display, what: impl fmt::Display) {
        let mut lines = lock(&self.lines);
        // The oldest makes place: its memory does for the newest.
        let mut line = if lines.last.len() == KEPT { lines.last.pop_front() } else { None }.unwrap_or_default();
        line.clear();
        let millis = self.start.elapsed().as_millis();
        write!(line, "{:>5}.{:03} {who}: {what}", millis / 1_000, millis % 1_000).expect("a String takes every write");
        if self.shown {
            eprintln!("{line}");
        }
        lines.hash = line.bytes().fold(lines.hash, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(FNV.1));
        lines.count += 1;
        lines.last.push_back(line);
    }

    /// The hash of everything so far, the number of lines, and the last of them.
    pub(crate) fn sum(&self) -> (u64, u64, Vec<String>) {
        let lines = lock(&self.lines);
        (lines.hash, lines.count, lines.last.iter().cloned().collect())
    }
}
