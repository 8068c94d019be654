//! Tokens of streams and of commands: which is used by what, and what a superseded one may still do.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::body::Body;
use chat_core::{Clock, Engine, Limits, Mono, Now, SystemClock, Wall};
use serde_json::{Value, json};
use transport_sse::SseConfig;

use super::support::{Event, TestServer, settle};

fn text<'a>(frame: &'a Value, field: &str) -> &'a str {
    frame[field].as_str().expect("a text")
}

/// What an event's `id` says but for the positions.
fn credential(event: &Event) -> &str {
    event.last_id.split_once('~').expect("a credential and positions").0
}

#[tokio::test]
async fn a_command_supersedes_the_token_and_the_cursor_before() {
    let server = TestServer::new();
    let mut stream = server.open("/sse").await;
    let first = stream.expect("welcome").await;
    let (session, token) = (text(&first.data, "session").to_owned(), text(&first.data, "token").to_owned());
    let mut stream = server.open(&format!("/sse?resume={token}")).await;
    let second = stream.expect("welcome").await;
    let newer = text(&second.data, "token").to_owned();
    let create = Body::from(json!({"type": "create", "room": "LUNCH", "nick": "Ann"}).to_string());
    assert_eq!(server.post_raw(&session, Some(&token), create).await.status, 200, "nothing newer was used yet");
    let send = json!({"type": "send", "room": "LUNCH", "text": "hi"}).to_string();
    assert_eq!(server.post_raw(&session, Some(&newer), Body::from(send.clone())).await.status, 200);
    assert_eq!(server.post_raw(&session, Some(&token), Body::from(send)).await.code(), (401, "bad_token"));
    let mut other = server.open_with("/sse", &[("last-event-id", &first.last_id)]).await;
    assert_eq!(other.expect("welcome").await.data["resumed"], false, "its cursor went with it");
    let mut stream = server.open_with("/sse", &[("last-event-id", &second.last_id)]).await;
    assert_eq!(stream.expect("welcome").await.data["resumed"], true);
}

#[tokio::test]
async fn a_superseded_token_ends_the_session_and_does_nothing_else() {
    let server = TestServer::new();
    let mut stream = server.open("/sse?create=LUNCH&nick=Ann").await;
    let welcome = stream.expect("welcome").await.data;
    let (session, token) = (text(&welcome, "session").to_owned(), text(&welcome, "token").to_owned());
    let mut thief = server.open(&format!("/sse?resume={token}")).await;
    let stolen = thief.expect("welcome").await.data;
    assert_eq!(server.post(&stolen, &json!({"type": "send", "room": "LUNCH", "text": "hi"})).await.status, 200);
    let say = |frame: Value| server.post_raw(&session, Some(&token), Body::from(frame.to_string()));
    assert_eq!(say(json!({"type": "send", "room": "LUNCH", "text": "hi"})).await.code(), (401, "bad_token"));
    let reply = say(json!({"type": "end", "id": 4})).await;
    assert_eq!((reply.status.as_u16(), reply.frame), (200, json!({"type": "ended", "id": 4})));
    assert_eq!(thief.until("closing").await.data["code"], 4503);
    drop(thief);
    settle().await;
    assert!(server.engine.rooms().is_empty(), "she has left");
    let mut stream = server.open(&format!("/sse?resume={}", text(&stolen, "token"))).await;
    assert_eq!(stream.expect("welcome").await.data["resumed"], false);
}

#[tokio::test]
async fn a_session_without_a_stream_can_be_ended() {
    let server = TestServer::new();
    let mut stream = server.open("/sse").await;
    let welcome = stream.expect("welcome").await.data;
    drop(stream);
    let frame = json!({"type": "end", "id": 1, "all": true});
    let reply = server.post(&welcome, &frame).await;
    assert_eq!((reply.status.as_u16(), reply.frame), (200, json!({"type": "ended", "id": 1})));
    assert_eq!(server.engine.stats().sessions_detached, 0);
    assert_eq!(server.post_raw(text(&welcome, "session"), Some("x"), Body::empty()).await.code(), (401, "bad_token"));
}

#[tokio::test]
async fn cursors_change_with_the_token_in_time() {
    const DAY: u64 = 86_400_000;
    let clock = Arc::new(DatedClock::default());
    let mut limits = Limits::default();
    limits.session.token_expiry = Duration::from_millis(10 * DAY);
    limits.room.clock_step_max = Duration::from_millis(1_000 * DAY);
    let engine = Engine::builder().limits(limits).clock(Arc::clone(&clock) as _);
    let server = TestServer::build(engine, SseConfig::default());
    let mut by_token = server.open("/sse?create=LUNCH&nick=Ann").await;
    let (before, _) = (by_token.expect("welcome").await, by_token.expect("joined").await);
    let mut bob = server.open("/sse?room=LUNCH&nick=Bob").await;
    let of_bob = bob.until("joined").await;
    let mut by_cursor = server.open_with("/sse", &[("last-event-id", &of_bob.last_id)]).await;
    by_cursor.expect("welcome").await;
    clock.0.fetch_add(6 * DAY, Ordering::SeqCst);
    // Whoever comes makes the server look at the date.
    server.open("/sse").await;
    let told = by_token.until("token").await;
    assert_ne!(credential(&told), credential(&before));
    let message = json!({"type": "send", "room": "LUNCH", "text": "hi"}).to_string();
    let session = text(&before.data, "session");
    assert_eq!(server.post_raw(session, Some(text(&told.data, "token")), Body::from(message)).await.status, 200);
    let event = by_cursor.next().await;
    assert_eq!(event.name, "message", "nobody is told a token who came by a cursor");
    assert_ne!(credential(&event), credential(&of_bob));
    drop((by_token, by_cursor));
    clock.0.fetch_add(5 * DAY, Ordering::SeqCst);
    for (id, is_good) in [(&before.last_id, false), (&told.last_id, true), (&event.last_id, true)] {
        let mut stream = server.open_with("/sse", &[("last-event-id", id)]).await;
        assert_eq!(stream.expect("welcome").await.data["resumed"], is_good, "{id}");
    }
}

/// The real one, and as much later as a test says, in milliseconds.
#[derive(Default)]
struct DatedClock(AtomicU64, SystemClock);

impl Clock for DatedClock {
    fn now(&self) -> Now {
        let Now { wall, mono } = self.1.now();
        Now { wall: Wall(wall.0 + self.0.load(Ordering::SeqCst)), mono }
    }

    fn instant(&self, mono: Mono) -> tokio::time::Instant {
        self.1.instant(mono)
    }
}
