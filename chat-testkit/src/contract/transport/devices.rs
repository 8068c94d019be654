//! One person on two devices, in a big room, where joins and leaves are only counted: what each device is told of the other.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chat_core::{Admission, ConnectRequest, Identity, Policy, Reject};
use serde_json::{Value, json};

use super::frames::number;
use super::test_server::SHORT_GRACE;
use super::{TestClient, TestServer, TransportHarness, summary};

/// Whoever connects next is the next of these people; those who come after the last are nobody in particular.
pub(super) struct InOrder(Mutex<VecDeque<&'static str>>);

impl InOrder {
    pub(super) fn new(people: &[&'static str]) -> Arc<Self> {
        Arc::new(Self(Mutex::new(people.iter().copied().collect())))
    }
}

#[async_trait]
impl Policy for InOrder {
    async fn admit(&self, _request: &ConnectRequest) -> Result<Admission, Reject> {
        let next = self.0.lock().expect("nobody panics with it").pop_front();
        Ok(Admission::of(next.and_then(Identity::new)))
    }
}

/// A server in which every room is a big one, and people connect in this order.
async fn server<D: TransportHarness>(people: &[&'static str]) -> TestServer<D> {
    let policy = InOrder::new(people);
    let change = |limits: &mut chat_core::Limits| {
        limits.room.notices_members_max = 0;
        limits.room.grace = SHORT_GRACE;
    };
    TestServer::build(change, |builder| builder.policy(policy)).await
}

/// Ann, who owns a big room, and Bob's two devices in it.
async fn ann_and_bob_twice<D: TransportHarness>(server: &TestServer<D>) -> [TestClient<D::Client>; 3] {
    let [mut ann, mut laptop, mut phone] = [server.client().await, server.client().await, server.client().await];
    ann.create("LUNCH", "Ann").await;
    ann.read_to("LUNCH", 2).await;
    assert_eq!(summary(&laptop.join("LUNCH", "Bob").await), "joined 2 as 2");
    assert_eq!(summary(&phone.join("LUNCH", "Bob").await), "joined 2 as 2");
    [ann, laptop, phone]
}

fn leave() -> Value {
    json!({"type": "leave", "room": "LUNCH"})
}

/// No event tells of the leave, and who has left is told all the same: where the stream of the room has ended.
pub async fn who_leaves_a_big_room_is_told_where_it_ended<D: TransportHarness>() {
    let server = server::<D>(&["ann", "bob"]).await;
    let (mut ann, mut bob) = (server.client().await, server.client().await);
    ann.create("LUNCH", "Ann").await;
    let joined = bob.join("LUNCH", "Bob").await;
    ann.say("LUNCH", "hi").await;
    bob.read_to("LUNCH", 3).await;
    assert_eq!(bob.done(leave()).await["seq"], 3, "the last event");
    ann.say("LUNCH", "not for Bob").await;
    let left = bob.find("member_left").await;
    let position = format!("{}:3", joined["epoch"].as_str().expect("an epoch"));
    let frame = json!({
        "type": "member_left", "room": "LUNCH", "position": position, "member": 2, "nick": "Bob", "reason": "left",
    });
    assert_eq!(left, frame);
    bob.create("DINNER", "Bob").await;
    assert_eq!(bob.told().await, "2 notices counted", "nothing of the room that was left");
    bob.enter(json!({"type": "join", "room": "LUNCH", "nick": "Bob", "after": position})).await;
    assert_eq!(bob.told_to("LUNCH", 4).await, ["4 Ann: not for Bob"], "the position is good for coming back");
    assert_eq!(ann.told_to("LUNCH", 4).await.last().map(String::as_str), Some("4 Ann: not for Bob"));
}

/// A leave ends the membership on all devices, and each is told.
pub async fn the_other_device_of_who_leaves_a_big_room_is_told<D: TransportHarness>() {
    let server = server::<D>(&["ann", "bob", "bob"]).await;
    let [mut ann, mut laptop, mut phone] = ann_and_bob_twice(&server).await;
    laptop.done(leave()).await;
    ann.say("LUNCH", "not for Bob").await;
    for device in [&mut laptop, &mut phone] {
        assert_eq!(device.told().await, "-Bob left");
        assert_eq!(device.code(json!({"type": "send", "room": "LUNCH", "text": "hm"})).await, "not_member");
    }
    let joined = phone.join("LUNCH", "Bob").await;
    assert_eq!((&joined["seq"], &joined["you"]["member"]), (&json!(3), &json!(2)));
    assert_eq!(ann.told().await, "3 Ann: not for Bob", "others are told of neither");
}

/// Kicks and bans are told to everybody by number, in a big room too.
pub async fn who_is_put_out_of_a_big_room_is_told_on_every_device<D: TransportHarness>() {
    for (how, told) in [("kick", "3 -Bob kicked"), ("ban", "3 -Bob banned")] {
        let server = server::<D>(&["ann", "bob", "bob"]).await;
        let [mut ann, mut laptop, mut phone] = ann_and_bob_twice(&server).await;
        ann.done(json!({"type": how, "room": "LUNCH", "member": 2})).await;
        ann.say("LUNCH", "not for Bob").await;
        for (device, room) in [(&mut laptop, "DINNER"), (&mut phone, "SUPPER")] {
            assert_eq!(device.told().await, told);
            device.create(room, "Bob").await;
            assert_eq!(device.told().await, "2 notices counted", "nothing else of the room one was put out of");
        }
        assert_eq!(ann.told_to("LUNCH", 4).await, [told, "4 Ann: not for Bob"]);
    }
}

/// Whoever was away while it happened hears of it in the `welcome`: after a leave on another device, and after the grace.
pub async fn a_device_that_was_away_hears_that_it_has_left_a_big_room<D: TransportHarness>() {
    let server = server::<D>(&["ann", "bob", "bob", "bob", "bob"]).await;
    let [mut ann, laptop, mut phone] = ann_and_bob_twice(&server).await;
    let laptop = laptop.cut().await;
    phone.done(leave()).await;
    assert_eq!(phone.told().await, "-Bob left");
    phone.join("LUNCH", "Bob").await;
    let mut laptop = server.back(&laptop).await;
    assert_eq!(laptop.standings(), ["LUNCH live 2"]);
    assert_eq!(summary(&laptop.next().await), "joined 2 as 2", "in another membership by now");
    let laptop = laptop.cut().await;
    phone.cut().await;
    while number(&ann.done(json!({"type": "members", "room": "LUNCH"})).await, "members_total") > 1 {
        tokio::time::sleep(SHORT_GRACE / 10).await;
    }
    let laptop = server.back(&laptop).await;
    assert_eq!(laptop.standings(), ["LUNCH left 2"]);
}

/// Nothing of the one is news to the other: they are one member, under one number.
pub async fn a_second_device_in_a_big_room_changes_nothing_for_the_first<D: TransportHarness>() {
    let server = server::<D>(&["ann", "bob", "bob"]).await;
    let [mut ann, mut laptop, phone] = ann_and_bob_twice(&server).await;
    ann.say("LUNCH", "one").await;
    phone.cut().await;
    ann.say("LUNCH", "two").await;
    assert_eq!(laptop.told_to("LUNCH", 4).await, ["3 Ann: one", "4 Ann: two"]);
    assert_eq!(laptop.say("LUNCH", "still here").await, 5);
}
