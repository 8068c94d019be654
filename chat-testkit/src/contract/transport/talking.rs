//! Saying something: its receipt, its one place in the order, its key, and the hint before it.

use std::time::Duration;

use serde_json::{Value, json};

use super::frames::{number, text};
use super::test_client::TestClient;
use super::{Client, TestServer, TransportHarness, summary};

fn send(text: &str, key: &str) -> Value {
    json!({"type": "send", "room": "LUNCH", "text": text, "key": key})
}

/// The `seq` and `at` of an ack are those of the message that everybody sees.
pub async fn an_ack_says_where_the_message_stands<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let [mut ann, mut bob] = server.people("LUNCH", ["Ann", "Bob"]).await;
    let ack = bob.done(json!({"type": "send", "room": "LUNCH", "text": "hi"})).await;
    assert_eq!((&ack["type"], &ack["room"], number(&ack, "seq")), (&json!("ack"), &json!("LUNCH"), 3));
    for client in [&mut ann, &mut bob] {
        let message = client.next().await;
        assert_eq!(summary(&message), "3 Bob: hi");
        assert_eq!(message["at"], ack["at"]);
        assert_eq!((number(&message, "member"), message.get("key")), (2, None));
    }
}

/// The sender gets its own message like everybody else.
pub async fn a_sender_knows_its_message_by_the_key<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let [mut ann, mut bob] = server.people("LUNCH", ["Ann", "Bob"]).await;
    ann.done(send("hi", "c0ffee")).await;
    let (own, seen) = (ann.next().await, bob.next().await);
    assert_eq!(own["key"], "c0ffee");
    assert_eq!(own, seen);
}

/// A text arrives as it was written, character by character, also where a line or an event might end.
pub async fn any_text_arrives_as_it_was_sent<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let [mut ann, mut bob] = server.people("LUNCH", ["Ann", "Bob"]).await;
    let texts = [
        "two\nlines\n\nand a blank one",
        "data: not an event\n\nid: 5\nevent: closing",
        "quotes \" and \\ and \\n and </script>",
        "\ttab, é, 漢字, 👩‍👩‍👧, \u{2028} and \u{1e} are text",
        "[\"event\",{}] 42 ~ %00 & = + ;",
        "{\"type\":\"closing\"}",
        " spaces around ",
    ];
    let mut sent = Vec::new();
    for said in texts {
        let answer = ann.ask(json!({"type": "send", "room": "LUNCH", "text": said})).await;
        match answer["type"].as_str() {
            Some("ack") => sent.push(said),
            // A control character that the protocol does not let through.
            _ => assert_eq!((&answer["field"], said.contains('\u{1e}')), (&json!("text"), true), "{answer}"),
        }
    }
    assert!(sent.len() >= texts.len() - 1);
    for client in [&mut ann, &mut bob] {
        for said in &sent {
            assert_eq!(&text(&client.next().await, "text"), said);
        }
    }
}

/// A retry is answered with the first answer, with the number and time of then.
pub async fn a_retried_send_is_answered_not_repeated<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let [mut ann, mut bob] = server.people("LUNCH", ["Ann", "Bob"]).await;
    let first = ann.done(send("hi", "c0ffee")).await;
    ann.say("LUNCH", "meanwhile").await;
    let again = ann.done(send("hi", "c0ffee")).await;
    assert_eq!((&first["seq"], &first["at"]), (&again["seq"], &again["at"]));
    ann.say("LUNCH", "after").await;
    assert_eq!(bob.told_to("LUNCH", 5).await, ["3 Ann: hi", "4 Ann: meanwhile", "5 Ann: after"]);
    let other = bob.done(send("hi", "c0ffee")).await;
    assert_eq!(number(&other, "seq"), 6, "a key is its sender's own");
}

