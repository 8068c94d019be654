//! Three real servers on one database are struck in turn while clients talk at all of them: what was acked is at each once and in order, and nobody is told gone.
//!
//! `CHAT_CLUSTER_SEED=N` repeats the choices of a run, `CHAT_CLUSTER_LEASE=5s` sets the lease (2 s), and `CHAT_CLUSTER_FAULTS=kill,drain` says which
//! faults come, in this order; `CHAT_CLUSTER_OTHER=FILE` has the first server be a program of another version, as in an upgrade. The figures that a run prints are those of the machine as busy as it was.
#![cfg(unix)]

mod apart;
#[path = "../crash/client.rs"]
#[allow(dead_code, reason = "other tests use all of it")]
mod client;
#[path = "../../../log-postgres/tests/support/cluster.rs"]
mod cluster;
mod crowd;
mod fleet;
#[path = "../../../log-postgres/tests/support/proxy.rs"]
mod proxy;
#[path = "../crash/server.rs"]
mod server;
mod setup;
mod standby;
mod talker;
mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use tokio::time::Instant;

use client::{Gone, Person};
use cluster::Cluster;
use crowd::{Crowd, PEOPLE, ROOMS, begin, goes_on, silence};
use fleet::{Fleet, LONG, SERVERS};
use proxy::Proxy;
use talker::Seen;
use wire::Way;

/// Faults that come once more.
const MORE: usize = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// A server is killed, and another comes in its place.
    Kill,
    /// A server stands still for longer than its lease, and goes on.
    Pause,
    /// A server goes in order, and another comes.
    Drain,
    /// The database crashes, and is started again.
    Crash,
    /// The database says nothing to any server for longer than a lease.
    Mute,
    /// The database says nothing to one server, which loses its rooms to the others.
    MuteOne,
    /// Servers do not reach each other: links break at once, or hang.
    Part,
}

const FAULTS: [(&str, Fault); 7] = [
    ("kill", Fault::Kill),
    ("pause", Fault::Pause),
    ("drain", Fault::Drain),
    ("crash", Fault::Crash),
    ("mute", Fault::Mute),
    ("mute-one", Fault::MuteOne),
    ("part", Fault::Part),
];

/// What a fault was, for those who judge what came of it.
struct Struck {
    what: String,
    /// Servers whose clients may lose their connections by it.
    servers: BTreeSet<usize>,
    /// Whether servers may have been cut off from each other for so long that they send their clients on.
    is_part: bool,
    /// Rooms whose owner it was.
    rooms: BTreeSet<String>,
    at: Instant,
}

/// What the servers stand on.
struct Ground {
    cluster: Cluster,
    /// Each server's way to it.
    ways: Vec<Proxy>,
}

impl Ground {
    /// `None` where PostgreSQL is not installed.
    async fn lay() -> Option<Self> {
        let cluster = Cluster::start()?;
        drop(cluster.connect().await);
        let mut ways = Vec::new();
        for _ in 0..SERVERS {
            ways.push(Proxy::to(cluster.folder()).await);
        }
        Some(Self { cluster, ways })
    }

    fn urls(&self) -> Vec<String> {
        let url = |way: &Proxy| format!("postgres://postgres@127.0.0.1:{}/postgres", way.port());
        self.ways.iter().map(url).collect()
    }

    /// For so long the database says nothing to these servers, and nothing is lost.
    async fn mute(&self, servers: &[usize], long: Duration) {
        servers.iter().for_each(|index| self.ways[*index].mute(true));
        tokio::time::sleep(long).await;
        servers.iter().for_each(|index| self.ways[*index].mute(false));
    }
}

/// Strikes, and repairs it.
async fn strike(ground: &Ground, fleet: &mut Fleet, fault: Fault, draw: &mut StdRng) -> Struck {
    let owners = fleet.settled().await;
    // One that has something to lose, but for once in a while.
    let one = match draw.random_ratio(3, 4) {
        true => *owners.values().nth(draw.random_range(0..owners.len())).expect("of a room"),
        false => draw.random_range(0..SERVERS),
    };
    let over = fleet.lease * 6 / 5 + Duration::from_millis(draw.random_range(500..2_000));
    let short = Duration::from_millis(draw.random_range(0..1_000));
    let at = Instant::now();
    let (what, servers) = match fault {
        Fault::Kill => {
            fleet.kill(one);
            tokio::time::sleep(short).await;
            fleet.run(one).await;
            (format!("server {one} killed"), BTreeSet::from([one]))
        }
        Fault::Pause => {
            fleet.pause(one, over).await;
            (format!("server {one} stopped for {over:?}"), BTreeSet::from([one]))
        }
        Fault::Drain => {
            let took = fleet.drain(one);
            fleet.run(one).await;
            (format!("server {one} drained in {took:?}"), BTreeSet::from([one]))
        }
        Fault::Crash => {
            tokio::task::block_in_place(|| ground.cluster.crash());
            ("database crashed".to_owned(), BTreeSet::new())
        }
        Fault::Mute => {
            let before = fleet.ids().await;
            ground.mute(&[0, 1, 2], over).await;
            fleet.settled().await;
            assert_eq!(fleet.ids().await, before, "nobody looks gone because the database was away");
            (format!("database mute for {over:?}"), BTreeSet::new())
        }
        Fault::MuteOne => {
            ground.mute(&[one], over).await;
            (format!("database mute for {over:?} at server {one}"), BTreeSet::from([one]))
        }
        Fault::Part => {
            let way = if draw.random() { Way::Cut } else { Way::Mute };
            let parted: Vec<usize> = if draw.random() { (0..SERVERS).collect() } else { vec![one] };
            fleet.part(&parted, way, over).await;
            (format!("links to {parted:?} {way:?} for {over:?}"), BTreeSet::new())
        }
    };
    let rooms = owners.into_iter().filter(|(_, owner)| servers.contains(owner)).map(|(room, _)| room).collect();
    Struck { what, servers, is_part: fault == Fault::Part, rooms, at }
}

