//! A bug that ends a room's task ends that life of the room, and nothing else: everybody is told, and everything is given back.
#[path = "../../chat-core/tests/support/mod.rs"]
mod support;

use std::sync::Arc;

use chat_core::{Command, CommandId, Engine, Limits, MemberId, Moderation, RejectCode, Reply, fault_injection};
use chat_testkit::logs::MemoryLog;
use support::*;
use tokio::task::JoinHandle;

/// An engine whose rooms trip over some of what they publish.
fn clumsy(change: impl FnOnce(&mut Limits)) -> Engine {
    fault_injection::let_rooms_trip(true);
    Engine::builder().limits(limits(change)).build()
}

/// The next frame, which a reader that sleeps is woken for: by who wakes it alone, so not beside anything else in a task.
async fn woken_for(client: &Client) -> String {
    let asleep = tokio::time::Instant::now();
    let frame = tokio::time::timeout(secs(60), client.next()).await.expect("there is something to tell");
    // At the end of the time it looks, whether or not somebody has woken it.
    assert_eq!(asleep.elapsed(), secs(0), "nobody has woken it for {frame:?}");
    summary(&frame)
}

/// What a sleeping reader is woken for, up to the end of the room.
async fn told_to_the_end(client: &Client) -> Vec<String> {
    let mut told: Vec<String> = Vec::new();
    while told.last().is_none_or(|last| !last.starts_with("closed")) {
        told.push(woken_for(client).await);
    }
    told
}

/// Sleeps until there is something to read.
async fn asleep<T: Send + 'static>(reading: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
    let reader = tokio::spawn(reading);
    settle().await;
    reader
}

#[tokio::test(start_paused = true)]
async fn its_readers_are_told_that_it_is_closed_and_its_code_is_free() {
    let engine = clumsy(|_| {});
    let other = Client::in_room(&engine, "OTHER", "Dan").await;
    let ann = Client::new(&engine).await;
    let bob = Arc::new(Client::new(&engine).await);
    for _ in 0..3 {
        assert_eq!(ann.enter("LUNCH", "Ann").await.seq.0, 1, "a new life");
        bob.enter("LUNCH", "Bob").await;
        assert_eq!(engine.stats().rooms, 2);
        let reader = Arc::clone(&bob);
        let reading = asleep(async move { told_to_the_end(&reader).await }).await;
        assert_eq!(ann.refused(send("LUNCH", "trip")).await.code, RejectCode::Unavailable, "nobody knows");
        assert_eq!(reading.await.expect("he reads"), ["3 Ann: trip", "closed fault"]);
        assert_eq!(told_to_the_end(&ann).await, ["2 +Bob", "3 Ann: trip", "closed fault"]);
        assert_eq!((engine.stats().rooms, engine.rooms()), (1, vec![code("OTHER")]));
        assert_eq!(ann.refused(send("LUNCH", "x")).await.code, RejectCode::RoomNotFound);
    }
    assert_eq!(other.say("OTHER", "nothing happened here").await, 2);
}

#[tokio::test(start_paused = true)]
async fn the_engine_has_place_for_as_many_rooms_as_before() {
    let engine = clumsy(|limits| limits.engine.rooms_max = 1);
    let ann = Client::new(&engine).await;
    for _ in 0..5 {
        ann.enter("LUNCH", "Ann").await;
        assert!(ann.session.call(send("LUNCH", "trip")).await.is_err());
        told_to_the_end(&ann).await;
    }
    ann.enter("DINNER", "Ann").await;
    assert_eq!(ann.refused(create("LUNCH", "Ann")).await.code, RejectCode::AtCapacity);
}

#[tokio::test(start_paused = true)]
async fn who_was_just_put_out_is_woken_too() {
    let engine = clumsy(|_| {});
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let bob = Client::in_room(&engine, "LUNCH", "Bob").await;
    let kick = Command::kick(code("LUNCH"), MemberId(2));
    let reading = asleep(async move { woken_for(&bob).await }).await;
    assert_eq!(ann.refused(kick).await.code, RejectCode::Unavailable, "nobody knows");
    assert_eq!(reading.await.expect("he reads"), "3 -Bob kicked by 1");
}

