//! One room, as many messages as the server can deliver: each sender says its next message when its own echo comes back.

use std::io;
use std::time::{Duration, Instant};

use super::{Figures, Ground, gather, put, put_census, put_rounded, put_verdict, put_window, seats};
use crate::crowd::{Crowd, Pen};
use crate::meter::Mark;
use crate::protocol::{Protocol, Seat};
use crate::stamp::{Finder, NUMBER_MAX, Stamp, blank_text};
use crate::tally::Tally;

/// How long nothing may come before what is missing counts as lost.
const PATIENCE: Duration = Duration::from_secs(3);
/// A sender that has heard nothing of its own for so long counts what it has in flight as lost, and goes on.
const STALL: Duration = Duration::from_secs(1);
const TURN_MAX: Duration = Duration::from_millis(20);

/// How much of it.
#[derive(Debug, Clone, Copy)]
pub struct Saturation {
    /// Members of the room.
    pub members: usize,
    /// How many of them send.
    pub senders: usize,
    /// Messages each of those has in flight. More than 32 are refused by servers that keep to the protocol's limit.
    pub in_flight: u32,
    /// What is not counted in figures (only checked).
    pub warmup: Duration,
    /// The measured part of the run, at its end.
    pub window: Duration,
}

/// What has been said so far, by line: a stretch of messages that are numbered together and come in order.
///
/// A sender has one line with all it has in flight. Where it speaks over several connections the server may take from them in any
/// order, so each is a line of its own, with one message in flight.
struct Said {
    sent: Vec<u32>,
    text: Vec<u8>,
    start: Instant,
    lines_per_sender: usize,
    lines: usize,
    in_flight: u32,
}

impl Said {
    fn by<P: Protocol>(ground: &Ground, plan: &Saturation) -> Self {
        let (lines_per_sender, in_flight) = if P::VOICE { (plan.in_flight as usize, 1) } else { (1, plan.in_flight) };
        let (text, start) = (blank_text(ground.text_bytes), Instant::now());
        let lines = plan.senders * lines_per_sender;
        Self { sent: vec![0; plan.members], text, start, lines_per_sender, lines, in_flight }
    }

    /// Who speaks this line, and over which of its connections.
    fn speaker(&self, line: usize) -> (usize, usize) {
        (line / self.lines_per_sender, line % self.lines_per_sender)
    }

    fn next(&mut self, line: usize) -> &[u8] {
        let number = self.sent[line];
        self.sent[line] += 1;
        Stamp { sender: line as u32, number, at_ns: self.start.elapsed().as_nanos() as u64 }.put(&mut self.text);
        &self.text
    }
}

/// Runs it.
pub fn saturation<P: Protocol>(protocol: P, ground: &Ground, plan: &Saturation) -> io::Result<Figures> {
    let Saturation { members, senders, in_flight, .. } = *plan;
    let mut crowd = Crowd::new(protocol, ground.server, ground.deadline)?;
    gather(&mut crowd, &seats(0, members, members))?;

    let mut said = Said::by::<P>(ground, plan);
    if said.lines > members {
        return Err(io::Error::other("more is in flight than there are members to number it by"));
    }
    let mut tally = Tally::new(members, members, said.lines);
    let mut finder = Finder::default();
    for line in 0..said.lines {
        for _ in 0..said.in_flight {
            let (member, lane) = said.speaker(line);
            crowd.say(member, lane, said.next(line))?;
        }
    }

    let (mut from, mut to) = (None, None);
    let mut last_echo = vec![(0, Instant::now()); said.lines];
    let (mut next_look, mut stalls) = (Instant::now() + STALL, 0_u64);
    while to.is_none() {
        turn(&mut crowd, ground, &mut tally, &mut finder, &mut |member, line, tally, pen| {
            let (speaker, lane) = said.speaker(line);
            if speaker != member || line >= said.lines {
                return;
            }
            // After a loss more than one is due.
            while said.sent[line] - tally.heard(member, line) < said.in_flight && said.sent[line] < NUMBER_MAX {
                pen.say(lane, said.next(line));
            }
        })?;
        let now = Instant::now();
        if from.is_none() && now - said.start >= plan.warmup {
            from = Some((Mark::now(ground.process)?, tally.delivered(), crowd.census().reads));
        }
        if now - said.start >= plan.warmup + plan.window {
            to = Some((Mark::now(ground.process)?, tally.delivered(), crowd.census().reads));
        }
        if now >= next_look {
            next_look = now + STALL;
            for (line, (echoed, since)) in last_echo.iter_mut().enumerate() {
                let (member, lane) = said.speaker(line);
                if tally.heard(member, line) != *echoed {
                    (*echoed, *since) = (tally.heard(member, line), now);
                } else if now - *since >= STALL {
                    stalls += 1;
                    crowd.say(member, lane, said.next(line))?;
                }
            }
        }
    }
    let (Some((from, delivered_before, reads_before)), Some((to, delivered_after, reads_after))) = (from, to) else {
        return Err(io::Error::other("the window has neither beginning nor end"));
    };

    let (mut seen, mut since) = (tally.delivered(), Instant::now());
    while !tally.is_complete(&said.sent) && since.elapsed() < PATIENCE {
        turn(&mut crowd, ground, &mut tally, &mut finder, &mut |_, _, _, _| {})?;
        if tally.delivered() != seen {
            (seen, since) = (tally.delivered(), Instant::now());
        }
    }
    crowd.settle(Duration::from_millis(50))?;

    let window = from.until(&to);
    let delivered = delivered_after - delivered_before;
    let mut figures = Figures::new();
    put(&mut figures, "members", members);
    put(&mut figures, "senders", senders);
    put(&mut figures, "in_flight", in_flight);
    put_rounded(&mut figures, "deliveries_per_s", delivered as f64 / window.seconds);
    put_rounded(&mut figures, "server_us_per_delivery", window.server_us_per(delivered));
    put_rounded(&mut figures, "deliveries_per_read", delivered as f64 / (reads_after - reads_before).max(1) as f64);
    put_window(&mut figures, &window);
    put_verdict(&mut figures, &tally.verdict(&said.sent));
    put(&mut figures, "sender_stalls", stalls);
    put_census(&mut figures, crowd.census(), crowd.faults());
    Ok(figures)
}

/// One turn; `heard` is told who has got a message of which line.
fn turn<P: Protocol>(
    crowd: &mut Crowd<P>,
    ground: &Ground,
    tally: &mut Tally,
    finder: &mut Finder,
    heard: &mut impl FnMut(usize, usize, &Tally, &mut Pen<'_, P>),
) -> io::Result<()> {
    crowd.turn(ground.waiting.at_most(TURN_MAX), &mut |seat: &Seat, payload: &[u8], pen: &mut Pen<'_, P>| {
        let Some(stamp) = finder.find(payload) else { return };
        tally.count(seat.member, stamp.sender, stamp.number);
        heard(seat.member, stamp.sender as usize, tally, pen);
    })
}
