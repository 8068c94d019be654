//! What members show: messages that grow, and signals. The newest is told, it is no event, and it ends with whoever shows it.

use std::time::Duration;

use serde_json::{Value, json};

use super::frames::{list, number, text};
use super::test_client::TestClient;
use super::{Client, TestServer, TransportHarness};

fn live(target: u64, text: impl Into<Value>) -> Value {
    json!({"type": "live", "room": "LUNCH", "target": target, "text": text.into()})
}

fn signal(name: &str, data: Value) -> Value {
    json!({"type": "signal", "room": "LUNCH", "name": name, "data": data})
}

/// Reads on until this message says so much. The states between may be left out: the latest wins.
async fn sees_live<C: Client>(client: &mut TestClient<C>, target: u64, text: impl Into<Value>) -> Value {
    let text = text.into();
    loop {
        let frame = client.find("live").await;
        if frame["target"] == target && frame["text"] == text {
            return frame;
        }
    }
}

/// Reads on until these are all signals there are, in the order of members and names.
async fn sees_signals<C: Client>(client: &mut TestClient<C>, signals: &[(u64, &str, Value)]) {
    let all: Vec<Value> =
        signals.iter().map(|(member, name, data)| json!({"member": member, "name": name, "data": data})).collect();
    while list(&client.find("signals").await, "signals") != all {}
}

/// A message of one's own is shown to all while it grows, oneself included; it is no event, and no history has it.
pub async fn a_message_is_shown_while_it_grows<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let [mut ann, mut bob] = server.people("LUNCH", ["Ann", "Bob"]).await;
    let target = ann.say("LUNCH", "…").await;
    for said in ["Hel", "Hello,\n\"wörld\" 👩‍👩‍👧"] {
        assert_eq!(ann.done(live(target, said)).await["type"], "ack");
        for client in [&mut ann, &mut bob] {
            let frame = sees_live(client, target, said).await;
            assert_eq!(frame, json!({"type": "live", "room": "LUNCH", "target": target, "member": 1, "text": said}));
        }
    }
    ann.done(live(target, Value::Null)).await;
    for client in [&mut ann, &mut bob] {
        let ended = sees_live(client, target, Value::Null).await;
        assert_eq!(ended, json!({"type": "live", "room": "LUNCH", "target": target, "text": null}));
    }
    let history = bob.done(json!({"type": "history", "room": "LUNCH"})).await;
    assert_eq!(list(&history, "messages")[0]["text"], "…");
    assert_eq!(bob.say("LUNCH", "hi").await, target + 1, "a signal has no number");
}

/// What grows ends with its message edited or taken back, alone or with all of its author's, and with its author.
pub async fn what_grows_ends_with_its_message_and_with_its_author<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let [mut ann, mut bob] = server.people("LUNCH", ["Ann", "Bob"]).await;
    let target = bob.say("LUNCH", "…").await;
    bob.done(live(target, "half")).await;
    sees_live(&mut ann, target, "half").await;
    bob.done(json!({"type": "edit", "room": "LUNCH", "target": target, "text": "whole"})).await;
    sees_live(&mut ann, target, Value::Null).await;
    // It may grow again.
    bob.done(live(target, "whole, and")).await;
    sees_live(&mut ann, target, "whole, and").await;
    for end in [
        json!({"type": "redact", "room": "LUNCH"}),
        json!({"type": "redact_all", "room": "LUNCH", "member": 2}),
        json!({"type": "kick", "room": "LUNCH", "member": 2}),
    ] {
        let target = bob.say("LUNCH", "…").await;
        bob.done(live(target, "half")).await;
        sees_live(&mut ann, target, "half").await;
        let mut end = end;
        if end["type"] == "redact" {
            end["target"] = target.into();
        }
        ann.done(end).await;
        sees_live(&mut ann, target, Value::Null).await;
    }
    assert_eq!(bob.code(live(3, "x")).await, "not_member");
    let mut cid = server.client().await;
    cid.join("LUNCH", "Cid").await;
    let target = cid.say("LUNCH", "…").await;
    cid.done(signal("hand", json!(true))).await;
    sees_signals(&mut ann, &[(3, "hand", json!(true))]).await;
    cid.done(live(target, "half")).await;
    sees_live(&mut ann, target, "half").await;
    cid.cut().await;
    sees_live(&mut ann, target, Value::Null).await;
    sees_signals(&mut ann, &[]).await;
}

