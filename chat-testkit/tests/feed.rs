//! What a backend is told of all rooms: every event that members are told, at least once and in order, over restarts and deletions.

mod support;

use std::sync::Arc;
use std::time::Duration;

use chat_core::{
    Command, Connection, DeliveryOutcome, Engine, Epoch, Event, FeedBounds, FeedCursor, FeedError, FeedName, FeedPage,
    Log, Moderation, Retention, RoomCode, Seq, Tail, Topic,
};
use chat_testkit::logs::{FaultyLog, MemoryLog, Operation, Outcome};
use chat_testkit::one_room::{code, connect, founder, newcomer, nick, say, settle, text};
use chat_testkit::records::Scribe;
use serde_json::Value;
use support::Virtual;

fn log() -> Arc<MemoryLog> {
    Arc::new(MemoryLog::with_feed(FeedBounds::default(), Retention::default()))
}

fn engine(log: &Arc<impl Log>) -> Engine {
    Engine::builder().log(Arc::clone(log) as _).expect("nobody else has it").build()
}

/// The frames of a page, without what is always there: `room`, `offset` and `at`.
fn frames(page: &FeedPage) -> Vec<Value> {
    let frames = page.events.iter().map(|event| {
        let mut frame: Value = serde_json::from_str(&event.json).expect("it is JSON");
        let fields = frame.as_object_mut().expect("it is an object");
        assert_eq!(fields.remove("room"), Some(event.room.as_str().into()));
        assert_eq!(fields.remove("epoch"), Some(event.epoch.to_string().into()));
        assert_eq!(fields.remove("offset"), Some(event.offset.0.into()));
        assert_eq!(fields.remove("at"), Some(event.at.to_string().into()));
        assert_eq!(fields.get("type").and_then(Value::as_str), Some(event.kind.as_str()));
        assert_eq!(fields.get("seq").and_then(Value::as_u64), event.seq.map(|seq| seq.0));
        frame
    });
    frames.collect()
}

/// Everything that is there now, and the cursor behind it.
async fn all(engine: &Engine, cursor: Option<FeedCursor>) -> (Vec<Value>, Option<FeedCursor>) {
    let (mut feed, mut all, mut cursor) = (engine.feed(cursor.clone()).expect("there is a feed"), Vec::new(), cursor);
    while let Ok(page) = tokio::time::timeout(Duration::from_millis(10), feed.next()).await {
        let page = page.expect("the feed can be read");
        assert_eq!(page.gap, None);
        all.extend(frames(&page));
        cursor = Some(page.cursor);
    }
    (all, cursor)
}

fn kinds(frames: &[Value]) -> Vec<&str> {
    frames.iter().map(|frame| frame["type"].as_str().expect("it has a type")).collect()
}

async fn leave(session: &Connection) {
    session.call(Command::leave(code())).await.expect("it is a member");
}

