//! Messages whose records retention has cut, and which the backlog still has: what is edited or taken back says nothing in what is kept.

mod support;

use std::sync::Arc;

use chat_core::{Command, Connection, Engine, Event, Log, MemberId, Offset, Position, Seq};
use chat_testkit::logs::MemoryLog;
use support::bent::BentLog;
use support::{code, engine_with, founder, say, settle, text};

/// The message, and one beside it that is kept.
const CUT: Seq = Seq(2);
const KEPT: Seq = Seq(3);

/// A log that has cut the message, and whatever has been said of it since is there.
fn cut(memory: &Arc<MemoryLog>) -> Arc<BentLog> {
    let without = |records: Vec<chat_core::Record>| records.into_iter().filter(|record| record.seq != Some(CUT));
    Arc::new(
        BentLog::new(memory)
            .messages(move |records| without(records).collect())
            .messages_after(move |records| without(records).collect()),
    )
}

async fn stage(memory: &Arc<MemoryLog>, change: impl FnOnce(&mut chat_core::Limits)) -> (Engine, Connection) {
    let engine = engine_with(&cut(memory), |limits| {
        limits.lift_rates();
        change(limits);
    });
    let ann = founder(&engine).await;
    assert_eq!(say(&ann, "zero", "k1").await, Ok(CUT));
    assert_eq!(say(&ann, "zero", "k2").await, Ok(KEPT));
    (engine, ann)
}

async fn edit(ann: &Connection, target: Seq, said: &str) {
    ann.call(Command::edit(code(), target, text(said))).await.expect("it is hers, and the backlog has it");
}

/// What the log still says in each edit.
fn edits(memory: &MemoryLog) -> Vec<Option<String>> {
    let edits = memory.records(&code()).into_iter().filter_map(|record| match record.event {
        Event::Edited { content, .. } => Some(content.map(|content| content.text.as_str().to_owned())),
        _ => None,
    });
    edits.collect()
}

fn said(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[tokio::test(start_paused = true)]
async fn a_later_edit_leaves_nothing_of_the_earlier_ones() {
    for target in [CUT, KEPT] {
        let memory = Arc::new(MemoryLog::new());
        let (_engine, ann) = stage(&memory, |_| {}).await;
        for text in ["one", "two", "three"] {
            edit(&ann, target, text).await;
            settle().await;
        }
        assert_eq!(edits(&memory), [None, None, said("three")], "{target}");
    }
}

/// In one moment, and with another message between them.
#[tokio::test(start_paused = true)]
async fn edits_of_one_moment_leave_the_last_alone() {
    let memory = Arc::new(MemoryLog::new());
    let (_engine, ann) = stage(&memory, |_| {}).await;
    edit(&ann, CUT, "one").await;
    settle().await;
    tokio::join!(edit(&ann, CUT, "two"), edit(&ann, KEPT, "other"), edit(&ann, CUT, "three"));
    settle().await;
    assert_eq!(edits(&memory), [None, None, said("other"), said("three")]);
}

#[tokio::test(start_paused = true)]
async fn what_is_taken_back_leaves_nothing_of_any_edit() {
    let all = || Command::redact_all(code(), MemberId(1));
    for taken_back in [Command::redact(code(), CUT), all()] {
        for settles in [true, false] {
            let memory = Arc::new(MemoryLog::new());
            let (_engine, ann) = stage(&memory, |_| {}).await;
            edit(&ann, CUT, "one").await;
            settle().await;
            if settles {
                edit(&ann, CUT, "two").await;
                settle().await;
                ann.call(taken_back.clone()).await.expect("it is hers");
            } else {
                let (_, taken) = tokio::join!(edit(&ann, CUT, "two"), ann.call(taken_back.clone()));
                taken.expect("it is hers");
            }
            settle().await;
            assert_eq!(edits(&memory), [None, None], "{taken_back:?}");
        }
    }
}

/// A process that ends in between: the next one knows what was edited before, as far as the ledger does.
#[tokio::test(start_paused = true)]
async fn what_was_edited_before_a_restart_is_forgotten_by_what_comes_after_it() {
    let memory = Arc::new(MemoryLog::new());
    let (engine, ann) = stage(&memory, |_| {}).await;
    let token = ann.token();
    let tail = memory.read(&code(), None, Offset(0), 0).await.expect("it can be read").tail;
    let position = Position { epoch: tail.epoch.expect("it is there"), seq: KEPT };
    edit(&ann, CUT, "one").await;
    settle().await;
    drop((ann, engine));
    settle().await;
    // The records are all there: the backlog of the next process has the message, and its log does not show it.
    let engine = engine_with(&cut(&memory), |limits| limits.lift_rates());
    let (ann, _) = support::come_back(&engine, &token, Some(position)).await;
    edit(&ann, CUT, "two").await;
    settle().await;
    assert_eq!(edits(&memory), [None, said("two")]);
    ann.call(Command::redact(code(), CUT)).await.expect("it is hers");
    settle().await;
    assert_eq!(edits(&memory), [None, None]);
}
