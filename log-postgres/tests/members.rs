//! Servers that share a log: each slot is one server's at any time, is given or taken, and nothing is written by who has it no more.

#[path = "support/lines.rs"]
mod lines;
#[path = "support/proxy.rs"]
mod proxy;
mod support;

use std::collections::BTreeSet;
use std::time::Duration;

use chat_core::{Amend, AppendError, Log, Owner, RoomCode, Seq, Slot, Term};
use chat_testkit::lives::{code, open_life, read_all, texts};
use lines::Lines;
use log_postgres::{MemberOptions, Members, OpenError, Options, PgLog, Setup};
use proxy::Proxy;
use support::Cluster;

/// The longest that anything here may take: many leases.
const LONG: Duration = Duration::from_secs(60);
const LEASE: Duration = Duration::from_secs(1);

fn member(number: u8) -> MemberOptions {
    MemberOptions {
        address: format!("10.0.0.{number}:7000"),
        certificate: vec![number],
        lease: LEASE,
        setup: Setup::default(),
    }
}

async fn join(cluster: &Cluster, options: &Options, number: u8) -> (PgLog, Members) {
    drop(cluster.connect().await);
    PgLog::join(&cluster.address, options.clone(), member(number)).await.expect("it joins")
}

/// Waits until it is so, looking whenever something has changed.
async fn until(members: &Members, what: &str, is_so: impl Fn() -> bool) {
    let waited = tokio::time::timeout(LONG, async {
        while !is_so() {
            members.changed().await;
        }
    });
    waited.await.unwrap_or_else(|_| panic!("not within {LONG:?}: {what}"));
}

fn owns_all(members: &Members) -> bool {
    Slot::all().all(|slot| matches!(members.owner(slot), Owner::Me(_)))
}

