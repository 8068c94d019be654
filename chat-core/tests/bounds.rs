//! Every bound of the engine, and what it is told that somebody has reached it.
#![cfg(feature = "engine")]

mod support;

use chat_core::{Busy, Command, Hello, Limits, Position, RejectCode, Reply, ServerFrame};
use support::*;

#[tokio::test(start_paused = true)]
async fn sends_beyond_the_rate_are_refused_with_the_time_to_wait() {
    let engine = engine();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    for _ in 0..10 {
        ann.say("LUNCH", "x").await;
    }
    let reject = ann.refused(send("LUNCH", "x")).await;
    assert_eq!((reject.code, reject.retry_after), (RejectCode::RateLimited, Some(millis(200))));
    pass(millis(199)).await;
    assert_eq!(ann.refused(send("LUNCH", "x")).await.retry_after, Some(millis(1)));
    pass(millis(1)).await;
    ann.say("LUNCH", "x").await;
    assert_eq!(ann.refused(send_keyed("LUNCH", "x", "new")).await.code, RejectCode::RateLimited, "a key buys nothing");
}

#[tokio::test(start_paused = true)]
async fn a_retry_costs_nothing_and_earns_nothing() {
    let engine = engine();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    for number in 0..10 {
        let keyed = || send_keyed("LUNCH", "x", &format!("k{number}"));
        let seq = acked(ann.session.call(keyed()).await);
        assert_eq!(acked(ann.session.call(keyed()).await), seq);
    }
    for _ in 0..5 {
        assert_eq!(acked(ann.session.call(send_keyed("LUNCH", "x", "k0")).await), 2, "answered though none is left");
    }
    let reject = ann.refused(send("LUNCH", "x")).await;
    assert_eq!(reject.code, RejectCode::RateLimited, "retries are not turned into sends");
    let reject = ann.refused(send_keyed("LUNCH", "y", "k0")).await;
    assert_eq!(reject.code, RejectCode::KeyConflict);
}

#[tokio::test(start_paused = true)]
async fn commands_have_a_rate_of_their_own() {
    let engine = engine_with(|limits| limits.session.command_burst = 3);
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let page = || Command::history(code("LUNCH")).with_limit(1);
    assert!(ann.session.call(page()).await.is_ok() && ann.session.call(page()).await.is_ok());
    let reject = ann.refused(page()).await;
    assert_eq!((reject.code, reject.retry_after), (RejectCode::RateLimited, Some(millis(50))));
    ann.say("LUNCH", "sends are counted apart").await;
}

#[tokio::test(start_paused = true)]
async fn so_many_commands_are_in_flight_and_no_more() {
    let engine = engine_with(Limits::lift_rates);
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    for _ in 0..32 {
        assert!(ann.session.can_submit());
        ann.submit(send("LUNCH", "x"));
    }
    let one_more = || ann.session.submit(send("LUNCH", "x"), Reply::mailbox(None));
    assert_eq!(one_more(), Err(Busy));
    settle().await;
    assert_eq!(one_more(), Err(Busy), "answered, and not read");
    let frame = ann.session.peek().expect("an answer");
    assert_eq!(one_more(), Err(Busy), "seen, and not taken");
    ann.session.commit(frame.mark);
    assert_eq!((one_more(), one_more()), (Ok(()), Err(Busy)));
    assert_eq!(ann.refused(send("LUNCH", "x")).await.code, RejectCode::Busy);
    assert_eq!(ann.take().len(), 31 + 32, "answers and messages");
    assert!(ann.session.can_submit());
}

