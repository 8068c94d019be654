//! Pages on either side of a place, and coming back by one gap instead of all that is due.

use std::sync::Arc;

use chat_core::NewcomersSee;
use serde_json::{Value, json};

use super::frames::{list, number, text};
use super::{TestClient, TestServer, TransportHarness, summary};
use crate::logs::MemoryLog;

/// A page that lies somewhere: its messages, and whether there are others before and after.
async fn page<C: super::Client>(
    client: &mut TestClient<C>,
    side: &str,
    seq: u64,
    limit: u64,
) -> (Vec<Value>, [bool; 2]) {
    let asked = json!({"type": "history", "room": "LUNCH", side: seq, "limit": limit});
    let page = client.done(asked.clone()).await;
    let is_more = |field: &str| page[field].as_bool().unwrap_or_else(|| panic!("{field} in {page}"));
    assert_eq!((text(&page, "type"), &page["more"]), ("history".into(), &page["more_before"]), "{asked}");
    (list(&page, "messages").to_vec(), [is_more("more_before"), is_more("more_after")])
}

/// The same, with the numbers alone.
async fn numbers<C: super::Client>(
    client: &mut TestClient<C>,
    side: &str,
    seq: u64,
    limit: u64,
) -> (Vec<u64>, [bool; 2]) {
    let (messages, more) = page(client, side, seq, limit).await;
    (messages.iter().map(|message| number(message, "seq")).collect(), more)
}

/// Page after page gives every message once, as it is now, in order; `more_after` ends with the last.
pub async fn history_is_paged_on_after_a_number<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let [mut ann, mut bob] = server.people("LUNCH", ["Ann", "Bob"]).await;
    for turn in 0..5 {
        ann.say("LUNCH", &format!("question {turn}")).await;
        ann.done(json!({"type": "topic", "room": "LUNCH", "topic": format!("answer {turn}")})).await;
        bob.say("LUNCH", &format!("answer {turn}")).await;
    }
    ann.redact("LUNCH", 6).await;
    let mut said: Vec<u64> = (0..5).flat_map(|turn| [3 + 3 * turn, 5 + 3 * turn]).collect();
    said.sort_unstable();
    let (mut paged, mut after) = (Vec::new(), 0);
    loop {
        let (messages, [before, is_more]) = page(&mut bob, "after", after, 3).await;
        assert_eq!(before, !paged.is_empty(), "after {after} others are before");
        assert_eq!(is_more, paged.len() + 3 < said.len(), "after {after}");
        after = number(messages.last().expect("there are others"), "seq");
        paged.extend(messages);
        if !is_more {
            break;
        }
    }
    assert_eq!(paged.iter().map(|message| number(message, "seq")).collect::<Vec<_>>(), said);
    let words: Vec<String> = paged.iter().map(summary).collect();
    assert_eq!(words[..3], ["3 Ann: question 0", "5 Bob: answer 0", "6 Ann took back"]);
    // From what is no message, from the last, and from past the end.
    assert_eq!(numbers(&mut bob, "after", 4, 2).await, (vec![5, 6], [true, true]));
    for end in [17, 18, 99] {
        assert_eq!(numbers(&mut bob, "after", end, 2).await, (vec![], [true, false]), "after {end}");
    }
    assert_eq!(numbers(&mut bob, "before", 9, 2).await, (vec![6, 8], [true, true]));
    assert_eq!(numbers(&mut bob, "before", 99, 2).await, (vec![15, 17], [true, false]));
    assert_eq!(
        numbers(&mut bob, "after", 9, 0).await,
        (vec![], [true, true]),
        "of nothing, what there is on both sides"
    );
}

