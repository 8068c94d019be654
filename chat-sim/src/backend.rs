//! The backend of a world, which reads its named feed: what it is told, held against what the log took.
//!
//! It outlives every server, as a backend does: what it has been told it never forgets, and it is told again what was not done.

mod reader;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chat_core::wire::FrameKind;
use chat_core::{Epoch, FeedBounds, FeedEvent, FeedName, FeedPage, RoomCode, ServerFrame};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

pub(crate) use self::reader::read;
use crate::locks::lock;
use crate::promise::{Broken, Promise, hold};
use crate::summary::summary;
use crate::truth::Truth;

/// The share of worlds with a log that have a backend.
const SHARE: f64 = 0.5;
/// So that it is drawn beside everything else that is drawn from the seed of a world.
const APART: u64 = 0x6665_6564;
/// How its feed is called.
const NAME: &str = "backend";

/// What is wrong with the feed of a world's log, on purpose: what the worlds must find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeedBug {
    /// What was appended in the last moments shows later than what was appended after it to other rooms, and its readers are past it by then.
    SkipLate,
    /// The records of rooms that are deleted go at once, whoever has not read them.
    ForgetDead,
}

/// How the backend of a world is.
#[derive(Clone, Debug)]
pub(crate) struct Manner {
    /// How long it takes over a page, at most.
    pause: Duration,
    /// The share of pages over which it takes much longer.
    stalls: f64,
    /// The share of pages of which a part alone arrives, and the feed is begun anew.
    breaks: f64,
    /// The share of pages that are not said to be done.
    forgets: f64,
    /// Whether the log holds back so little that something may be missing.
    is_short: bool,
}

/// Who is told everything.
#[derive(Debug)]
pub(crate) struct Backend {
    truth: Arc<Truth>,
    pub(crate) manner: Manner,
    pub(crate) bug: Option<FeedBug>,
    /// The share of calls of the feed that fail.
    fails: f64,
    is_calm: AtomicBool,
    /// Whether servers may take each other for gone, and so tell for a moment what another one tells by then.
    are_apart: bool,
    told: Mutex<Told>,
    rng: Mutex<StdRng>,
}

/// What it has been told.
#[derive(Debug, Default)]
struct Told {
    lives: BTreeMap<(RoomCode, Epoch), Life>,
    /// How often something was missing.
    gaps: u64,
    events: u64,
}

/// What it has been told of one life, of the events that are told at all.
#[derive(Clone, Copy, Debug, Default)]
struct Life {
    /// So many from the beginning on, without a hole but for what gaps excuse.
    told: usize,
    /// So many were said to be done.
    done: usize,
    /// The gap, by its number, after which it was told last.
    after_gap: u64,
}

impl Backend {
    /// That of the world of this seed, if it has one.
    pub(crate) fn of(seed: u64, truth: &Arc<Truth>, log_fails: f64, are_apart: bool) -> Option<Self> {
        let mut rng = StdRng::seed_from_u64(seed ^ APART);
        let is_there = rng.random_bool(SHARE);
        let is_short = rng.random_bool(0.3);
        let manner = Manner {
            pause: Duration::from_millis(rng.random_range(1..1_500)),
            stalls: if is_short { 0.2 } else { rng.random_range(0.0..0.1) },
            breaks: rng.random_range(0.0..0.3),
            forgets: rng.random_range(0.0..0.3),
            is_short,
        };
        is_there.then(|| Self {
            truth: Arc::clone(truth),
            manner,
            bug: None,
            fails: log_fails,
            is_calm: AtomicBool::new(false),
            are_apart,
            told: Mutex::default(),
            rng: Mutex::new(rng),
        })
    }

    /// The same with this wrong with its feed.
    pub(crate) fn with_bug(self, bug: Option<FeedBug>) -> Self {
        Self { bug, ..self }
    }

    /// The name of its feed.
    pub(crate) fn name() -> FeedName {
        FeedName::parse(NAME).expect("a valid name")
    }

    /// How much the log holds back for it.
    pub(crate) fn bounds(&self) -> FeedBounds {
        // A wall clock that is years ahead for a moment is nobody's loss here.
        let age_max = Duration::from_secs(100 * 365 * 86_400);
        let bytes_max = if self.manner.is_short { 4 << 10 } else { FeedBounds::default().bytes_max };
        FeedBounds { bytes_max, age_max }
    }

    /// Nothing goes wrong from now on.
    pub(crate) fn calm_down(&self) {
        self.is_calm.store(true, Ordering::Relaxed);
    }

    fn is_calm(&self) -> bool {
        self.is_calm.load(Ordering::Relaxed)
    }

