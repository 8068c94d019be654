//! Sessions that are ended, and that begin, at several servers whose clocks are a little apart.

mod support;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chat_core::{
    Admission, Command, ConnectRequest, Connection, Engine, Extent, Hello, Identity, Policy, Reject, Resume,
};
use support::servers::{Two, two_apart};

/// Everybody is Ann.
struct AllAnn;

#[async_trait]
impl Policy for AllAnn {
    async fn admit(&self, _: &ConnectRequest) -> Result<Admission, Reject> {
        Ok(Admission::of(Identity::new("ann")))
    }
}

/// The clock of the first is ahead of the second's.
fn servers() -> Two {
    two_apart(Duration::from_secs(2), |builder| builder.policy(Arc::new(AllAnn)))
}

async fn ann(engine: &Engine, token: Option<&str>) -> Connection {
    let resume = token.map(|token| Resume { token: token.to_owned(), positions: Vec::new() });
    let hello = Hello { resume, ..Hello::default() };
    engine.connect(ConnectRequest::default(), hello).await.expect("everybody is let in")
}

async fn end_all(session: Connection) {
    session.call(Command::end().with_extent(Extent::Person)).await.expect("everybody may");
}

#[tokio::test(start_paused = true)]
async fn a_session_that_begins_where_the_clock_is_ahead_is_not_taken_for_ended_elsewhere() {
    let Two { engines: [ahead, behind], .. } = &servers();
    end_all(ann(behind, None).await).await;
    let new = ann(ahead, None).await;
    assert_eq!(ann(behind, Some(&new.token())).await.session_id(), new.session_id(), "it has begun since");
}

#[tokio::test(start_paused = true)]
async fn a_session_that_begins_where_the_clock_is_behind_is_not_taken_for_ended_elsewhere() {
    let Two { engines: [ahead, behind], .. } = &servers();
    let before = ann(behind, None).await;
    end_all(ann(ahead, None).await).await;
    let new = ann(behind, None).await;
    assert_eq!(ann(ahead, Some(&new.token())).await.session_id(), new.session_id(), "it has begun since");
    assert_ne!(ann(ahead, Some(&before.token())).await.session_id(), before.session_id(), "it was ended");
}
