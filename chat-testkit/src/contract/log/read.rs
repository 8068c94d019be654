//! What a read finds: a page without holes, and always the true end.

use chat_core::{Epoch, LogPage, Offset, RoomCode, Slot, Tail};

use super::{code, open_life, read_all, tail_of};
use crate::contract::Home;

/// A room nobody wrote is empty by every page, and has no messages.
pub async fn a_room_nobody_wrote_is_an_empty_page_with_an_empty_tail(mut home: impl Home) {
    let (log, room) = (home.open().await, code("NOBODY"));
    for (after, max) in [(0, usize::MAX), (0, 0), (5, 1)] {
        let stretch = log.read(&room, None, Offset(after), max).await.expect("a room nobody wrote is no error");
        assert_eq!(stretch, LogPage { records: Vec::new(), tail: Tail::default() });
    }
    assert_eq!(log.load_snapshot(&room, Epoch(1)).await, Ok(None));
    assert_eq!(log.rooms(None, None, usize::MAX).await, Ok(Vec::new()));
}

/// The tail of a page is the end of the log, not of the page.
pub async fn a_read_is_cut_at_its_maximum_and_still_names_the_end(mut home: impl Home) {
    let (log, room) = (home.open().await, code("CUT"));
    let (mut scribe, tail) = open_life(&*log, &room, 1).await;
    let tail = log.append(&room, &tail, &scribe.talk(10)).await.expect("the tail is the end");
    let whole = read_all(&*log, &room).await;
    for max in [0, 1, 5, 12, 13] {
        let stretch = log.read(&room, None, Offset(0), max).await.expect("the log can be read");
        assert_eq!(stretch.records, whole[..max.min(12)], "at most {max}");
        assert_eq!(stretch.tail, tail, "at most {max}");
    }
}

/// Each page begins after the last record of the one before, wherever batches ended.
pub async fn reading_page_by_page_gives_everything_once(mut home: impl Home) {
    let (log, room) = (home.open().await, code("PAGES"));
    let (mut scribe, mut tail) = open_life(&*log, &room, 1).await;
    for size in [1, 5, 9, 2] {
        tail = log.append(&room, &tail, &scribe.talk(size)).await.expect("the tail is the end");
    }
    let whole = read_all(&*log, &room).await;
    assert!(whole.iter().map(|record| record.offset.0).eq(1..=tail.offset.0), "offsets have no holes");
    for page in [1, 2, 7, 100] {
        let mut read = Vec::new();
        let mut after = Offset(0);
        loop {
            let stretch = log.read(&room, None, after, page).await.expect("the log can be read");
            let Some(last) = stretch.records.last() else {
                break;
            };
            assert!(last.offset > after, "the page after {after:?} ends at {:?}: it goes back", last.offset);
            after = last.offset;
            read.extend(stretch.records);
        }
        assert_eq!(read, whole, "in pages of {page}");
    }
}

/// A read from the end, or from past it, is empty and no error.
pub async fn a_read_from_the_end_is_empty_and_names_the_end(mut home: impl Home) {
    let (log, room) = (home.open().await, code("END"));
    let (_, tail) = open_life(&*log, &room, 1).await;
    for after in [tail.offset, tail.offset.next(), Offset(1 << 40)] {
        let stretch = log.read(&room, None, after, 10).await.expect("a read from the end is no error");
        assert_eq!(stretch, LogPage { records: Vec::new(), tail: tail.clone() });
    }
}

/// A server that has just started knows nothing but what it reads; from there it goes on.
pub async fn an_append_may_follow_the_tail_of_a_read(mut home: impl Home) {
    let (log, room) = (home.open().await, code("GO-ON"));
    let (mut scribe, appended) = open_life(&*log, &room, 1).await;
    for _ in 0..3 {
        let read = tail_of(&*log, &room).await;
        log.append(&room, &read, &scribe.talk(2)).await.expect("the tail that was read is the end");
    }
    assert_ne!(tail_of(&*log, &room).await, appended);
    assert_eq!(read_all(&*log, &room).await.len(), 8);
}

