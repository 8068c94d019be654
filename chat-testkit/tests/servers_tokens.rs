//! Connections of one session that come to several servers: by a later token, or by the same one, with clocks that are apart.

mod support;

use std::time::Duration;

use chat_core::wire::Status;
use chat_core::{CloseReason, ConnectRequest, Connection, Hello, Position, Resume, ServerFrame};
use support::servers::{Two, two_apart};
use support::{GRACE, code, come_back, connect, founder, join, joined, newcomer, pass, say, seconds, take};

/// The clock of the first, which decides, is ahead of the second's.
fn servers() -> Two {
    two_apart(Duration::from_secs(2), |builder| builder)
}

fn resume(token: &str) -> Option<Resume> {
    Some(Resume { token: token.to_owned(), positions: Vec::new() })
}

fn is_replaced(session: &Connection) -> bool {
    let is_it = |code: u16| code == CloseReason::Replaced.code();
    take(session).iter().any(|frame| matches!(frame, ServerFrame::Closing { code, .. } if is_it(*code)))
}

/// The welcome was lost on its way from the server whose clock is ahead, and the client comes to the other by the token that it has.
#[tokio::test(start_paused = true)]
async fn who_comes_with_the_same_token_where_the_clock_is_behind_is_served() {
    let Two { engines: [ahead, behind], .. } = &servers();
    let ann = founder(ahead).await;
    let mut bob = newcomer(behind, "Bob").await;
    let here = joined(&mut bob).await;
    let (token, position) = (bob.token(), Position { epoch: here.epoch, seq: here.seq });
    let (lost, status) = come_back(ahead, &token, Some(position)).await;
    assert_eq!(status.status, Status::Live);
    let (again, status) = come_back(behind, &token, Some(position)).await;
    assert_eq!(status.status, Status::Live);
    say(&again, "one", "k1").await.expect("he is in");
    seconds(1).await;
    assert!(is_replaced(&lost), "whose place was taken is told");
    drop((lost, bob));
    pass(GRACE * 2).await;
    say(&again, "two", "k2").await.expect("he is still in");
    say(&ann, "three", "k3").await.expect("she is, too");
}

#[tokio::test(start_paused = true)]
async fn who_comes_with_an_older_token_to_a_server_that_does_not_know_the_later_is_told_so() {
    let Two { engines: [ahead, behind], .. } = &servers();
    let _ann = founder(ahead).await;
    let mut bob = newcomer(behind, "Bob").await;
    let here = joined(&mut bob).await;
    let (token, position) = (bob.token(), Position { epoch: here.epoch, seq: here.seq });
    let (second, _) = come_back(ahead, &token, Some(position)).await;
    let (third, status) = come_back(ahead, &second.token(), Some(position)).await;
    assert_eq!(status.status, Status::Live);
    let resume = Some(Resume { token, positions: vec![(code(), position)] });
    let hello = Hello { resume, ..Hello::default() };
    let refusal = behind.connect(ConnectRequest::default(), hello).await.expect_err("it has been superseded");
    assert_eq!(refusal.close, CloseReason::Replaced);
    say(&third, "one", "k1").await.expect("who has come with the latest is there");
}

#[tokio::test(start_paused = true)]
async fn of_two_that_came_with_one_token_the_older_is_told_when_it_asks_to_come_in_where_the_newer_is() {
    let Two { engines: [ahead, behind], .. } = &servers();
    let _ann = founder(ahead).await;
    let token = connect(behind, None).await.token();
    let (newer, older) = (connect(ahead, resume(&token)).await, connect(behind, resume(&token)).await);
    join(&newer, "Bob").await.expect("he may");
    join(&older, "Bob").await.expect_err("he is there");
    assert!(is_replaced(&older));
    say(&newer, "one", "k1").await.expect("he is in");
}
