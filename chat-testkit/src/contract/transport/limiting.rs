//! Bounds: what just fits, what does not, and what the client is told about it.

use std::time::Duration;

use serde_json::{Value, json};

use super::frames::{list, number, text};
use super::{TestServer, TransportHarness};

/// The `welcome` states the bounds in force, as a client needs them.
pub async fn the_welcome_states_the_limits_in_force<D: TransportHarness>() {
    let server = TestServer::<D>::with(|limits| {
        limits.session.rooms_max = 3;
        limits.room.message_chars_max = 100;
        limits.room.data_bytes_max = 200;
        limits.room.edit_window = Duration::from_secs(60);
        limits.room.grace = Duration::from_secs(7);
    })
    .await;
    let limits = server.client().await.welcome["limits"].clone();
    assert_eq!((number(&limits, "rooms"), number(&limits, "text_chars"), number(&limits, "grace_ms")), (3, 100, 7_000));
    assert_eq!((number(&limits, "data_bytes"), number(&limits, "edit_window_ms")), (200, 60_000));
    assert_eq!((number(&limits, "frame_bytes"), number(&limits, "in_flight")), (65_536, 32));
}

/// Each of the `features` is a command that the server knows, and what it does not know is not among them.
pub async fn the_welcome_lists_the_commands_that_are_taken<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let mut ann = server.client().await;
    let features: Vec<String> = list(&ann.welcome, "features").iter().map(|name| name.to_string()).collect();
    assert!(features.len() > 10, "{features:?}");
    for feature in list(&ann.welcome, "features").to_vec() {
        // An `end` needs no field, but this one has to be a text.
        let error = ann.refused(json!({"type": feature, "token": 0})).await;
        assert_eq!(text(&error, "code"), "bad_field", "{feature} lacks its fields, and is known: {error}");
    }
    let error = ann.refused(json!({"type": "juggle"})).await;
    assert_eq!(text(&error, "code"), "unknown_type");
}

/// The length of a message is counted in characters, also where each has four bytes.
pub async fn a_text_of_the_longest_length_arrives_and_a_longer_one_is_refused<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let [mut ann, mut bob] = server.people("LUNCH", ["Ann", "Bob"]).await;
    let longest = "\u{1F98A}".repeat(4_000);
    ann.say("LUNCH", &longest).await;
    let error = ann.refused(json!({"type": "send", "room": "LUNCH", "text": format!("{longest}x")})).await;
    assert_eq!((text(&error, "code"), text(&error, "field")), ("too_long".to_owned(), "text".to_owned()));
    assert_eq!(number(&error, "limit"), 4_000);
    ann.say("LUNCH", "short").await;
    assert!(text(&bob.next().await, "text") == longest, "it arrives whole");
    assert_eq!(bob.told().await, "4 Ann: short");
}

/// A frame of up to four times its limit is refused, and the connection goes on; what is beyond that is each transport's own.
pub async fn a_frame_that_is_too_long_is_refused_and_the_connection_lives<D: TransportHarness>() {
    let server = TestServer::<D>::with(|limits| limits.session.frame_bytes_max = 8_192).await;
    let [mut ann] = server.people("LUNCH", ["Ann"]).await;
    for padding in [8_192, 3 * 8_192] {
        let send = json!({"type": "send", "room": "LUNCH", "text": "hi", "padding": "x".repeat(padding)});
        let error = ann.refused(send).await;
        assert_eq!((text(&error, "code"), text(&error, "field")), ("too_long".to_owned(), "frame".to_owned()));
        assert_eq!(number(&error, "limit"), 8_192);
    }
    assert_eq!(ann.say("LUNCH", "hi").await, 2);
}

/// A session may be in as many rooms as the bound says and in not one more, until it leaves one.
pub async fn the_rooms_of_a_session_are_counted<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let mut ann = server.client().await;
    for number in 1..=32 {
        ann.create(&format!("ROOM-{number}"), "Ann").await;
    }
    let [_bob] = server.people("LUNCH", ["Bob"]).await;
    for command in [
        json!({"type": "create", "nick": "Ann"}),
        json!({"type": "create", "nick": "Ann", "room": "ROOM-33"}),
        json!({"type": "join", "nick": "Ann", "room": "LUNCH"}),
    ] {
        let error = ann.refused(command).await;
        assert_eq!((text(&error, "code"), number(&error, "limit")), ("too_many_rooms".to_owned(), 32));
    }
    ann.done(json!({"type": "leave", "room": "ROOM-7"})).await;
    ann.read_to("ROOM-7", 2).await;
    ann.join("LUNCH", "Ann").await;
}

/// Sends commands until one is refused; returns the refusal.
macro_rules! until_refused {
    ($client:ident, $command:expr) => {{
        let mut refused: Option<Value> = None;
        for _ in 0..50 {
            let answer = $client.ask($command).await;
            if answer["type"] == "error" {
                refused = Some(answer);
                break;
            }
        }
        refused.expect("one of fifty in a moment is too many")
    }};
}

