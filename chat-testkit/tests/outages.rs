//! Long outages of the log while the process lives on: nobody is put out for them, and what was owed is paid when it is back.

mod support;

use std::time::Duration;

use chat_core::wire::Status;
use chat_core::{Body, Command, Connection, Engine, Event, Log, Offset, RejectCode, Reply, RoomCode, Seq, ServerFrame};
use chat_testkit::logs::{Delay, Fault, Operation, Outcome};
use support::{
    TestLog, code, come_back, connect, create, engine, engine_with, fails, founder, join, joined, log, newcomer,
    next_message, nick, say, say_many, seconds, settle, submit, text, texts, try_to_come_back,
};

const WRITE_AND_READ: &[Operation] = &[Operation::Append, Operation::Read];

/// Bob's session, away since now.
async fn away(bob: Connection) -> String {
    let token = bob.token();
    drop(bob);
    settle().await;
    token
}

#[tokio::test(start_paused = true)]
async fn who_could_not_come_back_while_the_log_was_out_of_reach_is_still_a_member_afterwards() {
    for ends_with in [None, Some(Outcome::AnswerLost), Some(Outcome::NotDone), Some(Outcome::Fails)] {
        let log = log();
        let engine = engine(&log);
        let ann = founder(&engine).await;
        let token = away(newcomer(&engine, "Bob").await).await;
        // The second outage as the first: what one leaves behind is not to shorten the next.
        for key in ["k1", "k2"] {
            seconds(1).await;
            ends_with.iter().for_each(|outcome| log.push(Operation::Append, *outcome));
            log.plan(fails(WRITE_AND_READ));
            let outage = async {
                for _ in 0..12 {
                    seconds(5).await;
                    assert_eq!(try_to_come_back(&engine, &token).await, Status::Unavailable);
                }
                log.heal();
            };
            let (answer, ()) = tokio::join!(say(&ann, key, key), outage);
            assert_eq!(answer, Err(RejectCode::Unavailable), "nobody waits for longer than for one call of the log");
            seconds(10).await;
            say(&ann, key, key).await.expect("the log works again, and has the message once");
        }
        seconds(20).await;
        assert_eq!(come_back(&engine, &token, None).await.1.status, Status::Live, "{ends_with:?}");
    }
}

