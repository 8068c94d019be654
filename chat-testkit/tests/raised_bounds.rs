//! Another bound of reactions than that of the stored snapshot: what takes no more is written into its record, whenever a process ends.

mod support;

use std::time::Duration;

use chat_core::room::{Ledger, Snapshot};
use chat_core::{Command, Connection, Engine, Limits, Log, Offset, Position, ReactionName, Seq, ServerFrame};
use chat_testkit::logs::Operation;
use support::{
    TestLog, code, come_back, connect, create, engine_with, fails, joined, log, newcomer, say, settle, text,
};

const HOUR: Duration = Duration::from_secs(3_600);

fn bounds(reactable_max: usize) -> impl Fn(&mut Limits) {
    move |limits| {
        limits.lift_rates();
        (limits.room.backlog_events_max, limits.room.reactable_max) = (8, reactable_max);
        limits.room.grace = HOUR;
    }
}

/// The message that was reacted to.
const LIKED: Seq = Seq(3);

fn like(target: Seq) -> Command {
    Command::react(code(), target, ReactionName::parse("+1").expect("valid"))
}

/// How many like a message, as it is shown.
async fn likes(session: &Connection, target: Seq) -> u32 {
    let command = Command::history(code()).with_before(target.next()).with_limit(1);
    let Ok(ServerFrame::History { messages, .. }) = session.call(command).await else { panic!("not a history") };
    messages.last().expect("there is one").frame().reactions.iter().map(|one| one.count).sum()
}

/// How many have their likes in the record of a message.
fn written(log: &TestLog, target: Seq) -> u32 {
    let records = log.inner().records(&code());
    let record = records.iter().find(|record| record.seq == Some(target)).expect("it is there");
    record.event.frozen_reactions().iter().map(|one| one.count).sum()
}

async fn talk(session: &Connection, from: usize, to: usize) {
    for number in from..to {
        say(session, &number.to_string(), &format!("k{number}")).await.expect("the log works");
        support::take(session);
    }
}

async fn pass(seconds: u64) {
    settle().await;
    support::seconds(seconds).await;
    settle().await;
}

struct Stage {
    engine: Engine,
    ann: Connection,
    bob: Connection,
}

impl Stage {
    /// Ann has said twenty numbers, from message 3 on, and Bob likes the first of them.
    async fn new(log: &TestLog, reactable_max: usize) -> Self {
        let engine = engine_with(log, bounds(reactable_max));
        let mut ann = connect(&engine, None).await;
        create(&mut ann).await;
        let mut bob = newcomer(&engine, "Bob").await;
        joined(&mut bob).await;
        talk(&ann, 3, 23).await;
        bob.call(like(LIKED)).await.expect("he may");
        Self { engine, ann, bob }
    }

    /// A process ends without a word, and the next one has another bound.
    async fn restart(self, log: &TestLog, reactable_max: usize) -> Self {
        let tokens = [self.ann.token(), self.bob.token()];
        drop(self);
        settle().await;
        let engine = engine_with(log, bounds(reactable_max));
        let tail = log.inner().read(&code(), None, Offset(0), 0).await.expect("it can be read").tail;
        let position = Some(Position { epoch: tail.epoch.expect("it is there"), seq: LIKED });
        let (ann, _) = come_back(&engine, &tokens[0], position).await;
        let (bob, _) = come_back(&engine, &tokens[1], position).await;
        Self { engine, ann, bob }
    }

    /// Something else is amended, and the log says so with the next record.
    async fn settle_something(&self) {
        let said = say(&self.ann, "wrong", "w").await.expect("the log works");
        self.ann.call(Command::edit(code(), said, text("right"))).await.expect("hers");
        pass(6).await;
        say(&self.ann, "so it says", "s").await.expect("the log works");
    }
}

/// Stores the ledger as it is in the log now, as of these bounds.
async fn store_snapshot(log: &TestLog, reactable_max: usize) {
    let mut limits = Limits::default();
    bounds(reactable_max)(&mut limits);
    let mut ledger = Ledger::new(&limits.room);
    log.inner().records(&code()).iter().for_each(|record| ledger.apply(record));
    let (epoch, through) = (ledger.epoch().expect("it is there"), ledger.last_offset());
    let bytes = serde_json::to_vec(&Snapshot::from(ledger)).expect("it can be stored");
    log.inner().save_snapshot(&code(), epoch, through, &bytes).await.expect("the memory can be written");
}

