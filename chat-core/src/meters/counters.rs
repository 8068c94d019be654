//! What all parts of an engine count with: atomics, those that are counted often on shards of their own cache lines.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use super::histogram::{Buckets, SIZES, TIMES};
use super::{AppendMeter, CommandKind, CommandMeter, Meters, TransportMeter};
use crate::locks::lock;
use crate::ports::AppendError;
use crate::types::{CloseReason, RejectCode};

/// Threads that count at once without meeting. 8: a shard is 3 KiB, and two threads on one are still right.
const SHARDS: usize = 8;
/// Of so many commands the time of one is taken. 8: reading the clock twice for each would cost a twentieth of what a small command does.
const TIMED: u32 = 8;
/// Transports that are told apart. 8: an embedder that names one for each connection fills no memory.
const TRANSPORTS_MAX: usize = 8;

const KINDS: usize = CommandKind::ALL.len();
const CODES: usize = RejectCode::ALL.len();
const REASONS: usize = CloseReason::ALL.len();

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    Refused,
    Lost,
}

/// What was asked, and when, if this is one whose time is taken.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    kind: CommandKind,
    at: Option<Micros>,
}

/// Microseconds since an engine began, modulo 71 minutes: nothing that is timed takes that long. Never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Micros(std::num::NonZeroU32);

/// Counts of one engine. Times are of this machine, whatever clock the embedder has given.
pub(crate) struct Counters {
    began: Instant,
    shards: [Shard; SHARDS],
    transports: Mutex<Vec<TransportMeter>>,
    /// By reason; the last is for connections that nobody ended here.
    closed: [AtomicU64; REASONS + 1],
    turned_away: [AtomicU64; CODES],
    rejects: [AtomicU64; CODES],
    conflicts: AtomicU64,
    deposed: AtomicU64,
    failed: AtomicU64,
    unknown: AtomicU64,
    pub(crate) overtaken: AtomicU64,
    pub(crate) takeovers: AtomicU64,
    pub(crate) gap_events: AtomicU64,
    short_writes: AtomicU64,
    unsent_bytes: AtomicU64,
    parked: AtomicU64,
    parked_total: AtomicU64,
}

/// What one thread counts, or a few.
#[derive(Default)]
#[repr(align(128))]
struct Shard {
    commands: [[AtomicU64; 3]; KINDS],
    answered: Buckets<{ TIMES.len() }>,
    written: Buckets<{ TIMES.len() }>,
    appended: Buckets<{ TIMES.len() }>,
    batch_inputs: Buckets<{ SIZES.len() }>,
    batch_records: Buckets<{ SIZES.len() }>,
    inbox_depth: Buckets<{ SIZES.len() }>,
}

/// A command that waits for a server that decides, for as long as it does.
pub(crate) struct Parking(Arc<Counters>);

impl Drop for Parking {
    fn drop(&mut self) {
        self.0.parked.fetch_sub(1, Ordering::Relaxed);
    }
}

thread_local! {
    /// Which shard is this thread's, and how many commands it has seen.
    static THREAD: Cell<(usize, u32)> = Cell::new((NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS, 0));
}

static NEXT: AtomicUsize = AtomicUsize::new(0);

impl Default for Counters {
    fn default() -> Self {
        Self {
            began: Instant::now(),
            shards: Default::default(),
            transports: Mutex::default(),
            closed: [const { AtomicU64::new(0) }; REASONS + 1],
            turned_away: [const { AtomicU64::new(0) }; CODES],
            rejects: [const { AtomicU64::new(0) }; CODES],
            conflicts: AtomicU64::new(0),
            deposed: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            unknown: AtomicU64::new(0),
            overtaken: AtomicU64::new(0),
            takeovers: AtomicU64::new(0),
            gap_events: AtomicU64::new(0),
            short_writes: AtomicU64::new(0),
            unsent_bytes: AtomicU64::new(0),
            parked: AtomicU64::new(0),
            parked_total: AtomicU64::new(0),
        }
    }
}

impl Counters {
    /// Of the thread that asks; any, where that is about to end.
    fn shard(&self) -> &Shard {
        &self.shards[THREAD.try_with(Cell::get).map_or(0, |(shard, _)| shard)]
    }

    /// How late it is.
    pub(crate) fn time(&self) -> Micros {
        Micros(std::num::NonZeroU32::new(self.began.elapsed().as_micros() as u32).unwrap_or(std::num::NonZeroU32::MIN))
    }

    /// A command is handed in.
    pub(crate) fn ask(&self, kind: CommandKind) -> Asked {
        let is_timed = THREAD.try_with(|thread| {
            let (shard, seen) = thread.get();
            thread.set((shard, seen.wrapping_add(1)));
            seen % TIMED == 0
        });
        Asked { kind, at: is_timed.unwrap_or(false).then(|| self.time()) }
    }

