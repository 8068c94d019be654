//! Whose a room is, over a log: after a restart, while the room is put away, and where another program reads the log.

mod support;

use std::sync::Arc;
use std::time::Duration;

use chat_core::{Command, Connection, Engine, Limits, MemberId, RecordVersion, RejectCode, Resume, Role, ServerFrame};
use chat_testkit::logs::MemoryLog;
use support::bent::BentLog;
use support::{GRACE, code, connect, engine, engine_with, founder, join, joined, log, newcomer, seconds, settle};

fn named(member: u32, role: Role) -> Command {
    Command::set_role(code(), MemberId(member), role)
}

/// Comes back to the session, and into the room where they are not in it still, as what they are then.
async fn role_of_who_comes_back(engine: &Engine, token: &str, nick: &str) -> (Connection, Role) {
    let mut session = connect(engine, Some(Resume { token: token.to_owned(), positions: Vec::new() })).await;
    if let Err(reject) = join(&session, nick).await {
        assert_eq!(reject.code, RejectCode::AlreadyMember);
    }
    let joined = joined(&mut session).await;
    (session, joined.you.role)
}

fn token(welcome: &ServerFrame) -> String {
    let ServerFrame::Welcome { token: Some(token), .. } = welcome else { panic!("a new session has a token") };
    token.clone()
}

/// Somebody in the room, and the token of their session.
async fn somebody(engine: &Engine, nick: &str) -> (Connection, String) {
    let mut session = connect(engine, None).await;
    let token = token(&session.next().await);
    match nick {
        "Ann" => drop(support::create(&mut session).await),
        _ => {
            join(&session, nick).await.expect("the room is there");
            joined(&mut session).await;
        }
    }
    (session, token)
}

fn waits(limits: &mut Limits) {
    limits.room.empty_linger = Duration::from_secs(3_600);
}

/// The owner is lost, and so is a moderator; the server restarts, and everybody else is lost with it.
#[tokio::test(start_paused = true)]
async fn roles_and_a_held_seat_outlive_the_process() {
    let log = log();
    let first = engine_with(&log, waits);
    let (ann, anns) = somebody(&first, "Ann").await;
    let (bob, bobs) = somebody(&first, "Bob").await;
    let (cid, cids) = somebody(&first, "Cid").await;
    ann.call(named(2, Role::Moderator)).await.expect("she is the owner");
    drop(ann);
    seconds(GRACE.as_secs() + 1).await;
    drop((bob, cid, first));
    settle().await;
    let second = engine_with(&log, waits);
    seconds(GRACE.as_secs() + 1).await;
    let (_cid, of_cid) = role_of_who_comes_back(&second, &cids, "Cid").await;
    let (_bob, of_bob) = role_of_who_comes_back(&second, &bobs, "Bob").await;
    let (_ann, of_ann) = role_of_who_comes_back(&second, &anns, "Ann").await;
    assert_eq!((of_ann, of_bob, of_cid), (Role::Owner, Role::Moderator, Role::Member));
}

/// Nobody is attached, so the room leaves memory; members within a long grace are still there to follow.
#[tokio::test(start_paused = true)]
async fn a_seat_runs_out_in_a_room_that_is_put_away() {
    let log = log();
    let engine = engine_with(&log, |limits| {
        limits.room.grace = Duration::from_secs(60);
        limits.room.owner_seat_held = Duration::from_secs(30);
        limits.engine.room_idle = Duration::ZERO;
        waits(limits);
    });
    let (ann, anns) = somebody(&engine, "Ann").await;
    let (bob, bobs) = somebody(&engine, "Bob").await;
    drop(ann);
    seconds(59).await;
    drop(bob);
    seconds(5).await;
    assert_eq!((engine.stats().rooms, engine.stats().rooms_away), (0, 1), "it is put away");
    seconds(27).await;
    let (_bob, of_bob) = role_of_who_comes_back(&engine, &bobs, "Bob").await;
    assert_eq!(of_bob, Role::Owner, "since 30 seconds after she was lost");
    let (_ann, of_ann) = role_of_who_comes_back(&engine, &anns, "Ann").await;
    assert_eq!(of_ann, Role::Member);
}

#[tokio::test(start_paused = true)]
async fn no_role_is_offered_while_another_program_on_the_log_would_not_read_it() {
    let memory = Arc::new(MemoryLog::new());
    for (version, offered) in [(RecordVersion::FIRST, false), (RecordVersion::LATEST, true)] {
        let engine = engine(&Arc::new(BentLog::new(&memory).writes(version)));
        let mut asks = connect(&engine, None).await;
        let ServerFrame::Welcome { features, .. } = asks.next().await else { panic!("welcome comes first") };
        assert_eq!(features.iter().any(|feature| feature == "role"), offered);
        let ann = founder(&engine).await;
        let bob = newcomer(&engine, "Bob").await;
        let refused = ann.call(named(2, Role::Moderator)).await.map(drop).map_err(|reject| reject.code);
        assert_eq!(refused, if offered { Ok(()) } else { Err(RejectCode::Unavailable) });
        for session in [&bob, &ann] {
            session.call(Command::leave(code())).await.expect("they are in it");
        }
        settle().await;
    }
}
