//! What is asked of a room while nobody decides for it, or whoever does cannot be reached, and what is shown there meanwhile.

mod support;

use std::time::Duration;

use chat_core::{Answered, Command, MemberId, RejectCode, Seq, ServerFrame, TypingState};
use chat_testkit::servers::Loss;
use support::servers::{leaves_and_messages, two, two_with};
use support::{
    GRACE, code, connect, founder, join, joined, newcomer, nick, pass, say, seconds, settle, submit, take, text,
};
use tokio::sync::oneshot;

/// Why what was submitted is refused, if it is.
async fn answer(submitted: oneshot::Receiver<Answered>) -> Option<RejectCode> {
    submitted.await.expect("everything is answered").reject.map(|reject| reject.code)
}

#[tokio::test(start_paused = true)]
async fn what_is_asked_while_nobody_decides_waits_for_whoever_does() {
    for to in [0, 1] {
        let two = two();
        let ann = founder(&two.engines[0]).await;
        let bob = newcomer(&two.engines[1], "Bob").await;
        let cat = connect(&two.engines[1], None).await;
        settle().await;
        two.servers.take_room(&code());
        settle().await;
        let mut asked = Vec::new();
        for said in ["one", "two", "three"] {
            asked.push(submit(&ann, Command::send(code(), text(said))));
            asked.push(submit(&bob, Command::send(code(), text(said))));
        }
        asked.push(submit(&cat, Command::join(code(), nick("Cat"))));
        seconds(5).await;
        two.servers.give_room(&code(), &two.ends[to]);
        for asked in asked {
            assert_eq!(answer(asked).await, None, "{to}");
        }
        settle().await;
        for session in [&ann, &bob] {
            let (left, mut said) = leaves_and_messages(&take(session));
            assert!(left.is_empty());
            said.dedup();
            assert!(said.len() >= 3 && said.last().is_some_and(|last| last == "three"), "{to}: {said:?}");
        }
        assert!(say(&cat, "here", "k1").await.is_ok(), "{to}");
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_waits_for_ever_and_no_more_than_has_a_place() {
    let two = two_with(|limits| limits.room.parked_max = 2, |builder| builder);
    let ann = founder(&two.engines[0]).await;
    let bob = newcomer(&two.engines[1], "Bob").await;
    settle().await;
    two.servers.take_room(&code());
    settle().await;
    let began = tokio::time::Instant::now();
    for session in [&ann, &bob] {
        let waiting = [(); 3].map(|()| submit(session, Command::send(code(), text("waits"))));
        let [one, two, three] = waiting;
        assert_eq!(answer(three).await, Some(RejectCode::Busy));
        assert!(began.elapsed() < Duration::from_secs(9));
        assert_eq!(
            (answer(one).await, answer(two).await),
            (Some(RejectCode::Unavailable), Some(RejectCode::Unavailable))
        );
    }
    assert!(began.elapsed() >= Duration::from_secs(16), "each of them 8 s: {:?}", began.elapsed());
}

/// What one session asks is decided in its order, also where some of it was asked of the server that decided before.
#[tokio::test(start_paused = true)]
async fn what_a_session_asks_around_a_move_is_decided_in_its_order() {
    for released_after in [0, 1, 50, 2_000] {
        let two = two();
        let ann = founder(&two.engines[0]).await;
        let mut bob = newcomer(&two.engines[1], "Bob").await;
        joined(&mut bob).await;
        let third = two.servers.join();
        settle().await;
        // What he asks is still on its way when the room moves.
        two.servers.hold(&two.ends[1], &two.ends[0]);
        let mut asked = Vec::new();
        for number in 0..6 {
            if number == 3 {
                two.servers.give_room(&code(), &two.ends[1]);
                settle().await;
            }
            asked.push(submit(&bob, Command::send(code(), text(&number.to_string()))));
        }
        tokio::time::sleep(Duration::from_millis(released_after)).await;
        two.servers.release(&two.ends[1], &two.ends[0]);
        for asked in asked {
            assert_eq!(answer(asked).await, None, "{released_after} ms");
        }
        pass(Duration::from_secs(3)).await;
        for session in [&ann, &bob] {
            assert_eq!(leaves_and_messages(&take(session)).1, ["0", "1", "2", "3", "4", "5"], "{released_after} ms");
        }
        drop(third);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_asked_while_the_link_is_down_waits_until_it_is_up() {
    let two = two();
    let ann = founder(&two.engines[0]).await;
    let bob = newcomer(&two.engines[1], "Bob").await;
    settle().await;
    two.cut().await;
    let asked = submit(&bob, Command::send(code(), text("one")));
    seconds(5).await;
    two.mend().await;
    assert_eq!(answer(asked).await, None);
    settle().await;
    assert_eq!(leaves_and_messages(&take(&ann)).1, ["one"]);
}

#[tokio::test(start_paused = true)]
async fn who_comes_in_while_the_room_moves_is_in() {
    for rounds in 0..12 {
        let two = two();
        let ann = founder(&two.engines[0]).await;
        let cat = connect(&two.engines[1], None).await;
        let (come_in, ()) = tokio::join!(join(&cat, "Cat"), async {
            for _ in 0..rounds {
                tokio::task::yield_now().await;
            }
            two.servers.give_room(&code(), &two.ends[1]);
        });
        come_in.unwrap_or_else(|reject| panic!("{rounds}: {reject:?}"));
        assert!(say(&cat, "here", "k1").await.is_ok(), "{rounds}");
        pass(GRACE * 2).await;
        assert_eq!(leaves_and_messages(&take(&ann)), (vec![], vec!["here".to_owned()]), "{rounds}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_link_that_takes_nothing_is_tried_ever_more_seldom() {
    let two = two();
    let ann = founder(&two.engines[0]).await;
    let mut bob = newcomer(&two.engines[1], "Bob").await;
    joined(&mut bob).await;
    two.servers.lose(&two.ends[0], &two.ends[1], 1_000, Loss::Refused);
    say(&ann, "one", "k1").await.expect("she is in");
    pass(Duration::from_secs(60)).await;
    let tried = 1_000 - two.servers.losing(&two.ends[0], &two.ends[1]);
    assert!((2..40).contains(&tried), "{tried} times");
    two.servers.lose(&two.ends[0], &two.ends[1], 0, Loss::Refused);
    pass(Duration::from_secs(10)).await;
    assert_eq!(leaves_and_messages(&take(&bob)).1, ["one"]);
    assert_eq!(say(&bob, "two", "k2").await, Ok(Seq(4)));
}

#[tokio::test(start_paused = true)]
async fn what_members_show_ends_where_nobody_who_decides_is_heard_of() {
    for is_link in [true, false] {
        let two = two();
        let ann = founder(&two.engines[0]).await;
        let bob = newcomer(&two.engines[1], "Bob").await;
        settle().await;
        ann.call(Command::typing(code(), TypingState::On)).await.expect("she is in");
        settle().await;
        let typing = |frames: Vec<ServerFrame>| {
            frames.into_iter().rev().find_map(|frame| match frame {
                ServerFrame::Typing { members, .. } => Some(members),
                _ => None,
            })
        };
        assert_eq!(typing(take(&bob)), Some(vec![MemberId(1)]));
        match is_link {
            true => two.cut().await,
            false => two.servers.take_room(&code()),
        }
        pass(Duration::from_secs(4)).await;
        assert_eq!(typing(take(&bob)), Some(vec![]), "{is_link}");
    }
}

/// What the follower asks is long under way, and it asks once more how the room stands, which is told as of after all of it: who came in and left
/// again by then was never attached, as far as it knows.
#[tokio::test(start_paused = true)]
async fn who_has_come_in_and_left_before_the_room_is_told_afresh_is_told_so_once() {
    let two = two();
    let _ann = founder(&two.engines[0]).await;
    let bob = connect(&two.engines[1], None).await;
    two.servers.hold(&two.ends[1], &two.ends[0]);
    let asked = [submit(&bob, Command::join(code(), nick("Bob"))), submit(&bob, Command::leave(code()))];
    seconds(3).await;
    two.servers.release(&two.ends[1], &two.ends[0]);
    for asked in asked {
        assert_eq!(answer(asked).await, None);
    }
    seconds(3).await;
    let frames = take(&bob);
    assert_eq!(leaves_and_messages(&frames).0, ["Bob"], "{frames:?}");
}