/// `retry_after_ms` is true: what waits for so long is taken.
pub async fn too_many_sends_are_told_when_to_try_again<D: TransportHarness>() {
    let server = TestServer::<D>::with(|limits| {
        limits.session.send_burst = 3;
        limits.session.send_per_second = 2;
    })
    .await;
    let [mut ann] = server.people("LUNCH", ["Ann"]).await;
    let send = json!({"type": "send", "room": "LUNCH", "text": "hi"});
    let refused = until_refused!(ann, send.clone());
    let wait = number(&refused, "retry_after_ms");
    assert_eq!(refused["code"], "rate_limited");
    assert!((1..=500).contains(&wait), "{refused}");
    ann.done(json!({"type": "topic", "room": "LUNCH", "topic": "other commands have a rate of their own"})).await;
    tokio::time::sleep(Duration::from_millis(wait)).await;
    ann.done(send).await;
}

/// Commands beside sends have a rate of their own, and `retry_after_ms` is true for them too.
pub async fn too_many_commands_are_told_when_to_try_again<D: TransportHarness>() {
    let server = TestServer::<D>::with(|limits| {
        limits.session.command_burst = 4;
        limits.session.command_per_second = 2;
    })
    .await;
    let [mut ann] = server.people("LUNCH", ["Ann"]).await;
    let look = json!({"type": "members", "room": "LUNCH"});
    let refused = until_refused!(ann, look.clone());
    let wait = number(&refused, "retry_after_ms");
    assert_eq!(refused["code"], "rate_limited");
    assert!((1..=500).contains(&wait), "{refused}");
    ann.say("LUNCH", "sends have a rate of their own").await;
    tokio::time::sleep(Duration::from_millis(wait)).await;
    ann.done(look).await;
}

/// A retry costs no rate: a client whose answers are lost could not find out otherwise what became of them.
pub async fn a_retry_costs_no_rate<D: TransportHarness>() {
    let server = TestServer::<D>::with(|limits| {
        limits.session.send_burst = 2;
        limits.session.send_per_second = 1;
    })
    .await;
    let [mut ann] = server.people("LUNCH", ["Ann"]).await;
    let send = json!({"type": "send", "room": "LUNCH", "text": "hi", "key": "c0ffee"});
    let first = ann.done(send.clone()).await;
    until_refused!(ann, json!({"type": "send", "room": "LUNCH", "text": "more"}));
    for _ in 0..10 {
        assert_eq!(ann.done(send.clone()).await["seq"], first["seq"]);
    }
}

/// Who names many rooms that are not there has to wait: codes could be found by trying otherwise.
pub async fn who_names_rooms_that_are_not_there_has_to_wait<D: TransportHarness>() {
    let server = TestServer::<D>::with(|limits| limits.session.miss_burst = 3).await;
    let [_ann] = server.people("LUNCH", ["Ann"]).await;
    let mut guesser = server.client().await;
    for room in ["GUESS-1", "GUESS-2", "GUESS-3"] {
        assert_eq!(guesser.code(json!({"type": "join", "room": room, "nick": "Eve"})).await, "room_not_found");
    }
    let join = json!({"type": "join", "room": "LUNCH", "nick": "Eve"});
    let refused = guesser.refused(join).await;
    assert_eq!(refused["code"], "rate_limited", "there or not");
    assert!((1..=1_000).contains(&number(&refused, "retry_after_ms")), "{refused}");
}

/// A client that goes on after so many refusals, whatever for, is closed as `flooding`.
pub async fn who_floods_is_shown_out_and_told_not_to_come_back<D: TransportHarness>() {
    let server = TestServer::<D>::with(|limits| {
        limits.session.refusal_burst = 20;
        limits.session.refusals_per_second = 1;
    })
    .await;
    let [mut ann, mut bob] = server.people("LUNCH", ["Ann", "Bob"]).await;
    for _ in 0..20 {
        assert_eq!(ann.code(json!({"type": "send", "room": "NOWHERE", "text": "x"})).await, "room_not_found");
    }
    assert_eq!(ann.code(json!({"type": "send", "room": "NOWHERE", "text": "one too many"})).await, "busy");
    let closing = ann.end().await;
    assert_eq!((number(&closing, "code"), &closing["reason"]), (4504, &"flooding".into()));
    bob.say("LUNCH", "nobody else was in the way").await;
}

/// The server ignores fields that it does not know: clients of tomorrow may say more.
pub async fn unknown_fields_are_ignored<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let [mut ann] = server.people("LUNCH", ["Ann"]).await;
    let send = json!({"type": "send", "room": "LUNCH", "text": "hi", "mood": "sunny", "member": {"id": [1]}});
    ann.done(send).await;
    assert_eq!(ann.told().await, "2 Ann: hi");
}
