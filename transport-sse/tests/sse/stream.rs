//! What a stream says, when, and in how many chunks.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use chat_core::{Limits, RoomLimits, SessionLimits};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::time::{Instant, advance};

use super::support::{TestServer, settle};

const TEN: Duration = Duration::from_secs(10);

/// The positions of an id, as text.
fn positions(id: &str) -> &str {
    id.split_once('~').expect("a credential and positions").1
}

#[tokio::test]
async fn a_stream_begins_with_when_to_come_back_and_a_welcome() {
    let server = TestServer::new();
    let response = server.ask("/sse", &[]).await;
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    assert_eq!(response.headers()["cache-control"], "no-store, no-transform");
    assert_eq!(response.headers()["x-accel-buffering"], "no");
    let mut stream = server.open("/sse").await;
    let chunk = stream.chunk().await.expect("a chunk");
    assert!(chunk.starts_with(b"retry: "), "{chunk:?}");
    let retry = stream.parser.retry.expect("a hint");
    assert!((2_000..=4_000).contains(&retry.as_millis()), "{retry:?}");
    let welcome = stream.expect("welcome").await;
    assert_eq!(welcome.data["resumed"], false);
    assert_eq!(positions(&welcome.last_id), "", "it can be resumed already, and is in no room");
}

#[tokio::test]
async fn every_event_says_where_the_client_stands_once_it_has_read_it() {
    let server = TestServer::new();
    let ann = server.client("LUNCH", "Ann").await;
    let mut stream = server.open("/sse?room=LUNCH&nick=Bob").await;
    stream.expect("welcome").await;
    let joined = stream.expect("joined").await;
    let epoch = joined.data["epoch"].as_str().expect("an epoch").to_owned();
    assert_eq!(positions(&joined.last_id), format!("LUNCH:{epoch}:{}", joined.data["seq"]));
    server.say(&ann, "LUNCH", "one").await;
    server.say(&ann, "LUNCH", "two").await;
    for text in ["one", "two"] {
        let message = stream.expect("message").await;
        assert_eq!(message.data["text"], text);
        assert_eq!(positions(&message.last_id), format!("LUNCH:{epoch}:{}", message.data["seq"]));
    }
}

/// In many rooms an `id` is far longer than what somebody types or shows.
#[tokio::test]
async fn what_passes_has_no_id_and_the_one_before_it_stays() {
    let server = TestServer::new();
    let mut stream = server.open("/sse?create=LUNCH&nick=Ann").await;
    let welcome = stream.expect("welcome").await.data;
    let joined = stream.expect("joined").await;
    assert!(joined.has_id);
    let sent = server.post(&welcome, &json!({"type": "send", "room": "LUNCH", "text": "start"})).await;
    let message = stream.expect("message").await;
    let target = &sent.frame["seq"];
    for (kind, frame) in [
        ("live", json!({"type": "live", "room": "LUNCH", "target": target, "text": "half"})),
        ("signals", json!({"type": "signal", "room": "LUNCH", "name": "hand", "data": true})),
        ("typing", json!({"type": "typing", "room": "LUNCH", "on": true})),
    ] {
        server.post(&welcome, &frame).await;
        let passing = stream.expect(kind).await;
        assert_eq!((passing.has_id, &passing.last_id), (false, &message.last_id), "{kind}");
    }
    server.post(&welcome, &json!({"type": "topic", "room": "LUNCH", "topic": "pizza"})).await;
    let event = stream.expect("topic_changed").await;
    assert!(event.has_id && event.last_id != message.last_id);
}

