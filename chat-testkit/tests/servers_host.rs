//! The host at a server that does not decide for a room: what it says and is shown there is the same as at the one that does.

mod support;

use chat_core::{Engine, HistoryAnchor, Key, RejectCode, RoomCode, Seq};
use support::servers::{Two, two_with};
use support::{code, founder, joined, newcomer, next_message, say};

/// Two servers whose host has a name, and what keeps them apart.
fn two() -> Two {
    two_with(|_| {}, |builder| builder.host_names(["Bot"]).expect("a valid name"))
}

async fn said(engine: &Engine, text: &str, key: &str) -> Result<(Seq, bool), RejectCode> {
    let key = Key::parse(key).expect("a key");
    let said = engine.room(&code()).say("Bot", text).with_key(key).await;
    said.map(|receipt| (receipt.seq, receipt.repeated)).map_err(|reject| reject.code)
}

#[tokio::test(start_paused = true)]
async fn what_the_host_says_at_any_server_is_told_at_all_and_once() {
    let two = two();
    let [owner, follower] = &two.engines;
    let mut ann = founder(owner).await;
    let mut bob = newcomer(follower, "Bob").await;
    joined(&mut bob).await;
    assert_eq!(said(follower, "one", "k1").await, Ok((Seq(3), false)));
    assert_eq!(said(owner, "one", "k1").await, Ok((Seq(3), true)));
    assert_eq!(said(owner, "two", "k2").await, Ok((Seq(4), false)));
    assert_eq!(said(follower, "two", "k2").await, Ok((Seq(4), true)));
    for session in [&mut ann, &mut bob] {
        assert_eq!(next_message(session).await, (Seq(3), "one".to_owned()));
        assert_eq!(next_message(session).await, (Seq(4), "two".to_owned()));
    }
    // The other one decides from now on, and knows what was said before.
    two.servers.give_all(&two.ends[1]);
    assert_eq!(said(owner, "one", "k1").await, Ok((Seq(3), true)));
    assert_eq!(said(follower, "three", "k3").await, Ok((Seq(5), false)));
}

#[tokio::test(start_paused = true)]
async fn the_host_is_shown_a_room_at_a_server_that_nobody_of_it_is_connected_to() {
    let two = two();
    let [owner, follower] = &two.engines;
    let ann = founder(owner).await;
    say(&ann, "one", "k1").await.expect("said");
    let elsewhere = follower.room(&code());
    let [here, there] = [owner.room(&code()).info().await, elsewhere.info().await];
    let there = there.expect("it is there");
    assert_eq!(here.expect("it is there"), there);
    assert_eq!((there.members, there.online, there.seq), (1, 1, Seq(2)));
    let members = elsewhere.members(None, None).await.expect("it is there");
    assert_eq!(members, owner.room(&code()).members(None, None).await.expect("it is there"));
    assert!(members.members[0].online && members.members[0].session.is_some());
    let history = elsewhere.history(HistoryAnchor::Newest, None).await.expect("it is there");
    assert_eq!(history.messages.iter().map(|message| message.text.as_str()).collect::<Vec<_>>(), ["one"]);
    let nowhere = follower.room(&RoomCode::parse("NOWHERE").expect("a room code")).info().await;
    assert_eq!(nowhere.map_err(|reject| reject.code), Err(RejectCode::RoomNotFound));
    drop(ann);
}
