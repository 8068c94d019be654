//! The Socket.IO transport as two harnesses: a server on a real socket, and small clients that speak its packets by hand.

mod wire;

use std::collections::VecDeque;
use std::net::SocketAddr;

use async_trait::async_trait;
use chat_core::Engine;
use chat_testkit::contract::transport::{Client, Resume, TransportHarness};
use serde_json::{Map, Value, json};
use tokio::net::TcpSocket;
use transport_socketio::{SocketIoConfig, routes};

use wire::{Poll, Wire, Ws};

/// What a socket holds at most on each side, so that a reader's slowness shows soon.
const SOCKET_BYTES: u32 = 16 << 10;

/// Clients come by WebSocket.
pub(crate) struct SocketIo(SocketAddr);

/// Clients come by long-polling. A lost connection is noticed by a ping only.
pub(crate) struct Polling(SocketAddr);

pub(crate) struct SocketIoClient<W> {
    /// `None` once it has ended.
    wire: Option<W>,
    kept: VecDeque<Value>,
    acks: u64,
}

#[async_trait]
impl TransportHarness for SocketIo {
    type Client = SocketIoClient<Ws>;

    async fn open(engine: Engine) -> Self {
        Self(serve(engine).await)
    }

    async fn connect(&self, resume: Option<Resume>) -> SocketIoClient<Ws> {
        SocketIoClient::connect(Ws::dial(self.0).await, resume).await
    }
}

#[async_trait]
impl TransportHarness for Polling {
    type Client = SocketIoClient<Poll>;

    async fn open(engine: Engine) -> Self {
        Self(serve(engine).await)
    }

    async fn connect(&self, resume: Option<Resume>) -> SocketIoClient<Poll> {
        SocketIoClient::connect(Poll::dial(self.0).await, resume).await
    }
}

async fn serve(engine: Engine) -> SocketAddr {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_send_buffer_size(SOCKET_BYTES).expect("set");
    socket.bind("127.0.0.1:0".parse().expect("an address")).expect("a free port");
    let listener = socket.listen(1_024).expect("listening");
    let address = listener.local_addr().expect("bound");
    let router = routes(engine, SocketIoConfig::default());
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

impl<W: Wire> SocketIoClient<W> {
    /// Asks for the namespace. A refusal, in whichever words, is kept as an `error`.
    async fn connect(dialled: Result<W, String>, resume: Option<Resume>) -> Self {
        let mut wire = match dialled {
            Ok(wire) => wire,
            Err(refusal) => {
                let code = if refusal.contains("going down") { "draining" } else { "at_capacity" };
                return Self { wire: None, kept: [error(code)].into(), acks: 0 };
            }
        };
        let mut auth = json!({});
        if let Some(Resume { token, positions }) = resume {
            let positions = positions.into_iter().map(|(room, position)| (room, Value::from(position)));
            auth["resume"] = token.into();
            auth["positions"] = positions.collect::<Map<_, _>>().into();
        }
        wire.send(format!("40{auth}")).await;
        Self { wire: Some(wire), kept: VecDeque::new(), acks: 0 }
    }

    /// The next frame, and the number of the command that it acknowledges.
    async fn receive(&mut self) -> Option<(Option<u64>, Value)> {
        loop {
            let wire = self.wire.as_mut()?;
            let Some(packet) = wire.receive().await else {
                self.wire = None;
                return None;
            };
            match packet.get(..2).unwrap_or(&packet) {
                "2" => wire.send("3".to_owned()).await,
                "6" | "40" => {}
                "42" => {
                    let (name, frame): (String, Value) = serde_json::from_str(&packet[2..]).expect("an event");
                    assert_eq!(frame["type"], *name);
                    return Some((None, frame));
                }
                "43" => {
                    let list = packet.find('[').expect("an acknowledgement holds a list");
                    let number = packet[2..list].parse().expect("a number");
                    let (frame,): (Value,) = serde_json::from_str(&packet[list..]).expect("an acknowledgement");
                    return Some((Some(number), frame));
                }
                "44" => {
                    self.wire = None;
                    let refusal: Value = serde_json::from_str(&packet[2..]).expect("a refusal");
                    return Some((None, error(refusal["message"].as_str().expect("a code"))));
                }
                "41" | "1" => {
                    self.wire = None;
                    return None;
                }
                _ => panic!("{packet}"),
            }
        }
    }
}

fn error(code: &str) -> Value {
    json!({"type": "error", "code": code, "message": code})
}

#[async_trait]
impl<W: Wire> Client for SocketIoClient<W> {
    async fn command(&mut self, mut frame: Value) -> Value {
        self.acks += 1;
        let kind = frame.as_object_mut().and_then(|fields| fields.remove("type"));
        let event = json!([kind.unwrap_or_else(|| json!("message")), frame]);
        let wire = self.wire.as_mut().expect("connected");
        wire.send(format!("42{}{event}", self.acks)).await;
        loop {
            match self.receive().await.expect("an answer") {
                (Some(number), answer) => {
                    assert_eq!(number, self.acks);
                    return answer;
                }
                (None, frame) => self.kept.push_back(frame),
            }
        }
    }

    async fn next(&mut self) -> Option<Value> {
        match self.kept.pop_front() {
            Some(frame) => Some(frame),
            None => self.receive().await.map(|(answers, frame)| {
                assert_eq!(answers, None, "{frame}");
                frame
            }),
        }
    }

    async fn cut(self) {}
}
