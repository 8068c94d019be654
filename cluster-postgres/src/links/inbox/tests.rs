//! The events of links, taken by one who looks now and then.

use super::*;

const ANN: NodeId = NodeId(1);
const BOB: NodeId = NodeId(2);

fn parcel(from: NodeId, bytes: impl Into<Vec<u8>>) -> LinkEvent {
    LinkEvent::Parcel { from, bytes: bytes.into() }
}

/// Polls once: whether it is done at once.
async fn at_once<T>(future: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        done = future => Some(done),
        () = std::future::ready(()) => None,
    }
}

async fn all(inbox: &Inbox) -> Vec<LinkEvent> {
    let mut events = Vec::new();
    while let Some(event) = at_once(inbox.next()).await {
        events.push(event);
    }
    events
}

#[tokio::test]
async fn what_arrived_before_an_end_comes_before_it_and_nothing_after() {
    let inbox = Inbox::default();
    inbox.up(ANN, 1);
    assert_eq!(inbox.next().await, LinkEvent::Up(ANN));
    inbox.push(ANN, 1, parcel(ANN, "a")).await.expect("it is up");
    inbox.down(ANN);
    assert_eq!(inbox.push(ANN, 1, parcel(ANN, "late")).await, Err(Ended));
    inbox.up(ANN, 2);
    assert_eq!(inbox.push(ANN, 1, parcel(ANN, "later")).await, Err(Ended));
    inbox.push(ANN, 2, parcel(ANN, "b")).await.expect("it is up");
    let wanted = [parcel(ANN, "a"), LinkEvent::Down(ANN), LinkEvent::Up(ANN), parcel(ANN, "b")];
    assert_eq!(all(&inbox).await, wanted);
}

#[tokio::test]
async fn a_link_that_nobody_has_heard_of_leaves_no_trace() {
    let inbox = Inbox::default();
    inbox.up(ANN, 1);
    assert_eq!(inbox.next().await, LinkEvent::Up(ANN));
    for link in 2..1_000 {
        inbox.down(ANN);
        inbox.up(ANN, link);
        inbox.push(ANN, link, parcel(ANN, vec![0; 1 << 20])).await.expect("there is room each time");
        inbox.up(BOB, link);
        inbox.down(BOB);
    }
    let events = all(&inbox).await;
    assert_eq!(events[..2], [LinkEvent::Down(ANN), LinkEvent::Up(ANN)]);
    assert_eq!(events[2..], [parcel(ANN, vec![0; 1 << 20])]);
    assert_eq!(inbox.lock().lanes.len(), 1, "nothing is kept of who left no trace");
}

#[tokio::test]
async fn who_has_much_that_waits_is_read_no_further_and_keeps_nobody_else_waiting() {
    let inbox = Inbox::default();
    inbox.up(ANN, 1);
    inbox.up(BOB, 2);
    let mut pushed = 0;
    while at_once(inbox.push(ANN, 1, parcel(ANN, vec![0; 1 << 20]))).await.is_some() {
        pushed += 1;
    }
    assert_eq!(pushed, ARRIVED_BYTES_MAX >> 20);
    inbox.push(BOB, 2, parcel(BOB, "b")).await.expect("it has a bound of its own");
    let waiting = inbox.push(ANN, 1, parcel(ANN, "last"));
    tokio::pin!(waiting);
    assert_eq!(at_once(&mut waiting).await, None);
    assert_eq!(inbox.next().await, LinkEvent::Up(ANN));
    assert_eq!(inbox.next().await, LinkEvent::Up(BOB));
    assert_eq!(at_once(&mut waiting).await, None, "an event without bytes makes no room");
    assert_eq!(inbox.next().await, parcel(ANN, vec![0; 1 << 20]));
    assert_eq!(at_once(&mut waiting).await, Some(Ok(())));
    assert_eq!(inbox.next().await, parcel(BOB, "b"), "peers take turns");
    inbox.down(BOB);
    assert_eq!(all(&inbox).await.len(), pushed + 1);
    inbox.down(ANN);
    assert_eq!(all(&inbox).await, [LinkEvent::Down(ANN)]);
    assert!(inbox.lock().lanes.is_empty(), "nothing is kept of who is gone");
}

#[tokio::test]
async fn who_waits_for_room_is_told_when_the_link_ends() {
    let inbox = Inbox::default();
    inbox.up(ANN, 1);
    inbox.push(ANN, 1, parcel(ANN, vec![0; ARRIVED_BYTES_MAX])).await.expect("nothing waits");
    let waiting = inbox.push(ANN, 1, parcel(ANN, "more"));
    tokio::pin!(waiting);
    assert_eq!(at_once(&mut waiting).await, None);
    inbox.down(ANN);
    assert_eq!(at_once(&mut waiting).await, Some(Err(Ended)));
}

#[tokio::test(start_paused = true)]
async fn strangers_are_told_of_now_and_then() {
    let inbox = Inbox::default();
    (0..5).for_each(|_| inbox.stranger());
    assert_eq!(inbox.next().await, LinkEvent::Unknown);
    let told = Instant::now();
    (0..5).for_each(|_| inbox.stranger());
    assert_eq!(at_once(inbox.next()).await, None);
    assert_eq!(inbox.next().await, LinkEvent::Unknown);
    assert!(told.elapsed() >= STRANGERS_PAUSE);
    assert_eq!(at_once(inbox.next()).await, None);
}

#[tokio::test]
async fn an_event_is_not_lost_with_who_waited_for_it() {
    let inbox = Inbox::default();
    {
        let waiting = inbox.next();
        tokio::pin!(waiting);
        assert_eq!(at_once(&mut waiting).await, None);
        inbox.up(ANN, 1);
    }
    assert_eq!(at_once(inbox.next()).await, Some(LinkEvent::Up(ANN)));
}