/// What nobody goes on with ends by itself: it cannot stick.
pub async fn what_is_shown_ends_by_itself<D: TransportHarness>() {
    let server = TestServer::<D>::with(|limits| {
        limits.room.live_ttl = Duration::from_millis(150);
        limits.room.signal_ttl = Duration::from_millis(300);
    })
    .await;
    let [mut ann, mut bob] = server.people("LUNCH", ["Ann", "Bob"]).await;
    assert_eq!(
        (number(&ann.welcome()["limits"], "live_ms"), number(&ann.welcome()["limits"], "signal_ms")),
        (150, 300)
    );
    let target = bob.say("LUNCH", "…").await;
    bob.done(live(target, "half")).await;
    bob.done(signal("hand", json!(true))).await;
    sees_live(&mut ann, target, "half").await;
    sees_live(&mut ann, target, Value::Null).await;
    sees_signals(&mut ann, &[]).await;
}

/// Who comes in is shown what is there now, and so is who comes back.
pub async fn who_comes_in_or_back_is_told_what_is_shown<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let [mut ann, mut bob] = server.people("LUNCH", ["Ann", "Bob"]).await;
    let target = ann.say("LUNCH", "…").await;
    ann.done(live(target, "half")).await;
    ann.done(signal("hand", json!({"up": true}))).await;
    sees_live(&mut bob, target, "half").await;
    let mut cid = server.client().await;
    cid.join("LUNCH", "Cid").await;
    let trail = bob.cut().await;
    let mut bob = server.back(&trail).await;
    for client in [&mut cid, &mut bob] {
        sees_live(client, target, "half").await;
        sees_signals(client, &[(1, "hand", json!({"up": true}))]).await;
    }
}

/// A signal says any JSON value under a name, until it says something else, or nothing.
pub async fn a_signal_says_what_it_was_given<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let [mut ann, mut bob] = server.people("LUNCH", ["Ann", "Bob"]).await;
    let all = [json!(false), json!(-2.5e3), json!("two\nlines \" 👩‍👩‍👧"), json!([1, [], {"a": null}]), json!({})];
    for data in all {
        assert_eq!(ann.done(signal("it", data.clone())).await["type"], "ack");
        sees_signals(&mut bob, &[(1, "it", data)]).await;
    }
    bob.done(signal("its\"", json!(1))).await;
    sees_signals(&mut ann, &[(1, "it", json!({})), (2, "its\"", json!(1))]).await;
    ann.done(signal("it", Value::Null)).await;
    sees_signals(&mut bob, &[(2, "its\"", json!(1))]).await;
    sees_signals(&mut ann, &[(2, "its\"", json!(1))]).await;
}

