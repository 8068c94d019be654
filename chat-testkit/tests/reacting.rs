//! Reactions over a log: whole after restarts and gaps, shown beside messages that only the log has, and written into them once they take no more.

mod support;

use std::time::Duration;

use chat_core::room::{Ledger, Snapshot};
use chat_core::wire::ChangedMessage;
use chat_core::{
    Command, Connection, Engine, Event, Limits, Log, MemberId, Reaction, ReactionName, Record, RejectCode, Seq,
    ServerFrame,
};
use chat_testkit::logs::{Fault, Operation, Outcome};
use support::{
    TestLog, code, connect, create, engine_with, fails, joined, log, newcomer, nick, pass, say, settle, take,
};

/// Of everything so little is at hand that a page has to be read from the log.
fn narrow(limits: &mut Limits) {
    limits.lift_rates();
    (limits.room.backlog_events_max, limits.room.reactable_max) = (8, 24);
}

fn name(text: &str) -> ReactionName {
    ReactionName::parse(text).expect("valid")
}

/// Names, counts and numbers.
type Shown = Vec<(String, u32, Vec<u32>)>;

fn shown(reactions: &[Reaction]) -> Shown {
    let one = |one: &Reaction| (one.name.to_string(), one.count, one.by.iter().map(|by| by.0).collect());
    reactions.iter().map(one).collect()
}

fn liked(count: u32, by: &[u32]) -> Shown {
    vec![("+1".to_owned(), count, by.to_vec())]
}

async fn react(session: &Connection, target: u64) -> Result<Seq, RejectCode> {
    answered(session.call(Command::react(code(), Seq(target), name("+1"))).await)
}

async fn unreact(session: &Connection, target: u64) -> Result<Seq, RejectCode> {
    answered(session.call(Command::unreact(code(), Seq(target), name("+1"))).await)
}

fn answered(answer: Result<ServerFrame, chat_core::Reject>) -> Result<Seq, RejectCode> {
    match answer {
        Ok(ServerFrame::Ack { seq, .. }) => Ok(seq),
        Ok(other) => panic!("a reaction is answered with an ack: {other:?}"),
        Err(reject) => Err(reject.code),
    }
}

/// What one message shows that is asked for by itself.
async fn of(session: &Connection, seq: u64) -> Shown {
    let command = Command::history(code()).with_before(Seq(seq + 1)).with_limit(1);
    match session.call(command).await {
        Ok(ServerFrame::History { messages, .. }) => shown(&messages.last().expect("there is one").frame().reactions),
        other => panic!("a history is answered with one: {other:?}"),
    }
}

/// Ann has said twenty numbers, from message 3 on, and Bob is there.
async fn stage(log: &TestLog, change: impl FnOnce(&mut Limits)) -> (Engine, Connection, Connection) {
    let engine = engine_with(log, |limits| {
        narrow(limits);
        change(limits);
    });
    let mut ann = connect(&engine, None).await;
    create(&mut ann).await;
    let mut bob = newcomer(&engine, "Bob").await;
    joined(&mut bob).await;
    for number in 3..23 {
        say(&ann, &number.to_string(), &format!("k{number}")).await.expect("the log works");
    }
    take(&ann);
    take(&bob);
    (engine, ann, bob)
}

/// What the log has written into the record of a message.
fn frozen(log: &TestLog, seq: u64) -> Shown {
    let is_it = |record: &Record| record.seq == Some(Seq(seq));
    log.inner()
        .records(&code())
        .into_iter()
        .find(is_it)
        .map(|record| shown(record.event.frozen_reactions()))
        .expect("it is there")
}

#[tokio::test(start_paused = true)]
async fn reactions_are_shown_beside_messages_that_only_the_log_has_and_after_a_restart() {
    let log = log();
    let (engine, ann, bob) = stage(&log, |_| {}).await;
    for (session, target) in [(&ann, 3), (&bob, 3), (&bob, 22)] {
        react(session, target).await.expect("they may");
    }
    assert_eq!((of(&ann, 3).await, of(&ann, 22).await, of(&ann, 4).await), (liked(2, &[1, 2]), liked(1, &[2]), vec![]));
    unreact(&ann, 3).await.expect("hers");
    assert_eq!(of(&bob, 3).await, liked(1, &[2]));
    drop((ann, bob, engine));
    settle().await;
    let engine = engine_with(&log, narrow);
    let mut cid = newcomer(&engine, "Cid").await;
    let told = joined(&mut cid).await;
    assert_eq!(
        (shown(&told.history.last().expect("some").frame().reactions), told.changed_at),
        (liked(1, &[2]), Seq(26))
    );
    assert_eq!(of(&cid, 3).await, liked(1, &[2]));
    react(&cid, 3).await.expect("he may");
    assert_eq!(of(&cid, 3).await, liked(2, &[2, 3]));
    assert_eq!(frozen(&log, 3), vec![], "it takes more");
}

