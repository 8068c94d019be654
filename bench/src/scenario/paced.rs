//! Rooms in which people speak at a steady rate, whatever the server does: CPU per delivery, and how late messages come.

use std::io;
use std::time::{Duration, Instant};

use super::{Figures, Ground, gather, put, put_census, put_rounded, put_verdict, put_window, seats};
use crate::crowd::{Crowd, Pen};
use crate::meter::Mark;
use crate::protocol::{Protocol, Seat};
use crate::stamp::{Finder, Stamp, blank_text};
use crate::tally::Tally;

const PATIENCE: Duration = Duration::from_secs(3);
const LATENCIES_MAX: usize = 4_000_000;

/// How much of it.
#[derive(Debug, Clone, Copy)]
pub struct Paced {
    /// Rooms; members speak one after the other, a room at a time.
    pub rooms: usize,
    /// Members of each room.
    pub room_size: usize,
    /// How many of each room's members speak.
    pub senders: usize,
    /// Messages per second over all rooms.
    pub rate: u32,
    /// What is not counted in figures (only checked).
    pub warmup: Duration,
    /// The measured part of the run, at its end.
    pub window: Duration,
}

/// Runs it.
pub fn paced<P: Protocol>(protocol: P, ground: &Ground, plan: &Paced) -> io::Result<Figures> {
    let Paced { rooms, room_size, rate, .. } = *plan;
    let mut crowd = Crowd::new(protocol, ground.server, ground.deadline)?;
    gather(&mut crowd, &seats(0, rooms * room_size, room_size))?;
    let mut speech = Speech::new(plan, ground);
    speech.run(&mut crowd, ground, plan.warmup)?;
    speech.forget_latencies();
    let (from, before) = (Mark::now(ground.process)?, speech.tally.delivered());
    speech.run(&mut crowd, ground, plan.window)?;
    let (to, after) = (Mark::now(ground.process)?, speech.tally.delivered());
    crowd.settle(Duration::from_millis(50))?;

    let (window, delivered) = (from.until(&to), after - before);
    let mut figures = Figures::new();
    put(&mut figures, "rooms", rooms);
    put(&mut figures, "room_size", room_size);
    put(&mut figures, "rate", rate);
    put_rounded(&mut figures, "deliveries_per_s", delivered as f64 / window.seconds);
    put_rounded(&mut figures, "server_us_per_delivery", window.server_us_per(delivered));
    speech.put_latencies(&mut figures);
    put_window(&mut figures, &window);
    put_verdict(&mut figures, &speech.tally.verdict(&speech.sent));
    put_census(&mut figures, crowd.census(), crowd.faults());
    Ok(figures)
}

/// What has been said so far, and when it was heard.
pub(super) struct Speech<'a> {
    plan: &'a Paced,
    pub(super) tally: Tally,
    finder: Finder,
    pub(super) sent: Vec<u32>,
    text: Vec<u8>,
    start: Instant,
    latencies_ns: Vec<u64>,
}

impl<'a> Speech<'a> {
    /// Nothing yet, by people who are all in their rooms.
    pub(super) fn new(plan: &'a Paced, ground: &Ground) -> Self {
        let members = plan.rooms * plan.room_size;
        Self {
            plan,
            tally: Tally::new(members, plan.room_size, plan.senders),
            finder: Finder::default(),
            sent: vec![0; members],
            text: blank_text(ground.text_bytes),
            start: Instant::now(),
            latencies_ns: Vec::with_capacity(LATENCIES_MAX.min(1 << 20)),
        }
    }

    /// What was heard so far is not counted in quantiles.
    pub(super) fn forget_latencies(&mut self) {
        self.latencies_ns.clear();
    }

    /// Quantiles of what was heard and not forgotten.
    pub(super) fn put_latencies(&mut self, figures: &mut Figures) {
        self.latencies_ns.sort_unstable();
        for (name, share) in [("p50_us", 0.5), ("p90_us", 0.9), ("p99_us", 0.99), ("p999_us", 0.999), ("max_us", 1.0)] {
            put_rounded(figures, name, quantile_us(&self.latencies_ns, share));
        }
    }

    /// Speaks for `time`, then listens until everything has come, so that the server's work is all inside.
    pub(super) fn run<P: Protocol>(&mut self, crowd: &mut Crowd<P>, ground: &Ground, time: Duration) -> io::Result<()> {
        let begin = Instant::now();
        let interval = Duration::from_secs(1) / self.plan.rate;
        let count = (time.as_secs_f64() * f64::from(self.plan.rate)) as u32;
        for turn in 0..count {
            let due = begin + interval * turn;
            loop {
                let now = Instant::now();
                if now >= due {
                    break;
                }
                self.listen(crowd, ground.waiting.until(due - now))?;
            }
            let sender = self.sender(turn as usize);
            let at_ns = self.start.elapsed().as_nanos() as u64;
            Stamp { sender: sender as u32, number: self.sent[sender], at_ns }.put(&mut self.text);
            self.sent[sender] += 1;
            crowd.say(sender, 0, &self.text)?;
        }
        let (mut seen, mut since) = (self.tally.delivered(), Instant::now());
        while !self.tally.is_complete(&self.sent) && since.elapsed() < PATIENCE {
            self.listen(crowd, ground.waiting.at_most(Duration::from_millis(20)))?;
            if self.tally.delivered() != seen {
                (seen, since) = (self.tally.delivered(), Instant::now());
            }
        }
        Ok(())
    }

    /// Rooms take turns, and so do the speakers of each.
    fn sender(&self, turn: usize) -> usize {
        let (room, round) = (turn % self.plan.rooms, turn / self.plan.rooms);
        room * self.plan.room_size + round % self.plan.senders
    }

    fn listen<P: Protocol>(&mut self, crowd: &mut Crowd<P>, wait: Duration) -> io::Result<()> {
        let Self { tally, finder, start, latencies_ns, .. } = self;
        crowd.turn(wait, &mut |seat: &Seat, payload: &[u8], _: &mut Pen<'_, P>| {
            let Some(stamp) = finder.find(payload) else { return };
            tally.count(seat.member, stamp.sender, stamp.number);
            if latencies_ns.len() < LATENCIES_MAX {
                latencies_ns.push((start.elapsed().as_nanos() as u64).saturating_sub(stamp.at_ns));
            }
        })
    }
}

fn quantile_us(sorted_ns: &[u64], share: f64) -> f64 {
    let Some(last) = sorted_ns.len().checked_sub(1) else { return 0.0 };
    sorted_ns[(last as f64 * share).round() as usize] as f64 / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_sorted_list() {
        let list: Vec<u64> = (0..=100).map(|i| i * 1000).collect();
        assert_eq!(quantile_us(&list, 0.5), 50.0);
        assert_eq!(quantile_us(&list, 0.99), 99.0);
        assert_eq!(quantile_us(&list, 1.0), 100.0);
        assert_eq!(quantile_us(&[], 0.5), 0.0);
    }
}
