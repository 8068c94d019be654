//! One room at several servers: whoever is asked, one of them decides, and everybody reads the same.

mod support;

use std::sync::Arc;
use std::time::Duration;

use chat_core::wire::Status;
use chat_core::{
    CloseReason, Command, Connection, Engine, EngineLimits, MemberId, Moderation, Position, RejectCode, Seq,
    ServerFrame, TypingState,
};
use chat_testkit::logs::MemoryLog;
use chat_testkit::servers::{Loss, Server, Servers};
use support::bent::BentLog;
use support::{
    GRACE, builder, code, come_back, connect, create, founder, join, joined, newcomer, next_left, next_message, nick,
    pass, say, settle, take, texts, texts_of,
};

/// Two servers over one log. The first owns every room.
struct Two {
    servers: Servers,
    ends: [Arc<Server>; 2],
    engines: [Engine; 2],
}

fn two() -> Two {
    let servers = Servers::default();
    let log = Arc::new(MemoryLog::new());
    let ends = [servers.join(), servers.join()];
    servers.give_all(&ends[0]);
    let engines = ends.each_ref().map(|end| {
        let bent = Arc::new(BentLog::new(&log));
        builder(&bent).cluster(Arc::clone(end) as _).build()
    });
    Two { servers, ends, engines }
}

