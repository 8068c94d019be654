//! What a server does at the first signal, and at the second.
#![cfg(unix)]

use std::process::Stdio;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Message;

const PATIENCE: Duration = Duration::from_secs(20);

async fn start() -> (Child, String) {
    let mut process = Command::new(env!("CARGO_BIN_EXE_server"))
        .args(["--listen", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
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

/// The status of the health page, asked on a connection of its own.
async fn health(address: &str) -> u16 {
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    let request = format!("GET /healthz HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("writable");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("readable");
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status line")
}

#[tokio::test]
async fn the_first_signal_turns_the_health_page_and_the_second_ends_at_once() {
    let (mut process, address) = start().await;
    assert_eq!(health(&address).await, 200);
    // Somebody who does not answer the end of their connection: the drain waits for them.
    let stream = TcpStream::connect(&address).await.expect("it listens");
    let (mut idle, _) = client_async(format!("ws://{address}/ws"), stream).await.expect("a WebSocket");
    idle.send(Message::text(r#"{"type":"hello"}"#)).await.expect("it takes a frame");
    idle.next().await.expect("a welcome").expect("a frame");

    terminate(&process).await;
    let turned = async {
        while health(&address).await == 200 {
            tokio::task::yield_now().await;
        }
        health(&address).await
    };
    assert_eq!(tokio::time::timeout(PATIENCE, turned).await.expect("it turns"), 503);
    terminate(&process).await;
    let ended = tokio::time::timeout(PATIENCE, process.wait()).await.expect("it ends").expect("waited for");
    assert_eq!(ended.code(), Some(130), "not the orderly end");
    drop(idle);
}
