//! Readers that fall behind: what they miss is said exactly, and nobody else waits for them.

use std::time::Duration;

use serde_json::{Value, json};

use super::frames::{list, number, text};
use super::{TestServer, TransportHarness, summary};

/// The gap says from which number to which it goes, and shows the room as it is now; the rest follows without a hole.
pub async fn what_the_backlog_has_lost_is_told_as_a_gap<D: TransportHarness>() {
    let server = TestServer::<D>::with(|limits| limits.room.backlog_events_max = 16).await;
    let [mut ann, bob] = server.people("LUNCH", ["Ann", "Bob"]).await;
    let trail = bob.cut().await;
    ann.done(json!({"type": "topic", "room": "LUNCH", "topic": "Cake"})).await;
    for turn in 0..60 {
        ann.say("LUNCH", &format!("{turn}")).await;
    }
    let mut bob = server.back(&trail).await;
    assert_eq!(bob.standings(), ["LUNCH gap 2"]);
    let told = bob.read_to("LUNCH", 63).await;
    let gap = &told[0];
    let to = number(gap, "to");
    assert_eq!((text(gap, "type"), number(gap, "from")), ("gap".to_owned(), 3));
    assert!((48..=63).contains(&to), "the newest part is not missed: {gap}");
    assert_eq!((&gap["topic"], &gap["members_total"], &gap["notices"]), (&json!("Cake"), &json!(2), &json!("told")));
    let nicks: Vec<_> = list(gap, "members").iter().map(|member| text(member, "nick")).collect();
    assert_eq!(nicks, ["Ann", "Bob"]);
    let rest: Vec<String> = told[1..].iter().map(summary).collect();
    assert_eq!(rest, (to + 1..=63).map(|seq| format!("{seq} Ann: {}", seq - 4)).collect::<Vec<_>>());
    ann.say("LUNCH", "after").await;
    assert_eq!(bob.told().await, "64 Ann: after");
}

/// A client does not read at all while others talk; then it reads on, with a gap for what is not kept any more.
pub async fn a_slow_reader_delays_nobody_and_is_told_what_it_missed<D: TransportHarness>() {
    const COUNT: u64 = 350;
    let server = TestServer::<D>::with(|limits| {
        limits.room.backlog_bytes_max = 128 << 10;
        limits.session.gap_interval = Duration::from_millis(50);
    })
    .await;
    let [mut ann, mut quick, mut slow] = server.people("LUNCH", ["Ann", "Bob", "Cid"]).await;
    let last = 3 + COUNT;
    let mut read = Vec::new();
    let padding = "x".repeat(3_990);
    for turn in 0..COUNT {
        let seq = ann.say("LUNCH", &format!("{turn} {padding}")).await;
        ann.read_to("LUNCH", seq).await;
        // The backlog holds four times as many.
        if turn % 8 == 7 || seq == last {
            read.extend(quick.read_to("LUNCH", seq).await);
        }
    }
    let is_message = |frame: &Value| frame["type"] == "message";
    assert!(read.len() as u64 == COUNT && read.iter().all(is_message), "who reads never has a gap");
    let told = slow.read_to("LUNCH", last).await;
    let missed: u64 =
        told.iter().filter(|frame| frame["type"] == "gap").map(|gap| 1 + number(gap, "to") - number(gap, "from")).sum();
    assert!(missed > 0, "{COUNT} long messages are more than may be held up for one who does not read");
    assert_eq!(missed + told.iter().filter(|frame| is_message(frame)).count() as u64, COUNT);
    ann.say("LUNCH", "after").await;
    assert_eq!(slow.told().await, format!("{} Ann: after", last + 1));
}
