//! What has run out in a room is looked after wherever the room stands: otherwise it would be woken for it again and again, at one moment, for ever.

mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use chat_core::{Clock, Command, Connection, Moderation, Mono, Now, RejectCode, SystemClock};
use chat_testkit::logs::{Fault, Operation, Outcome};
use chat_testkit::servers::Loss;
use support::servers::{Two, two_with};
use support::{code, fails, founder, newcomer, pass, settle, submit, take, text};
use tokio::time::Instant;

/// More looks at a clock than any of these rooms has a reason for at one moment.
const LOOKS_MAX: usize = 10_000;

/// A clock that is looked at so often, and no more often, before time goes on. Whoever looks once more panics: a room that spins would hold up
/// the test for ever.
struct Watched {
    clock: SystemClock,
    looks: Mutex<(Option<Instant>, usize)>,
    spins: Mutex<bool>,
}

impl Clock for Watched {
    fn now(&self) -> Now {
        let mut looks = self.looks.lock().expect("nobody panics with it");
        let now = Some(Instant::now());
        *looks = if looks.0 == now { (now, looks.1 + 1) } else { (now, 1) };
        let is_too_much = looks.1 > LOOKS_MAX;
        drop(looks);
        if is_too_much {
            *self.spins.lock().expect("nobody panics with it") = true;
            panic!("a room spins");
        }
        self.clock.now()
    }

    fn instant(&self, mono: Mono) -> Instant {
        self.clock.instant(mono)
    }
}

fn watched() -> (Arc<Watched>, Two) {
    let clock = SystemClock::new();
    let clock = Arc::new(Watched { clock, looks: Mutex::default(), spins: Mutex::default() });
    let two = two_with(|_| {}, |builder| builder.clock(Arc::clone(&clock) as _));
    (clock, two)
}

impl Watched {
    #[track_caller]
    fn assert_rested(&self) {
        assert!(!*self.spins.lock().expect("nobody panics with it"), "a room spins");
    }
}

/// Ann is at the owner, and Bob at the other server.
async fn ann_and_bob(two: &Two) -> (Connection, Connection) {
    let ann = founder(&two.engines[0]).await;
    let bob = newcomer(&two.engines[1], "Bob").await;
    settle().await;
    take(&bob);
    (ann, bob)
}

/// A server asks, and is never answered; then it decides itself, and then nobody does.
#[tokio::test(start_paused = true)]
async fn what_was_never_answered_is_refused_where_nobody_decides_by_now() {
    for decides in [false, true] {
        let (clock, two) = watched();
        let (_ann, bob) = ann_and_bob(&two).await;
        two.servers.lose(&two.ends[1], &two.ends[0], 1, Loss::Silent);
        let asked = submit(&bob, Command::send(code(), text("asked")));
        settle().await;
        if decides {
            two.servers.give_room(&code(), &two.ends[1]);
            settle().await;
        }
        two.servers.take_room(&code());
        pass(Duration::from_secs(60)).await;
        let refused = asked.await.expect("everything is answered").reject.map(|reject| reject.code);
        assert_eq!(refused, Some(RejectCode::Unavailable), "decides: {decides}");
        clock.assert_rested();
    }
}

/// Another server says who is there while nobody knows whether the room's end was written. It was, and the log cannot delete the room.
#[tokio::test(start_paused = true)]
async fn who_follows_a_room_that_is_over_and_cannot_be_deleted_is_heard_once_it_is() {
    let (clock, two) = watched();
    let (_ann, _bob) = ann_and_bob(&two).await;
    two.logs[0].push(Operation::Append, Fault::from(Outcome::AnswerLost));
    two.logs[0].plan(fails(&[Operation::Delete, Operation::Read, Operation::LoadSnapshot]));
    let engine = two.engines[0].clone();
    let closing = tokio::spawn(async move { engine.moderate(&code(), Moderation::Close).await });
    settle().await;
    two.cut().await;
    two.mend().await;
    pass(Duration::from_secs(2)).await;
    two.logs[0].plan(fails(&[Operation::Delete]));
    pass(Duration::from_secs(60)).await;
    clock.assert_rested();
    drop(closing);
    two.logs[0].heal();
    pass(Duration::from_secs(10)).await;
    let _cat = founder(&two.engines[1]).await;
    clock.assert_rested();
}
