//! What becomes of what an owner has decided, and not told yet, when its room is another server's by then.

mod support;

use std::time::Duration;

use chat_core::wire::Status;
use chat_core::{Command, Connection, Limits, Moderation, Position, RejectCode, Resume, Seq, ServerFrame};
use chat_testkit::logs::{Delay, Fault, Operation, Outcome};
use support::servers::{is_closed, leaves_and_messages, messages, two, two_with};
use support::{
    GRACE, code, connect, founder, joined, newcomer, next_message, pass, say, say_many, seconds, settle, submit, take,
    text,
};

/// What the first has logged and never told is told by the second.
#[tokio::test(start_paused = true)]
async fn a_round_that_was_logged_when_its_owner_died_is_told_by_the_next() {
    let two = two();
    let ann = founder(&two.engines[0]).await;
    let mut bob = newcomer(&two.engines[1], "Bob").await;
    joined(&mut bob).await;
    two.logs[0].push(Operation::Append, Fault::answered_late(Outcome::Done));
    let sent = submit(&ann, Command::send(code(), text("one")));
    settle().await;
    two.cut().await;
    two.servers.give_room(&code(), &two.ends[1]);
    settle().await;
    assert_eq!(say(&bob, "two", "k2").await, Ok(Seq(4)));
    assert_eq!(next_message(&mut bob).await, (Seq(3), "one".to_owned()));
    assert_eq!(next_message(&mut bob).await, (Seq(4), "two".to_owned()));
    // It was not dead after all.
    two.logs[0].release_all();
    two.mend().await;
    assert_eq!(sent.await.expect("it is answered").reject, None, "it was said");
    assert_eq!(say(&ann, "three", "k3").await, Ok(Seq(5)));
    let frames = take(&ann);
    assert_eq!(leaves_and_messages(&frames).1, ["one", "two", "three"]);
    assert!(!is_closed(&frames));
}

/// The first has decided, and the log refuses it, for the room is the second's by then.
#[tokio::test(start_paused = true)]
async fn what_the_log_refuses_a_former_owner_is_decided_by_the_next_and_said_once() {
    for outcome in [Outcome::Deposed, Outcome::Conflict] {
        let two = two();
        let ann = founder(&two.engines[0]).await;
        let mut bob = newcomer(&two.engines[1], "Bob").await;
        joined(&mut bob).await;
        two.logs[0].push(Operation::Append, Fault::stalled(outcome));
        let sent = submit(&ann, Command::send(code(), text("one")));
        settle().await;
        two.servers.give_room(&code(), &two.ends[1]);
        settle().await;
        two.logs[0].release_all();
        assert_eq!(sent.await.expect("it is answered").reject, None, "{outcome:?}");
        assert_eq!(say(&bob, "two", "k2").await, Ok(Seq(4)), "{outcome:?}");
        for session in [&ann, &bob] {
            let frames = take(session);
            assert_eq!(leaves_and_messages(&frames).1, ["one", "two"], "{outcome:?}");
            assert!(!is_closed(&frames), "{outcome:?}");
        }
    }
}

/// The log knows before the server does that the room is another's.
#[tokio::test(start_paused = true)]
async fn a_term_that_the_log_takes_nothing_of_is_over_and_what_was_asked_waits_for_the_next() {
    let two = two();
    let ann = founder(&two.engines[0]).await;
    let bob = newcomer(&two.engines[1], "Bob").await;
    settle().await;
    two.logs[0].push(Operation::Append, Outcome::Deposed);
    let asked = [&ann, &bob].map(|session| submit(session, Command::send(code(), text("one"))));
    seconds(3).await;
    two.servers.give_room(&code(), &two.ends[1]);
    for asked in asked {
        assert_eq!(asked.await.expect("it is answered").reject, None);
    }
    pass(GRACE * 2).await;
    for session in [&ann, &bob] {
        let frames = take(session);
        assert_eq!(leaves_and_messages(&frames), (vec![], vec!["one".to_owned(), "one".to_owned()]));
        assert!(!is_closed(&frames));
    }
}

/// Nobody can say whether it was written, and it is not decided again.
#[tokio::test(start_paused = true)]
async fn what_a_former_owner_does_not_know_of_is_not_said_twice() {
    for outcome in [Outcome::AnswerLost, Outcome::NotDone] {
        let two = two();
        let ann = founder(&two.engines[0]).await;
        let mut bob = newcomer(&two.engines[1], "Bob").await;
        joined(&mut bob).await;
        two.logs[0].push(Operation::Append, Fault { after: Delay::UntilReleased, ..Fault::from(outcome) });
        let sent = submit(&ann, Command::send(code(), text("one")));
        settle().await;
        two.servers.give_room(&code(), &two.ends[1]);
        settle().await;
        say(&bob, "two", "k2").await.expect("he is in");
        let one = take(&bob);
        let one = messages(&one).into_iter().find(|(_, text)| text == "one");
        assert_eq!(one.is_some(), outcome == Outcome::AnswerLost);
        if let Some((seq, _)) = one {
            // What it says now is no longer what was written.
            two.engines[1].moderate(&code(), Moderation::Redact(Seq(seq))).await.expect("it is there");
        }
        pass(Duration::from_secs(1)).await;
        two.logs[0].release_all();
        let refused = sent.await.expect("it is answered").reject.map(|reject| reject.code);
        assert_eq!(refused, Some(RejectCode::Unavailable), "{outcome:?}");
        pass(Duration::from_secs(10)).await;
        let said = leaves_and_messages(&take(&bob)).1;
        assert!(said.is_empty(), "{outcome:?}: {said:?}");
        let frames = take(&ann);
        assert!(!is_closed(&frames) && leaves_and_messages(&frames).1.len() <= 2, "{outcome:?}");
    }
}

