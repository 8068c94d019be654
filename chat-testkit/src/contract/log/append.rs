//! What an append does: all of the batch in one place, or nothing of it anywhere.

use std::sync::Arc;

use chat_core::{AppendError, Body, Epoch, Event, Record, Tail};
use proptest::collection::vec;
use proptest::test_runner::{Config, TestRunner};

use super::{code, open_life, read_all, tail_of};
use crate::contract::{Home, run};
use crate::records::Scribe;
use crate::strategies::{any_body, cases};

/// Every kind of event comes back as it went in, with its numbers, time and author.
pub async fn an_appended_batch_is_read_back_verbatim(mut home: impl Home) {
    let (log, room) = (home.open().await, code("VERBATIM"));
    let (mut scribe, tail) = open_life(&*log, &room, 1).await;
    let mut written = Scribe::new(Epoch(1)).opening();
    let batch = scribe.every_kind();
    log.append(&room, &tail, &batch).await.expect("the tail is the end");
    written.extend(batch);
    assert_eq!(read_all(&*log, &room).await, written);
}

/// The tail that an append returns is where the next one goes, and what a read calls the end.
pub async fn batches_follow_one_another(mut home: impl Home) {
    let (log, room) = (home.open().await, code("FOLLOW"));
    let (mut scribe, mut tail) = open_life(&*log, &room, 1).await;
    let mut written = Scribe::new(Epoch(1)).opening();
    for size in [1, 3, 1, 7] {
        let batch = scribe.talk(size);
        tail = log.append(&room, &tail, &batch).await.expect("the tail is the end");
        written.extend(batch);
        assert_eq!(tail.offset, scribe.offset());
        assert_eq!(tail.epoch, Some(Epoch(1)));
        assert_eq!(tail_of(&*log, &room).await, tail);
    }
    assert_eq!(read_all(&*log, &room).await, written);
}

/// However a read falls between appends, it ends where a batch ends.
pub async fn a_reader_never_sees_a_part_of_a_batch(mut home: impl Home) {
    const BATCH: usize = 7;
    let (log, room) = (home.open().await, code("WHOLE"));
    let (mut scribe, mut tail) = open_life(&*log, &room, 1).await;
    let (reader, reads) = (Arc::clone(&log), room.clone());
    let (written, mut is_written) = tokio::sync::oneshot::channel();
    let reader = tokio::spawn(async move {
        loop {
            let is_last = is_written.try_recv().is_ok();
            let seen = read_all(&*reader, &reads).await.len();
            assert_eq!((seen - 2) % BATCH, 0, "{seen} records are the opening and a part of a batch");
            if is_last {
                assert_eq!(seen, 2 + 20 * BATCH, "all batches are there once they are appended");
                return;
            }
            tokio::task::yield_now().await;
        }
    });
    for _ in 0..20 {
        tail = log.append(&room, &tail, &scribe.talk(BATCH)).await.expect("the tail is the end");
    }
    // An error means that the reader has ended already, and says why.
    let _ = written.send(());
    reader.await.expect("the reader saw whole batches only");
}

/// Two owners follow the same tail: the second one is refused, and none of its batch is there.
pub async fn an_append_after_a_stale_tail_conflicts_and_writes_nothing(mut home: impl Home) {
    let (log, room) = (home.open().await, code("STALE"));
    let (mut first, stale) = open_life(&*log, &room, 1).await;
    let mut second = first.clone();
    let tail = log.append(&room, &stale, &first.talk(1)).await.expect("the tail is the end");
    let before = read_all(&*log, &room).await;
    let refused = log.append(&room, &stale, &second.talk(3)).await;
    assert_eq!(refused, Err(AppendError::Conflict));
    assert_eq!(read_all(&*log, &room).await, before);
    assert_eq!(tail_of(&*log, &room).await, tail);
    log.append(&room, &tail, &first.talk(1)).await.expect("a refused append moves nothing");
}

