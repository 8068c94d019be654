//! Sessions that were ended, over a log: remembered over restarts, and where the log fails nobody comes back unseen.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use chat_core::{
    Admission, BanTerms, Clock, CloseReason, Command, ConnectRequest, Connection, Engine, Extent, Hello, Identity, Log,
    MemberId, Mono, Now, Policy, Reject, RejectCode, Resume, SystemClock, Wall,
};
use chat_testkit::logs::{Delay, Fault, Operation, Outcome};
use support::{
    builder, code, connect, engine, engine_with, fails, founder, log, newcomer, next_left, seconds, settle, submit,
    text,
};
use tokio::time::{Instant, timeout};

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
    connect(&engine, resume(&token)).await;
    assert_eq!(log.calls(Operation::Ended), 2, "each engine asks once");
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
    let hello = Hello { resume: resume(&token), ..Hello::default() };
    let refusal = engine.connect(Default::default(), hello).await.expect_err("it may have been ended");
    assert_eq!((refusal.close, refusal.reject.code), (CloseReason::Fault, RejectCode::Unavailable));
    assert!(refusal.reconnect_after.is_some(), "and may not");
    connect(&engine, None).await;
    seconds(1).await;
    let ann = connect(&engine, resume(&token)).await;
    assert_eq!(ann.token().split('.').next(), token.split('.').next());
}

/// Everybody is who their credentials say.
struct ByCredentials;

#[async_trait]
impl Policy for ByCredentials {
    async fn admit(&self, request: &ConnectRequest) -> Result<Admission, Reject> {
        Ok(Admission::of(request.credentials.as_deref().and_then(Identity::new)))
    }
}

/// Ann connects, or comes back.
async fn ann(engine: &Engine, token: Option<&str>) -> Connection {
    let request = ConnectRequest { credentials: Some("ann".to_owned()), ..ConnectRequest::default() };
    let hello = Hello { resume: token.and_then(resume), ..Hello::default() };
    engine.connect(request, hello).await.expect("everybody is let in")
}

#[tokio::test(start_paused = true)]
async fn all_sessions_of_a_person_are_ended_also_those_of_which_only_a_token_is_left() {
    let log = log();
    // Each server is of the day after the last: within one millisecond nobody knows what began later.
    let start = |day| {
        let clock = Arc::new(DatedClock(SystemClock::new(), AtomicU64::new(day)));
        builder(&log).policy(Arc::new(ByCredentials)).clock(clock).build()
    };
    let engine = start(20_000);
    let [phone, laptop] = [ann(&engine, None).await.token(), ann(&engine, None).await.token()];
    drop(engine);
    settle().await;
    let engine = start(20_001);
    let new = ann(&engine, None).await;
    new.call(Command::end().with_extent(Extent::Person)).await.expect("everybody may");
    let tokens = [phone, laptop, new.token()];
    drop(new);
    let later = ann(&engine, None).await.token();
    for token in &tokens {
        assert_ne!(session(ann(&engine, Some(token)).await.token()), session(token.clone()));
    }
    drop(engine);
    settle().await;
    let engine = start(20_002);
    for token in &tokens {
        assert_ne!(session(ann(&engine, Some(token)).await.token()), session(token.clone()), "on the next server too");
    }
    assert_eq!(session(ann(&engine, Some(&later)).await.token()), session(later), "what began later goes on");
}

fn session(token: String) -> String {
    token.split('.').next().expect("a session").to_owned()
}

#[tokio::test(start_paused = true)]
async fn where_the_log_hangs_nobody_waits_for_somebody_else_to_give_up() {
    let log = log();
    let token = connect(&engine(&log), None).await.token();
    settle().await;
    let engine = builder(&log).build();
    log.push(Operation::Ended, Fault { before: Delay::UntilReleased, ..Fault::default() });
    let begun = Instant::now();
    let tries = (0..20).map(|_| {
        let (engine, hello) = (engine.clone(), Hello { resume: resume(&token), ..Hello::default() });
        tokio::spawn(async move { engine.connect(ConnectRequest::default(), hello).await.map(drop) })
    });
    for one in tries.collect::<Vec<_>>() {
        let refusal = one.await.expect("no panic").expect_err("nobody knows whether it was ended");
        assert_eq!(refusal.close, CloseReason::Fault);
    }
    assert!(begun.elapsed().as_secs() < 3, "{:?}", begun.elapsed());
    assert_eq!(log.calls(Operation::Ended), 1, "one look for all");
    log.release_all();
    settle().await;
    let back = connect(&engine, resume(&token)).await;
    assert_eq!(session(back.token()), session(token), "it has gone on meanwhile");
    assert_eq!(log.calls(Operation::Ended), 1);
}

