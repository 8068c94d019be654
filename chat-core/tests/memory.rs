//! The memory of all backlogs together has a bound, and who holds most gives first.
#![cfg(feature = "engine")]

mod support;

use chat_core::{Engine, ServerFrame};
use support::*;

const BUDGET: usize = 256 << 10;

fn engine_with_budget(linger: std::time::Duration) -> Engine {
    engine_with(|limits| {
        limits.engine.backlog_bytes_max = BUDGET;
        limits.lift_rates();
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

#[tokio::test(start_paused = true)]
async fn what_a_slow_reader_has_not_read_of_a_closed_room_is_given_before_any_room_gives() {
    let engine = engine_with_budget(secs(0));
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let mut said = 0;
    for (unread, needed) in [(100, 105), (60, 145), (30, 175)] {
        let host = Client::in_room(&engine, "DINNER", "Host").await;
        let bob = Client::in_room(&engine, "DINNER", "Bob").await;
        fill(&host, "DINNER", unread).await;
        engine.moderate(&code("DINNER"), chat_core::Moderation::Close).await.expect("it is there");
        host.told().await;
        assert!(engine.stats().backlog_bytes > (said + unread) * 1_000, "Bob may read all of it");
        fill(&ann, "LUNCH", needed - 5 - said).await;
        pass(millis(250)).await;
        fill(&ann, "LUNCH", 5).await;
        settle().await;
        assert!(engine.stats().backlog_bytes <= BUDGET / 8 * 7, "with {needed} messages in the other room");
        assert_eq!(bob.told().await, [format!("gap 3..{} ended", unread + 2), "closed host".into()]);
        said = needed;
    }
    assert_eq!(held(&engine, "LUNCH").await, said);
}

#[tokio::test(start_paused = true)]
async fn who_joins_an_empty_room_keeps_what_they_were_shown() {
    // The room is asked for its memory while it is empty, and looks when it may not be any more: at whichever step between.
    for steps in 0..200 {
        let engine = engine_with_budget(secs(3_600));
        let host = Client::in_room(&engine, "LUNCH", "Host").await;
        fill(&host, "LUNCH", 10).await;
        host.session.call(leave("LUNCH")).await.expect("in it");
        let noisy = Client::in_room(&engine, "DINNER", "Host").await;
        let newcomer = Client::new(&engine).await;
        settle().await;
        while engine.stats().backlog_bytes <= BUDGET / 8 * 7 {
            noisy.say("DINNER", &"x".repeat(1_000)).await;
        }
        for _ in 0..steps {
            tokio::task::yield_now().await;
        }
        newcomer.submit(join("LUNCH", "Newcomer"));
        let shown = newcomer.joined().await.history.len();
        settle().await;
        settle().await;
        let page = chat_core::Command::History { room: code("LUNCH"), before: None, limit: Some(200) };
        let Ok(ServerFrame::History { messages, .. }) = newcomer.session.call(page).await else {
            panic!("a history is answered");
        };
        assert_eq!(messages.len(), shown, "joined {steps} steps after the memory ran short");
    }
}
