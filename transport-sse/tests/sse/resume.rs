//! Coming back to a session: which credential does it, and what follows then.

use chat_core::{Command, Engine, Limits, NewcomersSee, RoomCode, RoomLimits, SettingsChange};
use serde_json::json;
use transport_sse::SseConfig;

use super::support::{Event, Stream, TestServer, settle};

fn standing(welcome: &Event) -> (bool, &str) {
    let status = welcome.data["rooms"][0]["status"].as_str().unwrap_or_default();
    (welcome.data["resumed"] == true, status)
}

/// A server with Bob on a stream in Ann's room, who has read everything so far.
async fn lunch(server: &TestServer) -> (chat_core::Connection, Stream, Event, Event) {
    let ann = server.client("LUNCH", "Ann").await;
    let mut stream = server.open("/sse?room=LUNCH&nick=Bob").await;
    let (welcome, joined) = (stream.expect("welcome").await, stream.expect("joined").await);
    (ann, stream, welcome, joined)
}

#[tokio::test]
async fn nothing_is_lost_and_nothing_comes_twice() {
    let server = TestServer::new();
    let (ann, mut stream, ..) = lunch(&server).await;
    for text in ["one", "two", "three"] {
        server.say(&ann, "LUNCH", text).await;
    }
    stream.expect("message").await;
    // All three are in the chunk that was handed out, and two of them were lost on the way.
    let second = stream.expect("message").await;
    drop(stream);
    server.say(&ann, "LUNCH", "four").await;
    let mut stream = server.open_with("/sse", &[("last-event-id", &second.last_id)]).await;
    assert_eq!(standing(&stream.expect("welcome").await), (true, "live"));
    assert_eq!(stream.texts().await, ["three", "four"]);
}

#[tokio::test]
async fn every_way_of_saying_which_session_works() {
    let server = TestServer::new();
    let (ann, stream, welcome, joined) = lunch(&server).await;
    drop(stream);
    server.say(&ann, "LUNCH", "one").await;
    let token = welcome.data["token"].as_str().expect("a token");
    let position = format!("LUNCH~{}:{}", joined.data["epoch"].as_str().expect("an epoch"), joined.data["seq"]);
    let bearer = format!("Bearer {token}");
    let token_and_position = format!("{token}~{position}");
    for (uri, headers) in [
        ("/sse".to_owned(), vec![("last-event-id", joined.last_id.as_str())]),
        ("/sse?".to_owned(), vec![("last-event-id", token_and_position.as_str())]),
        (format!("/sse?cursor={}", joined.last_id), vec![]),
        (format!("/sse?resume={token}&positions={position}"), vec![]),
        (format!("/sse?positions={position}"), vec![("authorization", bearer.as_str())]),
    ] {
        let mut stream = server.open_with(&uri, &headers).await;
        let again = stream.expect("welcome").await;
        assert_eq!(standing(&again), (true, "live"), "{uri}");
        assert_eq!(again.data["session"], welcome.data["session"]);
        let shows_a_token = uri.contains("resume") || headers.iter().any(|(_, value)| value.contains(token));
        let is_told_it = again.data.get("token").is_some();
        assert_eq!(is_told_it, shows_a_token, "a cursor does not become a token: {uri}");
        assert_eq!(stream.texts().await, ["one"], "{uri}");
    }
}

#[tokio::test]
async fn a_room_without_a_position_is_shown_afresh() {
    let server = TestServer::new();
    let (ann, stream, welcome, _) = lunch(&server).await;
    drop(stream);
    server.say(&ann, "LUNCH", "one").await;
    for uri in [
        format!("/sse?cursor={}", welcome.last_id),
        format!("/sse?resume={}", welcome.data["token"].as_str().expect("a token")),
    ] {
        let mut stream = server.open(&uri).await;
        assert_eq!(standing(&stream.expect("welcome").await), (true, "live"));
        let joined = stream.expect("joined").await;
        assert_eq!((joined.data.get("id"), &joined.data["history"][0]["text"]), (None, &json!("one")));
        assert!(joined.last_id.contains("~LUNCH:"));
    }
}

