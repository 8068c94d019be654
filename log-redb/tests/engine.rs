//! The engine over a file: rooms come back with members, positions, keys and what was taken back, also from a trimmed log.

use std::sync::Arc;
use std::time::Duration;

use chat_core::wire::{Status, TaggedMessage};
use chat_core::{
    Body, Command, Connection, Data, Engine, HistoryAnchor, Limits, Log, LogInUse, NewcomersSee, Nick, Offset,
    Position, ReactionName, RejectCode, Resume, RoomSecret, Seq, ServerFrame, SettingsChange,
};
use chat_testkit::one_room::{
    code, come_back, connect, create, founder, join, joined, newcomer, next_message, say, text, texts, texts_of,
};
use log_redb::{FILE_NAME, Options, RedbLog, Retention};
use tempfile::TempDir;

fn log(dir: &TempDir, retention: Retention) -> Arc<RedbLog> {
    let options = Options { retention, ..Options::default() };
    Arc::new(RedbLog::open(dir.path(), options).expect("nobody else has it open"))
}

fn engine(log: &Arc<RedbLog>, dir: &TempDir, limits: Limits) -> Engine {
    let secret = log_redb::secret(dir.path()).expect("it is there, or made");
    Engine::builder().log(Arc::clone(log) as _).expect("nobody else has it").secret(secret).limits(limits).build()
}

