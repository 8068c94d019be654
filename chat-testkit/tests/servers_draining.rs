//! A server that goes while others have its rooms: whoever is connected is served until a moment of their own, and goes on elsewhere.

mod support;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use chat_core::wire::Status;
use chat_core::{CloseReason, Command, Connection, Engine, Epoch, Limits, Position, RejectCode, Seq, ServerFrame};
use chat_testkit::servers::Server;
use support::bent::BentLog;
use support::servers::{Two, is_closed, leaves_and_messages, two, two_with};
use support::{
    GRACE, builder, code, come_back, founder, joined, newcomer, nick, pass, say, settle, submit, take, text,
};

const SPREAD: Duration = Duration::from_secs(10);

/// Says one thing after the other until the connection ends; how many were acked, and when it ended.
async fn talk_to_the_end(mut session: Connection, name: String) -> (String, usize, tokio::time::Instant) {
    let mut acked = 0;
    loop {
        let text = format!("{name}{acked}");
        tokio::select! {
            biased;
            frame = session.next() => {
                if let ServerFrame::Closing { code, reconnect_after_ms, .. } = frame {
                    assert_eq!((code, reconnect_after_ms), (CloseReason::Draining.code(), Some(0)), "{name}");
                    return (session.token(), acked, tokio::time::Instant::now());
                }
            }
            () = tokio::time::sleep(Duration::from_millis(100)) => {
                say(&session, &text, &text).await.unwrap_or_else(|code| panic!("{text} is refused: {code:?}"));
                acked += 1;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_at_a_server_that_goes_is_served_until_their_own_moment_and_goes_on_elsewhere_at_once() {
    let two = two_with(Limits::lift_rates, |builder| builder);
    let ann = founder(&two.engines[1]).await;
    let (mut talks, mut position) = (Vec::new(), Position { epoch: Epoch(0), seq: Seq(1) });
    for number in 0..20 {
        let mut session = newcomer(&two.engines[0], &format!("p{number}")).await;
        position.epoch = joined(&mut session).await.epoch;
        talks.push(tokio::spawn(talk_to_the_end(session, format!("p{number}-"))));
    }
    two.servers.give_all(&two.ends[1]);
    settle().await;
    let begun = tokio::time::Instant::now();
    let engine = two.engines[0].clone();
    let drain = tokio::spawn(async move { engine.drain(SPREAD).await });
    settle().await;
    let refusal =
        two.engines[0].connect(Default::default(), Default::default()).await.expect_err("nobody new is let in");
    assert_eq!((refusal.close, refusal.reconnect_after), (CloseReason::Draining, Some(Duration::from_secs(1))));
    let (mut ends, mut said) = (BTreeSet::new(), 0);
    for talk in talks {
        let (token, acked, end) = talk.await.expect("nobody is refused");
        let (session, status) = come_back(&two.engines[1], &token, Some(position)).await;
        assert_eq!(status.status, Status::Live);
        say(&session, "here", &format!("back{said}")).await.expect("they are in");
        said += acked + 1;
        ends.insert(end - begun);
    }
    drain.await.expect("no panic");
    assert!(ends.len() > 15 && ends.last().is_some_and(|last| *last <= SPREAD + Duration::from_secs(2)), "{ends:?}");
    let (left, heard) = leaves_and_messages(&take(&ann));
    assert!(left.is_empty(), "nobody has gone: {left:?}");
    assert_eq!(heard.len(), said, "everything that was acked, and once");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_goes_and_has_rooms_takes_no_more_commands() {
    let two = two();
    let ann = founder(&two.engines[0]).await;
    let engine = two.engines[0].clone();
    let drain = tokio::spawn(async move { engine.drain(SPREAD).await });
    settle().await;
    assert_eq!(say(&ann, "one", "k1").await, Err(RejectCode::Draining), "nobody else would have it");
    drop(ann);
    drain.await.expect("no panic");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_goes_does_not_wait_for_who_has_gone_before_their_moment() {
    let flush_timeout = Duration::from_secs(60);
    let two = two_with(|limits| limits.session.flush_timeout = flush_timeout, |builder| builder);
    let _ann = founder(&two.engines[1]).await;
    let bob = newcomer(&two.engines[0], "Bob").await;
    two.servers.give_all(&two.ends[1]);
    settle().await;
    let (engine, begun) = (two.engines[0].clone(), tokio::time::Instant::now());
    let drain = tokio::spawn(async move { engine.drain(SPREAD).await });
    settle().await;
    drop(bob);
    drain.await.expect("no panic");
    assert!(begun.elapsed() <= SPREAD, "{:?}", begun.elapsed());
}

/// A third server, over the same log.
fn third(two: &Two) -> (Engine, Arc<Server>) {
    let end = two.servers.join();
    let log = Arc::new(BentLog::new(&two.memory));
    (builder(&log).cluster(Arc::clone(&end) as _).build(), end)
}

/// Others may know of a gift before whoever was given it does.
#[tokio::test(start_paused = true)]
async fn an_owner_that_hears_late_that_it_is_one_refuses_nobody_and_loses_nobody() {
    for has_copy in [false, true] {
        let two = two();
        let (engine, _end) = third(&two);
        let ann = founder(&two.engines[0]).await;
        let bob = newcomer(&engine, "Bob").await;
        let cat = if has_copy { Some(newcomer(&two.engines[1], "Cat").await) } else { None };
        settle().await;
        two.servers.blind(&two.ends[1], &code());
        two.servers.give_room(&code(), &two.ends[1]);
        settle().await;
        two.servers.see(&two.ends[1], &code());
        let asked = tokio::time::Instant::now();
        say(&bob, "one", "k1").await.unwrap_or_else(|code| panic!("{has_copy}: refused: {code:?}"));
        assert!(asked.elapsed() < Duration::from_millis(500), "{has_copy}: {:?}", asked.elapsed());
        // Whom nobody has named by now is let go.
        for number in 0..10 {
            pass(Duration::from_millis(500)).await;
            let text = format!("more{number}");
            say(&bob, &text, &text).await.unwrap_or_else(|code| panic!("{has_copy}: {text} is refused: {code:?}"));
        }
        pass(GRACE * 2).await;
        let (left, heard) = leaves_and_messages(&take(&ann));
        assert!(left.is_empty() && heard.len() == 11, "{has_copy}: {left:?}, {heard:?}");
        assert!(!is_closed(&take(&bob)), "{has_copy}");
        drop(cat);
    }
}

/// What the new owner could decide of somebody whom it has not heard of is not decided before what they have asked earlier.
#[tokio::test(start_paused = true)]
async fn an_owner_that_hears_late_that_it_is_one_decides_what_a_session_asks_in_its_order() {
    let two = two();
    let (engine, _end) = third(&two);
    let ann = founder(&two.engines[0]).await;
    let bob = newcomer(&engine, "Bob").await;
    settle().await;
    two.servers.blind(&two.ends[1], &code());
    two.servers.give_room(&code(), &two.ends[1]);
    settle().await;
    two.servers.see(&two.ends[1], &code());
    let asked = [
        submit(&bob, Command::send(code(), text("one"))),
        submit(&bob, Command::leave(code())),
        submit(&bob, Command::join(code(), nick("Bob"))),
        submit(&bob, Command::send(code(), text("two"))),
    ];
    for (number, asked) in asked.into_iter().enumerate() {
        let reject = asked.await.expect("everything is answered").reject;
        assert_eq!(reject.map(|reject| reject.code), None, "{number}");
    }
    say(&bob, "three", "k3").await.expect("whoever has come back is there");
    settle().await;
    let (left, heard) = leaves_and_messages(&take(&ann));
    assert_eq!((left.len(), heard), (1, ["one", "two", "three"].map(str::to_owned).to_vec()));
}
