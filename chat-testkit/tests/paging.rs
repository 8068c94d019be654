//! Pages after and around a message over a log: read back after a restart, unreadable for a while, or overtaken by what is taken back.

mod support;

use chat_core::{
    Command, CommandId, Connection, Engine, Hello, HistoryAnchor, Position, Reply, Resume, Seq, ServerFrame, Topic,
};
use chat_testkit::logs::{Fault, Operation, Outcome};
use support::{TestLog, code, connect, create, engine_with, fails, log, say_many, settle, take};

/// Numbers, whether there are others before and after, and the texts.
type Shown = (Vec<u64>, bool, bool, Vec<String>);

fn shown(frame: ServerFrame) -> Option<Shown> {
    let ServerFrame::History { messages, more_before, more_after, .. } = frame else { return None };
    let (seqs, texts) = messages.iter().map(|message| (message.frame().seq.0, message.frame().text.clone())).unzip();
    Some((seqs, more_before, more_after, texts))
}

async fn page(session: &Connection, anchor: HistoryAnchor, limit: u32) -> Shown {
    let asked = Command::history(code()).with_anchor(anchor).with_limit(limit);
    shown(session.call(asked).await.expect("a history is answered")).expect("with a history")
}

async fn numbers(session: &Connection, anchor: HistoryAnchor, limit: u32) -> (Vec<u64>, bool, bool) {
    let (seqs, before, after, _) = page(session, anchor, limit).await;
    (seqs, before, after)
}

/// A room of which the backlog holds the last few messages only, 2 to 31 in all.
async fn talkative(log: &TestLog) -> (Engine, Connection, Position) {
    let engine = engine_with(log, |limits| {
        (limits.room.backlog_events_max, limits.room.marks_max) = (8, 12);
        limits.lift_rates();
    });
    let mut ann = connect(&engine, None).await;
    let position = create(&mut ann).await.position();
    say_many(&ann, 0..30).await;
    (engine, ann, position)
}

#[tokio::test(start_paused = true)]
async fn who_pages_on_while_the_log_cannot_be_read_is_told_that_there_is_more_and_shown_nothing_further_on() {
    let log = log();
    let (_engine, ann, _) = talkative(&log).await;
    log.plan(fails(&[Operation::Messages]));
    for anchor in [HistoryAnchor::After(Seq(3)), HistoryAnchor::Around(Seq(5)), HistoryAnchor::After(Seq(0))] {
        assert_eq!(numbers(&ann, anchor, 40).await, (vec![], true, true), "{anchor:?}");
    }
    let (seqs, before, after) = numbers(&ann, HistoryAnchor::Around(Seq(30)), 20).await;
    assert!(before && !after && seqs.contains(&30) && seqs.is_sorted_by(|a, b| a + 1 == *b), "{seqs:?}");
    log.heal();
    assert_eq!(numbers(&ann, HistoryAnchor::After(Seq(3)), 3).await, (vec![4, 5, 6], true, true));
    assert_eq!(numbers(&ann, HistoryAnchor::Around(Seq(5)), 3).await, (vec![4, 5, 6], true, true));
    assert_eq!(numbers(&ann, HistoryAnchor::After(Seq(0)), 40).await, ((2..=31).collect(), false, false));
}

#[tokio::test(start_paused = true)]
async fn a_room_that_was_read_back_is_paged_on_and_around() {
    let log = log();
    let (engine, ann, position) = talkative(&log).await;
    let token = ann.token();
    drop((ann, engine));
    settle().await;
    let engine = engine_with(&log, |limits| {
        (limits.room.backlog_events_max, limits.room.marks_max) = (8, 12);
        limits.lift_rates();
    });
    let resume = Resume { token, positions: vec![(code(), position)] };
    let hello = Hello { resume: Some(resume), ..Hello::default() };
    let ann = engine.connect(Default::default(), hello).await.expect("she is known");
    take(&ann);
    let (mut seqs, mut after) = (Vec::new(), Seq(0));
    loop {
        let (shown, before, more) = numbers(&ann, HistoryAnchor::After(after), 7).await;
        assert_eq!(before, !seqs.is_empty());
        after = Seq(*shown.last().expect("there are others"));
        seqs.extend(shown);
        if !more {
            break;
        }
    }
    assert_eq!(seqs, (2..=31).collect::<Vec<_>>());
    for seq in 2..=31 {
        let (shown, before, after) = numbers(&ann, HistoryAnchor::Around(Seq(seq)), 5).await;
        let (first, last) = ((seq - 2).max(2), (seq + 2).min(31));
        assert_eq!((shown, before, after), ((first..=last).collect(), first > 2, last < 31), "around {seq}");
    }
}

