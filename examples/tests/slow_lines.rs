//! Readers on slow lines, who never stop: they stay connected, however long what they have yet to read.
#![cfg(target_os = "linux")]

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use chat_core::{Body, Command, ConnectRequest, Engine, Hello, Limits, Nick, RoomCode};
use chat_serve::{ServeConfig, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::{interval, timeout};
use transport_socketio::SocketIoConfig;
use transport_sse::SseConfig;
use transport_ws::WsConfig;

/// How long a client may be silent altogether.
const SILENCE_MAX: Duration = Duration::from_secs(2);
/// A reader takes so many bytes so often: 160 kB per second.
const TAKEN: usize = 8 << 10;
const PACE: Duration = Duration::from_millis(50);
/// What it has taken in the end: that takes four times as long as a client may be silent.
const ALL: usize = 1_280 << 10;
/// Long enough for anything that happens at all.
const PATIENCE: Duration = Duration::from_secs(120);

const UPGRADE: &str = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

async fn start(engine: &Engine) -> SocketAddr {
    let half = SILENCE_MAX / 2;
    let ws = WsConfig { ping_interval: half, pong_timeout: half, ..WsConfig::default() };
    let socketio = SocketIoConfig { ping_interval: half, ping_timeout: half, ..SocketIoConfig::default() };
    let router = Router::new()
        .merge(transport_ws::routes(engine.clone(), ws))
        .merge(transport_sse::routes(engine.clone(), SseConfig::default()))
        .merge(transport_socketio::routes(engine.clone(), socketio));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(serve(listener, router, ServeConfig::default(), std::future::pending()));
    address
}

/// Says more in the room than anybody here reads, until it is dropped.
async fn talk(engine: Engine, room: RoomCode) {
    let ann = engine.connect(ConnectRequest::default(), Hello::default()).await.expect("open to everyone");
    let nick = Nick::parse("Ann").expect("a nick");
    ann.call(Command::create(nick).with_room(room.clone())).await.expect("a room");
    let text = "x".repeat(4_000);
    let mut ticks = interval(Duration::from_millis(8));
    loop {
        ticks.tick().await;
        ann.call(Command::send(room.clone(), Body::parse(&text, 4_000).expect("short enough"))).await.expect("said");
    }
}

/// A masked text frame of up to 125 bytes.
fn frame(text: &str) -> Vec<u8> {
    let mut bytes = vec![0x81, 0x80 | u8::try_from(text.len()).expect("short"), 0, 0, 0, 0];
    bytes.extend_from_slice(text.as_bytes());
    bytes
}

async fn dial(address: SocketAddr, head: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(16 << 10).expect("set");
    let mut stream = socket.connect(address).await.expect("it listens");
    stream.write_all(head.as_bytes()).await.expect("sent");
    stream
}

async fn read_until(stream: &mut TcpStream, last: &str) {
    let mut bytes = Vec::new();
    while !bytes.windows(last.len()).any(|window| window == last.as_bytes()) {
        assert!(stream.read_buf(&mut bytes).await.expect("open") > 0, "ended before {last}");
    }
}

async fn by_websocket(address: SocketAddr) -> TcpStream {
    let mut stream = dial(address, &format!("GET /ws HTTP/1.1\r\nHost: test\r\n{UPGRADE}")).await;
    read_until(&mut stream, "101").await;
    stream.write_all(&frame(r#"{"type":"hello"}"#)).await.expect("sent");
    stream.write_all(&frame(r#"{"type":"join","room":"BUSY","nick":"Wes"}"#)).await.expect("sent");
    stream
}

async fn by_socketio(address: SocketAddr) -> TcpStream {
    let path = "/socket.io/?EIO=4&transport=websocket";
    let mut stream = dial(address, &format!("GET {path} HTTP/1.1\r\nHost: test\r\n{UPGRADE}")).await;
    read_until(&mut stream, r#""pingTimeout":1000 "#).await;
    stream.write_all(&frame("40{}")).await.expect("sent");
    read_until(&mut stream, "welcome").await;
    stream.write_all(&frame(r#"42["join",{"room":"BUSY","nick":"Sio"}]"#)).await.expect("sent");
    stream
}

async fn by_sse(address: SocketAddr) -> TcpStream {
    dial(address, "GET /sse?room=BUSY&nick=Sse HTTP/1.1\r\nHost: test\r\n\r\n").await
}

/// Reads on and on, and says nothing at all: no pong either. Returns how much came.
async fn read_slowly(mut stream: TcpStream) -> usize {
    let (mut ticks, mut came) = (interval(PACE), 0);
    let mut bytes = [0; TAKEN];
    while came < ALL {
        ticks.tick().await;
        match stream.read(&mut bytes).await {
            Ok(0) | Err(_) => return came,
            Ok(read) => came += read,
        }
    }
    came
}

#[tokio::test]
async fn whoever_reads_slowly_and_never_stops_stays_connected() {
    let mut limits = Limits::default();
    limits.lift_rates();
    let engine = Engine::builder().limits(limits).build();
    let address = start(&engine).await;
    let room = RoomCode::parse("BUSY").expect("a code");
    let talking = tokio::spawn(talk(engine.clone(), room.clone()));
    while !engine.rooms().contains(&room) {
        tokio::task::yield_now().await;
    }
    let read = async {
        let readers = [by_websocket(address).await, by_socketio(address).await, by_sse(address).await];
        let [ws, socketio, sse] = readers.map(|stream| tokio::spawn(read_slowly(stream)));
        [ws.await.expect("no panic"), socketio.await.expect("no panic"), sse.await.expect("no panic")]
    };
    let came = timeout(PATIENCE, read).await.expect("it comes");
    assert!(came.iter().all(|came| *came >= ALL), "cut off after {came:?} bytes of {ALL}");
    talking.abort();
}
