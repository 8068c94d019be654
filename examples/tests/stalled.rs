//! Clients that stop reading cost the server no memory: measured on a server of its own.
//!
//! `CHAT_SERVER` names another server binary than the one built with the tests; `CHAT_READERS`, `CHAT_STALLED` and
//! `CHAT_MEGABYTES` make it larger.

use std::process::Stdio;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpSocket, TcpStream};
use tokio::process::{Child, Command};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

type Socket = WebSocketStream<TcpStream>;

/// Bytes by which the server may grow.
const GROWTH_MAX: usize = 8 << 20;
/// Characters of a message.
const TEXT: usize = 4_000;
/// Messages in flight.
const WINDOW: usize = 16;
/// What the last message says.
const END: &str = "THE-END";
/// What its frame has behind the text, and more, in bytes.
const TAIL: usize = 64;
/// The receive buffer of who does not read, in bytes: what lies in the kernel is not the server's memory, but the machine's.
const STALLED_BUFFER: u32 = 4 << 10;

/// An empty pong, masked with zeros: who does not parse pings says this from time to time.
const PONG: [u8; 6] = [0x8a, 0x80, 0, 0, 0, 0];

/// A server process; killed when the test is over.
struct Server {
    process: Child,
    address: String,
}

impl Server {
    async fn start() -> Self {
        let binary = std::env::var("CHAT_SERVER").unwrap_or_else(|_| env!("CARGO_BIN_EXE_server").to_owned());
        let mut process = Command::new(binary)
            .args(["--listen", "127.0.0.1:0", "--send-rate", "0", "--sessions-per-address", "0"])
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the server starts");
        let mut lines = BufReader::new(process.stdout.take().expect("piped")).lines();
        loop {
            let line = lines.next_line().await.expect("readable").expect("it says where it listens");
            if let Some((_, address)) = line.split_once("http://") {
                let address = address.trim().trim_end_matches('/').to_owned();
                return Self { process, address };
            }
        }
    }

    /// Resident memory, in bytes.
    fn resident(&self) -> usize {
        let id = self.process.id().expect("it runs");
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).expect("a Linux process has a status");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("it says what is resident");
        let kib: usize = line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("in KiB");
        kib << 10
    }

    async fn connect(&self, buffer: Option<u32>) -> Socket {
        let socket = TcpSocket::new_v4().expect("a socket");
        if let Some(bytes) = buffer {
            socket.set_recv_buffer_size(bytes).expect("a buffer of that size");
        }
        let stream = socket.connect(self.address.parse().expect("an address")).await.expect("it listens");
        client_async(format!("ws://{}/ws", self.address), stream).await.expect("a WebSocket").0
    }

    /// Somebody in the room, after their `joined`.
    async fn person(&self, frame: Value, buffer: Option<u32>) -> Socket {
        let mut socket = self.connect(buffer).await;
        say(&mut socket, &frame).await;
        hear(&mut socket, "joined").await;
        socket
    }
}

async fn say(socket: &mut Socket, frame: &Value) {
    socket.send(Message::text(frame.to_string())).await.expect("it takes a frame");
}

/// Reads on to a frame of this type.
async fn hear(socket: &mut Socket, kind: &str) -> Value {
    loop {
        let message = socket.next().await.expect("it goes on").expect("a frame");
        let Message::Text(text) = message else { continue };
        let frame: Value = serde_json::from_str(&text).expect("JSON");
        if frame["type"] == kind {
            return frame;
        }
    }
}

/// Reads bytes, and nothing of what they mean, up to the last message.
async fn read_to_the_end(socket: Socket) {
    let (mut stream, mut back) = socket.into_inner().into_split();
    let mut buffer = vec![0; 256 << 10];
    let mut last = Vec::new();
    let mut alive = tokio::time::interval(Duration::from_secs(5));
    loop {
        let read = tokio::select! {
            read = stream.read(&mut buffer) => read.expect("readable"),
            _ = alive.tick() => {
                back.write_all(&PONG).await.expect("writable");
                continue;
            }
        };
        assert!(read > 0, "the server ended it");
        // Nothing is told after it, so it is the end of what was read; or falls apart there, and then is seen with the rest.
        last.extend_from_slice(&buffer[read.saturating_sub(TAIL)..read]);
        if last.windows(END.len()).any(|window| window == END.as_bytes()) {
            return;
        }
        last.drain(..last.len().saturating_sub(END.len()));
    }
}

fn number(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |value| value.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_stops_reading_costs_no_memory_and_is_told_what_it_missed() {
    let (readers, stalled) = (number("CHAT_READERS", 4), number("CHAT_STALLED", 1));
    let messages = number("CHAT_MEGABYTES", 20) * 1_000_000 / TEXT;
    let server = Server::start().await;
    let mut sender = server.person(json!({"type": "create", "room": "FLOOD", "nick": "Sender"}), None).await;
    let join = |nick: String| json!({"type": "join", "room": "FLOOD", "nick": nick});
    let mut asleep = Vec::new();
    for number in 0..stalled {
        asleep.push(server.person(join(format!("Asleep {number}")), Some(STALLED_BUFFER)).await);
    }
    let mut awake = Vec::new();
    for number in 0..readers {
        awake.push(server.person(join(format!("Awake {number}")), None).await);
    }
    let awake: Vec<_> = awake.into_iter().map(|socket| tokio::spawn(read_to_the_end(socket))).collect();

    let send = |text: &str| json!({"type": "send", "id": 1, "room": "FLOOD", "text": text});
    let text = "x".repeat(TEXT);
    let before = server.resident();
    let mut most = before;
    let mut in_flight = 0;
    for sent in 0..messages {
        say(&mut sender, &send(&text)).await;
        in_flight += 1;
        while in_flight >= WINDOW {
            hear(&mut sender, "ack").await;
            in_flight -= 1;
        }
        if sent % 500 == 0 {
            most = most.max(server.resident());
        }
    }
    say(&mut sender, &send(END)).await;
    for reader in awake {
        tokio::time::timeout(Duration::from_secs(120), reader).await.expect("in time").expect("told everything");
    }
    most = most.max(server.resident());
    let growth = most.saturating_sub(before);
    println!(
        "{readers} readers, {stalled} stalled, {} MB: {} KiB before, {} KiB at most, {} KiB more",
        messages * TEXT / 1_000_000,
        before >> 10,
        most >> 10,
        growth >> 10
    );
    assert!(growth < GROWTH_MAX, "{growth} bytes more");

    // Whoever reads again is told what it missed, or was shown out with advice to come back.
    let mut late = asleep.pop().expect("one is asleep");
    loop {
        let frame = tokio::time::timeout(Duration::from_secs(60), late.next()).await.expect("in time");
        let text = match frame {
            Some(Ok(Message::Text(text))) => text,
            // It slept for so long that it was asked whether it is there.
            Some(Ok(Message::Ping(_))) => continue,
            other => panic!("told neither a gap nor the end: {other:?}"),
        };
        let frame: Value = serde_json::from_str(&text).expect("JSON");
        match frame["type"].as_str() {
            Some("gap") => {
                assert!(frame["to"].as_u64() > frame["from"].as_u64(), "{}", frame["from"]);
                break;
            }
            Some("closing") => {
                assert!(frame["code"].as_u64() < Some(4_500), "to come back: {frame}");
                break;
            }
            _ => {}
        }
    }
}
