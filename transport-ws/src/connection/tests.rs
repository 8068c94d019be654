//! Whole connections over sockets in memory and in virtual time: deadlines, ends, and what the engine learns of them.

use std::time::Duration;

use chat_core::{
    Body, Command, Connection, Engine, Hello, Limits, Nick, Reject, RejectCode, Reply, RoomCode, ServerFrame,
};
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::task::JoinHandle;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::*;
use crate::WsConfig;

mod again;
mod held_back;

const HELLO: &str = r#"{"type":"hello"}"#;

struct Peer {
    socket: WebSocketStream<DuplexStream>,
    served: JoinHandle<()>,
}

/// Connects over a socket that holds up to `bytes` on the way.
fn raw(engine: &Engine, bytes: usize) -> (DuplexStream, JoinHandle<()>) {
    let (server, client) = duplex(bytes);
    let shared = Arc::new(Shared::new(engine.clone(), WsConfig::default()));
    let asked = ConnectRequest { transport: "ws", ..ConnectRequest::default() };
    (client, tokio::spawn(serve(server, shared, Ok(asked))))
}

async fn connect(engine: &Engine) -> Peer {
    let (client, served) = raw(engine, 1 << 20);
    Peer { socket: WebSocketStream::from_raw_socket(client, Role::Client, None).await, served }
}

impl Peer {
    async fn say(&mut self, text: &str) {
        self.socket.send(Message::text(text)).await.expect("the connection is open");
    }

