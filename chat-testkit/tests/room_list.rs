//! All rooms, page by page, also those that are in the log alone; and nothing is read for it.

use std::sync::Arc;
use std::time::Duration;

use chat_core::{Command, Engine, Limits, Nick, RoomAbout, RoomCode, RoomOptions, SettingsChange, Topic, Wall};
use chat_testkit::logs::MemoryLog;

fn code(text: &str) -> RoomCode {
    RoomCode::parse(text).expect("a room code")
}

fn engine() -> Engine {
    let mut limits = Limits::default();
    limits.lift_rates();
    limits.engine.room_idle = Duration::from_millis(1);
    // Longer than the test looks.
    (limits.room.grace, limits.room.empty_linger) = (Duration::from_secs(86_400), Duration::from_secs(86_400));
    Engine::builder().limits(limits).log(Arc::new(MemoryLog::default())).expect("no other engine has it").build()
}

#[tokio::test(start_paused = true)]
async fn rooms_are_listed_in_the_order_of_their_codes_with_what_is_known_of_them() {
    let engine = engine();
    let ann = engine.connect(Default::default(), Default::default()).await.expect("let in");
    for room in ["CCC", "AAA", "BBB"] {
        let create = Command::create(Nick::parse("Ann").expect("a nick")).with_room(code(room));
        ann.call(create).await.expect("made");
    }
    engine.room(&code("BBB")).topic(Topic::parse("Food").expect("a topic")).await.expect("set");
    engine.room(&code("CCC")).settings(SettingsChange::new().listed(true)).await.expect("set");

    let page = engine.rooms_page(None, 2).await.expect("listed");
    let known = |page: &chat_core::RoomsPage| -> Vec<_> {
        let of = |info: &chat_core::RoomInfo| (info.topic.as_str().to_owned(), info.members, info.settings.listed);
        page.rooms.iter().map(|entry| (entry.code.to_string(), entry.info.as_ref().map(of))).collect()
    };
    let room = |code: &str, topic: &str, listed| (code.to_owned(), Some((topic.to_owned(), 1, listed)));
    assert_eq!(known(&page), [room("AAA", "", false), room("BBB", "Food", false)]);
    let of_log = |page: &chat_core::RoomsPage| -> Vec<_> {
        let of = |about: &chat_core::RoomAbout| (about.topic.clone(), about.members, about.is_listed);
        page.rooms.iter().map(|entry| (entry.code.to_string(), entry.about.as_ref().map(of))).collect()
    };
    assert_eq!(of_log(&page), known(&page), "of a room in memory the same is known as the room says");
    let rest = engine.rooms_page(page.next.as_ref(), 2).await.expect("listed");
    assert_eq!((known(&rest), rest.next), (vec![room("CCC", "", true)], None));

    // Nobody is attached, and all are put away: they are in the log alone, and looking at them does not bring them back.
    drop(ann);
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    for _ in 0..2 {
        let page = engine.rooms_page(None, 10).await.expect("listed");
        let alone = |code: &str| (code.to_owned(), None);
        assert_eq!((known(&page), page.next.as_ref()), (vec![alone("AAA"), alone("BBB"), alone("CCC")], None));
        assert_eq!(of_log(&page), [room("AAA", "", false), room("BBB", "Food", false), room("CCC", "", true)]);
        assert!(page.rooms.iter().all(|entry| entry.about.as_ref().is_some_and(|about| about.last_at > Wall(0))));
        assert_eq!(engine.stats().rooms, 0);
    }
    let nowhere = engine.rooms_page(Some(&code("CCC")), 10).await.expect("listed");
    assert_eq!(nowhere.rooms, []);
}

#[tokio::test(start_paused = true)]
async fn rooms_of_another_process_are_known_before_any_of_them_is_read() {
    let log = Arc::new(MemoryLog::default());
    let builder = || Engine::builder().log(Arc::clone(&log) as _).expect("no other engine has it");
    let engine = builder().build();
    let topic = "\u{1F98A}".repeat(Topic::CHARS_MAX);
    let options =
        RoomOptions::new().settings(SettingsChange::new().listed(true)).topic(Topic::parse(&topic).expect("a topic"));
    engine.room(&code("KEPT")).create(options).await.expect("made");
    drop(engine);
    tokio::time::sleep(Duration::from_millis(1)).await;

    let engine = builder().build();
    // Before the first look at the log's rooms has come to it.
    let page = engine.rooms_page(None, 10).await.expect("listed");
    let about = page.rooms[0].about.as_ref().expect("it is known");
    assert_eq!((about.members, about.is_listed, about.is_kept), (0, true, true));
    assert_eq!(about.topic, "\u{1F98A}".repeat(RoomAbout::TOPIC_BYTES_MAX / 4), "as much as there is room for");
}
