//! A scripted server, and time that goes on when a test says so.

use std::sync::Arc;

use chat_core::Seq;
use serde_json::{Value, json};

use super::*;
use crate::entrance::{Entrance, Outgoing};
use crate::error::ABNORMAL;
use crate::events::RoomEvent;
use crate::outbox::Sent;
use crate::state::{Presence, RoomState};

type Answer<T> = oneshot::Receiver<Result<T, Error>>;

/// A session, and what a server has to say to it.
struct Script {
    session: Session,
    now: Instant,
    room: RoomId,
    entered: Answer<()>,
}

const LIMITS: &str = r#"{"frame_bytes":4096,"text_chars":4000,"nick_chars":32,"rooms":32,"history":200,"members":500,"in_flight":32,"grace_ms":30000,"typing_ms":6000}"#;
const EPOCH: &str = "04HMASW9NF6YF";
const OTHER_EPOCH: &str = "04HMASW9NF6YG";

impl Script {
    /// Of a client that wants into a room, and has no connection yet.
    fn new(change: impl FnOnce(&mut Bounds)) -> Self {
        let mut bounds = Bounds::default();
        change(&mut bounds);
        let now = Instant::now();
        let mut session = Session::new(bounds, None, || 1.0, now);
        let (done, entered) = oneshot::channel();
        let code = Some("LUNCH".parse().expect("a code"));
        let entering = Entrance::new("Bob").parse().expect("a nick");
        let room = session.enter(code, entering, false, done, now);
        Self { session, now, room, entered }
    }

    /// In the room, of which so many events have happened.
    fn joined(seq: u64) -> Self {
        let mut script = Self::new(|_| {});
        script.connect();
        script.tell(json!({"type": "welcome", "id": 0, "rooms": []}));
        let asked = script.said();
        script.tell(joined(asked[0]["id"].as_u64(), EPOCH, seq, 2));
        assert_eq!(script.entered.try_recv(), Ok(Ok(())));
        script
    }

    /// Opens a connection; gives the hello.
    fn connect(&mut self) -> Value {
        assert_eq!(self.session.step(self.now), Step::Connect);
        self.session.begin(self.now);
        serde_json::from_slice(&self.session.hello(None)).expect("JSON")
    }

    /// Loses the connection and opens another; gives the hello.
    fn reconnect(&mut self) -> Value {
        self.session.lost(ABNORMAL, "cut", self.now);
        self.pass(Duration::from_secs(30));
        self.connect()
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.session.tick(self.now);
    }

    fn tell(&mut self, mut frame: Value) {
        if frame["type"] == "welcome" {
            frame["session"] = "0000000000000000000000007V".into();
            frame["token"] = "TOKEN".into();
            frame["resumed"] = true.into();
            frame["limits"] = serde_json::from_str(LIMITS).expect("JSON");
        }
        self.session.receive(frame.to_string().as_bytes(), self.now);
    }

    /// All that was said since.
    fn said(&mut self) -> Vec<Value> {
        let mut said = Vec::new();
        while let Some(outbound) = self.session.take_outbound(self.now) {
            said.push(match outbound {
                Outbound::Text(text) => serde_json::from_slice(&text).expect("JSON"),
                Outbound::Ping => json!("ping"),
            });
        }
        said
    }

    fn state(&mut self) -> Arc<RoomState> {
        Arc::clone(self.session.room(self.room).expect("in the room").state())
    }

    fn send(&mut self, text: &str) -> Answer<Sent> {
        let (done, sent) = oneshot::channel();
        let key = text.replace(' ', "-").parse().expect("a key");
        let pending = Outgoing::new(text).with_key(key).message().expect("a text");
        let (session, now) = (&mut self.session, self.now);
        let room = session.room(self.room).expect("in the room");
        let epoch = room.state().epoch;
        room.outbox.push(pending, epoch, done);
        room.go_on(now);
        session.settle(now);
        sent
    }

    /// The welcome of a session that comes back, and is in the room at this event.
    fn welcome_back(&mut self, epoch: &str, seq: u64) {
        self.tell(json!({"type": "welcome", "id": 0, "rooms": [{"room": "LUNCH", "status": "live", "epoch": epoch, "seq": seq}]}));
    }

    fn texts(&mut self) -> Vec<String> {
        self.state().messages().iter().map(|message| message.text.clone()).collect()
    }
}

