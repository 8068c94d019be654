//! The host of a world speaks, under keys and again where it was not answered, and makes and keeps rooms, by whichever server is there.

use std::sync::Arc;
use std::time::Duration;

use chat_core::{Key, RejectCode, RoomCode, RoomOptions, Topic};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::time::{Instant, sleep, timeout};

use super::{Director, PATIENCE};
use crate::link::Front;
use crate::locks::lock;
use crate::plan::ROOMS;
use crate::promise::{Broken, Promise, hold};
use crate::server::HOST_NAMES;
use crate::truth::Truth;

/// How often something is said again that was not answered.
const TRIES: usize = 8;

impl Director {
    /// Has the host speak until the storm is over, where it does in this world.
    pub(super) fn speak(&mut self, end: Instant) {
        if self.ground.plan.host {
            let rng = StdRng::seed_from_u64(self.rng.random());
            let (fronts, truth) = (Arc::clone(&self.fronts), Arc::clone(&self.ground.truth));
            tokio::spawn(Host { rng, fronts, truth, said: 0 }.speak(end));
        }
    }

    /// Keeps no room any more: what nobody is in goes, as it does where no host keeps anything.
    pub(super) async fn let_go(&mut self) -> Result<(), Broken> {
        if !self.ground.plan.host {
            return Ok(());
        }
        for code in ROOMS {
            let room = RoomCode::parse(code).expect("the rooms of a world are valid");
            for tried in 1..=TRIES {
                let servers = self.servers();
                let server = &servers[tried % servers.len()];
                let room = server.engine.room(&room);
                match timeout(PATIENCE, room.let_go()).await {
                    Ok(Ok(_)) => break,
                    Ok(Err(reject)) if reject.code == RejectCode::RoomNotFound => break,
                    other => hold!(tried < TRIES, Promise::Answered, "{code}: the host cannot let go of it: {other:?}"),
                }
                sleep(Duration::from_secs(2)).await;
            }
        }
        Ok(())
    }
}

struct Host {
    rng: StdRng,
    fronts: Arc<[Front]>,
    truth: Arc<Truth>,
    /// How much it has said, or tried to.
    said: u32,
}

impl Host {
    async fn speak(mut self, end: Instant) {
        while Instant::now() < end {
            sleep(Duration::from_millis(self.rng.random_range(50..1_500))).await;
            let code = ROOMS[self.rng.random_range(0..ROOMS.len())];
            if self.rng.random_bool(0.2) {
                self.keep(code).await;
                continue;
            }
            // Now and then what was said long ago, in this life of the room or in another.
            let number = if self.rng.random_bool(0.2) { self.rng.random_range(0..=self.said) } else { self.said + 1 };
            self.said = self.said.max(number);
            self.say(code, number).await;
        }
    }

    /// Makes a room, keeps the one that is there, or lets go of it. Whether that has succeeded the log says.
    async fn keep(&mut self, code: &str) {
        let room = RoomCode::parse(code).expect("the rooms of a world are valid");
        let place = self.rng.random_range(0..self.fronts.len());
        let Some(server) = lock(&self.fronts[place]).clone() else { return };
        let room = server.engine.room(&room);
        let done = async {
            match self.rng.random_range(0..4) {
                0 | 1 => {
                    let topic = Topic::parse("the host's").expect("a valid topic");
                    room.create(RoomOptions::new().topic(topic)).await.map(drop)
                }
                2 => room.keep().await.map(drop),
                _ => room.let_go().await.map(drop),
            }
        };
        let _ = timeout(PATIENCE, done).await;
    }

    /// Says one thing, until somebody knows that it is said, or that there is nobody to hear it.
    async fn say(&mut self, code: &str, number: u32) {
        let room = RoomCode::parse(code).expect("the rooms of a world are valid");
        let (name, text) = (HOST_NAMES[number as usize % HOST_NAMES.len()], format!("what the host says {number}"));
        let key = Key::parse(&format!("host:{number}")).expect("visible ASCII");
        for _ in 0..TRIES {
            let place = self.rng.random_range(0..self.fronts.len());
            let server = lock(&self.fronts[place]).clone();
            if let Some(server) = server {
                let room = server.engine.room(&room);
                let said = timeout(PATIENCE, room.say(name, text.as_str()).with_key(key.clone()).into_future()).await;
                match said {
                    Ok(Ok(receipt)) => {
                        if !self.truth.has_said(code, receipt.seq, &text) {
                            let how = format!("{code}: the host is told {receipt:?} of {text:?}, which nobody knows");
                            self.truth.note(Broken { promise: Promise::Receipt, how });
                        }
                        return;
                    }
                    Ok(Err(reject)) if reject.retry_after.is_none() => return,
                    _ => {}
                }
            }
            sleep(Duration::from_millis(self.rng.random_range(100..2_000))).await;
        }
    }
}
