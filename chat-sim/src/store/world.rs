//! One seed is one schedule: servers, the engine of record, and what befalls them; and what must be so all the time.

use std::collections::{BTreeMap, BTreeSet};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::engine::{Engine, Seen, StatementId, Step};
use super::rows::{Change, Life, Rows, Said};
use super::servers::{Server, slot_of};
use super::told::{Told, readable};
use super::what::{Bug, Key, What};

/// How a schedule ended.
#[derive(Debug)]
pub struct Schedule {
    /// What was answered to be stored.
    pub acked: usize,
    /// How often a statement was seen to change something.
    pub changes: usize,
    /// The promise that did not hold.
    pub broken: Option<String>,
}

const STEPS: usize = 1_500;
const SERVERS: usize = 3;

/// Plays a schedule.
pub fn play(seed: u64, bug: Option<Bug>) -> Schedule {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut play = Play {
        engine: Engine::new(bug),
        servers: (0..SERVERS).map(|_| Server::new(bug)).collect(),
        told: Told::default(),
        places: BTreeMap::new(),
        changes: 0,
        // Some schedules are calm, and some are nothing but trouble.
        trouble: [0.0, 0.02, 0.06][rng.random_range(0..3)],
        held: BTreeSet::new(),
    };
    for _ in 0..STEPS {
        if play.told.broken.is_some() {
            break;
        }
        play.step(&mut rng);
    }
    play.calm(&mut rng);
    Schedule { acked: play.told.acked.len(), changes: play.changes, broken: play.told.broken }
}

struct Play {
    engine: Engine,
    servers: Vec<Server>,
    told: Told,
    /// Where each thing was said.
    places: BTreeMap<Said, (Life, u32)>,
    changes: usize,
    trouble: f64,
    held: BTreeSet<StatementId>,
}

impl Play {
    fn step(&mut self, rng: &mut StdRng) {
        if rng.random_bool(self.trouble) {
            self.befall(rng);
        } else if rng.random_bool(0.35) {
            let index = rng.random_range(0..self.servers.len());
            self.servers[index].act(&mut self.engine, &mut self.told, rng);
        } else {
            self.go_on(rng);
        }
        self.look();
    }

    /// The engine makes a step; some statements are held up for long.
    fn go_on(&mut self, rng: &mut StdRng) {
        if rng.random_bool(0.03) {
            self.held.clear();
        }
        let steps = self.engine.steps();
        let of_free = |step: &&Step| step.statement().is_none_or(|id| !self.held.contains(&id));
        let free: Vec<Step> = steps.iter().filter(of_free).copied().collect();
        match pick(&free, rng) {
            // The standby is behind most of the time.
            Some(Step::Send) if rng.random_bool(0.7) => {}
            Some(step) if rng.random_bool(0.1) => self.held.extend(step.statement()),
            Some(step) => self.engine.step(step),
            None if steps.is_empty() => drop(self.break_circle(rng)),
            None => self.held.clear(),
        }
    }

    /// Something goes wrong.
    fn befall(&mut self, rng: &mut StdRng) {
        let running: Vec<_> = self.engine.running().map(|(id, what)| (id, what.writer())).collect();
        let one = pick(&running, rng);
        match (rng.random_range(0..40), one) {
            (0..=2, _) => {
                self.engine.promote();
                self.places.clear();
                self.look_at_records();
            }
            (3 | 4, _) => self.engine.restart(),
            (5..=12, Some((id, _))) => self.engine.cut(id),
            (13..=16, Some((id, Some(_)))) => self.engine.strand(id),
            (17..=24, Some((_, Some(writer)))) => self.engine.terminate(writer),
            (_, Some((id, _))) => self.engine.cancel(id),
            _ => {}
        }
    }

    /// Nothing goes wrong any more, and everything comes to its end.
    fn calm(&mut self, rng: &mut StdRng) {
        self.engine.stranded().into_iter().for_each(|writer| self.engine.terminate(writer));
        self.look();
        while self.told.broken.is_none() {
            match pick(&self.engine.steps(), rng) {
                Some(step) => self.engine.step(step),
                None if !self.break_circle(rng) => break,
                None => {}
            }
            self.look();
        }
        if self.told.broken.is_none() && self.engine.running().next().is_some() {
            let left: Vec<_> = self.engine.running().map(|(_, what)| what.clone()).collect();
            self.breaks(format!("these never come to their end: {left:?}"));
        }
        self.check_all();
    }

