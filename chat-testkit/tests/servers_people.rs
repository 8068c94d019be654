//! What the host does with people who are at several servers: it sees their sessions, and adds them to rooms.

mod support;

use std::sync::Arc;

use chat_core::{Command, Engine, Identity, RejectCode, SessionEntry, SettingsChange};
use chat_testkit::servers::Loss;
use support::passes::{Passes, bob, connect_again_as};
use support::servers::{Two, two_with};
use support::{code, founder, join, joined, nick, seconds, settle, take};

fn two() -> Two {
    two_with(|limits| limits.engine.person_sessions_max = 3, |builder| builder.policy(Arc::new(Passes)))
}

/// Where each is, whether it is connected, and in how many rooms.
fn shown(two: &Two, entries: &[SessionEntry]) -> Vec<(Option<usize>, bool, usize)> {
    let place = |entry: &SessionEntry| {
        let node = entry.node.map(|node| two.ends.iter().position(|end| end.id() == node).expect("one of the two"));
        (node, entry.is_connected, entry.rooms.len())
    };
    entries.iter().map(place).collect()
}

#[tokio::test(start_paused = true)]
async fn the_sessions_of_a_person_are_those_at_all_servers_each_once() {
    let two = two();
    let Two { engines: [owner, other], .. } = &two;
    let _ann = founder(owner).await;
    let here = connect_again_as(owner, "bob", None).await;
    seconds(1).await;
    let mut there = connect_again_as(other, "bob", None).await;
    join(&there, "Bob").await.expect("the room is there");
    joined(&mut there).await;
    settle().await;
    let known = owner.sessions_of(&bob()).await;
    assert_eq!(shown(&two, &known.sessions), [(None, true, 0), (Some(1), true, 1)]);
    assert_eq!((known.sessions[1].rooms.as_slice(), known.more, known.silent), (&[code()][..], false, vec![]));
    assert_eq!(shown(&two, &other.sessions_of(&bob()).await.sessions), [(Some(0), true, 0), (None, true, 1)]);
    assert_eq!(owner.sessions_here(&bob()).len(), 1);
    // One that comes back at another server is kept for a while where it was: it is told of once, where it is connected.
    let (session, token) = (here.session_id(), here.token());
    drop(here);
    let moved = connect_again_as(other, "bob", Some(&token)).await;
    assert_eq!(moved.session_id(), session);
    let known = owner.sessions_of(&bob()).await;
    assert_eq!(shown(&two, &known.sessions), [(Some(1), true, 0), (Some(1), true, 1)]);
    assert!(owner.sessions_of(&Identity::new("cid").expect("an identity")).await.sessions.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_answer_is_named_and_nobody_waits_for_long() {
    let two = two();
    let Two { engines: [owner, other], .. } = &two;
    let _there = connect_again_as(other, "bob", None).await;
    settle().await;
    two.servers.lose(&two.ends[0], &two.ends[1], 1, Loss::Silent);
    let asked = tokio::time::Instant::now();
    let known = owner.sessions_of(&bob()).await;
    assert_eq!((known.sessions, known.silent), (vec![], vec![two.ends[1].id()]));
    assert_eq!(asked.elapsed(), owner.limits().session.resume_wait);
    two.servers.lose(&two.ends[0], &two.ends[1], 1, Loss::Refused);
    assert_eq!(owner.sessions_of(&bob()).await.silent, [two.ends[1].id()]);
    // Nor does one whose link is down, and it is there all the same.
    two.cut().await;
    let asked = tokio::time::Instant::now();
    assert_eq!(owner.sessions_of(&bob()).await.silent, [two.ends[1].id()]);
    assert!(asked.elapsed().is_zero());
    two.mend().await;
    seconds(1).await;
    assert_eq!(owner.sessions_of(&bob()).await.sessions.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn no_more_are_named_than_may_be_and_that_there_are_more_is_said() {
    let two = two();
    let Two { engines: [owner, other], .. } = &two;
    let mut all = Vec::new();
    for count in 1..=4 {
        all.push(connect_again_as(other, "bob", None).await);
        settle().await;
        let known = owner.sessions_of(&bob()).await;
        assert_eq!((known.sessions.len(), known.more), (count.min(3), count > 3));
    }
    all[0].call(Command::end()).await.expect("it is its own");
    settle().await;
    let known = owner.sessions_of(&bob()).await;
    assert_eq!((known.sessions.len(), known.more), (3, false));
}

async fn lock(engine: &Engine) {
    engine.room(&code()).settings(SettingsChange::new().locked(true)).await.expect("it is set");
}

#[tokio::test(start_paused = true)]
async fn who_is_added_comes_in_wherever_they_are_connected_and_whichever_server_is_asked() {
    for asked in [0, 1] {
        let two = two();
        let Two { engines: [owner, other], .. } = &two;
        let _ann = founder(owner).await;
        lock(owner).await;
        let (mut here, mut there) =
            (connect_again_as(owner, "bob", None).await, connect_again_as(other, "bob", None).await);
        settle().await;
        let added = two.engines[asked].add(&bob(), &code()).with_nick(nick("Bob")).await.expect("added");
        assert_eq!((added.attached, added.invited_until, added.refused), (2, None, None));
        let (here, there) = (joined(&mut here).await.you, joined(&mut there).await.you);
        assert_eq!((here.member, here.nick.as_str()), (there.member, "Bob"));
        assert_eq!(owner.room(&code()).info().await.expect("it is there").members, 2);
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_connected_nowhere_is_invited_at_whichever_server() {
    for (asked, comes_to) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        let two = two();
        let _ann = founder(&two.engines[0]).await;
        lock(&two.engines[0]).await;
        settle().await;
        let added = two.engines[asked].add(&bob(), &code()).await.expect("invited");
        assert!(added.attached == 0 && added.invited_until.is_some() && added.silent.is_empty(), "{added:?}");
        let session = connect_again_as(&two.engines[comes_to], "bob", None).await;
        join(&session, "Bob").await.expect("he gets in");
        let cid = connect_again_as(&two.engines[comes_to], "cid", None).await;
        assert_eq!(join(&cid, "Cid").await.expect_err("it is locked").code, RejectCode::RoomLocked);
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_cannot_be_asked_leaves_who_is_connected_there_with_an_invite() {
    let two = two();
    let Two { engines: [owner, other], .. } = &two;
    let _ann = founder(owner).await;
    lock(owner).await;
    let session = connect_again_as(other, "bob", None).await;
    settle().await;
    two.cut().await;
    let added = owner.add(&bob(), &code()).with_nick(nick("Bob")).await.expect("invited");
    assert_eq!((added.attached, added.silent.as_slice()), (0, &[two.ends[1].id()][..]));
    assert!(added.invited_until.is_some());
    two.mend().await;
    seconds(1).await;
    join(&session, "Bob").await.expect("he gets in");
    // The owner of the room cannot be asked: nothing is done.
    two.cut().await;
    let refused = other.add(&bob(), &code()).await.expect_err("nobody decides");
    assert_eq!(refused.code, RejectCode::Unavailable);
    take(&session);
}