/// Half of the page lies before the message, the rest begins with it; one that is not there has a place all the same.
pub async fn a_page_around_a_message_shows_both_sides<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let [mut ann] = server.people("LUNCH", ["Ann"]).await;
    for turn in 0..6 {
        ann.say("LUNCH", &format!("{turn}")).await;
    }
    ann.done(json!({"type": "topic", "room": "LUNCH", "topic": "no message"})).await;
    ann.say("LUNCH", "the last").await;
    for (around, limit, shown) in [
        (4, 3, (vec![3, 4, 5], [true, true])),
        (4, 1, (vec![4], [true, true])),
        (2, 4, (vec![2, 3], [false, true])),
        (9, 4, (vec![6, 7, 9], [true, false])),
        (8, 2, (vec![7, 9], [true, false])),
        (0, 4, (vec![2, 3], [false, true])),
        (99, 4, (vec![7, 9], [true, false])),
        (4, 100, (vec![2, 3, 4, 5, 6, 7, 9], [false, false])),
    ] {
        assert_eq!(numbers(&mut ann, "around", around, limit).await, shown, "{limit} around {around}");
    }
}

/// However long the messages are, a page is no longer than it may be or than one of them, what it leaves out is at its ends, and who asks
/// around a message is shown it.
pub async fn a_page_ends_with_its_bytes_on_either_side<D: TransportHarness>() {
    let server = TestServer::<D>::with(|limits| limits.session.page_bytes_max = 5_000).await;
    let [mut ann] = server.people("LUNCH", ["Ann"]).await;
    for chars in [100, 1_800, 100, 3_900, 100, 1_800, 1_800, 100] {
        ann.say("LUNCH", &"x".repeat(chars)).await;
    }
    let (mut paged, mut after) = (Vec::new(), 0);
    loop {
        let (shown, [_, is_more]) = page(&mut ann, "after", after, 100).await;
        let bytes: usize = shown.iter().map(|message| message.to_string().len()).sum();
        assert!(bytes <= 5_000 || shown.len() == 1, "{bytes}");
        after = number(shown.last().expect("at least one"), "seq");
        paged.extend(shown.iter().map(|message| number(message, "seq")));
        if !is_more {
            break;
        }
    }
    assert_eq!(paged, (2..=9).collect::<Vec<u64>>());
    for around in 2..=9 {
        let (shown, [before, after]) = numbers(&mut ann, "around", around, 100).await;
        assert!(shown.contains(&around) && shown.is_sorted(), "{shown:?} around {around}");
        assert_eq!(shown.len() as u64, shown[shown.len() - 1] - shown[0] + 1, "without a hole: {shown:?}");
        assert_eq!([before, after], [shown[0] > 2, shown[shown.len() - 1] < 9], "{shown:?} around {around}");
    }
}

/// Two places are none.
pub async fn a_history_lies_at_one_place_alone<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let [mut ann] = server.people("LUNCH", ["Ann"]).await;
    for (one, other, field) in
        [("before", "after", "after"), ("before", "around", "around"), ("after", "around", "around")]
    {
        let error = ann.refused(json!({"type": "history", "room": "LUNCH", one: 1, other: 1})).await;
        assert_eq!((text(&error, "code"), text(&error, "field")), ("bad_field".into(), field.into()), "{error}");
    }
    for (field, wrong) in [("after", json!("1")), ("around", json!(-1)), ("around", json!([1]))] {
        let error = ann.refused(json!({"type": "history", "room": "LUNCH", field: wrong})).await;
        assert_eq!((text(&error, "code"), text(&error, "field")), ("bad_field".into(), field.into()), "{error}");
    }
    let join = json!({"type": "join", "room": "LUNCH", "nick": "Bob", "catch_up": -1});
    let mut bob = server.client().await;
    let error = bob.refused(join).await;
    assert_eq!((text(&error, "code"), text(&error, "field")), ("bad_field".into(), "catch_up".into()), "{error}");
}