    /// The engine ends one of those that wait for each other. Such circles there may be about slots and nodes, where whoever is refused
    /// looks again; never about rooms, of which a refusal would be heard by people.
    fn break_circle(&mut self, rng: &mut StdRng) -> bool {
        let Some(circle) = self.engine.circle() else { return false };
        if circle.iter().any(|(_, key)| matches!(key, Key::Tail(_))) {
            let of_circle = |id| circle.iter().any(|(other, _)| *other == id);
            let what: Vec<_> = self.engine.running().filter(|(id, _)| of_circle(*id)).map(|(_, what)| what).collect();
            let broken = format!("these wait for each other: {what:?}");
            self.breaks(broken);
        }
        if let Some((id, _)) = pick(&circle, rng) {
            self.engine.cancel(id);
        }
        true
    }

    /// Passes on answers, and looks at what has come to be seen.
    fn look(&mut self) {
        for seen in std::mem::take(&mut self.engine.seen) {
            self.changes += 1;
            self.check(&seen);
        }
        for (id, answer) in std::mem::take(&mut self.engine.answers) {
            for server in &mut self.servers {
                server.hear(id, answer.clone(), &self.engine, &mut self.told);
            }
        }
    }

    /// Each thing is there once, and nothing is that was found not to be.
    fn look_at_records(&mut self) {
        for ((life, number), said) in self.engine.rows.records.clone() {
            if self.told.absent.contains(&(life, number, said)) {
                self.breaks(format!("{said:?} was found not to be there, and came after all"));
            }
            if self.places.insert(said, (life, number)).is_some() {
                self.breaks(format!("{said:?} was said twice"));
            }
        }
    }

    fn breaks(&mut self, what: String) {
        self.told.broken.get_or_insert(what);
    }

    /// What a statement was seen to change was its to change.
    fn check(&mut self, seen: &Seen) {
        let rows = &seen.rows;
        for change in &seen.changes {
            match *change {
                Change::Tail(code, tail) if matches!(seen.what, What::Append(..) | What::Claim(..)) => {
                    let slot = rows.slots.get(&slot_of(code)).copied().unwrap_or_default();
                    let node = seen.what.writer().and_then(|writer| rows.writers.get(&writer)).copied();
                    if node.is_none() || slot.node != node || slot.term != tail.term {
                        let by = format!("{node:?} under term {}", tail.term);
                        return self.breaks(format!("{code:?} is {slot:?}, and was written by {by}: {:?}", seen.what));
                    }
                }
                Change::Record(life, number, said) => {
                    if self.told.absent.contains(&(life, number, said)) {
                        return self.breaks(format!("{said:?} was found not to be there, and came after all"));
                    }
                    if self.places.insert(said, (life, number)).is_some_and(|place| place != (life, number)) {
                        return self.breaks(format!("{said:?} was said twice"));
                    }
                }
                _ => {}
            }
        }
    }

    /// At the end: all that was acked is there, and nothing is left of what has ended.
    fn check_all(&mut self) {
        let rows = self.engine.rows.clone();
        for (life, number, said) in self.told.acked.clone() {
            let tail = rows.tails.values().find(|tail| tail.life == life);
            let is_over = self.engine.has_ended(life) && self.engine.has_closed(life);
            let is_gone = tail.is_some_and(|tail| number < tail.first) || is_over;
            if !is_gone && rows.records.get(&(life, number)) != Some(&said) {
                self.breaks(format!("{said:?} was acked as {number} of {life:?}, and is not there"));
            }
        }
        self.places.clear();
        self.look_at_records();
        for tail in rows.tails.values() {
            if let Err(how) = readable(&rows, tail) {
                self.breaks(how);
            }
        }
        if let Some(life) = left_over(&rows) {
            self.breaks(format!("{life:?} is neither there nor to be emptied, and something of it is left"));
        }
    }
}

fn left_over(rows: &Rows) -> Option<Life> {
    let is_known = |life: &Life| rows.tails.values().any(|tail| tail.life == *life) || rows.graves.contains(life);
    let stored = rows.records.keys().map(|(life, _)| *life).chain(rows.snapshots.keys().copied());
    stored.into_iter().find(|life| !is_known(life))
}

fn pick<T: Copy>(from: &[T], rng: &mut StdRng) -> Option<T> {
    (!from.is_empty()).then(|| from[rng.random_range(0..from.len())])
}
