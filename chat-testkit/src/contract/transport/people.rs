//! What people are shown as: how they come in, how they change it, and what the embedder says.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chat_core::{
    Admission, ConnectRequest, Identity, MemberChange, MemberId, Moderation, Nick, PersonData, Policy, Reject, RoomCode,
};
use serde_json::{Value, json};

use super::frames::{list, number, text};
use super::{TestServer, TransportHarness, summary};

fn me(change: Value) -> Value {
    let mut command = json!({"type": "me", "room": "LUNCH"});
    let fields = change.as_object().expect("what is changed").clone();
    command.as_object_mut().expect("a command").extend(fields);
    command
}

/// Name and data of each member, in the order of their numbers.
fn shown(members: &Value) -> Vec<(String, Value)> {
    let mut members = list(members, "members").to_vec();
    members.sort_by_key(|entry| entry["member"].as_u64());
    members.iter().map(|entry| (text(entry, "nick"), entry["data"].clone())).collect()
}

fn nick(text: &str) -> Nick {
    Nick::parse(text).expect("a nick")
}

/// Without a wait between two changes of one person.
fn at_once(limits: &mut chat_core::Limits) {
    limits.room.member_change_interval = Duration::ZERO;
}

/// Whoever shows something beside their name shows it in every list, and to everybody who was there before.
pub async fn people_are_shown_with_their_data<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let mut ann = server.client().await;
    let [of_ann, of_bob] =
        [json!({"id": "u1", "avatar": "https://a.example/1.png"}), json!({"tags": [{"a": null}, 1.5]})];
    let create = json!({"type": "create", "room": "LUNCH", "nick": "Ann", "data": of_ann});
    assert_eq!(ann.enter(create).await["you"]["data"], of_ann);
    let mut bob = server.client().await;
    let joined = bob.enter(json!({"type": "join", "room": "LUNCH", "nick": "Bob", "data": of_bob})).await;
    let both = [("Ann".to_owned(), of_ann.clone()), ("Bob".to_owned(), of_bob.clone())];
    assert_eq!(shown(&joined), both);
    let told = ann.find("member_joined").await;
    assert_eq!((text(&told, "nick"), &told["data"]), ("Bob".to_owned(), &of_bob));
    server.client().await.join("LUNCH", "Cid").await;
    assert!(ann.find("member_joined").await.get("data").is_none(), "who shows nothing costs nothing");
    let members = ann.done(json!({"type": "members", "room": "LUNCH", "limit": 2})).await;
    assert_eq!(shown(&members), both);
}

/// A change is one event that says what is another; what was said before keeps its name, and lists show it as it is now.
pub async fn a_member_changes_name_and_data_in_one_event<D: TransportHarness>() {
    let server = TestServer::<D>::with(at_once).await;
    let [mut ann, mut bob] = server.people("LUNCH", ["Ann", "Bob"]).await;
    bob.say("LUNCH", "before").await;
    let ack = bob.done(me(json!({"nick": "Robert", "data": {"id": 1}}))).await;
    assert_eq!((&ack["type"], number(&ack, "seq")), (&json!("ack"), 4));
    bob.say("LUNCH", "after").await;
    bob.done(me(json!({"data": null}))).await;
    bob.done(me(json!({"nick": "Robert"}))).await;
    let told = ann.read_to("LUNCH", 6).await;
    assert_eq!(summary(&told[1]), "4 2 is Robert {\"id\":1}");
    assert_eq!(told[1].get("by"), None);
    assert_eq!([summary(&told[0]), summary(&told[2])], ["3 Bob: before", "5 Robert: after"]);
    assert_eq!((told[3].get("nick"), told[3].get("data")), (None, Some(&Value::Null)), "{}", told[3]);
    assert_eq!(bob.done(me(json!({}))).await["seq"], 6, "nothing has changed since");
    let joined = server.client().await.join("LUNCH", "Cid").await;
    let names: Vec<String> = list(&joined, "history").iter().map(|message| text(message, "nick")).collect();
    assert_eq!(names, ["Bob", "Robert"]);
    assert_eq!(shown(&joined)[1], ("Robert".to_owned(), Value::Null));
}

