//! The end of a session for good, asked for by its client: answered, told to the others as a leave, and final.

use serde_json::json;

use super::test_client::text;
use super::{TestClient, TestServer, TransportHarness};

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
