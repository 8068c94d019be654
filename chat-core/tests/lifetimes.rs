//! When members and rooms end: graces, empty rooms, closings, and what happens at the same moment.
#![cfg(feature = "engine")]

mod support;

use std::time::Duration;

use chat_core::{Command, MemberId, Moderation, ReactionName, RejectCode, Seq, ServerFrame};
use support::*;

#[tokio::test(start_paused = true)]
async fn a_member_without_a_connection_leaves_exactly_when_the_grace_is_over() {
    let engine = engine();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let bob = Client::in_room(&engine, "LUNCH", "Bob").await;
    ann.told().await;
    drop(bob);
    pass(millis(29_999)).await;
    assert_eq!(ann.told().await, Vec::<String>::new());
    pass(millis(1)).await;
    assert_eq!(ann.told().await, ["3 -Bob timeout"]);
}

#[tokio::test(start_paused = true)]
async fn a_session_may_be_used_and_dropped_where_there_is_no_runtime() {
    let engine = engine();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let bob = Client::in_room(&engine, "LUNCH", "Bob").await;
    let elsewhere = std::thread::spawn(move || {
        bob.submit(send("LUNCH", "from afar"));
        drop(bob);
    });
    elsewhere.join().expect("it needs no runtime");
    pass(secs(30)).await;
    assert_eq!(ann.told().await, ["2 +Bob", "3 Bob: from afar", "4 -Bob timeout"]);
}

#[tokio::test(start_paused = true)]
async fn a_return_within_the_grace_is_told_nobody() {
    let engine = engine();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let mut bob = Client::in_room(&engine, "LUNCH", "Bob").await;
    for _ in 0..5 {
        let token = bob.token();
        drop(bob);
        pass(secs(29)).await;
        bob = Client::with_hello(&engine, resume(&token, &[])).await;
        pass(secs(60)).await;
    }
    assert_eq!(ann.told().await, ["2 +Bob"]);
}