/// Once in so long, and who is too early is told when; what changes nothing is answered all the same.
pub async fn a_member_changes_seldom<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let [mut ann, mut bob] = server.people("LUNCH", ["Ann", "Bob"]).await;
    bob.done(me(json!({"nick": "Rob"}))).await;
    let early = bob.refused(me(json!({"nick": "Bob"}))).await;
    assert_eq!(early["code"], "rate_limited");
    assert!((1..=10_000).contains(&number(&early, "retry_after_ms")), "{early}");
    bob.done(me(json!({"nick": "Rob"}))).await;
    ann.done(me(json!({"data": {}}))).await;
    assert_eq!(ann.told_to("LUNCH", 4).await, ["3 2 is Rob", "4 1 is {}"]);
}

/// A name that looks like another's is taken, one's own is not, and the one before is free.
pub async fn a_name_is_taken_and_given_back<D: TransportHarness>() {
    let server = TestServer::<D>::with(at_once).await;
    let [mut ann, mut bob] = server.people("LUNCH", ["Bill", "Bob"]).await;
    let taken = bob.refused(me(json!({"nick": "BiIl"}))).await;
    assert_eq!((text(&taken, "code"), text(&taken, "field")), ("nick_taken".to_owned(), "nick".to_owned()));
    ann.done(me(json!({"nick": "BILL"}))).await;
    ann.done(me(json!({"nick": "Ann"}))).await;
    bob.done(me(json!({"nick": "BiIl"}))).await;
    assert_eq!(
        server.client().await.code(json!({"type": "join", "room": "LUNCH", "nick": "Bill"})).await,
        "nick_taken"
    );
    server.client().await.join("LUNCH", "Bob").await;
}

/// What is no object, or too much, is refused by name, wherever it is said.
pub async fn data_that_nobody_may_show_are_refused_by_name<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let [mut ann] = server.people("LUNCH", ["Ann"]).await;
    for data in [json!(1), json!("{}"), json!([])] {
        for command in [
            me(json!({"data": data})),
            json!({"type": "create", "nick": "Ann", "data": data}),
            json!({"type": "join", "room": "TEA", "nick": "Ann", "data": data}),
        ] {
            let error = ann.refused(command.clone()).await;
            assert_eq!((&error["code"], &error["field"]), (&json!("bad_field"), &json!("data")), "{command}");
        }
    }
    let deep = (0..9).fold(json!(1), |inside, _| json!({"a": inside}));
    let error = ann.refused(me(json!({"data": deep}))).await;
    let told = (&error["code"], &error["field"], &error["limit"]);
    assert_eq!(told, (&json!("too_long"), &json!("data"), &json!(8)));
    let error = ann.refused(me(json!({"data": {"a": "x".repeat(249)}}))).await;
    let told = (&error["code"], &error["field"], &error["limit"]);
    assert_eq!(told, (&json!("too_long"), &json!("data"), &json!(256)));
    ann.done(me(json!({"data": {"a": "x".repeat(248)}}))).await;
    assert_eq!(ann.refused(me(json!({"nick": "\u{2800}"}))).await["field"], "nick");
    assert_eq!(server.client().await.code(me(json!({"nick": "Eve"}))).await, "not_member");
}

/// Who was away for a moment is told of the change; who was away for longer is shown its outcome.
pub async fn who_was_away_sees_the_name_of_now<D: TransportHarness>() {
    let server = TestServer::<D>::with(|limits| limits.room.backlog_events_max = 16).await;
    let [mut ann, bob, cid] = server.people("LUNCH", ["Ann", "Bob", "Cid"]).await;
    let (bob, cid) = (bob.cut().await, cid.cut().await);
    ann.done(me(json!({"nick": "Anna", "data": {"id": 1}}))).await;
    let mut bob = server.back(&bob).await;
    assert_eq!(bob.told().await, "4 1 is Anna {\"id\":1}");
    ann.talk_on("LUNCH", 40).await;
    let gap = server.back(&cid).await.find("gap").await;
    assert_eq!(shown(&gap)[0], ("Anna".to_owned(), json!({"id": 1})));
}

