//! One direction of a link between two servers: what is under way in it, late, in order, and bounded.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// What is under way at once, in bytes, at most, where the line is not narrow.
pub(super) const HELD_BYTES: usize = 16 << 20;

/// What a server has sent, and when it arrives.
#[derive(Debug)]
pub(super) struct Way {
    /// How long a parcel is under way.
    latency: Duration,
    /// For how much longer, for now.
    delay: Duration,
    /// How many bytes pass in a second, where they are few.
    bandwidth: Option<u32>,
    held: usize,
    held_max: usize,
    /// Until when what was sent before takes the line.
    busy_until: Instant,
    under_way: VecDeque<(Instant, What)>,
    /// By which of the pair's links the receiver can send, as far as it knows.
    pub(super) known: Option<u32>,
}

/// What arrives.
#[derive(Debug)]
pub(super) enum What {
    /// From here on there are parcels: which of the pair's links it is.
    Up(u32),
    /// As it was sent.
    Parcel(Vec<u8>),
    /// Nothing more comes.
    Down,
}

impl Way {
    /// One that comes up now.
    pub(super) fn new(latency: Duration, link: u32) -> Self {
        let mut way = Self { known: Some(link), ..Self::down(latency) };
        way.come_up(link, Duration::ZERO);
        way
    }

    /// One that is not up yet.
    pub(super) fn down(latency: Duration) -> Self {
        let (delay, busy_until, under_way) = (Duration::ZERO, Instant::now(), VecDeque::new());
        Self { latency, delay, bandwidth: None, held: 0, held_max: HELD_BYTES, busy_until, under_way, known: None }
    }

    /// `false` where it is full.
    #[must_use]
    pub(super) fn push(&mut self, parcel: Vec<u8>) -> bool {
        let held = self.held + parcel.len();
        if held > self.held_max {
            return false;
        }
        self.held = held;
        if let Some(bandwidth) = self.bandwidth {
            let takes = Duration::from_secs_f64(parcel.len() as f64 / f64::from(bandwidth));
            self.busy_until = self.busy_until.max(Instant::now()) + takes;
        }
        self.add(What::Parcel(parcel), Duration::ZERO);
        true
    }

    /// The first few of what is under way arrive; the others are lost, and after a while the receiver knows.
    pub(super) fn go_down(&mut self, arrive: usize, noticed: Duration) {
        let mut left = arrive;
        self.under_way.retain(|(_, what)| match what {
            What::Parcel(_) if left == 0 => false,
            What::Parcel(_) => {
                left -= 1;
                true
            }
            What::Up(_) | What::Down => true,
        });
        self.held = self.under_way.iter().map(|(_, what)| what.bytes()).sum();
        self.busy_until = Instant::now();
        self.add(What::Down, noticed);
    }

    pub(super) fn come_up(&mut self, link: u32, noticed: Duration) {
        self.add(What::Up(link), noticed);
    }

    /// From now on everything takes so much longer.
    pub(super) fn delay(&mut self, delay: Duration) {
        self.delay = delay;
    }

    /// From now on no more than so many bytes pass in a second, and no more than so many wait for that.
    pub(super) fn narrow(&mut self, to: Option<(u32, usize)>) {
        self.bandwidth = to.map(|(bandwidth, _)| bandwidth);
        self.held_max = to.map_or(HELD_BYTES, |(_, held)| held);
    }

    /// When the next thing arrives.
    pub(super) fn next_at(&self) -> Option<Instant> {
        self.under_way.front().map(|(at, _)| *at)
    }

    pub(super) fn pop(&mut self) -> Option<What> {
        let (_, what) = self.under_way.pop_front()?;
        self.held -= what.bytes();
        match what {
            What::Up(link) => self.known = Some(link),
            What::Down => self.known = None,
            What::Parcel(_) => {}
        }
        Some(what)
    }

    /// It arrives after everything before it.
    fn add(&mut self, what: What, noticed: Duration) {
        let last = self.under_way.back().map(|(at, _)| *at);
        let at = self.busy_until.max(Instant::now()) + self.latency + self.delay + noticed;
        self.under_way.push_back((last.map_or(at, |last| last.max(at)), what));
    }
}

impl What {
    fn bytes(&self) -> usize {
        if let Self::Parcel(parcel) = self { parcel.len() } else { 0 }
    }
}