#[tokio::test(start_paused = true)]
async fn an_end_does_not_wait_for_a_room_whose_log_hangs() {
    let log = log();
    let engine = engine(&log);
    let mut host = founder(&engine).await;
    let guest = newcomer(&engine, "Bob").await;
    let token = guest.token();
    log.push(Operation::Append, Fault { before: Delay::UntilReleased, ..Fault::default() });
    guest.call(Command::end()).await.expect("the room is not asked");
    drop(guest);
    settle().await;
    assert_ne!(session(connect(&engine, resume(&token)).await.token()), session(token));
    assert_eq!(log.release_all(), 1);
    assert_eq!(next_left(&mut host).await, ("Bob".to_owned(), "left".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn who_cannot_leave_because_the_log_fails_goes_by_the_grace() {
    let log = log();
    let engine = engine(&log);
    let mut host = founder(&engine).await;
    let guest = newcomer(&engine, "Bob").await;
    let (id, token) = (guest.session_id(), guest.token());
    drop(guest);
    settle().await;
    log.plan(fails(&[Operation::Append]));
    engine.end_by_token(&ConnectRequest::default(), id, &token, Extent::Session).await.expect("that can be written");
    settle().await;
    seconds(10).await;
    assert!(log.faults(Operation::Append) > 0, "the leave has failed");
    log.heal();
    assert_eq!(next_left(&mut host).await, ("Bob".to_owned(), "timeout".to_owned()));
}

/// The room reads few commands at a time: half of what it takes to end a session must not be read before an outage, and half lost in it.
#[tokio::test(start_paused = true)]
async fn who_is_ended_while_the_log_is_out_of_reach_is_not_there_for_ever() {
    let log = log();
    let engine = engine_with(&log, |limits| limits.room.batch_inputs_max = 2);
    let mut host = founder(&engine).await;
    let _cid = newcomer(&engine, "Cid").await;
    let guest = newcomer(&engine, "Bob").await;
    let (id, token) = (guest.session_id(), guest.token());
    drop(guest);
    settle().await;
    log.push(Operation::Append, Fault { before: Delay::UntilReleased, ..Fault::default() });
    let said = submit(&host, Command::send(code(), text("one")));
    settle().await;
    // Two records fill a batch: what follows it waits.
    let terms = BanTerms::default().with_sweep();
    let banned = submit(&host, Command::ban(code(), MemberId(2)).with_terms(terms));
    engine.end_by_token(&ConnectRequest::default(), id, &token, Extent::Session).await.expect("the room is not asked");
    settle().await;
    log.plan(fails(&[Operation::Append, Operation::Read]));
    assert_eq!(log.release_all(), 1);
    seconds(5).await;
    log.heal();
    for answer in [said, banned] {
        assert!(answer.await.expect("the room is there").reject.is_none(), "the log is back");
    }
    let goes = async { while next_left(&mut host).await.0 != "Bob" {} };
    timeout(Duration::from_secs(120), goes).await.expect("nobody is there for ever");
}

#[tokio::test(start_paused = true)]
async fn what_the_log_remembers_counts_and_nothing_is_forgotten_for_another() {
    let log = log();
    let start = || engine_with(&log, |limits| limits.engine.ended_max = 2);
    let engine = start();
    let mut tokens = Vec::new();
    for _ in 0..2 {
        let one = connect(&engine, None).await;
        tokens.push(one.token());
        one.call(Command::end()).await.expect("there is a place");
    }
    drop(engine);
    settle().await;
    let engine = start();
    let one = connect(&engine, None).await;
    let refused = one.call(Command::end()).await.expect_err("there is no place left");
    assert_eq!((refused.code, refused.limit), (RejectCode::AtCapacity, Some(2)));
    for token in tokens {
        assert_ne!(session(connect(&engine, resume(&token)).await.token()), session(token));
    }
    assert_eq!((log.calls(Operation::PutEnded), engine.stats().ended), (2, 2));
}

const DAY: u64 = 86_400_000;

/// A clock whose day a test sets.
struct DatedClock(SystemClock, AtomicU64);

impl Clock for DatedClock {
    fn now(&self) -> Now {
        Now { wall: Wall(self.1.load(Ordering::SeqCst) * DAY), mono: self.0.now().mono }
    }

    fn instant(&self, mono: Mono) -> tokio::time::Instant {
        self.0.instant(mono)
    }
}

#[tokio::test(start_paused = true)]
async fn all_sessions_of_a_person_are_ended_also_one_that_a_server_gave_whose_clock_was_ahead() {
    let log = log();
    let start = |day| {
        let clock = Arc::new(DatedClock(SystemClock::new(), AtomicU64::new(day)));
        let engine = builder(&log).policy(Arc::new(ByCredentials)).clock(Arc::clone(&clock) as _).build();
        (clock, engine)
    };
    let (_, engine) = start(20_002);
    let phone = ann(&engine, None).await.token();
    drop(engine);
    settle().await;

    let (clock, engine) = start(20_000);
    let back = ann(&engine, Some(&phone)).await;
    assert_eq!(session(back.token()), session(phone.clone()), "its id names a later time than now");
    let laptop = ann(&engine, None).await;
    laptop.call(Command::end().with_extent(Extent::Person)).await.expect("everybody may");
    drop((back, laptop));
    // That time comes, and is believed.
    clock.1.store(20_003, Ordering::SeqCst);
    connect(&engine, None).await;
    seconds(601).await;
    assert_ne!(session(ann(&engine, Some(&phone)).await.token()), session(phone));
}

#[tokio::test(start_paused = true)]
async fn an_end_is_forgotten_once_it_is_over_by_a_clock_that_is_believed() {
    let log = log();
    let start = |day| {
        let clock = Arc::new(DatedClock(SystemClock::new(), AtomicU64::new(day)));
        builder(&log).clock(Arc::clone(&clock) as _).build()
    };
    let engine = start(20_000);
    let one = connect(&engine, None).await;
    let token = one.token();
    one.call(Command::end()).await.expect("everybody may");
    drop((engine, one));
    settle().await;

    // A server whose clock is ahead for a moment.
    let engine = start(30_000);
    let other = connect(&engine, None).await;
    other.call(Command::end()).await.expect("everybody may");
    assert_eq!(log.ended().await.map(|all| all.len()), Ok(2), "nobody knows that it is over");
    drop((engine, other));
    settle().await;
    let engine = start(20_001);
    assert_ne!(session(connect(&engine, resume(&token)).await.token()), session(token));
    drop(engine);
    settle().await;

    let engine = start(20_032);
    let other = connect(&engine, None).await;
    seconds(601).await;
    other.call(Command::end()).await.expect("everybody may");
    let left = log.ended().await.expect("the log works");
    assert_eq!((left.len(), engine.stats().ended), (2, 2), "the one from the future, and the last: {left:?}");
}