fn joined(id: Option<u64>, epoch: &str, seq: u64, member: u32) -> Value {
    let you = json!({"member": member, "nick": "Bob", "color": 0, "role": "member", "online": true});
    let mut frame = json!({"type": "joined", "room": "LUNCH", "epoch": epoch, "seq": seq, "entered": seq, "you": you, "members": [you],
        "members_total": 1, "topic": "", "notices": "told", "history": [], "more": seq > 1, "as_of": seq, "changed_at": 0});
    if let Some(id) = id {
        frame["id"] = id.into();
    }
    frame
}

const AT: &str = "2026-11-22T18:00:00.123Z";

fn message(seq: u64, member: u32, text: &str) -> Value {
    json!({"type": "message", "room": "LUNCH", "seq": seq, "at": AT, "member": member, "nick": "N", "color": 0, "text": text, "key": text.replace(' ', "-")})
}

fn gap(from: u64, to: u64, changed_at: u64) -> Value {
    json!({"type": "gap", "room": "LUNCH", "epoch": EPOCH, "from": from, "to": to, "members": [], "members_total": 0, "topic": "", "notices": "told", "changed_at": changed_at})
}

fn ack(id: &Value, seq: u64) -> Value {
    json!({"type": "ack", "id": id, "room": "LUNCH", "seq": seq, "at": AT})
}

fn refused(id: &Value, code: &str, retry_after_ms: Option<u64>) -> Value {
    let mut frame = json!({"type": "error", "id": id, "code": code, "message": "no"});
    if let Some(wait) = retry_after_ms {
        frame["retry_after_ms"] = wait.into();
    }
    frame
}

#[test]
fn it_comes_back_with_the_position_that_it_has_seen() {
    let mut script = Script::joined(1);
    script.tell(message(2, 1, "hello"));
    let hello = script.reconnect();
    assert_eq!(hello["resume"], "TOKEN");
    assert_eq!(hello["positions"], json!({"LUNCH": format!("{EPOCH}:2")}));
    assert_eq!(script.state().presence, Presence::Away);
    script.welcome_back(EPOCH, 2);
    script.tell(message(3, 1, "again"));
    assert!(script.state().is_synced());
    assert_eq!((script.texts(), script.said().len()), (vec!["hello".to_owned(), "again".to_owned()], 0));
}

#[test]
fn what_waits_is_said_one_after_the_other_and_again_under_its_key() {
    let mut script = Script::joined(1);
    let mut sent: Vec<_> = ["one", "two", "three"].iter().map(|text| script.send(text)).collect();
    let said = script.said();
    assert_eq!((said.len(), &said[0]["text"], &said[0]["key"]), (1, &json!("one"), &json!("one")));
    script.reconnect();
    script.welcome_back(EPOCH, 1);
    // Its answer was lost; the event tells it.
    let said = script.said();
    assert_eq!((said.len(), &said[0]["key"]), (1, &json!("one")));
    script.tell(message(2, 2, "one"));
    assert_eq!(sent[0].try_recv().expect("told").expect("said").seq, Seq(2));
    script.tell(ack(&said[0]["id"], 2));
    let said = script.said();
    assert_eq!((said.len(), &said[0]["key"]), (1, &json!("two")));
    script.tell(refused(&said[0]["id"], "rate_limited", Some(400)));
    assert_eq!(script.said().len(), 0);
    script.pass(Duration::from_millis(399));
    assert_eq!(script.said().len(), 0, "it is too early");
    script.pass(Duration::from_millis(1));
    let said = script.said();
    assert_eq!((said.len(), &said[0]["key"]), (1, &json!("two")), "and in order");
    script.tell(ack(&said[0]["id"], 3));
    let said = script.said();
    script.tell(refused(&said[0]["id"], "read_only", None));
    let outcome = sent.remove(2).try_recv().expect("told");
    assert_eq!(outcome.expect_err("refused").code(), Some(RejectCode::ReadOnly));
}

#[test]
fn nothing_goes_into_another_life_of_the_room_by_itself() {
    let mut script = Script::joined(5);
    let (mut tried, mut untried) = (script.send("tried"), script.send("untried"));
    assert_eq!(script.said().len(), 1);
    script.reconnect();
    script.tell(json!({"type": "welcome", "id": 0, "rooms": [{"room": "LUNCH", "status": "unknown"}]}));
    let asked = script.said();
    assert_eq!((&asked[0]["type"], &asked[0]["after"]), (&json!("join"), &json!(format!("{EPOCH}:5"))));
    script.tell(joined(asked[0]["id"].as_u64(), OTHER_EPOCH, 1, 2));
    assert_eq!(tried.try_recv(), Ok(Err(Error::EpochChanged)));
    assert_eq!(untried.try_recv(), Ok(Err(Error::EpochChanged)));
    assert_eq!((script.said().len(), script.state().messages().len()), (0, 0));
}

