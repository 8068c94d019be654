//! A room whose owner changes, or is not known for a while: nobody who reads it is disconnected, and nothing is lost, said twice or told twice.

mod support;

use std::time::Duration;

use chat_core::wire::Status;
use chat_core::{CloseReason, Connection, RejectCode, Seq, ServerFrame};
use support::servers::{Two, leaves_and_messages, two, two_with};
use support::{
    GRACE, code, come_back, connect, create, founder, joined, newcomer, next_left, next_message, pass, say, settle,
    take,
};

/// Whether these tell that the connection ends.
fn is_closed(frames: &[ServerFrame]) -> bool {
    frames.iter().any(|frame| matches!(frame, ServerFrame::Closing { .. }))
}

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
    bob.call(chat_core::Command::end()).await.expect("everybody may");
    drop(bob);
    pass(GRACE * 2).await;
    assert!(leaves_and_messages(&take(&ann)).0.is_empty());
    two.servers.see(&two.ends[0], &code());
    assert_eq!(next_left(&mut ann).await, ("Bob".to_owned(), "left".to_owned()));
}
