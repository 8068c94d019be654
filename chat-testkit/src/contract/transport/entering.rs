//! Making a room and coming in: what the newcomer is shown, and what the others are told.

use serde_json::json;

use super::frames::{list, number, text};
use super::{TestServer, TransportHarness, summary};

/// The creator sees a drawn code, an incarnation that begins with their own joining, and themselves as the owner.
pub async fn a_created_room_is_shown_to_its_owner<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let mut ann = server.client().await;
    let joined = ann.enter(json!({"type": "create", "nick": "Ann"})).await;
    let code = text(&joined, "room");
    assert!(code.len() == 8 && code.bytes().all(|byte| byte.is_ascii_uppercase()), "{code}");
    assert_eq!(text(&joined, "epoch").len(), 13);
    assert_eq!(joined["you"]["nick"], "Ann");
    assert_eq!(joined["you"]["role"], "owner");
    assert_eq!(joined["you"]["online"], true);
    assert_eq!(joined["members"], json!([joined["you"]]));
    assert_eq!((number(&joined, "seq"), number(&joined, "members_total")), (1, 1));
    assert_eq!((&joined["history"], &joined["more"]), (&json!([]), &json!(false)));
    assert_eq!((&joined["topic"], &joined["notices"]), (&json!(""), &json!("told")));
    assert_eq!(ann.say(&code, "hi").await, 2);
    assert_eq!(ann.told().await, "2 Ann: hi", "one's own joining is in the joined, and not told again");
}

/// `my-room` is `MY-ROOM`, for whoever makes it and whoever joins it.
pub async fn a_chosen_name_is_compared_without_case<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let (mut ann, mut bob) = (server.client().await, server.client().await);
    let made = ann.create("my-Room-1", "Ann").await;
    let joined = bob.join("MY-room-1", "Bob").await;
    assert_eq!((&made["room"], &joined["room"]), (&json!("MY-ROOM-1"), &json!("MY-ROOM-1")));
    assert_eq!(made["epoch"], joined["epoch"]);
}

/// Of the Unicode of today, with what an emoji and a script need; spaces and compatibility forms become the usual ones.
pub async fn a_nick_is_shown_as_its_profile_says<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let mut ann = server.client().await;
    ann.create("LUNCH", "Ann\u{1F642}").await;
    for (typed, shown) in [
        ("\u{1F92F} Bob", "\u{1F92F} Bob"),
        ("\u{20BD}", "\u{20BD}"),
        ("\u{1F469}\u{1F3FD}\u{200D}\u{1F680}", "\u{1F469}\u{1F3FD}\u{200D}\u{1F680}"),
        (
            "\u{645}\u{6CC}\u{200C}\u{62E}\u{648}\u{627}\u{647}\u{645}",
            "\u{645}\u{6CC}\u{200C}\u{62E}\u{648}\u{627}\u{647}\u{645}",
        ),
        ("\u{FF23}id\u{3000} \u{FF44}", "Cid d"),
    ] {
        let mut client = server.client().await;
        let joined = client.join("LUNCH", typed).await;
        assert_eq!(text(&joined["you"], "nick"), shown, "{typed}");
        assert_eq!(text(&ann.next().await, "nick"), shown, "{typed}");
    }
}

/// A history holds the frames of messages as they were told, and nothing else.
pub async fn a_joiner_is_shown_messages_and_no_joins<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let [mut ann, mut bob] = server.people("LUNCH", ["Ann", "Bob"]).await;
    ann.say("LUNCH", "one").await;
    ann.done(json!({"type": "topic", "room": "LUNCH", "topic": "Lunch"})).await;
    bob.say("LUNCH", "two").await;
    let told = ann.read_to("LUNCH", 5).await;
    let mut cid = server.client().await;
    let joined = cid.join("LUNCH", "Cid").await;
    assert_eq!(joined["history"], json!([told[0], told[2]]));
    assert_eq!((number(&joined, "seq"), &joined["more"], &joined["topic"]), (6, &json!(false), &json!("Lunch")));
    let nicks: Vec<_> = list(&joined, "members").iter().map(|member| text(member, "nick")).collect();
    assert_eq!(nicks, ["Cid", "Ann", "Bob"], "oneself first, then by number");
    ann.say("LUNCH", "three").await;
    assert_eq!(cid.told().await, "7 Ann: three", "the stream goes on right after the joined");
}

