//! Clocks that are set while the engine runs: what is stamped, what is believed and when, and who is told.

mod support;

use std::sync::{Arc, Mutex, OnceLock};

use chat_core::{Belief, Clock, Engine, Mono, Now, Observer, ObserverEvent, ServerFrame, SystemClock, Wall, WallStep};
use support::{Client, pass, secs, send};

const MINUTE: u64 = 60;
/// Milliseconds.
const HOUR: i64 = 3_600_000;
const YEAR: i64 = 8_760 * HOUR;

/// A clock that goes on, and is off by so much.
struct SetClock {
    mono: SystemClock,
    off: Mutex<i64>,
}

impl SetClock {
    fn set(&self, off: i64) {
        *self.off.lock().expect("nobody panics with it") = off;
    }
}

impl Clock for SetClock {
    fn now(&self) -> Now {
        let mono = self.mono.now().mono;
        let off = *self.off.lock().expect("nobody panics with it");
        Now { wall: Wall((START + mono.0).saturating_add_signed(off)), mono }
    }

    fn instant(&self, mono: Mono) -> tokio::time::Instant {
        self.mono.instant(mono)
    }
}

const START: u64 = 1_795_370_400_000;

/// Writes down what it is told of clocks, and asks the engine each time.
#[derive(Default)]
struct Witness {
    steps: Mutex<Vec<WallStep>>,
    engine: OnceLock<Engine>,
}

impl Observer for Witness {
    fn observe(&self, event: ObserverEvent<'_>) {
        if let ObserverEvent::WallStepped { step, .. } = event {
            assert_eq!(self.engine.get().map(|engine| engine.stats().clock_steps), Some(1), "nothing is locked");
            self.steps.lock().expect("nobody panics with it").push(step);
        }
    }
}

struct World {
    clock: Arc<SetClock>,
    witness: Arc<Witness>,
    engine: Engine,
    ann: Client,
}

impl World {
    async fn new() -> Self {
        let clock = Arc::new(SetClock { mono: SystemClock::new(), off: Mutex::new(0) });
        let witness = Arc::new(Witness::default());
        let engine = Engine::builder().clock(Arc::clone(&clock) as _).observer(Arc::clone(&witness) as _).build();
        assert!(witness.engine.set(engine.clone()).is_ok());
        let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
        Self { clock, witness, engine, ann }
    }

    /// Says something: how far the stamp is off, in milliseconds.
    async fn off(&self) -> i64 {
        let right = START + self.clock.now().mono.0;
        match self.ann.session.call(send("LUNCH", "tick")).await {
            Ok(ServerFrame::Ack { at: Some(at), .. }) => at.0.cast_signed() - right.cast_signed(),
            other => panic!("not an ack: {other:?}"),
        }
    }

    async fn told(&self) -> Vec<WallStep> {
        pass(secs(0)).await;
        self.witness.steps.lock().expect("nobody panics with it").clone()
    }
}

#[tokio::test(start_paused = true)]
async fn a_step_of_years_is_believed_after_ten_minutes_and_told_both_times() {
    let world = World::new().await;
    assert_eq!(world.off().await, 0);
    pass(secs(5)).await;
    world.clock.set(YEAR);
    for _ in 0..10 {
        assert_eq!(world.off().await, 0, "time goes on by the monotonic clock");
        pass(secs(MINUTE - 1)).await;
    }
    let ahead = secs(YEAR.cast_unsigned() / 1_000);
    assert_eq!(world.told().await, [WallStep { ahead, belief: Belief::Doubted }]);
    pass(secs(10)).await;
    assert_eq!(world.off().await, YEAR);
    let both = [Belief::Doubted, Belief::Believed].map(|belief| WallStep { ahead, belief });
    assert_eq!((world.told().await.as_slice(), world.engine.stats().clock_steps), (both.as_slice(), 1));
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_right_within_ten_minutes_leaves_no_stamp() {
    let world = World::new().await;
    world.clock.set(5 * YEAR);
    assert_eq!(world.off().await, 0);
    pass(secs(9 * MINUTE)).await;
    assert_eq!(world.off().await, 0);
    world.clock.set(0);
    pass(secs(MINUTE)).await;
    assert_eq!((world.off().await, world.told().await.len()), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_step_of_an_hour_is_believed_at_once_and_a_step_back_never_seen() {
    let world = World::new().await;
    world.clock.set(HOUR);
    assert_eq!(world.off().await, HOUR);
    for _ in 0..3 {
        world.clock.set(-HOUR);
        pass(secs(MINUTE)).await;
        assert_eq!(world.off().await, HOUR, "a minute later than the message before");
    }
    assert_eq!((world.told().await, world.engine.stats().clock_steps), (vec![], 0));
}
