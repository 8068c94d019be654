//! What is set for a room: who gets in, who speaks and how often, and what newcomers learn of what was said.

use std::sync::Arc;

use chat_core::{Moderation, RoomCode, SettingsChange};
use serde_json::{Value, json};

use super::frames::{list, number, text};
use super::{Client, TestClient, TestServer, TransportHarness};
use crate::logs::MemoryLog;

/// A `settings` that names these fields.
fn settings(fields: Value) -> Value {
    let mut command = json!({"type": "settings", "room": "LUNCH"});
    let named = fields.as_object().expect("fields").clone();
    command.as_object_mut().expect("an object").extend(named);
    command
}

fn join_with(nick: &str, secret: &str) -> Value {
    json!({"type": "join", "room": "LUNCH", "nick": nick, "secret": secret})
}

/// Leaves, and reads to the end.
async fn leave<C: Client>(client: &mut TestClient<C>, nick: &str) {
    client.done(json!({"type": "leave", "room": "LUNCH"})).await;
    while client.find("member_left").await["nick"] != nick {}
}

/// What is not named stays as it is, and the event has it all. Joiners are shown it, and so is who comes back; who sees nothing of it
/// is in a room where nothing is set. A secret is never told.
pub async fn settings_are_merged_and_told_whole<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let [mut ann, mut bob] = server.people("LUNCH", ["Ann", "Bob"]).await;
    let first = ann.done(settings(json!({"slow_ms": 5_000, "locked": true}))).await;
    assert_eq!((&first["type"], &first["seq"]), (&json!("ack"), &json!(3)));
    ann.done(settings(json!({"locked": false, "secret": "swordfish", "history": 7}))).await;
    for nothing in [json!({"slow_ms": 5_000}), json!({"locked": null, "secret": "swordfish"})] {
        assert_eq!(ann.done(settings(nothing)).await["seq"], 4, "nothing is changed");
    }
    for unknown in [json!({}), json!({"slow": 5_000}), json!({"locked": null})] {
        assert_eq!(ann.code(settings(unknown)).await, "bad_field", "nothing is named");
    }
    ann.done(settings(json!({"secret": null, "listed": true, "history": "all"}))).await;
    let told = bob.read_to("LUNCH", 5).await;
    let whole: Vec<_> = told.iter().map(|frame| (&frame["type"], &frame["settings"], &frame["by"])).collect();
    let kind = json!("settings_changed");
    assert_eq!(
        whole,
        [
            (&kind, &json!({"slow_ms": 5_000, "locked": true}), &json!(1)),
            (&kind, &json!({"slow_ms": 5_000, "secret": true, "history": 7}), &json!(1)),
            (&kind, &json!({"slow_ms": 5_000, "history": "all", "listed": true}), &json!(1)),
        ]
    );
    let shown = server.client().await.join("LUNCH", "Cid").await;
    assert_eq!(shown["settings"], json!({"slow_ms": 5_000, "history": "all", "listed": true}));
    let mut again = server.back(&bob.trail().without_positions()).await;
    assert_eq!(again.find("joined").await["settings"], shown["settings"]);
    let everything = json!({"slow_ms": 0, "listed": false});
    ann.done(settings(everything)).await;
    assert_eq!(server.client().await.join("LUNCH", "Dan").await["settings"], json!({"history": "all"}));
    let plain = server.client().await.create("TEA", "Eve").await;
    assert!(plain.get("settings").is_none(), "{plain}");
}

