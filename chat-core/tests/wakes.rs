//! Who waits for a moment is woken at that moment: behind a later one, and the second time and the third.
#![cfg(feature = "engine")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use chat_core::{Clock, Command, Engine, Mono, Now, SystemClock, TypingState};
use support::*;

/// What is told next, and after how many milliseconds.
async fn next_told(client: &Client) -> (String, u128) {
    let before = tokio::time::Instant::now();
    let frame = tokio::time::timeout(secs(60), client.next()).await.expect("somebody wakes the reader");
    (summary(&frame), before.elapsed().as_millis())
}

fn typing(client: &Client) {
    client.submit(Command::typing(code("LUNCH"), TypingState::On));
}

#[tokio::test(start_paused = true)]
async fn a_sooner_deadline_behind_a_later_one_is_kept() {
    let engine = engine();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let bob = Client::in_room(&engine, "LUNCH", "Bob").await;
    drop(Client::in_room(&engine, "OTHER", "Dan").await);
    // The timer sleeps until Dan's grace is over.
    pass(millis(1)).await;
    typing(&ann);
    assert_eq!(bob.told().await, ["typing [1]"]);
    assert_eq!(next_told(&bob).await, ("typing []".into(), 6_000));
}

#[tokio::test(start_paused = true)]
async fn a_sooner_deadline_of_the_same_room_is_kept() {
    let engine = engine();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let bob = Client::in_room(&engine, "LUNCH", "Bob").await;
    drop(Client::in_room(&engine, "LUNCH", "Dan").await);
    pass(secs(1)).await;
    typing(&ann);
    assert_eq!(bob.told().await, ["3 +Dan", "typing [1]"]);
    assert_eq!(next_told(&bob).await, ("typing []".into(), 6_000));
    assert_eq!(next_told(&bob).await, ("4 -Dan timeout".into(), 23_000), "and the later one too");
}

#[tokio::test(start_paused = true)]
async fn typing_ends_by_itself_each_time() {
    let engine = engine();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let bob = Client::in_room(&engine, "LUNCH", "Bob").await;
    for _ in 0..3 {
        typing(&ann);
        assert_eq!(bob.told().await, ["typing [1]"]);
        assert_eq!(next_told(&bob).await, ("typing []".into(), 6_000));
    }
}

#[tokio::test(start_paused = true)]
async fn each_gap_that_has_to_wait_is_told_when_its_time_has_come() {
    let engine = engine_with(forgetful);
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let bob = Client::in_room(&engine, "LUNCH", "Bob").await;
    talk(&ann, 20).await;
    assert_eq!(bob.told().await, ["gap 3..20"]);
    for (from, to) in [(21, 40), (41, 60), (61, 80)] {
        pass(millis(400)).await;
        talk(&ann, to).await;
        assert_eq!(bob.told().await, Vec::<String>::new(), "not two within a second");
        assert_eq!(next_told(&bob).await, (format!("gap {from}..{to}"), 600));
    }
}

#[tokio::test(start_paused = true)]
async fn a_gap_that_has_to_wait_is_told_who_has_looked_once() {
    let engine = engine_with(forgetful);
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let bob = Client::in_room(&engine, "LUNCH", "Bob").await;
    talk(&ann, 20).await;
    assert_eq!(bob.told().await, ["gap 3..20"]);
    pass(millis(400)).await;
    talk(&ann, 40).await;
    settle().await;
    assert_eq!(next_told(&bob).await, ("gap 21..40".into(), 600));
}

#[tokio::test(start_paused = true)]
async fn a_gap_that_has_to_wait_is_told_the_connection_that_took_over_too() {
    let engine = engine_with(forgetful);
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let mut bob = Client::new(&engine).await;
    let joined = bob.enter("LUNCH", "Bob").await;
    talk(&ann, 20).await;
    assert_eq!(bob.told().await, ["gap 3..20"]);
    for seen in [20, 40, 60] {
        talk(&ann, seen + 20).await;
        assert_eq!(bob.told().await, Vec::<String>::new(), "not two within a second");
        bob = Client::with_hello(&engine, resume(&bob.token(), &[("LUNCH", at(&joined, seen))])).await;
        assert_eq!(bob.told().await, [format!("welcome back lunch:gap:{seen}")]);
        assert_eq!(next_told(&bob).await, (format!("gap {}..{}", seen + 1, seen + 20), 250));
    }
}

#[tokio::test(start_paused = true)]
async fn each_description_that_has_to_wait_is_made_when_its_time_has_come() {
    let engine = engine_with(|limits| {
        limits.room.backlog_events_max = 8;
        limits.lift_rates();
        limits.session.gap_interval = millis(0);
    });
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let bob = Client::in_room(&engine, "LUNCH", "Bob").await;
    talk(&ann, 20).await;
    assert_eq!(bob.told().await, ["gap 3..20"]);
    for (from, to) in [(21, 40), (41, 60), (61, 80)] {
        pass(millis(100)).await;
        talk(&ann, to).await;
        assert_eq!(bob.told().await, Vec::<String>::new(), "the room was described just now");
        assert_eq!(next_told(&bob).await, (format!("gap {from}..{to}"), 150));
    }
}

#[tokio::test(start_paused = true)]
async fn each_count_that_has_to_wait_is_told_when_its_time_has_come() {
    let engine = engine_with(|limits| limits.room.notices_members_max = 1);
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let mut others = vec![Client::in_room(&engine, "LUNCH", "Bob").await];
    assert_eq!(ann.told().await, ["2 +Bob", "3 notices Counted", "presence 2/2"]);
    for count in 3..6 {
        pass(millis(400)).await;
        others.push(Client::in_room(&engine, "LUNCH", &format!("Guest {count}")).await);
        assert_eq!(ann.told().await, Vec::<String>::new(), "not two within a second");
        assert_eq!(next_told(&ann).await, (format!("presence {count}/{count}"), 600));
    }
}

/// A clock that counts how often it is asked.
struct CountingClock {
    clock: SystemClock,
    asked: AtomicU64,
}

impl Clock for CountingClock {
    fn now(&self) -> Now {
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.clock.now()
    }

    fn instant(&self, mono: Mono) -> tokio::time::Instant {
        self.clock.instant(mono)
    }
}

#[tokio::test(start_paused = true)]
async fn where_nothing_is_waited_for_nothing_wakes() {
    let clock = Arc::new(CountingClock { clock: SystemClock::new(), asked: AtomicU64::new(0) });
    let bounds = limits(|limits| {
        limits.room.backlog_events_max = 8;
        limits.room.notices_members_max = 1;
        limits.lift_rates();
    });
    let engine = Engine::builder().limits(bounds).clock(clock.clone()).build();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let bob = Client::in_room(&engine, "LUNCH", "Bob").await;
    drop(Client::in_room(&engine, "LUNCH", "Cid").await);
    for seen in [20, 40, 60] {
        typing(&ann);
        talk(&ann, seen).await;
        assert!(bob.told().await.iter().any(|frame| frame.starts_with("gap")), "at {seen}");
        pass(secs(2)).await;
    }
    pass(secs(60)).await;
    bob.told().await;
    let before = clock.asked.load(Ordering::Relaxed);
    pass(secs(24 * 60 * 60)).await;
    assert_eq!(clock.asked.load(Ordering::Relaxed) - before, 0, "a day, with two who say nothing");
}
