//! One person on many devices: sessions of one identity share a membership, and its end.
#![cfg(feature = "engine")]

mod support;

use std::sync::Arc;

use async_trait::async_trait;
use chat_core::{Admission, Command, ConnectRequest, Engine, Identity, MemberId, Policy, Reject, RejectCode};
use support::*;

/// Everybody is who their credentials say; `nobody` is not let in, and without credentials one is a guest.
struct ByCredentials;

#[async_trait]
impl Policy for ByCredentials {
    async fn admit(&self, request: &ConnectRequest) -> Result<Admission, Reject> {
        match request.credentials.as_deref() {
            Some("nobody") => Err(Reject::new(RejectCode::Forbidden, "not you").retry_after(secs(5))),
            Some("not now") => Err(Reject::new(RejectCode::RateLimited, "too often").retry_after(secs(5))),
            Some("no idea") => Err(Reject::new(RejectCode::Unavailable, "those who know are away")),
            who => Ok(Admission::of(who.and_then(Identity::new))),
        }
    }
}

fn engine_by(change: impl FnOnce(&mut chat_core::Limits)) -> Engine {
    Engine::builder().policy(Arc::new(ByCredentials)).limits(limits(change)).build()
}

#[tokio::test(start_paused = true)]
async fn two_sessions_of_one_identity_are_one_member() {
    let engine = engine_by(|_| {});
    let ann = Client::of(&engine, "ann").await;
    ann.enter("LUNCH", "Ann").await;
    ann.say("LUNCH", "one").await;
    let phone = Client::of(&engine, "ann").await;
    let joined = phone.enter("LUNCH", "Another name").await;
    assert_eq!((joined.you.member, joined.you.nick.as_str(), joined.seq.0), (MemberId(1), "Ann", 2));
    assert_eq!(joined.history.len(), 1);
    phone.say("LUNCH", "two").await;
    assert_eq!(ann.told().await, ["2 Ann: one", "3 Ann: two"], "nobody was told of the second device");
    drop(ann);
    pass(secs(60)).await;
    phone.say("LUNCH", "three").await;
    assert_eq!(phone.told().await, ["3 Ann: two", "4 Ann: three"], "one device is enough to stay");
}

#[tokio::test(start_paused = true)]
async fn a_leave_and_a_kick_are_of_all_devices() {
    let engine = engine_by(|_| {});
    let host = Client::of(&engine, "host").await;
    host.enter("LUNCH", "Host").await;
    let ann = Client::of(&engine, "ann").await;
    ann.enter("LUNCH", "Ann").await;
    let phone = Client::of(&engine, "ann").await;
    phone.enter("LUNCH", "Ann").await;
    ann.submit(leave("LUNCH"));
    assert_eq!(ann.told().await, ["ack 3", "3 -Ann left"]);
    assert_eq!(phone.told().await, ["3 -Ann left"]);
    ann.enter("LUNCH", "Ann").await;
    phone.enter("LUNCH", "Ann").await;
    host.session.call(Command::kick(code("LUNCH"), MemberId(2))).await.expect("she is there");
    assert_eq!(ann.told().await, ["5 -Ann kicked by 1"]);
    assert_eq!(phone.told().await, ["5 -Ann kicked by 1"]);
    host.session.call(Command::ban(code("LUNCH"), MemberId(9))).await.expect_err("nobody");
}

#[tokio::test(start_paused = true)]
async fn a_device_that_was_away_is_told_of_the_membership_that_another_began() {
    let engine = engine_by(|_| {});
    let host = Client::of(&engine, "host").await;
    host.enter("LUNCH", "Host").await;
    let laptop = Client::of(&engine, "ann").await;
    let first = laptop.enter("LUNCH", "Ann").await;
    let token = laptop.token();
    drop(laptop);
    pass(secs(31)).await;
    let phone = Client::of(&engine, "ann").await;
    assert_eq!(phone.enter("LUNCH", "Ann").await.you.member, MemberId(2));
    let hello = resume(&token, &[("LUNCH", first.position())]);
    let laptop = Client::with_request(&engine, shown("ann"), hello).await;
    assert_eq!(laptop.told().await, ["welcome back lunch:live:2", "joined 2 as 2", "3 -Ann timeout", "4 +Ann"]);
}

