//! Who watches sees every record once, in order, and who comes and goes.
#![cfg(feature = "engine")]

mod support;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use chat_core::{CloseReason, Engine, Identity, Moderation, Observer, ObserverEvent, Record, RoomCode};
use support::*;

#[derive(Default)]
struct Diary {
    records: Mutex<BTreeMap<(RoomCode, u64), Vec<Record>>>,
    others: Mutex<Vec<String>>,
}

impl Observer for Diary {
    fn observe(&self, event: ObserverEvent<'_>) {
        let other = match event {
            ObserverEvent::Published { room, epoch, record, .. } => {
                let mut records = self.records.lock().expect("nobody panics with it");
                records.entry((room.clone(), epoch.0)).or_default().push(record.clone());
                return;
            }
            ObserverEvent::Connected { transport, identity, .. } => {
                format!("connected {transport} {}", identity.map_or("-", Identity::as_str))
            }
            ObserverEvent::Disconnected { reason, transport, identity, .. } => {
                let who = identity.map_or("-", Identity::as_str);
                format!("disconnected {:?} {transport} {who}", reason.map(CloseReason::code))
            }
            ObserverEvent::Rejected { code, .. } => format!("rejected {}", code.as_str()),
            ObserverEvent::Gap { events, .. } => format!("gap {events}"),
            other => format!("{other:?}"),
        };
        self.others.lock().expect("nobody panics with it").push(other);
    }
}

fn watched() -> (Engine, Arc<Diary>) {
    let diary = Arc::new(Diary::default());
    let limits = limits(|limits| {
        limits.lift_rates();
        limits.room.backlog_events_max = 8;
    });
    (Engine::builder().limits(limits).observer(diary.clone()).build(), diary)
}

#[tokio::test(start_paused = true)]
async fn every_record_is_seen_once_and_in_order() {
    let (engine, diary) = watched();
    for _ in 0..3 {
        let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
        let bob = Client::in_room(&engine, "LUNCH", "Bob").await;
        for number in 0..20 {
            ann.submit(send("LUNCH", &number.to_string()));
        }
        ann.told().await;
        drop(bob);
        pass(secs(31)).await;
        engine.moderate(&code("LUNCH"), Moderation::Close).await.expect("it is there");
    }
    let records = diary.records.lock().expect("nobody panics with it");
    assert_eq!(records.len(), 3, "three lives");
    for life in records.values() {
        let offsets: Vec<u64> = life.iter().map(|record| record.offset.0).collect();
        assert_eq!(offsets, (1..=25).collect::<Vec<_>>(), "created, two joins, 20 messages, a leave, closed");
        let seqs: Vec<u64> = life.iter().filter_map(|record| record.seq).map(|seq| seq.0).collect();
        assert_eq!(seqs, (1..=23).collect::<Vec<_>>());
        assert!(life.is_sorted_by_key(|record| record.at));
    }
}

#[tokio::test(start_paused = true)]
async fn comings_goings_refusals_and_gaps_are_seen() {
    let (engine, diary) = watched();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let bob = Client::with_request(&engine, shown("bob"), Default::default()).await;
    bob.enter("LUNCH", "Bob").await;
    bob.refused(join("NOWHERE", "Bob")).await;
    for _ in 0..20 {
        ann.say("LUNCH", "x").await;
        ann.take();
    }
    bob.told().await;
    bob.session.close(CloseReason::Ended);
    bob.told().await;
    drop(bob);
    let others = diary.others.lock().expect("nobody panics with it");
    assert_eq!(
        *others,
        [
            "connected  -",
            "connected test -",
            "rejected name_taken",
            "rejected room_not_found",
            "gap 20",
            "disconnected Some(4503) test -"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn whose_a_connection_is_is_seen_when_it_comes_and_when_it_goes() {
    let diary = Arc::new(Diary::default());
    let engine = Engine::builder().policy(Arc::new(ByCredentials)).observer(diary.clone()).build();
    drop(Client::of(&engine, "ann@example.org").await);
    let others = diary.others.lock().expect("nobody panics with it");
    assert_eq!(*others, ["connected test ann@example.org", "disconnected None test ann@example.org"]);
}

/// Asks the engine whenever it sees something.
#[derive(Default)]
struct Curious {
    engine: std::sync::OnceLock<Engine>,
    asked: std::sync::atomic::AtomicUsize,
}

impl Observer for Curious {
    fn observe(&self, _event: ObserverEvent<'_>) {
        if let Some(engine) = self.engine.get() {
            let _ = (engine.stats(), engine.rooms());
            self.asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_observer_may_ask_the_engine_whatever_it_sees() {
    let curious = Arc::new(Curious::default());
    let limits = limits(|limits| {
        limits.lift_rates();
        limits.session.rooms_max = 1;
        limits.room.backlog_events_max = 8;
    });
    let engine = Engine::builder().limits(limits).observer(curious.clone()).build();
    curious.engine.set(engine.clone()).ok().expect("set once");
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let bob = Client::in_room(&engine, "LUNCH", "Bob").await;
    assert_eq!(bob.refused(create("OTHER", "Bob")).await.code, chat_core::RejectCode::TooManyRooms);
    for _ in 0..20 {
        ann.say("LUNCH", "x").await;
        ann.take();
    }
    assert!(bob.told().await.iter().any(|frame| frame.starts_with("gap")), "the fact that is seen while he reads");
    drop(bob);
    pass(secs(31)).await;
    assert!(curious.asked.load(std::sync::atomic::Ordering::Relaxed) > 25);
}

#[test]
fn what_is_printed_for_a_log_holds_no_secret() {
    let request = format!("{:?}", shown("hunter2"));
    let hello = format!("{:?}", resume("hunter2", &[]));
    assert!(!request.contains("hunter2") && !hello.contains("hunter2"), "{request} {hello}");
}

#[tokio::test(start_paused = true)]
async fn of_a_connection_is_printed_whose_it_is_and_no_token() {
    let ann = Client::new(&engine()).await;
    let printed = format!("{:?}", ann.session);
    assert!(printed.contains(&format!("{:?}", ann.session.session_id())), "{printed}");
    assert!(!printed.contains(&ann.token()) && !printed.contains(&ann.session.cursor()), "{printed}");
}

/// Panics over every kind of fact in turn, and over some all the time.
struct Clumsy;

impl Observer for Clumsy {
    fn observe(&self, event: ObserverEvent<'_>) {
        panic!("an observer that trips over {event:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_observer_that_panics_changes_nothing() {
    let engine =
        Engine::builder().limits(limits(|limits| limits.room.backlog_events_max = 4)).observer(Arc::new(Clumsy));
    let engine = engine.build();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let bob = Client::in_room(&engine, "LUNCH", "Bob").await;
    assert_eq!(ann.told().await, ["2 +Bob"]);
    for number in 3..10 {
        assert_eq!(ann.say("LUNCH", "hi").await, number);
    }
    assert_eq!(bob.told().await.first().map(String::as_str), Some("gap 3..9"));
    assert_eq!(bob.refused(join("LUNCH", "Bob")).await.code, chat_core::RejectCode::AlreadyMember);
    drop(bob);
    pass(secs(31)).await;
    assert_eq!(ann.told().await.last().map(String::as_str), Some("10 -Bob timeout"), "not a ghost for ever");
    drop(ann);
    pass(secs(31)).await;
    let stats = engine.stats();
    assert_eq!((stats.rooms, stats.sessions), (0, 0));
    assert!(stats.embedder_panics > 10, "{stats:?}");
}
