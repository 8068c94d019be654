//! What is measured: each scenario brings its members in, lets them do one thing, and gives back its figures.

mod huge;
mod idle;
mod paced;
mod saturation;
mod storm;

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::{Map, Value};

pub use huge::{Huge, huge};
pub use idle::{Idle, idle};
pub use paced::{Paced, paced};
pub use saturation::{Saturation, saturation};
pub use storm::{Storm, storm};

use crate::crowd::{Census, Crowd};
use crate::meter::{Process, Window};
use crate::protocol::{Protocol, Role, Seat};
use crate::tally::Verdict;

/// Members on their way into a room at the same time, where that is not what is measured.
const ENTERING_MAX: usize = 32;
/// Members that connect before the first of them enters, likewise. 512: the last of them is accepted long before a
/// server's patience with the first ends.
const CONNECTING_MAX: usize = 512;

/// The figures of one run, by name.
pub type Figures = Map<String, Value>;

/// What every scenario needs to know.
#[derive(Debug, Clone, Copy)]
pub struct Ground {
    /// Where the server listens.
    pub server: SocketAddr,
    /// Its process.
    pub process: Process,
    /// When the run ends with an error.
    pub deadline: Instant,
    /// Bytes of each message's text.
    pub text_bytes: usize,
    /// How the load waits for news.
    pub waiting: Waiting,
}

/// How the load waits when nothing is there to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waiting {
    /// It sleeps; waking it costs the server a little, as real readers on the same machine do.
    Sleeping,
    /// It asks again and again, so that no send of the server has to wake anybody, as if the readers were elsewhere.
    Spinning,
}

impl Waiting {
    /// How long to sleep at most when the next thing to do is due after `time`: a little less, for the kernel wakes sleepers late.
    fn until(self, time: Duration) -> Duration {
        const SLACK: Duration = Duration::from_micros(120);
        self.at_most(time.saturating_sub(SLACK))
    }

    fn at_most(self, time: Duration) -> Duration {
        match self {
            Self::Sleeping => time,
            Self::Spinning => Duration::ZERO,
        }
    }
}

/// Seats `from..to` in rooms of `room_size` members each.
fn seats(from: usize, to: usize, room_size: usize) -> Vec<Seat> {
    let role = |member: usize| if member.is_multiple_of(room_size) { Role::Maker } else { Role::Joiner };
    (from..to).map(|member| Seat { member, room: member / room_size, role: role(member) }).collect()
}

/// Connects these members and brings them into their rooms, makers first. In portions: servers end a connection that asks
/// for nothing, and some that nobody has accepted yet are dropped, to come again after seconds.
fn gather<P: Protocol>(crowd: &mut Crowd<P>, seats: &[Seat]) -> io::Result<()> {
    for seats in seats.chunks(CONNECTING_MAX) {
        crowd.connect(seats)?;
        for role in [Role::Maker, Role::Joiner] {
            let members: Vec<usize> = seats.iter().filter(|seat| seat.role == role).map(|seat| seat.member).collect();
            crowd.enter(&members, ENTERING_MAX)?;
        }
    }
    crowd.settle(Duration::from_millis(200))
}

fn put(figures: &mut Figures, name: &str, value: impl Into<Value>) {
    figures.insert(name.to_owned(), value.into());
}

/// A figure with three decimals: more digits would only pretend.
fn put_rounded(figures: &mut Figures, name: &str, value: f64) {
    put(figures, name, (value * 1e3).round() / 1e3);
}

fn put_window(figures: &mut Figures, window: &Window) {
    put_rounded(figures, "window_s", window.seconds);
    put_rounded(figures, "server_cpu_share", window.server_share);
    put_rounded(figures, "load_cpu_share", window.load_share);
    put_rounded(figures, "others_cpu_share", window.others_share);
    put_rounded(figures, "steal_share", window.steal_share);
}

fn put_verdict(figures: &mut Figures, verdict: &Verdict) {
    put(figures, "expected", verdict.expected);
    put(figures, "delivered", verdict.delivered);
    put(figures, "lost", verdict.lost);
    put(figures, "repeated_or_late", verdict.repeated_or_late);
    put(figures, "other_order", verdict.other_order);
    put(figures, "strange", verdict.strange);
    put(figures, "clean", verdict.is_clean());
}

fn put_census(figures: &mut Figures, census: &Census, faults: u64) {
    put(figures, "notices", census.notices);
    put(figures, "signals", census.signals);
    put(figures, "skipped", census.skipped);
    put(figures, "refused", census.refused);
    put(figures, "ended", census.ended);
    put(figures, "protocol_faults", faults);
    if let Some(refusal) = &census.first_refusal {
        put(figures, "first_refusal", refusal.as_str());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_each_room_makes_it() {
        let seats = seats(4, 9, 4);
        let made: Vec<(usize, usize)> =
            seats.iter().filter(|seat| seat.role == Role::Maker).map(|seat| (seat.member, seat.room)).collect();
        assert_eq!(made, [(4, 1), (8, 2)]);
        assert_eq!(seats[3], Seat { member: 7, room: 1, role: Role::Joiner });
    }

    #[test]
    fn a_sleeper_wakes_before_its_time() {
        assert_eq!(Waiting::Sleeping.until(Duration::from_millis(50)), Duration::from_micros(49_880));
        assert_eq!(Waiting::Sleeping.until(Duration::from_micros(50)), Duration::ZERO);
        assert_eq!(Waiting::Spinning.until(Duration::from_secs(1)), Duration::ZERO);
    }
}
