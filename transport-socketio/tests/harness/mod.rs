//! The Socket.IO transport as two harnesses: a server on a real socket, and small clients that speak its packets by hand.

#[path = "../support/wire.rs"]
#[allow(dead_code, unreachable_pub, missing_docs, reason = "the transport's own tests use the rest")]
mod wire;

use std::collections::VecDeque;
use std::net::SocketAddr;

use async_trait::async_trait;
use axum::Router;
use chat_core::Engine;
use chat_testkit::contract::transport::{Client, Resume, TransportHarness};
use chat_testkit::sockets::{Exchange, dial, listen};
use serde_json::{Value, json};
use transport_socketio::{SocketIoConfig, routes};

use wire::{Packet, Poll, Refused, Wire, Ws};

/// Clients come by WebSocket.
pub(crate) struct SocketIo(SocketAddr);

/// Clients come by long-polling. A lost connection is noticed by a ping only.
pub(crate) struct Polling(pub(crate) SocketAddr);

pub(crate) struct SocketIoClient<W> {
    /// `None` once it has ended.
    client: Option<wire::Client<W>>,
    kept: VecDeque<Value>,
}

#[async_trait]
impl TransportHarness for SocketIo {
    type Client = SocketIoClient<Ws>;

    async fn open(engine: Engine) -> Self {
        Self(serve(routes(engine, SocketIoConfig::default())))
    }

    async fn connect(&self, resume: Option<Resume>) -> SocketIoClient<Ws> {
        SocketIoClient::connect(self.dial().await, resume, None).await
    }

    async fn connect_showing(&self, resume: Option<Resume>, token: &str) -> Option<SocketIoClient<Ws>> {
        Some(SocketIoClient::connect(self.dial().await, resume, Some(token)).await)
    }

    async fn knock(&self, host: &str, headers: &[(&'static str, &str)]) -> Vec<u16> {
        let to_host: Vec<_> = headers.iter().copied().chain([("host", host)]).collect();
        let upgraded = Ws::dial(self.0, "", &to_host).await.err().map_or(101, |refused| refused.status);
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let mut polled = Exchange::over(dial(self.0).await, host);
        polled.ask("GET /socket.io/?EIO=4&transport=polling", &headers, "").await;
        vec![upgraded, polled.status().await.expect("an answer")]
    }
}

#[async_trait]
impl TransportHarness for Polling {
    type Client = SocketIoClient<Poll>;

    async fn open(engine: Engine) -> Self {
        Self(serve(routes(engine, SocketIoConfig::default())))
    }

    async fn connect(&self, resume: Option<Resume>) -> SocketIoClient<Poll> {
        SocketIoClient::connect(Poll::dial(self.0).await, resume, None).await
    }

    async fn connect_showing(&self, resume: Option<Resume>, token: &str) -> Option<SocketIoClient<Poll>> {
        Some(SocketIoClient::connect(Poll::dial(self.0).await, resume, Some(token)).await)
    }
}

impl SocketIo {
    async fn dial(&self) -> Result<Ws, Refused> {
        match Ws::dial(self.0, "", &[]).await {
            Ok(wire) => Ok(wire.opened().await),
            Err(refused) => Err(refused),
        }
    }
}

pub(crate) fn serve(router: Router) -> SocketAddr {
    let (listener, address) = listen();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

impl<W: Wire> SocketIoClient<W> {
    /// Asks for the namespace. A refusal, in whichever words, is kept as an `error`.
    async fn connect(dialled: Result<W, Refused>, resume: Option<Resume>, token: Option<&str>) -> Self {
        let wire = match dialled {
            Ok(wire) => wire,
            Err(Refused { status, body }) => {
                assert_eq!(status, 503, "{body}");
                let code = if body.contains("going down") { "draining" } else { "at_capacity" };
                return Self { client: None, kept: [error(code)].into() };
            }
        };
        let mut auth = json!({});
        if let Some(resume) = resume {
            resume.write_into(&mut auth);
        }
        if let Some(token) = token {
            auth["token"] = token.into();
        }
        let mut client = wire::Client::over(wire);
        client.wire.send(format!("40{auth}")).await;
        Self { client: Some(client), kept: VecDeque::new() }
    }

    /// The next frame, and the number of the command that it acknowledges.
    async fn receive(&mut self) -> Option<(Option<u64>, Value)> {
        loop {
            match self.client.as_mut()?.next().await {
                Some(Packet::Event(name, frame)) => {
                    assert_eq!(frame["type"], *name);
                    return Some((None, frame));
                }
                Some(Packet::Ack(number, frame)) => return Some((Some(number), frame)),
                Some(Packet::Other(packet)) => match packet.split_at(1) {
                    // Let in.
                    ("0", _) => {}
                    ("4", refusal) => {
                        self.client = None;
                        let refusal: Value = serde_json::from_str(refusal).expect("a refusal");
                        return Some((None, error(refusal["message"].as_str().expect("a code"))));
                    }
                    ("1", _) => self.client = None,
                    _ => panic!("{packet}"),
                },
                None => self.client = None,
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
        let kind = frame.as_object_mut().and_then(|fields| fields.remove("type"));
        let kind = kind.unwrap_or_else(|| json!("message"));
        let asked = self.client.as_mut().expect("connected").emit_with_ack(kind, frame).await;
        loop {
            match self.receive().await.expect("an answer") {
                (Some(number), answer) => {
                    assert_eq!(number, asked);
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
