//! Messages that are more than a text, and what their authors make of them later: data, answers, edits.

use std::sync::Arc;
use std::time::Duration;

use chat_core::NewcomersSee;
use serde_json::{Value, json};

use super::frames::{list, number, text};
use super::{TestServer, TransportHarness};
use crate::logs::MemoryLog;

fn edit(target: u64, text: &str) -> Value {
    json!({"type": "edit", "room": "LUNCH", "target": target, "text": text})
}

fn keyed(mut command: Value, key: &str) -> Value {
    command["key"] = key.into();
    command
}

fn history() -> Value {
    json!({"type": "history", "room": "LUNCH"})
}

/// The author edits, as long as they may speak and the message is there, and comes back to it after leaving. Nobody else does, whatever their
/// role.
pub async fn an_author_edits_a_message_and_nobody_else_does<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let [mut ann, mut bob] = server.people("LUNCH", ["Ann", "Bob"]).await;
    assert_eq!(bob.say("LUNCH", "hi").await, 3);
    assert_eq!(ann.code(edit(3, "mine")).await, "forbidden", "the owner");
    assert_eq!(server.client().await.code(edit(3, "mine")).await, "not_member");
    for target in [1, 4, u64::from(u32::MAX)] {
        assert_eq!(bob.code(edit(target, "nothing")).await, "message_not_found", "{target}");
    }
    let ack = bob.done(edit(3, "hello")).await;
    assert_eq!((&ack["type"], &ack["room"], number(&ack, "seq")), (&json!("ack"), &json!("LUNCH"), 4));
    let same = bob.done(edit(3, "hello")).await;
    assert_eq!((number(&same, "seq"), same.get("at")), (4, None), "it says that already");
    for client in [&mut ann, &mut bob] {
        let told = client.read_to("LUNCH", 4).await;
        let edited = json!({
            "type": "edited", "room": "LUNCH", "seq": 4, "at": ack["at"], "target": 3, "by": 2, "n": 1, "text": "hello",
        });
        assert_eq!(told.last(), Some(&edited));
    }
    bob.done(json!({"type": "leave", "room": "LUNCH"})).await;
    assert_eq!(bob.code(edit(3, "from outside")).await, "not_member");
    bob.read_to("LUNCH", 5).await;
    bob.join("LUNCH", "Bob").await;
    let again = number(&bob.done(edit(3, "and again")).await, "seq");
    let told = ann.told_to("LUNCH", again).await;
    assert_eq!(told.last(), Some(&format!("{again} edited 3: and again")));
    ann.done(json!({"type": "settings", "room": "LUNCH", "read_only": true})).await;
    assert_eq!(bob.code(edit(3, "in silence")).await, "read_only");
    ann.done(json!({"type": "settings", "room": "LUNCH", "read_only": false})).await;
    ann.redact("LUNCH", 3).await;
    assert_eq!(bob.code(edit(3, "back")).await, "message_not_found");
}

/// A retry is answered with the first answer; a key stands for one thing, be it an edit or a message.
pub async fn a_retried_edit_is_answered_not_repeated<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let [mut ann, mut bob] = server.people("LUNCH", ["Ann", "Bob"]).await;
    ann.say("LUNCH", "one").await;
    let first = ann.done(keyed(edit(3, "two"), "e1")).await;
    let told = bob.read_to("LUNCH", 4).await;
    assert_eq!((&told[1]["key"], &told[1]["text"]), (&json!("e1"), &json!("two")));
    ann.done(edit(3, "three")).await;
    let again = ann.done(keyed(edit(3, "two"), "e1")).await;
    assert_eq!((number(&again, "seq"), &again["at"]), (4, &first["at"]));
    assert_eq!(ann.code(keyed(edit(3, "four"), "e1")).await, "key_conflict");
    let send = json!({"type": "send", "room": "LUNCH", "text": "two"});
    assert_eq!(ann.code(keyed(send, "e1")).await, "key_conflict");
    let told = bob.read_to("LUNCH", 5).await;
    assert_eq!((&told[0]["n"], told[0].get("key")), (&json!(2), None));
}

