//! What was changed in what somebody missed: told on asking, so that no screen shows for ever what was taken back.

use std::sync::Arc;

use serde_json::{Value, json};

use super::frames::{list, number, text};
use super::{TestServer, TransportHarness};
use crate::logs::MemoryLog;

fn changes(after: u64) -> Value {
    json!({"type": "changes", "room": "LUNCH", "after": after})
}

/// Numbers and texts; nothing for one that is gone.
fn shown(page: &Value) -> Vec<(u64, Option<String>)> {
    let messages = list(page, "messages").iter();
    messages.map(|message| (number(message, "seq"), message.get("text").map(|_| text(message, "text")))).collect()
}

/// Somebody holds a text and is cut off; it is taken back, and so much follows that a gap is all they are told. The gap says that
/// something was changed, and asking says what.
pub async fn what_was_taken_back_in_a_gap_is_told_on_asking<D: TransportHarness>() {
    let server = TestServer::<D>::with(|limits| limits.room.backlog_events_max = 16).await;
    let [mut ann, mut bob] = server.people("LUNCH", ["Ann", "Bob"]).await;
    let secret = ann.say("LUNCH", "a secret").await;
    bob.read_to("LUNCH", secret).await;
    let trail = bob.cut().await;
    ann.redact("LUNCH", secret).await;
    ann.talk_on("LUNCH", 60).await;
    let mut bob = server.back(&trail).await;
    let told = bob.read_to("LUNCH", 64).await;
    let gap = &told[0];
    assert_eq!((text(gap, "type"), number(gap, "from"), number(gap, "changed_at")), ("gap".to_owned(), 4, 4));
    let page = bob.done(changes(3)).await;
    assert_eq!(
        (text(&page, "type"), text(&page, "room"), &page["epoch"]),
        ("changes".into(), "LUNCH".into(), &gap["epoch"])
    );
    // Without a log nobody has it any more, and with one it would be a tombstone: it is not shown in either case.
    assert_eq!((shown(&page), &page["messages"][0]["gone"]), (vec![(secret, None)], &json!(true)), "{page}");
    assert_eq!((&page["through"], &page["as_of"], &page["more"]), (&json!(64), &json!(64), &json!(false)));
    assert_eq!(shown(&bob.done(changes(4)).await), []);
}

/// In the order of the changes, as many as a page shows; each goes on where the one before ended, and `more` ends with the last.
pub async fn changes_are_paged_from_the_oldest_on<D: TransportHarness>() {
    let server = TestServer::<D>::over(Arc::new(MemoryLog::new()), |limits| {
        (limits.room.history_max, limits.room.backlog_events_max) = (2, 8);
    })
    .await;
    let [mut ann, mut bob] = server.people("LUNCH", ["Ann", "Bob"]).await;
    for number in 3..8 {
        ann.say("LUNCH", &format!("{number}")).await;
    }
    for target in [6, 3, 5] {
        ann.redact("LUNCH", target).await;
    }
    ann.say("LUNCH", "so").await;
    let first = bob.done(changes(2)).await;
    let bare = |seq| (seq, Some(String::new()));
    assert_eq!((shown(&first), &first["through"], &first["more"]), (vec![bare(3), bare(6)], &json!(9), &json!(true)));
    assert!(list(&first, "messages").iter().all(|message| message["redacted"] == true), "{first}");
    let second = bob.done(changes(9)).await;
    assert_eq!((shown(&second), &second["through"], &second["more"]), (vec![bare(5)], &json!(11), &json!(false)));
    assert_eq!(second["as_of"], 11);
}

/// Whoever was away while more was changed than is remembered is told that, and pages again.
pub async fn more_changes_than_are_remembered_are_out_of_reach<D: TransportHarness>() {
    let server = TestServer::<D>::with(|limits| limits.room.changes_max = 1).await;
    let [mut ann, mut bob] = server.people("LUNCH", ["Ann", "Bob"]).await;
    for text in ["one", "two"] {
        ann.say("LUNCH", text).await;
    }
    for target in [3, 4] {
        ann.redact("LUNCH", target).await;
    }
    bob.read_to("LUNCH", 6).await;
    assert_eq!(bob.code(changes(4)).await, "out_of_reach");
    assert_eq!(shown(&bob.done(changes(5)).await), [(4, Some(String::new()))]);
    assert_eq!(server.client().await.code(changes(5)).await, "not_member");
    assert_eq!(bob.refused(json!({"type": "changes", "room": "LUNCH"})).await["field"], "after");
}

/// Histories say which event they reflect; and a join says which was the last to change anything.
pub async fn what_is_shown_says_as_of_when_it_is<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let [mut ann, _bob] = server.people("LUNCH", ["Ann", "Bob"]).await;
    ann.say("LUNCH", "one").await;
    assert_eq!(ann.done(json!({"type": "history", "room": "LUNCH"})).await["as_of"], 3);
    let joined = server.client().await.join("LUNCH", "Cid").await;
    assert_eq!((&joined["as_of"], &joined["changed_at"]), (&json!(4), &json!(0)));
    ann.redact("LUNCH", 3).await;
    ann.say("LUNCH", "two").await;
    let page = ann.done(json!({"type": "history", "room": "LUNCH"})).await;
    assert_eq!((&page["as_of"], &page["epoch"]), (&json!(6), &joined["epoch"]));
    let joined = server.client().await.join("LUNCH", "Dan").await;
    assert_eq!((&joined["as_of"], &joined["changed_at"]), (&json!(7), &json!(5)));
}

/// A message that only the log knows is taken back like any other: by its author or the owner, once.
pub async fn a_message_that_only_the_log_has_can_be_taken_back<D: TransportHarness>() {
    let server = TestServer::<D>::over(Arc::new(MemoryLog::new()), |limits| limits.room.marks_max = 2).await;
    let [mut ann, mut bob] = server.people("LUNCH", ["Ann", "Bob"]).await;
    let (of_ann, of_bob) = (ann.say("LUNCH", "Ann's").await, bob.say("LUNCH", "Bob's").await);
    for turn in 0..12 {
        ann.say("LUNCH", &format!("{turn}")).await;
    }
    let redact = |target: u64| json!({"type": "redact", "room": "LUNCH", "target": target});
    assert_eq!(bob.code(redact(of_ann)).await, "forbidden");
    assert_eq!(bob.code(redact(1)).await, "message_not_found", "a join");
    assert_eq!(bob.done(redact(of_bob)).await["seq"], 17);
    assert_eq!(bob.done(redact(of_bob)).await["seq"], 17, "once");
    assert_eq!(ann.done(redact(of_ann)).await["seq"], 18);
    assert_eq!(ann.told_to("LUNCH", 18).await[14..], ["17 redacted 4", "18 redacted 3"]);
    let oldest = ann.done(json!({"type": "history", "room": "LUNCH", "before": 5})).await;
    assert_eq!(shown(&oldest), [(3, Some(String::new())), (4, Some(String::new()))]);
    assert_eq!(shown(&ann.done(changes(0)).await), [(3, Some(String::new())), (4, Some(String::new()))]);
}
