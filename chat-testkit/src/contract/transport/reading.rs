//! How far a person has read: told to their other devices and to nobody else, and known when they come back.

use serde_json::{Value, json};

use super::devices::InOrder;
use super::frames::{number, text};
use super::test_server::SHORT_GRACE;
use super::{TestServer, TransportHarness, summary};

fn read(through: u64) -> Value {
    json!({"type": "read", "room": "LUNCH", "through": through})
}

/// How far, and how many messages are left, as of which event.
fn position(of: &Value) -> [u64; 3] {
    ["through", "unread", "as_of"].map(|field| number(of, field))
}

/// Who reads on is told what is left, and so is their other device; the next one that comes knows it, and others learn nothing.
pub async fn what_a_person_has_read_is_told_on_all_their_devices<D: TransportHarness>() {
    let policy = InOrder::new(&["ann", "bob", "bob", "bob"]);
    let server = TestServer::<D>::build(|_| {}, |builder| builder.policy(policy)).await;
    let [mut ann, mut laptop, mut phone] = [server.client().await, server.client().await, server.client().await];
    ann.create("LUNCH", "Ann").await;
    let joined = laptop.join("LUNCH", "Bob").await;
    assert_eq!(position(&joined["read"]), [2, 0, 2], "nothing is unread of what was there before one came");
    phone.join("LUNCH", "Bob").await;
    for word in ["one", "two", "three"] {
        ann.say("LUNCH", word).await;
    }
    laptop.say("LUNCH", "mine is read").await;
    laptop.read_to("LUNCH", 6).await;
    phone.read_to("LUNCH", 6).await;

    let told = laptop.done(read(4)).await;
    assert_eq!((text(&told, "type"), position(&told)), ("read".into(), [4, 1, 6]));
    let heard = phone.find("read").await;
    assert_eq!((position(&heard), heard.get("id")), ([4, 1, 6], None));
    assert_eq!(position(&laptop.done(read(3)).await), [4, 1, 6], "it never goes back");
    assert_eq!(position(&phone.done(read(99)).await), [6, 0, 6], "nobody has read what was not said");
    assert_eq!(position(&laptop.find("read").await), [6, 0, 6], "the step back was told to nobody");

    ann.say("LUNCH", "four").await;
    let mut tablet = server.client().await;
    assert_eq!(position(&tablet.join("LUNCH", "Bob").await["read"]), [6, 1, 7]);
    // Whatever Ann was told of it would come before this.
    let heard = ann.told_to("LUNCH", 7).await;
    assert!(heard.iter().all(|frame| !frame.starts_with("read")), "{heard:?}");
}

/// The welcome says it of each room, also after a gap, and a message that was taken back is not unread.
pub async fn who_comes_back_is_told_how_much_is_unread<D: TransportHarness>() {
    let server = TestServer::<D>::with(|limits| limits.room.backlog_events_max = 4).await;
    let [mut ann, mut bob] = server.people("LUNCH", ["Ann", "Bob"]).await;
    let first = ann.say("LUNCH", "read").await;
    bob.read_to("LUNCH", first).await;
    bob.done(read(first)).await;
    let trail = bob.cut().await;
    let secret = ann.say("LUNCH", "a secret").await;
    ann.redact("LUNCH", secret).await;
    for turn in 0..6 {
        ann.say("LUNCH", &format!("{turn}")).await;
    }
    let mut bob = server.back(&trail).await;
    let welcome = bob.welcome();
    assert_eq!(position(&welcome["rooms"][0]["read"]), [3, 6, 11], "{welcome}");
    bob.read_to("LUNCH", 11).await;
    assert_eq!(position(&bob.done(read(9)).await), [9, 2, 11]);
}

/// Who timed out is told it with where they stood, also of what was said since; who left by themselves is not.
pub async fn who_was_lost_is_told_how_much_is_unread<D: TransportHarness>() {
    let server = TestServer::<D>::with(|limits| limits.room.grace = SHORT_GRACE).await;
    let [mut ann, mut bob, mut cid] = server.people("LUNCH", ["Ann", "Bob", "Cid"]).await;
    let first = ann.say("LUNCH", "read").await;
    ann.say("LUNCH", "not read").await;
    bob.read_to("LUNCH", first).await;
    bob.done(read(first)).await;
    cid.read_to("LUNCH", first).await;
    cid.done(json!({"type": "leave", "room": "LUNCH"})).await;
    let [bob, cid] = [bob.cut().await, cid.cut().await];
    while summary(&ann.next().await) != "7 -Bob timeout" {}
    ann.say("LUNCH", "while he is out").await;

    let lost = server.back(&bob).await;
    let room = &lost.welcome()["rooms"][0];
    assert_eq!((text(room, "status"), position(&room["read"])), ("left".into(), [4, 2, 8]), "{room}");
    let left = server.back(&cid).await;
    let room = &left.welcome()["rooms"][0];
    assert_eq!((text(room, "status"), room.get("read")), ("left".into(), None), "{room}");
}

/// Who left and comes back has read what they had read.
pub async fn what_was_read_is_known_to_who_comes_again<D: TransportHarness>() {
    let policy = InOrder::new(&["ann", "bob", "bob"]);
    let server = TestServer::<D>::build(|_| {}, |builder| builder.policy(policy)).await;
    let [mut ann, mut bob] = [server.client().await, server.client().await];
    ann.create("LUNCH", "Ann").await;
    bob.join("LUNCH", "Bob").await;
    for word in ["one", "two"] {
        ann.say("LUNCH", word).await;
    }
    bob.done(read(3)).await;
    bob.done(json!({"type": "leave", "room": "LUNCH"})).await;
    ann.say("LUNCH", "three").await;
    let mut bob = server.client().await;
    assert_eq!(position(&bob.join("LUNCH", "Bob").await["read"]), [3, 2, 7]);
}
