//! In virtual time: the change from long-polling to WebSocket, and WebSockets that were to bring it and did not.

mod support;

use std::time::Duration;

use chat_core::Engine;
use futures_util::SinkExt;
use serde_json::json;
use support::pipes::Pipes;
use support::{Client, Packet, Poll, Refused, Wire, Ws, limits};
use tokio::io::DuplexStream;
use tokio::time::{Instant, sleep, timeout};
use tokio_tungstenite::tungstenite::Message;
use transport_socketio::SocketIoConfig;

const SECOND: Duration = Duration::from_secs(1);

async fn polling() -> (Pipes, Client<Poll<DuplexStream>>) {
    let server = Pipes::start(Engine::builder().limits(limits()).build(), SocketIoConfig::default());
    let mut client = server.poll().await.expect("a session").connect(json!({})).await;
    client.event("welcome").await;
    let joined = client.ask("create", json!({"room": "LUNCH", "nick": "Ann"})).await;
    assert_eq!(joined["type"], "joined", "{joined}");
    (server, client)
}

/// A WebSocket beside the polls of a client.
async fn beside(server: &Pipes, client: &Client<Poll<DuplexStream>>) -> Ws<DuplexStream> {
    server.beside(&client.wire.sid).await.expect("upgraded")
}

fn refusal(ws: Result<Ws<DuplexStream>, Refused>) -> Option<u16> {
    ws.err().map(|refused| refused.status)
}

async fn probed(ws: &mut Ws<DuplexStream>) {
    ws.send("2probe".to_owned()).await;
    assert_eq!(ws.receive().await.as_deref(), Some("3probe"));
}

/// Says something, and is answered by a poll, soon.
async fn says(client: &mut Client<Poll<DuplexStream>>, text: &str) {
    let start = Instant::now();
    assert_eq!(client.ask("send", json!({"room": "LUNCH", "text": text})).await["type"], "ack");
    assert!(start.elapsed() < SECOND, "{text}: {:?}", start.elapsed());
}

/// Lives on for so long, and is pinged meanwhile.
async fn lives_on(client: &mut Client<Poll<DuplexStream>>, time: Duration) {
    let until = Instant::now() + time;
    let mut pings = 0;
    while Instant::now() < until {
        match timeout(60 * SECOND, client.wire.receive()).await.expect("a ping").expect("the session lives").as_str() {
            "2" => {
                pings += 1;
                client.wire.send("3".to_owned()).await;
            }
            "6" => {}
            packet => assert!(packet.starts_with("42[\"message\""), "{packet}"),
        }
    }
    assert!(pings > 0);
}

#[tokio::test(start_paused = true)]
async fn a_websocket_that_dies_costs_the_polls_nothing() {
    let (server, mut client) = polling().await;
    // More often than there are places for it at once.
    for turn in 0..6 {
        drop(beside(&server, &client).await);
        says(&mut client, &format!("closed at once {turn}")).await;
        let mut ws = beside(&server, &client).await;
        probed(&mut ws).await;
        drop(ws);
        sleep(Duration::from_millis(1)).await;
        says(&mut client, &format!("closed after the probe {turn}")).await;
    }
    lives_on(&mut client, 60 * SECOND).await;
    assert_eq!(server.engine.stats().sessions, 1);
}

#[tokio::test(start_paused = true)]
async fn a_websocket_that_says_something_else_is_closed_and_costs_the_polls_nothing() {
    let (server, mut client) = polling().await;
    for said in ["5", "2", "40", r#"42["leave",{"room":"LUNCH"}]"#, &"x".repeat(65)] {
        let mut ws = beside(&server, &client).await;
        ws.send(said.to_owned()).await;
        assert_eq!(ws.receive().await, None, "{said}");
        says(&mut client, said).await;
    }
    let mut ws = beside(&server, &client).await;
    probed(&mut ws).await;
    ws.send("6".to_owned()).await;
    assert_eq!(ws.receive().await, None);
    lives_on(&mut client, 60 * SECOND).await;
}