/// Whoever reads late, or pages, is shown what a message says now, and how often that was changed; what it said before, nobody is.
pub async fn an_edited_message_is_what_histories_and_late_readers_are_shown<D: TransportHarness>() {
    let server = TestServer::<D>::over(Arc::new(MemoryLog::new()), |_| {}).await;
    let [mut ann, bob] = server.people("LUNCH", ["Ann", "Bob"]).await;
    let away = bob.cut().await;
    ann.say("LUNCH", "one").await;
    ann.done(edit(3, "two")).await;
    ann.done(edit(3, "three")).await;
    let mut bob = server.back(&away).await;
    let told = bob.told_to("LUNCH", 5).await;
    assert_eq!(told, ["3 Ann: three", "4 edited 3: null", "5 edited 3: three"]);
    let page = bob.done(history()).await;
    let message = &list(&page, "messages")[0];
    assert_eq!((&message["text"], &message["edited"]), (&json!("three"), &json!(2)), "{page}");
    let joined = server.client().await.join("LUNCH", "Cid").await;
    assert_eq!(&list(&joined, "history")[0], message);
    ann.redact("LUNCH", 3).await;
    let mut bob = server.back(&bob.trail().at("LUNCH", 2)).await;
    let told = bob.told_to("LUNCH", 7).await;
    assert_eq!(told, ["3 Ann took back", "4 edited 3: null", "5 edited 3: null", "6 +Cid", "7 redacted 3"]);
    let page = bob.done(history()).await;
    let message = &list(&page, "messages")[0];
    assert_eq!((&message["redacted"], message.get("edited")), (&json!(true), None), "{page}");
}

/// A message is edited in a gap that somebody is told: the gap says that something was changed, and asking says what.
pub async fn what_was_edited_in_a_gap_is_told_on_asking<D: TransportHarness>() {
    let server = TestServer::<D>::over(Arc::new(MemoryLog::new()), |limits| limits.room.backlog_events_max = 16).await;
    let [mut ann, mut bob] = server.people("LUNCH", ["Ann", "Bob"]).await;
    let said = ann.say("LUNCH", "as it was").await;
    bob.read_to("LUNCH", said).await;
    let trail = bob.cut().await;
    ann.done(edit(said, "as it is")).await;
    ann.talk_on("LUNCH", 60).await;
    let mut bob = server.back(&trail).await;
    let told = bob.read_to("LUNCH", 64).await;
    let gap = &told[0];
    assert_eq!((text(gap, "type"), number(gap, "from"), number(gap, "changed_at")), ("gap".to_owned(), 4, 4));
    let page = bob.done(json!({"type": "changes", "room": "LUNCH", "after": 3})).await;
    let [message] = list(&page, "messages") else { panic!("one was changed: {page}") };
    assert_eq!((number(message, "seq"), &message["text"], &message["edited"]), (said, &json!("as it is"), &json!(1)));
}

/// What programs say to each other is passed on as it is, with or without a text, in messages, edits and histories.
pub async fn data_comes_as_it_was_sent<D: TransportHarness>() {
    let server = TestServer::<D>::over(Arc::new(MemoryLog::new()), |_| {}).await;
    let [mut ann, mut bob] = server.people("LUNCH", ["Ann", "Bob"]).await;
    let data = json!({
        "z": 1, "a": [null, true, -0.5, 1e300, 18_446_744_073_709_551_615_u64, [[{}]]], "": {"line\nbreak": "\r\n\ndata: x\u{2028}"},
        "漢字": "\u{0} \\u0000 \" </script> %00", "type": "closing",
    });
    ann.done(json!({"type": "send", "room": "LUNCH", "data": data, "reply_to": 2})).await;
    ann.done(json!({"type": "send", "room": "LUNCH", "text": "with a text", "data": {}})).await;
    for client in [&mut ann, &mut bob] {
        let told = client.read_to("LUNCH", 4).await;
        let [.., alone, both] = told.as_slice() else { panic!("two were said: {told:?}") };
        assert_eq!((&alone["text"], &alone["data"], &alone["reply_to"]), (&json!(""), &data, &json!(2)));
        assert_eq!(alone.get("redacted"), None, "it says something");
        assert_eq!((&both["data"], both.get("reply_to")), (&json!({}), None));
    }
    ann.done(json!({"type": "edit", "room": "LUNCH", "target": 4, "data": data})).await;
    let edited = bob.next().await;
    assert_eq!((&edited["text"], &edited["data"]), (&json!(""), &data));
    let page = bob.done(history()).await;
    for message in list(&page, "messages") {
        assert_eq!((&message["text"], &message["data"], message.get("redacted")), (&json!(""), &data, None), "{page}");
    }
}

/// Whoever may not see a message is told that something has its number, and no more: not which message it is about.
pub async fn changes_below_ones_floor_say_nothing<D: TransportHarness>() {
    let server = TestServer::<D>::with(|limits| limits.room.newcomers_see = NewcomersSee::Nothing).await;
    let [mut ann] = server.people("LUNCH", ["Ann"]).await;
    for said in ["one", "two"] {
        ann.say("LUNCH", said).await;
    }
    let mut bob = server.client().await;
    bob.join("LUNCH", "Bob").await;
    assert_eq!(bob.code(edit(2, "theirs")).await, "message_not_found");
    bob.read_to("LUNCH", 4).await;
    ann.done(keyed(edit(2, "a secret"), "secret")).await;
    ann.redact("LUNCH", 3).await;
    let trail = bob.trail();
    let live = bob.read_to("LUNCH", 6).await;
    let mut bob = server.back(&trail).await;
    let late = bob.read_to("LUNCH", 6).await;
    for (frame, kind) in live.iter().zip(["edited", "redacted"]).chain(late.iter().zip(["edited", "redacted"])) {
        let bare = json!({"type": kind, "room": "LUNCH", "seq": frame["seq"], "at": frame["at"]});
        assert_eq!(*frame, bare);
    }
    assert_eq!((live.len(), late.len()), (2, 2));
    let page = bob.done(json!({"type": "changes", "room": "LUNCH", "after": 4})).await;
    assert_eq!(page["messages"], json!([]));
    assert_eq!(ann.told_to("LUNCH", 6).await[3..], ["5 edited 2: a secret", "6 redacted 3"]);
}