#[test]
fn as_somebody_new_nothing_that_was_tried_is_said_again() {
    let mut script = Script::joined(5);
    let mut tried = script.send("tried");
    script.said();
    script.reconnect();
    script.tell(json!({"type": "welcome", "id": 0, "rooms": []}));
    let asked = script.said();
    script.tell(joined(asked[0]["id"].as_u64(), EPOCH, 9, 3));
    assert_eq!(tried.try_recv(), Ok(Err(Error::OutcomeUnknown)));
}

#[test]
fn a_gap_is_read_and_what_was_changed_before_it_is_asked_for() {
    let mut script = Script::joined(1);
    script.tell(message(2, 1, "first"));
    script.tell(gap(3, 10, 7));
    assert!(!script.state().is_synced());
    let asked = script.said();
    assert_eq!((&asked[0]["type"], &asked[0]["after"]), (&json!("changes"), &json!(2)));
    let edited = json!({"type": "message", "room": "LUNCH", "seq": 2, "at": AT, "member": 1, "nick": "N", "color": 0, "text": "changed", "edited": 1});
    script.tell(json!({"type": "changes", "id": asked[0]["id"], "room": "LUNCH", "epoch": EPOCH, "messages": [edited], "through": 10, "more": false, "as_of": 10}));
    let asked = script.said();
    assert_eq!((&asked[0]["type"], &asked[0]["after"]), (&json!("history"), &json!(2)));
    script.tell(message(11, 1, "newer"));
    let page = [message(4, 1, "missed"), message(11, 1, "newer")];
    script.tell(json!({"type": "history", "id": asked[0]["id"], "room": "LUNCH", "epoch": EPOCH, "messages": page, "more": true, "more_before": true, "more_after": false, "as_of": 11}));
    assert_eq!(script.texts(), ["changed", "missed", "newer"]);
    assert!(script.state().is_synced());
}

#[test]
fn a_change_that_overtook_an_answer_is_not_undone_by_it() {
    let mut script = Script::joined(1);
    script.tell(message(2, 1, "first"));
    script.tell(gap(3, 5, 4));
    let asked = script.said();
    script.tell(json!({"type": "redacted", "room": "LUNCH", "seq": 6, "at": AT, "target": 2, "by": 1}));
    script.tell(json!({"type": "changes", "id": asked[0]["id"], "room": "LUNCH", "epoch": EPOCH, "messages": [message(2, 1, "first")], "through": 5, "more": false, "as_of": 5}));
    assert!(script.state().messages()[0].redacted);
    let asked = script.said();
    assert_eq!((&asked[0]["type"], &asked[0]["after"]), (&json!("changes"), &json!(5)), "up to what was heard of");
}

#[test]
fn more_changes_than_the_server_remembers_and_everything_is_read_again() {
    let mut script = Script::joined(1);
    script.tell(message(2, 1, "first"));
    script.tell(gap(3, 5, 4));
    let asked = script.said();
    script.tell(refused(&asked[0]["id"], "out_of_reach", None));
    assert_eq!(script.texts(), [""; 0]);
    let asked = script.said();
    assert_eq!((&asked[0]["type"], &asked[0]["before"]), (&json!("history"), &json!(6)));
    script.tell(json!({"type": "history", "id": asked[0]["id"], "room": "LUNCH", "epoch": EPOCH, "messages": [message(4, 1, "now")], "more": false, "more_before": false, "more_after": false, "as_of": 5}));
    assert_eq!((script.texts(), script.state().is_synced()), (vec!["now".to_owned()], true));
}

