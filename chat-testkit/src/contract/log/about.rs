//! The contract of what a log knows of rooms without reading them: it comes and goes with the room's own log.

use chat_core::{AppendError, Epoch, Log, LogRoom, RoomAbout, RoomCode, Slot, Tail};

use super::{code, open_life};
use crate::contract::Home;
use crate::records::Scribe;

/// Makes one test of each behaviour of a log that keeps what is known of rooms ([`Log::append_with`], [`Log::rooms_with`]).
///
/// The argument makes a new, empty [`Home`](crate::contract::Home) for each test.
///
/// ```
/// # mod memory_log {
/// use std::sync::Arc;
///
/// chat_testkit::log_about_contract!(|| Arc::new(chat_testkit::logs::MemoryLog::new()));
/// # }
/// ```
#[macro_export]
macro_rules! log_about_contract {
    ($make:expr) => {
        $crate::log_contract! { @tests $make;
            what_the_last_append_brought_is_listed,
            what_a_refused_append_brought_is_not_listed,
            an_append_that_brings_nothing_leaves_what_is_known,
            what_is_known_goes_with_its_life,
            what_is_known_is_listed_page_by_page_and_by_slot,
            what_is_known_is_there_after_reopening,
        }
    };
}

async fn known(log: &dyn Log) -> Vec<(String, Option<Vec<u8>>)> {
    let rooms = log.rooms_with(None, None, usize::MAX).await.expect("the rooms can be listed");
    rooms.into_iter().map(|room| (room.code.to_string(), room.about)).collect()
}

fn of(room: &RoomCode, about: Option<&[u8]>) -> Vec<(String, Option<Vec<u8>>)> {
    vec![(room.to_string(), about.map(<[u8]>::to_vec))]
}

/// Any bytes, as many as there may be.
pub async fn what_the_last_append_brought_is_listed(mut home: impl Home) {
    let (log, room) = (home.open().await, code("KNOWN"));
    let mut scribe = Scribe::new(Epoch(1));
    let (mut tail, mut batch) = (Tail::default(), scribe.opening());
    let longest: Vec<u8> = (0..RoomAbout::BYTES_MAX).map(|number| number as u8).collect();
    for about in [&b"one"[..], &longest, b"two"] {
        tail = log.append_with(&room, &tail, &batch, about).await.expect("the tail is the end");
        assert_eq!(known(&*log).await, of(&room, Some(about)));
        batch = scribe.talk(2);
    }
    let page = log.read(&room, None, chat_core::Offset(0), usize::MAX).await.expect("the log can be read");
    assert_eq!((page.records.len() as u64, page.tail), (tail.offset.0, tail), "and the records are there");
}

/// All or nothing.
pub async fn what_a_refused_append_brought_is_not_listed(mut home: impl Home) {
    let (log, room) = (home.open().await, code("REFUSED"));
    let mut scribe = Scribe::new(Epoch(1));
    let stale = log.append_with(&room, &Tail::default(), &scribe.opening(), b"one").await.expect("the code is free");
    let mut other = scribe.clone();
    log.append_with(&room, &stale, &scribe.talk(1), b"two").await.expect("the tail is the end");
    let refused = log.append_with(&room, &stale, &other.talk(3), b"three").await;
    assert_eq!(refused, Err(AppendError::Conflict));
    let claimed = log.append_with(&room, &Tail::default(), &Scribe::new(Epoch(2)).opening(), b"four").await;
    assert_eq!(claimed, Err(AppendError::Conflict));
    assert_eq!(known(&*log).await, of(&room, Some(b"two")));
}

/// As by a program that knows nothing of it.
pub async fn an_append_that_brings_nothing_leaves_what_is_known(mut home: impl Home) {
    let (log, room) = (home.open().await, code("SILENT"));
    let (mut scribe, tail) = open_life(&*log, &room, 1).await;
    assert_eq!(known(&*log).await, of(&room, None));
    let tail = log.append_with(&room, &tail, &scribe.talk(1), b"one").await.expect("the tail is the end");
    let tail = log.append(&room, &tail, &scribe.talk(1)).await.expect("the tail is the end");
    log.append_with(&room, &tail, &scribe.talk(1), b"").await.expect("the tail is the end");
    assert_eq!(known(&*log).await, of(&room, Some(b"one")));
}

/// Another life under the code begins with nothing known of it.
pub async fn what_is_known_goes_with_its_life(mut home: impl Home) {
    let (log, room) = (home.open().await, code("GONE"));
    let opening = Scribe::new(Epoch(1)).opening();
    log.append_with(&room, &Tail::default(), &opening, b"one").await.expect("the code is free");
    log.delete(&room, Epoch(2)).await.expect("that of another life is no error");
    assert_eq!(known(&*log).await, of(&room, Some(b"one")));
    log.delete(&room, Epoch(1)).await.expect("it can be deleted");
    assert_eq!(known(&*log).await, []);
    open_life(&*log, &room, 2).await;
    assert_eq!(known(&*log).await, of(&room, None));
}

/// The same rooms as without.
pub async fn what_is_known_is_listed_page_by_page_and_by_slot(mut home: impl Home) {
    let log = home.open().await;
    let rooms: Vec<RoomCode> = (0..9).map(|number| code(&format!("ROOM-{number}"))).collect();
    for (number, room) in (1..).zip(&rooms) {
        let opening = Scribe::new(Epoch(number)).opening();
        if number % 3 == 0 {
            open_life(&*log, room, number).await;
        } else {
            let about = room.as_str().as_bytes();
            log.append_with(room, &Tail::default(), &opening, about).await.expect("the code is free");
        }
    }
    let expected = |room: &RoomCode| {
        let number = rooms.iter().position(|other| other == room).expect("one of them") + 1;
        let about = (number % 3 > 0).then(|| room.as_str().as_bytes().to_vec());
        LogRoom { code: room.clone(), about }
    };
    let slots: Vec<Option<Slot>> = rooms.iter().map(|room| Some(Slot::of(room))).chain([None]).collect();
    for slot in slots {
        for (after, max) in [(None, 100), (None, 4), (rooms.get(2), 3), (rooms.last(), 5)] {
            let codes = log.rooms(slot, after, max).await.expect("the rooms can be listed");
            let listed = log.rooms_with(slot, after, max).await.expect("the rooms can be listed");
            assert_eq!(listed, codes.iter().map(&expected).collect::<Vec<_>>(), "{slot:?}, {max} after {after:?}");
        }
    }
}

/// As are the records that it came with.
pub async fn what_is_known_is_there_after_reopening(mut home: impl Home) {
    let room = code("LASTING");
    {
        let log = home.open().await;
        let mut scribe = Scribe::new(Epoch(1));
        let tail = log.append_with(&room, &Tail::default(), &scribe.opening(), b"one").await.expect("the code is free");
        log.append_with(&room, &tail, &scribe.talk(1), b"two").await.expect("the tail is the end");
    }
    assert_eq!(known(&*home.open().await).await, of(&room, Some(b"two")));
}
