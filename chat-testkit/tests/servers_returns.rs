//! Who comes back at another server than the room's owner: to one that has put the room away, or whose answer is lost on its way.

mod support;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chat_core::wire::Status;
use chat_core::{Limits, Resume};
use chat_testkit::servers::Loss;
use support::servers::{two, two_with};
use support::{GRACE, come_back, connect, create, founder, joined, newcomer, next_left, pass, say, settle};

#[tokio::test(start_paused = true)]
async fn who_comes_back_where_the_room_is_known_is_let_in_though_its_owner_has_put_it_away() {
    let is_first = AtomicBool::new(true);
    let two = two_with(
        |_| {},
        |builder| {
            let mut limits = Limits::default();
            if is_first.swap(false, Ordering::Relaxed) {
                limits.engine.room_idle = Duration::ZERO;
            }
            builder.limits(limits)
        },
    );
    let mut ann = connect(&two.engines[1], None).await;
    let (position, token) = (Some(create(&mut ann).await.position()), ann.token());
    drop(ann);
    pass(Duration::from_secs(8)).await;
    assert_eq!((two.engines[0].stats().rooms, two.engines[1].stats().rooms), (0, 1), "where the room is in memory");
    let (ann, status) = come_back(&two.engines[1], &token, position).await;
    assert_eq!(status.status, Status::Live);
    pass(GRACE).await;
    assert!(say(&ann, "here", "k1").await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn who_came_back_and_never_heard_so_is_gone_once_their_grace_is_over() {
    let two = two();
    let mut ann = founder(&two.engines[0]).await;
    let mut bob = newcomer(&two.engines[1], "Bob").await;
    joined(&mut bob).await;
    let resume = Some(Resume { token: bob.token(), positions: Vec::new() });
    // The owner has let him in by his new connection, and nobody at his server hears of it.
    two.servers.lose(&two.ends[0], &two.ends[1], 2, Loss::Silent);
    let again = connect(&two.engines[1], resume).await;
    settle().await;
    two.cut().await;
    two.servers.lose(&two.ends[0], &two.ends[1], 0, Loss::Silent);
    two.mend().await;
    pass(Duration::from_secs(1)).await;
    drop((bob, again));
    let left = tokio::time::timeout(GRACE + Duration::from_secs(10), next_left(&mut ann)).await;
    assert_eq!(left, Ok(("Bob".to_owned(), "timeout".to_owned())));
}
