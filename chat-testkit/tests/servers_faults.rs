//! What a link that breaks, a slot that moves and a log that fails do to those who are at another server than their room's owner.

mod support;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chat_core::wire::Status;
use chat_core::{
    Admission, Answered, CloseReason, Cluster, ClusterEvent, Command, ConnectRequest, Connection, Engine, Extent,
    Hello, Identity, MemberId, NodeId, NotSent, Owner, Policy, Reject, RejectCode, Resume, RoomCode, Seq, ServerFrame,
    Slot,
};
use chat_testkit::logs::{Delay, Fault, Operation};
use chat_testkit::servers::Loss;
use support::servers::{Two, leaves_and_messages, two, two_with};
use support::{
    GRACE, builder, code, come_back, connect, create, fails, founder, join, joined, log, newcomer, next_left,
    next_message, nick, pass, say, seconds, settle, submit, take, text,
};
use tokio::sync::oneshot;

fn kick(member: MemberId) -> Command {
    Command::kick(code(), member)
}

/// Why what was submitted is refused, if it is.
async fn answer(submitted: oneshot::Receiver<Answered>) -> Option<RejectCode> {
    submitted.await.expect("everything is answered").reject.map(|reject| reject.code)
}

/// What Bob, at the follower, is told once the link is back, if he is put out and Ann goes on.
fn is_told_that_he_is_out(bob: &Connection, when: &str) {
    let (left, said) = leaves_and_messages(&take(bob));
    assert_eq!(left, ["Bob"], "{when}");
    assert!(said.iter().all(|said| said == "before"), "{when}: {said:?}");
}

#[tokio::test(start_paused = true)]
async fn who_is_put_out_while_the_link_is_down_hears_of_it_and_of_nothing_after_it() {
    for down in [1, 10] {
        let two = two();
        let ann = founder(&two.engines[0]).await;
        let mut bob = newcomer(&two.engines[1], "Bob").await;
        joined(&mut bob).await;
        two.cut().await;
        say(&ann, "before", "k1").await.expect("she is in");
        ann.call(kick(MemberId(2))).await.expect("it is her room");
        say(&ann, "after", "k2").await.expect("she is in");
        seconds(down).await;
        two.mend().await;
        say(&ann, "later", "k3").await.expect("she is in");
        pass(Duration::from_secs(5)).await;
        is_told_that_he_is_out(&bob, &format!("{down} s"));
        assert_eq!(say(&bob, "still here?", "k4").await, Err(RejectCode::NotMember));
    }
}

/// Where the follower is told the room afresh, and somebody is put out just then.
#[tokio::test(start_paused = true)]
async fn who_is_put_out_just_when_the_link_is_back_hears_of_it_and_of_nothing_after_it() {
    // What arrives is worked through together with what is asked at the owner, before it and after it.
    for (rounds, released_first) in (0..8).flat_map(|rounds| [(rounds, true), (rounds, false)]) {
        let two = two();
        let ann = founder(&two.engines[0]).await;
        let mut bob = newcomer(&two.engines[1], "Bob").await;
        joined(&mut bob).await;
        two.cut().await;
        two.servers.hold(&two.ends[1], &two.ends[0]);
        two.mend().await;
        // The room is at work, and takes in together what comes in meanwhile.
        let said = submit(&ann, Command::send(code(), text("before")));
        for _ in 0..rounds {
            tokio::task::yield_now().await;
        }
        if released_first {
            two.servers.release(&two.ends[1], &two.ends[0]);
        }
        let kicked = submit(&ann, kick(MemberId(2)));
        two.servers.release(&two.ends[1], &two.ends[0]);
        assert_eq!((answer(said).await, answer(kicked).await), (None, None), "it is her room");
        say(&ann, "after", "k1").await.expect("she is in");
        pass(Duration::from_secs(5)).await;
        is_told_that_he_is_out(&bob, &format!("after {rounds} rounds, let go first: {released_first}"));
        assert_eq!(say(&bob, "still here?", "k2").await, Err(RejectCode::NotMember));
    }
}