/// What is right whatever was struck, and the figures.
fn judge(seen: &Seen, struck: &Struck) {
    let waits: Vec<Duration> = seen.answers.iter().map(|answer| answer.acked - answer.said).collect();
    let longest = waits.iter().max().copied().unwrap_or_default();
    let rooms = struck.rooms.iter().map(|room| format!("{room} {:?}", silence(seen, room, struck.at)));
    let rooms = rooms.collect::<Vec<_>>().join(", ");
    let mut lost = BTreeMap::<String, usize>::new();
    for (server, gone) in &seen.lost {
        let whose = if struck.servers.contains(server) { "struck" } else { "other" };
        *lost.entry(format!("{whose} {gone:?}")).or_default() += 1;
    }
    println!(
        "{}: {} acks, longest wait {longest:?}, refused {}, came in vain {}, lost connections {lost:?}, silence of its rooms {rooms}",
        struck.what,
        seen.answers.len(),
        seen.refused.len(),
        seen.in_vain,
    );
    assert!(longest < LONG, "{longest:?}");
    let is_asked =
        |server: &usize, gone: &Gone| struck.servers.contains(server) || struck.is_part && *gone == Gone::Closed(4001);
    let unasked: Vec<_> = seen.lost.iter().filter(|(server, gone)| !is_asked(server, gone)).collect();
    assert!(unasked.is_empty(), "connections at servers that nothing has struck: {unasked:?}");
}

async fn round(
    ground: &Ground,
    fleet: &mut Fleet,
    people: Vec<Person>,
    fault: Fault,
    draw: &mut StdRng,
    number: usize,
) -> Vec<Person> {
    let mut crowd = Crowd::gather(fleet, people, draw, number);
    crowd.until("everybody is back and finds everything", |seen| seen.inside == ROOMS * PEOPLE).await;
    tokio::time::sleep(Duration::from_millis(draw.random_range(200..600))).await;
    let struck = strike(ground, fleet, fault, draw).await;
    fleet.settled().await;
    let since = Instant::now();
    crowd.until("every room goes on", |seen| goes_on(seen, since)).await;
    let (people, seen) = crowd.finish().await;
    judge(&seen, &struck);
    people
}

/// Which faults come: what is asked for, or a kill of whoever has everything, and then each once and some again in an order that is drawn.
fn faults(draw: &mut StdRng) -> Vec<Fault> {
    let named = |name: &str| FAULTS.iter().find(|(known, _)| *known == name).expect("a fault").1;
    if let Ok(asked) = std::env::var("CHAT_CLUSTER_FAULTS") {
        return asked.split(',').map(named).collect();
    }
    let mut rest: Vec<Fault> = FAULTS.iter().map(|(_, fault)| *fault).collect();
    rest.extend(std::iter::repeat_with(|| FAULTS[draw.random_range(0..FAULTS.len())].1).take(MORE));
    rest.shuffle(draw);
    [vec![Fault::Kill], rest].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acked_is_at_every_server_whichever_is_struck_and_nobody_is_told_gone() {
    let Some(ground) = Ground::lay().await else { return };
    let seed = std::env::var("CHAT_CLUSTER_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(rand::random);
    let lease = std::env::var("CHAT_CLUSTER_LEASE")
        .map_or(Duration::from_secs(2), |text| humantime::parse_duration(&text).expect("a duration"));
    println!("CHAT_CLUSTER_SEED={seed}");
    let mut draw = StdRng::seed_from_u64(seed);
    let mut fleet = Fleet::start(lease, ground.cluster.address.clone(), ground.urls()).await;
    let mut people = begin(&fleet).await;
    let begun = Instant::now();
    for (number, fault) in faults(&mut draw).into_iter().enumerate() {
        people = round(&ground, &mut fleet, people, fault, &mut draw, number).await;
    }
    // Everything at every server, by everybody.
    for number in 0..SERVERS {
        let mut crowd = Crowd::gather(&fleet, people, &mut draw, number);
        crowd.until("everybody finds everything", |seen| seen.inside == ROOMS * PEOPLE).await;
        people = crowd.finish().await.0;
    }
    let acked: usize = people.iter().map(Person::acked).sum();
    println!("{acked} acked messages in {:?}", begun.elapsed());
}
