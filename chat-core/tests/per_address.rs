//! What one address, one network of addresses and one identity may do: beginning anew is no way around it.
#![cfg(feature = "engine")]

mod support;

use std::sync::Arc;

use chat_core::{Command, ConnectRequest, Engine, Hello, Limits, Refusal, Reject, RejectCode, Topic};
use support::*;

const HERE: &str = "192.0.2.1";

async fn turned_away(engine: &Engine, address: &str) -> Refusal {
    engine.connect(from(address), Hello::default()).await.expect_err("it is to be turned away")
}

/// A member who has come in from this address.
async fn member(engine: &Engine, address: &str, room: &str, who: &str) -> Client {
    let client = Client::calling_from(engine, address).await;
    client.enter(room, who).await;
    client
}

fn limited(reject: &Reject) -> (RejectCode, Option<std::time::Duration>) {
    (reject.code, reject.retry_after)
}

#[tokio::test(start_paused = true)]
async fn an_address_begins_a_hundred_sessions_and_then_five_per_second() {
    let engine = engine();
    for _ in 0..99 {
        drop(Client::calling_from(&engine, HERE).await);
    }
    let ann = Client::calling_from(&engine, HERE).await;
    let refusal = turned_away(&engine, HERE).await;
    assert_eq!((refusal.close.code(), refusal.reconnect_after), (4005, Some(millis(200))));
    assert_eq!(limited(&refusal.reject), (RejectCode::RateLimited, Some(millis(200))));
    drop(Client::calling_from(&engine, "192.0.2.2").await);
    let ann = Client::with_request(&engine, from(HERE), resume(&ann.token(), &[])).await;
    assert_eq!(ann.told().await, ["welcome back"], "who comes back begins nothing");
    pass(millis(200)).await;
    drop(Client::calling_from(&engine, HERE).await);
    turned_away(&engine, HERE).await;
}

#[tokio::test(start_paused = true)]
async fn a_place_that_is_not_there_costs_no_beginning() {
    let engine = engine_with(|limits| {
        limits.engine.connections_per_address_max = 1;
        (limits.engine.address_session_burst, limits.engine.address_sessions_per_second) = (2, 1);
    });
    let ann = Client::calling_from(&engine, HERE).await;
    for _ in 0..10 {
        assert_eq!(turned_away(&engine, HERE).await.reject.code, RejectCode::AtCapacity);
    }
    drop(ann);
    let _bob = Client::calling_from(&engine, HERE).await;
}

#[tokio::test(start_paused = true)]
async fn loopback_counts_like_any_other_address() {
    let engine = engine_with(|limits| limits.engine.connections_per_address_max = 2);
    let _here = [Client::calling_from(&engine, "127.0.0.1").await, Client::calling_from(&engine, "127.0.0.1").await];
    assert_eq!(turned_away(&engine, "127.0.0.1").await.reject.limit, Some(2));
    assert_eq!(Limits::default().engine.connections_per_address_max, 256);
}

#[tokio::test(start_paused = true)]
async fn a_new_session_is_no_fresh_allowance() {
    let engine =
        engine_with(|limits| (limits.engine.address_send_burst, limits.engine.address_sends_per_second) = (5, 2));
    let _host = Client::in_room(&engine, "LUNCH", "Host").await;
    for number in 0..5 {
        member(&engine, HERE, "LUNCH", &format!("Ann {number}")).await.say("LUNCH", "x").await;
    }
    let ann = member(&engine, HERE, "LUNCH", "Ann").await;
    assert_eq!(limited(&ann.refused(send("LUNCH", "x")).await), (RejectCode::RateLimited, Some(millis(500))));
    let bob = member(&engine, "192.0.2.2", "LUNCH", "Bob").await;
    bob.say("LUNCH", "from elsewhere").await;
    pass(millis(500)).await;
    ann.say("LUNCH", "having waited").await;
}

