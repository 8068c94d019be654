//! People who are erased where several servers share the rooms: each shows nothing of them, whoever was asked, and whoever carries it out.

mod support;

use std::sync::Arc;
use std::time::Duration;

use chat_core::{
    Body, Command, Connection, Engine, HistoryAnchor, Identity, Log, Offset, RoomCode, RoomOptions, ServerFrame,
};
use chat_testkit::erased::{Passes, connect_as};
use chat_testkit::logs::{Delay, Fault, Operation};
use support::servers::{Two, two_with};
use support::{code, fails, founder, joined, nick, pass, settle, take};

const TRACES: [&str; 3] = ["Xaver", "xaver", "example.org"];

fn xaver() -> Identity {
    Identity::new("xaver@example.org").expect("an identity")
}

fn two() -> Two {
    two_with(|_| {}, |builder| builder.policy(Arc::new(Passes)))
}

/// Xaver, at one server, says something in a room of which somebody else is at the other.
async fn talk(two: &Two, at: usize) -> Vec<Connection> {
    let founder = founder(&two.engines[0]).await;
    let bob = connect_as(&two.engines[1], "bob").await;
    bob.call(Command::join(code(), nick("Bob"))).await.expect("let in");
    let mut there = connect_as(&two.engines[at], "xaver@example.org").await;
    there.call(Command::join(code(), nick("Xaver"))).await.expect("let in");
    joined(&mut there).await;
    let text = Body::parse("as Xaver says", 100).expect("a valid text");
    there.call(Command::send(code(), text)).await.expect("sent");
    settle().await;
    vec![founder, bob, there]
}

fn trace_in(shown: &str) -> Option<&'static str> {
    TRACES.into_iter().find(|trace| shown.contains(trace))
}

/// What a member at a server is shown of what was said, and what the host is.
async fn shown(engine: &Engine, member: &Connection) -> String {
    let history = member.call(Command::history(code())).await.expect("shown");
    let page = engine.room(&code()).history(HistoryAnchor::Newest, None).await.expect("shown");
    let members = engine.room(&code()).members(None, None).await.expect("shown");
    format!("{history:?}\n{page:?}\n{members:?}")
}

async fn held(two: &Two) -> String {
    let page = two.memory.read(&code(), None, Offset(0), usize::MAX).await.expect("the log can be read");
    let epoch = page.tail.epoch.expect("the room is there");
    let snapshot = two.memory.load_snapshot(&code(), epoch).await.expect("the log can be read");
    let snapshot = snapshot.map(|(_, bytes)| String::from_utf8_lossy(&bytes).into_owned());
    format!("{}\n{snapshot:?}", serde_json::to_string(&page.records).expect("records can be stored"))
}

