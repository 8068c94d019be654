//! The memory of all backlogs together has a bound, and who holds most gives first.
#![cfg(feature = "engine")]

mod support;

use chat_core::{Engine, ServerFrame};
use support::*;

const BUDGET: usize = 256 << 10;

fn engine_with_budget(linger: std::time::Duration) -> Engine {
    engine_with(|limits| {
        limits.engine.backlog_bytes_max = BUDGET;
        limits.session.send_per_second = 0;
        limits.session.command_per_second = 0;
        limits.room.empty_linger = linger;
    })
}

async fn fill(client: &Client, room: &str, messages: usize) {
    for number in 0..messages {
        client.say(room, &format!("{number} {}", "x".repeat(1_000))).await;
        client.take();
    }
}

/// How many messages a newcomer is shown at most: what the backlog holds.
async fn held(engine: &Engine, room: &str) -> usize {
    let client = Client::new(engine).await;
    client.session.call(join(room, "Newcomer")).await.expect("there is place");
    let mut held = client.joined().await.history.len();
    let mut before = None;
    while held > 0 {
        let page = chat_core::Command::History { room: code(room), before, limit: Some(200) };
        let Ok(ServerFrame::History { messages, more, .. }) = client.session.call(page).await else {
            panic!("a history is answered");
        };
        held = if before.is_none() { messages.len() } else { held + messages.len() };
        before = messages.first().map(|message| message.frame().seq);
        if !more {
            break;
        }
    }
    client.session.call(leave(room)).await.expect("in it");
    held
}

#[tokio::test(start_paused = true)]
async fn noisy_rooms_share_the_budget_and_quiet_ones_lose_nothing() {
    let engine = engine_with_budget(secs(0));
    let quiet: Vec<String> = (0..20).map(|number| format!("QUIET-{number}")).collect();
    let noisy: Vec<String> = (0..4).map(|number| format!("NOISY-{number}")).collect();
    let mut people = Vec::new();
    for room in quiet.iter().chain(&noisy) {
        let host = Client::in_room(&engine, room, "Host").await;
        fill(&host, room, 3).await;
        people.push(host);
    }
    for _ in 0..10 {
        for (room, host) in noisy.iter().zip(&people[quiet.len()..]) {
            fill(host, room, 30).await;
        }
        pass(millis(250)).await;
        let all = engine.stats().backlog_bytes;
        assert!(all <= BUDGET + (32 << 10), "{all} bytes for {BUDGET}");
    }
    assert!(engine.stats().backlog_bytes > BUDGET / 3, "what may be held is held");
    for room in &quiet {
        assert_eq!(held(&engine, room).await, 3, "{room} holds less than its share");
    }
    for room in &noisy {
        let held = held(&engine, room).await;
        assert!((20..=60).contains(&held), "{room}: {held}");
    }
}

#[tokio::test(start_paused = true)]
async fn rooms_without_members_give_first() {
    let engine = engine_with_budget(secs(3_600));
    let mut people = Vec::new();
    for number in 0..10 {
        let room = format!("LEFT-{number}");
        let host = Client::in_room(&engine, &room, "Host").await;
        fill(&host, &room, 10).await;
        host.session.call(leave(&room)).await.expect("in it");
        host.told().await;
        people.push(host);
    }
    let host = Client::in_room(&engine, "LUNCH", "Host").await;
    fill(&host, "LUNCH", 20).await;
    let neighbour = Client::in_room(&engine, "DINNER", "Host").await;
    fill(&neighbour, "DINNER", 150).await;
    pass(millis(250)).await;
    fill(&neighbour, "DINNER", 1).await;
    settle().await;
    for number in 0..10 {
        let held = held(&engine, &format!("LEFT-{number}")).await;
        assert!(held <= 1, "nobody was there to miss them: {held}");
    }
    assert_eq!(held(&engine, "LUNCH").await, 20);
    assert!(engine.stats().backlog_bytes <= BUDGET + (8 << 10));
}

#[tokio::test(start_paused = true)]
async fn a_room_that_is_gone_holds_nothing() {
    let engine = engine_with_budget(secs(0));
    let host = Client::in_room(&engine, "LUNCH", "Host").await;
    fill(&host, "LUNCH", 10).await;
    assert!(engine.stats().backlog_bytes > 10_000);
    drop(host);
    pass(secs(31)).await;
    assert_eq!((engine.stats().rooms, engine.stats().backlog_bytes), (0, 0));
}