#[test]
fn a_closing_says_when_to_come_back_and_a_final_one_that_it_is_over() {
    let mut script = Script::joined(1);
    let mut sent = script.send("hello");
    script.said();
    script.tell(json!({"type": "closing", "code": 4001, "reason": "draining", "reconnect_after_ms": 850}));
    assert_eq!(script.session.step(script.now), Step::Wait(script.now + Duration::from_millis(850)));
    script.pass(Duration::from_millis(850));
    script.connect();
    let room = script.session.room(script.room).expect("in the room");
    let (mut events, last) = (room.listeners.add(&Bounds::default()), room.last());
    script.tell(json!({"type": "closing", "code": 4501, "reason": "replaced"}));
    assert_eq!(script.session.step(script.now), Step::Stop);
    let closed = Error::Closed { code: 4501, reason: "replaced".to_owned(), refusal: None };
    assert_eq!((script.session.end(), sent.try_recv()), (Some(closed.clone()), Ok(Err(Error::OutcomeUnknown))));
    assert_eq!(last.get().expect("left").presence, Presence::Ended);
    let told = futures_util::FutureExt::now_or_never(futures_util::StreamExt::next(&mut events)).flatten();
    assert!(matches!(told, Some(RoomEvent::Refused(..))), "{told:?}");
    let told = futures_util::FutureExt::now_or_never(futures_util::StreamExt::next(&mut events)).flatten();
    assert!(matches!(told, Some(RoomEvent::Ended(ending)) if ending.error == Some(closed)));
    let over = futures_util::FutureExt::now_or_never(futures_util::StreamExt::next(&mut events));
    assert!(matches!(over, Some(None)), "and that is all");
}

#[test]
fn each_wait_is_up_to_twice_as_long_as_the_one_before_and_bounded() {
    let mut script = Script::new(|bounds| bounds.backoff_max = Duration::from_secs(3));
    let mut waits = Vec::new();
    for _ in 0..5 {
        script.connect();
        script.session.lost(ABNORMAL, "refused", script.now);
        let Step::Wait(at) = script.session.step(script.now) else { panic!("it waits") };
        waits.push((at - script.now).as_millis());
        script.now = at;
    }
    assert_eq!(waits, [500, 1_000, 2_000, 3_000, 3_000]);
}

#[test]
fn a_connection_that_says_nothing_is_asked_and_then_left() {
    let mut script = Script::joined(1);
    script.pass(Duration::from_secs(45));
    assert_eq!(script.said(), [json!("ping")]);
    script.pass(Duration::from_secs(5));
    assert_eq!(script.session.step(script.now), Step::Wait(script.now + Duration::from_millis(500)));
    let mut script = Script::joined(1);
    drop(script.send("hello"));
    script.said();
    script.pass(Duration::from_secs(15));
    assert!(matches!(script.session.step(script.now), Step::Wait(_)), "no answer came");
    let mut script = Script::new(|_| {});
    script.connect();
    script.pass(Duration::from_secs(10));
    assert!(matches!(script.session.step(script.now), Step::Wait(_)), "no welcome came");
}

#[test]
fn what_waits_is_bounded_in_count_and_bytes() {
    let mut script = Script::new(|bounds| (bounds.outbox_max, bounds.outbox_bytes_max) = (2, 2_000));
    let (_one, _two) = (script.send("one"), script.send("two"));
    assert_eq!(script.send("three").try_recv(), Ok(Err(Error::OutboxFull)));
    let mut script = Script::new(|bounds| bounds.outbox_bytes_max = 2_000);
    let (done, mut sent) = oneshot::channel();
    let pending = Outgoing::new("x".repeat(1_800)).message().expect("a text");
    script.session.room(script.room).expect("in the room").outbox.push(pending, None, done);
    assert_eq!(sent.try_recv(), Ok(Err(Error::OutboxFull)));
}

#[test]
fn only_so_many_messages_are_held_and_only_so_many_bytes() {
    let mut script = Script::new(|bounds| bounds.held_messages_max = 8);
    script.connect();
    script.tell(json!({"type": "welcome", "id": 0, "rooms": []}));
    let asked = script.said();
    script.tell(joined(asked[0]["id"].as_u64(), EPOCH, 1, 2));
    for seq in 2..=10 {
        script.tell(message(seq, 1, &format!("m{seq}")));
    }
    let state = script.state();
    assert_eq!(
        (script.texts(), state.from, state.more),
        ((4..=10).map(|seq| format!("m{seq}")).collect(), Seq(4), true)
    );
    assert!(state.is_synced());
    let mut script = Script::new(|bounds| bounds.held_bytes_max = 2_000);
    script.connect();
    script.tell(json!({"type": "welcome", "id": 0, "rooms": []}));
    let asked = script.said();
    script.tell(joined(asked[0]["id"].as_u64(), EPOCH, 1, 2));
    for seq in 2..=50 {
        script.tell(message(seq, 1, &"x".repeat(60)));
        assert!(script.state().held.bytes() <= 2_000);
    }
    assert!(script.state().messages().len() >= 4);
}

