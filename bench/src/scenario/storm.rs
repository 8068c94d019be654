//! Everybody joins one room at once, and everybody inside is told of each: what one join costs.

use std::io;
use std::time::{Duration, Instant};

use super::{Figures, Ground, put, put_census, put_rounded, put_window, seats};
use crate::crowd::Crowd;
use crate::meter::Mark;
use crate::protocol::Protocol;

const PATIENCE: Duration = Duration::from_secs(3);

/// How much of it.
#[derive(Debug, Clone, Copy)]
pub struct Storm {
    /// Members who join, the maker of the room included. Up to 1,000 each join is told to everybody inside.
    pub members: usize,
    /// Joins on the way at the same time.
    pub in_flight: usize,
}

/// Runs it. Connecting is measured too, but apart: it is mostly HTTP.
pub fn storm<P: Protocol>(protocol: P, ground: &Ground, plan: &Storm) -> io::Result<Figures> {
    let Storm { members, in_flight } = *plan;
    let mut crowd = Crowd::new(protocol, ground.server, ground.deadline)?;
    let start = Mark::now(ground.process)?;
    crowd.connect(&seats(0, members, members))?;
    crowd.enter(&[0], 1)?;
    crowd.settle(Duration::from_millis(200))?;

    let from = Mark::now(ground.process)?;
    let begin = Instant::now();
    crowd.enter(&(1..members).collect::<Vec<_>>(), in_flight)?;
    let entered = begin.elapsed();
    let expected = if P::NOTICES { (members * (members - 1) / 2) as u64 } else { 0 };
    let (mut seen, mut since) = (crowd.census().notices, Instant::now());
    while seen < expected && since.elapsed() < PATIENCE {
        crowd.turn(Duration::from_millis(20), &mut |_, _, _| {})?;
        if crowd.census().notices != seen {
            (seen, since) = (crowd.census().notices, Instant::now());
        }
    }
    let told = begin.elapsed();
    crowd.settle(Duration::from_millis(200))?;
    let to = Mark::now(ground.process)?;

    let window = from.until(&to);
    let mut figures = Figures::new();
    put(&mut figures, "members", members);
    put(&mut figures, "in_flight", in_flight);
    put_rounded(&mut figures, "server_us_per_join", window.server_us_per(members as u64 - 1));
    put_rounded(&mut figures, "server_us_per_connect", start.until(&from).server_us_per(members as u64));
    put_rounded(&mut figures, "entered_ms", entered.as_secs_f64() * 1e3);
    put_rounded(&mut figures, "told_ms", told.as_secs_f64() * 1e3);
    put(&mut figures, "notices_expected", expected);
    put(&mut figures, "clean", crowd.census().notices == expected);
    put_window(&mut figures, &window);
    put_census(&mut figures, crowd.census(), crowd.faults());
    Ok(figures)
}
