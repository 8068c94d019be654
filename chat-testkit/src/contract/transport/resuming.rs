//! Coming back within the grace: the session goes on as if nothing had happened.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::frames::list;
use super::test_client::within;
use super::{TestServer, TransportHarness, summary};
use crate::logs::{Delay, Fault, FaultyLog, MemoryLog, Operation};

/// After a resume nothing is repeated and nothing missing, whether it was sent before the connection was lost or after.
pub async fn a_resumed_session_goes_on_at_the_next_event<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let [mut ann, mut bob] = server.people("LUNCH", ["Ann", "Bob"]).await;
    for text in ["read", "sent and perhaps not read"] {
        ann.say("LUNCH", text).await;
    }
    assert_eq!(bob.told().await, "3 Ann: read");
    let trail = bob.cut().await;
    ann.say("LUNCH", "while away").await;
    let mut bob = server.back(&trail).await;
    assert_eq!(bob.standings(), ["LUNCH live 3"], "what the client says it has seen counts");
    ann.say("LUNCH", "after").await;
    let told = bob.told_to("LUNCH", 6).await;
    assert_eq!(told, ["4 Ann: sent and perhaps not read", "5 Ann: while away", "6 Ann: after"]);
}

/// A resume within the grace is told neither to others nor to oneself.
pub async fn a_resume_tells_nobody_anything<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let [mut ann, bob] = server.people("LUNCH", ["Ann", "Bob"]).await;
    let mut bob = server.back(&bob.cut().await).await;
    bob.say("LUNCH", "back").await;
    assert_eq!(ann.told().await, "3 Bob: back");
    assert_eq!(bob.told().await, "3 Bob: back");
    let members = ann.done(json!({"type": "members", "room": "LUNCH"})).await;
    assert_eq!((list(&members, "members").len(), &members["members"][1]["online"]), (2, &json!(true)));
}

/// Without a position there comes a fresh `joined`, without a number of a command, for the same member as before.
pub async fn a_resume_without_positions_is_shown_afresh<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let [mut ann, bob] = server.people("LUNCH", ["Ann", "Bob"]).await;
    let trail = bob.cut().await;
    ann.say("LUNCH", "while away").await;
    let mut bob = server.back(&trail.without_positions()).await;
    assert_eq!(bob.standings(), ["LUNCH live 3"]);
    let joined = bob.next().await;
    assert_eq!((summary(&joined), joined.get("id")), ("joined 3 as 2".to_owned(), None));
    let history: Vec<_> = list(&joined, "history").iter().map(summary).collect();
    assert_eq!((history, &joined["members_total"]), (vec!["3 Ann: while away".to_owned()], &json!(2)));
    ann.say("LUNCH", "after").await;
    assert_eq!(bob.told().await, "4 Ann: after");
}

/// A session whose connection was lost before the first frame of the room had come is shown all of it.
pub async fn a_session_that_has_received_nothing_is_shown_everything<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let [mut ann] = server.people("LUNCH", ["Ann"]).await;
    ann.say("LUNCH", "one").await;
    let mut bob = server.client().await;
    let nothing = bob.trail();
    bob.done(json!({"type": "join", "room": "LUNCH", "nick": "Bob"})).await;
    bob.cut().await;
    ann.say("LUNCH", "two").await;
    let mut bob = server.back(&nothing).await;
    assert_eq!(bob.standings(), ["LUNCH live 4"]);
    let joined = bob.next().await;
    let history: Vec<_> = list(&joined, "history").iter().map(summary).collect();
    assert_eq!(
        (summary(&joined).as_str(), &history[..]),
        ("joined 4 as 2", &["2 Ann: one".into(), "4 Ann: two".into()][..])
    );
}

/// Each room goes on from its own position.
pub async fn a_session_comes_back_to_all_its_rooms<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let rooms: Vec<String> = (1..=8).map(|number| format!("ROOM-{number}")).collect();
    let (mut ann, mut bob) = (server.client().await, server.client().await);
    for room in &rooms {
        ann.create(room, "Ann").await;
        bob.join(room, "Bob").await;
    }
    let trail = bob.cut().await;
    for (count, room) in rooms.iter().enumerate() {
        for turn in 0..count {
            ann.say(room, &format!("{turn}")).await;
        }
    }
    let mut bob = server.back(&trail).await;
    let mut standings = bob.standings();
    standings.sort();
    assert_eq!(standings, rooms.iter().map(|room| format!("{room} live 2")).collect::<Vec<_>>());
    for (count, room) in rooms.iter().enumerate() {
        bob.read_to(room, 2 + count as u64).await;
        assert_eq!(bob.seq(room), 2 + count as u64);
    }
}

