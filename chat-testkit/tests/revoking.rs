//! What somebody was admitted for is taken back while a log cannot be reached: whatever becomes of that, they are in the room no longer.

mod support;

use std::sync::Arc;

use async_trait::async_trait;
use chat_core::{
    Admission, CloseReason, ConnectRequest, Hello, Identity, Policy, Reject, RejectCode, Revocation, Role, ServerFrame,
};
use chat_testkit::logs::Operation;
use support::{builder, fails, founder, join, joined, log, say, seconds, settle, take, texts};

/// Everybody is who they say, and a moderator who says so.
struct Names;

#[async_trait]
impl Policy for Names {
    async fn admit(&self, request: &ConnectRequest) -> Result<Admission, Reject> {
        let Some(shown) = request.credentials.as_deref() else { return Ok(Admission::guest()) };
        let (name, role) = shown.split_once(' ').unwrap_or((shown, ""));
        let admission = Admission::of(Identity::new(name));
        Ok(if role == "moderator" { admission.with_role(Role::Moderator) } else { admission })
    }
}

#[tokio::test(start_paused = true)]
async fn who_cannot_leave_while_the_log_is_away_says_nothing_more_and_is_sent_away() {
    let log = log();
    let engine = builder(&log).policy(Arc::new(Names)).build();
    let ann = founder(&engine).await;
    let request = ConnectRequest { credentials: Some("bob".to_owned()), ..ConnectRequest::default() };
    let mut bob = engine.connect(request, Hello::default()).await.expect("everybody is let in");
    join(&bob, "Bob").await.expect("the room is there");
    joined(&mut bob).await;
    settle().await;
    log.plan(fails(&[Operation::Append, Operation::Read]));
    let outage = async {
        seconds(3).await;
        let nothing = Revocation::RoomsBut([].into());
        engine.revoke(Identity::new("bob").expect("an identity"), nothing).await.expect("it is told here");
        assert_eq!(say(&bob, "after that", "b1").await, Err(RejectCode::NotMember), "before they have left");
        seconds(3).await;
        log.heal();
    };
    let (answer, ()) = tokio::join!(say(&ann, "into the outage", "a1"), outage);
    // It is tried again until the log is back.
    answer.expect("it is there then");
    seconds(11).await;
    say(&ann, "without Bob", "a2").await.expect("the log is back");
    let told = take(&bob);
    assert_eq!(bob.ended(), Some(CloseReason::AuthExpired), "{told:?}");
    assert!(!texts(&engine, "Cy").await.contains(&"after that".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_role_that_could_not_be_taken_back_while_the_log_was_away_is_taken_back_then() {
    let log = log();
    let engine = builder(&log).policy(Arc::new(Names)).build();
    let ann = founder(&engine).await;
    let request = ConnectRequest { credentials: Some("bob moderator".to_owned()), ..ConnectRequest::default() };
    let mut bob = engine.connect(request, Hello::default()).await.expect("everybody is let in");
    join(&bob, "Bob").await.expect("the room is there");
    joined(&mut bob).await;
    settle().await;
    take(&ann);
    log.plan(fails(&[Operation::Append]));
    engine.revoke(Identity::new("bob").expect("an identity"), Revocation::Role).await.expect("it is told here");
    // More than one attempt falls into the outage.
    seconds(22).await;
    assert_eq!(take(&ann), Vec::<ServerFrame>::new());
    log.heal();
    seconds(11).await;
    let told = take(&ann);
    assert!(matches!(told[..], [ServerFrame::RoleChanged { role: Role::Member, .. }]), "{told:?}");
    assert_eq!(bob.ended(), None, "nobody had to come back for it");
    let calls = log.calls(Operation::Append);
    seconds(60).await;
    assert_eq!(log.calls(Operation::Append), calls, "it is not asked again");
}
