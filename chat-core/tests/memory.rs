//! The memory of all backlogs and ledgers together has a bound, and who holds most gives first.
#![cfg(feature = "engine")]

mod support;

use std::sync::Arc;

use async_trait::async_trait;
use chat_core::{
    Admission, ConnectRequest, Engine, Identity, MemberId, Moderation, Policy, Reject, RejectCode, ServerFrame, Topic,
};
use support::*;

const BUDGET: usize = 256 << 10;
/// What two dozen small rooms remember, about.
const LEDGERS: usize = 36 << 10;

fn engine_with_budget(linger: std::time::Duration) -> Engine {
    engine_of(BUDGET, linger)
}

fn engine_of(budget: usize, linger: std::time::Duration) -> Engine {
    engine_with(|limits| {
        limits.engine.memory_bytes_max = budget;
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
        let page = chat_core::Command::history(code(room)).with_before(before).with_limit(200);
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
    let engine = engine_of(BUDGET + LEDGERS, secs(0));
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
        let page = chat_core::Command::history(code("LUNCH")).with_limit(200);
        let Ok(ServerFrame::History { messages, .. }) = newcomer.session.call(page).await else {
            panic!("a history is answered");
        };
        assert_eq!(messages.len(), shown, "joined {steps} steps after the memory ran short");
    }
}

/// People of one room, as many as are let in, and what the next one was told.
async fn crowd(engine: &Engine, room: &str, most: usize) -> (Vec<Client>, Option<chat_core::Reject>) {
    let mut people = Vec::new();
    for number in 0..most {
        let client = Client::new(engine).await;
        if let Err(reject) = client.session.call(join(room, &format!("Person {number}"))).await {
            return (people, Some(reject));
        }
        people.push(client);
    }
    (people, None)
}

#[tokio::test(start_paused = true)]
async fn what_ledgers_hold_backlogs_may_not() {
    let engine = engine_with_budget(secs(0));
    let host = Client::in_room(&engine, "CROWD", "Host").await;
    let (_people, refused) = crowd(&engine, "CROWD", 300).await;
    assert_eq!(refused, None, "there is place for a few hundred");
    let noisy = Client::in_room(&engine, "DINNER", "Host").await;
    for _ in 0..10 {
        fill(&noisy, "DINNER", 30).await;
        pass(millis(250)).await;
        let stats = engine.stats();
        assert!(stats.ledger_bytes > 300 * 200, "{} bytes for 300 people", stats.ledger_bytes);
        let all = stats.backlog_bytes + stats.ledger_bytes;
        assert!(all <= BUDGET + (8 << 10), "{} and {} bytes for {BUDGET}", stats.backlog_bytes, stats.ledger_bytes);
    }
    assert!(held(&engine, "DINNER").await > 20, "what is left may be held");
    drop((host, noisy));
}

#[tokio::test(start_paused = true)]
async fn where_ledgers_leave_no_memory_nobody_new_is_let_in_and_who_is_in_goes_on() {
    let engine = engine_with_budget(secs(0));
    let host = Client::in_room(&engine, "CROWD", "Host").await;
    let (mut people, refused) = crowd(&engine, "CROWD", 5_000).await;
    let refused = refused.expect("a budget of 256 KiB is not enough for 5,000 people");
    assert_eq!(
        (refused.code, refused.limit, refused.retry_after),
        (RejectCode::AtCapacity, Some(BUDGET as u64), Some(secs(10)))
    );
    assert!(engine.stats().ledger_bytes < BUDGET / 8 * 7);
    let stranger = Client::new(&engine).await;
    assert_eq!(stranger.refused(create("OTHER", "Ann")).await.code, RejectCode::AtCapacity);
    assert_eq!(engine.stats().rooms, 1, "what is refused leaves nothing behind");

    // Who is in goes on, and comes back.
    host.say("CROWD", "hello").await;
    let token = host.token();
    drop(host);
    let host = Client::with_hello(&engine, resume(&token, &[])).await;
    host.joined().await;
    let other_tab = host.session.call(join("CROWD", "Host")).await.expect_err("it is in the room already");
    assert_eq!(other_tab.code, RejectCode::AlreadyMember);

    people.drain(..100);
    pass(secs(31)).await;
    stranger.session.call(join("CROWD", "Ann")).await.expect("a hundred have left");
}

/// Whoever has credentials is the host, and is called as they say.
struct OneHost;

#[async_trait]
impl Policy for OneHost {
    async fn admit(&self, request: &ConnectRequest) -> Result<Admission, Reject> {
        let Some(name) = request.credentials.as_deref() else { return Ok(Admission::guest()) };
        Ok(Admission::of(Identity::new("host")).with_nick(nick(name)))
    }
}

#[tokio::test(start_paused = true)]
async fn where_nobody_new_is_let_in_another_device_of_a_member_is_whatever_they_are_called() {
    let limits = limits(|limits| {
        limits.engine.memory_bytes_max = BUDGET;
        limits.lift_rates();
    });
    let engine = Engine::builder().policy(Arc::new(OneHost)).limits(limits).build();
    let host = Client::of(&engine, "Host").await;
    host.session.call(create("CROWD", "x")).await.expect("the name is free");
    let (_people, refused) = crowd(&engine, "CROWD", 5_000).await;
    assert_eq!(refused.map(|reject| reject.code), Some(RejectCode::AtCapacity));
    let device = Client::of(&engine, "Hostess").await;
    let joined = device.enter("CROWD", "x").await;
    assert_eq!((joined.you.member, joined.you.nick.as_str()), (MemberId(1), "Host"));
    let is_named = |frame: &ServerFrame| match frame {
        ServerFrame::MemberChanged { member, nick, .. } => (*member, nick.as_deref()) == (MemberId(1), Some("Hostess")),
        _ => false,
    };
    assert!(device.frames().await.iter().any(is_named), "right after it");
}

#[tokio::test(start_paused = true)]
async fn where_ledgers_hold_everything_nothing_is_said_that_would_have_to_be_remembered() {
    let engine = engine_with_budget(secs(0));
    let host = Client::in_room(&engine, "LUNCH", "Host").await;
    let (people, refused) = crowd(&engine, "LUNCH", 64).await;
    assert_eq!(refused, None, "the people alone are not too much");
    let mut sent = 0;
    let refused = loop {
        let speaker = &people[sent % people.len()];
        let seq = match speaker.session.call(send_keyed("LUNCH", "x", &sent.to_string())).await {
            Ok(answer) => acked(Ok(answer)),
            Err(reject) => break reject,
        };
        people.iter().for_each(|client| drop(client.take()));
        host.take();
        sent += 1;
        assert!(sent < 4_096 && seq > 0, "keys alone would be more than 256 KiB");
    };
    assert_eq!((refused.code, refused.limit), (RejectCode::AtCapacity, Some(BUDGET as u64)));
    let held = engine.stats().ledger_bytes;
    assert!((BUDGET..BUDGET + BUDGET / 4).contains(&held), "{held} bytes");
    let topic = chat_core::Command::set_topic(code("LUNCH"), Topic::parse("x").expect("valid"));
    assert_eq!(host.refused(topic).await.code, RejectCode::AtCapacity);

    let last = &people[(sent - 1) % people.len()];
    let retry = send_keyed("LUNCH", "x", &(sent - 1).to_string());
    assert!(last.session.call(retry).await.is_ok(), "what was said is answered again");
    people[0].session.call(leave("LUNCH")).await.expect("whoever wants to may go");
    engine.moderate(&code("LUNCH"), Moderation::Ban(MemberId(3))).await.expect("and others can be put out");
    engine.moderate(&code("LUNCH"), Moderation::Close).await.expect("it is there");
    settle().await;
    assert_eq!((engine.stats().rooms, engine.stats().ledger_bytes), (0, 0));
    Client::in_room(&engine, "LUNCH", "Host").await.say("LUNCH", "hello").await;
}