#[tokio::test]
async fn one_stream_serves_all_rooms() {
    let server = TestServer::new();
    let (ann, cid) = (server.client("LUNCH", "Ann").await, server.client("TEA", "Cid").await);
    let mut stream = server.open("/sse?room=LUNCH&nick=Bob").await;
    let welcome = stream.expect("welcome").await.data;
    stream.expect("joined").await;
    let joined = server.post(&welcome, &json!({"type": "join", "id": 7, "room": "TEA", "nick": "Bob"})).await;
    assert_eq!((joined.status, &joined.frame["type"]), (StatusCode::OK, &json!("ack")));
    let joined = stream.expect("joined").await;
    assert_eq!((&joined.data["room"], &joined.data["id"]), (&json!("TEA"), &json!(7)));
    server.say(&ann, "LUNCH", "Pizza?").await;
    server.say(&cid, "TEA", "Earl Grey?").await;
    let due = stream.due().await;
    let mut rooms: Vec<_> = due.iter().map(|event| event.data["room"].as_str().expect("a room")).collect();
    rooms.sort_unstable();
    assert_eq!(rooms, ["LUNCH", "TEA"]);
    let last = positions(&due[1].last_id);
    assert!(last.starts_with("LUNCH:") && last.contains(",TEA:"), "{last}");
}

#[tokio::test]
async fn rooms_that_open_in_one_chunk_the_later_first_keep_their_own_positions() {
    let server = TestServer::new();
    let _hosts =
        (server.client("LUNCH", "Ann").await, server.client("TEA", "Cid").await, server.client("DINNER", "Dan").await);
    let mut stream = server.open("/sse?room=LUNCH&nick=Bob").await;
    let welcome = stream.expect("welcome").await.data;
    stream.expect("joined").await;
    // The turn is that of the room after the one that was told of last: of the second, once there are two others.
    server.post(&welcome, &json!({"type": "leave", "room": "LUNCH"})).await;
    stream.due().await;
    for room in ["TEA", "DINNER"] {
        let joined = server.post(&welcome, &json!({"type": "join", "room": room, "nick": "Bob"})).await;
        assert_eq!(joined.frame["type"], "ack");
    }
    stream.chunk().await.expect("a chunk");
    let (first, second) = (stream.expect("joined").await, stream.expect("joined").await);
    assert_eq!((&first.data["room"], &second.data["room"]), (&json!("DINNER"), &json!("TEA")));
    let position = |joined: &Value| {
        let text = |field: &str| joined[field].as_str().expect("a text").to_owned();
        format!("{}:{}:{}", text("room"), text("epoch"), joined["seq"])
    };
    let (dinner, tea) = (position(&first.data), position(&second.data));
    assert_eq!(positions(&first.last_id), dinner);
    assert_eq!(positions(&second.last_id), format!("{tea},{dinner}"));
}

#[tokio::test]
async fn one_chunk_holds_everything_due() {
    let server = TestServer::new();
    let ann = server.client("LUNCH", "Ann").await;
    let mut stream = server.open("/sse?room=LUNCH&nick=Bob").await;
    assert_eq!(stream.due().await.len(), 2);
    for number in 0..9 {
        server.say(&ann, "LUNCH", &number.to_string()).await;
    }
    stream.chunk().await.expect("a chunk");
    for _ in 0..9 {
        stream.expect("message").await;
    }
    assert_eq!(stream.due().await, []);
}

#[tokio::test]
async fn big_frames_come_whole() {
    let session = SessionLimits { page_bytes_max: 4 << 20, answers_bytes_max: 16 << 20, ..SessionLimits::default() };
    let mut limits = Limits { session, ..Limits::default() };
    limits.lift_rates();
    let server = TestServer::with(limits);
    let text = format!("{}\n\t\u{2028}\"\\", "ä".repeat(3_990));
    let mut clients = Vec::new();
    for number in 0..20 {
        let client = server.client("LUNCH", &format!("Guest {number}")).await;
        for _ in 0..10 {
            server.say(&client, "LUNCH", &text).await;
        }
        clients.push(client);
    }
    let mut stream = server.open("/sse?room=LUNCH&nick=Bob&history=200").await;
    stream.expect("welcome").await;
    let joined = stream.expect("joined").await;
    let history = joined.data["history"].as_array().expect("a history");
    assert!(history.len() > 100, "far more than a chunk: {} messages", history.len());
    assert!(history.iter().all(|message| message["text"] == *text));
}