#[tokio::test]
async fn a_wrong_parameter_costs_no_session() {
    let server = TestServer::new();
    let (_ann, stream, welcome, _) = lunch(&server).await;
    drop(stream);
    let uri = format!("/sse?resume={}", welcome.data["token"].as_str().expect("a token"));
    let refused = server.refused(&format!("{uri}&catch_up=all")).await;
    assert_eq!(refused.code(), (400, "bad_field"));
    assert_eq!(standing(&server.open(&uri).await.expect("welcome").await), (true, "live"));
}

#[tokio::test]
async fn whoever_is_still_in_the_room_does_not_join_again() {
    let server = TestServer::new();
    let (ann, stream, _, joined) = lunch(&server).await;
    drop(stream);
    server.say(&ann, "LUNCH", "one").await;
    let uri = "/sse?room=LUNCH&nick=Bob&history=50";
    let mut stream = server.open_with(uri, &[("last-event-id", &joined.last_id)]).await;
    assert_eq!(standing(&stream.expect("welcome").await), (true, "live"));
    let due = stream.due().await;
    let names: Vec<_> = due.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(names, ["message"]);
    assert_eq!(server.engine.stats().rejects, 0);
}

#[tokio::test]
async fn a_forged_cursor_is_worth_nothing() {
    let server = TestServer::new();
    let (_ann, _stream, welcome, joined) = lunch(&server).await;
    let other = server.open("/sse").await.expect("welcome").await.last_id;
    let session = welcome.data["session"].as_str().expect("a session");
    let spliced = format!("{session}.{}", other.split_once('.').expect("a signature").1);
    let replaced = joined.last_id.replace(session, &other[..26]);
    for forged in [spliced.as_str(), &replaced, session, "~", "x", "17"] {
        let mut stream = server.open_with("/sse", &[("last-event-id", forged)]).await;
        let due = stream.due().await;
        let mut names: Vec<_> = due.iter().map(|event| event.name.as_str()).collect();
        names.sort_unstable();
        assert_eq!(names, ["error", "welcome"], "{forged}");
        assert!(due.iter().any(|event| event.data["code"] == "bad_token"));
        assert!(due.iter().all(|event| event.data["resumed"] != true && event.data["session"] != *session));
    }
}

#[tokio::test]
async fn with_a_cursor_that_is_worth_nothing_one_joins_anew() {
    let server = TestServer::new();
    let _ann = server.client("LUNCH", "Ann").await;
    let stale = [("last-event-id", "a~LUNCH:04HMASW9NF6YF:17")];
    let mut stream = server.open_with("/sse?room=LUNCH&nick=Bob", &stale).await;
    assert_eq!(stream.until("joined").await.data["you"]["nick"], "Bob");
}

#[tokio::test]
async fn who_comes_back_into_a_room_makes_no_other() {
    let server = TestServer::new();
    let mut stream = server.open("/sse?create&nick=Ann").await;
    let first = stream.until("joined").await;
    drop(stream);
    for uri in ["/sse?create&nick=Ann", "/sse?create=LUNCH&nick=Ann"] {
        let mut stream = server.open_with(uri, &[("last-event-id", &first.last_id)]).await;
        stream.expect("welcome").await;
        settle().await;
        assert_eq!(server.engine.rooms().len(), 1, "{uri}");
    }
}

#[tokio::test]
async fn with_a_cursor_that_is_worth_nothing_one_makes_a_room() {
    let server = TestServer::new();
    // Scripts that keep the id by themselves hand in their own words for none.
    for (number, cursor) in ["a~LUNCH:04HMASW9NF6YF:17", "undefined", "null"].into_iter().enumerate() {
        let uri = format!("/sse?create=ROOM-{number}&nick=Ann&cursor={cursor}");
        let joined = server.open(&uri).await.until("joined").await.data;
        assert_eq!(joined["room"], format!("ROOM-{number}"), "{cursor}");
        let uri = format!("/sse?create=TEA-{number}&nick=Ann");
        let joined = server.open_with(&uri, &[("last-event-id", cursor)]).await.until("joined").await.data;
        assert_eq!(joined["room"], format!("TEA-{number}"), "{cursor}");
    }
}

