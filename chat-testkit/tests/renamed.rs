//! Who comes back and is called something else by the policy, over a log that refuses: they are in at once, and named when the log takes it.

mod support;

use std::sync::Arc;

use async_trait::async_trait;
use chat_core::wire::{RoomStatus, Status};
use chat_core::{
    Admission, Command, ConnectRequest, Connection, Engine, Event, Hello, Identity, Policy, Position, Reject,
    RejectCode, Resume, Seq, ServerFrame, TypingState,
};
use chat_testkit::logs::{Fault, Operation, Outcome};
use support::{
    TestLog, builder, code, fails, founder, join, joined, log, newcomer, nick, say, seconds, settle, submit, take, text,
};

/// Everybody is who their credentials say before the colon, and is called what stands behind it.
struct Register;

#[async_trait]
impl Policy for Register {
    async fn admit(&self, request: &ConnectRequest) -> Result<Admission, Reject> {
        let Some((who, name)) = request.credentials.as_deref().and_then(|shown| shown.split_once(':')) else {
            return Ok(Admission::guest());
        };
        Ok(Admission::of(Identity::new(who)).with_nick(nick(name)))
    }
}

fn engine(log: &TestLog) -> Engine {
    builder(log).policy(Arc::new(Register)).build()
}

async fn connect_as(engine: &Engine, credentials: &str, resume: Option<Resume>) -> Connection {
    let request = ConnectRequest { credentials: Some(credentials.to_owned()), ..ConnectRequest::default() };
    engine.connect(request, Hello { resume, ..Hello::default() }).await.expect("everybody is let in")
}

/// Comes back under another name; where the room says that one stands.
async fn come_back_as(
    engine: &Engine,
    credentials: &str,
    token: &str,
    at: Option<Position>,
) -> (Connection, RoomStatus) {
    let positions = at.map(|at| (code(), at)).into_iter().collect();
    let resume = Resume { token: token.to_owned(), positions };
    let mut session = connect_as(engine, credentials, Some(resume)).await;
    let ServerFrame::Welcome { mut rooms, .. } = session.next().await else { panic!("welcome comes first") };
    (session, rooms.remove(0))
}

/// Ann, and Bob, who is called `Bob` by the policy; and where he stands.
async fn stage(log: &TestLog) -> (Engine, Connection, Connection, Position) {
    let engine = engine(log);
    let ann = founder(&engine).await;
    let mut bob = connect_as(&engine, "bob:Bob", None).await;
    join(&bob, "whatever").await.expect("the room is there");
    let at = joined(&mut bob).await.position();
    for session in [&ann, &bob] {
        settle().await;
        take(session);
    }
    (engine, ann, bob, at)
}

/// The names that somebody is told of, each with its number.
fn renamed(frames: &[ServerFrame]) -> Vec<(Seq, String)> {
    let names = frames.iter().filter_map(|frame| match frame {
        ServerFrame::MemberChanged { seq, nick: Some(nick), .. } => Some((*seq, nick.clone())),
        _ => None,
    });
    names.collect()
}

fn renames(log: &TestLog) -> usize {
    let records = log.inner().records(&code());
    records.iter().filter(|record| matches!(record.event, Event::MemberChanged { .. })).count()
}

/// The name of member 2, as somebody is shown it who comes in now.
async fn name_of_two(engine: &Engine, newcomer_nick: &str) -> String {
    let mut cid = newcomer(engine, newcomer_nick).await;
    let members = joined(&mut cid).await.members;
    members.into_iter().find(|entry| entry.member.0 == 2).expect("he is there").nick
}

#[tokio::test(start_paused = true)]
async fn who_is_called_something_else_is_told_so_after_they_have_come_back() {
    let log = log();
    let (engine, ann, bob, at) = stage(&log).await;
    let token = bob.token();
    drop(bob);
    let (bob, status) = come_back_as(&engine, "bob:Rob", &token, Some(at)).await;
    assert_eq!((status.status, status.seq), (Status::Live, Some(Seq(2))));
    settle().await;
    for told in [take(&ann), take(&bob)] {
        assert_eq!(renamed(&told), [(Seq(3), "Rob".to_owned())], "{told:?}");
    }
    assert_eq!(name_of_two(&engine, "Cid").await, "Rob");
}

