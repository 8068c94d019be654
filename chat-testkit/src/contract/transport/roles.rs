//! Who owns a room and who moderates it: given, handed on, and kept for who is away.

use std::time::Duration;

use chat_core::{MemberId, Moderation, Role, RoomCode};
use serde_json::{Value, json};

use super::frames::{list, text};
use super::test_server::SHORT_GRACE;
use super::{TestServer, TransportHarness};

fn role(member: u64, role: &str) -> Value {
    json!({"type": "role", "room": "LUNCH", "member": member, "role": role})
}

/// The role of each member, in the order of their numbers.
fn roles(joined: &Value) -> Vec<(u64, String)> {
    let mut roles: Vec<(u64, String)> = list(joined, "members")
        .iter()
        .map(|entry| (entry["member"].as_u64().expect("a number"), text(entry, "role")))
        .collect();
    roles.sort();
    roles
}

fn of(roles: &[(u64, &str)]) -> Vec<(u64, String)> {
    roles.iter().map(|(member, role)| (*member, (*role).to_owned())).collect()
}

/// Everybody is told who became one, and by whom; a moderator puts out members, takes back what they said, and sets the topic. Nothing of
/// that is done to the owner or to another moderator, and none of them says who is what.
pub async fn a_moderator_keeps_order_and_never_against_the_owner<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let [mut ann, mut bob, mut cid, mut dan] = server.people("LUNCH", ["Ann", "Bob", "Cid", "Dan"]).await;
    ann.done(role(2, "moderator")).await;
    ann.done(role(3, "moderator")).await;
    let told = dan.read_to("LUNCH", 6).await;
    let told: Vec<_> = told.iter().map(|frame| (&frame["member"], &frame["role"], &frame["by"])).collect();
    let (moderator, ann_s) = (json!("moderator"), json!(1));
    assert_eq!(told, [(&json!(2), &moderator, &ann_s), (&json!(3), &moderator, &ann_s)]);
    let said = [ann.say("LUNCH", "mine").await, cid.say("LUNCH", "ours").await, dan.say("LUNCH", "spam").await];
    for refused in [
        json!({"type": "kick", "room": "LUNCH", "member": 1}),
        json!({"type": "ban", "room": "LUNCH", "member": 1}),
        json!({"type": "kick", "room": "LUNCH", "member": 3}),
        json!({"type": "redact", "room": "LUNCH", "target": said[0]}),
        json!({"type": "redact", "room": "LUNCH", "target": said[1]}),
        role(1, "member"),
        role(4, "moderator"),
        role(2, "owner"),
    ] {
        assert_eq!(bob.code(refused.clone()).await, "forbidden", "{refused}");
    }
    bob.done(json!({"type": "topic", "room": "LUNCH", "topic": "Soup"})).await;
    bob.redact("LUNCH", said[2]).await;
    bob.done(json!({"type": "kick", "room": "LUNCH", "member": 4})).await;
    let told = cid.told_to("LUNCH", 12).await;
    let told = &told[told.len() - 3..];
    assert_eq!(told, ["10 topic Soup".to_owned(), format!("11 redacted {}", said[2]), "12 -Dan kicked".to_owned()]);
    ann.done(role(2, "member")).await;
    assert_eq!(bob.code(json!({"type": "topic", "room": "LUNCH", "topic": "Cake"})).await, "forbidden");
}

/// Who hands the room on is a moderator from then on, and is told so first: at no moment are there two owners.
pub async fn a_room_is_handed_on_by_two_changes<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let [mut ann, mut bob] = server.people("LUNCH", ["Ann", "Bob"]).await;
    assert_eq!(bob.code(role(2, "owner")).await, "forbidden");
    let refused = ann.refused(role(1, "member")).await;
    assert_eq!((&refused["code"], &refused["field"]), (&json!("bad_field"), &json!("member")));
    assert_eq!(ann.done(role(2, "owner")).await["seq"], 4);
    assert_eq!(bob.told_to("LUNCH", 4).await, ["3 role 1 moderator", "4 role 2 owner"]);
    assert_eq!(ann.code(role(1, "owner")).await, "forbidden");
    let joined = server.client().await.join("LUNCH", "Cid").await;
    assert_eq!(roles(&joined), of(&[(1, "moderator"), (2, "owner"), (3, "member")]));
}