#[tokio::test(start_paused = true)]
async fn one_is_put_out_while_another_comes_in_at_the_same_server() {
    for is_fresh in [false, true] {
        let two = two();
        let (first, second) = (&two.ends[0], &two.ends[1]);
        let ann = founder(&two.engines[0]).await;
        let mut bob = newcomer(&two.engines[1], "Bob").await;
        joined(&mut bob).await;
        if is_fresh {
            two.servers.lose(first, second, 1, Loss::Refused);
            say(&ann, "before", "k1").await.expect("she is in");
        }
        let mut cat = connect(&two.engines[1], None).await;
        two.servers.hold(first, second);
        two.servers.hold(second, first);
        let come_in = submit(&cat, Command::join(code(), nick("Cat")));
        settle().await;
        two.servers.release(second, first);
        let kicked = submit(&ann, kick(MemberId(2)));
        assert_eq!(answer(kicked).await, None, "it is her room");
        settle().await;
        two.servers.release(first, second);
        assert_eq!(answer(come_in).await, None, "the room is there");
        joined(&mut cat).await;
        say(&ann, "after", "k2").await.expect("she is in");
        pass(Duration::from_secs(5)).await;
        is_told_that_he_is_out(&bob, &format!("fresh: {is_fresh}"));
        let (left, said) = leaves_and_messages(&take(&cat));
        assert_eq!((left.len(), said), (0, vec!["after".to_owned()]), "{is_fresh}");
        pass(GRACE * 2).await;
        say(&cat, "here", "k3").await.expect("she is in");
    }
}

/// Everybody is who their credentials say.
struct ByCredentials;

