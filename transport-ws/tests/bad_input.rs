//! Bad input: every piece of it is answered with a code that names the field or the limit, the connection stays open, and
//! nobody else notices anything.

mod support;

use serde_json::{Value, json};
use support::{Client, server};
use tokio_tungstenite::tungstenite::Message;

/// Sends what is wrong, and sees that it is refused as it should be. `expected` holds the fields of the error that matter.
async fn refused(client: &mut Client, bad: Message, expected: &Value) {
    let shown: String = format!("{bad:?}").chars().take(120).collect();
    client.send(bad).await;
    let answer = client.hear_next("error").await;
    for (field, value) in expected.as_object().expect("an object of fields") {
        assert_eq!(answer[field], *value, "{shown} was answered with {answer}");
    }
    assert!(answer["message"].as_str().is_some_and(|message| !message.is_empty()), "{answer}");
}

/// The client can still do what everybody can, and the witness has heard of nothing but that.
async fn all_is_well(client: &mut Client, witness: &mut Client, room: &str) {
    let said = client.ask(json!({"type": "send", "id": 1_000, "room": room, "text": "still here"})).await;
    assert_eq!(said["type"], "ack", "{said}");
    let heard = witness.hear().await;
    assert_eq!(
        (&heard["type"], &heard["text"], &heard["seq"]),
        (&json!("message"), &json!("still here"), &said["seq"])
    );
}

async fn room_with_witness() -> (Client, Client) {
    let server = server().await;
    let mut witness = Client::enter(server, "Ann", "LUNCH").await;
    let eve = Client::enter(server, "Eve", "LUNCH").await;
    assert_eq!(witness.hear_next("member_joined").await["nick"], "Eve");
    (eve, witness)
}

