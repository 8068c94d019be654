//! People who are erased: no byte of them is left in what a log holds or a room shows, whenever the process ends in between.

mod support;

use std::sync::Arc;
use std::time::Duration;

use chat_core::{
    BanTerms, Body, Command, Connection, Engine, Erasure, HistoryAnchor, Identity, Key, Limits, Log, MemberId, Offset,
    RejectCode, RoomCode, RoomOptions,
};
use chat_testkit::erased::{Passes, connect_as};
use chat_testkit::logs::{Delay, Fault, Operation, Outcome};
use support::{SECRET, TestLog, fails, log, nick, pass, settle};

const XAVER: &str = "xaver@example.org";
/// Bytes that nobody but Xaver has brought in.
const TRACES: [&str; 4] = ["xaver", "Xaver", "example.org", "key-of-x"];

fn xaver() -> Identity {
    Identity::new(XAVER).expect("an identity")
}

fn room(text: &str) -> RoomCode {
    RoomCode::parse(text).expect("a valid code")
}

fn engine(log: &TestLog) -> Engine {
    engine_with(Some(log), |_| {})
}

fn engine_with(log: Option<&TestLog>, change: impl FnOnce(&mut Limits)) -> Engine {
    let mut limits = Limits::default();
    change(&mut limits);
    let builder = Engine::builder().secret(SECRET).limits(limits).policy(Arc::new(Passes));
    match log {
        Some(log) => builder.log(Arc::clone(log) as Arc<dyn Log>).expect("the engine before is gone").build(),
        None => builder.build(),
    }
}

async fn call(session: &Connection, command: Command) {
    session.call(command).await.expect("it is done");
}

/// Xaver says something under a key in a room in which Ann is, is called something else, and says more.
async fn talk(engine: &Engine, code: &RoomCode) -> (Connection, Connection) {
    engine.room(code).create(RoomOptions::new()).await.expect("made");
    let (ann, xaver) = (connect_as(engine, "ann").await, connect_as(engine, XAVER).await);
    call(&ann, Command::join(code.clone(), nick("Ann"))).await;
    call(&xaver, Command::join(code.clone(), nick("Xaver"))).await;
    say(&ann, code, "hello from Ann", None).await;
    say(&xaver, code, "it is Xaver who says so", Some("key-of-x-1")).await;
    let change = chat_core::MemberChange::new().nick(nick("Xaver 2"));
    engine.room(code).change_member(MemberId(2), change).await.expect("changed");
    say(&xaver, code, "and xaver again", Some("key-of-x-2")).await;
    (ann, xaver)
}

async fn say(session: &Connection, code: &RoomCode, text: &str, key: Option<&str>) {
    let text = Body::parse(text, 4_000).expect("a valid text");
    let key = key.map(|key| Key::parse(key).expect("a valid key"));
    call(session, Command::send(code.clone(), text).with_key(key)).await;
}

fn has_trace(of: &str) -> Option<&'static str> {
    TRACES.into_iter().find(|trace| of.contains(trace))
}

/// All that a log holds of a room, as text.
async fn held(log: &dyn Log, code: &RoomCode) -> String {
    let page = log.read(code, None, Offset(0), usize::MAX).await.expect("the log can be read");
    let epoch = page.tail.epoch.expect("the room is there");
    let records = serde_json::to_string(&page.records).expect("records can be stored");
    let snapshot = log.load_snapshot(code, epoch).await.expect("the log can be read");
    let snapshot = snapshot.map(|(_, bytes)| String::from_utf8_lossy(&bytes).into_owned());
    format!("{records}\n{snapshot:?}")
}

/// All that a room shows the host, as text.
async fn shown(engine: &Engine, code: &RoomCode) -> String {
    let room = engine.room(code);
    let history = room.history(HistoryAnchor::Newest, Some(100)).await.expect("shown");
    let members = room.members(None, None).await.expect("shown");
    let bans = room.bans(None, None).await.expect("shown");
    format!("{history:?}\n{members:?}\n{bans:?}")
}

async fn wait(engine: &Engine) {
    assert!(is_done(engine).await, "it is never done: {:?}", engine.erasures().await);
}

