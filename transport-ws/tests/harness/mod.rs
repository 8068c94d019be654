//! The WebSocket transport as a harness: a server on a real socket, and a small client of it.

use std::collections::VecDeque;
use std::net::SocketAddr;

use async_trait::async_trait;
use chat_core::Engine;
use chat_testkit::contract::transport::{Client, Resume, TransportHarness, is_answer};
use chat_testkit::sockets::{dial, listen};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use transport_ws::{WsConfig, routes};

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
        let (listener, address) = listen();
        let router = routes(engine, WsConfig::default());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self(address)
    }

    async fn connect(&self, resume: Option<Resume>) -> WebSocketClient {
        self.say_hello(resume, None).await
    }

    async fn connect_showing(&self, resume: Option<Resume>, token: &str) -> Option<WebSocketClient> {
        Some(self.say_hello(resume, Some(token)).await)
    }

    async fn knock(&self, host: &str, headers: &[(&'static str, &str)]) -> Vec<u16> {
        let mut request = format!("ws://{}/ws", self.0).into_client_request().expect("a request");
        for &(name, value) in headers.iter().chain(&[("host", host)]) {
            request.headers_mut().insert(name, value.parse().expect("a value"));
        }
        match tokio_tungstenite::client_async(request, dial(self.0).await).await {
            Ok((_, answer)) => vec![answer.status().as_u16()],
            Err(Error::Http(answer)) => vec![answer.status().as_u16()],
            Err(error) => panic!("{error}"),
        }
    }
}

impl WebSocket {
    async fn say_hello(&self, resume: Option<Resume>, token: Option<&str>) -> WebSocketClient {
        let upgraded = tokio_tungstenite::client_async(format!("ws://{}/ws", self.0), dial(self.0).await).await;
        let (socket, _) = upgraded.expect("upgraded");
        let mut client = WebSocketClient { socket, kept: VecDeque::new(), closing: None };
        let mut hello = json!({"type": "hello"});
        if let Some(resume) = resume {
            resume.write_into(&mut hello);
        }
        if let Some(token) = token {
            hello["token"] = token.into();
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
