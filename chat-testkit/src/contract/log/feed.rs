//! The contract of the feed of all rooms: once, in the order of each room, over restarts, and never a hole that is not told.

use std::sync::Arc;
use std::time::Duration;

use chat_core::{
    Amend, AppendError, Epoch, Event, FeedBatch, FeedBounds, FeedChange, FeedCursor, FeedGap, FeedName, FeedSlice, Log,
    LogFeed, Record, Retention, RoomCode, Seq,
};

use super::{code, fill, open_life, read_all};
use crate::contract::Home;
use crate::records::Scribe;

/// How often it is looked whether something was let go of, and the pause between: 20 s in all.
pub(super) const TRIES: (u32, Duration) = (2_000, Duration::from_millis(10));

/// How a log is to be opened that keeps a feed.
#[derive(Clone, Copy, Debug)]
pub struct FeedSetup {
    /// How much the feed holds back.
    pub bounds: FeedBounds,
    /// How much of each room is kept when no feed holds it back.
    pub retention: Retention,
}

/// The records of the contract are of one day, and nothing is too old.
impl Default for FeedSetup {
    fn default() -> Self {
        let bounds = FeedBounds { age_max: Duration::from_secs(100 * 365 * 86_400), ..FeedBounds::default() };
        Self { bounds, retention: Retention::default() }
    }
}

/// Makes one test of each behaviour of the `LogFeed` port.
///
/// The argument makes a new, empty [`Home`](crate::contract::Home) for each test, of a log that is opened like this.
///
/// ```
/// # mod memory_log {
/// use std::sync::Arc;
///
/// use chat_testkit::logs::MemoryLog;
///
/// chat_testkit::log_feed_contract!(|setup| Arc::new(MemoryLog::with_feed(setup.bounds, setup.retention)));
/// # }
/// ```
#[macro_export]
macro_rules! log_feed_contract {
    ($make:expr) => {
        $crate::log_feed_contract! { @tests $make;
            what_is_appended_is_fed_once_and_in_order,
            nothing_comes_to_stand_behind_a_cursor,
            a_batch_is_fed_whole,
            what_was_refused_is_not_fed,
            whoever_begins_at_the_end_is_fed_what_comes_after,
            a_cursor_is_good_after_reopening,
            a_deleted_life_is_fed_to_its_end,
            what_was_taken_back_is_fed_without_its_text,
            what_is_not_read_is_held_back_from_retention,
            what_every_named_feed_has_read_is_let_go_of,
            past_its_bound_a_feed_tells_a_gap_and_goes_on,
            named_feeds_are_remembered,
            a_cursor_of_another_log_is_refused,
        }
    };
    (@tests $make:expr; $($behaviour:ident),* $(,)?) => {$(
        #[test]
        fn $behaviour() {
            $crate::contract::run($crate::contract::log::$behaviour($make));
        }
    )*};
}

/// The feed of a log that was opened with one.
pub(super) fn feed_of(log: &Arc<dyn Log>) -> &dyn LogFeed {
    log.feed().expect("it was opened with a feed")
}

pub(super) fn name(text: &str) -> FeedName {
    FeedName::parse(text).expect("a valid name")
}

/// Everything after a cursor, page by page, and the gap before it.
pub(super) async fn read_on(
    log: &Arc<dyn Log>,
    mut cursor: Option<FeedCursor>,
    max: usize,
) -> (Vec<FeedBatch>, FeedCursor, Option<FeedGap>) {
    let (mut all, mut missed) = (Vec::new(), None);
    loop {
        let FeedSlice { gap, batches, next, behind, .. } =
            feed_of(log).since(cursor.as_ref(), max).await.expect("the feed can be read");
        assert!(gap.is_none() || all.is_empty(), "a gap in the middle of what is held back");
        missed = missed.or(gap);
        let is_last = batches.is_empty();
        assert!(!is_last || behind == 0, "nothing is there, and there are {behind} behind it");
        all.extend(batches);
        if is_last {
            return (all, next, missed);
        }
        cursor = Some(next);
    }
}

