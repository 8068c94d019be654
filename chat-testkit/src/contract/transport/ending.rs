//! The end of a session for good, asked for by its client: answered, told to the others as a leave, and final.

use std::sync::Arc;

use serde_json::json;

use super::devices::InOrder;
use super::frames::text;
use super::test_client::within;
use super::{TestClient, TestServer, TransportHarness};
use crate::logs::{FaultyLog, MemoryLog, Operation, Outcome};

/// The answer comes first, the end of the connection after it.
pub async fn who_ends_their_session_has_left_and_cannot_come_back<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let [mut ann, mut bob] = server.people("LUNCH", ["Ann", "Bob"]).await;
    let trail = bob.trail();
    let answer = bob.done(json!({"type": "end"})).await;
    assert_eq!(answer["type"], "ended");
    assert_eq!(ann.told().await, "3 -Bob left");
    let closing = bob.end().await;
    assert_eq!((&closing["code"], &closing["reason"]), (&json!(4503), &json!("ended")));
    let (_, code) = TestClient::with_bad_token(&server.harness, trail.resume()).await;
    assert_eq!(code, "bad_token");
}

/// Whoever has lost a session to somebody else still can end it, from a new one.
pub async fn a_superseded_token_still_ends_its_session<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let [mut ann, bob] = server.people("LUNCH", ["Ann", "Bob"]).await;
    let first = bob.cut().await;
    let second = server.back(&first).await.cut().await;
    let mut thief = server.back(&second).await;
    thief.say("LUNCH", "not Bob").await;
    assert_eq!(ann.told().await, "3 Bob: not Bob");
    let (mut bob, code) = TestClient::with_bad_token(&server.harness, first.resume()).await;
    assert_eq!(code, "bad_token");
    assert_eq!(bob.code(json!({"type": "end", "token": "nonsense"})).await, "bad_field");
    let (session, rest) = first.token.split_once('.').expect("a session");
    let forged = format!("{session}.{}", rest.replacen('0', "1", 1));
    assert_eq!(bob.code(json!({"type": "end", "token": forged})).await, "bad_token");
    let answer = bob.done(json!({"type": "end", "token": first.token})).await;
    assert_eq!(answer["type"], "ended");
    assert_eq!(thief.end().await["code"], 4503);
    assert_eq!(ann.told().await, "4 -Bob left");
    bob.create("TEA", "Bob").await;
    assert_ne!(text(&bob.welcome, "session"), session);
}

/// Whoever has several devices is still there while one of them is; with `all` they have gone, and begin anew.
pub async fn the_devices_of_a_person_are_ended_one_by_one_or_all_at_once<D: TransportHarness>() {
    let people = InOrder::new(&["ann", "bob", "bob", "bob", "bob"]);
    let server = TestServer::<D>::build(|_| {}, |builder| builder.policy(people)).await;
    let [mut ann] = server.people("LUNCH", ["Ann"]).await;
    let [mut laptop, mut phone, mut away] = [server.client().await, server.client().await, server.client().await];
    for device in [&mut laptop, &mut phone, &mut away] {
        device.join("LUNCH", "Bob").await;
    }
    let away = away.cut().await;
    assert_eq!(laptop.done(json!({"type": "end"})).await["type"], "ended");
    assert_eq!(laptop.end().await["code"], 4503);
    phone.say("LUNCH", "still here").await;
    assert_eq!(ann.told_to("LUNCH", 3).await.last().map(String::as_str), Some("3 Bob: still here"));
    assert_eq!(phone.done(json!({"type": "end", "all": true})).await["type"], "ended");
    assert_eq!(phone.end().await["code"], 4503);
    assert_eq!(ann.told().await, "4 -Bob left");
    let (mut bob, code) = TestClient::with_bad_token(&server.harness, away.resume()).await;
    assert_eq!(code, "bad_token", "of a device that was away too");
    bob.join("LUNCH", "Bob").await;
    assert_eq!(ann.told().await, "5 +Bob");
}

/// Where the log cannot say who was ended, nobody is let in as somebody they may not be any more.
pub async fn who_may_have_been_ended_is_told_when_to_come_back<D: TransportHarness>() {
    let log = Arc::new(FaultyLog::new(MemoryLog::new()));
    let nobody_stays = |limits: &mut chat_core::Limits| limits.engine.sessions_detached_max = 0;
    let server = TestServer::<D>::over(Arc::clone(&log) as _, nobody_stays).await;
    let trail = server.client().await.cut().await;
    within(async {
        while server.engine.stats().sessions + server.engine.stats().sessions_detached > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    log.push(Operation::Ended, Outcome::Fails);
    assert_eq!(server.put_off(Some(trail.resume())).await, ("unavailable".to_owned(), 4006));
    server.back(&trail).await;
}
