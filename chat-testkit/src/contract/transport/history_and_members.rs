//! Looking back and around: histories and members, page by page, and counts where there are too many to name.

use std::time::Duration;

use chat_core::NewcomersSee;
use serde_json::{Value, json};

use super::frames::{list, number, text};
use super::{TestServer, TransportHarness};

/// Page after page gives every message once, as it was told; `more` ends with the first.
pub async fn history_is_paged_backwards_to_the_first_message<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let [mut ann, mut bob] = server.people("LUNCH", ["Ann", "Bob"]).await;
    for turn in 0..5 {
        ann.say("LUNCH", &format!("question {turn}")).await;
        ann.done(json!({"type": "topic", "room": "LUNCH", "topic": format!("answer {turn}")})).await;
        bob.say("LUNCH", &format!("answer {turn}")).await;
    }
    let told: Vec<Value> =
        ann.read_to("LUNCH", 17).await.into_iter().filter(|frame| frame["type"] == "message").collect();
    assert_eq!(told.len(), 10);
    let mut paged: Vec<Value> = Vec::new();
    let mut before = json!(null);
    loop {
        let page = bob.done(json!({"type": "history", "room": "LUNCH", "before": before, "limit": 3})).await;
        assert_eq!((&page["type"], &page["room"]), (&json!("history"), &json!("LUNCH")));
        let messages = list(&page, "messages");
        assert!((1..=3).contains(&messages.len()), "{page}");
        paged.splice(0..0, messages.iter().cloned());
        before = messages[0]["seq"].clone();
        if page["more"] == false {
            break;
        }
    }
    assert_eq!(paged, told);
    let none = bob.done(json!({"type": "history", "room": "LUNCH", "before": before, "limit": 3})).await;
    assert_eq!((&none["messages"], &none["more"]), (&json!([]), &json!(false)));
    let newest = bob.done(json!({"type": "history", "room": "LUNCH"})).await;
    assert_eq!((list(&newest, "messages"), &newest["more"]), (&told[..], &json!(false)));
}

/// What was said before a newcomer came is theirs to see as far as the server says: not by any question, and not by any position.
pub async fn nobody_learns_of_messages_before_their_floor<D: TransportHarness>() {
    let server = TestServer::<D>::with(|limits| limits.room.newcomers_see = NewcomersSee::Last(1)).await;
    let [mut ann] = server.people("LUNCH", ["Ann"]).await;
    ann.say("LUNCH", "hidden").await;
    ann.say("LUNCH", "the last").await;
    let mut bob = server.client().await;
    let joined = bob.join("LUNCH", "Bob").await;
    let shown = list(&joined, "history");
    assert_eq!((shown.len(), &shown[0]["text"], &joined["more"]), (1, &json!("the last"), &json!(false)));
    assert_eq!(joined["sees"], 2, "what somebody holds from before is to be forgotten up to here");
    for (before, shown) in [(json!(null), 1), (json!(4), 1), (json!(3), 0), (json!(2), 0), (json!(0), 0)] {
        let page = bob.done(json!({"type": "history", "room": "LUNCH", "before": before})).await;
        assert_eq!((list(&page, "messages").len(), &page["more"]), (shown, &json!(false)), "before {before}");
    }
    assert_eq!(bob.code(json!({"type": "redact", "room": "LUNCH", "target": 2})).await, "message_not_found");
    assert_eq!(bob.code(json!({"type": "redact", "room": "LUNCH", "target": 3})).await, "forbidden");
    for forged in [0, 1, 2] {
        let mut again = server.back(&bob.trail().at("LUNCH", forged)).await;
        let joined = again.find("joined").await;
        assert!(!joined.to_string().contains("hidden") && joined["more"] == false, "position {forged}: {joined}");
    }
}

/// Of nothing, that is: whether there is a message before, or a member after.
pub async fn who_asks_for_nothing_is_told_whether_there_is_something<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let [mut ann, _bob] = server.people("LUNCH", ["Ann", "Bob"]).await;
    ann.say("LUNCH", "hi").await;
    for (command, more) in [
        (json!({"type": "members", "room": "LUNCH", "limit": 0}), true),
        (json!({"type": "members", "room": "LUNCH", "limit": 0, "after": 1}), true),
        (json!({"type": "members", "room": "LUNCH", "limit": 0, "after": 2}), false),
        (json!({"type": "history", "room": "LUNCH", "limit": 0}), true),
        (json!({"type": "history", "room": "LUNCH", "limit": 0, "before": 4}), true),
        (json!({"type": "history", "room": "LUNCH", "limit": 0, "before": 3}), false),
    ] {
        let page = ann.done(command.clone()).await;
        let shown = page.get("members").or(page.get("messages"));
        assert_eq!((shown, &page["more"]), (Some(&json!([])), &json!(more)), "{command}");
    }
}

/// A joiner is shown the first page, with itself in front; the total says that there are more.
pub async fn members_are_paged_by_number<D: TransportHarness>() {
    let server = TestServer::<D>::with(|limits| limits.room.members_page_max = 3).await;
    let _others = server.people("LUNCH", ["Ann", "Bob", "Cid", "Dan"]).await;
    let mut eve = server.client().await;
    let joined = eve.join("LUNCH", "Eve").await;
    let shown: Vec<u64> = list(&joined, "members").iter().map(|member| number(member, "member")).collect();
    assert_eq!((shown, number(&joined, "members_total")), (vec![5, 1, 2], 5));
    let (mut nicks, mut after) = (Vec::new(), json!(null));
    for (count, more) in [(3, true), (2, false)] {
        let page = eve.done(json!({"type": "members", "room": "LUNCH", "after": after, "limit": 100})).await;
        assert_eq!((list(&page, "members").len(), &page["more"]), (count, &json!(more)), "{page}");
        assert_eq!(number(&page, "members_total"), 5);
        nicks.extend(list(&page, "members").iter().map(|member| text(member, "nick")));
        after = list(&page, "members")[count - 1]["member"].clone();
    }
    assert_eq!(nicks, ["Ann", "Bob", "Cid", "Dan", "Eve"]);
}

/// In a room above the bound joins and leaves are told as counts; messages are told one by one.
pub async fn a_big_room_is_counted_not_told<D: TransportHarness>() {
    let server = TestServer::<D>::with(|limits| {
        limits.room.notices_members_max = 2;
        limits.room.presence_interval = Duration::from_millis(20);
    })
    .await;
    let [mut ann, _bob] = server.people("LUNCH", ["Ann", "Bob"]).await;
    let (mut cid, mut dan) = (server.client().await, server.client().await);
    cid.join("LUNCH", "Cid").await;
    assert_eq!(ann.find("notices_changed").await["notices"], "counted");
    assert_eq!(dan.join("LUNCH", "Dan").await["notices"], "counted");
    while number(&ann.find("presence").await, "members") != 4 {}
    let members = ann.done(json!({"type": "members", "room": "LUNCH"})).await;
    let nicks: Vec<_> = list(&members, "members").iter().map(|member| text(member, "nick")).collect();
    assert_eq!(nicks, ["Ann", "Bob", "Cid", "Dan"]);
    cid.done(json!({"type": "leave", "room": "LUNCH"})).await;
    dan.say("LUNCH", "crowded").await;
    let told = ann.told().await;
    assert!(told.ends_with(" Dan: crowded"), "{told}");
}
