//! Histories over a log that is slow or fails: what was taken back is not shown, and a session has one page at a time.

mod support;

use std::time::Duration;

use chat_core::{Command, Connection, Event, MemberId, RejectCode, Reply, Seq, ServerFrame};
use chat_testkit::logs::{Fault, Operation, Outcome};
use support::stage::Stage;
use support::{TestLog, code, connect, engine_with, fails, newcomer, nick, pass, settle, take, text, texts_of_log};

/// A message that only the log has by the time it is asked for.
const SECRET: Seq = Seq(3);

impl Stage {
    /// What Bob is shown of the messages before this one.
    async fn shown(&self, before: Seq) -> Vec<String> {
        self.ask(0, before, 10);
        self.look().await;
        histories(&self.bob).pop().expect("it is answered").1
    }
}

impl Stage {
    /// Ann changes what she has said.
    async fn edit(&self, target: Seq, said: &str) {
        self.ann.call(Command::edit(code(), target, text(said))).await.expect("it is hers");
        settle().await;
    }
}

fn texts(frame: ServerFrame) -> Option<(u64, Vec<String>)> {
    let ServerFrame::History { id, messages, .. } = frame else { return None };
    let texts = messages.iter().map(|message| message.frame().text.clone()).collect();
    Some((id.map_or(0, |id| id.0), texts))
}

/// The histories that are due: numbers and texts.
fn histories(session: &Connection) -> Vec<(u64, Vec<String>)> {
    take(session).into_iter().filter_map(texts).collect()
}

#[tokio::test(start_paused = true)]
async fn what_is_taken_back_is_not_shown_while_it_is_being_scrubbed() {
    let stage = Stage::new("secret", |_| {}).await;
    stage.log.push(Operation::Amend, Fault::stalled(Outcome::Done));
    let redact = Command::redact(code(), SECRET);
    stage.ann.submit(redact, Reply::mailbox(None)).expect("few are in flight");
    // In the same moment: the room answers it before the log has forgotten anything.
    assert_eq!(stage.shown(SECRET.next()).await, [""]);
    assert_eq!((stage.log.stalled(), &*texts_of_log(&stage.log)[0]), (1, "secret"));
    stage.log.release_all();
    settle().await;
    assert_eq!((stage.shown(SECRET.next()).await, &*texts_of_log(&stage.log)[0]), (vec![String::new()], ""));
}

#[tokio::test(start_paused = true)]
async fn nor_where_the_page_was_read_before_it_and_arrives_after_it() {
    let stage = Stage::new("secret", |_| {}).await;
    stage.log.push(Operation::Messages, Fault::answered_late(Outcome::Done));
    stage.ask(7, SECRET.next(), 10);
    stage.look().await;
    assert_eq!(stage.log.stalled(), 1, "the log has read it");
    assert_eq!(stage.redact(SECRET).await, Ok(()));
    settle().await;
    assert_eq!(texts_of_log(&stage.log)[0], "", "and forgotten it, before its answer comes");
    stage.log.release_all();
    settle().await;
    assert_eq!(histories(&stage.bob), [(7, vec![String::new()])]);
}

#[tokio::test(start_paused = true)]
async fn nor_where_the_page_was_in_hand_and_not_read() {
    let stage = Stage::new("secret", |_| {}).await;
    stage.ask(7, SECRET.next(), 10);
    stage.look().await;
    let frame = stage.bob.peek().expect("the page is in hand");
    assert!(String::from_utf8_lossy(&frame.json).contains("secret"));
    assert_eq!(stage.redact(SECRET).await, Ok(()));
    settle().await;
    assert_eq!(histories(&stage.bob), [(7, vec![String::new()])]);
    assert_eq!(stage.log.calls(Operation::Messages), 1, "it did not have to be read again");
}

#[tokio::test(start_paused = true)]
async fn a_page_in_hand_is_read_again_where_more_was_taken_back_than_is_remembered() {
    let stage = Stage::new("secret", |limits| limits.room.owed_max = 2).await;
    stage.ask(7, Seq(SECRET.0 + 5), 10);
    stage.look().await;
    assert!(stage.bob.peek().is_some(), "it is in hand");
    for seq in SECRET.0..SECRET.0 + 5 {
        assert_eq!(stage.redact(Seq(seq)).await, Ok(()));
        settle().await;
    }
    let bare = vec![String::new(); 5];
    assert_eq!(histories(&stage.bob), [], "it is read again");
    settle().await;
    assert_eq!(histories(&stage.bob), [(7, bare)]);
    assert_eq!(stage.log.calls(Operation::Messages), 2);
}

