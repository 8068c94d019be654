//! The host ends sessions: one, or all of a person's, connected or not.
#![cfg(feature = "engine")]

mod support;

use std::sync::Arc;

use chat_core::{Engine, Identity, RejectCode, SessionId};
use support::*;

fn engine_of_people() -> Engine {
    Engine::builder().policy(Arc::new(ByCredentials)).build()
}

fn identity(text: &str) -> Identity {
    Identity::new(text).expect("an identity")
}

#[tokio::test(start_paused = true)]
async fn all_sessions_of_a_person_are_ended_and_nobody_elses() {
    let engine = engine_of_people();
    let bob = Client::of(&engine, "bob").await;
    bob.enter("LUNCH", "Bob").await;
    let [phone, laptop] = [Client::of(&engine, "ann").await, Client::of(&engine, "ann").await];
    for device in [&phone, &laptop] {
        device.enter("LUNCH", "Ann").await;
    }
    bob.told().await;
    let sessions = engine.sessions_here(&identity("ann"));
    assert_eq!(sessions.len(), 2);
    assert!(sessions.iter().all(|entry| entry.is_connected && entry.rooms == [code("LUNCH")]), "{sessions:?}");

    engine.end(identity("ann")).await.expect("ended");
    for device in [&phone, &laptop] {
        assert_eq!(device.told().await.last().map(String::as_str), Some("closing 4503"));
    }
    assert_eq!(bob.told().await, ["3 -Ann left"]);
    assert_eq!(engine.sessions_here(&identity("ann")), []);
    assert_eq!(engine.sessions_here(&identity("bob")).len(), 1);
    engine.end(identity("ann")).await.expect("there is nothing left to be done");
    let again = Client::of(&engine, "ann").await;
    assert_eq!(again.told().await, ["welcome"], "whom to let in is for the policy to say");
}

#[tokio::test(start_paused = true)]
async fn one_session_is_ended_and_its_person_stays_on_the_other() {
    let engine = engine_of_people();
    let [phone, laptop] = [Client::of(&engine, "ann").await, Client::of(&engine, "ann").await];
    phone.enter("LUNCH", "Ann").await;
    laptop.enter("LUNCH", "Ann").await;
    let first = engine.sessions_here(&identity("ann"))[0].session;
    engine.end(first).await.expect("ended");
    assert_eq!(phone.told().await.last().map(String::as_str), Some("closing 4503"));
    laptop.told().await;
    laptop.say("LUNCH", "still here").await;
    assert_eq!(engine.room(&code("LUNCH")).info().await.map(|info| info.members), Ok(1));
    engine.end(SessionId::new(7)).await.expect("nobody has it");
}

#[tokio::test(start_paused = true)]
async fn who_is_away_cannot_come_back_to_what_was_ended() {
    let engine = engine_of_people();
    let ann = Client::of(&engine, "ann").await;
    ann.enter("LUNCH", "Ann").await;
    let token = ann.token();
    drop(ann);
    settle().await;
    assert!(!engine.sessions_here(&identity("ann"))[0].is_connected);
    engine.end(identity("ann")).await.expect("ended");
    settle().await;
    let info = engine.room(&code("LUNCH")).info().await;
    assert_eq!(info.map_err(|reject| reject.code).err(), Some(RejectCode::RoomNotFound), "she was the last");
    let back = Client::with_request(&engine, shown("ann"), resume(&token, &[])).await;
    assert_eq!(back.told().await, ["welcome", "error bad_token"]);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_goes_down_ends_nobody() {
    let engine = engine_of_people();
    engine.drain(millis(0)).await;
    let refused = engine.end(identity("ann")).await.expect_err("refused");
    assert_eq!(refused.code, RejectCode::Draining);
}
