//! What is set for a room outlives the process, and is written only where every program on the log reads it.

mod support;

use std::sync::Arc;
use std::time::Duration;

use chat_core::{
    Command, Connection, Engine, Moderation, NewcomersSee, RecordVersion, RejectCode, RoomSecret, ServerFrame,
    SettingsChange,
};
use chat_testkit::logs::MemoryLog;
use support::bent::BentLog;
use support::{
    SECRET, builder, code, come_back, connect, engine, engine_with, founder, join, joined, log, newcomer, nick, say,
    settle, texts_of,
};

async fn set(session: &Connection, change: SettingsChange) {
    session.call(Command::settings(code(), change)).await.expect("the owner may");
}

fn secret(word: &str) -> RoomSecret {
    RoomSecret::parse(word).expect("a test's secret is valid")
}

fn change() -> SettingsChange {
    SettingsChange::new()
}

async fn token(session: &mut Connection) -> String {
    let ServerFrame::Welcome { token: Some(token), .. } = session.next().await else { panic!("welcome comes first") };
    token
}

/// Somebody new, who shows this secret.
async fn newcomer_with(engine: &Engine, name: &str, word: &str) -> Connection {
    let session = connect(engine, None).await;
    session.call(Command::join(code(), nick(name)).with_secret(secret(word))).await.expect("the right one");
    session
}

#[tokio::test(start_paused = true)]
async fn what_is_set_outlives_a_restart() {
    let log = log();
    let engine = engine(&log);
    let mut ann = connect(&engine, None).await;
    let token = token(&mut ann).await;
    let position = support::create(&mut ann).await.position();
    let bob = newcomer(&engine, "Bob").await;
    set(&ann, change().slow_ms(3_600_000).secret(Some(secret("swordfish"))).history(NewcomersSee::Nothing)).await;
    set(&ann, change().listed(true)).await;
    say(&bob, "hidden", "k").await.expect("his first");
    drop((ann, bob));
    settle().await;
    drop(engine);

    let engine = builder(&log).lasting_secret(SECRET).secret([8; 32]).old_secret(SECRET).build();
    let (ann, _) = come_back(&engine, &token, Some(position)).await;
    let mut shown = newcomer_with(&engine, "Eve", "swordfish").await;
    let shown = joined(&mut shown).await.settings;
    assert_eq!((shown.slow_ms, shown.secret, shown.history), (3_600_000, true, Some(NewcomersSee::Nothing)));
    assert_eq!(engine.rooms_listed(), [code()]);
    let cid = connect(&engine, None).await;
    let ask = |word| Command::join(code(), nick("Cid")).with_secret(secret(word));
    assert_eq!(cid.call(ask("sword")).await.expect_err("wrong").code, RejectCode::SecretWrong);
    cid.call(ask("swordfish")).await.expect("the hash is keyed with what lasts, and not with what signs tokens");
    say(&cid, "first", "k1").await.expect("he has said nothing yet");
    assert_eq!(say(&cid, "second", "k2").await, Err(RejectCode::RateLimited));
    say(&ann, "hers", "k3").await.expect("she moderates");
    let mut dan = newcomer_with(&engine, "Dan", "swordfish").await;
    assert_eq!(texts_of(&joined(&mut dan).await), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn slow_mode_goes_on_over_a_restart_and_ends_in_its_time() {
    let log = log();
    let engine = engine(&log);
    let ann = founder(&engine).await;
    let mut bob = connect(&engine, None).await;
    let token = token(&mut bob).await;
    join(&bob, "Bob").await.expect("the room is there");
    let position = joined(&mut bob).await.position();
    set(&ann, change().slow_ms(25_000)).await;
    say(&bob, "first", "k1").await.expect("his first");
    drop((ann, bob));
    settle().await;
    drop(engine);

    let engine = engine_with(&log, |_| {});
    let (bob, _) = come_back(&engine, &token, Some(position)).await;
    let refused = bob.call(Command::send(code(), support::text("second"))).await.expect_err("too early");
    assert_eq!(refused.code, RejectCode::RateLimited);
    let wait = refused.retry_after.expect("it says when");
    assert!(wait <= Duration::from_secs(25) && wait > Duration::from_secs(20), "{wait:?}");
    tokio::time::advance(Duration::from_secs(25)).await;
    say(&bob, "second", "k2").await.expect("in its time");
}

/// A program on the log that reads no later records: nothing is offered, and what is asked for all the same is refused.
#[tokio::test(start_paused = true)]
async fn nothing_is_set_that_another_program_on_the_log_cannot_read() {
    let memory = Arc::new(MemoryLog::new());
    for (version, is_offered) in [(RecordVersion::FIRST, false), (RecordVersion::LATEST, true)] {
        let engine = engine(&Arc::new(BentLog::new(&memory).writes(version)));
        let mut ann = connect(&engine, None).await;
        let ServerFrame::Welcome { features, .. } = ann.next().await else { panic!("welcome comes first") };
        assert_eq!(features.iter().any(|feature| feature == "settings"), is_offered, "{features:?}");
        support::create(&mut ann).await;
        let asked = ann.call(Command::settings(code(), change().locked(true))).await;
        let asked = asked.map(drop).map_err(|reject| reject.code);
        assert_eq!(asked, if is_offered { Ok(()) } else { Err(RejectCode::Unavailable) });
        let by_host = engine.moderate(&code(), Moderation::Settings(change().listed(true))).await;
        assert_eq!(by_host.is_ok(), is_offered);
        let written: Vec<_> = memory.records(&code()).iter().map(|record| record.version()).collect();
        assert_eq!(written.iter().max(), Some(&version));
        ann.call(Command::leave(code())).await.expect("she is in it");
        settle().await;
    }
}

/// Not in the clear, and not in what is told of it.
#[tokio::test(start_paused = true)]
async fn the_log_holds_no_secret() {
    let memory = Arc::new(MemoryLog::new());
    let engine = engine(&memory);
    let mut ann = founder(&engine).await;
    set(&ann, change().secret(Some(secret("swordfish")))).await;
    let records = memory.records(&code());
    let written = serde_json::to_string(&records).expect("records can be stored");
    assert!(written.contains("\"secret\":[") && !written.contains("swordfish"), "{written}");
    assert!(!format!("{records:?}").contains("swordfish"));
    loop {
        let frame = ann.next().await;
        let json = serde_json::to_string(&frame).expect("a frame is JSON");
        assert!(!json.contains("swordfish"), "{json}");
        if let ServerFrame::SettingsChanged { settings, .. } = frame {
            assert!(settings.secret && json.contains("\"secret\":true"), "{json}");
            break;
        }
    }
}