/// Rooms of which each is a big one: joins and leaves are only counted.
fn all_counted(limits: &mut chat_core::Limits) {
    limits.room.notices_members_max = 0;
}

/// What is told, without counts.
async fn told_but_counts(client: &Client) -> Vec<String> {
    client.told().await.into_iter().filter(|told| !told.starts_with("presence")).collect()
}

#[tokio::test(start_paused = true)]
async fn a_leave_that_is_only_counted_is_told_to_all_devices_of_who_has_left_and_to_nobody_else() {
    let engine = engine_by(all_counted);
    let host = Client::of(&engine, "host").await;
    host.enter("LUNCH", "Host").await;
    let devices = [Client::of(&engine, "ann").await, Client::of(&engine, "ann").await];
    for device in &devices {
        device.enter("LUNCH", "Ann").await;
    }
    told_but_counts(&host).await;
    host.say("LUNCH", "hi").await;
    devices[0].submit(leave("LUNCH"));
    settle().await;
    host.say("LUNCH", "not for Ann").await;
    assert_eq!(told_but_counts(&devices[0]).await, ["ack 3", "3 Host: hi", "-Ann left"]);
    assert_eq!(told_but_counts(&devices[1]).await, ["3 Host: hi", "-Ann left"]);
    assert_eq!(told_but_counts(&host).await, ["3 Host: hi", "4 Host: not for Ann"]);
}

#[tokio::test(start_paused = true)]
async fn a_leave_that_is_only_counted_is_told_again_until_it_is_taken() {
    let engine = engine_by(all_counted);
    let ann = Client::of(&engine, "ann").await;
    ann.enter("LUNCH", "Ann").await;
    told_but_counts(&ann).await;
    ann.session.call(leave("LUNCH")).await.expect("she is in");
    for _ in 0..3 {
        assert_eq!(ann.peeked().as_deref(), Some("-Ann left"));
    }
    ann.enter("LUNCH", "Ann").await;
    assert_eq!(told_but_counts(&ann).await, ["2 notices Counted"], "the next stay has begun");
}

/// The gap says that the membership has ended: that is all there is to tell.
#[tokio::test(start_paused = true)]
async fn a_leave_that_is_only_counted_is_told_once_where_it_lies_in_a_gap() {
    let engine = engine_by(|limits| {
        all_counted(limits);
        limits.room.backlog_events_max = 2;
    });
    let host = Client::of(&engine, "host").await;
    host.enter("LUNCH", "Host").await;
    let ann = Client::of(&engine, "ann").await;
    ann.enter("LUNCH", "Ann").await;
    for text in ["one", "two", "three", "four"] {
        host.say("LUNCH", text).await;
    }
    ann.session.call(leave("LUNCH")).await.expect("she is in");
    for text in ["five", "six", "seven"] {
        host.say("LUNCH", text).await;
    }
    assert_eq!(told_but_counts(&ann).await, ["gap 3..6 ended"]);
    assert_eq!(ann.refused(send("LUNCH", "x")).await.code, RejectCode::NotMember);
}

#[tokio::test(start_paused = true)]
async fn the_ninth_device_is_one_too_many_until_another_is_gone() {
    let engine = engine_by(|_| {});
    let mut devices = Vec::new();
    for _ in 0..8 {
        let device = Client::of(&engine, "ann").await;
        device.enter("LUNCH", "Ann").await;
        devices.push(device);
    }
    let ninth = Client::of(&engine, "ann").await;
    let reject = ninth.refused(join("LUNCH", "Ann")).await;
    assert_eq!((reject.code, reject.limit), (RejectCode::TooManyAttachments, Some(8)));
    drop(devices.pop());
    ninth.enter("LUNCH", "Ann").await;
}