/// Half a minute without a connection does not cost the room, nor a moderator their role.
pub async fn who_was_lost_comes_back_as_what_they_were<D: TransportHarness>() {
    let server = TestServer::<D>::with(|limits| limits.room.grace = SHORT_GRACE).await;
    let [mut ann, bob, mut cid] = server.people("LUNCH", ["Ann", "Bob", "Cid"]).await;
    ann.done(role(2, "moderator")).await;
    let (ann, bob) = (ann.cut().await, bob.cut().await);
    let mut left = Vec::new();
    while left.len() < 2 {
        let told = cid.told().await;
        assert!(!told.contains("owner"), "nobody follows while the seat is held: {told}");
        left.extend(told.contains("timeout").then_some(told));
    }
    let (mut ann, mut bob) = (server.back(&ann).await, server.back(&bob).await);
    let joined = ann.join("LUNCH", "Ann").await;
    assert_eq!((&joined["you"]["member"], &joined["you"]["role"]), (&json!(1), &json!("owner")));
    assert_eq!(bob.join("LUNCH", "Bob").await["you"]["role"], "moderator");
    let told = cid.read_to("LUNCH", 8).await;
    let told: Vec<_> = told.iter().map(|frame| (text(frame, "nick"), text(frame, "role"))).collect();
    assert_eq!(told, [("Ann".to_owned(), "owner".to_owned()), ("Bob".to_owned(), "moderator".to_owned())]);
    ann.done(json!({"type": "kick", "room": "LUNCH", "member": 3})).await;
}

/// The seat of an owner who stays away runs out, and goes to a moderator before those who have been there for longer.
pub async fn a_room_whose_owner_stays_away_goes_to_who_follows<D: TransportHarness>() {
    let change = |limits: &mut chat_core::Limits| {
        (limits.room.grace, limits.room.owner_seat_held) = (SHORT_GRACE, Duration::from_millis(200));
    };
    let server = TestServer::<D>::with(change).await;
    let [mut ann, mut bob, _cid] = server.people("LUNCH", ["Ann", "Bob", "Cid"]).await;
    ann.done(role(3, "moderator")).await;
    let trail = ann.cut().await;
    assert_eq!(bob.told_to("LUNCH", 6).await, ["4 role 3 moderator", "5 -Ann timeout", "6 role 3 owner"]);
    let mut ann = server.back(&trail).await;
    assert_eq!(ann.join("LUNCH", "Ann").await["you"]["role"], "member");
}

/// So many and no more, those who are away included; and a role that is none is named.
pub async fn as_many_moderators_as_may_be_and_no_more<D: TransportHarness>() {
    let server = TestServer::<D>::with(|limits| limits.room.moderators_max = 1).await;
    let [mut ann, mut bob, _cid] = server.people("LUNCH", ["Ann", "Bob", "Cid"]).await;
    ann.done(role(2, "moderator")).await;
    bob.done(json!({"type": "leave", "room": "LUNCH"})).await;
    let full = ann.refused(role(3, "moderator")).await;
    assert_eq!((&full["code"], &full["limit"]), (&json!("roles_full"), &json!(1)));
    ann.done(role(2, "member")).await;
    ann.done(role(3, "moderator")).await;
    assert_eq!(ann.refused(role(3, "king")).await["field"], "role");
    assert_eq!(ann.code(role(9, "moderator")).await, "member_not_found");
}

/// In a room that the host keeps, the owner is whom the host names, for as long as the host names nobody else.
pub async fn in_a_room_of_the_host_only_the_host_names_owners<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let [mut ann, mut bob, mut cid] = server.people("LUNCH", ["Ann", "Bob", "Cid"]).await;
    let code = RoomCode::parse("LUNCH").expect("a code");
    server.engine.moderate(&code, Moderation::Protect).await.expect("the room is there");
    assert_eq!(ann.code(role(2, "owner")).await, "forbidden");
    let owner = Moderation::SetRole(MemberId(2), Role::Owner);
    server.engine.moderate(&code, owner).await.expect("Bob is there");
    assert_eq!(cid.told_to("LUNCH", 5).await, ["4 role 1 moderator", "5 role 2 owner"]);
    bob.done(json!({"type": "leave", "room": "LUNCH"})).await;
    ann.say("LUNCH", "nobody follows").await;
    assert_eq!(cid.told_to("LUNCH", 7).await, ["6 -Bob left", "7 Ann: nobody follows"]);
    assert_eq!(bob.told_to("LUNCH", 6).await.last().map(String::as_str), Some("6 -Bob left"));
    assert_eq!(bob.join("LUNCH", "Bob").await["you"]["role"], "owner");
}
