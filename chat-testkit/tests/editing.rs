//! Edits over a log that is slow or fails: what a message said before is shown to nobody, and the log is made to forget it, over restarts.

mod support;

use std::time::Duration;

use chat_core::{Command, Epoch, Event, Key, MemberId, Position, ReactionName, Record, RejectCode, Seq, ServerFrame};
use chat_testkit::logs::{Fault, Operation, Outcome};
use support::stage::{Stage, refusal};
use support::{TestLog, code, come_back, connect, engine_with, fails, log, nick, pass, settle, take, text};

/// A message that only the log has by the time it is edited.
const OLD: Seq = Seq(3);
/// The last message, which the backlog has too.
const NEW: Seq = Seq(33);

impl Stage {
    async fn edit(&self, target: Seq, said: &str) -> Result<(), RejectCode> {
        refusal(self.ann.call(Command::edit(code(), target, text(said))).await)
    }

    /// What Bob is shown of the last message before this one: what it says, and how often it was edited.
    async fn shown(&self, before: Seq) -> (String, u32) {
        self.ask(0, before, 1);
        self.look().await;
        self.page().await.expect("it is answered")
    }

    /// The page that Bob asked for. One that was read before an edit that the log has taken meanwhile is read again.
    async fn page(&self) -> Option<(String, u32)> {
        for _ in 0..2 {
            let page = take(&self.bob).into_iter().rev().find_map(newest);
            if page.is_some() {
                return page;
            }
            self.look().await;
        }
        None
    }
}

fn newest(frame: ServerFrame) -> Option<(String, u32)> {
    let ServerFrame::History { messages, .. } = frame else { return None };
    messages.last().map(|message| (message.frame().text.clone(), message.frame().edited))
}

fn records(log: &TestLog) -> Vec<Record> {
    log.inner().records(&code())
}

/// What the row of a message says.
fn row(log: &TestLog, seq: Seq) -> String {
    let row = records(log).into_iter().find(|record| record.seq == Some(seq)).expect("the log has it");
    let Event::Sent { text, .. } = row.event else { panic!("not a message") };
    text.as_str().to_owned()
}

/// What the log has of each edit: its number, and what it made of its message, if it still says.
fn edits(log: &TestLog) -> Vec<(u32, Option<String>)> {
    let edits = records(log).into_iter().filter_map(|record| match record.event {
        Event::Edited { n, content, .. } => Some((n, content.map(|content| content.text.as_str().to_owned()))),
        _ => None,
    });
    edits.collect()
}

fn epoch(log: &TestLog) -> Epoch {
    let created = records(log).into_iter().find_map(|record| match record.event {
        Event::Created { epoch, .. } => Some(epoch),
        _ => None,
    });
    created.expect("a room begins with it")
}

fn has(log: &TestLog, word: &str) -> bool {
    format!("{:?}", records(log)).contains(word)
}

fn right(edits: u32) -> (String, u32) {
    ("right".to_owned(), edits)
}

#[tokio::test(start_paused = true)]
async fn an_edit_is_shown_before_the_log_has_been_amended_for_it() {
    let stage = Stage::new("wrong", |_| {}).await;
    stage.log.plan(fails(&[Operation::Amend]));
    assert_eq!(stage.edit(OLD, "right").await, Ok(()));
    assert_eq!(stage.shown(OLD.next()).await, right(1));
    assert_eq!(row(&stage.log, OLD), "wrong");
    stage.log.heal();
    pass(Duration::from_secs(6)).await;
    assert_eq!((stage.shown(OLD.next()).await, &*row(&stage.log, OLD)), (right(1), "right"));
    assert!(!has(&stage.log, "wrong"));
}

#[tokio::test(start_paused = true)]
async fn so_is_one_in_a_page_that_was_read_before_it_and_arrives_after_it() {
    let stage = Stage::new("wrong", |_| {}).await;
    stage.log.push(Operation::Messages, Fault::answered_late(Outcome::Done));
    stage.ask(0, OLD.next(), 1);
    stage.look().await;
    assert_eq!(stage.log.stalled(), 1, "the log has read it");
    assert_eq!(stage.edit(OLD, "right").await, Ok(()));
    settle().await;
    assert_eq!(row(&stage.log, OLD), "right", "it is amended before its answer comes");
    stage.log.release_all();
    settle().await;
    assert_eq!(stage.page().await, Some(right(1)));
}

#[tokio::test(start_paused = true)]
async fn so_is_one_in_a_page_that_was_in_hand_and_not_read() {
    let stage = Stage::new("wrong", |_| {}).await;
    stage.ask(0, OLD.next(), 1);
    stage.look().await;
    let frame = stage.bob.peek().expect("the page is in hand");
    assert!(String::from_utf8_lossy(&frame.json).contains("wrong"));
    assert_eq!(stage.edit(OLD, "right").await, Ok(()));
    settle().await;
    assert_eq!(stage.page().await, Some(right(1)));
}

