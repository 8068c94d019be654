//! Reactions: told as they are made, counted in what is shown later, and gone with their message.

use std::sync::Arc;

use serde_json::{Value, json};

use super::frames::{list, number, text};
use super::{TestServer, TransportHarness};
use crate::logs::MemoryLog;

fn react(target: u64, name: &str, on: bool) -> Value {
    json!({"type": "react", "room": "LUNCH", "target": target, "name": name, "on": on})
}

/// Names, counts and numbers of the message with this number, in a history.
fn reactions(page: &Value, seq: u64) -> Value {
    let messages = page.get("messages").or(page.get("history")).and_then(Value::as_array).expect("it shows messages");
    let message = messages.iter().find(|message| number(message, "seq") == seq);
    message.and_then(|message| message.get("reactions")).cloned().unwrap_or(Value::Null)
}

/// Everybody is told who reacts with what and how many do; whoever asks, or comes later, is shown the same beside the message.
pub async fn a_reaction_is_told_and_shown_with_its_message<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let [mut ann, mut bob] = server.people("LUNCH", ["Ann", "Bob"]).await;
    let said = ann.say("LUNCH", "Pizza?").await;
    assert_eq!(bob.done(react(said, "\u{1F44D}", true)).await["seq"], 4);
    ann.done(react(said, "\u{1F44D}", true)).await;
    bob.done(react(said, "+1", true)).await;
    bob.done(react(said, "+1", false)).await;
    let told = ann.read_to("LUNCH", 7).await;
    let told: Vec<&Value> = told.iter().filter(|frame| frame["type"] == "reacted").collect();
    let words = |frame: &&Value| {
        (number(frame, "target"), text(frame, "name"), number(frame, "by"), frame["on"] == true, number(frame, "count"))
    };
    let expected = [
        (said, "\u{1F44D}".to_owned(), 2, true, 1),
        (said, "\u{1F44D}".to_owned(), 1, true, 2),
        (said, "+1".to_owned(), 2, true, 1),
        (said, "+1".to_owned(), 2, false, 0),
    ];
    assert_eq!(told.iter().map(words).collect::<Vec<_>>(), expected);
    let shown = json!([{"name": "\u{1F44D}", "count": 2, "by": [2, 1]}]);
    assert_eq!(reactions(&bob.done(json!({"type": "history", "room": "LUNCH"})).await, said), shown);
    let changes = bob.done(json!({"type": "changes", "room": "LUNCH", "after": 3})).await;
    assert_eq!((reactions(&changes, said), &changes["through"]), (shown.clone(), &json!(7)));
    let joined = server.client().await.join("LUNCH", "Cid").await;
    assert_eq!((reactions(&joined, said), number(&joined, "changed_at")), (shown, 7));
}

/// A reaction that is there already, and one that is taken back and is not there, are answered with the last event; a retry under its key with
/// the first answer.
pub async fn a_reaction_that_changes_nothing_is_answered_and_not_told<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let [mut ann, mut bob] = server.people("LUNCH", ["Ann", "Bob"]).await;
    let said = ann.say("LUNCH", "Pizza?").await;
    let mut keyed = react(said, "+1", true);
    keyed["key"] = json!("k");
    assert_eq!(bob.done(keyed.clone()).await["seq"], 4);
    assert_eq!(bob.done(react(said, "+1", true)).await["seq"], 4);
    assert_eq!(bob.done(react(said, "-1", false)).await["seq"], 4);
    let last = ann.say("LUNCH", "So?").await;
    assert_eq!(bob.done(keyed).await["seq"], 4, "the first answer");
    let mut other = react(said, "-1", true);
    other["key"] = json!("k");
    assert_eq!(bob.code(other).await, "key_conflict");
    let told = ann.read_to("LUNCH", last).await;
    assert_eq!(told.iter().filter(|frame| frame["type"] == "reacted").count(), 1);
}