#[tokio::test(start_paused = true)]
async fn joining_twice_is_refused_and_changes_nothing() {
    let engine = engine();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    assert_eq!(ann.refused(join("LUNCH", "Ann")).await.code, RejectCode::AlreadyMember);
    assert_eq!(ann.refused(create("LUNCH", "Ann")).await.code, RejectCode::NameTaken);
    ann.submit(join("LUNCH", "Other"));
    ann.submit(send("LUNCH", "hi"));
    assert_eq!(ann.told().await, ["error already_member", "ack 2", "2 Ann: hi"]);
    let bob = Client::new(&engine).await;
    assert_eq!(bob.refused(join("LUNCH", "ANN")).await.code, RejectCode::NickTaken);
    assert_eq!(bob.refused(join("LUNCH", "Αnn")).await.code, RejectCode::NickTaken, "a Greek alpha looks like an A");
}

#[tokio::test(start_paused = true)]
async fn an_identity_keeps_its_keys_over_sessions() {
    let engine = engine_by(|_| {});
    let ann = Client::of(&engine, "ann").await;
    ann.enter("LUNCH", "Ann").await;
    assert_eq!(acked(ann.session.call(send_keyed("LUNCH", "one", "k")).await), 2);
    let phone = Client::of(&engine, "ann").await;
    phone.enter("LUNCH", "Ann").await;
    assert_eq!(acked(phone.session.call(send_keyed("LUNCH", "one", "k")).await), 2);
    let guest = Client::new(&engine).await;
    guest.enter("LUNCH", "Guest").await;
    assert_eq!(acked(guest.session.call(send_keyed("LUNCH", "one", "k")).await), 4, "a guest's keys are their own");
}

#[tokio::test(start_paused = true)]
async fn a_session_belongs_to_who_began_it() {
    let engine = engine_by(|_| {});
    let ann = Client::of(&engine, "ann").await;
    ann.enter("LUNCH", "Ann").await;
    let thief = Client::with_request(&engine, shown("eve"), resume(&ann.token(), &[])).await;
    assert_ne!(thief.token(), ann.token());
    assert!(thief.told().await.contains(&"error bad_token".to_owned()));
    ann.say("LUNCH", "still here").await;
    let again = Client::with_request(&engine, shown("ann"), resume(&ann.token(), &[])).await;
    assert_eq!(
        again.told().await,
        ["welcome back lunch:live:1", "joined 2 as 1"].map(|frame| frame.replace(":1", ":2"))
    );
}

#[tokio::test(start_paused = true)]
async fn who_is_not_admitted_is_refused() {
    let engine = engine_by(|_| {});
    let refusal = engine.connect(shown("nobody"), chat_core::Hello::default()).await.expect_err("not admitted");
    assert_eq!((refusal.close.code(), refusal.reject.code), (4502, RejectCode::Forbidden));
    let ann = Client::of(&engine, "ann").await;
    let resumed = engine.connect(shown("nobody"), resume(&ann.token(), &[])).await;
    assert!(resumed.is_err(), "asked again for a resume");
    assert_eq!((engine.stats().sessions, engine.stats().rejects), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn who_is_not_admitted_now_is_told_to_come_back_and_who_never_is_is_not() {
    let engine = engine_by(|_| {});
    for (who, code, wait) in [("nobody", 4502, None), ("not now", 4005, Some(5)), ("no idea", 4006, None)] {
        let refusal = engine.connect(shown(who), chat_core::Hello::default()).await.expect_err("not admitted");
        assert_eq!((refusal.close.code(), refusal.reconnect_after), (code, wait.map(secs)), "{who}");
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_restart_a_token_is_good_for_nobody_but_its_owner() {
    let engine = || Engine::builder().policy(Arc::new(ByCredentials)).secret([7; 32]).build();
    let token = Client::of(&engine(), "ann").await.token();
    // All that this one knows of the session is the token.
    let engine = engine();
    let thief = Client::with_request(&engine, shown("bob"), resume(&token, &[])).await;
    assert_ne!(thief.token(), token);
    assert!(thief.told().await.contains(&"error bad_token".to_owned()));
    let ann = Client::with_request(&engine, shown("ann"), resume(&token, &[])).await;
    assert_eq!((ann.session.session_id(), ann.told().await), (session_of(&token), vec!["welcome back".to_owned()]));
}
