//! Sessions that are ended, and that begin, at several servers whose clocks are a little apart.

mod support;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chat_core::{
    Admission, Command, ConnectRequest, Connection, EndedWho, Engine, Extent, Hello, Identity, Policy, Position,
    Reject, Resume, ServerFrame,
};
use chat_testkit::servers::Loss;
use support::servers::{NamedByCredentials, Two, leaves_and_messages, named, two_apart, two_with};
use support::{code, create, join, joined, pass, say, seconds, settle, submit, take};

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

/// Where another server is slow to say that it knows, the session is ended in its rooms before it is at its own server.
#[tokio::test(start_paused = true)]
async fn who_ends_their_session_is_told_that_it_has_ended_and_not_that_another_has_replaced_it() {
    for moves in [false, true] {
        let wait = Duration::from_secs(10);
        let two = two_with(|limits| limits.session.resume_wait = wait, |builder| builder.policy(Arc::new(AllAnn)));
        let [owner, follower] = &two.engines;
        let mut other = ann(owner, None).await;
        create(&mut other).await;
        let mut before = ann(owner, None).await;
        join(&before, "Ann").await.expect("she is in");
        joined(&mut before).await;
        let token = before.token();
        drop(before);
        settle().await;
        let session = ann(follower, Some(&token)).await;
        take(&session);
        two.servers.lose(&two.ends[0], &two.ends[1], 1, Loss::Silent);
        let ended = submit(&session, Command::end());
        settle().await;
        if moves {
            two.servers.give_room(&code(), &two.ends[1]);
        }
        // It has said once more who is there.
        seconds(5).await;
        assert!(take(&session).iter().all(|frame| !matches!(frame, ServerFrame::Closing { .. })), "moves: {moves}");
        pass(wait).await;
        assert!(ended.await.expect("everything is answered").reject.is_none());
        let closed = take(&session).into_iter().find_map(|frame| match frame {
            ServerFrame::Closing { reason, .. } => Some(reason),
            _ => None,
        });
        assert_eq!(closed.as_deref(), Some("ended"), "moves: {moves}");
    }
}

/// A room has heard of the end, by a server that the session had been at, and the server that it comes to could not be told.
#[tokio::test(start_paused = true)]
async fn who_comes_back_with_an_ended_session_to_a_server_that_could_not_be_told_begins_anew() {
    let two = two_with(|_| {}, |builder| builder.policy(Arc::new(AllAnn)));
    let [owner, follower] = &two.engines;
    let mut other = ann(follower, None).await;
    create(&mut other).await;
    // It has been in the room at both servers, and is at neither.
    let mut session = ann(follower, None).await;
    join(&session, "Ann").await.expect("she may");
    let here = joined(&mut session).await;
    let (id, mut token) = (session.session_id(), session.token());
    let positions = vec![(code(), Position { epoch: here.epoch, seq: here.seq })];
    let comes_back = async |engine: &Engine, token: &str| {
        let resume = Some(Resume { token: token.to_owned(), positions: positions.clone() });
        engine.connect(ConnectRequest::default(), Hello { resume, ..Hello::default() }).await
    };
    drop(session);
    settle().await;
    let session = comes_back(owner, &token).await.expect("everybody is let in");
    take(&session);
    token = session.token();
    drop(session);
    settle().await;
    two.servers.lose(&two.ends[0], &two.ends[1], 1, Loss::Refused);
    owner.end(EndedWho::Session(id)).await.expect("everybody may");
    settle().await;
    let again = comes_back(follower, &token).await.expect("nobody has taken over from it");
    assert_ne!(again.session_id(), id, "it was ended");
    let refusals = take(&again).into_iter().filter_map(|frame| match frame {
        ServerFrame::Error { code, .. } => Some(code),
        _ => None,
    });
    assert_eq!(refusals.collect::<Vec<_>>(), ["bad_token"]);
    settle().await;
    let again = ann(follower, Some(&token)).await;
    assert_ne!(again.session_id(), id, "it is known here by now, too");
}

/// A server that the session had been at tells its rooms of the end before the session itself is told. Another device of the person is there until
/// it leaves: what the session reads ends with that leave.
#[tokio::test(start_paused = true)]
async fn who_is_being_ended_hears_nothing_after_the_membership_of_the_person_has_ended() {
    for moves in [false, true] {
        let wait = Duration::from_secs(60);
        let two = two_with(
            |limits| limits.session.resume_wait = wait,
            |builder| builder.policy(Arc::new(NamedByCredentials)),
        );
        let [owner, follower] = &two.engines;
        let mut ann = named(owner, "ann", None).await;
        create(&mut ann).await;
        let mut before = named(follower, "bea", None).await;
        join(&before, "Bea").await.expect("she may");
        let here = joined(&mut before).await;
        let position = Position { epoch: here.epoch, seq: here.seq };
        let token = before.token();
        drop(before);
        settle().await;
        let session = named(owner, "bea", Some((&token, position))).await;
        let device = named(owner, "bea", None).await;
        join(&device, "Bea").await.expect("she is in");
        settle().await;
        take(&session);
        // What the other server says first is that it has heard.
        two.servers.lose(&two.ends[1], &two.ends[0], 1, Loss::Silent);
        let _ended = submit(&session, Command::end());
        settle().await;
        if moves {
            two.servers.give_room(&code(), &two.ends[1]);
            settle().await;
            two.servers.give_room(&code(), &two.ends[0]);
            settle().await;
        }
        say(&ann, "still there", "k1").await.expect("she is in");
        device.call(Command::leave(code())).await.expect("she is in");
        say(&ann, "alone", "k2").await.expect("she is in");
        settle().await;
        let told = leaves_and_messages(&take(&session));
        assert_eq!(told, (vec!["Bea".to_owned()], vec!["still there".to_owned()]), "moves: {moves}");
    }
}
