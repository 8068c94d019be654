//! What becomes of records that are amended: taken back for good, replaced by the latest change, and in all else as they were.

use chat_core::{Amend, Amended, Body, Content, Data, Epoch, Event, MemberId, Reaction, ReactionName, Record, Seq};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::{code, open_life, read_all, tail_of};
use crate::contract::{Home, run};
use crate::strategies::cases;

fn replace(seq: u64, change: u64, words: &str, n: u32) -> Amend {
    let content = Content::text(Body::parse(words, usize::MAX).expect("a valid text"));
    Amend::replace(Seq(seq), Seq(change), content, n)
}

fn take_back(seq: u64, change: u64) -> Amend {
    Amend::take_back(Seq(seq), Seq(change))
}

/// What the message with this number says, and what was made of it.
fn says(records: &[Record], seq: u64) -> (&str, Option<(u64, u32, bool)>) {
    let record = records.iter().find(|record| record.seq == Some(Seq(seq))).expect("it was written");
    let Event::Sent { text, amended, .. } = &record.event else { panic!("number {seq} is a message") };
    let amended = amended.as_deref().map(|Amended { change, n, taken_back, .. }| (change.0, *n, *taken_back));
    (text.as_str(), amended)
}

/// The text is empty wherever it is read, in the log and among the messages, and the record says why; its number, time, author and
/// key stay, and so does every other record.
pub async fn what_was_taken_back_reads_empty_and_nothing_else_changes(mut home: impl Home) {
    let (log, room) = (home.open().await, code("TAKEN"));
    let (mut scribe, tail) = open_life(&*log, &room, 1).await;
    let batch = vec![scribe.sent("before"), scribe.sent_keyed("secret", "k1"), scribe.sent("after")];
    log.append(&room, &tail, &batch).await.expect("the tail is the end");
    let before = read_all(&*log, &room).await;
    for _ in 0..2 {
        log.amend(&room, Epoch(1), &[take_back(3, 9)]).await.expect("a message can be taken back, also twice");
        let after = read_all(&*log, &room).await;
        assert_eq!(says(&after, 3), ("", Some((9, 0, true))));
        assert!(
            after.iter().find(|record| record.seq == Some(Seq(3))).is_some_and(|record| record.event.is_taken_back())
        );
        let restored = after.iter().cloned().map(|mut record| {
            if let Event::Sent { text, amended, .. } = &mut record.event
                && amended.take().is_some()
            {
                *text = Body::parse("secret", 100).expect("a valid text");
            }
            record
        });
        assert!(restored.eq(before.iter().cloned()), "its number, time, author and key are as they were");
        assert_eq!(log.messages(&room, Epoch(1), Seq(100), 3).await.as_deref(), Ok(&after[2..]));
    }
}

/// Of two changes the later one stands, also where it came first; longer and shorter texts alike, and several at once.
pub async fn what_was_replaced_reads_as_the_latest_change_says(mut home: impl Home) {
    let (log, room) = (home.open().await, code("REPLACED"));
    let (mut scribe, tail) = open_life(&*log, &room, 1).await;
    log.append(&room, &tail, &[scribe.sent("one"), scribe.sent("two")]).await.expect("the tail is the end");
    let long = "x".repeat(5_000);
    let both = [replace(2, 5, "a", 1), replace(3, 6, &long, 1)];
    log.amend(&room, Epoch(1), &both).await.expect("messages can be replaced");
    let read = read_all(&*log, &room).await;
    assert_eq!((says(&read, 2), says(&read, 3)), (("a", Some((5, 1, false))), (&*long, Some((6, 1, false)))));
    let mixed = [replace(2, 4, "late", 9), replace(3, 8, "b", 3), replace(3, 7, "c", 2)];
    log.amend(&room, Epoch(1), &mixed).await.expect("messages can be replaced");
    let read = read_all(&*log, &room).await;
    assert_eq!((says(&read, 2), says(&read, 3)), (("a", Some((5, 1, false))), ("b", Some((8, 3, false)))));
    assert_eq!(log.messages(&room, Epoch(1), Seq(100), 2).await.as_deref(), Ok(&read[2..]));
}