/// What is wrong with one is named; and only those who moderate set anything. The program that the room is embedded in does, too.
pub async fn only_those_who_moderate_set<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let [mut ann, mut bob] = server.people("LUNCH", ["Ann", "Bob"]).await;
    assert_eq!(bob.code(settings(json!({"locked": true}))).await, "forbidden");
    ann.done(json!({"type": "role", "room": "LUNCH", "member": 2, "role": "moderator"})).await;
    bob.done(settings(json!({"locked": true}))).await;
    let refused = bob.refused(settings(json!({"locked": false, "history": "all"}))).await;
    assert_eq!((&refused["code"], &refused["field"]), (&json!("forbidden"), &json!("history")), "{refused}");
    ann.done(settings(json!({"locked": false}))).await;
    assert_eq!(server.client().await.code(settings(json!({"locked": true}))).await, "not_member");
    let refused = ann.refused(settings(json!({"slow_ms": 21_600_001}))).await;
    assert_eq!((&refused["code"], &refused["field"]), (&json!("too_long"), &json!("slow_ms")), "{refused}");
    assert_eq!(refused["limit"], 21_600_000);
    for field in ["slow_ms", "locked", "read_only", "secret", "history", "listed"] {
        assert_eq!(ann.refused(settings(json!({ field: [] }))).await["field"], field);
    }
    let (code, change) = (RoomCode::parse("LUNCH").expect("a code"), SettingsChange::new().listed(true));
    assert!(server.engine.rooms_listed().is_empty());
    let set = server.engine.moderate(&code, Moderation::Settings(change)).await;
    assert_eq!(set.map(|seq| seq.0), Ok(6));
    let told = bob.read_to("LUNCH", 6).await.pop().expect("it was told");
    assert_eq!((&told["settings"], told.get("by")), (&json!({"listed": true}), None));
    assert_eq!(server.engine.rooms_listed(), [code]);
}

/// Who has a membership, or left and is remembered, comes back; nobody else gets in, or learns who is inside.
pub async fn nobody_new_gets_into_a_locked_room<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let [mut ann, mut bob, cid] = server.people("LUNCH", ["Ann", "Bob", "Cid"]).await;
    leave(&mut bob, "Bob").await;
    ann.done(settings(json!({"locked": true}))).await;
    for nick in ["Dan", "Ann"] {
        let join = json!({"type": "join", "room": "LUNCH", "nick": nick});
        assert_eq!(server.client().await.code(join).await, "room_locked", "{nick}");
    }
    assert_eq!(bob.join("LUNCH", "Robert").await["you"]["member"], 2);
    let mut cid = server.back(&cid.cut().await).await;
    assert_eq!(cid.standings().len(), 1);
    cid.say("LUNCH", "still here").await;
    ann.done(json!({"type": "kick", "room": "LUNCH", "member": 3})).await;
    while cid.find("member_left").await["nick"] != "Cid" {}
    assert_eq!(cid.code(json!({"type": "join", "room": "LUNCH", "nick": "Cid"})).await, "room_locked");
    ann.done(settings(json!({"locked": false}))).await;
    cid.join("LUNCH", "Cid").await;
}

/// Newcomers show the secret, and who comes back needs none. Guesses at it are counted as those at codes are.
pub async fn newcomers_are_asked_for_the_secret<D: TransportHarness>() {
    let server = TestServer::<D>::with(|limits| limits.session.miss_burst = 3).await;
    let [mut ann, mut bob, cid] = server.people("LUNCH", ["Ann", "Bob", "Cid"]).await;
    leave(&mut bob, "Bob").await;
    ann.done(settings(json!({"secret": "swordfish"}))).await;
    let mut dan = server.client().await;
    let refused = dan.refused(json!({"type": "join", "room": "LUNCH", "nick": "Dan"})).await;
    assert_eq!((&refused["code"], &refused["field"]), (&json!("secret_wrong"), &json!("secret")), "{refused}");
    assert_eq!(dan.code(join_with("Dan", "Swordfish")).await, "secret_wrong");
    assert!(dan.enter(join_with("Dan", "swordfish")).await["settings"]["secret"] == true);
    bob.join("LUNCH", "Robert").await;
    let mut cid = server.back(&cid.cut().await).await;
    cid.say("LUNCH", "still here").await;
    let mut eve = server.client().await;
    for guess in ["a", "b", "c"] {
        assert_eq!(eve.code(join_with("Eve", guess)).await, "secret_wrong");
    }
    let refused = eve.refused(join_with("Eve", "swordfish")).await;
    assert_eq!(refused["code"], "rate_limited", "right or not: {refused}");
    assert!((1..=1_000).contains(&number(&refused, "retry_after_ms")), "{refused}");
    ann.done(settings(json!({"secret": null}))).await;
    server.client().await.join("LUNCH", "Fox").await;
}