/// Whether nobody is being erased any more, within ten minutes.
async fn is_done(engine: &Engine) -> bool {
    for _ in 0..1_200 {
        if engine.erasures().await.is_ok_and(|all| all.is_empty()) {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    false
}

#[tokio::test(start_paused = true)]
async fn no_byte_of_who_is_erased_is_left_in_the_log_or_in_what_is_shown() {
    let log = log();
    let engine = engine(&log);
    let codes = [room("LUNCH"), room("OTHER"), room("QUIET")];
    let mut people = Vec::new();
    for code in &codes[..2] {
        people.push(talk(&engine, code).await);
    }
    engine.room(&codes[2]).create(RoomOptions::new()).await.expect("made");
    for code in &codes[..2] {
        assert!(
            has_trace(&held(log.inner(), code).await).is_some() && has_trace(&shown(&engine, code).await).is_some()
        );
    }
    let quiet = held(log.inner(), &codes[2]).await;
    engine.erase(xaver()).await.expect("begun");
    wait(&engine).await;
    for code in &codes[..2] {
        let (held, shown) = (held(log.inner(), code).await, shown(&engine, code).await);
        assert_eq!((has_trace(&held), has_trace(&shown)), (None, None), "{held}\n{shown}");
        assert!(shown.contains("hello from Ann") && shown.contains("erased"), "{shown}");
    }
    assert_eq!(held(log.inner(), &codes[2]).await, quiet, "a room that never knew them is left alone");
    drop((people, engine));
    settle().await;
    let engine = self::engine(&log);
    for code in &codes[..2] {
        assert_eq!(has_trace(&shown(&engine, code).await), None, "after a restart");
    }
}

#[tokio::test(start_paused = true)]
async fn readers_see_that_they_leave_and_what_they_said_is_taken_back_at_once() {
    let log = log();
    let engine = engine(&log);
    let code = room("LUNCH");
    let (mut ann, _xaver) = talk(&engine, &code).await;
    engine.erase(xaver()).await.expect("begun");
    let (mut is_swept, mut has_left) = (false, false);
    while !(is_swept && has_left) {
        match ann.next().await {
            chat_core::ServerFrame::Swept { .. } => is_swept = true,
            chat_core::ServerFrame::MemberLeft { reason, .. } => has_left = reason == "left",
            _ => {}
        }
    }
    wait(&engine).await;
    assert_eq!(has_trace(&shown(&engine, &code).await), None);
}

#[tokio::test(start_paused = true)]
async fn whoever_left_long_ago_and_was_forgotten_is_found_in_the_log() {
    let log = log();
    let engine = engine_with(Some(&log), |limits| limits.room.former_max = 0);
    let code = room("LUNCH");
    let (_ann, xaver_there) = talk(&engine, &code).await;
    call(&xaver_there, Command::leave(code.clone())).await;
    call(&xaver_there, Command::join(code.clone(), nick("Xaver"))).await;
    say(&xaver_there, &code, "Xaver under another number", Some("key-of-x-3")).await;
    call(&xaver_there, Command::leave(code.clone())).await;
    engine.erase(xaver()).await.expect("begun");
    wait(&engine).await;
    let held = held(log.inner(), &code).await;
    assert_eq!(has_trace(&held), None, "{held}");
}

/// As many as one record names, one more, and nearly twice as many.
#[tokio::test(start_paused = true)]
async fn of_whoever_came_again_and_again_no_number_is_left_out() {
    for visits in [15, 16, 17, 30] {
        for stays in [false, true] {
            let log = log();
            let engine = engine_with(Some(&log), |limits| {
                limits.lift_rates();
                limits.room.former_max = 0;
            });
            let code = room("LUNCH");
            let (_ann, xaver_there) = talk(&engine, &code).await;
            for visit in 1..visits {
                call(&xaver_there, Command::leave(code.clone())).await;
                call(&xaver_there, Command::join(code.clone(), nick("Xaver"))).await;
                say(&xaver_there, &code, "Xaver under another number", Some(&format!("key-of-x-v{visit}"))).await;
            }
            if !stays {
                call(&xaver_there, Command::leave(code.clone())).await;
            }
            engine.erase(xaver()).await.expect("begun");
            wait(&engine).await;
            let (held, shown) = (held(log.inner(), &code).await, shown(&engine, &code).await);
            assert_eq!((has_trace(&held), has_trace(&shown)), (None, None), "{visits}: {held}");
        }
    }
}

/// They come into a room that was looked at already, while another cannot be read.
#[tokio::test(start_paused = true)]
async fn who_asks_again_has_all_rooms_looked_at_once_more() {
    let log = log();
    let engine = engine(&log);
    let (first, last) = (room("AAA"), room("ZZZ"));
    let (_ann, xaver_there) = talk(&engine, &first).await;
    let _other = talk(&engine, &last).await;
    let slow = last.clone();
    log.plan(move |call| {
        let is_it = call.operation == Operation::LoadSnapshot && call.room.as_ref() == Some(&slow);
        is_it.then(|| Fault { before: Delay::For(Duration::from_secs(4)), ..Fault::default() })
    });
    engine.erase(xaver()).await.expect("begun");
    pass(Duration::from_secs(2)).await;
    assert_eq!(has_trace(&held(log.inner(), &first).await), None, "the first was looked at");
    call(&xaver_there, Command::join(first.clone(), nick("Xaver"))).await;
    say(&xaver_there, &first, "Xaver was back", Some("key-of-x-9")).await;
    engine.erase(xaver()).await.expect("joined");
    wait(&engine).await;
    let held = held(log.inner(), &first).await;
    assert_eq!(has_trace(&held), None, "{held}");
}

/// What is stored of the room knows by no hash who it was.
#[tokio::test(start_paused = true)]
async fn what_is_stored_in_the_end_owes_nobody_anything() {
    let log = log();
    let engine = engine(&log);
    let code = room("LUNCH");
    let _people = talk(&engine, &code).await;
    engine.erase(xaver()).await.expect("begun");
    wait(&engine).await;
    settle().await;
    let epoch = log.inner().read(&code, None, Offset(0), 0).await.expect("read").tail.epoch.expect("it is there");
    let (_, stored) = log.inner().load_snapshot(&code, epoch).await.expect("read").expect("stored");
    assert!(!String::from_utf8_lossy(&stored).contains("erasures"), "{}", String::from_utf8_lossy(&stored));
}

#[tokio::test(start_paused = true)]
async fn a_ban_keeps_out_who_was_erased() {
    let log = log();
    let engine = engine(&log);
    let code = room("LUNCH");
    let (_ann, xaver_there) = talk(&engine, &code).await;
    engine.room(&code).ban(MemberId(2), BanTerms::default()).await.expect("banned");
    engine.erase(xaver()).await.expect("begun");
    wait(&engine).await;
    assert_eq!(has_trace(&held(log.inner(), &code).await), None);
    let refused = xaver_there.call(Command::join(code.clone(), nick("Xaver"))).await.expect_err("banned");
    assert_eq!(refused.code, RejectCode::Banned);
}

/// At every write of the log once: the process ends there, and another one goes on.
#[tokio::test(start_paused = true)]
async fn a_crash_at_any_step_is_gone_on_from() {
    const STEPS: [Operation; 6] = [
        Operation::PutErasure,
        Operation::Append,
        Operation::SaveSnapshot,
        Operation::SaveReadPositions,
        Operation::Scrub,
        Operation::DropErasure,
    ];
    for step in STEPS {
        let log = log();
        let code = room("LUNCH");
        {
            let engine = engine(&log);
            let _people = talk(&engine, &code).await;
            if step != Operation::PutErasure {
                log.plan(move |call| (call.operation == step).then(|| Fault::from(Outcome::Fails)));
            }
            engine.erase(xaver()).await.expect("begun");
            pass(Duration::from_secs(3)).await;
        }
        settle().await;
        log.plan(|_| None);
        let engine = engine(&log);
        let is_done = is_done(&engine).await;
        let (held, shown) = (held(log.inner(), &code).await, shown(&engine, &code).await);
        assert_eq!((is_done, has_trace(&held), has_trace(&shown)), (true, None, None), "{step:?}: {held}\n{shown}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_room_that_fails_is_looked_at_again_and_keeps_no_other_from_its_turn() {
    let log = log();
    let engine = engine(&log);
    let codes = [room("AAA"), room("BBB")];
    let _one = talk(&engine, &codes[0]).await;
    let _other = talk(&engine, &codes[1]).await;
    let broken = codes[0].clone();
    log.plan(move |call| {
        let is_it = call.operation == Operation::LoadSnapshot && call.room.as_ref() == Some(&broken);
        is_it.then(|| Fault::from(Outcome::Fails))
    });
    engine.erase(xaver()).await.expect("begun");
    pass(Duration::from_secs(5)).await;
    assert_eq!(has_trace(&held(log.inner(), &codes[1]).await), None, "the second had its turn");
    let left = engine.erasures().await.expect("listed");
    assert_eq!(left.iter().map(|left| (&left.identity, left.erased)).collect::<Vec<_>>(), [(&xaver(), 1)]);
    log.plan(|_| None);
    wait(&engine).await;
    assert_eq!(has_trace(&held(log.inner(), &codes[0]).await), None);
}

#[tokio::test(start_paused = true)]
async fn a_second_call_joins_the_first_and_so_many_are_erased_at_once() {
    let log = log();
    let engine = engine_with(Some(&log), |limits| limits.engine.erasures_max = 1);
    log.plan(fails(&[Operation::DropErasure]));
    let first = engine.erase(xaver()).await.expect("begun");
    let second: Erasure = engine.erase(xaver()).await.expect("joined");
    assert_eq!(first.alias, second.alias);
    let other = Identity::new("other").expect("an identity");
    let refused = engine.erase(other.clone()).await.expect_err("one at once");
    assert_eq!((refused.code, refused.limit), (RejectCode::AtCapacity, Some(1)));
    log.plan(|_| None);
    wait(&engine).await;
    engine.erase(other).await.expect("begun");
}

#[tokio::test(start_paused = true)]
async fn without_a_log_what_is_in_memory_names_nobody() {
    let engine = engine_with(None, |_| {});
    let code = room("LUNCH");
    let _people = talk(&engine, &code).await;
    assert!(has_trace(&shown(&engine, &code).await).is_some());
    engine.erase(xaver()).await.expect("begun");
    wait(&engine).await;
    let shown = shown(&engine, &code).await;
    assert_eq!(has_trace(&shown), None, "{shown}");
    assert!(shown.contains("hello from Ann"), "{shown}");
}

/// They were asked for before the person was to be erased, and the log is slow with what the room looks at it for.
#[tokio::test(start_paused = true)]
async fn whoever_is_just_coming_in_is_found() {
    let log = log();
    let engine = engine(&log);
    let code = room("LUNCH");
    engine.room(&code).create(RoomOptions::new()).await.expect("made");
    let ann = connect_as(&engine, "ann").await;
    call(&ann, Command::join(code.clone(), nick("Ann"))).await;
    let xaver_there = connect_as(&engine, XAVER).await;
    log.push(Operation::Append, Fault { before: Delay::For(Duration::from_secs(4)), ..Fault::default() });
    let joining = tokio::spawn(async move { xaver_there.call(Command::join(room("LUNCH"), nick("Xaver"))).await });
    settle().await;
    engine.erase(xaver()).await.expect("begun");
    joining.await.expect("no panic").expect("let in");
    wait(&engine).await;
    let held = held(log.inner(), &code).await;
    assert_eq!(has_trace(&held), None, "{held}");
}

/// Reactions are written many together, some seconds after the first: whoever is erased does not wait for that.
#[tokio::test(start_paused = true)]
async fn nobody_who_is_erased_waits_for_reactions_to_be_written() {
    let log = log();
    let engine = engine_with(Some(&log), |limits| limits.room.reactable_max = 1);
    let code = room("LUNCH");
    engine.room(&code).create(RoomOptions::new()).await.expect("made");
    let (ann, xaver_there) = (connect_as(&engine, "ann").await, connect_as(&engine, XAVER).await);
    call(&ann, Command::join(code.clone(), nick("Ann"))).await;
    // Has said nothing that is to be taken back.
    call(&xaver_there, Command::join(code.clone(), nick("Xaver"))).await;
    say(&ann, &code, "what do you think?", None).await;
    let head = engine.room(&code).info().await.expect("it is there").seq;
    let plus = chat_core::ReactionName::parse("+1").expect("a valid name");
    call(&ann, Command::react(code.clone(), head, plus)).await;
    // It is the second last now: no more reactions to it are taken.
    say(&ann, &code, "I see", None).await;
    engine.erase(xaver()).await.expect("begun");
    pass(Duration::from_secs(2)).await;
    let held = held(log.inner(), &code).await;
    assert_eq!(has_trace(&held), None, "{held}");
}

#[tokio::test(start_paused = true)]
async fn a_gap_names_nobody_who_was_erased_since_the_room_was_looked_at_for_another() {
    let engine = engine_with(None, |limits| {
        limits.lift_rates();
        limits.room.backlog_events_max = 16;
    });
    let code = room("LUNCH");
    let (ann, _xaver) = talk(&engine, &code).await;
    let (early, late) = (connect_as(&engine, "early").await, connect_as(&engine, "late").await);
    for (session, name) in [(&early, "Early"), (&late, "Late")] {
        call(session, Command::join(code.clone(), nick(name))).await;
        support::take(session);
    }
    for _ in 0..40 {
        say(&ann, &code, "something else", None).await;
    }
    // One who is slow is shown the room, and he is in it.
    let mut told = Vec::new();
    for _ in 0..4 {
        told.extend(support::take(&early));
        pass(Duration::from_millis(300)).await;
    }
    assert!(has_trace(&format!("{told:?}")).is_some(), "a gap names who is there: {told:?}");
    engine.erase(xaver()).await.expect("begun");
    wait(&engine).await;
    let mut told = Vec::new();
    for _ in 0..4 {
        told.extend(support::take(&late));
        pass(Duration::from_millis(300)).await;
    }
    let told = format!("{told:?}");
    assert!(told.contains("Gap"), "{told}");
    assert_eq!(has_trace(&told), None, "{told}");
}