#[tokio::test(start_paused = true)]
async fn each_of_many_leaves_at_their_own_time() {
    let engine = engine();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    for name in ["Bob", "Cid", "Dan"] {
        drop(Client::in_room(&engine, "LUNCH", name).await);
        pass(secs(5)).await;
    }
    assert_eq!(ann.told().await, ["2 +Bob", "3 +Cid", "4 +Dan"]);
    for left in ["5 -Bob timeout", "6 -Cid timeout", "7 -Dan timeout"] {
        assert_eq!(ann.told().await, Vec::<String>::new());
        let before = tokio::time::Instant::now();
        assert_eq!(summary(&ann.next().await), left);
        assert!([secs(15), secs(5)].contains(&before.elapsed()), "{:?}", before.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_room_goes_with_its_last_member_and_its_code_is_free() {
    let engine = engine();
    let ann = Client::new(&engine).await;
    let first = ann.enter("LUNCH", "Ann").await;
    ann.submit(leave("LUNCH"));
    assert_eq!(ann.told().await, ["ack 2", "2 -Ann left"], "who leaves is not told that the room closed");
    assert_eq!((engine.stats().rooms, engine.rooms()), (0, vec![]));
    let bob = Client::new(&engine).await;
    assert_eq!(bob.refused(join("LUNCH", "Bob")).await.code, RejectCode::RoomNotFound);
    let second = bob.enter("LUNCH", "Bob").await;
    assert_ne!(first.epoch, second.epoch);
    assert_eq!((second.seq.0, second.you.member, second.history.len()), (1, MemberId(1), 0));
    drop(bob);
    pass(secs(31)).await;
    assert_eq!(engine.stats().rooms, 0, "by a timeout too");
}

#[tokio::test(start_paused = true)]
async fn an_empty_room_lingers_where_it_may() {
    let engine = engine_with(|limits| limits.room.empty_linger = secs(10));
    let ann = Client::new(&engine).await;
    let first = ann.enter("LUNCH", "Ann").await;
    ann.say("LUNCH", "one").await;
    ann.session.call(leave("LUNCH")).await.expect("Ann is there");
    pass(millis(9_999)).await;
    let bob = Client::new(&engine).await;
    let joined = bob.enter("LUNCH", "Bob").await;
    assert_eq!((joined.epoch, joined.history.len()), (first.epoch, 1), "the same life");
    assert_eq!(format!("{:?}", joined.you.role), "Member", "the room is kept for who made it");
    pass(secs(20)).await;
    bob.session.call(leave("LUNCH")).await.expect("he is still there");
    pass(millis(9_999)).await;
    assert_eq!(engine.stats().rooms, 1);
    pass(millis(1)).await;
    assert_eq!(engine.stats().rooms, 0);
}

#[tokio::test(start_paused = true)]
async fn everybody_is_told_when_the_host_closes_the_room() {
    let engine = engine();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let bob = Client::in_room(&engine, "LUNCH", "Bob").await;
    ann.submit(send("LUNCH", "last words"));
    settle().await;
    assert!(engine.moderate(&code("LUNCH"), Moderation::Close).await.is_ok());
    assert_eq!(bob.told().await, ["3 Ann: last words", "closed host"], "however far behind");
    assert_eq!(ann.told().await, ["ack 3", "2 +Bob", "3 Ann: last words", "closed host"]);
    assert_eq!(ann.refused(send("LUNCH", "x")).await.code, RejectCode::RoomNotFound);
    let closed = engine.moderate(&code("LUNCH"), Moderation::Close).await;
    assert_eq!(closed.map_err(|reject| reject.code), Err(RejectCode::RoomNotFound));
    assert_eq!(ann.enter("LUNCH", "Ann").await.seq.0, 1);
}

#[tokio::test(start_paused = true)]
async fn who_joins_in_the_batch_that_closes_the_room_is_told_both() {
    let engine = engine();
    let _ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let bob = Client::new(&engine).await;
    bob.submit(join("LUNCH", "Bob"));
    bob.submit(send("LUNCH", "hi"));
    engine.moderate(&code("LUNCH"), Moderation::Close).await.expect("it is there");
    assert_eq!(bob.told().await, ["welcome", "ack 3", "joined 2 as 2", "3 Bob: hi", "closed host"]);
}

#[tokio::test(start_paused = true)]
async fn a_new_life_in_the_same_moment_begins_with_a_clean_slate() {
    let engine = engine();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let typing = |on| chat_core::Command::typing(code("LUNCH"), on);
    ann.submit(typing(chat_core::TypingState::On));
    settle().await;
    ann.submit(leave("LUNCH"));
    ann.submit(create("LUNCH", "Ann"));
    ann.submit(typing(chat_core::TypingState::On));
    let told = ann.told().await;
    assert_eq!(told, ["ack 2", "2 -Ann left", "joined 1 as 1", "typing [1]"]);
}

#[tokio::test(start_paused = true)]
async fn a_new_life_in_the_same_moment_counts_its_members_anew() {
    let engine = engine_with(|limits| limits.room.notices_members_max = 1);
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let bob = Client::in_room(&engine, "LUNCH", "Bob").await;
    assert_eq!(ann.told().await, ["2 +Bob", "3 notices Counted", "presence 2/2"]);
    bob.told().await;
    ann.submit(leave("LUNCH"));
    bob.submit(leave("LUNCH"));
    ann.submit(create("LUNCH", "Ann"));
    bob.submit(join("LUNCH", "Bob"));
    bob.told().await;
    let told = ann.told().await;
    assert_eq!(told.last().map(String::as_str), Some("presence 2/2"), "as many as before: {told:?}");
}

#[tokio::test(start_paused = true)]
async fn a_new_life_in_the_same_moment_is_described_at_once() {
    let engine = engine_with(|limits| {
        limits.room.backlog_events_max = 8;
        limits.lift_rates();
    });
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let bob = Client::in_room(&engine, "LUNCH", "Bob").await;
    for _ in 0..20 {
        ann.say("LUNCH", "x").await;
    }
    assert_eq!(bob.told().await, ["gap 3..22"]);
    ann.told().await;
    ann.submit(leave("LUNCH"));
    bob.submit(leave("LUNCH"));
    ann.submit(create("LUNCH", "Ann"));
    bob.submit(join("LUNCH", "Bob"));
    bob.joined().await;
    ann.told().await;
    for _ in 0..20 {
        ann.say("LUNCH", "x").await;
    }
    assert_eq!(bob.told().await, ["gap 3..22"], "what the earlier life was shown is of no use");
}

/// Puts Bob out as whoever made the room.
async fn kick_bob(ann: &Client) {
    let kick = chat_core::Command::kick(code("LUNCH"), MemberId(2));
    ann.session.call(kick).await.expect("she made the room");
}

/// Loses Bob's connection for longer than his grace, and says what he is told when he comes back.
async fn away_for_too_long(engine: &chat_core::Engine, bob: Client) -> Vec<String> {
    let token = bob.token();
    drop(bob);
    pass(secs(31)).await;
    Client::with_hello(engine, resume(&token, &[])).await.told().await
}

#[tokio::test(start_paused = true)]
async fn who_was_kicked_and_is_back_and_times_out_was_not_kicked() {
    let engine = engine();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let bob = Client::in_room(&engine, "LUNCH", "Bob").await;
    kick_bob(&ann).await;
    bob.told().await;
    bob.enter("LUNCH", "Bob").await;
    assert_eq!(away_for_too_long(&engine, bob).await, ["welcome back lunch:left:4"]);
}

#[tokio::test(start_paused = true)]
async fn nor_who_was_kicked_and_is_back_in_the_same_batch() {
    let engine = engine();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let bob = Client::in_room(&engine, "LUNCH", "Bob").await;
    ann.submit(chat_core::Command::kick(code("LUNCH"), MemberId(2)));
    bob.submit(join("LUNCH", "Bob"));
    bob.joined().await;
    assert_eq!(away_for_too_long(&engine, bob).await, ["welcome back lunch:left:4"]);
}

#[tokio::test(start_paused = true)]
async fn who_is_kicked_a_second_time_is_told_so() {
    let engine = engine();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let bob = Client::in_room(&engine, "LUNCH", "Bob").await;
    kick_bob(&ann).await;
    bob.told().await;
    let joined = bob.enter("LUNCH", "Bob").await;
    let token = bob.token();
    drop(bob);
    let kick = chat_core::Command::kick(code("LUNCH"), joined.you.member);
    ann.session.call(kick).await.expect("he is in his grace");
    let bob = Client::with_hello(&engine, resume(&token, &[])).await;
    assert_eq!(bob.told().await, ["welcome back lunch:left:4:kicked"]);
}

#[tokio::test(start_paused = true)]
async fn a_closed_room_is_let_go_of_by_the_sessions_that_were_in_it() {
    let engine = engine();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    drop(ann);
    pass(secs(31)).await;
    assert_eq!((engine.stats().rooms, engine.stats().rejects), (0, 0), "nobody has asked for anything");
}

#[tokio::test(start_paused = true)]
async fn the_tasks_of_an_engine_end_with_it() {
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let before = tasks();
    let engine = engine();
    settle().await;
    let alone = tasks();
    assert_eq!(alone, before + 2, "one for what is due, and one for who is to be erased");
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    settle().await;
    assert_eq!(tasks(), alone, "an idle room is no task");
    drop(ann);
    drop(engine);
    settle().await;
    assert_eq!(tasks(), before);
}

/// Creates or joins, looks whether it is really in, and leaves; again and again, all over one code.
async fn come_and_go(engine: chat_core::Engine, number: u64, rounds: u64) {
    let client = Client::new(&engine).await;
    for round in 0..rounds {
        let name = format!("Client {number}");
        let entered = match (number + round) % 2 {
            0 => client.session.call(create("LUNCH", &name)).await,
            _ => client.session.call(join("LUNCH", &name)).await,
        };
        match entered {
            Ok(_) => {}
            Err(reject) => {
                assert!(matches!(reject.code, RejectCode::NameTaken | RejectCode::RoomNotFound), "{reject}");
                continue;
            }
        }
        let joined = client.joined().await;
        let seq = client.say("LUNCH", &format!("{number}.{round}")).await;
        assert!(seq > joined.seq.0);
        loop {
            match client.next().await {
                ServerFrame::Message(message) if message.seq.0 == seq => {
                    assert_eq!(message.text, format!("{number}.{round}"));
                    break;
                }
                ServerFrame::RoomClosed { .. } => panic!("a member's room does not close"),
                _ => {}
            }
        }
        client.session.call(leave("LUNCH")).await.expect("who is in may leave");
        loop {
            if let ServerFrame::MemberLeft { member, .. } = client.next().await
                && member == joined.you.member
            {
                break;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_ever_a_member_of_a_room_that_is_gone() {
    let engine = engine_with(|limits| {
        limits.lift_rates();
        limits.session.misses_per_second = 0;
        limits.session.refusals_per_second = 0;
    });
    let clients: Vec<_> = (0..16).map(|number| tokio::spawn(come_and_go(engine.clone(), number, 100))).collect();
    for client in clients {
        tokio::time::timeout(secs(60), client).await.expect("nobody waits for ever").expect("nobody is surprised");
    }
    let empty = async {
        while engine.stats().rooms > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(secs(10), empty).await.expect("the room goes with its last member");
}

#[tokio::test(start_paused = true)]
async fn who_goes_from_a_room_that_is_gone_is_refused_nothing() {
    let engine = engine();
    let bob = Client::in_room(&engine, "LUNCH", "Bob").await;
    engine.moderate(&code("LUNCH"), Moderation::Close).await.expect("it is there");
    settle().await;
    drop(bob);
    settle().await;
    assert_eq!(engine.stats().rejects, 0);
}

#[tokio::test(start_paused = true)]
async fn the_host_is_told_the_number_of_what_it_did_whatever_came_with_it() {
    let engine = engine();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let _bob = Client::in_room(&engine, "LUNCH", "Bob").await;
    let lunch = code("LUNCH");
    let kick = engine.moderate(&lunch, Moderation::Kick(MemberId(2)));
    let (kicked, said) = tokio::join!(kick, ann.say("LUNCH", "in the same batch"));
    assert_eq!((kicked.map(|seq| seq.0), said), (Ok(3), 4));
}

/// Rooms of a log may leave memory; these have nowhere else to be.
#[tokio::test(start_paused = true)]
async fn without_a_log_a_room_stays_in_memory_however_long_nobody_asks() {
    let engine = engine_with(|limits| limits.room.grace = secs(3_600));
    let token = Client::in_room(&engine, "LUNCH", "Ann").await.token();
    pass(secs(3_000)).await;
    assert_eq!((engine.stats().rooms, engine.stats().rooms_away), (1, 0));
    let told = Client::with_hello(&engine, resume(&token, &[])).await.told().await;
    assert_eq!(told[0], "welcome back lunch:live:1");
}

/// Without a log nothing is to be amended, and how far that has been done is of one life alone: the numbers mean other messages in the next.
#[tokio::test(start_paused = true)]
async fn what_was_changed_in_a_life_says_nothing_of_the_next() {
    let engine = engine_with(|limits| {
        limits.lift_rates();
        (limits.room.empty_linger, limits.room.reactable_max) = (Duration::ZERO, 2);
    });
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let first = ann.say("LUNCH", "one").await;
    for number in 0..20 {
        ann.say("LUNCH", &number.to_string()).await;
    }
    ann.session.call(Command::edit(code("LUNCH"), Seq(first), body("another"))).await.expect("it is hers");
    let bob = Client::new(&engine).await;
    // The room ends and begins again before its task comes to rest.
    ann.submit(leave("LUNCH"));
    bob.submit(create("LUNCH", "Bob"));
    bob.joined().await;
    let cleo = Client::new(&engine).await;
    cleo.enter("LUNCH", "Cleo").await;
    let said = bob.say("LUNCH", "hello").await;
    let name = ReactionName::parse("+1").expect("valid");
    cleo.session.call(Command::react(code("LUNCH"), Seq(said), name)).await.expect("it takes some");
    cleo.say("LUNCH", "hi").await;
    bob.say("LUNCH", "a").await;
    bob.say("LUNCH", "b").await;
    bob.session.call(Command::redact_all(code("LUNCH"), MemberId(2))).await.expect("Bob is the owner");
    let history = Command::history(code("LUNCH")).with_before(Seq(said + 1)).with_limit(1);
    let Ok(ServerFrame::History { messages, .. }) = bob.session.call(history).await else { panic!("no history") };
    let reactions = &messages[0].frame().reactions;
    assert_eq!(reactions.iter().map(|reaction| reaction.count).collect::<Vec<_>>(), [1]);
}
