//! An `EventSource` that comes back with the address it was made with, long after, or to less than it left.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use chat_core::{Command, Connection, Engine, Limits, MemberId, Moderation, Reply, RoomCode};
use chat_testkit::logs::{Delay, Fault, FaultyLog, MemoryLog, Operation};
use serde_json::json;
use tokio::time::{advance, timeout};
use transport_sse::SseConfig;

use super::support::{EventSource, Says, TestServer, settle};

const URI: &str = "/sse?room=LUNCH&nick=Bob";

async fn wait(seconds: u64) {
    settle().await;
    advance(Duration::from_secs(seconds)).await;
    settle().await;
}

async fn close(server: &TestServer, room: &str) {
    let room = RoomCode::parse(room).expect("a code");
    server.engine.moderate(&room, Moderation::Close).await.expect("closed");
}

#[tokio::test(start_paused = true)]
async fn a_short_loss_is_noticed_by_nobody() {
    let server = TestServer::new();
    let ann = server.client("LUNCH", "Ann").await;
    let mut bob = EventSource::new(&server, URI);
    bob.until("joined").await;
    bob.lose().await;
    server.say(&ann, "LUNCH", "one").await;
    wait(20).await;
    assert_eq!(bob.until("message").await.data["text"], "one");
    server.say(&ann, "LUNCH", "two").await;
    assert_eq!(bob.until("message").await.data["seq"], 4, "joined, joined, one, two: nobody left");
}

#[tokio::test(start_paused = true)]
async fn after_the_grace_one_goes_back_in_where_one_was() {
    let server = TestServer::new();
    let ann = server.client("LUNCH", "Ann").await;
    let mut bob = EventSource::new(&server, URI);
    bob.until("joined").await;
    server.say(&ann, "LUNCH", "seen").await;
    bob.until("message").await;
    bob.lose().await;
    wait(60).await;
    server.say(&ann, "LUNCH", "missed").await;
    let welcome = bob.until("welcome").await.data;
    assert_eq!((&welcome["resumed"], &welcome["rooms"][0]["status"]), (&json!(true), &json!("left")));
    let joined = bob.until("joined").await.data;
    assert_eq!(joined["history"], json!([]), "what follows is told as it happened");
    assert_eq!(bob.until("member_left").await.data["reason"], "timeout");
    assert_eq!(bob.until("message").await.data["text"], "missed");
    assert_eq!(bob.until("member_joined").await.data["nick"], "Bob");
}

/// Bob, who is lost from a room that is then held up by its log: at what `change` begins with it.
async fn held_up<'a>(server: &'a TestServer, log: &FaultyLog<MemoryLog>, change: impl Future) -> EventSource<'a> {
    let mut bob = EventSource::new(server, URI);
    bob.until("joined").await;
    bob.lose().await;
    log.push(Operation::Append, Fault { before: Delay::UntilReleased, ..Fault::default() });
    change.await;
    settle().await;
    assert_eq!(log.stalled(), 1);
    let welcome = bob.until("welcome").await.data;
    assert_eq!((&welcome["resumed"], &welcome["rooms"][0]["status"]), (&json!(true), &json!("waiting")));
    log.release_all();
    bob
}

fn slow() -> (Arc<FaultyLog<MemoryLog>>, TestServer) {
    let log = Arc::new(FaultyLog::new(MemoryLog::new()));
    let mut limits = Limits::default();
    limits.session.resume_wait = Duration::from_millis(50);
    let engine = Engine::builder().limits(limits).log(Arc::clone(&log) as _).expect("it is new");
    (log, TestServer::build(engine, SseConfig::default()))
}

#[tokio::test(start_paused = true)]
async fn who_learns_late_that_the_grace_is_over_goes_back_in_where_one_was() {
    let (log, server) = slow();
    let ann = server.client("LUNCH", "Ann").await;
    let mut bob = held_up(&server, &log, wait(31)).await;
    let resumed = bob.until("resumed").await.data;
    assert_eq!((&resumed["status"], &resumed["seq"]), (&json!("left"), &json!(2)));
    let joined = bob.until("joined").await.data;
    assert_eq!((&joined["seq"], &joined["history"]), (&json!(2), &json!([])), "what follows is told as it happened");
    assert_eq!(bob.until("member_left").await.data["reason"], "timeout");
    assert_eq!(bob.until("member_joined").await.data["nick"], "Bob");
    server.say(&ann, "LUNCH", "welcome back").await;
    assert_eq!(bob.until("message").await.data["text"], "welcome back");
}

