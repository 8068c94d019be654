//! Rooms that the host makes and keeps: nobody is in them, and they are there, over restarts and at every server.

mod support;

use std::time::Duration;

use chat_core::room::OwnerSeat;
use chat_core::{
    Command, Engine, HistoryAnchor, Log, MemberId, RejectCode, Role, RoomCode, RoomInfo, RoomOptions, Seq, ServerFrame,
    SettingsChange, Topic,
};
use chat_testkit::logs::{Fault, Operation, Outcome};
use support::servers::two_with;
use support::{TestLog, builder, code, connect, create, engine_with, join, joined, log, nick, pass, settle};

const HOUR: Duration = Duration::from_secs(3_600);

fn food() -> RoomOptions {
    let topic = Topic::parse("Food").expect("a topic");
    RoomOptions::new().settings(SettingsChange::new().listed(true)).topic(topic)
}

async fn info(engine: &Engine) -> RoomInfo {
    engine.room(&code()).info().await.expect("it is there")
}

async fn stored(log: &TestLog) -> Vec<RoomCode> {
    log.inner().rooms(None, None, usize::MAX).await.expect("the log underneath does not fail")
}

#[tokio::test(start_paused = true)]
async fn a_room_that_the_host_has_made_is_there_before_anybody_and_after_everybody() {
    let log = log();
    let engine = engine_with(&log, |limits| limits.engine.room_idle = Duration::from_secs(1));
    let room = engine.room(&code());
    let epoch = room.create(food()).await.expect("made");
    let shown = info(&engine).await;
    assert_eq!((shown.epoch, shown.members, shown.seq, shown.is_kept), (epoch, 0, Seq(2), true));
    assert_eq!((shown.topic.as_str(), shown.owner), ("Food", OwnerSeat::Free));
    let again = room.create(RoomOptions::new()).await.map_err(|reject| reject.code);
    assert_eq!(again, Err(RejectCode::NameTaken));

    let mut ann = connect(&engine, None).await;
    let taken = ann.call(Command::create(nick("Ann")).with_room(code())).await.map_err(|reject| reject.code);
    assert_eq!(taken.err(), Some(RejectCode::NameTaken), "it is there for members, too");
    join(&ann, "Ann").await.expect("let in");
    let first = joined(&mut ann).await;
    assert_eq!((first.you.member, first.you.role), (MemberId(1), Role::Owner), "whoever comes first");
    ann.call(Command::leave(code())).await.expect("left");
    drop(ann);

    // Put away, as a room in which something is due: and nothing is.
    pass(HOUR).await;
    assert_eq!((engine.stats().rooms, engine.stats().rooms_away), (0, 1));
    assert_eq!(engine.rooms_listed(), [code()]);
    pass(24 * HOUR).await;
    assert_eq!((engine.stats().rooms, stored(&log).await), (0, vec![code()]));
    drop((room, engine));
    settle().await;

    let engine = engine_with(&log, |_| {});
    pass(HOUR).await;
    assert_eq!(info(&engine).await.epoch, epoch, "another process keeps it as well");
    engine.room(&code()).close().await.expect("closed");
    pass(Duration::from_secs(60)).await;
    assert_eq!(stored(&log).await, []);
}

