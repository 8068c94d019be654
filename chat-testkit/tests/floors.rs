//! What a newcomer sees of the messages before their join: a floor that no page of a log, position or redaction goes below.

mod support;

use chat_core::wire::TaggedMessage;
use chat_core::{Command, Connection, MemberId, NewcomersSee, Position, RejectCode, Seq, ServerFrame};
use support::{
    code, come_back, connect, engine_with, founder, join, joined, log, say, say_many, settle, take, texts_of,
};

/// Page after page of what somebody sees, oldest first.
async fn all_pages(session: &Connection) -> Vec<String> {
    let (mut shown, mut before) = (Vec::new(), None);
    loop {
        let asked = Command::history(code()).with_before(before).with_limit(7);
        let page = session.call(asked).await.expect("a member may look back");
        let ServerFrame::History { messages, more, .. } = page else { panic!("{page:?}") };
        let frames: Vec<_> = messages.iter().map(TaggedMessage::frame).collect();
        before = frames.first().map(|first| first.seq).or(before);
        shown.splice(0..0, frames.iter().map(|message| message.text.clone()));
        if !more {
            return shown;
        }
        assert!(!frames.is_empty(), "there is more, it is said");
    }
}

#[tokio::test(start_paused = true)]
async fn pages_from_the_log_end_at_the_floor_of_who_reads_them() {
    for sees in [NewcomersSee::All, NewcomersSee::Last(30), NewcomersSee::Nothing] {
        let log = log();
        let engine = engine_with(&log, |limits| {
            limits.lift_rates();
            (limits.room.newcomers_see, limits.room.backlog_events_max) = (sees, 8);
            // Fewer than are seen, so that the room has forgotten some of them.
            limits.room.marks_max = 40;
        });
        let ann = founder(&engine).await;
        say_many(&ann, 0..60).await;
        let bob = connect(&engine, None).await;
        join(&bob, "Bob").await.expect("the room is there");
        say_many(&ann, 60..100).await;
        let first = match sees {
            NewcomersSee::Last(30) => 30,
            NewcomersSee::Nothing => 60,
            _ => 0,
        };
        let seen: Vec<String> = (first..100).map(|number| number.to_string()).collect();
        assert_eq!(all_pages(&bob).await, seen, "{sees:?}");
        assert_eq!(all_pages(&ann).await.len(), 100, "who was there sees it all");
    }
}

#[tokio::test(start_paused = true)]
async fn a_floor_outlives_a_leave_and_a_restart_and_no_position_goes_below_it() {
    let log = log();
    let engine = engine_with(&log, |limits| limits.room.newcomers_see = NewcomersSee::Nothing);
    let ann = founder(&engine).await;
    let hidden = say(&ann, "hidden", "k1").await.expect("said");
    let mut bob = connect(&engine, None).await;
    let ServerFrame::Welcome { token: Some(token), .. } = bob.next().await else { panic!("welcome comes first") };
    join(&bob, "Bob").await.expect("the room is there");
    let shown = joined(&mut bob).await;
    assert_eq!(texts_of(&shown), Vec::<String>::new());
    say(&ann, "seen", "k2").await.expect("said");
    bob.call(Command::leave(code())).await.expect("he is in it");
    say(&ann, "while away", "k3").await.expect("said");
    join(&bob, "Bob").await.expect("and may come again");
    assert_eq!(texts_of(&joined(&mut bob).await), ["seen", "while away"], "what he saw, and what followed");
    let refused = bob.call(Command::redact(code(), hidden)).await.expect_err("he knows of no such message");
    assert_eq!(refused.code, RejectCode::MessageNotFound);
    drop((bob, ann));
    settle().await;
    drop(engine);

    // What newcomers see now is nothing to him.
    let engine = engine_with(&log, |limits| limits.room.newcomers_see = NewcomersSee::All);
    for seq in [0, 1, 2] {
        let position = Position { epoch: shown.epoch, seq: Seq(seq) };
        let (mut again, _) = come_back(&engine, &token, Some(position)).await;
        assert_eq!(texts_of(&joined(&mut again).await), ["seen", "while away"], "a position of {seq}");
        assert_eq!(all_pages(&again).await, ["seen", "while away"]);
        drop(again);
        settle().await;
    }
    let cid = connect(&engine, None).await;
    join(&cid, "Cid").await.expect("the room is there");
    assert_eq!(all_pages(&cid).await, ["hidden", "seen", "while away"]);
}

/// What is told of a range that was taken back: which events, if any.
fn swept(frames: &[ServerFrame]) -> Vec<(Seq, Option<(Seq, Seq)>)> {
    let swept = frames.iter().filter_map(|frame| match frame {
        ServerFrame::Swept { seq, range, .. } => Some((*seq, range.map(|range| (range.from, range.to)))),
        _ => None,
    });
    swept.collect()
}

#[tokio::test(start_paused = true)]
async fn of_a_range_that_is_taken_back_nobody_is_told_of_what_lies_below_their_floor() {
    // A room that tells who comes, so that newcomers see the event of their own join; and one that only counts them.
    for (notices_members_max, sees_own_join) in [(100, true), (0, false)] {
        let log = log();
        let engine = engine_with(&log, |limits| {
            limits.room.newcomers_see = NewcomersSee::Nothing;
            limits.room.notices_members_max = notices_members_max;
        });
        let ann = founder(&engine).await;
        let bob = connect(&engine, None).await;
        join(&bob, "Bob").await.expect("the room is there");
        for key in ["k1", "k2"] {
            say(&bob, "to be forgotten", key).await.expect("he is in");
        }
        let cid = connect(&engine, None).await;
        join(&cid, "Cid").await.expect("the room is there");
        settle().await;
        let head = take(&ann).iter().filter_map(|frame| frame.numbered().map(|(_, seq)| seq)).max().expect("some");
        take(&cid);
        let expected = sees_own_join.then_some((head, head));
        let answer = ann.call(Command::redact_all(code(), MemberId(2))).await.expect("she owns the room");
        let ServerFrame::Ack { seq, .. } = answer else { panic!("{answer:?}") };
        settle().await;
        assert_eq!(swept(&take(&ann)), [(seq, Some((Seq(1), head)))], "she sees all of it");
        assert_eq!(swept(&take(&cid)), [(seq, expected)], "notices up to {notices_members_max}");
        assert_eq!(say(&cid, "hi", "k3").await, Ok(seq.next()), "his position has moved all the same");
    }
}
