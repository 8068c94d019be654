//! Going down: everybody is told when to come back, nobody new is let in, and it ends.
#![cfg(feature = "engine")]

mod support;

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use chat_core::{Admission, ConnectRequest, Engine, Hello, Policy, Reject, RejectCode, ServerFrame};
use support::*;
use tokio::task::JoinHandle;

fn drain(engine: &Engine) -> JoinHandle<()> {
    let engine = engine.clone();
    tokio::spawn(async move { engine.drain(secs(1)).await })
}

/// A reader with five messages to take.
async fn with_five_messages(engine: &Engine) -> Client {
    let ann = Client::in_room(engine, "LUNCH", "Ann").await;
    for number in 0..5 {
        ann.say("LUNCH", &number.to_string()).await;
    }
    ann
}

#[tokio::test(start_paused = true)]
async fn everybody_is_told_their_own_time_to_come_back_and_the_drain_ends_with_the_last() {
    let engine = engine();
    let mut clients = Vec::new();
    for number in 0..20 {
        let client = Client::in_room(&engine, "LUNCH", &format!("Client {number}")).await;
        clients.push(tokio::spawn(async move {
            loop {
                if let ServerFrame::Closing { code, reconnect_after_ms, .. } = client.next().await {
                    assert_eq!(code, 4001);
                    return reconnect_after_ms.expect("a time to come back");
                }
            }
        }));
    }
    assert!(!engine.is_draining());
    let before = tokio::time::Instant::now();
    engine.drain(secs(10)).await;
    assert!(before.elapsed() < secs(1), "nobody is waited for who has gone");
    assert!(engine.is_draining());
    let mut delays = BTreeSet::new();
    for client in clients {
        delays.insert(client.await.expect("nobody panics"));
    }
    assert!(delays.len() > 15 && delays.last() <= Some(&10_000), "{delays:?}");
    let refusal = engine.connect(Default::default(), Hello::default()).await.expect_err("nobody is let in");
    assert_eq!((refusal.close.code(), refusal.reject.code), (4001, RejectCode::Draining));
    assert_eq!(engine.stats().sessions, 0);
}

#[tokio::test(start_paused = true)]
async fn who_is_sent_away_may_come_back_at_once_and_others_come_meanwhile() {
    let engine = engine();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let before = tokio::time::Instant::now();
    engine.send_away(secs(1)).await;
    assert!(before.elapsed() <= secs(1));
    let frames = ann.frames().await;
    let Some(ServerFrame::Closing { code, reconnect_after_ms, .. }) = frames.last() else { panic!("{frames:?}") };
    assert_eq!((*code, *reconnect_after_ms), (4001, Some(0)));
    assert!(!engine.is_draining());
    let back = engine.connect(Default::default(), resume(&ann.token(), &[])).await;
    assert!(back.is_ok(), "{:?}", back.err());
    Client::in_room(&engine, "DINNER", "Bob").await.say("DINNER", "hi").await;
}

#[tokio::test(start_paused = true)]
async fn who_takes_nothing_does_not_hold_up_the_end() {
    let engine = engine();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let before = tokio::time::Instant::now();
    engine.drain(secs(1)).await;
    assert_eq!(before.elapsed(), secs(4), "twice the flush timeout");
    assert_eq!(ann.told().await, ["closing 4001"], "at once, whatever else was due");
    let refused = engine.connect(Default::default(), resume(&ann.token(), &[])).await;
    assert_eq!(refused.map_err(|refusal| refusal.close.code()).err(), Some(4001), "a resume is refused too");
}

#[tokio::test(start_paused = true)]
async fn what_is_due_is_told_before_the_end_and_the_end_says_where_one_stands() {
    let engine = engine();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let epoch = Client::in_room(&engine, "LUNCH", "Bob").await.session.call(send("LUNCH", "hi")).await;
    assert!(epoch.is_ok());
    ann.submit(send("LUNCH", "still mine"));
    settle().await;
    let drain = drain(&engine);
    settle().await;
    ann.submit(send("LUNCH", "too late"));
    let frames = ann.frames().await;
    let told: Vec<_> = frames.iter().map(summary).collect();
    assert_eq!(told[..2], ["ack 4", "error draining"], "{told:?}");
    assert_eq!(told.last().map(String::as_str), Some("closing 4001"));
    assert!(told.iter().any(|frame| frame.contains("still mine")), "{told:?}");
    let Some(ServerFrame::Closing { positions, .. }) = frames.last() else { panic!("{frames:?}") };
    let position = positions.get("lunch").or(positions.get("LUNCH")).expect("the room she is in");
    assert!(position.ends_with(":4"), "{position}");
    drop(ann);
    drain.await.expect("no panic");
}

