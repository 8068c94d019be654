//! What the tests of an engine over a log share: a log that fails, one whose reads a test bends, and engines over them.

#![allow(dead_code, unreachable_pub, unused_imports, reason = "every test file uses its own part of this")]

pub mod bent;
pub mod passes;
pub mod servers;
pub mod stage;

use std::sync::Arc;
use std::time::Duration;

use chat_core::{Clock, Engine, EngineBuilder, Event, Limits, Log, Mono, Now, SystemClock, Wall};
use chat_testkit::logs::{Call, Fault, FaultyLog, MemoryLog, Operation, Outcome};
pub use chat_testkit::one_room::*;
use tokio::time::Instant;

/// A clock whose wall goes on as tokio's time does.
#[derive(Default)]
pub struct Virtual(SystemClock);

impl Clock for Virtual {
    fn now(&self) -> Now {
        let mono = self.0.now().mono;
        Now { wall: Wall(1_800_000_000_000 + mono.0), mono }
    }

    fn instant(&self, mono: Mono) -> Instant {
        self.0.instant(mono)
    }
}

pub type TestLog = Arc<FaultyLog<MemoryLog>>;

pub const SECRET: [u8; 32] = [7; 32];

/// How long a connection may stay lost.
pub const GRACE: Duration = Duration::from_secs(30);

pub fn log() -> TestLog {
    Arc::new(FaultyLog::new(MemoryLog::default()))
}

pub fn engine<L: Log>(log: &Arc<L>) -> Engine {
    engine_with(log, |_| {})
}

pub fn engine_with<L: Log>(log: &Arc<L>, change: impl FnOnce(&mut Limits)) -> Engine {
    let mut limits = Limits::default();
    change(&mut limits);
    builder(log).limits(limits).build()
}

/// Of engines that know each other's sessions.
pub fn builder<L: Log>(log: &Arc<L>) -> EngineBuilder {
    Engine::builder().log(Arc::clone(log) as _).expect("the engine before is gone").secret(SECRET)
}

/// A plan by which every call of these fails.
pub fn fails(operations: &'static [Operation]) -> impl Fn(&Call) -> Option<Fault> {
    move |call| operations.contains(&call.operation).then(|| Fault::from(Outcome::Fails))
}

/// The texts that are in the log, oldest first.
pub fn texts_of_log(log: &TestLog) -> Vec<String> {
    let texts = log.inner().records(&code()).into_iter().filter_map(|record| match record.event {
        Event::Sent { text, .. } => Some(text.as_str().to_owned()),
        _ => None,
    });
    texts.collect()
}

/// Time passes, and before and after it everything runs that can.
pub async fn pass(time: Duration) {
    settle().await;
    tokio::time::sleep(time).await;
    settle().await;
}