#[tokio::test(start_paused = true)]
async fn what_the_host_says_in_a_room_that_nobody_is_in_is_shown_to_who_comes() {
    let log = log();
    let engine = builder(&log).host_names(["Bot"]).expect("a valid name").build();
    let room = engine.create(RoomOptions::new()).await.expect("made");
    room.say("Bot", "Be kind.").await.expect("said");
    let mut ann = connect(&engine, None).await;
    ann.call(Command::join(room.code().clone(), nick("Ann"))).await.expect("let in");
    let shown = joined(&mut ann).await;
    assert_eq!(shown.history.iter().map(|message| message.frame().text.clone()).collect::<Vec<_>>(), ["Be kind."]);
    let page = room.history(HistoryAnchor::Newest, None).await.expect("it is there");
    assert_eq!(page.messages.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_room_that_is_let_go_goes_as_others_do() {
    let log = log();
    let engine = engine_with(&log, |limits| limits.room.empty_linger = HOUR);
    let room = engine.room(&code());
    room.create(food()).await.expect("made");
    pass(HOUR).await;
    room.let_go().await.expect("let go");
    pass(HOUR - Duration::from_secs(10)).await;
    assert_eq!(stored(&log).await, [code()]);
    pass(Duration::from_secs(60)).await;
    assert_eq!(stored(&log).await, []);

    // A room of members that the host keeps from now on.
    let mut ann = connect(&engine, None).await;
    create(&mut ann).await;
    room.keep().await.expect("kept");
    ann.call(Command::leave(code())).await.expect("left");
    pass(24 * HOUR).await;
    assert_eq!((info(&engine).await.members, info(&engine).await.is_kept), (0, true));
}

#[tokio::test(start_paused = true)]
async fn nobody_who_is_attached_misses_the_end_of_a_kept_room() {
    let log = log();
    let engine = engine_with(&log, |_| {});
    let room = engine.room(&code());
    room.create(RoomOptions::new()).await.expect("made");
    let mut ann = connect(&engine, None).await;
    join(&ann, "Ann").await.expect("let in");
    joined(&mut ann).await;
    room.close().await.expect("closed");
    loop {
        match ann.next().await {
            ServerFrame::RoomClosed { reason, .. } => return assert_eq!(reason, "host"),
            ServerFrame::Closing { .. } => panic!("the session goes on"),
            _ => {}
        }
    }
}

#[tokio::test(start_paused = true)]
async fn there_are_no_more_rooms_of_the_hosts_in_memory_than_there_may_be() {
    let engine = Engine::builder().limits(limits_of_two()).build();
    for _ in 0..2 {
        engine.create(RoomOptions::new()).await.expect("made");
    }
    let reject = engine.create(RoomOptions::new()).await.expect_err("refused");
    assert_eq!((reject.code, reject.limit), (RejectCode::AtCapacity, Some(2)));
    assert_eq!(engine.room(&code()).create(food()).await.map_err(|reject| reject.code), Err(RejectCode::AtCapacity));
}

#[tokio::test(start_paused = true)]
async fn rooms_that_are_kept_are_no_more_than_may_be_at_rest_and_in_memory() {
    let log = log();
    let engine = engine_with(&log, |limits| {
        limits.engine.room_idle = Duration::from_secs(1);
        (limits.engine.rooms_max, limits.engine.rooms_away_max) = (2, 3);
    });
    for made in 0..5 {
        engine.create(RoomOptions::new()).await.unwrap_or_else(|reject| panic!("{made} are made: {reject:?}"));
        pass(Duration::from_secs(10)).await;
    }
    assert_eq!((engine.stats().rooms, engine.stats().rooms_away), (2, 3));
    let refused = engine.create(RoomOptions::new()).await.map_err(|reject| (reject.code, reject.limit));
    assert_eq!(refused.map(drop), Err((RejectCode::AtCapacity, Some(2))));
    // One in memory that is let go of makes place; for one that is at rest there is none to be read into.
    let mut refused = Vec::new();
    for code in stored(&log).await {
        match engine.room(&code).let_go().await {
            Ok(_) => break,
            Err(reject) => refused.push(reject.code),
        }
    }
    assert!(refused.len() <= 3 && refused.iter().all(|code| *code == RejectCode::AtCapacity), "{refused:?}");
    pass(HOUR).await;
    engine.create(RoomOptions::new()).await.expect("there is a place");
}

fn limits_of_two() -> chat_core::Limits {
    let mut limits = chat_core::Limits::default();
    limits.engine.rooms_max = 2;
    limits
}

#[tokio::test(start_paused = true)]
async fn a_room_is_made_at_the_server_that_decides_for_it_whichever_is_asked() {
    let two = two_with(|_| {}, |builder| builder);
    let [owner, follower] = &two.engines;
    let epoch = follower.room(&code()).create(food()).await.expect("made");
    for engine in [owner, follower] {
        let shown = info(engine).await;
        assert_eq!((shown.epoch, shown.members, shown.is_kept), (epoch, 0, true));
        let again = engine.room(&code()).create(food()).await.map_err(|reject| reject.code);
        assert_eq!(again, Err(RejectCode::NameTaken));
    }
    // The other one decides from now on, and keeps it.
    two.servers.give_all(&two.ends[1]);
    pass(HOUR).await;
    assert_eq!(info(owner).await.epoch, epoch);
    follower.room(&code()).let_go().await.expect("let go");
    let gone = owner.room(&code()).info().await.map_err(|reject| reject.code);
    assert_eq!(gone, Err(RejectCode::RoomNotFound));
}

/// Of rooms at rest that nothing is due in a server keeps no more once another one decides them: nobody would ever look at them there.
#[tokio::test(start_paused = true)]
async fn a_room_at_rest_goes_with_its_slot_and_is_found_at_either_server() {
    let two = two_with(|limits| limits.engine.room_idle = Duration::from_secs(1), |builder| builder);
    let away = || two.engines.each_ref().map(|engine| engine.stats().rooms_away);
    let epoch = two.engines[0].room(&code()).create(food()).await.expect("made");
    pass(HOUR).await;
    assert_eq!(away(), [1, 0]);
    two.servers.give_all(&two.ends[1]);
    settle().await;
    assert_eq!(away()[0], 0, "the other one decides it");
    // There it is looked at once, and rests again.
    pass(HOUR).await;
    assert_eq!((away(), two.engines[1].rooms_listed()), ([0, 1], vec![code()]));
    for engine in &two.engines {
        assert_eq!(info(engine).await.epoch, epoch);
    }
    two.servers.give_all(&two.ends[0]);
    pass(HOUR).await;
    assert_eq!(away(), [1, 0]);
}

/// The code of such a room was never told to anybody.
#[tokio::test(start_paused = true)]
async fn a_room_under_a_drawn_code_of_which_nobody_was_told_does_not_stay() {
    // It is made where it is decided, and the answer does not come.
    let two = two_with(|_| {}, |builder| builder);
    two.logs[0].push(Operation::Append, Fault::stalled(Outcome::Done));
    let follower = two.engines[1].clone();
    let creating = tokio::spawn(async move { follower.create(food()).await });
    pass(Duration::from_secs(1)).await;
    assert_eq!((two.logs[0].stalled(), creating.is_finished()), (1, false));
    two.cut().await;
    let refused = creating.await.expect("no panic").map_err(|reject| reject.code);
    assert_eq!(refused.err(), Some(RejectCode::Unavailable));
    two.logs[0].release_all();
    settle().await;
    let rooms = async || two.memory.rooms(None, None, usize::MAX).await.expect("it does not fail").len();
    assert_eq!(rooms().await, 1, "it is there");
    pass(Duration::from_secs(60)).await;
    two.mend().await;
    pass(HOUR).await;
    assert_eq!(rooms().await, 0);

    let log = log();
    let engine = engine_with(&log, |_| {});
    // Whoever asked does not wait for the answer.
    log.push(Operation::Append, Fault::stalled(Outcome::Done));
    let creating = tokio::time::timeout(Duration::from_secs(1), engine.create(food())).await;
    assert!(creating.is_err() && log.release_all() == 1);
    pass(HOUR).await;
    assert_eq!(stored(&log).await, Vec::<RoomCode>::new());
    let known = engine.create(food()).await.expect("made");
    pass(HOUR).await;
    assert_eq!(stored(&log).await, [known.code().clone()]);
}
