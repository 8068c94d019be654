//! In virtual time: what takes long, and what happens for a second and a third time.

mod support;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use chat_core::{CloseReason, Command, Engine, Policy, Reject, SessionLimits, SessionView};
use chat_serve::ClientAddress;
use serde_json::{Value, json};
use support::pipes::Pipes;
use support::{Client, Packet, Wire, limits};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use transport_socketio::SocketIoConfig;

const SECOND: Duration = Duration::from_secs(1);

/// Lets commands through while it is open; they wait for that.
struct Gate(watch::Sender<bool>);

#[async_trait]
impl Policy for Gate {
    async fn check(&self, _: &SessionView, command: Command) -> Result<Command, Reject> {
        self.0.subscribe().wait_for(|is_open| *is_open).await.expect("the gate outlives its commands");
        Ok(command)
    }
}

/// A server with a gate, and how many commands may be in flight.
fn gated() -> (Pipes, Arc<Gate>, usize) {
    let gate = Arc::new(Gate(watch::Sender::new(true)));
    let mut limits = limits();
    // The gate is to hold back longer than any other clock here runs.
    limits.engine.policy_timeout = Duration::MAX;
    limits.session.commands_in_flight_max = SessionLimits::default().commands_in_flight_max;
    let engine = Engine::builder().limits(limits.clone()).policy(Arc::clone(&gate) as Arc<dyn Policy>).build();
    (Pipes::start(engine, SocketIoConfig::default()), gate, limits.session.commands_in_flight_max)
}

fn plain(config: SocketIoConfig) -> Pipes {
    Pipes::start(Engine::builder().limits(limits()).build(), config)
}

async fn welcome<W: Wire>(wire: W) -> Client<W> {
    let mut client = wire.connect(json!({})).await;
    client.event("welcome").await;
    client
}

/// Answers pings for at least so long, and hears nothing else.
async fn stay<W: Wire>(client: &mut Client<W>, time: Duration) {
    let until = Instant::now() + time;
    while Instant::now() < until {
        let packet = timeout(60 * SECOND, client.wire.receive()).await.expect("a ping");
        assert_eq!(packet.as_deref(), Some("2"));
        client.wire.send("3".to_owned()).await;
    }
}