/// What somebody who reads all the time is told: which messages, and whether there was a gap.
async fn told(mut reader: Connection, last: &str) -> (Vec<String>, bool) {
    let (mut said, mut has_gap) = (Vec::new(), false);
    loop {
        match reader.next().await {
            ServerFrame::Message(message) if message.text == last => return (said, has_gap),
            ServerFrame::Message(message) => said.push(message.text.clone()),
            ServerFrame::Gap { .. } => has_gap = true,
            _ => {}
        }
    }
}

/// As where a server stood still and was taken for dead: with its next batch it finds what the next owner has written meanwhile. Who reads there
/// hears all of it that the log still has, however much it is, and whatever the log does in between.
#[tokio::test(start_paused = true)]
async fn who_reads_at_a_former_owner_that_stood_still_hears_all_that_was_said_meanwhile() {
    for is_trimmed in [false, true] {
        let lift = |limits: &mut Limits| {
            limits.lift_rates();
            limits.room.backlog_events_max = 64;
        };
        let two = two_with(lift, |builder| builder);
        let ann = founder(&two.engines[0]).await;
        let bob = newcomer(&two.engines[1], "Bob").await;
        let cat = newcomer(&two.engines[0], "Cat").await;
        settle().await;
        take(&cat);
        let read = tokio::spawn(told(cat, "last"));
        two.cut().await;
        two.logs[0].push(Operation::Append, Fault::stalled(Outcome::Deposed));
        let sent = submit(&ann, Command::send(code(), text("late")));
        settle().await;
        two.servers.give_room(&code(), &two.ends[1]);
        say_many(&bob, 0..1_100).await;
        if is_trimmed {
            two.memory.trim(&code(), Seq(900));
        }
        for _ in 0..3 {
            // Not written, and looked for; then read again, and then page by page.
            two.logs[0].push(Operation::Read, Outcome::Fails);
        }
        two.logs[0].release_all();
        settle().await;
        two.mend().await;
        assert_eq!(sent.await.expect("it is answered").reject, None, "{is_trimmed}");
        assert!(say(&bob, "last", "k1").await.is_ok());
        let (said, has_gap) = read.await.expect("Cat reads");
        let all: Vec<String> = (0..1_100).map(|number| number.to_string()).chain(["late".to_owned()]).collect();
        assert_eq!(has_gap, is_trimmed);
        assert!(all.ends_with(&said), "{is_trimmed}: in their order, and once: {said:?}");
        assert!(is_trimmed || said.len() == all.len(), "{} of {}", said.len(), all.len());
        assert_eq!(two.engines[0].stats().gaps_unblocked, 0, "{is_trimmed}");
    }
}

/// Somebody comes back who is as far behind as the backlog goes, and what the owner has told since comes along with where they stand: they read
/// what they have missed before more takes its place.
#[tokio::test(start_paused = true)]
async fn who_comes_back_has_read_on_before_more_is_shown_that_came_along() {
    let shorten = |limits: &mut Limits| {
        limits.lift_rates();
        limits.room.backlog_events_max = 16;
    };
    let two = two_with(shorten, |builder| builder);
    let ann = founder(&two.engines[0]).await;
    let _cat = newcomer(&two.engines[1], "Cat").await;
    let mut bob = newcomer(&two.engines[1], "Bob").await;
    let here = joined(&mut bob).await;
    let token = bob.token();
    drop(bob);
    say_many(&ann, 0..15).await;
    settle().await;
    two.servers.hold(&two.ends[0], &two.ends[1]);
    let positions = vec![(code(), Position { epoch: here.epoch, seq: here.seq })];
    let mut bob = connect(&two.engines[1], Some(Resume { token, positions })).await;
    let ServerFrame::Welcome { rooms, .. } = bob.next().await else { panic!("welcome comes first") };
    assert_eq!(rooms[0].status, Status::Waiting, "what the owner says has not come yet");
    let read = tokio::spawn(told(bob, "last"));
    settle().await;
    say_many(&ann, 15..18).await;
    two.servers.release(&two.ends[0], &two.ends[1]);
    settle().await;
    assert!(say(&ann, "last", "k1").await.is_ok());
    let (said, has_gap) = read.await.expect("Bob reads");
    let all: Vec<String> = (0..18).map(|number| number.to_string()).collect();
    assert_eq!((said, has_gap), (all, false));
    assert_eq!(two.engines[1].stats().gaps_unblocked, 0);
}
