//! How servers of a world lose each other: links, slots, leases, and whole servers that stand still.

use std::time::Duration;

use chat_core::{RoomCode, Slot};
use rand::RngExt;
use tokio::time::Instant;

use super::Director;
use crate::locks::lock;
use crate::plan::{Parts, ROOMS};

/// The longest that a blip takes, in milliseconds: links that are back by then cost nobody anything.
const BLIP_MAX: u64 = 2_900;
/// The longest that anything takes, in milliseconds.
const LONG_MAX: u64 = 15_000;
/// How much longer servers need to find each other again.
const FINDS: Duration = Duration::from_secs(5);

impl Director {
    /// One thing that servers lose each other by, if that is drawn. Whether it was.
    pub(super) fn part(&mut self, parts: Parts) -> bool {
        let Parts { links, moves, lapses, freezes, .. } = parts;
        let drawn = self.rng.random_range(0.0..1.0);
        let limits = [links, links + moves, links + moves + lapses, links + moves + lapses + freezes];
        let Some(which) = limits.iter().position(|limit| drawn < *limit) else { return false };
        let time = self.how_long();
        match which {
            0 => self.trouble_link(time),
            1 => self.move_rooms(),
            2 => self.lapse(time),
            _ => self.freeze(time),
        }
        true
    }

    /// Mostly a moment; and nothing is as before until then.
    fn how_long(&mut self) -> Duration {
        let most = if self.rng.random_bool(0.6) { BLIP_MAX } else { LONG_MAX };
        Duration::from_millis(self.rng.random_range(20..most))
    }

    fn lasts(&mut self, time: Duration) {
        self.parted_until = self.parted_until.max(Instant::now() + time + FINDS);
    }

    fn trouble_link(&mut self, time: Duration) {
        let Some(links) = self.ground.links.clone() else { return };
        let one = self.rng.random_range(0..self.fronts.len());
        let other = (one + self.rng.random_range(1..self.fronts.len())) % self.fronts.len();
        self.lasts(time);
        match self.rng.random_range(0..5) {
            0 => links.delay((one, other), Duration::from_millis(self.rng.random_range(100..1_500)), time),
            1 => links.narrow((one, other), self.rng.random_range(4_000..40_000), time),
            _ => links.cut((one, other), time),
        }
    }

    /// A room, or all of them, is another server's; now and then it is back at once.
    fn move_rooms(&mut self) {
        let Some(links) = self.ground.links.clone() else { return };
        let slot = |code: &str| Slot::of(&RoomCode::parse(code).expect("the rooms of a world are valid"));
        let slots: Vec<Slot> = match self.rng.random_bool(0.3) {
            true => ROOMS.into_iter().map(slot).collect(),
            false => vec![slot(ROOMS[self.rng.random_range(0..ROOMS.len())])],
        };
        self.lasts(Duration::from_secs(2));
        let place = self.rng.random_range(0..self.fronts.len());
        links.move_slots(&slots, place);
    }

    fn lapse(&mut self, time: Duration) {
        let Some(links) = self.ground.links.clone() else { return };
        let place = self.rng.random_bool(0.6).then(|| self.rng.random_range(0..self.fronts.len()));
        self.lasts(time);
        links.lapse(place, time);
    }

    fn freeze(&mut self, time: Duration) {
        let place = self.rng.random_range(0..self.fronts.len());
        let Some(server) = lock(&self.fronts[place]).clone().filter(|server| !server.is_frozen()) else { return };
        let clock_stands = self.rng.random_bool(0.5);
        self.lasts(time);
        let how = if clock_stands { "stands still, as its clock does" } else { "stands still" };
        self.note(format_args!("the server in place {place} {how} for {time:?}"));
        server.freeze(time, clock_stands);
    }
}
