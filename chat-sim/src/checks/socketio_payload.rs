//! Any packets of Socket.IO, by WebSocket or long-polling: packets of the protocol come back, and nobody else notices.

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::time::{Duration, timeout};
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::{Bytes as Payload, Message};

use super::panic_hook;
use super::protocol_checker::ProtocolChecker;
use super::test_server::TestServer;

const BY_WEBSOCKET: &str = "ws://sim/socket.io/?EIO=4&transport=websocket";
const BY_POLLING: &str = "/socket.io/?EIO=4&transport=polling";
/// Between packets of one payload; between messages of these bytes too.
const BORDER: u8 = 0x1E;
/// How long what is still due is waited for; less than a ping takes.
const QUIET: Duration = Duration::from_secs(2);
/// Polls of one session, at most.
const POLLS_MAX: usize = 8;

/// The first byte says how: by WebSocket one message after the other, or all by one poll; and whether the namespace is
/// asked for before.
///
/// # Panics
/// When the server panics, answers with a fault or something that is no packet, or forgets who else is there.
pub fn socketio_payload(data: &[u8]) {
    let (how, bytes) = data.split_first().map_or((0, data), |(how, bytes)| (*how, bytes));
    panic_hook::run(async {
        let server = TestServer::open().await;
        let connects = how & 2 == 0;
        match how & 1 {
            0 => by_websocket(&server, connects, bytes).await,
            _ => by_polling(&server, connects, bytes).await,
        }
        server.check().await;
    });
}

async fn by_websocket(server: &TestServer, connects: bool, bytes: &[u8]) {
    let (mut socket, _) = client_async(BY_WEBSOCKET, server.dial()).await.expect("everybody may upgrade");
    let connect = connects.then(|| Message::text("40"));
    let said = bytes.split(|byte| *byte == BORDER).map(|packet| match std::str::from_utf8(packet) {
        Ok(text) => Message::text(text),
        Err(_) => Message::Binary(Payload::copy_from_slice(packet)),
    });
    let mut packets = Packets::default();
    for message in connect.into_iter().chain(said) {
        if socket.send(message).await.is_err() {
            break;
        }
        tokio::task::yield_now().await;
    }
    while let Ok(Some(Ok(message))) = timeout(QUIET, socket.next()).await {
        match message {
            Message::Text(text) => packets.take(&text),
            Message::Binary(_) => panic!("the server sends no attachments"),
            _ => {}
        }
    }
}

async fn by_polling(server: &TestServer, connects: bool, bytes: &[u8]) {
    let (mut sender, connection) = handshake(TokioIo::new(server.dial())).await.expect("a connection in memory");
    let connection = tokio::spawn(connection);
    let mut packets = Packets::default();
    let (_, open) = request(&mut sender, "GET", BY_POLLING, Bytes::new()).await.expect("a session is opened");
    packets.take(&open);
    let open: Value = serde_json::from_str(&open[1..]).expect("a session is opened");
    let target = format!("{BY_POLLING}&sid={}", open["sid"].as_str().expect("a session has a sid"));
    if connects {
        request(&mut sender, "POST", &target, Bytes::from_static(b"40")).await;
    }
    request(&mut sender, "POST", &target, Bytes::copy_from_slice(bytes)).await;
    for _ in 0..POLLS_MAX {
        let Ok(Some((200, body))) = timeout(QUIET, request(&mut sender, "GET", &target, Bytes::new())).await else {
            break;
        };
        body.split(char::from(BORDER)).for_each(|packet| packets.take(packet));
    }
    connection.abort();
}

/// `None` where the server has ended the connection.
async fn request(
    sender: &mut SendRequest<Full<Bytes>>,
    method: &str,
    target: &str,
    body: Bytes,
) -> Option<(u16, String)> {
    let request = Request::builder().method(method).uri(target).header("host", "sim").body(Full::from(body));
    let answer = sender.send_request(request.expect("a request")).await.ok()?;
    let status = answer.status().as_u16();
    assert!(status < 500, "a fault: {status}");
    let body = answer.into_body().collect().await.ok()?.to_bytes();
    Some((status, String::from_utf8(body.to_vec()).expect("the server sends text")))
}

/// What the server sends, packet by packet.
#[derive(Default)]
struct Packets {
    checker: ProtocolChecker,
}

impl Packets {
    fn take(&mut self, packet: &str) {
        let body = packet.get(2..).unwrap_or_default();
        match packet.get(..2).unwrap_or(packet) {
            "42" => {
                let event: Result<(String, Value), _> = serde_json::from_str(body);
                let (name, frame) = event.unwrap_or_else(|error| panic!("no event: {error}: {packet}"));
                assert_eq!(frame["type"], *name, "the event is named as its frame");
                self.checker.hear(frame.to_string().as_bytes());
            }
            "43" => {
                let list = body.find('[').unwrap_or_else(|| panic!("no answer: {packet}"));
                assert!(body[..list].parse::<u64>().is_ok(), "an answer has a number: {packet}");
                let answer: Result<(Value,), _> = serde_json::from_str(&body[list..]);
                let (frame,) = answer.unwrap_or_else(|error| panic!("no answer: {error}: {packet}"));
                self.checker.hear(frame.to_string().as_bytes());
            }
            // Open, close, ping, pong, upgrade, noop; connected, disconnected, refused.
            "1" | "2" | "3" | "5" | "6" | "40" | "41" | "44" => {}
            "" => {}
            _ if packet.starts_with("0{") || packet.starts_with('3') => {}
            _ => panic!("no packet that a server sends: {packet}"),
        }
    }
}