    /// It is answered, or never will be.
    pub(crate) fn answer(&self, asked: Asked, outcome: Outcome) {
        let shard = self.shard();
        shard.commands[asked.kind as usize][outcome as usize].fetch_add(1, Ordering::Relaxed);
        if let Some(at) = asked.at {
            shard.answered.observe(&TIMES, self.since(at));
        }
    }

    /// An event has been written that was published then.
    pub(crate) fn wrote(&self, published: Micros) {
        self.shard().written.observe(&TIMES, self.since(published));
    }

    /// The log has answered an append that was begun then.
    /// Gives back how long that was.
    pub(crate) fn appended(&self, begun: Micros, error: Option<&AppendError>) -> u64 {
        let micros = self.since(begun);
        self.shard().appended.observe(&TIMES, micros);
        let count = match error {
            None => return micros,
            Some(AppendError::Conflict) => &self.conflicts,
            Some(AppendError::Deposed) => &self.deposed,
            Some(AppendError::NotWritten(_)) => &self.failed,
            Some(AppendError::Unknown(_)) => &self.unknown,
        };
        count.fetch_add(1, Ordering::Relaxed);
        micros
    }

    /// A room takes up its work, with so much before it.
    pub(crate) fn begin(&self, waiting: usize) {
        self.shard().inbox_depth.observe(&SIZES, waiting as u64);
    }

    /// A batch was decided.
    pub(crate) fn decided(&self, inputs: usize, records: usize) {
        let shard = self.shard();
        shard.batch_inputs.observe(&SIZES, inputs as u64);
        if records > 0 {
            shard.batch_records.observe(&SIZES, records as u64);
        }
    }

    /// Of a write so much was not taken, and of the write before so much.
    pub(crate) fn unsent(&self, now: u32, before: u32) {
        if now > 0 {
            self.short_writes.fetch_add(1, Ordering::Relaxed);
        }
        // Wraps where it falls, and wraps back.
        let change = u64::from(now).wrapping_sub(u64::from(before));
        if change != 0 {
            self.unsent_bytes.fetch_add(change, Ordering::Relaxed);
        }
    }

    pub(crate) fn open(&self, transport: &'static str) {
        self.transport(transport, |meter| {
            meter.opened += 1;
            meter.open += 1;
        });
    }

    pub(crate) fn close(&self, transport: &'static str, reason: Option<CloseReason>) {
        self.transport(transport, |meter| meter.open -= 1);
        self.closed[reason.map_or(REASONS, |reason| reason as usize)].fetch_add(1, Ordering::Relaxed);
    }

    /// One that was counted as another's when there was no place is so for ever: names are only added.
    fn transport(&self, transport: &'static str, change: impl FnOnce(&mut TransportMeter)) {
        let mut all = lock(&self.transports);
        let index = all.iter().position(|meter| meter.transport == transport).unwrap_or_else(|| {
            let name = if all.len() < TRANSPORTS_MAX { transport } else { "other" };
            if all.len() <= TRANSPORTS_MAX {
                all.push(TransportMeter { transport: name, opened: 0, open: 0 });
            }
            all.len() - 1
        });
        change(&mut all[index]);
    }

