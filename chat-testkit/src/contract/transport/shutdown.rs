//! A server that goes down: everybody is told when to come back, and nobody is let in.

use std::time::Duration;

use super::frames::number;
use super::test_client::within;
use super::{TestServer, TransportHarness};

/// Each client is told to come back within the time that the return is spread over; then the connections end.
pub async fn a_drained_server_tells_when_to_come_back<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let [ann, bob] = server.people("LUNCH", ["Ann", "Bob"]).await;
    let engine = server.engine.clone();
    let draining = tokio::spawn(async move { engine.drain(Duration::from_secs(3)).await });
    for client in [ann, bob] {
        let closing = client.end().await;
        assert_eq!((number(&closing, "code"), &closing["reason"]), (4001, &"draining".into()));
        assert!(number(&closing, "reconnect_after_ms") <= 3_000, "{closing}");
    }
    within(draining).await.expect("draining ends when all connections have");
    assert_eq!(server.engine.stats().sessions, 0);
}

/// The `closing` states the positions in the words of a `hello`: a client that kept none of its own goes on from these.
pub async fn a_drained_server_tells_what_is_due_and_where_one_stands<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let [ann, mut bob] = server.people("LUNCH", ["Ann", "Bob"]).await;
    for number in 0..20 {
        bob.say("LUNCH", &number.to_string()).await;
    }
    let position = ann.trail().at("LUNCH", 22).position("LUNCH");
    let engine = server.engine.clone();
    let draining = tokio::spawn(async move { engine.drain(Duration::from_secs(3)).await });
    let bobs = bob.end();
    let closing = ann.end().await;
    assert_eq!(closing["positions"]["LUNCH"], position.as_str(), "{closing}");
    bobs.await;
    within(draining).await.expect("draining ends when all connections have");
}

/// Whoever takes nothing of what is due is cut off once it has had its time; everybody else is told.
pub async fn who_takes_nothing_does_not_hold_up_a_drain<D: TransportHarness>() {
    /// Of 4 KB each: more than sockets, and what a transport may be ahead of its client, hold together.
    const COUNT: u64 = 150;
    let server = TestServer::<D>::with(|limits| {
        limits.session.stall_timeout = Duration::from_secs(3_600);
        limits.session.flush_timeout = Duration::from_millis(500);
    })
    .await;
    let [mut ann, _slow] = server.people("LUNCH", ["Ann", "Slow"]).await;
    let padding = "x".repeat(3_990);
    for turn in 0..COUNT {
        let seq = ann.say("LUNCH", &format!("{turn} {padding}")).await;
        ann.read_to("LUNCH", seq).await;
    }
    let engine = server.engine.clone();
    let draining = tokio::spawn(async move { engine.drain(Duration::ZERO).await });
    assert_eq!(number(&ann.end().await, "code"), 4001);
    within(draining).await.expect("draining ends whoever is there");
    assert_eq!(server.engine.stats().sessions, usize::from(D::IS_IN_HAND));
}

/// A server that drains lets in neither new clients nor those who come back.
pub async fn a_drained_server_lets_nobody_in<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let [ann] = server.people("LUNCH", ["Ann"]).await;
    let trail = ann.cut().await;
    within(server.engine.drain(Duration::ZERO)).await;
    assert_eq!(server.turned_away(None).await, "draining");
    assert_eq!(server.turned_away(Some(trail.resume())).await, "draining");
}
