//! A room whose owner changes, or is not known for a while: nobody who reads it is disconnected, and nothing is lost, said twice or told twice.

mod support;

use std::sync::Arc;
use std::time::Duration;

use chat_core::wire::Status;
use chat_core::{Command, Connection, Engine, Limits, MemberId, Moderation, RejectCode, Seq, ServerFrame, TypingState};
use chat_testkit::logs::Operation;
use chat_testkit::servers::Server;
use support::bent::BentLog;
use support::servers::{Two, is_closed, leaves_and_messages, messages, two, two_with};
use support::{
    GRACE, builder, code, come_back, connect, create, fails, founder, joined, newcomer, next_left, nick, pass, say,
    say_many, settle, submit, take,
};

/// Who owns the room cannot say for a while whether it still does: as where its lease runs out, and is renewed before anybody takes the room.
async fn lapse(two: &Two, time: Duration) {
    for end in &two.ends {
        two.servers.blind(end, &code());
    }
    pass(time).await;
    for end in &two.ends {
        two.servers.see(end, &code());
    }
    settle().await;
}

#[tokio::test(start_paused = true)]
async fn an_owner_that_did_not_know_for_a_while_goes_on_with_everybody_who_is_there() {
    for time in [Duration::from_secs(1), GRACE * 3] {
        let two = two();
        let mut ann = founder(&two.engines[0]).await;
        let mut bob = newcomer(&two.engines[1], "Bob").await;
        joined(&mut bob).await;
        assert_eq!(say(&ann, "one", "k1").await, Ok(Seq(3)));
        lapse(&two, time).await;
        assert_eq!(say(&bob, "two", "k2").await, Ok(Seq(4)), "{time:?}");
        assert_eq!(say(&ann, "three", "k3").await, Ok(Seq(5)), "{time:?}");
        pass(GRACE * 2).await;
        for session in [&mut ann, &mut bob] {
            let frames = take(session);
            let (left, said) = leaves_and_messages(&frames);
            assert!(left.is_empty() && !is_closed(&frames), "{time:?}: {left:?}");
            assert_eq!(said, ["one", "two", "three"], "{time:?}");
        }
    }
}

/// Only the owner itself does not know: the others go on asking it.
#[tokio::test(start_paused = true)]
async fn an_owner_that_alone_did_not_know_goes_on_with_everybody_who_is_elsewhere() {
    let two = two();
    let ann = founder(&two.engines[0]).await;
    let mut bob = newcomer(&two.engines[1], "Bob").await;
    let cat = newcomer(&two.engines[1], "Cat").await;
    joined(&mut bob).await;
    two.servers.blind(&two.ends[0], &code());
    settle().await;
    drop(cat);
    pass(GRACE * 3).await;
    assert!(leaves_and_messages(&take(&ann)).0.is_empty(), "nothing is decided");
    two.servers.see(&two.ends[0], &code());
    pass(GRACE / 2).await;
    assert!(leaves_and_messages(&take(&ann)).0.is_empty(), "her grace begins now");
    assert_eq!(say(&bob, "one", "k1").await, Ok(Seq(4)));
    pass(GRACE).await;
    let frames = take(&ann);
    assert_eq!(leaves_and_messages(&frames), (vec!["Cat".to_owned()], vec!["one".to_owned()]));
    assert!(!is_closed(&frames) && !is_closed(&take(&bob)));
}

#[tokio::test(start_paused = true)]
async fn while_nobody_decides_nothing_is_answered_and_who_ends_leaves_after_it() {
    let two = two();
    let mut ann = founder(&two.engines[0]).await;
    let bob = newcomer(&two.engines[0], "Bob").await;
    two.servers.blind(&two.ends[0], &code());
    settle().await;
    assert_eq!(say(&bob, "one", "k1").await, Err(RejectCode::Unavailable));
    bob.call(Command::end()).await.expect("everybody may");
    drop(bob);
    pass(GRACE * 2).await;
    assert!(leaves_and_messages(&take(&ann)).0.is_empty());
    two.servers.see(&two.ends[0], &code());
    assert_eq!(next_left(&mut ann).await, ("Bob".to_owned(), "left".to_owned()));
}

/// Who is in the room, and who of them is connected, as somebody is told on asking.
async fn people(session: &Connection) -> Vec<(String, bool)> {
    match session.call(Command::members(code())).await {
        Ok(ServerFrame::Members { members, .. }) => {
            members.into_iter().map(|member| (member.nick, member.online)).collect()
        }
        other => panic!("members are answered: {other:?}"),
    }
}

