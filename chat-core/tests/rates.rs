//! Rates hold over any time, for whoever tries as often as they can: a refused attempt earns nothing.
#![cfg(feature = "engine")]

mod support;

use chat_core::{Command, ConnectRequest, Hello, ReactionName, RejectCode, Seq};
use support::*;

/// Of 200 attempts in two seconds, how many were not refused for their rate.
async fn let_through(client: &Client, command: impl Fn() -> Command) -> usize {
    let mut let_through = 0;
    for _ in 0..200 {
        let answer = client.session.call(command()).await;
        let_through += usize::from(answer.map_err(|reject| reject.code) != Err(RejectCode::RateLimited));
        client.take();
        pass(millis(10)).await;
    }
    let_through
}

/// The first at once, and then one every 200 ms: five per second, for two seconds.
const FIVE_PER_SECOND: usize = 10;

#[tokio::test(start_paused = true)]
async fn who_sends_without_a_pause_gets_the_rate_and_no_more() {
    let engine = engine_with(|limits| {
        (limits.session.send_burst, limits.session.send_per_second) = (1, 5);
        limits.session.refusals_per_second = 0;
    });
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    assert_eq!(let_through(&ann, || send("LUNCH", "x")).await, FIVE_PER_SECOND);
    assert_eq!(let_through(&ann, || send_keyed("LUNCH", "x", "new")).await, 200, "one message, and its retries");
}

#[tokio::test(start_paused = true)]
async fn who_reacts_without_a_pause_pays_what_a_message_costs() {
    let engine = engine_with(|limits| {
        (limits.session.send_burst, limits.session.send_per_second) = (2, 5);
        (limits.session.command_per_second, limits.session.refusals_per_second) = (1, 0);
    });
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let said = ann.say("LUNCH", "Pizza?").await;
    let react = || Command::react(code("LUNCH"), Seq(said), ReactionName::parse("+1").expect("valid"));
    assert_eq!(let_through(&ann, react).await, FIVE_PER_SECOND, "also where it changes nothing");
}

#[tokio::test(start_paused = true)]
async fn who_asks_without_a_pause_gets_the_rate_and_no_more() {
    let engine = engine_with(|limits| {
        (limits.session.command_burst, limits.session.command_per_second) = (1, 5);
        limits.session.refusals_per_second = 0;
    });
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    pass(millis(200)).await;
    let page = || Command::history(code("LUNCH")).with_limit(1);
    assert_eq!(let_through(&ann, page).await, FIVE_PER_SECOND);
}

#[tokio::test(start_paused = true)]
async fn who_guesses_without_a_pause_gets_the_rate_and_no_more() {
    let engine = engine_with(|limits| {
        (limits.session.miss_burst, limits.session.misses_per_second) = (1, 5);
        (limits.session.command_per_second, limits.session.refusals_per_second) = (0, 0);
    });
    let eve = Client::new(&engine).await;
    assert_eq!(let_through(&eve, || join("GUESS", "Eve")).await, FIVE_PER_SECOND);
}

#[tokio::test(start_paused = true)]
async fn an_address_that_guesses_with_one_session_after_the_other_gets_the_rate_and_no_more() {
    let engine = engine_with(|limits| {
        (limits.engine.address_miss_burst, limits.engine.address_misses_per_second) = (1, 5);
        limits.lift_addresses();
    });
    let mut let_through = 0;
    for _ in 0..200 {
        let address = "192.0.2.1".parse().ok();
        let request = ConnectRequest { transport: "test", address, ..ConnectRequest::default() };
        let eve = Client::with_request(&engine, request, Hello::default()).await;
        let_through += usize::from(eve.refused(join("GUESS", "Eve")).await.code == RejectCode::RoomNotFound);
        pass(millis(10)).await;
    }
    assert_eq!(let_through, FIVE_PER_SECOND);
}