    pub(crate) fn turn_away(&self, code: RejectCode) {
        self.turned_away[code as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn reject(&self, code: RejectCode) {
        self.rejects[code as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// All refusals.
    pub(crate) fn rejects(&self) -> u64 {
        self.rejects.iter().map(|count| count.load(Ordering::Relaxed)).sum()
    }

    pub(crate) fn park(self: &Arc<Self>) -> Parking {
        self.parked.fetch_add(1, Ordering::Relaxed);
        self.parked_total.fetch_add(1, Ordering::Relaxed);
        Parking(Arc::clone(self))
    }

    /// How many commands wait for a server that decides, and how many ever have.
    pub(crate) fn parked(&self) -> (u64, u64) {
        (self.parked.load(Ordering::Relaxed), self.parked_total.load(Ordering::Relaxed))
    }

    fn since(&self, then: Micros) -> u64 {
        u64::from(self.time().0.get().wrapping_sub(then.0.get()))
    }

    /// All that is counted here.
    pub(crate) fn read(&self) -> Meters {
        let appended = Buckets::sum(&TIMES, self.shards.iter().map(|shard| &shard.appended));
        let [conflict, deposed, failed, unknown] =
            [&self.conflicts, &self.deposed, &self.failed, &self.unknown].map(|count| count.load(Ordering::Relaxed));
        let done = appended.count().saturating_sub(conflict + deposed + failed + unknown);
        Meters {
            transports: lock(&self.transports).clone(),
            closed: occurred(CloseReason::ALL.iter().copied().map(Some).chain([None]), &self.closed),
            turned_away: occurred(RejectCode::ALL.iter().copied(), &self.turned_away),
            commands: CommandKind::ALL.iter().filter_map(|kind| self.commands(*kind)).collect(),
            rejects: occurred(RejectCode::ALL.iter().copied(), &self.rejects),
            answered: Buckets::sum(&TIMES, self.shards.iter().map(|shard| &shard.answered)),
            written: Buckets::sum(&TIMES, self.shards.iter().map(|shard| &shard.written)),
            batch_inputs: Buckets::sum(&SIZES, self.shards.iter().map(|shard| &shard.batch_inputs)),
            batch_records: Buckets::sum(&SIZES, self.shards.iter().map(|shard| &shard.batch_records)),
            inbox_depth: Buckets::sum(&SIZES, self.shards.iter().map(|shard| &shard.inbox_depth)),
            appended,
            appends: AppendMeter { done, conflict, deposed, failed, unknown },
            overtaken: self.overtaken.load(Ordering::Relaxed),
            gap_events: self.gap_events.load(Ordering::Relaxed),
            short_writes: self.short_writes.load(Ordering::Relaxed),
            unsent_bytes: self.unsent_bytes.load(Ordering::Relaxed),
            ..Meters::default()
        }
    }

    fn commands(&self, kind: CommandKind) -> Option<CommandMeter> {
        let count = |outcome: Outcome| {
            let counts = self.shards.iter().map(|shard| &shard.commands[kind as usize][outcome as usize]);
            counts.map(|count| count.load(Ordering::Relaxed)).sum()
        };
        let [done, refused, lost] = [Outcome::Done, Outcome::Refused, Outcome::Lost].map(count);
        (done + refused + lost > 0).then_some(CommandMeter { kind, done, refused, lost })
    }
}

impl Micros {
    pub(crate) fn get(self) -> u32 {
        self.0.get()
    }

    /// As it was given by [`Micros::get`].
    pub(crate) fn of(number: u32) -> Option<Self> {
        std::num::NonZeroU32::new(number).map(Self)
    }

    /// Microseconds since an earlier time.
    pub(crate) fn since(self, earlier: u32) -> u32 {
        self.0.get().wrapping_sub(earlier)
    }
}

fn occurred<T>(all: impl Iterator<Item = T>, counts: &[AtomicU64]) -> Vec<(T, u64)> {
    let counted = all.zip(counts).map(|(of, count)| (of, count.load(Ordering::Relaxed)));
    counted.filter(|(_, count)| *count > 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_reasons_are_numbered_in_the_order_of_their_lists() {
        assert!(RejectCode::ALL.iter().enumerate().all(|(index, code)| *code as usize == index));
        assert!(CloseReason::ALL.iter().enumerate().all(|(index, reason)| *reason as usize == index));
    }

    #[test]
    fn a_transport_for_each_connection_fills_no_memory() {
        let counters = Counters::default();
        let names: Vec<&'static str> = (0..20).map(|number| &*format!("t{number}").leak()).collect();
        names.iter().for_each(|name| counters.open(name));
        let transports = counters.read().transports;
        assert_eq!(transports.len(), TRANSPORTS_MAX + 1);
        let other = transports.last().expect("there are some");
        assert_eq!((other.transport, other.opened, other.open), ("other", 12, 12));
        names.iter().for_each(|name| counters.close(name, None));
        assert!(counters.read().transports.iter().all(|meter| meter.open == 0));
        assert_eq!(counters.read().closed, [(None, 20)]);
    }

    #[test]
    fn what_a_socket_has_not_taken_is_counted_until_it_has() {
        let counters = Counters::default();
        counters.unsent(700, 0);
        counters.unsent(300, 700);
        counters.unsent(500, 0);
        assert_eq!((counters.read().unsent_bytes, counters.read().short_writes), (800, 3));
        counters.unsent(0, 300);
        counters.unsent(0, 500);
        assert_eq!((counters.read().unsent_bytes, counters.read().short_writes), (0, 3));
    }

    #[test]
    fn the_time_of_one_command_in_eight_is_taken_and_all_are_counted() {
        let counters = Counters::default();
        for _ in 0..80 {
            counters.answer(counters.ask(CommandKind::Send), Outcome::Done);
        }
        let meters = counters.read();
        assert_eq!(meters.answered.count(), 10);
        assert_eq!(meters.commands, [CommandMeter { kind: CommandKind::Send, done: 80, refused: 0, lost: 0 }]);
    }

    #[test]
    fn what_waits_is_counted_for_as_long_as_it_does() {
        let counters = Arc::new(Counters::default());
        let waits = [counters.park(), counters.park()];
        assert_eq!(counters.parked(), (2, 2));
        drop(waits);
        assert_eq!(counters.parked(), (0, 2));
    }
}