#[tokio::test(start_paused = true)]
async fn a_page_that_was_read_before_a_reaction_and_is_taken_after_it_shows_it() {
    let log = log();
    let (_engine, ann, bob) = stage(&log, |_| {}).await;
    log.push(Operation::Messages, Fault::answered_late(Outcome::Done));
    let page = bob.call(Command::history(code()).with_before(Seq(4)));
    let mut page = std::pin::pin!(page);
    assert!(futures(&mut page).await.is_none(), "the log has not answered");
    react(&ann, 3).await.expect("hers");
    log.release_all();
    settle().await;
    let Ok(ServerFrame::History { messages, as_of, .. }) = page.await else { panic!("he is in") };
    assert_eq!((shown(&messages[0].frame().reactions), as_of), (liked(1, &[1]), Seq(23)));
}

#[tokio::test(start_paused = true)]
async fn what_takes_no_more_is_written_into_its_record_and_shown_from_there() {
    let log = log();
    let (engine, ann, bob) = stage(&log, |_| {}).await;
    for target in [3, 4, 22] {
        react(&bob, target).await.expect("he may");
    }
    for number in 0..6 {
        say(&ann, "more", &format!("m{number}")).await.expect("the log works");
    }
    assert_eq!((react(&ann, 3).await, unreact(&bob, 4).await), (Err(RejectCode::TooLate), Err(RejectCode::TooLate)));
    assert_eq!(frozen(&log, 3), vec![], "it waits for others");
    assert_eq!(of(&ann, 3).await, liked(1, &[2]), "and is shown all the same");
    let amended = log.calls(Operation::Amend);
    pass(Duration::from_secs(6)).await;
    assert_eq!((frozen(&log, 3), frozen(&log, 4), frozen(&log, 22)), (liked(1, &[2]), liked(1, &[2]), vec![]));
    assert_eq!(log.calls(Operation::Amend), amended + 1, "both at once");
    assert_eq!((of(&ann, 3).await, of(&ann, 22).await), (liked(1, &[2]), liked(1, &[2])));
    drop((ann, bob, engine));
    settle().await;
    let engine = engine_with(&log, narrow);
    let cid = newcomer(&engine, "Cid").await;
    assert_eq!(
        (of(&cid, 3).await, of(&cid, 4).await, of(&cid, 22).await),
        (liked(1, &[2]), liked(1, &[2]), liked(1, &[2]))
    );
    assert_eq!(react(&cid, 4).await, Err(RejectCode::TooLate));
}

/// A process that ends before the log could be amended leaves it to the next one; until then all is shown.
#[tokio::test(start_paused = true)]
async fn what_could_not_be_written_is_written_after_a_restart() {
    let log = log();
    let (engine, ann, bob) = stage(&log, |_| {}).await;
    react(&bob, 3).await.expect("he may");
    log.plan(fails(&[Operation::Amend]));
    for number in 0..6 {
        say(&ann, "more", &format!("m{number}")).await.expect("the log works");
    }
    pass(Duration::from_secs(6)).await;
    assert_eq!((frozen(&log, 3), of(&ann, 3).await), (vec![], liked(1, &[2])));
    drop((ann, bob, engine));
    settle().await;
    let engine = engine_with(&log, narrow);
    let cid = newcomer(&engine, "Cid").await;
    assert_eq!(of(&cid, 3).await, liked(1, &[2]));
    log.heal();
    pass(Duration::from_secs(12)).await;
    assert_eq!((frozen(&log, 3), of(&cid, 3).await), (liked(1, &[2]), liked(1, &[2])));
}

/// Neither waits for the other, nor for its own time.
#[tokio::test(start_paused = true)]
async fn an_engine_that_goes_down_writes_them_and_saves_what_was_read_after_that() {
    let log = log();
    let (engine, ann, bob) = stage(&log, |_| {}).await;
    react(&bob, 3).await.expect("he may");
    for number in 0..6 {
        say(&ann, "more", &format!("m{number}")).await.expect("the log works");
    }
    pass(Duration::from_secs(1)).await;
    bob.call(Command::read(code(), Seq(12))).await.expect("he is in");
    assert_eq!((frozen(&log, 3), log.calls(Operation::SaveReadPositions)), (vec![], 0), "both wait");
    drop((ann, bob));
    engine.drain(Duration::ZERO).await;
    settle().await;
    assert_eq!((frozen(&log, 3), log.calls(Operation::SaveReadPositions)), (liked(1, &[2]), 1));
}

