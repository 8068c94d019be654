//! Small Socket.IO clients that speak its packets by hand, over a WebSocket and by long-polling.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use async_trait::async_trait;
use chat_testkit::sockets::{Exchange, dial};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};

/// Long enough for anything that happens at all.
const PATIENCE: Duration = Duration::from_secs(60);

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
#[async_trait]
pub trait Wire: Sized + Send + 'static {
    async fn send(&mut self, packet: String);

    /// The next Engine.IO packet; `None` when the session has ended.
    async fn receive(&mut self) -> Option<String>;

    async fn connect(mut self, auth: Value) -> Client<Self> {
        let packet = self.ask_in(auth).await;
        assert!(packet.starts_with(r#"40{"sid":""#), "{packet}");
        Client::over(self)
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
    /// Over this, whose answer to the wish for the namespace is still to be read.
    pub fn over(wire: W) -> Self {
        Self { wire, acks: 0 }
    }

    /// The same client, from now on over this.
    pub fn onto<V>(self, wire: V) -> Client<V> {
        Client { wire, acks: self.acks }
    }

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
    pub async fn emit_with_ack(&mut self, name: impl Into<Value>, fields: Value) -> u64 {
        self.acks += 1;
        self.wire.send(format!("42{}{}", self.acks, json!([Into::<Value>::into(name), fields]))).await;
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

/// An answer that begins no session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    pub status: u16,
    pub body: String,
}

/// Over a WebSocket.
pub struct Ws<S = TcpStream>(pub WebSocketStream<S>);

impl Ws {
    pub async fn dial(address: SocketAddr, query: &str, headers: &[(&'static str, &str)]) -> Result<Self, Refused> {
        Self::over(dial(address).await, address, query, headers).await
    }

    pub async fn open(address: SocketAddr) -> Self {
        Self::dial(address, "", &[]).await.expect("upgraded").opened().await
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Ws<S> {
    /// Upgrades a connection, or returns why not.
    pub async fn over(
        stream: S,
        address: SocketAddr,
        query: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, Refused> {
        let mut request =
            format!("ws://{address}/socket.io/?EIO=4&transport=websocket{query}").into_client_request().expect("a URI");
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().expect("a header value"));
        }
        match tokio_tungstenite::client_async(request, stream).await {
            Ok((socket, _)) => Ok(Self(socket)),
            Err(Error::Http(answer)) => Err(Refused {
                status: answer.status().as_u16(),
                body: String::from_utf8_lossy(answer.body().as_deref().unwrap_or_default()).into_owned(),
            }),
            Err(error) => panic!("{error}"),
        }
    }

    /// A session has begun.
    pub async fn opened(mut self) -> Self {
        assert!(self.receive().await.expect("opened").starts_with(r#"0{"sid":""#));
        self
    }
}

#[async_trait]
impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Wire for Ws<S> {
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
    http: Exchange<S>,
    address: SocketAddr,
    pub sid: String,
    packets: VecDeque<String>,
}

impl Poll {
    pub async fn dial(address: SocketAddr) -> Result<Self, Refused> {
        Self::over(dial(address).await, address).await
    }

    pub async fn open(address: SocketAddr) -> Self {
        Self::dial(address).await.expect("a session")
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Poll<S> {
    /// Begins a session, or returns why not.
    pub async fn over(stream: S, address: SocketAddr) -> Result<Self, Refused> {
        let http = Exchange::over(stream, address);
        let mut poll = Self { http, address, sid: String::new(), packets: VecDeque::new() };
        let (status, body) = poll.request("GET", "", "").await;
        if status != 200 {
            return Err(Refused { status, body });
        }
        let open: Value = serde_json::from_str(body.strip_prefix('0').expect("an open packet")).expect("JSON");
        poll.sid = open["sid"].as_str().expect("a sid").to_owned();
        Ok(poll)
    }

    /// One HTTP request and its answer; the status is 0 where the connection ends before that.
    pub async fn request(&mut self, method: &str, headers: &str, body: &str) -> (u16, String) {
        let sid = if self.sid.is_empty() { String::new() } else { format!("&sid={}", self.sid) };
        self.http.ask(&format!("{method} /socket.io/?EIO=4&transport=polling{sid}"), headers, body).await;
        match self.http.status().await {
            Some(status) => {
                // Any of them may hold a token, but the answer to a browser that asks whether it may ask.
                assert!(
                    method == "OPTIONS" || self.http.head.contains("\r\ncache-control: no-store"),
                    "{}",
                    self.http.head
                );
                (status, self.http.text().await)
            }
            None => (0, String::new()),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Poll<S> {
    /// The head of the answer that was read last, in small letters.
    pub fn head(&self) -> &str {
        &self.http.head
    }
}

#[async_trait]
impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Wire for Poll<S> {
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
            // A poll may bring many packets.
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