/// What is wrong with a text or a signal is named, and so is the bound that is full.
pub async fn what_may_not_be_shown_is_refused_by_name<D: TransportHarness>() {
    let server = TestServer::<D>::with(|limits| {
        (limits.room.live_max, limits.room.live_bytes_max, limits.room.signals_bytes_max) = (2, 100, 300);
    })
    .await;
    let [mut ann, mut bob, mut cid] = server.people("LUNCH", ["Ann", "Bob", "Cid"]).await;
    let own = ann.say("LUNCH", "…").await;
    let mut refused = async |frame: Value| {
        let error = ann.refused(frame).await;
        let field = error.get("field").map_or(String::new(), |_| text(&error, "field"));
        (text(&error, "code"), field, error["limit"].as_u64())
    };
    let named = |code: &str, field: &str, limit: Option<u64>| (code.to_owned(), field.to_owned(), limit);
    for (frame, expected) in [
        (live(own, 5), named("bad_field", "text", None)),
        (live(own, ""), named("bad_field", "text", None)),
        (live(own, "x".repeat(4_001)), named("too_long", "text", Some(4_000))),
        (json!({"type": "live", "room": "LUNCH", "target": own}), named("bad_field", "text", None)),
        (json!({"type": "live", "room": "LUNCH", "text": "x"}), named("bad_field", "target", None)),
        (live(1, "x"), named("message_not_found", "", None)),
        (live(own, "x".repeat(101)), named("live_full", "text", Some(100))),
        (signal("", json!(1)), named("bad_field", "name", None)),
        (signal("a\nb", json!(1)), named("bad_field", "name", None)),
        (signal(&"x".repeat(33), json!(1)), named("too_long", "name", Some(32))),
        (signal("x", json!("x".repeat(255))), named("too_long", "data", Some(256))),
        (signal("x", json!([[[[[[[[[]]]]]]]]])), named("too_long", "data", Some(8))),
        (json!({"type": "signal", "room": "LUNCH", "name": "x"}), named("bad_field", "data", None)),
    ] {
        assert_eq!(refused(frame.clone()).await, expected, "{frame}");
    }
    ann.done(signal("x", json!("x".repeat(254)))).await;
    let full = bob.refused(signal("x", json!("x".repeat(254)))).await;
    assert_eq!(
        (text(&full, "code"), text(&full, "field"), number(&full, "limit")),
        ("signals_full".to_owned(), "data".to_owned(), 300)
    );
    for name in ["a", "b"] {
        ann.done(signal("x", Value::Null)).await;
        ann.done(signal(name, json!(1))).await;
    }
    let full = ann.refused(signal("c", json!(1))).await;
    assert_eq!(
        (text(&full, "code"), text(&full, "field"), number(&full, "limit")),
        ("signals_full".to_owned(), "name".to_owned(), 2)
    );
    ann.done(live(own, "x")).await;
    assert_eq!(bob.code(live(own, "x")).await, "forbidden");
    let of_bob = bob.say("LUNCH", "…").await;
    bob.done(live(of_bob, "x")).await;
    let of_cid = cid.say("LUNCH", "…").await;
    let full = cid.refused(live(of_cid, "x")).await;
    assert_eq!((text(&full, "code"), number(&full, "limit")), ("live_full".to_owned(), 2));
}

/// A room that only counts its members shows no signals, and takes none.
pub async fn a_room_that_counts_shows_no_signals<D: TransportHarness>() {
    let server = TestServer::<D>::with(|limits| limits.room.notices_members_max = 2).await;
    let [mut ann, mut bob] = server.people("LUNCH", ["Ann", "Bob"]).await;
    ann.done(signal("hand", json!(true))).await;
    sees_signals(&mut bob, &[(1, "hand", json!(true))]).await;
    let mut cid = server.client().await;
    cid.join("LUNCH", "Cid").await;
    sees_signals(&mut bob, &[]).await;
    let full = ann.refused(signal("hand", json!(true))).await;
    assert_eq!((text(&full, "code"), number(&full, "limit")), ("signals_full".to_owned(), 0));
    ann.done(signal("hand", Value::Null)).await;
}

/// Who sees nothing of what was said before they came is told nothing of how it grows.
pub async fn nobody_is_told_how_messages_before_their_floor_grow<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let [mut ann, mut bob] = server.people("LUNCH", ["Ann", "Bob"]).await;
    ann.done(json!({"type": "settings", "room": "LUNCH", "history": "none"})).await;
    let target = ann.say("LUNCH", "before").await;
    let mut cid = server.client().await;
    cid.join("LUNCH", "Cid").await;
    ann.done(live(target, "before that")).await;
    sees_live(&mut bob, target, "before that").await;
    let next = ann.say("LUNCH", "after").await;
    ann.done(live(next, "after that")).await;
    sees_live(&mut bob, next, "after that").await;
    let told = cid.find("live").await;
    assert_eq!((number(&told, "target"), &told["text"]), (next, &json!("after that")));
}

/// What is shown on one transport is told on the other, as it is.
pub async fn what_is_shown_is_the_same_over_both_transports<D: TransportHarness, E: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let other = E::open(server.engine.clone()).await;
    let [mut ann] = server.people("LUNCH", ["Ann"]).await;
    let mut bob = TestClient::new(&other).await;
    bob.join("LUNCH", "Bob").await;
    let target = ann.say("LUNCH", "…").await;
    ann.done(live(target, "half")).await;
    let frame = sees_live(&mut bob, target, "half").await;
    assert_eq!(sees_live(&mut ann, target, "half").await, frame);
    bob.done(signal("hand", json!([1, "two"]))).await;
    sees_signals(&mut ann, &[(2, "hand", json!([1, "two"]))]).await;
    sees_signals(&mut bob, &[(2, "hand", json!([1, "two"]))]).await;
}