/// Only those who moderate speak; a retry says nothing new, and is answered.
pub async fn in_a_room_that_is_read_only_the_owner_speaks<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let [mut ann, mut bob] = server.people("LUNCH", ["Ann", "Bob"]).await;
    let before = json!({"type": "send", "room": "LUNCH", "text": "before", "key": "k"});
    let said = bob.done(before.clone()).await;
    ann.done(settings(json!({"read_only": true}))).await;
    assert_eq!(bob.code(json!({"type": "send", "room": "LUNCH", "text": "hey"})).await, "read_only");
    assert_eq!(bob.code(json!({"type": "typing", "room": "LUNCH", "on": true})).await, "read_only");
    assert_eq!(bob.done(before).await["seq"], said["seq"]);
    ann.say("LUNCH", "an announcement").await;
    ann.done(settings(json!({"read_only": false}))).await;
    bob.say("LUNCH", "at last").await;
    assert_eq!(ann.told_to("LUNCH", 7).await.last().map(String::as_str), Some("7 Bob: at last"));
}

/// Each member waits between two messages, wherever they go meanwhile; the owner does not, and a retry is answered at once.
pub async fn slow_mode_holds_each_member_and_no_retry<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let [mut ann, mut bob, mut cid] = server.people("LUNCH", ["Ann", "Bob", "Cid"]).await;
    ann.done(settings(json!({"slow_ms": 3_600_000}))).await;
    let first = json!({"type": "send", "room": "LUNCH", "text": "first", "key": "k"});
    let said = bob.done(first.clone()).await;
    let second = json!({"type": "send", "room": "LUNCH", "text": "second", "key": "l"});
    let refused = bob.refused(second.clone()).await;
    assert_eq!(refused["code"], "rate_limited", "{refused}");
    assert!((3_000_000..=3_600_000).contains(&number(&refused, "retry_after_ms")), "{refused}");
    assert_eq!(bob.done(first).await["seq"], said["seq"], "a retry");
    cid.say("LUNCH", "somebody else").await;
    for text in ["one", "two", "three"] {
        ann.say("LUNCH", text).await;
    }
    leave(&mut bob, "Bob").await;
    bob.join("LUNCH", "Robert").await;
    assert_eq!(bob.code(second.clone()).await, "rate_limited", "as the same person");
    ann.done(settings(json!({"slow_ms": 0}))).await;
    bob.done(second).await;
}

/// Somebody who is told a gap is told with it what is set by then.
pub async fn a_gap_shows_what_is_set<D: TransportHarness>() {
    let server = TestServer::<D>::with(|limits| limits.room.backlog_events_max = 16).await;
    let [mut ann, bob] = server.people("LUNCH", ["Ann", "Bob"]).await;
    let trail = bob.cut().await;
    ann.done(settings(json!({"read_only": true, "secret": "swordfish"}))).await;
    ann.talk_on("LUNCH", 40).await;
    let gap = server.back(&trail).await.find("gap").await;
    assert_eq!(gap["settings"], json!({"read_only": true, "secret": true}), "{gap}");
}