#[tokio::test(start_paused = true)]
async fn who_keeps_a_session_that_has_been_told_does_not_hold_up_the_end() {
    let engine = engine();
    let bot = with_five_messages(&engine).await;
    let begun = tokio::time::Instant::now();
    let draining = tokio::spawn({
        let engine = engine.clone();
        async move { engine.drain(secs(0)).await }
    });
    settle().await;
    while !matches!(bot.next().await, chat_core::ServerFrame::Closing { .. }) {}
    draining.await.expect("it ends");
    assert_eq!(begun.elapsed(), secs(2), "as long as what was told may take to go out");
    assert_eq!(engine.stats().sessions, 1, "it is held");
}

#[tokio::test(start_paused = true)]
async fn nobody_is_told_to_come_back_while_the_server_still_waits_for_somebody() {
    for takes_it in [true, false] {
        let engine = engine();
        let slow = with_five_messages(&engine).await;
        let bob = Client::in_room(&engine, "LUNCH", "Bob").await;
        bob.told().await;
        let drain = drain(&engine);
        assert_eq!(bob.told().await, [""; 0], "he would come back to a server that is still there and lets nobody in");
        match takes_it {
            true => assert_eq!(slow.told().await.last().map(String::as_str), Some("closing 4001")),
            false => pass(secs(2)).await,
        }
        assert_eq!(bob.told().await, ["closing 4001"]);
        assert_eq!((slow.session.is_cut(), bob.session.is_cut()), (!takes_it, false));
        drop((slow, bob));
        drain.await.expect("no panic");
    }
}

#[tokio::test(start_paused = true)]
async fn who_takes_nothing_is_woken_to_be_cut_off_once_the_time_is_over() {
    let engine = engine();
    let ann = with_five_messages(&engine).await;
    let drain = drain(&engine);
    let begun = tokio::time::Instant::now();
    std::future::poll_fn(|cx| ann.session.poll_cut(cx)).await;
    assert_eq!(begun.elapsed(), secs(2));
    drop(ann);
    drain.await.expect("no panic");
    assert_eq!(begun.elapsed(), secs(2));
}

#[tokio::test(start_paused = true)]
async fn a_drain_waits_for_a_reader_only_so_long() {
    let engine = engine();
    let ann = with_five_messages(&engine).await;
    let drain = drain(&engine);
    settle().await;
    assert_eq!(ann.peeked().as_deref(), Some("2 Ann: 0"));
    pass(secs(2)).await;
    assert_eq!(ann.peeked().as_deref(), Some("closing 4001"), "the flush timeout");
    drop(ann);
    drain.await.expect("no panic");
}

#[tokio::test(start_paused = true)]
async fn the_end_names_what_was_taken_and_not_what_was_shown() {
    let engine = engine();
    let ann = with_five_messages(&engine).await;
    let drain = drain(&engine);
    settle().await;
    // Shown, and never taken.
    assert_eq!(ann.peeked().as_deref(), Some("2 Ann: 0"));
    pass(secs(2)).await;
    let frames = ann.take();
    let [ServerFrame::Closing { positions, .. }] = &frames[..] else { panic!("{frames:?}") };
    assert!(positions.values().all(|position| position.ends_with(":1")), "{positions:?}");
    drop(ann);
    drain.await.expect("no panic");
}

/// Thinks for a second about each command.
struct SlowMind;

#[async_trait]
impl Policy for SlowMind {
    async fn check(
        &self,
        _session: &chat_core::SessionView,
        command: chat_core::Command,
    ) -> Result<chat_core::Command, Reject> {
        tokio::time::sleep(secs(1)).await;
        Ok(command)
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_under_way_is_waited_for_and_nothing_follows_the_end() {
    let engine = Engine::builder().policy(Arc::new(SlowMind)).build();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    ann.submit(send("LUNCH", "hi"));
    settle().await;
    let drain = drain(&engine);
    settle().await;
    assert_eq!(ann.told().await, [""; 0], "not yet");
    pass(secs(1)).await;
    assert_eq!(ann.told().await, ["ack 2", "2 Ann: hi", "closing 4001"]);
    ann.submit(send("LUNCH", "too late"));
    assert_eq!(ann.told().await, [""; 0], "nothing follows the end, though there was time");
    drop(ann);
    drain.await.expect("no panic");
}

/// Thinks for a second before it lets somebody in.
struct SlowDoor;

#[async_trait]
impl Policy for SlowDoor {
    async fn admit(&self, _request: &ConnectRequest) -> Result<Admission, Reject> {
        tokio::time::sleep(secs(1)).await;
        Ok(Admission::default())
    }
}

#[tokio::test(start_paused = true)]
async fn who_was_at_the_door_when_the_drain_began_is_not_let_in() {
    let engine = Engine::builder().policy(Arc::new(SlowDoor)).build();
    let connecting = tokio::spawn({
        let engine = engine.clone();
        async move { engine.connect(Default::default(), Hello::default()).await }
    });
    settle().await;
    engine.drain(secs(1)).await;
    let refusal = connecting.await.expect("no panic").expect_err("too late");
    assert_eq!(refusal.close.code(), 4001);
}