async fn next_frame(session: &mut Connection, is_it: impl Fn(&ServerFrame) -> bool) -> ServerFrame {
    let found = async {
        loop {
            let frame = session.next().await;
            if is_it(&frame) {
                return frame;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), found).await.expect("it comes")
}

#[tokio::test(start_paused = true)]
async fn everybody_reads_the_same_wherever_they_are() {
    let Two { engines: [owner, follower], .. } = two();
    let mut ann = founder(&owner).await;
    let mut bob = newcomer(&follower, "Bob").await;
    assert_eq!(joined(&mut bob).await.members.len(), 2);
    assert_eq!(say(&ann, "one", "k1").await, Ok(Seq(3)));
    assert_eq!(say(&bob, "two", "k2").await, Ok(Seq(4)));
    for session in [&mut ann, &mut bob] {
        assert_eq!(next_message(session).await, (Seq(3), "one".to_owned()));
        assert_eq!(next_message(session).await, (Seq(4), "two".to_owned()));
    }
    assert_eq!(texts(&follower, "Cat").await, ["one", "two"]);
    assert_eq!(say(&bob, "two", "k2").await, Ok(Seq(4)), "a retry is answered as at first");
}

#[tokio::test(start_paused = true)]
async fn a_room_is_made_at_a_server_that_does_not_own_it() {
    let Two { engines: [owner, follower], .. } = two();
    let mut ann = connect(&follower, None).await;
    assert_eq!(create(&mut ann).await.you.member, MemberId(1));
    assert_eq!(say(&ann, "one", "k1").await, Ok(Seq(2)));
    let taken = connect(&follower, None).await;
    let refused = taken.call(Command::create(nick("Bob")).with_room(code())).await;
    assert_eq!(refused.expect_err("it is there").code, RejectCode::NameTaken);
    assert_eq!(texts(&owner, "Bob").await, ["one"]);
    let nowhere = join(&connect(&follower, None).await, "Ann").await;
    assert_eq!(nowhere.expect_err("she is there").code, RejectCode::NickTaken);
}

#[tokio::test(start_paused = true)]
async fn who_is_put_out_by_the_owners_host_hears_of_it_at_another_server() {
    let Two { engines: [owner, follower], .. } = two();
    let ann = founder(&owner).await;
    let mut bob = newcomer(&follower, "Bob").await;
    let bob_is = joined(&mut bob).await.you.member;
    owner.moderate(&code(), Moderation::Kick(bob_is)).await.expect("he is there");
    next_frame(&mut bob, |frame| matches!(frame, ServerFrame::MemberLeft { .. })).await;
    assert_eq!(say(&bob, "still here?", "k1").await, Err(RejectCode::NotMember));
    let cat = newcomer(&follower, "Cat").await;
    follower.moderate(&code(), Moderation::Redact(Seq(99))).await.expect_err("there is none");
    follower.moderate(&code(), Moderation::Close).await.expect("any server may be asked");
    drop((ann, cat));
}

#[tokio::test(start_paused = true)]
async fn who_types_is_shown_at_other_servers_and_no_longer_than_at_the_owner() {
    let Two { engines: [owner, follower], .. } = two();
    let ann = founder(&owner).await;
    let mut bob = newcomer(&follower, "Bob").await;
    joined(&mut bob).await;
    ann.call(Command::typing(code(), TypingState::On)).await.expect("she is in");
    let typing = next_frame(&mut bob, |frame| matches!(frame, ServerFrame::Typing { .. })).await;
    assert!(matches!(typing, ServerFrame::Typing { members, .. } if members == [MemberId(1)]));
    // She says nothing more of it: it runs out.
    let typing = next_frame(&mut bob, |frame| matches!(frame, ServerFrame::Typing { .. })).await;
    assert!(matches!(typing, ServerFrame::Typing { members, .. } if members.is_empty()));
}

#[tokio::test(start_paused = true)]
async fn who_says_at_another_server_to_have_read_further_than_the_room_goes_is_answered_and_told_no_more() {
    let Two { engines: [owner, follower], .. } = two();
    let ann = founder(&owner).await;
    let mut bob = newcomer(&follower, "Bob").await;
    joined(&mut bob).await;
    say(&ann, "one", "k1").await.expect("she is in");
    settle().await;
    take(&bob);
    let answer = bob.call(Command::read(code(), Seq(99))).await.expect("a member may");
    assert!(matches!(answer, ServerFrame::Read { read, .. } if read.through == Seq(3)), "{answer:?}");
    settle().await;
    let told = take(&bob);
    assert!(!told.iter().any(|frame| matches!(frame, ServerFrame::Read { .. })), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn a_session_comes_back_at_another_server_and_its_older_connection_is_replaced() {
    let Two { engines: [owner, follower], .. } = two();
    let mut ann = founder(&owner).await;
    let mut bob = newcomer(&follower, "Bob").await;
    let here = joined(&mut bob).await;
    say(&ann, "one", "k1").await.expect("she is in");
    let position = Position { epoch: here.epoch, seq: here.seq };
    let (mut again, status) = come_back(&owner, &bob.token(), Some(position)).await;
    assert_eq!(status.status, Status::Live);
    assert_eq!(next_message(&mut again).await, (Seq(3), "one".to_owned()));
    let end = tokio::time::timeout(Duration::from_secs(5), async {
        while !matches!(bob.next().await, ServerFrame::Closing { code, .. } if code == CloseReason::Replaced.code()) {}
    });
    end.await.expect("the older connection is told");
    drop(bob);
    // Nobody is taken for gone.
    pass(GRACE * 2).await;
    assert_eq!(say(&again, "two", "k2").await, Ok(Seq(4)));
    assert_eq!(next_message(&mut ann).await, (Seq(3), "one".to_owned()));
    assert_eq!(next_message(&mut ann).await, (Seq(4), "two".to_owned()));
    // And when it is lost, at the end of the grace.
    drop(again);
    assert_eq!(next_left(&mut ann).await, ("Bob".to_owned(), "timeout".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn what_a_link_loses_is_read_from_the_log() {
    let Two { engines: [owner, follower], servers, ends: [first, second], .. } = two();
    let ann = founder(&owner).await;
    let mut bob = newcomer(&follower, "Bob").await;
    joined(&mut bob).await;
    let mut seq = 2;
    for how in [Loss::Refused, Loss::Silent] {
        servers.lose(&first, &second, 2, how);
        for said in ["one", "two", "three"] {
            say(&ann, said, &format!("{how:?}-{said}")).await.expect("she is in");
        }
        for said in ["one", "two", "three"] {
            seq += 1;
            assert_eq!(next_message(&mut bob).await, (Seq(seq), said.to_owned()), "{how:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_does_not_come_is_given_up_and_the_key_finds_out() {
    let Two { engines: [owner, follower], servers, ends: [first, second], .. } = two();
    let mut ann = founder(&owner).await;
    let mut bob = newcomer(&follower, "Bob").await;
    joined(&mut bob).await;
    // Answer and feed.
    servers.lose(&first, &second, 2, Loss::Silent);
    let began = tokio::time::Instant::now();
    assert_eq!(say(&bob, "one", "k1").await, Err(RejectCode::Unavailable));
    assert!(began.elapsed() >= EngineLimits::default().owner_timeout);
    assert_eq!(next_message(&mut ann).await, (Seq(3), "one".to_owned()));
    assert_eq!(say(&bob, "one", "k1").await, Ok(Seq(3)), "it was said");
    assert_eq!(say(&bob, "two", "k2").await, Ok(Seq(4)));
    for message in [(Seq(3), "one".to_owned()), (Seq(4), "two".to_owned())] {
        assert_eq!(next_message(&mut bob).await, message);
    }
}

#[tokio::test(start_paused = true)]
async fn who_asks_to_come_in_and_is_not_answered_is_not_there_for_ever() {
    let Two { engines: [owner, follower], servers, ends: [first, second], .. } = two();
    let mut ann = founder(&owner).await;
    servers.lose(&first, &second, 2, Loss::Silent);
    let bob = connect(&follower, None).await;
    assert_eq!(join(&bob, "Bob").await.expect_err("nobody answers").code, RejectCode::Unavailable);
    // He asks for it again, or goes.
    join(&bob, "Bob").await.expect("he is in");
    drop(bob);
    assert_eq!(next_left(&mut ann).await, ("Bob".to_owned(), "timeout".to_owned()));
    servers.lose(&first, &second, 2, Loss::Silent);
    let cat = connect(&follower, None).await;
    assert_eq!(join(&cat, "Cat").await.expect_err("nobody answers").code, RejectCode::Unavailable);
    drop(cat);
    assert_eq!(next_left(&mut ann).await, ("Cat".to_owned(), "timeout".to_owned()));
}

/// The owner hears that the server which it was is gone, and has those who are connected there from the one that it is.
#[tokio::test(start_paused = true)]
async fn a_server_that_begins_anew_keeps_who_is_connected_there() {
    let Two { engines: [owner, follower], servers, ends: [_, second], .. } = two();
    let ann = founder(&owner).await;
    let mut bob = newcomer(&follower, "Bob").await;
    joined(&mut bob).await;
    servers.begin_anew(&second);
    pass(Duration::from_secs(10)).await;
    assert_eq!(say(&bob, "still here", "k0").await, Ok(Seq(3)));
    pass(GRACE * 2).await;
    assert_eq!(say(&ann, "so you are", "k1").await, Ok(Seq(4)), "nobody was told gone");
}

#[tokio::test(start_paused = true)]
async fn a_link_that_breaks_and_is_mended_costs_nobody_their_place() {
    let Two { engines: [owner, follower], servers, ends: [first, second], .. } = two();
    let mut ann = founder(&owner).await;
    let mut bob = newcomer(&follower, "Bob").await;
    joined(&mut bob).await;
    servers.cut(&first, &second);
    settle().await;
    assert_eq!(say(&bob, "lost", "k0").await, Err(RejectCode::Unavailable));
    say(&ann, "one", "k1").await.expect("the owner is there");
    pass(Duration::from_secs(10)).await;
    servers.mend(&first, &second);
    assert_eq!(next_message(&mut bob).await, (Seq(3), "one".to_owned()));
    pass(GRACE * 2).await;
    assert_eq!(say(&bob, "two", "k2").await, Ok(Seq(4)));
    assert_eq!(next_message(&mut ann).await.0, Seq(3));
    assert_eq!(next_message(&mut ann).await.0, Seq(4));
}

#[tokio::test(start_paused = true)]
async fn who_is_out_of_step_when_the_room_closes_is_told_its_last_events() {
    let Two { engines: [owner, follower], servers, ends: [first, second], .. } = two();
    let ann = founder(&owner).await;
    let mut bob = newcomer(&follower, "Bob").await;
    joined(&mut bob).await;
    // What he asks is lost, and once nobody waits for it the follower asks how the room stands. That is still on its way when the room is over.
    servers.lose(&second, &first, 1, Loss::Silent);
    servers.hold(&second, &first);
    assert_eq!(say(&bob, "lost", "k0").await, Err(RejectCode::Unavailable));
    say(&ann, "one", "k1").await.expect("she is in");
    owner.moderate(&code(), Moderation::Close).await.expect("it is there");
    settle().await;
    servers.release(&second, &first);
    let is_last = |frame: &ServerFrame| matches!(frame, ServerFrame::Message(_) | ServerFrame::RoomClosed { .. });
    let told = [next_frame(&mut bob, is_last).await, next_frame(&mut bob, is_last).await];
    assert!(matches!(&told, [ServerFrame::Message(_), ServerFrame::RoomClosed { .. }]), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn who_was_told_that_there_is_no_room_is_in_step_with_the_one_that_begins() {
    let Two { engines: [owner, follower], servers, ends: [first, second], .. } = two();
    let mut bob = connect(&follower, None).await;
    // That there is none is told while it is being made.
    servers.hold(&first, &second);
    let create = bob.call(Command::create(nick("Bob")).with_room(code()));
    let release = async {
        settle().await;
        servers.release(&first, &second);
    };
    let (said, created, ()) = tokio::join!(say(&bob, "nobody is here", "k0"), create, release);
    assert_eq!((said, created.is_ok()), (Err(RejectCode::RoomNotFound), true));
    pass(Duration::from_secs(3)).await;
    // Nothing is asked again: who types is shown.
    servers.hold(&second, &first);
    let dan = newcomer(&owner, "Dan").await;
    dan.call(Command::typing(code(), TypingState::On)).await.expect("she is in");
    let typing = next_frame(&mut bob, |frame| matches!(frame, ServerFrame::Typing { .. })).await;
    assert!(matches!(typing, ServerFrame::Typing { members, .. } if members == [MemberId(2)]));
}

#[tokio::test(start_paused = true)]
async fn a_room_that_is_taken_over_goes_on_for_those_who_are_elsewhere() {
    let Two { engines: [owner, follower], servers, ends: [_, second], .. } = two();
    let ann = founder(&owner).await;
    let bob = newcomer(&follower, "Bob").await;
    servers.give_room(&code(), &second);
    settle().await;
    // Who read a copy that is the room from now on comes back to it; who is elsewhere follows.
    let (bob, status) = come_back(&follower, &bob.token(), None).await;
    assert_eq!(status.status, Status::Live);
    assert_eq!(say(&bob, "one", "k1").await, Ok(Seq(3)));
    let (mut again, _) = come_back(&owner, &ann.token(), None).await;
    assert_eq!(say(&again, "two", "k2").await, Ok(Seq(4)));
    assert_eq!(texts_of(&joined(&mut again).await), ["one"]);
    assert_eq!(next_message(&mut again).await, (Seq(4), "two".to_owned()));
}
