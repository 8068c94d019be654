//! Bans that hold, and all that somebody said taken back at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chat_core::{Clock, Mono, Now, ServerFrame, SystemClock, Wall};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::frames::{list, number, text};
use super::{TestServer, TransportHarness};
use crate::logs::MemoryLog;

/// A command of this kind for the room, with these fields.
fn command(kind: &str, fields: Value) -> Value {
    let mut command = json!({"type": kind, "room": "LUNCH"});
    for (name, value) in fields.as_object().into_iter().flatten() {
        command[name] = value.clone();
    }
    command
}

fn join(nick: &str) -> Value {
    json!({"type": "join", "room": "LUNCH", "nick": nick})
}

/// The numbers of the bans of a page.
fn bans(page: &Value) -> Vec<u64> {
    assert_eq!(page["type"], "bans", "{page}");
    list(page, "bans").iter().map(|ban| number(ban, "ban")).collect()
}

/// Numbers and texts of a history.
fn texts(page: &Value) -> Vec<(u64, String)> {
    list(page, "messages").iter().map(|message| (number(message, "seq"), text(message, "text"))).collect()
}

/// The clock of the system, set forward by as much as a test lets pass.
struct Ahead {
    system: SystemClock,
    millis: AtomicU64,
}

impl Ahead {
    fn new() -> Arc<Self> {
        Arc::new(Self { system: SystemClock::new(), millis: AtomicU64::new(0) })
    }

    fn pass(&self, minutes: u64) {
        self.millis.fetch_add(minutes * 60_000, Ordering::AcqRel);
    }
}

impl Clock for Ahead {
    fn now(&self) -> Now {
        let (Now { wall, mono }, ahead) = (self.system.now(), self.millis.load(Ordering::Acquire));
        Now { wall: Wall(wall.0 + ahead), mono: Mono(mono.0 + ahead) }
    }

    fn instant(&self, mono: Mono) -> Instant {
        self.system.instant(Mono(mono.0.saturating_sub(self.millis.load(Ordering::Acquire))))
    }
}

/// Until when a ban holds is told to all, to who is banned in the answer to a join, and in the welcome of who comes back; after that they
/// come in, as somebody new.
pub async fn a_ban_says_until_when_wherever_it_is_told<D: TransportHarness>() {
    let clock = Ahead::new();
    let server = TestServer::<D>::build(|_| {}, |builder| builder.clock(Arc::clone(&clock) as Arc<dyn Clock>)).await;
    let [mut ann, bob, mut cid] = server.people("LUNCH", ["Ann", "Bob", "Cid"]).await;
    let away = bob.cut().await;
    ann.done(command("ban", json!({"member": 3, "minutes": 30}))).await;
    ann.done(command("ban", json!({"member": 2, "minutes": 10}))).await;
    let page = ann.done(command("bans", json!({}))).await;
    let [long, short] = [0, 1].map(|index| page["bans"][index]["until"].clone());
    for client in [&mut ann, &mut cid] {
        let left = client.next().await;
        assert_eq!((&left["reason"], &left["member"], &left["by"]), (&json!("banned"), &json!(3), &json!(1)), "{left}");
        assert_eq!(left["until"], long, "{left}");
        let Ok(ServerFrame::MemberLeft { at: Some(at), until: Some(until), .. }) = serde_json::from_value(left) else {
            panic!("it says when, and until when")
        };
        assert_eq!(until.since(at), Duration::from_secs(30 * 60));
    }
    let refused = cid.refused(join("Sid")).await;
    assert_eq!((&refused["code"], &refused["room"], &refused["until"]), (&json!("banned"), &json!("LUNCH"), &long));
    let mut bob = server.back(&away).await;
    let standing = list(&bob.welcome, "rooms").iter().find(|room| room["room"] == "LUNCH").cloned();
    let standing = standing.expect("it was in the room");
    assert_eq!((&standing["status"], &standing["reason"]), (&json!("left"), &json!("banned")), "{standing}");
    assert_eq!((&standing["until"], &bob.refused(join("Bob")).await["until"]), (&short, &short), "{standing}");
    clock.pass(10);
    assert_eq!(bob.join("LUNCH", "Bob").await["you"]["member"], 4);
    assert_eq!(cid.code(join("Cid")).await, "banned");
}

/// Who moderates sees who is banned, page by page, and lets them in again by the number of the ban; others do neither.
pub async fn who_is_let_in_again_comes_in<D: TransportHarness>() {
    let server = TestServer::<D>::with(|limits| (limits.room.bans_max, limits.room.bans_page_max) = (2, 1)).await;
    let [mut ann, mut bob, mut cid, dan] = server.people("LUNCH", ["Ann", "Bob", "Cid", "Dan"]).await;
    let _dan = dan;
    ann.done(command("ban", json!({"member": 2, "minutes": 5}))).await;
    cid.done(command("leave", json!({}))).await;
    cid.read_to("LUNCH", 6).await;
    ann.done(command("ban", json!({"member": 3}))).await;
    let full = ann.refused(command("ban", json!({"member": 4}))).await;
    assert_eq!((&full["code"], &full["limit"]), (&json!("bans_full"), &json!(2)));
    let first = ann.done(command("bans", json!({}))).await;
    assert_eq!((bans(&first), &first["more"], &first["room"]), (vec![1], &json!(true), &json!("LUNCH")));
    let of_bob = &first["bans"][0];
    assert_eq!((&of_bob["member"], &of_bob["nick"], &of_bob["by"]), (&json!(2), &json!("Bob"), &json!(1)), "{of_bob}");
    assert!(of_bob["until"].is_string() && of_bob["at"].is_string() && of_bob.get("network").is_none(), "{of_bob}");
    let second = ann.done(command("bans", json!({"after": 1}))).await;
    assert_eq!((bans(&second), &second["more"], second["bans"][0].get("until")), (vec![2], &json!(false), None));
    assert_eq!(cid.code(join("Cid")).await, "banned", "who had left");
    ann.done(command("unban", json!({"ban": 2}))).await;
    assert_eq!(ann.code(command("unban", json!({"ban": 2}))).await, "ban_not_found");
    cid.join("LUNCH", "Cid").await;
    assert_eq!(bob.code(join("Bob")).await, "banned");
    for asked in [command("bans", json!({})), command("unban", json!({"ban": 1}))] {
        assert_eq!(cid.code(asked.clone()).await, "forbidden");
        assert_eq!(bob.code(asked).await, "not_member");
    }
    for (field, wrong) in
        [("minutes", json!(0)), ("minutes", json!("5")), ("network", json!(1)), ("sweep", json!("yes"))]
    {
        let refused = ann.refused(command("ban", json!({"member": 4, field: wrong}))).await;
        assert_eq!((&refused["code"], &refused["field"]), (&json!("bad_field"), &json!(field)));
    }
    assert_eq!(ann.refused(command("unban", json!({}))).await["field"], "ban");
}