/// Snapshots cannot be stored from now on.
fn store_no_more(log: &TestLog) {
    log.plan(fails(&[Operation::SaveSnapshot]));
}

/// The snapshot says that a message takes no more, the process after it that it does, and what that process has amended for something else is
/// not taken for the message's reactions.
#[tokio::test(start_paused = true)]
async fn what_was_reacted_to_under_a_greater_bound_is_not_lost_with_a_process_that_stored_no_snapshot() {
    let log = log();
    let stage = Stage::new(&log, 24).await;
    store_snapshot(&log, 24).await;
    store_no_more(&log);
    let stage = stage.restart(&log, 100).await;
    talk(&stage.ann, 23, 60).await;
    stage.ann.call(like(LIKED)).await.expect("it takes more");
    stage.settle_something().await;
    assert_eq!((likes(&stage.bob, LIKED).await, written(&log, LIKED)), (2, 0), "it takes more");
    let stage = stage.restart(&log, 100).await;
    assert_eq!(likes(&stage.bob, LIKED).await, 2);
    log.heal();
    talk(&stage.ann, 60, 160).await;
    pass(6).await;
    assert_eq!((written(&log, LIKED), likes(&stage.bob, LIKED).await), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn what_takes_no_more_under_a_smaller_bound_is_written_whatever_was_settled_before() {
    for has_snapshot in [false, true] {
        let log = log();
        let stage = Stage::new(&log, 100).await;
        if has_snapshot {
            store_snapshot(&log, 100).await;
        }
        talk(&stage.ann, 23, 60).await;
        stage.settle_something().await;
        assert_eq!(written(&log, LIKED), 0, "it takes more");
        let stage = stage.restart(&log, 24).await;
        assert_eq!(likes(&stage.bob, LIKED).await, 1, "snapshot: {has_snapshot}");
        pass(6).await;
        assert_eq!((written(&log, LIKED), likes(&stage.bob, LIKED).await), (1, 1), "snapshot: {has_snapshot}");
    }
}

/// Up and down again, and no process but the first has stored a snapshot.
#[tokio::test(start_paused = true)]
async fn no_bound_of_a_process_in_between_loses_what_was_reacted_with() {
    for last in [24, 50, 100] {
        let log = log();
        let stage = Stage::new(&log, 24).await;
        store_snapshot(&log, 24).await;
        store_no_more(&log);
        let stage = stage.restart(&log, 100).await;
        talk(&stage.ann, 23, 70).await;
        stage.settle_something().await;
        let stage = stage.restart(&log, last).await;
        assert_eq!(likes(&stage.bob, LIKED).await, 1, "{last}");
        log.heal();
        talk(&stage.ann, 70, 170).await;
        pass(6).await;
        let stage = stage.restart(&log, last).await;
        assert_eq!((written(&log, LIKED), likes(&stage.bob, LIKED).await), (1, 1), "{last}");
    }
}

/// Put away and read back by the very process that has raised the bound: nobody has ended, and the snapshot is older.
#[tokio::test(start_paused = true)]
async fn a_room_that_was_put_away_under_a_raised_bound_loses_nothing() {
    let log = log();
    let stage = Stage::new(&log, 24).await;
    store_snapshot(&log, 24).await;
    let stage = stage.restart(&log, 100).await;
    talk(&stage.ann, 23, 60).await;
    let Stage { engine, ann, bob } = stage;
    let tokens = [ann.token(), bob.token()];
    drop((ann, bob));
    pass(600).await;
    assert_eq!((engine.stats().rooms, engine.stats().rooms_away), (0, 1));
    let [ann, bob] = [come_back(&engine, &tokens[0], None).await.0, come_back(&engine, &tokens[1], None).await.0];
    ann.call(like(LIKED)).await.expect("it takes more");
    assert_eq!(likes(&bob, LIKED).await, 2);
    talk(&ann, 60, 160).await;
    pass(6).await;
    say(&ann, "so it says", "s").await.expect("the log works");
    assert_eq!((written(&log, LIKED), likes(&bob, LIKED).await), (2, 2));
}
