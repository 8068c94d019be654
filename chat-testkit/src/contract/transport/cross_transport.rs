//! Two transports in front of one engine: it does not matter over which of them one comes in, or comes back.

use chat_core::{Identity, Nick, RoomCode};
use serde_json::json;

use super::devices::InOrder;
use super::frames::{number, text};
use super::test_client::TestClient;
use super::{TestServer, TransportHarness, summary};

/// People on two transports see each other, and everything in one order.
pub async fn people_on_two_transports_are_in_one_room<A: TransportHarness, B: TransportHarness>() {
    let server = TestServer::<A>::open().await;
    let other = B::open(server.engine.clone()).await;
    let [mut ann] = server.people("LUNCH", ["Ann"]).await;
    let mut bob = TestClient::new(&other).await;
    bob.join("LUNCH", "Bob").await;
    for turn in 0..5 {
        ann.say("LUNCH", &format!("question {turn}")).await;
        bob.say("LUNCH", &format!("answer {turn}")).await;
    }
    bob.done(json!({"type": "typing", "room": "LUNCH", "on": true})).await;
    ann.sees_typing("LUNCH", &[2]).await;
    bob.done(json!({"type": "leave", "room": "LUNCH"})).await;
    assert_eq!(ann.told().await, "13 -Bob left");
}

/// What was read over one transport is not repeated over the other, and nothing is missing.
pub async fn a_session_goes_on_over_the_other_transport_at_the_next_event<A: TransportHarness, B: TransportHarness>() {
    let server = TestServer::<A>::open().await;
    let other = B::open(server.engine.clone()).await;
    let [mut ann, mut bob] = server.people("LUNCH", ["Ann", "Bob"]).await;
    ann.say("LUNCH", "read here").await;
    assert_eq!(bob.told().await, "3 Ann: read here");
    ann.say("LUNCH", "not read").await;
    let trail = bob.cut().await;
    ann.say("LUNCH", "while away").await;
    let mut bob = TestClient::back(&other, &trail).await;
    assert_eq!(bob.standings(), ["LUNCH live 3"]);
    bob.say("LUNCH", "back").await;
    assert_eq!(bob.told_to("LUNCH", 6).await, ["4 Ann: not read", "5 Ann: while away", "6 Bob: back"]);
    let mut bob = server.back(&bob.cut().await).await;
    ann.say("LUNCH", "and back again").await;
    assert_eq!(bob.told().await, "7 Ann: and back again");
}

/// The older connection ends with 4501, over its own transport.
pub async fn a_newer_connection_over_the_other_transport_closes_the_older<A: TransportHarness, B: TransportHarness>() {
    let server = TestServer::<A>::open().await;
    let other = B::open(server.engine.clone()).await;
    let [older] = server.people("LUNCH", ["Ann"]).await;
    let mut newer = TestClient::back(&other, &older.trail()).await;
    let closing = older.end().await;
    assert_eq!((number(&closing, "code"), text(&closing, "reason")), (4501, "replaced".to_owned()));
    newer.say("LUNCH", "here now").await;
    assert_eq!(newer.told().await, "2 Ann: here now");
}

/// A key is the session's, wherever it sends from.
pub async fn a_retry_over_the_other_transport_is_answered_not_repeated<A: TransportHarness, B: TransportHarness>() {
    let server = TestServer::<A>::open().await;
    let other = B::open(server.engine.clone()).await;
    let [mut ann] = server.people("LUNCH", ["Ann"]).await;
    let send = json!({"type": "send", "room": "LUNCH", "text": "hi", "key": "c0ffee"});
    let first = ann.done(send.clone()).await;
    let mut ann = TestClient::back(&other, &ann.cut().await).await;
    let again = ann.done(send).await;
    assert_eq!((&first["seq"], &first["at"]), (&again["seq"], &again["at"]));
    ann.say("LUNCH", "after").await;
    assert_eq!(ann.told_to("LUNCH", 3).await, ["2 Ann: hi", "3 Ann: after"]);
}

/// A message is the same over both, down to the last field, live and in histories.
pub async fn messages_are_the_same_over_both_transports<A: TransportHarness, B: TransportHarness>() {
    let server = TestServer::<A>::open().await;
    let other = B::open(server.engine.clone()).await;
    let [mut ann] = server.people("LUNCH", ["Ann"]).await;
    let mut bob = TestClient::new(&other).await;
    bob.join("LUNCH", "Bob").await;
    ann.read_to("LUNCH", 2).await;
    let texts = ["plain", "two\nlines\n\ndata: x", "\"quoted\" \\ 42[\"x\"]", "漢字 👩‍👩‍👧 \u{2028}"];
    for (turn, said) in texts.into_iter().enumerate() {
        let send = json!({"type": "send", "room": "LUNCH", "text": said, "key": format!("{turn}")});
        match turn % 2 {
            0 => ann.done(send).await,
            _ => bob.done(send).await,
        };
    }
    let (here, there) = (ann.read_to("LUNCH", 6).await, bob.read_to("LUNCH", 6).await);
    assert_eq!(here, there);
    assert_eq!(here.iter().map(|frame| text(frame, "text")).collect::<Vec<_>>(), texts);
    let history = bob.done(json!({"type": "history", "room": "LUNCH"})).await;
    assert_eq!(history["messages"], json!(here), "{:?}", here.iter().map(summary).collect::<Vec<_>>());
}

