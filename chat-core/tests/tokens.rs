//! Tokens and cursors: which are good, which have been superseded, and when a new one is told.
#![cfg(feature = "engine")]

mod support;

use std::sync::Arc;

use chat_core::{Credential, Engine, RejectCode, ServerFrame};
use support::*;

/// Milliseconds.
const DAY: u64 = 86_400_000;
/// Some day, at noon.
const NOON: u64 = 20_786 * DAY + DAY / 2;

fn read(credential: &str) -> Credential {
    credential.parse().expect("a credential")
}

fn generation(credential: &str) -> u32 {
    read(credential).generation
}

/// Comes back with this; the same session, or else a new one and the code that says why.
async fn back(engine: &Engine, credential: &str) -> Result<Client, String> {
    let client = Client::with_hello(engine, resume(credential, &[])).await;
    match client.session.session_id() == session_of(credential) {
        true => Ok(client),
        false => match client.told().await.as_slice() {
            [welcome, error] if welcome == "welcome" => Err(error.clone()),
            other => panic!("{other:?}"),
        },
    }
}

async fn is_superseded(engine: &Engine, credential: &str) -> bool {
    let came_back = back(engine, credential).await;
    came_back.is_err_and(|said| said == "error bad_token")
}

#[tokio::test(start_paused = true)]
async fn each_resume_by_token_gives_another_and_the_old_one_is_good_until_it_is_used() {
    let engine = engine();
    let first = Client::new(&engine).await.token();
    // Again and again, because each welcome is lost.
    for _ in 0..3 {
        let ann = back(&engine, &first).await.expect("nothing newer was used");
        assert_eq!(generation(&ann.token()), generation(&first) + 1);
    }
    let second = back(&engine, &first).await.expect("nothing newer was used").token();
    let third = back(&engine, &second).await.expect("it is good, too").token();
    assert!(is_superseded(&engine, &first).await);
    for credential in [&second, &third] {
        back(&engine, credential).await.expect("both are good until the newer one was used");
    }
    assert!(is_superseded(&engine, &second).await);
    assert_eq!(engine.stats().rejects, 2);
}

#[tokio::test(start_paused = true)]
async fn whoever_comes_with_what_was_superseded_replaces_nobody() {
    let engine = engine();
    let stolen = Client::new(&engine).await.token();
    let ann = back(&engine, &stolen).await.expect("nothing newer was used");
    let ann = back(&engine, &ann.token()).await.expect("it is hers");
    ann.enter("LUNCH", "Ann").await;
    ann.frames().await;
    assert!(is_superseded(&engine, &stolen).await);
    ann.say("LUNCH", "still here").await;
    assert_eq!(ann.told().await, ["2 Ann: still here"]);
}

#[tokio::test(start_paused = true)]
async fn a_command_beside_the_frames_uses_a_token_as_a_resume_does() {
    let engine = engine();
    let first = Client::new(&engine).await.token();
    let ann = back(&engine, &first).await.expect("nothing newer was used");
    let (id, second) = (ann.session.session_id(), ann.token());
    let speaks = |token: &str| engine.sender(id, token).map(drop).map_err(|reject| reject.code);
    assert_eq!(speaks(&first), Ok(()), "the welcome may have been lost");
    assert_eq!(speaks(&second), Ok(()));
    assert_eq!(speaks(&first), Err(RejectCode::BadToken));
    assert!(is_superseded(&engine, &first).await);
    back(&engine, &second).await.expect("it is good");
}

#[tokio::test(start_paused = true)]
async fn a_command_beside_frames_that_nobody_reads_is_told_so_to_whose_session_it_says_it_is() {
    let ann = Client::new(&engine()).await;
    let elsewhere = engine();
    let bob = Client::new(&elsewhere).await.session.session_id();
    let refused = |id| elsewhere.sender(id, &ann.token()).map(drop).map_err(|reject| reject.code);
    assert_eq!(refused(ann.session.session_id()), Err(RejectCode::NotConnected), "who knows whose it was");
    assert_eq!(refused(bob), Err(RejectCode::BadToken));
    let nobody = Client::new(&engine()).await.session.session_id();
    assert_eq!(refused(nobody), Err(RejectCode::BadToken));
}

#[tokio::test(start_paused = true)]
async fn a_resume_by_cursor_rotates_nothing_and_shows_no_token() {
    let engine = engine();
    let first = Client::new(&engine).await.token();
    let ann = back(&engine, &first).await.expect("nothing newer was used");
    let (token, cursor) = (ann.token(), ann.session.cursor());
    assert_eq!(generation(&cursor), generation(&token), "who has read the one has read the other");
    for _ in 0..3 {
        let ann = back(&engine, &cursor).await.expect("a cursor is good as long as its token");
        assert_eq!(generation(&ann.session.cursor()), generation(&cursor));
        let ServerFrame::Welcome { token, .. } = ann.next().await else { panic!("first a welcome") };
        assert_eq!(token, None);
        assert!(engine.sender(ann.session.session_id(), &cursor).is_err(), "it hands in no command");
    }
    assert!(is_superseded(&engine, &first).await, "its cursor was used, so the newer one has come");
    let next = back(&engine, &token).await.expect("it is good");
    let _again = back(&engine, &cursor).await.expect("and so is its cursor, as what was told last may be lost");
    engine.sender(next.session.session_id(), &next.token()).expect("it is the newest");
    assert!(is_superseded(&engine, &cursor).await);
}