/// The engine is gone, and the log closed.
async fn stop(engine: Engine, log: Arc<RedbLog>) {
    drop(engine);
    log.close().await.expect("it can be closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_set_for_a_room_comes_back() {
    let dir = TempDir::new().expect("a folder");
    let secret = |word| RoomSecret::parse(word).expect("a secret");
    let position;
    let token;
    {
        let log = log(&dir, Retention::default());
        let engine = engine(&log, &dir, Limits::default());
        let mut ann = connect(&engine, None).await;
        position = create(&mut ann).await.position();
        token = ann.token();
        let change = SettingsChange::new().secret(Some(secret("swordfish"))).history(NewcomersSee::Nothing);
        ann.call(Command::settings(code(), change.listed(true))).await.expect("she owns it");
        assert_eq!(say(&ann, "hidden", "k1").await, Ok(Seq(3)));
        drop(ann);
        stop(engine, log).await;
    }
    let log = log(&dir, Retention::default());
    let engine = engine(&log, &dir, Limits::default());
    let _ann = connect(&engine, Some(Resume { token, positions: vec![(code(), position)] })).await;
    let mut bob = connect(&engine, None).await;
    assert_eq!(join(&bob, "Bob").await.expect_err("it asks for one").code, RejectCode::SecretWrong);
    let nick = Nick::parse("Bob").expect("a nick");
    bob.call(Command::join(code(), nick).with_secret(secret("swordfish"))).await.expect("the right one");
    let shown = joined(&mut bob).await;
    assert_eq!((texts_of(&shown).len(), shown.settings.secret, shown.settings.listed), (0, true, true));
    drop(bob);
    stop(engine, log).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_comes_back_with_its_members_positions_and_keys() {
    let dir = TempDir::new().expect("a folder");
    let (token, position);
    {
        let log = log(&dir, Retention::default());
        let engine = engine(&log, &dir, Limits::default());
        let mut ann = connect(&engine, None).await;
        let room = create(&mut ann).await;
        assert_eq!(say(&ann, "one", "k1").await, Ok(Seq(2)));
        assert_eq!(say(&ann, "two", "k2").await, Ok(Seq(3)));
        (token, position) = (ann.token(), Position { epoch: room.epoch, seq: Seq(2) });
        drop(ann);
        stop(engine, log).await;
    }
    let log = log(&dir, Retention::default());
    let engine = engine(&log, &dir, Limits::default());
    let mut ann = connect(&engine, Some(Resume { token, positions: vec![(code(), position)] })).await;
    let ServerFrame::Welcome { resumed, rooms, .. } = ann.next().await else { panic!("welcome comes first") };
    assert!(resumed, "the secret beside the log is the one that signed the token");
    assert_eq!((rooms[0].status, rooms[0].seq), (Status::Live, Some(Seq(2))));
    assert_eq!(next_message(&mut ann).await, (Seq(3), "two".into()));
    assert_eq!(say(&ann, "one", "k1").await, Ok(Seq(2)), "a retry from before the restart");
    assert_eq!(say(&ann, "three", "k3").await, Ok(Seq(4)));
    let mut bob = newcomer(&engine, "Bob").await;
    let seen = joined(&mut bob).await;
    assert_eq!(texts_of(&seen), ["one", "two", "three"]);
    let nicks: Vec<&str> = seen.members.iter().map(|member| member.nick.as_str()).collect();
    assert_eq!(nicks, ["Bob", "Ann"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_engine_over_one_log_is_refused_and_harms_nobody() {
    let dir = TempDir::new().expect("a folder");
    let log = log(&dir, Retention::default());
    let first = engine(&log, &dir, Limits::default());
    let ann = founder(&first).await;
    assert_eq!(Engine::builder().log(Arc::clone(&log) as _).err(), Some(LogInUse));
    assert_eq!(say(&ann, "one", "k1").await, Ok(Seq(2)));
    drop((ann, first));
    let second = async {
        loop {
            match Engine::builder().log(Arc::clone(&log) as _) {
                Ok(builder) => return builder.build(),
                // A room of the first may still be taking in that she has gone.
                Err(LogInUse) => tokio::task::yield_now().await,
            }
        }
    };
    let second = tokio::time::timeout(Duration::from_secs(60), second).await.expect("nothing of the first is left");
    assert_eq!(texts(&second, "Bob").await, ["one"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_taken_back_is_gone_from_the_file_when_the_server_has_stopped() {
    let dir = TempDir::new().expect("a folder");
    let log = log(&dir, Retention::default());
    let engine = engine(&log, &dir, Limits::default());
    let ann = founder(&engine).await;
    assert_eq!(say(&ann, "my password is hunter2", "k1").await, Ok(Seq(2)));
    ann.call(Command::redact(code(), Seq(2))).await.expect("her own message");
    assert_eq!(say(&ann, "forget it", "k2").await, Ok(Seq(4)));
    drop(ann);
    stop(engine, log).await;
    let bytes = std::fs::read(dir.path().join(FILE_NAME)).expect("readable");
    assert!(bytes.windows(9).any(|window| window == b"forget it"));
    assert!(!bytes.windows(7).any(|window| window == b"hunter2"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edited_message_comes_back_as_it_is_and_the_file_has_nothing_of_before() {
    let dir = TempDir::new().expect("a folder");
    let data = || Data::parse(r#"{ "kind":"file","size":1.50 }"#, 64).expect("an object");
    let edit = |said| Command::edit(code(), Seq(2), text(said)).with_data(data());
    let (token, position);
    {
        let log = log(&dir, Retention::default());
        let engine = engine(&log, &dir, Limits::default());
        let mut ann = connect(&engine, None).await;
        position = create(&mut ann).await.position();
        token = ann.token();
        assert_eq!(say(&ann, "my password is hunter2", "k1").await, Ok(Seq(2)));
        for said in ["my password is hunter3", "hello"] {
            ann.call(edit(said)).await.expect("her own message");
        }
        ann.call(Command::send(code(), Body::empty()).with_data(data()).with_reply_to(Seq(2))).await.expect("she may");
        drop(ann);
        stop(engine, log).await;
    }
    let bytes = std::fs::read(dir.path().join(FILE_NAME)).expect("readable");
    assert!(bytes.windows(5).any(|window| window == b"hello"));
    assert!(!bytes.windows(6).any(|window| window == b"hunter"));
    let log = log(&dir, Retention::default());
    let engine = engine(&log, &dir, Limits::default());
    let (ann, _) = come_back(&engine, &token, Some(position)).await;
    let page = ann.call(Command::history(code())).await;
    let Ok(ServerFrame::History { messages, .. }) = page else { panic!("a history: {page:?}") };
    let [edited, alone] = messages.as_slice() else { panic!("two were said: {messages:?}") };
    assert_eq!((&*edited.frame().text, edited.frame().edited, edited.frame().reply_to), ("hello", 2, None));
    assert_eq!((&*alone.frame().text, alone.frame().redacted, alone.frame().reply_to), ("", false, Some(Seq(2))));
    let kept: serde_json::Value = serde_json::from_str(data().as_str()).expect("an object");
    for message in [edited, alone] {
        assert_eq!(message.frame().data.clone().map(serde_json::Value::Object), Some(kept.clone()));
    }
    let Ok(ServerFrame::Ack { seq, .. }) = ann.call(edit("and again")).await else { panic!("it is hers still") };
    assert_eq!(seq, Seq(6));
    drop(ann);
    stop(engine, log).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_that_went_with_its_last_member_is_gone_from_the_log() {
    let dir = TempDir::new().expect("a folder");
    let log = log(&dir, Retention::default());
    let engine = engine(&log, &dir, Limits::default());
    let mut ann = connect(&engine, None).await;
    let first = create(&mut ann).await.epoch;
    ann.call(Command::leave(code())).await.expect("she is in it");
    let mut bob = connect(&engine, None).await;
    for _ in 0..100 {
        if log.rooms(None, None, 10).await.expect("readable").is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(join(&bob, "Bob").await.map(drop).map_err(|reject| reject.code), Err(RejectCode::RoomNotFound));
    assert_ne!(create(&mut bob).await.epoch, first);
}

/// Pages back through the whole room, newest first.
async fn page_back(session: &Connection, limit: u32) -> Vec<String> {
    let (mut texts, mut before) = (Vec::new(), None);
    loop {
        let page = session.call(Command::history(code()).with_before(before).with_limit(limit)).await;
        let Ok(ServerFrame::History { messages, more, .. }) = page else { panic!("a history: {page:?}") };
        before = messages.first().map(|message| message.frame().seq);
        texts.extend(messages.iter().rev().map(|message| message.frame().text.clone()));
        if !more {
            return texts;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn older_messages_than_the_backlog_holds_are_paged_from_the_file() {
    let dir = TempDir::new().expect("a folder");
    let mut limits = Limits::default();
    (limits.room.backlog_events_max, limits.room.marks_max) = (16, 64);
    limits.lift_rates();
    let said: Vec<String> = (0..100).rev().map(|number| format!("number {number}")).collect();
    for restart in [false, true] {
        let log = log(&dir, Retention::default());
        let engine = engine(&log, &dir, limits.clone());
        let mut session = connect(&engine, None).await;
        if restart {
            join(&session, "Bob").await.expect("the room is there");
        } else {
            create(&mut session).await;
            for (number, text) in said.iter().rev().enumerate() {
                say(&session, text, &number.to_string()).await.expect("the disk works");
            }
        }
        for limit in [7, 50, 200] {
            assert_eq!(page_back(&session, limit).await, said, "{limit} at once");
        }
        drop(session);
        stop(engine, log).await;
    }
}

/// A message of a page: its number, what it says, whether it was taken back, how often it was edited, how many react to it.
type Shown = (u64, String, bool, u32, u32);

async fn shown(session: &Connection, anchor: HistoryAnchor, limit: u32) -> Vec<Shown> {
    let page = session.call(Command::history(code()).with_anchor(anchor).with_limit(limit)).await;
    let Ok(ServerFrame::History { messages, .. }) = page else { panic!("a history: {page:?}") };
    let message = |message: &TaggedMessage| {
        let frame = message.frame();
        let reactions = frame.reactions.iter().map(|reaction| reaction.count).sum();
        (frame.seq.0, frame.text.clone(), frame.redacted, frame.edited, reactions)
    };
    messages.iter().map(message).collect()
}

/// Five messages from `first` on, as [`change`] leaves them.
fn changed(first: u64) -> Vec<Shown> {
    let as_said = |seq: u64, reactions| (seq, seq.to_string(), false, 0, reactions);
    vec![
        as_said(first, 0),
        as_said(first + 1, 1),
        (first + 2, "edited".to_owned(), false, 1, 1),
        (first + 3, String::new(), true, 0, 0),
        as_said(first + 4, 0),
    ]
}

async fn change(session: &Connection, first: u64) {
    let name = || ReactionName::parse("+1").expect("a name");
    for command in [
        Command::react(code(), Seq(first + 1), name()),
        Command::react(code(), Seq(first + 2), name()),
        Command::react(code(), Seq(first + 3), name()),
        Command::edit(code(), Seq(first + 2), text("edited")),
        Command::redact(code(), Seq(first + 3)),
    ] {
        session.call(command).await.expect("her own message");
    }
}

/// Before the file has been amended for what was changed, and after that; for messages of the file, and of the backlog.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_in_any_direction_shows_what_was_edited_taken_back_and_reacted_to() {
    let dir = TempDir::new().expect("a folder");
    let mut limits = Limits::default();
    limits.room.backlog_events_max = 16;
    limits.lift_rates();
    for restart in [false, true] {
        let log = log(&dir, Retention::default());
        let engine = engine(&log, &dir, limits.clone());
        let mut session = connect(&engine, None).await;
        if restart {
            join(&session, "Bob").await.expect("the room is there");
        } else {
            create(&mut session).await;
            for seq in 2..=41 {
                assert_eq!(say(&session, &seq.to_string(), &seq.to_string()).await, Ok(Seq(seq)));
            }
            for first in [4, 37] {
                change(&session, first).await;
            }
        }
        for first in [4, 37] {
            for anchor in [HistoryAnchor::After(Seq(first - 1)), HistoryAnchor::Before(Seq(first + 5))] {
                assert_eq!(shown(&session, anchor, 5).await, changed(first), "{anchor:?}, restarted: {restart}");
            }
            let mut around = shown(&session, HistoryAnchor::Around(Seq(first + 2)), 12).await;
            around.retain(|message| (first..first + 5).contains(&message.0));
            assert_eq!(around, changed(first), "around, restarted: {restart}");
        }
        drop(session);
        stop(engine, log).await;
    }
}

/// Talks past the second snapshot, so that retention has something to take, and restarts.
async fn a_long_room_that_keeps(messages_max: u64, backlog_events_max: usize) {
    const SAID: u64 = 2_300;
    let dir = TempDir::new().expect("a folder");
    let mut limits = Limits::default();
    limits.room.backlog_events_max = backlog_events_max;
    limits.lift_rates();
    let retention = Retention { messages_max: Some(messages_max), ..Retention::default() };
    {
        let log = log(&dir, retention);
        let engine = engine(&log, &dir, limits.clone());
        let ann = founder(&engine).await;
        for number in 0..SAID {
            assert_eq!(say(&ann, &format!("number {number}"), &format!("k{number}")).await, Ok(Seq(number + 2)));
        }
        let first = log.read(&code(), None, Offset(0), 1).await.expect("readable").records[0].offset;
        assert!(first > Offset(1), "nothing was trimmed: this test shows nothing");
        drop(ann);
        stop(engine, log).await;
    }
    let log = log(&dir, retention);
    let engine = engine(&log, &dir, limits);
    let mut bob = newcomer(&engine, "Bob").await;
    let seen = joined(&mut bob).await;
    assert_eq!(seen.members_total, 2, "who joined in what was trimmed is a member by the snapshot");
    assert_eq!(texts_of(&seen).last(), Some(&format!("number {}", SAID - 1)));
    assert_eq!(say(&bob, "and on", "k").await, Ok(Seq(SAID + 3)));
    // What retention has cut is not more, on no side of any page.
    let first = log.messages_after(&code(), seen.epoch, Seq(0), 1).await.expect("readable")[0].seq.expect("a message");
    assert!(first > Seq(2), "it was cut");
    let page = async |anchor, limit| {
        let asked = Command::history(code()).with_anchor(anchor).with_limit(limit);
        match bob.call(asked).await {
            Ok(ServerFrame::History { messages, more_before, more_after, .. }) => {
                let seqs: Vec<u64> = messages.iter().map(|message| message.frame().seq.0).collect();
                (seqs, more_before, more_after)
            }
            other => panic!("a history: {other:?}"),
        }
    };
    let first = first.0;
    assert_eq!(page(HistoryAnchor::After(Seq(1)), 2).await, (vec![first, first + 1], false, true));
    assert_eq!(page(HistoryAnchor::Around(Seq(5)), 2).await, (vec![first], false, true));
    assert_eq!(page(HistoryAnchor::Around(Seq(first)), 3).await, (vec![first, first + 1], false, true));
    assert_eq!(page(HistoryAnchor::Before(Seq(first + 2)), 2).await, (vec![first, first + 1], false, true));
    assert_eq!(page(HistoryAnchor::Before(Seq(first)), 2).await, (vec![], false, true));
    assert_eq!(page(HistoryAnchor::After(Seq(first)), 1).await, (vec![first + 1], true, true));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trimmed_room_comes_back() {
    a_long_room_that_keeps(500, 200).await;
}

/// The backlog would reach further back than the log does.
#[tokio::test(flavor = "multi_thread")]
async fn a_room_that_keeps_less_than_a_backlog_comes_back() {
    a_long_room_that_keeps(100, 4_096).await;
}