#[tokio::test(start_paused = true)]
async fn who_learns_late_that_one_is_still_in_does_not_join_again() {
    let (log, server) = slow();
    let ann = server.client("LUNCH", "Ann").await;
    let text = chat_core::Body::parse("slowly", 100).expect("a text");
    let send = Command::send(RoomCode::parse("LUNCH").expect("a code"), text);
    let says = async { ann.submit(send, Reply::mailbox(None)).expect("taken") };
    let mut bob = held_up(&server, &log, says).await;
    assert_eq!(bob.until("resumed").await.data["status"], "live");
    assert_eq!(bob.until("message").await.data["text"], "slowly");
    server.say(&ann, "LUNCH", "next").await;
    assert_eq!(bob.next().await.expect("it goes on").data["text"], "next");
    assert_eq!(server.engine.stats().rejects, 0);
}

#[tokio::test(start_paused = true)]
async fn who_learns_late_that_one_was_put_out_stays_out() {
    let (log, server) = slow();
    let ann = server.client("LUNCH", "Ann").await;
    let kick = Command::kick(RoomCode::parse("LUNCH").expect("a code"), MemberId(2));
    let kicks = async { ann.submit(kick, Reply::mailbox(None)).expect("taken") };
    let mut bob = held_up(&server, &log, kicks).await;
    let resumed = bob.until("resumed").await.data;
    assert_eq!((&resumed["status"], &resumed["reason"]), (&json!("left"), &json!("kicked")));
    server.say(&ann, "LUNCH", "is he gone?").await;
    assert!(timeout(Duration::from_secs(10), bob.next()).await.is_err(), "nothing more of the room");
}

#[tokio::test(start_paused = true)]
async fn a_room_that_is_gone_stops_an_event_source() {
    let server = TestServer::new();
    let ann = server.client("LUNCH", "Ann").await;
    let mut bob = EventSource::new(&server, URI);
    bob.until("joined").await;
    bob.lose().await;
    close(&server, "LUNCH").await;
    assert_eq!(bob.next().await, Err(StatusCode::NOT_FOUND));
    drop(ann);
}

#[tokio::test(start_paused = true)]
async fn a_room_that_was_made_anew_is_joined_anew() {
    let server = TestServer::new();
    let _ann = server.client("LUNCH", "Ann").await;
    let mut bob = EventSource::new(&server, URI);
    let before = bob.until("joined").await.data;
    bob.lose().await;
    close(&server, "LUNCH").await;
    settle().await;
    let _cid: Connection = server.client("LUNCH", "Cid").await;
    let welcome = bob.until("welcome").await.data;
    assert_eq!(welcome["rooms"][0]["status"], "closed");
    assert_ne!(bob.until("joined").await.data["epoch"], before["epoch"]);
}

#[tokio::test(start_paused = true)]
async fn whose_server_begins_anew_has_the_room_made_anew() {
    let before = TestServer::new();
    let joined = before.open("/sse?create=LUNCH&nick=Ann").await.until("joined").await;
    // A server without a disk knows neither the session nor the room.
    let server = TestServer::new();
    let mut ann = EventSource::new(&server, "/sse?create=LUNCH&nick=Ann").with_last_id(&joined.last_id);
    assert_eq!(ann.until("welcome").await.data["resumed"], false);
    assert_eq!(ann.until("error").await.data["code"], "bad_token");
    assert_eq!(ann.until("joined").await.data["room"], "LUNCH");
    ann.lose().await;
    assert_eq!(ann.until("welcome").await.data["rooms"][0]["status"], "live");
}

