//! What a connection must survive, and what must end it.

mod support;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chat_core::{CloseReason, Command, Engine, Limits, Policy, Reject, SessionView};
use futures_util::SinkExt;
use serde_json::json;
use support::{Client, Packet, Poll, Server, Wire, Ws, limits, upgrade};
use tokio::time::{Instant, sleep, timeout};
use tokio_tungstenite::tungstenite::Message;
use transport_socketio::SocketIoConfig;

const SECOND: Duration = Duration::from_secs(1);

fn server(limits: Limits, config: SocketIoConfig) -> Server {
    Server::start(Engine::builder().limits(limits).build(), config)
}

/// Given up soon.
fn impatient() -> Limits {
    let mut limits = limits();
    limits.session.stall_timeout = SECOND;
    limits
}

async fn enter<W: Wire>(wire: W, command: &str, nick: &str) -> Client<W> {
    let mut client = wire.connect(json!({})).await;
    client.event("welcome").await;
    let joined = client.ask(command, json!({"room": "LUNCH", "nick": nick})).await;
    assert_eq!(joined["type"], "joined", "{joined}");
    client
}

/// Says so many numbered things, each of so many bytes.
async fn say<W: Wire>(client: &mut Client<W>, count: usize, bytes: usize) {
    for number in 0..count {
        let text = format!("{number:0>bytes$}");
        assert_eq!(client.ask("send", json!({"room": "LUNCH", "text": text})).await["type"], "ack");
    }
}

async fn hear<W: Wire>(client: &mut Client<W>, count: usize) {
    let texts = client.texts(count).await;
    let numbers: Vec<usize> = texts.iter().map(|text| text.parse().expect("a number")).collect();
    assert_eq!(numbers, (0..count).collect::<Vec<_>>());
}

/// How long until so many sessions have a connection.
async fn until_sessions(server: &Server, count: usize) -> Duration {
    let start = Instant::now();
    while server.engine.stats().sessions != count {
        assert!(start.elapsed() < 60 * SECOND, "{} sessions", server.engine.stats().sessions);
        sleep(Duration::from_millis(5)).await;
    }
    start.elapsed()
}

#[tokio::test]
async fn what_is_emitted_without_waiting_arrives_in_order() {
    let server = Server::plain();
    let mut ann = enter(Ws::open(server.address).await, "create", "Ann").await;
    for number in 0..2_000 {
        ann.emit("send", json!({"room": "LUNCH", "text": number.to_string()})).await;
    }
    hear(&mut ann, 2_000).await;
}

#[tokio::test]
async fn what_is_emitted_in_one_poll_arrives_in_order() {
    let server = Server::plain();
    let mut ann = enter(Poll::open(server.address).await, "create", "Ann").await;
    let packet = |number| format!("42{}", json!(["send", {"room": "LUNCH", "text": format!("{number}")}]));
    let packets: Vec<String> = (0..2_000).map(packet).collect();
    ann.wire.send(packets.join("\u{1e}")).await;
    hear(&mut ann, 2_000).await;
}

#[tokio::test]
async fn a_reader_that_stalls_and_reads_on_has_missed_nothing() {
    // It is pinged while it stalls: a connection whose queue were full at that time would be given up.
    let config = SocketIoConfig { ping_interval: 2 * SECOND, ..SocketIoConfig::default() };
    let server = server(limits(), config);
    let mut bob = enter(Ws::open(server.address).await, "create", "Bob").await;
    let mut ann = enter(Ws::open(server.address).await, "join", "Ann").await;
    for number in 0..400 {
        bob.emit("send", json!({"room": "LUNCH", "text": format!("{number:0>1500}")})).await;
    }
    tokio::join!(hear(&mut bob, 400), sleep(3 * SECOND));
    hear(&mut ann, 400).await;
    assert_eq!(ann.ask("leave", json!({"room": "LUNCH"})).await["type"], "ack");
    assert_eq!(server.engine.stats().gaps, 0);
}