fn owner(members: &Members, room: &RoomCode) -> Owner {
    members.owner(Slot::of(room))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_has_everything_and_gives_it_when_it_goes() {
    let Some(cluster) = Cluster::shared() else { return };
    let options = support::options();
    let (first_log, first) = join(cluster, &options, 1).await;
    assert!(owns_all(&first), "what nobody has is taken before it is let in");
    let room = code("ROOM");
    let (mut scribe, tail) = open_life(&first_log, &room, 1).await;

    let (second_log, second) = join(cluster, &options, 2).await;
    assert!(
        second.own().is_empty() && matches!(owner(&second, &room), Owner::Other(node, Term(1)) if node == first.me())
    );
    until(&first, "it sees the other", || first.list().len() == 2).await;
    assert_eq!(second.list(), first.list());
    let elsewhere = second_log.append(&room, &tail, &scribe.clone().talk(1)).await;
    assert_eq!(elsewhere.unwrap_err(), AppendError::Deposed, "another's room");

    first.drain(LONG).await;
    assert!(
        first.own().is_empty() && matches!(owner(&first, &room), Owner::Other(node, Term(2)) if node == second.me())
    );
    second.hear(first.me(), &first.changed().await.told);
    until(&second, "it has been given everything", || owns_all(&second)).await;
    let late = first_log.append(&room, &tail, &scribe.clone().talk(1)).await;
    assert_eq!(late.unwrap_err(), AppendError::Deposed);
    let page = second_log.read(&room, None, chat_core::Offset(0), 9).await.expect("it is there");
    second_log.append(&room, &page.tail, &scribe.talk(1)).await.expect("it is its own");
    assert_eq!(texts(&read_all(&second_log, &room).await).len(), 1);

    first_log.close().await.expect("its row goes");
    until(&second, "the first is gone", || second.list().len() == 1).await;
    assert!(owns_all(&second), "under the same terms");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_silent_for_longer_than_the_lease_loses_everything_to_the_others() {
    let Some(cluster) = Cluster::shared() else { return };
    let options = support::options();
    let (first_log, first) = join(cluster, &options, 1).await;
    let (_second_log, second) = join(cluster, &options, 2).await;
    let (_third_log, third) = join(cluster, &options, 3).await;
    until(&second, "it sees all", || second.list().len() == 3).await;
    // As when it is killed: its row stays.
    drop(first_log);
    drop(first);
    let shared = || {
        let of = |members: &Members| members.own().into_iter().map(|own| own.slot).collect::<BTreeSet<_>>();
        let (of_second, of_third) = (of(&second), of(&third));
        of_second.is_disjoint(&of_third)
            && of_second.len() + of_third.len() == 1_024
            && of_second.len().min(of_third.len()) > 300
    };
    let both = async {
        while !shared() {
            tokio::select! { _ = second.changed() => {}, _ = third.changed() => {} }
        }
    };
    tokio::time::timeout(LONG, both).await.expect("each has its share");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_deposed_and_lives_begins_anew_and_writes_nothing_of_before() {
    let Some(cluster) = Cluster::shared() else { return };
    let options = support::options();
    let (log, members) = join(cluster, &options, 1).await;
    let room = code("ROOM");
    let (mut scribe, tail) = open_life(&log, &room, 1).await;
    let before = members.me();
    let client = cluster.connect_to(&options).await;
    assert_eq!(client.execute("delete from nodes", &[]).await.expect("it is deposed"), 1);
    until(&members, "it is another", || members.me() != before).await;
    until(&members, "it has everything again", || owns_all(&members)).await;
    let late = log.append(&room, &tail, &scribe.clone().talk(1)).await;
    assert_eq!(late.unwrap_err(), AppendError::Conflict, "what was decided under the term before");
    let page = log.read(&room, None, chat_core::Offset(0), 9).await.expect("it is there");
    log.append(&room, &page.tail, &scribe.talk(1)).await.expect("under the term of now");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_is_given_when_what_is_under_way_in_it_is_over_and_not_before() {
    let Some(cluster) = Cluster::shared() else { return };
    let options = support::options();
    let (first_log, first) = join(cluster, &options, 1).await;
    let room = code("ROOM");
    let (mut scribe, tail) = open_life(&first_log, &room, 1).await;
    let (_second_log, second) = join(cluster, &options, 2).await;
    until(&first, "it sees the other", || first.list().len() == 2).await;

    // Somebody holds the row of the room.
    let client = cluster.connect_to(&options).await;
    client.batch_execute("begin; select 1 from tails for update").await.expect("it is held");
    let batch = scribe.talk(1);
    let append = tokio::spawn(async move { (first_log.append(&room, &tail, &batch).await, first_log) });
    let watcher = cluster.connect_to(&options).await;
    support::blocked(&watcher, &options, 1).await;
    let drained = tokio::spawn({
        let first = first.clone();
        async move { first.drain(LONG).await }
    });
    until(&first, "nothing is let in", || matches!(owner(&first, &code("ROOM")), Owner::Nobody)).await;
    assert!(second.own().is_empty() && !append.is_finished() && !drained.is_finished());
    client.batch_execute("commit").await.expect("it is let go");
    let (appended, _first_log) = append.await.expect("no panic");
    appended.expect("it was under way before");
    drained.await.expect("no panic");
    assert!(first.own().is_empty());
    second.look();
    until(&second, "it has been given everything", || owns_all(&second)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_in_which_a_change_is_under_way_waits_and_holds_up_no_other() {
    let Some(cluster) = Cluster::shared() else { return };
    let options = support::options();
    let (first_log, first) = join(cluster, &options, 1).await;
    let room = code("ROOM");
    let (mut scribe, tail) = open_life(&first_log, &room, 1).await;
    let tail = first_log.append(&room, &tail, &scribe.talk(1)).await.expect("it is its own");
    let (_second_log, second) = join(cluster, &options, 2).await;
    until(&first, "it sees the other", || first.list().len() == 2).await;

    // A change has read what it changes, and waits to write it.
    let client = cluster.connect_to(&options).await;
    client.batch_execute("begin; select 1 from tails for update").await.expect("it is held");
    let taken_back = [Amend::take_back(scribe.head(), Seq(u64::MAX))];
    let (epoch, of) = (tail.epoch.expect("it lives"), room.clone());
    let change = tokio::spawn(async move { (first_log.amend(&of, epoch, &taken_back).await, first_log) });
    let watcher = cluster.connect_to(&options).await;
    support::blocked(&watcher, &options, 1).await;
    let drained = tokio::spawn({
        let first = first.clone();
        async move { first.drain(LONG).await }
    });
    until(&first, "all others are given", || first.own().len() == 1).await;
    assert_eq!(first.own()[0].slot, Slot::of(&room));
    assert!(!change.is_finished() && !drained.is_finished());
    client.batch_execute("commit").await.expect("it is let go");
    let (changed, _first_log) = change.await.expect("no panic");
    changed.expect("it was under way before");
    drained.await.expect("no panic");
    second.look();
    until(&second, "it has been given everything", || owns_all(&second)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_lapses_while_the_database_is_mute_and_holds_again_under_the_same_term() {
    let Some(cluster) = Cluster::start() else { return };
    drop(cluster.connect().await);
    let proxy = Proxy::to(cluster.folder()).await;
    let (_log, members) = PgLog::join(&proxy.address(), support::options(), member(1)).await.expect("it joins");
    assert!(owns_all(&members) && members.holds());
    proxy.mute(true);
    until(&members, "nothing is its own", || Slot::all().all(|slot| members.owner(slot) == Owner::Nobody)).await;
    assert!(!members.holds());
    proxy.mute(false);
    until(&members, "everything is", || owns_all(&members)).await;
    assert!(members.own().iter().all(|own| own.term == Term(1)), "nobody else had it meanwhile");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_opens_the_log_for_itself_takes_it_from_all_who_share_it() {
    let Some(cluster) = Cluster::shared() else { return };
    let options = support::options();
    let (shared, members) = join(cluster, &options, 1).await;
    let alone = cluster.open(&options).await;
    let why = tokio::time::timeout(LONG, shared.deposed()).await.expect("it ends");
    assert!(why.contains("taken the log over"), "{why}");
    assert!(Slot::all().all(|slot| !matches!(members.owner(slot), Owner::Me(_))));
    open_life(&alone, &code("ROOM"), 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_that_is_too_short_or_too_long_is_refused() {
    let Some(cluster) = Cluster::shared() else { return };
    drop(cluster.connect().await);
    for lease in [Duration::ZERO, Duration::from_millis(999), Duration::from_secs(61)] {
        let joined = PgLog::join(&cluster.address, support::options(), MemberOptions { lease, ..member(1) }).await;
        let Err(error) = joined else { panic!("{lease:?} was taken") };
        assert!(matches!(error, OpenError::Lease(_)) && error.to_string().contains("1 to 60"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_cannot_start_leaves_no_row() {
    let Some(cluster) = Cluster::shared() else { return };
    let options = support::options();
    let (log, _) = join(cluster, &options, 1).await;
    log.close().await.expect("it is closed");
    let client = cluster.connect_to(&options).await;
    client.batch_execute("delete from slots where slot = 7").await.expect("it is there");
    let refused = PgLog::join(&cluster.address, options, member(2)).await.err();
    assert!(matches!(refused, Some(OpenError::Unfit(_))), "{refused:?}");
    assert!(client.query("select from nodes", &[]).await.expect("it answers").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_cut_off_from_the_others_says_so_and_gives_them_its_slots() {
    let Some(cluster) = Cluster::shared() else { return };
    let options = support::options();
    let (_first_log, first) = join(cluster, &options, 1).await;
    let (_second_log, second) = join(cluster, &options, 2).await;
    let (_third_log, third) = join(cluster, &options, 3).await;
    until(&first, "it sees all", || first.list().len() == 3).await;
    let all = [&first, &second, &third];
    let link = |pairs: &[(usize, usize)]| {
        for (index, members) in all.iter().enumerate() {
            let others = (0..3).filter(|other| pairs.contains(&(index, *other)) || pairs.contains(&(*other, index)));
            members.reach(others.map(|other| all[other].me()).collect::<Vec<_>>());
        }
    };
    // Of two that do not reach each other, who came later; the third reaches both.
    link(&[(0, 1), (0, 2)]);
    until(&third, "it is apart", || third.is_apart()).await;
    assert!(!first.is_apart() && !second.is_apart() && owns_all(&first));
    link(&[(0, 1), (0, 2), (1, 2)]);
    until(&third, "it is one of them again", || !third.is_apart()).await;

    link(&[(1, 2)]);
    until(&first, "it is cut off", || first.is_apart() && first.own().is_empty()).await;
    assert!(!second.is_apart() && !third.is_apart());
    let is_given = |slot| {
        [second.me(), third.me()].iter().any(|node| matches!(first.owner(slot), Owner::Other(to, _) if to == *node))
    };
    assert!(Slot::all().all(is_given), "to those who reach each other");
    // Who goes gives nothing to who is apart.
    link(&[(0, 1), (1, 2)]);
    until(&third, "it is apart", || third.is_apart() && third.own().is_empty()).await;
    second.drain(LONG).await;
    until(&first, "it has everything", || owns_all(&first)).await;
}

#[tokio::test]
async fn a_start_says_nothing_of_links_that_are_being_made_and_names_the_address_at_which_it_is_not_reached() {
    const APART: &str = "do not reach each other";
    let Some(cluster) = Cluster::shared() else { return };
    let options = support::options();
    let (lines, _listening) = Lines::listen();
    drop(cluster.connect().await);
    // Time enough to link on a machine that is busy.
    let join = async |number| {
        let member = MemberOptions { lease: 3 * LEASE, ..member(number) };
        PgLog::join(&cluster.address, options.clone(), member).await.expect("it joins")
    };
    let (_first_log, first) = join(1).await;
    first.reach([]);
    let (_second_log, second) = join(2).await;
    second.reach([]);
    first.reach([second.me()]);
    second.reach([first.me()]);
    until(&second, "it is linked", || !second.is_apart()).await;

    second.reach([]);
    until(&second, "it is cut off, and not for a moment", || second.stays_apart()).await;
    // Once, and so not at the start.
    let said = lines.with(APART);
    assert!(said.len() == 1 && said[0].contains("10.0.0.2:7000") && said[0].contains("--node"), "{said:?}");
    assert!(second.is_apart() && !first.is_apart());
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_that_say_nothing_of_links_are_made_to() {
    let Some(cluster) = Cluster::shared() else { return };
    let options = support::options();
    cluster.open(&options).await.close().await.expect("it is closed");
    let client = cluster.connect_to(&options).await;
    client
        .batch_execute("alter table nodes drop reaches; alter table tails drop about")
        .await
        .expect("as they were made before");
    let (_log, members) = join(cluster, &options, 1).await;
    members.reach([]);
    assert!(owns_all(&members) && !members.is_apart());
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_of_the_version_before_are_brought_up_to_date() {
    let Some(cluster) = Cluster::shared() else { return };
    let options = support::options();
    let log = cluster.open(&options).await;
    let room = code("ROOM");
    open_life(&log, &room, 3).await;
    log.close().await.expect("it is closed");
    let client = cluster.connect_to(&options).await;
    let back = "alter table nodes drop address, drop certificate, drop lease_ms, drop draining, drop reaches, drop setup; alter table tails drop about; update meta set value = '1' where key = 'format'";
    client.batch_execute(back).await.expect("as the version before made them");
    let (log, members) = join(cluster, &options, 1).await;
    assert!(owns_all(&members) && !read_all(&log, &room).await.is_empty());
}
