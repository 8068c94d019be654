//! A server that nobody listens to: standard output and standard error closed, full or without a reader; a terminal that goes away.
#![cfg(unix)]

#[path = "support/signal.rs"]
mod signal;

use std::fs::OpenOptions;
use std::future::Future;
use std::net::TcpListener;
use std::process::Stdio;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

use signal::Signal;

type Socket = WebSocketStream<TcpStream>;

const SERVER: &str = env!("CARGO_BIN_EXE_server");
const PATIENCE: Duration = Duration::from_secs(60);

async fn in_time<T>(act: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, act).await.expect("in time")
}

/// An address that is free now: a server that can say nothing cannot say which one it has taken.
fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("bound").to_string()
}

/// Comes in as a member, as soon as the server listens.
async fn come_in(process: &mut Child, address: &str) -> Socket {
    let stream = loop {
        if let Ok(stream) = TcpStream::connect(address).await {
            break stream;
        }
        assert_eq!(process.try_wait().expect("asked"), None, "it ended before it listened");
        tokio::task::yield_now().await;
    };
    let (mut socket, _) = client_async(format!("ws://{address}/ws"), stream).await.expect("a WebSocket");
    socket.send(Message::text(r#"{"type":"create","nick":"Ann"}"#)).await.expect("it takes a frame");
    hear(&mut socket, r#""type":"joined""#).await;
    socket
}

async fn hear(socket: &mut Socket, words: &str) {
    while !socket.next().await.expect("it goes on").expect("a frame").to_string().contains(words) {}
}

/// What stands in the place of a server's two outputs.
#[derive(Clone, Copy, Debug)]
enum Outputs {
    Closed,
    Full,
    WithoutReader,
}

fn start(outputs: Outputs, address: &str) -> Child {
    let mut command = Command::new("sh");
    let closing = if matches!(outputs, Outputs::Closed) { ">&- 2>&-" } else { "" };
    command.args(["-c", &format!("exec \"$0\" --listen {address} --drain-spread 0 {closing}"), SERVER]);
    match outputs {
        Outputs::Closed => {}
        Outputs::Full => {
            let full = || OpenOptions::new().write(true).open("/dev/full").expect("every Linux has one");
            command.stdout(full()).stderr(full());
        }
        Outputs::WithoutReader => {
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
        }
    }
    let mut process = command.kill_on_drop(true).spawn().expect("there is a shell");
    drop((process.stdout.take(), process.stderr.take()));
    process
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_server_that_cannot_say_anything_serves_and_ends_in_order() {
    for outputs in [Outputs::Closed, Outputs::Full, Outputs::WithoutReader] {
        let address = free_address();
        let mut process = start(outputs, &address);
        let mut ann = in_time(come_in(&mut process, &address)).await;
        signal::send(&process, Signal::TERM);
        in_time(hear(&mut ann, r#""type":"closing""#)).await;
        drop(ann);
        let ended = in_time(process.wait()).await.expect("waited for");
        assert_eq!(ended.code(), Some(0), "{outputs:?}");
    }
}

#[tokio::test]
async fn a_hangup_without_the_loss_of_a_terminal_ends_nothing() {
    let address = free_address();
    let mut process = Command::new(SERVER)
        .args(["--listen", &address])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("the server starts");
    let ann = in_time(come_in(&mut process, &address)).await;
    signal::send(&process, Signal::HUP);
    let mut said = BufReader::new(process.stderr.take().expect("piped")).lines();
    let line = in_time(async {
        loop {
            let line = said.next_line().await.expect("readable").expect("it goes on");
            if line.contains("nothing to reload") {
                return line;
            }
        }
    });
    line.await;
    let mut client = TcpStream::connect(&address).await.expect("it listens");
    client.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await.expect("sent");
    let mut answer = String::new();
    in_time(client.read_to_string(&mut answer)).await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    drop(ann);
}

/// `script` gives the server a terminal of its own, which goes when `script` is killed. Under `nohup` the hangup would be ignored: the
/// tests may have been started so.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_server_whose_terminal_is_gone_drains() {
    let mut terminal = Command::new("env")
        .args([
            "--default-signal=HUP",
            "script",
            "-qec",
            &format!("exec {SERVER} --listen 127.0.0.1:0 --drain-spread 0"),
            "/dev/null",
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("there is script, of util-linux");
    let mut lines = BufReader::new(terminal.stdout.take().expect("piped")).lines();
    let greeting = in_time(async {
        loop {
            let line = lines.next_line().await.expect("readable").expect("it goes on");
            if line.contains("http://") {
                return line;
            }
        }
    });
    let address = greeting.await.trim_end().trim_end_matches('/').rsplit('/').next().expect("an address").to_owned();
    let mut ann = in_time(come_in(&mut terminal, &address)).await;
    terminal.kill().await.expect("it is ours");
    in_time(hear(&mut ann, r#""type":"closing""#)).await;
    drop(ann);
    in_time(async { while TcpStream::connect(&address).await.is_ok() {} }).await;
}
