//! What is told again to whoever comes back to an old position, and who pays for it.
#![cfg(feature = "engine")]

mod support;

use std::time::Duration;

use chat_core::{
    CloseReason, Command, Engine, Hello, Limits, Position, RejectCode, Seq, ServerFrame, SignalData, SignalName,
};
use support::*;

const HERE: &str = "192.0.2.1";
/// What the events of [`talk_much`] have, in bytes, about.
const SAID: usize = 20 * 4_000;

/// An engine in which an address is answered 100 KB at once and 10 KB a second, and nothing else is bounded.
fn narrow(change: impl FnOnce(&mut Limits)) -> Engine {
    engine_with(|limits| {
        limits.lift_rates();
        (limits.engine.address_answered_bytes_burst, limits.engine.address_answered_bytes_per_second) =
            (100_000, 10_000);
        change(limits);
    })
}

async fn talk_much(host: &Client, room: &str) {
    for _ in 0..20 {
        host.say(room, &"x".repeat(4_000)).await;
        host.take();
    }
}

/// Comes into a room before anything was said in it; the position there.
async fn enter(client: &Client, room: &str) -> Position {
    client.session.call(join(room, "Ann")).await.expect("everybody may enter");
    let position = client.joined().await.position();
    client.told().await;
    position
}

fn length(frames: &[ServerFrame]) -> usize {
    frames.iter().map(|frame| serde_json::to_string(frame).expect("a frame is JSON").len()).sum()
}

/// Comes back until that is refused, and reads everything each time: how many bytes came, and how long to wait.
async fn come_back(engine: &Engine, token: &mut String, hello: impl Fn(&str) -> Hello) -> (Vec<usize>, Duration) {
    let mut told = Vec::new();
    while told.len() < 50 {
        match engine.connect(from(HERE), hello(token)).await {
            Ok(session) => {
                let client = Client { session };
                told.push(length(&client.frames().await));
                *token = client.token();
            }
            Err(refusal) => {
                assert_eq!((refusal.close, refusal.reject.code), (CloseReason::AtCapacity, RejectCode::RateLimited));
                return (told, refusal.reconnect_after.expect("it says when to come back"));
            }
        }
    }
    panic!("it goes on and on: {told:?}");
}

#[tokio::test(start_paused = true)]
async fn events_that_are_told_again_after_an_old_position_are_paid_for() {
    let engine = narrow(|_| {});
    let host = Client::in_room(&engine, "LUNCH", "Host").await;
    let ann = Client::calling_from(&engine, HERE).await;
    let position = enter(&ann, "LUNCH").await;
    let mut token = ann.token();
    drop(ann);
    talk_much(&host, "LUNCH").await;
    let hello = |token: &str| resume(token, &[("LUNCH", position)]);
    let (told, wait) = come_back(&engine, &mut token, hello).await;
    assert_eq!(told.len(), 3, "100 KB at once, and as much owed: {told:?}");
    assert!(told.iter().all(|bytes| *bytes > SAID), "who was away is told all that they have missed: {told:?}");
    assert!(wait < secs(10), "until no more than a burst is owed: {wait:?}");
    pass(wait).await;
    let (told, _) = come_back(&engine, &mut token, hello).await;
    assert_eq!(told.len(), 1);
    assert!(told[0] > SAID);
}

#[tokio::test(start_paused = true)]
async fn whoever_stays_or_comes_back_to_the_end_pays_for_no_event() {
    let engine = narrow(|_| {});
    let host = Client::in_room(&engine, "LUNCH", "Host").await;
    let ann = Client::calling_from(&engine, HERE).await;
    let Position { epoch, .. } = enter(&ann, "LUNCH").await;
    let mut bytes = 0;
    for _ in 0..5 {
        talk_much(&host, "LUNCH").await;
        bytes += length(&ann.frames().await);
    }
    assert!(bytes > 5 * SAID);
    ann.session.call(Command::history(code("LUNCH"))).await.expect("nothing was told again");
    pass(secs(30)).await;
    let seq = Seq(host.say("LUNCH", "that was it").await);
    ann.told().await;
    let mut token = ann.token();
    drop(ann);
    for _ in 0..200 {
        let back =
            Client::with_request(&engine, from(HERE), resume(&token, &[("LUNCH", Position { epoch, seq })])).await;
        assert_eq!(back.told().await, [format!("welcome back lunch:live:{seq}")]);
        token = back.token();
    }
}

