//! The contract of the feed of all rooms, what it holds back: as long as a named feed has not read it, up to a bound, and then it says so.

use chat_core::{Epoch, FeedBounds, FeedCursor, FeedError, FeedGap, FeedName, Offset, Retention, Tail};

use super::feed::{FeedSetup, TRIES, eventually_end, feed_of, name, read_on, records_of};
use super::{code, fill, open_life, read_all};
use crate::contract::Home;

/// As long as a named feed has not read a record, retention does not take it; then it does.
pub async fn what_is_not_read_is_held_back_from_retention<H: Home>(make: impl Fn(FeedSetup) -> H) {
    let retention = Retention { messages_max: Some(5), ..Retention::default() };
    let mut home = make(FeedSetup { retention, ..FeedSetup::default() });
    let (log, room) = (home.open().await, code("HELD"));
    let start = feed_of(&log).end().await.expect("the feed can be read");
    feed_of(&log).put_feed(&name("late"), &start).await.expect("there is room for it");
    let (mut scribe, mut tail) = fill(&*log, &room, 30).await;
    log.save_snapshot(&room, Epoch(1), tail.offset, b"snapshot").await.expect("it can be saved");
    tail = log.append(&room, &tail, &scribe.talk(10)).await.expect("the tail is the end");
    log.save_snapshot(&room, Epoch(1), tail.offset, b"snapshot").await.expect("it can be saved");
    let end = eventually_end(&log, &room).await;
    let (fed, _, gap) = read_on(&log, Some(start), 7).await;
    assert_eq!((records_of(&fed, &room).len(), gap), (42, None));
    feed_of(&log).put_feed(&name("late"), &end).await.expect("it is remembered");
    let mut kept = 0;
    for _ in 0..TRIES.0 {
        tail = log.append(&room, &tail, &scribe.talk(1)).await.expect("the tail is the end");
        log.save_snapshot(&room, Epoch(1), tail.offset, b"snapshot").await.expect("it can be saved");
        feed_of(&log)
            .put_feed(&name("late"), &feed_of(&log).end().await.expect("it has one"))
            .await
            .expect("as before");
        kept = read_all(&*log, &room).await.len();
        if kept < 20 {
            return;
        }
        tokio::time::sleep(TRIES.1).await;
    }
    panic!("{kept} records are kept of a room that is to have 5 messages");
}

/// The slowest of the named feeds says what is let go of, and one that is dropped says nothing any more.
pub async fn what_every_named_feed_has_read_is_let_go_of<H: Home>(make: impl Fn(FeedSetup) -> H) {
    let mut home = make(FeedSetup::default());
    let (log, room) = (home.open().await, code("READ"));
    let start = feed_of(&log).end().await.expect("the feed can be read");
    fill(&*log, &room, 5).await;
    log.delete(&room, Epoch(1)).await.expect("it can be deleted");
    open_life(&*log, &code("ANOTHER"), 1).await;
    let end = eventually_end(&log, &code("ANOTHER")).await;
    feed_of(&log).put_feed(&name("slow"), &start).await.expect("there is room for it");
    feed_of(&log).put_feed(&name("fast"), &end).await.expect("there is room for it");
    assert_eq!(read_on(&log, Some(start.clone()), 100).await.0.len(), 4, "the slow one holds it back");
    feed_of(&log).drop_feed(&name("slow")).await.expect("it is there");
    feed_of(&log).drop_feed(&name("slow")).await.expect("it is gone");
    for _ in 0..TRIES.0 {
        let slice = feed_of(&log).since(None, 100).await.expect("the feed can be read");
        if slice.batches.is_empty() {
            let slice = feed_of(&log).since(Some(&start), 100).await.expect("the feed can be read");
            assert_eq!((slice.gap, slice.batches), (Some(FeedGap { batches: 4 }), Vec::new()));
            assert_eq!(slice.next, end);
            return;
        }
        tokio::time::sleep(TRIES.1).await;
    }
    panic!("nothing is let go of");
}