/// What is fed of one room, in order; a deletion is nothing.
fn of_room(batches: &[FeedBatch], room: &RoomCode) -> Vec<Option<Vec<Record>>> {
    let batches = batches.iter().filter(|batch| batch.room == *room);
    let change = batches.map(|batch| match &batch.change {
        FeedChange::Appended(records) => Some(records.clone()),
        FeedChange::Deleted => None,
    });
    change.collect()
}

/// What is fed of one room as records, where it was not deleted.
pub(super) fn records_of(batches: &[FeedBatch], room: &RoomCode) -> Vec<Record> {
    of_room(batches, room).into_iter().flat_map(|batch| batch.expect("it is not deleted")).collect()
}

/// Whatever the pages, two rooms that are appended to in turns are fed as they were appended, and each batch is one.
pub async fn what_is_appended_is_fed_once_and_in_order<H: Home>(make: impl Fn(FeedSetup) -> H) {
    let mut home = make(FeedSetup::default());
    let log = home.open().await;
    let rooms = [code("FED-ONE"), code("FED-TWO")];
    let mut appended: Vec<(RoomCode, Vec<Record>)> = Vec::new();
    let mut lives = Vec::new();
    for (room, epoch) in rooms.iter().zip(1..) {
        let (scribe, tail) = open_life(&*log, room, epoch).await;
        appended.push((room.clone(), Scribe::new(Epoch(epoch)).opening()));
        lives.push((scribe, tail));
    }
    for turn in 0..20 {
        let (scribe, tail) = &mut lives[turn % 2];
        let batch = scribe.talk(1 + turn % 3);
        *tail = log.append(&rooms[turn % 2], tail, &batch).await.expect("the tail is the end");
        appended.push((rooms[turn % 2].clone(), batch));
    }
    eventually_end(&log, &rooms[1]).await;
    for max in [1, 3, 7, 1_000] {
        let (fed, _, gap) = read_on(&log, None, max).await;
        assert_eq!(gap, None);
        let expected = appended.iter().zip(&fed).map(|((room, batch), fed)| FeedBatch {
            room: room.clone(),
            epoch: fed.epoch,
            change: FeedChange::Appended(batch.clone()),
        });
        assert_eq!(fed, expected.collect::<Vec<_>>());
        assert_eq!(fed.len(), appended.len());
        assert!(fed.iter().all(|batch| batch.epoch == Epoch(if batch.room == rooms[0] { 1 } else { 2 })));
    }
}

