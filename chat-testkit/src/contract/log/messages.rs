//! What a log knows of messages: paging back through them, taking their text away, and snapshots that save time.

use chat_core::{Amend, Epoch, Event, Notices, Offset, Record, Seq};

use super::{code, open_life, read_all, tail_of};
use crate::contract::Home;

/// Going on before the first of a page gives the page before it.
pub async fn messages_are_the_newest_before_a_number_oldest_first(mut home: impl Home) {
    let (log, room) = (home.open().await, code("NEWEST"));
    let (mut scribe, mut tail) = open_life(&*log, &room, 1).await;
    let mut said = Vec::new();
    for size in [1, 4, 6] {
        let batch = scribe.talk(size);
        tail = log.append(&room, &tail, &batch).await.expect("the tail is the end");
        said.extend(batch);
    }
    for page in [1, 3, 11, 100] {
        let mut paged: Vec<Record> = Vec::new();
        let mut before = Seq(u64::MAX);
        loop {
            let slice = log.messages(&room, Epoch(1), before, page).await.expect("the log can be read");
            let Some(first) = slice.first() else {
                break;
            };
            assert!(slice.len() <= page);
            let seq = first.seq.expect("a message has a number");
            assert!(seq < before, "the page before {before:?} begins at {seq:?}: it goes back");
            before = seq;
            paged.splice(0..0, slice);
        }
        assert_eq!(paged, said, "in pages of {page}");
    }
    let before_five = log.messages(&room, Epoch(1), Seq(5), 2).await;
    assert_eq!(before_five, Ok(said[1..3].to_vec()), "5 itself is not before 5");
    assert_eq!(log.messages(&room, Epoch(1), Seq(u64::MAX), 0).await, Ok(Vec::new()));
    assert_eq!(log.messages(&room, Epoch(1), Seq(0), 5).await, Ok(Vec::new()));
}

/// Going on after the last of a page gives the page after it, whatever lies between the messages.
pub async fn messages_after_a_number_are_the_oldest_first(mut home: impl Home) {
    let (log, room) = (home.open().await, code("LATER"));
    let (mut scribe, mut tail) = open_life(&*log, &room, 1).await;
    let mut said = Vec::new();
    for size in [1, 4, 6] {
        let mut batch: Vec<Record> = (0..2 * size).map(|_| scribe.told(None, notices())).collect();
        batch.push(scribe.quiet(None, Event::Settled { through: Seq(1), frozen: Seq(0) }));
        batch.extend(scribe.talk(size));
        batch.push(scribe.told(None, notices()));
        tail = log.append(&room, &tail, &batch).await.expect("the tail is the end");
        said.extend(batch.into_iter().filter(|record| matches!(record.event, Event::Sent { .. })));
    }
    let numbers: Vec<Seq> = said.iter().filter_map(|record| record.seq).collect();
    let last = *numbers.last().expect("much was said");
    for page in [1, 3, 11, 100] {
        let (mut paged, mut after): (Vec<Record>, Seq) = (Vec::new(), Seq(0));
        loop {
            let slice = log.messages_after(&room, Epoch(1), after, page).await.expect("the log can be read");
            let Some(last) = slice.last() else {
                break;
            };
            assert!(slice.len() <= page);
            let seq = last.seq.expect("a message has a number");
            assert!(seq > after, "the page after {after:?} ends at {seq:?}: it goes back");
            after = seq;
            paged.extend(slice);
        }
        assert_eq!(paged, said, "in pages of {page}");
    }
    // From every place in the log, message or not.
    for after in 0..=last.0 + 1 {
        let expected: Vec<Record> =
            said.iter().filter(|record| record.seq > Some(Seq(after))).take(2).cloned().collect();
        assert_eq!(log.messages_after(&room, Epoch(1), Seq(after), 2).await, Ok(expected), "after {after}");
    }
    assert_eq!(log.messages_after(&room, Epoch(1), Seq(u64::MAX), 5).await, Ok(Vec::new()));
    assert_eq!(log.messages_after(&room, Epoch(1), Seq(0), 0).await, Ok(Vec::new()));
    let taken_back = Amend::take_back(numbers[1], Seq(u64::MAX));
    log.amend(&room, Epoch(1), &[taken_back]).await.expect("a message can be taken back");
    let now = log.messages_after(&room, Epoch(1), numbers[0], 1).await.expect("the log can be read");
    assert!(now[0].event.is_taken_back(), "as it is now: {now:?}");
}

fn notices() -> Event {
    Event::NoticesChanged { notices: Notices::Counted }
}

