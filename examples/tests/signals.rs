//! What a server does at the first signal, and at the second.
#![cfg(unix)]

use std::process::Stdio;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::{TcpSocket, TcpStream};
use tokio::process::{Child, Command};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

type Socket = WebSocketStream<TcpStream>;

const PATIENCE: Duration = Duration::from_secs(60);
/// Of 4 KB each.
const MESSAGES: usize = 3_000;

async fn start() -> (Child, String) {
    let mut process = Command::new(env!("CARGO_BIN_EXE_server"))
        .args(["--listen", "127.0.0.1:0", "--send-rate", "0", "--sessions-per-address", "0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("the server starts");
    let mut lines = BufReader::new(process.stdout.take().expect("piped")).lines();
    let greeting = lines.next_line().await.expect("readable").expect("it says where it listens");
    let (_, address) = greeting.split_once("http://").expect("an address");
    (process, address.trim_end_matches('/').to_owned())
}

async fn terminate(process: &Child) {
    let id = process.id().expect("it runs").to_string();
    let sent = Command::new("kill").args(["-TERM", &id]).status().await.expect("there is a kill");
    assert!(sent.success());
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
    terminate(&process).await;
    let told = async {
        let mut line = String::new();
        while !line.contains("a second signal ends at once") {
            line = said.next_line().await.expect("readable").expect("it goes on");
        }
    };
    tokio::time::timeout(PATIENCE, told).await.expect("in time");
    assert_eq!(process.try_wait().expect("asked"), None, "somebody has yet to be told");
    terminate(&process).await;
    let ended = tokio::time::timeout(PATIENCE, process.wait()).await.expect("it ends").expect("waited for");
    assert_eq!(ended.code(), Some(130), "not the orderly end");
    drop(slow);
}
