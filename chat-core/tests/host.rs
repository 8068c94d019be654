//! The host in a room: it speaks without being there, looks, and is shown what only it may see.
#![cfg(feature = "engine")]

mod support;

use std::sync::Arc;

use chat_core::{
    Command, Data, Engine, HistoryAnchor, MemberId, Notices, RejectCode, Role, Seq, ServerFrame, SettingsChange, Topic,
};
use support::*;

fn engine_of_bot() -> Engine {
    Engine::builder().host_names(["Bot", "Desk"]).expect("valid names").build()
}

#[tokio::test(start_paused = true)]
async fn what_the_host_says_is_told_as_nobodys_and_shown_to_who_comes_later() {
    let engine = engine_of_bot();
    let mut ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let lunch = engine.room(&code("LUNCH"));
    let data = Data::parse("{\"kind\":\"weather\"}", 100).expect("valid data");
    let receipt = lunch.say("bot", "It rains.").with_data(data).with_reply_to(Seq(1)).await.expect("said");
    assert_eq!((receipt.seq, receipt.repeated), (Seq(2), false));
    let message = loop {
        if let ServerFrame::Message(message) = ann.session.next().await {
            break message;
        }
    };
    assert!(message.host && message.member.is_none() && message.color.is_none() && message.key.is_none());
    assert_eq!((message.nick.as_str(), message.text.as_str(), message.reply_to), ("Bot", "It rains.", Some(Seq(1))));
    assert_eq!(message.at, receipt.at);
    let joined = Client::new(&engine).await.enter("LUNCH", "Bob").await;
    assert_eq!(joined.members_total, 2, "the host is no member");
    let shown = joined.history[0].frame();
    assert!(shown.host && shown.member.is_none());
    assert_eq!(*shown, message);
}

#[tokio::test(start_paused = true)]
async fn a_key_makes_it_once_and_is_told_to_nobody() {
    let engine = engine_of_bot();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let lunch = engine.room(&code("LUNCH"));
    for repeated in [false, true, true] {
        let receipt = lunch.say("Bot", "once").with_key(key("feed:7")).await.expect("said");
        assert_eq!((receipt.seq, receipt.repeated), (Seq(2), repeated));
    }
    let conflict = lunch.say("Bot", "twice").with_key(key("feed:7")).await.map_err(|reject| reject.code);
    assert_eq!(conflict, Err(RejectCode::KeyConflict));
    assert_eq!(ann.told().await, ["2 Bot: once"]);
}

#[tokio::test(start_paused = true)]
async fn the_host_speaks_under_its_own_names_alone_and_nobody_else_under_them() {
    let engine = engine_of_bot();
    let _ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let lunch = engine.room(&code("LUNCH"));
    for (name, text, code, field) in [
        ("Ann", "hi", RejectCode::BadField, "name"),
        ("", "hi", RejectCode::BadField, "name"),
        ("Bot", "", RejectCode::BadField, "text"),
    ] {
        let reject = lunch.say(name, text).await.expect_err("refused");
        assert_eq!((reject.code, reject.field), (code, Some(field)));
    }
    let bob = Client::new(&engine).await;
    for command in [join("LUNCH", "B\u{43E}t"), create("OTHER", "desk")] {
        assert_eq!(bob.refused(command).await.code.as_str(), "nick_taken");
    }
    let none = engine.room(&code("NOWHERE")).say("Bot", "hi").await.expect_err("refused");
    assert_eq!(none.code, RejectCode::RoomNotFound);
}

#[tokio::test(start_paused = true)]
async fn the_host_is_bound_by_no_rate_and_no_setting() {
    let engine = engine_of_bot();
    let _ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let lunch = engine.room(&code("LUNCH"));
    lunch.settings(SettingsChange::new().read_only(true).slow_ms(60_000)).await.expect("set");
    for n in 0..200 {
        assert_eq!(lunch.say("Bot", format!("line {n}")).await.map(|receipt| receipt.seq), Ok(Seq(3 + n)));
    }
}