/// A smaller bound freezes when the room is read, as of its head; that may be a range which the log has still to forget.
#[tokio::test(start_paused = true)]
async fn what_a_smaller_bound_freezes_is_written_with_the_range_that_is_owed_then() {
    let log = log();
    let (engine, ann, bob) = stage(&log, |_| {}).await;
    say(&bob, "to be forgotten", "b").await.expect("the log works");
    react(&ann, 3).await.expect("hers");
    log.plan(fails(&[Operation::Amend]));
    ann.call(Command::redact_all(code(), MemberId(2))).await.expect("she moderates");
    drop((ann, bob, engine));
    settle().await;
    let records = log.inner().records(&code());
    let mut limits = Limits::default();
    narrow(&mut limits);
    let mut ledger = Ledger::new(&limits.room);
    records.iter().for_each(|record| ledger.apply(record));
    assert!(matches!(records.last().map(|record| &record.event), Some(Event::Swept { .. })), "it is the head");
    let (epoch, through) = (ledger.epoch().expect("it is there"), ledger.last_offset());
    let bytes = serde_json::to_vec(&Snapshot::from(ledger)).expect("it can be stored");
    log.inner().save_snapshot(&code(), epoch, through, &bytes).await.expect("the memory can be written");
    log.heal();
    let engine = engine_with(&log, |limits| {
        narrow(limits);
        limits.room.reactable_max = 4;
    });
    let cid = newcomer(&engine, "Cid").await;
    pass(Duration::from_secs(12)).await;
    assert!(!format!("{:?}", log.inner().records(&code())).contains("to be forgotten"));
    assert_eq!((frozen(&log, 3), of(&cid, 3).await), (liked(1, &[1]), liked(1, &[1])));
}

/// A message whose reactions are frozen is in the backlog, too: it is shown from there as it is shown from the log.
#[tokio::test(start_paused = true)]
async fn what_takes_no_more_and_is_at_hand_is_shown_as_what_the_log_has() {
    let log = log();
    let (_engine, ann, bob) = stage(&log, |limits| {
        (limits.room.backlog_events_max, limits.room.reactable_max) = (4_096, 3);
    })
    .await;
    react(&bob, 22).await.expect("he may");
    for number in 0..4 {
        say(&ann, "more", &format!("m{number}")).await.expect("the log works");
    }
    pass(Duration::from_secs(6)).await;
    let read = log.calls(Operation::Messages);
    assert_eq!((of(&ann, 22).await, frozen(&log, 22)), (liked(1, &[2]), liked(1, &[2])));
    ann.call(Command::redact(code(), Seq(22))).await.expect("hers");
    assert_eq!(of(&ann, 22).await, vec![]);
    settle().await;
    assert_eq!((frozen(&log, 22), log.calls(Operation::Messages)), (vec![], read));
}

#[tokio::test(start_paused = true)]
async fn whoever_misses_reactions_in_a_gap_is_told_of_them_on_asking() {
    let log = log();
    let (_engine, ann, bob) = stage(&log, |limits| limits.session.gap_interval = Duration::ZERO).await;
    for _ in 0..12 {
        react(&ann, 5).await.expect("hers");
        unreact(&ann, 5).await.expect("hers");
    }
    react(&ann, 5).await.expect("hers");
    let mut told = take(&bob);
    pass(Duration::from_secs(1)).await;
    told.extend(take(&bob));
    let gap = told.iter().find_map(|frame| match frame {
        ServerFrame::Gap { changed_at, to, .. } => Some((*changed_at, *to)),
        _ => None,
    });
    assert_eq!(gap, Some((Some(Seq(47)), Seq(47))));
    let answer = bob.call(Command::changes(code(), Seq(22))).await.expect("he is in");
    let ServerFrame::Changes { messages, through, .. } = answer else { panic!("{answer:?}") };
    let [ChangedMessage::There(message)] = &messages[..] else { panic!("{messages:?}") };
    assert_eq!((message.frame().seq, shown(&message.frame().reactions), through), (Seq(5), liked(1, &[1]), Seq(47)));
}

/// A newcomer who sees nothing of what was said before them is told that something happened, and not what.
#[tokio::test(start_paused = true)]
async fn nobody_is_told_who_reacts_to_what_they_may_not_see() {
    let log = log();
    let (engine, ann, _bob) = stage(&log, |limits| limits.room.newcomers_see = chat_core::NewcomersSee::Nothing).await;
    let mut cid = newcomer(&engine, "Cid").await;
    joined(&mut cid).await;
    react(&ann, 22).await.expect("hers");
    say(&ann, "new", "new").await.expect("the log works");
    react(&ann, 25).await.expect("hers");
    settle().await;
    let told = take(&cid).into_iter().filter_map(|frame| match frame {
        ServerFrame::Reacted { seq, target, reaction, .. } => Some((seq, target, reaction.map(|one| one.by))),
        _ => None,
    });
    let told: Vec<_> = told.collect();
    assert_eq!(told, [(Seq(24), None, None), (Seq(26), Some(Seq(25)), Some(MemberId(1)))]);
    let answer = cid.call(Command::changes(code(), Seq(23))).await.expect("he is in");
    let ServerFrame::Changes { messages, .. } = answer else { panic!("{answer:?}") };
    assert_eq!(messages.iter().map(ChangedMessage::seq).collect::<Vec<_>>(), [Seq(25)]);
}