/// Whoever reads one page after the other is given the tail where the code has gone to another life meanwhile, and none of its records.
pub async fn a_read_of_a_life_returns_nothing_of_another(mut home: impl Home) {
    let (log, room) = (home.open().await, code("LIVES"));
    let nobody = log.read(&room, Some(Epoch(1)), Offset(0), 10).await;
    assert_eq!(nobody, Ok(LogPage { records: Vec::new(), tail: Tail::default() }));
    let (mut scribe, tail) = open_life(&*log, &room, 1).await;
    log.append(&room, &tail, &scribe.talk(3)).await.expect("the tail is the end");
    let whole = read_all(&*log, &room).await;
    let page = log.read(&room, Some(Epoch(1)), Offset(0), 2).await.expect("the log can be read");
    assert_eq!((&page.records[..], page.tail.epoch), (&whole[..2], Some(Epoch(1))));

    log.delete(&room, Epoch(1)).await.expect("an incarnation can be deleted");
    let gone = log.read(&room, Some(Epoch(1)), Offset(2), 10).await;
    assert_eq!(gone, Ok(LogPage { records: Vec::new(), tail: Tail::default() }));
    let (mut scribe, tail) = open_life(&*log, &room, 2).await;
    let tail = log.append(&room, &tail, &scribe.talk(9)).await.expect("the tail is the end");
    for (after, max) in [(2, 10), (0, usize::MAX), (0, 0), (100, 1)] {
        let of_another = log.read(&room, Some(Epoch(1)), Offset(after), max).await;
        assert_eq!(of_another, Ok(LogPage { records: Vec::new(), tail: tail.clone() }), "after {after}");
    }
    let page = log.read(&room, Some(Epoch(2)), Offset(2), 100).await.expect("the log can be read");
    assert_eq!((page.records.len(), page.tail), (9, tail));
}

/// Of two slots with a few rooms each, among rooms of others.
pub async fn rooms_of_one_slot_are_listed_by_code_page_by_page(mut home: impl Home) {
    let log = home.open().await;
    assert_eq!(log.rooms(Slot::all().next(), None, 10).await, Ok(Vec::new()));
    let drawn: Vec<RoomCode> = (0..4_000).map(|number| code(&format!("ROOM-{number}"))).collect();
    let shared = [Slot::of(&drawn[0]), Slot::of(&drawn[1])];
    let (mut codes, others): (Vec<_>, Vec<_>) = drawn.into_iter().partition(|room| shared.contains(&Slot::of(room)));
    codes.extend(others.into_iter().take(8));
    for (number, room) in codes.iter().enumerate() {
        open_life(&*log, room, number as u64 + 1).await;
    }
    codes.sort();
    for slot in shared {
        let of_slot: Vec<RoomCode> = codes.iter().filter(|room| Slot::of(room) == slot).cloned().collect();
        for page in [1, 2, 100] {
            let mut listed: Vec<RoomCode> = Vec::new();
            loop {
                let rooms = log.rooms(Some(slot), listed.last(), page).await.expect("the rooms can be listed");
                assert!(rooms.len() <= page);
                if rooms.is_empty() {
                    break;
                }
                listed.extend(rooms);
                assert!(listed.len() <= of_slot.len(), "a page that comes again, or of another slot: {listed:?}");
            }
            assert_eq!(listed, of_slot, "in pages of {page}");
        }
    }
}

/// Rooms are listed in the order of their letters, each once; a deleted one is not among them.
pub async fn rooms_are_listed_by_code_page_by_page(mut home: impl Home) {
    let log = home.open().await;
    let mut codes: Vec<RoomCode> = ["ZOO", "A-1", "A01", "ABC", "ABCD", "999", "MIDDLE-OF-NOWHERE"].map(code).into();
    for (number, room) in codes.iter().enumerate() {
        open_life(&*log, room, number as u64 + 1).await;
    }
    log.delete(&code("MIDDLE-OF-NOWHERE"), Epoch(7)).await.expect("an incarnation can be deleted");
    codes.pop();
    codes.sort();
    for page in [1, 2, 6, 100] {
        let mut listed: Vec<RoomCode> = Vec::new();
        loop {
            let rooms = log.rooms(None, listed.last(), page).await.expect("the rooms can be listed");
            assert!(rooms.len() <= page);
            let Some(last) = rooms.last() else {
                break;
            };
            let after = listed.last();
            assert!(Some(last) > after, "the page after {after:?} ends at {last:?}: it goes back");
            listed.extend(rooms);
        }
        assert_eq!(listed, codes, "in pages of {page}");
    }
    let after_none_of_them = log.rooms(None, Some(&code("AAA")), 1).await;
    assert_eq!(after_none_of_them, Ok(vec![code("ABC")]), "a page begins after a code, held or not");
}