    async fn hear(&mut self) -> ServerFrame {
        loop {
            match self.socket.next().await.expect("the connection is open").expect("frames") {
                Message::Text(text) => return serde_json::from_str(&text).expect("a frame of the protocol"),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    async fn hear_error(&mut self) -> (Option<u64>, String) {
        match self.hear().await {
            ServerFrame::Error { id, code, .. } => (id.map(|id| id.0), code),
            other => panic!("{other:?}"),
        }
    }

    /// Hears the last frame and the close frame, answers it, and sees the socket end. Returns the code and its advice.
    async fn hear_end(&mut self) -> (u16, Option<u64>) {
        let (code, reason, reconnect_after) = loop {
            if let ServerFrame::Closing { code, reason, reconnect_after_ms, .. } = self.hear().await {
                break (code, reason, reconnect_after_ms);
            }
        };
        match self.socket.next().await {
            Some(Ok(Message::Close(Some(frame)))) => {
                assert_eq!((u16::from(frame.code), frame.reason.as_str()), (code, reason.as_str()));
            }
            other => panic!("{other:?}"),
        }
        assert!(self.socket.next().await.is_none());
        (&mut self.served).await.expect("served to the end");
        (code, reconnect_after)
    }
}

/// A masked text frame of up to 125 bytes.
fn frame(text: &str) -> Vec<u8> {
    let mut bytes = vec![0x81, 0x80 | u8::try_from(text.len()).expect("short"), 0, 0, 0, 0];
    bytes.extend_from_slice(text.as_bytes());
    bytes
}

async fn welcome(peer: &mut Peer) -> String {
    match peer.hear().await {
        ServerFrame::Welcome { token, .. } => token.expect("a token"),
        other => panic!("{other:?}"),
    }
}

async fn attach(engine: &Engine) -> Connection {
    engine.connect(ConnectRequest::default(), Hello::default()).await.expect("open to everyone")
}

fn seconds(start: Instant) -> u64 {
    start.elapsed().as_secs()
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_says_nothing_is_told_to_come_back() {
    let engine = Engine::builder().build();
    let start = Instant::now();
    let mut peer = connect(&engine).await;
    assert_eq!(peer.hear_end().await, (4004, None));
    assert_eq!(seconds(start), 10);
    assert_eq!(engine.stats().sessions, 0);
}

#[tokio::test(start_paused = true)]
async fn pings_alone_are_answered_and_are_no_first_frame() {
    let engine = Engine::builder().build();
    let start = Instant::now();
    let mut peer = connect(&engine).await;
    for _ in 0..3 {
        peer.socket.send(Message::Ping("anyone?".into())).await.expect("open");
        assert_eq!(peer.socket.next().await.expect("open").expect("a frame"), Message::Pong("anyone?".into()));
    }
    assert_eq!(peer.hear_end().await, (4004, None));
    assert_eq!(seconds(start), 10);
}

/// Waits for a ping, and answers it.
async fn answer_ping(peer: &mut Peer) {
    match peer.socket.next().await {
        Some(Ok(Message::Ping(_))) => peer.socket.flush().await.expect("open"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_pause_of_the_process_the_peer_is_pinged_before_it_counts_as_gone() {
    let engine = Engine::builder().build();
    let mut peer = connect(&engine).await;
    peer.say(HELLO).await;
    welcome(&mut peer).await;
    tokio::time::sleep(Duration::from_secs(21)).await;
    tokio::time::advance(Duration::from_secs(27)).await;
    let start = Instant::now();
    for due in [0, 25, 50] {
        answer_ping(&mut peer).await;
        assert_eq!(seconds(start), due);
    }
    assert_eq!(engine.stats().sessions, 1);
    // Who does not answer even then is gone. What it said before is read first.
    tokio::time::sleep(Duration::from_secs(1)).await;
    tokio::time::advance(Duration::from_secs(3_600)).await;
    let start = Instant::now();
    assert_eq!(peer.socket.next().await.expect("open").expect("a frame"), Message::Ping("".into()));
    while engine.stats().sessions > 0 {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert!((20..=21).contains(&seconds(start)), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_dead_peer_is_pinged_told_and_dropped() {
    let engine = Engine::builder().build();
    let start = Instant::now();
    let (mut peer, served) = raw(&engine, 1 << 20);
    peer.write_all(&frame(HELLO)).await.expect("open");
    let mut bytes = Vec::new();
    while !bytes.ends_with(&frames::PING) {
        peer.read_buf(&mut bytes).await.expect("open");
    }
    assert_eq!((seconds(start), engine.stats().sessions), (25, 1));
    bytes.clear();
    while !bytes.ends_with(b"peer_timeout") {
        peer.read_buf(&mut bytes).await.expect("open");
    }
    let text = String::from_utf8_lossy(&bytes);
    assert!(text.contains(r#"{"type":"closing","code":4003,"reason":"peer_timeout"}"#), "{text}");
    assert_eq!(seconds(start), 45);
    assert_eq!(engine.stats().sessions, 0, "the session has detached, whatever the socket does");
    assert_eq!(peer.read(&mut [0; 1]).await.expect("the end"), 0);
    assert_eq!(seconds(start), 50);
    served.await.expect("served to the end");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_answers_pings_stays() {
    let engine = Engine::builder().build();
    let mut peer = connect(&engine).await;
    peer.say(HELLO).await;
    welcome(&mut peer).await;
    let start = Instant::now();
    for number in 1..=20 {
        assert_eq!(peer.socket.next().await.expect("open").expect("a frame"), Message::Ping("".into()));
        assert_eq!(seconds(start), 25 * number);
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_frame_is_welcomed_whatever_it_is() {
    let engine = Engine::builder().build();
    let mut hello = connect(&engine).await;
    hello.say(r#"{"type":"hello","id":7}"#).await;
    assert!(matches!(hello.hear().await, ServerFrame::Welcome { id: Some(id), .. } if id.0 == 7));
    hello.say(r#"{"type":"hello","id":8}"#).await;
    assert_eq!(hello.hear_error().await, (Some(8), "unknown_type".to_owned()));

    let mut command = connect(&engine).await;
    command.say(r#"{"type":"create","id":1,"nick":"Ann","room":"LUNCH"}"#).await;
    welcome(&mut command).await;
    assert!(matches!(command.hear().await, ServerFrame::Joined(joined) if joined.room == "LUNCH"));

    let mut nonsense = connect(&engine).await;
    nonsense.socket.send(Message::binary(vec![1, 2, 3])).await.expect("open");
    welcome(&mut nonsense).await;
    assert_eq!(nonsense.hear_error().await, (None, "bad_frame".to_owned()));
}

struct Closed;

#[async_trait::async_trait]
impl chat_core::Policy for Closed {
    async fn admit(&self, _: &ConnectRequest) -> Result<chat_core::Admission, Reject> {
        Err(Reject::new(RejectCode::Forbidden, "members only"))
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_not_admitted_is_told_why() {
    let engine = Engine::builder().policy(Arc::new(Closed)).build();
    let mut peer = connect(&engine).await;
    peer.say(r#"{"type":"hello","id":3}"#).await;
    assert_eq!(peer.hear_error().await, (Some(3), "forbidden".to_owned()));
    assert_eq!(peer.hear_end().await, (4502, None));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_closes_is_answered_and_its_session_detaches() {
    let engine = Engine::builder().build();
    let mut peer = connect(&engine).await;
    peer.say(HELLO).await;
    welcome(&mut peer).await;
    peer.socket.close(None).await.expect("open");
    assert!(matches!(peer.socket.next().await, Some(Ok(Message::Close(None)))));
    assert!(peer.socket.next().await.is_none());
    peer.served.await.expect("served to the end");
    let stats = engine.stats();
    assert_eq!((stats.sessions, stats.sessions_detached), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_newer_connection_replaces_the_older() {
    let engine = Engine::builder().build();
    let mut old = connect(&engine).await;
    old.say(HELLO).await;
    let token = welcome(&mut old).await;
    let mut new = connect(&engine).await;
    new.say(&format!(r#"{{"type":"hello","resume":"{token}"}}"#)).await;
    assert!(matches!(new.hear().await, ServerFrame::Welcome { resumed: true, .. }));
    assert_eq!(old.hear_end().await, (4501, None));
    assert_eq!(engine.stats().sessions, 1);
}

#[tokio::test(start_paused = true)]
async fn a_drain_ends_every_connection_with_its_own_advice() {
    let engine = Engine::builder().build();
    let mut peers = Vec::new();
    for _ in 0..20 {
        let mut peer = connect(&engine).await;
        peer.say(HELLO).await;
        welcome(&mut peer).await;
        peers.push(peer);
    }
    let drained = tokio::spawn({
        let engine = engine.clone();
        async move { engine.drain(Duration::from_secs(10)).await }
    });
    let mut delays = Vec::new();
    for peer in &mut peers {
        let (code, delay) = peer.hear_end().await;
        assert_eq!(code, 4001);
        delays.push(delay.expect("advice"));
    }
    assert!(delays.iter().all(|delay| *delay <= 10_000) && delays.iter().min() < delays.iter().max());
    drained.await.expect("drained");
    let mut late = connect(&engine).await;
    late.say(HELLO).await;
    assert_eq!(late.hear_error().await.1, "draining");
    assert_eq!(late.hear_end().await.0, 4001);
}

#[tokio::test(start_paused = true)]
async fn four_times_too_long_a_frame_ends_the_connection() {
    let engine = Engine::builder().build();
    let bound = Limits::default().session.frame_bytes_max;
    let mut peer = connect(&engine).await;
    peer.say(HELLO).await;
    welcome(&mut peer).await;
    peer.say(&" ".repeat(4 * bound)).await;
    assert_eq!(peer.hear_error().await, (None, "too_long".to_owned()));
    peer.say(&" ".repeat(4 * bound + 1)).await;
    assert_eq!(peer.hear_end().await, (4500, None));

    let mut first = connect(&engine).await;
    first.say(&" ".repeat(4 * bound + 1)).await;
    assert_eq!(first.hear_end().await, (4500, None));
}

#[tokio::test(start_paused = true)]
async fn what_is_no_websocket_ends_the_connection_with_a_reason() {
    let engine = Engine::builder().build();
    let (mut peer, served) = raw(&engine, 1 << 20);
    peer.write_all(&frame(HELLO)).await.expect("open");
    peer.write_all(b"\x83\x80\0\0\0\0 and whatever follows").await.expect("open");
    peer.shutdown().await.expect("open");
    let mut bytes = Vec::new();
    peer.read_to_end(&mut bytes).await.expect("the end");
    assert!(bytes.ends_with(b"\x88\x14\x11\x94protocol_violation"), "{}", String::from_utf8_lossy(&bytes));
    served.await.expect("served to the end");
}

/// Ann and the room LUNCH, whose members may say as much as they like.
async fn room() -> (Engine, Connection) {
    let mut limits = Limits::default();
    limits.lift_rates();
    let engine = Engine::builder().limits(limits).build();
    let ann = attach(&engine).await;
    let room = RoomCode::parse("LUNCH").expect("valid");
    ann.call(Command::create(Nick::parse("Ann").expect("valid")).with_room(room)).await.expect("created");
    (engine, ann)
}

async fn say(session: &Connection, text: &str) {
    let room = RoomCode::parse("LUNCH").expect("valid");
    let text = Body::parse(text, 4_000).expect("valid");
    session.call(Command::send(room, text)).await.expect("sent");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_stops_reading_is_given_up_and_loses_nothing() {
    let (engine, ann) = room().await;
    let (client, served) = raw(&engine, 4 << 10);
    let mut eve = Peer { socket: WebSocketStream::from_raw_socket(client, Role::Client, None).await, served };
    eve.say(r#"{"type":"join","nick":"Eve","room":"LUNCH"}"#).await;
    let token = welcome(&mut eve).await;
    let ServerFrame::Joined(joined) = eve.hear().await else { panic!("joined") };
    for number in 0..200 {
        say(&ann, &format!("{number:0>1000}")).await;
    }
    let start = Instant::now();
    (&mut eve.served).await.expect("served to the end");
    assert_eq!(seconds(start), 30);
    assert_eq!(engine.stats().sessions, 1, "Eve's session has detached");

    // What was on the way can still be read; after it the socket has ended without a close frame.
    let mut seen = joined.seq;
    let last = loop {
        match eve.socket.next().await {
            Some(Ok(Message::Text(text))) => {
                let ServerFrame::Message(message) = serde_json::from_str(&text).expect("a frame") else { continue };
                assert_eq!(message.seq, seen.next());
                seen = message.seq;
            }
            Some(Ok(_)) => {}
            end => break end,
        }
    };
    assert!(matches!(last, Some(Err(Error::Protocol(_))) | None), "{last:?}");

    let mut back = connect(&engine).await;
    let position = format!("{}:{seen}", joined.epoch);
    back.say(&format!(r#"{{"type":"hello","resume":"{token}","positions":{{"LUNCH":"{position}"}}}}"#)).await;
    assert!(matches!(back.hear().await, ServerFrame::Welcome { resumed: true, .. }));
    while seen.0 < joined.seq.0 + 200 {
        let ServerFrame::Message(message) = back.hear().await else { panic!("a message") };
        assert_eq!(message.seq, seen.next());
        seen = message.seq;
    }
    assert_eq!(engine.stats().gaps, 0);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_reads_slowly_is_not_given_up() {
    let (engine, ann) = room().await;
    let (client, served) = raw(&engine, 4 << 10);
    let mut eve = Peer { socket: WebSocketStream::from_raw_socket(client, Role::Client, None).await, served };
    eve.say(r#"{"type":"join","nick":"Eve","room":"LUNCH"}"#).await;
    welcome(&mut eve).await;
    let ServerFrame::Joined(joined) = eve.hear().await else { panic!("joined") };
    for number in 0..50 {
        say(&ann, &format!("{number:0>1000}")).await;
    }
    for number in 1..=50 {
        // Slower than the stall timeout for all of it, faster for each write.
        tokio::time::advance(Duration::from_secs(5)).await;
        let ServerFrame::Message(message) = eve.hear().await else { panic!("a message") };
        assert_eq!(message.seq.0, joined.seq.0 + number);
    }
    assert!(!eve.served.is_finished());
}

#[tokio::test(start_paused = true)]
async fn commands_wait_in_the_socket_while_their_answers_are_not_taken() {
    let (engine, _ann) = room().await;
    let (client, _served) = raw(&engine, 2 << 10);
    let (mut from, mut to) = tokio::io::split(client);
    let asking = tokio::spawn(async move {
        to.write_all(&frame(r#"{"type":"join","nick":"Eve","room":"LUNCH"}"#)).await.expect("open");
        for id in 0..1_000 {
            let text = format!(r#"{{"type":"history","id":{id},"room":"LUNCH"}}"#);
            to.write_all(&frame(&text)).await.expect("open");
        }
        to
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!asking.is_finished(), "nothing more is read while nothing is taken");
    let mut bytes = Vec::new();
    while !String::from_utf8_lossy(&bytes).contains(r#""id":999"#) {
        from.read_buf(&mut bytes).await.expect("open");
        assert!(bytes.len() < 200_000, "an answer is missing");
    }
    let text = String::from_utf8_lossy(&bytes);
    assert!((0..1_000).all(|id| text.matches(&format!(r#""history","id":{id},"#)).count() == 1));
    assert!(!text.contains("busy"));
    asking.await.expect("all asked");
}

#[tokio::test(start_paused = true)]
async fn commands_from_elsewhere_may_take_the_places_and_then_the_socket_is_told_busy() {
    let engine = Engine::builder().build();
    let (client, _served) = raw(&engine, 1 << 20);
    let mut eve = WebSocketStream::from_raw_socket(client, Role::Client, None).await;
    eve.send(Message::text(HELLO)).await.expect("open");
    let Some(Ok(Message::Text(text))) = eve.next().await else { panic!("welcome") };
    let ServerFrame::Welcome { session, token, .. } = serde_json::from_str(&text).expect("a frame") else {
        panic!("welcome")
    };
    let token = token.expect("a new session has a token");
    let sender = engine.sender(session, &token).expect("connected");
    // Both in one turn of the runtime: the connection's task reads only when the places are taken.
    let members = Command::members(RoomCode::parse("LUNCH").expect("valid"));
    eve.send(Message::text(r#"{"type":"leave","id":99,"room":"LUNCH"}"#)).await.expect("open");
    while sender.can_submit() {
        sender.submit(members.clone(), Reply::mailbox(None)).expect("room");
    }
    let Some(Ok(Message::Text(text))) = eve.next().await else { panic!("an answer") };
    assert!(text.contains(r#""id":99,"code":"busy""#), "{text}");
}
