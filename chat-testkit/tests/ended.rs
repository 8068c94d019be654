//! Sessions that were ended, over a log: remembered over restarts, and where the log fails nobody comes back unseen.

mod support;

use chat_core::{CloseReason, Command, Hello, RejectCode, Resume};
use chat_testkit::logs::{Operation, Outcome};
use support::{builder, connect, engine, log, seconds, settle};

fn resume(token: &str) -> Option<Resume> {
    Some(Resume { token: token.to_owned(), positions: Vec::new() })
}

#[tokio::test(start_paused = true)]
async fn an_ended_session_stays_ended_over_a_restart() {
    let log = log();
    let token = {
        let engine = engine(&log);
        let ann = connect(&engine, None).await;
        ann.call(Command::end()).await.expect("everybody may");
        ann.token()
    };
    settle().await;
    let engine = engine(&log);
    let again = connect(&engine, resume(&token)).await;
    assert_ne!(again.token().split('.').next(), token.split('.').next(), "a new session");
    // The log is asked once.
    connect(&engine, resume(&token)).await;
    assert_eq!(log.calls(Operation::Ended), 1);
}

#[tokio::test(start_paused = true)]
async fn an_end_that_cannot_be_remembered_changes_nothing() {
    let log = log();
    let engine = engine(&log);
    let ann = connect(&engine, None).await;
    log.push(Operation::PutEnded, Outcome::Fails);
    let refused = ann.call(Command::end()).await.expect_err("the log cannot be written");
    assert_eq!(refused.code, RejectCode::Unavailable);
    let (id, token) = (ann.session_id(), ann.token());
    drop(ann);
    let ann = connect(&engine, resume(&token)).await;
    assert_eq!(ann.session_id(), id, "it goes on");
    ann.call(Command::end()).await.expect("the log can be written again");
    drop(ann);
    assert_ne!(connect(&engine, resume(&token)).await.session_id(), id);
}

#[tokio::test(start_paused = true)]
async fn nobody_comes_back_while_it_is_not_known_who_was_ended() {
    let log = log();
    let token = connect(&engine(&log), None).await.token();
    settle().await;
    let engine = builder(&log).build();
    log.push(Operation::Ended, Outcome::Fails);
    let hello = Hello { id: None, resume: resume(&token) };
    let refusal = engine.connect(Default::default(), hello).await.expect_err("it may have been ended");
    assert_eq!((refusal.close, refusal.reject.code), (CloseReason::Fault, RejectCode::Unavailable));
    assert!(refusal.reconnect_after.is_some(), "and may not");
    connect(&engine, None).await;
    seconds(1).await;
    let ann = connect(&engine, resume(&token)).await;
    assert_eq!(ann.token().split('.').next(), token.split('.').next());
}