/// An append that names a tail past the end, or in an incarnation that the log does not hold, is refused.
pub async fn an_append_after_a_tail_that_is_not_there_conflicts(mut home: impl Home) {
    let (log, room) = (home.open().await, code("NOWHERE"));
    let (mut scribe, tail) = open_life(&*log, &room, 1).await;
    let before = read_all(&*log, &room).await;

    let mut ahead = scribe.clone();
    ahead.talk(2);
    let past_the_end = Tail { offset: ahead.offset(), ..tail.clone() };
    assert_eq!(log.append(&room, &past_the_end, &ahead.talk(1)).await, Err(AppendError::Conflict));

    let another_life = Tail { epoch: Some(Epoch(2)), ..tail.clone() };
    assert_eq!(log.append(&room, &another_life, &scribe.clone().talk(1)).await, Err(AppendError::Conflict));

    assert_eq!(log.append(&code("UNKNOWN"), &tail, &scribe.clone().talk(1)).await, Err(AppendError::Conflict));

    assert_eq!(read_all(&*log, &room).await, before);
    assert_eq!(read_all(&*log, &code("UNKNOWN")).await, []);
    log.append(&room, &tail, &scribe.talk(1)).await.expect("a refused append moves nothing");
}

/// Whoever comes first has written; everybody else hears `Conflict`, and nothing of theirs is there.
pub async fn of_concurrent_appends_after_one_tail_exactly_one_wins(mut home: impl Home) {
    let (log, room) = (home.open().await, code("RACE"));
    let (mut scribe, mut tail) = open_life(&*log, &room, 1).await;
    for round in 0..10 {
        let attempts = (0..4).map(|writer| {
            let mut owner = scribe.clone();
            let batch = vec![owner.sent(&format!("round {round}, writer {writer}")), owner.sent("and more")];
            let (log, room, tail) = (Arc::clone(&log), room.clone(), tail.clone());
            tokio::spawn(async move { (log.append(&room, &tail, &batch).await, batch) })
        });
        let attempts: Vec<_> = attempts.collect();
        let before = scribe.offset();
        let mut won: Vec<(Tail, Vec<Record>)> = Vec::new();
        for attempt in attempts {
            match attempt.await.expect("an append does not panic") {
                (Ok(tail), batch) => won.push((tail, batch)),
                (Err(error), _) => assert_eq!(error, AppendError::Conflict),
            }
        }
        assert_eq!(won.len(), 1, "exactly one append after {tail:?} wins");
        let (end, batch) = won.remove(0);
        let stretch = log.read(&room, None, before, usize::MAX).await.expect("the log can be read");
        assert_eq!((stretch.records, &stretch.tail), (batch, &end));
        scribe.talk(2);
        tail = end;
    }
}

/// Of two batches of one room that are appended at once, one after the other, the later one is there only behind the earlier: a log that
/// writes many appends together has them in order, or refuses the later.
pub async fn two_appends_of_one_room_at_once_are_as_one_after_the_other(mut home: impl Home) {
    let (log, room) = (home.open().await, code("TWICE"));
    let (mut scribe, mut tail) = open_life(&*log, &room, 1).await;
    let mut written = read_all(&*log, &room).await;
    for _ in 0..20 {
        let (first, after_first) = (scribe.talk(2), Tail { offset: scribe.offset(), ..tail.clone() });
        let (second, after_second) = (scribe.talk(1), Tail { offset: scribe.offset(), ..tail.clone() });
        let later = {
            let (log, room, second) = (Arc::clone(&log), room.clone(), second.clone());
            let after_first = after_first.clone();
            tokio::spawn(async move { log.append(&room, &after_first, &second).await })
        };
        let earlier = log.append(&room, &tail, &first).await;
        assert_eq!(earlier.as_ref(), Ok(&after_first), "nothing else is appended after {tail:?}");
        written.extend(first);
        tail = match later.await.expect("an append does not panic") {
            Ok(end) => end,
            Err(error) => {
                assert_eq!(error, AppendError::Conflict, "it came first");
                log.append(&room, &after_first, &second).await.expect("what it follows is there now")
            }
        };
        assert_eq!(tail, after_second);
        written.extend(second);
        assert_eq!(read_all(&*log, &room).await, written);
    }
}

