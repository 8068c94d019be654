//! What the small worlds share: two servers on one log, whose wall clock goes with virtual time.

#![allow(dead_code, unreachable_pub, reason = "each test uses its own part of this")]

#[path = "../../../chat-testkit/tests/support/bent.rs"]
pub mod bent;

use std::sync::Arc;

use bent::BentLog;
use chat_core::{Clock, Engine, Limits, Log, Mono, Now, Policy, RoomCode, SystemClock, Wall};
use chat_testkit::logs::MemoryLog;
use chat_testkit::servers::{Server, Servers};

/// When each world begins, by the wall.
pub const START: u64 = 1_790_000_000_000;

/// Its wall goes with virtual time.
pub struct VirtualClock(SystemClock);

impl VirtualClock {
    pub fn new() -> Arc<Self> {
        Arc::new(Self(SystemClock::new()))
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Now {
        let mono = self.0.now().mono;
        Now { wall: Wall(START + mono.since(Mono(0)).as_millis() as u64), mono }
    }

    fn instant(&self, mono: Mono) -> tokio::time::Instant {
        self.0.instant(mono)
    }
}

/// Two servers, their places in the cluster, and the cluster: all rooms are the first one's.
pub type Two = (Servers, [Arc<Server>; 2], [Engine; 2]);

/// Two servers on one log that know people by this policy. Nobody is held back by rates; what else is changed in the limits is said.
pub fn two(
    clock: &Arc<VirtualClock>,
    memory: &Arc<MemoryLog>,
    policy: &Arc<dyn Policy>,
    change: impl FnOnce(&mut Limits),
) -> Two {
    let logs = [0, 1].map(|_| Arc::new(BentLog::new(memory)) as Arc<dyn Log>);
    two_over(clock, &logs, policy, change)
}

/// The same, each on its own view of the log.
pub fn two_over(
    clock: &Arc<VirtualClock>,
    logs: &[Arc<dyn Log>; 2],
    policy: &Arc<dyn Policy>,
    change: impl FnOnce(&mut Limits),
) -> Two {
    let servers = Servers::default();
    let ends = [servers.join(), servers.join()];
    servers.give_all(&ends[0]);
    let mut limits = Limits::default();
    limits.lift_rates();
    limits.lift_addresses();
    change(&mut limits);
    let engines = [0, 1].map(|which| {
        let (log, end) = (&logs[which], &ends[which]);
        let builder = Engine::builder().limits(limits.clone()).secret([7; 32]).clock(Arc::clone(clock) as _);
        let builder = builder.log(Arc::clone(log)).expect("each has its own");
        builder.policy(Arc::clone(policy)).cluster(Arc::clone(end) as _).build()
    });
    (servers, ends, engines)
}

pub fn code(text: &str) -> RoomCode {
    RoomCode::parse(text).expect("a code")
}