/// A message that was taken back is never said again; one that was changed later than it was taken back was not taken back.
pub async fn what_was_taken_back_stays_so_whatever_comes_later(mut home: impl Home) {
    let (log, room) = (home.open().await, code("STAYS"));
    let (mut scribe, tail) = open_life(&*log, &room, 1).await;
    log.append(&room, &tail, &[scribe.sent("one"), scribe.sent("two")]).await.expect("the tail is the end");
    log.amend(&room, Epoch(1), &[replace(2, 4, "edited", 1), replace(3, 6, "newer", 1)])
        .await
        .expect("it can be replaced");
    log.amend(&room, Epoch(1), &[take_back(2, 5), take_back(3, 5)]).await.expect("it can be taken back");
    log.amend(&room, Epoch(1), &[replace(2, 9, "again", 2)]).await.expect("an ignored amendment is no error");
    let read = read_all(&*log, &room).await;
    assert_eq!((says(&read, 2), says(&read, 3)), (("", Some((5, 1, true))), ("newer", Some((6, 1, false)))));
}

/// What an edit of a message of this number said.
fn edit_says(records: &[Record], seq: u64) -> Option<&str> {
    let record = records.iter().find(|record| record.seq == Some(Seq(seq))).expect("it was written");
    let Event::Edited { content, .. } = &record.event else { panic!("number {seq} is an edit") };
    content.as_ref().map(|content| content.text.as_str())
}

/// An edit that a later one has superseded keeps its number, time and author, and what it said is nowhere to be read; all at once with what
/// the message says now.
pub async fn an_edit_that_was_superseded_says_nothing(mut home: impl Home) {
    let (log, room) = (home.open().await, code("BARE"));
    let (mut scribe, tail) = open_life(&*log, &room, 1).await;
    let batch =
        [scribe.sent("one"), scribe.edited(Seq(2), "two", 1), scribe.edited(Seq(2), "three", 2), scribe.sent("four")];
    let tail = log.append(&room, &tail, &batch).await.expect("the tail is the end");
    let amends = [replace(2, 4, "three", 2), Amend::bare(Seq(3), Seq(4))];
    for _ in 0..2 {
        log.amend(&room, Epoch(1), &amends).await.expect("an edit can be superseded, also twice");
        let read = read_all(&*log, &room).await;
        assert_eq!((says(&read, 2), edit_says(&read, 3)), (("three", Some((4, 2, false))), None));
        assert_eq!((edit_says(&read, 4), says(&read, 5)), (Some("three"), ("four", None)));
        let bare = &read[3];
        assert_eq!(
            (bare.offset, bare.seq, bare.at, bare.by),
            (batch[1].offset, batch[1].seq, batch[1].at, batch[1].by)
        );
        assert!(!format!("{read:?}").contains("two"));
    }
    let gone = [take_back(2, 6), Amend::bare(Seq(4), Seq(6)), Amend::bare(Seq(5), Seq(6)), Amend::bare(Seq(9), Seq(6))];
    log.amend(&room, Epoch(1), &gone).await.expect("what is no edit stays as it is");
    let read = read_all(&*log, &room).await;
    assert_eq!((says(&read, 2).0, edit_says(&read, 4), says(&read, 5)), ("", None, ("four", None)));
    drop(log);
    let log = home.open().await;
    assert_eq!(read_all(&*log, &room).await, read);
    let end = tail_of(&*log, &room).await;
    assert_eq!(end.offset, tail.offset);
    log.append(&room, &end, &[scribe.edited(Seq(5), "five", 1)]).await.expect("the end is where it was");
}

