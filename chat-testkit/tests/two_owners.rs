//! Two owners of one room: what the other one has written is found, told, and never written over.

mod support;

use std::sync::Arc;
use std::time::Duration;

use chat_core::{
    CloseReason, Command, Connection, Engine, Event, LeaveReason, Log, LogInUse, MemberChange, MemberId, Offset,
    Position, ReactionName, Record, RejectCode, Reply, Seq, ServerFrame, Tail, Topic,
};
use chat_testkit::logs::{Fault, MemoryLog, Operation, Outcome};
use support::bent::BentLog;
use support::{
    TestLog, code, come_back, connect, create, engine, engine_with, fails, founder, join, joined, log, newcomer,
    next_left, next_message, nick, say, seconds, settle, take, texts, texts_of,
};

#[tokio::test(start_paused = true)]
async fn a_second_owner_is_refused_by_the_log_and_learns_what_the_first_wrote() {
    let memory = Arc::new(MemoryLog::new());
    let [one, two] = [(), ()].map(|()| engine(&Arc::new(BentLog::new(&memory))));
    let ann = founder(&one).await;
    let bob = connect(&two, None).await;
    join(&bob, "Bob").await.expect("the second reads the room from the log");
    // The first still believes in its own tail: the log refuses it, it reads what the second wrote, and decides again.
    assert_eq!(say(&ann, "one", "k1").await, Ok(Seq(3)));
    assert_eq!(say(&bob, "two", "k2").await, Ok(Seq(4)));
}

/// Another owner writes what happened next.
async fn other_writes(log: &TestLog, event: Event) {
    other_records(log, MemberId(1), event, Some).await;
}

/// The same of a member, under the number that may be had, or none.
async fn other_records(log: &TestLog, by: MemberId, event: Event, seq: impl FnOnce(Seq) -> Option<Seq>) {
    let stretch = log.inner().read(&code(), None, Offset(0), usize::MAX).await.expect("the memory can be read");
    let last = stretch.records.last().expect("the room has records");
    let head = stretch.records.iter().filter_map(|record| record.seq).max().expect("somebody has joined");
    let record = Record { offset: last.offset.next(), seq: seq(head.next()), at: last.at, by: Some(by), event };
    let tail: Tail = stretch.tail;
    log.inner().append(&code(), &tail, &[record]).await.expect("the tail is the end");
}

fn topic(topic: &str) -> Event {
    Event::TopicChanged { topic: Topic::parse(topic).expect("valid") }
}

