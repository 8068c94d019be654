//! The WebSocket transport as a harness: a server on a real socket, and a small client of it.

use std::collections::VecDeque;
use std::net::SocketAddr;

use async_trait::async_trait;
use chat_core::Engine;
use chat_testkit::contract::transport::{Client, Resume, TransportHarness};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Map, Value, json};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use transport_ws::{WsConfig, routes};

/// What a socket holds at most on each side, so that a reader's slowness shows soon.
const SOCKET_BYTES: u32 = 16 << 10;

pub(crate) struct WebSocket(SocketAddr);

pub(crate) struct WebSocketClient {
    socket: WebSocketStream<TcpStream>,
    kept: VecDeque<Value>,
    /// The code of the `closing` frame, once it has come.
    closing: Option<u64>,
}

#[async_trait]
impl TransportHarness for WebSocket {
    type Client = WebSocketClient;

    async fn open(engine: Engine) -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_send_buffer_size(SOCKET_BYTES).expect("set");
        socket.bind("127.0.0.1:0".parse().expect("an address")).expect("a free port");
        let listener = socket.listen(1_024).expect("listening");
        let address = listener.local_addr().expect("bound");
        let router = routes(engine, WsConfig::default());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self(address)
    }

    async fn connect(&self, resume: Option<Resume>) -> WebSocketClient {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(SOCKET_BYTES).expect("set");
        let stream = socket.connect(self.0).await.expect("the server accepts");
        stream.set_nodelay(true).expect("set");
        let upgraded = tokio_tungstenite::client_async(format!("ws://{}/ws", self.0), stream).await;
        let (socket, _) = upgraded.expect("upgraded");
        let mut client = WebSocketClient { socket, kept: VecDeque::new(), closing: None };
        let mut hello = json!({"type": "hello"});
        if let Some(Resume { token, positions }) = resume {
            let positions = positions.into_iter().map(|(room, position)| (room, Value::from(position)));
            hello["resume"] = token.into();
            hello["positions"] = positions.collect::<Map<_, _>>().into();
        }
        client.send(&hello).await;
        client
    }
}

impl WebSocketClient {
    async fn send(&mut self, frame: &Value) {
        self.socket.send(Message::text(frame.to_string())).await.expect("the connection is open");
    }

    async fn receive(&mut self) -> Option<Value> {
        while let Some(message) = self.socket.next().await {
            match message.expect("the connection ends with a close frame") {
                Message::Text(text) => {
                    let frame: Value = serde_json::from_str(&text).expect("JSON");
                    assert_eq!(self.closing, None, "{frame} after the closing");
                    if frame["type"] == "closing" {
                        self.closing = frame["code"].as_u64();
                    }
                    return Some(frame);
                }
                Message::Close(close) => {
                    let code = close.map(|close| u64::from(u16::from(close.code)));
                    assert_eq!(code, self.closing, "the close frame says what the last frame says");
                }
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("{other:?}"),
            }
        }
        assert!(self.closing.is_some(), "the connection ends with a reason");
        None
    }
}

fn is_answer(frame: &Value) -> bool {
    match frame["type"].as_str() {
        Some("ack" | "error" | "history" | "members") => true,
        Some("joined") => frame.get("id").is_some(),
        _ => false,
    }
}

#[async_trait]
impl Client for WebSocketClient {
    async fn command(&mut self, frame: Value) -> Value {
        self.send(&frame).await;
        loop {
            let frame = self.receive().await.expect("an answer");
            if is_answer(&frame) {
                return frame;
            }
            self.kept.push_back(frame);
        }
    }

    async fn next(&mut self) -> Option<Value> {
        match self.kept.pop_front() {
            Some(frame) => Some(frame),
            None => self.receive().await,
        }
    }

    async fn cut(self) {}
}
