//! Against the engine over real sockets: whatever is cut and whenever, in the end what a client holds is the log, and each message was said once.

mod support;

use std::sync::Arc;
use std::time::Duration;

use chat_client::{Room, RoomEvent, Sending};
use chat_core::{Command, ReactionName, Seq};
use futures_util::StreamExt;
use futures_util::future::join_all;
use support::{Chance, Line, PATIENCE, Server, allowed, client, held, log_of};
use tokio::time::{sleep, timeout};

/// Rounds, each of its own seed. `CHAT_SEED=7 CHAT_ROUNDS=1` plays one of them.
const ROUNDS: u64 = 400;
/// Rounds at a time.
const AT_ONCE: usize = 40;
/// What is done in a round.
const STEPS: u64 = 40;

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cuts_at_random_moments_cost_nothing() {
    let server = Server::start().await;
    let first = number("CHAT_SEED", 1);
    let seeds: Vec<u64> = (first..first + number("CHAT_ROUNDS", ROUNDS)).collect();
    let (mut connections, mut gaps) = (0, 0);
    for some in seeds.chunks(AT_ONCE) {
        let rounds = some.iter().map(|&seed| {
            let round = round(server.address, seed);
            async move { timeout(PATIENCE, round).await.unwrap_or_else(|_| panic!("seed {seed}: it does not end")) }
        });
        for (cuts, missed) in join_all(rounds).await {
            (connections, gaps) = (connections + cuts, gaps + missed);
        }
    }
    // Or nothing of that was tried.
    println!("{} rounds, {connections} connections cut, {gaps} gaps", seeds.len());
    assert!(connections >= seeds.len() && (gaps > 0 || seeds.len() < 50));
}

/// A room in which two talk, of whom one comes over a line that is cut; how often, and how many gaps they were told.
async fn round(server: std::net::SocketAddr, seed: u64) -> (usize, usize) {
    let mut chance = Chance(seed);
    let line = Line::to(server).await;
    let catch_up = if chance.one_in(3) { 3 } else { 500 };
    let steady = client(server, |_| {});
    let shaky = client(line.address, |bounds| bounds.catch_up = catch_up);
    let ann = steady.create(None, "Ann").await.expect("a room");
    let code = ann.code().expect("it has a code");
    let bob = shaky.join(code.as_str(), "Bob").await.expect("joined");
    let mut events = bob.events();
    let mut cuts = 0;
    let mut sends = Vec::new();
    let mut others = Vec::new();
    for step in 0..STEPS {
        let who = if chance.one_in(2) { &ann } else { &bob };
        act(who, step, &mut chance, &mut sends, &mut others);
        match chance.below(8) {
            0 => cuts += line.cut(),
            1 | 2 => sleep(Duration::from_millis(chance.below(5))).await,
            _ => tokio::task::yield_now().await,
        }
    }
    let mut said = Vec::new();
    for (text, is_bobs, sent) in sends {
        let sent = sent.await.unwrap_or_else(|error| panic!("seed {seed}: {text}: {error}"));
        said.push((text, is_bobs, sent.seq));
    }
    for other in others {
        let outcome: Result<(), chat_client::Error> = other.await.expect("it did not panic");
        assert!(outcome.as_ref().err().is_none_or(allowed), "seed {seed}: {outcome:?}");
    }
    let log = log_of(&ann).await;
    let end = ann.until(|state| state.is_synced()).await.expect("in the room").seq;
    for (who, room) in [("Ann", &ann), ("Bob", &bob)] {
        let state = room.until(|state| state.is_synced() && state.seq >= end).await.expect("in the room");
        let held = held(state.messages());
        assert_eq!(held, log[log.len() - held.len()..], "seed {seed}: {who} holds the log");
        assert_eq!(
            state.more,
            held.len() < log.len(),
            "seed {seed}: {who} holds all of it, or knows that there is more"
        );
        let nicks: Vec<&str> = state.members.iter().map(|member| member.nick.as_str()).collect();
        assert_eq!(nicks, ["Ann", "Bob"], "seed {seed}: {who}");
        assert!(room.pending().is_empty(), "seed {seed}: {who} has said all");
    }
    // Each was said once, where it was said to be, and in the order in which it was handed in.
    assert_eq!(log.len(), said.len(), "seed {seed}: nothing is said twice");
    for by_bob in [false, true] {
        let seqs: Vec<Seq> = said.iter().filter(|(_, is_bobs, _)| *is_bobs == by_bob).map(|(_, _, seq)| *seq).collect();
        assert!(seqs.is_sorted(), "seed {seed}: {seqs:?}");
    }
    drop(ann);
    shaky.close();
    // What is told is the log as well: each event once, and in order, but for those that a gap names.
    let (mut last, mut gaps) = (None, 0);
    while let Some(event) = events.next().await {
        match event {
            RoomEvent::Message(message) => {
                assert!(last.is_none_or(|last| message.seq > last), "seed {seed}: {last:?}, then {}", message.seq);
                last = Some(message.seq);
            }
            RoomEvent::Missed { .. } => gaps += 1,
            _ => {}
        }
    }
    (cuts, gaps)
}