#[tokio::test(start_paused = true)]
async fn a_scrub_that_failed_is_made_good_though_nobody_says_anything_more() {
    let stage = Stage::new("secret", |_| {}).await;
    stage.log.push(Operation::Amend, Outcome::Fails);
    stage.log.push(Operation::Amend, Outcome::Fails);
    assert_eq!(stage.redact(SECRET).await, Ok(()));
    assert_eq!(stage.shown(SECRET.next()).await, [""]);
    pass(Duration::from_millis(150)).await;
    assert_eq!((stage.log.calls(Operation::Amend), &*texts_of_log(&stage.log)[0]), (2, "secret"));
    assert_eq!(stage.shown(SECRET.next()).await, [""], "as long as it takes");
    pass(Duration::from_millis(300)).await;
    assert_eq!((stage.log.calls(Operation::Amend), &*texts_of_log(&stage.log)[0]), (3, ""));
    pass(Duration::from_secs(60)).await;
    assert_eq!(stage.log.calls(Operation::Amend), 3, "and is not tried again");
}

#[tokio::test(start_paused = true)]
async fn what_was_never_scrubbed_is_found_after_a_restart_however_much_was_said_since() {
    let stage = Stage::new("secret", |_| {}).await;
    stage.log.plan(fails(&[Operation::Amend]));
    assert_eq!(stage.redact(SECRET).await, Ok(()));
    for _ in 0..1_100 {
        stage.say("x").await;
        take(&stage.ann);
    }
    let log = stage.end().await;
    log.heal();
    let engine = engine_with(&log, |limits| limits.room.backlog_events_max = 16);
    let _cid = newcomer(&engine, "Cid").await;
    assert_eq!(texts_of_log(&log)[0], "", "it is out before anybody is let in");
}

/// A process that ends before the log could be amended, and one whose log cannot be amended at all: whoever comes back is let in, and is
/// shown nothing of it, from the backlog or from the log.
#[tokio::test(start_paused = true)]
async fn what_was_taken_back_is_not_shown_after_a_restart_over_a_log_that_still_has_it() {
    let stage = Stage::new("secret", |_| {}).await;
    stage.log.plan(fails(&[Operation::Amend]));
    // One that only the log has, and one that the backlog has too.
    assert_eq!((stage.redact(SECRET).await, stage.redact(Seq(32)).await), (Ok(()), Ok(())));
    let log = stage.end().await;
    let engine = engine_with(&log, |limits| limits.room.backlog_events_max = 16);
    let mut cid = connect(&engine, None).await;
    cid.call(Command::join(code(), nick("Cid")).with_history(2)).await.expect("the room is there");
    let newest = support::joined(&mut cid).await.history;
    assert_eq!(newest.iter().map(|message| message.frame().text.as_str()).collect::<Vec<_>>(), ["", "x29"]);
    let oldest = cid.call(Command::history(code()).with_before(SECRET.next())).await.expect("he is in");
    assert_eq!(texts(oldest), Some((0, vec![String::new()])));
    let kept = format!("{:?}", log.inner().records(&code()));
    assert!(kept.contains("secret") && kept.contains("x28"), "the log still has both");
    log.heal();
    pass(Duration::from_secs(6)).await;
    let kept = format!("{:?}", log.inner().records(&code()));
    assert!(!kept.contains("secret") && !kept.contains("x28"), "and is made to forget them");
}

fn settled(log: &TestLog) -> Vec<Seq> {
    let through = log.inner().records(&code()).into_iter().filter_map(|record| match record.event {
        Event::Settled { through, .. } => Some(through),
        _ => None,
    });
    through.collect()
}

