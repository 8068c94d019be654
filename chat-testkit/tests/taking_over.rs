//! Takeovers, kicks and bans while the log is out of order: nobody is left half in a room, and nobody stays in it for ever.

mod support;

use std::time::Duration;

use chat_core::wire::{RemovalReason, Status};
use chat_core::{BanTerms, Command, ConnectRequest, Connection, Engine, Hello, MemberId, Moderation, RejectCode, Seq};
use chat_testkit::logs::{Operation, Outcome};
use support::{
    TestLog, code, come_back, connect, engine, engine_with, fails, founder, join, log, newcomer, next_left, nick, say,
    seconds, settle, try_to_come_back,
};
use tokio::time::timeout;

const WRITE_AND_READ: &[Operation] = &[Operation::Append, Operation::Read];

/// Whether Bob goes within two minutes.
async fn goes(ann: &mut Connection) -> bool {
    let goes = async { while next_left(ann).await.0 != "Bob" {} };
    timeout(Duration::from_secs(120), goes).await.is_ok()
}

/// An outage that begins with something Ann says, in which Bob takes over his session with another connection and is told that the room
/// cannot say.
async fn take_over_in_an_outage(log: &TestLog, engine: &Engine, ann: &Connection, token: &str) -> Connection {
    log.plan(fails(WRITE_AND_READ));
    let outage = async {
        seconds(1).await;
        let (bob, status) = come_back(engine, token, None).await;
        assert_eq!(status.status, Status::Unavailable);
        seconds(5).await;
        bob
    };
    let (answer, bob) = tokio::join!(
        async {
            let said = say(ann, "one", "k1");
            timeout(Duration::from_secs(6), said).await
        },
        outage
    );
    assert!(answer.is_err(), "nobody knows yet");
    bob
}

/// The connection that was in the room is gone, and the one that has taken its place was told that it is not.
#[tokio::test(start_paused = true)]
async fn who_has_taken_over_in_an_outage_and_asks_for_nothing_is_not_there_for_ever() {
    for ends in [false, true] {
        let log = log();
        let engine = engine(&log);
        let mut ann = founder(&engine).await;
        let old = newcomer(&engine, "Bob").await;
        let bob = take_over_in_an_outage(&log, &engine, &ann, &old.token()).await;
        // It is one thing whether the connection lasts.
        let bob = (!ends).then_some(bob);
        log.heal();
        assert!(goes(&mut ann).await, "connection lost: {ends}");
        drop((bob, old));
    }
}

#[tokio::test(start_paused = true)]
async fn who_has_taken_over_in_an_outage_and_comes_back_in_time_stays() {
    let log = log();
    let engine = engine(&log);
    let mut ann = founder(&engine).await;
    let old = newcomer(&engine, "Bob").await;
    let bob = take_over_in_an_outage(&log, &engine, &ann, &old.token()).await;
    log.heal();
    seconds(20).await;
    join(&bob, "Bob").await.expect("he is a member still");
    assert!(!goes(&mut ann).await, "nobody has put him out");
    say(&bob, "two", "k2").await.expect("he is in");
}

/// Each step of it finds the log in another state.
#[tokio::test(start_paused = true)]
async fn who_takes_over_in_one_step_with_what_the_log_does_not_take_is_in_or_goes() {
    for outcomes in [
        &[Outcome::Fails, Outcome::Fails][..],
        &[Outcome::NotDone, Outcome::NotDone],
        &[Outcome::AnswerLost],
        &[Outcome::NotDone],
    ] {
        let log = log();
        let engine = engine(&log);
        let mut ann = founder(&engine).await;
        let old = newcomer(&engine, "Bob").await;
        let token = old.token();
        outcomes.iter().for_each(|outcome| log.push(Operation::Append, *outcome));
        let (_, (bob, status)) = tokio::join!(say(&ann, "one", "k1"), come_back(&engine, &token, None));
        assert_eq!(status.status, Status::Live, "{outcomes:?}");
        say(&bob, "two", "k2").await.expect("he is in");
        drop((bob, old));
        assert!(goes(&mut ann).await, "{outcomes:?}");
    }
}

/// Somebody away is put out, or is not: never half.
#[tokio::test(start_paused = true)]
async fn a_kick_of_somebody_away_is_done_or_not_whatever_the_log_does() {
    let kick = || Moderation::Kick(MemberId(2));
    let ban = || Moderation::Ban(MemberId(2));
    for (put_out, reason) in [(kick(), RemovalReason::Kicked), (ban(), RemovalReason::Banned)] {
        for (outcomes, is_done) in [
            (&[Outcome::Fails, Outcome::Fails][..], false),
            (&[Outcome::NotDone, Outcome::NotDone], false),
            (&[Outcome::Fails], true),
            (&[Outcome::AnswerLost], true),
            (&[Outcome::NotDone, Outcome::AnswerLost], true),
        ] {
            let at = format!("{put_out:?} {outcomes:?}");
            let log = log();
            let engine = engine(&log);
            let mut ann = founder(&engine).await;
            let bob = newcomer(&engine, "Bob").await;
            let token = bob.token();
            drop(bob);
            settle().await;
            outcomes.iter().for_each(|outcome| log.push(Operation::Append, *outcome));
            let done = engine.moderate(&code(), put_out.clone()).await.map_err(|reject| reject.code);
            assert_eq!(done, if is_done { Ok(Seq(3)) } else { Err(RejectCode::Unavailable) }, "{at}");
            if !is_done {
                assert_eq!(try_to_come_back(&engine, &token).await, Status::Live, "{at}");
                engine.moderate(&code(), put_out.clone()).await.expect("the log works");
            }
            let (_bob, status) = come_back(&engine, &token, None).await;
            assert_eq!((status.status, status.reason), (Status::Left, Some(reason)), "{at}");
            assert_eq!(next_left(&mut ann).await.0, "Bob", "{at}: once");
            say(&ann, "one", "k1").await.expect("the room goes on");
        }
    }
}

