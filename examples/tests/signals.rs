//! What a server does at the first signal, and at the second.
#![cfg(unix)]

#[path = "support/signal.rs"]
mod signal;
mod support;

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpSocket, TcpStream};
use tokio::process::Child;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

use signal::Signal;

type Socket = WebSocketStream<TcpStream>;

const PATIENCE: Duration = Duration::from_secs(60);
/// Of 4 KB each.
const MESSAGES: usize = 3_000;

async fn start() -> (Child, String) {
    support::start(&["--send-rate", "0", "--sessions-per-address", "0"]).await
}

async fn connect(address: &str, buffer: Option<u32>, frame: &str) -> Socket {
    let socket = TcpSocket::new_v4().expect("a socket");
    if let Some(bytes) = buffer {
        socket.set_recv_buffer_size(bytes).expect("a buffer of that size");
    }
    let stream = socket.connect(address.parse().expect("an address")).await.expect("it listens");
    let (mut socket, _) = client_async(format!("ws://{address}/ws"), stream).await.expect("a WebSocket");
    socket.send(Message::text(frame)).await.expect("it takes a frame");
    while !socket.next().await.expect("it goes on").expect("a frame").to_string().contains(r#""type":"joined""#) {}
    socket
}

/// More than a socket that is not read holds.
async fn flood(socket: Socket) {
    let (mut out, mut back) = socket.split();
    let writing = tokio::spawn(async move {
        let text = "x".repeat(4_000);
        for number in 0..MESSAGES {
            let frame = format!(r#"{{"type":"send","room":"LUNCH","text":"{number} {}"}}"#, &text[10..]);
            out.send(Message::text(frame)).await.expect("it takes a frame");
        }
    });
    let last = format!("\"{} x", MESSAGES - 1);
    while !back.next().await.expect("it goes on").expect("a frame").to_string().contains(&last) {}
    writing.await.expect("all were written");
}

#[tokio::test]
async fn the_first_signal_waits_for_who_is_slow_and_the_second_for_nobody() {
    let (mut process, address) = start().await;
    let ann = connect(&address, None, r#"{"type":"create","room":"LUNCH","nick":"Ann"}"#).await;
    let slow = connect(&address, Some(4 << 10), r#"{"type":"join","room":"LUNCH","nick":"Slow"}"#).await;
    tokio::time::timeout(PATIENCE, flood(ann)).await.expect("in time");

    let mut said = BufReader::new(process.stderr.take().expect("piped")).lines();
    signal::send(&process, Signal::TERM);
    let told = async {
        let mut line = String::new();
        while !line.contains("a second signal ends at once") {
            line = said.next_line().await.expect("readable").expect("it goes on");
        }
    };
    tokio::time::timeout(PATIENCE, told).await.expect("in time");
    assert_eq!(process.try_wait().expect("asked"), None, "somebody has yet to be told");
    signal::send(&process, Signal::TERM);
    let ended = tokio::time::timeout(PATIENCE, process.wait()).await.expect("it ends").expect("waited for");
    assert_eq!(ended.code(), Some(130), "not the orderly end");
    drop(slow);
}

/// Asks for something with this head, and for whatever else once an answer has begun; never reads again.
async fn stalled(address: &str, head: &str, then: &[&str]) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4 << 10).expect("a buffer of that size");
    let mut stream = socket.connect(address.parse().expect("an address")).await.expect("it listens");
    stream.write_all(head.as_bytes()).await.expect("sent");
    for text in then {
        assert!(stream.read(&mut [0; 4 << 10]).await.expect("an answer") > 0);
        // A masked text frame of up to 125 bytes.
        let mut frame = vec![0x81, 0x80 | u8::try_from(text.len()).expect("short"), 0, 0, 0, 0];
        frame.extend_from_slice(text.as_bytes());
        stream.write_all(&frame).await.expect("sent");
    }
    stream
}

#[tokio::test]
async fn whoever_takes_or_says_nothing_does_not_hold_up_the_end() {
    /// Five seconds are promised, to a machine with nothing else to do. A reader that had stopped held it up for as long as it may stall.
    const SOON: Duration = Duration::from_secs(25);
    let (mut process, address) = start().await;
    let ann = connect(&address, None, r#"{"type":"create","room":"LUNCH","nick":"Ann"}"#).await;
    let ws = connect(&address, Some(4 << 10), r#"{"type":"join","room":"LUNCH","nick":"Ws"}"#).await;
    let sse = stalled(&address, "GET /sse?room=LUNCH&nick=Sse HTTP/1.1\r\nHost: test\r\n\r\n", &[]).await;
    let upgrade = "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    let join = r#"42["join",{"room":"LUNCH","nick":"Sio"}]"#;
    let socketio = stalled(&address, upgrade, &["40{}", join]).await;
    let half = stalled(&address, "GET /healthz HTTP/1.1\r\nHost: nobody-will-ever-say", &[]).await;
    let silent = stalled(&address, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", &[]).await;
    tokio::time::timeout(PATIENCE, flood(ann)).await.expect("in time");
    signal::send(&process, Signal::TERM);
    let ended = tokio::time::timeout(SOON, process.wait()).await.expect("it ends").expect("waited for");
    assert_eq!(ended.code(), Some(0), "the orderly end");
    drop((ws, sse, socketio, half, silent));
}
