//! A text that is shown while it grows, and an edit that another writer of the room has made, or whose outcome nobody knows for a while.

mod support;

use std::sync::Arc;
use std::time::Duration;

use chat_core::wire::{Joined, Status};
use chat_core::{Command, Connection, Engine, Log, Offset, Position, Seq, ServerFrame};
use chat_testkit::logs::{Fault, FaultyLog, MemoryLog, Operation, Outcome};
use support::bent::BentLog;
use support::{
    code, come_back, engine, fails, founder, join, newcomer, nick, say, seconds, settle, submit, take, text,
};

/// The message that grows.
const GROWS: Seq = Seq(3);

struct Stage {
    log: Arc<FaultyLog<BentLog>>,
    engine: Engine,
    /// The same room, as another process knows it.
    other: Engine,
    ann: Connection,
    bob: Connection,
}

impl Stage {
    /// Ann's message grows, and both have been told so.
    async fn new() -> Self {
        let memory = Arc::new(MemoryLog::new());
        let log = Arc::new(FaultyLog::new(BentLog::new(&memory)));
        let (engine, other) = (engine(&log), engine(&Arc::new(BentLog::new(&memory))));
        let ann = founder(&engine).await;
        let bob = newcomer(&engine, "Bob").await;
        let stage = Self { log, engine, other, ann, bob };
        assert_eq!(say(&stage.ann, "start", "k1").await, Ok(GROWS));
        stage.ann.call(live("half")).await.expect("it is hers");
        for session in [&stage.ann, &stage.bob] {
            assert_eq!(told(session).await.last().map(String::as_str), Some("3~half"));
        }
        stage
    }

    /// Ann edits the message there.
    async fn edit_elsewhere(&self, said: &str) {
        let ann = self.ann_elsewhere().await;
        ann.call(Command::edit(code(), GROWS, text(said))).await.expect("it is hers");
    }

    async fn ann_elsewhere(&self) -> Connection {
        let tail = self.log.read(&code(), None, Offset(0), 0).await.expect("it can be read").tail;
        let position = Position { epoch: tail.epoch.expect("it is there"), seq: GROWS };
        let (ann, status) = come_back(&self.other, &self.ann.token(), Some(position)).await;
        assert_eq!(status.status, Status::Live, "it is read there that she is a member");
        ann
    }
}

fn live(said: &str) -> Command {
    Command::live(code(), GROWS, text(said))
}

/// Everything that is due, in few words: `3~half` of what grows, `3~` of what does not any more.
async fn told(session: &Connection) -> Vec<String> {
    let mut all = Vec::new();
    loop {
        settle().await;
        let due = take(session);
        if due.is_empty() {
            return all;
        }
        all.extend(due.iter().filter_map(in_words));
    }
}

fn in_words(frame: &ServerFrame) -> Option<String> {
    match frame {
        ServerFrame::Live { target, text, .. } => Some(format!("{target}~{}", text.as_deref().unwrap_or_default())),
        ServerFrame::Edited { seq, text: Some(text), .. } => Some(format!("{seq} now {text}")),
        ServerFrame::Message(message) => Some(format!("{} {}", message.seq, message.text)),
        ServerFrame::MemberJoined { seq, nick, .. } => Some(format!("{seq} +{nick}")),
        ServerFrame::Joined(joined) => Some(format!("joined {}", said(joined).join(" "))),
        _ => None,
    }
}

fn said(joined: &Joined) -> Vec<String> {
    joined.history.iter().map(|message| message.frame().text.clone()).collect()
}

