//! Coming back: with positions, without, too late, from elsewhere, and while something else is going on.
#![cfg(feature = "engine")]

mod support;

use std::task::{Context, Waker};

use chat_core::{Command, Engine, Epoch, MemberId, Moderation, Position, Reply, Seq, ServerFrame};
use support::*;

async fn back(engine: &Engine, token: &str, positions: &[(&str, Position)]) -> Client {
    Client::with_hello(engine, resume(token, positions)).await
}

#[tokio::test(start_paused = true)]
async fn with_a_position_nothing_is_repeated_and_nothing_missing() {
    let engine = engine();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let bob = Client::new(&engine).await;
    let joined = bob.enter("LUNCH", "Bob").await;
    for text in ["one", "two"] {
        ann.say("LUNCH", text).await;
    }
    assert_eq!(bob.told().await, ["3 Ann: one", "4 Ann: two"]);
    let token = bob.token();
    drop(bob);
    ann.say("LUNCH", "three").await;
    let bob = back(&engine, &token, &[("LUNCH", at(&joined, 3))]).await;
    assert_eq!(bob.told().await, ["welcome back lunch:live:3", "4 Ann: two", "5 Ann: three"], "what it says counts");
    assert_eq!(session_of(&bob.token()), session_of(&token));
    bob.say("LUNCH", "four").await;
    assert_eq!(ann.told().await.last().map(String::as_str), Some("6 Bob: four"), "nobody was told that Bob was away");
}

#[tokio::test(start_paused = true)]
async fn without_a_position_the_room_is_shown_afresh() {
    let engine = engine();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    ann.say("LUNCH", "one").await;
    let token = ann.token();
    drop(ann);
    let ann = back(&engine, &token, &[]).await;
    assert_eq!(ann.welcomed().await.iter().map(summary_of_status).collect::<Vec<_>>(), ["lunch:live:2"]);
    let joined = ann.joined().await;
    assert_eq!((joined.seq, joined.history.len(), joined.you.nick.as_str()), (Seq(2), 1, "Ann"));
}

#[tokio::test(start_paused = true)]
async fn a_session_that_never_received_anything_is_shown_everything() {
    let engine = engine();
    let ann = Client::new(&engine).await;
    ann.submit(create("LUNCH", "Ann"));
    settle().await;
    let token = ann.token();
    drop(ann);
    let ann = back(&engine, &token, &[]).await;
    assert_eq!(ann.told().await, ["welcome back lunch:live:1", "joined 1 as 1"]);
}

#[tokio::test(start_paused = true)]
async fn a_position_of_an_earlier_stay_does_not_stand_for_one_that_was_not_shown() {
    let engine = engine();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let bob = Client::new(&engine).await;
    let stay = bob.enter("LUNCH", "Bob").await;
    bob.submit(leave("LUNCH"));
    bob.submit(join("LUNCH", "Bob"));
    settle().await;
    ann.say("LUNCH", "hi").await;
    let token = bob.token();
    drop(bob);
    let bob = back(&engine, &token, &[("LUNCH", stay.position())]).await;
    let told = ["welcome back lunch:live:2", "joined 2 as 2", "3 -Bob left", "4 +Bob", "5 Ann: hi"];
    assert_eq!(bob.told().await, told, "Bob would not know who he is");
}

#[tokio::test(start_paused = true)]
async fn a_join_whose_answer_was_lost_is_shown_to_who_names_a_position_of_the_stay_before() {
    let engine = engine();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let bob = Client::new(&engine).await;
    let stay = bob.enter("LUNCH", "Bob").await;
    ann.say("LUNCH", "hi").await;
    bob.told().await;
    bob.session.call(leave("LUNCH")).await.expect("Bob is in");
    let token = bob.token();
    bob.submit(join("LUNCH", "Bob"));
    // Before the room has looked at the join: what is known of Bob's rooms is the stay that he has left.
    drop(bob);
    settle().await;
    let bob = back(&engine, &token, &[("LUNCH", at(&stay, 3))]).await;
    assert_eq!(bob.told().await, ["welcome back lunch:live:3", "joined 3 as 2", "4 -Bob left", "5 +Bob"]);
    drop(bob);
    let bob = back(&engine, &token, &[("LUNCH", at(&stay, 5))]).await;
    assert_eq!(bob.told().await, ["welcome back lunch:live:5"], "he knows by now");
}