/// They may have said it again meanwhile, elsewhere.
#[tokio::test(start_paused = true)]
async fn what_was_called_lost_is_not_said_after_all() {
    let log = log();
    let engine = engine(&log);
    let ann = founder(&engine).await;
    log.plan(fails(WRITE_AND_READ));
    assert_eq!(say(&ann, "one", "k1").await, Err(RejectCode::Unavailable));
    log.heal();
    seconds(10).await;
    assert_eq!(texts(&engine, "Bob").await, Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn an_outage_whose_batch_is_given_up_begins_the_graces_again() {
    let log = log();
    let engine = engine(&log);
    let ann = founder(&engine).await;
    let token = away(newcomer(&engine, "Bob").await).await;
    seconds(20).await;
    log.plan(fails(WRITE_AND_READ));
    let outage = async {
        seconds(60).await;
        log.heal();
        log.push(Operation::Append, Outcome::Fails);
    };
    let (answer, ()) = tokio::join!(say(&ann, "one", "k1"), outage);
    assert_eq!(answer, Err(RejectCode::Unavailable));
    seconds(25).await;
    assert_eq!(come_back(&engine, &token, None).await.1.status, Status::Live);
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_kept_nobody_out_prolongs_no_grace() {
    let log = log();
    let engine = engine(&log);
    let ann = founder(&engine).await;
    let token = away(newcomer(&engine, "Bob").await).await;
    seconds(20).await;
    log.push(Operation::Append, Outcome::Fails);
    assert_eq!(say(&ann, "one", "k1").await, Ok(Seq(3)));
    log.push(Operation::Append, Outcome::AnswerLost);
    assert_eq!(say(&ann, "two", "k2").await, Ok(Seq(4)));
    seconds(12).await;
    assert_eq!(come_back(&engine, &token, None).await.1.status, Status::Left);
}

/// More of them than a room reads at once, and than it takes before it says `busy`: a room that is held up is not to put out those
/// who stand at its door.
#[tokio::test(start_paused = true)]
async fn who_comes_back_while_a_stalled_log_holds_up_the_room_is_let_in_before_graces_run_out() {
    const PEOPLE: usize = 600;
    let log = log();
    let engine = engine_with(&log, |limits| (limits.room.batch_inputs_max, limits.room.inbox_max) = (64, 128));
    let ann = founder(&engine).await;
    let mut sessions = Vec::new();
    for number in 0..=PEOPLE {
        sessions.push(newcomer(&engine, &format!("Guest {number}")).await);
    }
    let mut tokens = Vec::new();
    // One stays: that somebody has gone is an item that nobody is answered for, and fills no batch.
    let stays = sessions.split_off(PEOPLE);
    for session in sessions {
        tokens.push(away(session).await);
    }
    seconds(20).await;
    log.push(Operation::Append, Fault { before: Delay::For(Duration::from_secs(60)), ..Fault::default() });
    let back = async {
        seconds(5).await;
        drop(stays);
        let back = tokens.iter().map(|token| {
            let (engine, token) = (engine.clone(), token.clone());
            tokio::spawn(async move { come_back(&engine, &token, None).await })
        });
        let mut statuses = Vec::new();
        for back in back.collect::<Vec<_>>() {
            statuses.push(back.await.expect("no panic").1.status);
        }
        statuses
    };
    let (answer, statuses) = tokio::join!(say(&ann, "one", "k1"), back);
    answer.expect("it was slow, and no more");
    assert_eq!(statuses.iter().filter(|status| **status == Status::Live).count(), PEOPLE);
}

/// Asks for so much that a client whose fault it were would be shown out.
async fn insist(session: &Connection, refused: RejectCode) {
    for _ in 0..10 {
        let mut answers = Vec::new();
        for _ in 0..16 {
            let (reply, answer) = Reply::channel(None);
            let said = Command::send(code(), text("now"));
            session.submit(said, reply).expect("the connection is open, and few commands are in flight");
            answers.push(answer);
        }
        for answer in answers {
            let answer = answer.await.expect("every command is answered");
            assert_eq!(answer.reject.map(|reject| reject.code), Some(refused));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_log_cannot_do_is_not_counted_against_the_client() {
    let log = log();
    let engine = engine_with(&log, |limits| {
        (limits.session.refusal_burst, limits.session.refusals_per_second) = (5, 1);
        limits.session.send_per_second = 0;
    });
    let ann = founder(&engine).await;
    let bob = newcomer(&engine, "Bob").await;
    log.plan(fails(WRITE_AND_READ));
    let outage = async {
        seconds(1).await;
        insist(&bob, RejectCode::Unavailable).await;
        log.heal();
    };
    let (answer, ()) = tokio::join!(say(&ann, "one", "k1"), outage);
    assert_eq!(answer, Err(RejectCode::Unavailable));
    seconds(10).await;
    assert_eq!(say(&bob, "two", "k2").await, Ok(Seq(3)));
    assert_eq!(bob.ended(), None);
}

/// Nobody knows what became of it, and they are told so. What the log has after all is there once, and whoever asked again is not in
/// the way of themselves.
#[tokio::test(start_paused = true)]
async fn who_asks_while_the_log_is_out_of_reach_is_told_within_half_a_minute() {
    let log = log();
    let engine = engine(&log);
    let (mut ann, mut bob) = (connect(&engine, None).await, connect(&engine, None).await);
    create(&mut ann).await;
    log.push(Operation::Append, Outcome::AnswerLost);
    log.plan(fails(WRITE_AND_READ));
    let began = tokio::time::Instant::now();
    let (said, entered) = tokio::join!(say(&ann, "one", "k1"), join(&bob, "Bob"));
    assert_eq!(
        (said, entered.map_err(|reject| reject.code)),
        (Err(RejectCode::Unavailable), Err(RejectCode::Unavailable))
    );
    assert!(began.elapsed() <= Duration::from_secs(35), "{:?}", began.elapsed());
    seconds(60).await;
    log.heal();
    seconds(10).await;
    let seq = say(&ann, "one", "k1").await.expect("she has been in all the time");
    assert_eq!(said_in(&log, &engine).await, [(seq, "one".to_owned())]);
    join(&bob, "Bob").await.expect("nobody is called Bob, or he himself is");
    joined(&mut bob).await;
    say(&bob, "two", "k2").await.expect("he is in");
}

/// What the log says was said.
async fn said_in(log: &TestLog, engine: &Engine) -> Vec<(Seq, String)> {
    assert_eq!(engine.rooms(), [code()]);
    let records = log.inner().read(&code(), None, Offset(0), 100).await.expect("it can be read").records;
    let said = records.into_iter().filter_map(|record| match record.event {
        Event::Sent { text, .. } => Some((record.seq?, text.as_str().to_owned())),
        _ => None,
    });
    said.collect()
}

/// A room of which the backlog holds the last few messages only.
async fn talkative(log: &TestLog) -> (Engine, Connection) {
    let engine = engine_with(log, |limits| {
        limits.room.backlog_events_max = 4;
        limits.session.send_per_second = 0;
    });
    let ann = founder(&engine).await;
    say_many(&ann, 0..10).await;
    (engine, ann)
}

/// The texts of a page of history, and whether there is more.
async fn history(session: &Connection) -> (Vec<String>, bool) {
    let page = Command::history(code()).with_limit(20);
    let answer = session.call(page).await.expect("a history is always answered");
    let ServerFrame::History { messages, more, .. } = answer else { panic!("a history is answered with one") };
    (messages.iter().map(|message| message.frame().text.clone()).collect(), more)
}

#[tokio::test(start_paused = true)]
async fn who_looks_back_while_the_log_cannot_be_read_is_told_that_there_is_more() {
    let log = log();
    let (engine, ann) = talkative(&log).await;
    log.plan(fails(&[Operation::Messages]));
    let (texts, more) = history(&ann).await;
    assert!(texts.len() < 10 && more, "{texts:?}, {more}");
    let mut bob = connect(&engine, None).await;
    join(&bob, "Bob").await.expect("the room is there");
    let shown = joined(&mut bob).await;
    assert!(shown.history.len() < 10 && shown.more);
    log.heal();
    let (texts, more) = history(&ann).await;
    assert_eq!((texts.len(), more), (10, false), "as soon as it can be read again");
}

/// What the log holds of the room, in words.
async fn kept(log: &TestLog) -> String {
    format!("{:?}", log.inner().read(&code(), None, Offset(0), usize::MAX).await.expect("the memory can be read"))
}

#[tokio::test(start_paused = true)]
async fn what_could_not_be_scrubbed_is_scrubbed_when_the_log_is_back_though_nobody_says_a_word() {
    let log = log();
    let engine = engine(&log);
    let ann = founder(&engine).await;
    for (secret, key) in [("a secret", "k1"), ("another", "k2")] {
        let seq = say(&ann, secret, key).await.expect("the log works");
        log.plan(fails(&[Operation::Amend]));
        ann.call(Command::redact(code(), seq)).await.expect("her own message");
        seconds(60).await;
        assert!(kept(&log).await.contains(secret), "the log was out of order");
        assert!(log.faults(Operation::Amend) < 60, "it is asked again, and seldom");
        log.heal();
        seconds(6).await;
        assert!(!kept(&log).await.contains(secret));
        let calls = log.calls(Operation::Amend);
        seconds(60).await;
        assert_eq!(log.calls(Operation::Amend), calls, "nothing is owed any more");
    }
    assert_eq!(say(&ann, "more", "k3").await, Ok(Seq(6)));
}

#[tokio::test(start_paused = true)]
async fn what_is_taken_back_is_shown_to_nobody_though_the_log_could_not_be_made_to_forget_it() {
    let log = log();
    let (_engine, ann) = talkative(&log).await;
    log.plan(fails(&[Operation::Amend]));
    ann.call(Command::redact(code(), Seq(3))).await.expect("her own message");
    let (texts, _) = history(&ann).await;
    assert_eq!(texts[..4], ["0", "", "2", "3"]);
    log.heal();
    seconds(6).await;
    assert_eq!(history(&ann).await.0[..4], ["0", "", "2", "3"]);
}

fn say_later(session: &Connection, said: Body) {
    drop(submit(session, Command::send(code(), said)));
}

#[tokio::test(start_paused = true)]
async fn what_one_life_is_owed_is_not_taken_from_the_next() {
    let log = log();
    let engine = engine(&log);
    let (mut ann, bob) = (connect(&engine, None).await, connect(&engine, None).await);
    create(&mut ann).await;
    assert_eq!(say(&ann, "a secret", "k1").await, Ok(Seq(2)));
    log.push(Operation::Amend, Outcome::Fails);
    log.push(Operation::Amend, Outcome::Fails);
    ann.call(Command::redact(code(), Seq(2))).await.expect("her own message");
    let _left = submit(&ann, Command::leave(code()));
    let _made = submit(&bob, Command::create(nick("Bob")).with_room(code()));
    say_later(&bob, text("hello"));
    settle().await;
    log.heal();
    seconds(10).await;
    assert!(kept(&log).await.contains("hello"), "nobody has taken it back: {}", kept(&log).await);
    assert_eq!(texts(&engine, "Zoe").await, ["hello"]);
}

#[tokio::test(start_paused = true)]
async fn a_code_whose_last_life_could_not_be_deleted_is_refused_at_once_and_free_when_it_could() {
    let log = log();
    let engine = engine(&log);
    let (mut ann, mut bob) = (connect(&engine, None).await, connect(&engine, None).await);
    let first = create(&mut ann).await.epoch;
    log.plan(fails(&[Operation::Delete]));
    let _left = submit(&ann, Command::leave(code()));
    let made = submit(&bob, Command::create(nick("Bob")).with_room(code()));
    let answer = tokio::time::timeout(Duration::from_millis(50), made).await.expect("nobody waits for an outage");
    let answer = answer.expect("every command is answered");
    assert_eq!(answer.reject.map(|reject| reject.code), Some(RejectCode::Unavailable));
    log.heal();
    seconds(1).await;
    assert_ne!(create(&mut bob).await.epoch, first);
}

/// It gives memory back when it is asked to, and can be asked again afterwards.
#[tokio::test(start_paused = true)]
async fn a_room_that_waits_for_its_log_takes_no_memory_from_others() {
    const BYTES: usize = 32 << 10;
    let log = log();
    let engine = engine_with(&log, |limits| {
        limits.engine.memory_bytes_max = BYTES;
        limits.session.send_per_second = 0;
    });
    let (mut ann, mut zoe) = (connect(&engine, None).await, connect(&engine, None).await);
    create(&mut ann).await;
    while engine.stats().backlog_bytes < BYTES / 4 * 3 {
        say_many(&ann, 0..1).await;
    }
    zoe.call(Command::create(nick("Zoe"))).await.expect("a code is free");
    let room = RoomCode::parse(&joined(&mut zoe).await.room).expect("valid");
    log.plan(|call| fails(WRITE_AND_READ)(call).filter(|_| call.room == Some(code())));
    let zoe_talks = async |messages: usize| {
        for _ in 0..messages {
            let said = Command::send(room.clone(), text(&"x".repeat(100)));
            zoe.call(said).await.expect("her room works");
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    };
    let outage = async {
        zoe_talks(40).await;
        log.heal();
        log.push(Operation::Append, Outcome::Fails);
    };
    let (answer, ()) = tokio::join!(say(&ann, "one", "k1"), outage);
    assert_eq!(answer, Err(RejectCode::Unavailable), "her room says nothing, and so gives nothing by itself");
    zoe_talks(60).await;
    assert!(engine.stats().backlog_bytes <= BYTES, "{} bytes", engine.stats().backlog_bytes);
}

/// What they asked changes nothing, so nothing of it is undone.
#[tokio::test(start_paused = true)]
async fn who_asks_to_come_in_again_during_an_outage_stays_in() {
    for asks_to_create in [false, true] {
        let log = log();
        let engine = engine(&log);
        let (mut ann, mut bob) = (connect(&engine, None).await, connect(&engine, None).await);
        create(&mut ann).await;
        join(&bob, "Bob").await.expect("the room is there");
        joined(&mut bob).await;
        log.push(Operation::Append, Outcome::AnswerLost);
        log.plan(fails(WRITE_AND_READ));
        let again = async {
            match asks_to_create {
                false => join(&ann, "Ann").await,
                true => ann.call(Command::create(nick("Ann")).with_room(code())).await,
            }
        };
        let (said, again) = tokio::join!(say(&bob, "one", "k1"), again);
        assert_eq!((said.is_err(), again.is_err()), (true, true));
        log.heal();
        seconds(60).await;
        say(&ann, "still here", "k2").await.expect("she has been in all the time");
        let heard = [next_message(&mut ann).await.1, next_message(&mut ann).await.1];
        assert_eq!(heard, ["one", "still here"]);
    }
}

/// Both are undone, and what was before them holds.
#[tokio::test(start_paused = true)]
async fn who_leaves_and_comes_back_in_a_batch_that_is_lost_stays_in() {
    for goes_once_more in [false, true] {
        let log = log();
        let engine = engine(&log);
        let mut ann = founder(&engine).await;
        let _bob = newcomer(&engine, "Bob").await;
        log.plan(fails(WRITE_AND_READ));
        let leave = || ann.call(Command::leave(code()));
        let more = async { if goes_once_more { leave().await.is_err() } else { true } };
        let (left, entered, more) = tokio::join!(leave(), join(&ann, "Ann"), more);
        assert_eq!((left.is_err(), entered.is_err(), more), (true, true, true));
        log.heal();
        seconds(60).await;
        say(&ann, "still here", "k2").await.expect("she has never left");
        assert_eq!(next_message(&mut ann).await.1, "still here");
    }
}