#[tokio::test(start_paused = true)]
async fn a_silent_stream_gets_a_comment_every_fifteen_seconds() {
    let server = TestServer::new();
    let mut stream = server.open("/sse").await;
    stream.expect("welcome").await;
    let start = Instant::now();
    for round in 1..=3 {
        assert_eq!(stream.chunk().await.as_deref(), Some(&b":\n\n"[..]));
        assert_eq!(start.elapsed().as_secs(), 15 * round);
    }
    assert_eq!(stream.parser.comments, 3);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_talks_needs_no_comment() {
    let server = TestServer::new();
    let ann = server.client("LUNCH", "Ann").await;
    let mut stream = server.open("/sse?room=LUNCH&nick=Bob").await;
    stream.due().await;
    advance(TEN).await;
    server.say(&ann, "LUNCH", "hello").await;
    assert_eq!(stream.texts().await, ["hello"]);
    let start = Instant::now();
    assert_eq!(stream.chunk().await.as_deref(), Some(&b":\n\n"[..]));
    assert_eq!(start.elapsed().as_secs(), 15);
}

#[tokio::test(start_paused = true)]
async fn a_chunk_counts_as_read_when_the_next_is_asked_for() {
    for (follows, seen) in [(false, 2), (true, 3)] {
        // Forgotten after a while, so that the session is asked where it stood.
        let server =
            TestServer::with(Limits { room: RoomLimits { grace: TEN, ..RoomLimits::default() }, ..Limits::default() });
        let ann = server.client("LUNCH", "Ann").await;
        let mut stream = server.open("/sse?room=LUNCH&nick=Bob").await;
        let welcome = stream.due().await.swap_remove(0).data;
        server.say(&ann, "LUNCH", "hello").await;
        stream.chunk().await.expect("the message");
        if follows {
            stream.due().await;
        }
        drop(stream);
        settle().await;
        advance(2 * TEN).await;
        settle().await;
        let token = welcome["token"].as_str().expect("a token");
        let mut stream = server.open(&format!("/sse?resume={token}")).await;
        let standing = stream.expect("welcome").await.data["rooms"][0].clone();
        assert_eq!((&standing["status"], &standing["seq"]), (&json!("left"), &json!(seen)));
    }
}

#[tokio::test]
async fn a_drain_ends_a_stream_and_says_when_to_come_back() {
    let server = TestServer::new();
    let mut stream = server.open("/sse").await;
    stream.expect("welcome").await;
    let spread = Duration::from_secs(5);
    let (closing, ()) = tokio::join!(
        async {
            let closing = stream.expect("closing").await;
            assert!(stream.try_next().await.is_none());
            closing
        },
        server.engine.drain(spread),
    );
    assert_eq!(closing.data["code"], 4001);
    assert!(!closing.has_id, "the end is no place to go on from");
    let told = closing.data["reconnect_after_ms"].as_u64().expect("a time");
    assert_eq!(stream.parser.retry, Some(Duration::from_millis(told)));
    assert_eq!(server.engine.stats().sessions, 0);
}

#[tokio::test]
async fn an_older_stream_of_a_session_ends_and_stays_away() {
    let server = TestServer::new();
    let mut older = server.open("/sse").await;
    let welcome = older.expect("welcome").await;
    let mut newer = server.open_with("/sse", &[("last-event-id", &welcome.last_id)]).await;
    assert_eq!(newer.expect("welcome").await.data["resumed"], true);
    assert_eq!(older.expect("closing").await.data["code"], 4501);
    assert_eq!(older.parser.retry, Some(Duration::from_secs(86_400)), "an EventSource would fight for the session");
    assert!(older.try_next().await.is_none());
    drop(older);
    settle().await;
    assert_eq!(server.engine.stats().sessions, 1, "the older stream takes nothing along");
}

#[tokio::test]
async fn asking_what_a_stream_is_like_joins_nothing() {
    let server = TestServer::new();
    let request = Request::head("/sse?create=LUNCH&nick=Ann").body(Body::empty()).expect("a request");
    let response = server.send(request).await;
    assert_eq!(
        (response.status(), &response.headers()["content-type"]),
        (StatusCode::OK, &"text/event-stream".parse().expect("a value"))
    );
    assert!(response.into_body().collect().await.expect("a body").to_bytes().is_empty());
    assert_eq!((server.engine.stats().sessions, server.engine.rooms().len()), (0, 0));
}