#[tokio::test(start_paused = true)]
async fn after_a_restart_every_token_counts_that_has_not_run_out() {
    let engine = || Engine::builder().secret([7; 32]).build();
    let before = engine();
    let first = Client::new(&before).await.token();
    let second = back(&before, &first).await.expect("good").token();
    back(&before, &second).await.expect("good");
    assert!(is_superseded(&before, &first).await);
    let after = engine();
    back(&after, &first).await.expect("nobody knows any more what was used");
    back(&after, &second).await.expect("it is newer");
    assert!(is_superseded(&after, &first).await, "from here on it is known again");
}

#[tokio::test(start_paused = true)]
async fn a_token_of_the_secret_before_is_taken_and_another_one_given() {
    let token = Client::new(&Engine::builder().secret([1; 32]).build()).await.token();
    let both = Engine::builder().secret([2; 32]).old_secret([1; 32]).build();
    let next = back(&both, &token).await.expect("two secrets are accepted").token();
    assert_ne!(read(&next).key, read(&token).key);
    let new = Engine::builder().secret([2; 32]).build();
    back(&new, &next).await.expect("one of them signs");
    assert!(is_superseded(&new, &token).await);
}

/// An engine of which tokens are good for ten days, and its clock.
fn dated() -> (Engine, Arc<SteppedClock>) {
    let clock = Arc::new(SteppedClock::new(NOON));
    let limits = limits(|limits| {
        limits.session.token_expiry = secs(10 * DAY / 1_000);
        // The clock of a test is believed.
        limits.room.clock_step_max = secs(1_000 * DAY / 1_000);
    });
    (Engine::builder().limits(limits).clock(Arc::clone(&clock) as _).build(), clock)
}

#[tokio::test(start_paused = true)]
async fn a_token_runs_out_and_one_of_a_later_resume_later() {
    let (engine, clock) = dated();
    let ann = Client::new(&engine).await;
    let (token, cursor) = (ann.token(), ann.session.cursor());
    drop(ann);
    clock.set_wall(NOON + 10 * DAY);
    let later = back(&engine, &cursor).await.expect("its last day").session.cursor();
    let next = back(&engine, &token).await.expect("its last day").token();
    clock.set_wall(NOON + 11 * DAY);
    for old in [&token, &cursor] {
        assert!(is_superseded(&engine, old).await, "it is too old");
    }
    let session = session_of(&token);
    assert_eq!(engine.sender(session, &token).map(drop).map_err(|reject| reject.code), Err(RejectCode::BadToken));
    back(&engine, &later).await.expect("made anew for who came back");
    back(&engine, &next).await.expect("made anew for who came back");
}

#[tokio::test(start_paused = true)]
async fn whoever_stays_connected_is_told_a_new_token_at_half_its_life() {
    let (engine, clock) = dated();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let (token, cursor) = (ann.token(), ann.session.cursor());
    clock.set_wall(NOON + 4 * DAY);
    pass(secs(3_600)).await;
    assert_eq!(ann.told().await, [""; 0], "not yet");
    clock.set_wall(NOON + 5 * DAY);
    // Whoever comes makes the engine look at the date, if it has not been told how the time goes.
    Client::new(&engine).await;
    let frames = ann.frames().await;
    let [ServerFrame::Token { token: told }] = frames.as_slice() else { panic!("one token: {frames:?}") };
    assert_eq!((told, read(told).day - read(&token).day), (&ann.token(), 5));
    assert_eq!(ann.session.issue_day(), read(told).day);
    assert_eq!(read(&ann.session.cursor()).day, read(told).day, "cursors change with it");
    // It was lost on its way: nothing has been superseded.
    assert_eq!(generation(told), generation(&token));
    engine.sender(ann.session.session_id(), told).expect("it is good");
    engine.sender(ann.session.session_id(), &token).expect("and so is the one before");
    assert_eq!(ann.told().await, [""; 0], "once");
    drop(ann);
    clock.set_wall(NOON + 11 * DAY);
    assert!(is_superseded(&engine, &cursor).await, "the ones before have run out");
    back(&engine, told).await.expect("the one that was told has not");
}

#[tokio::test(start_paused = true)]
async fn the_date_is_looked_at_though_nobody_comes() {
    let (engine, clock) = dated();
    // Nobody is here, and whoever looks sleeps.
    settle().await;
    let ann = Client::new(&engine).await;
    ann.frames().await;
    clock.set_wall(NOON + 6 * DAY);
    pass(secs(5 * DAY / 1_000)).await;
    assert!(matches!(ann.frames().await.as_slice(), [ServerFrame::Token { .. }]));
}

#[tokio::test(start_paused = true)]
async fn who_came_by_a_cursor_is_told_no_token_at_half_its_life_either() {
    let (engine, clock) = dated();
    let cursor = Client::new(&engine).await.session.cursor();
    let ann = back(&engine, &cursor).await.expect("good");
    ann.frames().await;
    clock.set_wall(NOON + 5 * DAY);
    Client::new(&engine).await;
    assert_eq!(ann.told().await, [""; 0]);
    assert_eq!(read(&ann.session.cursor()).day, read(&cursor).day + 5);
}