/// The room was put away in between, and has to be read before anybody is put out.
#[tokio::test(start_paused = true)]
async fn who_is_away_from_a_room_that_is_away_is_put_out_once_it_can_be_read() {
    let log = log();
    let engine = engine_with(&log, |limits| limits.room.grace = Duration::from_secs(3_600));
    let [ann, bob] = [founder(&engine).await, newcomer(&engine, "Bob").await];
    let [anns, bobs] = [ann.token(), bob.token()];
    drop((ann, bob));
    seconds(600).await;
    assert_eq!((engine.stats().rooms, engine.stats().rooms_away), (0, 1));
    let ban = || Moderation::Ban(MemberId(2));
    log.plan(fails(&[Operation::Read]));
    let refused = engine.moderate(&code(), ban()).await.expect_err("nobody knows the room");
    assert_eq!(refused.code, RejectCode::Unavailable);
    log.heal();
    seconds(6).await;
    log.push(Operation::Append, Outcome::Fails);
    log.push(Operation::Append, Outcome::Fails);
    let refused = engine.moderate(&code(), ban()).await.expect_err("the log refuses it");
    assert_eq!(refused.code, RejectCode::Unavailable);
    engine.moderate(&code(), ban()).await.expect("the log works");
    seconds(600).await;
    assert_eq!((engine.stats().rooms, engine.stats().rooms_away), (0, 1), "nobody is attached by it");
    let (_bob, status) = come_back(&engine, &bobs, None).await;
    assert_eq!((status.status, status.reason), (Status::Left, Some(RemovalReason::Banned)));
    assert_eq!(try_to_come_back(&engine, &anns).await, Status::Live);
}

/// That they came in again has not happened, and what is remembered of their kick is remembered still.
#[tokio::test(start_paused = true)]
async fn who_was_kicked_is_told_so_though_they_asked_to_come_in_again_and_the_log_refused() {
    let log = log();
    let engine = engine(&log);
    let _ann = founder(&engine).await;
    let bob = newcomer(&engine, "Bob").await;
    engine.moderate(&code(), Moderation::Kick(MemberId(2))).await.expect("he is there");
    log.push(Operation::Append, Outcome::Fails);
    log.push(Operation::Append, Outcome::Fails);
    assert_eq!(join(&bob, "Bob").await.expect_err("the log refuses it").code, RejectCode::Unavailable);
    let token = bob.token();
    drop(bob);
    let (bob, status) = come_back(&engine, &token, None).await;
    assert_eq!((status.status, status.reason), (Status::Left, Some(RemovalReason::Kicked)));
    join(&bob, "Bob").await.expect("he may");
    bob.call(Command::leave(code())).await.expect("he is in");
    drop(bob);
    let (_bob, status) = come_back(&engine, &token, None).await;
    assert_eq!((status.status, status.reason), (Status::Left, None), "by himself");
}

/// Where somebody came from is known as long as they are a member, also where the log refused that they left.
#[tokio::test(start_paused = true)]
async fn a_ban_of_a_network_holds_for_who_could_not_leave() {
    let log = log();
    let engine = engine(&log);
    let ann = founder(&engine).await;
    let from = async |address: &str| {
        let request = ConnectRequest { address: address.parse().ok(), ..ConnectRequest::default() };
        engine.connect(request, Hello::default()).await.expect("everybody is let in")
    };
    let bob = from("192.0.2.1").await;
    join(&bob, "Bob").await.expect("the room is there");
    log.push(Operation::Append, Outcome::Fails);
    log.push(Operation::Append, Outcome::Fails);
    let refused = bob.call(Command::leave(code())).await.expect_err("the log refuses it");
    assert_eq!(refused.code, RejectCode::Unavailable);
    let terms = BanTerms::default().with_network();
    ann.call(Command::ban(code(), MemberId(2)).with_terms(terms)).await.expect("she owns the room");
    let eve = from("192.0.2.1").await;
    assert_eq!(join(&eve, "Eve").await.expect_err("from the same place").code, RejectCode::Banned);
    let gil = from("198.51.100.1").await;
    join(&gil, "Gil").await.expect("from another");
}

/// She is connected all the time, and never in the room again.
#[tokio::test(start_paused = true)]
async fn a_room_goes_whose_last_member_has_taken_over_in_an_outage_and_asks_for_nothing() {
    let log = log();
    let engine = engine(&log);
    let ann = founder(&engine).await;
    let token = ann.token();
    log.plan(fails(WRITE_AND_READ));
    let outage = async {
        seconds(1).await;
        let (back, status) = come_back(&engine, &token, None).await;
        assert_eq!(status.status, Status::Unavailable);
        seconds(40).await;
        log.heal();
        back
    };
    let (answer, back) = tokio::join!(say(&ann, "one", "k1"), outage);
    assert!(answer.is_err());
    seconds(60).await;
    assert_eq!((engine.stats().rooms, engine.stats().rooms_away), (0, 0));
    let mut bob = connect(&engine, None).await;
    bob.call(Command::create(nick("Bob")).with_room(code())).await.expect("the code is free");
    support::joined(&mut bob).await;
    drop(back);
}
