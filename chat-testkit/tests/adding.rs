//! People whom the host adds to a room: those who are connected are in it, and those who are not get in once.

mod support;

use std::sync::Arc;
use std::time::Duration;

use chat_core::{
    Command, Connection, Engine, EngineBuilder, Event, Identity, Limits, Log, MemberId, Nick, Reject, RejectCode, Role,
    RoomOptions, RoomSecret, ServerFrame, SettingsChange,
};
use chat_testkit::logs::MemoryLog;
use support::bent::BentLog;
use support::passes::{Passes, bob, connect_as};
use support::{TestLog, builder, code, create, join, joined, log, nick, pass, say_many, settle, take};

fn with(log: &TestLog, change: impl FnOnce(&mut Limits), build: impl FnOnce(EngineBuilder) -> EngineBuilder) -> Engine {
    let mut limits = Limits::default();
    change(&mut limits);
    build(builder(log).limits(limits).policy(Arc::new(Passes))).build()
}

/// With a locked room, which the host keeps.
async fn engine(log: &TestLog, change: impl FnOnce(&mut Limits)) -> Engine {
    let engine = with(log, change, |builder| builder);
    let options = RoomOptions::new().settings(SettingsChange::new().locked(true));
    engine.room(&code()).create(options).await.expect("made");
    engine
}

fn bobs_name() -> Nick {
    nick("Bob")
}

async fn may_come_in(session: &Connection) -> Result<(), RejectCode> {
    join(session, "Bob").await.map(drop).map_err(|reject| reject.code)
}

#[tokio::test(start_paused = true)]
async fn every_session_that_is_connected_is_in_and_is_told_so_unasked() {
    let log = log();
    let engine = engine(&log, |_| {}).await;
    let mut devices =
        [connect_as(&engine, "bob moderator Robert").await, connect_as(&engine, "bob moderator Robert").await];
    let _cid = connect_as(&engine, "cid").await;
    let added = engine.add(&bob(), &code()).await.expect("added");
    assert_eq!((added.attached, added.invited_until, added.refused, added.silent), (2, None, None, vec![]));
    for device in &mut devices {
        let shown = joined(device).await;
        assert_eq!((shown.you.nick.as_str(), shown.you.member), ("Robert", MemberId(1)), "as the policy says");
    }
    settle().await;
    let member = engine.room(&code()).members(None, None).await.expect("it is there").members.remove(0);
    assert_eq!((member.identity, member.role), (Some(bob()), Role::Owner), "he came first");
    devices[0].call(Command::send(code(), support::text("hi"))).await.expect("he is in");
    // Again it changes nothing, and nobody is told anything.
    settle().await;
    devices.iter().for_each(|device| drop(take(device)));
    assert_eq!(engine.add(&bob(), &code()).await.expect("he is in").attached, 2);
    settle().await;
    assert!(devices.iter().all(|device| take(device).is_empty()));
    // One that comes later is not in by itself.
    let third = connect_as(&engine, "bob moderator Robert").await;
    assert_eq!(engine.add(&bob(), &code()).await.expect("he is in").attached, 3);
    settle().await;
    assert!(take(&third).iter().any(|frame| matches!(frame, ServerFrame::Joined(_))));
    assert_eq!(engine.room(&code()).info().await.expect("it is there").members, 1);
}

#[tokio::test(start_paused = true)]
async fn who_is_not_connected_gets_in_once_and_over_a_restart() {
    let log = log();
    let engine = engine(&log, |_| {}).await;
    let first = engine.add(&bob(), &code()).await.expect("invited");
    assert!(first.attached == 0 && first.invited_until.is_some(), "{first:?}");
    pass(Duration::from_secs(60)).await;
    let again = engine.add(&bob(), &code()).await.expect("invited");
    assert!(again.invited_until > first.invited_until, "anew");
    drop(engine);
    settle().await;

    let engine = with(&log, |_| {}, |builder| builder);
    let cid = connect_as(&engine, "cid").await;
    assert_eq!(join(&cid, "Cid").await.expect_err("it is locked").code, RejectCode::RoomLocked);
    let session = connect_as(&engine, "bob").await;
    assert_eq!(may_come_in(&session).await, Ok(()));
    engine.room(&code()).kick(MemberId(1)).await.expect("put out");
    settle().await;
    assert_eq!(may_come_in(&session).await, Err(RejectCode::RoomLocked));
}

