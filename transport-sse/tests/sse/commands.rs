//! Commands by POST: the answer is the receipt, its status what it means.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{Request, StatusCode};
use chat_core::{Engine, EngineLimits, Limits, Policy, RejectCode, SessionLimits};
use futures_util::FutureExt;
use http_body::Frame;
use http_body_util::StreamBody;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use transport_sse::SseConfig;

use super::support::{Says, Stream, TestServer};

/// Ann, who has made a room and owns it, and her `welcome`.
async fn ann(server: &TestServer) -> (Stream, Value) {
    let mut stream = server.open("/sse?create=LUNCH&nick=Ann").await;
    let welcome = stream.expect("welcome").await.data;
    stream.expect("joined").await;
    (stream, welcome)
}

#[tokio::test]
async fn every_command_has_an_answer() {
    let server = TestServer::new();
    let (mut stream, welcome) = ann(&server).await;
    for (frame, answer) in [
        (json!({"type": "send", "id": 1, "room": "LUNCH", "text": "hi", "key": "k"}), "ack"),
        (json!({"type": "send", "room": "LUNCH", "text": "hi"}), "ack"),
        (json!({"type": "typing", "room": "LUNCH", "on": true}), "ack"),
        (json!({"type": "typing", "id": 2, "room": "LUNCH", "on": false}), "ack"),
        (json!({"type": "history", "id": 3, "room": "LUNCH"}), "history"),
        (json!({"type": "members", "id": 4, "room": "LUNCH"}), "members"),
        (json!({"type": "topic", "id": 5, "room": "LUNCH", "topic": "Lunch"}), "ack"),
        (json!({"type": "redact", "id": 6, "room": "LUNCH", "target": 2}), "ack"),
        (json!({"type": "create", "id": 7, "nick": "Ann", "room": "TEA"}), "ack"),
        (json!({"type": "leave", "id": 8, "room": "LUNCH"}), "ack"),
    ] {
        let reply = server.post(&welcome, &frame).await;
        assert_eq!((reply.status, &reply.frame["type"]), (StatusCode::OK, &json!(answer)), "{frame}");
        assert_eq!(reply.frame.get("id"), frame.get("id"));
        assert_eq!(reply.headers["content-type"], "application/json");
    }
    let names: Vec<_> = stream.due().await.into_iter().map(|event| event.name).collect();
    assert!(names.contains(&"message".to_owned()) && names.contains(&"joined".to_owned()), "{names:?}");
    assert!(!names.contains(&"ack".to_owned()), "the receipts were answers to the requests");
}

#[tokio::test]
async fn what_is_said_comes_down_the_stream_too() {
    let server = TestServer::new();
    let (mut stream, welcome) = ann(&server).await;
    let send = json!({"type": "send", "id": 1, "room": "LUNCH", "text": "hi", "key": "k"});
    let reply = server.post(&welcome, &send).await;
    let message = stream.expect("message").await.data;
    assert_eq!((&message["key"], &message["seq"]), (&json!("k"), &reply.frame["seq"]));
    let again = server.post(&welcome, &send).await;
    assert_eq!(again.frame, reply.frame, "a retry is answered, not repeated");
    assert_eq!(stream.due().await, []);
}

#[tokio::test]
async fn a_refusal_says_by_its_status_what_to_do() {
    let server = TestServer::new();
    let (_stream, welcome) = ann(&server).await;
    let _bob = server.client("LUNCH", "Bob").await;
    let _cid = server.client("TEA", "Cid").await;
    for (frame, refusal) in [
        (json!([]), (400, "bad_frame")),
        (json!({"type": "nonsense", "id": 1}), (400, "unknown_type")),
        (json!({"type": "hello", "id": 1}), (400, "unknown_type")),
        (json!({"type": "leave", "id": 1}), (400, "bad_field")),
        (json!({"type": "send", "id": 1, "room": "LUNCH", "text": "x".repeat(4_001)}), (400, "too_long")),
        (json!({"type": "send", "id": 1, "room": "LUNCH", "text": "x".repeat(70_000)}), (413, "too_long")),
        (json!({"type": "send", "id": 1, "room": "LUNCH", "text": "x".repeat(300_000)}), (413, "too_long")),
        (json!({"type": "send", "id": 1, "room": "TEA", "text": "hi"}), (403, "not_member")),
        (json!({"type": "send", "id": 1, "room": "DINNER", "text": "hi"}), (404, "room_not_found")),
        (json!({"type": "kick", "id": 1, "room": "LUNCH", "member": 9}), (404, "member_not_found")),
        (json!({"type": "redact", "id": 1, "room": "LUNCH", "target": 9}), (404, "message_not_found")),
        (json!({"type": "join", "id": 1, "room": "TEA", "nick": "cid"}), (409, "nick_taken")),
        (json!({"type": "join", "id": 1, "room": "LUNCH", "nick": "Ann"}), (409, "already_member")),
        (json!({"type": "create", "id": 1, "nick": "Ann", "room": "TEA"}), (409, "name_taken")),
    ] {
        let reply = server.post(&welcome, &frame).await;
        assert_eq!(reply.code(), refusal, "{frame:.80}");
        let id = if reply.status == 413 { None } else { frame.get("id") };
        assert_eq!(reply.frame.get("id"), id);
    }
}