#[tokio::test]
async fn a_reader_that_stalls_for_good_is_evicted_and_delays_nobody() {
    let server = server(impatient(), SocketIoConfig { connections_max: 3, ..SocketIoConfig::default() });
    let mut bob = enter(Ws::open(server.address).await, "create", "Bob").await;
    let _eve = enter(Ws::open(server.address).await, "join", "Eve").await;
    let mut ann = enter(Ws::open(server.address).await, "join", "Ann").await;
    assert_eq!(Ws::dial(server.address, "", &[]).await.err().map(|refused| refused.status), Some(503));
    let start = Instant::now();
    let (talk, ()) = tokio::join!(
        async {
            say(&mut bob, 300, 2_000).await;
            start.elapsed()
        },
        hear(&mut ann, 300)
    );
    assert!(start.elapsed() - talk < 5 * SECOND, "Ann waits for nobody");
    let waited = until_sessions(&server, 2).await;
    assert!(waited < 10 * SECOND, "{waited:?}");
    // Her connection is gone as a whole, though she has never closed it: there is a place again.
    let freed = async {
        while Ws::dial(server.address, "", &[]).await.is_err() {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(5 * SECOND, freed).await.expect("a place");
}

#[tokio::test]
async fn a_reader_that_stalls_before_silence_is_evicted_too() {
    let server = server(impatient(), SocketIoConfig::default());
    let mut bob = enter(Ws::open(server.address).await, "create", "Bob").await;
    let _eve = enter(Ws::open(server.address).await, "join", "Eve").await;
    // All of it is emitted, but not all of it can be written; nothing is due any more.
    say(&mut bob, 60, 2_000).await;
    let waited = until_sessions(&server, 1).await;
    assert!(waited < 10 * SECOND, "{waited:?}");
}

#[tokio::test]
async fn a_client_that_stops_polling_is_evicted() {
    let server = server(impatient(), SocketIoConfig::default());
    let mut bob = enter(Ws::open(server.address).await, "create", "Bob").await;
    let mut eve = enter(Poll::open(server.address).await, "join", "Eve").await;
    say(&mut bob, 1, 100).await;
    until_sessions(&server, 1).await;
    // What was emitted before its end is still there to be polled; after it the session is unknown.
    while eve.next().await.is_some() {}
    assert_eq!(eve.wire.request("GET", "", "").await.0, 400);
}

#[tokio::test]
async fn a_reader_that_reads_slowly_is_kept() {
    let mut limits = limits();
    limits.session.stall_timeout = 3 * SECOND;
    let server = server(limits, SocketIoConfig::default());
    let mut bob = enter(Ws::open(server.address).await, "create", "Bob").await;
    let mut ann = enter(Ws::open(server.address).await, "join", "Ann").await;
    let talk = tokio::spawn(async move {
        say(&mut bob, 400, 1_500).await;
        bob
    });
    // Something is due to her for longer than the stall timeout, and all the time; but she takes some of it now and then.
    for number in 0..400 {
        if number % 50 == 0 {
            sleep(SECOND / 2).await;
        }
        assert_eq!(ann.texts(1).await[0].parse(), Ok(number));
    }
    talk.await.expect("all is said");
}

#[tokio::test]
async fn a_frame_over_the_limit_is_refused_and_a_message_over_four_times_of_it_ends_the_connection() {
    let server = Server::plain();
    let mut ann = enter(Ws::open(server.address).await, "create", "Ann").await;
    let long = |bytes| json!({"room": "LUNCH", "text": "x".repeat(bytes)});
    let error = ann.ask("send", long(100_000)).await;
    assert_eq!((&error["code"], &error["limit"]), (&json!("too_long"), &json!(65_536)));
    // The header is enough. Left to itself, socketioxide would wait for this, and for 16 times as much.
    let header = [&[0x81, 0xFF][..], &(1_u64 << 20).to_be_bytes(), &[0; 4]].concat();
    tokio::io::AsyncWriteExt::write_all(ann.wire.0.get_mut(), &header).await.expect("sent");
    timeout(10 * SECOND, until_sessions(&server, 0)).await.expect("ended");
}

#[tokio::test]
async fn a_poll_over_four_times_the_limit_ends_the_session() {
    let server = Server::plain();
    let mut ann = enter(Poll::open(server.address).await, "create", "Ann").await;
    let (status, _) = ann.wire.request("POST", "", &"4".repeat(1 << 20)).await;
    assert!(status == 413 || status == 0, "{status}");
    until_sessions(&server, 0).await;
}

#[tokio::test]
async fn a_poll_of_nonsense_ends_the_session() {
    for body in ["\u{1e}\u{1e}\u{1e}", "9", "42[\u{1e}", "b!", "é"] {
        let server = Server::plain();
        let mut ann = enter(Poll::open(server.address).await, "create", "Ann").await;
        ann.wire.request("POST", "", body).await;
        until_sessions(&server, 0).await;
    }
}

#[tokio::test]
async fn an_upgrade_that_fails_leaves_no_session_behind() {
    let server = Server::plain();
    let mut ann = enter(Poll::open(server.address).await, "create", "Ann").await;
    let mut ws = Ws::dial(server.address, &format!("&sid={}", ann.wire.sid), &[]).await.expect("upgraded");
    ws.send("nonsense".to_owned()).await;
    until_sessions(&server, 0).await;
    assert_eq!(ann.wire.request("GET", "", "").await.0, 400);
}

#[tokio::test]
async fn a_session_that_is_unknown_cannot_be_upgraded() {
    let server = Server::plain();
    assert_eq!(
        Ws::dial(server.address, "&sid=AAAAAAAAAAAAAAAA", &[]).await.err().map(|refused| refused.status),
        Some(400)
    );
    assert_eq!(Ws::dial(server.address, "&sid=short", &[]).await.err().map(|refused| refused.status), Some(400));
}

#[tokio::test]
async fn a_session_that_is_of_no_use_is_ended() {
    let summary = Duration::from_millis(200);
    let config = SocketIoConfig { connect_timeout: summary, close_timeout: summary, ..SocketIoConfig::default() };
    let server = server(limits(), config);
    // One that never asks for the namespace.
    let mut ws = Ws::open(server.address).await;
    let rest = async { while ws.receive().await.is_some() {} };
    timeout(5 * SECOND, rest).await.expect("ended");
    // One that leaves it and stays.
    let mut ann = Ws::open(server.address).await.connect(json!({})).await;
    ann.event("welcome").await;
    ann.wire.send("41".to_owned()).await;
    timeout(5 * SECOND, async { while ann.next().await.is_some() {} }).await.expect("ended");
}

/// Answers nothing.
struct Silence;

#[async_trait]
impl Policy for Silence {
    async fn check(&self, _: &SessionView, _: Command) -> Result<Command, Reject> {
        std::future::pending().await
    }
}

#[tokio::test]
async fn a_client_that_does_not_stop_is_told_busy_and_then_to_go() {
    let engine = Engine::builder().policy(Arc::new(Silence)).build();
    let server = Server::start(engine, SocketIoConfig::default());
    let mut eve = Ws::open(server.address).await.connect(json!({})).await;
    eve.event("welcome").await;
    for number in 1..=33 {
        eve.wire.send(format!(r#"42{number}["create",{{"nick":"Eve","id":{number}}}]"#)).await;
    }
    match eve.next().await {
        Some(Packet::Ack(33, frame)) => assert_eq!((&frame["code"], &frame["id"]), (&json!("busy"), &json!(33))),
        other => panic!("{other:?}"),
    }
    let (mut out, mut told) = (0, None);
    while told.is_none() {
        if out < 5_000 {
            let packet = Message::text(r#"42["create",{"nick":"Eve"}]"#);
            eve.wire.0.send(packet).await.expect("sent");
            out += 1;
        }
        if out % 100 == 0 {
            match eve.next().await {
                Some(Packet::Event(name, frame)) if name == "closing" => told = Some(frame),
                other => assert!(other.is_some()),
            }
        }
    }
    assert_eq!(told.expect("told")["code"], CloseReason::Flooding.code());
}

/// Each refusal would be a packet of its own in the queue until somebody polls.
#[tokio::test]
async fn what_is_refused_as_busy_is_held_for_nobody_who_does_not_poll() {
    let engine = Engine::builder().policy(Arc::new(Silence)).build();
    // The ping is what a poll brings when nothing else is held.
    let config = SocketIoConfig { ping_interval: SECOND, ..SocketIoConfig::default() };
    let server = Server::start(engine, config);
    let mut client = Poll::open(server.address).await.connect(json!({})).await;
    client.event("welcome").await;
    let create = format!("42{}", json!(["create", { "nick": "Eve" }]));
    for _ in 0..30 {
        client.wire.send([create.as_str(); 100].join("\u{1e}")).await;
    }
    let mut held = String::new();
    loop {
        let (status, body) = client.wire.request("GET", "", "").await;
        assert_eq!(status, 200);
        if !body.contains("busy") {
            break;
        }
        held += &body;
    }
    assert!((64 << 10..192 << 10).contains(&held.len()), "{} bytes", held.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_talk_at_once_nobody_misses_anything() {
    const SENDERS: usize = 20;
    const EACH: usize = 500;
    let mut limits = limits();
    // A debug build may fall far behind; what falls out of the backlog would be a gap, and rightly so.
    limits.room.backlog_events_max = SENDERS * EACH * 2;
    limits.room.backlog_bytes_max = 64 << 20;
    let server = server(limits, SocketIoConfig::default());
    let host = enter(Ws::open(server.address).await, "create", "Host").await;
    let mut hearing = Vec::new();
    let mut client = enter(Ws::open(server.address).await, "join", "ws").await;
    hearing.push(tokio::spawn(async move { client.texts(SENDERS * EACH).await }));
    let mut client = enter(Poll::open(server.address).await, "join", "polling").await;
    hearing.push(tokio::spawn(async move { client.texts(SENDERS * EACH).await }));
    let (mut client, _) = upgrade(enter(Poll::open(server.address).await, "join", "both").await).await;
    hearing.push(tokio::spawn(async move { client.texts(SENDERS * EACH).await }));
    let mut talking = Vec::new();
    for sender in 0..SENDERS {
        let mut client = enter(Ws::open(server.address).await, "join", &format!("sender {sender}")).await;
        talking.push(tokio::spawn(async move {
            for number in 0..EACH {
                let text = format!("{sender} {number}");
                assert_eq!(client.ask("send", json!({"room": "LUNCH", "text": text})).await["type"], "ack");
            }
            client
        }));
    }
    for talk in talking {
        talk.await.expect("all is said");
    }
    for hear in hearing {
        let texts = hear.await.expect("all is heard");
        let mut next = [0; SENDERS];
        for text in texts {
            let (sender, number) = text.split_once(' ').expect("two numbers");
            let next = &mut next[sender.parse::<usize>().expect("a number")];
            assert_eq!(number.parse(), Ok(*next));
            *next += 1;
        }
        assert_eq!(next, [EACH; SENDERS]);
    }
    drop(host);
}