/// Data is kept to the letter, alone too, and goes with what it was said with; a message of data alone was not taken back.
pub async fn data_is_kept_to_the_letter_and_goes_with_its_message(mut home: impl Home) {
    let (log, room) = (home.open().await, code("DATA"));
    let (mut scribe, tail) = open_life(&*log, &room, 1).await;
    let json = "{\"b\": 1.0,\"a\":[1e3, \"\\u00e4 \u{1F44B}\"]}";
    let batch = [scribe.sent_to("", Some(json), None), scribe.sent_to("hi", Some("{}"), Some(2))];
    log.append(&room, &tail, &batch).await.expect("the tail is the end");
    let read = read_all(&*log, &room).await;
    assert_eq!(read[2..], batch);
    assert!(read.iter().all(|record| !record.event.is_taken_back()));
    let content = Content::text(Body::empty()).with_data(Data::parse(json, 100).ok());
    log.amend(&room, Epoch(1), &[Amend::replace(Seq(3), Seq(4), content, 1), take_back(2, 5)]).await.expect("no error");
    let read = read_all(&*log, &room).await;
    let Event::Sent { text, data, reply_to, .. } = &read[3].event else { panic!("it is a message") };
    assert_eq!((text.as_str(), data.as_ref().map(Data::as_str), *reply_to), ("", Some(json), Some(Seq(2))));
    let Event::Sent { data, .. } = &read[2].event else { panic!("it is a message") };
    assert_eq!((data, read[2].event.is_taken_back(), read[3].event.is_taken_back()), (&None, true, false));
}

/// Reactions are written into a message beside whatever else is made of it, in any order, and go with it when it is taken back.
pub async fn what_a_message_was_reacted_to_with_is_read_with_it_until_it_is_taken_back(mut home: impl Home) {
    let (log, room) = (home.open().await, code("REACTED"));
    let (mut scribe, tail) = open_life(&*log, &room, 1).await;
    log.append(&room, &tail, &[scribe.sent("one"), scribe.sent("two")]).await.expect("the tail is the end");
    let by: Vec<MemberId> = (1..=9).map(MemberId).collect();
    let named = |text: &str| Reaction::new(ReactionName::parse(text).expect("valid"), &by);
    let reactions = vec![named("+1"), named("\u{1F44D}")];
    let freeze = |seq| Amend::freeze(Seq(seq), Seq(9), reactions.clone());
    log.amend(&room, Epoch(1), &[freeze(2), freeze(3), freeze(1)]).await.expect("messages can be amended");
    log.amend(&room, Epoch(1), &[replace(2, 5, "edited", 1), freeze(3)]).await.expect("messages can be amended");
    drop(log);
    let log = home.open().await;
    let read = log.messages(&room, Epoch(1), Seq(100), 2).await.expect("the log can be read");
    let all: Vec<_> = read.iter().map(|record| record.event.frozen_reactions()).collect();
    assert_eq!(all, [&reactions[..], &reactions[..]]);
    assert_eq!((says(&read, 2).0, says(&read, 3).0), ("edited", "two"));
    log.amend(&room, Epoch(1), &[take_back(2, 10), freeze(2)]).await.expect("messages can be amended");
    let read = read_all(&*log, &room).await;
    assert_eq!((says(&read, 2), read[2].event.frozen_reactions()), (("", Some((10, 1, true))), &[][..]));
}

/// An amendment in another life, of a join, or past the end changes nothing, and does not keep the others from being made.
pub async fn amending_what_is_no_message_changes_nothing(mut home: impl Home) {
    let (log, room) = (home.open().await, code("NOTHING"));
    let (mut scribe, tail) = open_life(&*log, &room, 1).await;
    log.append(&room, &tail, &scribe.talk(2)).await.expect("the tail is the end");
    let before = read_all(&*log, &room).await;
    for (epoch, seq) in [(2, 2), (1, 1), (1, 0), (1, 4)] {
        let bare = Amend::bare(Seq(seq), Seq(9));
        log.amend(&room, Epoch(epoch), &[take_back(seq, 9), replace(seq, 9, "new", 1), bare]).await.expect("no error");
    }
    log.amend(&room, Epoch(1), &[]).await.expect("amending nothing is no error");
    log.amend(&code("NOBODY"), Epoch(1), &[take_back(2, 9)]).await.expect("amending nothing is no error");
    assert_eq!(read_all(&*log, &room).await, before);
    log.amend(&room, Epoch(1), &[take_back(1, 9), take_back(4, 9), take_back(3, 9)]).await.expect("no error");
    assert_eq!(says(&read_all(&*log, &room).await, 3).0, "");
}