/// What was said before one may see anything is on no page, and not even counts as more.
pub async fn nobody_pages_on_from_before_their_floor<D: TransportHarness>() {
    let server = TestServer::<D>::with(|limits| limits.room.newcomers_see = NewcomersSee::Last(1)).await;
    let [mut ann] = server.people("LUNCH", ["Ann"]).await;
    ann.say("LUNCH", "hidden").await;
    ann.say("LUNCH", "the last").await;
    let mut bob = server.client().await;
    bob.join("LUNCH", "Bob").await;
    for place in 0..=2 {
        assert_eq!(numbers(&mut bob, "after", place, 5).await, (vec![3], [false, false]), "after {place}");
        assert_eq!(numbers(&mut bob, "around", place, 5).await, (vec![3], [false, false]), "around {place}");
        assert_eq!(numbers(&mut bob, "before", place, 5).await, (vec![], [false, true]), "before {place}");
    }
    assert_eq!(numbers(&mut bob, "around", 3, 5).await, (vec![3], [false, false]));
    assert_eq!(numbers(&mut bob, "after", 3, 5).await, (vec![], [true, false]));
}

/// Where neither the room nor its backlog knows a message any more, the log does; and who asks around one of those is shown it.
pub async fn a_log_is_paged_on_from_what_the_room_has_forgotten<D: TransportHarness>() {
    const SAID: u64 = 60;
    let server = TestServer::<D>::over(Arc::new(MemoryLog::new()), |limits| {
        (limits.room.marks_max, limits.room.backlog_events_max) = (5, 8);
    })
    .await;
    let [mut ann] = server.people("LUNCH", ["Ann"]).await;
    for turn in 0..SAID {
        ann.say("LUNCH", &format!("{turn}")).await;
    }
    ann.redact("LUNCH", 20).await;
    let (mut paged, mut after) = (Vec::new(), 0);
    loop {
        let (shown, more) = page(&mut ann, "after", after, 7).await;
        after = number(shown.last().expect("there are others"), "seq");
        paged.extend(shown);
        assert_eq!(more, [paged.len() > 7, after < SAID + 1], "up to {after}");
        if !more[1] {
            break;
        }
    }
    assert_eq!(
        paged.iter().map(|message| number(message, "seq")).collect::<Vec<_>>(),
        (2..=SAID + 1).collect::<Vec<_>>()
    );
    assert_eq!(summary(&paged[18]), "20 Ann took back");
    for around in [2, 3, 20, 30, 54, 57, 60, 61] {
        let (shown, more) = numbers(&mut ann, "around", around, 9).await;
        let (first, last) = (around.saturating_sub(4).max(2), (around + 4).min(SAID + 1));
        assert_eq!(shown, (first..=last).collect::<Vec<_>>(), "around {around}");
        assert_eq!(more, [first > 2, last < SAID + 1], "around {around}");
    }
}

/// Where no more is due than one wants, everything is told; where more is, one gap, which says from where to where, with the room as it is
/// now. What lies in it is paged on.
pub async fn who_comes_back_may_skip_what_is_due<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let [mut ann, bob] = server.people("LUNCH", ["Ann", "Bob"]).await;
    let trail = bob.cut().await;
    ann.done(json!({"type": "topic", "room": "LUNCH", "topic": "Cake"})).await;
    for turn in 0..4 {
        ann.say("LUNCH", &format!("{turn}")).await;
    }
    let mut bob = server.back(&trail.clone().catching_up(5)).await;
    assert_eq!(bob.standings(), ["LUNCH live 2"], "as many as are wanted");
    assert_eq!(bob.told_to("LUNCH", 7).await.len(), 5);
    bob.cut().await;

    let mut bob = server.back(&trail.catching_up(4)).await;
    assert_eq!(bob.standings(), ["LUNCH gap 2"]);
    let told = bob.read_to("LUNCH", 7).await;
    assert_eq!(told.len(), 1, "{told:?}");
    let gap = &told[0];
    assert_eq!(summary(gap), "gap 3-7");
    assert_eq!((&gap["topic"], &gap["members_total"], &gap["changed_at"]), (&json!("Cake"), &json!(2), &json!(0)));
    assert_eq!(numbers(&mut bob, "after", 2, 3).await, (vec![4, 5, 6], [false, true]));
    ann.say("LUNCH", "after").await;
    assert_eq!(bob.told().await, "8 Ann: after", "it goes on at the next event");
}