#[test]
fn who_was_put_out_does_not_go_back_unasked_and_who_timed_out_does() {
    let mut script = Script::joined(3);
    script.reconnect();
    script.tell(
        json!({"type": "welcome", "id": 0, "rooms": [{"room": "LUNCH", "status": "left", "seq": 3, "epoch": EPOCH}]}),
    );
    assert_eq!(script.said()[0]["type"], "join");
    let mut script = Script::joined(3);
    script.reconnect();
    let last = script.session.room(script.room).expect("in the room").last();
    script.tell(json!({"type": "welcome", "id": 0, "rooms": [{"room": "LUNCH", "status": "left", "seq": 3, "epoch": EPOCH, "reason": "banned", "until": AT}]}));
    let ended = last.get().expect("it is over").ended.clone().expect("and says why");
    assert_eq!(
        (script.said().len(), ended.why.as_str(), ended.is_missed, ended.until.is_some()),
        (0, "banned", true, true)
    );
}

#[test]
fn a_name_that_is_taken_is_told_at_first_and_waited_for_when_it_may_be_ones_own() {
    let mut script = Script::new(|_| {});
    script.connect();
    script.tell(json!({"type": "welcome", "id": 0, "rooms": []}));
    let asked = script.said();
    script.tell(refused(&asked[0]["id"], "nick_taken", Some(30_000)));
    let refusal = script.entered.try_recv().expect("told").expect_err("refused");
    assert_eq!(refusal.code(), Some(RejectCode::NickTaken));
    let mut script = Script::joined(3);
    script.reconnect();
    script.tell(json!({"type": "welcome", "id": 0, "rooms": []}));
    let asked = script.said();
    script.tell(refused(&asked[0]["id"], "nick_taken", Some(2_000)));
    assert_eq!(script.said().len(), 0);
    script.pass(Duration::from_secs(2));
    assert_eq!(script.said()[0]["type"], "join");
}

#[test]
fn a_command_over_which_every_connection_is_lost_is_given_up_and_the_next_is_said() {
    let mut script = Script::joined(1);
    let (mut poison, _next) = (script.send("poison"), script.send("next"));
    for _ in 0..8 {
        assert_eq!(script.said()[0]["key"], "poison");
        script.reconnect();
        script.welcome_back(EPOCH, 1);
    }
    assert_eq!(poison.try_recv(), Ok(Err(Error::OutcomeUnknown)));
    assert_eq!(script.said()[0]["key"], "next");
}

#[test]
fn leaving_sends_what_was_tried_to_its_end_and_nothing_else() {
    let mut script = Script::joined(1);
    let (mut tried, mut untried) = (script.send("tried"), script.send("untried"));
    script.said();
    let (done, mut left) = oneshot::channel();
    let (session, now) = (&mut script.session, script.now);
    session.room(script.room).expect("in the room").leave(done);
    session.settle(now);
    assert_eq!(untried.try_recv(), Ok(Err(Error::Left)));
    let said = script.said();
    assert_eq!(said[0]["type"], "leave");
    script.tell(message(2, 2, "tried"));
    assert!(tried.try_recv().expect("told").is_ok());
    script.tell(ack(&said[0]["id"], 3));
    assert_eq!((left.try_recv(), script.session.rooms().len()), (Ok(Ok(())), 0));
}

#[test]
fn only_half_of_what_the_server_takes_is_in_flight_and_one_page_at_a_time() {
    let mut script = Script::joined(1);
    let mut answers = Vec::new();
    for index in 0..20 {
        let (done, answer) = oneshot::channel();
        let room: RoomCode = "LUNCH".parse().expect("a code");
        let command = if index < 2 { Command::history(room) } else { Command::redact(room, Seq(index)) };
        script.session.call(command, None, done, script.now);
        answers.push(answer);
    }
    let said = script.said();
    assert_eq!((said.len(), said.iter().filter(|frame| frame["type"] == "history").count()), (16, 1));
    script.session.lost(ABNORMAL, "cut", script.now);
    assert!(answers.iter_mut().all(|answer| matches!(answer.try_recv(), Ok(Err(Error::Disconnected)))));
}

#[test]
fn an_event_of_a_kind_that_nobody_knows_moves_the_position() {
    let mut script = Script::joined(1);
    script.tell(json!({"type": "polled", "room": "LUNCH", "seq": 2, "at": AT, "votes": [1]}));
    script.tell(json!({"type": "weather", "room": "LUNCH", "sun": true}));
    script.session.receive(b"no JSON", script.now);
    assert_eq!((script.state().seq, script.state().is_synced()), (Seq(2), true));
}