#[tokio::test(start_paused = true)]
async fn every_kind_of_answer_frees_its_place() {
    let engine = engine_with(|limits| limits.session.commands_in_flight_max = 2);
    let ann = Client::new(&engine).await;
    let commands = [
        create("LUNCH", "Ann"),
        join("LUNCH", "Ann"),
        join("NOWHERE", "Ann"),
        send("LUNCH", "x"),
        send("NOWHERE", "x"),
        Command::create(nick("Ann")),
        Command::typing(code("LUNCH"), chat_core::TypingState::On),
        Command::typing(code("NOWHERE"), chat_core::TypingState::On),
        Command::history(code("LUNCH")),
        Command::members(code("LUNCH")),
        leave("LUNCH"),
        create("LUNCH", "Ann"),
    ];
    for command in commands {
        ann.submit(command.clone());
        ann.told().await;
        assert_eq!(ann.session.submit(leave("NOWHERE"), Reply::mailbox(None)), Ok(()), "after {command:?}");
        assert_eq!(ann.session.submit(leave("NOWHERE"), Reply::mailbox(None)), Ok(()), "after {command:?}");
        ann.told().await;
        let _ = ann.session.call(command).await;
        ann.told().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_full_inbox_is_busy() {
    let engine = engine_with(|limits| limits.room.inbox_max = 4);
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    for _ in 0..6 {
        ann.submit(send("LUNCH", "x"));
    }
    let told = ann.told().await;
    assert_eq!(told[..2], ["error busy", "error busy"], "refused at once");
    assert_eq!(told[2..6], ["ack 2", "ack 3", "ack 4", "ack 5"]);
    ann.say("LUNCH", "and again").await;
}

#[tokio::test(start_paused = true)]
async fn a_disconnect_and_a_resume_get_through_a_full_inbox() {
    let engine = engine_with(|limits| limits.room.inbox_max = 2);
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let bob = Client::in_room(&engine, "LUNCH", "Bob").await;
    ann.submit(send("LUNCH", "x"));
    ann.submit(send("LUNCH", "x"));
    let token = bob.token();
    drop(bob);
    let bob = Client::with_hello(&engine, resume(&token, &[])).await;
    assert_eq!(bob.told().await, ["welcome back lunch:live:4", "joined 4 as 2"]);
}

#[tokio::test(start_paused = true)]
async fn the_engine_has_so_many_rooms_and_no_more() {
    let engine = engine_with(|limits| limits.engine.rooms_max = 2);
    let ann = Client::in_room(&engine, "AAA", "Ann").await;
    ann.enter("BBB", "Ann").await;
    assert_eq!(ann.refused(create("CCC", "Ann")).await.code, RejectCode::AtCapacity);
    let drawn = Command::create(nick("Ann"));
    assert_eq!(ann.refused(drawn.clone()).await.code, RejectCode::AtCapacity);
    assert_eq!(ann.refused(create("AAA", "Ann")).await.code, RejectCode::NameTaken);
    ann.session.call(leave("AAA")).await.expect("she is there");
    settle().await;
    assert!(ann.session.call(drawn).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_drawn_code_has_eight_letters_and_is_told() {
    let engine = engine();
    let ann = Client::new(&engine).await;
    ann.submit(Command::create(nick("Ann")));
    let joined = ann.joined().await;
    assert!(joined.room.len() == 8 && joined.room.bytes().all(|letter| letter.is_ascii_uppercase()), "{}", joined.room);
    assert_eq!(Client::new(&engine).await.enter(&joined.room, "Bob").await.epoch, joined.epoch);
}

#[tokio::test(start_paused = true)]
async fn the_engine_has_so_many_connections_and_no_more() {
    let engine = engine_with(|limits| limits.engine.connections_max = 2);
    let ann = Client::new(&engine).await;
    let bob = Client::new(&engine).await;
    let refusal = engine.connect(Default::default(), Hello::default()).await.expect_err("full");
    assert_eq!((refusal.close.code(), refusal.reject.code), (4005, RejectCode::AtCapacity));
    assert!(refusal.reconnect_after.is_some());
    let again = Client::with_hello(&engine, resume(&ann.token(), &[])).await;
    assert_eq!(again.told().await, ["welcome back"], "a takeover needs no place of its own");
    let token = bob.token();
    drop(bob);
    let cid = Client::new(&engine).await;
    let refusal =
        engine.connect(Default::default(), resume(&token, &[])).await.expect_err("full for those who resume too");
    assert_eq!(refusal.close.code(), 4005);
    drop(cid);
    assert_eq!(Client::with_hello(&engine, resume(&token, &[])).await.told().await, ["welcome back"]);
}

#[tokio::test(start_paused = true)]
async fn so_many_sessions_are_kept_without_a_connection() {
    let engine = engine_with(|limits| limits.engine.sessions_detached_max = 2);
    let clients = [Client::new(&engine).await, Client::new(&engine).await, Client::new(&engine).await];
    for client in clients {
        drop(client);
    }
    assert_eq!(engine.stats().sessions_detached, 2);
    let ann = Client::new(&engine).await;
    assert_eq!((engine.stats().sessions, engine.stats().sessions_detached), (1, 2), "who comes pushes nobody out");
    drop(ann);
    assert_eq!(engine.stats().sessions_detached, 2);
}

#[tokio::test(start_paused = true)]
async fn a_full_room_is_full() {
    let engine = engine_with(|limits| limits.room.members_max = 2);
    let _ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let bob = Client::in_room(&engine, "LUNCH", "Bob").await;
    let cid = Client::new(&engine).await;
    let reject = cid.refused(join("LUNCH", "Cid")).await;
    assert_eq!((reject.code, reject.limit), (RejectCode::RoomFull, Some(2)));
    bob.session.call(leave("LUNCH")).await.expect("he is there");
    cid.enter("LUNCH", "Cid").await;
}

#[tokio::test(start_paused = true)]
async fn one_session_is_in_32_rooms_and_no_more() {
    let engine = engine_with(|limits| limits.session.command_per_second = 0);
    let ann = Client::new(&engine).await;
    for room in 0..32 {
        ann.enter(&format!("ROOM-{room}"), "Ann").await;
    }
    let reject = ann.refused(create("ROOM-32", "Ann")).await;
    assert_eq!((reject.code, reject.limit), (RejectCode::TooManyRooms, Some(32)));
    assert_eq!(ann.refused(join("ROOM-32", "Ann")).await.code, RejectCode::TooManyRooms);
    assert_eq!(ann.refused(join("ROOM-7", "Ann")).await.code, RejectCode::AlreadyMember, "this is no 33rd");
    ann.told().await;
    ann.submit(leave("ROOM-7"));
    while !matches!(ann.next().await, ServerFrame::MemberLeft { .. }) {}
    assert!(ann.session.call(create("ROOM-32", "Ann")).await.is_ok(), "its place is free once the leave is read");
    let again = Client::with_hello(&engine, resume(&ann.token(), &[])).await;
    assert_eq!(again.welcomed().await.len(), 32);
    assert_eq!(again.refused(create("ROOM-33", "Ann")).await.code, RejectCode::TooManyRooms);
}

#[tokio::test(start_paused = true)]
async fn a_refused_entrance_takes_no_place() {
    let engine = engine_with(|limits| limits.session.rooms_max = 1);
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let bob = Client::new(&engine).await;
    for _ in 0..3 {
        assert_eq!(bob.refused(join("LUNCH", "Ann")).await.code, RejectCode::NickTaken);
        assert_eq!(bob.refused(join("NOWHERE", "Bob")).await.code, RejectCode::RoomNotFound);
        assert_eq!(bob.refused(create("LUNCH", "Bob")).await.code, RejectCode::NameTaken);
    }
    bob.enter("LUNCH", "Bob").await;
    drop(ann);
}

#[tokio::test(start_paused = true)]
async fn stays_that_were_not_read_to_their_end_count() {
    let engine = engine_with(|limits| {
        limits.session.rooms_max = 3;
        limits.session.command_per_second = 0;
    });
    let _host = Client::in_room(&engine, "LUNCH", "Host").await;
    let ann = Client::new(&engine).await;
    let mut refused = 0;
    for _ in 0..20 {
        refused += usize::from(ann.session.call(join("LUNCH", "Ann")).await.is_err());
        let _ = ann.session.call(leave("LUNCH")).await;
    }
    assert_eq!(refused, 17, "who does not read cannot leave and join without end");
    ann.told().await;
    ann.enter("LUNCH", "Ann").await;
}

#[tokio::test(start_paused = true)]
async fn who_names_too_many_rooms_that_are_not_there_has_to_wait() {
    let engine = engine_with(|limits| limits.session.command_per_second = 0);
    let _host = Client::in_room(&engine, "LUNCH", "Host").await;
    let ann = Client::new(&engine).await;
    for number in 0..16 {
        assert_eq!(ann.refused(join(&format!("GUESS-{number}"), "Ann")).await.code, RejectCode::RoomNotFound);
        assert_eq!(ann.refused(create("LUNCH", "Ann")).await.code, RejectCode::NameTaken, "tells as much");
    }
    let reject = ann.refused(join("GUESS-16", "Ann")).await;
    assert_eq!((reject.code, reject.retry_after), (RejectCode::RateLimited, Some(secs(1))));
    assert_eq!(ann.refused(join("LUNCH", "Ann")).await.code, RejectCode::RateLimited, "there or not");
    assert_eq!(ann.refused(create("LUNCH", "Ann")).await.code, RejectCode::RateLimited);
    pass(secs(1)).await;
    ann.session.call(join("LUNCH", "Ann")).await.expect("one more is free");
    ann.say("LUNCH", "and the rest goes on").await;
}

#[tokio::test(start_paused = true)]
async fn rooms_that_are_there_are_no_guesses() {
    let engine = engine_with(|limits| limits.session.command_per_second = 0);
    let _host = Client::in_room(&engine, "LUNCH", "Host").await;
    let ann = Client::new(&engine).await;
    for _ in 0..100 {
        ann.session.call(join("LUNCH", "Ann")).await.expect("it is there");
        ann.session.call(leave("LUNCH")).await.expect("she is in");
        ann.told().await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_address_that_guesses_has_to_wait_whichever_session_it_uses() {
    let engine = engine_with(|limits| {
        limits.engine.address_miss_burst = 4;
        limits.engine.address_misses_per_second = 2;
    });
    let _host = Client::in_room(&engine, "LUNCH", "Host").await;
    for number in 0..4 {
        let guesser = Client::with_request(&engine, from("2001:db8::1"), Hello::default()).await;
        assert_eq!(guesser.refused(join(&format!("GUESS-{number}"), "Ann")).await.code, RejectCode::RoomNotFound);
    }
    let other = Client::with_request(&engine, from("2001:db8::2"), Hello::default()).await;
    let reject = other.refused(join("LUNCH", "Ann")).await;
    assert_eq!((reject.code, reject.retry_after), (RejectCode::RateLimited, Some(millis(500))), "one network");
    let elsewhere = Client::with_request(&engine, from("2001:db8:0:1::1"), Hello::default()).await;
    elsewhere.session.call(join("LUNCH", "Bob")).await.expect("another network");
    pass(millis(500)).await;
    other.session.call(join("LUNCH", "Ann")).await.expect("one more is free");
}

#[tokio::test(start_paused = true)]
async fn positions_of_rooms_that_are_not_there_are_guesses_too() {
    let engine = engine_with(|limits| limits.session.miss_burst = 3);
    let _host = Client::in_room(&engine, "LUNCH", "Host").await;
    let ann = Client::new(&engine).await;
    let token = ann.token();
    drop(ann);
    let at = Position { epoch: chat_core::Epoch(7), seq: chat_core::Seq(1) };
    let guess = resume(&token, &[("GUESS-1", at), ("GUESS-2", at), ("GUESS-3", at)]);
    let ann = Client::with_hello(&engine, guess).await;
    assert_eq!(ann.told().await, ["welcome back guess-1:unknown:1 guess-2:unknown:1 guess-3:unknown:1"]);
    drop(ann);
    let ann = Client::with_hello(&engine, resume(&token, &[("LUNCH", at)])).await;
    assert_eq!(ann.told().await, ["welcome back lunch:unavailable:1"], "not looked at");
}

#[tokio::test(start_paused = true)]
async fn one_address_has_so_many_connections_and_no_more() {
    let engine = engine_with(|limits| limits.engine.connections_per_address_max = 2);
    let ann = Client::with_request(&engine, from("192.0.2.1"), Hello::default()).await;
    let bob = Client::with_request(&engine, from("192.0.2.1"), Hello::default()).await;
    let refusal = engine.connect(from("::ffff:192.0.2.1"), Hello::default()).await.expect_err("two are there");
    assert_eq!((refusal.close.code(), refusal.reject.code), (4005, RejectCode::AtCapacity));
    assert_eq!((refusal.reject.limit, refusal.reconnect_after), (Some(2), Some(secs(10))));
    let _elsewhere = Client::with_request(&engine, from("192.0.2.2"), Hello::default()).await;
    let _unknown = Client::new(&engine).await;
    let again = Client::with_request(&engine, from("192.0.2.1"), resume(&ann.token(), &[])).await;
    assert_eq!(again.told().await, ["welcome back"], "a takeover needs no place of its own");
    drop(ann);
    assert!(
        engine.connect(from("192.0.2.1"), Hello::default()).await.is_err(),
        "the one taken over has no place to free"
    );
    drop(bob);
    assert!(engine.connect(from("192.0.2.1"), Hello::default()).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn who_goes_on_after_many_refusals_is_shown_out() {
    let engine = engine();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let mut refused = 0;
    let told = loop {
        while ann.session.submit(send("NOWHERE", "x"), Reply::mailbox(None)).is_ok() {}
        let told = ann.told().await;
        refused += told.iter().filter(|frame| frame.starts_with("error")).count();
        if told.iter().any(|frame| frame.starts_with("closing")) {
            break told;
        }
        assert!(refused < 1_000, "no end of it");
    };
    assert_eq!(told.last().map(String::as_str), Some("closing 4504"));
    assert!((250..=256 + 32).contains(&refused), "{refused}");
    let again = Client::with_hello(&engine, resume(&ann.token(), &[])).await;
    again.told().await;
    assert_eq!(again.session.submit(send("LUNCH", "x"), Reply::mailbox(None)), Err(Busy), "the session owes still");
    assert_eq!(again.told().await, ["closing 4504"]);
    pass(secs(60)).await;
    let again = Client::with_hello(&engine, resume(&ann.token(), &[])).await;
    again.told().await;
    again.say("LUNCH", "having waited").await;
}

#[tokio::test(start_paused = true)]
async fn a_guess_is_a_guess_whatever_the_command() {
    let engine = engine_with(|limits| limits.session.miss_burst = 3);
    let _host = Client::in_room(&engine, "LUNCH", "Host").await;
    let eve = Client::new(&engine).await;
    let look = |room| Command::history(code(room));
    for room in ["GUESS-1", "GUESS-2", "GUESS-3"] {
        assert_eq!(eve.refused(look(room)).await.code, RejectCode::RoomNotFound);
    }
    assert_eq!(eve.refused(look("LUNCH")).await.code, RejectCode::RateLimited, "there or not");
    pass(secs(1)).await;
    assert_eq!(eve.refused(look("LUNCH")).await.code, RejectCode::NotMember);
}

#[tokio::test(start_paused = true)]
async fn a_takeover_from_another_address_needs_a_place_there() {
    let engine = engine_with(|limits| limits.engine.connections_per_address_max = 1);
    let ann = Client::with_request(&engine, from("192.0.2.1"), Hello::default()).await;
    let _bob = Client::with_request(&engine, from("192.0.2.2"), Hello::default()).await;
    let moved = engine.connect(from("192.0.2.2"), resume(&ann.token(), &[])).await;
    assert_eq!(moved.expect_err("taken").close.code(), 4005);
    assert!(engine.connect(from("192.0.2.3"), resume(&ann.token(), &[])).await.is_ok());
}
