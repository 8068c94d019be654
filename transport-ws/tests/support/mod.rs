//! What the tests over real sockets share: a server, and clients that speak JSON.

#![allow(dead_code, unreachable_pub, reason = "every test file uses its own part of this")]

use std::net::SocketAddr;
use std::time::Duration;

use chat_core::Engine;
use chat_serve::{ServeConfig, serve};
use chat_testkit::sockets::{dial, listen};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::{WebSocketStream, client_async};
use transport_ws::WsConfig;

/// Far longer than anything here takes: what has not come by then does not come.
const PATIENCE: Duration = Duration::from_secs(20);

/// Serves `engine` on a port of its own.
pub async fn serve_engine(engine: Engine, config: WsConfig) -> SocketAddr {
    let (listener, address) = listen();
    let routes = transport_ws::routes(engine, config);
    tokio::spawn(serve(listener, routes, ServeConfig::default(), std::future::pending()));
    address
}

/// Serves a new engine with the default bounds.
pub async fn server() -> SocketAddr {
    serve_engine(Engine::builder().build(), WsConfig::default()).await
}

pub struct Client {
    pub socket: WebSocketStream<TcpStream>,
}

impl Client {
    /// Connects, and says nothing yet.
    pub async fn connect(server: SocketAddr) -> Self {
        let (socket, _) = client_async(format!("ws://{server}/ws"), dial(server).await).await.expect("upgraded");
        Self { socket }
    }

    /// Connects and enters a room, which is made if it is not there.
    pub async fn enter(server: SocketAddr, nick: &str, room: &str) -> Self {
        let mut client = Self::connect(server).await;
        client.say(json!({"type": "create", "id": 0, "nick": nick, "room": room})).await;
        assert_eq!(client.hear().await["type"], "welcome");
        let mut answer = client.hear().await;
        if answer["code"] == "name_taken" {
            client.say(json!({"type": "join", "id": 0, "nick": nick, "room": room})).await;
            answer = client.hear().await;
        }
        assert_eq!(answer["type"], "joined", "{answer}");
        client
    }

    pub async fn send(&mut self, message: Message) {
        self.socket.send(message).await.expect("the connection is open");
    }

    /// Sends a text frame that holds these bytes, whatever they are.
    pub async fn send_text_bytes(&mut self, bytes: impl Into<Vec<u8>>) {
        let frame = Frame::message(bytes.into(), OpCode::Data(Data::Text), true);
        self.send(Message::Frame(frame)).await;
    }

    pub async fn say(&mut self, frame: Value) {
        self.send(Message::text(frame.to_string())).await;
    }

    /// The next frame.
    pub async fn hear(&mut self) -> Value {
        loop {
            let next = tokio::time::timeout(PATIENCE, self.socket.next()).await.expect("a frame comes");
            match next.expect("the connection is open").expect("sound frames") {
                Message::Text(text) => return serde_json::from_str(&text).expect("JSON"),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// The next frame of a type, past others.
    pub async fn hear_next(&mut self, kind: &str) -> Value {
        loop {
            let frame = self.hear().await;
            if frame["type"] == kind {
                return frame;
            }
        }
    }

    /// Says something and hears the answer, past events.
    pub async fn ask(&mut self, frame: Value) -> Value {
        let id = frame["id"].clone();
        self.say(frame).await;
        loop {
            let answer = self.hear().await;
            if answer["id"] == id {
                return answer;
            }
        }
    }
}