/// The codes that the protocol page has for each status.
fn page() -> Vec<(u16, Vec<&'static str>)> {
    let page = include_str!("../../../docs/protocol.md");
    let table = page.split("| status | codes |").nth(1).expect("a table of statuses");
    let rows = table.lines().skip(2).map_while(|line| line.strip_prefix("| ")?.split_once(" | "));
    let code = |name: &'static str| name.chars().all(|char| char.is_ascii_lowercase() || char == '_');
    let codes = |cell: &'static str| cell.split('`').skip(1).step_by(2).filter(|name| code(name)).collect();
    rows.map(|(status, cell)| (status[..3].parse().expect("a status"), codes(cell))).collect()
}

#[tokio::test]
async fn every_code_has_the_status_that_the_protocol_page_gives_it() {
    let server = TestServer::ruled(Says { to_topics: true, ..Says::default() });
    let (_stream, welcome) = ann(&server).await;
    let page = page();
    let statuses: Vec<u16> = page.iter().map(|(status, _)| *status).collect();
    assert_eq!(statuses, [200, 400, 401, 403, 404, 408, 409, 413, 429, 503]);
    for &code in RejectCode::ALL {
        let topic = json!({"type": "topic", "id": 1, "room": "LUNCH", "topic": code.as_str()});
        let reply = server.post(&welcome, &topic).await;
        let (status, _) = page.iter().find(|(_, codes)| codes.contains(&code.as_str())).expect("it is on the page");
        assert_eq!(reply.code(), (*status, code.as_str()));
        let may_pass = matches!(status, 429 | 503);
        assert_eq!(reply.headers.contains_key("retry-after"), may_pass, "{reply:?}");
    }
}

#[tokio::test]
async fn a_full_server_says_when_to_try_again() {
    let engine = EngineLimits { rooms_max: 1, ..EngineLimits::default() };
    let server = TestServer::with(Limits { engine, ..Limits::default() });
    let (_stream, welcome) = ann(&server).await;
    let reply = server.post(&welcome, &json!({"type": "create", "id": 1, "nick": "Ann", "room": "TEA"})).await;
    assert_eq!((reply.code(), &reply.frame["id"]), ((503, "at_capacity"), &json!(1)));
    let wait: u64 = reply.headers["retry-after"].to_str().expect("text").parse().expect("whole seconds");
    assert!(wait >= 1);
}

#[tokio::test(start_paused = true)]
async fn whoever_is_too_fast_is_told_when_to_go_on() {
    let limits = SessionLimits { send_burst: 2, send_per_second: 1, ..SessionLimits::default() };
    let server = TestServer::with(Limits { session: limits, ..Limits::default() });
    let (_stream, welcome) = ann(&server).await;
    let send = json!({"type": "send", "id": 1, "room": "LUNCH", "text": "hi"});
    assert_eq!(server.post(&welcome, &send).await.status, StatusCode::OK);
    assert_eq!(server.post(&welcome, &send).await.status, StatusCode::OK);
    let reply = server.post(&welcome, &send).await;
    assert_eq!(reply.code(), (429, "rate_limited"));
    assert_eq!(
        (&reply.headers["retry-after"], &reply.frame["retry_after_ms"]),
        (&"1".parse().expect("a value"), &json!(1_000))
    );
}

#[tokio::test]
async fn past_the_commands_in_flight_a_session_is_busy() {
    let policy = Arc::new(Says::default());
    policy.is_busy.send_replace(true);
    let mut limits = Limits::default();
    limits.session.commands_in_flight_max = 1;
    let engine = Engine::builder().limits(limits).policy(policy as Arc<dyn Policy>);
    let server = TestServer::build(engine, SseConfig::default());
    let mut stream = server.open("/sse").await;
    let welcome = stream.expect("welcome").await.data;
    let leave = json!({"type": "leave", "id": 1, "room": "LUNCH"});
    let mut waiting = pin!(server.post(&welcome, &leave));
    assert!(waiting.as_mut().now_or_never().is_none(), "the policy takes its time");
    for frame in [json!({"type": "leave", "id": 3, "room": "LUNCH"}), json!({"type": "nonsense", "id": 3})] {
        let reply = server.post(&welcome, &frame).await;
        assert_eq!((reply.code(), &reply.frame["id"]), ((429, "busy"), &json!(3)));
        assert_eq!(reply.headers["retry-after"], "1");
    }
}

#[tokio::test(start_paused = true)]
async fn a_command_that_waits_costs_nobody_the_stream_and_is_answered_in_the_end() {
    let policy = Arc::new(Says::default());
    // The policy is to take longer than any other clock here runs.
    let mut limits = Limits::default();
    limits.engine.policy_timeout = Duration::MAX;
    let engine = Engine::builder().limits(limits).policy(Arc::clone(&policy) as Arc<dyn Policy>);
    let server = Arc::new(TestServer::build(engine, SseConfig::default()));
    let (mut stream, welcome) = ann(&server).await;
    let reader = tokio::spawn(async move { stream.until("closing").await.data });
    for round in 0..2 {
        policy.is_busy.send_replace(true);
        let waiting: Vec<_> = (0..SessionLimits::default().commands_in_flight_max)
            .map(|id| {
                let (server, welcome) = (Arc::clone(&server), welcome.clone());
                let typing = json!({"type": "typing", "id": id, "room": "LUNCH", "on": true});
                tokio::spawn(async move { server.post(&welcome, &typing).await })
            })
            .collect();
        sleep(Duration::from_secs(600)).await;
        assert_eq!(server.engine.stats().sessions, 1, "round {round}");
        assert!(waiting.iter().all(|post| !post.is_finished()), "nobody knows yet");
        let another = server.post(&welcome, &json!({"type": "typing", "id": 99, "room": "LUNCH", "on": true})).await;
        assert_eq!(another.code(), (429, "busy"));
        policy.is_busy.send_replace(false);
        for (id, post) in waiting.into_iter().enumerate() {
            let reply = post.await.expect("no panic");
            assert_eq!((&reply.frame["type"], &reply.frame["id"]), (&json!("ack"), &json!(id)));
        }
    }
    server.engine.drain(Duration::ZERO).await;
    assert_eq!(reader.await.expect("no panic")["code"], 4001, "the stream has lasted to the end");
}

#[tokio::test]
async fn only_the_sessions_token_speaks_for_it() {
    let server = TestServer::new();
    let (_stream, welcome) = ann(&server).await;
    let mut other = server.open("/sse").await;
    let other = other.expect("welcome").await.data;
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let (session, token) = (text(&welcome["session"]), text(&welcome["token"]));
    let leave = || Body::from(json!({"type": "leave", "id": 1, "room": "LUNCH"}).to_string());
    for (session, token) in [
        (session.as_str(), None),
        (session.as_str(), Some("")),
        (session.as_str(), Some("nonsense")),
        (session.as_str(), Some(text(&other["token"]).as_str())),
        ("nonsense", Some(token.as_str())),
        ("%FF", Some(token.as_str())),
    ] {
        let reply = server.post_raw(session, token, leave()).await;
        assert_eq!(reply.code(), (401, "bad_token"), "{session} {token:?}");
        assert_eq!(reply.headers["www-authenticate"], "Bearer");
    }
    assert_eq!(server.post_raw(&session, Some(&token), leave()).await.status, StatusCode::OK);
}

#[tokio::test]
async fn any_media_type_and_any_case_of_the_scheme_will_do() {
    let server = TestServer::new();
    let (_stream, welcome) = ann(&server).await;
    for media in ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-8"] {
        let request = Request::post(format!("/sse/{}", welcome["session"].as_str().expect("a session")))
            .header("authorization", format!("bearer {}", welcome["token"].as_str().expect("a token")))
            .header("content-type", media)
            .body(Body::from(r#"{"type":"send","room":"LUNCH","text":"hi"}"#))
            .expect("a request");
        assert_eq!(server.send(request).await.status(), StatusCode::OK, "{media}");
    }
}

/// A body of which this much comes, in pieces without a length, and no end.
fn endless(pieces: usize, piece: Bytes) -> Body {
    let pieces = std::iter::repeat_n(piece, pieces).map(|piece| Ok::<_, std::io::Error>(Frame::data(piece)));
    let mut pieces = pieces.collect::<Vec<_>>().into_iter();
    Body::new(StreamBody::new(futures_util::stream::poll_fn(move |_| match pieces.next() {
        Some(piece) => std::task::Poll::Ready(Some(piece)),
        None => std::task::Poll::Pending,
    })))
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_end_is_not_waited_for() {
    let server = TestServer::new();
    let (_stream, welcome) = ann(&server).await;
    let text = |field: &str| welcome[field].as_str().expect("a text").to_owned();
    let start = Instant::now();
    let slow = server.post_raw(&text("session"), Some(&text("token")), endless(1, Bytes::from_static(b"{"))).await;
    assert_eq!((slow.code(), start.elapsed()), ((408, "bad_frame"), Duration::from_secs(10)));
    let start = Instant::now();
    let long = endless(5, Bytes::from(vec![b' '; 64 << 10]));
    let long = server.post_raw(&text("session"), Some(&text("token")), long).await;
    assert_eq!((long.code(), start.elapsed()), ((413, "too_long"), Duration::ZERO));
}

#[tokio::test]
async fn other_methods_are_not_allowed() {
    let server = TestServer::build(Engine::builder(), SseConfig::default());
    for (method, path) in [("POST", "/sse"), ("GET", "/sse/0000000000000000000000007V"), ("DELETE", "/sse")] {
        let request = Request::builder().method(method).uri(path).body(Body::empty()).expect("a request");
        assert_eq!(server.send(request).await.status(), StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
    }
}