#[tokio::test(start_paused = true)]
async fn that_the_log_has_forgotten_is_written_with_the_next_append_and_causes_none() {
    let stage = Stage::new("secret", |_| {}).await;
    let appends = stage.log.calls(Operation::Append);
    assert_eq!((stage.redact(SECRET).await, stage.redact(Seq(4)).await), (Ok(()), Ok(())));
    pass(Duration::from_secs(60)).await;
    // The second redaction found the first one done.
    assert_eq!((stage.log.calls(Operation::Append), settled(&stage.log)), (appends + 2, vec![Seq(34)]));
    stage.say("x").await;
    stage.say("x").await;
    assert_eq!((stage.log.calls(Operation::Append), settled(&stage.log)), (appends + 4, vec![Seq(34), Seq(35)]));
    let amended = stage.log.calls(Operation::Amend);
    let log = stage.end().await;
    let engine = engine_with(&log, |_| {});
    let _cid = newcomer(&engine, "Cid").await;
    settle().await;
    assert_eq!(log.calls(Operation::Amend), amended, "nothing is owed after a restart");
}

#[tokio::test(start_paused = true)]
async fn no_more_is_taken_back_than_can_be_masked_while_the_log_forgets_nothing() {
    let stage = Stage::new("secret", |limits| limits.room.owed_max = 2).await;
    stage.log.plan(fails(&[Operation::Amend]));
    assert_eq!((stage.redact(Seq(3)).await, stage.redact(Seq(4)).await), (Ok(()), Ok(())));
    assert_eq!(stage.redact(Seq(5)).await, Err(RejectCode::Unavailable));
    assert_eq!(stage.shown(Seq(6)).await, ["", "", "x1"]);
    stage.say("goes on").await;
    stage.log.heal();
    pass(Duration::from_secs(6)).await;
    assert_eq!(stage.redact(Seq(5)).await, Ok(()));
    settle().await;
    assert_eq!(texts_of_log(&stage.log)[..4], ["", "", "", "x2"]);
}

#[tokio::test(start_paused = true)]
async fn those_that_are_taken_back_in_one_moment_count_together() {
    let stage = Stage::new("secret", |limits| limits.room.owed_max = 2).await;
    stage.log.plan(fails(&[Operation::Amend]));
    let answers = tokio::join!(stage.redact(Seq(3)), stage.redact(Seq(4)), stage.redact(Seq(5)));
    assert_eq!(answers, (Ok(()), Ok(()), Err(RejectCode::Unavailable)));
}

#[tokio::test(start_paused = true)]
async fn a_session_that_does_not_read_has_one_page_from_the_log_and_no_more() {
    let stage = Stage::new("secret", |_| {}).await;
    stage.log.push(Operation::Messages, Fault::stalled(Outcome::Done));
    for id in 1..=3 {
        stage.ask(id, Seq(SECRET.0 + 2 * id), 10);
    }
    stage.ask(4, Seq(34 - 14), 10);
    stage.look().await;
    assert_eq!(histories(&stage.bob), [], "the last one needs the log too");
    assert_eq!(stage.log.calls(Operation::Messages), 1);
    stage.log.release_all();
    settle().await;
    assert!(stage.bob.peek().is_some());
    settle().await;
    assert_eq!(stage.log.calls(Operation::Messages), 1, "the first is in hand");
    let mut told = Vec::new();
    for _ in 0..4 {
        told.extend(histories(&stage.bob).into_iter().map(|(id, texts)| (id, texts.len())));
        settle().await;
    }
    assert_eq!(told, [(1, 2), (2, 4), (3, 6), (4, 10)]);
    assert!(stage.bob.can_submit());
}