/// With 0 one event is too many. Where nothing is due there is nothing to skip.
pub async fn whatever_is_due_is_skipped_by_who_wants_nothing_of_it<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let [mut ann, bob] = server.people("LUNCH", ["Ann", "Bob"]).await;
    let mut bob = server.back(&bob.cut().await.catching_up(0)).await;
    assert_eq!(bob.standings(), ["LUNCH live 2"]);
    for turn in 3..6 {
        ann.say("LUNCH", "one").await;
        assert_eq!(bob.told().await, format!("{turn} Ann: one"), "what comes later is told as it comes");
    }
    let trail = bob.cut().await;
    ann.say("LUNCH", "skipped").await;
    let mut bob = server.back(&trail.catching_up(0)).await;
    assert_eq!(bob.told().await, "gap 6-6");
    // Once more at once: a view of the room that is too old for what is due is not the one that is shown.
    let trail = bob.cut().await;
    ann.say("LUNCH", "skipped too").await;
    let mut bob = server.back(&trail.catching_up(0)).await;
    assert_eq!(bob.told().await, "gap 7-7");
    ann.say("LUNCH", "after").await;
    assert_eq!(bob.told().await, "8 Ann: after");
}

/// Who comes in again and says where they were may skip what was said since; who is new has nothing to skip.
pub async fn a_join_may_skip_what_was_said_since<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let [mut ann, mut bob] = server.people("LUNCH", ["Ann", "Bob"]).await;
    let at = bob.trail().position("LUNCH");
    bob.done(json!({"type": "leave", "room": "LUNCH"})).await;
    assert_eq!(bob.told().await, "3 -Bob left");
    for turn in 0..4 {
        ann.say("LUNCH", &format!("{turn}")).await;
    }
    let join = json!({"type": "join", "room": "LUNCH", "nick": "Bob", "after": at, "catch_up": 3});
    let joined = bob.enter(join).await;
    assert_eq!((number(&joined, "seq"), number(&joined, "entered"), list(&joined, "history").len()), (2, 8, 0));
    let told: Vec<String> = bob.read_to("LUNCH", 8).await.iter().map(summary).collect();
    assert_eq!(told, ["gap 3-8"]);
    let mut cid = server.client().await;
    cid.enter(json!({"type": "join", "room": "LUNCH", "nick": "Cid", "catch_up": 0})).await;
    ann.say("LUNCH", "after").await;
    assert_eq!(cid.told().await, "10 Ann: after");
    assert_eq!(bob.told_to("LUNCH", 10).await, ["9 +Cid", "10 Ann: after"]);
}

/// A gap of this kind says what others say: whoever skips a change knows that there was one, and asks.
pub async fn who_skips_is_told_that_something_was_changed<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let [mut ann, mut bob] = server.people("LUNCH", ["Ann", "Bob"]).await;
    let secret = ann.say("LUNCH", "a secret").await;
    bob.read_to("LUNCH", secret).await;
    let trail = bob.cut().await;
    ann.redact("LUNCH", secret).await;
    let mut bob = server.back(&trail.catching_up(0)).await;
    let gap = bob.next().await;
    assert_eq!((summary(&gap).as_str(), &gap["changed_at"]), ("gap 4-4", &json!(4)), "{gap}");
    let changes = bob.done(json!({"type": "changes", "room": "LUNCH", "after": secret})).await;
    assert_eq!(list(&changes, "messages").iter().map(summary).collect::<Vec<_>>(), ["3 Ann took back"]);
}