#[tokio::test]
async fn frames_that_are_none_are_refused() {
    let (mut eve, mut witness) = room_with_witness().await;
    let bad_frame = json!({"code": "bad_frame"});
    let nested = "[".repeat(30_000);
    for text in ["", "hello", "[]", "\"text\"", "{", "{} {}", "{\"type\":\"leave\",}", "null", &nested] {
        refused(&mut eve, Message::text(text), &bad_frame).await;
    }
    refused(&mut eve, Message::binary(&br#"{"type":"leave","room":"LUNCH"}"#[..]), &bad_frame).await;
    refused(&mut eve, Message::binary(vec![0xFF; 10]), &bad_frame).await;
    let deep = format!(r#"{{"type":"send","id":5,"room":"LUNCH","text":{}}}"#, "[".repeat(30_000));
    refused(&mut eve, Message::text(deep), &json!({"code": "bad_frame"})).await;
    all_is_well(&mut eve, &mut witness, "LUNCH").await;
}

#[tokio::test]
async fn text_that_is_not_utf_8_is_refused() {
    let (mut eve, mut witness) = room_with_witness().await;
    eve.send_text_bytes(*b"\xFF\xFE{}").await;
    assert_eq!(eve.hear().await["code"], "bad_frame");
    let mut half = json!({"type": "send", "id": 1, "room": "LUNCH", "text": "x"}).to_string().into_bytes();
    let at = half.iter().position(|byte| *byte == b'x').expect("it is there");
    half[at] = 0xC3;
    eve.send_text_bytes(half).await;
    assert_eq!(eve.hear().await["code"], "bad_frame");
    all_is_well(&mut eve, &mut witness, "LUNCH").await;
}

#[tokio::test]
async fn wrong_and_missing_fields_are_named() {
    let (mut eve, mut witness) = room_with_witness().await;
    let unknown = json!({"code": "unknown_type", "id": 1});
    for kind in ["shout", "", "Send", "welcome", "message", "hello"] {
        refused(&mut eve, Message::text(json!({"type": kind, "id": 1}).to_string()), &unknown).await;
    }
    for (frame, field) in [
        (json!({}), "type"),
        (json!({"type": 7}), "type"),
        (json!({"type": "leave", "id": -1, "room": "LUNCH"}), "id"),
        (json!({"type": "leave", "id": "one", "room": "LUNCH"}), "id"),
        (json!({"type": "leave", "id": 1.5, "room": "LUNCH"}), "id"),
        (json!({"type": "leave"}), "room"),
        (json!({"type": "leave", "room": null}), "room"),
        (json!({"type": "leave", "room": ["LUNCH"]}), "room"),
        (json!({"type": "leave", "room": "no spaces"}), "room"),
        (json!({"type": "join", "room": "LUNCH"}), "nick"),
        (json!({"type": "join", "room": "LUNCH", "nick": ""}), "nick"),
        (json!({"type": "join", "room": "LUNCH", "nick": "a\u{202E}b"}), "nick"),
        (json!({"type": "join", "room": "LUNCH", "nick": "Bob", "history": "all"}), "history"),
        (json!({"type": "join", "room": "LUNCH", "nick": "Bob", "after": "somewhere"}), "after"),
        (json!({"type": "create", "nick": 5}), "nick"),
        (json!({"type": "create", "nick": "Bob", "room": "no!"}), "room"),
        (json!({"type": "send", "room": "LUNCH"}), "text"),
        (json!({"type": "send", "room": "LUNCH", "text": ""}), "text"),
        (json!({"type": "send", "room": "LUNCH", "text": 5}), "text"),
        (json!({"type": "send", "room": "LUNCH", "text": "a\u{0}b"}), "text"),
        (json!({"type": "send", "room": "LUNCH", "text": "a", "key": "no spaces"}), "key"),
        (json!({"type": "history", "room": "LUNCH", "before": "now"}), "before"),
        (json!({"type": "history", "room": "LUNCH", "limit": -1}), "limit"),
        (json!({"type": "members", "room": "LUNCH", "after": "Ann"}), "after"),
        (json!({"type": "typing", "room": "LUNCH"}), "on"),
        (json!({"type": "typing", "room": "LUNCH", "on": "yes"}), "on"),
        (json!({"type": "redact", "room": "LUNCH", "target": "last"}), "target"),
        (json!({"type": "kick", "room": "LUNCH"}), "member"),
        (json!({"type": "ban", "room": "LUNCH", "member": "Ann"}), "member"),
        (json!({"type": "topic", "room": "LUNCH"}), "topic"),
    ] {
        refused(&mut eve, Message::text(frame.to_string()), &json!({"code": "bad_field", "field": field})).await;
    }
    all_is_well(&mut eve, &mut witness, "LUNCH").await;
}

/// Whoever keeps the token that they were told last would lose their session to one that was begun for them by mistake.
#[tokio::test]
async fn a_hello_with_a_wrong_field_costs_no_session() {
    let server = server().await;
    let mut ann = Client::connect(server).await;
    ann.say(json!({"type": "hello"})).await;
    let welcome = ann.hear().await;
    drop(ann);
    let hello = json!({"type": "hello", "id": 7, "resume": welcome["token"]});
    for (field, wrong) in [("catch_up", json!("all")), ("catch_up", json!(-1)), ("resume", json!(5))] {
        let mut client = Client::connect(server).await;
        let mut bad = hello.clone();
        bad[field] = wrong;
        client.say(bad).await;
        let error = client.hear().await;
        let told = (&error["type"], &error["id"], &error["code"], &error["field"]);
        assert_eq!(told, (&json!("error"), &json!(7), &json!("bad_field"), &json!(field)));
        let closing = client.hear().await;
        assert_eq!((&closing["type"], &closing["code"]), (&json!("closing"), &json!(4500)));
    }
    let mut ann = Client::connect(server).await;
    ann.say(hello).await;
    let again = ann.hear().await;
    assert_eq!((&again["resumed"], &again["session"]), (&json!(true), &welcome["session"]));
}

#[tokio::test]
async fn what_is_too_long_is_told_its_limit() {
    let (mut eve, mut witness) = room_with_witness().await;
    for (frame, field, limit) in [
        (json!({"type": "send", "room": "LUNCH", "text": "x".repeat(4_001)}), "text", 4_000),
        (json!({"type": "send", "room": "LUNCH", "text": "\u{1F600}".repeat(4_001)}), "text", 4_000),
        (json!({"type": "send", "room": "LUNCH", "text": "x", "key": "k".repeat(65)}), "key", 64),
        (json!({"type": "join", "room": "LUNCH", "nick": "n".repeat(33)}), "nick", 32),
        (json!({"type": "join", "room": "R".repeat(33), "nick": "Bob"}), "room", 32),
        (json!({"type": "create", "room": "R".repeat(33), "nick": "Bob"}), "room", 32),
        (json!({"type": "topic", "room": "LUNCH", "topic": "t".repeat(201)}), "topic", 200),
    ] {
        let expected = json!({"code": "too_long", "field": field, "limit": limit});
        refused(&mut eve, Message::text(frame.to_string()), &expected).await;
    }
    let frame = json!({"code": "too_long", "field": "frame", "limit": 65_536});
    refused(&mut eve, Message::text(" ".repeat(65_537)), &frame).await;
    refused(&mut eve, Message::text("x".repeat(4 * 65_536)), &frame).await;
    all_is_well(&mut eve, &mut witness, "LUNCH").await;
}

#[tokio::test]
async fn commands_that_the_rooms_do_not_allow_are_refused() {
    let (mut eve, mut witness) = room_with_witness().await;
    for (frame, code) in [
        (json!({"type": "join", "id": 1, "room": "NOWHERE", "nick": "Eve"}), "room_not_found"),
        (json!({"type": "create", "id": 1, "room": "LUNCH", "nick": "Eve"}), "name_taken"),
        (json!({"type": "create", "id": 1, "room": "lunch", "nick": "Eve"}), "name_taken"),
        (json!({"type": "join", "id": 1, "room": "LUNCH", "nick": "Eve"}), "already_member"),
        (json!({"type": "send", "id": 1, "room": "NOWHERE", "text": "hi"}), "room_not_found"),
        (json!({"type": "leave", "id": 1, "room": "NOWHERE"}), "room_not_found"),
        (json!({"type": "redact", "id": 1, "room": "LUNCH", "target": 999}), "message_not_found"),
        (json!({"type": "kick", "id": 1, "room": "LUNCH", "member": 1}), "forbidden"),
        (json!({"type": "topic", "id": 1, "room": "LUNCH", "topic": "mine"}), "forbidden"),
    ] {
        let answer = eve.ask(frame.clone()).await;
        assert_eq!(answer["code"], code, "{frame}: {answer}");
    }
    all_is_well(&mut eve, &mut witness, "LUNCH").await;
}

#[tokio::test]
async fn a_stranger_can_neither_speak_nor_take_a_nick() {
    let server = server().await;
    let mut witness = Client::enter(server, "Ann", "LUNCH").await;
    let mut eve = Client::connect(server).await;
    let unjoined = eve.ask(json!({"type": "send", "id": 1, "room": "LUNCH", "text": "hi"})).await;
    assert_eq!(unjoined["code"], "not_member", "{unjoined}");
    for nick in ["Ann", "ann", " ANN ", "\u{0410}nn"] {
        let answer = eve.ask(json!({"type": "join", "id": 2, "room": "LUNCH", "nick": nick})).await;
        assert_eq!(answer["code"], "nick_taken", "{nick}: {answer}");
    }
    let joined = eve.ask(json!({"type": "join", "id": 3, "room": "LUNCH", "nick": "Eve"})).await;
    assert_eq!(joined["type"], "joined", "{joined}");
    assert_eq!(witness.hear().await["nick"], "Eve");
    all_is_well(&mut eve, &mut witness, "LUNCH").await;
}

#[tokio::test]
async fn a_room_too_many_is_told_the_limit() {
    let (mut eve, mut witness) = room_with_witness().await;
    for number in 2..=32 {
        let made = eve.ask(json!({"type": "create", "id": number, "nick": "Eve"})).await;
        assert_eq!(made["type"], "joined", "{made}");
    }
    let answer = eve.ask(json!({"type": "create", "id": 33, "nick": "Eve"})).await;
    assert_eq!((&answer["code"], &answer["limit"]), (&json!("too_many_rooms"), &json!(32)), "{answer}");
    all_is_well(&mut eve, &mut witness, "LUNCH").await;
}

#[tokio::test]
async fn a_flood_is_slowed_down_and_told_when_to_go_on() {
    let (mut eve, mut witness) = room_with_witness().await;
    for id in 1..=200 {
        eve.say(json!({"type": "send", "id": id, "room": "LUNCH", "text": format!("flood {id}")})).await;
    }
    let (mut told, mut refused) = (Vec::new(), 0);
    for _ in 1..=200 {
        let answer = loop {
            let frame = eve.hear().await;
            if frame["id"].is_u64() {
                break frame;
            }
        };
        if answer["type"] == "ack" {
            told.push(answer["seq"].clone());
        } else {
            assert_eq!(answer["code"], "rate_limited", "{answer}");
            assert!(answer["retry_after_ms"].as_u64().is_some_and(|wait| (1..=200).contains(&wait)), "{answer}");
            refused += 1;
        }
    }
    // Ten at once, and what five per second allow while this runs.
    assert!(refused > 100 && told.len() >= 10, "{} told, {refused} refused", told.len());
    for seq in told {
        assert_eq!(witness.hear_next("message").await["seq"], seq);
    }
    let flood = json!({"type": "history", "id": 7, "room": "LUNCH", "limit": 1});
    assert_eq!(eve.ask(flood).await["type"], "history");
}