/// What was amended is so in the file, too.
pub async fn what_was_amended_is_so_after_reopening(mut home: impl Home) {
    let (log, room) = (home.open().await, code("REOPEN"));
    let (mut scribe, tail) = open_life(&*log, &room, 1).await;
    let tail = log.append(&room, &tail, &scribe.talk(3)).await.expect("the tail is the end");
    log.amend(&room, Epoch(1), &[take_back(2, 9), replace(3, 9, "new", 1)]).await.expect("messages can be amended");
    let before = read_all(&*log, &room).await;
    drop(log);
    let log = home.open().await;
    assert_eq!(read_all(&*log, &room).await, before);
    log.amend(&room, Epoch(1), &[replace(3, 8, "late", 1)]).await.expect("an ignored amendment is no error");
    assert_eq!(read_all(&*log, &room).await, before);
    let end = tail_of(&*log, &room).await;
    assert_eq!(end.offset, tail.offset);
    log.append(&room, &end, &scribe.talk(1)).await.expect("the end is where it was");
}

/// One amendment of a property's run: of which of the first messages, by which change, and whether it is taken back.
#[derive(Clone, Debug)]
struct Any {
    seq: u64,
    change: u64,
    takes_back: bool,
}

/// Whatever is asked, in whatever order and in whatever parts: each message says what the latest of its changes says, as far as it
/// had not been taken back by then.
pub fn any_amendments_leave_what_a_plain_model_says<H: Home>(make: impl Fn() -> H) {
    let any = (2..5_u64, 5..12_u64, proptest::bool::weighted(0.25)).prop_map(|(seq, change, takes_back)| Any {
        seq,
        change,
        takes_back,
    });
    let calls = proptest::collection::vec(proptest::collection::vec(any, 0..4), 0..6);
    let config = Config { cases: cases(32), failure_persistence: None, ..Config::default() };
    TestRunner::new(config)
        .run(&calls, |calls| {
            run(play(make(), calls));
            Ok(())
        })
        .unwrap_or_else(|failure| panic!("{failure}"));
}

async fn play(mut home: impl Home, calls: Vec<Vec<Any>>) {
    let (log, room) = (home.open().await, code("ANY"));
    let (mut scribe, tail) = open_life(&*log, &room, 1).await;
    log.append(&room, &tail, &scribe.talk(2)).await.expect("the tail is the end");
    let first = read_all(&*log, &room).await;
    // By number: the text, the change that made it, and whether it is there at all.
    let mut model: Vec<(u64, String, u64, bool)> =
        [2, 3].map(|seq| (seq, says(&first, seq).0.to_owned(), 0, false)).to_vec();
    for call in &calls {
        let amends = call.iter().map(|any| match any.takes_back {
            true => take_back(any.seq, any.change),
            false => replace(any.seq, any.change, &format!("as of {}", any.change), 1),
        });
        let amends: Vec<Amend> = amends.collect();
        log.amend(&room, Epoch(1), &amends).await.expect("messages can be amended");
        for any in call {
            for (_, text, change, gone) in model.iter_mut().filter(|(seq, ..)| *seq == any.seq) {
                if !*gone && any.change >= *change {
                    (*change, *gone) = (any.change, any.takes_back);
                    *text = if any.takes_back { String::new() } else { format!("as of {}", any.change) };
                }
            }
        }
        let read = read_all(&*log, &room).await;
        for (seq, text, change, gone) in &model {
            let (said, amended) = says(&read, *seq);
            let amended = amended.map_or((0, false), |(change, _, gone)| (change, gone));
            assert_eq!((said, amended), (&**text, (*change, *gone)), "message {seq} after {calls:?}");
        }
        assert_eq!(read[..2], first[..2]);
    }
}
