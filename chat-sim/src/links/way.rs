//! One direction of a link between two servers: what is under way in it, late, in order, and bounded.

use std::collections::VecDeque;
use std::time::Duration;

use chat_core::NotSent;
use tokio::time::Instant;

/// What is under way at once, in bytes, at most.
pub(super) const HELD_BYTES: usize = 16 << 20;

/// What a server has sent, and when it arrives.
#[derive(Debug)]
pub(super) struct Way {
    latency: Duration,
    held: usize,
    under_way: VecDeque<(Instant, What)>,
    is_down: bool,
}

/// What arrives.
#[derive(Debug)]
pub(super) enum What {
    /// From here on there are parcels.
    Up,
    /// As it was sent.
    Parcel(Vec<u8>),
    /// Nothing more comes.
    Down,
}

impl Way {
    /// One that comes up now.
    pub(super) fn new(latency: Duration) -> Self {
        let mut way = Self { latency, held: 0, under_way: VecDeque::new(), is_down: false };
        way.add(What::Up);
        way
    }

    pub(super) fn push(&mut self, parcel: Vec<u8>) -> Result<(), NotSent> {
        let held = self.held + parcel.len();
        if self.is_down || held > HELD_BYTES {
            return Err(NotSent);
        }
        self.held = held;
        self.add(What::Parcel(parcel));
        Ok(())
    }

    /// What is under way is lost, and that nothing comes any more is the last that does.
    pub(super) fn go_down(&mut self) {
        self.under_way.retain(|(_, what)| matches!(what, What::Up));
        (self.held, self.is_down) = (0, true);
        self.add(What::Down);
    }

    /// When the next thing arrives.
    pub(super) fn next_at(&self) -> Option<Instant> {
        self.under_way.front().map(|(at, _)| *at)
    }

    pub(super) fn pop(&mut self) -> Option<What> {
        let (_, what) = self.under_way.pop_front()?;
        if let What::Parcel(parcel) = &what {
            self.held -= parcel.len();
        }
        Some(what)
    }

    /// It arrives after everything before it.
    fn add(&mut self, what: What) {
        let last = self.under_way.back().map(|(at, _)| *at);
        let at = Instant::now() + self.latency;
        self.under_way.push_back((last.map_or(at, |last| last.max(at)), what));
    }
}
