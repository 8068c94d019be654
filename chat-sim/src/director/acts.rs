//! What befalls a world beside what its people do: servers that come and go, clocks and logs that are wrong, and the acts of its host.

use std::num::NonZeroU32;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chat_core::{BanId, BanTerms, MemberId, Moderation, RoomCode, Seq};
use chat_testkit::logs::{Call, Delay, Fault, Operation, Outcome};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::time::Instant;

use super::{Director, People, check_gaps};
use crate::locks::lock;
use crate::plan::ROOMS;
use crate::promise::Broken;
use crate::server::Server;

/// Milliseconds: how far a clock that is wrong is ahead.
const YEARS: i64 = 5 * 365 * 86_400_000;

impl Director {
    /// One thing after the other until the storm is over.
    pub(super) async fn storm(&mut self, people: &mut People, end: Instant) -> Result<(), Broken> {
        while Instant::now() < end {
            let wait = self.rng.random_range(100..4_000);
            self.pass(people, Duration::from_millis(wait)).await?;
            self.act(people).await?;
        }
        Ok(())
    }

    async fn act(&mut self, people: &mut People) -> Result<(), Broken> {
        if let Some(parts) = self.ground.plan.parts
            && self.part(parts)
        {
            return Ok(());
        }
        if self.rng.random_bool(self.ground.plan.wrong.restarts) {
            return self.restart(people).await;
        }
        let wrong = self.ground.plan.wrong;
        if wrong.log_fails > 0.0 && self.rng.random_bool(wrong.outages) {
            let is_out = self.outage.load(Ordering::Relaxed);
            self.set_outage(!is_out);
            return Ok(());
        }
        match self.rng.random_range(0..10) {
            0..3 => self.moderate(),
            3 => {
                let step = self.rng.random_range(-5_000..5_000);
                self.note(format_args!("the wall clock is set by {step} ms"));
                self.ground.clock.step(step);
            }
            4 => self.be_wrong(people).await?,
            5..8 => self.set_outage(false),
            _ => {}
        }
        Ok(())
    }

    /// The wall clock is years ahead for a while.
    async fn be_wrong(&mut self, people: &mut People) -> Result<(), Broken> {
        self.note("the wall clock is years ahead");
        self.ground.clock.set_ahead(YEARS);
        let passed = self.pass(people, Duration::from_secs(5)).await;
        self.ground.clock.set_ahead(0);
        self.note("the wall clock is right");
        passed
    }

    pub(super) fn set_outage(&self, is_out: bool) {
        if self.outage.swap(is_out, Ordering::Relaxed) != is_out {
            self.note(if is_out { "the log is out of reach" } else { "the log is back" });
            self.ground.truth.log_is_out(is_out);
        }
    }

    /// A server goes down, at once or in an orderly way, and another one comes up in its place after a while.
    async fn restart(&mut self, people: &mut People) -> Result<(), Broken> {
        let place = self.place();
        let server = lock(&self.fronts[place]).take_if(|server| !server.is_frozen());
        let Some(server) = server else { return Ok(()) };
        if self.rng.random_bool(0.5) {
            self.note(format_args!("the server{} drains", self.in_place(place)));
            let spread = Duration::from_millis(self.rng.random_range(0..2_000));
            let engine = server.engine.clone();
            let drained = tokio::spawn(async move { engine.drain(spread).await });
            while !drained.is_finished() {
                self.pass(people, Duration::from_millis(500)).await?;
            }
        }
        self.note(format_args!("the server{} is gone", self.in_place(place)));
        let stats = server.crash();
        drop(server);
        self.ground.truth.reads.restart();
        if !self.ground.plan.has_log {
            self.ground.truth.lose_all();
        }
        check_gaps(stats.gaps_unblocked)?;
        let wait = self.rng.random_range(0..6_000);
        self.pass(people, Duration::from_millis(wait)).await?;
        self.start(place);
        self.sweep();
        Ok(())
    }

    pub(super) fn start(&mut self, place: usize) {
        self.servers += 1;
        self.note(format_args!("server {} is up{}", self.servers, self.in_place(place)));
        let seed = self.rng.random();
        let off = self.ground.plan.parts.map_or(0, |parts| self.rng.random_range(-parts.clock_off..=parts.clock_off));
        let server = Server::start(&self.ground, place, seed, off);
        *lock(&self.fronts[place]) = Some(server);
    }

