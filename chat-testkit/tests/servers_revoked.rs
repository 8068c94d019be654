//! What somebody was admitted for changes, at two servers: their room is decided at one, and they are connected to the other.

mod support;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chat_core::{
    AccessToken, Admission, CloseReason, Command, ConnectRequest, Connection, Identity, Policy, Reject, RejectCode,
    Revocation, Role, ServerFrame,
};
use support::passes::{Passes, bob, connect_as};
use support::servers::{Two, leaves_and_messages, two_with};
use support::{code, founder, join, joined, say, seconds, settle, take, text};

fn two() -> Two {
    two_with(|_| {}, |builder| builder.policy(Arc::new(Passes)))
}

/// Ann where the room is decided, and Bob at the other server, a moderator.
async fn stage(two: &Two) -> (Connection, Connection) {
    let Two { engines: [owner, other], .. } = two;
    let ann = founder(owner).await;
    let mut bob = connect_as(other, "bob moderator Bob").await;
    join(&bob, "whatever").await.expect("the room is there");
    joined(&mut bob).await;
    settle().await;
    let told = take(&ann);
    let is_moderator = |frame: &ServerFrame| matches!(frame, ServerFrame::RoleChanged { role: Role::Moderator, .. });
    assert!(told.iter().any(is_moderator), "{told:?}");
    (ann, bob)
}

#[tokio::test(start_paused = true)]
async fn rooms_are_left_wherever_somebody_is_connected_and_whichever_server_is_asked() {
    let two = two();
    let (ann, session) = stage(&two).await;
    say(&session, "before", "k").await.expect("he is in");
    two.engines[0].revoke(bob(), Revocation::RoomsBut(BTreeSet::new())).await.expect("done");
    settle().await;
    assert_eq!(leaves_and_messages(&take(&ann)), (vec!["Bob".to_owned()], vec!["before".to_owned()]));
    assert_eq!(session.call(Command::send(code(), text("after"))).await.expect_err("out").code, RejectCode::NotMember);
    assert_eq!(join(&session, "Bob").await.expect_err("not for him").code, RejectCode::Forbidden);
    assert_eq!(session.ended(), None);
}

#[tokio::test(start_paused = true)]
async fn a_role_is_taken_back_and_another_name_given_by_way_of_the_server_that_decides() {
    let two = two();
    let (ann, session) = stage(&two).await;
    two.engines[0].revoke(bob(), Revocation::Role).await.expect("done");
    settle().await;
    let told = take(&ann);
    assert!(matches!(told[..], [ServerFrame::RoleChanged { role: Role::Member, .. }]), "{told:?}");
    seconds(60).await;
    let token = AccessToken::parse("bob member Rob").expect("a token");
    session.call(Command::auth(token)).await.expect("it is his");
    settle().await;
    let told = take(&ann);
    let [ServerFrame::MemberChanged { nick: Some(name), .. }] = &told[..] else { panic!("{told:?}") };
    assert_eq!(name, "Rob");
}

#[tokio::test(start_paused = true)]
async fn all_is_taken_back_at_every_server_that_can_be_reached() {
    let two = two();
    let (_ann, session) = stage(&two).await;
    let here = connect_as(&two.engines[0], "bob member").await;
    two.engines[0].revoke(bob(), Revocation::All).await.expect("done");
    settle().await;
    for session in [&session, &here] {
        take(session);
        assert_eq!(session.ended(), Some(CloseReason::AuthExpired));
    }
    // One that is cut off hears nothing of it, and nobody waits for it.
    two.cut().await;
    let (away, here) =
        (connect_as(&two.engines[1], "bob member").await, connect_as(&two.engines[0], "bob member").await);
    two.engines[0].revoke(bob(), Revocation::All).await.expect("done at all that can be reached");
    settle().await;
    for (session, ended) in [(&away, None), (&here, Some(CloseReason::AuthExpired))] {
        take(session);
        assert_eq!(session.ended(), ended);
    }
}

/// A server that goes before it has said that it did the same may not have done it.
#[tokio::test(start_paused = true)]
async fn what_a_server_that_went_away_meanwhile_did_not_confirm_is_not_called_done() {
    let two = two();
    let (_ann, session) = stage(&two).await;
    two.servers.hold(&two.ends[0], &two.ends[1]);
    let engine = two.engines[0].clone();
    let revoking = tokio::spawn(async move { engine.revoke(bob(), Revocation::All).await });
    settle().await;
    assert!(!revoking.is_finished(), "the other one is waited for");
    two.cut().await;
    let refused = revoking.await.expect("no panic").map_err(|reject| reject.code);
    assert_eq!((refused, session.ended()), (Err(RejectCode::Unavailable), None));
    // Once it can be reached again, the same is done.
    two.servers.release(&two.ends[0], &two.ends[1]);
    two.mend().await;
    two.engines[0].revoke(bob(), Revocation::All).await.expect("done");
    settle().await;
    take(&session);
    assert_eq!(session.ended(), Some(CloseReason::AuthExpired));
}

/// Remembers whom it was told to forget.
#[derive(Default)]
struct Remembers(Mutex<Vec<Identity>>);

#[async_trait]
impl Policy for Remembers {
    async fn admit(&self, request: &ConnectRequest) -> Result<Admission, Reject> {
        Ok(Admission::of(request.credentials.as_deref().and_then(Identity::new)))
    }

    fn forget(&self, identity: &Identity) {
        self.0.lock().expect("nobody panics with it").push(identity.clone());
    }
}

#[tokio::test(start_paused = true)]
async fn the_policy_of_every_server_forgets_who_is_revoked_and_who_is_ended() {
    let policies = [(); 2].map(|()| Arc::new(Remembers::default()));
    let next = AtomicUsize::new(0);
    let two =
        two_with(|_| {}, |builder| builder.policy(Arc::clone(&policies[next.fetch_add(1, Ordering::Relaxed)]) as _));
    let forgotten = || policies.each_ref().map(|policy| std::mem::take(&mut *policy.0.lock().expect("no panic")));
    let session = connect_as(&two.engines[1], "bob").await;
    two.engines[0].revoke(bob(), Revocation::Role).await.expect("done");
    assert_eq!(forgotten(), [vec![bob()], vec![bob()]]);
    two.engines[1].end(bob()).await.expect("done");
    settle().await;
    assert_eq!(forgotten(), [vec![bob()], vec![bob()]]);
    take(&session);
    assert!(session.ended().is_some());
    // A session that is ended is not a person who may not come back.
    let session = connect_as(&two.engines[1], "bob").await;
    two.engines[0].end(session.session_id()).await.expect("done");
    settle().await;
    assert_eq!(forgotten(), [vec![], vec![]]);
}
