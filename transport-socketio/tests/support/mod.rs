//! A server on a real socket, and small Socket.IO clients that speak its packets by hand.

#![allow(dead_code, unreachable_pub, missing_docs, reason = "each test file uses its part")]

pub mod pipes;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use chat_core::{Engine, Limits};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use transport_socketio::{SocketIoConfig, routes};

/// Long enough for anything that happens at all.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Server {
    pub engine: Engine,
    pub address: SocketAddr,
}

impl Server {
    pub fn start(engine: Engine, config: SocketIoConfig) -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        // Accepted sockets inherit it: what a peer does not read stays with us soon.
        socket.set_send_buffer_size(16 << 10).expect("set");
        socket.bind("127.0.0.1:0".parse().expect("an address")).expect("a free port");
        let listener = socket.listen(1_024).expect("listening");
        let address = listener.local_addr().expect("bound");
        let router = routes(engine.clone(), config);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { engine, address }
    }

    pub fn plain() -> Self {
        Self::start(Engine::builder().limits(limits()).build(), SocketIoConfig::default())
    }
}

/// Without the bounds that a test would run into at once.
pub fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.lift_rates();
    limits.session.commands_in_flight_max = 4_096;
    limits.room.inbox_max = 16_384;
    limits
}

/// One packet of Socket.IO, or what is left of it where it is none.
#[derive(Clone, Debug, PartialEq)]
pub enum Packet {
    Event(String, Value),
    Ack(u64, Value),
    Other(String),
}

impl Packet {
    /// Reads what follows the `4` of an Engine.IO message.
    pub fn read(text: &str) -> Self {
        let (kind, rest) = text.split_at(1);
        let start = rest.find('[').unwrap_or(rest.len());
        let (number, list) = rest.split_at(start);
        let list: Vec<Value> = serde_json::from_str(list).unwrap_or_default();
        match (kind, number.parse(), &list[..]) {
            ("2", Err(_), [Value::String(name), frame]) => Self::Event(name.clone(), frame.clone()),
            ("3", Ok(number), [frame]) => Self::Ack(number, frame.clone()),
            _ => Self::Other(text.to_owned()),
        }
    }
}

/// A way to exchange Engine.IO packets.
#[allow(async_fn_in_trait, reason = "for these tests only")]
pub trait Wire: Sized {
    async fn send(&mut self, packet: String);
    /// The next Engine.IO packet; `None` when the session has ended.
    async fn receive(&mut self) -> Option<String>;