/// `history` counts messages; `more` says whether there are earlier ones.
pub async fn a_joiner_is_shown_as_much_history_as_it_asks_for<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let [mut ann] = server.people("LUNCH", ["Ann"]).await;
    for text in ["one", "two", "three"] {
        ann.say("LUNCH", text).await;
    }
    for (nick, asked, shown, more) in [
        ("Bob", json!(2), vec!["3 Ann: two", "4 Ann: three"], true),
        ("Cid", json!(0), vec![], true),
        ("Dan", json!(3), vec!["2 Ann: one", "3 Ann: two", "4 Ann: three"], false),
        ("Eve", json!(null), vec!["2 Ann: one", "3 Ann: two", "4 Ann: three"], false),
    ] {
        let mut client = server.client().await;
        let joined = client.enter(json!({"type": "join", "room": "LUNCH", "nick": nick, "history": asked})).await;
        let history: Vec<_> = list(&joined, "history").iter().map(summary).collect();
        assert_eq!((history, &joined["more"]), (shown.iter().map(|line| (*line).to_owned()).collect(), &json!(more)));
    }
}

/// The event has all that it takes to show a new member, with the colour that the joiner was given.
pub async fn everybody_else_is_told_of_a_joiner<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let [mut ann] = server.people("LUNCH", ["Ann"]).await;
    let mut bob = server.client().await;
    let joined = bob.join("LUNCH", "Bob").await;
    let told = ann.next().await;
    assert_eq!(summary(&told), "2 +Bob");
    for field in ["member", "nick", "color", "role"] {
        assert_eq!(told[field], joined["you"][field], "{field}");
    }
    assert_ne!(
        joined["you"]["color"], joined["members"][1]["color"],
        "colours are not given twice while some are free"
    );
}

/// Each room has its own numbers; commands go where they name.
pub async fn one_session_is_in_many_rooms<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let [mut ann] = server.people("LUNCH", ["Ann"]).await;
    ann.create("DINNER", "Anna").await;
    let mut bob = server.client().await;
    bob.join("DINNER", "Bob").await;
    bob.join("LUNCH", "Robert").await;
    for turn in 0..3 {
        bob.say("LUNCH", &format!("soup {turn}")).await;
        bob.say("DINNER", &format!("roast {turn}")).await;
    }
    let lunch = ann.told_to("LUNCH", 2).await;
    assert_eq!(lunch, ["2 +Robert"]);
    for client in [&mut ann, &mut bob] {
        for (room, line) in [("LUNCH", "soup"), ("DINNER", "roast")] {
            client.read_to(room, 5).await;
            assert_eq!(client.seq(room), 5, "{line}");
        }
    }
    ann.done(json!({"type": "leave", "room": "LUNCH"})).await;
    ann.say("DINNER", "still here").await;
    assert_eq!(bob.told_to("DINNER", 6).await, ["6 Anna: still here"]);
}

/// A client that knows no type but `ack` can follow a room: an event is a frame with `room`, `seq` and `at`, and moves the position by
/// one. What else has a `seq` on top sets a position (`joined`, `resumed`) or is an `ack`; other messages are a `target`.
pub async fn a_client_that_knows_no_types_follows_by_number<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let [mut ann, mut bob] = server.people("LUNCH", ["Ann", "Bob"]).await;
    let mut position = ann.seq("LUNCH");
    let said = bob.say("LUNCH", "one").await;
    ann.done(json!({"type": "topic", "room": "LUNCH", "topic": "Pizza"})).await;
    ann.redact("LUNCH", said).await;
    bob.done(json!({"type": "typing", "room": "LUNCH", "on": true})).await;
    bob.done(json!({"type": "leave", "room": "LUNCH"})).await;
    let mut cid = server.client().await;
    cid.join("LUNCH", "Cid").await;
    ann.done(json!({"type": "kick", "room": "LUNCH", "member": 3})).await;
    let mut dan = server.client().await;
    dan.join("LUNCH", "Dan").await;
    let last = ann.say("LUNCH", "two").await;
    let mut kinds = std::collections::BTreeSet::new();
    for frame in ann.read_to("LUNCH", last).await {
        let kind = frame["type"].as_str().expect("a frame has a type").to_owned();
        let is_event = kind != "ack" && ["room", "seq", "at"].iter().all(|field| frame.get(field).is_some());
        if is_event {
            assert_eq!(frame["seq"], position + 1, "{frame}");
            position += 1;
            kinds.insert(kind);
        } else {
            let may_name_one = ["ack", "joined", "resumed"].contains(&kind.as_str());
            assert!(may_name_one || frame.get("seq").is_none(), "{frame}");
        }
    }
    assert_eq!(position, last);
    let told = ["member_joined", "member_left", "message", "redacted", "topic_changed"].map(str::to_owned);
    assert_eq!(kinds, told.into());
}
