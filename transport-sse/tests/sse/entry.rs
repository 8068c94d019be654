//! Being let in: into a room with the request for the stream, or not at all.

use std::time::Duration;

use axum::http::StatusCode;
use chat_core::{CloseReason, EngineLimits, Limits, MemberId, Moderation, Reject, RejectCode, RoomCode, RoomLimits};
use serde_json::json;

use super::support::{EventSource, Says, TestServer, settle};

#[tokio::test]
async fn one_request_is_a_chat_client() {
    let server = TestServer::new();
    let mut ann = server.open("/sse?create=LUNCH&nick=Ann").await;
    ann.expect("welcome").await;
    assert_eq!(ann.expect("joined").await.data["room"], "LUNCH");
    let mut bob = server.open("/sse?room=lunch&nick=Bob%20B").await;
    bob.expect("welcome").await;
    let joined = bob.expect("joined").await.data;
    assert_eq!((&joined["you"]["nick"], &joined["members_total"]), (&json!("Bob B"), &json!(2)));
    assert_eq!(ann.expect("member_joined").await.data["nick"], "Bob B");
    let drawn = server.open("/sse?create&nick=Cid").await.until("joined").await.data;
    assert_eq!(drawn["room"].as_str().map(str::len), Some(8));
}

#[tokio::test]
async fn history_is_shown_as_far_as_asked() {
    let server = TestServer::new();
    let ann = server.client("LUNCH", "Ann").await;
    for text in ["one", "two", "three"] {
        server.say(&ann, "LUNCH", text).await;
    }
    let joined = server.open("/sse?room=LUNCH&nick=Bob&history=2").await.until("joined").await.data;
    let texts: Vec<_> = joined["history"].as_array().expect("a list").iter().map(|m| m["text"].clone()).collect();
    assert_eq!((texts, &joined["more"]), (vec![json!("two"), json!("three")], &json!(true)));
}

#[tokio::test]
async fn a_final_refusal_is_an_error_that_stops_an_event_source() {
    let server =
        TestServer::with(Limits { room: RoomLimits { members_max: 2, ..RoomLimits::default() }, ..Limits::default() });
    let _ann = server.client("LUNCH", "Ann").await;
    for (uri, refusal) in [
        ("/sse?room=LUNCH&nick=ann", (409, "nick_taken")),
        ("/sse?room=TEA&nick=Bob", (404, "room_not_found")),
        ("/sse?create=LUNCH&nick=Bob", (409, "name_taken")),
        ("/sse?room=LUNCH", (400, "bad_field")),
        ("/sse?room=L!&nick=Bob", (400, "bad_field")),
    ] {
        assert_eq!(server.refused(uri).await.code(), refusal, "{uri}");
        assert_eq!(EventSource::new(&server, uri).next().await.map_err(|status| status.as_u16()), Err(refusal.0));
    }
    let _bob = server.client("LUNCH", "Bob").await;
    assert_eq!(server.refused("/sse?room=LUNCH&nick=Cid").await.code(), (409, "room_full"));
    settle().await;
    assert_eq!(server.engine.stats().sessions, 2, "nobody is left of those who were refused");
}

#[tokio::test]
async fn whoever_is_banned_stays_out() {
    let server = TestServer::ruled(Says::default());
    let bearer = [("authorization", "Bearer bob")];
    let _ann = server.client("LUNCH", "Ann").await;
    let mut bob = server.open_with("/sse?room=LUNCH&nick=Bob", &bearer).await;
    bob.until("joined").await;
    let room = RoomCode::parse("LUNCH").expect("a code");
    server.engine.moderate(&room, Moderation::Ban(MemberId(2))).await.expect("banned");
    assert_eq!(bob.until("member_left").await.data["reason"], "banned");
    let answer = server.ask("/sse?room=LUNCH&nick=Bobby", &bearer).await;
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn whom_the_policy_refuses_for_good_is_refused_for_good() {
    let rejects = [Reject::new(RejectCode::Forbidden, "not you"), Reject::new(RejectCode::BadToken, "who are you?")];
    let server = TestServer::ruled(Says::to_clients(rejects));
    assert_eq!(server.refused("/sse").await.code(), (403, "forbidden"));
    let unknown = server.refused("/sse").await;
    assert_eq!(unknown.code(), (401, "bad_token"));
    assert_eq!(unknown.headers["www-authenticate"], "Bearer");
}

#[tokio::test(start_paused = true)]
async fn what_may_pass_is_told_in_a_stream_that_ends() {
    let wait = Duration::from_millis(700);
    let rejects = [
        (Reject::new(RejectCode::RateLimited, "slowly").retry_after(wait), CloseReason::AtCapacity, 700),
        (Reject::new(RejectCode::Busy, "later"), CloseReason::AtCapacity, 2_000),
        (Reject::new(RejectCode::Unavailable, "out of order"), CloseReason::Fault, 2_000),
        (Reject::new(RejectCode::Draining, "closing time"), CloseReason::Draining, 2_000),
    ];
    let server = TestServer::ruled(Says::to_clients(rejects.iter().map(|(reject, ..)| reject.clone())));
    for (reject, reason, millis) in &rejects {
        let mut stream = server.open("/sse").await;
        let error = stream.expect("error").await;
        assert_eq!((error.data["code"].as_str(), error.has_id), (Some(reject.code.as_str()), false));
        let closing = stream.expect("closing").await.data;
        assert_eq!((&closing["code"], &closing["reconnect_after_ms"]), (&json!(reason.code()), &json!(millis)));
        assert_eq!(stream.parser.retry, Some(Duration::from_millis(*millis)));
        assert!(stream.try_next().await.is_none());
    }
    let server = TestServer::ruled(Says::to_clients([rejects[0].0.clone(), rejects[1].0.clone()]));
    let mut patient = EventSource::new(&server, "/sse?create=LUNCH&nick=Ann");
    assert_eq!(patient.until("joined").await.data["room"], "LUNCH");
    assert_eq!(patient.requests, 3);
}

#[tokio::test]
async fn a_full_server_says_when_to_come_back() {
    let limits = EngineLimits { connections_max: 1, rooms_max: 1, ..EngineLimits::default() };
    let server = TestServer::with(Limits { engine: limits, ..Limits::default() });
    let first = server.open("/sse?create=LUNCH&nick=Ann").await;
    let mut second = server.open("/sse").await;
    assert_eq!(second.expect("error").await.data["code"], "at_capacity");
    assert_eq!(second.expect("closing").await.data["code"], 4005);
    assert_eq!(second.parser.retry, Some(Duration::from_secs(10)));
    drop(first);
    settle().await;
    // The room is still there, and one more may not be made.
    let mut third = server.open("/sse?create&nick=Bob").await;
    assert_eq!(third.expect("error").await.data["code"], "at_capacity");
    assert_eq!(third.expect("closing").await.data["reconnect_after_ms"], 10_000);
    assert!(third.try_next().await.is_none());
    assert_eq!(server.engine.stats().sessions, 0);
}

#[tokio::test]
async fn a_server_that_goes_down_lets_nobody_in() {
    let server = TestServer::new();
    server.engine.drain(Duration::ZERO).await;
    let mut stream = server.open("/sse").await;
    assert_eq!(stream.expect("error").await.data["code"], "draining");
    assert_eq!(stream.expect("closing").await.data["code"], 4001);
    assert!(stream.try_next().await.is_none());
}