    /// Every server visits every room. Several do so by themselves, each the rooms that it decides for.
    pub(super) fn sweep(&self) {
        if self.fronts.len() > 1 {
            return;
        }
        for server in self.servers() {
            tokio::spawn(Server::sweep(server.engine.clone(), Arc::clone(&self.ground.log)));
        }
    }

    /// Some place for a server, drawn where there are several.
    fn place(&mut self) -> usize {
        if self.fronts.len() > 1 { self.rng.random_range(0..self.fronts.len()) } else { 0 }
    }

    /// Which place that is, where there are several.
    fn in_place(&self, place: usize) -> String {
        if self.fronts.len() > 1 { format!(" in place {place}") } else { String::new() }
    }

    /// The host acts in some room, if there is one, by some server.
    fn moderate(&mut self) {
        let code = ROOMS[self.rng.random_range(0..ROOMS.len())];
        let moderation = match self.rng.random_range(0..10) {
            _ if self.ground.plan.kicks => self.kick(code),
            0..8 if self.ground.plan.bans => self.ban(code),
            0..4 => Moderation::Redact(Seq(self.rng.random_range(1..60))),
            4..9 => self.kick(code),
            _ => Moderation::Close,
        };
        let place = self.place();
        self.note(format_args!("{code} {moderation:?}{}", self.in_place(place)));
        let Some(server) = lock(&self.fronts[place]).clone() else { return };
        let engine = server.engine.clone();
        tokio::spawn(async move {
            let room = RoomCode::parse(code).expect("the rooms of a world are valid");
            // Whether there is such a room, member or message is for the engine to say.
            let _ = engine.moderate(&room, moderation).await;
        });
    }

    fn kick(&mut self, code: &str) -> Moderation {
        Moderation::Kick(self.somebody(code))
    }

    /// Keeps somebody out with all who come from where they do, mostly for a while; or lets somebody in again.
    fn ban(&mut self, code: &str) -> Moderation {
        if self.rng.random_bool(0.3) {
            return Moderation::Unban(BanId(self.rng.random_range(1..8)));
        }
        let minutes = if self.rng.random_bool(0.8) { NonZeroU32::new(1) } else { None };
        Moderation::BanOn(self.somebody(code), BanTerms::lasting(minutes).with_network())
    }

    /// Mostly somebody who is there.
    fn somebody(&mut self, code: &str) -> MemberId {
        let present = self.ground.truth.present(code);
        let one = present.get(self.rng.random_range(0..8)).copied();
        one.unwrap_or(MemberId(self.rng.random_range(1..8)))
    }

    /// From now on calls of the log fail, are slow, or lose their answer.
    pub(super) fn trouble_log(&mut self) {
        let wrong = self.ground.plan.wrong;
        let rng = Mutex::new(StdRng::seed_from_u64(self.rng.random()));
        let outage = Arc::clone(&self.outage);
        // The plan is part of the log.
        let log = Arc::downgrade(&self.ground.log);
        self.ground.log.plan(move |call: &Call| {
            let mut rng = lock(&rng);
            let delay = |rng: &mut StdRng| match rng.random_bool(wrong.log_slow) {
                true => Delay::For(Duration::from_millis(rng.random_range(1..150))),
                false => Delay::None,
            };
            let (before, after) = (delay(&mut rng), delay(&mut rng));
            // There are few scrubs in a world.
            let share = if call.operation == Operation::Amend { 4.0 } else { 1.0 };
            let fails = outage.load(Ordering::Relaxed) || rng.random_bool(share * wrong.log_fails);
            if call.operation == Operation::Append
                && fails
                && rng.random_bool(wrong.others)
                && let (Some(log), Some(room)) = (log.upgrade(), &call.room)
            {
                log.inner().intrude(room);
            }
            let outcome = match (call.operation, fails) {
                (_, false) => Outcome::Done,
                (Operation::Append, true) => match rng.random_range(0..4) {
                    0 => Outcome::Fails,
                    1 => Outcome::AnswerLost,
                    2 => Outcome::NotDone,
                    _ => Outcome::Conflict,
                },
                (_, true) => Outcome::Fails,
            };
            Some(Fault { before, outcome, after })
        });
    }
}