/// A reaction is the same over both, live, in histories and in what is asked for after a gap.
pub async fn reactions_are_the_same_over_both_transports<A: TransportHarness, B: TransportHarness>() {
    let server = TestServer::<A>::open().await;
    let other = B::open(server.engine.clone()).await;
    let [mut ann] = server.people("LUNCH", ["Ann"]).await;
    let mut bob = TestClient::new(&other).await;
    bob.join("LUNCH", "Bob").await;
    ann.say("LUNCH", "Pizza?").await;
    let react = |name: &str, on: bool| json!({"type": "react", "room": "LUNCH", "target": 3, "name": name, "on": on});
    ann.done(react("\u{1F44D}", true)).await;
    bob.done(react("\u{1F44D}", true)).await;
    bob.done(react("\"x\"", true)).await;
    ann.done(react("\u{1F44D}", false)).await;
    let (here, there) = (ann.read_to("LUNCH", 7).await, bob.read_to("LUNCH", 7).await);
    assert_eq!(here[here.len() - 5..], there[there.len() - 5..]);
    let shown = json!([{"name": "\u{1F44D}", "count": 1, "by": [2]}, {"name": "\"x\"", "count": 1, "by": [2]}]);
    let history = json!({"type": "history", "room": "LUNCH"});
    let changes = json!({"type": "changes", "room": "LUNCH", "after": 3});
    let (here, there) = (ann.done(history.clone()).await, bob.done(history).await);
    assert_eq!((&here["messages"][0]["reactions"], &here["messages"]), (&shown, &there["messages"]));
    let (here, there) = (ann.done(changes.clone()).await, bob.done(changes).await);
    assert_eq!((&here["messages"][0]["reactions"], &here["messages"]), (&shown, &there["messages"]));
}

/// Its connection is told so, over its own transport, and nobody comes back to it over either.
pub async fn a_session_is_ended_from_the_other_transport<A: TransportHarness, B: TransportHarness>() {
    let server = TestServer::<A>::open().await;
    let other = B::open(server.engine.clone()).await;
    let [mut ann, bob] = server.people("LUNCH", ["Ann", "Bob"]).await;
    let trail = bob.trail();
    let mut elsewhere = TestClient::new(&other).await;
    let answer = elsewhere.done(json!({"type": "end", "token": trail.token})).await;
    assert_eq!(answer["type"], "ended");
    assert_eq!(bob.end().await["code"], 4503);
    assert_eq!(ann.told().await, "3 -Bob left");
    assert_eq!(TestClient::with_bad_token(&other, trail.resume()).await.1, "bad_token");
    assert_eq!(TestClient::with_bad_token(&server.harness, trail.resume()).await.1, "bad_token");
    elsewhere.join("LUNCH", "Bob").await;
}

/// Who is added by the host comes in on every device, over whichever transport, without having asked: each is told so as if it had.
pub async fn who_is_added_comes_in_on_both_transports<A: TransportHarness, B: TransportHarness>() {
    let people = InOrder::new(&["ann", "bob", "bob"]);
    let server = TestServer::<A>::build(|_| {}, |builder| builder.policy(people)).await;
    let other = B::open(server.engine.clone()).await;
    let [mut ann] = server.people("LUNCH", ["Ann"]).await;
    ann.done(json!({"type": "settings", "room": "LUNCH", "locked": true})).await;
    let mut here = server.client().await;
    let mut there = TestClient::new(&other).await;
    let (bob, lunch) = (Identity::new("bob").expect("an identity"), RoomCode::parse("LUNCH").expect("a room code"));
    let nick = Nick::parse("Bob").expect("a valid nick");
    let added = server.engine.add(&bob, &lunch).with_nick(nick).await.expect("added");
    assert_eq!((added.attached, added.invited_until, added.refused), (2, None, None));
    for joined in [here.find("joined").await, there.find("joined").await] {
        assert!(joined.get("id").is_none(), "nobody has asked: {joined}");
        assert_eq!((&joined["you"]["nick"], &joined["room"]), (&json!("Bob"), &json!("LUNCH")));
    }
    ann.say("LUNCH", "hi").await;
    for told in [here.told_to("LUNCH", 4).await, there.told_to("LUNCH", 4).await] {
        assert_eq!(told.last().map(String::as_str), Some("4 Ann: hi"));
    }
    there.say("LUNCH", "hello").await;
    assert_eq!(here.told().await, "5 Bob: hello");
}

/// Each connection is told so, and has left.
pub async fn all_sessions_of_a_person_are_ended_on_both_transports<A: TransportHarness, B: TransportHarness>() {
    let people = InOrder::new(&["ann", "bob", "bob"]);
    let server = TestServer::<A>::build(|_| {}, |builder| builder.policy(people)).await;
    let other = B::open(server.engine.clone()).await;
    let [mut ann, mut here] = server.people("LUNCH", ["Ann", "Bob"]).await;
    let mut there = TestClient::new(&other).await;
    there.create("TEA", "Bob").await;
    here.done(json!({"type": "end", "all": true})).await;
    assert_eq!((here.end().await["code"].clone(), there.end().await["code"].clone()), (json!(4503), json!(4503)));
    assert_eq!(ann.told().await, "3 -Bob left");
}