/// One event takes back all of a member in a range: whoever is there is told it, and histories show where each message stood.
pub async fn all_of_a_member_is_taken_back_at_once<D: TransportHarness>() {
    let server = TestServer::<D>::over(Arc::new(MemoryLog::new()), |limits| {
        (limits.room.marks_max, limits.room.backlog_events_max) = (4, 8);
    })
    .await;
    let [mut ann, mut bob] = server.people("LUNCH", ["Ann", "Bob"]).await;
    for turn in 0..8 {
        bob.say("LUNCH", &format!("b{turn}")).await;
        let seq = ann.say("LUNCH", &format!("a{turn}")).await;
        // No more is behind than the backlog has: else she is told a gap.
        ann.read_to("LUNCH", seq).await;
    }
    assert_eq!(bob.code(command("redact_all", json!({"member": 1}))).await, "forbidden");
    assert_eq!(ann.code(command("redact_all", json!({"member": 9}))).await, "member_not_found");
    assert_eq!(ann.refused(command("redact_all", json!({"member": 2, "from": "x"}))).await["field"], "from");
    bob.done(command("leave", json!({}))).await;
    ann.read_to("LUNCH", 19).await;
    let swept = ann.done(command("redact_all", json!({"member": 2, "from": 5}))).await;
    assert_eq!(swept["seq"], 20);
    assert_eq!(ann.done(command("redact_all", json!({"member": 2, "from": 5}))).await["seq"], 20, "once");
    let told = ann.read_to("LUNCH", 20).await.pop().expect("an event");
    assert_eq!((&told["type"], &told["member"], &told["by"]), (&json!("swept"), &json!(2), &json!(1)), "{told}");
    assert_eq!((&told["from"], &told["to"]), (&json!(5), &json!(19)));
    let page = ann.done(command("history", json!({"limit": 100}))).await;
    for (seq, said) in texts(&page) {
        let is_swept = seq >= 5 && seq % 2 == 1;
        assert_eq!(said.is_empty(), is_swept, "{seq} is {said:?}");
        let message = list(&page, "messages").iter().find(|message| number(message, "seq") == seq).cloned();
        assert_eq!(message.is_some_and(|message| message["redacted"] == true), is_swept);
    }
    assert_eq!(texts(&page).len(), 16);
    let joined =
        server.client().await.enter(json!({"type": "join", "room": "LUNCH", "nick": "Cid", "history": 6})).await;
    let shown: Vec<_> = list(&joined, "history").iter().map(|message| text(message, "text")).collect();
    assert_eq!(
        (shown, &joined["changed_at"]),
        (["", "a5", "", "a6", "", "a7"].map(str::to_owned).to_vec(), &json!(20))
    );
}

/// Somebody who missed it is told of the range on asking, and finds what they hold by number and author.
pub async fn what_was_swept_in_a_gap_is_told_on_asking<D: TransportHarness>() {
    let server = TestServer::<D>::with(|limits| limits.room.backlog_events_max = 8).await;
    let [mut ann, mut bob, mut cid] = server.people("LUNCH", ["Ann", "Bob", "Cid"]).await;
    let (first, second) = (bob.say("LUNCH", "spam").await, bob.say("LUNCH", "more spam").await);
    cid.read_to("LUNCH", second).await;
    let trail = cid.cut().await;
    ann.done(command("ban", json!({"member": 2, "sweep": true}))).await;
    assert_eq!(ann.told_to("LUNCH", 7).await[2..], ["6 swept 2 1-5", "7 -Bob banned"]);
    for turn in 0..40 {
        ann.say("LUNCH", &format!("{turn}")).await;
    }
    let mut cid = server.back(&trail).await;
    let told = cid.read_to("LUNCH", 47).await;
    assert_eq!((text(&told[0], "type"), number(&told[0], "changed_at")), ("gap".to_owned(), 6));
    let page = cid.done(command("changes", json!({"after": second}))).await;
    assert_eq!(
        (list(&page, "messages").len(), &page["through"], &page["more"]),
        (0, &json!(47), &json!(false)),
        "{page}"
    );
    let ranges: Vec<_> = list(&page, "swept")
        .iter()
        .map(|range| (number(range, "member"), number(range, "from"), number(range, "to")))
        .collect();
    assert_eq!((ranges, &page["swept"][0]["change"]), (vec![(2, 1, 5)], &json!(6)));
    assert!(first >= 1 && second <= 5);
    let later = cid.done(command("changes", json!({"after": 6}))).await;
    assert_eq!(later.get("swept"), None, "{later}");
}