/// A log that is asked to amend its records is asked for messages alone, and once for each.
#[tokio::test(start_paused = true)]
async fn a_message_is_frozen_once_and_a_sweep_before_it_leaves_nothing_to_freeze() {
    let log = log();
    let (_engine, ann, bob) = stage(&log, |limits| limits.room.reactable_max = 4).await;
    react(&bob, 22).await.expect("he may");
    react(&bob, 21).await.expect("he may");
    ann.call(Command::redact(code(), Seq(21))).await.expect("hers");
    for number in 0..8 {
        say(&bob, "more", &format!("m{number}")).await.expect("the log works");
    }
    pass(Duration::from_secs(6)).await;
    assert_eq!((frozen(&log, 21), frozen(&log, 22)), (vec![], liked(1, &[2])));
    let settled = |log: &TestLog| {
        let records = log.inner().records(&code());
        records.iter().filter(|record| matches!(record.event, Event::Settled { .. })).count()
    };
    let (before, amended) = (settled(&log), log.calls(Operation::Amend));
    say(&bob, "more", "m8").await.expect("the log works");
    say(&bob, "more", "m9").await.expect("the log works");
    assert_eq!((settled(&log), log.calls(Operation::Amend)), (before + 1, amended));
}

#[tokio::test(start_paused = true)]
async fn a_person_who_leaves_and_comes_back_has_their_reactions_still() {
    let log = log();
    let (_engine, ann, bob) = stage(&log, |_| {}).await;
    react(&bob, 5).await.expect("he may");
    bob.call(Command::leave(code())).await.expect("he is in");
    assert_eq!(of(&ann, 5).await, liked(1, &[2]));
    bob.call(Command::join(code(), nick("Bobby"))).await.expect("he may");
    settle().await;
    take(&bob);
    assert_eq!(unreact(&bob, 5).await.map(|seq| seq.0), Ok(26));
    assert_eq!(of(&ann, 5).await, vec![]);
}

/// Reactions count with the bytes of a page, those that come while it waits to be taken as well.
#[tokio::test(start_paused = true)]
async fn pages_end_at_their_bytes_with_all_that_their_messages_were_reacted_to_with() {
    let log = log();
    let (_engine, ann, bob) = stage(&log, |limits| {
        (limits.session.page_bytes_max, limits.room.reactions_per_person_max) = (3_000, 1_000);
    })
    .await;
    let react_often = async |targets: std::ops::Range<u64>, turn: usize| {
        for target in targets {
            for number in 0..10 {
                let name = name(&format!("{turn}-{number:028}"));
                answered(ann.call(Command::react(code(), Seq(target), name)).await).expect("hers");
            }
            take(&ann);
        }
    };
    let page = async |before: Seq| {
        let answer = bob.call(Command::history(code()).with_before(before).with_limit(200)).await.expect("he is in");
        let ServerFrame::History { messages, more, .. } = answer else { panic!("not a history") };
        let bytes: usize = messages.iter().map(|one| serde_json::to_vec(one).expect("it can be written").len()).sum();
        assert!(bytes <= 3_000 || messages.len() == 1, "{bytes} bytes of {} messages", messages.len());
        let seqs: Vec<u64> = messages.iter().map(|message| message.frame().seq.0).collect();
        (seqs, more)
    };
    assert!(page(Seq(23)).await.0.len() > 10, "without them many fit in");
    react_often(3..23, 0).await;
    let (mut seen, mut before) = (Vec::new(), Seq(23));
    loop {
        let (seqs, more) = page(before).await;
        before = Seq(seqs[0]);
        seen.splice(0..0, seqs);
        if !more {
            break;
        }
    }
    assert_eq!(seen, (3..23).collect::<Vec<_>>());
    log.push(Operation::Messages, Fault::answered_late(Outcome::Done));
    let asked = page(Seq(9));
    let mut asked = std::pin::pin!(asked);
    assert!(futures(&mut asked).await.is_none(), "the log has not answered");
    react_often(3..9, 1).await;
    log.release_all();
    settle().await;
    assert_eq!(asked.await, (vec![7, 8], true), "it was read again: four fitted in when it was asked for");
}

/// Looks once whether it is done.
async fn futures<T>(future: &mut std::pin::Pin<&mut impl Future<Output = T>>) -> Option<T> {
    std::future::poll_fn(|cx| {
        std::task::Poll::Ready(match future.as_mut().poll(cx) {
            std::task::Poll::Ready(done) => Some(done),
            std::task::Poll::Pending => None,
        })
    })
    .await
}