#[tokio::test(start_paused = true)]
async fn of_many_edits_the_log_has_the_last_alone() {
    let stage = Stage::new("wrong", |_| {}).await;
    for (target, said) in [(OLD, "wrong again"), (NEW, "wrong too"), (OLD, "right"), (NEW, "right")] {
        assert_eq!(stage.edit(target, said).await, Ok(()));
    }
    settle().await;
    assert_eq!((row(&stage.log, OLD), row(&stage.log, NEW)), ("right".to_owned(), "right".to_owned()));
    let said = || Some("right".to_owned());
    assert_eq!(edits(&stage.log), [(1, None), (1, None), (2, said()), (2, said())]);
    assert!(!has(&stage.log, "wrong"));
}

/// In one moment: the log is written, and amended, once for all of them.
#[tokio::test(start_paused = true)]
async fn edits_in_one_moment_are_numbered_in_their_order() {
    let stage = Stage::new("wrong", |_| {}).await;
    let answers = tokio::join!(stage.edit(NEW, "wrong a"), stage.edit(NEW, "wrong b"), stage.edit(NEW, "right"));
    assert_eq!(answers, (Ok(()), Ok(()), Ok(())));
    settle().await;
    assert_eq!(edits(&stage.log), [(1, None), (2, None), (3, Some("right".to_owned()))]);
    assert_eq!((stage.shown(NEW.next()).await, &*row(&stage.log, NEW)), (right(3), "right"));
}

#[tokio::test(start_paused = true)]
async fn what_was_edited_and_taken_back_is_nowhere_in_the_log() {
    let stage = Stage::new("wrong", |_| {}).await;
    for target in [OLD, NEW] {
        assert_eq!(stage.edit(target, "wrong again").await, Ok(()));
    }
    settle().await;
    stage.redact(OLD).await.expect("it is hers");
    settle().await;
    assert_eq!(edits(&stage.log), [(1, None), (1, Some("wrong again".to_owned()))]);
    refusal(stage.ann.call(Command::redact_all(code(), MemberId(1))).await).expect("she owns the room");
    settle().await;
    assert_eq!(edits(&stage.log), [(1, None), (1, None)]);
    assert!(!has(&stage.log, "wrong") && !has(&stage.log, "x0"));
    assert_eq!(stage.edit(OLD, "back").await, Err(RejectCode::MessageNotFound));
}

/// A process that ends before the log could be amended, and one whose log cannot be amended at all.
#[tokio::test(start_paused = true)]
async fn an_edit_is_shown_after_a_restart_over_a_log_that_was_never_amended() {
    let stage = Stage::new("wrong", |_| {}).await;
    stage.log.plan(fails(&[Operation::Amend]));
    for (target, said) in [(OLD, "wrong again"), (OLD, "right"), (NEW, "right"), (Seq(32), "wrong too")] {
        assert_eq!(stage.edit(target, said).await, Ok(()));
    }
    stage.redact(Seq(32)).await.expect("it is hers");
    let log = stage.end().await;
    let engine = engine_with(&log, |limits| limits.room.backlog_events_max = 16);
    let mut cid = connect(&engine, None).await;
    cid.call(Command::join(code(), nick("Cid")).with_history(2)).await.expect("the room is there");
    let shown = support::joined(&mut cid).await.history;
    let shown: Vec<_> = shown.iter().map(|message| (&*message.frame().text, message.frame().edited)).collect();
    assert_eq!(shown, [("", 0), ("right", 1)]);
    let oldest = cid.call(Command::history(code()).with_before(OLD.next())).await.expect("he is in");
    assert_eq!(newest(oldest), Some(right(2)));
    assert!(has(&log, "wrong"), "the log still says it");
    log.heal();
    pass(Duration::from_secs(6)).await;
    assert!(!has(&log, "wrong"), "and is made to forget it");
    assert_eq!((row(&log, OLD), row(&log, NEW), row(&log, Seq(32))), ("right".into(), "right".into(), String::new()));
}

