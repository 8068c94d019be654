//! Roles through the engine: whose the room is after a silence, and what the embedder has to say.
#![cfg(feature = "engine")]

mod support;

use std::sync::Arc;

use async_trait::async_trait;
use chat_core::{Command, Engine, MemberId, Moderation, Policy, Reject, RejectCode, Role, SessionView};
use support::*;

/// Who was silent for 31 seconds lost the room to whoever had come next, who banned them from it.
#[tokio::test(start_paused = true)]
async fn who_makes_a_room_does_not_lose_it_to_a_stranger_by_31_seconds_of_silence() {
    let engine = engine();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let mal = Client::in_room(&engine, "LUNCH", "Mal").await;
    let token = ann.token();
    drop(ann);
    pass(secs(31)).await;
    assert_eq!(mal.told().await, ["3 -Ann timeout"], "and nobody follows");
    let ann = Client::with_hello(&engine, resume(&token, &[])).await;
    let joined = ann.enter("LUNCH", "Ann").await;
    assert_eq!((joined.you.member, joined.you.role), (MemberId(1), Role::Owner));
    for against in [Command::ban(code("LUNCH"), MemberId(1)), Command::kick(code("LUNCH"), MemberId(1))] {
        assert_eq!(mal.refused(against).await.code, RejectCode::Forbidden);
    }
    assert_eq!(acked(ann.session.call(Command::ban(code("LUNCH"), MemberId(2))).await), 5);
}

#[tokio::test(start_paused = true)]
async fn a_seat_runs_out_though_nobody_asks_for_anything() {
    let engine = engine();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let bob = Client::in_room(&engine, "LUNCH", "Bob").await;
    drop(ann);
    pass(secs(30)).await;
    assert_eq!(bob.told().await, ["3 -Ann timeout"]);
    pass(secs(600) - millis(1)).await;
    assert_eq!(bob.told().await, Vec::<String>::new());
    pass(millis(1)).await;
    assert_eq!(bob.told().await, ["4 2 is Owner"]);
}

/// Lets nobody hand a room on, and nobody be made a moderator of whom it does not know who they are.
struct Careful;

#[async_trait]
impl Policy for Careful {
    async fn check(&self, session: &SessionView, command: Command) -> Result<Command, Reject> {
        match &command {
            Command::SetRole { role: Role::Owner, .. } => Ok(command.with_role(Role::Moderator)),
            Command::SetRole { member: MemberId(3), .. } if session.identity.is_none() => {
                Err(Reject::new(RejectCode::Forbidden, "not this one"))
            }
            _ => Ok(command),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_policy_sees_who_is_named_what_and_may_say_otherwise() {
    let engine = Engine::builder().policy(Arc::new(Careful)).build();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let bob = Client::in_room(&engine, "LUNCH", "Bob").await;
    let _cid = Client::in_room(&engine, "LUNCH", "Cid").await;
    bob.told().await;
    let named = |member, role| Command::set_role(code("LUNCH"), MemberId(member), role);
    assert_eq!(acked(ann.session.call(named(2, Role::Owner)).await), 4);
    assert_eq!(bob.told().await, ["4 2 is Moderator by 1"]);
    let refused = ann.refused(named(3, Role::Moderator)).await;
    assert_eq!((refused.code, refused.message.as_ref()), (RejectCode::Forbidden, "not this one"));
    let by_host = engine.moderate(&code("LUNCH"), Moderation::SetRole(MemberId(3), Role::Owner)).await;
    assert_eq!(by_host.map(|seq| seq.0), Ok(6), "whom nobody asks");
    assert_eq!(bob.told().await, ["5 1 is Moderator", "6 3 is Owner"]);
}