/// Joins, leaves, topics and the rest are no messages, and do not count towards the maximum.
pub async fn only_what_was_said_is_a_message(mut home: impl Home) {
    let (log, room) = (home.open().await, code("ONLY"));
    let (mut scribe, tail) = open_life(&*log, &room, 1).await;
    let mut batch = scribe.talk(2);
    batch.extend(scribe.every_kind());
    log.append(&room, &tail, &batch).await.expect("the tail is the end");
    let said: Vec<Record> = batch.into_iter().filter(|record| matches!(record.event, Event::Sent { .. })).collect();
    assert_eq!(said.len(), 5);
    assert_eq!(log.messages(&room, Epoch(1), Seq(u64::MAX), 5).await.as_deref(), Ok(&said[..]));
    assert_eq!(log.messages(&room, Epoch(1), Seq(u64::MAX), 4).await.as_deref(), Ok(&said[1..]));
}

/// A reader of an old incarnation is not shown the new one's.
pub async fn another_life_has_no_messages(mut home: impl Home) {
    let (log, room) = (home.open().await, code("OTHER"));
    assert_eq!(log.messages(&room, Epoch(1), Seq(10), 10).await, Ok(Vec::new()), "of a room nobody wrote");
    let (mut scribe, tail) = open_life(&*log, &room, 1).await;
    log.append(&room, &tail, &scribe.talk(2)).await.expect("the tail is the end");
    assert_eq!(log.messages(&room, Epoch(2), Seq(10), 10).await, Ok(Vec::new()));
    assert_eq!(log.messages_after(&room, Epoch(2), Seq(0), 10).await, Ok(Vec::new()));
    assert_eq!(log.messages_after(&code("NOBODY"), Epoch(1), Seq(0), 10).await, Ok(Vec::new()));
}

/// Neither an amendment nor a snapshot moves the end: the owner appends after the tail it got from its last append.
pub async fn a_tail_outlives_amendments_and_snapshots(mut home: impl Home) {
    let (log, room) = (home.open().await, code("OUTLIVE"));
    let (mut scribe, tail) = open_life(&*log, &room, 1).await;
    let tail = log.append(&room, &tail, &scribe.talk(3)).await.expect("the tail is the end");
    log.amend(&room, Epoch(1), &[Amend::take_back(Seq(2), Seq(u64::MAX))]).await.expect("a message can be taken back");
    log.save_snapshot(&room, Epoch(1), tail.offset, b"snapshot").await.expect("a snapshot can be saved");
    assert_eq!(tail_of(&*log, &room).await, tail);
    log.append(&room, &tail, &scribe.talk(1)).await.expect("the tail is still the end");
}

/// A snapshot comes back as it was saved, whatever its bytes, also none, also many.
pub async fn a_snapshot_is_loaded_as_it_was_saved(mut home: impl Home) {
    let log = home.open().await;
    let every_byte: Vec<u8> = (0..=255).collect();
    let snapshots = [every_byte, Vec::new(), vec![0; 1 << 20]];
    for (number, snapshot) in snapshots.into_iter().enumerate() {
        let room = code(&format!("SNAPSHOT-{number}"));
        open_life(&*log, &room, 1).await;
        assert_eq!(log.load_snapshot(&room, Epoch(1)).await, Ok(None), "none was saved yet");
        log.save_snapshot(&room, Epoch(1), Offset(2), &snapshot).await.expect("a snapshot can be saved");
        let loaded = log.load_snapshot(&room, Epoch(1)).await;
        assert!(loaded == Ok(Some((Offset(2), snapshot))), "snapshot {number} is loaded as it was saved");
    }
}

/// Read positions come back as they were saved last, for the incarnation that is there, also after reopening; and go with it.
pub async fn read_positions_are_loaded_as_they_were_saved(mut home: impl Home) {
    let (log, room) = (home.open().await, code("READS"));
    log.save_read_positions(&room, Epoch(1), b"early").await.expect("of no incarnation nothing is kept");
    open_life(&*log, &room, 1).await;
    assert_eq!(log.load_read_positions(&room, Epoch(1)).await, Ok(None));
    let every_byte: Vec<u8> = (0..=255).collect();
    for positions in [vec![1; 70_000], Vec::new(), every_byte.clone()] {
        log.save_read_positions(&room, Epoch(1), &positions).await.expect("positions can be saved");
        assert!(log.load_read_positions(&room, Epoch(1)).await == Ok(Some(positions)), "the newest are there");
    }
    log.save_read_positions(&room, Epoch(2), b"late").await.expect("of another incarnation nothing is kept");
    log.save_snapshot(&room, Epoch(1), Offset(2), b"beside them").await.expect("a snapshot can be saved");
    drop(log);

    let log = home.open().await;
    assert_eq!(log.load_read_positions(&room, Epoch(1)).await, Ok(Some(every_byte)));
    assert_eq!(log.load_read_positions(&room, Epoch(2)).await, Ok(None));
    log.delete(&room, Epoch(1)).await.expect("an incarnation can be deleted");
    assert_eq!(log.load_read_positions(&room, Epoch(1)).await, Ok(None));
    open_life(&*log, &room, 2).await;
    assert_eq!(log.load_read_positions(&room, Epoch(2)).await, Ok(None), "they are not those of the next");
}

