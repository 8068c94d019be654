//! Peers that take nothing any more, and never say that they are gone: who else is there must not notice.

mod support;

use std::sync::Arc;
use std::time::Duration;

use chat_core::{CloseReason, Engine};
use serde_json::{Value, json};
use support::{Client, Packet, Poll, Server, Wire, Ws, limits};
use tokio::time::timeout;
use transport_socketio::SocketIoConfig;

/// Long enough for anything that happens at all.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server that gives up soon on who takes nothing; and not because a ping is not answered.
fn impatient() -> Server {
    let mut limits = limits();
    limits.session.stall_timeout = Duration::from_secs(1);
    let config = SocketIoConfig { ping_interval: 60 * PATIENCE, ..SocketIoConfig::default() };
    Server::start(Engine::builder().limits(limits).build(), config)
}

async fn enter(server: &Server, command: &str, nick: &str) -> (Client<Ws>, Value) {
    let mut client = Ws::open(server.address).await.connect(json!({})).await;
    let welcome = client.event("welcome").await;
    let joined = client.ask(command, json!({"room": "LUNCH", "nick": nick})).await;
    assert_eq!(joined["type"], "joined", "{joined}");
    (client, welcome)
}

/// Far more than a connection of somebody who reads nothing can hold.
async fn talk(client: &mut Client<Ws>) {
    for _ in 0..300 {
        let send = json!({"room": "LUNCH", "text": "x".repeat(2_000)});
        assert_eq!(client.ask("send", send).await["type"], "ack");
    }
}

/// Reads what has come so far; returns when the connection has ended.
async fn until_end(mut client: Client<Ws>) {
    timeout(PATIENCE, async { while client.wire.receive().await.is_some() {} }).await.expect("it ends");
}

#[tokio::test]
async fn a_client_that_takes_nothing_does_not_hold_up_the_end_of_the_server() {
    let server = impatient();
    let (mut bob, _) = enter(&server, "create", "Bob").await;
    let (eve, _) = enter(&server, "join", "Eve").await;
    talk(&mut bob).await;
    let engine = server.engine.clone();
    let drain = tokio::spawn(async move { engine.drain(Duration::ZERO).await });
    assert_eq!(bob.event_in_time("closing").await["code"], CloseReason::Draining.code());
    assert_eq!(timeout(PATIENCE, bob.next()).await.expect("in time"), None);
    timeout(PATIENCE, drain).await.expect("it ends").expect("no panic");
    until_end(eve).await;
    assert_eq!(server.engine.stats().sessions, 0);
}

#[tokio::test]
async fn a_connection_that_takes_nothing_is_replaced_at_once_and_then_ends() {
    let server = impatient();
    let (mut bob, _) = enter(&server, "create", "Bob").await;
    let (older, welcome) = enter(&server, "join", "Eve").await;
    talk(&mut bob).await;
    let mut newer = Ws::open(server.address).await.connect(json!({"resume": welcome["token"]})).await;
    assert_eq!(newer.event("welcome").await["resumed"], true);
    bob.ask("send", json!({"room": "LUNCH", "text": "welcome back"})).await;
    while newer.texts(1).await != ["welcome back"] {}
    until_end(older).await;
    assert_eq!(newer.ask("leave", json!({"room": "LUNCH"})).await["type"], "ack");
}

#[tokio::test]
async fn whoever_pauses_among_many_small_frames_is_not_given_up_for_a_ping() {
    // Where the queue of packets is full when a ping is due, socketioxide gives the connection up.
    let config = SocketIoConfig { ping_interval: Duration::from_millis(300), ..SocketIoConfig::default() };
    let server = Server::start(Engine::builder().limits(limits()).build(), config);
    let (mut bob, _) = enter(&server, "create", "Bob").await;
    let (mut eve, _) = enter(&server, "join", "Eve").await;
    for number in 0..1_000 {
        // The first fill the buffers of the connection, the others wait in the queue.
        let text = if number < 60 { format!("{number:0>2000}") } else { number.to_string() };
        assert_eq!(bob.ask("send", json!({"room": "LUNCH", "text": text})).await["type"], "ack");
    }
    // Several pings are due meanwhile.
    let pause = tokio::time::sleep(Duration::from_secs(1));
    tokio::join!(pause, async {
        bob.ask("leave", json!({"room": "LUNCH"})).await;
    });
    for number in 0..1_000 {
        assert_eq!(eve.texts(1).await[0].parse(), Ok(number));
    }
    assert_eq!(eve.ask("leave", json!({"room": "LUNCH"})).await["type"], "ack");
    assert_eq!(server.engine.stats().gaps, 0);
}

/// A queue that is full shows in how much of a fill was taken, and nothing else has to be said.
#[tokio::test]
async fn a_client_that_stops_polling_counts_as_slow_and_is_told_of_a_gap() {
    let mut limits = limits();
    limits.room.backlog_events_max = 8;
    let config = SocketIoConfig { ahead_bytes_max: 8 << 10, ..SocketIoConfig::default() };
    let server = Server::start(Engine::builder().limits(limits).build(), config);
    let (mut bob, _) = enter(&server, "create", "Bob").await;
    let mut eve = Poll::open(server.address).await.connect(json!({})).await;
    eve.event("welcome").await;
    assert_eq!(eve.ask("join", json!({"room": "LUNCH", "nick": "Eve"})).await["type"], "joined");
    talk(&mut bob).await;
    let gap = eve.event_in_time("gap").await;
    assert_eq!(gap["room"], "LUNCH");
    let stats = server.engine.stats();
    assert!(stats.gaps > 0, "{stats:?}");
    assert_eq!(stats.gaps_unblocked, 0, "it was not listened to, and that is known");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_emitted_the_moment_one_is_connected_is_never_missed() {
    let server = Arc::new(Server::plain());
    let come = |number: usize, server: Arc<Server>| async move {
        let mut wire = Ws::open(server.address).await;
        // Said as soon as the first byte of the answer is read.
        assert!(wire.ask_in(json!({})).await.starts_with("40{"));
        wire.send(format!(r#"421["create",{{"nick":"Ann","room":"ROOM-{number}"}}]"#)).await;
        loop {
            let packet = timeout(PATIENCE, wire.receive()).await.expect("an answer").expect("it is open");
            match Packet::read(packet.strip_prefix('4').unwrap_or("0")) {
                Packet::Ack(1, frame) => return frame["type"] == "joined",
                _ => assert_ne!(packet, "1"),
            }
        }
    };
    let comings: Vec<_> = (0..100).map(|number| tokio::spawn(come(number, Arc::clone(&server)))).collect();
    for coming in comings {
        assert!(coming.await.expect("no panic"));
    }
}