/// A named feed that has stopped reading is told how much it has missed, once, and goes on with all that is there.
pub async fn past_its_bound_a_feed_tells_a_gap_and_goes_on<H: Home>(make: impl Fn(FeedSetup) -> H) {
    const BATCHES: usize = 100;
    let bounds = FeedBounds { bytes_max: 4_096, ..FeedSetup::default().bounds };
    let mut home = make(FeedSetup { bounds, ..FeedSetup::default() });
    let (log, room) = (home.open().await, code("STOPPED"));
    let start = feed_of(&log).end().await.expect("the feed can be read");
    feed_of(&log).put_feed(&name("stopped"), &start).await.expect("there is room for it");
    let (mut scribe, mut tail) = open_life(&*log, &room, 1).await;
    for _ in 0..BATCHES {
        tail = log.append(&room, &tail, &scribe.talk(1)).await.expect("the tail is the end");
    }
    let all = read_all(&*log, &room).await;
    assert_eq!(all.len(), BATCHES + 2, "there is no retention, so all of it is in the room");
    let (mut before, mut same) = (None, 0);
    for _ in 0..TRIES.0 {
        // A log may let go of more while it is read; here it has done so when the gap has been as it is for a while.
        let gap = feed_of(&log).since(Some(&start), 3).await.expect("the feed can be read").gap;
        same = if gap.is_some() && gap == before { same + 1 } else { 0 };
        before = gap;
        if same == 50 {
            let none = feed_of(&log).since(Some(&start), 0).await.expect("the feed can be read");
            assert_eq!((none.gap, none.batches.len()), (before, 0), "whoever asks for nothing hears what is missing");
            let (fed, next, gap) = read_on(&log, Some(start.clone()), 3).await;
            let (records, gap) = (records_of(&fed, &room), gap.expect("there was one"));
            assert_eq!(records.last(), all.last());
            assert_eq!(gap.batches as usize + fed.len(), BATCHES + 1, "each is fed, or counted");
            assert!(all.ends_with(&records) && !records.is_empty());
            let (rest, _, gap) = read_on(&log, Some(next), 3).await;
            assert_eq!((rest, gap), (Vec::new(), None), "it is told once");
            return;
        }
        tokio::time::sleep(TRIES.1).await;
    }
    panic!("a feed holds back more than it may");
}

/// A name stands for the last cursor that was put under it, over a restart, and there is an end to names.
pub async fn named_feeds_are_remembered<H: Home>(make: impl Fn(FeedSetup) -> H) {
    let mut home = make(FeedSetup::default());
    let log = home.open().await;
    let start = feed_of(&log).end().await.expect("the feed can be read");
    fill(&*log, &code("NAMED"), 2).await;
    let end = eventually_end(&log, &code("NAMED")).await;
    for (which, cursor) in [("second", &start), ("first", &end), ("second", &end), ("second", &start)] {
        feed_of(&log).put_feed(&name(which), cursor).await.expect("there is room for it");
    }
    drop(log);
    let log = home.open().await;
    assert_eq!(feed_of(&log).feeds().await, Ok(vec![(name("first"), end.clone()), (name("second"), start)]));
    for number in 2..FeedName::MAX {
        feed_of(&log).put_feed(&name(&format!("more-{number}")), &end).await.expect("there is room for it");
    }
    assert_eq!(feed_of(&log).put_feed(&name("too-many"), &end).await, Err(FeedError::TooMany));
    feed_of(&log).put_feed(&name("first"), &end).await.expect("it is there already");
    feed_of(&log).drop_feed(&name("second")).await.expect("it is there");
    feed_of(&log).put_feed(&name("too-many"), &end).await.expect("there is room for it now");
}

/// A cursor says whose it is; nobody is fed what comes after a number of another log.
pub async fn a_cursor_of_another_log_is_refused<H: Home>(make: impl Fn(FeedSetup) -> H) {
    let (mut home, mut other) = (make(FeedSetup::default()), make(FeedSetup::default()));
    let (log, other) = (home.open().await, other.open().await);
    let room = code("FOREIGN");
    fill(&*log, &room, 2).await;
    let foreign = feed_of(&other).end().await.expect("the feed can be read");
    assert_eq!(feed_of(&log).since(Some(&foreign), 10).await.err(), Some(FeedError::OtherFeed));
    assert_eq!(feed_of(&log).put_feed(&name("foreign"), &foreign).await, Err(FeedError::OtherFeed));
    assert_eq!(feed_of(&log).feeds().await, Ok(Vec::new()));
    let nonsense = FeedCursor::new(*b"nonsense").expect("it is short");
    assert_eq!(feed_of(&log).since(Some(&nonsense), 10).await.err(), Some(FeedError::NoCursor));
    let tail: Tail = super::tail_of(&*log, &room).await;
    assert_eq!(tail.offset, Offset(4), "and nothing has happened");
}