    /// Whether it happens this time, of a thing that befalls this share.
    fn happens(&self, share: f64) -> bool {
        !self.is_calm() && lock(&self.rng).random_bool(share)
    }

    /// Whether a call of the feed fails now.
    pub(crate) fn fails(&self) -> bool {
        !self.truth.is_log_back(Duration::ZERO) || self.happens(self.fails)
    }

    /// How long it takes over what it is told next.
    fn pause(&self) -> Duration {
        if self.is_calm() {
            return Duration::ZERO;
        }
        let most = if self.happens(self.manner.stalls) { Duration::from_secs(20) } else { self.manner.pause };
        most.mul_f64(lock(&self.rng).random_range(0.0..1.0))
    }

    /// A page begins: what is missing before it is missing from now on.
    fn page(&self, page: &FeedPage) -> Result<(), Broken> {
        let Some(gap) = page.gap else { return Ok(()) };
        hold!(
            self.manner.is_short && gap.batches > 0,
            Promise::Feed,
            "a gap of {} where all is held back",
            gap.batches
        );
        lock(&self.told).gaps += 1;
        Ok(())
    }

    /// It is told an event of a page; `before` is where the one before it in the page stands, where that was of the same life.
    fn tell(&self, event: &FeedEvent, before: Option<usize>) -> Result<usize, Broken> {
        let (room, epoch, offset) = (&event.room, event.epoch, event.offset);
        let place = self.truth.place_in_feed(room, epoch, offset);
        let Some(place) = place else {
            let how = format!("{room} {epoch}: {} is told, which the log has not", event.json);
            return Err(Broken { promise: Promise::Feed, how });
        };
        let is_next = before.is_none_or(|before| place == before + 1);
        hold!(is_next, Promise::Feed, "{room} {epoch}: event {place} follows {before:?} in one page: {}", event.json);
        self.check_words(event)?;
        let mut told = lock(&self.told);
        let gaps = told.gaps;
        told.events += 1;
        let life = told.lives.entry((room.clone(), epoch)).or_default();
        let is_excused = life.after_gap < gaps;
        let Life { told: so_far, done, .. } = *life;
        hold!(place <= so_far || is_excused, Promise::Feed, "{room} {epoch}: event {place} is told after {so_far}");
        let is_done = place < done && !self.are_apart;
        hold!(!is_done, Promise::Feed, "{room} {epoch}: event {place} is told again, and {done} are done");
        life.told = life.told.max(place + 1);
        life.after_gap = gaps;
        Ok(place)
    }

    /// What it says is what the log took, or what became of that.
    fn check_words(&self, event: &FeedEvent) -> Result<(), Broken> {
        let (room, epoch) = (&event.room, event.epoch);
        let frame = serde_json::from_str::<ServerFrame>(&event.json);
        let Ok(frame) = frame else {
            return Err(Broken {
                promise: Promise::Protocol,
                how: format!("{room} {epoch}: {frame:?}: {}", event.json),
            });
        };
        let is_end = matches!(frame, ServerFrame::RoomClosed { .. });
        hold!(is_end == (event.kind == FrameKind::RoomClosed), Promise::Feed, "{room} {epoch}: {:?}", event);
        let Some(seq) = event.seq else { return Ok(()) };
        let (told, may_be) = (summary(&frame), self.truth.told(room.as_str(), epoch, seq));
        hold!(may_be.contains(&told), Promise::Feed, "{room} {epoch}: {told:?} is told, which is one of {may_be:?}");
        Ok(())
    }

    /// Everything up to the end of a page is done: nothing of it is told again.
    fn done(&self, page: &FeedPage) {
        let mut told = lock(&self.told);
        for FeedEvent { room, epoch, offset, .. } in &page.events {
            let Some(place) = self.truth.place_in_feed(room, *epoch, *offset) else { continue };
            let life = told.lives.entry((room.clone(), *epoch)).or_default();
            life.done = life.done.max(place + 1);
        }
    }

    /// Whether it has been told everything.
    ///
    /// # Errors
    /// What it has not been told.
    pub(crate) fn check_at_the_end(&self) -> Result<(), Broken> {
        let told = lock(&self.told);
        for (room, epoch, events) in self.truth.told_in_feed() {
            let life = told.lives.get(&(room.clone(), epoch)).copied().unwrap_or_default();
            // What was missing may be its end.
            let is_excused = life.after_gap < told.gaps;
            let how = life.told;
            hold!(how == events || is_excused, Promise::Feed, "{room} {epoch}: {how} of {events} events are told");
        }
        Ok(())
    }
}
