//! What becomes of those who are at another server than their room's owner, where the owner undoes what put them out.

mod support;

use std::sync::Arc;

use chat_core::{Answered, Command, Connection, Extent, MemberId, RejectCode, ServerFrame};
use chat_testkit::logs::{Fault, Operation, Outcome};
use chat_testkit::servers::Loss;
use support::servers::{NamedByCredentials, Two, leaves_and_messages, named, two, two_with};
use support::{
    GRACE, code, connect, create, fails, founder, join, joined, newcomer, next_left, pass, say, seconds, settle,
};
use support::{submit, take, text};
use tokio::sync::oneshot;

fn kick() -> Command {
    Command::kick(code(), MemberId(2))
}

async fn refusal(submitted: oneshot::Receiver<Answered>) -> Option<RejectCode> {
    submitted.await.expect("everything is answered").reject.map(|reject| reject.code)
}

/// Whether these tell of somebody who has left, has gone or has come back.
fn tells_of_people(frames: &[ServerFrame]) -> bool {
    let of_people = |frame: &ServerFrame| {
        matches!(frame, ServerFrame::MemberLeft { .. } | ServerFrame::Presence { .. } | ServerFrame::Joined(_))
    };
    frames.iter().any(of_people)
}

/// Ann is at the owner, and Bob at the other server, where he has heard all.
async fn ann_and_bob(two: &Two) -> (Connection, Connection) {
    let ann = founder(&two.engines[0]).await;
    let mut bob = newcomer(&two.engines[1], "Bob").await;
    joined(&mut bob).await;
    settle().await;
    take(&ann);
    take(&bob);
    (ann, bob)
}

/// The log takes the next append once this is over, and what is asked meanwhile is decided together.
async fn at_work(two: &Two, ann: &Connection) {
    two.logs[0].push(Operation::Append, Fault::stalled(Outcome::Done));
    drop(submit(ann, Command::send(code(), text("before"))));
    settle().await;
    assert_eq!(two.logs[0].stalled(), 1);
}

/// What has been asked meanwhile is decided, and not written.
async fn is_not_written(two: &Two) {
    two.logs[0].plan(fails(&[Operation::Append]));
    two.logs[0].release_one();
    settle().await;
    two.logs[0].heal();
}

#[tokio::test(start_paused = true)]
async fn who_was_not_put_out_after_all_is_there_all_the_time() {
    for with_another in [false, true] {
        let two = two();
        let (ann, bob) = ann_and_bob(&two).await;
        if with_another {
            join(&connect(&two.engines[1], None).await, "Cat").await.expect("she may");
            take(&ann);
            take(&bob);
        }
        two.logs[0].plan(fails(&[Operation::Append]));
        assert_eq!(refusal(submit(&ann, kick())).await, Some(RejectCode::Unavailable));
        two.logs[0].heal();
        say(&bob, "here", "k1").await.expect("he is in");
        seconds(5).await;
        say(&bob, "still here", "k2").await.expect("he is in");
        assert!(!tells_of_people(&take(&ann)[..1]) && !tells_of_people(&take(&bob)), "with another: {with_another}");
        ann.call(kick()).await.expect("it is her room");
        settle().await;
        assert_eq!(say(&bob, "and now?", "k3").await, Err(RejectCode::NotMember));
    }
}

#[tokio::test(start_paused = true)]
async fn who_has_gone_meanwhile_is_not_there_for_ever() {
    // Before it is known what became of the batch, or while it waits.
    for in_batch in [true, false] {
        let two = two();
        let (mut ann, bob) = ann_and_bob(&two).await;
        at_work(&two, &ann).await;
        let kicked = submit(&ann, kick());
        settle().await;
        if in_batch {
            drop(bob);
            settle().await;
            is_not_written(&two).await;
        } else {
            two.logs[0].plan(fails(&[Operation::Append, Operation::Read]));
            two.logs[0].release_one();
            settle().await;
            drop(bob);
            seconds(2).await;
            two.logs[0].plan(fails(&[Operation::Append]));
            seconds(10).await;
            two.logs[0].heal();
        }
        assert_eq!(refusal(kicked).await, Some(RejectCode::Unavailable), "in the batch: {in_batch}");
        let left = tokio::time::timeout(GRACE * 3, next_left(&mut ann)).await.expect("he is let go");
        assert_eq!(left, ("Bob".to_owned(), "timeout".to_owned()), "in the batch: {in_batch}");
    }
}

/// The owner hears who is at the other server just when it takes Bob for put out.
#[tokio::test(start_paused = true)]
async fn who_is_said_to_be_there_meanwhile_is_there() {
    let two = two();
    let (ann, bob) = ann_and_bob(&two).await;
    at_work(&two, &ann).await;
    let kicked = submit(&ann, kick());
    settle().await;
    two.cut().await;
    two.mend().await;
    is_not_written(&two).await;
    assert_eq!(refusal(kicked).await, Some(RejectCode::Unavailable));
    say(&bob, "here", "k1").await.expect("he is in");
    pass(GRACE * 3).await;
    say(&bob, "still here", "k2").await.expect("he is in");
}

/// Whose session was ended by another has left, as soon as that can be written, or goes by the grace.
#[tokio::test(start_paused = true)]
async fn who_has_ended_their_session_meanwhile_is_not_there_for_ever() {
    let two = two();
    let (mut ann, bob) = ann_and_bob(&two).await;
    two.logs[0].plan(fails(&[Operation::Append]));
    bob.call(Command::end().with_extent(Extent::Session)).await.expect("everybody may");
    settle().await;
    two.logs[0].heal();
    drop(bob);
    let (left, _) = tokio::time::timeout(GRACE * 3, next_left(&mut ann)).await.expect("he is let go");
    assert_eq!(left, "Bob");
}

/// Bea ends all of her sessions at the owner. One of them has been at the other server, too, which says that it is ended; the batch that lets her
/// go for that is undone, and she goes with her grace.
#[tokio::test(start_paused = true)]
async fn who_is_being_ended_is_put_back_and_hears_nothing_after_the_end_all_the_same() {
    let wait = GRACE * 10;
    let two =
        two_with(|limits| limits.session.resume_wait = wait, |builder| builder.policy(Arc::new(NamedByCredentials)));
    let [owner, follower] = &two.engines;
    let mut cat = named(owner, "cat", None).await;
    create(&mut cat).await;
    let mut before = named(follower, "bea", None).await;
    join(&before, "Bea").await.expect("she may");
    let position = joined(&mut before).await.position();
    let token = before.token();
    drop(before);
    settle().await;
    let session = named(owner, "bea", Some((&token, position))).await;
    settle().await;
    take(&session);
    at_work(&two, &cat).await;
    // What the other server says first is that it has heard.
    two.servers.lose(&two.ends[1], &two.ends[0], 1, Loss::Silent);
    let _ended = submit(&session, Command::end().with_extent(Extent::Person));
    settle().await;
    is_not_written(&two).await;
    pass(GRACE * 2).await;
    say(&cat, "alone", "k2").await.expect("she is in");
    settle().await;
    let told = leaves_and_messages(&take(&session));
    assert_eq!(told, (vec!["Bea".to_owned()], vec!["before".to_owned()]));
}