/// On either side of the message that was asked for.
#[tokio::test(start_paused = true)]
async fn what_is_taken_back_while_a_page_around_it_is_on_its_way_is_masked() {
    let log = log();
    let (_engine, ann, _) = talkative(&log).await;
    take(&ann);
    log.push(Operation::Messages, Fault::answered_late(Outcome::Done));
    let asked = Command::history(code()).with_anchor(HistoryAnchor::Around(Seq(10))).with_limit(6);
    ann.submit(asked, Reply::mailbox(Some(CommandId(7)))).expect("few are in flight");
    settle().await;
    ann.peek();
    settle().await;
    assert_eq!(log.stalled(), 1, "the log has read a part of it");
    for target in [8, 11] {
        ann.call(Command::redact(code(), Seq(target))).await.expect("her own");
    }
    log.release_all();
    settle().await;
    let (seqs, _, _, texts) = take(&ann).into_iter().find_map(shown).expect("it has come");
    assert_eq!(seqs, [7, 8, 9, 10, 11, 12]);
    assert_eq!(texts, ["5", "", "7", "8", "", "10"]);
}

/// Everybody who comes back to a room that has to be read first skips what is due there, too.
#[tokio::test(start_paused = true)]
async fn a_room_that_is_read_back_is_skipped_as_any_other() {
    let log = log();
    let (engine, ann, position) = talkative(&log).await;
    let token = ann.token();
    drop((ann, engine));
    settle().await;
    let engine = engine_with(&log, |limits| limits.lift_rates());
    let resume = Resume { token, positions: vec![(code(), position)] };
    let hello = Hello { resume: Some(resume), catch_up: Some(10), ..Hello::default() };
    let ann = engine.connect(Default::default(), hello).await.expect("she is known");
    settle().await;
    take(&ann);
    settle().await;
    let told = take(&ann);
    let gap = told.iter().find_map(|frame| match frame {
        ServerFrame::Gap { from, to, .. } => Some((from.0, to.0)),
        _ => None,
    });
    assert_eq!(gap, Some((2, 31)), "{told:?}");
}

/// Retention takes what is old out of the log and nothing out of memory: pages show what is in either, and neither leap over what is left nor
/// say of what is nowhere that there is more.
#[tokio::test(start_paused = true)]
async fn a_log_that_is_cut_inside_the_backlog_is_paged_without_a_hole() {
    const SAID: u64 = 40;
    for (backlog_events_max, marks_max) in [(8, 4), (24, 4), (24, 100), (100, 1), (100, 100)] {
        let log = log();
        let engine = engine_with(&log, |limits| {
            (limits.room.backlog_events_max, limits.room.marks_max) = (backlog_events_max, marks_max);
            limits.lift_rates();
        });
        let mut ann = connect(&engine, None).await;
        create(&mut ann).await;
        for number in 0..SAID as usize / 4 {
            say_many(&ann, 4 * number..4 * number + 4).await;
            let topic = Topic::parse(&number.to_string()).expect("a number is a topic");
            ann.call(Command::set_topic(code(), topic)).await.expect("she owns it");
        }
        let said: Vec<u64> = messages_of_log(&log);
        assert_eq!(said.len() as u64, SAID);
        for cut in (1..=52).step_by(7) {
            log.inner().trim(&code(), Seq(cut));
            let (there, before, after) = numbers(&ann, HistoryAnchor::After(Seq(0)), 100).await;
            let case = format!("backlog {backlog_events_max}, marks {marks_max}, cut {cut}");
            assert!(said.ends_with(&there) && !before && !after, "{case}: {there:?}");
            assert!(there.ends_with(&messages_of_log(&log)), "{case}: {there:?}");
            assert!(backlog_events_max < 100 || there == said, "{case}: {there:?}");
            for place in 0..=53 {
                for limit in [0, 1, 5, 40] {
                    let (up, down) = (HistoryAnchor::After(Seq(place)), HistoryAnchor::Before(Seq(place)));
                    let around = HistoryAnchor::Around(Seq(place));
                    for (anchor, from, older) in [(down, place, limit), (up, place + 1, 0), (around, place, limit / 2)]
                    {
                        let middle = there.partition_point(|&seq| seq < from);
                        let first = middle - middle.min(older as usize);
                        let newer = if anchor == down { 0 } else { limit - older };
                        let last = (middle + newer as usize).min(there.len());
                        let expected = (there[first..last].to_vec(), first > 0, last < there.len());
                        assert_eq!(numbers(&ann, anchor, limit).await, expected, "{case}, {limit} {anchor:?}");
                    }
                }
            }
        }
    }
}

/// Numbers, oldest first.
fn messages_of_log(log: &TestLog) -> Vec<u64> {
    let records = log.inner().records(&code()).into_iter();
    records.filter(|record| record.event.is_message()).filter_map(|record| record.seq).map(|seq| seq.0).collect()
}