/// Another text under a key says nothing, and the key still stands for the first text.
pub async fn a_key_used_for_another_text_is_a_conflict<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let [mut ann] = server.people("LUNCH", ["Ann"]).await;
    let first = ann.done(send("hi", "c0ffee")).await;
    let refused = ann.refused(send("bye", "c0ffee")).await;
    assert_eq!((text(&refused, "code"), text(&refused, "field")), ("key_conflict".to_owned(), "key".to_owned()));
    assert_eq!(ann.done(send("hi", "c0ffee")).await["seq"], first["seq"]);
    ann.say("LUNCH", "after").await;
    assert_eq!(ann.told_to("LUNCH", 3).await, ["2 Ann: hi", "3 Ann: after"]);
}

/// Whoever speaks at the same time, everybody sees everything once, in one order, and each sender's own in its order.
pub async fn many_senders_are_seen_in_one_order<D: TransportHarness>() {
    const EACH: usize = 15;
    let server = TestServer::<D>::open().await;
    let nicks = ["Ann", "Bob", "Cid", "Dan"];
    let people = server.people("LUNCH", nicks).await;
    let talks = people.into_iter().zip(nicks).map(|(client, nick)| tokio::spawn(talk(client, nick, EACH)));
    let mut seen: Vec<Vec<Value>> = Vec::new();
    for talk in talks.collect::<Vec<_>>() {
        let (mut client, mut frames) = talk.await.expect("a talk does not panic");
        frames.extend(client.read_to("LUNCH", (nicks.len() + nicks.len() * EACH) as u64).await);
        seen.push(frames);
    }
    assert!(seen.iter().all(|frames| *frames == seen[0]), "one order");
    for nick in nicks {
        let own: Vec<_> =
            seen[0].iter().filter(|frame| frame["nick"] == nick).map(|frame| text(frame, "text")).collect();
        assert_eq!(own, (0..EACH).map(|turn| format!("{nick} {turn}")).collect::<Vec<_>>());
    }
}

/// Says `count` things, reading on meanwhile.
async fn talk<C: Client>(mut client: TestClient<C>, nick: &str, count: usize) -> (TestClient<C>, Vec<Value>) {
    let mut frames = Vec::new();
    for turn in 0..count {
        let seq = client.say("LUNCH", &format!("{nick} {turn}")).await;
        frames.extend(client.read_to("LUNCH", seq).await);
    }
    (client, frames)
}

/// Who types is shown to all, oneself included; it is no event.
pub async fn typing_is_shown_while_it_lasts<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let [mut ann, mut bob] = server.people("LUNCH", ["Ann", "Bob"]).await;
    bob.done(json!({"type": "typing", "room": "LUNCH", "on": true})).await;
    ann.sees_typing("LUNCH", &[2]).await;
    bob.sees_typing("LUNCH", &[2]).await;
    ann.done(json!({"type": "typing", "room": "LUNCH", "on": true})).await;
    bob.sees_typing("LUNCH", &[1, 2]).await;
    bob.done(json!({"type": "typing", "room": "LUNCH", "on": false})).await;
    ann.sees_typing("LUNCH", &[1]).await;
    assert_eq!(bob.say("LUNCH", "hi").await, 3, "a signal has no number");
}

/// A typing hint that is not renewed ends by itself: it cannot stick.
pub async fn typing_ends_by_itself_with_a_send_and_with_leaving<D: TransportHarness>() {
    let typing = json!({"type": "typing", "room": "LUNCH", "on": true});
    let server = TestServer::<D>::open().await;
    let [mut ann, mut bob] = server.people("LUNCH", ["Ann", "Bob"]).await;
    for last in [json!({"type": "send", "room": "LUNCH", "text": "hi"}), json!({"type": "leave", "room": "LUNCH"})] {
        bob.done(typing.clone()).await;
        ann.sees_typing("LUNCH", &[2]).await;
        bob.done(last).await;
        ann.sees_typing("LUNCH", &[]).await;
    }
    let server = TestServer::<D>::with(|limits| limits.room.typing_ttl = Duration::from_millis(100)).await;
    let [mut ann, mut bob] = server.people("LUNCH", ["Ann", "Bob"]).await;
    bob.done(typing).await;
    ann.sees_typing("LUNCH", &[2]).await;
    ann.sees_typing("LUNCH", &[]).await;
}