#[tokio::test(start_paused = true)]
async fn after_the_grace_the_membership_is_over_and_a_join_goes_on_from_the_position() {
    let engine = engine();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let bob = Client::new(&engine).await;
    let joined = bob.enter("LUNCH", "Bob").await;
    let token = bob.token();
    drop(bob);
    ann.say("LUNCH", "one").await;
    pass(secs(31)).await;
    let bob = back(&engine, &token, &[("LUNCH", joined.position())]).await;
    assert_eq!(bob.told().await, ["welcome back lunch:left:2"]);
    let after = Some(joined.position());
    bob.submit(Command::join(code("LUNCH"), nick("Bob")).with_position(after));
    assert_eq!(bob.told().await, ["joined 2 as 2", "3 Ann: one", "4 -Bob timeout", "5 +Bob"]);
}

#[tokio::test(start_paused = true)]
async fn a_position_makes_nobody_a_member_who_never_was() {
    let engine = engine();
    let ann = Client::new(&engine).await;
    let joined = ann.enter("LUNCH", "Ann").await;
    let bob = Client::new(&engine).await;
    let told = [("LUNCH", joined.position())];
    let again = back(&engine, &bob.token(), &told).await;
    assert_eq!(again.told().await, ["welcome back lunch:unknown:1"], "somebody has told him the position");
    bob_was_there(&engine, &ann).await;
}

/// Who has left is told so, though their session has forgotten the room.
async fn bob_was_there(engine: &Engine, ann: &Client) {
    let bob = Client::new(engine).await;
    let joined = bob.enter("LUNCH", "Bob").await;
    bob.session.call(leave("LUNCH")).await.expect("he is in");
    bob.told().await;
    ann.told().await;
    let again = back(engine, &bob.token(), &[("LUNCH", joined.position())]).await;
    assert_eq!(again.told().await, ["welcome back lunch:left:2"]);
}