/// Whatever somebody asks who came when newcomers see nothing, and wherever they say that they have been: no answer holds anything of
/// what was said before they came, nor tells it from nothing. Later messages are theirs like everybody's.
pub async fn where_newcomers_see_nothing_nothing_shows_what_was_before<D: TransportHarness>() {
    // The room itself remembers few messages: the others only the log has.
    let server = TestServer::<D>::over(Arc::new(MemoryLog::new()), |limits| {
        (limits.room.marks_max, limits.room.backlog_events_max) = (4, 16);
    })
    .await;
    let [mut ann] = server.people("LUNCH", ["Ann"]).await;
    ann.done(settings(json!({"history": "none"}))).await;
    let head = say_hidden(&mut ann, 12).await;
    let mut bob = server.client().await;
    let joined = bob.join("LUNCH", "Bob").await;
    let floor = number(&joined, "entered") - 1;
    assert_eq!((floor, &joined["history"], &joined["more"]), (head, &json!([]), &json!(false)));
    // What is changed by now was said before.
    for target in [3, head] {
        ann.redact("LUNCH", target).await;
    }
    let shown = ann.say("LUNCH", "for everybody").await;
    bob.read_to("LUNCH", shown).await;
    ask_everything(&mut bob, floor, shown).await;
    for forged in [0, 1, 2, floor / 2, floor, floor + 1, u64::MAX] {
        let mut again = server.back(&bob.trail().at("LUNCH", forged)).await;
        let mark = ann.say("LUNCH", "a mark").await;
        for frame in again.read_to("LUNCH", mark).await {
            check_hidden(&frame, floor, &format!("coming back to {forged}"));
        }
        bob = again;
    }
    let epoch = text(&joined, "epoch");
    for forged in [0, 2, floor, u64::MAX] {
        leave(&mut bob, "Bob").await;
        let after = format!("{epoch}:{forged}");
        let join = json!({"type": "join", "room": "LUNCH", "nick": "Bob", "after": after, "history": 200});
        check_hidden(&bob.enter(join).await, floor, &format!("going back in after {forged}"));
        let mark = ann.say("LUNCH", "a mark").await;
        for frame in bob.read_to("LUNCH", mark).await {
            check_hidden(&frame, floor, &format!("after {forged}"));
        }
    }
    // Who is new comes with a position that is nobody's.
    let mut cid = server.client().await;
    let join = json!({"type": "join", "room": "LUNCH", "nick": "Cid", "after": format!("{epoch}:2"), "history": 200});
    let shown = cid.enter(join).await;
    assert_eq!((&shown["history"], &shown["more"]), (&json!([]), &json!(false)));
    // And it stays so when newcomers see everything again.
    ann.done(settings(json!({"history": "all"}))).await;
    let last = ann.say("LUNCH", "the last").await;
    bob.read_to("LUNCH", last).await;
    ask_everything(&mut bob, floor, last).await;
    let shown =
        server.client().await.enter(json!({"type": "join", "room": "LUNCH", "nick": "Dan", "history": 200})).await;
    assert!(shown.to_string().contains("hidden"), "for who comes now it is not");
}

/// What is said before anybody is there to see it; some of it is taken back at once.
async fn say_hidden<C: Client>(ann: &mut TestClient<C>, messages: u64) -> u64 {
    let mut head = 0;
    for turn in 0..messages {
        head = ann.say("LUNCH", &format!("hidden {turn}")).await;
    }
    ann.redact("LUNCH", head - 2).await;
    ann.say("LUNCH", "hidden at last").await
}

/// Every command that reads, with every number that it may name.
async fn ask_everything<C: Client>(bob: &mut TestClient<C>, floor: u64, head: u64) {
    for seq in (0..=head + 1).chain([u64::MAX]) {
        for limit in [json!(null), json!(1), json!(0), json!(200)] {
            let page = bob.done(json!({"type": "history", "room": "LUNCH", "before": seq, "limit": limit})).await;
            check_hidden(&page, floor, &format!("before {seq}, {limit}"));
            let is_first = list(&page, "messages").is_empty() && seq <= floor + 1;
            assert!(!is_first || page["more"] == false, "that there is more before {seq} is not told either: {page}");
        }
        let read = bob.done(json!({"type": "read", "room": "LUNCH", "through": seq})).await;
        assert!(number(&read, "unread") <= head - floor, "what was said before is nothing to be read: {read}");
        let changes = bob.ask(json!({"type": "changes", "room": "LUNCH", "after": seq})).await;
        check_hidden(&changes, floor, &format!("changes after {seq}"));
        if seq <= floor {
            let taken = bob.refused(json!({"type": "redact", "room": "LUNCH", "target": seq})).await;
            let nothing = bob.refused(json!({"type": "redact", "room": "LUNCH", "target": head + 99})).await;
            let said = |refusal: &Value| (text(refusal, "code"), text(refusal, "message"), refusal["field"].clone());
            assert_eq!(said(&taken), said(&nothing), "of {seq} there is no more to learn than of nothing");
        }
    }
}

/// Panics where a frame shows a message from before.
fn check_hidden(frame: &Value, floor: u64, how: &str) {
    assert!(!frame.to_string().contains("hidden"), "{how}: {frame}");
    let lists = ["messages", "history"].into_iter().filter_map(|field| frame.get(field)?.as_array());
    for message in lists.flatten() {
        assert!(number(message, "seq") > floor, "{how}: {frame}");
    }
    let is_message = frame["type"] == "message";
    assert!(!is_message || number(frame, "seq") > floor, "{how}: {frame}");
}