#[tokio::test(start_paused = true)]
async fn a_backend_is_told_what_members_are_told_and_where_it_stands() {
    let log = log();
    let engine = engine(&log);
    let ann = founder(&engine).await;
    say(&ann, "Pizza?", "k1").await.expect("it is said");
    engine
        .moderate(&code(), Moderation::SetTopic(Topic::parse("Lunch").expect("a valid topic")))
        .await
        .expect("the room is there");
    let bob = newcomer(&engine, "Bob").await;
    engine.moderate(&code(), Moderation::Ban(chat_core::MemberId(2))).await.expect("Bob is there");
    drop(bob);
    let (frames, _) = all(&engine, None).await;
    assert_eq!(kinds(&frames), ["member_joined", "message", "topic_changed", "member_joined", "member_left"]);
    assert_eq!(
        frames.iter().map(|frame| frame["seq"].as_u64()).collect::<Vec<_>>(),
        (1..=5).map(Some).collect::<Vec<_>>()
    );
    assert_eq!(
        (&frames[1]["text"], &frames[1]["nick"], &frames[1]["key"]),
        (&"Pizza?".into(), &"Ann".into(), &"k1".into())
    );
    let told = format!("{frames:?}");
    for hidden in ["salt", "scope", "digest", "person", "networks"] {
        assert!(!told.contains(hidden), "{hidden}: {told}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_leave_of_a_room_that_is_deleted_is_told_and_then_its_end() {
    let log = log();
    let engine = engine(&log);
    let ann = founder(&engine).await;
    leave(&ann).await;
    // The room lingers for a while, and is deleted.
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    settle().await;
    assert_eq!(log.rooms(None, None, 1).await, Ok(Vec::<RoomCode>::new()));
    let ben = connect(&engine, None).await;
    ben.call(Command::create(nick("Ben")).with_room(code())).await.expect("the code is free");
    let (frames, _) = all(&engine, None).await;
    assert_eq!(kinds(&frames), ["member_joined", "member_left", "room_closed", "member_joined"]);
    assert_eq!((&frames[1]["reason"], &frames[2]["reason"]), (&"left".into(), &"empty".into()));
    assert_eq!(frames[3]["seq"], 1, "another life");
}

#[tokio::test(start_paused = true)]
async fn who_waits_is_told_at_once_and_no_sooner() {
    let log = log();
    let engine = engine(&log);
    let ann = founder(&engine).await;
    let mut feed = engine.feed(Some(engine.feed_end().await.expect("there is one"))).expect("there is a feed");
    let waiting = tokio::spawn(async move { (feed.next().await, feed) });
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(!waiting.is_finished(), "nothing has happened");
    let before = tokio::time::Instant::now();
    say(&ann, "now", "k1").await.expect("it is said");
    let (page, mut feed) = waiting.await.expect("no panic");
    assert_eq!(frames(&page.expect("the feed can be read"))[0]["text"], "now");
    assert_eq!(tokio::time::Instant::now(), before, "no time has passed");
    // What another server has appended is found without being told of it.
    let elsewhere = tokio::time::timeout(Duration::from_secs(2), feed.next());
    let mut scribe = Scribe::new(Epoch(5));
    let appended = async {
        let other = RoomCode::parse("ELSEWHERE").expect("a valid code");
        log.append(&other, &Tail::default(), &scribe.opening()).await
    };
    let (page, appended) = tokio::join!(elsewhere, appended);
    appended.expect("the code is free");
    assert_eq!(kinds(&frames(&page.expect("it is found").expect("the feed can be read"))), ["member_joined"]);
}

#[tokio::test(start_paused = true)]
async fn a_backend_goes_on_at_its_cursor_over_restarts_of_both() {
    let log = log();
    let first = engine(&log);
    let ann = founder(&first).await;
    say(&ann, "one", "k1").await.expect("it is said");
    let (before, cursor) = all(&first, None).await;
    assert_eq!(before.len(), 2);
    say(&ann, "two", "k2").await.expect("it is said");
    drop((ann, first));
    settle().await;
    let cursor = cursor.expect("a page was read").to_string().parse().expect("as it was written");
    let second = engine(&log);
    let (after, _) = all(&second, Some(cursor)).await;
    // Ann does not come back, and her grace runs out at some time.
    assert_eq!(after[0]["text"], "two");
    assert!(after.iter().skip(1).all(|frame| frame["type"] == "member_left"), "{after:?}");
}

#[tokio::test(start_paused = true)]
async fn a_named_feed_begins_where_it_was_done() {
    let log = log();
    let engine = engine(&log);
    let name = FeedName::parse("backend").expect("a valid name");
    let mut feed = engine.feed_of(name.clone()).await.expect("there is a feed");
    let ann = founder(&engine).await;
    let page = feed.next().await.expect("the feed can be read");
    assert_eq!(kinds(&frames(&page)), ["member_joined"]);
    feed.done(&page).await.expect("it is stored");
    say(&ann, "one", "k1").await.expect("it is said");
    let page = feed.next().await.expect("the feed can be read");
    assert_eq!(frames(&page)[0]["text"], "one");
    drop(feed);
    // It was told and not done.
    let mut feed = engine.feed_of(name.clone()).await.expect("there is a feed");
    let again = feed.next().await.expect("the feed can be read");
    assert_eq!(again, page);
    feed.done(&again).await.expect("it is stored");
    assert_eq!(engine.feeds().await, Ok(vec![(name.clone(), again.cursor.clone())]));
    engine.drop_feed(&name).await.expect("it is there");
    assert_eq!(engine.feeds().await, Ok(Vec::new()));
}

#[tokio::test(start_paused = true)]
async fn an_older_page_that_is_done_late_does_not_take_a_feed_back() {
    let log = log();
    let engine = engine(&log);
    let name = FeedName::parse("backend").expect("a valid name");
    let mut feed = engine.feed_of(name.clone()).await.expect("there is a feed");
    let ann = founder(&engine).await;
    let older = feed.next().await.expect("the feed can be read");
    say(&ann, "one", "k1").await.expect("it is said");
    let newer = feed.next().await.expect("the feed can be read");
    feed.done(&newer).await.expect("it is stored");
    feed.done(&older).await.expect("there is nothing to be stored");
    assert_eq!(engine.feeds().await, Ok(vec![(name.clone(), newer.cursor.clone())]));
    drop(feed);
    let mut feed = engine.feed_of(name).await.expect("there is a feed");
    say(&ann, "two", "k2").await.expect("it is said");
    assert_eq!(frames(&feed.next().await.expect("the feed can be read"))[0]["text"], "two");
}

#[tokio::test(start_paused = true)]
async fn how_far_a_named_feed_is_behind_is_counted_and_for_how_long() {
    let log = log();
    let clock = Arc::new(Virtual::default());
    let engine = Engine::builder().log(Arc::clone(&log) as _).expect("nobody else has it").clock(clock).build();
    let mut feed = engine.feed_of(FeedName::parse("backend").expect("a valid name")).await.expect("there is a feed");
    let meter = || engine.meters().feeds.remove(0);
    assert_eq!((meter().name.as_str(), meter().is_here, meter().behind), ("backend", true, 0));
    let ann = founder(&engine).await;
    let page = feed.next().await.expect("the feed can be read");
    tokio::time::sleep(Duration::from_secs(90)).await;
    say(&ann, "one", "k1").await.expect("it is said");
    assert_eq!((meter().behind, meter().lag, meter().events), (1, Duration::from_secs(90), 0));
    feed.done(&page).await.expect("it is stored");
    assert_eq!((meter().behind, meter().lag, meter().events), (0, Duration::ZERO, 1));
    feed.deliveries().count(DeliveryOutcome::Failed, Duration::from_millis(3));
    feed.deliveries().count(DeliveryOutcome::Done, Duration::from_millis(2));
    feed.deliveries().count(DeliveryOutcome::Left, Duration::ZERO);
    assert_eq!(meter().deliveries, [1, 1, 1]);
    let took = engine.meters().delivered;
    assert_eq!((took.count(), took.sum), (2, 5_000), "what was left was not attempted");
}

#[tokio::test(start_paused = true)]
async fn who_reads_late_is_not_told_what_was_taken_back_though_the_log_still_has_it() {
    let log = Arc::new(FaultyLog::new(MemoryLog::with_feed(FeedBounds::default(), Retention::default())));
    let engine = engine(&log);
    let ann = founder(&engine).await;
    log.plan(|call| (call.operation == Operation::Amend).then(|| Outcome::Fails.into()));
    say(&ann, "secret", "k1").await.expect("it is said");
    say(&ann, "a typo", "k2").await.expect("it is said");
    ann.call(Command::redact(code(), Seq(2))).await.expect("it is Ann's");
    ann.call(Command::edit(code(), Seq(3), text("no typo"))).await.expect("it is Ann's");
    let told = all(&engine, None).await.0;
    assert_eq!(kinds(&told), ["member_joined", "message", "message", "redacted", "edited"]);
    assert_eq!((&told[1]["redacted"], &told[1]["text"]), (&true.into(), &"".into()));
    assert_eq!((&told[2]["text"], &told[2]["edited"]), (&"no typo".into(), &1.into()));
}

#[tokio::test(start_paused = true)]
async fn without_a_log_that_keeps_one_there_is_no_feed() {
    let in_memory = Engine::builder().build();
    assert_eq!(in_memory.feed(None).err(), Some(FeedError::NoFeed));
    let without = engine(&Arc::new(MemoryLog::new()));
    assert_eq!(without.feed(None).err(), Some(FeedError::NoFeed));
    assert_eq!(without.feeds().await, Err(FeedError::NoFeed));
}

#[tokio::test(start_paused = true)]
async fn a_backend_that_has_not_read_for_too_long_is_told_a_gap() {
    let bounds = FeedBounds { bytes_max: 2_000, ..FeedBounds::default() };
    let log = Arc::new(MemoryLog::with_feed(bounds, Retention::default()));
    let mut limits = chat_core::Limits::default();
    limits.lift_rates();
    let engine = Engine::builder().limits(limits).log(Arc::clone(&log) as _).expect("nobody else has it").build();
    let mut feed = engine.feed_of(FeedName::parse("asleep").expect("a valid name")).await.expect("there is a feed");
    let ann = founder(&engine).await;
    for number in 0..50 {
        say(&ann, &format!("{number}"), &format!("k{number}")).await.expect("it is said");
    }
    let page = feed.next().await.expect("the feed can be read");
    let missed = page.gap.expect("it has missed something").batches;
    assert_eq!(missed as usize + page.events.len(), 51, "one batch each");
    assert_eq!(engine.meters().feeds[0].missed, missed);
    assert_eq!(frames(&page).last().map(|frame| frame["text"].clone()), Some("49".into()));
}

/// Whatever a log can hold is told, or is nobody's to be told, and none of it stops a feed.
#[tokio::test(start_paused = true)]
async fn every_kind_of_record_is_told_as_a_frame_or_not_at_all() {
    let log = log();
    let engine = engine(&log);
    let mut scribe = Scribe::new(Epoch(7));
    let records = [scribe.opening(), scribe.every_kind()].concat();
    log.append(&code(), &Tail::default(), &records).await.expect("the code is free");
    let mut feed = engine.feed(None).expect("there is a feed");
    let page = feed.next().await.expect("the feed can be read");
    let told = frames(&page);
    let expected = records.iter().filter(|record| record.seq.is_some() || matches!(record.event, Event::Closed { .. }));
    assert_eq!(
        page.events.iter().map(|event| event.offset).collect::<Vec<_>>(),
        expected.map(|record| record.offset).collect::<Vec<_>>()
    );
    assert_eq!(kinds(&told).last(), Some(&"room_closed"));
}