/// Of many rooms that are written to at once, those whose append is good have it, whatever becomes of the others.
pub async fn an_append_that_is_refused_fails_none_beside_it(mut home: impl Home) {
    let log = home.open().await;
    for round in 0..5 {
        let mut appends = Vec::new();
        for number in 0..12 {
            let room = code(&format!("BESIDE-{round}-{number}"));
            let (mut scribe, tail) = open_life(&*log, &room, 1).await;
            let (log, batch) = (Arc::clone(&log), scribe.talk(2));
            let stale = Tail { epoch: Some(Epoch(2)), ..tail.clone() };
            let after = if number % 3 == 1 { stale } else { tail };
            appends.push(tokio::spawn(async move { (log.append(&room, &after, &batch).await, room) }));
        }
        for (number, append) in appends.into_iter().enumerate() {
            let (answer, room) = append.await.expect("an append does not panic");
            match number % 3 {
                1 => assert_eq!(answer, Err(AppendError::Conflict), "{room}"),
                _ => assert_eq!(answer.map(|tail| tail.offset.0), Ok(4), "{room}"),
            }
            assert_eq!(read_all(&*log, &room).await.len(), if number % 3 == 1 { 2 } else { 4 }, "{room}");
        }
    }
}

/// A batch may be as large as what a room decides at once: 256 of the longest messages, in characters of four bytes.
pub async fn a_large_batch_is_kept_whole(mut home: impl Home) {
    let (log, room) = (home.open().await, code("LARGE"));
    let (mut scribe, tail) = open_life(&*log, &room, 1).await;
    let text = "\u{1F98A}".repeat(4_000);
    let batch: Vec<Record> = (0..256).map(|_| scribe.sent(&text)).collect();
    let end = log.append(&room, &tail, &batch).await.expect("a large batch is no error");
    let stretch = log.read(&room, None, tail.offset, usize::MAX).await.expect("the log can be read");
    assert!(stretch.records == batch, "a large batch is read back as it was written");
    assert_eq!(stretch.tail, end);
}

/// What is done to one room is not seen in another, also where one code begins with the other.
pub async fn rooms_do_not_mix(mut home: impl Home) {
    let log = home.open().await;
    let rooms = [code("ABC"), code("ABCD"), code("ABC-D"), code("ABB")];
    let mut lives = Vec::new();
    for (number, room) in rooms.iter().enumerate() {
        let (scribe, tail) = open_life(&*log, room, number as u64 + 1).await;
        lives.push((scribe, tail, Scribe::new(Epoch(number as u64 + 1)).opening()));
    }
    for turn in 0..3 {
        for (number, (room, (scribe, tail, written))) in rooms.iter().zip(&mut lives).enumerate() {
            let batch = vec![scribe.sent(&format!("room {number}, turn {turn}"))];
            *tail = log.append(room, tail, &batch).await.expect("the tail is the end");
            written.extend(batch);
        }
    }
    log.delete(&rooms[0], Epoch(1)).await.expect("an incarnation can be deleted");
    lives[0].2.clear();
    for (room, (_, _, written)) in rooms.iter().zip(&lives) {
        assert_eq!(&read_all(&*log, room).await, written, "{room}");
    }
}

/// A text comes back as it was written, whatever it is, alone or between others.
pub fn any_text_is_read_back_as_it_was_written<H: Home>(make: impl Fn() -> H) {
    let config = Config { cases: cases(48), failure_persistence: None, ..Config::default() };
    let texts = vec(any_body(4_000), 1..8);
    TestRunner::new(config)
        .run(&texts, |texts: Vec<Body>| {
            let mut home = make();
            run(async move {
                let (log, room) = (home.open().await, code("ANYTEXT"));
                let (mut scribe, tail) = open_life(&*log, &room, 1).await;
                let batch: Vec<Record> = texts.iter().map(|text| scribe.sent(text.as_str())).collect();
                log.append(&room, &tail, &batch).await.expect("any text can be written");
                let read = log.read(&room, None, tail.offset, usize::MAX).await.expect("the log can be read").records;
                assert_eq!(read, batch);
                let messages = log.messages(&room, Epoch(1), scribe.head().next(), usize::MAX).await;
                let said: Vec<Body> = messages.expect("the log can be read").into_iter().filter_map(text_of).collect();
                assert_eq!(said, texts);
            });
            Ok(())
        })
        .unwrap_or_else(|failure| panic!("{failure}"));
}

fn text_of(record: Record) -> Option<Body> {
    match record.event {
        Event::Sent { text, .. } => Some(text),
        _ => None,
    }
}