#[async_trait]
impl Policy for ByCredentials {
    async fn admit(&self, request: &ConnectRequest) -> Result<Admission, Reject> {
        Ok(Admission::of(request.credentials.as_deref().and_then(Identity::new)))
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_is_ended_where_the_link_is_back_before_the_other_server_knows() {
    let two = two();
    let (first, second) = (&two.ends[0], &two.ends[1]);
    let _ann = founder(&two.engines[0]).await;
    let cat = newcomer(&two.engines[1], "Cat").await;
    let (session, token) = (cat.session_id(), cat.token());
    drop(cat);
    two.cut().await;
    // The second reads what was ended. There is nothing yet, and the first does not tell it.
    two.servers.mend_for(second, first);
    settle().await;
    let request = ConnectRequest::default();
    two.engines[0].end_by_token(&request, session, &token, Extent::Session).await.expect("it is his");
    two.servers.mend_for(first, second);
    settle().await;
    let resume = Some(Resume { token, positions: Vec::new() });
    assert_ne!(connect(&two.engines[1], resume).await.session_id(), session, "a new session");
}

#[tokio::test(start_paused = true)]
async fn nobody_is_told_that_they_are_out_before_the_owner_knows_who_is_attached_elsewhere() {
    let two = two();
    let _ann = founder(&two.engines[0]).await;
    let bob = newcomer(&two.engines[1], "Bob").await;
    two.cut().await;
    pass(Duration::from_secs(10)).await;
    // Who is attached there is lost, and said again.
    two.servers.lose(&two.ends[1], &two.ends[0], 2, Loss::Silent);
    two.mend().await;
    assert_eq!(say(&bob, "one", "k1").await, Ok(Seq(3)), "it is said again before he is asked for");
}

#[tokio::test(start_paused = true)]
async fn who_comes_back_is_let_in_though_as_much_waits_for_the_owner_as_may() {
    let two = two_with(|limits| limits.room.inbox_max = 1, |builder| builder);
    let (first, second) = (&two.ends[0], &two.ends[1]);
    let _ann = founder(&two.engines[0]).await;
    let bob = newcomer(&two.engines[1], "Bob").await;
    let cat = newcomer(&two.engines[1], "Cat").await;
    let token = cat.token();
    drop(cat);
    two.servers.hold(second, first);
    let release = async {
        settle().await;
        two.servers.release(second, first);
    };
    let (said, (_cat, status), ()) =
        tokio::join!(say(&bob, "one", "k1"), come_back(&two.engines[1], &token, None), release);
    assert_eq!((said, status.status), (Ok(Seq(4)), Status::Live));
}

async fn device_of_bob(engine: &Engine) -> Connection {
    let request = ConnectRequest { credentials: Some("bob".to_owned()), ..ConnectRequest::default() };
    let device = engine.connect(request, Hello::default()).await.expect("everybody is let in");
    join(&device, "Bob").await.expect("the room is there");
    device
}

#[tokio::test(start_paused = true)]
async fn a_device_that_ends_leaves_the_person_where_another_is_connected() {
    for ends_at in [0, 1] {
        let two = two_with(|_| {}, |builder| builder.policy(Arc::new(ByCredentials)));
        let ann = founder(&two.engines[0]).await;
        let ending = device_of_bob(&two.engines[ends_at]).await;
        let other = device_of_bob(&two.engines[1 - ends_at]).await;
        ending.call(Command::end()).await.expect("everybody may");
        drop(ending);
        pass(GRACE * 2).await;
        assert_eq!(leaves_and_messages(&take(&ann)).0, Vec::<String>::new(), "{ends_at}");
        say(&other, "still here", "k1").await.expect("he is in");
        // And the last one takes him along.
        other.call(Command::end()).await.expect("everybody may");
        pass(Duration::from_secs(1)).await;
        assert_eq!(leaves_and_messages(&take(&ann)).0, ["Bob"], "{ends_at}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_owner_refuses_at_its_door_is_told_at_once_and_by_its_code() {
    let two = two_with(|limits| limits.engine.rooms_max = 1, |builder| builder);
    let _ann = founder(&two.engines[0]).await;
    let cat = connect(&two.engines[1], None).await;
    let began = tokio::time::Instant::now();
    let other = RoomCode::parse("DINNER").expect("valid");
    for command in [Command::create(nick("Cat")).with_room(other.clone()), Command::join(other.clone(), nick("Cat"))] {
        let refused = cat.call(command).await.expect_err("there is no place");
        assert_eq!(refused.code, RejectCode::AtCapacity);
    }
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn what_finds_the_owners_inbox_full_is_told_at_once() {
    let two = two_with(|limits| limits.room.inbox_max = 2, |builder| builder);
    let ann = founder(&two.engines[0]).await;
    let mut bob = newcomer(&two.engines[1], "Bob").await;
    joined(&mut bob).await;
    two.logs[0].push(Operation::Append, Fault { before: Delay::For(Duration::from_secs(20)), ..Fault::default() });
    let wait = || submit(&ann, Command::send(code(), text("waits")));
    let _at_work = wait();
    settle().await;
    let _waiting = [wait(), wait()];
    settle().await;
    let began = tokio::time::Instant::now();
    assert_eq!(say(&bob, "one", "k1").await, Err(RejectCode::Busy));
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_lost_while_nobody_owns_the_room_is_gone() {
    for to in [0, 1] {
        let two = two();
        let mut ann = connect(&two.engines[0], None).await;
        let position = create(&mut ann).await.position();
        let mut bob = newcomer(&two.engines[1], "Bob").await;
        joined(&mut bob).await;
        two.servers.take_room(&code());
        settle().await;
        drop(bob);
        settle().await;
        two.servers.give_room(&code(), &two.ends[to]);
        settle().await;
        let (mut again, status) = come_back(&two.engines[to], &ann.token(), Some(position)).await;
        assert_eq!(status.status, Status::Live);
        let left = tokio::time::timeout(GRACE * 3, next_left(&mut again)).await.expect("nobody stays for ever");
        assert_eq!(left, ("Bob".to_owned(), "timeout".to_owned()), "{to}");
    }
}

/// The owner has to read the room, and cannot, just when it is told who is attached elsewhere.
#[tokio::test(start_paused = true)]
async fn an_owner_whose_log_was_out_of_order_is_told_again_who_is_elsewhere() {
    let two = two();
    let _ann = founder(&two.engines[0]).await;
    let mut bob = newcomer(&two.engines[1], "Bob").await;
    joined(&mut bob).await;
    two.servers.take_room(&code());
    settle().await;
    two.logs[0].plan(fails(&[Operation::Read, Operation::LoadSnapshot]));
    two.servers.give_room(&code(), &two.ends[0]);
    settle().await;
    assert!(two.logs[0].faults(Operation::Read) + two.logs[0].faults(Operation::LoadSnapshot) > 0, "it was asked");
    two.logs[0].heal();
    pass(Duration::from_secs(10)).await;
    let cat = newcomer(&two.engines[0], "Cat").await;
    pass(GRACE * 2).await;
    let (left, _) = leaves_and_messages(&take(&cat));
    assert!(!left.contains(&"Bob".to_owned()), "{left:?}");
    assert!(say(&bob, "here", "k1").await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn rooms_that_are_taken_over_are_visited_though_nobody_opens_them() {
    let Two { servers, memory, ends, engines: [owner, _second], .. } = two();
    let ann = founder(&owner).await;
    let bob = newcomer(&owner, "Bob").await;
    drop((ann, bob, owner));
    settle().await;
    servers.give_all(&ends[1]);
    assert!(!memory.records(&code()).is_empty());
    pass(GRACE * 3).await;
    assert!(memory.records(&code()).is_empty(), "it goes with its last member");
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_ended_while_the_link_is_down_is_ended_at_the_other_server_too() {
    let two = two();
    let _ann = founder(&two.engines[0]).await;
    let mut bob = newcomer(&two.engines[1], "Bob").await;
    let cat = newcomer(&two.engines[1], "Cat").await;
    let (bob_is, cat_is) = ((bob.session_id(), bob.token()), (cat.session_id(), cat.token()));
    drop(cat);
    settle().await;
    two.cut().await;
    for (session, token) in [&bob_is, &cat_is] {
        let request = ConnectRequest::default();
        two.engines[0].end_by_token(&request, *session, token, Extent::Session).await.expect("it is theirs");
    }
    two.mend().await;
    let is_end = |frame| matches!(frame, ServerFrame::Closing { code, .. } if code == CloseReason::Ended.code());
    let end = async { while !is_end(bob.next().await) {} };
    tokio::time::timeout(Duration::from_secs(5), end).await.expect("he is told");
    let resume = Some(Resume { token: cat_is.1, positions: Vec::new() });
    assert_ne!(connect(&two.engines[1], resume).await.session_id(), cat_is.0, "a new session");
}

#[tokio::test(start_paused = true)]
async fn a_grace_that_began_before_a_room_moved_does_not_end_who_was_back_meanwhile() {
    let two = two_with(|limits| limits.engine.room_idle = Duration::from_secs(1), |builder| builder);
    let mut ann = connect(&two.engines[0], None).await;
    let (position, token) = (Some(create(&mut ann).await.position()), ann.token());
    drop(ann);
    pass(Duration::from_secs(3)).await;
    two.servers.give_room(&code(), &two.ends[1]);
    settle().await;
    let (back, status) = come_back(&two.engines[1], &token, position).await;
    assert_eq!(status.status, Status::Live);
    pass(Duration::from_secs(17)).await;
    drop(back);
    two.servers.give_room(&code(), &two.ends[0]);
    // The first grace would be over.
    pass(Duration::from_secs(15)).await;
    let (ann, status) = come_back(&two.engines[0], &token, position).await;
    assert_eq!(status.status, Status::Live);
    assert!(say(&ann, "here", "k1").await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_comes_after_its_link_broke_answers_no_later_command() {
    let two = two();
    let _ann = founder(&two.engines[0]).await;
    let mut bob = newcomer(&two.engines[1], "Bob").await;
    joined(&mut bob).await;
    two.servers.hold(&two.ends[0], &two.ends[1]);
    let lost = submit(&bob, Command::send(code(), text("one")));
    settle().await;
    two.cut().await;
    assert_eq!(answer(lost).await, Some(RejectCode::Unavailable), "the link is down");
    two.mend().await;
    let later = tokio::join!(say(&bob, "two", "k2"), async {
        settle().await;
        two.servers.release(&two.ends[0], &two.ends[1]);
    });
    assert_eq!(later.0, Ok(Seq(4)));
    assert_eq!(next_message(&mut bob).await, (Seq(3), "one".to_owned()));
    assert_eq!(next_message(&mut bob).await, (Seq(4), "two".to_owned()));
}

/// A cluster whose every call panics.
struct Panics;

#[async_trait]
impl Cluster for Panics {
    fn owner(&self, _: Slot) -> Owner {
        panic!("on purpose")
    }

    fn send(&self, _: NodeId, _: Vec<u8>) -> Result<(), NotSent> {
        panic!("on purpose")
    }

    async fn next(&self) -> ClusterEvent {
        panic!("on purpose")
    }
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_panics_harms_one_call_at_a_time() {
    let engine = builder(&log()).cluster(Arc::new(Panics)).build();
    let ann = connect(&engine, None).await;
    for _ in 0..2 {
        let created = ann.call(Command::create(nick("Ann")).with_room(code())).await;
        assert_eq!(created.expect_err("nobody owns it").code, RejectCode::Unavailable);
    }
    seconds(10).await;
    assert!(engine.stats().embedder_panics >= 10, "it is asked again: {}", engine.stats().embedder_panics);
}