/// A session resumes however often, and wherever each connection broke.
pub async fn a_session_comes_back_again_and_again<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let [mut ann, mut bob] = server.people("LUNCH", ["Ann", "Bob"]).await;
    let mut told = Vec::new();
    for turn in 0..6 {
        for half in ["a", "b"] {
            ann.say("LUNCH", &format!("{turn}{half}")).await;
        }
        // One of the two is read, the other comes with a later connection.
        told.push(bob.told().await);
        bob = server.back(&bob.cut().await).await;
    }
    told.extend(bob.told_to("LUNCH", 14).await);
    let said = (0..6).flat_map(|turn| ["a", "b"].map(|half| format!("{turn}{half}")));
    assert_eq!(told, said.zip(3..).map(|(text, seq)| format!("{seq} Ann: {text}")).collect::<Vec<_>>());
}

/// A resumed session is the same member with the same rights, and with the keys that it used before.
pub async fn a_session_that_comes_back_commands_as_before<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let [mut ann, mut bob] = server.people("LUNCH", ["Ann", "Bob"]).await;
    let send = json!({"type": "send", "room": "LUNCH", "text": "hi", "key": "c0ffee"});
    let first = ann.done(send.clone()).await;
    let mut ann = server.back(&ann.cut().await).await;
    let again = ann.done(send).await;
    assert_eq!((&first["seq"], &first["at"]), (&again["seq"], &again["at"]), "its answer may have been lost");
    ann.done(json!({"type": "kick", "room": "LUNCH", "member": 2})).await;
    assert_eq!(ann.told_to("LUNCH", 4).await, ["3 Ann: hi", "4 -Bob kicked"]);
    bob.read_to("LUNCH", 4).await;
}

/// The older connection is closed with 4501, not to come back. Nobody in the room is told.
pub async fn a_newer_connection_closes_the_older<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let [mut ann, older] = server.people("LUNCH", ["Ann", "Bob"]).await;
    let mut newer = server.back(&older.trail()).await;
    let closing = older.end().await;
    assert_eq!((&closing["code"], &closing["reason"]), (&json!(4501), &json!("replaced")));
    assert_eq!(closing.get("reconnect_after_ms"), None);
    newer.say("LUNCH", "here now").await;
    assert_eq!(newer.told().await, "3 Bob: here now");
    assert_eq!(ann.told().await, "3 Bob: here now");
}

/// The other rooms go on meanwhile; what was said in the slow one follows as soon as it can say where one stands.
pub async fn a_slow_room_holds_up_no_other<D: TransportHarness>() {
    let log = Arc::new(FaultyLog::new(MemoryLog::new()));
    let wait = |limits: &mut chat_core::Limits| limits.session.resume_wait = Duration::from_millis(50);
    let server = TestServer::<D>::over(Arc::clone(&log) as _, wait).await;
    let [mut ann, mut bob] = server.people("LUNCH", ["Ann", "Bob"]).await;
    let [mut cid] = server.people("LATE", ["Cid"]).await;
    bob.join("LATE", "Bob").await;
    bob.read_to("LATE", 2).await;
    cid.read_to("LATE", 2).await;
    let trail = bob.cut().await;
    log.push(Operation::Append, Fault { before: Delay::UntilReleased, ..Fault::default() });
    let saying = tokio::spawn(async move {
        cid.say("LATE", "slowly").await;
        cid
    });
    within(async {
        while log.stalled() == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let mut bob = server.back(&trail).await;
    let mut standings = bob.standings();
    standings.sort();
    assert_eq!(standings, ["LATE waiting 2", "LUNCH live 2"]);
    ann.say("LUNCH", "meanwhile").await;
    assert_eq!(bob.told().await, "3 Ann: meanwhile");
    // A connection that is lost now knows the way back to both.
    let trail = bob.cut().await;
    let mut bob = server.back(&trail).await;
    ann.say("LUNCH", "again").await;
    assert_eq!(bob.told().await, "4 Ann: again");
    log.release_all();
    assert_eq!([bob.told().await, bob.told().await], ["resumed live", "3 Cid: slowly"]);
    let mut cid = saying.await.expect("no panic");
    bob.say("LATE", "thanks").await;
    assert_eq!([cid.told().await, cid.told().await], ["3 Cid: slowly", "4 Bob: thanks"]);
}