async fn wait(engine: &Engine) {
    for _ in 0..600 {
        if engine.erasures().await.is_ok_and(|all| all.is_empty()) {
            return settle().await;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    panic!("it is never done: {:?}", engine.erasures().await);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_shown_or_held_of_who_is_erased_whichever_server_is_asked_and_wherever_they_were() {
    for (asked, there) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        let two = two();
        let people = talk(&two, there).await;
        for (engine, member) in two.engines.iter().zip(&people) {
            assert!(trace_in(&shown(engine, member).await).is_some());
        }
        two.engines[asked].erase(xaver()).await.expect("begun");
        wait(&two.engines[1 - asked]).await;
        let held = held(&two).await;
        assert_eq!(trace_in(&held), None, "{held}");
        for (engine, member) in two.engines.iter().zip(&people) {
            let shown = shown(engine, member).await;
            assert_eq!(trace_in(&shown), None, "asked {asked}, there {there}: {shown}");
        }
    }
}

/// What the log still says is masked at the server that decides, and at the one that follows it.
#[tokio::test(start_paused = true)]
async fn no_server_shows_who_is_erased_while_the_log_still_names_them() {
    let two = two();
    let people = talk(&two, 1).await;
    two.logs.iter().for_each(|log| log.plan(fails(&[Operation::Scrub])));
    two.engines[0].erase(xaver()).await.expect("begun");
    pass(Duration::from_secs(20)).await;
    assert!(trace_in(&held(&two).await).is_some(), "the log could not be made to forget");
    for (engine, member) in two.engines.iter().zip(&people) {
        let shown = shown(engine, member).await;
        assert_eq!(trace_in(&shown), None, "{shown}");
    }
    two.logs.iter().for_each(|log| log.plan(|_| None));
    wait(&two.engines[0]).await;
    assert_eq!(trace_in(&held(&two).await), None);
}

#[tokio::test(start_paused = true)]
async fn another_server_goes_on_where_the_one_that_began_has_stopped() {
    let two = two();
    let people = talk(&two, 0).await;
    two.logs[0].plan(fails(&[Operation::Scrub]));
    two.engines[0].erase(xaver()).await.expect("begun");
    pass(Duration::from_secs(3)).await;
    two.servers.give_all(&two.ends[1]);
    wait(&two.engines[1]).await;
    let held = held(&two).await;
    assert_eq!(trace_in(&held), None, "{held}");
    for (engine, member) in two.engines.iter().zip(&people) {
        assert_eq!(trace_in(&shown(engine, member).await), None);
    }
}

#[tokio::test(start_paused = true)]
async fn members_at_the_other_server_hear_that_they_leave() {
    let two = two();
    let people = talk(&two, 0).await;
    take(&people[1]);
    two.engines[1].erase(xaver()).await.expect("begun");
    wait(&two.engines[0]).await;
    let told = take(&people[1]);
    let left = told.iter().any(|frame| matches!(frame, ServerFrame::MemberLeft { .. }));
    let swept = told.iter().any(|frame| matches!(frame, ServerFrame::Swept { .. }));
    assert!(left && swept, "{told:?}");
}

/// It was away while two were erased, and the log has let go of the record by which the first was. Nobody has said anything since, so that no number is
/// missing there.
#[tokio::test(start_paused = true)]
async fn a_server_that_was_away_shows_nobody_who_was_erased_meanwhile() {
    let two = two();
    let founder = founder(&two.engines[0]).await;
    let bob = connect_as(&two.engines[1], "bob").await;
    bob.call(Command::join(code(), nick("Bob"))).await.expect("let in");
    settle().await;
    take(&bob);
    for (who, name) in [("xaver@example.org", "Xaver"), ("second@example.org", "Second")] {
        let there = connect_as(&two.engines[0], who).await;
        there.call(Command::join(code(), nick(name))).await.expect("let in");
        there.call(Command::leave(code())).await.expect("gone");
    }
    // Bob reads slowly: this is still to be told him.
    settle().await;
    two.cut().await;
    for who in [xaver(), Identity::new("second@example.org").expect("an identity")] {
        two.engines[0].erase(who).await.expect("begun");
        wait(&two.engines[0]).await;
    }
    two.memory.trim(&code(), chat_core::Seq(u64::MAX));
    two.mend().await;
    pass(Duration::from_secs(10)).await;
    // Who hears a gap is shown the room as it is then.
    let first = take(&bob);
    pass(Duration::from_secs(1)).await;
    let told = format!("{first:?}{:?}", take(&bob));
    assert!(trace_in(&told).is_none() && !told.contains("Second"), "{told}");
    assert!(told.contains("Gap"), "{told}");
    drop(founder);
}

/// Both have read that nobody is being erased before either has kept it. What the second was asked for is not lost: the person came in again before it was.
#[tokio::test(start_paused = true)]
async fn of_two_servers_that_are_asked_at_once_neither_is_asked_in_vain() {
    let two = two();
    let people = talk(&two, 0).await;
    let slow = RoomCode::parse("ZZZ").expect("a valid code");
    two.engines[0].room(&slow).create(RoomOptions::new()).await.expect("made");
    two.logs[0].plan(move |call| {
        let is_it = call.operation == Operation::LoadSnapshot && call.room.as_ref() == Some(&slow);
        is_it.then(|| Fault { before: Delay::For(Duration::from_secs(4)), ..Fault::default() })
    });
    two.logs[1].push(Operation::PutErasure, Fault { before: Delay::For(Duration::from_secs(2)), ..Fault::default() });
    let second = two.engines[1].clone();
    let second = tokio::spawn(async move { second.erase(xaver()).await });
    settle().await;
    two.engines[0].erase(xaver()).await.expect("begun");
    pass(Duration::from_secs(1)).await;
    assert_eq!(trace_in(&held(&two).await), None, "the room was looked at");
    people[2].call(Command::join(code(), nick("Xaver"))).await.expect("let in");
    second.await.expect("no panic").expect("joined");
    wait(&two.engines[0]).await;
    let held = held(&two).await;
    assert_eq!(trace_in(&held), None, "{held}");
}
