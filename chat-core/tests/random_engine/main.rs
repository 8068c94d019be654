//! The whole engine under random people, seed by seed, against what they can check themselves.
//!
//! `CHAT_SEED=17 cargo test -p chat-core --test random_engine` replays one seed, `CHAT_TRACE=1`
//! says what everybody does in it, and `CHAT_SEEDS=1000` tries more of them.
#![cfg(feature = "engine")]

mod person;
#[path = "../support/mod.rs"]
mod support;
mod truth;
mod view;

use std::sync::Arc;

use chat_core::{Engine, MemberId, Moderation, Seq};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use person::Person;
use support::*;
use truth::Truth;

const ROOMS: [&str; 3] = ["AAA", "BBB", "CCC"];
const PEOPLE: usize = 6;
const STEPS: usize = 400;

/// One world: an engine, its people, and the truth about it.
struct World {
    engine: Engine,
    truth: Arc<Truth>,
    people: Vec<Person>,
    rng: StdRng,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        // In some worlds even a small room is a big one, which tells its joins and leaves as counts.
        let tells = rng.random_bool(0.7);
        let limits = limits(|limits| {
            limits.room.backlog_events_max = rng.random_range(8..64);
            limits.room.grace = secs(2);
            limits.room.empty_linger = secs(rng.random_range(0..2));
            limits.room.notices_members_max = if tells { 1_000 } else { rng.random_range(1..4) };
            limits.room.batch_inputs_max = rng.random_range(1..16);
            limits.room.history_default = rng.random_range(0..10);
            limits.lift_rates();
            limits.session.gap_interval = millis(rng.random_range(0..1_000));
            limits.session.chunk_bytes_max = rng.random_range(1..4_000);
            limits.session.room_quantum_bytes = rng.random_range(1..1_000);
        });
        let truth = Arc::new(Truth::new(tells));
        let engine = Engine::builder().limits(limits).observer(truth.clone()).build();
        let people = (0..PEOPLE).map(Person::new).collect();
        Self { engine, truth, people, rng }
    }

    async fn step(&mut self) {
        let room = ROOMS[self.rng.random_range(0..ROOMS.len())];
        let who = self.rng.random_range(0..self.people.len());
        let (person, truth, rng) = (&mut self.people[who], &*self.truth, &mut self.rng);
        if !person.is_connected() {
            return person.connect(&self.engine, truth, rng).await;
        }
        match rng.random_range(0..100) {
            0..25 => person.say(room, rng),
            25..30 => person.say_again(rng),
            30..45 => person.enter(room, rng),
            45..50 => person.leave(room),
            50..53 => person.type_something(room),
            53..58 => person.cut(),
            58..61 => person.connect(&self.engine, truth, rng).await,
            61..75 => person.read_some(truth, rng),
            75..85 => person.read_all(truth),
            85..90 => settle().await,
            90..94 => pass(millis(rng.random_range(0..3_000))).await,
            _ => self.moderate(room).await,
        }
    }

    async fn moderate(&mut self, room: &str) {
        let moderation = match self.rng.random_range(0..10) {
            0..5 => Moderation::Redact(Seq(self.rng.random_range(1..60))),
            5..9 => Moderation::Kick(MemberId(self.rng.random_range(1..8))),
            _ => Moderation::Close,
        };
        // Whether there is such a room, member or message is for the engine to say.
        let _ = self.engine.moderate(&code(room), moderation).await;
    }

    /// Everybody comes back, reads to the end, and then goes for good.
    async fn end(mut self) {
        for person in &mut self.people {
            person.cut();
            person.connect(&self.engine, &self.truth, &mut self.rng).await;
        }
        for _ in 0..4 {
            pass(secs(1)).await;
            self.people.iter_mut().for_each(|person| person.read_all(&self.truth));
        }
        for person in &mut self.people {
            person.check_at_the_end(&self.truth);
            person.cut();
        }
        pass(secs(5)).await;
        assert_eq!(self.engine.stats().rooms, 0, "a room exactly as long as it has members");
        self.truth.check();
    }
}

fn run(seed: u64) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime needs nothing").block_on(async {
        let mut world = World::new(seed);
        for _ in 0..STEPS {
            world.step().await;
        }
        world.end().await;
    });
}

#[test]
fn nobody_ever_sees_anything_that_cannot_be() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse().expect("a number"));
    let seeds = match number("CHAT_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("CHAT_SEEDS").unwrap_or(60),
    };
    for seed in seeds {
        if let Err(panic) = std::panic::catch_unwind(|| run(seed)) {
            eprintln!("CHAT_SEED={seed} replays this");
            std::panic::resume_unwind(panic);
        }
    }
}