#[tokio::test(start_paused = true)]
async fn a_join_after_an_old_position_pays_for_what_follows() {
    let engine = narrow(|_| {});
    let host = Client::in_room(&engine, "LUNCH", "Host").await;
    let ann = Client::calling_from(&engine, HERE).await;
    let position = enter(&ann, "LUNCH").await;
    talk_much(&host, "LUNCH").await;
    ann.told().await;
    let mut joins = 0;
    let reject = loop {
        assert!(joins < 50, "it goes on and on");
        ann.session.call(leave("LUNCH")).await.expect("she is in");
        ann.told().await;
        match ann.session.call(Command::join(code("LUNCH"), nick("Ann")).with_position(Some(position))).await {
            Ok(_) => joins += 1,
            Err(reject) => break reject,
        }
        assert!(length(&ann.frames().await) > SAID);
    };
    assert_eq!((joins, reject.code), (2, RejectCode::RateLimited), "100 KB at once, and the last is owed for");
    assert!(reject.retry_after.is_some());
}

#[tokio::test(start_paused = true)]
async fn what_slots_show_to_whoever_comes_in_is_paid_for() {
    let engine = narrow(|_| {});
    let host = Client::in_room(&engine, "LUNCH", "Host").await;
    let ann = Client::calling_from(&engine, HERE).await;
    let Position { epoch, .. } = enter(&ann, "LUNCH").await;
    let target = host.say("LUNCH", "start").await;
    let mut token = ann.token();
    drop(ann);
    settle().await;
    let seq = Seq(target);
    let text = "\"".repeat(4_000);
    host.session.call(Command::live(code("LUNCH"), seq, Some(body(&text)))).await.expect("it is hers");
    let data = SignalData::parse(&format!("\"{}\"", "x".repeat(100))).expect("valid data");
    let signal = Command::signal(code("LUNCH"), SignalName::parse("hand").expect("a valid name"), Some(data));
    host.session.call(signal).await.expect("everybody may");
    settle().await;
    let (told, _) = come_back(&engine, &mut token, |token| resume(token, &[("LUNCH", Position { epoch, seq })])).await;
    let each = told[0];
    assert!(each > 8_100, "{told:?}");
    assert!(told.len() * each < 200_000 + 3 * each, "100 KB at once and as much owed: {told:?}");
}

/// A gap shows the room: its members, and more.
#[tokio::test(start_paused = true)]
async fn a_gap_that_somebody_comes_back_to_is_owed_for_without_an_end() {
    let engine = narrow(|limits| {
        limits.engine.address_answered_bytes_burst = 4_000;
        limits.engine.address_answered_bytes_per_second = 400;
    });
    let host = Client::in_room(&engine, "LUNCH", "Host").await;
    let mut crowd = Vec::new();
    for number in 0..20 {
        crowd.push(Client::in_room(&engine, "LUNCH", &format!("A guest by the number of {number}")).await);
    }
    let ann = Client::calling_from(&engine, HERE).await;
    let position = enter(&ann, "LUNCH").await;
    pass(secs(60)).await;
    let mut token = ann.token();
    drop(ann);
    host.say("LUNCH", "x").await;
    let hello = |token: &str| Hello { catch_up: Some(0), ..resume(token, &[("LUNCH", position)]) };
    let (told, _) = come_back(&engine, &mut token, hello).await;
    assert!(told[0] > 1_500, "{told:?}");
    assert!((2..10).contains(&told.len()), "{told:?}");
}

/// They were let in before anything was shown to any of them.
#[tokio::test(start_paused = true)]
async fn whoever_comes_back_where_too_much_is_owed_already_is_told_of_what_is_long_as_a_gap() {
    let engine = narrow(|_| {});
    let rooms = ["ONE", "TWO", "THREE", "FOUR", "FIVE"];
    let ann = Client::calling_from(&engine, HERE).await;
    let mut positions = Vec::new();
    for room in rooms {
        let host = Client::in_room(&engine, room, "Host").await;
        positions.push((room, enter(&ann, room).await));
        talk_much(&host, room).await;
        drop(host);
    }
    let quiet = Client::in_room(&engine, "QUIET", "Host").await;
    positions.push(("QUIET", enter(&ann, "QUIET").await));
    let last = quiet.say("QUIET", "a few words").await;
    let token = ann.token();
    drop(ann);
    pass(secs(20)).await;
    let ann = Client::with_request(&engine, from(HERE), resume(&token, &positions)).await;
    let frames = ann.frames().await;
    let gaps: Vec<_> = frames.iter().filter(|frame| matches!(frame, ServerFrame::Gap { .. })).collect();
    assert_eq!(gaps.len(), 2, "three rooms are 240 KB: {:?}", frames.iter().map(summary).collect::<Vec<_>>());
    assert!(length(&frames) > 3 * SAID && length(&frames) < 4 * SAID);
    assert!(frames.iter().any(|frame| summary(frame) == format!("{last} Host: a few words")), "what is short is told");
}
