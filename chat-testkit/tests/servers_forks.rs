//! A log that has lost what was acked: its rooms go on from where it ends, and whoever has seen more is shown the room anew, before long.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use chat_core::wire::Status;
use chat_core::{CloseReason, Connection, EngineBuilder, Epoch, Observer, ObserverEvent, Position, Seq, ServerFrame};
use support::bent::BentLog;
use support::servers::{Two, two_with};
use support::{builder, code, come_back, founder, joined, newcomer, pass, say, settle, texts_of};

/// How long anybody waits for a clear answer, at most.
const SOON: Duration = Duration::from_secs(10);

#[derive(Clone, Default)]
struct Forks(Arc<AtomicUsize>);

impl Observer for Forks {
    fn observe(&self, event: ObserverEvent<'_>) {
        if matches!(event, ObserverEvent::Forked { .. }) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn watched(forks: &Forks) -> impl Fn(EngineBuilder) -> EngineBuilder {
    |builder| builder.observer(Arc::new(forks.clone()))
}

/// Ann at the first server, which owns the room, and Bob at the second. The log has lost the last two of the five messages that both have read.
async fn after_a_loss(forks: &Forks) -> (Two, Connection, Connection, Epoch) {
    let two = two_with(|limits| limits.lift_rates(), watched(forks));
    let ann = founder(&two.engines[0]).await;
    let mut bob = newcomer(&two.engines[1], "Bob").await;
    let epoch = joined(&mut bob).await.epoch;
    for number in 0..5 {
        pass(Duration::from_secs(1)).await;
        assert_eq!(say(&ann, &format!("lost{number}"), &format!("k{number}")).await, Ok(Seq(3 + number)));
    }
    settle().await;
    two.logs[0].lose_tail(&code(), 2).await;
    (two, ann, bob, epoch)
}

/// The connection ends as a fault, and the token comes back.
async fn faulted(mut session: Connection) -> String {
    let fault = async {
        loop {
            if let ServerFrame::Closing { code, .. } = session.next().await {
                assert_eq!(code, CloseReason::Fault.code());
                return;
            }
        }
    };
    tokio::time::timeout(SOON, fault).await.expect("it ends before long");
    session.token()
}

/// Comes back as one who has seen everything, and is shown the room as it is.
async fn shown_anew(two: &Two, which: usize, token: &str, epoch: Epoch) -> (Connection, Vec<String>) {
    let position = Position { epoch, seq: Seq(7) };
    let (mut session, status) = come_back(&two.engines[which], token, Some(position)).await;
    assert_eq!(status.status, Status::Live);
    let joined = tokio::time::timeout(SOON, joined(&mut session)).await.expect("what was seen is nothing of this room");
    (session, texts_of(&joined))
}

const KEPT: [&str; 3] = ["lost0", "lost1", "lost2"];

#[tokio::test(start_paused = true)]
async fn an_owner_whose_log_has_lost_what_was_acked_says_so_and_goes_on_from_where_it_ends() {
    let forks = Forks::default();
    let (two, ann, bob, epoch) = after_a_loss(&forks).await;
    let asked = tokio::time::Instant::now();
    assert!(say(&ann, "one", "k9").await.is_err(), "what it follows on is not there");
    assert!(asked.elapsed() < SOON, "{:?}", asked.elapsed());
    let (ann, bob) = (faulted(ann).await, faulted(bob).await);
    assert_eq!(forks.0.load(Ordering::Relaxed), 2, "one at each server");
    let (ann, shown) = shown_anew(&two, 0, &ann, epoch).await;
    assert_eq!(shown, KEPT);
    assert_eq!(say(&ann, "one", "k9").await, Ok(Seq(6)));
    for number in 0..5 {
        say(&ann, "more", &format!("m{number}")).await.expect("it goes on");
    }
    let (bob, shown) = shown_anew(&two, 1, &bob, epoch).await;
    assert_eq!(shown.len(), 9, "though what he has seen is before the end by now: {shown:?}");
    assert_eq!(say(&bob, "two", "b1").await, Ok(Seq(12)));
}

#[tokio::test(start_paused = true)]
async fn a_new_owner_that_has_seen_more_than_its_log_holds_goes_on_from_where_it_ends() {
    let forks = Forks::default();
    let (two, ann, bob, epoch) = after_a_loss(&forks).await;
    two.servers.give_room(&code(), &two.ends[1]);
    let (bob, ann) = (faulted(bob).await, faulted(ann).await);
    let (bob, shown) = shown_anew(&two, 1, &bob, epoch).await;
    assert_eq!(shown, KEPT);
    assert_eq!(say(&bob, "one", "b1").await, Ok(Seq(6)));
    let (ann, shown) = shown_anew(&two, 0, &ann, epoch).await;
    assert_eq!(shown.len(), 4);
    assert_eq!(say(&ann, "two", "a1").await, Ok(Seq(7)));
    assert_eq!(forks.0.load(Ordering::Relaxed), 2, "one at each server");
}

/// What the room would then owe its log is of messages that are not there.
#[tokio::test(start_paused = true)]
async fn a_loss_that_is_found_by_taking_something_back_ends_as_any_other() {
    let forks = Forks::default();
    let (two, ann, bob, epoch) = after_a_loss(&forks).await;
    let redacted = tokio::time::timeout(SOON, two.engines[0].room(&code()).redact(Seq(3))).await;
    assert!(redacted.expect("it is answered before long").is_err(), "what it follows on is not there");
    let (ann, _) = (faulted(ann).await, faulted(bob).await);
    let (ann, shown) = shown_anew(&two, 0, &ann, epoch).await;
    assert_eq!(shown, KEPT);
    assert_eq!(two.engines[0].room(&code()).redact(Seq(3)).await, Ok(Seq(6)));
    assert_eq!(say(&ann, "one", "k9").await, Ok(Seq(7)));
}

/// A server that had seen nothing has the room meanwhile, and nobody else hears of it.
#[tokio::test(start_paused = true)]
async fn the_same_numbers_given_again_are_told_from_those_that_were_lost() {
    let forks = Forks::default();
    let (two, ann, bob, epoch) = after_a_loss(&forks).await;
    let end = two.servers.join();
    let log = Arc::new(BentLog::new(&two.memory));
    let engine = builder(&log).cluster(Arc::clone(&end) as _).build();
    for other in &two.ends {
        two.servers.cut(other, &end);
    }
    settle().await;
    two.servers.give_room(&code(), &end);
    let cat = newcomer(&engine, "Cat").await;
    for number in 0..8 {
        say(&cat, "other", &format!("c{number}")).await.expect("it is hers");
    }
    two.servers.give_room(&code(), &two.ends[1]);
    let bob = faulted(bob).await;
    let (bob, shown) = shown_anew(&two, 1, &bob, epoch).await;
    assert_eq!(shown.len(), 11, "{shown:?}");
    assert_eq!(say(&bob, "here", "b1").await, Ok(Seq(15)));
    drop(ann);
}
