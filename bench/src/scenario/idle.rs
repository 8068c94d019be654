//! Many connections that say nothing: what each of them keeps in the server's memory.

use std::io;
use std::time::Duration;

use super::{Figures, Ground, gather, put, put_census, put_rounded, seats};
use crate::crowd::Crowd;
use crate::protocol::Protocol;
use crate::stamp::{Stamp, blank_text};

const ROOM_SIZE: usize = 4;
/// Connected before the first look, so that what a server allocates once is not counted.
const PRIMERS: usize = 40;

/// How much of it.
#[derive(Debug, Clone, Copy)]
pub struct Idle {
    /// Connections, four to a room where there are rooms.
    pub connections: usize,
    /// How long to wait before each look.
    pub settle: Duration,
}

/// Runs it. The server should be fresh: memory that it has kept from earlier connections would hide what these need.
pub fn idle<P: Protocol>(protocol: P, ground: &Ground, plan: &Idle) -> io::Result<Figures> {
    let mut crowd = Crowd::new(protocol, ground.server, ground.deadline)?;
    gather(&mut crowd, &seats(0, PRIMERS, ROOM_SIZE))?;
    crowd.settle(plan.settle)?;
    let before = ground.process.rss_kib()?;

    let connections = plan.connections.next_multiple_of(ROOM_SIZE);
    gather(&mut crowd, &seats(PRIMERS, PRIMERS + connections, ROOM_SIZE))?;
    crowd.settle(plan.settle)?;
    let after = ground.process.rss_kib()?;

    let each = |kib: u64| kib.saturating_sub(before) as f64 / connections as f64;
    let mut figures = Figures::new();
    put(&mut figures, "connections", connections);
    put_rounded(&mut figures, "kib_per_connection", each(after));
    put(&mut figures, "rss_before_kib", before);
    put(&mut figures, "rss_after_kib", after);
    if P::VOICE {
        // Speaking needs more connections, whose memory is not what is asked for.
        put_census(&mut figures, crowd.census(), crowd.faults());
        return Ok(figures);
    }
    // Once everybody has been told something, buffers that are kept show.
    let mut text = blank_text(ground.text_bytes);
    let makers = if P::ROOMS { connections / ROOM_SIZE } else { 1 };
    for maker in (0..makers).map(|room| PRIMERS + room * ROOM_SIZE) {
        Stamp { sender: maker as u32, number: 0, at_ns: 0 }.put(&mut text);
        crowd.say(maker, 0, &text)?;
    }
    crowd.settle(plan.settle)?;
    let told = ground.process.rss_kib()?;

    put_rounded(&mut figures, "kib_per_connection_after_a_message", each(told));
    put_census(&mut figures, crowd.census(), crowd.faults());
    Ok(figures)
}