type Said = (String, bool, Sending);
type Other = tokio::task::JoinHandle<Result<(), chat_client::Error>>;

/// Says something, or does something with what was said.
fn act(who: &Room, step: u64, chance: &mut Chance, sends: &mut Vec<Said>, others: &mut Vec<Other>) {
    let state = who.state();
    let own: Vec<Seq> = state
        .messages()
        .iter()
        .filter(|message| state.is_mine(message) && !message.redacted)
        .map(|message| message.seq)
        .collect();
    let target = (!own.is_empty()).then(|| own[chance.below(own.len() as u64) as usize]);
    let you = state.you.as_ref().expect("in the room").member;
    let kind = chance.below(10);
    let Some(target) = target.filter(|_| kind >= 5) else {
        let text = format!("{you} {step}");
        return sends.push((text.clone(), you.0 == 2, who.send(text)));
    };
    let name = ReactionName::parse("+1").expect("valid");
    let room = who.clone();
    let doing = match kind {
        5 | 6 => tokio::spawn({
            let edit = who.edit(target, format!("changed {step}"));
            async move { edit.await.map(drop) }
        }),
        7 => tokio::spawn(async move { room.redact(target).await }),
        8 => tokio::spawn({
            let reacted = if chance.one_in(3) { who.unreact(target, name) } else { who.react(target, name) };
            async move { reacted.await.map(drop) }
        }),
        _ if chance.one_in(3) => tokio::spawn(async move {
            room.command(|code| Command::redact_all(code, you).with_from(target)).await.map(drop)
        }),
        _ => {
            who.read(None);
            return;
        }
    };
    others.push(doing);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_starts_anew_is_found_again_and_nothing_is_lost() {
    let folder = tempfile::tempdir().expect("a folder");
    let open = || log_redb::RedbLog::open(folder.path(), log_redb::Options::default()).expect("a log");
    let mut log = Arc::new(open());
    let mut server = Server::over(Arc::clone(&log) as _, [7; 32]).await;
    let line = Line::to(server.address).await;
    let (ann, bob) = (client(line.address, |_| {}), client(line.address, |_| {}));
    let anns = ann.create(Some("TEA"), "Ann").await.expect("a room");
    let bobs = bob.join("TEA", "Bob").await.expect("joined");
    for life in 0..3 {
        let sends: Vec<Sending> = (0..20).map(|step| anns.send(format!("{life} {step}"))).collect();
        let others: Vec<Sending> = (0..20).map(|step| bobs.send(format!("{life} {step}"))).collect();
        sleep(Duration::from_millis(3)).await;
        server.stop().await;
        log.close().await.expect("closed");
        drop(log);
        log = Arc::new(open());
        server = Server::over(Arc::clone(&log) as _, [7; 32]).await;
        line.lead_to(server.address);
        for sent in join_all(sends.into_iter().chain(others)).await {
            sent.expect("said");
        }
    }
    let log = log_of(&anns).await;
    assert_eq!(log.len(), 120, "each is said once");
    for room in [&anns, &bobs] {
        let end = log.last().expect("messages").seq;
        let state = room.until(|state| state.is_synced() && state.seq >= end).await.expect("in the room");
        assert_eq!(held(state.messages()), log);
    }
}
