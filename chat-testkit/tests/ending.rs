//! How an engine ends: by being dropped, and with its runtime, while a room waits for its log.

mod support;

use std::time::Duration;

use chat_core::{CloseReason, Command, Engine, RejectCode, Reply, Resume, ServerFrame};
use chat_testkit::logs::{Fault, Operation, Outcome};
use support::{code, connect, engine, founder, join, log, newcomer, say, seconds, settle};
use tokio::runtime::{Builder, Runtime};
use tokio::time::Instant;

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime needs nothing")
}

#[test]
fn whoever_has_something_in_a_batch_that_nobody_finishes_is_told_at_once() {
    // Two on one thread: the engine has the one, and its clients, on the other, go on when that has ended.
    let (its_own, clients) = (runtime(), runtime());
    let log = log();
    let (engine, ann, mut bob, dan) = its_own.block_on(async {
        let engine = engine(&log);
        let ann = founder(&engine).await;
        let (bob, dan) = (newcomer(&engine, "Bob").await, newcomer(&engine, "Dan").await);
        let token = dan.token();
        drop(dan);
        settle().await;
        (engine, ann, bob, token)
    });
    log.push(Operation::Append, Fault::stalled(Outcome::Done));
    let (said, left, came, back) = clients.block_on(async {
        let said = tokio::spawn(async move { say(&ann, "hi", "k").await });
        let (reply, left) = Reply::channel(None);
        bob.submit(Command::leave(code()), reply).expect("few are in flight");
        let eve = connect(&engine, None).await;
        let came = tokio::spawn(async move { join(&eve, "Eve").await });
        let (engine, resume) = (engine.clone(), Resume { token: dan, positions: Vec::new() });
        let back = tokio::spawn(async move { connect(&engine, Some(resume)).await.next().await });
        settle().await;
        (said, left, came, back)
    });
    its_own.block_on(settle());
    assert_eq!(log.stalled(), 1, "all of it waits for the log");
    drop(its_own);
    clients.block_on(async {
        let begun = Instant::now();
        assert_eq!(said.await.expect("no panic"), Err(RejectCode::Unavailable));
        assert!(left.await.is_err(), "nobody knows");
        let reject = came.await.expect("no panic").expect_err("nobody knows");
        assert_eq!(reject.code, RejectCode::Unavailable);
        let is_end = |frame: &ServerFrame| matches!(frame, ServerFrame::Closing { code, .. } if *code == CloseReason::Fault.code());
        // They come back, and learn whether they have left or are in.
        while !is_end(&bob.next().await) {}
        assert!(is_end(&back.await.expect("no panic")));
        assert_eq!(begun.elapsed(), Duration::ZERO);
    });
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_is_gone_leaves_no_task_behind() {
    let alive = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    for has_log in [false, true] {
        let engine = if has_log { engine(&log()) } else { Engine::builder().build() };
        let ann = founder(&engine).await;
        let bob = newcomer(&engine, "Bob").await;
        seconds(5).await;
        assert!(alive() > 0, "what wakes rooms and connections");
        drop((ann, bob));
        settle().await;
        // It waits for graces now.
        drop(engine);
        settle().await;
        assert_eq!(alive(), 0, "with a log: {has_log}");
    }
}