/// The answer of the log is lost, or nothing was done: it is amended again, and says the same.
#[tokio::test(start_paused = true)]
async fn a_log_that_is_amended_twice_for_an_edit_says_it_once() {
    for outcome in [Outcome::Fails, Outcome::AnswerLost, Outcome::NotDone] {
        let stage = Stage::new("wrong", |_| {}).await;
        stage.log.push(Operation::Amend, outcome);
        for said in ["wrong again", "right"] {
            assert_eq!(stage.edit(OLD, said).await, Ok(()));
            settle().await;
        }
        pass(Duration::from_secs(6)).await;
        assert_eq!((row(&stage.log, OLD), has(&stage.log, "wrong")), ("right".to_owned(), false), "{outcome:?}");
        assert_eq!(edits(&stage.log), [(1, None), (2, Some("right".to_owned()))], "{outcome:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_log_that_cannot_be_read_lets_nothing_be_edited_that_only_it_has() {
    let stage = Stage::new("wrong", |_| {}).await;
    stage.log.push(Operation::Messages, Outcome::Fails);
    assert_eq!(stage.edit(OLD, "right").await, Err(RejectCode::Unavailable));
    assert_eq!(stage.edit(NEW, "right").await, Ok(()), "the backlog has it");
    assert_eq!(stage.edit(OLD, "right").await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn no_more_is_edited_than_can_be_masked_while_the_log_is_not_amended() {
    let stage = Stage::new("wrong", |limits| limits.room.owed_max = 2).await;
    stage.log.plan(fails(&[Operation::Amend]));
    assert_eq!((stage.edit(OLD, "one").await, stage.edit(OLD, "two").await), (Ok(()), Ok(())));
    assert_eq!(stage.edit(OLD, "three").await, Err(RejectCode::Unavailable));
    assert_eq!(stage.redact(NEW).await, Err(RejectCode::Unavailable));
    assert_eq!(stage.shown(OLD.next()).await, ("two".to_owned(), 2));
    stage.log.heal();
    pass(Duration::from_secs(6)).await;
    assert_eq!((stage.edit(OLD, "right").await, stage.shown(OLD.next()).await), (Ok(()), right(3)));
}

/// The texts of edits are held until the log has them: so many bytes, and no more.
#[tokio::test(start_paused = true)]
async fn edits_that_the_log_has_not_taken_are_bounded_in_bytes() {
    let stage = Stage::new("wrong", |limits| limits.room.owed_bytes_max = 5_000).await;
    stage.log.plan(fails(&[Operation::Amend]));
    let long = "y".repeat(4_000);
    assert_eq!(stage.edit(OLD, &long).await, Ok(()));
    assert_eq!(stage.edit(NEW, &long).await, Err(RejectCode::Unavailable));
    assert_eq!(stage.edit(NEW, "short").await, Ok(()));
    stage.log.heal();
    pass(Duration::from_secs(6)).await;
    assert_eq!(stage.edit(NEW, &long).await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn a_retry_of_an_edit_is_known_after_a_restart() {
    let stage = Stage::new("wrong", |_| {}).await;
    let token = stage.ann.token();
    let edit = || Command::edit(code(), OLD, text("right")).with_key(Key::parse("e1").ok());
    let Ok(ServerFrame::Ack { seq: first, .. }) = stage.ann.call(edit()).await else { panic!("she may") };
    stage.say("meanwhile").await;
    let log = stage.end().await;
    let engine = engine_with(&log, |_| {});
    let position = Position { epoch: epoch(&log), seq: Seq(1) };
    let (ann, _) = come_back(&engine, &token, Some(position)).await;
    let Ok(ServerFrame::Ack { seq: again, .. }) = ann.call(edit()).await else { panic!("it was done") };
    assert_eq!((first, again), (Seq(34), Seq(34)));
    assert_eq!(edits(&log), [(1, Some("right".to_owned()))]);
}

/// A code that is guessed is a guess, whatever is to be changed in the room.
#[tokio::test(start_paused = true)]
async fn nothing_is_changed_in_a_room_that_is_not_there_and_naming_it_is_a_guess() {
    for command in [Command::edit(code(), OLD, text("right")), Command::redact(code(), OLD)] {
        let engine = engine_with(&log(), |limits| limits.session.miss_burst = 2);
        let eve = connect(&engine, None).await;
        for expected in [RejectCode::RoomNotFound, RejectCode::RoomNotFound, RejectCode::RateLimited] {
            assert_eq!(refusal(eve.call(command.clone()).await), Err(expected), "{command:?}");
        }
    }
}

/// What others said is taken back around it, and it is reacted to: it says the same as in the log.
#[tokio::test(start_paused = true)]
async fn an_old_message_is_edited_while_the_log_is_not_amended_for_what_leaves_it_as_it_is() {
    let stage = Stage::new("wrong", |_| {}).await;
    stage.log.plan(fails(&[Operation::Amend]));
    stage.bob.call(Command::send(code(), text("spam"))).await.expect("he may");
    stage.ann.call(Command::redact_all(code(), MemberId(2))).await.expect("she owns the room");
    let heart = ReactionName::parse("heart").expect("valid");
    stage.ann.call(Command::react(code(), OLD, heart)).await.expect("she may");
    assert_eq!(stage.edit(OLD, "right").await, Ok(()));
    assert_eq!(stage.shown(OLD.next()).await, right(1));
}

/// Which messages were changed is forgotten, and the log shows them as they were.
#[tokio::test(start_paused = true)]
async fn an_old_message_that_may_have_changed_is_not_edited_before_the_log_is_amended() {
    let stage = Stage::new("wrong", |limits| limits.room.changes_max = 0).await;
    stage.log.plan(fails(&[Operation::Amend]));
    stage.redact(NEW).await.expect("it is hers");
    let refused = stage.ann.call(Command::edit(code(), OLD, text("right"))).await.expect_err("nobody knows");
    assert_eq!((refused.code, refused.retry_after), (RejectCode::Unavailable, Some(Duration::from_secs(1))));
    stage.log.heal();
    pass(Duration::from_secs(6)).await;
    assert_eq!((stage.edit(OLD, "right").await, stage.shown(OLD.next()).await), (Ok(()), right(1)));
}