    async fn connect(mut self, auth: Value) -> Client<Self> {
        let packet = self.ask_in(auth).await;
        assert!(packet.starts_with(r#"40{"sid":""#), "{packet}");
        Client { wire: self, acks: 0 }
    }

    /// Asks for the namespace; returns the answer.
    async fn ask_in(&mut self, auth: Value) -> String {
        self.send(if auth.is_null() { "40".to_owned() } else { format!("40{auth}") }).await;
        loop {
            match self.receive().await.expect("an answer").as_str() {
                "2" => self.send("3".to_owned()).await,
                packet => return packet.to_owned(),
            }
        }
    }
}

/// A client that is connected to the namespace.
pub struct Client<W> {
    pub wire: W,
    acks: u64,
}

impl<W: Wire> Client<W> {
    /// The next packet of Socket.IO; pings are answered on the way.
    pub async fn next(&mut self) -> Option<Packet> {
        loop {
            let packet = timeout(PATIENCE, self.wire.receive()).await.expect("something happens")?;
            match packet.strip_prefix('4') {
                Some(message) => return Some(Packet::read(message)),
                None if packet == "2" => self.wire.send("3".to_owned()).await,
                None if packet == "6" => {}
                None => return Some(Packet::Other(packet)),
            }
        }
    }

    /// The frame of the next event, which is of this name.
    pub async fn event(&mut self, name: &str) -> Value {
        match self.next().await {
            Some(Packet::Event(event, frame)) if event == name => {
                assert_eq!(frame["type"], name);
                frame
            }
            other => panic!("{other:?} instead of {name}"),
        }
    }

    /// The frame of the next event of this name, whatever comes before.
    pub async fn event_in_time(&mut self, name: &str) -> Value {
        loop {
            match self.next().await.expect("connected") {
                Packet::Event(event, frame) if event == name => return frame,
                _ => {}
            }
        }
    }

    pub async fn emit(&mut self, name: &str, fields: Value) {
        self.wire.send(format!("42{}", json!([name, fields]))).await;
    }

    /// Emits with an acknowledgement; returns its number.
    pub async fn emit_with_ack(&mut self, name: &str, fields: Value) -> u64 {
        self.acks += 1;
        self.wire.send(format!("42{}{}", self.acks, json!([name, fields]))).await;
        self.acks
    }

    /// Emits, and waits for the acknowledgement; drops events that come before it.
    pub async fn ask(&mut self, name: &str, fields: Value) -> Value {
        let number = self.emit_with_ack(name, fields).await;
        loop {
            match self.next().await.expect("connected") {
                Packet::Ack(answered, frame) if answered == number => return frame,
                Packet::Ack(..) => panic!("another acknowledgement"),
                _ => {}
            }
        }
    }

    /// The next `count` messages' texts, whatever else comes.
    pub async fn texts(&mut self, count: usize) -> Vec<String> {
        let mut texts = Vec::with_capacity(count);
        while texts.len() < count {
            let frame = self.event_in_time("message").await;
            texts.push(frame["text"].as_str().expect("a text").to_owned());
        }
        texts
    }
}

/// Over a WebSocket.
pub struct Ws<S = TcpStream>(pub WebSocketStream<S>);

impl Ws {
    pub async fn dial(address: SocketAddr, query: &str, headers: &[(&'static str, &str)]) -> Result<Self, u16> {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(16 << 10).expect("set");
        let stream = socket.connect(address).await.expect("the server accepts");
        Self::over(stream, address, query, headers).await
    }

    pub async fn open(address: SocketAddr) -> Self {
        Self::dial(address, "", &[]).await.expect("upgraded").opened().await
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Ws<S> {
    /// Upgrades a connection; the status of the answer where that is refused.
    pub async fn over(
        stream: S,
        address: SocketAddr,
        query: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, u16> {
        let mut request =
            format!("ws://{address}/socket.io/?EIO=4&transport=websocket{query}").into_client_request().expect("a URI");
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().expect("a header value"));
        }
        match tokio_tungstenite::client_async(request, stream).await {
            Ok((socket, _)) => Ok(Self(socket)),
            Err(tokio_tungstenite::tungstenite::Error::Http(answer)) => Err(answer.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    /// A session has begun.
    pub async fn opened(mut self) -> Self {
        assert!(self.receive().await.expect("opened").starts_with(r#"0{"sid":""#));
        self
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire for Ws<S> {
    async fn send(&mut self, packet: String) {
        self.0.send(Message::text(packet)).await.expect("sent");
    }

    async fn receive(&mut self) -> Option<String> {
        loop {
            match self.0.next().await {
                Some(Ok(Message::Text(text))) => return Some(text.to_string()),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                Some(Ok(_)) => {}
            }
        }
    }
}

/// Over long-polling.
pub struct Poll<S = TcpStream> {
    address: SocketAddr,
    stream: S,
    pub sid: String,
    packets: VecDeque<String>,
}

impl Poll {
    pub async fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("the server accepts");
        Self::over(stream, address).await.expect("a session")
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Poll<S> {
    /// Begins a session; the status of the answer where that is refused.
    pub async fn over(stream: S, address: SocketAddr) -> Result<Self, u16> {
        let mut poll = Self { address, stream, sid: String::new(), packets: VecDeque::new() };
        let (status, body) = poll.request("GET", "", "").await;
        if status != 200 {
            return Err(status);
        }
        let open: Value = serde_json::from_str(body.strip_prefix('0').expect("an open packet")).expect("JSON");
        poll.sid = open["sid"].as_str().expect("a sid").to_owned();
        Ok(poll)
    }

    /// One HTTP request and its answer.
    pub async fn request(&mut self, method: &str, headers: &str, body: &str) -> (u16, String) {
        let sid = if self.sid.is_empty() { String::new() } else { format!("&sid={}", self.sid) };
        let request = format!(
            "{method} /socket.io/?EIO=4&transport=polling{sid} HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\n{headers}\r\n{body}",
            self.address,
            body.len()
        );
        // A server that refuses a long body may do so before it has read all of it.
        let _ = self.stream.write_all(request.as_bytes()).await;
        let mut answer = Vec::new();
        let (head, start) = loop {
            if let Some(end) = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                break (String::from_utf8(answer[..end].to_vec()).expect("a head"), end + 4);
            }
            if self.stream.read_buf(&mut answer).await.expect("an answer") == 0 {
                return (0, String::new());
            }
        };
        let head = head.to_lowercase();
        // Any of them may hold a token.
        assert!(head.contains("\r\ncache-control: no-store"), "{head}");
        let length = head.split("content-length: ").nth(1).map_or("0", |rest| rest.lines().next().expect("a line"));
        let length: usize = length.parse().expect("a number");
        while answer.len() < start + length {
            assert_ne!(self.stream.read_buf(&mut answer).await.expect("a body"), 0);
        }
        let status = head.split(' ').nth(1).expect("a status").parse().expect("a number");
        (status, String::from_utf8(answer.split_off(start)).expect("text"))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire for Poll<S> {
    async fn send(&mut self, packet: String) {
        let (status, body) = self.request("POST", "", &packet).await;
        assert!(status == 200 || body.contains("Session ID unknown"), "{status} {body}");
    }

    async fn receive(&mut self) -> Option<String> {
        while self.packets.is_empty() {
            let (status, body) = self.request("GET", "", "").await;
            if status != 200 {
                return None;
            }
            self.packets.extend(body.split('\u{1e}').filter(|packet| !packet.is_empty()).map(str::to_owned));
        }
        self.packets.pop_front()
    }
}

/// Goes over from long-polling to a WebSocket, as the stock clients do. What a last poll has brought is kept.
pub async fn upgrade(client: Client<Poll>) -> (Client<Ws>, VecDeque<String>) {
    let Client { wire: mut poll, acks } = client;
    let mut ws = Ws::dial(poll.address, &format!("&sid={}", poll.sid), &[]).await.expect("upgraded");
    ws.send("2probe".to_owned()).await;
    // A poll is answered at once from now on.
    let (_, body) = poll.request("GET", "", "").await;
    let mut packets = std::mem::take(&mut poll.packets);
    packets.extend(body.split('\u{1e}').filter(|packet| *packet != "6").map(str::to_owned));
    assert_eq!(ws.receive().await.as_deref(), Some("3probe"));
    ws.send("5".to_owned()).await;
    (Client { wire: ws, acks }, packets)
}