#[tokio::test(start_paused = true)]
async fn whose_room_is_gone_while_away_has_it_made_anew_and_whose_is_not_goes_back_in() {
    let server = TestServer::new();
    let mut ann = EventSource::new(&server, "/sse?create=LUNCH&nick=Ann");
    let before = ann.until("joined").await.data;
    ann.lose().await;
    wait(60).await;
    assert_eq!(ann.until("welcome").await.data["resumed"], true);
    assert_ne!(ann.until("joined").await.data["epoch"], before["epoch"]);
    let cid = server.client("LUNCH", "Cid").await;
    ann.until("member_joined").await;
    ann.lose().await;
    wait(60).await;
    server.say(&cid, "LUNCH", "missed").await;
    assert_eq!(ann.until("welcome").await.data["rooms"][0]["status"], "left");
    assert_eq!(ann.until("joined").await.data["history"], json!([]), "what follows is told as it happened");
    assert_eq!(ann.until("message").await.data["text"], "missed");
}

#[tokio::test(start_paused = true)]
async fn a_nick_that_a_ghost_holds_is_had_when_its_grace_is_over() {
    let server = TestServer::new();
    let _ann = server.client("LUNCH", "Ann").await;
    let mut ghost = EventSource::new(&server, URI);
    ghost.until("joined").await;
    ghost.lose().await;
    wait(10).await;
    // The page was loaded anew, and knows of no session.
    let mut bob = EventSource::new(&server, URI);
    let error = bob.next().await.expect("it may pass").data;
    assert_eq!((&error["code"], &error["retry_after_ms"]), (&json!("nick_taken"), &json!(20_000)));
    let closing = bob.next().await.expect("and ends").data;
    assert_eq!((&closing["code"], &closing["reconnect_after_ms"]), (&json!(4005), &json!(20_000)));
    let joined = bob.until("joined").await.data;
    assert_eq!((&joined["you"]["nick"], &joined["you"]["member"]), (&json!("Bob"), &json!(3)));
    assert!(bob.requests <= 3, "{} requests", bob.requests);
    // Whose holder is here is refused for good.
    assert_eq!(EventSource::new(&server, URI).next().await.err(), Some(StatusCode::CONFLICT));
}

#[tokio::test(start_paused = true)]
async fn other_rooms_are_not_given_up_for_one_that_will_not_have_it() {
    let server = TestServer::ruled(Says::default());
    let (_ann, cid) = (server.client("LUNCH", "Ann").await, server.client("TEA", "Cid").await);
    let mut bob = EventSource::new(&server, URI);
    let welcome = bob.until("welcome").await.data;
    bob.until("joined").await;
    server.post(&welcome, &json!({"type": "join", "room": "TEA", "nick": "Bob"})).await;
    bob.until("joined").await;
    bob.lose().await;
    let lunch = RoomCode::parse("LUNCH").expect("a code");
    server.engine.moderate(&lunch, Moderation::Ban(MemberId(2))).await.expect("banned");
    server.say(&cid, "TEA", "Earl Grey?").await;
    assert_eq!(bob.until("welcome").await.data["resumed"], true);
    // The answer to the join and what was said meanwhile come in either order.
    let mut told = [bob.next().await.expect("one"), bob.next().await.expect("and the other")];
    told.sort_by(|one, other| one.name.cmp(&other.name));
    let error = &told[0].data;
    assert_eq!((&error["code"], &error["room"]), (&json!("banned"), &json!("LUNCH")));
    assert_eq!(told[1].data["text"], "Earl Grey?");
}

#[tokio::test(start_paused = true)]
async fn a_session_without_a_stream_takes_no_commands() {
    let server = TestServer::new();
    let mut bob = EventSource::new(&server, "/sse?create=LUNCH&nick=Bob");
    let welcome = bob.until("welcome").await.data;
    bob.lose().await;
    let send = json!({"type": "send", "id": 1, "room": "LUNCH", "text": "hello", "key": "k"});
    assert_eq!(server.post(&welcome, &send).await.code(), (409, "not_connected"));
    assert_eq!(bob.until("welcome").await.data.get("token"), None, "an event source comes back with a cursor");
    assert_eq!(server.post(&welcome, &send).await.status, StatusCode::OK);
    assert_eq!(bob.until("message").await.data["key"], "k");
}