/// Two attempts of an append, and one look at the log, and after that nobody is in its way.
#[tokio::test(start_paused = true)]
async fn who_is_called_something_else_comes_back_though_the_disk_is_full() {
    let log = log();
    let (engine, ann, bob, at) = stage(&log).await;
    let token = bob.token();
    drop(bob);
    log.plan(fails(&[Operation::Append]));
    let (bob, status) = come_back_as(&engine, "bob:Rob", &token, Some(at)).await;
    assert_eq!(status.status, Status::Live, "he needs no record");
    settle().await;
    let tries = log.calls(Operation::Append);
    seconds(600).await;
    assert_eq!(log.calls(Operation::Append), tries, "it is not tried for ever");
    let page = bob.call(Command::history(code())).await.expect("he reads");
    assert!(matches!(page, ServerFrame::History { .. }));
    ann.call(Command::typing(code(), TypingState::On)).await.expect("she is in");
    settle().await;
    let told = take(&bob);
    assert!(told.iter().any(|frame| matches!(frame, ServerFrame::Typing { members, .. } if members.len() == 1)));
    assert_eq!((renamed(&told), say(&ann, "one", "k1").await), (vec![], Err(RejectCode::Unavailable)));
    assert_eq!(renames(&log), 0);

    log.heal();
    assert_eq!(say(&ann, "one", "k1").await, Ok(Seq(3)));
    settle().await;
    for told in [take(&ann), take(&bob)] {
        assert_eq!(renamed(&told), [(Seq(4), "Rob".to_owned())], "with the next record: {told:?}");
    }
    assert_eq!(say(&bob, "two", "k2").await, Ok(Seq(5)), "he was in all the time");
    seconds(60).await;
    assert_eq!((renames(&log), name_of_two(&engine, "Cid").await), (1, "Rob".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn who_has_gone_again_before_the_disk_has_room_is_named_when_they_come_back() {
    let log = log();
    let (engine, ann, bob, at) = stage(&log).await;
    let token = bob.token();
    drop(bob);
    log.plan(fails(&[Operation::Append]));
    let (bob, _) = come_back_as(&engine, "bob:Rob", &token, Some(at)).await;
    let token = bob.token();
    settle().await;
    drop(bob);
    settle().await;
    log.heal();
    assert_eq!(say(&ann, "one", "k1").await, Ok(Seq(3)));
    settle().await;
    assert_eq!((renamed(&take(&ann)), renames(&log)), (vec![], 0), "nobody is there to be named");
    let (bob, status) = come_back_as(&engine, "bob:Robert", &token, Some(at)).await;
    assert_eq!(status.status, Status::Live);
    settle().await;
    assert_eq!(renamed(&take(&bob)), [(Seq(4), "Robert".to_owned())]);
}

/// They come back in one step with what the log refuses.
#[tokio::test(start_paused = true)]
async fn who_comes_back_while_others_are_refused_is_let_in() {
    for name in ["bob:Bob", "bob:Rob"] {
        let log = log();
        let (engine, ann, bob, at) = stage(&log).await;
        let token = bob.token();
        drop(bob);
        settle().await;
        log.push(Operation::Append, Fault::stalled(Outcome::Fails));
        log.plan(fails(&[Operation::Append]));
        let first = submit(&ann, Command::send(code(), text("one")));
        settle().await;
        let second = submit(&ann, Command::send(code(), text("two")));
        let back = tokio::spawn({
            let engine = engine.clone();
            async move { come_back_as(&engine, name, &token, Some(at)).await }
        });
        settle().await;
        assert_eq!(log.release_all(), 1);
        let (bob, status) = back.await.expect("no panic");
        assert_eq!(status.status, Status::Live, "{name}");
        for refused in [first, second] {
            let reject = refused.await.expect("every command is answered").reject.expect("the log refuses");
            assert_eq!(reject.code, RejectCode::Unavailable, "{name}");
        }
        log.heal();
        assert_eq!(say(&ann, "three", "k3").await, Ok(Seq(3)), "{name}");
        settle().await;
        assert_eq!(renamed(&take(&bob)).len(), usize::from(name == "bob:Rob"), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn another_device_comes_in_though_the_disk_is_full() {
    let log = log();
    let (engine, ann, bob, _) = stage(&log).await;
    log.plan(fails(&[Operation::Append]));
    let mut phone = connect_as(&engine, "bob:Rob", None).await;
    join(&phone, "whatever").await.expect("he has a membership");
    let you = joined(&mut phone).await.you;
    assert_eq!((you.member.0, you.nick.as_str()), (2, "Bob"), "as it is written so far");
    log.heal();
    assert_eq!(say(&ann, "one", "k1").await, Ok(Seq(3)));
    settle().await;
    for told in [take(&bob), take(&phone)] {
        assert_eq!(renamed(&told), [(Seq(4), "Rob".to_owned())], "{told:?}");
    }
}

/// Another writer is in the way: it is read what they wrote, and tried again at once.
#[tokio::test(start_paused = true)]
async fn a_lost_answer_names_nobody_twice() {
    for outcome in [Outcome::AnswerLost, Outcome::NotDone, Outcome::Fails] {
        let log = log();
        let (engine, ann, bob, at) = stage(&log).await;
        let token = bob.token();
        drop(bob);
        log.push(Operation::Append, outcome);
        let (bob, status) = come_back_as(&engine, "bob:Rob", &token, Some(at)).await;
        assert_eq!(status.status, Status::Live, "{outcome:?}");
        settle().await;
        assert_eq!(renamed(&take(&bob)), [(Seq(3), "Rob".to_owned())], "{outcome:?}");
        say(&ann, "one", "k1").await.expect("the log works");
        assert_eq!(renames(&log), 1, "{outcome:?}");
    }
}
