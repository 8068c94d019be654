//! Going: by oneself, by silence, with the room, or because the host closes it.

use chat_core::{Moderation, RoomCode};
use serde_json::json;

use super::test_server::SHORT_GRACE;
use super::{TestServer, TransportHarness};

/// One's own `member_left` is the last event; what happens then is not for who has left.
pub async fn ones_own_leaving_ends_the_stream_of_a_room<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let [mut ann, mut bob] = server.people("LUNCH", ["Ann", "Bob"]).await;
    bob.create("DINNER", "Bob").await;
    let ack = bob.done(json!({"type": "leave", "room": "LUNCH"})).await;
    assert_eq!((&ack["type"], &ack["seq"]), (&json!("ack"), &json!(3)));
    ann.say("LUNCH", "not for Bob").await;
    assert_eq!(bob.told().await, "3 -Bob left");
    bob.say("DINNER", "alone").await;
    assert_eq!(bob.told().await, "2 Bob: alone", "nothing of the room that was left");
    assert_eq!(bob.code(json!({"type": "leave", "room": "LUNCH"})).await, "not_member");
    assert_eq!(ann.told_to("LUNCH", 4).await, ["3 -Bob left", "4 Ann: not for Bob"]);
    let joined = bob.join("LUNCH", "Bob").await;
    assert_eq!((&joined["seq"], &joined["you"]["member"]), (&json!(5), &json!(2)), "the same person");
}

/// The room goes on without its owner.
pub async fn the_longest_standing_member_inherits_the_room<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let [mut ann, mut bob, _cid] = server.people("LUNCH", ["Ann", "Bob", "Cid"]).await;
    ann.done(json!({"type": "leave", "room": "LUNCH"})).await;
    assert_eq!(bob.told_to("LUNCH", 5).await, ["4 -Ann left", "5 role 2 owner"]);
    bob.done(json!({"type": "kick", "room": "LUNCH", "member": 3})).await;
}

/// Nobody is told of a lost connection before the grace has run out.
pub async fn a_lost_connection_has_left_after_the_grace<D: TransportHarness>() {
    let server = TestServer::<D>::with(|limits| limits.room.grace = SHORT_GRACE).await;
    let [mut ann, bob] = server.people("LUNCH", ["Ann", "Bob"]).await;
    bob.cut().await;
    ann.say("LUNCH", "still here?").await;
    assert_eq!(ann.told().await, "3 Ann: still here?");
    assert_eq!(ann.told().await, "4 -Bob timeout");
    let mut cid = server.client().await;
    cid.join("LUNCH", "Bob").await;
}

/// The room goes with its messages, whichever way its last member went; the next room of that name is another one.
pub async fn an_empty_room_is_gone_and_its_code_begins_anew<D: TransportHarness>() {
    let server = TestServer::<D>::with(|limits| limits.room.grace = SHORT_GRACE).await;
    let mut ann = server.client().await;
    let first = ann.create("LUNCH", "Ann").await;
    ann.say("LUNCH", "gone soon").await;
    ann.done(json!({"type": "leave", "room": "LUNCH"})).await;
    assert_eq!(ann.told_to("LUNCH", 3).await, ["2 Ann: gone soon", "3 -Ann left"]);
    let mut bob = server.client().await;
    let second = bob.create("LUNCH", "Bob").await;
    assert_ne!(first["epoch"], second["epoch"]);
    assert_eq!((&second["seq"], &second["history"], &second["more"]), (&json!(1), &json!([]), &json!(false)));
    bob.cut().await;
    let mut cid = server.client().await;
    // Bob is still there until his grace has run out.
    while cid.ask(json!({"type": "create", "room": "LUNCH", "nick": "Cid"})).await["code"] == "name_taken" {
        tokio::time::sleep(SHORT_GRACE / 10).await;
    }
    cid.done(json!({"type": "leave", "room": "LUNCH"})).await;
}

/// Everybody in a room that the host closes is told, and its code is free.
pub async fn a_room_closed_by_the_host_is_closed_for_everyone<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let [mut ann, mut bob] = server.people("LUNCH", ["Ann", "Bob"]).await;
    ann.say("LUNCH", "last words").await;
    let code = RoomCode::parse("LUNCH").expect("a code");
    server.engine.moderate(&code, Moderation::Close).await.expect("the room is there");
    for client in [&mut ann, &mut bob] {
        assert_eq!([client.told().await, client.told().await], ["3 Ann: last words", "closed host"]);
        assert_eq!(client.code(json!({"type": "send", "room": "LUNCH", "text": "hm"})).await, "room_not_found");
    }
    assert_eq!(bob.create("LUNCH", "Bob").await["seq"], 1);
}