async fn next_topic(session: &mut Connection) -> (Seq, String) {
    loop {
        if let ServerFrame::TopicChanged { seq, topic, .. } = session.next().await {
            return (seq, topic);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_another_owner_wrote_behind_a_lost_answer_is_not_taken_for_ours() {
    let log = log();
    let engine = engine(&log);
    let mut ann = founder(&engine).await;
    log.push(Operation::Append, Outcome::AnswerLost);
    log.plan(fails(&[Operation::Read]));
    let other = async {
        seconds(1).await;
        other_writes(&log, topic("theirs")).await;
        log.heal();
    };
    let (answer, ()) = tokio::join!(say(&ann, "one", "k1"), other);
    assert_eq!(answer, Ok(Seq(2)));
    assert_eq!(say(&ann, "two", "k2").await, Ok(Seq(4)));
    assert_eq!(next_message(&mut ann).await, (Seq(2), "one".into()));
    assert_eq!(next_topic(&mut ann).await, (Seq(3), "theirs".into()));
    assert_eq!(next_message(&mut ann).await, (Seq(4), "two".into()));
    assert_eq!(texts(&engine, "Bob").await, ["one", "two"]);
}

/// To try again would be of no use. What the log has is shown as before.
#[tokio::test(start_paused = true)]
async fn what_a_deposed_server_would_write_is_refused_and_not_tried_again() {
    let log = log();
    let engine = engine(&log);
    let ann = founder(&engine).await;
    assert_eq!(say(&ann, "one", "k1").await, Ok(Seq(2)));
    let before = log.calls(Operation::Append);
    log.push(Operation::Append, Outcome::Deposed);
    assert_eq!(say(&ann, "two", "k2").await, Err(RejectCode::Unavailable));
    assert_eq!(log.calls(Operation::Append), before + 1);
    assert_eq!(say(&ann, "three", "k3").await, Ok(Seq(3)));
    assert_eq!(texts(&engine, "Bob").await, ["one", "three"]);
}

/// Every `member_left` and topic that somebody is told until nothing more comes.
async fn told_of_exits(session: &mut Connection) -> Vec<(String, Option<Seq>)> {
    let mut told = Vec::new();
    while let Ok(frame) = tokio::time::timeout(Duration::from_secs(5), session.next()).await {
        match frame {
            ServerFrame::MemberLeft { nick, seq, .. } => told.push((nick, seq)),
            ServerFrame::TopicChanged { topic, seq, .. } => told.push((topic, Some(seq))),
            _ => {}
        }
    }
    told
}

/// What is found is shown no faster than readers follow: whoever reads hears all of it.
#[tokio::test(start_paused = true)]
async fn who_reads_hears_all_that_another_owner_wrote_however_much_it_is() {
    let log = log();
    let engine = engine_with(&log, |limits| limits.room.backlog_events_max = 8);
    let ann = founder(&engine).await;
    let mut bob = newcomer(&engine, "Bob").await;
    let read = tokio::spawn(async move {
        let mut topics = Vec::new();
        loop {
            match bob.next().await {
                ServerFrame::TopicChanged { topic, .. } => topics.push(topic),
                ServerFrame::Message(_) => return Ok(topics),
                gap @ ServerFrame::Gap { .. } => return Err(gap),
                _ => {}
            }
        }
    });
    for number in 0..100 {
        other_writes(&log, topic(&number.to_string())).await;
    }
    assert_eq!(say(&ann, "one", "k1").await, Ok(Seq(103)));
    let topics = read.await.expect("Bob reads").expect("no gap");
    assert_eq!(topics, (0..100).map(|number| number.to_string()).collect::<Vec<_>>());
    assert_eq!(engine.stats().gaps_unblocked, 0);
}

#[tokio::test(start_paused = true)]
async fn who_was_put_out_by_another_owner_is_told_so_and_nothing_after_it() {
    let log = log();
    let engine = engine(&log);
    let ann = founder(&engine).await;
    let mut bob = newcomer(&engine, "Bob").await;
    other_writes(&log, Event::Kicked { member: MemberId(2), nick: nick("Bob"), ban: None }).await;
    other_writes(&log, topic("theirs")).await;
    assert_eq!(say(&ann, "one", "k1").await, Ok(Seq(5)));
    assert_eq!(told_of_exits(&mut bob).await, [("Bob".to_owned(), Some(Seq(3)))]);
}

#[tokio::test(start_paused = true)]
async fn who_has_left_quietly_by_the_word_of_another_owner_is_told_so() {
    let log = log();
    let engine = engine_with(&log, |limits| limits.room.notices_members_max = 0);
    let ann = founder(&engine).await;
    let mut bob = newcomer(&engine, "Bob").await;
    let left = Event::Left { nick: nick("Bob"), reason: LeaveReason::Timeout, held: None };
    other_records(&log, MemberId(2), left, |_| None).await;
    other_writes(&log, topic("theirs")).await;
    assert_eq!(say(&ann, "one", "k1").await, Ok(Seq(4)));
    assert_eq!(told_of_exits(&mut bob).await, [("Bob".to_owned(), None)], "what came after is nothing of his");
}

/// What they asked for was not written: nobody has heard of it.
#[tokio::test(start_paused = true)]
async fn who_has_left_quietly_while_they_changed_their_name_left_under_the_name_before() {
    let log = log();
    let engine = engine_with(&log, |limits| limits.room.notices_members_max = 0);
    let _ann = founder(&engine).await;
    let mut bob = newcomer(&engine, "Bob").await;
    let left = Event::Left { nick: nick("Bob"), reason: LeaveReason::Timeout, held: None };
    other_records(&log, MemberId(2), left, |_| None).await;
    let asked = bob.call(Command::me(code(), MemberChange::new().nick(nick("Rob")))).await;
    assert_eq!(asked.expect_err("he is not in it").code, RejectCode::NotMember);
    assert_eq!(told_of_exits(&mut bob).await, [("Bob".to_owned(), None)]);
}

/// The number is the same, and so is the person: only the stay is another.
#[tokio::test(start_paused = true)]
async fn who_left_and_came_in_again_by_the_word_of_another_owner_is_told_of_the_end_of_their_stay() {
    let log = log();
    let engine = engine(&log);
    let ann = founder(&engine).await;
    let mut bob = newcomer(&engine, "Bob").await;
    let joined = log.inner().records(&code()).into_iter().rfind(|record| record.by == Some(MemberId(2)));
    let joined = joined.expect("Bob has joined").event;
    let left = Event::Left { nick: nick("Bob"), reason: LeaveReason::Timeout, held: None };
    other_records(&log, MemberId(2), left, Some).await;
    other_records(&log, MemberId(2), joined, Some).await;
    other_writes(&log, topic("theirs")).await;
    assert_eq!(say(&ann, "one", "k1").await, Ok(Seq(6)));
    assert_eq!(told_of_exits(&mut bob).await, [("Bob".to_owned(), Some(Seq(3)))]);
}

#[tokio::test(start_paused = true)]
async fn what_another_owner_took_back_is_shown_to_nobody() {
    let log = log();
    let engine = engine(&log);
    let ann = founder(&engine).await;
    assert_eq!(say(&ann, "a secret", "k1").await, Ok(Seq(2)));
    other_writes(&log, Event::Redacted { target: Seq(2) }).await;
    assert_eq!(say(&ann, "two", "k2").await, Ok(Seq(4)));
    assert_eq!(texts(&engine, "Bob").await, ["", "two"]);
    let kept = log.inner().records(&code());
    assert!(!format!("{kept:?}").contains("a secret"));
}

/// A reaction of Bob's, who is member 2.
fn reacted(target: Seq, on: bool) -> Event {
    let name = ReactionName::parse("+1").expect("valid");
    Event::Reacted { target, name, on, count: u32::from(on), keyed: None }
}

#[tokio::test(start_paused = true)]
async fn a_reaction_that_another_owner_took_back_is_shown_to_nobody() {
    let log = log();
    let engine = engine_with(&log, |limits| limits.room.reactable_max = 2);
    let ann = founder(&engine).await;
    let bob = newcomer(&engine, "Bob").await;
    for (target, key) in [(3, "k1"), (4, "k2")] {
        assert_eq!(say(&ann, "liked", key).await, Ok(Seq(target)));
    }
    for target in [3, 4] {
        let react = Command::react(code(), Seq(target), ReactionName::parse("+1").expect("valid"));
        bob.call(react).await.expect("he may");
    }
    let likes = async |seqs: &[u64]| -> Vec<usize> {
        let answer = ann.call(Command::history(code())).await.expect("she is in");
        let ServerFrame::History { messages, .. } = answer else { panic!("not a history: {answer:?}") };
        let frames = messages.iter().map(|message| message.frame());
        frames.filter(|frame| seqs.contains(&frame.seq.0)).map(|frame| frame.reactions.len()).collect()
    };
    assert_eq!(likes(&[3, 4]).await, [1, 1]);
    other_records(&log, MemberId(2), reacted(Seq(3), false), Some).await;
    assert_eq!(say(&ann, "more", "k3").await, Ok(Seq(8)));
    assert_eq!(likes(&[3, 4]).await, [0, 1], "of one that takes more no record has anything");
    assert_eq!(say(&ann, "more", "k4").await, Ok(Seq(9)));
    seconds(12).await;
    assert_eq!(likes(&[3, 4]).await, [0, 1]);
}

#[tokio::test(start_paused = true)]
async fn whom_another_owner_put_out_reads_no_further() {
    let log = log();
    let engine = engine(&log);
    let mut ann = founder(&engine).await;
    let mut bob = newcomer(&engine, "Bob").await;
    let kicked = Event::Kicked { member: MemberId(2), nick: support::nick("Bob"), ban: None };
    other_writes(&log, kicked).await;
    assert_eq!(say(&ann, "behind his back", "k1").await, Ok(Seq(4)));
    assert_eq!(next_message(&mut ann).await.1, "behind his back");
    let heard = tokio::time::timeout(Duration::from_secs(5), next_message(&mut bob)).await;
    assert!(heard.is_err(), "{heard:?}");
}

/// What ran out is written by itself, and nobody asks again when it is undone: the room has to set its clock anew.
#[tokio::test(start_paused = true)]
async fn a_grace_whose_end_was_undone_runs_out_again() {
    let log = log();
    let engine = engine(&log);
    let mut ann = founder(&engine).await;
    drop(newcomer(&engine, "Bob").await);
    settle().await;
    other_writes(&log, topic("theirs")).await;
    let left = tokio::time::timeout(Duration::from_secs(120), next_left(&mut ann)).await;
    assert_eq!(left, Ok(("Bob".into(), "timeout".into())));
}

/// The second time a command is refused, and not decided for ever.
#[tokio::test(start_paused = true)]
async fn who_meets_another_owner_twice_is_refused_and_graces_still_run_out() {
    let log = log();
    let engine = engine(&log);
    let mut ann = founder(&engine).await;
    drop(newcomer(&engine, "Bob").await);
    settle().await;
    other_writes(&log, topic("first")).await;
    // The second conflict is behind an outage, in which Bob's grace runs out.
    let appends = log.calls(Operation::Append);
    let counting = Arc::downgrade(&log);
    log.plan(move |call| {
        let calls = counting.upgrade().map_or(0, |log| log.calls(Operation::Append));
        let is_second = calls >= appends + 2;
        is_second.then(|| fails(&[Operation::Append, Operation::Read])(call)).flatten()
    });
    let other = async {
        seconds(60).await;
        other_writes(&log, topic("second")).await;
        log.heal();
    };
    let (answer, ()) = tokio::join!(say(&ann, "one", "k1"), other);
    assert_eq!(answer, Err(chat_core::RejectCode::Unavailable));
    let left = tokio::time::timeout(Duration::from_secs(120), next_left(&mut ann)).await;
    assert_eq!(left, Ok(("Bob".into(), "timeout".into())));
    ann.call(Command::leave(code())).await.expect("she is in it");
    settle().await;
    assert_eq!(engine.stats().rooms, 0);
}

/// The second would find nobody attached, and put out everybody whom the first serves.
#[tokio::test(start_paused = true)]
async fn a_second_engine_over_one_log_is_refused_until_all_of_the_first_is_gone() {
    let log = log();
    let first = engine(&log);
    let ann = founder(&first).await;
    let second = || Engine::builder().log(Arc::clone(&log) as _);
    assert_eq!(second().err(), Some(LogInUse));
    seconds(120).await;
    assert_eq!(say(&ann, "still here", "k1").await, Ok(Seq(2)));
    drop(first);
    assert_eq!(second().err(), Some(LogInUse), "a session of it is left");

    // A room that waits for the log may write to it yet.
    log.push(Operation::Append, Fault::stalled(Outcome::Done));
    let (reply, _answer) = Reply::channel(None);
    let last = Command::send(code(), support::text("late"));
    ann.submit(last, reply).expect("few commands are in flight");
    drop(ann);
    settle().await;
    assert_eq!(second().err(), Some(LogInUse), "a room of it waits for the log");
    assert!(log.release_one());
    settle().await;

    let next = second().expect("nothing is left").build();
    assert_eq!(texts(&next, "Bob").await, ["still here", "late"]);
}

#[tokio::test(start_paused = true)]
async fn a_life_that_another_owner_has_ended_is_over() {
    let log = log();
    let engine = engine(&log);
    let mut ann = founder(&engine).await;
    let stretch = log.inner().read(&code(), None, Offset(0), 0).await.expect("the memory can be read");
    log.inner().delete(&code(), stretch.tail.epoch.expect("it is alive")).await.expect("the memory forgets");
    assert_eq!(say(&ann, "one", "k1").await, Err(RejectCode::RoomNotFound));
    while !matches!(ann.next().await, ServerFrame::RoomClosed { .. }) {}
}

/// A disk that lied about a flush, or a backup that was put in its place. Nobody who has seen numbers is told them again without a word.
#[tokio::test(start_paused = true)]
async fn where_the_log_has_lost_what_members_have_seen_they_are_shown_the_room_anew() {
    let log = log();
    let engine = engine(&log);
    let mut ann = connect(&engine, None).await;
    let epoch = create(&mut ann).await.epoch;
    assert_eq!(say(&ann, "one", "k1").await, Ok(Seq(2)));
    assert_eq!(say(&ann, "two", "k2").await, Ok(Seq(3)));
    log.lose_tail(&code(), 1).await;
    let left = log.inner().records(&code());
    let asked = tokio::time::Instant::now();
    assert_eq!(say(&ann, "other", "k3").await, Err(RejectCode::Unavailable));
    assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
    assert_eq!(log.inner().records(&code()), left);
    let is_fault =
        |frame: &ServerFrame| matches!(frame, ServerFrame::Closing { code, .. } if *code == CloseReason::Fault.code());
    assert!(take(&ann).iter().any(is_fault), "she is to come back");
    let token = ann.token();
    drop(ann);
    let (mut ann, _) = come_back(&engine, &token, Some(Position { epoch, seq: Seq(3) })).await;
    assert_eq!(texts_of(&joined(&mut ann).await), ["one"], "what is there");
    assert_eq!(say(&ann, "other", "k3").await, Ok(Seq(3)));
}
