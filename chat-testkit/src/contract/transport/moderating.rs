//! What the owner of a room may do, and others may not.

use serde_json::{Value, json};

use super::{TestServer, TransportHarness};

/// The command of an owner, by its name and one more field.
fn command(kind: &str, field: &str, value: impl Into<Value>) -> Value {
    let mut command = json!({"type": kind, "room": "LUNCH"});
    command[field] = value.into();
    command
}

/// Each change of the topic is told once; joiners are shown the one in force.
pub async fn a_topic_is_told_and_shown_to_joiners<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let [mut ann, mut bob] = server.people("LUNCH", ["Ann", "Bob"]).await;
    for topic in ["Pizza?", "Soup", "Soup", ""] {
        ann.done(command("topic", "topic", topic)).await;
    }
    let told = bob.read_to("LUNCH", 5).await;
    let topics: Vec<_> = told.iter().map(|frame| (&frame["topic"], &frame["by"])).collect();
    assert_eq!(topics, [(&json!("Pizza?"), &json!(1)), (&json!("Soup"), &json!(1)), (&json!(""), &json!(1))]);
    ann.done(command("topic", "topic", "Cake")).await;
    assert_eq!(server.client().await.join("LUNCH", "Cid").await["topic"], "Cake");
}

/// A member takes back their own message, the owner any. Who was there is told; who comes later sees where it stood.
pub async fn a_message_taken_back_is_a_tombstone_in_histories<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let [mut ann, mut bob] = server.people("LUNCH", ["Ann", "Bob"]).await;
    for text in ["one", "two", "three"] {
        bob.say("LUNCH", text).await;
    }
    bob.done(command("redact", "target", 3)).await;
    ann.done(command("redact", "target", 5)).await;
    ann.done(command("redact", "target", 5)).await;
    ann.say("LUNCH", "so").await;
    // A stream that reads late may be told the tombstone instead of the text, never both.
    let told = bob.told_to("LUNCH", 8).await;
    assert_eq!(told[3..], ["6 redacted 3", "7 redacted 5", "8 Ann: so"]);
    let joined = server.client().await.join("LUNCH", "Cid").await;
    let history = &joined["history"];
    assert_eq!((&history[0]["text"], &history[0]["redacted"]), (&json!(""), &json!(true)));
    assert_eq!((&history[1]["text"], history[1].get("redacted")), (&json!("two"), None));
    assert_eq!((&history[2]["text"], &history[2]["redacted"]), (&json!(""), &json!(true)));
}

/// Everybody is told who kicked a member; the stream of who was kicked ends there.
pub async fn who_is_kicked_may_come_again<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let [mut ann, mut bob] = server.people("LUNCH", ["Ann", "Bob"]).await;
    ann.done(command("kick", "member", 2)).await;
    for client in [&mut ann, &mut bob] {
        let left = client.next().await;
        assert_eq!((&left["type"], &left["reason"]), (&json!("member_left"), &json!("kicked")));
        assert_eq!((&left["member"], &left["by"]), (&json!(2), &json!(1)));
    }
    ann.say("LUNCH", "not for Bob").await;
    assert_eq!(bob.code(json!({"type": "send", "room": "LUNCH", "text": "hey"})).await, "not_member");
    let joined = bob.join("LUNCH", "Bob").await;
    assert_eq!((&joined["seq"], &joined["you"]["member"]), (&json!(5), &json!(3)));
}

/// Who is banned is kept out for this incarnation of the room.
pub async fn who_is_banned_may_not<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let [mut ann, mut bob] = server.people("LUNCH", ["Ann", "Bob"]).await;
    ann.done(command("ban", "member", 2)).await;
    assert_eq!(bob.told().await.split_once(' ').map(|(_, what)| what.to_owned()), Some("-Bob banned".to_owned()));
    assert_eq!(bob.code(json!({"type": "join", "room": "LUNCH", "nick": "Robert"})).await, "banned");
    let trail = bob.cut().await;
    let mut bob = server.back(&trail).await;
    assert_eq!(bob.code(json!({"type": "join", "room": "LUNCH", "nick": "Robert"})).await, "banned");
    let mut cid = server.client().await;
    cid.join("LUNCH", "Bob").await;
}

/// Others are refused, and so is an owner who would put out themselves.
pub async fn only_the_owner_moderates<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let [mut ann, mut bob] = server.people("LUNCH", ["Ann", "Bob"]).await;
    let seq = ann.say("LUNCH", "mine").await;
    for refused in [
        command("topic", "topic", "Bob's"),
        command("kick", "member", 1),
        command("ban", "member", 1),
        command("redact", "target", seq),
    ] {
        assert_eq!(bob.code(refused).await, "forbidden");
    }
    let refused = ann.refused(command("kick", "member", 1)).await;
    assert_eq!((&refused["code"], &refused["field"]), (&json!("bad_field"), &json!("member")));
    ann.say("LUNCH", "so").await;
    assert_eq!(bob.told_to("LUNCH", 4).await, ["3 Ann: mine", "4 Ann: so"], "nothing has changed");
}