/// Somebody who says a number of things, none of which is refused.
async fn talk(session: &Connection, name: &str, count: usize) {
    for number in 0..count {
        let said = format!("{name}{number}");
        say(session, &said, &said).await.unwrap_or_else(|code| panic!("{said} is refused: {code:?}"));
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_room_that_moves_again_and_again_loses_nobody_and_says_everything_once() {
    for through_nobody in [false, true] {
        let two = two_with(Limits::lift_rates, |builder| builder);
        let ann = founder(&two.engines[0]).await;
        let bob = newcomer(&two.engines[1], "Bob").await;
        let cat = newcomer(&two.engines[1], "Cat").await;
        settle().await;
        let moves = async {
            for turn in 1..=20 {
                tokio::time::sleep(Duration::from_millis(70)).await;
                if through_nobody {
                    two.servers.take_room(&code());
                    tokio::time::sleep(Duration::from_millis(10 * turn)).await;
                }
                two.servers.give_room(&code(), &two.ends[turn as usize % 2]);
            }
        };
        tokio::join!(talk(&ann, "a", 40), talk(&bob, "b", 40), talk(&cat, "c", 40), moves);
        pass(GRACE * 3).await;
        let told = [&ann, &bob, &cat].map(take);
        let of_ann = messages(&told[0]);
        let mut said: Vec<&str> = of_ann.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(said.len(), 120, "{through_nobody}: everything, and once");
        for name in ["a", "b", "c"] {
            let theirs: Vec<&str> = said.extract_if(.., |text| text.starts_with(name)).collect();
            assert!(theirs.iter().copied().eq((0..40).map(|n| format!("{name}{n}"))), "{through_nobody}: {theirs:?}");
        }
        for frames in &told {
            assert!(!is_closed(frames), "{through_nobody}");
            assert!(leaves_and_messages(frames).0.is_empty(), "{through_nobody}: nobody has gone");
            assert_eq!(messages(frames), of_ann, "{through_nobody}");
            assert!(!frames.iter().any(|frame| matches!(frame, ServerFrame::Gap { .. })), "{through_nobody}");
        }
        let all = ["Ann", "Bob", "Cat"].map(|nick| (nick.to_owned(), true));
        for session in [&ann, &bob, &cat] {
            let mut people = people(session).await;
            people.sort();
            assert_eq!(people, all, "{through_nobody}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_lost_before_or_after_a_move_is_gone_after_their_grace_and_nobody_else() {
    for is_before in [false, true] {
        let two = two();
        let mut ann = founder(&two.engines[0]).await;
        let bob = newcomer(&two.engines[1], "Bob").await;
        let cat = newcomer(&two.engines[0], "Cat").await;
        let dan = newcomer(&two.engines[1], "Dan").await;
        settle().await;
        let mut gone = Some((cat, dan));
        if is_before {
            gone.take();
            pass(GRACE / 2).await;
        }
        two.servers.give_room(&code(), &two.ends[1]);
        settle().await;
        gone.take();
        let began = tokio::time::Instant::now();
        let mut left = vec![next_left(&mut ann).await, next_left(&mut ann).await];
        assert!(began.elapsed() >= GRACE, "{:?}", began.elapsed());
        left.sort();
        assert_eq!(left, ["Cat", "Dan"].map(|nick| (nick.to_owned(), "timeout".to_owned())));
        pass(GRACE * 2).await;
        assert_eq!(say(&bob, "here", "k1").await, Ok(Seq(7)));
        assert_eq!(say(&ann, "here", "k2").await, Ok(Seq(8)));
    }
}

/// Two more at a third server, and its end of the links.
fn third(two: &Two) -> (Engine, Arc<Server>) {
    let end = two.servers.join();
    let log = Arc::new(BentLog::new(&two.memory));
    (builder(&log).cluster(Arc::clone(&end) as _).build(), end)
}

/// The answer of the owner that was asked comes once there is another, to which nobody has said that he is there.
#[tokio::test(start_paused = true)]
async fn who_was_let_in_by_the_owner_before_is_in_the_room_of_the_next() {
    for hears_next_first in [true, false] {
        let two = two();
        let (engine, end) = third(&two);
        let _ann = founder(&two.engines[0]).await;
        let mut bob = newcomer(&two.engines[1], "Bob").await;
        joined(&mut bob).await;
        // Who stays there has the room kept.
        let cat = newcomer(&two.engines[1], "Cat").await;
        let token = bob.token();
        drop(bob);
        settle().await;
        two.servers.hold(&two.ends[0], &two.ends[1]);
        if !hears_next_first {
            two.servers.hold(&end, &two.ends[1]);
        }
        let moves = async {
            settle().await;
            two.servers.give_room(&code(), &end);
            settle().await;
            two.servers.release(&two.ends[0], &two.ends[1]);
            settle().await;
            two.servers.release(&end, &two.ends[1]);
        };
        let ((bob, status), ()) = tokio::join!(come_back(&two.engines[1], &token, None), moves);
        assert_eq!(status.status, Status::Live, "hears the next first: {hears_next_first}");
        say(&bob, "one", "k1").await.expect("he is in");
        say(&cat, "two", "k2").await.expect("she is, too");
        pass(GRACE * 2).await;
        say(&bob, "three", "k3").await.expect("he is still in");
        drop(engine);
    }
}

#[tokio::test(start_paused = true)]
async fn an_owner_that_dies_takes_nobody_along_who_is_connected_elsewhere() {
    let two = two();
    let (engine, end) = third(&two);
    let ann = founder(&two.engines[0]).await;
    let mut bob = newcomer(&two.engines[1], "Bob").await;
    let cat = newcomer(&engine, "Cat").await;
    joined(&mut bob).await;
    ann.call(Command::typing(code(), TypingState::On)).await.expect("she is in");
    cat.call(Command::typing(code(), TypingState::On)).await.expect("she is in");
    settle().await;
    two.servers.cut(&two.ends[0], &two.ends[1]);
    two.servers.cut(&two.ends[0], &end);
    settle().await;
    two.servers.give_room(&code(), &two.ends[1]);
    assert_eq!(say(&bob, "one", "k1").await, Ok(Seq(4)));
    assert_eq!(say(&cat, "two", "k2").await, Ok(Seq(5)));
    pass(Duration::from_secs(4)).await;
    let online: Vec<_> = people(&bob).await.into_iter().filter(|(_, is_online)| *is_online).collect();
    assert_eq!(online.len(), 2, "she went with her server: {online:?}");
    let typing = take(&bob).into_iter().rev().find_map(|frame| match frame {
        ServerFrame::Typing { members, .. } => Some(members),
        _ => None,
    });
    assert!(!typing.expect("somebody typed").contains(&MemberId(1)), "who has gone shows nothing");
    pass(GRACE * 2).await;
    for session in [&bob, &cat] {
        assert!(!is_closed(&take(session)));
        assert_eq!(people(session).await.len(), 2, "she has gone, and nobody else");
    }
}

/// The log of a server that is to take over cannot be read just then.
#[tokio::test(start_paused = true)]
async fn a_server_that_cannot_read_what_it_takes_over_keeps_its_readers_until_it_can() {
    let two = two();
    let ann = founder(&two.engines[0]).await;
    let bob = newcomer(&two.engines[1], "Bob").await;
    settle().await;
    two.logs[1].plan(fails(&[Operation::Read]));
    two.servers.give_room(&code(), &two.ends[1]);
    pass(GRACE * 2).await;
    assert!(two.logs[1].faults(Operation::Read) > 0, "it was asked");
    two.logs[1].heal();
    pass(Duration::from_secs(10)).await;
    assert_eq!(say(&ann, "one", "k1").await, Ok(Seq(3)));
    assert_eq!(say(&bob, "two", "k2").await, Ok(Seq(4)));
    pass(GRACE * 2).await;
    for session in [&ann, &bob] {
        let frames = take(session);
        assert_eq!(leaves_and_messages(&frames), (vec![], vec!["one".to_owned(), "two".to_owned()]));
        assert!(!is_closed(&frames));
    }
}

#[tokio::test(start_paused = true)]
async fn a_room_that_ended_while_its_next_owner_did_not_hear_of_it_is_over_there_too() {
    let two = two();
    let ann = founder(&two.engines[0]).await;
    let mut bob = newcomer(&two.engines[1], "Bob").await;
    joined(&mut bob).await;
    two.cut().await;
    two.engines[0].moderate(&code(), Moderation::Close).await.expect("it is there");
    two.servers.give_room(&code(), &two.ends[1]);
    let over = async { while !matches!(bob.next().await, ServerFrame::RoomClosed { .. }) {} };
    tokio::time::timeout(GRACE, over).await.expect("he is told");
    create(&mut bob).await;
    drop(ann);
}

/// A copy has missed so much that the log has let go of what follows: its readers hear a gap, and go on.
#[tokio::test(start_paused = true)]
async fn a_copy_that_the_log_cannot_bring_up_to_date_is_read_anew_and_its_readers_hear_a_gap() {
    for is_taken_over in [false, true] {
        let two = two_with(Limits::lift_rates, |builder| builder);
        let ann = founder(&two.engines[0]).await;
        let bob = newcomer(&two.engines[1], "Bob").await;
        let mut cat = newcomer(&two.engines[1], "Cat").await;
        joined(&mut cat).await;
        settle().await;
        take(&bob);
        two.cut().await;
        say_many(&ann, 0..1_100).await;
        two.engines[0].moderate(&code(), Moderation::Kick(MemberId(3))).await.expect("she is in");
        two.memory.trim(&code(), Seq(900));
        if is_taken_over {
            two.servers.give_room(&code(), &two.ends[1]);
        } else {
            two.mend().await;
        }
        pass(Duration::from_secs(10)).await;
        // Who hears a gap is shown the room as it is then.
        let mut frames = take(&bob);
        pass(Duration::from_secs(1)).await;
        frames.extend(take(&bob));
        let gap = frames.iter().find_map(|frame| match frame {
            ServerFrame::Gap { from, to, .. } => Some((from.0, to.0)),
            _ => None,
        });
        assert!(gap.is_some_and(|(from, to)| from == 4 && to >= 899), "{is_taken_over}: {gap:?}");
        assert!(!is_closed(&frames) && !is_closed(&take(&cat)), "{is_taken_over}");
        assert_eq!(say(&cat, "still here?", "k1").await, Err(RejectCode::NotMember), "{is_taken_over}");
        assert_eq!(say(&bob, "here", "k2").await, Ok(Seq(1_105)), "{is_taken_over}");
        assert_eq!(leaves_and_messages(&take(&bob)).1, ["here"], "{is_taken_over}");
    }
}

/// Who follows has heard of the new owner before that has itself: what it says of who is attached there goes past it. It asks something, is told
/// the room, and believes that it is known who is there.
#[tokio::test(start_paused = true)]
async fn who_was_said_to_be_there_before_the_owner_knew_that_it_is_stays() {
    let two = two();
    let ann = founder(&two.engines[0]).await;
    let mut bob = newcomer(&two.engines[1], "Bob").await;
    joined(&mut bob).await;
    two.servers.blind(&two.ends[1], &code());
    two.servers.give_room(&code(), &two.ends[1]);
    settle().await;
    two.servers.see(&two.ends[1], &code());
    assert_eq!(say(&ann, "one", "k1").await, Ok(Seq(3)));
    pass(Duration::from_secs(5)).await;
    assert_eq!(say(&ann, "two", "k2").await, Ok(Seq(4)));
    pass(GRACE * 2).await;
    let (left, said) = leaves_and_messages(&take(&bob));
    assert_eq!((left.as_slice(), said), (&[][..], vec!["one".to_owned(), "two".to_owned()]));
}

/// What was asked of an owner that did not know whether it is waits there. Where the link breaks, nobody waits for the answer: it is not decided
/// after the other server has said that nobody is there any more.
#[tokio::test(start_paused = true)]
async fn who_was_about_to_come_back_when_the_link_broke_is_not_there_for_ever() {
    let two = two();
    let mut ann = founder(&two.engines[0]).await;
    let bob = newcomer(&two.engines[1], "Bob").await;
    let token = bob.token();
    drop(bob);
    settle().await;
    two.servers.blind(&two.ends[0], &code());
    settle().await;
    drop(come_back(&two.engines[1], &token, None).await);
    two.cut().await;
    two.mend().await;
    drop(newcomer_elsewhere(&two).await);
    two.servers.see(&two.ends[0], &code());
    assert_eq!(next_left(&mut ann).await, ("Bob".to_owned(), "timeout".to_owned()));
}

/// Somebody asks to come in at the server that follows: it says who is attached there.
async fn newcomer_elsewhere(two: &Two) -> Connection {
    let cat = connect(&two.engines[1], None).await;
    drop(submit(&cat, Command::join(code(), nick("Cat"))));
    settle().await;
    cat
}
