//! What the engine counts of a log that fails, and of other servers.

mod support;

use chat_core::{AppendMeter, ClusterMeter, Command, Engine, LogMeters, Slot};
use chat_testkit::logs::{Operation, Outcome};
use support::servers::two;
use support::{code, engine, founder, log, newcomer, say, seconds, settle, submit, text};

fn ends(appends: AppendMeter) -> [u64; 5] {
    let AppendMeter { done, conflict, deposed, failed, unknown, .. } = appends;
    [done, conflict, deposed, failed, unknown]
}

#[tokio::test(start_paused = true)]
async fn appends_are_counted_by_their_end() {
    let log = log();
    let engine = engine(&log);
    let ann = founder(&engine).await;
    let before = engine.meters();
    log.push(Operation::Append, Outcome::Fails);
    say(&ann, "one", "k1").await.expect("it is tried again");
    log.push(Operation::Append, Outcome::AnswerLost);
    say(&ann, "two", "k2").await.expect("it is there");
    log.push(Operation::Append, Outcome::Conflict);
    let _ = say(&ann, "three", "k3").await;
    let after = engine.meters();
    let ended: Vec<u64> = ends(after.appends).iter().zip(ends(before.appends)).map(|(now, then)| now - then).collect();
    assert_eq!(ended[1..], [1, 0, 1, 1], "{:?}", after.appends);
    assert_eq!(after.appended.count(), ends(after.appends).iter().sum::<u64>());
    assert_eq!(after.log, LogMeters::default(), "this log counts nothing");
}

fn cluster(engine: &Engine) -> ClusterMeter {
    engine.meters().cluster.expect("there are several servers")
}

#[tokio::test(start_paused = true)]
async fn slots_links_takeovers_and_what_waits_for_an_owner_are_counted() {
    let two = two();
    let ann = founder(&two.engines[0]).await;
    let bob = newcomer(&two.engines[1], "Bob").await;
    settle().await;
    let [owner, follower] = two.engines.each_ref().map(cluster);
    let all = u64::from(Slot::COUNT);
    assert_eq!([owner.slots_owned, follower.slots_owned], [all, 0]);
    assert_eq!([owner.links_up, follower.links_up], [1, 1]);
    assert_eq!([two.engines[0].meters().members, two.engines[1].meters().members], [2, 0], "each is counted once");

    two.servers.take_room(&code());
    settle().await;
    let asked = submit(&bob, Command::send(code(), text("waits")));
    settle().await;
    let waiting = cluster(&two.engines[1]);
    assert_eq!((waiting.parked, waiting.parked_total, waiting.slots_unowned), (1, 1, 1));
    two.servers.give_room(&code(), &two.ends[1]);
    assert_eq!(asked.await.expect("everything is answered").reject, None);
    let taken = cluster(&two.engines[1]);
    assert_eq!((taken.parked, taken.parked_total, taken.takeovers, taken.slots_owned), (0, 1, 1, 1));
    two.servers.cut(&two.ends[0], &two.ends[1]);
    seconds(1).await;
    assert_eq!(two.engines.each_ref().map(|engine| cluster(engine).links_up), [0, 0]);
    drop(ann);
}
