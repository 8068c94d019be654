//! Tokens: each resume gives another one, what was lost on its way locks nobody out, and who stays is told a new one in time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chat_core::{Clock, Mono, Now, SystemClock, Wall};

use super::frames::text;
use super::{TestClient, TestServer, TransportHarness};

/// The one before is good until the new one is used.
pub async fn each_resume_gives_another_token_and_a_lost_welcome_locks_nobody_out<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let first = server.client().await.cut().await;
    let mut told = Vec::new();
    for _ in 0..3 {
        // Each time as if the welcome had never come.
        told.push(server.back(&first).await.cut().await.token);
    }
    assert!(told.iter().all(|token| *token == told[0]), "one after the first: {told:?}");
}

/// Whoever has kept one has a new session, and is told why.
pub async fn a_token_is_superseded_once_a_newer_one_is_used<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let first = server.client().await.cut().await;
    let second = server.back(&first).await.cut().await;
    let mut ann = server.back(&second).await;
    ann.create("LUNCH", "Ann").await;
    let (thief, code) = TestClient::with_bad_token(&server.harness, first.resume()).await;
    assert_eq!(code, "bad_token");
    assert_ne!(thief.welcome["session"], ann.welcome["session"]);
    ann.say("LUNCH", "nobody took over").await;
    assert_eq!(ann.told().await, "2 Ann: nobody took over");
}

/// In a `token` frame, while everything goes on.
pub async fn who_stays_connected_is_told_a_new_token_in_time<D: TransportHarness>() {
    let clock = Arc::new(DatedClock::default());
    let change = |limits: &mut chat_core::Limits| {
        limits.session.token_expiry = 10 * DAY;
        // The clock of a test is believed.
        limits.room.clock_step_max = 1_000 * DAY;
    };
    let server = TestServer::<D>::build(change, |builder| builder.clock(Arc::clone(&clock) as _)).await;
    let [mut ann] = server.people("LUNCH", ["Ann"]).await;
    let first = ann.token();
    clock.pass(6 * DAY);
    // Whoever comes makes the server look at the date.
    server.client().await;
    let told = ann.find("token").await;
    assert!(told.as_object().is_some_and(|fields| fields.len() == 2), "a type and a token: {told}");
    assert_ne!(text(&told, "token"), first);
    ann.say("LUNCH", "on it goes").await;
    assert_eq!(ann.told().await, "2 Ann: on it goes");
    let trail = ann.cut().await;
    assert_eq!(trail.token, text(&told, "token"));
    clock.pass(5 * DAY);
    server.back(&trail).await;
    let old = super::Resume { token: first, positions: Default::default(), catch_up: None };
    let (_, code) = TestClient::with_bad_token(&server.harness, old).await;
    assert_eq!(code, "bad_token", "the first one has run out");
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The real one, and as much later as a test says.
#[derive(Default)]
struct DatedClock {
    clock: SystemClock,
    /// Milliseconds.
    ahead: AtomicU64,
}

impl DatedClock {
    fn pass(&self, time: Duration) {
        self.ahead.fetch_add(time.as_millis() as u64, Ordering::SeqCst);
    }
}

impl Clock for DatedClock {
    fn now(&self) -> Now {
        let Now { wall, mono } = self.clock.now();
        Now { wall: Wall(wall.0 + self.ahead.load(Ordering::SeqCst)), mono }
    }

    fn instant(&self, mono: Mono) -> tokio::time::Instant {
        self.clock.instant(mono)
    }
}