/// What is wrong is named: the field, and the bound where one was passed.
pub async fn a_reaction_that_cannot_be_is_refused_by_name<D: TransportHarness>() {
    let server = TestServer::<D>::with(|limits| {
        limits.room.reactable_max = 2;
        limits.room.reactions_per_person_max = 1;
        limits.room.newcomers_see = chat_core::NewcomersSee::Nothing;
    })
    .await;
    let [mut ann, mut bob] = server.people("LUNCH", ["Ann", "Bob"]).await;
    let [first, second] = [ann.say("LUNCH", "one").await, ann.say("LUNCH", "two").await];
    let long = bob.refused(react(second, &"x".repeat(33), true)).await;
    assert_eq!((&long["code"], &long["field"], &long["limit"]), (&json!("too_long"), &json!("name"), &json!(32)));
    for (name, on) in [("", true), ("a\nb", false)] {
        let wrong = bob.refused(react(second, name, on)).await;
        assert_eq!((&wrong["code"], &wrong["field"]), (&json!("bad_field"), &json!("name")), "{wrong}");
    }
    let mut unsaid = react(second, "+1", true);
    unsaid.as_object_mut().expect("a command").remove("on");
    assert_eq!(bob.refused(unsaid).await["field"], "on");
    assert_eq!(bob.code(react(1, "+1", true)).await, "message_not_found", "a join");
    bob.done(react(second, "+1", true)).await;
    let full = bob.refused(react(second, "-1", true)).await;
    assert_eq!((&full["code"], &full["limit"]), (&json!("reactions_full"), &json!(1)));
    ann.say("LUNCH", "three").await;
    let late = ann.refused(react(first, "+1", true)).await;
    assert_eq!((&late["code"], &late["limit"]), (&json!("too_late"), &json!(2)));
    let mut cid = server.client().await;
    assert_eq!(cid.code(react(second, "+1", true)).await, "not_member");
    cid.join("LUNCH", "Cid").await;
    assert_eq!(cid.code(react(second, "+1", true)).await, "message_not_found", "before his floor");
}

/// With the message goes what it was reacted to with; and with all that somebody said, what they have reacted with.
pub async fn reactions_go_with_what_is_taken_back<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let [mut ann, mut bob] = server.people("LUNCH", ["Ann", "Bob"]).await;
    let [of_ann, of_bob] = [ann.say("LUNCH", "Ann's").await, bob.say("LUNCH", "Bob's").await];
    for target in [of_ann, of_bob] {
        ann.done(react(target, "+1", true)).await;
        bob.done(react(target, "+1", true)).await;
    }
    ann.done(json!({"type": "redact_all", "room": "LUNCH", "member": 2})).await;
    let told = ann.told_to("LUNCH", 10).await;
    assert_eq!(told[told.len() - 2..], ["9 swept 2 1-8", "10 3 +1 no more by 2 of 1"]);
    let page = ann.done(json!({"type": "history", "room": "LUNCH"})).await;
    assert_eq!(reactions(&page, of_ann), json!([{"name": "+1", "count": 1, "by": [1]}]));
    assert_eq!(reactions(&page, of_bob), Value::Null);
    assert_eq!(ann.code(react(of_bob, "+1", true)).await, "message_not_found");
    ann.redact("LUNCH", of_ann).await;
    let page = ann.done(json!({"type": "history", "room": "LUNCH"})).await;
    assert_eq!(reactions(&page, of_ann), Value::Null);
    assert_eq!(list(&page, "messages").len(), 2);
}

/// A message that takes no more keeps what it has: in what is at hand, in what only the log has, and after a restart.
pub async fn a_message_that_takes_no_more_reactions_keeps_those_it_has<D: TransportHarness>() {
    for log in [None, Some(Arc::new(MemoryLog::new()))] {
        let change = |limits: &mut chat_core::Limits| limits.room.reactable_max = 2;
        let with = log.clone();
        let server = TestServer::<D>::build(change, move |builder| match with {
            Some(log) => builder.log(log).expect("nobody else has it"),
            None => builder,
        });
        let server = server.await;
        let [mut ann, mut bob] = server.people("LUNCH", ["Ann", "Bob"]).await;
        let said = ann.say("LUNCH", "Pizza?").await;
        bob.done(react(said, "+1", true)).await;
        for turn in 0..4 {
            ann.say("LUNCH", &turn.to_string()).await;
        }
        assert_eq!(bob.code(react(said, "+1", false)).await, "too_late");
        let shown = json!([{"name": "+1", "count": 1, "by": [2]}]);
        let page = bob.done(json!({"type": "history", "room": "LUNCH"})).await;
        assert_eq!(reactions(&page, said), shown);
        let joined = server.client().await.join("LUNCH", "Cid").await;
        assert_eq!(reactions(&joined, said), shown);
    }
}