#[tokio::test(start_paused = true)]
async fn who_was_in_a_room_that_was_just_closed_is_woken_too() {
    let engine = clumsy(|_| {});
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let reading = asleep(async move { woken_for(&ann).await }).await;
    let answer = engine.moderate(&code("LUNCH"), Moderation::Close).await;
    assert_eq!(answer.expect_err("nobody knows").code, RejectCode::Unavailable);
    assert_eq!(reading.await.expect("she reads"), "closed host");
}

#[tokio::test(start_paused = true)]
async fn every_command_of_the_batch_is_answered() {
    let engine = clumsy(|limits| limits.session.commands_in_flight_max = 3);
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    for id in 1..4 {
        ann.submit_as(id, send("LUNCH", "trip"));
    }
    let mut answered = Vec::new();
    for frame in ann.frames().await {
        if let chat_core::ServerFrame::Error { id, code, .. } = frame {
            answered.push((id, code));
        }
    }
    let unavailable = |id| (Some(CommandId(id)), "unavailable".to_owned());
    assert_eq!(answered, [unavailable(1), unavailable(2), unavailable(3)]);
    for _ in 0..3 {
        assert_eq!(ann.session.submit(send("LUNCH", "x"), Reply::mailbox(None)), Ok(()), "its place is free");
    }
}

#[tokio::test(start_paused = true)]
async fn who_was_about_to_enter_it_may_enter_another() {
    let engine = clumsy(|limits| limits.session.rooms_max = 1);
    let _ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let bob = Client::new(&engine).await;
    assert_eq!(bob.refused(join("LUNCH", "Trip")).await.code, RejectCode::Unavailable);
    assert_eq!(bob.refused(create("LUNCH", "Trip")).await.code, RejectCode::Unavailable);
    bob.session.call(create("DINNER", "Bob")).await.expect("he is in no room");
}

#[tokio::test(start_paused = true)]
async fn who_was_about_to_come_back_to_it_may_enter_another() {
    let engine = clumsy(|limits| limits.session.rooms_max = 2);
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let bob = Client::in_room(&engine, "LUNCH", "Bob").await;
    let token = bob.token();
    drop(bob);
    settle().await;
    ann.submit(send("LUNCH", "trip"));
    let bob = Client::with_hello(&engine, resume(&token, &[])).await;
    assert_eq!(bob.told().await, ["welcome back lunch:unavailable"]);
    bob.session.call(create("DINNER", "Bob")).await.expect("one room may still be there, and two he may be in");
}

#[tokio::test(start_paused = true)]
async fn a_room_that_a_log_has_is_left_by_its_readers_and_found_again() {
    fault_injection::let_rooms_trip(true);
    let log = Arc::new(MemoryLog::default());
    let engine = Engine::builder().log(log).expect("nobody else has it").build();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let bob = Client::new(&engine).await;
    let joined = bob.enter("LUNCH", "Bob").await;
    for round in 0..3 {
        let bob = Client::with_hello(&engine, resume(&bob.token(), &[])).await;
        bob.told().await;
        let ann = Client::with_hello(&engine, resume(&ann.token(), &[])).await;
        ann.joined().await;
        let reading = asleep(async move { woken_for(&bob).await }).await;
        assert_eq!(ann.refused(send("LUNCH", "trip")).await.code, RejectCode::Unavailable, "nobody knows");
        let told = reading.await.expect("he reads");
        assert!([format!("{} Ann: trip", round + 3), "closing 4006".to_owned()].contains(&told), "{told}");
    }
    let bob = Client::with_hello(&engine, resume(&bob.token(), &[("LUNCH", joined.position())])).await;
    let told = bob.told().await;
    assert_eq!(told, ["welcome back lunch:live:2", "3 Ann: trip", "4 Ann: trip", "5 Ann: trip"], "the log has them");
    assert_eq!(engine.stats().rooms, 1);
}
