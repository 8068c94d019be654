//! An embedder as one would not wish for: a policy that is slow, denies, rewrites, panics or hangs, and an observer that panics.

use std::panic;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use chat_core::{Admission, Body, Command, ConnectRequest, Identity, Policy, Reject, RejectCode, SessionView};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::time::{Instant, sleep};

use crate::locks::lock;

/// How often an embedder does what. All of it is 0 where it is as one wishes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Temper {
    /// The share of calls of the policy that take up to a second.
    pub(crate) slow: f64,
    /// How long it takes over one command now and then.
    pub(crate) long: Duration,
    pub(crate) denies: f64,
    pub(crate) panics: f64,
    pub(crate) hangs: f64,
    /// Whether texts are rewritten, as [`rewritten`] says.
    pub(crate) rewrites: bool,
    /// The share of what the observer is told of that makes it panic.
    pub(crate) observer_panics: f64,
}

impl Temper {
    pub(crate) fn draw(rng: &mut StdRng) -> Self {
        let mut now_and_then = |most: f64| if rng.random_bool(0.5) { rng.random_range(0.0..most) } else { 0.0 };
        let [slow, denies, panics, hangs] = [0.3, 0.1, 0.05, 0.05].map(&mut now_and_then);
        let observer_panics = now_and_then(0.01);
        let mut temper = Self { slow, denies, panics, hangs, observer_panics, ..Self::default() };
        temper.rewrites = rng.random_bool(0.5);
        temper
    }
}

/// The payload of a panic that is the world's doing.
pub(crate) struct OnPurpose;

/// At most one call in this time is a long one, so that two of them do not add up in one session.
const BETWEEN_LONG: Duration = Duration::from_secs(120);
/// At most one call in this time hangs, likewise.
const BETWEEN_HANGS: Duration = Duration::from_secs(15);

/// What a policy makes of a text: the same of the same.
pub(crate) fn rewritten(text: &str) -> Option<String> {
    text.len().is_multiple_of(3).then(|| format!("{text} (as the house puts it)"))
}

/// The embedder of one world, over all of its servers.
pub(crate) struct Embedder {
    temper: Temper,
    /// Whether people show who they are.
    pairs: bool,
    /// From now on it is as one wishes; texts are rewritten all the same.
    is_calm: AtomicBool,
    state: Mutex<State>,
}

struct State {
    rng: StdRng,
    long_after: Instant,
    hangs_after: Instant,
}

enum Mood {
    Kind,
    Slow(Duration),
    Denies,
    Panics,
    Hangs,
}

impl Embedder {
    pub(crate) fn new(temper: Temper, pairs: bool, seed: u64) -> Self {
        let now = Instant::now();
        let state = State { rng: StdRng::seed_from_u64(seed), long_after: now, hangs_after: now };
        Self { temper, pairs, is_calm: AtomicBool::new(false), state: Mutex::new(state) }
    }

    pub(crate) fn calm_down(&self) {
        self.is_calm.store(true, Ordering::Relaxed);
    }

    /// What an observer does when it is told something.
    pub(crate) fn watch(&self) {
        let panics = self.temper.observer_panics;
        if panics > 0.0 && self.state().rng.random_bool(panics) {
            panic::panic_any(OnPurpose);
        }
    }

    fn mood(&self, is_command: bool) -> Mood {
        let Temper { slow, long, denies, panics, hangs, .. } = self.temper;
        if self.is_calm.load(Ordering::Relaxed) {
            return Mood::Kind;
        }
        let (mut state, now) = (self.state(), Instant::now());
        if !long.is_zero() && is_command && now >= state.long_after && state.rng.random_bool(0.05) {
            state.long_after = now + BETWEEN_LONG;
            return Mood::Slow(long);
        }
        let drawn: f64 = state.rng.random();
        if drawn < slow {
            return Mood::Slow(Duration::from_millis(state.rng.random_range(1..1_000)));
        }
        match drawn - slow {
            drawn if drawn < denies => Mood::Denies,
            drawn if drawn < denies + panics => Mood::Panics,
            drawn if drawn < denies + panics + hangs && now >= state.hangs_after => {
                state.hangs_after = now + BETWEEN_HANGS;
                Mood::Hangs
            }
            _ => Mood::Kind,
        }
    }

    async fn think(&self, is_command: bool) -> Result<(), Reject> {
        match self.mood(is_command) {
            Mood::Kind => {}
            Mood::Slow(time) => sleep(time).await,
            Mood::Denies => return Err(Reject::new(RejectCode::Forbidden, "the house does not want it")),
            Mood::Panics => panic::panic_any(OnPurpose),
            Mood::Hangs => std::future::pending().await,
        }
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

#[async_trait]
impl Policy for Embedder {
    /// Takes everybody for who they say they are.
    async fn admit(&self, request: &ConnectRequest) -> Result<Admission, Reject> {
        self.think(false).await?;
        let shown = request.credentials.as_deref().filter(|_| self.pairs);
        Ok(Admission::of(shown.and_then(Identity::new)))
    }

    async fn check(&self, _: &SessionView, command: Command) -> Result<Command, Reject> {
        self.think(true).await?;
        let instead = match &command {
            Command::Send { text, .. } | Command::Edit { text, .. } if self.temper.rewrites => rewritten(text.as_str()),
            _ => None,
        };
        Ok(match instead.and_then(|text| Body::parse(&text, usize::MAX).ok()) {
            Some(text) => command.with_text(text),
            None => command,
        })
    }
}