/// Of appends to many rooms at once each is fed exactly once to who reads all the while: whichever commits first.
pub async fn nothing_comes_to_stand_behind_a_cursor<H: Home>(make: impl Fn(FeedSetup) -> H) {
    const ROOMS: u64 = 8;
    const TURNS: usize = 25;
    let mut home = make(FeedSetup::default());
    let log = home.open().await;
    let writers: Vec<_> = (1..=ROOMS)
        .map(|number| {
            let log = Arc::clone(&log);
            tokio::spawn(async move {
                let room = code(&format!("CROWD-{number}"));
                let (mut scribe, mut tail) = open_life(&*log, &room, number).await;
                for turn in 0..TURNS {
                    let batch = scribe.talk(1 + turn % 4);
                    tail = log.append(&room, &tail, &batch).await.expect("the tail is the end");
                }
            })
        })
        .collect();
    let (mut fed, mut cursor) = (Vec::new(), None);
    loop {
        // Before the feed is read: what was written by then is in it.
        let is_written = writers.iter().all(tokio::task::JoinHandle::is_finished);
        let slice = feed_of(&log).since(cursor.as_ref(), 5).await.expect("the feed can be read");
        assert_eq!(slice.gap, None);
        let is_empty = slice.batches.is_empty();
        fed.extend(slice.batches);
        cursor = Some(slice.next);
        if is_empty {
            let expected = ROOMS as usize * (TURNS + 1);
            if is_written && fed.len() >= expected {
                break;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    for writer in writers {
        writer.await.expect("no writer fails");
    }
    let (rest, ..) = read_on(&log, cursor, 100).await;
    assert_eq!(rest, []);
    for number in 1..=ROOMS {
        let room = code(&format!("CROWD-{number}"));
        assert_eq!(records_of(&fed, &room), read_all(&*log, &room).await, "{room}: each once, in order");
    }
}

/// A page may be larger than it was asked to be, and has no part of a batch.
pub async fn a_batch_is_fed_whole<H: Home>(make: impl Fn(FeedSetup) -> H) {
    let mut home = make(FeedSetup::default());
    let (log, room) = (home.open().await, code("WHOLE"));
    fill(&*log, &room, 10).await;
    eventually_end(&log, &room).await;
    let nothing = feed_of(&log).since(None, 0).await.expect("the feed can be read");
    assert_eq!((nothing.batches.len(), nothing.behind), (0, 2));
    let opening = feed_of(&log).since(Some(&nothing.next), 4).await.expect("the feed can be read");
    assert_eq!((opening.batches.len(), opening.behind), (1, 1), "the second would be too much");
    let talk = feed_of(&log).since(Some(&opening.next), 4).await.expect("the feed can be read");
    assert_eq!(records_of(&talk.batches, &room).len(), 10);
    assert_eq!(talk.behind, 0);
}

/// An append that conflicts leaves nothing in the feed.
pub async fn what_was_refused_is_not_fed<H: Home>(make: impl Fn(FeedSetup) -> H) {
    let mut home = make(FeedSetup::default());
    let (log, room) = (home.open().await, code("REFUSED"));
    let (mut scribe, tail) = open_life(&*log, &room, 1).await;
    let mut other = scribe.clone();
    log.append(&room, &tail, &scribe.talk(2)).await.expect("the tail is the end");
    assert_eq!(log.append(&room, &tail, &other.talk(1)).await, Err(AppendError::Conflict));
    log.delete(&room, Epoch(9)).await.expect("nothing happens");
    eventually_end(&log, &room).await;
    let (fed, ..) = read_on(&log, None, 100).await;
    assert_eq!(fed.len(), 2);
    assert_eq!(records_of(&fed, &room), read_all(&*log, &room).await);
}

/// The cursor of the end is behind everything that was, and before everything that comes.
pub async fn whoever_begins_at_the_end_is_fed_what_comes_after<H: Home>(make: impl Fn(FeedSetup) -> H) {
    let mut home = make(FeedSetup::default());
    let (log, room) = (home.open().await, code("LATER"));
    let start = feed_of(&log).end().await.expect("the feed can be read");
    assert_eq!(feed_of(&log).since(None, 0).await.expect("the feed can be read").next, start, "nothing is there");
    let (mut scribe, tail) = fill(&*log, &room, 3).await;
    let end = eventually_end(&log, &room).await;
    let batch = scribe.talk(2);
    log.append(&room, &tail, &batch).await.expect("the tail is the end");
    eventually_end(&log, &room).await;
    let (fed, ..) = read_on(&log, Some(end), 100).await;
    assert_eq!(records_of(&fed, &room), batch);
    assert_eq!(read_on(&log, Some(start), 100).await.0.len(), 3);
}

/// The end once it is behind what was written: a log that syncs later shows it later.
pub(super) async fn eventually_end(log: &Arc<dyn Log>, room: &RoomCode) -> FeedCursor {
    let last = read_all(&**log, room).await;
    for _ in 0..TRIES.0 {
        let end = feed_of(log).end().await.expect("the feed can be read");
        let (fed, next, _) = read_on(log, None, 1_000).await;
        if records_of(&fed, room).last() == last.last() && next == end {
            return end;
        }
        tokio::time::sleep(TRIES.1).await;
    }
    panic!("what was written is never fed");
}

/// What was read before a restart is not fed again by its cursor, and what was not is.
pub async fn a_cursor_is_good_after_reopening<H: Home>(make: impl Fn(FeedSetup) -> H) {
    let mut home = make(FeedSetup::default());
    let room = code("REOPEN");
    let log = home.open().await;
    let (mut scribe, tail) = fill(&*log, &room, 3).await;
    eventually_end(&log, &room).await;
    let first = feed_of(&log).since(None, 1).await.expect("the feed can be read");
    assert_eq!(first.batches.len(), 1);
    drop(log);
    let log = home.open().await;
    let (rest, end, _) = read_on(&log, Some(first.next.to_string().parse().expect("as it was written")), 100).await;
    assert_eq!(records_of(&rest, &room), read_all(&*log, &room).await[2..]);
    // A log that servers take from each other wants the room read anew.
    let tail = match log.append(&room, &tail, &scribe.clone().talk(1)).await {
        Ok(_) => None,
        Err(_) => Some(super::tail_of(&*log, &room).await),
    };
    if let Some(tail) = tail {
        log.append(&room, &tail, &scribe.talk(1)).await.expect("the tail is the end");
    }
    drop(log);
    let log = home.open().await;
    let (rest, ..) = read_on(&log, Some(end), 100).await;
    assert_eq!(records_of(&rest, &room).len(), 1);
}

/// The records of a life that is deleted before anybody has read them are fed all the same, then that it is deleted, then its successor; over a
/// restart, too.
pub async fn a_deleted_life_is_fed_to_its_end<H: Home>(make: impl Fn(FeedSetup) -> H) {
    let mut home = make(FeedSetup::default());
    let (log, room) = (home.open().await, code("DEAD"));
    let (mut scribe, tail) = open_life(&*log, &room, 1).await;
    let talk = scribe.talk(3);
    log.append(&room, &tail, &talk).await.expect("the tail is the end");
    log.delete(&room, Epoch(1)).await.expect("it can be deleted");
    log.delete(&room, Epoch(1)).await.expect("nothing is left of it");
    open_life(&*log, &room, 2).await;
    let expected =
        [Some(Scribe::new(Epoch(1)).opening()), Some(talk), None, Some(Scribe::new(Epoch(2)).opening())].to_vec();
    let mut log = Some(log);
    for _ in 0..2 {
        let opened = match log.take() {
            Some(log) => log,
            None => home.open().await,
        };
        let mut fed = Vec::new();
        for _ in 0..TRIES.0 {
            (fed, ..) = read_on(&opened, None, 2).await;
            if fed.len() >= expected.len() {
                break;
            }
            tokio::time::sleep(TRIES.1).await;
        }
        assert_eq!(of_room(&fed, &room), expected);
        assert_eq!(fed.iter().map(|batch| batch.epoch.0).collect::<Vec<_>>(), [1, 1, 1, 2]);
        assert_eq!(read_all(&*opened, &room).await, Scribe::new(Epoch(2)).opening(), "nobody else sees the dead");
    }
}

/// Who reads late reads records as they are now.
pub async fn what_was_taken_back_is_fed_without_its_text<H: Home>(make: impl Fn(FeedSetup) -> H) {
    let mut home = make(FeedSetup::default());
    let (log, room) = (home.open().await, code("AMENDED"));
    let (mut scribe, tail) = fill(&*log, &room, 3).await;
    let target = Seq(3);
    let redacted = scribe.told(None, Event::Redacted { target });
    let change = redacted.seq.expect("it is told");
    log.append(&room, &tail, &[redacted]).await.expect("the tail is the end");
    log.amend(&room, Epoch(1), &[Amend::take_back(target, change)]).await.expect("it can be taken back");
    let all = read_all(&*log, &room).await;
    eventually_end(&log, &room).await;
    let (fed, ..) = read_on(&log, None, 2).await;
    assert_eq!(records_of(&fed, &room), all);
    let taken_back = records_of(&fed, &room).into_iter().find(|record| record.seq == Some(target));
    assert!(taken_back.is_some_and(|record| record.event.is_taken_back()));
}
