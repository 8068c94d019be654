//! Empty rooms over restarts: each goes when its time is over, whoever counts it, and none because a clock is wrong for a moment.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chat_core::{Clock, Command, Engine, Limits, Log, Mono, Now, Seq, SystemClock, Wall};
use chat_testkit::logs::Operation;
use support::{TestLog, builder, code, fails, founder, log, newcomer, seconds, settle};
use tokio::time::Instant;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
/// Milliseconds.
const YEAR: i64 = 8_760 * 3_600_000;

/// The wall clock of the machine, which outlives its processes.
struct Machine {
    start: Instant,
    off: AtomicI64,
}

/// What one process reads: its monotonic half begins with it.
struct ProcessClock {
    machine: Arc<Machine>,
    mono: SystemClock,
}

impl Machine {
    fn new() -> Arc<Self> {
        Arc::new(Self { start: Instant::now(), off: AtomicI64::new(0) })
    }

    /// Sets the clock so many milliseconds off.
    fn set(&self, off: i64) {
        self.off.store(off, Ordering::Relaxed);
    }
}

impl Clock for ProcessClock {
    fn now(&self) -> Now {
        let right = 1_795_370_400_000 + self.machine.start.elapsed().as_millis() as u64;
        let wall = right.saturating_add_signed(self.machine.off.load(Ordering::Relaxed));
        Now { wall: Wall(wall), mono: self.mono.now().mono }
    }

    fn instant(&self, mono: Mono) -> Instant {
        self.mono.instant(mono)
    }
}

/// A process whose empty rooms wait for so many seconds.
async fn start(log: &TestLog, machine: &Arc<Machine>, linger: u64) -> Engine {
    let mut limits = Limits::default();
    limits.room.empty_linger = Duration::from_secs(linger);
    let clock = ProcessClock { machine: Arc::clone(machine), mono: SystemClock::new() };
    let engine = builder(log).limits(limits).clock(Arc::new(clock)).build();
    seconds(1).await;
    engine
}

/// A log with a room that its only member has just left, as no process is running any more.
async fn emptied(machine: &Arc<Machine>, linger: u64) -> TestLog {
    let log = log();
    let engine = start(&log, machine, linger).await;
    let ann = founder(&engine).await;
    ann.call(Command::leave(code())).await.expect("she is there");
    drop(ann);
    stop(engine).await;
    log
}

async fn stop(engine: Engine) {
    drop(engine);
    settle().await;
}

async fn is_kept(log: &TestLog) -> bool {
    !log.inner().rooms(None, None, 1).await.expect("the log underneath does not fail").is_empty()
}

#[tokio::test(start_paused = true)]
async fn an_empty_room_goes_though_the_server_restarts_more_often_than_it_waits() {
    let machine = Machine::new();
    let log = emptied(&machine, HOUR).await;
    for start_number in 1..=5 {
        let engine = start(&log, &machine, HOUR).await;
        assert!(is_kept(&log).await, "within the hour, at start {start_number}");
        seconds(11 * MINUTE).await;
        stop(engine).await;
    }
    let _engine = start(&log, &machine, HOUR).await;
    assert!(is_kept(&log).await, "55 minutes");
    seconds(5 * MINUTE).await;
    assert!(!is_kept(&log).await);
}

#[tokio::test(start_paused = true)]
async fn an_empty_room_whose_time_is_over_is_there_for_who_asks_first() {
    let machine = Machine::new();
    let log = emptied(&machine, 30 * MINUTE).await;
    seconds(31 * MINUTE).await;
    // The sweep comes later.
    log.plan(fails(&[Operation::Rooms]));
    let engine = start(&log, &machine, 30 * MINUTE).await;
    let mut bob = newcomer(&engine, "Bob").await;
    assert!(support::joined(&mut bob).await.seq > Seq(1), "the same life");
}

#[tokio::test(start_paused = true)]
async fn a_start_with_a_clock_years_ahead_deletes_no_room() {
    let machine = Machine::new();
    let log = emptied(&machine, 10 * HOUR).await;
    machine.set(5 * YEAR);
    let _engine = start(&log, &machine, 10 * HOUR).await;
    seconds(9 * MINUTE).await;
    assert!(is_kept(&log).await);
    machine.set(0);
    seconds(9 * HOUR).await;
    assert!(is_kept(&log).await, "it was set right within ten minutes");
    seconds(HOUR).await;
    assert!(!is_kept(&log).await, "and the room went when its time was over");
}

/// The end is decided again at once where it stays due: the log would be asked without a pause, and nobody else served.
#[tokio::test(start_paused = true)]
async fn a_room_that_cannot_be_ended_is_tried_now_and_then() {
    let machine = Machine::new();
    for linger in [0, 1] {
        let log = emptied(&machine, HOUR).await;
        log.plan(fails(&[Operation::Append]));
        let _engine = start(&log, &machine, linger).await;
        let before = log.calls(Operation::Append);
        seconds(10 * MINUTE).await;
        let tries = log.calls(Operation::Append) - before;
        assert!((10..=50).contains(&tries), "{tries} tries in ten minutes");
        log.heal();
        seconds(MINUTE).await;
        assert!(!is_kept(&log).await);
    }
}