#[tokio::test(start_paused = true)]
async fn each_of_those_who_were_kicked_while_away_is_told_so() {
    let engine = engine();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let mut tokens = Vec::new();
    for who in ["Bob", "Cid", "Dan"] {
        tokens.push(Client::in_room(&engine, "LUNCH", who).await.token());
    }
    settle().await;
    for member in [2, 3, 4] {
        ann.session.call(Command::kick(code("LUNCH"), MemberId(member))).await.expect("she owns the room");
    }
    for token in tokens {
        let told = Client::with_hello(&engine, resume(&token, &[])).await.told().await;
        assert!(told.len() == 1 && told[0].ends_with(":kicked"), "{told:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_was_kicked_while_away_has_left() {
    let engine = engine();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let bob = Client::in_room(&engine, "LUNCH", "Bob").await;
    let token = bob.token();
    drop(bob);
    ann.session.call(Command::kick(code("LUNCH"), MemberId(2))).await.expect("Ann is the owner");
    let bob = back(&engine, &token, &[]).await;
    assert_eq!(bob.told().await, ["welcome back lunch:left:2:kicked"], "not to go back in by itself");
    bob.session.call(join("LUNCH", "Bob")).await.expect("who was kicked may ask again");
    bob.told().await;
    drop(bob);
    ann.session.call(Command::ban(code("LUNCH"), MemberId(3))).await.expect("Ann is the owner");
    let bob = back(&engine, &token, &[]).await;
    assert_eq!(bob.told().await, ["welcome back lunch:left:4:banned"]);
}

#[tokio::test(start_paused = true)]
async fn a_life_that_is_over_is_never_matched_by_number() {
    let engine = engine();
    let ann = Client::new(&engine).await;
    let first = ann.enter("LUNCH", "Ann").await;
    for text in ["one", "two", "three"] {
        ann.say("LUNCH", text).await;
    }
    let token = ann.token();
    drop(ann);
    engine.moderate(&code("LUNCH"), Moderation::Close).await.expect("it is there");
    let again = back(&engine, &token, &[("LUNCH", at(&first, 4))]).await;
    assert_eq!(again.told().await, ["welcome back lunch:closed:4"], "the room is gone");
    drop(again);
    let bob = Client::new(&engine).await;
    let second = bob.enter("LUNCH", "Bob").await;
    assert_ne!(first.epoch, second.epoch);
    let again = back(&engine, &token, &[("LUNCH", at(&first, 1))]).await;
    assert_eq!(again.told().await, ["welcome back lunch:closed:1"], "another room has its name");
    again.submit(Command::join(code("LUNCH"), nick("Ann")).with_position(at(&first, 1)));
    assert_eq!(again.told().await, ["joined 2 as 2"], "and the old number is none of it");
}

#[tokio::test(start_paused = true)]
async fn a_room_that_never_was_is_unknown() {
    let engine = engine();
    let ann = Client::new(&engine).await;
    let position = Position { epoch: Epoch(7), seq: Seq(7) };
    let again = back(&engine, &ann.token(), &[("NOWHERE", position)]).await;
    let rooms = again.welcomed().await;
    assert_eq!(rooms.iter().map(summary_of_status).collect::<Vec<_>>(), ["nowhere:unknown:7"]);
}

#[tokio::test(start_paused = true)]
async fn forged_positions_show_no_more_than_the_member_may_see() {
    let engine = engine();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    ann.say("LUNCH", "not for Bob").await;
    let bob = Client::new(&engine).await;
    let joined = bob.enter("LUNCH", "Bob").await;
    ann.say("LUNCH", "for Bob").await;
    for (forged, next) in [
        (0, Some("joined 4 as 2")),
        (2, Some("joined 4 as 2")),
        (3, Some("4 Ann: for Bob")),
        (4, None),
        // One of what never was is none.
        (99, Some("joined 4 as 2")),
        (u64::MAX, Some("joined 4 as 2")),
    ] {
        let again = back(&engine, &bob.token(), &[("LUNCH", at(&joined, forged))]).await;
        let told = again.told().await;
        let seq = if forged == 3 { 3 } else { 4 };
        assert_eq!(told[0], format!("welcome back lunch:live:{seq}"), "position {forged}");
        assert_eq!(told.get(1).map(String::as_str), next, "position {forged}");
    }
}

#[tokio::test(start_paused = true)]
async fn positions_within_the_stay_count_however_often_the_connection_was_lost() {
    let engine = engine();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let bob = Client::new(&engine).await;
    let joined = bob.enter("LUNCH", "Bob").await;
    ann.say("LUNCH", "one").await;
    ann.say("LUNCH", "two").await;
    for (position, told) in [(4, 0), (2, 2), (3, 1), (2, 2)] {
        let again = back(&engine, &bob.token(), &[("LUNCH", at(&joined, position))]).await;
        assert_eq!(again.told().await.len(), 1 + told, "position {position}");
        let afresh = back(&engine, &bob.token(), &[]).await;
        assert_eq!(afresh.told().await.len(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn a_joined_that_was_written_and_never_arrived_is_shown_again() {
    let engine = engine();
    let _ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let bob = Client::new(&engine).await;
    let stay = bob.enter("LUNCH", "Bob").await;
    bob.submit(leave("LUNCH"));
    bob.submit(join("LUNCH", "Bob"));
    assert_eq!(bob.told().await.len(), 3, "written to a socket that was dead already");
    let again = back(&engine, &bob.token(), &[("LUNCH", stay.position())]).await;
    assert_eq!(again.told().await, ["welcome back lunch:live:2", "joined 2 as 2", "3 -Bob left", "4 +Bob"]);
}

#[tokio::test(start_paused = true)]
async fn positions_of_other_rooms_do_not_crowd_out_the_rooms_one_is_in() {
    let engine = engine_with(|limits| limits.session.rooms_max = 4);
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let bob = Client::in_room(&engine, "LUNCH", "Bob").await;
    let nowhere = Position { epoch: Epoch(7), seq: Seq(7) };
    let forged = [("AAA", nowhere), ("BBB", nowhere), ("CCC", nowhere), ("DDD", nowhere)];
    let again = back(&engine, &bob.token(), &forged).await;
    assert_eq!(again.welcomed().await.len(), 4);
    assert_eq!(again.joined().await.you.nick, "Bob");
    drop((bob, again));
    pass(secs(31)).await;
    assert_eq!(ann.told().await, ["2 +Bob", "3 -Bob timeout"], "not a ghost for ever");
}

#[tokio::test(start_paused = true)]
async fn a_room_named_twice_is_resumed_once() {
    let engine = engine();
    let ann = Client::new(&engine).await;
    let joined = ann.enter("LUNCH", "Ann").await;
    ann.say("LUNCH", "one").await;
    let twice = [("LUNCH", joined.position()), ("LUNCH", at(&joined, 2))];
    let again = back(&engine, &ann.token(), &twice).await;
    assert_eq!(again.told().await, ["welcome back lunch:live:1", "2 Ann: one"]);
}

#[tokio::test(start_paused = true)]
async fn a_token_of_another_server_gets_an_error_and_a_new_session() {
    let (engine, other) = (engine(), engine());
    let ann = Client::in_room(&other, "LUNCH", "Ann").await;
    let bob = back(&engine, &ann.token(), &[]).await;
    let mut told = bob.told().await;
    told.sort();
    assert_eq!(told, ["error bad_token", "welcome"]);
    assert_ne!(bob.token(), ann.token());
    assert!(bob.session.can_submit());
    bob.enter("LUNCH", "Bob").await;
}

#[tokio::test(start_paused = true)]
async fn a_session_away_for_too_long_has_forgotten_where_it_was_whether_it_was_swept_or_not() {
    let engine = engine_with(|limits| limits.session.retention = secs(60));
    for is_swept in [false, true] {
        let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
        let _host = Client::in_room(&engine, "LUNCH", "Host").await;
        let token = ann.token();
        drop(ann);
        pass(secs(61)).await;
        if is_swept {
            Client::new(&engine).await;
        }
        let again = back(&engine, &token, &[]).await;
        assert_eq!(again.told().await, ["welcome back"]);
        assert_eq!(again.session.session_id(), session_of(&token), "who it is stands in the token");
        again.session.call(join("LUNCH", "Ann")).await.expect("nobody else has her nick");
        drop((again, _host));
        pass(secs(31)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_takeover_ends_the_older_connection_and_its_late_end_ends_nothing() {
    let engine = engine();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let old = Client::new(&engine).await;
    let joined = old.enter("LUNCH", "Bob").await;
    let new = back(&engine, &old.token(), &[("LUNCH", joined.position())]).await;
    ann.say("LUNCH", "one").await;
    assert_eq!(old.told().await, ["closing 4501"]);
    assert_eq!(old.session.ended(), Some(chat_core::CloseReason::Replaced));
    assert!(old.session.submit(send("LUNCH", "late"), Reply::mailbox(None)).is_err() && !old.session.can_submit());
    assert_eq!(new.told().await, ["welcome back lunch:live:2", "3 Ann: one"]);
    drop(old);
    pass(secs(60)).await;
    new.say("LUNCH", "still here").await;
    assert_eq!(ann.told().await, ["2 +Bob", "3 Ann: one", "4 Bob: still here"]);
    assert_eq!(engine.stats().sessions, 2);
}

#[tokio::test(start_paused = true)]
async fn an_answer_under_way_dies_with_its_connection() {
    let engine = engine();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    ann.submit(send_keyed("LUNCH", "one", "k"));
    let again = back(&engine, &ann.token(), &[]).await;
    settle().await;
    again.submit(send_keyed("LUNCH", "one", "k"));
    let told = again.told().await;
    assert_eq!(told.iter().filter(|frame| frame.starts_with("ack")).collect::<Vec<_>>(), ["ack 2"], "{told:?}");
    assert_eq!(engine.stats().rejects, 0);
}

#[tokio::test(start_paused = true)]
async fn a_join_under_way_is_undone_by_a_resume_and_can_be_asked_again() {
    let engine = engine();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let bob = Client::new(&engine).await;
    bob.submit(join("LUNCH", "Bob"));
    let again = back(&engine, &bob.token(), &[]).await;
    assert_eq!(again.welcomed().await.len(), 0, "the room did not know yet");
    settle().await;
    let joined = again.enter("LUNCH", "Bob").await;
    assert_eq!(joined.you.member, MemberId(2), "nobody is in the way of their own ghost");
    drop(bob);
    pass(secs(60)).await;
    assert_eq!(ann.told().await, ["2 +Bob"]);
    again.say("LUNCH", "hi").await;
}

#[tokio::test(start_paused = true)]
async fn a_connect_given_up_half_way_leaves_nothing_behind() {
    let engine = engine();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let bob = Client::new(&engine).await;
    let joined = bob.enter("LUNCH", "Bob").await;
    let token = bob.token();
    drop(bob);
    settle().await;
    {
        let connect = engine.connect(Default::default(), resume(&token, &[("LUNCH", joined.position())]));
        tokio::pin!(connect);
        let mut cx = Context::from_waker(Waker::noop());
        assert!(connect.as_mut().poll(&mut cx).is_pending(), "the room has not answered yet");
    }
    settle().await;
    assert_eq!(engine.stats().sessions, 1);
    ann.say("LUNCH", "one").await;
    let bob = back(&engine, &token, &[("LUNCH", joined.position())]).await;
    assert_eq!(bob.told().await, ["welcome back lunch:live:2", "3 Ann: one"]);
    drop(bob);
    pass(secs(31)).await;
    assert_eq!(ann.told().await.last().map(String::as_str), Some("4 -Bob timeout"));
}

#[tokio::test(start_paused = true)]
async fn of_two_resumes_at_once_the_later_has_the_rooms() {
    let engine = engine();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let bob = Client::in_room(&engine, "LUNCH", "Bob").await;
    let token = bob.token();
    drop(bob);
    settle().await;
    let (first, second) = tokio::join!(back(&engine, &token, &[]), back(&engine, &token, &[]));
    assert_eq!(first.told().await, ["closing 4501"]);
    assert_eq!(second.told().await, ["welcome back lunch:live:2", "joined 2 as 2"]);
    drop(first);
    pass(secs(60)).await;
    second.say("LUNCH", "still here").await;
    assert_eq!(ann.told().await, ["2 +Bob", "3 Bob: still here"]);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_was_forgotten_comes_back_to_its_rooms_within_the_grace() {
    let engine = engine_with(|limits| limits.engine.sessions_detached_max = 1);
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let bob = Client::new(&engine).await;
    let joined = bob.enter("LUNCH", "Bob").await;
    // A few connections on, so that the session looks older to the room than a new one would.
    let bob = back(&engine, &bob.token(), &[("LUNCH", joined.position())]).await;
    let token = bob.token();
    drop(bob);
    drop(Client::new(&engine).await);
    settle().await;
    assert_eq!(engine.stats().sessions_detached, 1, "Bob's session is forgotten");
    let bob = back(&engine, &token, &[("LUNCH", joined.position())]).await;
    assert_eq!(bob.told().await, ["welcome back lunch:live:2"]);
    bob.say("LUNCH", "back").await;
    assert_eq!(ann.told().await, ["2 +Bob", "3 Bob: back"]);
}

#[tokio::test(start_paused = true)]
async fn a_resume_is_of_all_rooms_and_each_has_its_own_status() {
    let engine = engine();
    let ann = Client::new(&engine).await;
    let mut positions = Vec::new();
    for room in ["AAA", "BBB", "CCC"] {
        let host = Client::in_room(&engine, room, "Host").await;
        positions.push((room, ann.enter(room, "Ann").await.position()));
        host.say(room, "one").await;
        std::mem::forget(host);
    }
    ann.told().await;
    let token = ann.token();
    drop(ann);
    engine.moderate(&code("BBB"), Moderation::Close).await.expect("it is there");
    engine.moderate(&code("CCC"), Moderation::Kick(MemberId(2))).await.expect("Ann is there");
    let ann = back(&engine, &token, &positions[1..]).await;
    let frames = ann.frames().await;
    let ServerFrame::Welcome { rooms, resumed: true, .. } = &frames[0] else { panic!("{frames:?}") };
    let mut statuses: Vec<String> = rooms.iter().map(summary_of_status).collect();
    statuses.sort();
    assert_eq!(statuses, ["aaa:live:3", "bbb:closed:2", "ccc:left:2:kicked"]);
    assert_eq!(frames[1..].iter().map(summary).collect::<Vec<_>>(), ["joined 3 as 2"]);
}

#[tokio::test(start_paused = true)]
async fn a_position_behind_the_backlog_is_a_gap() {
    let engine = engine_with(|limits| {
        limits.room.backlog_events_max = 8;
        limits.lift_rates();
    });
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let bob = Client::new(&engine).await;
    let joined = bob.enter("LUNCH", "Bob").await;
    let token = bob.token();
    drop(bob);
    for _ in 0..20 {
        ann.say("LUNCH", "x").await;
    }
    let bob = back(&engine, &token, &[("LUNCH", joined.position())]).await;
    assert_eq!(bob.told().await, ["welcome back lunch:gap:2", "gap 3..22"]);
    assert_eq!(engine.stats().gaps_unblocked, 0, "who was away is no slow reader");
}