#[tokio::test(start_paused = true)]
async fn the_host_sees_a_room_and_its_members_and_all_that_was_said() {
    let engine = Engine::builder().host_names(["Bot"]).expect("a valid name").policy(Arc::new(ByCredentials)).build();
    let ann = Client::of(&engine, "ann").await;
    ann.enter("LUNCH", "Ann").await;
    let bob = Client::in_room(&engine, "LUNCH", "Bob").await;
    let lunch = engine.room(&code("LUNCH"));
    lunch.topic(Topic::parse("Food").expect("valid")).await.expect("set");
    lunch.settings(SettingsChange::new().listed(true)).await.expect("set");
    lunch.role(MemberId(2), Role::Moderator).await.expect("set");
    ann.say("LUNCH", "one").await;
    let seq = lunch.say("Bot", "two").await.expect("said").seq;
    drop(bob);
    settle().await;

    let info = lunch.info().await.expect("it is there");
    assert_eq!((info.topic.as_str(), info.settings.listed, info.notices), ("Food", true, Notices::Told));
    assert_eq!((info.members, info.online, info.seq, info.is_protected), (2, 1, seq, false));

    let page = lunch.members(None, Some(1)).await.expect("it is there");
    let shown = |page: &chat_core::MembersPage| -> Vec<_> {
        let who = |one: &chat_core::RoomMember| one.identity.as_ref().map(|identity| identity.as_str().to_owned());
        page.members.iter().map(|one| (one.member.0, one.nick.as_str().to_owned(), who(one), one.online)).collect()
    };
    assert_eq!(shown(&page), [(1, "Ann".to_owned(), Some("ann".to_owned()), true)]);
    assert_eq!((page.total, page.more), (2, true));
    let rest = lunch.members(Some(MemberId(1)), None).await.expect("it is there");
    assert_eq!(shown(&rest), [(2, "Bob".to_owned(), None, false)]);
    assert!(!rest.more && rest.members[0].session.is_some() && rest.members[0].role == Role::Moderator);

    let page = lunch.history(HistoryAnchor::Newest, Some(1)).await.expect("it is there");
    assert_eq!(page.messages.iter().map(|one| one.text.as_str()).collect::<Vec<_>>(), ["two"]);
    assert_eq!((page.epoch, page.more_before, page.more_after), (info.epoch, true, false));
    let before = lunch.history(HistoryAnchor::Before(seq), None).await.expect("it is there");
    assert_eq!(before.messages.iter().map(|one| one.text.as_str()).collect::<Vec<_>>(), ["one"]);

    let nowhere = engine.room(&code("NOWHERE"));
    assert_eq!(nowhere.info().await.map_err(|reject| reject.code), Err(RejectCode::RoomNotFound));
    assert_eq!(nowhere.members(None, None).await.map_err(|reject| reject.code), Err(RejectCode::RoomNotFound));
}

#[tokio::test(start_paused = true)]
async fn who_moderates_takes_back_what_the_host_said_and_so_does_the_host() {
    let engine = engine_of_bot();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let bob = Client::in_room(&engine, "LUNCH", "Bob").await;
    let lunch = engine.room(&code("LUNCH"));
    let first = lunch.say("Bot", "one").await.expect("said").seq;
    let second = lunch.say("Bot", "two").await.expect("said").seq;
    let redact = |seq| Command::redact(code("LUNCH"), seq);
    assert_eq!(bob.refused(redact(first)).await.code.as_str(), "forbidden");
    ann.session.call(redact(first)).await.expect("taken back");
    lunch.redact(second).await.expect("taken back");
    assert_eq!(bob.refused(Command::edit(code("LUNCH"), second, body("three"))).await.code.as_str(), "forbidden");
    let page = lunch.history(HistoryAnchor::Newest, None).await.expect("it is there");
    assert!(page.messages.iter().all(|one| one.redacted && one.host && one.text.is_empty()), "{page:?}");
    assert_eq!(page.messages.len(), 2);
}
