//! What members are shown as outlives the process, and is written only where every program on the log reads it.

mod support;

use std::sync::Arc;
use std::time::Duration;

use chat_core::wire::Status;
use chat_core::{
    Command, Connection, Engine, FrameKind, MemberChange, MemberId, Moderation, PersonData, RecordVersion, RejectCode,
    ServerFrame,
};
use chat_testkit::logs::MemoryLog;
use support::bent::BentLog;
use support::{
    builder, code, come_back, connect, engine, founder, join, joined, log, newcomer, nick, settle, texts_of,
};

fn data(json: &str) -> PersonData {
    PersonData::parse(json).expect("a test's data are valid")
}

fn me(change: MemberChange) -> Command {
    Command::me(code(), change)
}

fn to(name: &str) -> MemberChange {
    MemberChange::new().nick(nick(name))
}

async fn token(session: &mut Connection) -> String {
    let ServerFrame::Welcome { token: Some(token), .. } = session.next().await else { panic!("welcome comes first") };
    token
}

/// The `joined` of somebody new, as it goes to a transport.
async fn raw_joined(engine: &Engine, name: &str) -> String {
    let session = newcomer(engine, name).await;
    loop {
        let frame = std::future::poll_fn(|cx| session.poll_peek(cx)).await;
        session.commit(frame.mark);
        if frame.kind == FrameKind::Joined {
            return String::from_utf8(frame.json.to_vec()).expect("JSON");
        }
    }
}

/// Names and data of all members, as somebody new is shown them.
async fn shown(engine: &Engine, name: &str) -> Vec<(String, Option<String>)> {
    let mut session = newcomer(engine, name).await;
    let mut members = joined(&mut session).await.members;
    members.sort_by_key(|entry| entry.member);
    let shown = members.into_iter().map(|entry| (entry.nick, entry.data.map(|data| data.as_str().to_owned())));
    shown.collect()
}

#[tokio::test(start_paused = true)]
async fn what_members_are_shown_as_outlives_a_restart() {
    let log = log();
    let engine = engine(&log);
    let mut ann = connect(&engine, None).await;
    let token = token(&mut ann).await;
    let create = Command::create(nick("Ann")).with_room(code()).with_person_data(data(r#"{"z":1.50,"a":"\u00e4"}"#));
    ann.call(create).await.expect("the code is free");
    let position = joined(&mut ann).await.position();
    let bob = newcomer(&engine, "Bob").await;
    bob.call(me(to("Rob"))).await.expect("his first");
    ann.call(me(to("Anna"))).await.expect("her first");
    drop((ann, bob));
    settle().await;
    drop(engine);

    let engine = builder(&log).build();
    let (mut ann, status) = come_back(&engine, &token, Some(position)).await;
    assert_eq!(status.status, Status::Live);
    let told = loop {
        if let ServerFrame::MemberChanged { member: MemberId(1), nick, data, .. } = ann.next().await {
            break (nick, data);
        }
    };
    assert_eq!(told, (Some("Anna".to_owned()), None), "what happened while she was away");
    assert!(raw_joined(&engine, "Cid").await.contains(r#","data":{"z":1.50,"a":"\u00e4"}}"#), "as it was written");
    let expected = [("Anna", Some("ä")), ("Rob", None), ("Cid", None), ("Dan", None)];
    let expected = expected.map(|(name, a)| (name.to_owned(), a.map(|a| format!(r#"{{"a":"{a}","z":1.5}}"#))));
    assert_eq!(shown(&engine, "Dan").await, expected);
    let eve = connect(&engine, None).await;
    assert_eq!(join(&eve, "Rob").await.expect_err("he has it").code, RejectCode::NickTaken);
    join(&eve, "Ann").await.expect("nobody has it any more");
    let early = ann.call(me(to("Andrea"))).await.expect_err("too soon");
    let wait = early.retry_after.expect("it says when");
    assert!(early.code == RejectCode::RateLimited && wait <= Duration::from_secs(10), "{early:?}");
    tokio::time::advance(Duration::from_secs(10)).await;
    ann.call(me(to("Andrea"))).await.expect("in its time");
}

/// The histories of now, and the list of now: one name each.
#[tokio::test(start_paused = true)]
async fn what_was_said_before_a_restart_keeps_its_name() {
    let log = log();
    let engine = engine(&log);
    let ann = founder(&engine).await;
    support::say(&ann, "before", "k1").await.expect("said");
    ann.call(me(to("Anna"))).await.expect("changed");
    support::say(&ann, "after", "k2").await.expect("said");
    drop(ann);
    settle().await;
    drop(engine);

    let engine = builder(&log).build();
    let mut bob = newcomer(&engine, "Bob").await;
    let joined = joined(&mut bob).await;
    assert_eq!(texts_of(&joined), ["before", "after"]);
    let names: Vec<_> = joined.history.iter().map(|message| message.frame().nick.as_str()).collect();
    assert_eq!(names, ["Ann", "Anna"]);
}

/// A program on the log that reads no later records: nothing is offered, and what is asked for all the same is refused; who comes in
/// with data comes in without.
#[tokio::test(start_paused = true)]
async fn nobody_changes_where_another_program_on_the_log_cannot_read_it() {
    let memory = Arc::new(MemoryLog::new());
    for (version, is_offered) in [(RecordVersion::FIRST, false), (RecordVersion::LATEST, true)] {
        let engine = engine(&Arc::new(BentLog::new(&memory).writes(version)));
        let mut ann = connect(&engine, None).await;
        let ServerFrame::Welcome { features, .. } = ann.next().await else { panic!("welcome comes first") };
        assert_eq!(features.iter().any(|feature| feature == "me"), is_offered, "{features:?}");
        let create = Command::create(nick("Ann")).with_room(code()).with_person_data(data("{}"));
        ann.call(create).await.expect("the code is free");
        assert_eq!(joined(&mut ann).await.you.data.is_some(), is_offered);
        let asked = ann.call(me(to("Anna"))).await.map(drop).map_err(|reject| reject.code);
        assert_eq!(asked, if is_offered { Ok(()) } else { Err(RejectCode::Unavailable) });
        let change = MemberChange::new().data(data(r#"{"by":"host"}"#));
        let by_host = engine.moderate(&code(), Moderation::ChangeMember(MemberId(1), change)).await;
        assert_eq!(by_host.is_ok(), is_offered);
        let written: Vec<_> = memory.records(&code()).iter().map(|record| record.version()).collect();
        assert_eq!(written.iter().max(), Some(&version));
        ann.call(Command::leave(code())).await.expect("she is in it");
        settle().await;
    }
}