#[tokio::test(start_paused = true)]
async fn a_websocket_that_stays_mute_holds_up_no_poll_and_ends() {
    let (server, mut client) = polling().await;
    let mut mute = beside(&server, &client).await;
    says(&mut client, "while it is mute").await;
    lives_on(&mut client, 60 * SECOND).await;
    assert_eq!(mute.receive().await, None, "it has had its time");
    let mut mute = beside(&server, &client).await;
    probed(&mut mute).await;
    let start = Instant::now();
    while start.elapsed() < 9 * SECOND {
        says(&mut client, "while it is mute after the probe").await;
        // Polls are answered, and not by the hundred.
        let begun = Instant::now();
        assert_eq!(client.wire.request("GET", "", "").await.1, "6");
        assert_eq!(begun.elapsed(), Duration::from_millis(100));
    }
    lives_on(&mut client, 60 * SECOND).await;
    assert_eq!(mute.receive().await, None);
}

#[tokio::test(start_paused = true)]
async fn a_session_has_so_many_websockets_beside_it_and_no_more() {
    let (server, mut client) = polling().await;
    let mut beside = Vec::new();
    for _ in 0..4 {
        beside.push(server.beside(&client.wire.sid).await.expect("upgraded"));
    }
    assert_eq!(refusal(server.beside(&client.wire.sid).await), Some(400));
    says(&mut client, "still here").await;
    drop(beside);
    sleep(SECOND).await;
    assert!(server.beside(&client.wire.sid).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_poll_that_waits_is_answered_when_the_client_may_go_over() {
    let (server, mut client) = polling().await;
    let mut ws = beside(&server, &client).await;
    let start = Instant::now();
    let ((status, body), ()) = tokio::join!(client.wire.request("GET", "", ""), async {
        sleep(SECOND).await;
        probed(&mut ws).await;
    });
    assert_eq!((status, body.as_str(), start.elapsed()), (200, "6", SECOND + Duration::from_millis(100)));
    // It stops polling, and goes over; what it says at once with that is heard.
    let emitted = format!("421{}", json!(["send", {"room": "LUNCH", "text": "from now on here"}]));
    for packet in ["5".to_owned(), emitted] {
        ws.0.feed(Message::text(packet)).await.expect("taken");
    }
    ws.0.flush().await.expect("sent");
    let mut told = Vec::new();
    while told.len() < 2 {
        match ws.receive().await.expect("connected") {
            packet if packet == "2" => ws.send("3".to_owned()).await,
            packet => told.push(Packet::read(packet.strip_prefix('4').expect("a message"))),
        }
    }
    assert!(told.iter().any(|packet| matches!(packet, Packet::Ack(1, ack) if ack["type"] == "ack")), "{told:?}");
    assert_eq!(client.wire.request("GET", "", "").await.0, 400, "it has gone over");
    assert_eq!(refusal(server.beside(&client.wire.sid).await), Some(400));
    assert_eq!(server.engine.stats().sessions, 1);
    // What it loses now is its session.
    drop(ws);
    sleep(SECOND).await;
    assert_eq!(server.engine.stats().sessions, 0);
}

#[tokio::test(start_paused = true)]
async fn the_first_of_two_websockets_has_the_session() {
    let (server, client) = polling().await;
    let (mut one, mut other) = (beside(&server, &client).await, beside(&server, &client).await);
    probed(&mut one).await;
    probed(&mut other).await;
    one.send("5".to_owned()).await;
    sleep(SECOND).await;
    other.send("5".to_owned()).await;
    assert_eq!(other.receive().await, None);
    let mut client: Client<Ws<DuplexStream>> = client.onto(one);
    assert_eq!(client.ask("send", json!({"room": "LUNCH", "text": "here"})).await["type"], "ack");
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_asks_for_the_namespace_again_and_again_has_one_session() {
    let server = Pipes::start(Engine::builder().limits(limits()).build(), SocketIoConfig::default());
    let mut poll = server.poll().await.expect("a session");
    poll.send(vec!["40{}"; 1_000].join("\u{1e}")).await;
    let mut client = poll.connect(json!({})).await;
    client.event("welcome").await;
    client.wire.send(vec!["40{}"; 1_000].join("\u{1e}")).await;
    assert_eq!(client.ask("create", json!({"nick": "Ann"})).await["type"], "joined");
    assert_eq!((server.engine.stats().sessions, server.engine.rooms().len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_takes_too_long_is_told_so_and_costs_no_session() {
    let (server, mut client) = polling().await;
    let start = Instant::now();
    let status = server.begin_post(&client.wire.sid, 100, r#"42["typ"#).await;
    assert_eq!((status, start.elapsed()), (408, 10 * SECOND));
    says(&mut client, "it lives").await;
}