/// A snapshot leaves the records that it includes where they are.
pub async fn a_newer_snapshot_takes_the_place_of_an_older(mut home: impl Home) {
    let (log, room) = (home.open().await, code("NEWER"));
    let (mut scribe, tail) = open_life(&*log, &room, 1).await;
    log.save_snapshot(&room, Epoch(1), Offset(2), b"older, and longer").await.expect("a snapshot can be saved");
    log.append(&room, &tail, &scribe.talk(3)).await.expect("the tail is the end");
    log.save_snapshot(&room, Epoch(1), Offset(4), b"newer").await.expect("a snapshot can be saved");
    assert_eq!(log.load_snapshot(&room, Epoch(1)).await, Ok(Some((Offset(4), b"newer".to_vec()))));
    assert_eq!(read_all(&*log, &room).await.len(), 5);
}

/// Also where the older is the longer one, and after reopening: a log may have let go of the records between the two.
pub async fn an_older_snapshot_never_takes_the_place_of_a_newer(mut home: impl Home) {
    let (log, room) = (home.open().await, code("LATE"));
    let (mut scribe, tail) = open_life(&*log, &room, 1).await;
    let tail = log.append(&room, &tail, &scribe.talk(8)).await.expect("the tail is the end");
    log.save_snapshot(&room, Epoch(1), Offset(7), b"newer").await.expect("a snapshot can be saved");
    for older in [6, 2, 0] {
        let late = log.save_snapshot(&room, Epoch(1), Offset(older), b"older, and longer").await;
        late.expect("an ignored snapshot is no error");
        assert_eq!(log.load_snapshot(&room, Epoch(1)).await, Ok(Some((Offset(7), b"newer".to_vec()))));
    }
    drop(log);
    let log = home.open().await;
    log.save_snapshot(&room, Epoch(1), Offset(6), b"older").await.expect("an ignored snapshot is no error");
    assert_eq!(log.load_snapshot(&room, Epoch(1)).await, Ok(Some((Offset(7), b"newer".to_vec()))));
    log.save_snapshot(&room, Epoch(1), Offset(7), b"again").await.expect("a snapshot can be saved");
    assert_eq!(log.load_snapshot(&room, Epoch(1)).await, Ok(Some((Offset(7), b"again".to_vec()))));
    log.save_snapshot(&room, Epoch(1), tail.offset, b"newest").await.expect("a snapshot can be saved");
    assert_eq!(log.load_snapshot(&room, Epoch(1)).await, Ok(Some((tail.offset, b"newest".to_vec()))));
}

/// It would cover what is written there later, by somebody else.
pub async fn a_snapshot_of_records_that_are_not_there_is_ignored(mut home: impl Home) {
    let (log, room) = (home.open().await, code("AHEAD"));
    let (mut scribe, tail) = open_life(&*log, &room, 1).await;
    for ahead in [tail.offset.next(), Offset(1 << 40), Offset(u64::MAX)] {
        log.save_snapshot(&room, Epoch(1), ahead, b"ahead").await.expect("an ignored snapshot is no error");
        assert_eq!(log.load_snapshot(&room, Epoch(1)).await, Ok(None), "through {ahead:?}");
    }
    log.save_snapshot(&room, Epoch(1), tail.offset, b"all").await.expect("a snapshot can be saved");
    log.save_snapshot(&room, Epoch(1), tail.offset.next(), b"ahead").await.expect("an ignored snapshot is no error");
    log.append(&room, &tail, &scribe.talk(1)).await.expect("the tail is the end");
    assert_eq!(log.load_snapshot(&room, Epoch(1)).await, Ok(Some((tail.offset, b"all".to_vec()))));
}

/// A snapshot of another incarnation is neither kept nor given; one of a deleted incarnation does not come back with the next.
pub async fn a_snapshot_of_another_life_is_ignored(mut home: impl Home) {
    let (log, room) = (home.open().await, code("EPOCHS"));
    log.save_snapshot(&room, Epoch(1), Offset(1), b"of nobody").await.expect("an ignored snapshot is no error");
    open_life(&*log, &room, 1).await;
    assert_eq!(log.load_snapshot(&room, Epoch(1)).await, Ok(None));
    log.save_snapshot(&room, Epoch(1), Offset(2), b"of the first").await.expect("a snapshot can be saved");
    log.save_snapshot(&room, Epoch(2), Offset(2), b"of another").await.expect("an ignored snapshot is no error");
    assert_eq!(log.load_snapshot(&room, Epoch(1)).await, Ok(Some((Offset(2), b"of the first".to_vec()))));
    assert_eq!(log.load_snapshot(&room, Epoch(2)).await, Ok(None));

    log.delete(&room, Epoch(1)).await.expect("an incarnation can be deleted");
    open_life(&*log, &room, 2).await;
    log.save_snapshot(&room, Epoch(1), Offset(2), b"too late").await.expect("an ignored snapshot is no error");
    assert_eq!(log.load_snapshot(&room, Epoch(2)).await, Ok(None));
    assert_eq!(log.load_snapshot(&room, Epoch(1)).await, Ok(None));
}
