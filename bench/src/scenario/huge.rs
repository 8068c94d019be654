//! One very large room: what a join costs as it fills, and how late a message reaches the last of its members.

use std::io;
use std::time::Duration;

use super::paced::{Paced, Speech};
use super::{ENTERING_MAX, Figures, Ground, put, put_census, put_rounded, put_verdict, put_window, seats};
use crate::crowd::Crowd;
use crate::meter::Mark;
use crate::protocol::Protocol;

/// How much of it.
#[derive(Debug, Clone, Copy)]
pub struct Huge {
    /// Members of the room, at last.
    pub members: usize,
    /// Joins whose cost is taken as one figure: those after `small` members, and the last.
    pub stretch: usize,
    /// Members with whom the room counts as small yet.
    pub small: usize,
    /// Messages, once all are in.
    pub messages: u32,
    /// Messages per second; a room that cannot tell one before the next comes shows it as latency.
    pub rate: u32,
}

/// Runs it. Connecting comes before everything, so that only joins are in the cost of a join.
pub fn huge<P: Protocol>(protocol: P, ground: &Ground, plan: &Huge) -> io::Result<Figures> {
    let Huge { members, stretch, small, messages, rate } = *plan;
    if small + 2 * (stretch + 2 * LONE) > members {
        return Err(io::Error::other("the room is too small for two stretches"));
    }
    let mut crowd = Crowd::new(protocol, ground.server, ground.deadline)?;
    crowd.connect(&seats(0, members, members))?;
    crowd.enter(&[0], 1)?;
    enter(&mut crowd, 1, small)?;
    let near = Stretch::measured(&mut crowd, ground, small, stretch)?;
    enter(&mut crowd, small + stretch + 2 * LONE, members - stretch - 2 * LONE)?;
    let far = Stretch::measured(&mut crowd, ground, members - stretch - 2 * LONE, stretch)?;

    // One speaks; the first message is warm-up.
    let (warmup, window) = (Duration::from_secs(1) / rate, Duration::from_secs(1) * messages / rate);
    let pace = Paced { rooms: 1, room_size: members, senders: 1, rate, warmup, window };
    let mut speech = Speech::new(&pace, ground);
    speech.run(&mut crowd, ground, pace.warmup)?;
    speech.forget_latencies();
    let (from, before) = (Mark::now(ground.process)?, speech.tally.delivered());
    speech.run(&mut crowd, ground, pace.window)?;
    let (to, after) = (Mark::now(ground.process)?, speech.tally.delivered());
    crowd.settle(Duration::from_millis(50))?;

    let window = from.until(&to);
    let mut figures = Figures::new();
    put(&mut figures, "members", members);
    for (stretch, size) in [(&near, "small"), (&far, "huge")] {
        put_rounded(&mut figures, &format!("server_us_per_join_{size}"), stretch.join.us);
        put_rounded(&mut figures, &format!("signals_per_join_{size}"), stretch.join.signals);
        put_rounded(&mut figures, &format!("server_us_per_signal_{size}"), stretch.signal_us);
    }
    put_rounded(&mut figures, "join_growth", far.without_signals() / near.without_signals());
    put_rounded(&mut figures, "server_us_per_delivery", window.server_us_per(after - before));
    speech.put_latencies(&mut figures);
    put_window(&mut figures, &window);
    put_verdict(&mut figures, &speech.tally.verdict(&speech.sent));
    put_census(&mut figures, crowd.census(), crowd.faults());
    Ok(figures)
}

fn enter<P: Protocol>(crowd: &mut Crowd<P>, from: usize, to: usize) -> io::Result<()> {
    crowd.enter(&(from..to).collect::<Vec<_>>(), ENTERING_MAX)
}

/// Joins of one person alone, from which the cost of a signal is taken: so many before a stretch, and after it.
const LONE: usize = 3;

/// What joins have cost at one size of the room.
struct Stretch {
    join: Cost,
    /// Microseconds for one count of those present, told to one member.
    signal_us: f64,
}

/// What a join has cost the server, in microseconds, and how many counts of those present were told for each.
struct Cost {
    us: f64,
    signals: f64,
}

impl Stretch {
    /// `count` joins in a row, between some by people who come alone.
    fn measured<P: Protocol>(crowd: &mut Crowd<P>, ground: &Ground, from: usize, count: usize) -> io::Result<Self> {
        let (mut us, mut signals) = (0.0, 0.0);
        let mut alone = |crowd: &mut Crowd<P>, from: usize| {
            for next in from..from + LONE {
                let lone = measured(crowd, ground, next, next + 1)?;
                us += lone.us;
                signals += lone.signals;
            }
            io::Result::Ok(from + LONE)
        };
        let from = alone(crowd, from)?;
        let join = measured(crowd, ground, from, from + count)?;
        alone(crowd, from + count)?;
        Ok(Self { join, signal_us: if signals > 0.0 { us / signals } else { 0.0 } })
    }

    /// Counts go to every member once a second, however many join: they are a cost of the room and its size, not of a join. What one
    /// costs is what a lone join costs, which is told to thousands.
    fn without_signals(&self) -> f64 {
        self.join.us - self.join.signals * self.signal_us
    }
}

fn measured<P: Protocol>(crowd: &mut Crowd<P>, ground: &Ground, from: usize, to: usize) -> io::Result<Cost> {
    crowd.settle(Duration::from_millis(1200))?;
    let (before, told_before) = (Mark::now(ground.process)?, crowd.census().signals);
    enter(crowd, from, to)?;
    crowd.settle(Duration::from_millis(1200))?;
    let after = Mark::now(ground.process)?;
    let signals = (crowd.census().signals - told_before) as f64 / (to - from) as f64;
    Ok(Cost { us: before.until(&after).server_us_per((to - from) as u64), signals })
}