/// What is wrong is named, with the bound it is past, and nothing is said.
pub async fn what_a_message_may_not_hold_is_refused_by_name<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let [mut ann, mut bob] = server.people("LUNCH", ["Ann", "Bob"]).await;
    ann.say("LUNCH", "hi").await;
    let long = json!({"x": "x".repeat(4_089)});
    let deep = json!({"x": [[[[[[[[]]]]]]]]});
    for (fields, code, field, limit) in [
        (json!({"data": []}), "bad_field", "data", Value::Null),
        (json!({"data": "{}"}), "bad_field", "data", Value::Null),
        (json!({"text": "x", "data": 1}), "bad_field", "data", Value::Null),
        (json!({"data": long}), "too_long", "data", json!(4_096)),
        (json!({"data": deep}), "too_long", "data", json!(8)),
        (json!({}), "bad_field", "text", Value::Null),
        (json!({"text": ""}), "bad_field", "text", Value::Null),
        (json!({"text": "x".repeat(4_001), "data": {}}), "too_long", "text", json!(4_000)),
    ] {
        for mut command in [json!({"type": "send"}), json!({"type": "edit", "target": 3})] {
            let more = fields.as_object().expect("fields").clone();
            command.as_object_mut().expect("fields").extend(more);
            command["room"] = "LUNCH".into();
            let refused = ann.refused(command.clone()).await;
            let named = (text(&refused, "code"), text(&refused, "field"), refused["limit"].clone());
            assert_eq!(named, (code.to_owned(), field.to_owned(), limit.clone()), "{command}");
        }
    }
    for answered in [json!(0), json!(4), json!("3"), json!(-1)] {
        let refused = ann.refused(json!({"type": "send", "room": "LUNCH", "text": "x", "reply_to": answered})).await;
        assert_eq!((&refused["code"], &refused["field"]), (&json!("bad_field"), &json!("reply_to")), "{answered}");
    }
    let refused = ann.refused(json!({"type": "edit", "room": "LUNCH", "text": "x"})).await;
    assert_eq!((&refused["code"], &refused["field"]), (&json!("bad_field"), &json!("target")));
    ann.done(json!({"type": "send", "room": "LUNCH", "data": {"x": "x".repeat(4_088)}})).await;
    ann.done(json!({"type": "send", "room": "LUNCH", "text": "x", "data": {"x": [[[[[[[]]]]]]]}})).await;
    assert_eq!(bob.read_to("LUNCH", 5).await.len(), 3);
}

/// So often, and for so long.
pub async fn a_message_is_edited_so_often_and_no_more<D: TransportHarness>() {
    let server = TestServer::<D>::with(|limits| limits.room.edits_max = 2).await;
    let [mut ann] = server.people("LUNCH", ["Ann"]).await;
    ann.say("LUNCH", "one").await;
    for said in ["two", "three"] {
        ann.done(edit(2, said)).await;
    }
    let refused = ann.refused(edit(2, "four")).await;
    assert_eq!((&refused["code"], &refused["limit"]), (&json!("edits_full"), &json!(2)));
    ann.say("LUNCH", "five").await;
    assert_eq!(ann.done(edit(5, "six")).await["seq"], 6, "each message has its own");

    let server = TestServer::<D>::with(|limits| limits.room.edit_window = Duration::from_secs(1)).await;
    let [mut ann] = server.people("LUNCH", ["Ann"]).await;
    ann.say("LUNCH", "one").await;
    let refused = loop {
        let answer = ann.ask(keyed(edit(2, "again"), "same")).await;
        match answer["type"].as_str() {
            Some("ack") => assert_eq!(answer["seq"], 3, "a retry is answered at any time"),
            _ => break answer,
        }
        let other = ann.ask(edit(2, "again")).await;
        if other["type"] == "error" {
            break other;
        }
    };
    assert_eq!((&refused["code"], &refused["limit"]), (&json!("too_late"), &json!(1)));
    assert_eq!(ann.done(keyed(edit(2, "again"), "same")).await["seq"], 3);
}