/// In a big room a leave is told to who has left alone: under the name they had last.
pub async fn who_leaves_a_big_room_does_so_under_their_last_name<D: TransportHarness>() {
    let server = TestServer::<D>::with(|limits| limits.room.notices_members_max = 0).await;
    let (mut ann, mut bob) = (server.client().await, server.client().await);
    ann.create("LUNCH", "Ann").await;
    bob.join("LUNCH", "Bob").await;
    bob.done(me(json!({"nick": "Rob"}))).await;
    assert_eq!(ann.find("member_changed").await["nick"], "Rob", "that is told in every room");
    bob.done(json!({"type": "leave", "room": "LUNCH"})).await;
    assert_eq!(summary(&bob.find("member_left").await), "-Rob left");
}

/// The host changes anybody, at any time, and asks no policy.
pub async fn the_host_says_what_a_member_is_shown_as<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let [mut ann, mut bob] = server.people("LUNCH", ["Ann", "Bob"]).await;
    let code = RoomCode::parse("LUNCH").expect("a code");
    let data = PersonData::parse("{\"id\":7}").expect("an object");
    for change in [MemberChange::new().nick(nick("Guest")), MemberChange::new().nick(nick("Ann")).data(data)] {
        let moderation = Moderation::ChangeMember(MemberId(2), change);
        server.engine.moderate(&code, moderation).await.expect("Bob is there");
    }
    assert_eq!(ann.told_to("LUNCH", 4).await, ["3 2 is Guest", "4 2 is Ann {\"id\":7}"]);
    bob.done(me(json!({"nick": "Bob"}))).await;
    let nobody = Moderation::ChangeMember(MemberId(9), MemberChange::new().data(None));
    let refused = server.engine.moderate(&code, nobody).await.expect_err("nobody has this number");
    assert_eq!(refused.code, chat_core::RejectCode::MemberNotFound);
}

/// Whoever connects next is admitted as the next of these, under this name.
struct Names(Mutex<VecDeque<(&'static str, &'static str)>>);

#[async_trait]
impl Policy for Names {
    async fn admit(&self, _request: &ConnectRequest) -> Result<Admission, Reject> {
        let (identity, name) = self.0.lock().expect("nobody panics with it").pop_front().expect("one for each");
        Ok(Admission::of(Identity::new(identity)).with_nick(nick(name)))
    }
}

/// Where the policy gives names it gives them as it likes; what it says when somebody comes back is told.
pub async fn what_the_policy_calls_somebody_stands<D: TransportHarness>() {
    let people = [("ann", "Kim"), ("bob", "Kim"), ("bob", "Lee")];
    let policy = Arc::new(Names(Mutex::new(people.into_iter().collect())));
    let server = TestServer::<D>::build(at_once, |builder| builder.policy(policy)).await;
    let (mut ann, mut bob) = (server.client().await, server.client().await);
    assert_eq!(ann.create("LUNCH", "Ann").await["you"]["nick"], "Kim");
    assert_eq!(bob.join("LUNCH", "Bob").await["you"]["nick"], "Kim");
    bob.done(me(json!({"nick": "Bob"}))).await;
    bob.done(me(json!({"nick": "Bob", "data": {"id": 2}}))).await;
    let trail = bob.cut().await;
    let mut bob = server.back(&trail).await;
    assert_eq!(ann.told_to("LUNCH", 4).await, ["2 +Kim", "3 2 is {\"id\":2}", "4 2 is Lee"]);
    assert_eq!(bob.read_to("LUNCH", 4).await.last().map(summary), Some("4 2 is Lee".to_owned()));
}