#[tokio::test(start_paused = true)]
async fn a_session_says_64_kib_at_once_and_then_8_kib_per_second() {
    let engine = engine();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let long = "\u{10ffff}".repeat(4_000);
    for _ in 0..4 {
        ann.say("LUNCH", &long).await;
    }
    // 64,000 of 65,536 bytes are said.
    let reject = ann.refused(send("LUNCH", &long)).await;
    assert_eq!(limited(&reject), (RejectCode::RateLimited, Some(millis(1_766))));
    let topic = |text: &str| Command::set_topic(code("LUNCH"), Topic::parse(text).expect("a topic"));
    ann.say("LUNCH", &"x".repeat(1_500)).await;
    let reject = ann.refused(topic(&"x".repeat(100))).await;
    assert_eq!(limited(&reject), (RejectCode::RateLimited, Some(millis(8))), "a topic is said, too");
    pass(millis(8)).await;
    assert!(ann.session.call(topic(&"x".repeat(100))).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn sessions_of_one_address_share_its_bytes() {
    let engine = engine_with(|limits| {
        (limits.engine.address_said_bytes_burst, limits.engine.address_said_bytes_per_second) = (1_000, 100);
    });
    let ann = member(&engine, HERE, "LUNCH", "Ann").await;
    let bob = member(&engine, HERE, "LUNCH", "Bob").await;
    ann.say("LUNCH", &"x".repeat(700)).await;
    assert_eq!(limited(&bob.refused(send("LUNCH", &"x".repeat(400))).await), (RejectCode::RateLimited, Some(secs(1))));
    bob.say("LUNCH", &"x".repeat(300)).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_costs_nobody_anything() {
    let engine = engine_with(|limits| {
        (limits.engine.address_said_bytes_burst, limits.engine.address_said_bytes_per_second) = (1_000, 1);
        (limits.engine.address_send_burst, limits.engine.address_sends_per_second) = (3, 1);
        (limits.session.send_burst, limits.session.send_per_second) = (2, 1);
    });
    let ann = member(&engine, HERE, "LUNCH", "Ann").await;
    let bob = member(&engine, HERE, "LUNCH", "Bob").await;
    for _ in 0..2 {
        ann.say("LUNCH", "x").await;
    }
    for _ in 0..5 {
        ann.refused(send("LUNCH", &"x".repeat(900))).await;
        bob.refused(send("LUNCH", &"x".repeat(999))).await;
    }
    bob.say("LUNCH", &"x".repeat(998)).await;
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_longer_than_a_burst_passes_alone() {
    let engine = engine_with(|limits| {
        (limits.session.said_bytes_burst, limits.session.said_bytes_per_second) = (100, 100);
        (limits.engine.address_said_bytes_burst, limits.engine.address_said_bytes_per_second) = (100, 100);
    });
    let ann = member(&engine, HERE, "LUNCH", "Ann").await;
    for _ in 0..3 {
        ann.say("LUNCH", &"x".repeat(1_000)).await;
        let reject = ann.refused(send("LUNCH", &"x".repeat(1_000))).await;
        assert_eq!(limited(&reject), (RejectCode::RateLimited, Some(secs(10))), "it is paid for all the same");
        pass(secs(10)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_retry_costs_an_address_nothing() {
    let engine = engine_with(|limits| {
        // The network has no more than its one address: neither it nor the address is to pay.
        limits.engine.addresses_per_network = 1;
        limits.session.send_per_second = 0;
        (limits.session.said_bytes_burst, limits.session.said_bytes_per_second) = (1_000, 1);
        (limits.engine.address_said_bytes_burst, limits.engine.address_said_bytes_per_second) = (1_000, 1);
        (limits.engine.address_send_burst, limits.engine.address_sends_per_second) = (3, 1);
    });
    let ann = member(&engine, "2001:db8::1", "LUNCH", "Ann").await;
    let text = "x".repeat(300);
    for _ in 0..20 {
        assert_eq!(acked(ann.session.call(send_keyed("LUNCH", &text, "one")).await), 2);
    }
    ann.say("LUNCH", &text).await;
    ann.say("LUNCH", &text).await;
    assert_eq!(ann.refused(send("LUNCH", "x")).await.code, RejectCode::RateLimited);
    assert_eq!(acked(ann.session.call(send_keyed("LUNCH", &text, "one")).await), 2, "also where nothing is left");
}

#[tokio::test(start_paused = true)]
async fn who_has_an_identity_pays_from_that_wherever_they_are() {
    let limits = limits(|limits| {
        (limits.engine.address_send_burst, limits.engine.address_sends_per_second) = (2, 1);
    });
    let engine = Engine::builder().policy(Arc::new(ByCredentials)).limits(limits).build();
    let of = async |who: &str, address: &str| {
        let request = ConnectRequest { credentials: Some(who.to_owned()), ..from(address) };
        let client = Client::with_request(&engine, request, Hello::default()).await;
        let entered = client.session.call(create("LUNCH", who)).await.is_ok();
        assert!(entered || client.session.call(join("LUNCH", who)).await.is_ok());
        client
    };
    let ann = of("ann", HERE).await;
    ann.say("LUNCH", "x").await;
    of("ann", "192.0.2.2").await.say("LUNCH", "x").await;
    let again = of("ann", "192.0.2.3").await;
    assert_eq!(again.refused(send("LUNCH", "x")).await.code, RejectCode::RateLimited, "one person");
    for _ in 0..2 {
        of("bob", HERE).await.say("LUNCH", "x").await;
    }
    let guest = member(&engine, HERE, "LUNCH", "Guest").await;
    guest.say("LUNCH", "nobody has paid from the address").await;
}

#[tokio::test(start_paused = true)]
async fn a_network_of_48_bits_may_twice_as_much_where_that_is_the_bound() {
    let engine = engine_with(|limits| {
        limits.engine.addresses_per_network = 2;
        limits.engine.connections_per_address_max = 2;
        limits.engine.rooms_per_address_max = 1;
        (limits.engine.address_send_burst, limits.engine.address_sends_per_second) = (1, 1);
        (limits.engine.address_session_burst, limits.engine.address_sessions_per_second) = (3, 1);
    });
    let site = |number: u32| format!("2001:db8:7:{number}::1");
    let ann = member(&engine, &site(1), "ONE", "Ann").await;
    let bob = member(&engine, &site(2), "TWO", "Bob").await;
    let cid = Client::calling_from(&engine, &site(3)).await;
    assert_eq!(cid.refused(create("THREE", "Cid")).await.limit, Some(2));
    cid.session.call(join("ONE", "Cid")).await.expect("it is there");
    ann.say("ONE", "x").await;
    bob.say("TWO", "x").await;
    assert_eq!(limited(&cid.refused(send("ONE", "x")).await), (RejectCode::RateLimited, Some(millis(500))));
    let dora = Client::calling_from(&engine, &site(4)).await;
    assert_eq!(turned_away(&engine, &site(5)).await.reject.limit, Some(4));
    let moved = Client::with_request(&engine, from(&site(6)), resume(&ann.token(), &[])).await;
    assert_eq!(moved.told().await[0], "welcome back one:live:3", "the place in the network is taken along");
    drop((ann, bob, dora));
    drop([Client::calling_from(&engine, &site(7)).await, Client::calling_from(&engine, &site(8)).await]);
    assert_eq!(turned_away(&engine, &site(9)).await.reject.code, RejectCode::RateLimited, "six sessions at once");
    let _elsewhere = member(&engine, "2001:db8:8:1::1", "THREE", "Eve").await;
}

#[tokio::test(start_paused = true)]
async fn so_many_rooms_are_alive_that_were_founded_from_one_address() {
    let engine = engine_with(|limits| limits.engine.rooms_per_address_max = 2);
    let ann = member(&engine, HERE, "ONE", "Ann").await;
    let bob = member(&engine, HERE, "TWO", "Bob").await;
    let reject = bob.refused(create("THREE", "Bob")).await;
    assert_eq!((limited(&reject), reject.limit), ((RejectCode::AtCapacity, Some(secs(10))), Some(2)));
    let drawn = Command::create(nick("Bob"));
    assert_eq!(bob.refused(drawn).await.code, RejectCode::AtCapacity);
    let eve = member(&engine, "192.0.2.2", "THREE", "Eve").await;
    eve.session.call(join("ONE", "Eve")).await.expect("a join founds nothing");
    ann.session.call(leave("ONE")).await.expect("she is in");
    assert_eq!(bob.refused(create("FOUR", "Bob")).await.code, RejectCode::AtCapacity, "it goes on without its founder");
    eve.session.call(leave("ONE")).await.expect("she is in");
    settle().await;
    ann.session.call(create("FOUR", "Ann")).await.expect("a room has ended");
    assert_eq!(bob.refused(create("FIVE", "Bob")).await.code, RejectCode::AtCapacity);
    drop((ann, bob));
    pass(secs(60)).await;
    let cid = Client::calling_from(&engine, HERE).await;
    cid.enter("SIX", "Cid").await;
    cid.enter("SEVEN", "Cid").await;
}

#[tokio::test(start_paused = true)]
async fn where_a_network_has_no_place_none_is_taken_of_the_address() {
    let engine = engine_with(|limits| {
        limits.engine.addresses_per_network = 1;
        limits.engine.rooms_per_address_max = 2;
    });
    let ann = Client::calling_from(&engine, "2001:db8:7:1::1").await;
    let bob = Client::calling_from(&engine, "2001:db8:7:2::1").await;
    for room in ["ONE", "TWO"] {
        ann.enter(room, "Ann").await;
    }
    for _ in 0..3 {
        assert_eq!(bob.refused(create("THREE", "Bob")).await.code, RejectCode::AtCapacity);
    }
    for room in ["ONE", "TWO"] {
        ann.session.call(leave(room)).await.expect("she is in");
    }
    settle().await;
    for room in ["THREE", "FOUR"] {
        bob.enter(room, "Bob").await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_room_that_is_not_founded_takes_no_place() {
    let engine = engine_with(|limits| {
        limits.engine.rooms_per_address_max = 1;
        limits.engine.rooms_max = 2;
    });
    let _eve = member(&engine, "192.0.2.2", "TAKEN", "Eve").await;
    let ann = Client::calling_from(&engine, HERE).await;
    for _ in 0..3 {
        assert_eq!(ann.refused(create("TAKEN", "Ann")).await.code, RejectCode::NameTaken);
    }
    let bob = member(&engine, "192.0.2.3", "OTHER", "Bob").await;
    let reject = ann.refused(create("FULL", "Ann")).await;
    assert_eq!(
        limited(&reject),
        (RejectCode::AtCapacity, Some(secs(10))),
        "the engine is full, and says when to look again"
    );
    bob.session.call(leave("OTHER")).await.expect("he is in");
    settle().await;
    ann.enter("MINE", "Ann").await;
}

#[tokio::test(start_paused = true)]
async fn one_address_keeps_so_many_sessions_without_a_connection() {
    let engine = engine_with(|limits| limits.engine.sessions_detached_per_address_max = 2);
    let bob = member(&engine, "192.0.2.2", "LUNCH", "Bob").await;
    let token = bob.token();
    drop(bob);
    let ann = Client::calling_from(&engine, HERE).await;
    let first = ann.token();
    drop(ann);
    for _ in 0..20 {
        // One that comes and goes counts once.
        drop(Client::with_request(&engine, from(HERE), resume(&first, &[])).await);
    }
    assert_eq!(engine.stats().sessions_detached, 2);
    for _ in 0..20 {
        drop(Client::calling_from(&engine, HERE).await);
    }
    assert_eq!(engine.stats().sessions_detached, 3, "two of the one address, and one of the other");
    let bob = Client::with_request(&engine, from("192.0.2.2"), resume(&token, &[])).await;
    assert_eq!(bob.told().await[0], "welcome back lunch:live:1");
    drop(bob);
    assert_eq!(engine.stats().sessions_detached, 3);
}

#[tokio::test(start_paused = true)]
async fn a_stranger_pushes_out_nobody_who_is_within_their_grace() {
    let engine = engine_with(|limits| {
        limits.engine.sessions_detached_max = 3;
        limits.lift_addresses();
    });
    let _host = Client::in_room(&engine, "LUNCH", "Host").await;
    let bob = member(&engine, "192.0.2.2", "LUNCH", "Bob").await;
    let token = bob.token();
    drop(bob);
    for _ in 0..20 {
        drop(Client::calling_from(&engine, HERE).await);
    }
    drop(Client::calling_from(&engine, "192.0.2.3").await);
    assert_eq!(engine.stats().sessions_detached, 3);
    let bob = Client::with_request(&engine, from("192.0.2.2"), resume(&token, &[])).await;
    assert_eq!(bob.told().await[0], "welcome back lunch:live:2");
    drop(bob);
    pass(secs(31)).await;
    for _ in 0..20 {
        drop(Client::calling_from(&engine, HERE).await);
    }
    assert_eq!(engine.stats().sessions_detached, 3);
    let bob = Client::with_request(&engine, from("192.0.2.2"), resume(&token, &[])).await;
    assert_eq!(bob.told().await, ["welcome back"], "after it the longest gone goes first");
}

#[tokio::test(start_paused = true)]
async fn a_bound_of_zero_is_none() {
    let engine = engine_with(|limits| {
        limits.lift_rates();
        limits.lift_addresses();
    });
    let mut clients = Vec::new();
    for number in 0..300 {
        clients.push(member(&engine, HERE, &format!("ROOM-{number}"), "Ann").await);
    }
    let long = "x".repeat(4_000);
    for _ in 0..300 {
        clients[0].say("ROOM-0", &long).await;
        clients[0].take();
    }
    drop(clients);
    assert_eq!(engine.stats().sessions_detached, 300);
}