#[tokio::test(start_paused = true)]
async fn an_invite_is_in_what_a_log_that_was_cut_keeps_of_a_room() {
    let memory = Arc::new(MemoryLog::new());
    {
        let mut limits = Limits::default();
        limits.lift_rates();
        let engine = builder(&memory).limits(limits).policy(Arc::new(Passes)).build();
        let mut ann = connect_as(&engine, "ann").await;
        create(&mut ann).await;
        engine.room(&code()).settings(SettingsChange::new().locked(true)).await.expect("it is set");
        engine.add(&bob(), &code()).await.expect("invited");
        say_many(&ann, 0..1_100).await;
    }
    settle().await;
    let epoch = memory.records(&code()).first().map(|record| match record.event {
        Event::Created { epoch, .. } => epoch,
        _ => unreachable!("a life begins with its creation"),
    });
    let stored = memory.load_snapshot(&code(), epoch.expect("it is there")).await.expect("the memory can be read");
    let (through, _) = stored.expect("one was made");
    let cut = Arc::new(BentLog::new(&memory).reads(move |mut stretch| {
        stretch.records.retain(|record| record.offset > through);
        stretch
    }));
    let engine = builder(&cut).policy(Arc::new(Passes)).build();
    let session = connect_as(&engine, "bob").await;
    assert_eq!(may_come_in(&session).await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn an_invite_passes_a_secret_and_ends_with_its_time() {
    let log = log();
    let engine = engine(&log, |limits| limits.room.invite_time = Duration::from_secs(60)).await;
    let secret = SettingsChange::new().locked(false).secret(Some(RoomSecret::parse("sesame").expect("a word")));
    engine.room(&code()).settings(secret).await.expect("it is set");
    let session = connect_as(&engine, "bob").await;
    assert_eq!(may_come_in(&session).await, Err(RejectCode::SecretWrong));
    drop(session);
    engine.add(&bob(), &code()).await.expect("invited");
    pass(Duration::from_secs(61)).await;
    let session = connect_as(&engine, "bob").await;
    assert_eq!(may_come_in(&session).await, Err(RejectCode::SecretWrong));
    assert_eq!(engine.add(&bob(), &code()).with_nick(bobs_name()).await.expect("added").attached, 1);
}

#[tokio::test(start_paused = true)]
async fn who_cannot_be_brought_in_is_invited_and_the_host_is_told_why() {
    let log = log();
    let engine = engine(&log, |limits| limits.session.rooms_max = 1).await;
    // Nobody knows what he is called.
    let session = connect_as(&engine, "bob").await;
    let added = engine.add(&bob(), &code()).await.expect("invited");
    let refused = added.refused.expect("he has no name");
    assert_eq!((added.attached, refused.code, refused.field), (0, RejectCode::BadField, Some("nick")));
    assert!(added.invited_until.is_some());
    // He is in as many rooms as he may be.
    session.call(Command::create(bobs_name())).await.expect("made");
    let added = engine.add(&bob(), &code()).with_nick(bobs_name()).await.expect("invited");
    assert_eq!((added.attached, added.refused.map(|reject| reject.code)), (0, Some(RejectCode::TooManyRooms)));
    drop(session);
    // The policy has said that he enters nothing.
    let _session = connect_as(&engine, "bob nowhere").await;
    let added = engine.add(&bob(), &code()).with_nick(bobs_name()).await.expect("invited");
    assert_eq!((added.attached, added.refused.map(|reject| reject.code)), (0, Some(RejectCode::Forbidden)));
    let session = connect_as(&engine, "bob").await;
    assert_eq!(may_come_in(&session).await, Ok(()), "he holds the invite all the same");
}

#[tokio::test(start_paused = true)]
async fn who_was_there_before_is_called_what_they_were() {
    let log = log();
    let engine = engine(&log, |_| {}).await;
    let mut session = connect_as(&engine, "bob").await;
    engine.add(&bob(), &code()).with_nick(nick("Rob")).await.expect("added");
    joined(&mut session).await;
    session.call(Command::leave(code())).await.expect("left");
    assert_eq!(engine.add(&bob(), &code()).await.expect("added").attached, 1);
    assert_eq!(joined(&mut session).await.you.nick, "Rob");
}

#[tokio::test(start_paused = true)]
async fn what_the_host_asks_for_a_session_is_not_held_against_it() {
    let log = log();
    let engine = engine(&log, |limits| {
        (limits.session.refusal_burst, limits.session.refusals_per_second) = (2, 1);
        (limits.session.miss_burst, limits.session.misses_per_second) = (1, 1);
    })
    .await;
    let mut session = connect_as(&engine, "bob").await;
    let _cid = connect_as(&engine, "cid Bob").await;
    let cid = Identity::new("cid").expect("an identity");
    assert_eq!(engine.add(&cid, &code()).await.expect("added").attached, 1);
    for _ in 0..5 {
        let added = engine.add(&bob(), &code()).with_nick(bobs_name()).await.expect("invited");
        assert_eq!(added.refused.map(|reject| reject.code), Some(RejectCode::NickTaken));
    }
    // Who guesses codes is looked at more closely, and is added all the same.
    for _ in 0..2 {
        let _ = session.call(Command::join("NOSUCHROOM".parse().expect("a code"), bobs_name())).await;
    }
    assert_eq!(engine.add(&bob(), &code()).with_nick(nick("Rob")).await.expect("added").attached, 1);
    joined(&mut session).await;
    assert_eq!(session.ended(), None);
}

#[tokio::test(start_paused = true)]
async fn a_room_that_is_not_there_and_who_is_banned_are_refused() {
    let log = log();
    let engine = engine(&log, |_| {}).await;
    let nowhere = "NOWHERE".parse().expect("a code");
    let refused = |reject: Reject| reject.code;
    assert_eq!(engine.add(&bob(), &nowhere).await.map_err(refused), Err(RejectCode::RoomNotFound));
    let mut session = connect_as(&engine, "bob Bob").await;
    engine.add(&bob(), &code()).await.expect("added");
    joined(&mut session).await;
    engine.room(&code()).ban(MemberId(1), Default::default()).await.expect("banned");
    assert_eq!(engine.add(&bob(), &code()).await.map_err(refused), Err(RejectCode::Banned));
    engine.drain(Duration::ZERO).await;
    assert_eq!(engine.add(&bob(), &code()).await.map_err(refused), Err(RejectCode::Draining));
}
