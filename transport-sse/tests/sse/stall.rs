//! Streams that nobody reads: the session is taken off them, so that its memberships run into their grace.

use std::time::Duration;

use chat_core::{Command, Connection, Limits, RoomCode, ServerFrame, SessionLimits};
use serde_json::json;
use tokio::time::{advance, sleep};

use super::support::{Stream, TestServer, settle};

/// The stall timeout, and the most that it may be noticed late.
const STALL: u64 = 30;
const LATE: u64 = STALL / 4 + 1;

/// Time goes by, in steps that timers can follow.
async fn pass(seconds: u64) {
    for _ in 0..seconds {
        settle().await;
        advance(Duration::from_secs(1)).await;
    }
    settle().await;
}

async fn bob(server: &TestServer) -> (Connection, Stream) {
    let ann = server.client("LUNCH", "Ann").await;
    let mut stream = server.open("/sse?room=LUNCH&nick=Bob").await;
    stream.due().await;
    (ann, stream)
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_not_asked_any_more_loses_its_session() {
    let server = TestServer::new();
    let (ann, mut stream) = bob(&server).await;
    server.say(&ann, "LUNCH", "hello").await;
    stream.chunk().await.expect("the message");
    pass(STALL - 1).await;
    assert_eq!(server.engine.stats().sessions, 2);
    pass(1 + LATE).await;
    assert_eq!(server.engine.stats().sessions, 1, "Bob's is detached, though his stream is still there");
    // The connection takes something again: it is told why there is no more.
    stream.expect("message").await;
    let closing = stream.expect("closing").await;
    assert_eq!((&closing.data["code"], closing.has_id), (&json!(4002), false));
    assert!(stream.try_next().await.is_none());
    pass(31).await;
    let room = RoomCode::parse("LUNCH").expect("a code");
    let list = ann.call(Command::members(room)).await.expect("a list");
    assert!(matches!(list, ServerFrame::Members { members_total: 1, .. }), "his grace has run out: {list:?}");
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_was_never_asked_is_given_up_too() {
    let server = TestServer::new();
    let _response = server.ask("/sse", &[]).await;
    pass(STALL - 1).await;
    assert_eq!(server.engine.stats().sessions, 1);
    pass(1 + LATE).await;
    assert_eq!(server.engine.stats().sessions, 0);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_asked_but_has_nothing_to_say_is_well() {
    let server = TestServer::new();
    let (_ann, mut stream) = bob(&server).await;
    let reader = tokio::spawn(async move {
        while stream.chunk().await.is_some() {}
        stream.parser.comments
    });
    for _ in 0..20 {
        sleep(Duration::from_secs(10)).await;
    }
    assert_eq!(server.engine.stats().sessions, 2);
    server.engine.drain(Duration::ZERO).await;
    assert_eq!(reader.await.expect("no panic"), 13, "a comment every 15 seconds");
}

#[tokio::test(start_paused = true)]
async fn a_stream_whose_heartbeat_nobody_takes_is_given_up() {
    let server = TestServer::new();
    let (_ann, _stream) = bob(&server).await;
    // Its connection was asleep, and is never woken: nothing is due until the heartbeat is.
    pass(15 + STALL - 1).await;
    assert_eq!(server.engine.stats().sessions, 2);
    pass(1 + LATE).await;
    assert_eq!(server.engine.stats().sessions, 1);
}

#[tokio::test(start_paused = true)]
async fn whoever_was_given_up_goes_on_where_it_was() {
    let server = TestServer::new();
    let (ann, mut stream) = bob(&server).await;
    server.say(&ann, "LUNCH", "seen").await;
    let seen = stream.expect("message").await.last_id;
    server.say(&ann, "LUNCH", "missed").await;
    pass(STALL + LATE).await;
    assert_eq!(server.engine.stats().sessions, 1);
    let mut stream = server.open_with("/sse", &[("last-event-id", &seen)]).await;
    assert_eq!(stream.expect("welcome").await.data["rooms"][0]["status"], "live");
    assert_eq!(stream.texts().await, ["missed"]);
}

#[tokio::test(start_paused = true)]
async fn a_short_stall_timeout_is_kept_too() {
    let limits = SessionLimits { stall_timeout: Duration::from_millis(200), ..SessionLimits::default() };
    let server = TestServer::with(Limits { session: limits, ..Limits::default() });
    let _response = server.ask("/sse", &[]).await;
    settle().await;
    sleep(Duration::from_millis(251)).await;
    assert_eq!(server.engine.stats().sessions, 0);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_comes_after_a_time_without_any_is_watched_too() {
    let server = TestServer::new();
    for _ in 0..3 {
        // Gone by itself, and then nobody is there for a while.
        drop(server.open("/sse").await);
        pass(2 * STALL).await;
        assert_eq!(server.engine.stats().sessions, 0);
        let _response = server.ask("/sse", &[]).await;
        pass(STALL - 1).await;
        assert_eq!(server.engine.stats().sessions, 1);
        pass(1 + LATE).await;
        assert_eq!(server.engine.stats().sessions, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_stalls_takes_something_and_stalls_again_is_given_up_the_second_time() {
    let server = TestServer::new();
    let (ann, mut stream) = bob(&server).await;
    for _ in 0..3 {
        server.say(&ann, "LUNCH", "hello").await;
        pass(STALL - 1).await;
        assert_eq!(stream.texts().await, ["hello"]);
    }
    server.say(&ann, "LUNCH", "hello").await;
    stream.chunk().await.expect("the message");
    pass(STALL - 1).await;
    assert_eq!(server.engine.stats().sessions, 2);
    pass(1 + LATE).await;
    assert_eq!(server.engine.stats().sessions, 1);
}

#[tokio::test(start_paused = true)]
async fn after_a_pause_of_the_process_a_stream_has_as_long_as_ever() {
    let server = TestServer::new();
    let (_ann, mut stream) = bob(&server).await;
    pass(15).await;
    // The heartbeat is due, and has been asked for by nobody when the process is stopped for an hour.
    advance(Duration::from_secs(3_600)).await;
    pass(STALL - 1).await;
    assert_eq!(server.engine.stats().sessions, 2);
    stream.chunk().await.expect("the heartbeat");
    pass(STALL - 1).await;
    assert_eq!(server.engine.stats().sessions, 2);
    pass(1 + LATE).await;
    assert_eq!(server.engine.stats().sessions, 1, "nor is it given up later than ever");
}

/// A body has no length: that its connection took nothing for a while shows in when the next chunk is asked for, and the engine is told.
#[tokio::test(start_paused = true)]
async fn a_gap_is_no_surprise_to_a_stream_that_was_not_asked_for_a_while() {
    for (waits, surprises) in [(Duration::from_millis(6), 0), (Duration::ZERO, 1)] {
        let mut limits = Limits::default();
        limits.lift_rates();
        limits.room.backlog_events_max = 8;
        let server = TestServer::with(limits);
        let (ann, mut stream) = bob(&server).await;
        server.say(&ann, "LUNCH", "taken").await;
        stream.expect("message").await;
        advance(waits).await;
        for number in 0..20 {
            server.say(&ann, "LUNCH", &number.to_string()).await;
        }
        stream.expect("gap").await;
        let stats = server.engine.stats();
        assert_eq!((stats.gaps, stats.gaps_unblocked), (1, surprises), "after {waits:?}");
    }
}