#[tokio::test(start_paused = true)]
async fn pages_from_the_log_end_at_their_bytes_and_together_show_everything() {
    let stage = Stage::new("secret", |limits| limits.session.page_bytes_max = 700).await;
    let (mut seen, mut before) = (Vec::new(), Seq(34));
    loop {
        let command = Command::history(code()).with_before(before).with_limit(200);
        let answer = stage.bob.call(command).await.expect("he is in");
        let ServerFrame::History { messages, more, .. } = answer else { panic!("not a history") };
        assert!((1..10).contains(&messages.len()), "{}", messages.len());
        before = messages[0].frame().seq;
        seen.splice(0..0, messages.iter().map(|message| message.frame().seq.0));
        if !more {
            break;
        }
    }
    assert_eq!(seen, (3..=33).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn outside_the_frames_a_second_page_is_refused_while_the_first_is_fetched() {
    let stage = Stage::new("secret", |_| {}).await;
    stage.log.push(Operation::Messages, Fault::answered_late(Outcome::Done));
    let history = Command::history(code()).with_before(SECRET.next()).with_limit(10);
    let first = stage.bob.call(history.clone());
    let mut first = std::pin::pin!(first);
    assert!(futures_poll(&mut first).await.is_none());
    settle().await;
    assert_eq!(stage.bob.call(history.clone()).await.expect_err("one at a time").code, RejectCode::Busy);
    assert_eq!(stage.redact(SECRET).await, Ok(()));
    settle().await;
    stage.log.release_all();
    let frame = first.await.expect("he is in");
    assert_eq!(texts(frame), Some((0, vec![String::new()])), "and it shows what may be shown");
    assert!(stage.bob.call(history).await.is_ok());
}

/// Asked while he was in the room, by a request of its own, and read from a slow log after he was put out, or left, and more was changed.
#[tokio::test(start_paused = true)]
async fn outside_the_frames_a_page_shows_nothing_to_who_is_not_in_the_room_any_more() {
    let ban = Command::ban(code(), MemberId(2));
    for (is_ban, asked) in [
        (true, Command::history(code()).with_before(SECRET.next()).with_limit(10)),
        (false, Command::history(code()).with_before(SECRET.next()).with_limit(10)),
        (true, Command::changes(code(), Seq(0))),
    ] {
        let stage = Stage::new("as it was", |_| {}).await;
        stage.edit(Seq(SECRET.0), "as it was then").await;
        stage.log.push(Operation::Messages, Fault::answered_late(Outcome::Done));
        let mut page = std::pin::pin!(stage.bob.call(asked));
        assert!(futures_poll(&mut page).await.is_none());
        settle().await;
        match is_ban {
            true => stage.ann.call(ban.clone()).await.expect("it is her room"),
            false => stage.bob.call(Command::leave(code())).await.expect("he is in"),
        };
        stage.edit(Seq(SECRET.0), "as it is").await;
        stage.log.release_all();
        let refused = page.await.expect_err("he is not in it");
        assert_eq!(refused.code, RejectCode::NotMember);
    }
}

/// Whoever has lost their connection is not known to be in the room.
#[tokio::test(start_paused = true)]
async fn outside_the_frames_a_page_shows_nothing_to_who_lost_the_connection_that_asked() {
    let stage = Stage::new("as it was", |_| {}).await;
    stage.log.push(Operation::Messages, Fault::answered_late(Outcome::Done));
    let (reply, page) = Reply::channel(None);
    let asked = Command::history(code()).with_before(SECRET.next()).with_limit(10);
    stage.bob.submit(asked, reply).expect("few are in flight");
    settle().await;
    let Stage { bob, log, .. } = stage;
    drop(bob);
    settle().await;
    log.release_all();
    let answered = page.await.expect("it is answered");
    assert_eq!(answered.reject.map(|reject| reject.code), Some(RejectCode::Unavailable));
}

#[tokio::test(start_paused = true)]
async fn a_log_that_panics_while_a_page_is_read_harms_that_page_alone() {
    let stage = Stage::new("secret", |_| {}).await;
    stage.log.plan(|call| {
        assert!(call.operation != Operation::Messages, "a bug in the embedder's log");
        None
    });
    assert_eq!(stage.shown(SECRET.next()).await, [""; 0]);
    let history = Command::history(code()).with_before(SECRET.next()).with_limit(10);
    let answer = stage.bob.call(history).await;
    assert!(matches!(answer, Ok(ServerFrame::History { more: true, .. })), "{answer:?}");
    stage.log.heal();
    assert_eq!(stage.shown(SECRET.next()).await, ["secret"]);
}

/// Looks once whether it is done.
async fn futures_poll<T>(future: &mut std::pin::Pin<&mut impl Future<Output = T>>) -> Option<T> {
    std::future::poll_fn(|cx| {
        std::task::Poll::Ready(match future.as_mut().poll(cx) {
            std::task::Poll::Ready(done) => Some(done),
            std::task::Poll::Pending => None,
        })
    })
    .await
}