#[tokio::test]
async fn a_cursor_hands_in_no_command() {
    let server = TestServer::new();
    let (_ann, _stream, welcome, joined) = lunch(&server).await;
    let session = welcome.data["session"].as_str().expect("a session");
    let (credential, _) = joined.last_id.split_once('~').expect("a cursor");
    let leave = json!({"type": "leave", "room": "LUNCH"}).to_string();
    for token in [credential, &joined.last_id] {
        let reply = server.post_raw(session, Some(token), leave.clone().into()).await;
        assert_eq!(reply.code(), (401, "bad_token"));
    }
}

#[tokio::test]
async fn what_is_no_longer_at_hand_is_stated_as_a_gap() {
    let limits = RoomLimits { backlog_events_max: 8, backlog_bytes_max: 1, ..RoomLimits::default() };
    let server = TestServer::with(Limits { room: limits, ..Limits::default() });
    let (ann, stream, _, joined) = lunch(&server).await;
    drop(stream);
    for text in ["one", "two", "three", "four"] {
        server.say(&ann, "LUNCH", text).await;
    }
    let mut stream = server.open_with("/sse", &[("last-event-id", &joined.last_id)]).await;
    assert_eq!(standing(&stream.expect("welcome").await), (true, "gap"));
    let gap = stream.until("gap").await;
    assert_eq!(gap.data["from"], joined.data["seq"].as_u64().expect("a seq") + 1);
    assert!(gap.last_id.ends_with(&format!(":{}", gap.data["to"])), "{}", gap.last_id);
}

#[tokio::test]
async fn a_session_is_found_again_after_a_restart() {
    let start = || TestServer::build(Engine::builder().secret([7; 32]), SseConfig::default());
    let before = start();
    let (_ann, _stream, welcome, joined) = lunch(&before).await;
    let after = start();
    let _cid = after.client("LUNCH", "Cid").await;
    let uri = "/sse?room=LUNCH&nick=Bob";
    let mut stream = after.open_with(uri, &[("last-event-id", &joined.last_id)]).await;
    let again = stream.expect("welcome").await;
    assert_eq!(standing(&again), (true, "closed"), "it is another life of the room");
    assert_eq!(again.data["session"], welcome.data["session"]);
    let rejoined = stream.expect("joined").await.data;
    assert_ne!(rejoined["epoch"], joined.data["epoch"]);
    assert_eq!(rejoined["members_total"], 2);
}

/// A cursor says where one stands in plain words, and so may say anything.
#[tokio::test]
async fn no_cursor_shows_what_was_said_before_somebody_came() {
    let mut limits = Limits::default();
    limits.lift_rates();
    let server = TestServer::with(limits);
    let ann = server.client("LUNCH", "Ann").await;
    let room = RoomCode::parse("LUNCH").expect("a code");
    let change = SettingsChange::new().history(NewcomersSee::Nothing);
    ann.call(Command::settings(room, change)).await.expect("she owns it");
    for turn in 0..4 {
        server.say(&ann, "LUNCH", &format!("hidden {turn}")).await;
    }
    let mut stream = server.open("/sse?room=LUNCH&nick=Bob&history=200").await;
    stream.expect("welcome").await;
    let joined = stream.expect("joined").await;
    assert_eq!((&joined.data["history"], &joined.data["more"]), (&json!([]), &json!(false)));
    drop(stream);
    let (credential, position) = joined.last_id.split_once('~').expect("a cursor");
    let epoch = position.split(':').nth(1).expect("an epoch");
    let uri = "/sse?room=LUNCH&nick=Bob&history=200";
    for forged in
        (0..8).map(|seq| format!("LUNCH:{epoch}:{seq}")).chain([format!("LUNCH:{epoch}:{}", u64::MAX), String::new()])
    {
        let cursor = format!("{credential}~{forged}");
        let mut stream = server.open_with(uri, &[("last-event-id", &cursor)]).await;
        stream.expect("welcome").await;
        server.say(&ann, "LUNCH", "a mark").await;
        loop {
            let event = stream.next().await;
            assert!(!event.data.to_string().contains("hidden"), "{cursor}: {}", event.data);
            if event.data["text"] == "a mark" {
                break;
            }
        }
    }
}