async fn held_back(wire: impl Wire, gate: &Gate, in_flight_max: usize) {
    let mut client = welcome(wire).await;
    for _ in 0..2 {
        gate.0.send_replace(false);
        let mut asked = Vec::new();
        for _ in 0..in_flight_max {
            asked.push(client.emit_with_ack("members", json!({"room": "LUNCH"})).await);
        }
        let busy = client.emit_with_ack("members", json!({"room": "LUNCH"})).await;
        match client.next().await {
            Some(Packet::Ack(number, frame)) => assert_eq!((number, &frame["code"]), (busy, &json!("busy"))),
            other => panic!("{other:?}"),
        }
        stay(&mut client, 600 * SECOND).await;
        gate.0.send_replace(true);
        for number in asked {
            match client.next().await {
                Some(Packet::Ack(answered, _)) => assert_eq!(answered, number),
                other => panic!("{other:?}"),
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_whose_commands_are_held_back_is_not_taken_for_gone() {
    let (server, gate, in_flight_max) = gated();
    held_back(server.ws().await.expect("a session"), &gate, in_flight_max).await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_polls_and_whose_commands_are_held_back_is_not_taken_for_gone() {
    let (server, gate, in_flight_max) = gated();
    held_back(server.poll().await.expect("a session"), &gate, in_flight_max).await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_listens_now_and_then_is_told_busy_for_ever() {
    // Together more than count as a flood, but some are taken in between.
    let (server, gate, in_flight_max) = gated();
    let mut client = welcome(server.ws().await.expect("a session")).await;
    for _ in 0..3 {
        gate.0.send_replace(false);
        for number in 0..3_000 {
            client.emit("members", json!({"room": "LUNCH"})).await;
            if number >= in_flight_max {
                assert_eq!(client.event("error").await["code"], "busy");
            }
        }
        gate.0.send_replace(true);
        for _ in 0..in_flight_max {
            assert_ne!(client.event("error").await["code"], "busy");
        }
        // The next is taken: those before have been answered.
        assert_ne!(client.ask("members", json!({"room": "LUNCH"})).await["code"], "busy");
    }
}

async fn leaves_and_comes_back(wire: impl Wire, server: &Pipes) {
    let mut client = welcome(wire).await;
    for _ in 0..3 {
        client.wire.send("41".to_owned()).await;
        sleep(3 * SECOND).await;
        assert_eq!(server.engine.stats().sessions, 0);
        // Before it is ended for having left.
        client = welcome(client.wire).await;
        stay(&mut client, 60 * SECOND).await;
    }
    client.wire.send("41".to_owned()).await;
    let rest = async { while client.wire.receive().await.is_some() {} };
    let start = Instant::now();
    timeout(60 * SECOND, rest).await.expect("ended, as it has left for good");
    assert!(start.elapsed() <= 10 * SECOND, "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_client_may_leave_and_come_back_many_times_and_is_ended_when_it_stays_away() {
    let server = plain(SocketIoConfig::default());
    leaves_and_comes_back(server.ws().await.expect("a session"), &server).await;
    leaves_and_comes_back(server.poll().await.expect("a session"), &server).await;
}

/// A session from its beginning to its end, by one of the ways to end.
async fn end(server: &Pipes, wire: impl Wire, way: usize) {
    let mut client = welcome(wire).await;
    assert_eq!(server.engine.stats().sessions, 1);
    match way {
        // Without a word: it is found gone when a ping is not answered.
        0 => drop(client),
        1 => client.wire.send("1".to_owned()).await,
        _ => client.wire.send("41".to_owned()).await,
    }
    sleep(60 * SECOND).await;
    assert_eq!(server.engine.stats().sessions, 0, "way {way}");
}

#[tokio::test(start_paused = true)]
async fn every_place_is_given_back_however_its_session_ends() {
    let server = plain(SocketIoConfig { connections_max: 1, ..SocketIoConfig::default() });
    for way in (0..3).chain(0..3) {
        end(&server, server.ws().await.expect("a place"), way).await;
        end(&server, server.poll().await.expect("a place"), way).await;
        let ws = server.ws().await.expect("a place");
        assert_eq!(server.poll().await.err().map(|refused| refused.status), Some(503), "there is one place");
        // It never asks for the namespace.
        drop(ws);
        sleep(60 * SECOND).await;
    }
}

#[tokio::test(start_paused = true)]
async fn one_address_opens_so_many_connections_though_it_never_asks_for_the_namespace() {
    let hosts = AtomicU8::new(1);
    // Two connections of the first, then one of another.
    let address = ClientAddress::new(move |_| {
        let number = hosts.fetch_add(1, Ordering::Relaxed);
        Some(IpAddr::from([192, 0, 2, if number == 4 { 2 } else { 1 }]))
    });
    let server = plain(SocketIoConfig { connections_per_address_max: 2, address, ..SocketIoConfig::default() });
    let _first = server.poll().await.expect("a place");
    let _second = server.ws().await.expect("a place");
    assert_eq!(server.poll().await.err().map(|refused| refused.status), Some(503), "it has two");
    let _other = server.poll().await.expect("another address has its own");
    assert_eq!(server.ws().await.err().map(|refused| refused.status), Some(503), "it still has two");
    // Neither has asked for the namespace in time.
    sleep(60 * SECOND).await;
    server.poll().await.expect("they were given back");
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_was_replaced_ends_each_time() {
    let server = plain(SocketIoConfig { connections_max: 2, ..SocketIoConfig::default() });
    let mut client = server.ws().await.expect("a place").connect(json!({})).await;
    let token: Value = client.event("welcome").await["token"].clone();
    for _ in 0..4 {
        let mut newer = server.ws().await.expect("a place").connect(json!({"resume": token})).await;
        assert_eq!(newer.event("welcome").await["resumed"], true);
        assert_eq!(client.event("closing").await["code"], CloseReason::Replaced.code());
        // It stays, as stock clients do that are put out of the namespace; and is ended.
        let rest = async { while client.next().await.is_some() {} };
        timeout(60 * SECOND, rest).await.expect("ended");
        client = newer;
    }
    assert_eq!(server.engine.stats().sessions, 1);
}