/// What was written there is told before what is asked here has been written, and with it goes what grew before it.
#[tokio::test(start_paused = true)]
async fn it_ends_for_every_reader_with_an_edit_that_another_writer_has_made() {
    let stage = Stage::new().await;
    stage.edit_elsewhere("whole").await;
    for session in [&stage.ann, &stage.bob] {
        assert_eq!(told(session).await, Vec::<String>::new(), "nobody knows of it here");
    }
    stage.log.push(Operation::Append, Outcome::Done);
    stage.log.push(Operation::Append, Fault::stalled(Outcome::Done));
    let cid = support::connect(&stage.engine, None).await;
    take(&cid);
    let entered = submit(&cid, Command::join(code(), nick("Cid")));
    let answer = submit(&stage.bob, Command::send(code(), text("next")));
    for session in [&stage.ann, &stage.bob] {
        assert_eq!(told(session).await, ["4 now whole", "3~"], "the text that grew goes after what took its place");
    }
    assert_eq!(told(&cid).await, Vec::<String>::new(), "it is not written yet that he is in");
    let dan = support::connect(&stage.engine, None).await;
    take(&dan);
    let later = submit(&dan, Command::join(code(), nick("Dan")));
    assert_eq!(stage.log.release_all(), 1);
    assert!(entered.await.expect("it is answered").reject.is_none());
    assert!(answer.await.expect("it is answered").reject.is_none());
    assert!(later.await.expect("it is answered").reject.is_none());
    assert_eq!(told(&cid).await, ["joined whole", "6 next", "7 +Dan"], "of no end of what he was not told");
    assert_eq!(told(&dan).await, ["joined whole next"]);
    assert_eq!(told(&stage.bob).await, ["5 +Cid", "6 next", "7 +Dan"]);

    stage.ann.call(live("whole and")).await.expect("it grows again");
    seconds(1).await;
    for session in [&stage.ann, &stage.bob, &cid, &dan] {
        assert_eq!(told(session).await.last().map(String::as_str), Some("3~whole and"));
    }
}

/// Nobody knows what became of what was asked here, and it is found that another writer was first.
#[tokio::test(start_paused = true)]
async fn so_it_does_where_the_outcome_of_an_append_is_not_known_for_a_while() {
    let stage = Stage::new().await;
    stage.edit_elsewhere("whole").await;
    stage.log.push(Operation::Append, Outcome::NotDone);
    stage.log.plan(fails(&[Operation::Read]));
    let answer = submit(&stage.bob, Command::send(code(), text("next")));
    seconds(2).await;
    for session in [&stage.ann, &stage.bob] {
        assert_eq!(told(session).await, Vec::<String>::new(), "nobody knows");
    }
    stage.log.heal();
    seconds(6).await;
    assert!(answer.await.expect("it is answered").reject.is_none());
    for session in [&stage.ann, &stage.bob] {
        assert_eq!(told(session).await, ["4 now whole", "5 next", "3~"]);
    }
    let cid = newcomer(&stage.engine, "Cid").await;
    assert_eq!(told(&cid).await, ["joined whole next"]);
}

/// Her own, here.
#[tokio::test(start_paused = true)]
async fn it_ends_with_an_edit_whose_answer_was_lost_once_that_is_known_to_be_written() {
    for outcome in [Outcome::AnswerLost, Outcome::NotDone] {
        let stage = Stage::new().await;
        stage.log.push(Operation::Append, outcome);
        stage.log.plan(fails(&[Operation::Read]));
        let answer = submit(&stage.ann, Command::edit(code(), GROWS, text("whole")));
        seconds(2).await;
        for session in [&stage.ann, &stage.bob] {
            assert_eq!(told(session).await, Vec::<String>::new(), "{outcome:?}: nobody knows");
        }
        stage.log.heal();
        seconds(6).await;
        assert!(answer.await.expect("it is answered").reject.is_none(), "{outcome:?}");
        for session in [&stage.ann, &stage.bob] {
            assert_eq!(told(session).await, ["4 now whole", "3~"], "{outcome:?}");
        }
        let cid = newcomer(&stage.engine, "Cid").await;
        assert_eq!(told(&cid).await, ["joined whole"], "{outcome:?}");
    }
}

/// What another writer has edited before what grows here was begun is another text.
#[tokio::test(start_paused = true)]
async fn what_grows_goes_on_with_what_another_writer_says_of_other_messages() {
    let stage = Stage::new().await;
    let ann = stage.ann_elsewhere().await;
    let other = say(&ann, "elsewhere", "k9").await.expect("she is in");
    ann.call(Command::edit(code(), other, text("put right"))).await.expect("it is hers");
    join(&support::connect(&stage.engine, None).await, "Cid").await.expect("he may");
    let shown = told(&stage.bob).await;
    assert!(!shown.contains(&"3~".to_owned()), "{shown:?}");
    stage.ann.call(live("half and more")).await.expect("it grows");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(told(&stage.bob).await, ["3~half and more"]);
}
